//! The engine against a small made-up cloud, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its situation has failed")]

mod clock;
mod crash;
mod faults;
mod interruption;
mod journal_file;
mod lost_answers;
mod mutants;
mod queue;
mod random;
mod support;
mod two_runs;
