//! One fault at every mutating call of `up` and of `down`, one at a time: at most three more runs of the same command, and the
//! account is that of a calm run; nothing twice, nothing left.

use std::collections::BTreeMap;

use howso_infra::{Finished, Goal};
use howso_infra_emulator::Fault;
use howso_infra_rehearsal_tests::{Failure, Rehearsal, UP};

const SEED: u64 = 3;

/// How often the same command is repeated after the first time.
const REPETITIONS_MAX: usize = 3;

/// A calm run: the mutating calls of `up` and of `down`, and what there is in between.
struct Calm {
    up: usize,
    down: usize,
    there: BTreeMap<&'static str, usize>,
}

async fn run(rehearsal: &Rehearsal, goal: Goal) -> Result<Finished, Failure> {
    let session = rehearsal.open("small", &[]).await?;
    rehearsal.run(&session, goal).await
}

fn is_done(finished: &Finished) -> bool {
    let is_quiet = finished.remaining.as_ref().is_some_and(howso_infra::core::Plan::is_empty);
    finished.outcome.is_complete() && is_quiet && finished.leftovers.is_empty()
}

async fn calm() -> Result<Calm, Failure> {
    let rehearsal = Rehearsal::new(SEED).await?;
    assert!(is_done(&run(&rehearsal, UP).await?));
    let (up, there) = (rehearsal.mutating_calls(), rehearsal.emulator.inventory());
    assert!(is_done(&run(&rehearsal, Goal::Down).await?));
    assert_eq!(rehearsal.emulator.inventory(), BTreeMap::new());
    Ok(Calm { up, down: rehearsal.mutating_calls() - up, there })
}

/// Repeats a command until it is done. After no run is there more of anything than after a calm one: a duplicate that a later run
/// finds and removes was made all the same.
async fn converge(
    rehearsal: &Rehearsal,
    goal: Goal,
    calm: &BTreeMap<&'static str, usize>,
    what: &str,
) -> Result<usize, Failure> {
    let mut last = String::new();
    for repetition in 0..=REPETITIONS_MAX {
        let finished = run(rehearsal, goal).await?;
        for (kind, count) in rehearsal.emulator.inventory() {
            assert!(calm.get(kind).is_some_and(|calm| count <= *calm), "{what}: {count} of {kind}");
        }
        if is_done(&finished) {
            return Ok(repetition);
        }
        last = format!("{finished:?}");
    }
    Err(format!("{what}: not done after {REPETITIONS_MAX} repetitions: {last}").into())
}

#[expect(clippy::print_stdout, reason = "how many cases there were is part of what the test says")]
fn at_every_call(fault: Fault) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let calm = calm().await?;
        let mut repeated = 0;
        for call in 0..calm.up.max(calm.down) {
            let rehearsal = Rehearsal::new(SEED).await?;
            rehearsal.emulator.plan_fault(call, fault);
            repeated += converge(&rehearsal, UP, &calm.there, &format!("{fault:?} at call {call} of up")).await?;
            assert_eq!(rehearsal.emulator.inventory(), calm.there, "{fault:?} at call {call} of up");
            if call < calm.down {
                rehearsal.emulator.plan_fault(rehearsal.mutating_calls() + call, fault);
                repeated +=
                    converge(&rehearsal, Goal::Down, &calm.there, &format!("{fault:?} at call {call} of down")).await?;
                assert_eq!(rehearsal.emulator.inventory(), BTreeMap::new(), "{fault:?} at call {call} of down");
            }
        }
        println!("{fault:?}: {} calls of up, {} of down, {repeated} repetitions", calm.up, calm.down);
        Ok(())
    })
}

#[test]
fn a_service_that_is_unavailable() -> Result<(), Failure> {
    at_every_call(Fault::Unavailable)
}

#[test]
fn a_service_that_was_called_too_often() -> Result<(), Failure> {
    at_every_call(Fault::Throttled)
}

#[test]
fn a_call_that_never_arrives() -> Result<(), Failure> {
    at_every_call(Fault::NeverArrives)
}

#[test]
fn a_service_that_fails_after_it_has_done_what_was_asked() -> Result<(), Failure> {
    at_every_call(Fault::FailsAfterwards)
}

#[test]
fn an_answer_that_is_lost() -> Result<(), Failure> {
    at_every_call(Fault::AnswerLost)
}
