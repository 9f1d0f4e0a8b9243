//! What the add-ons of EKS run in a cluster, as far as it takes room: requests as their charts have them.

use serde_json::{Value, json};

const NAMESPACE: &str = "kube-system";

/// The objects of an add-on.
pub(super) fn objects(addon: &str) -> Vec<Value> {
    match addon {
        "aws-ebs-csi-driver" => {
            vec![deployment("ebs-csi-controller", 2, "60m", "240Mi"), daemon_set("ebs-csi-node", "30m", "120Mi")]
        }
        "coredns" => vec![deployment("coredns", 2, "100m", "70Mi")],
        "eks-pod-identity-agent" => vec![daemon_set("eks-pod-identity-agent", "0", "0")],
        "kube-proxy" => vec![daemon_set("kube-proxy", "100m", "0")],
        "metrics-server" => vec![deployment("metrics-server", 2, "100m", "200Mi"), metrics()],
        "vpc-cni" => vec![daemon_set("aws-node", "50m", "0")],
        _ => Vec::new(),
    }
}

fn metrics() -> Value {
    json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": { "name": "v1beta1.metrics.k8s.io" },
        "spec": {
            "group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "service": { "name": "metrics-server", "namespace": NAMESPACE, "port": 443 },
        },
    })
}

fn template(name: &str, cpu: &str, memory: &str, tolerations: &Value, priority: &str) -> Value {
    json!({
        "metadata": { "labels": { "k8s-app": name } },
        "spec": {
            "containers": [{
                "name": name, "image": format!("emulated/{name}"), "resources": { "requests": { "cpu": cpu, "memory": memory } },
            }],
            "priorityClassName": priority,
            "tolerations": tolerations,
        },
    })
}

fn deployment(name: &str, replicas: u32, cpu: &str, memory: &str) -> Value {
    let tolerations = json!([{ "key": "CriticalAddonsOnly", "operator": "Exists" }]);
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "k8s-app": name } },
            "template": template(name, cpu, memory, &tolerations, "system-cluster-critical"),
        },
    })
}

fn daemon_set(name: &str, cpu: &str, memory: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "selector": { "matchLabels": { "k8s-app": name } },
            "template": template(name, cpu, memory, &json!([{ "operator": "Exists" }]), "system-node-critical"),
        },
    })
}
