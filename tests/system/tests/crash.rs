//! Dies at every boundary, loses every answer, and must still end where a calm run ends: in virtual time, with the real
//! engine, journal and façade.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8Path;
use howso_infra::core::plan::Replacement;
use howso_infra::core::spec::{Layers, embedded_profile, resolve};
use howso_infra::core::{ErrorKind, ScopeKinds};
use howso_infra::engine::{Clock, JournalError, VirtualClock};
use howso_infra::interrupt::Interrupts;
use howso_infra::{Error, Goal, Registry, Run, Session, Surroundings};
use howso_infra_tests::{Fault, MemoryCloud, Unreadable};

const UP: Goal = Goal::Up { replacement: Replacement::Refused };

struct World {
    cloud: MemoryCloud,
    clock: VirtualClock,
    state: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let clock = VirtualClock::new(jiff::Timestamp::UNIX_EPOCH);
        Self { cloud: MemoryCloud::new(clock.clone()), clock, state: tempfile::tempdir().unwrap() }
    }

    async fn open(&self, settings: &[&str]) -> Session {
        let registry = Registry::empty().with(Arc::new(self.cloud.clone()));
        let mut layers = Layers::new().profile("small", None, embedded_profile("small").unwrap()).unwrap();
        for setting in ["name=demo", "provider=memory", "region=here"].iter().chain(settings) {
            layers = layers.set("--set", setting).unwrap();
        }
        let spec = resolve(&layers, &registry.schemas()).unwrap().spec;
        let state_dir = Utf8Path::from_path(self.state.path()).unwrap().to_owned();
        let surroundings = Surroundings { state_dir, host: "test".to_owned(), process_id: 1 };
        Session::open(spec, &registry, surroundings).await.unwrap().with_clock(Arc::new(self.clock.clone()))
    }

    /// Runs until the end, or until the cloud kills the program. Returns whether everything is as wanted.
    async fn run(&self, goal: Goal, settings: &[&str]) -> Result<bool, String> {
        let session = self.open(settings).await;
        let run = async {
            let run = begin(&session, goal).await.map_err(|error| error.to_string())?;
            let finished = run.execute(Interrupts::never()).await.map_err(|error| error.to_string())?;
            let is_quiet = finished.remaining.is_none_or(|plan| plan.is_empty());
            if finished.outcome.failures.is_empty() {
                Ok(finished.outcome.is_complete() && is_quiet)
            } else {
                Err(format!("{:#?}", finished.outcome.failures))
            }
        };
        tokio::select! {
            finished = run => finished,
            () = self.cloud.killed() => Ok(false),
        }
    }

    /// Runs again as a user would, and returns how often it took.
    async fn converge(&self, goal: Goal, settings: &[&str]) -> usize {
        for attempt in 1..=3 {
            if self.run(goal, settings).await.unwrap() {
                return attempt;
            }
        }
        panic!("three runs did not converge: {:#?}", self.cloud.contents());
    }
}

/// Takes the lease. A process that dies takes its lock along at once; here only its future is dropped, and a write of the
/// journal that is under way on another thread keeps the lock until it is done.
async fn begin(session: &Session, goal: Goal) -> Result<Run<'_>, Error> {
    for _ in 0..1_000 {
        match session.begin(goal).await {
            Err(Error::Journal(JournalError::Held { .. })) => tokio::time::sleep(Duration::from_millis(1)).await,
            other => return other,
        }
    }
    session.begin(goal).await
}

/// Kills the program at every boundary of a run from `before` to `goal`, and compares the end with that of a calm run.
async fn kill_everywhere(before: Option<Goal>, goal: Goal, settings: &[&str]) -> usize {
    let calm = World::new();
    if let Some(before) = before {
        calm.converge(before, &[]).await;
    }
    calm.cloud.kill_at(None);
    calm.converge(goal, settings).await;
    let (boundaries, wanted) = (calm.cloud.boundaries(), calm.cloud.contents());
    assert!(boundaries > 8, "{boundaries} boundaries");
    for boundary in 1..=boundaries {
        let world = World::new();
        if let Some(before) = before {
            world.converge(before, &[]).await;
        }
        world.cloud.kill_at(Some(boundary));
        assert_eq!(world.run(goal, settings).await, Ok(false), "boundary {boundary} was not reached");
        world.cloud.kill_at(None);
        world.converge(goal, settings).await;
        assert_eq!(world.cloud.contents(), wanted, "after dying at boundary {boundary} of {boundaries}");
    }
    boundaries
}

#[tokio::test]
async fn dying_anywhere_on_the_way_up_leaves_no_trace() {
    kill_everywhere(None, UP, &[]).await;
}

#[tokio::test]
async fn dying_anywhere_in_a_change_leaves_no_trace() {
    let settings = ["workers.default.max=9", "workers.big.max=3", "core.nodes=3"];
    kill_everywhere(Some(UP), UP, &settings).await;
}

#[tokio::test]
async fn dying_anywhere_on_the_way_down_leaves_nothing() {
    kill_everywhere(Some(UP), Goal::Down, &[]).await;
}

