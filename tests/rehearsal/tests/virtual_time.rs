//! A large cluster comes and goes on the emulated AWS, in virtual time: over real sockets, by the real provider and engine.

use std::time::Duration;

use howso_infra::Goal;
use howso_infra_rehearsal::Rehearsal;
use howso_infra_rehearsal_tests::{Failure, UP, open, run};

#[tokio::test(flavor = "current_thread")]
async fn a_large_cluster_takes_a_quarter_of_an_hour_that_nobody_waits_for() -> Result<(), Failure> {
    let rehearsal = Rehearsal::new(1).await?;
    let settings = ["deletion_protection=false"];
    let made = run(&open(&rehearsal, "large", &settings).await?, UP).await?;
    assert!(made.outcome.is_complete(), "{made:?}");
    assert!(made.remaining.is_some_and(|remaining| remaining.is_empty()));
    let minutes = rehearsal.passed().as_secs() / 60;
    assert!((8..25).contains(&minutes), "{minutes} minutes");

    let before = rehearsal.passed();
    let again = run(&open(&rehearsal, "large", &settings).await?, UP).await?;
    assert_eq!(again.outcome.counts.total, 0);
    assert!(rehearsal.passed() < before + Duration::from_mins(1), "what is as wanted is not waited for");

    let gone = run(&open(&rehearsal, "large", &settings).await?, Goal::Down).await?;
    assert!(gone.outcome.is_complete() && gone.leftovers.is_empty(), "{gone:?}");
    Ok(())
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_seed_takes_the_same_time() -> Result<(), Failure> {
    let mut passed = Vec::new();
    for seed in [7, 7, 8] {
        let rehearsal = Rehearsal::new(seed).await?;
        let made = run(&open(&rehearsal, "small", &[]).await?, UP).await?;
        assert!(made.outcome.is_complete(), "{made:?}");
        passed.push(rehearsal.passed());
    }
    assert_eq!(passed[0], passed[1]);
    assert_ne!(passed[0], passed[2]);
    Ok(())
}
