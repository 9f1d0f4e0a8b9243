//! The same tests on the API server of the emulator: it must do for the program what the real one does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod api_server;
#[path = "../cluster/apply.rs"]
mod apply;
#[path = "../cluster/crash.rs"]
mod crash;
#[path = "../cluster/faults.rs"]
mod faults;
#[path = "../cluster/removal.rs"]
mod removal;
#[path = "../cluster/support/mod.rs"]
mod support;
#[path = "../cluster/verification.rs"]
mod verification;
