//! Asking before anything is changed.

use std::io::{self, BufRead};

use crate::failure::Failure;
use crate::machine::Machine;
use crate::signals::Signals;
use crate::view::Console;

/// Whether a person can be asked.
fn check_somebody_is_there(console: &Console, machine: &Machine, option: &str) -> Result<(), Failure> {
    let reason = if !console.is_for_people() {
        "the output is for programs"
    } else if !machine.can_answer {
        "this is not a terminal"
    } else {
        return Ok(());
    };
    Err(Failure::NobodyToAsk { reason, option: option.to_owned() })
}

/// Asks a question that is answered with yes or no.
pub(crate) async fn confirm(
    console: &Console,
    machine: &Machine,
    signals: &mut Signals,
    question: &str,
) -> Result<(), Failure> {
    check_somebody_is_there(console, machine, "--yes")?;
    let answer = ask(console, signals, &format!("{question} [y/N]")).await?;
    if matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes") { Ok(()) } else { Err(Failure::Declined) }
}

/// Asks for a name to be typed.
pub(crate) async fn confirm_name(
    console: &Console,
    machine: &Machine,
    signals: &mut Signals,
    name: &str,
) -> Result<(), Failure> {
    check_somebody_is_there(console, machine, &format!("--yes {name}"))?;
    let answer = ask(console, signals, &format!("Type the name of the cluster ({name}) to remove it:")).await?;
    if answer == name { Ok(()) } else { Err(Failure::Declined) }
}

/// Reads the answer on a thread of its own, so that an interrupt is heard meanwhile.
async fn ask(console: &Console, signals: &mut Signals, question: &str) -> Result<String, Failure> {
    console.question(question);
    let answer = signals.or_stop(tokio::task::spawn_blocking(read_line)).await?;
    answer.map_err(io::Error::other).and_then(|line| line).map_err(unanswered)
}

fn unanswered(source: io::Error) -> Failure {
    Failure::File { action: "read", path: "standard input".into(), source }
}

/// Asks right here, for verbs that do nothing else meanwhile. An empty answer means `default`.
pub(crate) fn ask_now(console: &Console, question: &str, default: Option<&str>) -> Result<String, Failure> {
    let shown = default.map_or_else(|| question.to_owned(), |default| format!("{question} [{default}]"));
    console.question(&shown);
    let answer = read_line().map_err(unanswered)?;
    Ok(if answer.is_empty() { default.unwrap_or_default().to_owned() } else { answer })
}

/// One line without the white space around it. The end of the input is no answer.
fn read_line() -> io::Result<String> {
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim().to_owned())
}
