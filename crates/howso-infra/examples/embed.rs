//! Brings a cluster up from another program: `cargo run --example embed`.
//!
//! Credentials, and an endpoint other than AWS itself, come from the standard `AWS_*` variables.

use howso_infra::core::plan::Replacement;
use howso_infra::core::spec::{Layers, embedded_profile, resolve};
use howso_infra::interrupt::Interrupts;
use howso_infra::{Goal, Registry, Session, Surroundings};

const SPECIFICATION: &str = "name = \"embedded\"\nprovider = \"eks\"\nregion = \"us-east-1\"\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::builtin();
    let profile = embedded_profile("small").ok_or("the profile `small` is embedded")?;
    let layers = Layers::new().profile("small", None, profile)?.file("embedded.toml".into(), SPECIFICATION)?;
    let spec = resolve(&layers, &registry.schemas())?.spec;
    let state_dir = std::env::args().nth(1).ok_or("the state directory is the first argument")?.into();
    let surroundings = Surroundings { state_dir, host: "example".to_owned(), process_id: std::process::id() };
    let session = Session::open(spec, &registry, surroundings).await?;
    let run = session.begin(Goal::Up { replacement: Replacement::Refused }).await?;
    let finished = run.execute(Interrupts::never()).await?;
    if finished.outcome.is_complete() { Ok(()) } else { Err("the cluster is not complete; run again to resume".into()) }
}
