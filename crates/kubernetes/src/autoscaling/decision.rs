//! From pods and nodes to what is to be done. Pure.

use std::collections::{BTreeMap, BTreeSet};

use howso_infra_core::inside::{Pool, PoolScaling};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, PodSpec, Taint};

use super::{Growth, Look, PoolNodes, Scene, Unhelped, pods};
use crate::scheduling::{Amount, Misfit, Place};

/// A node that is not ready counts as one that will be for so long (`--max-node-provision-time`).
const STARTS_WITHIN_SECS: i64 = 15 * 60;

/// Taints of a node that is not ready yet.
const STARTING: [&str; 3] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/network-unavailable",
    "node.cloudprovider.kubernetes.io/uninitialized",
];

/// With the value `true` on a node that no autoscaler may remove.
const KEPT: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";

/// Labels that every node of a cluster on one machine has with the same value.
const SHARED_LABELS: [&str; 2] = ["kubernetes.io/arch", "kubernetes.io/os"];

/// A pool that this program scales.
struct Group<'a> {
    name: &'a str,
    scaling: &'a PoolScaling,
    /// The names of its nodes.
    members: BTreeSet<String>,
    /// A node that would be added, with nothing on it but what runs on every node.
    template: Place,
    /// How many nodes are to be added, and for which pods.
    added: u32,
    pods: Vec<Pod>,
}

impl Group<'_> {
    fn count(&self) -> u32 {
        u32::try_from(self.members.len()).unwrap_or(u32::MAX)
    }

    fn is_full(&self) -> bool {
        self.count() + self.added >= self.scaling.max
    }

    /// What makes one pool a better choice than another: less that is left over.
    fn size(&self) -> (u64, u64) {
        (self.scaling.cpu_millis, self.scaling.memory_mebibytes)
    }
}

pub(super) fn decide(pools: &[Pool], scene: &Scene, now: Timestamp) -> Look {
    let mut groups: Vec<Group<'_>> = pools.iter().filter_map(|pool| group(pool, scene)).collect();
    let members: BTreeSet<String> = groups.iter().flat_map(|group| group.members.iter().cloned()).collect();
    let mut places = places(scene, &members, now);
    let mut added: Vec<(usize, Place)> = Vec::new();
    let mut needed = BTreeSet::new();
    let mut unhelped = Vec::new();
    for pod in waiting(&scene.pods) {
        let Some(spec) = &pod.spec else { continue };
        if let Some((name, place)) = places.iter_mut().find(|(_, place)| place.misfits(spec).is_empty()) {
            place.take(spec);
            needed.insert(name.clone());
        } else if let Some((index, place)) = added.iter_mut().find(|(_, place)| place.misfits(spec).is_empty()) {
            place.take(spec);
            groups[*index].pods.push(pod.clone());
        } else if let Some(index) = best(&groups, spec) {
            let group = &mut groups[index];
            let mut place = group.template.clone();
            place.take(spec);
            added.push((index, place));
            group.added += 1;
            group.pods.push(pod.clone());
        } else {
            unhelped.push(Unhelped { pod: pods::reference(pod), why: why_not(&groups, pod, spec) });
        }
    }
    let idle = idle(scene, &members, &needed);
    let growth = groups.iter().filter(|group| group.added > 0).map(|group| Growth {
        pool: group.name.to_owned(),
        from: group.count(),
        to: group.count() + group.added,
        max: group.scaling.max,
        pods: group.pods.iter().map(pods::reference).collect(),
    });
    let seen = groups.iter().map(|group| {
        let idle = group.members.intersection(&idle).cloned().collect();
        (group.name.to_owned(), PoolNodes { count: group.count(), idle })
    });
    Look { growth: growth.collect(), unhelped, pools: seen.collect() }
}

fn group<'a>(pool: &'a Pool, scene: &Scene) -> Option<Group<'a>> {
    let scaling = pool.scaling.as_ref()?;
    let (key, value) = &pool.member_label;
    let is_member = |node: &&Node| node.metadata.labels.as_ref().and_then(|labels| labels.get(key)) == Some(value);
    let members = scene.nodes.iter().filter(is_member).filter_map(|node| node.metadata.name.clone()).collect();
    let like = scene.nodes.iter().filter(is_member).find(|node| is_ready(node));
    let template = template(scaling, like, scene);
    Some(Group { name: &pool.name, scaling, members, template, added: 0, pods: Vec::new() })
}

