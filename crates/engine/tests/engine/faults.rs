//! What the cloud refuses, and what follows.

use std::time::Duration;

use howso_infra_core::ErrorKind;
use howso_infra_core::error::OperationVerb;
use howso_infra_engine::{Clock, Event};

use crate::support::block_on;
use crate::support::cases::{Calm, Case, counts};
use crate::support::cloud::{Fault, ReadFault};
use crate::support::graphs::{first, id};
use crate::support::world::{Goal, Ran, World};

/// Runs a case with a burst of refusals that begins at a call.
async fn burst(case: Case, calm: &Calm, number: usize, length: usize, kind: &ErrorKind) -> (World, Ran) {
    let (world, graph) = (World::new(), case.graph());
    case.prepare(&world).await;
    for call in number..number + length {
        world.cloud.lock().faults.insert(calm.mutations_before + call, Fault::Refused(kind.clone()));
    }
    let ran = world.command(case.goal(&graph)).await;
    (world, ran)
}

#[test]
fn bursts_of_throttling_are_outlasted_without_more_calls_than_refusals() {
    block_on(async {
        for case in Case::ALL {
            let calm = Calm::of(case).await;
            for number in 1..=calm.mutations {
                for (length, after) in [(1, None), (3, Some(Duration::from_secs(7))), (7, None)] {
                    let (world, ran) = burst(case, &calm, number, length, &ErrorKind::Throttled { after }).await;
                    let context = format!("{case:?}: {length} refusals from call {number}");
                    assert!(ran.outcome.is_complete(), "{context}: {:?}", ran.outcome.failures);
                    assert_eq!(world.cloud.summary(), calm.summary, "{context}");
                    let calls = counts(&world).0 - calm.mutations_before;
                    assert!(calls <= calm.mutations + length, "{context}: {calls} calls");
                }
            }
        }
    });
}

#[test]
fn a_pause_that_the_service_asks_for_is_kept() {
    block_on(async {
        let calm = Calm::of(Case::Build).await;
        let after = Duration::from_secs(33);
        let (world, ran) = burst(Case::Build, &calm, 1, 1, &ErrorKind::Throttled { after: Some(after) }).await;
        assert!(ran.outcome.is_complete());
        let state = world.cloud.lock();
        let of_network = state.log.iter().filter(|(_, call)| call == "Create toy/network:main");
        let moments: Vec<_> = of_network.map(|(moment, _)| *moment).collect();
        assert_eq!(moments.len(), 2);
        assert!(moments[1].since(moments[0]) >= after);
    });
}

#[test]
fn a_pause_longer_than_the_deadline_is_not_waited_for() {
    block_on(async {
        let calm = Calm::of(Case::Build).await;
        let after = Some(Duration::from_hours(2));
        let (world, ran) = burst(Case::Build, &calm, 1, 1, &ErrorKind::Throttled { after }).await;
        assert_eq!(ran.outcome.failures[0].error.kind, ErrorKind::Deadline);
        assert!(world.clock.now().since(howso_infra_engine::Moment::START) < Duration::from_mins(5));
    });
}

#[test]
fn attempts_are_counted_and_what_is_independent_goes_on() {
    block_on(async {
        let calm = Calm::of(Case::Build).await;
        // The role is the second call, and alone with the network for as long as it fails.
        let world = World::new();
        Case::Build.prepare(&world).await;
        world.cloud.lock().always = Some((id("role", "main"), ErrorKind::Transient));
        let ran = world.command(Goal::Up(&first())).await;
        let sent = world.cloud.lock().log.iter().filter(|(_, call)| call == "Create toy/role:main").count();
        assert_eq!(sent, usize::try_from(world.settings.engine.retry_attempts).unwrap());
        let [failure] = &ran.outcome.failures[..] else { panic!("{:?}", ran.outcome.failures) };
        assert_eq!((failure.error.kind.clone(), failure.verb), (ErrorKind::Transient, OperationVerb::Create));
        assert_eq!(failure.skipped, 6, "attachment, cluster, two pools, two add-ons");
        let skipped = ran.events.iter().filter(|event| matches!(event, Event::StepSkipped { .. })).count();
        assert_eq!((skipped, ran.outcome.skipped.len()), (6, 6));
        assert_eq!(ran.outcome.counts.settled, 5, "network, its resolver, two subnets, gateway");
        world.cloud.lock().always = None;
        let ran = world.command(Goal::Up(&first())).await;
        assert!(ran.outcome.is_complete());
        assert_eq!(world.cloud.summary(), calm.summary);
    });
}

#[test]
fn what_is_busy_is_waited_for_until_the_deadline_and_not_longer() {
    block_on(async {
        let world = World::new();
        world.cloud.lock().always = Some((id("role", "main"), ErrorKind::Busy { by: "update 7".to_owned() }));
        let ran = world.command(Goal::Up(&first())).await;
        let failure = &ran.outcome.failures[0];
        assert_eq!(failure.error.kind, ErrorKind::Deadline);
        assert!(failure.error.message.contains("600 s"), "{}", failure.error.message);
        let sent = world.cloud.lock().log.iter().filter(|(_, call)| call == "Create toy/role:main").count();
        assert!((20..200).contains(&sent), "{sent} calls in ten minutes");
    });
}

#[test]
fn what_is_not_visible_yet_is_tried_more_often_than_a_fault() {
    block_on(async {
        let calm = Calm::of(Case::Build).await;
        let (world, ran) = burst(Case::Build, &calm, 1, 20, &ErrorKind::NotYetVisible).await;
        assert!(ran.outcome.is_complete(), "{:?}", ran.outcome.failures);
        assert_eq!(world.cloud.summary(), calm.summary);
    });
}

