//! What must be true before a cluster is called ready. Nodes, autoscaler and metrics are emulated.

use howso_infra::core::plan::Reason;
use howso_infra::core::{Change, ResourceId};
use serde_json::json;

use crate::support::lab::{Lab, UP};
use crate::support::nodes;

/// What a plan says about the checks that are waited for.
async fn waited_for(lab: &Lab) -> String {
    let plan = lab.session().await.prepare(UP).await.unwrap().plan;
    let told = plan.report.iter().filter_map(|found| match (&found.change, &found.reason) {
        (Change::Wait, Reason::StillPending { state }) => Some(format!("{}: {state}", found.resource.name())),
        _ => None,
    });
    told.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_is_not_true_is_named_with_what_to_do() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    assert_eq!(waited_for(&lab).await, "");
    let admin = &lab.admin;
    admin.edit("/api/v1/nodes/core-1", &json!({ "metadata": { "labels": { "howso.com/allowWorkers": null } } })).await;
    let unready = json!({ "status": { "conditions": [{ "type": "Ready", "status": "Unknown" }] } });
    admin.edit("/api/v1/nodes/core-2/status", &unready).await;
    nodes::node(admin, "worker-1", "worker", "True", json!({}), json!([])).await;
    let status = "nodeGroups:\n- name: asg-worker\n  health:\n    minSize: 0\n    maxSize: 5\n";
    admin
        .edit(
            "/api/v1/namespaces/kube-system/configmaps/cluster-autoscaler-status",
            &json!({ "data": { "status": status } }),
        )
        .await;
    admin.delete("/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io").await;
    let before = admin.writes().await;
    let told = waited_for(&lab).await;
    // The same whoever serves the API.
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("what_is_not_true_is_named_with_what_to_do", told);
    });
    assert_eq!(admin.writes().await, before, "checks change nothing");
}

#[tokio::test]
async fn up_waits_for_nodes_and_ends_when_they_are_there() {
    let lab = Lab::empty().await;
    let arrival = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        nodes::healthy(&lab.admin).await;
    };
    let (finished, ()) = tokio::join!(lab.succeed(UP), arrival);
    assert!(finished.outcome.counts.settled > 15);
    let told = format!("{:?}", lab.events.lock().unwrap());
    assert!(told.contains("0 of 2 core nodes of core ready"), "{told}");
}

#[tokio::test]
async fn a_check_that_never_passes_fails_with_what_is_missing() {
    let lab = Lab::healthy().await;
    lab.admin.delete("/api/v1/nodes/core-2").await;
    let session = lab.session_with(&["engine.step_deadline_max=2s"]).await;
    let run = session.begin(UP).await.unwrap();
    let finished = run.execute(howso_infra::interrupt::Interrupts::never()).await.unwrap();
    let failure = finished.outcome.failures.first().unwrap();
    assert_eq!(failure.resource, ResourceId::new("kubernetes/check", "core-nodes"));
    assert!(failure.error.message.contains("1 of 2 core nodes of core ready"), "{}", failure.error);
    // It resumes when what was missing has come.
    nodes::core_node(&lab.admin, "core-2").await;
    lab.succeed(UP).await;
}
