//! Tags of objects that exist.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::ec2::{Call, Kind, Object};
use crate::error::{Answer, ApiError};

/// The tags of a list, checked as EC2 does: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions>.
pub(super) fn pairs(list: &Value) -> Result<BTreeMap<String, String>, ApiError> {
    let mut pairs = BTreeMap::new();
    for tag in list.as_array().into_iter().flatten() {
        let (key, value) = (tag["Key"].as_str().unwrap_or_default(), tag["Value"].as_str().unwrap_or_default());
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(ApiError::new("InvalidParameterValue", "Tag key or value has a length that is not allowed"));
        }
        if key.to_lowercase().starts_with("aws:") {
            let message = "Tag keys starting with 'aws:' are reserved for internal use";
            return Err(ApiError::new("InvalidParameterValue", message));
        }
        if pairs.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(ApiError::new("InvalidParameterValue", format!("Duplicate tag key '{key}' specified.")));
        }
    }
    Ok(pairs)
}

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let given = pairs(&call.parameters["Tags"])?;
    for (kind, id) in named(call)? {
        let object = call.ec2.get_mut(kind, &id)?;
        object.tags.extend(given.clone());
        if object.tags.len() > 50 {
            return Err(ApiError::new("TagLimitExceeded", "The maximum number of tags is 50"));
        }
    }
    Ok(json!({}))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let given = call.parameters["Tags"].as_array().cloned();
    for (kind, id) in named(call)? {
        let object = call.ec2.get_mut(kind, &id)?;
        match &given {
            // Without tags, all go.
            None => object.tags.clear(),
            Some(given) => given.iter().for_each(|tag| remove(object, tag)),
        }
    }
    Ok(json!({}))
}

/// A tag with a value goes only when it has that value.
fn remove(object: &mut Object, tag: &Value) {
    let (key, value) = (tag["Key"].as_str().unwrap_or_default(), tag["Value"].as_str());
    if value.is_none_or(|value| object.tags.get(key).is_some_and(|own| own == value)) {
        object.tags.remove(key);
    }
}

/// The objects that the call names: all, or none when one does not exist.
fn named(call: &Call<'_>) -> Result<Vec<(Kind, String)>, ApiError> {
    let find = |id: &str| {
        let kind = Kind::of(id).ok_or_else(|| ApiError::new("InvalidID", format!("The ID '{id}' is not valid")))?;
        call.ec2.get(kind, id).map(|_| (kind, id.to_owned()))
    };
    call.texts("Resources").into_iter().map(find).collect()
}