#[test]
fn what_cannot_succeed_stops_at_once_and_the_next_run_continues() {
    block_on(async {
        for case in Case::ALL {
            let (calm, graph) = (Calm::of(case).await, case.graph());
            for number in 1..=calm.mutations {
                let quota = ErrorKind::Quota { what: "things".to_owned() };
                let (world, ran) = burst(case, &calm, number, 1, &quota).await;
                let context = format!("{case:?}: refused at call {number}");
                assert_eq!(ran.outcome.failures.len(), 1, "{context}");
                assert_eq!(ran.outcome.failures[0].error.kind, quota, "{context}");
                let counts = ran.outcome.counts;
                assert_eq!(counts.settled + counts.skipped + 1, counts.total, "{context}");
                let ran = world.command(case.goal(&graph)).await;
                assert_eq!(ran.outcome.failures, [], "{context}");
                assert_eq!(world.cloud.summary(), calm.summary, "{context}");
                assert_eq!(world.check(case.goal(&graph)).await, Ok(()), "{context}");
            }
        }
    });
}

#[test]
fn when_something_failed_what_takes_long_is_left_to_the_next_run() {
    block_on(async {
        let world = World::new();
        let quota = || ErrorKind::Quota { what: "add-ons".to_owned() };
        world.cloud.lock().always = Some((id("addon", "dns"), quota()));
        world.cloud.lock().slow = Some(id("pool", "core"));
        let ran = world.command(Goal::Up(&first())).await;
        let counts = ran.outcome.counts;
        assert_eq!((counts.failed, counts.unfinished, counts.skipped, counts.not_started), (1, 1, 0, 0));
        let submitted = world.cloud.lock().log.len();
        world.cloud.lock().always = None;
        let ran = world.command(Goal::Up(&first())).await;
        assert!(ran.outcome.is_complete(), "{:?}", ran.outcome.failures);
        let log = &world.cloud.lock().log[submitted..];
        let again = log.iter().filter(|(_, call)| call.starts_with("Create toy/pool")).count();
        assert_eq!(again, 0, "it is waited for, not made again: {log:?}");
    });
}

#[test]
fn what_takes_long_is_waited_for_when_other_steps_need_it() {
    block_on(async {
        let world = World::new();
        world.cloud.lock().always = Some((id("gateway", "main"), ErrorKind::Quota { what: "gateways".to_owned() }));
        world.cloud.lock().slow = Some(id("cluster", "main"));
        let counts = world.command(Goal::Up(&first())).await.outcome.counts;
        assert_eq!((counts.failed, counts.settled, counts.total), (1, counts.total - 1, counts.total));
    });
}

#[test]
fn a_failed_look_at_any_moment_does_no_harm() {
    block_on(async {
        for case in Case::ALL {
            let (calm, graph) = (Calm::of(case).await, case.graph());
            for read in (1..=calm.reads).step_by(3) {
                for kind in [ErrorKind::Transient, ErrorKind::Ambiguous, ErrorKind::Throttled { after: None }] {
                    let world = World::new();
                    case.prepare(&world).await;
                    world.cloud.lock().read_faults.insert(calm.reads_before + read, ReadFault::Refused(kind.clone()));
                    let ran = world.command(case.goal(&graph)).await;
                    let context = format!("{case:?}: {kind:?} at read {read}");
                    assert!(ran.outcome.is_complete(), "{context}: {:?}", ran.outcome.failures);
                    assert_eq!(world.cloud.summary(), calm.summary, "{context}");
                    assert_eq!(counts(&world).0 - calm.mutations_before, calm.mutations, "{context}");
                }
            }
        }
    });
}

#[test]
fn an_accepted_call_that_ends_in_failure_is_replaced_by_the_next_run() {
    block_on(async {
        let (world, graph, calm) = (World::new(), first(), Calm::of(Case::Build).await);
        Case::Build.prepare(&world).await;
        world.cloud.lock().doomed = Some(id("pool", "core"));
        let ran = world.command(Goal::Up(&graph)).await;
        assert_eq!(ran.outcome.failures[0].error.kind, ErrorKind::Failed);
        assert_eq!(ran.outcome.counts.failed, 1);
        let ran = world.command(Goal::Up(&graph)).await;
        assert!(ran.outcome.is_complete(), "{:?}", ran.outcome.failures);
        assert_eq!(world.cloud.summary(), calm.summary);
        assert_eq!(world.check(Goal::Up(&graph)).await, Ok(()));
    });
}

#[test]
fn a_kind_without_a_backend_and_a_missing_output_are_bugs_that_are_named() {
    block_on(async {
        let (world, graph) = (World::new(), first());
        let mut journal = world.open().await.unwrap();
        let mut plan = world.plan(&mut journal, Goal::Up(&graph)).await;
        for step in &mut plan.steps {
            if step.resource == id("network", "main") {
                step.resource = howso_infra_core::ResourceId::new("other/network", "main");
            }
        }
        let (outcome, _) = world.run(&plan, &mut journal).await;
        assert_eq!(outcome.failures[0].error.kind, ErrorKind::Bug);
        assert!(outcome.failures[0].error.message.contains("other/network"), "{}", outcome.failures[0].error);

        let mut plan = world.plan(&mut journal, Goal::Up(&graph)).await;
        plan.steps.iter_mut().for_each(|step| step.depends_on.clear());
        let (outcome, _) = world.run(&plan, &mut journal).await;
        let failure = outcome.failures.iter().find(|failure| failure.resource == id("gateway", "main")).unwrap();
        assert_eq!(failure.error.kind, ErrorKind::Bug);
        assert!(failure.error.message.contains("`id` of toy/subnet:a"), "{}", failure.error);
        journal.close().await.unwrap();
    });
}
