//! One cloud, one journal, and what the façade does with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::Utf8PathBuf;
use howso_infra_core::plan::{Kinds, PlanInput, Replacement, plan_down, plan_up};
use howso_infra_core::spec::EngineSettings;
use howso_infra_core::{
    Backend, ClusterIdentity, DeploymentId, Generation, Graph, Observation, Plan, Scope, ScopeKinds,
};
use howso_infra_engine::journal::RunResult;
use howso_infra_engine::{
    Clock, Event, Holder, Journal, JournalError, JournalPlace, Outcome, RunSettings, Surroundings, VirtualClock, run,
};
use object_store::memory::InMemory;
use object_store::path::Path;
use tokio::sync::mpsc;

use super::cloud::{Cloud, IntentsOf, State};
use super::graphs::KINDS;
use super::mutant::{Mutant, Mutated};
use super::store::CrashingStore;
use super::switch::Switch;

/// Which way to go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal<'a> {
    Up(&'a Graph),
    Down,
}

pub(crate) struct World {
    pub(crate) clock: VirtualClock,
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) store: Arc<CrashingStore>,
    pub(crate) switch: Arc<Switch>,
    pub(crate) settings: RunSettings,
    pub(crate) mutant: Option<Mutant>,
    /// A journal file instead of the bucket.
    pub(crate) file: Option<Utf8PathBuf>,
}

