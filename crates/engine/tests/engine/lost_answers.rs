//! The answer to a mutating call is lost.

use std::time::Duration;

use howso_infra_core::ErrorKind;
use howso_infra_core::error::OperationVerb;
use howso_infra_engine::{Clock, Event};

use crate::support::block_on;
use crate::support::cases::{Calm, Case, counts, our_thing, thing};
use crate::support::cloud::{Fault, ReadFault};
use crate::support::graphs::{first, id};
use crate::support::world::{Goal, World};

/// One fault at every mutating call of every case: one run is enough, and the end is that of the calm run.
async fn lose_everywhere(fault: Fault, additional_calls: usize) {
    for case in Case::ALL {
        let (graph, calm) = (case.graph(), Calm::of(case).await);
        for number in 1..=calm.mutations {
            let world = World::new();
            case.prepare(&world).await;
            world.cloud.lock().faults.insert(calm.mutations_before + number, fault.clone());
            let ran = world.command(case.goal(&graph)).await;
            let context = format!("{case:?}: {fault:?} at call {number}");
            assert!(ran.outcome.is_complete(), "{context}: {:?}", ran.outcome.failures);
            assert_eq!(world.check(case.goal(&graph)).await, Ok(()), "{context}");
            assert_eq!(world.cloud.summary(), calm.summary, "{context}");
            let calls = counts(&world).0 - calm.mutations_before;
            assert!(calls <= calm.mutations + additional_calls, "{context}: {calls} calls");
            assert!(ran.events.iter().any(|event| matches!(event, Event::Resolving { .. })), "{context}");
        }
    }
}

#[test]
fn an_answer_lost_after_the_effect_is_resolved_within_the_run() {
    block_on(lose_everywhere(Fault::LostAfter, 1));
}

#[test]
fn a_request_lost_before_its_effect_is_resolved_within_the_run() {
    block_on(lose_everywhere(Fault::LostBefore, 1));
}

#[test]
fn a_call_that_is_never_answered_is_resolved_within_the_run() {
    block_on(lose_everywhere(Fault::Hangs, 1));
}

#[test]
fn several_resources_of_one_lost_call_become_one() {
    block_on(async {
        let (world, graph) = (World::new(), first());
        world.cloud.lock().faults.insert(1, Fault::LostAfter);
        world.cloud.lock().delays.clear();
        // As if a proxy between us and the cloud had sent the request three times.
        for name in ["second", "third"] {
            let mut twin = our_thing(&world, &id("network", "main"), name);
            twin.attributes =
                [("range".to_owned(), "10.0.0.0/16".into()), ("resolver".to_owned(), false.into())].into();
            // Not seen by the first observation, but by the lookup.
            twin.visible_from = world.clock.now() + Duration::from_millis(250);
            world.cloud.plant(twin);
        }
        let ran = world.command(Goal::Up(&graph)).await;
        assert!(ran.outcome.is_complete(), "{:?}", ran.outcome.failures);
        let adopted = ran.events.iter().find_map(|event| match event {
            Event::Adopted { duplicates, .. } => Some(*duplicates),
            _ => None,
        });
        assert_eq!(adopted, Some(2));
        let networks = world.cloud.summary().iter().filter(|line| line.starts_with("toy/network")).count();
        assert_eq!(networks, 1);
        assert_eq!(world.check(Goal::Up(&graph)).await, Ok(()));
    });
}

#[test]
fn a_lookup_that_could_not_read_concludes_nothing() {
    block_on(async {
        let (graph, calm) = (first(), Calm::of(Case::Build).await);
        // The two reads after the first observation are those of the lookup of the first call.
        for fault in
            [ReadFault::Gap, ReadFault::Refused(ErrorKind::Transient), ReadFault::Refused(ErrorKind::Ambiguous)]
        {
            let world = World::new();
            Case::Build.prepare(&world).await;
            world.cloud.lock().faults.insert(1, Fault::LostAfter);
            for read in 2..=3 {
                world.cloud.lock().read_faults.insert(read, fault.clone());
            }
            let ran = world.command(Goal::Up(&graph)).await;
            assert!(ran.outcome.is_complete(), "{fault:?}: {:?}", ran.outcome.failures);
            assert_eq!(world.cloud.summary(), calm.summary, "{fault:?}");
            assert_eq!(counts(&world).0, calm.mutations, "{fault:?}");
        }
    });
}

#[test]
fn a_lookup_without_permission_stops_and_leaves_the_intent_open() {
    block_on(async {
        let (world, graph) = (World::new(), first());
        world.cloud.lock().faults.insert(1, Fault::LostAfter);
        let denied = ErrorKind::Permission { action: "toy:Look".to_owned() };
        world.cloud.lock().read_faults.insert(2, ReadFault::Refused(denied.clone()));
        let ran = world.command(Goal::Up(&graph)).await;
        assert!(ran.outcome.failures.iter().any(|failure| failure.error.kind == denied), "{:?}", ran.outcome.failures);
        let journal = world.open().await.unwrap();
        assert!(!journal.state().pending_creates().is_empty());
        journal.close().await.unwrap();
        let ran = world.command(Goal::Up(&graph)).await;
        assert!(ran.outcome.is_complete(), "{:?}", ran.outcome.failures);
        assert_eq!(world.check(Goal::Up(&graph)).await, Ok(()));
    });
}

#[test]
fn a_name_that_somebody_else_took_in_the_meantime_is_a_conflict() {
    block_on(async {
        for (owner, fault) in [(Some([0x22; 16]), Some(Fault::LostBefore)), (Some([0x22; 16]), None), (None, None)] {
            let (world, graph) = (World::new(), first());
            let mut journal = world.open().await.unwrap();
            let plan = world.plan(&mut journal, Goal::Up(&graph)).await;
            let owner = owner.map(howso_infra_core::DeploymentId::from_bytes);
            let role = id("role", "main");
            world.cloud.plant(thing(&world, &role, "theirs", owner));
            if let Some(fault) = fault {
                // The role is the second call.
                world.cloud.lock().faults.insert(2, fault);
            }
            journal.begin_run("up", plan.identity.generation).await.unwrap();
            let (outcome, _) = world.run(&plan, &mut journal).await;
            let failure = outcome.failures.iter().find(|failure| failure.resource == role).unwrap();
            assert!(matches!(failure.error.kind, ErrorKind::Conflict { .. }), "{failure:?}");
            assert_eq!(failure.verb, OperationVerb::Create);
            assert!(failure.skipped >= 4, "everything that needs the cluster is skipped: {}", failure.skipped);
            assert_eq!(world.cloud.lock().violations, Vec::<String>::new());
            assert!(!journal.state().pending_creates().contains_key(&role), "nothing of ours can be there");
        }
    });
}

#[test]
fn resolving_again_and_again_has_an_end() {
    block_on(async {
        let (world, graph) = (World::new(), first());
        for call in 1..200 {
            world.cloud.lock().faults.insert(call, Fault::LostBefore);
        }
        let ran = world.command(Goal::Up(&graph)).await;
        assert!(ran.outcome.failures.iter().all(|failure| failure.error.kind == ErrorKind::Ambiguous));
        assert_eq!(ran.outcome.failures.len(), 2, "network and role: {:?}", ran.outcome.failures);
        assert_eq!(ran.outcome.counts.skipped, 10);
        assert!(counts(&world).0 <= 2 * 8, "{} calls", counts(&world).0);
    });
}
