//! The engine against a small made-up cloud, in virtual time.

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
