//! The cluster autoscaler.
//!
//! Rules and flags: `charts/cluster-autoscaler` and `cluster-autoscaler/cloudprovider/aws/examples` of
//! <https://github.com/kubernetes/autoscaler>. The version of the image is the minor version of the cluster.

use howso_infra_core::Resource;
use howso_infra_core::inside::Autoscaler;
use howso_infra_core::inside::SYSTEM_NAMESPACE;
use howso_infra_core::spec::CORE_LABEL;
use serde_json::{Value as Json, json};

use crate::kinds::{
    CLUSTER_ROLE, CLUSTER_ROLE_BINDING, DEPLOYMENT, POD_DISRUPTION_BUDGET, ROLE, ROLE_BINDING, SERVICE_ACCOUNT,
};
use crate::manifest::{Name, resource};

/// The name of everything that belongs to the autoscaler, of its lease too.
pub(crate) const NAME: &str = "cluster-autoscaler";

/// Its kinds with their namespaces.
pub(super) const NAMES: [(&str, Option<&str>); 7] = [
    (SERVICE_ACCOUNT, Some(SYSTEM_NAMESPACE)),
    (CLUSTER_ROLE, None),
    (CLUSTER_ROLE_BINDING, None),
    (ROLE, Some(SYSTEM_NAMESPACE)),
    (ROLE_BINDING, Some(SYSTEM_NAMESPACE)),
    (DEPLOYMENT, Some(SYSTEM_NAMESPACE)),
    (POD_DISRUPTION_BUDGET, Some(SYSTEM_NAMESPACE)),
];

/// The map in which it says what it does.
pub(crate) const STATUS_MAP: &str = "cluster-autoscaler-status";

const PORT: u16 = 8085;

/// What holds on every platform.
const ARGUMENTS: [&str; 11] = [
    "--namespace=kube-system",
    "--leader-elect-resource-name=cluster-autoscaler",
    "--status-config-map-name=cluster-autoscaler-status",
    "--stderrthreshold=info",
    "--v=2",
    // A node that trainees left is kept for a while: the next one need not wait for another.
    "--scale-down-unneeded-time=10m",
    "--scale-down-delay-after-add=10m",
    // Worker pools differ on purpose; balancing them would ignore which one fits.
    "--balance-similar-node-groups=false",
    "--expander=least-waste",
    // Add-ons run on every node, and would keep empty ones.
    "--skip-nodes-with-system-pods=false",
    "--skip-nodes-with-local-storage=false",
];

pub(super) fn build(autoscaler: &Autoscaler) -> Vec<Resource> {
    NAMES.into_iter().map(|(kind, namespace)| object(kind, namespace, autoscaler)).collect()
}

fn object(kind: &str, namespace: Option<&str>, autoscaler: &Autoscaler) -> Resource {
    let subject = json!([{ "kind": "ServiceAccount", "name": NAME, "namespace": SYSTEM_NAMESPACE }]);
    let role = |kind: &str| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME });
    let manifest = match kind {
        SERVICE_ACCOUNT => json!({ "metadata": { "annotations": autoscaler.service_account_annotations } }),
        CLUSTER_ROLE => json!({ "rules": cluster_rules() }),
        CLUSTER_ROLE_BINDING => json!({ "roleRef": role("ClusterRole"), "subjects": subject }),
        ROLE => json!({ "rules": namespace_rules() }),
        ROLE_BINDING => json!({ "roleRef": role("Role"), "subjects": subject }),
        DEPLOYMENT => json!({ "spec": deployment(autoscaler) }),
        _ => json!({ "spec": { "maxUnavailable": 1, "selector": { "matchLabels": { "app": NAME } } } }),
    };
    resource(kind, Name { namespace, name: NAME }, &manifest)
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Json {
    json!({ "apiGroups": groups, "resources": resources, "verbs": verbs })
}

fn named(groups: &[&str], resources: &[&str], names: &[&str], verbs: &[&str]) -> Json {
    json!({ "apiGroups": groups, "resources": resources, "resourceNames": names, "verbs": verbs })
}

fn cluster_rules() -> Vec<Json> {
    const READ: &[&str] = &["get", "list", "watch"];
    vec![
        rule(&[""], &["events", "endpoints"], &["create", "patch"]),
        rule(&[""], &["pods/eviction"], &["create"]),
        rule(&[""], &["pods/status"], &["update"]),
        named(&[""], &["endpoints"], &[NAME], &["get", "update"]),
        // Node objects of machines that are gone are deleted; taints are written before a node is.
        rule(&[""], &["nodes"], &["get", "list", "watch", "update", "delete"]),
        rule(
            &[""],
            &[
                "namespaces",
                "pods",
                "services",
                "replicationcontrollers",
                "persistentvolumeclaims",
                "persistentvolumes",
            ],
            READ,
        ),
        rule(&["apps"], &["daemonsets", "replicasets", "statefulsets"], READ),
        rule(&["batch"], &["cronjobs", "jobs"], READ),
        rule(&["policy"], &["poddisruptionbudgets"], READ),
        rule(
            &["storage.k8s.io"],
            &["csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"],
            READ,
        ),
        // Its copy of the scheduler looks at devices that pods claim (dynamic resource allocation).
        rule(&["resource.k8s.io"], &["deviceclasses", "resourceclaims", "resourceslices"], READ),
        rule(&["coordination.k8s.io"], &["leases"], &["create"]),
        named(&["coordination.k8s.io"], &["leases"], &[NAME], &["get", "update"]),
    ]
}

fn namespace_rules() -> Vec<Json> {
    let maps = &[STATUS_MAP, "cluster-autoscaler-priority-expander"];
    vec![
        rule(&[""], &["configmaps"], &["create", "get", "list", "watch"]),
        named(&[""], &["configmaps"], maps, &["delete", "get", "update", "watch"]),
    ]
}

fn deployment(autoscaler: &Autoscaler) -> Json {
    let labels = json!({ "app": NAME });
    let arguments: Vec<&str> = ARGUMENTS.into_iter().chain(autoscaler.arguments.iter().map(String::as_str)).collect();
    let environment: Vec<Json> =
        autoscaler.environment.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    let health = json!({ "httpGet": { "path": "/health-check", "port": PORT } });
    let mut container = json!({
        "name": NAME,
        "image": autoscaler.image,
        "command": ["./cluster-autoscaler"],
        "args": arguments,
        "ports": [{ "name": "metrics", "containerPort": PORT, "protocol": "TCP" }],
        "livenessProbe": health,
        "readinessProbe": health,
        "resources": { "requests": { "cpu": "100m", "memory": "600Mi" }, "limits": { "memory": "600Mi" } },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
        },
    });
    if !environment.is_empty() {
        container["env"] = Json::Array(environment);
    }
    json!({
        "replicas": 1,
        "selector": { "matchLabels": labels },
        "template": {
            "metadata": { "labels": labels },
            "spec": {
                "containers": [container],
                // On core nodes alone: what makes workers must not run on them.
                "nodeSelector": { CORE_LABEL.0: CORE_LABEL.1 },
                "priorityClassName": "system-cluster-critical",
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": 65_534,
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                "serviceAccountName": NAME,
            },
        },
    })
}
