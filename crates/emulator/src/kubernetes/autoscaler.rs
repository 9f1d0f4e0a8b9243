//! The Cluster Autoscaler, when its deployment runs: groups by the tags that its arguments name, a node for pods that fit nowhere,
//! no node for those that it would not help, and an end to nodes that nobody uses.
//!
//! <https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md>

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::kubernetes::cloud::{Cloud, Group};
use crate::kubernetes::controllers::{is_pending, is_running, rooms};
use crate::kubernetes::scheduler::{self, Amounts, Room};
use crate::kubernetes::store::Key;
use crate::kubernetes::{Happening, Kubernetes, nodes};

/// Its lease, and what its service account and its deployment are usually called.
const NAME: &str = "cluster-autoscaler";
const STATUS: &str = "cluster-autoscaler-status";
const NAMESPACE: &str = "kube-system";

/// `--scan-interval`.
const SCAN_SECS: i64 = 10;

/// `--scale-down-unneeded-time`.
const UNNEEDED: SignedDuration = SignedDuration::from_mins(10);

/// The arguments of the autoscaler that runs and may use the cloud.
fn running(cluster: &Kubernetes, cloud: &dyn Cloud) -> Option<(String, Vec<String>)> {
    let (key, pod) = cluster.store.all("pods").find(|(_, pod)| {
        let image = pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default();
        is_running(pod) && image.contains("/cluster-autoscaler:")
    })?;
    let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default");
    if !cloud.has_role(&key.namespace, account) {
        return None;
    }
    let arguments = pod["spec"]["containers"][0]["args"].as_array().into_iter().flatten();
    Some((key.name.clone(), arguments.filter_map(Value::as_str).map(str::to_owned).collect()))
}

/// The groups that it finds.
fn groups(arguments: &[String], cloud: &dyn Cloud) -> Vec<Group> {
    let discovery = arguments.iter().find_map(|argument| argument.strip_prefix("--node-group-auto-discovery=asg:tag="));
    discovery.map(|tags| cloud.groups(&tags.split(',').collect::<Vec<_>>())).unwrap_or_default()
}

/// Plans the next look when there is something to look for. It looks all the time; what finds nothing need not happen.
pub(super) fn plan_look(cluster: &mut Kubernetes, now: Timestamp, cloud: &mut dyn Cloud) {
    let Some((_, arguments)) = running(cluster, cloud) else { return };
    note_idle(cluster, &groups(&arguments, cloud), now);
    let is_known = cluster.store.get(&Key::new("leases.coordination.k8s.io", NAMESPACE, NAME)).is_some();
    let waits = cluster.store.all("pods").any(|(_, pod)| is_pending(pod));
    let second = now.as_second() + SCAN_SECS;
    let next = Timestamp::from_second(second - second.rem_euclid(SCAN_SECS)).unwrap_or(now);
    let unneeded = cluster.idle_since.values().min().map(|since| (*since + UNNEEDED).max(next));
    let Some(when) = (if !is_known || waits { Some(next) } else { unneeded }) else { return };
    if cluster.next_look.is_none_or(|planned| when < planned) {
        cluster.next_look = Some(when);
        cluster.plan(when, Happening::Looks);
    }
}

/// Writes down since when nothing but daemons runs on machines that may go.
fn note_idle(cluster: &mut Kubernetes, groups: &[Group], now: Timestamp) {
    let may_go = |id: &String| groups.iter().any(|group| group.desired > group.min && group.machines.contains(id));
    let ids: Vec<String> = cluster.machines.keys().cloned().collect();
    for id in ids {
        let Some(machine) = cluster.machines.get(&id).filter(|machine| machine.ready <= now && may_go(&id)) else {
            cluster.idle_since.remove(&id);
            continue;
        };
        let is_used = cluster.store.all("pods").any(|(_, pod)| {
            pod["spec"]["nodeName"] == machine.node && pod["metadata"]["ownerReferences"][0]["kind"] != "DaemonSet"
        });
        if is_used {
            cluster.idle_since.remove(&id);
        } else {
            cluster.idle_since.entry(id).or_insert(now);
        }
    }
}

/// Looks around once.
pub(super) fn look(cluster: &mut Kubernetes, now: Timestamp, cloud: &mut dyn Cloud) {
    let Some((holder, arguments)) = running(cluster, cloud) else { return };
    let metadata = |name: &str| json!({ "name": name, "namespace": NAMESPACE });
    cluster.make(
        &json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata(NAME),
            "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": micros(now) },
        }),
        now,
    );
    cluster.make(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(STATUS), "data": {} }), now);
    let groups = groups(&arguments, cloud);
    for (group, count) in growth(cluster, &groups, now) {
        cloud.resize(&group.name, group.desired + count, now);
    }
    let unneeded: Vec<String> =
        cluster.idle_since.iter().filter(|(_, since)| **since + UNNEEDED <= now).map(|(id, _)| id.clone()).collect();
    for id in unneeded {
        let may_go = |group: &&Group| group.desired > group.min && group.machines.contains(&id);
        if groups.iter().any(|group| may_go(&group)) {
            cloud.terminate(&id);
        }
        cluster.idle_since.remove(&id);
    }
}

