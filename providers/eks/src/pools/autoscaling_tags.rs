//! Tags on autoscaling groups, from which the cluster autoscaler learns what a node of an empty group would be like.
//!
//! Format: `cluster-autoscaler/cloudprovider/aws/README.md`, "Auto-discovery setup" and "Scaling a node group to 0".

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::types::{Filter, Tag};
use howso_infra_core::spec::{Gibibytes, LabelKey, LabelValue, TaintEffect};
use howso_infra_core::{
    Attributes, FieldChange, Observed, OperationVerb, Ownership, ProviderError, Status, Submitted, Value,
};

use crate::fields::text;
use crate::pools::graph::PoolTaint;
use crate::pools::kinds::call;
use crate::{errors, pages, tags};

/// What the keys of these tags begin with. Every tag with it on a group of ours is ours.
const PREFIX: &str = "k8s.io/cluster-autoscaler/node-template/";

/// How many tags one call of Auto Scaling carries (API reference, `CreateOrUpdateTags`).
pub(super) const TAGS_MAX: usize = 25;

const GROUP: &str = "auto-scaling-group";

/// What a node of the pool would be like.
pub(super) fn template_tags(
    labels: &BTreeMap<LabelKey, LabelValue>,
    taints: &[PoolTaint],
    disk: Gibibytes,
) -> BTreeMap<String, String> {
    let labels = labels.iter().map(|(key, value)| (format!("{PREFIX}label/{key}"), value.to_string()));
    let taints = taints.iter().map(|taint| {
        (format!("{PREFIX}taint/{}", taint.key), format!("{}:{}", taint.value, kubernetes_effect(taint.effect)))
    });
    // Without it the autoscaler believes that the node has no disk, and adds none for a pod that asks for some.
    let disk = (format!("{PREFIX}resources/ephemeral-storage"), disk.to_string());
    labels.chain(taints).chain([disk]).collect()
}

fn kubernetes_effect(effect: TaintEffect) -> &'static str {
    match effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    }
}

/// Reads the tags of several groups at once, by the name of the group; groups without any are left out.
pub(super) async fn read(client: &Client, groups: &[String]) -> Result<BTreeMap<String, Attributes>, ProviderError> {
    let call = "autoscaling:DescribeTags";
    let mut found: BTreeMap<String, Attributes> = BTreeMap::new();
    if groups.is_empty() {
        return Ok(found);
    }
    let filter = Filter::builder().name(GROUP).set_values(Some(groups.to_vec())).build();
    for tag in pages::all(client.describe_tags().filters(filter).into_paginator().items().send(), call).await? {
        let (Some(group), Some(key)) = (tag.resource_id, tag.key) else { continue };
        if key.starts_with(PREFIX) && groups.contains(&group) {
            found.entry(group).or_default().insert(key, Value::text(tag.value.unwrap_or_default()));
        }
    }
    Ok(found)
}

pub(super) fn observed(group: &str, tags: Attributes, nodegroup_arn: &str, ownership: Ownership) -> Observed {
    Observed {
        physical_id: group.to_owned(),
        ownership,
        status: Status::Ready,
        attributes: Attributes::from([
            ("nodegroup_arn".to_owned(), Value::text(nodegroup_arn)),
            ("autoscaling_group".to_owned(), Value::text(group)),
            ("tags".to_owned(), Value::Map(tags)),
        ]),
        outputs: Attributes::new(),
    }
}

/// Sets all tags.
pub(super) async fn create(client: &Client, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let group = text(attributes, "autoscaling_group", "autoscaling:CreateOrUpdateTags")?;
    put(client, OperationVerb::Create, group, attributes).await
}

/// Sets tags, or removes those that are no longer wanted.
pub(super) async fn update(
    client: &Client,
    group: &str,
    update: &str,
    changes: &[FieldChange],
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    match update {
        call::PUT_TAGS => put(client, OperationVerb::Update, group, attributes).await,
        call::REMOVE_TAGS => {
            let keys = |value: &Value| value.as_map().into_iter().flatten().map(|(key, _)| key.clone()).collect();
            let removed = changes.iter().flat_map(|change| {
                let wanted: BTreeSet<String> = keys(&change.to);
                let present: BTreeSet<String> = change.from.as_ref().map(keys).unwrap_or_default();
                present.into_iter().filter(move |key| !wanted.contains(key))
            });
            remove(client, OperationVerb::Update, group, removed.collect()).await
        }
        other => Err(errors::bug("submit", format!("autoscaling tags have no call {other}"))),
    }
}

/// Removes all tags.
pub(super) async fn delete(client: &Client, group: &str, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    remove(client, OperationVerb::Delete, group, tags::declared(attributes).into_keys().collect()).await
}

async fn put(
    client: &Client,
    verb: OperationVerb,
    group: &str,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "autoscaling:CreateOrUpdateTags";
    let tags: Vec<Tag> =
        tags::declared(attributes).into_iter().map(|(key, value)| tag(group, &key).value(value).build()).collect();
    client.create_or_update_tags().set_tags(Some(tags)).send().await.map_err(errors::mutating(verb, call))?;
    Ok(Submitted::settled(group))
}

async fn remove(
    client: &Client,
    verb: OperationVerb,
    group: &str,
    keys: Vec<String>,
) -> Result<Submitted, ProviderError> {
    let call = "autoscaling:DeleteTags";
    let tags: Vec<Tag> = keys.iter().map(|key| tag(group, key).build()).collect();
    client.delete_tags().set_tags(Some(tags)).send().await.map_err(errors::mutating(verb, call))?;
    Ok(Submitted::settled(group))
}

/// Nodes must not carry these tags: they are about the group.
fn tag(group: &str, key: &str) -> aws_sdk_autoscaling::types::builders::TagBuilder {
    Tag::builder().resource_id(group).resource_type(GROUP).key(key).propagate_at_launch(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_does_not_exist_yet_is_described_by_labels_taints_and_disk() {
        let labels = BTreeMap::from([("team".parse().unwrap(), "ml".parse().unwrap())]);
        let taint = PoolTaint {
            key: "howso.com/nodetype".to_owned(),
            value: "worker".to_owned(),
            effect: TaintEffect::NoSchedule,
        };
        let tags = template_tags(&labels, &[taint], Gibibytes::new(100).unwrap());
        let expected = [
            ("k8s.io/cluster-autoscaler/node-template/label/team", "ml"),
            ("k8s.io/cluster-autoscaler/node-template/resources/ephemeral-storage", "100Gi"),
            ("k8s.io/cluster-autoscaler/node-template/taint/howso.com/nodetype", "worker:NoSchedule"),
        ];
        assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    }
}
