//! The proof that a worker appears stands, also when how long it took cannot be written onto the cluster.

use howso_infra::Scaling;
use howso_infra::core::Severity;
use howso_infra_rehearsal::{Fault, Place, PlannedFault, Rehearsal};
use howso_infra_rehearsal_tests::{Failure, UP, open, run};

#[tokio::test(flavor = "current_thread")]
async fn what_cannot_be_written_down_is_told_and_the_proof_stands() -> Result<(), Failure> {
    let rehearsal = Rehearsal::new(1).await?;
    let session = open(&rehearsal, "small", &[]).await?;
    assert!(run(&session, UP).await?.outcome.is_complete());
    // More often than anybody tries.
    for number in 0..50 {
        let place = Place::Operation { name: "kubernetes:patch/namespaces".to_owned(), number };
        let planned = PlannedFault { fault: Fault::Unavailable, place };
        rehearsal.emulator().plan_fault(planned.after(&rehearsal.emulator().calls()));
    }
    let findings = session.verify(Scaling::FromPresent, "registry.k8s.io/pause:3.10").await?;
    session.remove_canaries().await?;
    let of = |severity| findings.iter().filter(|found| found.severity == severity).collect::<Vec<_>>();
    assert_eq!(of(Severity::Good).len(), 3, "{findings:?}");
    let [told] = of(Severity::Warning)[..] else { return Err(format!("{findings:?}").into()) };
    assert!(told.message.contains("could not be written onto the cluster"), "{told:?}");
    assert_eq!(session.measured_worker_wait_secs().await?, None);
    Ok(())
}
