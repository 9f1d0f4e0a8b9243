//! What makes objects come true: pods for workloads, nodes for pods, and what is told of both.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::account::after;
use crate::kubernetes::cloud::Cloud;
use crate::kubernetes::scheduler::{self, Amounts, Room};
use crate::kubernetes::store::{Key, seconds};
use crate::kubernetes::{Happening, Kubernetes, START_SECS, nodes};

const METRICS: &str = "v1beta1.metrics.k8s.io";

/// Does what is to be done at once.
pub(super) fn work(cluster: &mut Kubernetes, now: Timestamp, cloud: &mut dyn Cloud) {
    replica_sets(cluster, now);
    replicas(cluster, now, cloud);
    stateful_sets(cluster, now);
    daemon_sets(cluster, now, cloud);
    schedule(cluster, now, cloud);
    release(cluster);
    tell(cluster, now);
}

/// The finalizer that holds a claim while a pod uses it, or a volume while a claim does.
pub(super) fn protection(is_claim: bool) -> &'static str {
    if is_claim { "kubernetes.io/pvc-protection" } else { "kubernetes.io/pv-protection" }
}

/// Lets go of claims and volumes that are to go and that nobody uses.
fn release(cluster: &mut Kubernetes) {
    for (kind, is_claim) in [("persistentvolumeclaims", true), ("persistentvolumes", false)] {
        let leaves = |object: &Value| object["metadata"].get("deletionTimestamp").is_some();
        let leaving: Vec<Key> =
            cluster.store.all(kind).filter(|(_, object)| leaves(object)).map(|(key, _)| key.clone()).collect();
        for key in leaving {
            let uses_claim = |(pod, object): (&Key, &Value)| {
                let volumes = object["spec"]["volumes"].as_array();
                let names = volumes.into_iter().flatten().map(|volume| &volume["persistentVolumeClaim"]["claimName"]);
                pod.namespace == key.namespace && names.into_iter().any(|name| *name == *key.name)
            };
            let uses_volume = |(_, claim): (&Key, &Value)| claim["spec"]["volumeName"] == *key.name;
            let is_used = if is_claim {
                cluster.store.all("pods").any(uses_claim)
            } else {
                cluster.store.all("persistentvolumeclaims").any(uses_volume)
            };
            if !is_used {
                cluster.store.control(&key, |object| {
                    if let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut() {
                        finalizers.retain(|own| own != protection(is_claim));
                    }
                });
                cluster.let_go(&key);
            }
        }
    }
}

/// The pods that an object owns.
pub(super) fn owned<'a>(cluster: &'a Kubernetes, owner: &'a Value) -> impl Iterator<Item = (&'a Key, &'a Value)> {
    let uid = &owner["metadata"]["uid"];
    let is_owned = move |(_, pod): &(&Key, &Value)| {
        pod["metadata"]["ownerReferences"].as_array().into_iter().flatten().any(|owner| owner["uid"] == *uid)
    };
    cluster.store.all("pods").filter(is_owned)
}

/// All objects of a kind that stay.
fn staying(cluster: &Kubernetes, kind: &'static str) -> Vec<(Key, Arc<Value>)> {
    let stays = |(_, object): &(&Key, &Arc<Value>)| object["metadata"].get("deletionTimestamp").is_none();
    cluster.store.shared(kind).filter(stays).map(|(key, object)| (key.clone(), Arc::clone(object))).collect()
}

