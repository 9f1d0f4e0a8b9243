//! What an API server answers when it does not do what was asked.

use std::time::Duration;

use howso_infra::core::ErrorKind;

use crate::support::lab::{Ended, Lab, UP};
use crate::support::proxy::{Fault, When};

const CLASS: &str = "PATCH /apis/scheduling.k8s.io/v1/priorityclasses/howso-core";

#[tokio::test]
async fn throttling_is_obeyed() {
    let lab = Lab::healthy().await;
    lab.proxy.arm(When::Matching(CLASS, 1), Fault::Answer(429, "retry-after: 1\r\n", "Too many requests"));
    lab.succeed(UP).await;
    let sent = lab.proxy.requests(CLASS);
    assert_eq!(sent.len(), 2);
    assert!(sent[1].1.duration_since(sent[0].1) >= Duration::from_secs(1), "it waits as long as it is asked to");
}

#[tokio::test]
async fn faults_that_pass_are_outlived() {
    let lab = Lab::healthy().await;
    let answers = [
        (429, "", "Too many requests"),
        (500, "", r#"{"kind":"Status","reason":"InternalError","message":"etcd","code":500}"#),
        (503, "retry-after: 1\r\n", r#"{"kind":"Status","reason":"ServiceUnavailable","code":503}"#),
        (504, "", r#"{"kind":"Status","reason":"Timeout","code":504}"#),
    ];
    for (status, head, body) in answers {
        for place in [CLASS, "GET /api/v1/nodes", "GET /readyz"] {
            lab.proxy.disarm();
            let _ = lab.run(howso_infra::Goal::Down).await;
            crate::support::nodes::reset(&lab.admin).await;
            crate::support::nodes::healthy(&lab.admin).await;
            lab.proxy.arm(When::Matching(place, 1), Fault::Answer(status, head, body));
            lab.succeed(UP).await;
            assert_eq!(lab.proxy.faults(), 1, "{status} {place}");
        }
    }
}

#[tokio::test]
async fn an_update_that_meets_another_writer_is_made_again() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    let deployment = "/apis/apps/v1/namespaces/kube-system/deployments/cluster-autoscaler";
    lab.admin.edit(deployment, &serde_json::json!({ "spec": { "replicas": 0 } })).await;
    let conflict = r#"{"kind":"Status","reason":"Conflict","message":"the object has been modified","code":409}"#;
    lab.proxy.arm(When::Matching("PATCH /apis/apps", 1), Fault::Answer(409, "", conflict));
    lab.succeed(UP).await;
    assert_eq!(lab.proxy.faults(), 1);
    assert_eq!(lab.admin.get(deployment).await.unwrap()["spec"]["replicas"], 1);
}

#[tokio::test]
async fn a_list_whose_continuation_expired_is_read_again() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    let expired = r#"{"kind":"Status","reason":"Expired","message":"too old","code":410}"#;
    lab.proxy.arm(When::Matching("GET /apis/storage.k8s.io/v1/storageclasses?", 1), Fault::Answer(410, "", expired));
    assert!(lab.session().await.prepare(UP).await.unwrap().plan.is_empty());
    assert_eq!(lab.proxy.faults(), 1);
    let again = |event: &howso_infra::Event| matches!(event, howso_infra::Event::ReadingAgain { .. });
    assert!(!lab.events.lock().unwrap().iter().any(again), "that list alone, and at once");
}

#[tokio::test]
async fn a_plan_outlives_a_broken_look_at_a_check() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    lab.proxy.arm(When::Matching("GET /apis/apps/v1/namespaces/kube-system/daemonsets?", 1), Fault::Lose);
    let plan = lab.session().await.prepare(UP).await.unwrap().plan;
    assert!(plan.is_empty(), "{plan:#?}");
    assert_eq!(lab.proxy.faults(), 1);
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    lab.cloud.give_bad_tokens(&["expired"]);
    assert!(lab.session().await.prepare(UP).await.unwrap().plan.is_empty());
    // One more for the look at the whole cluster, which always asks whether it is still there.
    assert!(lab.cloud.connections() <= 3, "{}", lab.cloud.connections());

    lab.cloud.give_bad_tokens(&["expired", "expired", "expired", "expired"]);
    // Without the journal nothing was made so recently that it would be looked for twice.
    lab.forget();
    lab.proxy.disarm();
    let plan = lab.session().await.prepare(UP).await.unwrap().plan;
    let refused = plan.blocked().find_map(|found| match &found.reason {
        howso_infra::core::plan::Reason::Gap { error } => Some(error.clone()),
        _ => None,
    });
    let refused = refused.unwrap();
    assert_eq!(refused.kind, ErrorKind::Auth);
    assert!(refused.hint.is_some());
    assert_eq!(lab.proxy.requests("/readyz").len(), 2, "once, and once more with a new token");
    let told = format!("{plan:?}{refused:?}{:?}", lab.events.lock().unwrap());
    assert!(!told.contains("expired") && !told.contains("token-of-howso"), "no token is told");
}

#[tokio::test]
async fn a_permission_that_is_missing_is_named() {
    let lab = Lab::healthy().await;
    let forbidden = r#"{"kind":"Status","reason":"Forbidden","message":"no","code":403}"#;
    lab.proxy.arm(When::Matching(CLASS, 9), Fault::Answer(403, "", forbidden));
    let Ended::Finished(finished) = lab.run(UP).await else { panic!("it died") };
    let failure = finished.outcome.failures.first().unwrap();
    let action = "patch priorityclasses.scheduling.k8s.io".to_owned();
    assert_eq!(failure.error.kind, ErrorKind::Permission { action });
    assert!(failure.error.hint.is_some());
}
