//! Changes of living node groups.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_eks::Client;
use aws_sdk_eks::types::{
    LaunchTemplateSpecification, NodeRepairConfig, NodegroupScalingConfig, UpdateLabelsPayload, UpdateTaintsPayload,
};
use howso_infra_core::{Attributes, FieldChange, Operation, OperationVerb, ProviderError, Submitted, Value};

use crate::control_plane::accepted;
use crate::fields::{boolean, integer, text};
use crate::pools::kinds::call;
use crate::pools::nodegroup::{read, taint_of, update_config};
use crate::{eks_arn, errors, tags};

/// Changes a node group by one call.
pub(super) async fn update(
    eks: &Client,
    operation: &Operation,
    arn: &str,
    update: &str,
    changes: &[FieldChange],
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    match update {
        call::TAG => tag(eks, arn, attributes).await,
        call::UPDATE_CONFIG => update_group(eks, operation, arn, changes, attributes).await,
        call::ROLL => roll(eks, operation, arn, changes, attributes).await,
        other => Err(errors::bug("submit", format!("a node group has no call {other}"))),
    }
}

async fn tag(eks: &Client, arn: &str, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let request = eks.tag_resource().resource_arn(arn).set_tags(Some(tags::declared(attributes).into_iter().collect()));
    request.send().await.map_err(errors::mutating(OperationVerb::Update, "eks:TagResource"))?;
    Ok(Submitted::Settled { physical_id: arn.to_owned(), outputs: Attributes::new() })
}

/// Replaces the nodes, one share after the other, by nodes of another Kubernetes version or launch template version.
///
/// The template's version goes along also when only that of Kubernetes changes: since nodes are replaced anyway, they get the
/// tags that were not worth replacing them.
async fn roll(
    eks: &Client,
    operation: &Operation,
    arn: &str,
    changes: &[FieldChange],
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:UpdateNodegroupVersion";
    let version = changes.iter().find(|change| change.field == "version").and_then(|change| change.to.as_text());
    let template = LaunchTemplateSpecification::builder()
        .id(text(attributes, "launch_template_id", call)?)
        .version(text(attributes, "launch_template_version", call)?);
    let answer = eks
        .update_nodegroup_version()
        .cluster_name(eks_arn::cluster(arn, call)?)
        .nodegroup_name(eks_arn::child(arn, call)?)
        .set_version(version.map(str::to_owned))
        .launch_template(template.build())
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Update, call))?;
    Ok(accepted(operation, arn, answer.update.as_ref()))
}

/// Changes sizes, labels, taints, and how updates and repairs go, all in one call and only what differs.
async fn update_group(
    eks: &Client,
    operation: &Operation,
    arn: &str,
    changes: &[FieldChange],
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:UpdateNodegroupConfig";
    let change = |field: &str| changes.iter().find(|change| change.field == field);
    let sizes = if change("min_size").or(change("max_size")).is_some() {
        Some(scaling(eks, arn, attributes, call).await?)
    } else {
        None
    };
    let update_config = change("update_config").map(|_| update_config(attributes));
    let repair = change("node_repair").map(|_| boolean(attributes, "node_repair", call)).transpose()?;
    let answer = eks
        .update_nodegroup_config()
        .cluster_name(eks_arn::cluster(arn, call)?)
        .nodegroup_name(eks_arn::child(arn, call)?)
        .set_scaling_config(sizes)
        .set_labels(change("labels").map(labels))
        .set_taints(change("taints").map(taints))
        .set_update_config(update_config)
        .set_node_repair_config(repair.map(|enabled| NodeRepairConfig::builder().enabled(enabled).build()))
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Update, call))?;
    Ok(accepted(operation, arn, answer.update.as_ref()))
}

/// The new bounds. The live size is the autoscaler's and is left out, except when it lies outside of the new bounds, which EKS
/// refuses: then it moves just inside. It has to be read for that; the autoscaler may change it in the same moment, and the
/// group keeps to its bounds by itself.
async fn scaling(
    eks: &Client,
    arn: &str,
    attributes: &Attributes,
    call: &str,
) -> Result<NodegroupScalingConfig, ProviderError> {
    let (min, max) = (integer(attributes, "min_size", call)?, integer(attributes, "max_size", call)?);
    let group = read(eks, eks_arn::cluster(arn, call)?, eks_arn::child(arn, call)?).await?;
    let live = group.and_then(|group| group.scaling_config()?.desired_size());
    Ok(NodegroupScalingConfig::builder().min_size(min).max_size(max).set_desired_size(moved(live, min, max)).build())
}

