//! What is applied, compared, repaired, and left alone.

use howso_infra::Goal;
use howso_infra::core::plan::Reason;
use howso_infra::core::{Change, ResourceId};
use serde_json::json;

use crate::support::lab::{Lab, UP};

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/kube-system/deployments/cluster-autoscaler";
const CLASS: &str = "/apis/storage.k8s.io/v1/storageclasses/gp3";
const CLUSTER_ROLE: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-autoscaler";

#[tokio::test]
async fn up_makes_everything_and_up_again_writes_nothing() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    assert_eq!(lab.snapshot().await.len(), 11, "every object is there");
    let class = lab.admin.get(CLASS).await.unwrap();
    assert_eq!(class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"], "true");
    let before = lab.admin.writes().await;
    assert!(before.iter().any(|write| write.starts_with("patch") && write.ends_with("201")), "{before:#?}");

    let finished = lab.succeed(UP).await;
    assert_eq!(finished.outcome.counts.total, 0);
    lab.forget();
    assert_eq!(lab.succeed(UP).await.outcome.counts.total, 0, "also without the journal");
    assert_eq!(lab.admin.writes().await, before, "nothing was sent that could change anything");
}

#[tokio::test]
async fn drift_is_repaired_and_fields_of_others_stay() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    let edit = json!({
        "metadata": { "labels": { "team": "ml" } },
        "spec": {
            "replicas": 0,
            "template": { "metadata": { "annotations": { "kubectl.kubernetes.io/restartedAt": "now" } } },
        },
    });
    lab.admin.edit(DEPLOYMENT, &edit).await;
    lab.admin.edit(CLASS, &json!({ "allowVolumeExpansion": false })).await;
    let replace = json!({ "metadata": { "annotations": { "storageclass.kubernetes.io/is-default-class": "false" } } });
    lab.admin.edit(CLASS, &replace).await;
    lab.admin.edit(CLUSTER_ROLE, &json!({ "rules": [] })).await;

    let plan = lab.session().await.prepare(UP).await.unwrap().plan;
    let changed: Vec<String> = plan
        .report
        .iter()
        .filter(|found| found.change == Change::Update)
        .map(|found| found.resource.to_string())
        .collect();
    assert_eq!(
        changed,
        [
            "kubernetes/cluster-role:cluster-autoscaler",
            "kubernetes/deployment:cluster-autoscaler",
            "kubernetes/storage-class:gp3"
        ]
    );
    lab.succeed(UP).await;
    let deployment = lab.admin.get(DEPLOYMENT).await.unwrap();
    assert_eq!(deployment["spec"]["replicas"], 1, "what is ours comes back");
    assert_eq!(deployment["metadata"]["labels"]["team"], "ml", "what is not ours stays");
    let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(annotations["kubectl.kubernetes.io/restartedAt"], "now");
    assert_eq!(lab.admin.get(CLASS).await.unwrap()["allowVolumeExpansion"], true);
    assert!(!lab.admin.get(CLUSTER_ROLE).await.unwrap()["rules"].as_array().unwrap().is_empty());

    let before = lab.admin.writes().await;
    lab.succeed(UP).await;
    assert_eq!(lab.admin.writes().await, before, "and nothing is left to do");
}

