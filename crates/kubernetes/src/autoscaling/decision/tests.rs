use howso_infra_core::inside::PoolRole;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::*;

const NOW: &str = "2026-01-01T12:00:00Z";

fn pool(name: &str, max: u32, cpus: u64) -> Pool {
    let scaling = PoolScaling {
        kind: "test/node",
        min: 0,
        max,
        labels: [("pool".to_owned(), name.to_owned())].into(),
        taints: vec![howso_infra_core::spec::Taint::of_workers()],
        cpu_millis: cpus * 1000,
        memory_mebibytes: cpus * 1024,
    };
    Pool {
        name: name.to_owned(),
        role: PoolRole::Worker,
        member_label: ("pool".to_owned(), name.to_owned()),
        min: 0,
        max,
        autoscaling_group: None,
        scaling: Some(scaling),
    }
}

/// A core node with 2 CPUs, or a worker of a pool.
fn node(name: &str, pool: Option<&str>) -> Json {
    let worker = json!([{ "key": "howso.com/nodetype", "value": "worker", "effect": "NoSchedule" }]);
    let (labels, taints) = match pool {
        Some(pool) => (json!({ "pool": pool, "kubernetes.io/os": "linux" }), worker),
        None => (json!({ "howso.com/allowWorkers": "False", "kubernetes.io/os": "linux" }), json!([])),
    };
    json!({
        "metadata": { "name": name, "labels": labels, "creationTimestamp": NOW },
        "spec": { "taints": taints },
        "status": {
            "allocatable": { "cpu": "2", "memory": "2Gi", "pods": "110", "ephemeral-storage": "10Gi" },
            "conditions": [{ "type": "Ready", "status": "True" }],
        },
    })
}

/// A pod that found no place.
fn waiting(name: &str, cpu: &str, more: &Json) -> Json {
    let mut pod = json!({
        "metadata": { "namespace": "howso", "name": name, "uid": name, "creationTimestamp": NOW },
        "spec": { "containers": [{ "name": "main", "resources": { "requests": { "cpu": cpu } } }] },
        "status": { "phase": "Pending", "conditions": [
            { "type": "PodScheduled", "status": "False", "reason": "Unschedulable" },
        ] },
    });
    for (key, value) in more.as_object().unwrap() {
        pod["spec"][key] = value.clone();
    }
    pod
}

/// A trainee that found no place.
fn trainee(name: &str, cpu: &str) -> Json {
    let not_core = json!({ "key": "howso.com/allowWorkers", "operator": "NotIn", "values": ["False"] });
    let required = json!({ "nodeSelectorTerms": [{ "matchExpressions": [not_core] }] });
    let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": required } });
    let toleration = json!({ "key": "howso.com/nodetype", "value": "worker", "effect": "NoSchedule" });
    waiting(name, cpu, &json!({ "affinity": affinity, "tolerations": [toleration] }))
}

fn on(node: &str, mut pod: Json) -> Json {
    pod["spec"]["nodeName"] = json!(node);
    pod["status"] = json!({ "phase": "Running" });
    pod
}

fn typed<T: DeserializeOwned>(objects: Vec<Json>) -> Vec<T> {
    objects.into_iter().map(|object| serde_json::from_value(object).unwrap()).collect()
}

fn look(pools: &[Pool], nodes: Vec<Json>, pods: Vec<Json>) -> Look {
    let scene = Scene { nodes: typed(nodes), pods: typed(pods), daemon_sets: Vec::new() };
    decide(pools, &scene, NOW.parse().unwrap())
}

/// What must grow, and what is said of pods that nothing helps.
fn told(look: &Look) -> (Vec<String>, Vec<String>) {
    let unhelped = look.unhelped.iter().map(|unhelped| format!("{}: {}", unhelped.pod, unhelped.why));
    (look.growth.iter().map(ToString::to_string).collect(), unhelped.collect())
}

#[test]
fn a_trainee_that_waits_makes_a_worker_appear_from_none() {
    let seen = look(&[pool("worker", 2, 2)], vec![node("core", None)], vec![trainee("a", "1500m")]);
    assert_eq!(told(&seen), (vec!["worker 0->1 (max: 2)".to_owned()], vec![]));
    assert_eq!(seen.growth[0].pods[0].to_string(), "howso/a");
}

#[test]
fn pods_share_nodes_that_are_thought_of_and_the_rest_waits_at_the_maximum() {
    let pods = ["a", "b", "c", "d", "e"].map(|name| trainee(name, "1"));
    let seen = look(&[pool("worker", 2, 2)], vec![node("core", None)], pods.into());
    let full = "howso/e: worker: max node group size reached";
    assert_eq!(told(&seen), (vec!["worker 0->2 (max: 2)".to_owned()], vec![full.to_owned()]));
    assert_eq!(seen.growth[0].pods.len(), 4);
}

#[test]
fn room_that_is_there_is_used_first() {
    let nodes = vec![node("core", None), node("w0", Some("worker"))];
    let seen = look(&[pool("worker", 2, 2)], nodes.clone(), vec![trainee("a", "2")]);
    assert_eq!(told(&seen), (vec![], vec![]));
    assert_eq!(seen.pools["worker"], PoolNodes { count: 1, idle: BTreeSet::new() }, "the node is needed");
    let seen = look(&[pool("worker", 2, 2)], nodes, vec![on("w0", trainee("a", "2")), trainee("b", "1")]);
    assert_eq!(told(&seen).0, ["worker 1->2 (max: 2)"]);
}

#[test]
fn a_pod_that_no_worker_could_hold_adds_none_and_is_told_why() {
    let seen = look(&[pool("worker", 2, 2)], vec![node("core", None)], vec![trainee("big", "64")]);
    let why = "howso/big: worker: Insufficient cpu (64 wanted, 2 offered)";
    assert_eq!(told(&seen), (vec![], vec![why.to_owned()]));
}