/// What one command did.
pub(crate) struct Ran {
    pub(crate) plan: Plan,
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<Event>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_mutant(None)
    }

    /// A world with its journal in a file.
    pub(crate) fn with_file(file: Utf8PathBuf) -> Self {
        let mut world = Self::new();
        // Nobody else has the cloud yet.
        Arc::get_mut(&mut world.cloud).unwrap().intents_of = intents_in_file(file.clone());
        world.file = Some(file);
        world
    }

    pub(crate) fn with_mutant(mutant: Option<Mutant>) -> Self {
        let clock = VirtualClock::new("2026-11-24T08:00:00Z".parse().unwrap());
        let switch = Arc::new(Switch::default());
        switch.freeze_on_death(clock.clone());
        let store = Arc::new(CrashingStore { inner: InMemory::new(), switch: Arc::clone(&switch), mutant });
        let delays = [0, 3_000, 0, 8_000, 500].map(Duration::from_millis).to_vec();
        let cloud = Arc::new(Cloud {
            state: Mutex::new(State { delays, ..State::default() }),
            clock: clock.clone(),
            switch: Arc::clone(&switch),
            intents_of: intents_in(Arc::clone(&store)),
            before_submit: Mutex::new(None),
        });
        let settings = RunSettings::new(EngineSettings::default(), 42);
        Self { clock, cloud, store, switch, settings, mutant, file: None }
    }

    pub(crate) fn place(&self) -> JournalPlace {
        match &self.file {
            Some(file) => JournalPlace::File(file.clone()),
            None => JournalPlace::Bucket { store: self.store.clone(), path: path(), url: path().to_string() },
        }
    }

    pub(crate) fn backends(&self) -> Vec<Arc<dyn Backend>> {
        let cloud: Arc<dyn Backend> = self.cloud.clone();
        match self.mutant {
            None => vec![cloud],
            Some(mutant) => vec![Arc::new(Mutated { inner: cloud, mutant })],
        }
    }

    pub(crate) fn holder(&self) -> Holder {
        Holder { host: "machine".to_owned(), process_id: 1, started: self.clock.wall() }
    }

    pub(crate) async fn open(&self) -> Result<Journal, JournalError> {
        Journal::open(self.place(), self.holder(), Arc::new(self.clock.clone())).await
    }

    pub(crate) async fn observe(&self, deployment: &DeploymentId) -> Observation {
        let _hold = self.clock.hold();
        loop {
            let scope = Scope::Cluster { deployment: Some(deployment.clone()), kinds: ScopeKinds::All };
            match self.backends()[0].observe(&scope).await {
                Ok(observation) if observation.gaps.is_empty() => return observation,
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Observes until absences can be believed.
    async fn observe_settled(&self, journal: &Journal, deployment: &DeploymentId) -> Observation {
        let engine = &self.settings.engine;
        let window = engine.visibility_window + 2 * engine.request_timeout;
        loop {
            let observation = self.observe(deployment).await;
            let recent = journal.state().recent_creates(self.clock.wall(), window);
            let is_settled = recent.iter().all(|resource| observation.ours(resource).next().is_some());
            if is_settled || self.mutant == Some(Mutant::TrustAbsence) {
                return observation;
            }
            let _hold = self.clock.hold();
            self.clock.sleep(Duration::from_secs(1)).await;
        }
    }

    pub(crate) async fn plan(&self, journal: &mut Journal, goal: Goal<'_>) -> Plan {
        let deployment = deployment();
        let observation = self.observe_settled(journal, &deployment).await;
        journal.note_observed(&observation).await.unwrap();
        let recorded = journal.state().generation().max(observation.generation());
        let generation = recorded.map_or(Generation::FIRST, Generation::next);
        let identity = ClusterIdentity { cluster: "toy".to_owned(), deployment, generation };
        let pending = match self.mutant {
            Some(Mutant::ForgetPending) => BTreeMap::new(),
            _ => journal.state().pending_creates(),
        };
        let (kinds, nothing) = (Kinds::new([KINDS]), Graph::default());
        let graph = match goal {
            Goal::Up(graph) => graph,
            Goal::Down => &nothing,
        };
        let input = PlanInput {
            graph,
            kinds: &kinds,
            observation: &observation,
            identity: &identity,
            pending: &pending,
            replacement: Replacement::Allowed,
        };
        match goal {
            Goal::Up(_) => plan_up(input),
            Goal::Down => plan_down(input),
        }
    }

    /// What a command does from beginning to end.
    pub(crate) async fn command(&self, goal: Goal<'_>) -> Ran {
        let mut journal = self.open().await.unwrap();
        let plan = self.plan(&mut journal, goal).await;
        if plan.steps.is_empty() {
            journal.close().await.unwrap();
            return Ran { plan, outcome: Outcome::default(), events: Vec::new() };
        }
        journal.record_deployment(&deployment()).await.unwrap();
        journal.begin_run("up", plan.identity.generation).await.unwrap();
        let (outcome, events) = self.run(&plan, &mut journal).await;
        let result = if outcome.is_complete() { RunResult::Complete } else { RunResult::Partial };
        let _ = journal.end_run(result).await;
        let _ = journal.close().await;
        Ran { plan, outcome, events }
    }

    pub(crate) async fn run(&self, plan: &Plan, journal: &mut Journal) -> (Outcome, Vec<Event>) {
        let (events, mut received) = mpsc::unbounded_channel();
        let (sender, interrupts) = mpsc::channel(4);
        self.switch.connect(sender);
        let clock: Arc<dyn Clock> = Arc::new(self.clock.clone());
        let backends = self.backends();
        let surroundings = Surroundings { backends: &backends, clock, settings: &self.settings, events, interrupts };
        let outcome = run(plan, journal, surroundings).await;
        let mut list = Vec::new();
        while let Ok(event) = received.try_recv() {
            list.push(event);
        }
        (outcome, list)
    }

    /// A command that may die; then the lock of the dead process is freed, as a file lock would be.
    pub(crate) async fn mortal_command(&self, goal: Goal<'_>) -> Option<Ran> {
        let ran = self.switch.unless_dead(self.command(goal)).await;
        self.switch.reset();
        if ran.is_none() {
            self.store.free(&path()).await;
        }
        ran
    }

    /// Everything that must hold at the end: no mistake on the way, and nothing left to do.
    pub(crate) async fn check(&self, goal: Goal<'_>) -> Result<(), String> {
        let mut journal = self.open().await.map_err(|error| error.to_string())?;
        let plan = self.plan(&mut journal, goal).await;
        journal.close().await.map_err(|error| error.to_string())?;
        if !plan.is_empty() {
            let steps: Vec<_> =
                plan.steps.iter().map(|step| format!("{:?} {}", step.action.verb(), step.resource)).collect();
            return Err(format!("a second plan is not empty: {steps:?}, blocked: {}", plan.blocked().count()));
        }
        let violations = self.cloud.lock().violations.clone();
        if violations.is_empty() { Ok(()) } else { Err(violations.join("; ")) }
    }
}

/// Counts the durable intents with a token in the bucket.
fn intents_in(store: Arc<CrashingStore>) -> IntentsOf {
    Box::new(move |token: String| {
        let store = Arc::clone(&store);
        Box::pin(async move { count_intents(&store.text(&path()).await, &token) })
    })
}

/// Counts the intents with a token in a file.
pub(crate) fn intents_in_file(file: Utf8PathBuf) -> IntentsOf {
    Box::new(move |token: String| {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        Box::pin(async move { count_intents(&text, &token) })
    })
}

fn count_intents(text: &str, token: &str) -> usize {
    text.lines().filter(|line| line.contains("\"intent\"") && line.contains(token)).count()
}

pub(crate) fn path() -> Path {
    Path::from("journals/toy.journal")
}

pub(crate) fn deployment() -> DeploymentId {
    DeploymentId::from_bytes([0xab; 16])
}
