//! What leaves the cluster before the cluster goes.

use std::time::Duration;

use howso_infra::Goal;
use serde_json::json;

use crate::support::lab::{Ended, Lab, UP};

const SERVICES: &str = "/api/v1/namespaces/default/services";
const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";
const INGRESSES: &str = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
const SETS: &str = "/apis/apps/v1/namespaces/default/statefulsets";

async fn volume(lab: &Lab, name: &str, policy: &str) {
    let volume = json!({
        "metadata": { "name": name },
        "spec": {
            "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": policy,
            "claimRef": { "namespace": "default", "name": name },
            "csi": { "driver": "ebs.csi.aws.com", "volumeHandle": format!("vol-{name}") },
        },
    });
    lab.admin.create(VOLUMES, &volume).await;
    let claim = json!({
        "metadata": { "name": name },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "volumeName": name, "storageClassName": "gp3",
            "resources": { "requests": { "storage": "1Gi" } },
        },
    });
    lab.admin.create(CLAIMS, &claim).await;
}

/// A load balancer that its controller still has to let go of, an ingress, a volume to delete, one to keep, and a workload.
pub(super) async fn fill(lab: &Lab) {
    let service = |name: &str, kind: &str| {
        json!({
            "metadata": { "name": name, "finalizers": ["service.kubernetes.io/load-balancer-cleanup"] },
            "spec": { "type": kind, "ports": [{ "port": 80 }] },
        })
    };
    lab.admin.create(SERVICES, &service("front", "LoadBalancer")).await;
    lab.admin.create(SERVICES, &service("back", "ClusterIP")).await;
    let ingress = json!({
        "metadata": { "name": "web" },
        "spec": { "defaultBackend": { "service": { "name": "back", "port": { "number": 80 } } } },
    });
    lab.admin.create(INGRESSES, &ingress).await;
    volume(lab, "data", "Delete").await;
    volume(lab, "archive", "Retain").await;
    let set = json!({
        "metadata": { "name": "trainee" },
        "spec": {
            "serviceName": "trainee", "selector": { "matchLabels": { "a": "b" } },
            "template": {
                "metadata": { "labels": { "a": "b" } },
                "spec": { "containers": [{ "name": "c", "image": "i" }] },
            },
        },
    });
    lab.admin.create(SETS, &set).await;
    let pod = json!({
        "metadata": { "name": "trainee-0", "ownerReferences": [
            { "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "trainee", "uid": "00000000-0000-0000-0000-000000000001" },
        ] },
        "spec": { "containers": [{ "name": "c", "image": "i" }] },
    });
    lab.admin.create("/api/v1/namespaces/default/pods", &pod).await;
}

/// What the cloud's controllers do for as long as they run: they let go of what was asked of them.
pub(super) async fn controllers(lab: &Lab) {
    let is_leaving = async |path: String| match lab.admin.get(&path).await {
        Some(object) => object["metadata"]["deletionTimestamp"].is_string(),
        None => true,
    };
    loop {
        if is_leaving(format!("{SERVICES}/front")).await && is_leaving(format!("{CLAIMS}/data")).await {
            let_go(lab).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What is left of [`fill`] is what nobody wanted gone.
pub(super) async fn check_what_is_left(lab: &Lab, place: &str) {
    for gone in [
        format!("{SERVICES}/front"),
        format!("{CLAIMS}/data"),
        format!("{VOLUMES}/data"),
        format!("{INGRESSES}/web"),
        format!("{SETS}/trainee"),
    ] {
        assert!(lab.admin.get(&gone).await.is_none(), "{place}: {gone} is there");
    }
    for kept in [format!("{SERVICES}/back"), format!("{CLAIMS}/archive"), format!("{VOLUMES}/archive")] {
        let object = lab.admin.get(&kept).await.unwrap_or_else(|| panic!("{place}: {kept} is gone"));
        assert!(object["metadata"]["deletionTimestamp"].is_null(), "{place}: {kept}");
    }
}

/// What the cloud's controllers do once they are asked.
async fn let_go(lab: &Lab) {
    let free = json!({ "metadata": { "finalizers": null } });
    lab.admin.try_edit(&format!("{SERVICES}/front"), &free).await;
    lab.admin.try_edit(&format!("{CLAIMS}/data"), &free).await;
    lab.admin.delete(&format!("{VOLUMES}/data")).await;
    lab.admin.try_edit(&format!("{VOLUMES}/data"), &free).await;
}

#[tokio::test]
async fn what_owns_something_in_the_cloud_goes_first_and_is_waited_for() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    fill(&lab).await;
    let prepared = lab.session().await.prepare(Goal::Down).await.unwrap();
    let workloads: Vec<String> = prepared.workloads.iter().map(ToString::to_string).collect();
    assert_eq!(workloads, ["default/StatefulSet trainee (1 pod)"]);
    let steps: Vec<String> = prepared.plan.steps.iter().map(|step| step.resource.to_string()).collect();
    assert_eq!(steps.len(), 2, "objects go with the cluster: {steps:?}");

    let removing = async {
        let finished = lab.succeed(Goal::Down).await;
        let kept: Vec<_> = finished.leftovers.iter().map(|left| left.physical_id.clone()).collect();
        assert_eq!(kept, ["vol-archive"], "what was kept is named");
    };
    let controllers = async {
        let mut seen_waiting = false;
        for _ in 0..400 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let front = lab.admin.get(&format!("{SERVICES}/front")).await;
            let is_asked = front.is_some_and(|front| front["metadata"]["deletionTimestamp"].is_string());
            let claim = lab.admin.get(&format!("{CLAIMS}/data")).await;
            if is_asked && claim.is_none_or(|claim| claim["metadata"]["deletionTimestamp"].is_string()) {
                seen_waiting = lab.cloud.exists();
                // Long enough that a removal which does not wait would be seen.
                tokio::time::sleep(Duration::from_millis(500)).await;
                seen_waiting &= lab.cloud.exists();
                break;
            }
        }
        assert!(seen_waiting, "the cluster stays until its load balancer and its volume are gone");
        let_go(&lab).await;
    };
    tokio::join!(removing, controllers);
    assert!(!lab.cloud.exists());
    check_what_is_left(&lab, "calm").await;
    let told = format!("{:?}", lab.events.lock().unwrap());
    assert!(told.contains("load balancer default/front") && told.contains("volume claim default/data"), "{told}");
}

#[tokio::test]
async fn what_comes_up_again_is_told() {
    let lab = Lab::healthy().await;
    lab.succeed(UP).await;
    let service =
        json!({ "metadata": { "name": "front" }, "spec": { "type": "LoadBalancer", "ports": [{ "port": 80 }] } });
    lab.admin.create(SERVICES, &service).await;
    let operator = async {
        for _ in 0..2_000 {
            if lab.admin.get(&format!("{SERVICES}/front")).await.is_none() {
                lab.admin.create(SERVICES, &service).await;
                return;
            }
        }
    };
    // A finalizer holds the removal open until the operator has been there.
    volume(&lab, "data", "Delete").await;
    let removal = async { lab.run(Goal::Down).await };
    let later = async {
        operator.await;
        let_go(&lab).await;
        // `let_go` freed the service as well; it is made again.
        lab.admin.try_edit(&format!("{SERVICES}/front"), &json!({})).await;
    };
    let (ended, ()) = tokio::join!(removal, later);
    let Ended::Finished(finished) = ended else { panic!("it died") };
    let [failure] = finished.outcome.failures.as_slice() else { panic!("{:#?}", finished.outcome.failures) };
    assert!(failure.error.message.contains("load balancer default/front has come up again"), "{}", failure.error);
    assert!(failure.error.hint.is_some());
    assert!(lab.cloud.exists());
}
