//! Two runs on one cluster.

use std::sync::Arc;
use std::time::Duration;

use howso_infra_engine::{Clock, Interruption, JournalError};

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
