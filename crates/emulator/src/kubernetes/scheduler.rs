//! Which pod fits which node: taints, selectors, required affinity, resources, and how pods keep apart.

use std::collections::BTreeMap;

use kube_quantity::ParsedQuantity;
use serde_json::Value;

/// What pods ask for or a node has: CPUs in thousandths, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amounts {
    pub(crate) cpu: u64,
    pub(crate) memory: u64,
    pub(crate) pods: u64,
}

/// A node with what is left of it.
#[derive(Clone, Debug)]
pub(crate) struct Room<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: &'a Value,
    pub(crate) taints: &'a Value,
    pub(crate) is_unschedulable: bool,
    pub(crate) free: Amounts,
    /// The labels of the pods that are on it, with their namespaces.
    pub(crate) pods: Vec<(&'a str, &'a Value)>,
}

/// Why a pod does not fit, in the words of the scheduler.
pub(crate) type Why = String;

impl Amounts {
    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(other.cpu),
            memory: self.memory.saturating_sub(other.memory),
            pods: self.pods.saturating_sub(other.pods),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, memory: self.memory + other.memory, pods: self.pods + other.pods }
    }

    /// From a map of quantities.
    pub(crate) fn of(quantities: &Value) -> Self {
        let read = |name: &str| quantities[name].as_str().and_then(quantity).unwrap_or_default();
        Self { cpu: whole(read("cpu") * 1000.0), memory: whole(read("memory")), pods: whole(read("pods")) }
    }
}

fn quantity(text: &str) -> Option<f64> {
    ParsedQuantity::try_from(text).ok()?.to_bytes_f64()
}

fn whole(number: f64) -> u64 {
    // Amounts of a cluster are far below where this would lose any of them.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "amounts are not negative")]
    let whole = number.round() as u64;
    whole
}

/// What a pod asks for.
pub(crate) fn requests(pod: &Value) -> Amounts {
    let containers = pod["spec"]["containers"].as_array();
    let sum = containers
        .into_iter()
        .flatten()
        .map(|container| {
            let resources = &container["resources"];
            let (mut wanted, limits) = (Amounts::of(&resources["requests"]), Amounts::of(&resources["limits"]));
            // Who says only a limit asks for as much.
            if resources["requests"].get("cpu").is_none() {
                wanted.cpu = limits.cpu;
            }
            if resources["requests"].get("memory").is_none() {
                wanted.memory = limits.memory;
            }
            wanted
        })
        .fold(Amounts::default(), Amounts::plus);
    Amounts { pods: 1, ..sum }
}

/// Whether a pod fits a node among others.
pub(crate) fn fits(pod: &Value, room: &Room<'_>, all: &[Room<'_>]) -> Result<(), Why> {
    let spec = &pod["spec"];
    if room.is_unschedulable {
        return Err("node(s) were unschedulable".to_owned());
    }
    if let Some(taint) = untolerated(spec, room.taints) {
        let text = |member: &str| taint[member].as_str().unwrap_or_default();
        return Err(format!("node(s) had untolerated taint {{{}: {}}}", text("key"), text("value")));
    }
    if !is_selected(spec, room.labels) {
        return Err("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    let wanted = requests(pod);
    for (name, wanted, free) in [
        ("cpu", wanted.cpu, room.free.cpu),
        ("memory", wanted.memory, room.free.memory),
        ("pods", wanted.pods, room.free.pods),
    ] {
        if wanted > free {
            return Err(if name == "pods" { "Too many pods".to_owned() } else { format!("Insufficient {name}") });
        }
    }
    if !keeps_apart(pod, room, all) {
        return Err("node(s) didn't match pod anti-affinity rules".to_owned());
    }
    if !is_spread(pod, room, all) {
        return Err("node(s) didn't match pod topology spread constraints".to_owned());
    }
    Ok(())
}

/// The first taint that keeps a pod off.
fn untolerated<'a>(spec: &Value, taints: &'a Value) -> Option<&'a Value> {
    let hinders = |taint: &&Value| matches!(taint["effect"].as_str(), Some("NoSchedule" | "NoExecute"));
    let tolerates = |taint: &Value| {
        spec["tolerations"].as_array().into_iter().flatten().any(|toleration| {
            let is_any_key = toleration.get("key").is_none();
            let is_key = toleration["key"] == taint["key"];
            let is_effect = toleration.get("effect").is_none() || toleration["effect"] == taint["effect"];
            let is_value = match toleration["operator"].as_str() {
                Some("Exists") => true,
                _ => {
                    !is_any_key
                        && toleration["value"].as_str().unwrap_or_default()
                            == taint["value"].as_str().unwrap_or_default()
                }
            };
            is_effect && is_value && (is_any_key || is_key)
        })
    };
    taints.as_array().into_iter().flatten().filter(hinders).find(|taint| !tolerates(taint))
}