fn owner(kind: &str, object: &Value) -> Value {
    json!([{
        "apiVersion": "apps/v1", "kind": kind, "name": object["metadata"]["name"], "uid": object["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    }])
}

/// The number of pods that a workload wants.
fn wanted(object: &Value) -> usize {
    object["spec"]["replicas"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(1)
}

fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object["metadata"][member].as_str().unwrap_or_default()
}

/// A replica set for the present template of each deployment. Those of former templates go as soon as it has what it wants.
fn replica_sets(cluster: &mut Kubernetes, now: Timestamp) {
    for (key, deployment) in staying(cluster, "deployments.apps") {
        let mut hasher = DefaultHasher::new();
        deployment["spec"]["template"].to_string().hash(&mut hasher);
        let hash = format!("{:010x}", hasher.finish() & 0xff_ffff_ffff);
        let name = format!("{}-{hash}", key.name);
        let mut template = deployment["spec"]["template"].clone();
        template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
        let mut selector = deployment["spec"]["selector"].clone();
        selector["matchLabels"]["pod-template-hash"] = json!(hash);
        cluster.make(
            &json!({
                "apiVersion": "apps/v1", "kind": "ReplicaSet",
                "metadata": {
                    "name": name, "namespace": key.namespace, "ownerReferences": owner("Deployment", &deployment),
                    "labels": template["metadata"]["labels"],
                },
                "spec": { "replicas": wanted(&deployment), "selector": selector, "template": template },
            }),
            now,
        );
        let present = Key::new("replicasets.apps", &key.namespace, &name);
        let count = wanted(&deployment);
        cluster.store.control(&present, |set| set["spec"]["replicas"] = json!(count));
        let Some(set) = cluster.store.get(&present) else { continue };
        if owned(cluster, set).filter(|(_, pod)| is_running(pod)).count() < count {
            continue;
        }
        let uid = &deployment["metadata"]["uid"];
        let is_former =
            |(other, set): &(&Key, &Value)| **other != present && set["metadata"]["ownerReferences"][0]["uid"] == *uid;
        let former: Vec<Key> =
            cluster.store.all("replicasets.apps").filter(is_former).map(|(key, _)| key.clone()).collect();
        for key in &former {
            cluster.delete(key);
        }
    }
}

fn replicas(cluster: &mut Kubernetes, now: Timestamp, cloud: &mut dyn Cloud) {
    for (key, set) in staying(cluster, "replicasets.apps") {
        let present: Vec<Key> = owned(cluster, &set).map(|(key, _)| key.clone()).collect();
        let count = wanted(&set);
        for _ in present.len()..count {
            let name = format!("{}-{}", key.name, cloud.chance().letters(5));
            make_pod(cluster, &key.namespace, &name, "ReplicaSet", &set, None, now);
        }
        present.iter().skip(count).for_each(|key| cluster.delete(key));
    }
}

fn stateful_sets(cluster: &mut Kubernetes, now: Timestamp) {
    for (key, set) in staying(cluster, "statefulsets.apps") {
        let names: Vec<String> = (0..wanted(&set)).map(|number| format!("{}-{number}", key.name)).collect();
        let surplus: Vec<Key> =
            owned(cluster, &set).filter(|(key, _)| !names.contains(&key.name)).map(|(key, _)| key.clone()).collect();
        for key in &surplus {
            cluster.delete(key);
        }
        for name in names {
            make_pod(cluster, &key.namespace, &name, "StatefulSet", &set, None, now);
        }
    }
}

fn daemon_sets(cluster: &mut Kubernetes, now: Timestamp, cloud: &mut dyn Cloud) {
    for (key, set) in staying(cluster, "daemonsets.apps") {
        let nodes: Vec<String> = cluster.store.all("nodes").map(|(key, _)| key.name.clone()).collect();
        for node in nodes {
            let is_there = owned(cluster, &set).any(|(_, pod)| pod["spec"]["nodeName"] == *node);
            if !is_there {
                let name = format!("{}-{}", key.name, cloud.chance().letters(5));
                make_pod(cluster, &key.namespace, &name, "DaemonSet", &set, Some(&node), now);
                start(cluster, &Key::new("pods", &key.namespace, &name), now, cloud);
            }
        }
    }
}

fn make_pod(
    cluster: &mut Kubernetes,
    namespace: &str,
    name: &str,
    kind: &str,
    set: &Value,
    node: Option<&str>,
    now: Timestamp,
) {
    let template = &set["spec"]["template"];
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "spec": template["spec"], "status": { "phase": "Pending" },
        "metadata": {
            "name": name, "namespace": namespace, "labels": template["metadata"]["labels"], "ownerReferences": owner(kind, set),
        },
    });
    if let Some(node) = node {
        pod["spec"]["nodeName"] = json!(node);
    }
    cluster.make(&pod, now);
}

/// Lets a pod run after a while.
fn start(cluster: &mut Kubernetes, key: &Key, now: Timestamp, cloud: &mut dyn Cloud) {
    let Some(pod) = cluster.store.get(key) else { return };
    let uid = pod["metadata"]["uid"].clone();
    let (median_secs, sigma) = START_SECS;
    let when = after(now, cloud.chance().duration(median_secs, sigma));
    cluster.plan(when, Happening::Runs(key.clone(), uid));
}

/// What becomes of a pod whose containers run.
pub(super) fn run(pod: &mut Value, now: Timestamp) {
    let containers = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
    let statuses = containers.iter().map(|container| {
        json!({
            "name": container["name"], "image": container["image"], "imageID": container["image"], "ready": true, "restartCount": 0,
            "started": true, "state": { "running": { "startedAt": seconds(now) } },
        })
    });
    pod["status"]["containerStatuses"] = statuses.collect();
    pod["status"]["phase"] = json!("Running");
    pod["status"]["startTime"] = json!(seconds(now));
    for kind in ["Initialized", "ContainersReady", "Ready"] {
        set_condition(pod, kind, true, "", "", now);
    }
}

fn set_condition(object: &mut Value, kind: &str, is_so: bool, reason: &str, message: &str, now: Timestamp) {
    let status = if is_so { "True" } else { "False" };
    let mut conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let present = conditions.iter_mut().find(|condition| condition["type"] == kind);
    match present {
        Some(present) if present["status"] == status && present["message"] == message => return,
        Some(present) => {
            *present = json!({
                "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": seconds(now),
            });
        }
        None => conditions.push(json!({
            "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": seconds(now),
        })),
    }
    object["status"]["conditions"] = Value::Array(conditions);
}

pub(super) fn is_running(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running"
}

/// Whether a pod waits for a node.
pub(super) fn is_pending(pod: &Value) -> bool {
    pod["spec"].get("nodeName").is_none() && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// The nodes with what is left of them.
pub(super) fn rooms(cluster: &Kubernetes) -> Vec<Room<'_>> {
    let mut by_node: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for (_, pod) in cluster.store.all("pods") {
        if let Some(node) = pod["spec"]["nodeName"].as_str() {
            by_node.entry(node).or_default().push(pod);
        }
    }
    cluster
        .store
        .all("nodes")
        .map(|(key, node)| {
            let pods = by_node.get(key.name.as_str()).map(Vec::as_slice).unwrap_or_default();
            let free = pods
                .iter()
                .fold(Amounts::of(&node["status"]["allocatable"]), |free, pod| free.minus(scheduler::requests(pod)));
            Room {
                name: &key.name,
                labels: &node["metadata"]["labels"],
                taints: &node["spec"]["taints"],
                is_unschedulable: node["spec"]["unschedulable"] == true,
                free,
                pods: pods.iter().map(|pod| (text(pod, "namespace"), &pod["metadata"]["labels"])).collect(),
            }
        })
        .collect()
}

/// Gives nodes to pods that wait for one: the emptiest that fits, as the scheduler prefers.
fn schedule(cluster: &mut Kubernetes, now: Timestamp, cloud: &mut dyn Cloud) {
    let waiting: Vec<Key> =
        cluster.store.all("pods").filter(|(_, pod)| is_pending(pod)).map(|(key, _)| key.clone()).collect();
    for key in waiting {
        let Some(pod) = cluster.store.get(&key) else { continue };
        let rooms = rooms(cluster);
        let mut whys = Vec::new();
        let mut best: Option<&Room<'_>> = None;
        for room in &rooms {
            match scheduler::fits(pod, room, &rooms) {
                Ok(()) if best.is_none_or(|best| room.free.cpu > best.free.cpu) => best = Some(room),
                Ok(()) => {}
                Err(why) => whys.push(why),
            }
        }
        if let Some(node) = best.map(|room| room.name.to_owned()) {
            cluster.store.control(&key, |pod| {
                pod["spec"]["nodeName"] = json!(node);
                set_condition(pod, "PodScheduled", true, "", "", now);
            });
            start(cluster, &key, now, cloud);
        } else {
            let message = scheduler::message(&whys);
            cluster.store.control(&key, |pod| {
                pod["status"]["phase"] = json!("Pending");
                set_condition(pod, "PodScheduled", false, "Unschedulable", &message, now);
            });
        }
    }
}

/// Writes down how workloads are.
fn tell(cluster: &mut Kubernetes, now: Timestamp) {
    for (kind, fields) in [
        ("deployments.apps", ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]),
        ("replicasets.apps", ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"]),
        ("statefulsets.apps", ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]),
        ("daemonsets.apps", ["desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable"]),
    ] {
        for (key, object) in staying(cluster, kind) {
            let (all, running) = counts(cluster, kind, &object);
            cluster.store.control(&key, |object| {
                for (field, count) in fields.into_iter().zip([all, all, running, running]) {
                    object["status"][field] = json!(count);
                }
                object["status"]["observedGeneration"] = object["metadata"]["generation"].clone();
                if kind == "daemonsets.apps" {
                    object["status"]["numberMisscheduled"] = json!(0);
                }
                if kind == "deployments.apps" {
                    set_condition(object, "Available", running >= wanted(object), "", "", now);
                }
            });
        }
    }
    let server = Key::new("deployments.apps", "kube-system", "metrics-server");
    let is_available =
        cluster.store.get(&server).is_some_and(|server| server["status"]["availableReplicas"] != json!(0));
    let service = Key::new("apiservices.apiregistration.k8s.io", "", METRICS);
    let message =
        if is_available { "all checks passed" } else { "endpoints for service/metrics-server have no addresses" };
    cluster.store.control(&service, |service| set_condition(service, "Available", is_available, "", message, now));
}

/// How many pods a workload has, and how many of them run.
fn counts(cluster: &Kubernetes, kind: &str, object: &Value) -> (usize, usize) {
    let mut pods: Vec<&Value> = Vec::new();
    if kind == "deployments.apps" {
        let uid = &object["metadata"]["uid"];
        let sets = cluster.store.all("replicasets.apps");
        for (_, set) in sets.filter(|(_, set)| set["metadata"]["ownerReferences"][0]["uid"] == *uid) {
            pods.extend(owned(cluster, set).map(|(_, pod)| pod));
        }
    } else {
        pods.extend(owned(cluster, object).map(|(_, pod)| pod));
    }
    let on_ready = |pod: &&&Value| {
        let node = pod["spec"]["nodeName"].as_str().map(|node| Key::new("nodes", "", node));
        node.and_then(|key| cluster.store.get(&key)).is_some_and(nodes::is_ready)
    };
    (pods.len(), pods.iter().filter(|pod| is_running(pod)).filter(on_ready).count())
}
