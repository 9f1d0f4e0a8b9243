//! What the tests of rehearsals share.

use std::error::Error;

use howso_infra::core::plan::Replacement;
use howso_infra::core::spec::{Layers, embedded_profile, resolve};
use howso_infra::interrupt::Interrupts;
use howso_infra::{Finished, Goal, Session};
use howso_infra_rehearsal::Rehearsal;

/// What goes wrong in a test of this kind.
pub type Failure = Box<dyn Error + Send + Sync>;

/// To make what is wanted without replacing anything.
pub const UP: Goal = Goal::Up { replacement: Replacement::Refused };

/// Opens the cluster `demo` with a profile and what `settings` (`key=value`) say beyond it.
pub async fn open(rehearsal: &Rehearsal, profile: &str, settings: &[&str]) -> Result<Session, Failure> {
    let registry = rehearsal.registry();
    let text = embedded_profile(profile).ok_or("the profile is embedded")?;
    let mut layers = Layers::new().profile(profile, None, text)?;
    let address_service = format!("eks.address_service={}", rehearsal.address_service());
    for setting in ["name=demo", "provider=eks", "region=us-east-1", &address_service].iter().chain(settings) {
        layers = layers.set("--set", setting)?;
    }
    let spec = resolve(&layers, &registry.schemas())?.spec;
    let session = Session::open(spec, &registry, rehearsal.surroundings()?).await?;
    Ok(rehearsal.stage(session))
}

/// Carries a command out, as far as it goes.
pub async fn run(session: &Session, goal: Goal) -> Result<Finished, Failure> {
    Ok(session.begin(goal).await?.execute(Interrupts::never()).await?)
}

/// Carries a command out, as far as it goes; nothing when a fault lets the program die in the middle.
pub async fn run_or_die(rehearsal: &Rehearsal, session: &Session, goal: Goal) -> Result<Option<Finished>, Failure> {
    tokio::select! {
        finished = run(session, goal) => return finished.map(Some),
        _ = rehearsal.emulator().death() => {}
    }
    rehearsal.bury().await?;
    Ok(None)
}
