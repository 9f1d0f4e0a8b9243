//! The part of an object that one field manager wrote.
//!
//! Format: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>, `FieldsV1`.

use serde_json::{Map, Value as Json};

/// The name under which this program writes.
pub(crate) const FIELD_MANAGER: &str = "howso-infra";

/// The object with the fields alone that were applied by us and that nobody has taken over since.
pub(crate) fn owned(object: &Json) -> Json {
    let entries = object.pointer("/metadata/managedFields").and_then(Json::as_array);
    let is_ours = |entry: &&Json| {
        entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply" && entry.get("subresource").is_none()
    };
    match entries.into_iter().flatten().find(is_ours) {
        Some(entry) => project(object, &entry["fieldsV1"]),
        None => Json::Object(Map::new()),
    }
}

fn project(value: &Json, fields: &Json) -> Json {
    let Some(fields) = fields.as_object().filter(|fields| !fields.is_empty()) else { return value.clone() };
    match value {
        Json::Object(entries) => {
            let keys = fields.iter().filter_map(|(key, inner)| Some((key.strip_prefix("f:")?, inner)));
            let kept = keys.filter_map(|(key, inner)| Some((key.to_owned(), project(entries.get(key)?, inner))));
            Json::Object(kept.collect())
        }
        Json::Array(items) => {
            let kept = items.iter().filter_map(|item| {
                let (_, inner) = fields.iter().find(|(selector, _)| selects(selector, item))?;
                Some(project(item, inner))
            });
            Json::Array(kept.collect())
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
    }
}

/// Whether a selector means this item of a list: by its keys, or by its value.
fn selects(selector: &str, item: &Json) -> bool {
    let parse = |text: &str| serde_json::from_str::<Json>(text).ok();
    if let Some(keys) = selector.strip_prefix("k:").and_then(parse) {
        return keys.as_object().is_some_and(|keys| keys.iter().all(|(key, value)| item.get(key) == Some(value)));
    }
    selector.strip_prefix("v:").and_then(parse).is_some_and(|value| value == *item)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(manager: &str, fields: &Json) -> Json {
        json!({
            "metadata": {
                "labels": { "ours": "1", "theirs": "2" },
                "managedFields": [{ "manager": manager, "operation": "Apply", "fieldsV1": fields }],
            },
            "spec": {
                "replicas": 3,
                "containers": [
                    { "name": "first", "image": "a", "args": ["x", "y"], "tty": false },
                    { "name": "second", "image": "b" },
                ],
                "finalizers": ["one", "two"],
                "volume": { "emptyDir": {} },
            },
        })
    }

    #[test]
    fn only_what_was_applied_by_us_is_kept() {
        let fields = json!({
            "f:metadata": { "f:labels": { "f:ours": {} } },
            "f:spec": {
                "f:containers": { "k:{\"name\":\"first\"}": { ".": {}, "f:name": {}, "f:image": {}, "f:args": {} } },
                "f:finalizers": { "v:\"two\"": {} },
                "f:volume": { "f:emptyDir": {} },
            },
        });
        let expected = json!({
            "metadata": { "labels": { "ours": "1" } },
            "spec": {
                "containers": [{ "name": "first", "image": "a", "args": ["x", "y"] }],
                "finalizers": ["two"],
                "volume": { "emptyDir": {} },
            },
        });
        assert_eq!(owned(&object(FIELD_MANAGER, &fields)), expected);
    }

    #[test]
    fn what_another_manager_wrote_is_not_ours() {
        assert_eq!(owned(&object("kubectl", &json!({ "f:spec": { "f:replicas": {} } }))), json!({}));
    }
}
