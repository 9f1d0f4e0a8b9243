//! Runs the plans of howso-infra.
//!
//! [`machine`] decides: a pure state machine that turns inputs into effects. [`driver`] acts: it performs the effects with
//! tokio and feeds the answers back. Every mutation is written to the [`journal`] before it leaves. Time comes from a
//! [`clock`]; what happens is told as [`event`]s. This crate knows no cloud.

pub mod clock;
pub mod driver;
pub mod event;
pub mod journal;
mod lease;
pub mod machine;
pub mod outcome;
pub mod retries;
pub mod settings;

pub use clock::{Clock, Hold, Moment, TokioClock, VirtualClock};
pub use driver::{Interrupt, Surroundings, run};
pub use event::{EVENT_SCHEMA, Event};
pub use journal::{Holder, Journal, JournalError, JournalPlace, JournalState};
pub use outcome::{Counts, Interruption, Outcome, SettledStep};
pub use retries::ReadRetries;
pub use settings::RunSettings;
