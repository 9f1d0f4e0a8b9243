//! The suite itself is measured: mistakes are planted around the engine, and each must be noticed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use howso_infra_core::DeploymentId;

use crate::support::block_on;
use crate::support::cases::{Calm, Case, thing};
use crate::support::cloud::{Fault, ReadFault};
use crate::support::graphs::id;
use crate::support::mutant::Mutant;
use crate::support::switch::Trip;
use crate::support::world::World;

/// One way to provoke mistakes.
#[derive(Clone, Copy, Debug)]
enum Trial {
    Calm,
    Crash(usize),
    /// The cluster stays invisible for longer than a run waits before it believes an absence.
    Hidden,
    /// The same for the gateway, of which only the token is known.
    CrashHidden(usize),
    Lost(usize),
    LostUnread(usize),
    LostToStranger,
    LostTwice,
}

async fn passes(mutant: Option<Mutant>, trial: Trial, expected: &[String]) -> bool {
    let (world, graph) = (World::with_mutant(mutant), Case::Build.graph());
    let goal = Case::Build.goal(&graph);
    Case::Build.prepare(&world).await;
    match trial {
        Trial::Calm => {}
        Trial::Crash(boundary) => world.switch.set(boundary, Trip::Crash),
        Trial::Hidden => world.cloud.lock().hidden = Some((id("cluster", "main"), Duration::from_secs(100))),
        Trial::CrashHidden(boundary) => {
            world.cloud.lock().hidden = Some((id("gateway", "main"), Duration::from_secs(150)));
            world.switch.set(boundary, Trip::Crash);
        }
        Trial::Lost(call) => {
            world.cloud.lock().faults.insert(call, Fault::LostAfter);
        }
        Trial::LostUnread(call) => {
            let mut state = world.cloud.lock();
            state.faults.insert(call, Fault::LostAfter);
            state.read_faults.extend((2..40).map(|read| (read, ReadFault::Gap)));
        }
        Trial::LostToStranger => {
            // Somebody takes the name while our request is under way.
            let mut stranger = thing(&world, &id("role", "main"), "stranger", Some(DeploymentId::from_bytes([9; 16])));
            stranger.visible_from = howso_infra_engine::Clock::now(&world.clock) + Duration::from_millis(250);
            world.cloud.plant(stranger);
            let ran = world.command(goal).await;
            let is_conflict =
                |kind: &howso_infra_core::ErrorKind| matches!(kind, howso_infra_core::ErrorKind::Conflict { .. });
            return ran.outcome.failures.iter().any(|failure| is_conflict(&failure.error.kind))
                && world.cloud.lock().violations.is_empty();
        }
        Trial::LostTwice => {
            let mut state = world.cloud.lock();
            state.faults.insert(1, Fault::LostAfter);
            state.delays.clear();
            drop(state);
            let mut twin = thing(&world, &id("network", "main"), "twin", Some(crate::support::world::deployment()));
            twin.attributes.insert("range".to_owned(), "10.0.0.0/16".into());
            twin.visible_from = howso_infra_engine::Clock::now(&world.clock) + Duration::from_millis(250);
            world.cloud.plant(twin);
        }
    }
    let first = world.mortal_command(goal).await;
    if !first.is_some_and(|ran| ran.outcome.is_complete()) {
        world.command(goal).await;
    }
    world.check(goal).await.is_ok() && world.cloud.summary() == expected
}

/// Whether a trial notices a mistake; without one, whether it fails.
fn notices(mutant: Option<Mutant>, trial: Trial, calm: &Calm) -> bool {
    let attempt = AssertUnwindSafe(|| block_on(passes(mutant, trial, &calm.summary)));
    // A mistake may also show as a panic of the harness.
    !catch_unwind(attempt).unwrap_or(false)
}

#[test]
fn every_planted_mistake_is_noticed_and_nothing_else() {
    let calm = block_on(Calm::of(Case::Build));
    let simple = [Trial::Calm, Trial::Hidden, Trial::LostToStranger, Trial::LostTwice];
    let lost = (1..=calm.mutations).flat_map(|call| [Trial::Lost(call), Trial::LostUnread(call)]);
    let crashes = (0..calm.boundaries).map(Trial::Crash).chain((0..calm.boundaries).map(Trial::CrashHidden));
    let trials: Vec<Trial> = simple.into_iter().chain(lost).chain(crashes).collect();
    let mut missed = Vec::new();
    for mutant in Mutant::ALL {
        // A trial that fails without the mistake, too, tells nothing.
        let tells = |trial: &&Trial| notices(Some(mutant), **trial, &calm) && !notices(None, **trial, &calm);
        match trials.iter().find(tells) {
            Some(trial) => println!("{mutant:?} is noticed by {trial:?}"),
            None => missed.push(mutant),
        }
    }
    println!("{} of {} planted mistakes are noticed", Mutant::ALL.len() - missed.len(), Mutant::ALL.len());
    assert_eq!(missed, []);
    for trial in trials.iter().filter(|trial| !matches!(trial, Trial::Crash(_) | Trial::CrashHidden(_))) {
        assert!(!notices(None, *trial, &calm), "{trial:?} fails without a mistake");
    }
}
