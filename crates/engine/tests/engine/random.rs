//! Many faults together, drawn at random. A failure prints the smallest schedule that fails and keeps its seed as a
//! regression; `PROPTEST_CASES` asks for more schedules than usual.

use std::time::Duration;

use howso_infra_core::ErrorKind;
use proptest::prelude::*;

use crate::support::block_on;
use crate::support::cases::{Calm, Case, counts};
use crate::support::cloud::{Fault, ReadFault};
use crate::support::switch::Trip;
use crate::support::world::World;

/// After the last fault so many commands must be enough.
const REPEATS_MAX: usize = 3;

#[derive(Clone, Debug)]
struct Schedule {
    case: Case,
    seed: u64,
    parallelism: u32,
    /// Faults by the distance of calls from the beginning of the command.
    calls: Vec<(usize, Fault)>,
    reads: Vec<(usize, ReadFault)>,
    /// What happens to each of the first commands, after so many boundaries.
    trips: Vec<(usize, Trip)>,
    delays_millis: Vec<u64>,
}

fn refusal() -> impl Strategy<Value = ErrorKind> {
    prop_oneof![
        Just(ErrorKind::Transient),
        (0..20_u64).prop_map(|secs| ErrorKind::Throttled { after: Some(Duration::from_secs(secs)) }),
        Just(ErrorKind::Throttled { after: None }),
        Just(ErrorKind::Busy { by: "something".to_owned() }),
        Just(ErrorKind::NotYetVisible),
        Just(ErrorKind::Capacity { what: "machine".to_owned() }),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![Just(Fault::LostAfter), Just(Fault::LostBefore), Just(Fault::Hangs), refusal().prop_map(Fault::Refused),]
}

fn read_fault() -> impl Strategy<Value = ReadFault> {
    prop_oneof![
        Just(ReadFault::Gap),
        Just(ReadFault::Refused(ErrorKind::Transient)),
        Just(ReadFault::Refused(ErrorKind::Ambiguous)),
    ]
}

fn trip() -> impl Strategy<Value = Trip> {
    prop_oneof![3 => Just(Trip::Crash), 1 => Just(Trip::Interrupt(1)), 1 => Just(Trip::Interrupt(2))]
}

fn schedule() -> impl Strategy<Value = Schedule> {
    (
        prop_oneof![Just(Case::Build), Just(Case::Change), Just(Case::Remove)],
        any::<u64>(),
        1..8_u32,
        prop::collection::vec((1..40_usize, fault()), 0..8),
        prop::collection::vec((1..200_usize, read_fault()), 0..8),
        prop::collection::vec((0..300_usize, trip()), 0..4),
        // Within the visibility window of ten seconds.
        prop::collection::vec(0..9_000_u64, 1..6),
    )
        .prop_map(|(case, seed, parallelism, calls, reads, trips, delays_millis)| Schedule {
            case,
            seed,
            parallelism,
            calls,
            reads,
            trips,
            delays_millis,
        })
}

async fn converges(schedule: &Schedule, calm: &Calm) -> Result<(), String> {
    let (mut world, graph) = (World::new(), schedule.case.graph());
    schedule.case.prepare(&world).await;
    world.settings.seed = schedule.seed;
    world.settings.engine.parallelism = schedule.parallelism;
    let goal = schedule.case.goal(&graph);
    {
        let (calls, reads) = counts(&world);
        let mut state = world.cloud.lock();
        state.delays = schedule.delays_millis.iter().map(|millis| Duration::from_millis(*millis)).collect();
        state.faults.extend(schedule.calls.iter().map(|(number, fault)| (calls + number, fault.clone())));
        state.read_faults.extend(schedule.reads.iter().map(|(number, fault)| (reads + number, fault.clone())));
    }
    for (after, trip) in &schedule.trips {
        world.switch.set(*after, trip.clone());
        world.mortal_command(goal).await;
    }
    world.switch.reset();
    for _ in 0..REPEATS_MAX {
        world.command(goal).await;
        // Whatever has not struck by now strikes no more.
        let mut state = world.cloud.lock();
        state.faults.clear();
        state.read_faults.clear();
    }
    world.check(goal).await?;
    let summary = world.cloud.summary();
    if summary == calm.summary { Ok(()) } else { Err(format!("{summary:#?} instead of {:#?}", calm.summary)) }
}

proptest! {
    #[test]
    fn whatever_happens_a_few_more_runs_lead_to_the_same_end(schedule in schedule()) {
        let result = block_on(async { converges(&schedule, &Calm::of(schedule.case).await).await });
        prop_assert_eq!(result, Ok(()));
    }
}
