//! Tags: whose a resource is, and which resource of the graph it is.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Tag;
use howso_infra_core::identity::{
    CLUSTER_TAG, ClusterIdentity, DEPLOYMENT_TAG, DeploymentId, GENERATION_TAG, Generation, RESOURCE_TAG, TAG_PREFIX,
};
use howso_infra_core::{Attributes, Ownership, ResourceId, Value};

/// The tag that EC2's console shows as a resource's name.
pub(crate) const NAME_TAG: &str = "Name";

/// Tags as read from or sent to a service.
pub(crate) type Tags = BTreeMap<String, String>;

/// Tells whose a resource with these tags is, seen from `cluster` and, when it is known, its deployment.
pub(crate) fn ownership(tags: &Tags, cluster: &str, deployment: Option<&DeploymentId>) -> Ownership {
    let foreign = |tag: &str| Ownership::Foreign {
        evidence: tags.get(tag).map_or_else(|| format!("tag {tag} is missing"), |value| format!("tag {tag}={value}")),
    };
    if !tags.contains_key(CLUSTER_TAG) && !tags.contains_key(DEPLOYMENT_TAG) {
        return Ownership::Unclaimed;
    }
    if tags.get(CLUSTER_TAG).map(String::as_str) != Some(cluster) {
        return foreign(CLUSTER_TAG);
    }
    let Some(owner) = tags.get(DEPLOYMENT_TAG).and_then(|id| id.parse::<DeploymentId>().ok()) else {
        return foreign(DEPLOYMENT_TAG);
    };
    if deployment.is_some_and(|wanted| *wanted != owner) {
        return foreign(DEPLOYMENT_TAG);
    }
    let generation = tags.get(GENERATION_TAG).and_then(|number| number.parse().ok()).map(Generation);
    Ownership::Ours { deployment: owner, generation }
}

/// The resource of the graph that the tags name, when it is of `kind`.
pub(crate) fn resource_id(tags: &Tags, kind: &str) -> Option<ResourceId> {
    tags.get(RESOURCE_TAG)?.parse().ok().filter(|id: &ResourceId| id.kind() == kind)
}

/// The tags as an attribute: all but those of ownership and those of AWS itself.
pub(crate) fn attribute(tags: &Tags) -> Value {
    Value::text_map(tags.iter().filter(|(key, _)| is_declarable(key)).map(|(key, value)| (key.clone(), value.clone())))
}

/// The tags of a create call: the attribute `tags` and those of ownership, which win.
pub(crate) fn for_create(attributes: &Attributes, identity: &ClusterIdentity, resource: &ResourceId) -> Tags {
    let mut tags = declared(attributes);
    tags.extend(identity.tags(resource));
    tags
}

/// The tags in the attribute `tags`.
pub(crate) fn declared(attributes: &Attributes) -> Tags {
    attributes.get("tags").map(from_value).unwrap_or_default()
}

/// The tags in a value.
pub(crate) fn from_value(value: &Value) -> Tags {
    let entries = value.as_map().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_text()?.to_owned()))).collect()
}

/// Tags as EC2 gives them.
pub(crate) fn from_ec2(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}

/// Tags as EC2 takes them.
pub(crate) fn to_ec2(tags: Tags) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn is_declarable(key: &str) -> bool {
    !key.starts_with(TAG_PREFIX) && !key.starts_with("aws:")
}
