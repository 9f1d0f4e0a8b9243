//! Who dies after the control plane is there and before it lets anybody in: the next run opens the door, instead of waiting before it.

use howso_infra_rehearsal::{Fault, Place, PlannedFault, Rehearsal};
use howso_infra_rehearsal_tests::{Failure, UP, open, run, run_or_die};

#[tokio::test(flavor = "current_thread")]
async fn a_cluster_that_lets_nobody_in_yet_is_gone_on_with() -> Result<(), Failure> {
    for (seed, operation) in (0..).zip(["eks:CreateAccessEntry", "eks:AssociateAccessPolicy"].repeat(3)) {
        for fault in [Fault::DiesBefore, Fault::DiesAfter, Fault::DiesAnswered] {
            let rehearsal = Rehearsal::new(seed).await?;
            let place = Place::Operation { name: operation.to_owned(), number: 0 };
            rehearsal.emulator().plan_fault(PlannedFault { fault, place });
            let died = run_or_die(&rehearsal, &open(&rehearsal, "small", &[]).await?, UP).await?;
            assert!(died.is_none(), "{fault:?} at {operation}");
            let again = run(&open(&rehearsal, "small", &[]).await?, UP).await?;
            assert!(again.outcome.is_complete(), "{fault:?} at {operation}, seed {seed}: {again:?}");
            assert!(again.remaining.is_some_and(|remaining| remaining.is_empty()));
        }
    }
    Ok(())
}