#[test]
fn a_core_pod_adds_none_and_is_told_why() {
    let seen = look(&[pool("worker", 2, 64)], vec![node("core", None)], vec![waiting("nats", "3", &json!({}))]);
    insta::assert_snapshot!(told(&seen).1[0], @"howso/nats: worker: had untolerated taint {howso.com/nodetype: worker}; it is not for workers, and core nodes do not grow");
    assert_eq!(seen.growth, []);
}

#[test]
fn the_smallest_pool_that_holds_a_pod_grows() {
    let pools = [pool("large", 2, 16), pool("small", 2, 4)];
    let seen = look(&pools, vec![node("core", None)], vec![trainee("a", "3"), trainee("b", "8")]);
    assert_eq!(told(&seen).0, ["large 0->1 (max: 2)", "small 0->1 (max: 2)"]);
}

#[test]
fn a_node_of_the_pool_tells_better_than_the_specification_what_one_offers() {
    // It offers 2 CPUs, and the specification thought of 4.
    let nodes = vec![node("core", None), node("w0", Some("worker"))];
    let pods = vec![on("w0", trainee("a", "2")), trainee("b", "3")];
    let seen = look(&[pool("worker", 9, 4)], nodes, pods);
    assert_eq!(told(&seen), (vec![], vec!["howso/b: worker: Insufficient cpu (3 wanted, 2 offered)".to_owned()]));
}

#[test]
fn what_runs_on_every_node_takes_its_part_of_a_new_one() {
    let set = json!({ "spec": { "selector": {}, "template": { "spec": {
        "tolerations": [{ "operator": "Exists" }],
        "containers": [{ "name": "agent", "resources": { "requests": { "cpu": "500m" } } }],
    } } } });
    let mut elsewhere = set.clone();
    elsewhere["spec"]["template"]["spec"]["nodeSelector"] = json!({ "absent": "yes" });
    let scene = Scene {
        nodes: typed(vec![node("core", None)]),
        pods: typed(vec![trainee("a", "1600m")]),
        daemon_sets: typed(vec![set, elsewhere]),
    };
    let seen = decide(&[pool("worker", 2, 2)], &scene, NOW.parse().unwrap());
    assert_eq!(told(&seen).1, ["howso/a: worker: Insufficient cpu (1600m wanted, 1500m offered)"]);
}

#[test]
fn a_node_is_idle_when_only_what_goes_with_it_is_there() {
    let workers = ["w0", "w1", "w2", "w3", "w4"].map(|name| node(name, Some("worker")));
    let mut nodes: Vec<Json> = [node("core", None)].into_iter().chain(workers).collect();
    nodes[5]["metadata"]["annotations"] = json!({ KEPT: "true" });
    let mut daemon = on("w1", waiting("daemon", "100m", &json!({})));
    daemon["metadata"]["ownerReferences"] =
        json!([{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "d", "controller": true }]);
    let mut ended = on("w2", trainee("ended", "1"));
    ended["status"]["phase"] = json!("Succeeded");
    let pods = vec![on("w0", trainee("a", "1")), daemon, ended];
    let seen = look(&[pool("worker", 9, 2)], nodes, pods);
    let idle: Vec<&str> = seen.pools["worker"].idle.iter().map(String::as_str).collect();
    assert_eq!(idle, ["w1", "w2", "w3"], "w0 runs a trainee, w4 is kept by its annotation, core nodes are no workers");
}

#[test]
fn a_node_that_starts_is_waited_for_and_a_cordoned_one_is_not() {
    let mut starting = node("w0", Some("worker"));
    let taints = starting["spec"]["taints"].as_array_mut().unwrap();
    taints.push(json!({ "key": "node.kubernetes.io/not-ready", "effect": "NoSchedule" }));
    let at = |node: &Json, now: &str| {
        let scene =
            Scene { nodes: typed(vec![node.clone()]), pods: typed(vec![trainee("a", "1")]), daemon_sets: Vec::new() };
        told(&decide(&[pool("worker", 2, 2)], &scene, now.parse().unwrap())).0
    };
    assert_eq!(at(&starting, "2026-01-01T12:01:00Z"), [""; 0]);
    assert_eq!(at(&starting, "2026-01-01T12:20:00Z"), ["worker 1->2 (max: 2)"]);
    let mut cordoned = node("w0", Some("worker"));
    cordoned["spec"]["unschedulable"] = json!(true);
    assert_eq!(at(&cordoned, NOW), ["worker 1->2 (max: 2)"]);
}

#[test]
fn important_pods_come_first() {
    let mut important = trainee("z", "2");
    important["spec"]["priority"] = json!(1000);
    let seen = look(&[pool("worker", 1, 2)], vec![node("core", None)], vec![trainee("a", "2"), important]);
    assert_eq!(seen.growth[0].pods[0].name, "z");
    assert_eq!(told(&seen).1, ["howso/a: worker: max node group size reached"]);
}

#[test]
fn a_pod_that_the_scheduler_has_not_refused_or_that_leaves_makes_nothing_appear() {
    let mut new = trainee("new", "1");
    new["status"]["conditions"] = json!([]);
    let mut gated = trainee("gated", "1");
    gated["status"]["conditions"][0]["reason"] = json!("SchedulingGated");
    let mut leaving = trainee("leaving", "1");
    leaving["metadata"]["deletionTimestamp"] = json!(NOW);
    let seen = look(&[pool("worker", 2, 2)], vec![node("core", None)], vec![new, gated, leaving]);
    assert_eq!(told(&seen), (vec![], vec![]));
}
