//! One fault at every mutating call of a first `up`, of one to another version and of `down`, one at a time: at most three more
//! runs of the same command, and the account is that of a calm run; nothing twice, nothing left.

use std::collections::BTreeMap;

use howso_infra::{Finished, Goal};
use howso_infra_rehearsal::{Fault, Place, PlannedFault, Rehearsal};
use howso_infra_rehearsal_tests::{Failure, UP, mutating_calls, open};

const SEED: u64 = 3;

/// How often the same command is repeated after the first time.
const REPETITIONS_MAX: usize = 3;

/// One command after the other, with the version of Kubernetes that it wants.
const COMMANDS: [(&str, Goal, &str); 3] =
    [("up", UP, "1.32"), ("up to another version", UP, "1.33"), ("down", Goal::Down, "1.33")];

/// A command without faults.
struct Calm {
    mutating_calls: usize,
    /// What there is when it is done.
    there: BTreeMap<&'static str, usize>,
}

async fn run(rehearsal: &Rehearsal, goal: Goal, version: &str) -> Result<Finished, Failure> {
    let session = open(rehearsal, "small", &[&format!("kubernetes.version={version}")]).await?;
    howso_infra_rehearsal_tests::run(&session, goal).await
}

fn is_done(finished: &Finished) -> bool {
    let is_quiet = finished.remaining.as_ref().is_some_and(howso_infra::core::Plan::is_empty);
    finished.outcome.is_complete() && is_quiet && finished.leftovers.is_empty()
}

async fn calm() -> Result<Vec<Calm>, Failure> {
    let rehearsal = Rehearsal::new(SEED).await?;
    let mut calm = Vec::new();
    for (_, goal, version) in COMMANDS {
        let before = mutating_calls(&rehearsal);
        assert!(is_done(&run(&rehearsal, goal, version).await?));
        let mutating_calls = mutating_calls(&rehearsal) - before;
        assert_ne!(mutating_calls, 0);
        calm.push(Calm { mutating_calls, there: rehearsal.emulator().inventory() });
    }
    assert_eq!(rehearsal.emulator().inventory(), BTreeMap::new());
    Ok(calm)
}

/// Repeats a command until it is done. After no run is there more of anything than after a calm one: a duplicate that a later run
/// finds and removes was made all the same.
async fn converge(
    rehearsal: &Rehearsal,
    goal: Goal,
    version: &str,
    most: &BTreeMap<&'static str, usize>,
    what: &str,
) -> Result<usize, Failure> {
    let mut last = String::new();
    for repetition in 0..=REPETITIONS_MAX {
        let finished = run(rehearsal, goal, version).await?;
        for (kind, count) in rehearsal.emulator().inventory() {
            assert!(most.get(kind).is_some_and(|most| count <= *most), "{what}: {count} of {kind}");
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
        let most = &calm[0].there;
        let calls_max = calm.iter().map(|command| command.mutating_calls).max().unwrap_or_default();
        let mut repeated = 0;
        for call in 0..calls_max {
            let rehearsal = Rehearsal::new(SEED).await?;
            for ((name, goal, version), calm) in COMMANDS.into_iter().zip(&calm) {
                let what = format!("{fault:?} at call {call} of {name}");
                if call < calm.mutating_calls {
                    let place = Place::MutatingCall(mutating_calls(&rehearsal) + call);
                    rehearsal.emulator().plan_fault(PlannedFault { fault, place });
                }
                repeated += converge(&rehearsal, goal, version, most, &what).await?;
                assert_eq!(rehearsal.emulator().inventory(), calm.there, "{what}");
            }
        }
        let calls: Vec<usize> = calm.iter().map(|command| command.mutating_calls).collect();
        println!("{fault:?}: {calls:?} calls, {repeated} repetitions");
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
