//! The scheduler's predicates, one by one.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration};

use super::resources::Amount;
use super::{Place, Resources};

/// Effects of taints that keep pods away.
const REPELLING: [&str; 2] = ["NoSchedule", "NoExecute"];

/// Why a pod cannot be placed on a node, in the scheduler's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// The node has a taint that the pod does not tolerate.
    Taint(String),
    /// The pod selects other nodes.
    Selector,
    /// The node has not enough of something.
    Insufficient { resource: String, wanted: Amount, free: Amount },
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taint(taint) => write!(formatter, "had untolerated taint {{{taint}}}"),
            Self::Selector => formatter.write_str("didn't match Pod's node affinity/selector"),
            Self::Insufficient { resource, wanted, free } => {
                let (wanted, free) = (wanted.shown(resource), free.shown(resource));
                write!(formatter, "Insufficient {resource} ({wanted} wanted, {free} offered)")
            }
        }
    }
}

pub(super) fn misfits(place: &Place, pod: &PodSpec) -> Vec<Misfit> {
    let tolerations = pod.tolerations.as_deref().unwrap_or_default();
    let repelling = place.taints.iter().filter(|taint| REPELLING.contains(&taint.effect.as_str()));
    let mut misfits: Vec<Misfit> = repelling
        .filter(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)))
        .map(|taint| Misfit::Taint(format!("{}: {}", taint.key, taint.value.as_deref().unwrap_or_default())))
        .collect();
    if !is_selected(&place.labels, pod) {
        misfits.push(Misfit::Selector);
    }
    let short = place.free.short_of(&Resources::of_pod(pod));
    misfits.extend(short.into_iter().map(|(resource, wanted, free)| Misfit::Insufficient { resource, wanted, free }));
    misfits
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let is_any = |text: Option<&str>| text.is_none_or(str::is_empty);
    let is_effect = is_any(toleration.effect.as_deref()) || toleration.effect.as_deref() == Some(&taint.effect);
    let is_key = is_any(toleration.key.as_deref()) || toleration.key.as_deref() == Some(&taint.key);
    let is_value = match toleration.operator.as_deref() {
        Some("Exists") => true,
        None | Some("" | "Equal") => {
            toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default()
        }
        // An operator of a later Kubernetes: the scheduler knows, and tells by placing the pod.
        Some(_) => false,
    };
    is_effect && is_key && is_value
}

fn is_selected(labels: &BTreeMap<String, String>, pod: &PodSpec) -> bool {
    let selector = pod.node_selector.iter().flatten();
    let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    selector.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && required.is_none_or(|required| required.node_selector_terms.iter().any(|term| is_term_met(labels, term)))
}

/// A term without any requirement matches nothing; a term about fields names nodes that are there.
fn is_term_met(labels: &BTreeMap<String, String>, term: &NodeSelectorTerm) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let names_nodes = term.match_fields.as_ref().is_some_and(|fields| !fields.is_empty());
    !names_nodes
        && !expressions.is_empty()
        && expressions.iter().all(|requirement| is_requirement_met(labels, requirement))
}

