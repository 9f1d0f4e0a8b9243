//! One fault at every mutating call of an `up` to another version of Kubernetes, one at a time: at most three more runs of the same
//! command, and the account is that of a calm run; nothing twice, nothing left. Which calls there are is recorded, not listed. First
//! runs and removals are swept by the program itself (`rehearse --fault …@every`, `tests/emulator/test_5_rehearsal.py`).

use std::collections::BTreeMap;

use howso_infra::{Finished, Goal};
use howso_infra_rehearsal::{Fault, Place, PlannedFault, Rehearsal};
use howso_infra_rehearsal_tests::{Failure, UP, open, run_or_die};

const SEED: u64 = 3;

/// How often the same command is repeated after the first time.
const REPETITIONS_MAX: usize = 3;

const BEFORE: &str = "1.32";
const AFTER: &str = "1.33";

/// An account with a cluster of the former version.
async fn with_cluster() -> Result<Rehearsal, Failure> {
    let rehearsal = Rehearsal::new(SEED).await?;
    assert!(run(&rehearsal, UP, BEFORE).await?.as_ref().is_some_and(is_done));
    Ok(rehearsal)
}

async fn run(rehearsal: &Rehearsal, goal: Goal, version: &str) -> Result<Option<Finished>, Failure> {
    let session = open(rehearsal, "small", &[&format!("kubernetes.version={version}")]).await?;
    run_or_die(rehearsal, &session, goal).await
}

fn is_done(finished: &Finished) -> bool {
    let is_quiet = finished.remaining.as_ref().is_some_and(howso_infra::core::Plan::is_empty);
    finished.outcome.is_complete() && is_quiet && finished.leftovers.is_empty()
}

/// Repeats the command until it is done. After no run is there more of anything than after a calm one: a duplicate that a later run
/// finds and removes was made all the same.
async fn converge(rehearsal: &Rehearsal, most: &BTreeMap<&str, usize>, what: &str) -> Result<usize, Failure> {
    let mut last = String::new();
    for repetition in 0..=REPETITIONS_MAX {
        let finished = run(rehearsal, UP, AFTER).await;
        for (kind, count) in rehearsal.emulator().inventory() {
            assert!(most.get(kind).is_some_and(|most| count <= *most), "{what}: {count} of {kind}");
        }
        match finished {
            Ok(Some(finished)) if is_done(&finished) => return Ok(repetition),
            other => last = format!("{other:?}"),
        }
    }
    Err(format!("{what}: not done after {REPETITIONS_MAX} repetitions: {last}").into())
}

/// Lets the same thing go wrong at each call, one after the other.
#[expect(clippy::print_stdout, reason = "how many cases there were is part of what the test says")]
fn at_every_call(fault: Fault) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let calm = with_cluster().await?;
        let before = calm.emulator().calls();
        assert!(run(&calm, UP, AFTER).await?.as_ref().is_some_and(is_done));
        let calls = calm.emulator().calls().split_off(before.len());
        let changes = calls.iter().filter(|call| call.mutates).count();
        assert!(changes > 5, "{calls:?}");
        let there = calm.emulator().inventory();
        let mut repeated = 0;
        for number in 0..changes {
            let rehearsal = with_cluster().await?;
            let planned = PlannedFault { fault, place: Place::MutatingCall(number) };
            let what = planned.to_string();
            rehearsal.emulator().plan_fault(planned.after(&before));
            repeated += converge(&rehearsal, &there, &what).await?;
            assert_eq!(rehearsal.emulator().inventory(), there, "{what}");
        }
        println!("{}: {changes} plans, {repeated} repetitions", fault.name());
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

#[test]
fn credentials_that_have_expired() -> Result<(), Failure> {
    at_every_call(Fault::Expired)
}

#[test]
fn a_death_before_the_call_arrives() -> Result<(), Failure> {
    at_every_call(Fault::DiesBefore)
}

#[test]
fn a_death_before_the_answer_arrives() -> Result<(), Failure> {
    at_every_call(Fault::DiesAfter)
}

#[test]
fn a_death_after_the_answer() -> Result<(), Failure> {
    at_every_call(Fault::DiesAnswered)
}
