//! Nodes: what a machine offers, and how it is shown.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::kubernetes::cloud::{Machine, Traits};
use crate::kubernetes::store::seconds;

/// What a machine has, and what of it pods get. CPUs in thousandths, memory in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) cpu: u64,
    pub(crate) memory: u64,
    pub(crate) allocatable_cpu: u64,
    pub(crate) allocatable_memory: u64,
    pub(crate) pods: u64,
}

/// What keeps pods off a node until it is ready.
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// The numbers of an instance type, by its name: sizes have the same number of vCPUs in all families of the catalogue, and families
/// begin with a letter that says how much memory comes with each
/// (<https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>).
fn machine(instance_type: &str) -> Option<(u64, u64)> {
    let (family, size) = instance_type.split_once('.')?;
    let vcpus = match size {
        "large" => 2,
        "xlarge" => 4,
        size => 4 * size.strip_suffix("xlarge")?.parse::<u64>().ok()?,
    };
    let gib = match family.chars().next()? {
        'c' => 2,
        'r' => 8,
        _ => 4,
    };
    Some((vcpus, vcpus * gib * 1024))
}

/// What a node offers: reservations of the kubelet as Amazon's images make them (`nodeadm`, `kubelet/config.go` of
/// <https://github.com/awslabs/amazon-eks-ami>), memory as observed nodes show it (nominal less 3.9 % and 200 MiB).
pub(crate) fn capacity(instance_type: &str) -> Capacity {
    let (vcpus, nominal) = machine(instance_type).unwrap_or((2, 4096));
    let pods = match vcpus {
        0..=2 => 29,
        3..=8 => 58,
        _ => 110,
    };
    let reserved = |core: u64| match core {
        1 => 600,
        2 => 100,
        3 | 4 => 50,
        _ => 25,
    };
    let reserved_cpu = (1..=vcpus).map(reserved).sum::<u64>().div_ceil(10);
    let memory = nominal - nominal * 39 / 1000 - 200;
    Capacity {
        cpu: vcpus * 1000,
        memory,
        allocatable_cpu: vcpus * 1000 - reserved_cpu,
        allocatable_memory: memory - (11 * pods + 255) - 100,
        pods,
    }
}

/// The labels that a node has beside those of its group.
pub(crate) fn labels(traits: &Traits, zone: &str, region: &str, name: &str) -> Value {
    let mut labels = json!({
        "kubernetes.io/arch": if is_arm(&traits.instance_type) { "arm64" } else { "amd64" },
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": name,
        "node.kubernetes.io/instance-type": traits.instance_type,
        "topology.kubernetes.io/region": region,
        "topology.kubernetes.io/zone": zone,
    });
    for (key, value) in &traits.labels {
        labels[key] = json!(value);
    }
    labels
}

/// Families of Amazon's own processors have a `g` after their generation.
fn is_arm(instance_type: &str) -> bool {
    instance_type.split('.').next().is_some_and(|family| family.trim_start_matches(char::is_alphabetic).contains('g'))
}

/// A node that has just registered.
pub(crate) fn node(machine: &Machine, now: Timestamp) -> Value {
    let capacity = capacity(&machine.traits.instance_type);
    let mut taints: Vec<Value> = machine
        .traits
        .taints
        .iter()
        .map(|taint| json!({ "key": taint.key, "value": taint.value, "effect": taint.effect }))
        .collect();
    taints.push(json!({ "key": NOT_READY, "effect": "NoSchedule" }));
    let amounts = |cpu: u64, memory: u64| json!({ "cpu": format!("{cpu}m"), "memory": format!("{memory}Mi"), "pods": capacity.pods.to_string() });
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": machine.node,
            "labels": labels(&machine.traits, &machine.zone, &machine.region, &machine.node),
        },
        "spec": { "providerID": format!("aws:///{}/{}", machine.zone, machine.id), "taints": taints },
        "status": {
            "capacity": amounts(capacity.cpu, capacity.memory),
            "allocatable": amounts(capacity.allocatable_cpu, capacity.allocatable_memory),
            "conditions": [condition(false, now)],
            "nodeInfo": {
                "architecture": if is_arm(&machine.traits.instance_type) { "arm64" } else { "amd64" },
                "bootID": "", "containerRuntimeVersion": "containerd://2.1.4", "kernelVersion": "6.12", "kubeProxyVersion": "",
                "kubeletVersion": format!("v{}.0-eks-emulated", machine.version), "machineID": "", "operatingSystem": "linux",
                "osImage": "emulated", "systemUUID": "",
            },
        },
    })
}

fn condition(is_ready: bool, now: Timestamp) -> Value {
    let (status, reason) = if is_ready { ("True", "KubeletReady") } else { ("False", "KubeletNotReady") };
    json!({
        "type": "Ready", "status": status, "reason": reason, "message": "", "lastHeartbeatTime": seconds(now),
        "lastTransitionTime": seconds(now),
    })
}

/// Lets a node become ready.
pub(crate) fn become_ready(node: &mut Value, now: Timestamp) {
    node["status"]["conditions"] = json!([condition(true, now)]);
    if let Some(taints) = node["spec"]["taints"].as_array_mut() {
        taints.retain(|taint| taint["key"] != NOT_READY);
    }
    if node["spec"]["taints"].as_array().is_some_and(Vec::is_empty) {
        node["spec"].as_object_mut().into_iter().for_each(|spec| drop(spec.remove("taints")));
    }
}

/// Whether a node is ready.
pub(crate) fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_offer_what_real_ones_do() {
        // An m5.xlarge and a machine with 8 vCPUs and 32 GiB, as `kubectl describe node` shows them.
        for (instance_type, memory, cpu) in [("m6i.xlarge", 15546, 3920), ("m6i.2xlarge", 31316, 7910)] {
            let found = capacity(instance_type);
            assert!(found.memory.abs_diff(memory) * 100 <= memory * 2, "{instance_type}: {found:?}");
            assert_eq!(found.allocatable_cpu, cpu, "{instance_type}");
        }
    }

    #[test]
    fn families_tell_processor_and_memory() {
        assert_eq!((machine("c7g.4xlarge"), is_arm("c7g.4xlarge")), (Some((16, 32 * 1024)), true));
        assert_eq!((machine("r6i.large"), is_arm("r6i.large")), (Some((2, 16 * 1024)), false));
        assert_eq!(machine("nonsense"), None);
    }
}
