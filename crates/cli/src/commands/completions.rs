//! `completions`: a script for a shell.

use clap::CommandFactory;

use super::Context;
use crate::arguments::{Arguments, CompletionsArguments};
use crate::failure::Failure;

#[expect(clippy::unnecessary_wraps, reason = "every verb has the same form")]
pub(super) fn run(context: &Context<'_>, arguments: &CompletionsArguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "howso-infra", &mut script);
    context.console.text(&String::from_utf8_lossy(&script));
    Ok(())
}
