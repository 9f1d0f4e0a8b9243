//! Labels and annotations: whose an object is.

use std::collections::BTreeMap;

use howso_infra_core::identity::{
    CLUSTER_TAG, ClusterIdentity, DEPLOYMENT_TAG, GENERATION_TAG, Generation, RESOURCE_TAG, TAG_PREFIX,
};
use howso_infra_core::{DeploymentId, Ownership, ResourceId};
use serde_json::{Map, Value as Json};

/// Tells whose an object is, seen from `cluster` and, when it is known, its deployment.
pub(crate) fn of(object: &Json, cluster: &str, deployment: Option<&DeploymentId>) -> Ownership {
    let label = |key: &str| object.pointer("/metadata/labels")?.get(key)?.as_str();
    let foreign = |key: &str| Ownership::Foreign {
        evidence: label(key).map_or_else(|| format!("label {key} is missing"), |value| format!("label {key}={value}")),
    };
    if label(CLUSTER_TAG).is_none() && label(DEPLOYMENT_TAG).is_none() {
        return Ownership::Unclaimed;
    }
    if label(CLUSTER_TAG) != Some(cluster) {
        return foreign(CLUSTER_TAG);
    }
    let Some(owner) = label(DEPLOYMENT_TAG).and_then(|id| id.parse::<DeploymentId>().ok()) else {
        return foreign(DEPLOYMENT_TAG);
    };
    if deployment.is_some_and(|wanted| *wanted != owner) {
        return foreign(DEPLOYMENT_TAG);
    }
    Ownership::Ours { deployment: owner, generation: generation(object) }
}

/// The generation in which an object was made.
pub(crate) fn generation(object: &Json) -> Option<Generation> {
    object.pointer("/metadata/labels")?.get(GENERATION_TAG)?.as_str()?.parse().ok().map(Generation)
}

/// The resource that an object says it is.
pub(crate) fn resource(object: &Json) -> Option<ResourceId> {
    object.pointer("/metadata/annotations")?.get(RESOURCE_TAG)?.as_str()?.parse().ok()
}

/// The labels and the annotations that make an object ours. The resource's name has signs that no label may have.
pub(crate) fn marks(identity: &ClusterIdentity, resource: &ResourceId) -> (Map<String, Json>, Map<String, Json>) {
    let tags: BTreeMap<String, String> = identity.tags(resource);
    let (annotations, labels): (Vec<_>, Vec<_>) = tags.into_iter().partition(|(key, _)| key == RESOURCE_TAG);
    let text = |(key, value): (String, String)| (key, Json::from(value));
    (labels.into_iter().map(text).collect(), annotations.into_iter().map(text).collect())
}

/// Whether a label or annotation is one of ours.
pub(crate) fn is_mark(key: &str) -> bool {
    key.starts_with(TAG_PREFIX)
}