/// A node that would be added: as its pool says, and for the rest like a node of the pool, else like any other.
fn template(scaling: &PoolScaling, like: Option<&Node>, scene: &Scene) -> Place {
    let mut place = like.or(scene.nodes.first()).map(Place::of_node).unwrap_or_default();
    if like.is_none() {
        place.free.set("cpu", Amount::of_thousandths(scaling.cpu_millis));
        place.free.set("memory", Amount::of_mebibytes(scaling.memory_mebibytes));
    }
    place.labels.retain(|key, _| SHARED_LABELS.contains(&key.as_str()));
    place.labels.extend(scaling.labels.clone());
    let taint = |taint: &howso_infra_core::spec::Taint| Taint {
        key: taint.key.to_string(),
        value: Some(taint.value.clone()),
        effect: taint.effect.as_str().to_owned(),
        time_added: None,
    };
    place.taints = scaling.taints.iter().map(taint).collect();
    for spec in scene.daemon_sets.iter().filter_map(|set| set.spec.as_ref()?.template.spec.as_ref()) {
        // It is placed even where there is no room for it.
        if place.misfits(spec).iter().all(|misfit| matches!(misfit, Misfit::Insufficient { .. })) {
            place.take(spec);
        }
    }
    place
}

/// The nodes on which a pod can be placed, with what is on them.
fn places(scene: &Scene, members: &BTreeSet<String>, now: Timestamp) -> Vec<(String, Place)> {
    let mut places = BTreeMap::new();
    for node in &scene.nodes {
        let Some(name) = &node.metadata.name else { continue };
        if node.spec.as_ref().is_some_and(|spec| spec.unschedulable == Some(true)) {
            continue;
        }
        let mut place = Place::of_node(node);
        if members.contains(name) && is_young(node, now) {
            place.taints.retain(|taint| !STARTING.contains(&taint.key.as_str()));
        }
        places.insert(name.as_str(), place);
    }
    for pod in &scene.pods {
        if let (Some(name), Some(spec)) = (pods::node(pod), &pod.spec)
            && let Some(place) = places.get_mut(name)
        {
            place.take(spec);
        }
    }
    places.into_iter().map(|(name, place)| (name.to_owned(), place)).collect()
}

/// The pods that found no place, the most important first, then the oldest.
fn waiting(all: &[Pod]) -> Vec<&Pod> {
    let mut waiting: Vec<&Pod> = all.iter().filter(|pod| pods::is_unschedulable(pod)).collect();
    waiting.sort_by_key(|pod| {
        let priority = pod.spec.as_ref().and_then(|spec| spec.priority).unwrap_or_default();
        let made = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (std::cmp::Reverse(priority), made, pods::reference(pod))
    });
    waiting
}

/// The smallest pool that may grow and whose nodes hold the pod.
fn best(groups: &[Group<'_>], pod: &PodSpec) -> Option<usize> {
    let fitting = groups.iter().enumerate();
    let fitting = fitting.filter(|(_, group)| !group.is_full() && group.template.misfits(pod).is_empty());
    fitting.min_by_key(|(_, group)| group.size()).map(|(index, _)| index)
}

fn why_not(groups: &[Group<'_>], pod: &Pod, spec: &PodSpec) -> String {
    let of_group = |group: &Group<'_>| {
        let misfits: Vec<String> = group.template.misfits(spec).iter().map(ToString::to_string).collect();
        let why = if misfits.is_empty() { "max node group size reached".to_owned() } else { misfits.join(", ") };
        format!("{}: {why}", group.name)
    };
    let reasons: Vec<String> = groups.iter().map(of_group).collect();
    let whose = if pods::is_for_workers(pod) { "" } else { "; it is not for workers, and core nodes do not grow" };
    format!("{}{whose}", reasons.join("; "))
}

/// The nodes that could go.
fn idle(scene: &Scene, members: &BTreeSet<String>, needed: &BTreeSet<String>) -> BTreeSet<String> {
    let busy: BTreeSet<&str> =
        scene.pods.iter().filter(|pod| !pods::goes_with_node(pod)).filter_map(pods::node).collect();
    let is_kept = |node: &&Node| {
        node.metadata.annotations.as_ref().and_then(|annotations| annotations.get(KEPT)).is_some_and(|it| it == "true")
    };
    let names = scene.nodes.iter().filter(|node| !is_kept(node)).filter_map(|node| node.metadata.name.clone());
    names.filter(|name| members.contains(name) && !needed.contains(name) && !busy.contains(name.as_str())).collect()
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn is_young(node: &Node, now: Timestamp) -> bool {
    // In seconds, because the API's types come with another release of the library of dates.
    let made = node.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second());
    made.is_some_and(|made| now.as_second() - made < STARTS_WITHIN_SECS)
}

#[cfg(test)]
mod tests;
