//! The command `howso-infra`.

use std::process::ExitCode;

use howso_infra::Registry;
use mimalloc::MiMalloc;

/// Rehearsals make and drop many small things, which takes this allocator half the time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    howso_infra_cli::run(Registry::builtin)
}
