//! The log, on standard error, for who wants to look inside.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::arguments::TalkArguments;
use crate::machine::Machine;
use crate::view::style::Style;

/// Starts the log when `-v` asks for it.
///
/// Only this program's own crates are logged: at these levels the clouds' libraries log requests, and with them what is
/// secret.
pub(crate) fn start(talk: TalkArguments, machine: &Machine) {
    let level = match talk.verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        3.. => LevelFilter::TRACE,
    };
    let colour = Style::new(talk, machine, machine.stderr_is_terminal).colour;
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour);
    tracing_subscriber::registry().with(layer).with(Targets::new().with_target("howso_infra", level)).init();
}
