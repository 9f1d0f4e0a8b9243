//! `completions`: a script for a shell.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Context;
use crate::arguments::{Arguments, CompletionsArguments};
use crate::failure::Failure;

const PROGRAM: &str = "howso-infra";

#[expect(clippy::unnecessary_wraps, reason = "every verb has the same form")]
pub(super) fn run(context: &Context<'_>, arguments: &CompletionsArguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), PROGRAM, &mut script);
    let script = String::from_utf8_lossy(&script);
    context.console.text(&if arguments.shell == Shell::Bash {
        with_one_spelling(&script)
    } else {
        script.into_owned()
    });
    Ok(())
}

/// Spells the program's name in the labels of verbs as where they are looked up: for a name with a hyphen they differ, and
/// nothing after a verb is completed (<https://github.com/clap-rs/clap/issues/6421>).
fn with_one_spelling(script: &str) -> String {
    script.replace(&PROGRAM.replace('-', "__subcmd__"), &PROGRAM.replace('-', "__"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The states that the script of bash can be in, and those for which it knows an answer.
    fn states(script: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
        let lines = || script.lines().map(str::trim);
        let reached = lines().filter_map(|line| line.strip_prefix("cmd=\"")?.strip_suffix('"'));
        let known = lines().filter_map(|line| line.strip_suffix(')').filter(|label| label.starts_with("howso__")));
        (reached.filter(|state| !state.is_empty()).collect(), known.filter(|label| !label.contains(',')).collect())
    }

    #[test]
    fn bash_knows_an_answer_after_every_verb() {
        let mut script = Vec::new();
        clap_complete::generate(Shell::Bash, &mut Arguments::command(), PROGRAM, &mut script);
        let script = String::from_utf8(script).unwrap();
        let (reached, known) = states(&script);
        assert_ne!(reached, known, "the generator spells it alike by now: the repair can go");
        let repaired = with_one_spelling(&script);
        let (reached, known) = states(&repaired);
        assert_eq!(reached, known);
        assert!(reached.len() > 14, "{reached:?}");
    }
}