fn is_selected(spec: &Value, labels: &Value) -> bool {
    let simple = spec["nodeSelector"].as_object();
    if !simple.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value)) {
        return false;
    }
    let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let Some(terms) = required["nodeSelectorTerms"].as_array() else { return true };
    terms.iter().any(|term| expressions(&term["matchExpressions"], labels))
}

/// Whether labels meet all expressions of a selector.
fn expressions(list: &Value, labels: &Value) -> bool {
    list.as_array().into_iter().flatten().all(|expression| {
        let label = expression["key"].as_str().and_then(|key| labels.get(key));
        let is_listed =
            || expression["values"].as_array().is_some_and(|values| label.is_some_and(|label| values.contains(label)));
        match expression["operator"].as_str() {
            Some("In") => is_listed(),
            Some("NotIn") => !is_listed(),
            Some("Exists") => label.is_some(),
            Some("DoesNotExist") => label.is_none(),
            _ => false,
        }
    })
}

/// Whether labels meet a label selector.
pub(crate) fn matches(selector: &Value, labels: &Value) -> bool {
    let simple = selector["matchLabels"].as_object();
    simple.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
        && expressions(&selector["matchExpressions"], labels)
}

/// How many pods that a selector means are in each place of a topology.
fn by_place<'a>(all: &[Room<'a>], topology: &str, namespace: &str, selector: &Value) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for room in all {
        let Some(place) = room.labels.get(topology).and_then(Value::as_str) else { continue };
        let matching = room.pods.iter().filter(|(own, labels)| *own == namespace && matches(selector, labels)).count();
        *counts.entry(place).or_default() += matching;
    }
    counts
}

fn keeps_apart(pod: &Value, room: &Room<'_>, all: &[Room<'_>]) -> bool {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let terms = pod["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"].as_array();
    terms.into_iter().flatten().all(|term| {
        let topology = term["topologyKey"].as_str().unwrap_or_default();
        let Some(place) = room.labels.get(topology).and_then(Value::as_str) else { return true };
        by_place(all, topology, namespace, &term["labelSelector"]).get(place).is_none_or(|count| *count == 0)
    })
}

fn is_spread(pod: &Value, room: &Room<'_>, all: &[Room<'_>]) -> bool {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let constraints = pod["spec"]["topologySpreadConstraints"].as_array();
    let strict =
        constraints.into_iter().flatten().filter(|constraint| constraint["whenUnsatisfiable"] != "ScheduleAnyway");
    strict.into_iter().all(|constraint| {
        let topology = constraint["topologyKey"].as_str().unwrap_or_default();
        // Only nodes that the pod may go to at all count.
        let eligible: Vec<Room<'_>> =
            all.iter().filter(|room| is_selected(&pod["spec"], room.labels)).cloned().collect();
        let counts = by_place(&eligible, topology, namespace, &constraint["labelSelector"]);
        let Some(place) = room.labels.get(topology).and_then(Value::as_str) else { return false };
        let least = counts.values().min().copied().unwrap_or_default();
        let own = counts.get(place).copied().unwrap_or_default();
        let skew = constraint["maxSkew"].as_u64().and_then(|skew| usize::try_from(skew).ok()).unwrap_or(1);
        own < least + skew
    })
}