#[tokio::test]
async fn losing_the_journal_with_the_process_orphans_nothing() {
    let calm = World::new();
    calm.cloud.kill_at(None);
    calm.converge(UP, &[]).await;
    for boundary in 1..=calm.cloud.boundaries() {
        let world = World::new();
        world.cloud.kill_at(Some(boundary));
        world.run(UP, &[]).await.unwrap();
        world.cloud.kill_at(None);
        std::fs::remove_dir_all(world.state.path()).unwrap();
        // A person does not come back within the seconds in which a cloud hides what it has just made.
        world.clock.sleep(2 * howso_infra_tests::VISIBLE_AFTER).await;
        world.converge(UP, &[]).await;
        assert_eq!(world.cloud.contents(), calm.cloud.contents(), "boundary {boundary}");
    }
}

#[tokio::test]
async fn every_single_fault_is_overcome_in_one_run() {
    let calm = World::new();
    calm.cloud.set_faults(BTreeMap::new());
    calm.converge(UP, &[]).await;
    for fault in [Fault::AnswerLost, Fault::CallLost, Fault::Throttled, Fault::Busy] {
        for call in 1..=calm.cloud.submits() {
            let world = World::new();
            world.cloud.set_faults(BTreeMap::from([(call, fault)]));
            assert_eq!(world.converge(UP, &[]).await, 1, "{fault:?} at call {call}");
            assert_eq!(world.cloud.contents(), calm.cloud.contents(), "{fault:?} at call {call}");
        }
    }
}

#[tokio::test]
async fn random_faults_and_deaths_converge() {
    let calm = World::new();
    calm.converge(UP, &[]).await;
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let world = World::new();
        let faults = (1..40).filter(|_| random.u8(..) < 60).collect::<Vec<usize>>();
        let kinds = [Fault::AnswerLost, Fault::CallLost, Fault::Throttled, Fault::Busy];
        world.cloud.set_faults(faults.into_iter().map(|call| (call, kinds[random.usize(..4)])).collect());
        for _ in 0..3 {
            world.cloud.kill_at(Some(random.usize(1..40)));
            if world.run(UP, &[]).await.unwrap_or(false) {
                break;
            }
        }
        world.cloud.kill_at(None);
        world.cloud.set_faults(BTreeMap::new());
        world.converge(UP, &[]).await;
        assert_eq!(world.cloud.contents(), calm.cloud.contents(), "seed {seed}");
        world.converge(Goal::Down, &[]).await;
        assert!(world.cloud.contents().is_empty(), "seed {seed}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_for_a_while_is_read_again_and_only_that() {
    let world = World::new();
    world.converge(UP, &[]).await;
    let wanted = world.cloud.contents();
    let throttled = || ErrorKind::Throttled { after: Some(Duration::from_secs(30)) };
    world.cloud.set_unreadable([
        Unreadable::Everything(ErrorKind::Ambiguous),
        Unreadable::Kind("memory/pool", ErrorKind::Transient),
        Unreadable::Kind("memory/pool", throttled()),
    ]);
    let before = world.clock.now();
    assert_eq!(world.converge(UP, &[]).await, 1);
    assert_eq!(world.cloud.contents(), wanted);
    let pool = ScopeKinds::Only(["memory/pool".to_owned()].into());
    assert_eq!(world.cloud.reads(), [ScopeKinds::All, ScopeKinds::All, pool.clone(), pool]);
    assert!(world.clock.now().since(before) >= Duration::from_secs(30), "the service's wish was not obeyed");
}

#[tokio::test]
async fn what_stays_unreadable_ends_the_run_or_blocks_it_and_nothing_is_done() {
    let world = World::new();
    world.converge(UP, &[]).await;
    let wanted = world.cloud.contents();
    // What was made a moment ago would be looked for once more.
    world.clock.sleep(Duration::from_mins(10)).await;
    for (unreadable, reads) in [
        (Unreadable::Everything(ErrorKind::Auth), 1),
        (Unreadable::Everything(ErrorKind::Transient), 8),
        (Unreadable::Kind("memory/pool", ErrorKind::Permission { action: "list".to_owned() }), 1),
        (Unreadable::Kind("memory/pool", ErrorKind::Transient), 8),
    ] {
        world.cloud.set_unreadable(vec![unreadable.clone(); 100]);
        world.cloud.set_faults(BTreeMap::new());
        let session = world.open(&["workers.default.max=9"]).await;
        match session.prepare(UP).await {
            Ok(prepared) => {
                assert!(matches!(unreadable, Unreadable::Kind(..)), "{unreadable:?}");
                assert!(prepared.plan.blocked().next().is_some(), "{unreadable:?}");
                assert!(prepared.plan.steps.is_empty(), "{unreadable:?}");
            }
            Err(error) => assert!(matches!(unreadable, Unreadable::Everything(_)), "{error}"),
        }
        assert_eq!(world.cloud.reads().len(), reads, "{unreadable:?}");
        assert_eq!((world.cloud.submits(), world.cloud.contents()), (0, wanted.clone()));
    }
}
