//! What an observer is told.

use std::sync::Arc;

use howso_infra_core::ProviderError;
use serde::Serialize;

/// Something that happened, for views.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "event")]
pub enum Event {
    /// A phase begins; the one before has ended.
    Phase(Phase),
    /// Something could not be read, for a reason that should pass, and is read again.
    ReadingAgain {
        /// What went wrong.
        error: ProviderError,
        /// How long until the next attempt.
        delay_secs: f64,
    },
    /// Something happened while a plan runs.
    Engine(howso_infra_engine::Event),
}

/// A phase of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading what is there.
    Reading,
    /// Waiting until a recent creation must have become visible.
    AwaitingVisibility,
    /// Checking whether the plan can succeed.
    Checking,
    /// Running the plan.
    Running,
    /// Reading again and planning again: nothing may be left to do.
    Verifying,
    /// Looking for what a removal may have left behind.
    Auditing,
}

/// Is told what happens. Called from the run's own task: it must not block.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;
