//! Nodes are there, ready, and carry what keeps the wrong pods off them.

use howso_infra_core::spec::{CORE_LABEL, WORKER_TAINT};
use howso_infra_core::{Attributes, ProviderError};
use serde_json::Value as Json;

use super::{Verdict, entries, number, text};
use crate::errors::Call;
use crate::list;
use crate::object::collection;
use crate::transport::Api;

/// How many nodes are named; the rest are counted.
const NAMED_MAX: usize = 3;

/// Core nodes: as many as wanted are ready, and each has the label, whose value is the text `False`.
pub(super) async fn judge_core(api: &Api, attributes: &Attributes) -> Result<Verdict, ProviderError> {
    let nodes = nodes(api).await?;
    Ok(core(&nodes, attributes))
}

/// Worker nodes: as many as wanted are ready, and each has the taint.
pub(super) async fn judge_workers(api: &Api, attributes: &Attributes) -> Result<Verdict, ProviderError> {
    let nodes = nodes(api).await?;
    Ok(workers(&nodes, attributes))
}

async fn nodes(api: &Api) -> Result<Vec<Json>, ProviderError> {
    list::all(api, &Call::read("list nodes"), &collection("v1", "nodes", None), None).await
}

fn core(nodes: &[Json], attributes: &Attributes) -> Verdict {
    let members = members(nodes, attributes);
    let mut missing = too_few(&members, attributes, "core");
    let (key, value) = CORE_LABEL;
    let is_without = |node: &&Json| label(node, key) != Some(value);
    missing.extend(complaint(members.iter().copied().filter(is_without), &format!("no label {key}={value}")));
    // Without its label a worker would count as core; with it, a core service could land there.
    let others: Vec<&Json> =
        nodes.iter().filter(|node| !members.iter().any(|member| std::ptr::eq(*member, *node))).collect();
    let is_mislabelled = |node: &&Json| label(node, key) == Some(value);
    missing.extend(complaint(
        others.into_iter().filter(is_mislabelled),
        &format!("the label {key}={value}, though not of the core pool"),
    ));
    Verdict::of(&missing)
}

fn workers(nodes: &[Json], attributes: &Attributes) -> Verdict {
    let members = members(nodes, attributes);
    let mut missing = too_few(&members, attributes, "worker");
    let (key, value) = WORKER_TAINT;
    let is_untainted = |node: &&Json| !has_taint(node);
    let what = format!("no taint {key}={value}:NoSchedule");
    missing.extend(complaint(members.iter().copied().filter(is_untainted), &what));
    Verdict::of(&missing)
}

/// The nodes of the pools: those with the label by which the platform marks its groups.
fn members<'a>(nodes: &'a [Json], attributes: &Attributes) -> Vec<&'a Json> {
    let is_member = |node: &&Json| {
        entries(attributes, "pools").any(|pool| label(node, text(pool, "label")) == Some(text(pool, "value")))
    };
    nodes.iter().filter(is_member).collect()
}

/// What is missing when fewer nodes are ready than the pools have at least.
fn too_few(members: &[&Json], attributes: &Attributes, role: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for pool in entries(attributes, "pools") {
        let of_pool = members.iter().filter(|node| label(node, text(pool, "label")) == Some(text(pool, "value")));
        let (ready, unready): (Vec<&Json>, Vec<&Json>) = of_pool.copied().partition(|node| is_ready(node));
        let wanted = usize::try_from(number(pool, "min")).unwrap_or_default();
        if ready.len() < wanted {
            let nodes = if wanted == 1 { "node" } else { "nodes" };
            let others = names(unready.into_iter());
            let which = if others.is_empty() { others } else { format!(" (not: {others}; see kubectl describe node)") };
            missing.push(format!("{} of {wanted} {role} {nodes} of {} ready{which}", ready.len(), text(pool, "name")));
        }
    }
    missing
}

fn complaint<'a>(nodes: impl Iterator<Item = &'a Json>, what: &str) -> Option<String> {
    let named = names(nodes);
    (!named.is_empty())
        .then(|| format!("{named}: {what} (replace such nodes: labels and taints are set when a node joins)"))
}

fn names<'a>(nodes: impl Iterator<Item = &'a Json>) -> String {
    let all: Vec<&str> = nodes.filter_map(|node| node.pointer("/metadata/name")?.as_str()).collect();
    let named = all.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    if all.len() > NAMED_MAX { format!("{named} and {} more", all.len() - NAMED_MAX) } else { named }
}

pub(crate) fn label<'a>(node: &'a Json, key: &str) -> Option<&'a str> {
    node.pointer("/metadata/labels")?.get(key)?.as_str()
}

fn is_ready(node: &Json) -> bool {
    let conditions = node.pointer("/status/conditions").and_then(Json::as_array);
    conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

pub(crate) fn has_taint(node: &Json) -> bool {
    let taints = node.pointer("/spec/taints").and_then(Json::as_array);
    let is_ours = |taint: &Json| {
        taint["key"] == WORKER_TAINT.0 && taint["value"] == WORKER_TAINT.1 && taint["effect"] == "NoSchedule"
    };
    taints.into_iter().flatten().any(is_ours)
}

#[cfg(test)]
mod tests;
