//! The user presses Ctrl-C at every boundary between two effects.

use howso_infra_engine::{Event, Interruption};

use crate::support::block_on;
use crate::support::cases::{Calm, Case, counts};
use crate::support::switch::Trip;
use crate::support::world::World;

async fn interrupt_everywhere(case: Case, times: usize) {
    let (graph, calm) = (case.graph(), Calm::of(case).await);
    let (mut interrupted, mut forced) = (0, 0);
    for boundary in 0..calm.boundaries {
        let world = World::new();
        case.prepare(&world).await;
        world.switch.set(boundary, Trip::Interrupt(times));
        let ran = world.command(case.goal(&graph)).await;
        let context = format!("{case:?}: {times} interrupts at boundary {boundary}");
        assert_eq!(ran.outcome.failures, [], "{context}");
        if let Some(interruption) = &ran.outcome.interruption {
            interrupted += 1;
            forced += usize::from(*interruption == Interruption::Forced);
            let at =
                ran.events.iter().position(|event| matches!(event, Event::Interrupted { .. })).expect("it is told");
            let starts = ran.events[at..].iter().filter(|event| matches!(event, Event::StepStarted { .. })).count();
            assert_eq!(starts, 0, "{context}: nothing starts afterwards");
            let counts = ran.outcome.counts;
            assert_eq!(counts.settled + counts.unfinished + counts.not_started, counts.total, "{context}");
        }
        let before = counts(&world).0;
        let again = world.command(case.goal(&graph)).await;
        assert!(again.plan.steps.is_empty() || again.outcome.is_complete(), "{context}: {:?}", again.outcome.failures);
        assert_eq!(world.check(case.goal(&graph)).await, Ok(()), "{context}");
        assert_eq!(world.cloud.summary(), calm.summary, "{context}");
        let calls = counts(&world).0 - before;
        assert!(calls <= again.plan.steps.len() + 1, "{context}: {calls} calls");
    }
    assert!(interrupted > calm.boundaries / 2, "{interrupted} of {}", calm.boundaries);
    // The second interrupt finds nothing to abandon when the first one ended the run.
    let expected = if times == 1 { 0..1 } else { calm.boundaries / 4..calm.boundaries };
    assert!(expected.contains(&forced), "{forced} of {}", calm.boundaries);
}

#[test]
fn an_interrupt_anywhere_leaves_a_run_that_the_next_one_continues() {
    block_on(interrupt_everywhere(Case::Build, 1));
}

#[test]
fn an_interrupt_anywhere_in_a_change_leaves_a_run_that_the_next_one_continues() {
    block_on(interrupt_everywhere(Case::Change, 1));
}

#[test]
fn a_second_interrupt_abandons_calls_and_the_next_run_finds_them() {
    block_on(interrupt_everywhere(Case::Build, 2));
}

#[test]
fn an_interrupted_run_has_recorded_every_answer() {
    block_on(async {
        let (graph, calm) = (Case::Build.graph(), Calm::of(Case::Build).await);
        for boundary in 0..calm.boundaries {
            let world = World::new();
            Case::Build.prepare(&world).await;
            world.switch.set(boundary, Trip::Interrupt(1));
            world.command(Case::Build.goal(&graph)).await;
            let journal = world.open().await.unwrap();
            let pending = journal.state().pending_creates();
            assert!(pending.is_empty(), "boundary {boundary}: {:?}", pending.keys());
            journal.close().await.unwrap();
        }
    });
}
