//! The process dies at every boundary between two effects; the next run finishes what it began.

use crate::support::block_on;
use crate::support::cases::{Calm, Case};
use crate::support::switch::Trip;
use crate::support::world::World;

/// How often a command may have to be repeated after one crash.
const REPEATS_MAX: usize = 2;

async fn crash_everywhere(case: Case) -> usize {
    let (graph, calm) = (case.graph(), Calm::of(case).await);
    let goal = case.goal(&graph);
    for boundary in 0..calm.boundaries {
        let world = World::new();
        case.prepare(&world).await;
        world.switch.set(boundary, Trip::Crash);
        let mut done = world.mortal_command(goal).await.is_some();
        for _ in 0..REPEATS_MAX {
            done = done || world.command(goal).await.outcome.counts.failed == 0;
        }
        assert!(done, "{case:?}: not finished after a crash at boundary {boundary}");
        assert_eq!(world.check(goal).await, Ok(()), "{case:?}: crash at boundary {boundary}");
        assert_eq!(world.cloud.summary(), calm.summary, "{case:?}: crash at boundary {boundary}");
    }
    calm.boundaries
}

#[test]
fn a_crash_anywhere_while_building_is_made_good_by_the_next_run() {
    assert!(block_on(crash_everywhere(Case::Build)) > 60);
}

#[test]
fn a_crash_anywhere_while_changing_is_made_good_by_the_next_run() {
    assert!(block_on(crash_everywhere(Case::Change)) > 60);
}

#[test]
fn a_crash_anywhere_while_removing_is_made_good_by_the_next_run() {
    assert!(block_on(crash_everywhere(Case::Remove)) > 40);
}
