//! An emulated AWS account in this process, and clusters on it, all in the same virtual time.

use std::error::Error;
use std::sync::Arc;

use howso_infra::core::plan::Replacement;
use howso_infra::core::spec::{Layers, embedded_profile, resolve};
use howso_infra::engine::{Clock, Moment, VirtualClock};
use howso_infra::interrupt::Interrupts;
use howso_infra::{Finished, Goal, Registry, Session, Stage, Surroundings};
use howso_infra_eks::EksFactory;
use howso_infra_emulator::Emulator;
use tokio::net::TcpListener;

/// What goes wrong in a test of this kind.
pub type Failure = Box<dyn Error + Send + Sync>;

/// An emulated account with a state directory beside it.
pub struct Rehearsal {
    /// The account.
    pub emulator: Emulator,
    clock: VirtualClock,
    endpoint: String,
    state: tempfile::TempDir,
}

impl Rehearsal {
    /// An empty account; the same seed gives the same one.
    pub async fn new(seed: u64) -> Result<Self, Failure> {
        let clock = VirtualClock::new("2026-11-26T08:00:00Z".parse()?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let time = clock.clone();
        let emulator = Emulator::new(move || time.wall(), seed);
        tokio::spawn(emulator.clone().serve(listener));
        Ok(Self { emulator, clock, endpoint, state: tempfile::tempdir()? })
    }

    /// How many calls there were that change something.
    pub fn mutating_calls(&self) -> usize {
        self.emulator.calls().iter().filter(|call| call.mutates).count()
    }

    /// How much virtual time has passed.
    pub fn passed(&self) -> std::time::Duration {
        self.clock.now().since(Moment::START)
    }

    /// Opens the cluster `demo` with a profile and what `settings` (`key=value`) say beyond it.
    pub async fn open(&self, profile: &str, settings: &[&str]) -> Result<Session, Failure> {
        let registry = Registry::empty().with(Arc::new(EksFactory::at(&self.endpoint)));
        let text = embedded_profile(profile).ok_or("the profile is embedded")?;
        let mut layers = Layers::new().profile(profile, None, text)?;
        for setting in ["name=demo", "provider=eks", "region=us-east-1"].iter().chain(settings) {
            layers = layers.set("--set", setting)?;
        }
        let spec = resolve(&layers, &registry.schemas())?.spec;
        let state_dir = self.state.path().to_path_buf().try_into()?;
        let surroundings = Surroundings { state_dir, host: "rehearsal".to_owned(), process_id: 1 };
        let session = Session::open(spec, &registry, surroundings).await?.until(Stage::Cloud);
        Ok(session.with_clock(Arc::new(self.clock.clone())))
    }

    /// Carries a command out, as far as it goes.
    pub async fn run(&self, session: &Session, goal: Goal) -> Result<Finished, Failure> {
        Ok(session.begin(goal).await?.execute(Interrupts::never()).await?)
    }
}

/// To make what is wanted without replacing anything.
pub const UP: Goal = Goal::Up { replacement: Replacement::Refused };