/// The message of a pod that fits nowhere: `0/3 nodes are available: 3 Insufficient cpu.`
pub(crate) fn message(whys: &[Why]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for why in whys {
        *counts.entry(why).or_default() += 1;
    }
    let reasons: Vec<String> = counts.iter().map(|(why, count)| format!("{count} {why}")).collect();
    match reasons.as_slice() {
        [] => "no nodes available to schedule pods".to_owned(),
        reasons => format!("0/{} nodes are available: {}.", whys.len(), reasons.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn room<'a>(name: &'a str, labels: &'a Value, taints: &'a Value) -> Room<'a> {
        let free = Amounts { cpu: 4000, memory: 8 << 30, pods: 10 };
        Room { name, labels, taints, is_unschedulable: false, free, pods: Vec::new() }
    }

    fn pod(spec: &Value) -> Value {
        json!({ "metadata": { "namespace": "howso", "labels": { "app": "nats" } }, "spec": spec })
    }

    #[test]
    fn a_taint_keeps_off_whoever_does_not_tolerate_it() {
        let (labels, taints) =
            (json!({}), json!([{ "key": "howso.com/nodetype", "value": "worker", "effect": "NoSchedule" }]));
        let worker = room("a", &labels, &taints);
        let tolerant =
            json!({ "tolerations": [{ "key": "howso.com/nodetype", "operator": "Equal", "value": "worker" }] });
        let other = json!({ "tolerations": [{ "key": "howso.com/nodetype", "operator": "Equal", "value": "core" }] });
        assert_eq!(fits(&pod(&tolerant), &worker, &[]), Ok(()));
        assert!(fits(&pod(&other), &worker, &[]).is_err_and(|why| why.contains("untolerated taint")));
    }

    #[test]
    fn what_asks_for_more_than_is_free_does_not_fit() {
        let (labels, taints) = (json!({}), json!([]));
        let asks = |cpu: &str| pod(&json!({ "containers": [{ "resources": { "requests": { "cpu": cpu } } }] }));
        assert_eq!(fits(&asks("4"), &room("a", &labels, &taints), &[]), Ok(()));
        assert_eq!(fits(&asks("4001m"), &room("a", &labels, &taints), &[]), Err("Insufficient cpu".to_owned()));
    }

    #[test]
    fn pods_that_keep_apart_do_not_share_a_node() {
        let (first, second, taints) =
            (json!({ "kubernetes.io/hostname": "a" }), json!({ "kubernetes.io/hostname": "b" }), json!([]));
        let nats = json!({ "app": "nats" });
        let mut rooms = [room("a", &first, &taints), room("b", &second, &taints)];
        rooms[0].pods.push(("howso", &nats));
        let term =
            json!({ "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": { "app": "nats" } } });
        let apart = json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } });
        let pod = pod(&json!({ "affinity": apart }));
        assert!(fits(&pod, &rooms[0], &rooms).is_err());
        assert_eq!(fits(&pod, &rooms[1], &rooms), Ok(()));
    }

    #[test]
    fn a_spread_pod_goes_where_fewest_are() {
        let (first, second, taints) = (json!({ "zone": "a" }), json!({ "zone": "b" }), json!([]));
        let nats = json!({ "app": "nats" });
        let mut rooms = [room("a", &first, &taints), room("b", &second, &taints)];
        rooms[0].pods.push(("howso", &nats));
        let constraint = json!({
            "topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": { "matchLabels": { "app": "nats" } },
        });
        let pod = pod(&json!({ "topologySpreadConstraints": [constraint] }));
        assert!(fits(&pod, &rooms[0], &rooms).is_err());
        assert_eq!(fits(&pod, &rooms[1], &rooms), Ok(()));
    }
}
