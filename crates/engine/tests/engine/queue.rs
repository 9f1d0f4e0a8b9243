//! The order in which steps start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use howso_infra_core::StepId;
use howso_infra_engine::{Clock, Event};

use crate::support::block_on;
use crate::support::cases::{Calm, Case};
use crate::support::graphs::{first, id};
use crate::support::world::{Goal, World};

fn started(events: &[Event]) -> Vec<String> {
    let start = |event: &Event| match event {
        Event::StepStarted { resource, .. } => Some(resource.to_string()),
        _ => None,
    };
    events.iter().filter_map(start).collect()
}

#[test]
fn of_what_is_ready_the_longest_remaining_path_starts_first() {
    block_on(async {
        let mut world = World::new();
        world.settings.engine.parallelism = 1;
        let ran = world.command(Goal::Up(&first())).await;
        assert!(ran.outcome.is_complete());
        let order = started(&ran.events);
        let place = |name: &str| order.iter().position(|resource| resource == name).unwrap();
        assert!(place("toy/cluster:main") < place("toy/gateway:main"), "nothing waits for the gateway: {order:?}");
        assert!(place("toy/pool:core") < place("toy/addon:dns"), "pools take longer: {order:?}");
    });
}

#[test]
fn no_more_steps_are_in_flight_than_allowed_and_none_before_what_it_depends_on() {
    block_on(async {
        let calm = Calm::of(Case::Change).await;
        for parallelism in [1, 2, 3, 16] {
            let (mut world, graph) = (World::new(), Case::Change.graph());
            Case::Change.prepare(&world).await;
            world.settings.engine.parallelism = parallelism;
            let ran = world.command(Goal::Up(&graph)).await;
            assert!(ran.outcome.is_complete());
            assert_eq!(world.cloud.summary(), calm.summary);
            let (mut open, mut settled, mut most) = (BTreeSet::<StepId>::new(), BTreeSet::new(), 0);
            for event in &ran.events {
                match event {
                    Event::StepStarted { step, .. } => {
                        let needs = &ran.plan.step(*step).unwrap().depends_on;
                        assert!(needs.is_subset(&settled), "{step:?} started too early");
                        open.insert(*step);
                        most = most.max(open.len());
                    }
                    Event::StepSettled { step, .. } => {
                        open.remove(step);
                        settled.insert(*step);
                    }
                    _ => {}
                }
            }
            let allowed = usize::try_from(parallelism).unwrap();
            assert!(most <= allowed, "{most} in flight of {allowed}");
            assert!(parallelism == 16 || most == allowed, "room is used: {most} of {allowed}");
        }
    });
}

#[test]
fn steps_of_one_lane_never_overlap() {
    block_on(async {
        let world = World::new();
        let ran = world.command(Goal::Up(&first())).await;
        let mut busy: BTreeMap<String, StepId> = BTreeMap::new();
        let mut seen = 0;
        for event in &ran.events {
            let lane = |step: &StepId| ran.plan.step(*step).unwrap().lane.clone().map(|lane| lane.0);
            match event {
                Event::StepStarted { step, .. } => {
                    if let Some(lane) = lane(step) {
                        seen += 1;
                        assert_eq!(busy.insert(lane, *step), None, "two steps in one lane");
                    }
                }
                Event::StepSettled { step, .. } => {
                    lane(step).and_then(|lane| busy.remove(&lane));
                }
                _ => {}
            }
        }
        assert_eq!(seen, 3, "the cluster and two add-ons");
    });
}

#[test]
fn what_an_earlier_run_began_keeps_its_lane() {
    block_on(async {
        let world = World::new();
        world.command(Goal::Up(&first())).await;
        let (begun, missing) = (id("addon", "net"), id("addon", "dns"));
        let soon = world.clock.now() + Duration::from_secs(45);
        {
            let mut state = world.cloud.lock();
            state.things.retain(|_, thing| thing.resource != missing);
            state.things.values_mut().find(|thing| thing.resource == begun).unwrap().busy_until = soon;
        }
        let ran = world.command(Goal::Up(&first())).await;
        assert!(ran.outcome.is_complete(), "{:?}", ran.outcome.failures);
        assert_eq!(world.cloud.lock().violations, Vec::<String>::new());
    });
}

#[test]
fn a_calm_run_takes_as_long_as_its_critical_path() {
    block_on(async {
        let world = World::new();
        let ran = world.command(Goal::Up(&first())).await;
        let expected_secs = ran.plan.expected_secs();
        let Some(Event::RunFinished { elapsed_secs, .. }) = ran.events.last() else {
            panic!("{:?}", ran.events.last())
        };
        assert!((elapsed_secs / expected_secs - 1.0).abs() < 0.05, "{elapsed_secs} s instead of {expected_secs} s");
    });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let events = |seed: u64| {
        block_on(async move {
            let mut world = World::new();
            world.settings.seed = seed;
            for call in [1, 4, 5, 9] {
                let kind = howso_infra_core::ErrorKind::Transient;
                world.cloud.lock().faults.insert(call, crate::support::cloud::Fault::Refused(kind));
            }
            serde_json::to_string(&world.command(Goal::Up(&first())).await.events).unwrap()
        })
    };
    assert_eq!(events(1), events(1));
    assert_ne!(events(1), events(2));
}

#[test]
fn what_takes_long_is_called_slower_than_usual_once() {
    block_on(async {
        let world = World::new();
        world.cloud.lock().slow = Some(id("cluster", "main"));
        let ran = world.command(Goal::Up(&first())).await;
        assert!(ran.outcome.is_complete(), "{:?}", ran.outcome.failures);
        let slow: Vec<_> = ran.events.iter().filter(|event| matches!(event, Event::SlowerThanUsual { .. })).collect();
        let [Event::SlowerThanUsual { resource, elapsed_secs, expected_secs, .. }] = &slow[..] else {
            panic!("{slow:?}")
        };
        assert_eq!(*resource, id("cluster", "main"));
        assert!(*elapsed_secs > 760.0 && *elapsed_secs < 800.0 && (*expected_secs - 600.0).abs() < 1.0, "{slow:?}");
    });
}
