//! What runs and reports in a real cluster, written by hand: *emulated* nodes, controllers, autoscaler and metrics.

use serde_json::{Value as Json, json};

use super::client::Admin;
use super::cloud::POOL_LABEL;

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/kube-system/deployments/cluster-autoscaler";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
const MAPS: &str = "/api/v1/namespaces/kube-system/configmaps";
const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";

/// A node of a pool, ready or not.
pub(crate) async fn node(admin: &Admin, name: &str, pool: &str, ready: &str, labels: Json, taints: Json) {
    let mut labels = labels;
    labels[POOL_LABEL] = json!(pool);
    let node = json!({ "metadata": { "name": name, "labels": labels }, "spec": { "taints": taints } });
    admin.create("/api/v1/nodes", &node).await;
    let status = json!({ "status": { "conditions": [{ "type": "Ready", "status": ready }] } });
    admin.edit(&format!("/api/v1/nodes/{name}/status"), &status).await;
}

/// A core node as it must be.
pub(crate) async fn core_node(admin: &Admin, name: &str) {
    node(admin, name, "core", "True", json!({ "howso.com/allowWorkers": "False" }), json!([])).await;
}

/// Two core nodes, metrics, and an autoscaler that says what it should, as soon as there is one.
pub(crate) async fn healthy(admin: &Admin) {
    core_node(admin, "core-1").await;
    core_node(admin, "core-2").await;
    // Without a service behind it the API server itself answers for it.
    let metrics = json!({
        "metadata": { "name": "v1beta1.metrics.k8s.io" },
        "spec": { "group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100 },
    });
    admin.create(API_SERVICES, &metrics).await;
    // Nobody renews it, so it was renewed in the far future.
    let lease = json!({
        "metadata": { "name": "cluster-autoscaler" },
        "spec": { "holderIdentity": "pod-1", "leaseDurationSeconds": 15, "renewTime": "2100-01-01T00:00:00.000000Z" },
    });
    admin.create(LEASES, &lease).await;
    let group = |name: &str, min: u32, max: u32| {
        format!("- name: asg-{name}\n  health:\n    minSize: {min}\n    maxSize: {max}\n")
    };
    let status = format!("autoscalerStatus: Running\nnodeGroups:\n{}{}", group("core", 2, 2), group("worker", 0, 20));
    let map = json!({ "metadata": { "name": "cluster-autoscaler-status" }, "data": { "status": status } });
    admin.create(MAPS, &map).await;
}

/// Lets the autoscaler's pods be available as soon as there is a Deployment, until the test ends.
pub(crate) fn keep_available(admin: &Admin) -> tokio::task::JoinHandle<()> {
    let admin = admin.clone();
    tokio::spawn(async move {
        loop {
            if let Some(found) = admin.get(DEPLOYMENT).await
                && found["status"]["availableReplicas"] != 1
            {
                let status = json!({ "status": { "replicas": 1, "availableReplicas": 1, "readyReplicas": 1 } });
                admin.try_edit(&format!("{DEPLOYMENT}/status"), &status).await;
            }
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
    })
}

/// Removes everything that any test made.
pub(crate) async fn reset(admin: &Admin) {
    for (collection, names) in [
        ("/apis/scheduling.k8s.io/v1/priorityclasses", &["howso-core", "howso-trainee"][..]),
        ("/apis/apps/v1/namespaces/kube-system/daemonsets", &["howso-image-loader"]),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles", &["cluster-autoscaler", "stranger"]),
        ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &["cluster-autoscaler"]),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles", &["cluster-autoscaler"]),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings", &["cluster-autoscaler"]),
        ("/apis/policy/v1/namespaces/kube-system/poddisruptionbudgets", &["cluster-autoscaler"]),
        ("/apis/apps/v1/namespaces/kube-system/deployments", &["cluster-autoscaler"]),
        ("/api/v1/namespaces/kube-system/serviceaccounts", &["cluster-autoscaler"]),
        (LEASES, &["cluster-autoscaler"]),
        (MAPS, &["cluster-autoscaler-status"]),
        (API_SERVICES, &["v1beta1.metrics.k8s.io"]),
    ] {
        for name in names {
            admin.delete(&format!("{collection}/{name}")).await;
        }
    }
    for collection in [
        "/apis/storage.k8s.io/v1/storageclasses",
        "/api/v1/nodes",
        "/api/v1/persistentvolumes",
        "/api/v1/namespaces/default/persistentvolumeclaims",
        "/apis/networking.k8s.io/v1/namespaces/default/ingresses",
        "/api/v1/namespaces/default/pods",
        "/apis/apps/v1/namespaces/default/statefulsets",
    ] {
        for object in admin.list(collection).await {
            let path = format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap_or_default());
            admin.try_edit(&path, &json!({ "metadata": { "finalizers": null } })).await;
            admin.delete(&path).await;
        }
    }
    let services = "/api/v1/namespaces/default/services";
    for object in admin.list(services).await.iter().filter(|object| object["metadata"]["name"] != "kubernetes") {
        let path = format!("{services}/{}", object["metadata"]["name"].as_str().unwrap_or_default());
        admin.try_edit(&path, &json!({ "metadata": { "finalizers": null } })).await;
        admin.delete(&path).await;
    }
    admin.delete_namespace("howso").await;
}
