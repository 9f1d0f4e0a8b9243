//! Death at every request that changes something, and the same command again.

use howso_infra::Goal;

use crate::removal::{check_what_is_left, controllers, fill};
use crate::support::lab::{Ended, Lab, UP};
use crate::support::proxy::{Fault, When};

async fn calm(lab: &Lab) -> (Vec<serde_json::Value>, usize) {
    lab.proxy.disarm();
    lab.succeed(UP).await;
    (lab.snapshot().await, lab.proxy.mutations())
}

/// Removes what a run made, without the program.
async fn clean(lab: &Lab) {
    lab.proxy.disarm();
    lab.succeed(Goal::Down).await;
    crate::support::nodes::reset(&lab.admin).await;
    crate::support::nodes::healthy(&lab.admin).await;
}

#[tokio::test]
async fn up_converges_after_death_at_every_request() {
    let lab = Lab::healthy().await;
    let (expected, mutations) = calm(&lab).await;
    assert_eq!(mutations, 12, "one request an object");
    for number in 0..mutations {
        for fault in [Fault::DieBefore, Fault::DieAfter] {
            clean(&lab).await;
            lab.proxy.arm(When::Mutation(number), fault.clone());
            let place = format!("request {number}, {fault:?}");
            assert!(matches!(lab.run(UP).await, Ended::Died), "{place}: it lives");
            lab.proxy.disarm();
            if number % 3 == 0 {
                lab.forget();
            }
            lab.succeed(UP).await;
            assert_eq!(lab.snapshot().await, expected, "{place}");
            assert_eq!(lab.succeed(UP).await.outcome.counts.total, 0, "{place}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_looked_up() {
    let lab = Lab::healthy().await;
    let (expected, mutations) = calm(&lab).await;
    for number in 0..mutations {
        clean(&lab).await;
        lab.proxy.arm(When::Mutation(number), Fault::Lose);
        lab.succeed(UP).await;
        assert_eq!(lab.proxy.faults(), 1, "request {number}");
        assert_eq!(lab.proxy.mutations(), mutations, "request {number} was not sent again");
        assert_eq!(lab.snapshot().await, expected, "request {number}");
    }
}

/// A cluster with all that is in the way of its removal.
async fn filled(lab: &Lab) {
    clean(lab).await;
    lab.succeed(UP).await;
    fill(lab).await;
}

/// Removes the cluster while the cloud's controllers work; what is to be kept is named.
async fn remove(lab: &Lab, place: &str) {
    let finished = tokio::select! {
        finished = lab.succeed(Goal::Down) => finished,
        () = controllers(lab) => unreachable!("they never end"),
    };
    let kept: Vec<_> = finished.leftovers.iter().map(|left| left.physical_id.as_str()).collect();
    assert_eq!(kept, ["vol-archive"], "{place}");
    assert!(!lab.cloud.exists(), "{place}");
    check_what_is_left(lab, place).await;
}

#[tokio::test]
async fn down_converges_after_death_and_after_a_lost_answer_at_every_request() {
    let lab = Lab::healthy().await;
    filled(&lab).await;
    lab.proxy.disarm();
    remove(&lab, "calm").await;
    let mutations = lab.proxy.mutations();
    assert!(mutations >= 4, "a service, an ingress, a set and a claim: {mutations}");
    for number in 0..mutations {
        for fault in [Fault::DieBefore, Fault::DieAfter, Fault::Lose] {
            filled(&lab).await;
            let place = format!("request {number}, {fault:?}");
            lab.proxy.arm(When::Mutation(number), fault.clone());
            if !matches!(fault, Fault::Lose) {
                let ended = tokio::select! {
                    ended = lab.run(Goal::Down) => ended,
                    () = controllers(&lab) => unreachable!("they never end"),
                };
                assert!(matches!(ended, Ended::Died), "{place}: it lives");
                assert!(lab.cloud.exists(), "{place}: the cluster went before what is in it");
                lab.proxy.disarm();
                if number % 2 == 0 {
                    lab.forget();
                }
            }
            remove(&lab, &place).await;
        }
    }
}