/// The size to which a live size has to move; [`None`] when it may stay.
fn moved(live: Option<i32>, min: i32, max: i32) -> Option<i32> {
    live.filter(|live| *live < min || *live > max).map(|live| live.max(min).min(max))
}

/// What to set and what to remove to get from one map to another.
struct Delta<'a> {
    set: BTreeMap<&'a str, &'a Value>,
    removed: BTreeSet<&'a str>,
}

fn delta(change: &FieldChange) -> Delta<'_> {
    let empty = &Attributes::new();
    let from = change.from.as_ref().and_then(Value::as_map);
    let to = change.to.as_map();
    let set = to.into_iter().flatten().filter(|(key, value)| from.and_then(|from| from.get(*key)) != Some(*value));
    let removed = from.into_iter().flatten().filter(|(key, _)| !to.unwrap_or(empty).contains_key(*key));
    Delta {
        set: set.map(|(key, value)| (key.as_str(), value)).collect(),
        removed: removed.map(|(key, _)| key.as_str()).collect(),
    }
}

fn labels(change: &FieldChange) -> UpdateLabelsPayload {
    let delta = delta(change);
    let set = delta.set.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.as_text()?.to_owned())));
    let set: std::collections::HashMap<_, _> = set.collect();
    let removed: Vec<_> = delta.removed.into_iter().map(str::to_owned).collect();
    UpdateLabelsPayload::builder()
        .set_add_or_update_labels(Some(set).filter(|set| !set.is_empty()))
        .set_remove_labels(Some(removed).filter(|removed| !removed.is_empty()))
        .build()
}

fn taints(change: &FieldChange) -> UpdateTaintsPayload {
    let delta = delta(change);
    let from = change.from.as_ref().and_then(Value::as_map);
    let set: Vec<_> = delta.set.into_iter().filter_map(|(entry, value)| taint_of(entry, value)).collect();
    let present = |entry: &str| from.and_then(|from| from.get(entry));
    let removed: Vec<_> = delta.removed.into_iter().filter_map(|entry| taint_of(entry, present(entry)?)).collect();
    UpdateTaintsPayload::builder()
        .set_add_or_update_taints(Some(set).filter(|set| !set.is_empty()))
        .set_remove_taints(Some(removed).filter(|removed| !removed.is_empty()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(from: Option<&[(&str, &str)]>, to: &[(&str, &str)]) -> FieldChange {
        FieldChange {
            field: "labels".to_owned(),
            from: from.map(|from| Value::text_map(from.iter().copied())),
            to: Value::text_map(to.iter().copied()),
        }
    }

    #[test]
    fn labels_are_set_and_removed_by_what_differs() {
        let payload =
            labels(&change(Some(&[("a", "1"), ("b", "1"), ("c", "1")]), &[("a", "1"), ("b", "2"), ("d", "1")]));
        let set = payload.add_or_update_labels().unwrap();
        assert_eq!(set.len(), 2);
        assert_eq!((set["b"].as_str(), set["d"].as_str()), ("2", "1"));
        assert_eq!(payload.remove_labels(), ["c"]);
    }

    #[test]
    fn nothing_is_removed_that_is_not_known_to_be_there() {
        let payload = labels(&change(None, &[("a", "1")]));
        assert_eq!(payload.add_or_update_labels().unwrap().len(), 1);
        assert!(payload.remove_labels().is_empty());
    }

    #[test]
    fn a_taint_whose_effect_changes_is_added_and_removed() {
        let payload = taints(&change(Some(&[("k:NO_SCHEDULE", "v")]), &[("k:NO_EXECUTE", "v")]));
        let effects = |taints: &[aws_sdk_eks::types::Taint]| -> Vec<_> {
            taints.iter().filter_map(|taint| taint.effect().map(|effect| effect.as_str().to_owned())).collect()
        };
        assert_eq!(effects(payload.add_or_update_taints()), ["NO_EXECUTE"]);
        assert_eq!(effects(payload.remove_taints()), ["NO_SCHEDULE"]);
    }

    #[test]
    fn a_taint_whose_value_changes_is_only_set() {
        let payload = taints(&change(Some(&[("k:NO_SCHEDULE", "v")]), &[("k:NO_SCHEDULE", "w")]));
        assert_eq!(payload.add_or_update_taints()[0].value(), Some("w"));
        assert!(payload.remove_taints().is_empty());
    }

    #[test]
    fn the_live_size_moves_only_when_it_must() {
        assert_eq!(moved(Some(7), 0, 20), None);
        assert_eq!(moved(Some(0), 1, 20), Some(1));
        assert_eq!(moved(Some(12), 0, 8), Some(8));
        assert_eq!(moved(None, 1, 8), None);
    }
}
