//! The command `howso-infra`.

use std::process::ExitCode;

use howso_infra::Registry;

fn main() -> ExitCode {
    howso_infra_cli::run(Registry::builtin)
}
