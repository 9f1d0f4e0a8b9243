//! Tags of clusters and what belongs to them, by ARN.

use serde_json::{Map, Value, json};

use crate::eks::{Call, Object, not_found};
use crate::error::{Answer, ApiError};

pub(super) fn tag(call: &mut Call<'_>) -> Answer {
    let given = call.parameters["tags"].as_object().cloned().unwrap_or_default();
    tags_of(call)?.extend(given);
    Ok(json!({}))
}

pub(super) fn untag(call: &mut Call<'_>) -> Answer {
    let keys = call.parameters["tagKeys"].as_array().cloned().unwrap_or_default();
    let tags = tags_of(call)?;
    for key in keys.iter().filter_map(Value::as_str) {
        tags.remove(key);
    }
    Ok(json!({}))
}

/// The tags of the object with the ARN of the call.
fn tags_of<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Map<String, Value>, ApiError> {
    let arn = call.text("resourceArn").to_owned();
    let missing = not_found(format!("The resource {arn} does not exist"));
    let clusters = call.region.eks.clusters.values_mut().flat_map(|cluster| {
        let entries = cluster.entries.values_mut().map(|entry| &mut entry.own);
        let others =
            cluster.nodegroups.values_mut().chain(cluster.addons.values_mut()).chain(cluster.associations.values_mut());
        std::iter::once(&mut cluster.own).chain(others).chain(entries)
    });
    let is_named = |object: &&mut Object| object.arn() == Some(arn.as_str());
    let object = { clusters }.find(is_named).ok_or(missing)?;
    let tags = object.value.entry("tags").or_insert_with(|| json!({}));
    tags.as_object_mut().ok_or_else(|| ApiError::internal("tags are a map"))
}
