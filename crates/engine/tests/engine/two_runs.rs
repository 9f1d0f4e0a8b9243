//! Two runs on one cluster.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use howso_infra_core::{
    Backend, ClusterIdentity, Kind, Leftover, Observation, Operation, Progress, ProviderError, Scope, Submitted, Ticket,
};
use howso_infra_engine::{Clock, Hold, Interruption, Journal, JournalError, Moment, Surroundings, VirtualClock, run};
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::support::block_on;
use crate::support::cases::{Calm, Case, counts};
use crate::support::world::{Goal, World, deployment};

#[test]
fn a_second_run_is_told_who_holds_the_journal_and_changes_nothing() {
    block_on(async {
        let (world, graph) = (World::new(), Case::Build.graph());
        let mut first = world.open().await.unwrap();
        let plan = world.plan(&mut first, Goal::Up(&graph)).await;
        let Err(JournalError::Held { by, until, .. }) = world.open().await else { panic!("the journal is not held") };
        assert_eq!(by.map(|by| (by.host, by.process_id)), Some(("machine".to_owned(), 1)));
        assert!(until.is_some());
        let (outcome, _) = world.run(&plan, &mut first).await;
        assert!(outcome.is_complete(), "the first run is not disturbed: {:?}", outcome.failures);
    });
}

#[test]
fn the_lease_of_a_long_run_is_renewed() {
    block_on(async {
        let (world, graph) = (World::new(), Case::Build.graph());
        let mut journal = world.open().await.unwrap();
        let plan = world.plan(&mut journal, Goal::Up(&graph)).await;
        let hold = world.clock.hold();
        let rival = async {
            let _hold = hold;
            // Comes again and again while the first run waits ten minutes for its cluster.
            let mut refused = 0;
            for _ in 0..100 {
                world.clock.sleep(Duration::from_secs(7)).await;
                refused += usize::from(matches!(world.open().await, Err(JournalError::Held { .. })));
            }
            refused
        };
        let ((outcome, _), refused) = futures::join!(world.run(&plan, &mut journal), rival);
        assert!(outcome.is_complete(), "{:?}", outcome.interruption);
        assert_eq!(refused, 100);
    });
}

#[test]
fn an_expired_lease_is_taken_over_and_the_sleeper_can_change_nothing_any_more() {
    block_on(async {
        let (world, graph, calm) = (World::new(), Case::Build.graph(), Calm::of(Case::Build).await);
        Case::Build.prepare(&world).await;
        let mut sleeper = world.open().await.unwrap();
        let plan = world.plan(&mut sleeper, Goal::Up(&graph)).await;
        sleeper.record_deployment(&deployment()).await.unwrap();
        sleeper.begin_run("up", plan.identity.generation).await.unwrap();
        let fence = sleeper.state().fence();
        // The laptop is closed for two minutes, and a colleague runs the same command.
        {
            let _hold = world.clock.hold();
            world.clock.sleep(Duration::from_mins(2)).await;
        }
        let ran = world.command(Goal::Up(&graph)).await;
        assert!(ran.outcome.is_complete());
        let calls = counts(&world).0;
        let (outcome, _) = world.run(&plan, &mut sleeper).await;
        assert!(
            matches!(outcome.interruption, Some(Interruption::JournalRefused { .. })),
            "{:?}",
            outcome.interruption
        );
        assert_eq!(counts(&world).0, calls, "no mutating call without a journal");
        assert_eq!(world.cloud.summary(), calm.summary);
        sleeper.close().await.expect("what was lost needs no release");
        let journal = world.open().await.unwrap();
        assert!(journal.state().fence() > fence);
    });
}

/// A clock whose time of day jumps, as it does for a process that sleeps.
struct JumpingClock {
    inner: VirtualClock,
    jumped: Mutex<Duration>,
}

#[async_trait]
impl Clock for JumpingClock {
    fn now(&self) -> Moment {
        self.inner.now()
    }

    fn wall(&self) -> Timestamp {
        self.inner.wall() + *self.jumped.lock().unwrap()
    }

    fn timer(&self, moment: Moment) -> BoxFuture<'static, Hold> {
        self.inner.timer(moment)
    }

    fn hold(&self) -> Hold {
        self.inner.hold()
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }
}

