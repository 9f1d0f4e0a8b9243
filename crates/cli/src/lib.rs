//! The command line of howso-infra: reads arguments and settings, asks the library, shows events, chooses exit codes.
//!
//! A program with providers of its own is one line: [`run`] with its registry.

mod arguments;
mod commands;
mod consent;
mod exit;
mod failure;
mod given;
mod log;
mod machine;
#[cfg(test)]
mod samples;
mod settings;
mod signals;
mod view;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use howso_infra::Registry;

use arguments::Arguments;
use commands::Context;
use exit::Exit;
use failure::Failure;
use machine::Machine;
use view::Console;
use view::errors::FailureReport;

/// Runs the command with the providers of `registry`, and returns its exit code.
pub fn run(registry: impl FnOnce() -> Registry) -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help for a reader that has gone away is no failure.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let (machine, looked) = match Machine::here() {
        Ok(machine) => (machine, Ok(())),
        Err(failure) => (Machine::default(), Err(failure)),
    };
    log::start(arguments.talk, &machine);
    let console = Arc::new(Console::new(arguments.talk, &machine));
    let resume = commands::resume(&arguments.verb);
    let context = Context {
        machine: &machine,
        registry: &registry(),
        console: &console,
        #[cfg(feature = "eks")]
        rehearsal: None,
    };
    let result = looked.and_then(|()| commands::run(&context, arguments.verb));
    console.clear();
    conclude(&console, result, resume)
}

/// Says what went wrong, and chooses the exit code.
fn conclude(console: &Console, result: Result<(), Failure>, resume: Option<&str>) -> ExitCode {
    let result = match (result, console.stdout_error()) {
        (Ok(()), Some(error)) => Err(Failure::StandardOutput(error)),
        (result, _) => result,
    };
    match result {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            let failure = match failure {
                Failure::Spec(errors) => Failure::Spec(console.locate(errors)),
                other => other,
            };
            if !matches!(failure, Failure::Changes | Failure::Found(_)) {
                console.failure(&FailureReport { failure: &failure, resume });
            }
            Exit::of(&failure).into()
        }
    }
}