#[tokio::test]
async fn a_stranger_on_our_name_blocks_and_is_never_touched() {
    let lab = Lab::healthy().await;
    let roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let stranger = json!({ "metadata": { "name": "cluster-autoscaler", "labels": { "app": "theirs" } }, "rules": [] });
    let stranger = lab.admin.create(roles, &stranger).await;
    // Labels of another deployment are a stranger's as well.
    let other = json!({
        "metadata": { "name": "howso-core", "labels": {
            "howso-infra/cluster": "demo", "howso-infra/deployment": "ab".repeat(16),
        } },
        "value": 7,
    });
    let other = lab.admin.create("/apis/scheduling.k8s.io/v1/priorityclasses", &other).await;
    // Nothing that we write collides with anything in this one: only its being there says that it is not ours.
    let accounts = "/api/v1/namespaces/kube-system/serviceaccounts";
    let account = lab.admin.create(accounts, &json!({ "metadata": { "name": "cluster-autoscaler" } })).await;
    let session = lab.session().await;
    let finished = session.begin(UP).await.unwrap();
    let plan = finished.prepared().plan.clone();
    finished.release().await.unwrap();
    let reason = |id: &str| {
        let id: ResourceId = id.parse().unwrap();
        plan.report.iter().find(|found| found.resource == id).map(|found| found.reason.clone()).unwrap()
    };
    // The cloud's cluster is not there yet, so nothing inside was looked at.
    assert_eq!(reason("kubernetes/cluster-role:cluster-autoscaler"), Reason::Missing);

    let crate::support::lab::Ended::Finished(finished) = lab.run(UP).await else { panic!("it died") };
    let failed: Vec<String> = finished.outcome.failures.iter().map(|failure| failure.resource.to_string()).collect();
    assert!(failed.contains(&"kubernetes/cluster-role:cluster-autoscaler".to_owned()), "{failed:?}");
    assert!(failed.contains(&"kubernetes/priority-class:howso-core".to_owned()), "{failed:?}");
    assert!(failed.contains(&"kubernetes/service-account:cluster-autoscaler".to_owned()), "{failed:?}");

    let plan = session.prepare(UP).await.unwrap().plan;
    for id in ["kubernetes/cluster-role:cluster-autoscaler", "kubernetes/priority-class:howso-core"] {
        let id: ResourceId = id.parse().unwrap();
        let found = plan.report.iter().find(|found| found.resource == id).unwrap();
        assert!(matches!(found.reason, Reason::Foreign { .. }), "{:?}", found.reason);
    }
    let now = lab.admin.get(&format!("{accounts}/cluster-autoscaler")).await.unwrap();
    assert_eq!(now["metadata"]["resourceVersion"], account["metadata"]["resourceVersion"]);
    let now = lab.admin.get(&format!("{roles}/cluster-autoscaler")).await.unwrap();
    assert_eq!(now["metadata"]["resourceVersion"], stranger["metadata"]["resourceVersion"]);
    let now = lab.admin.get("/apis/scheduling.k8s.io/v1/priorityclasses/howso-core").await.unwrap();
    assert_eq!(now["metadata"]["resourceVersion"], other["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_removed_and_nothing_else() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    // Somebody else's, that only looks like ours.
    let stranger =
        json!({ "metadata": { "name": "stranger", "labels": { "howso-infra/cluster": "other" } }, "rules": [] });
    lab.admin.create("/apis/rbac.authorization.k8s.io/v1/clusterroles", &stranger).await;
    lab.cloud.want(|inside| inside.autoscaler = None);
    let finished = lab.succeed(UP).await;
    assert_eq!(finished.outcome.counts.total, 7);
    let names: Vec<String> =
        lab.snapshot().await.iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["howso", "stranger", "howso-core", "howso-trainee", "gp3"]);
    assert!(lab.session().await.prepare(UP).await.unwrap().plan.is_empty());
}

#[tokio::test]
async fn before_there_is_a_control_plane_everything_is_missing_and_nothing_is_a_gap() {
    let lab = Lab::empty().await;
    let prepared = lab.session().await.prepare(UP).await.unwrap();
    assert!(prepared.observation.gaps.is_empty());
    assert!(prepared.plan.report.iter().all(|found| found.reason == Reason::Missing), "{:#?}", prepared.plan.report);
    assert!(lab.proxy.requests("").is_empty());
}

#[tokio::test]
async fn an_api_that_does_not_answer_is_a_gap_and_blocks_also_the_removal() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    lab.cloud.move_to("http://127.0.0.1:9");
    let session = lab.session_with(&["engine.retry_attempts=2"]).await;
    for goal in [UP, Goal::Down] {
        let plan = session.prepare(goal).await.unwrap().plan;
        let blocked: Vec<_> = plan.blocked().collect();
        let is_gap = |reason: &Reason| matches!(reason, Reason::Gap { error } if error.hint.is_some());
        assert!(blocked.iter().any(|found| is_gap(&found.reason)), "{blocked:#?}");
    }
    let only_cloud = session.until(howso_infra::Stage::Cloud).prepare(UP).await.unwrap();
    assert!(only_cloud.plan.is_empty(), "the stage before is not concerned");
}