/// By how much which groups must grow for the pods that fit nowhere, machines that boot already counted.
fn growth<'a>(cluster: &Kubernetes, groups: &'a [Group], now: Timestamp) -> Vec<(&'a Group, u64)> {
    let booting: Vec<(String, Value, Value, Amounts)> = cluster
        .machines
        .values()
        .filter(|machine| machine.ready > now)
        .map(|machine| {
            let labels = nodes::labels(&machine.traits, &machine.zone, &machine.region, &machine.node);
            (
                machine.node.clone(),
                labels,
                taints(&machine.traits.taints),
                offered(cluster, &machine.traits.instance_type),
            )
        })
        .collect();
    let templates: Vec<(Value, Value, Amounts)> = groups
        .iter()
        .map(|group| {
            let labels = nodes::labels(&group.template, "", "", "template");
            (labels, taints(&group.template.taints), offered(cluster, &group.template.instance_type))
        })
        .collect();
    let mut planned: Vec<Room<'_>> =
        booting.iter().map(|(name, labels, taints, free)| room(name, labels, taints, *free)).collect();
    let mut counts = vec![0_u64; groups.len()];
    let present = rooms(cluster);
    for (_, pod) in cluster.store.all("pods").filter(|(_, pod)| is_pending(pod)) {
        if present.iter().any(|room| scheduler::fits(pod, room, &present).is_ok()) {
            continue;
        }
        if let Some(place) = planned.iter().position(|room| scheduler::fits(pod, room, &planned).is_ok()) {
            planned[place].free = planned[place].free.minus(scheduler::requests(pod));
            continue;
        }
        // `--expander=least-waste`: the group whose machine would have the least left over.
        let best = (0..groups.len())
            .filter(|&index| groups[index].desired + counts[index] < groups[index].max)
            .map(|index| (index, room("template", &templates[index].0, &templates[index].1, templates[index].2)))
            .filter(|(_, room)| scheduler::fits(pod, room, &[]).is_ok())
            .min_by_key(|(_, room)| room.free.minus(scheduler::requests(pod)).cpu);
        if let Some((index, mut room)) = best {
            counts[index] += 1;
            room.free = room.free.minus(scheduler::requests(pod));
            planned.push(room);
        }
    }
    groups.iter().zip(counts).filter(|(_, count)| *count > 0).collect()
}

fn room<'a>(name: &'a str, labels: &'a Value, taints: &'a Value, free: Amounts) -> Room<'a> {
    Room { name, labels, taints, is_unschedulable: false, free, pods: Vec::new() }
}

fn taints(taints: &[crate::kubernetes::cloud::Taint]) -> Value {
    taints.iter().map(|taint| json!({ "key": taint.key, "value": taint.value, "effect": taint.effect })).collect()
}

/// What a machine offers beside its daemons.
fn offered(cluster: &Kubernetes, instance_type: &str) -> Amounts {
    let capacity = nodes::capacity(instance_type);
    let all = Amounts { cpu: capacity.allocatable_cpu, memory: capacity.allocatable_memory << 20, pods: capacity.pods };
    let daemons = cluster.store.all("daemonsets.apps");
    daemons.fold(all, |free, (_, set)| free.minus(scheduler::requests(&set["spec"]["template"])))
}

/// What it says of itself at any moment: it renews its lease all the time, and writes down what it sees.
pub(super) fn shown(
    cluster: &Kubernetes,
    key: &Key,
    object: &Value,
    now: Timestamp,
    cloud: &dyn Cloud,
) -> Option<Value> {
    let is_lease = *key == Key::new("leases.coordination.k8s.io", NAMESPACE, NAME);
    let is_status = *key == Key::new("configmaps", NAMESPACE, STATUS);
    if !is_lease && !is_status {
        return None;
    }
    let (holder, arguments) = running(cluster, cloud)?;
    let mut shown = object.clone();
    if is_lease {
        shown["spec"]["holderIdentity"] = json!(holder);
        shown["spec"]["renewTime"] = json!(micros(now));
    } else {
        shown["data"]["status"] = json!(status(&groups(&arguments, cloud), now));
    }
    Some(shown)
}

/// The form of `cluster-autoscaler/clusterstate/api/types.go`; JSON is YAML as well.
fn status(groups: &[Group], now: Timestamp) -> String {
    let group = |group: &Group| {
        json!({
            "name": group.name,
            "health": {
                "status": "Healthy", "minSize": group.min, "maxSize": group.max, "cloudProviderTarget": group.desired,
            },
        })
    };
    let groups: Vec<Value> = groups.iter().map(group).collect();
    json!({ "time": now.to_string(), "autoscalerStatus": "Running", "nodeGroups": groups }).to_string()
}

fn micros(moment: Timestamp) -> String {
    format!("{moment:.6}")
}
