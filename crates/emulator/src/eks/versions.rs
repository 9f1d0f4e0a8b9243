//! Which versions there are. Those of add-ons are made up: one for each version of Kubernetes.

use serde_json::{Value, json};

use crate::eks::Call;
use crate::error::Answer;

/// The versions of Kubernetes, the newest first, with their support. The end of support is far away.
pub(super) const KUBERNETES: [(&str, &str); 5] = [
    ("1.34", "STANDARD_SUPPORT"),
    ("1.33", "STANDARD_SUPPORT"),
    ("1.32", "STANDARD_SUPPORT"),
    ("1.31", "EXTENDED_SUPPORT"),
    ("1.30", "EXTENDED_SUPPORT"),
];

pub(super) const NEWEST: &str = KUBERNETES[0].0;

/// The logs that a control plane can write.
pub(super) const LOGS: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/// The add-ons, with their namespace and whether they run as Deployments, which need a node.
const ADDONS: [(&str, &str, bool); 6] = [
    ("aws-ebs-csi-driver", "kube-system", true),
    ("coredns", "kube-system", true),
    ("eks-pod-identity-agent", "kube-system", false),
    ("kube-proxy", "kube-system", false),
    ("metrics-server", "kube-system", true),
    ("vpc-cni", "kube-system", false),
];

/// 2100-01-01.
const FAR_AWAY_SECS: u64 = 4_102_444_800;

/// How many minor versions `to` is after `from`; [`None`] when one of them is not offered.
pub(super) fn distance(from: &str, to: &str) -> Option<i64> {
    let place = |wanted: &str| {
        let place = KUBERNETES.iter().position(|(version, _)| *version == wanted)?;
        i64::try_from(place).ok()
    };
    Some(place(from)? - place(to)?)
}

/// The newest image of nodes of a version of Kubernetes.
pub(super) fn release(kubernetes: &str) -> String {
    format!("{kubernetes}.0-20261101")
}

/// The version of an add-on for a version of Kubernetes.
pub(super) fn addon(name: &str, kubernetes: &str) -> Option<String> {
    ADDONS.iter().any(|(known, ..)| *known == name).then(|| format!("v{kubernetes}.0-eksbuild.1"))
}

/// Whether an add-on is unhealthy while there is no node.
pub(super) fn needs_nodes(name: &str) -> bool {
    ADDONS.iter().any(|(known, _, needs)| *known == name && *needs)
}

pub(super) fn clusters(call: &mut Call<'_>) -> Answer {
    let wanted = call.parameters.get("clusterVersions").and_then(Value::as_array);
    let only_default = call.parameters.get("defaultOnly").and_then(Value::as_bool) == Some(true);
    let is_wanted = |version: &str| {
        wanted.is_none_or(|wanted| wanted.contains(&json!(version))) && (!only_default || version == NEWEST)
    };
    let version = |(version, support): &(&str, &str)| {
        json!({
            "clusterVersion": version,
            "clusterType": "eks",
            "defaultPlatformVersion": "eks.1",
            "defaultVersion": *version == NEWEST,
            "endOfStandardSupportDate": FAR_AWAY_SECS,
            "endOfExtendedSupportDate": FAR_AWAY_SECS,
            "status": if *support == "STANDARD_SUPPORT" { "standard-support" } else { "extended-support" },
            "versionStatus": support,
            "kubernetesPatchVersion": format!("{version}.0"),
        })
    };
    let found: Vec<Value> = KUBERNETES.iter().filter(|(own, _)| is_wanted(own)).map(version).collect();
    call.page("clusterVersions", &found)
}

pub(super) fn addons(call: &mut Call<'_>) -> Answer {
    let (name, kubernetes) = (call.text("addonName"), call.text("kubernetesVersion"));
    let versions = |addon: &str| {
        let versions = KUBERNETES.iter().filter(|(own, _)| kubernetes.is_empty() || *own == kubernetes);
        let version = |(own, _): &(&str, &str)| {
            json!({
                "addonVersion": self::addon(addon, own),
                "architecture": ["amd64", "arm64"],
                "compatibilities": [{ "clusterVersion": own, "platformVersions": ["*"], "defaultVersion": true }],
                "requiresConfiguration": false,
                "requiresIamPermissions": false,
            })
        };
        versions.map(version).collect::<Vec<Value>>()
    };
    let addon = |(own, namespace, _): &(&str, &str, bool)| {
        json!({
            "addonName": own,
            "type": "networking",
            "addonVersions": versions(own),
            "publisher": "eks",
            "owner": "aws",
            "defaultNamespace": namespace,
        })
    };
    let found: Vec<Value> = ADDONS.iter().filter(|(own, ..)| name.is_empty() || *own == name).map(addon).collect();
    call.page("addons", &found)
}