/// A cloud to which the connection takes a moment, and while the first one is made, the process sleeps for two minutes.
struct Asleep {
    cloud: Arc<dyn Backend>,
    clock: Arc<JumpingClock>,
    begun: AtomicUsize,
}

#[async_trait]
impl Backend for Asleep {
    fn kinds(&self) -> &'static [Kind] {
        self.cloud.kinds()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, ProviderError> {
        self.cloud.observe(scope).await
    }

    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        if self.begun.fetch_add(1, Ordering::Relaxed) == 0 {
            *self.clock.jumped.lock().unwrap() += Duration::from_mins(2);
        }
        self.clock.sleep(Duration::from_millis(50)).await;
        self.cloud.submit(operation).await
    }

    async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        self.cloud.poll(ticket).await
    }

    async fn audit(&self, identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
        self.cloud.audit(identity).await
    }
}

#[test]
fn what_had_not_left_when_the_lease_ended_does_not_leave() {
    block_on(async {
        let (world, graph, calm) = (World::new(), Case::Build.graph(), Calm::of(Case::Build).await);
        Case::Build.prepare(&world).await;
        let clock = Arc::new(JumpingClock { inner: world.clock.clone(), jumped: Mutex::default() });
        let asleep =
            Arc::new(Asleep { cloud: world.cloud.clone(), clock: Arc::clone(&clock), begun: AtomicUsize::default() });
        let mut journal = Journal::open(world.place(), world.holder(), clock.clone()).await.unwrap();
        let plan = world.plan(&mut journal, Goal::Up(&graph)).await;
        journal.record_deployment(&deployment()).await.unwrap();
        journal.begin_run("up", plan.identity.generation).await.unwrap();
        let backends: [Arc<dyn Backend>; 1] = [asleep.clone()];
        let (events, _received) = mpsc::unbounded_channel();
        let (_sender, interrupts) = mpsc::channel(1);
        let surroundings = Surroundings { backends: &backends, clock, settings: &world.settings, events, interrupts };
        let outcome = run(&plan, &mut journal, surroundings).await;
        // Nobody took the lease meanwhile, so the run finds out what was not sent, and goes on.
        assert!(outcome.is_complete(), "{:?} {:?}", outcome.interruption, outcome.failures);
        assert_eq!(world.cloud.summary(), calm.summary);
        let (begun, carried_out) = (asleep.begun.load(Ordering::Relaxed), counts(&world).0);
        assert_eq!(carried_out, calm.mutations);
        assert!(begun > carried_out, "{begun} calls were begun after all, and all of them left");
    });
}

#[test]
fn of_two_that_start_together_one_goes_on() {
    block_on(async {
        let (world, graph, calm) = (World::new(), Case::Build.graph(), Calm::of(Case::Build).await);
        Case::Build.prepare(&world).await;
        let one = async {
            match world.open().await {
                Ok(mut journal) => {
                    let plan = world.plan(&mut journal, Goal::Up(&graph)).await;
                    let (outcome, _) = world.run(&plan, &mut journal).await;
                    usize::from(outcome.is_complete())
                }
                Err(JournalError::Held { .. }) => 0,
                Err(error) => panic!("{error}"),
            }
        };
        let other = async {
            match world.open().await {
                Ok(_) => panic!("both hold the journal"),
                Err(error) => assert!(matches!(error, JournalError::Held { .. }), "{error}"),
            }
        };
        let (done, ()) = futures::join!(one, other);
        assert_eq!(done, 1);
        assert_eq!(world.cloud.summary(), calm.summary);
    });
}

#[test]
fn a_retired_journal_starts_anew_and_leaves_a_copy() {
    block_on(async {
        let world = World::new();
        let mut journal = world.open().await.unwrap();
        journal.record_deployment(&deployment()).await.unwrap();
        journal.retire().await.unwrap();
        let journal = world.open().await.unwrap();
        assert_eq!(journal.state().deployment(), None);
        let copy = world.store.text(&"journals/toy.journal.removed".into()).await;
        assert!(copy.contains(deployment().as_str()));
        let store: Arc<dyn object_store::ObjectStore> = world.store.clone();
        let place = howso_infra_engine::JournalPlace::Bucket {
            store,
            path: "journals/none".into(),
            url: "journals/none".to_owned(),
        };
        let state = howso_infra_engine::Journal::peek(&place).await.unwrap();
        assert_eq!(state, howso_infra_engine::JournalState::default());
    });
}