fn is_requirement_met(labels: &BTreeMap<String, String>, requirement: &NodeSelectorRequirement) -> bool {
    let label = labels.get(&requirement.key);
    let values = requirement.values.as_deref().unwrap_or_default();
    let number = |text: &str| text.parse::<i64>().ok();
    let compared = |is_met: fn(&i64, &i64) -> bool| {
        let (label, bound) = (label.and_then(|label| number(label)), values.first().and_then(|value| number(value)));
        label.zip(bound).is_some_and(|(label, bound)| is_met(&label, &bound))
    };
    match requirement.operator.as_str() {
        "In" => label.is_some_and(|label| values.contains(label)),
        // Also met by a node without the label.
        "NotIn" => label.is_none_or(|label| !values.contains(label)),
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        "Gt" => compared(i64::gt),
        "Lt" => compared(i64::lt),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn place() -> Place {
        let taint = |key: &str, effect: &str| Taint {
            key: key.to_owned(),
            value: Some("worker".to_owned()),
            effect: effect.to_owned(),
            time_added: None,
        };
        let node = json!({
            "metadata": { "labels": { "disk": "ssd", "size": "8" } },
            "status": { "allocatable": { "cpu": "2", "memory": "4096Mi", "pods": "3" } },
        });
        let mut place = Place::of_node(&serde_json::from_value(node).unwrap());
        place.taints = vec![taint("howso.com/nodetype", "NoSchedule"), taint("soft", "PreferNoSchedule")];
        place
    }

    /// What keeps a pod from the place that tolerates its taint and has `more` in its specification.
    fn misfits_of(more: &Json) -> Vec<String> {
        let mut spec = json!({
            "containers": [{ "name": "a" }],
            "tolerations": [{ "key": "howso.com/nodetype", "operator": "Exists" }],
        });
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let pod = serde_json::from_value(spec).unwrap();
        place().misfits(&pod).iter().map(ToString::to_string).collect()
    }

    fn requests(amounts: &Json) -> Json {
        json!({ "name": "a", "resources": { "requests": amounts } })
    }

    #[test]
    fn taints_keep_away_whoever_does_not_tolerate_them() {
        let with = |toleration: Json| misfits_of(&json!({ "tolerations": [toleration] })).is_empty();
        let key = "howso.com/nodetype";
        assert!(with(json!({ "key": key, "value": "worker" })));
        assert!(with(json!({ "key": key, "operator": "Equal", "value": "worker", "effect": "NoSchedule" })));
        assert!(with(json!({ "operator": "Exists" })));
        assert!(!with(json!({ "key": key, "value": "other" })));
        assert!(!with(json!({ "key": key, "operator": "Exists", "effect": "NoExecute" })));
        assert!(!with(json!({ "key": "other", "operator": "Exists" })));
        assert_eq!(misfits_of(&json!({ "tolerations": [] })), ["had untolerated taint {howso.com/nodetype: worker}"]);
    }

    #[test]
    fn selectors_and_affinity_choose_nodes_by_their_labels() {
        let with = |key: &str, operator: &str, values: &[&str]| {
            let term = json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] });
            let required = json!({ "nodeSelectorTerms": [{ "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["x"] }] }, term] });
            let node_affinity = json!({ "requiredDuringSchedulingIgnoredDuringExecution": required });
            misfits_of(&json!({ "affinity": { "nodeAffinity": node_affinity } })).is_empty()
        };
        assert!(with("disk", "In", &["hdd", "ssd"]) && !with("disk", "In", &["hdd"]));
        assert!(with("disk", "NotIn", &["hdd"]) && !with("disk", "NotIn", &["ssd"]) && with("absent", "NotIn", &["x"]));
        assert!(with("disk", "Exists", &[]) && !with("absent", "Exists", &[]));
        assert!(with("absent", "DoesNotExist", &[]) && !with("disk", "DoesNotExist", &[]));
        assert!(with("size", "Gt", &["7"]) && !with("size", "Gt", &["8"]) && with("size", "Lt", &["9"]));
        assert!(misfits_of(&json!({ "nodeSelector": { "disk": "ssd" } })).is_empty());
        let others = misfits_of(&json!({ "nodeSelector": { "disk": "ssd", "size": "9" } }));
        assert_eq!(others, ["didn't match Pod's node affinity/selector"]);
    }

    #[test]
    fn a_pod_needs_as_much_as_its_containers_together_or_as_one_before_them() {
        let small = requests(&json!({ "cpu": "900m", "memory": "1Gi" }));
        assert!(misfits_of(&json!({ "containers": [small, small] })).is_empty());
        assert_eq!(
            misfits_of(&json!({ "containers": [small, small, small] })),
            ["Insufficient cpu (2700m wanted, 2 offered)"]
        );
        let large = requests(&json!({ "memory": "5Gi" }));
        let before = misfits_of(&json!({ "initContainers": [large], "containers": [small] }));
        assert_eq!(before, ["Insufficient memory (5120Mi wanted, 4096Mi offered)"]);
        let mut sidecar = requests(&json!({ "cpu": "1500m" }));
        sidecar["restartPolicy"] = json!("Always");
        let beside = misfits_of(&json!({ "initContainers": [sidecar], "containers": [small] }));
        assert_eq!(beside, ["Insufficient cpu (2400m wanted, 2 offered)"]);
        let whole = misfits_of(&json!({ "resources": { "requests": { "cpu": "3" } } }));
        assert_eq!(whole, ["Insufficient cpu (3 wanted, 2 offered)"]);
    }

    #[test]
    fn what_a_node_does_not_have_is_short_and_every_pod_counts() {
        let gpu = requests(&json!({ "nvidia.com/gpu": "1" }));
        assert_eq!(misfits_of(&json!({ "containers": [gpu] })), ["Insufficient nvidia.com/gpu (1 wanted, 0 offered)"]);
        let mut full = place();
        full.taints.clear();
        let pod: PodSpec = serde_json::from_value(json!({ "containers": [{ "name": "a" }] })).unwrap();
        for _ in 0..3 {
            assert_eq!(full.misfits(&pod), []);
            full.take(&pod);
        }
        assert_eq!(full.misfits(&pod)[0].to_string(), "Insufficient pods (1 wanted, 0 offered)");
    }
}
