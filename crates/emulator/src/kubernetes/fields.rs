//! The parts of an object, as field managers own them: sets of paths, written as `FieldsV1`.
//!
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/> and `sigs.k8s.io/structured-merge-diff`. Which lists are
//! merged by which keys is said by `x-kubernetes-list-map-keys` and `x-kubernetes-list-type` of the official schema; all
//! others are one value.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The way to a part of an object: `f:spec`, `f:containers`, `k:{"name":"first"}`, `f:image`.
pub(crate) type Path = Vec<String>;

/// Where something is written by whom.
pub(crate) type Fields = BTreeSet<Path>;

/// The members by which an item of a list is known. One that an item does not have has the value beside it.
type Keys = &'static [(&'static str, Option<&'static str>)];

/// Lists whose items are known by keys.
const KEYED: [(&str, Keys); 14] = [
    ("conditions", &[("type", None)]),
    ("containers", &[("name", None)]),
    ("env", &[("name", None)]),
    ("ephemeralContainers", &[("name", None)]),
    ("hostAliases", &[("ip", None)]),
    ("imagePullSecrets", &[("name", None)]),
    ("initContainers", &[("name", None)]),
    ("ownerReferences", &[("uid", None)]),
    ("resourceClaims", &[("name", None)]),
    ("secrets", &[("name", None)]),
    ("topologySpreadConstraints", &[("topologyKey", None), ("whenUnsatisfiable", None)]),
    ("volumeDevices", &[("devicePath", None)]),
    ("volumeMounts", &[("mountPath", None)]),
    ("volumes", &[("name", None)]),
];

/// Ports are those of a container or of a service.
const CONTAINER_PORT: Keys = &[("containerPort", None), ("protocol", Some("TCP"))];
const SERVICE_PORT: Keys = &[("port", None), ("protocol", Some("TCP"))];

/// Lists of values, each of which is there or not.
const SETS: [&str; 1] = ["finalizers"];

/// Maps that are one value (`x-kubernetes-map-type: atomic`).
const ATOMIC: [&str; 9] = [
    "configMapKeyRef",
    "fieldRef",
    "labelSelector",
    "nodeSelector",
    "resourceFieldRef",
    "roleRef",
    "secretKeyRef",
    "selector",
    "targetRef",
];

/// Maps with keys of anybody's choice.
const MAPS: [&str; 8] =
    ["annotations", "binaryData", "data", "labels", "limits", "matchLabels", "parameters", "requests"];

/// How a part of an object is put together.
enum Shape<'a> {
    Map(&'a Map<String, Value>),
    Keyed(&'a [Value], Keys),
    Set(&'a [Value]),
    Whole,
}

fn shape<'a>(name: &str, value: &'a Value) -> Shape<'a> {
    match value {
        Value::Object(map) if !map.is_empty() && !ATOMIC.contains(&name) => Shape::Map(map),
        Value::Array(items) if !items.is_empty() => match keys(name, items) {
            Some(keys) => Shape::Keyed(items, keys),
            None if SETS.contains(&name) => Shape::Set(items),
            None => Shape::Whole,
        },
        _ => Shape::Whole,
    }
}

fn keys(name: &str, items: &[Value]) -> Option<Keys> {
    if name == "ports" {
        let is_container = items.iter().all(|item| item.get("containerPort").is_some());
        let is_service = items.iter().all(|item| item.get("port").is_some());
        return if is_container { Some(CONTAINER_PORT) } else { is_service.then_some(SERVICE_PORT) };
    }
    let (_, keys) = KEYED.iter().find(|(known, _)| *known == name)?;
    let has_keys = |item: &Value| keys.iter().all(|(key, usual)| usual.is_some() || item.get(*key).is_some());
    items.iter().all(has_keys).then_some(*keys)
}

fn selector(item: &Value, keys: Keys) -> String {
    let values = keys.iter().map(|(key, usual)| {
        let value = item.get(*key).cloned().unwrap_or_else(|| json!(usual));
        ((*key).to_owned(), value)
    });
    format!("k:{}", Value::Object(values.collect()))
}

/// Every part of a value.
pub(crate) fn of(value: &Value) -> Fields {
    let mut fields = Fields::new();
    collect("", value, &mut Vec::new(), &mut fields);
    fields
}

fn collect(name: &str, value: &Value, path: &mut Path, fields: &mut Fields) {
    match shape(name, value) {
        Shape::Map(map) => {
            for (key, inner) in map {
                path.push(format!("f:{key}"));
                collect(key, inner, path, fields);
                path.pop();
            }
        }
        Shape::Keyed(items, keys) => {
            for item in items {
                path.push(selector(item, keys));
                fields.insert(path.clone());
                collect("", item, path, fields);
                path.pop();
            }
        }
        Shape::Set(items) => {
            for item in items {
                path.push(format!("v:{item}"));
                fields.insert(path.clone());
                path.pop();
            }
        }
        Shape::Whole => {
            if !path.is_empty() {
                fields.insert(path.clone());
            }
        }
    }
}

/// As `FieldsV1`.
pub(crate) fn written(fields: &Fields) -> Value {
    let mut root = Map::new();
    // What is inside comes before what it is inside of.
    for path in fields.iter().rev() {
        let mut place = &mut root;
        for step in path {
            let next = place.entry(step.clone()).or_insert_with(|| json!({}));
            // Every entry was made here.
            let Value::Object(next) = next else { unreachable!("an entry is an object") };
            place = next;
        }
        let is_item = path.last().is_some_and(|step| step.starts_with("k:"));
        if is_item || !place.is_empty() {
            place.insert(".".to_owned(), json!({}));
        }
    }
    Value::Object(root)
}

/// Whether a path ends at something that holds parts of its own: several may own that at once.
pub(crate) fn is_container(path: &[String]) -> bool {
    let last = path.last().map(String::as_str).unwrap_or_default();
    last.starts_with("k:") || MAPS.iter().any(|name| last.strip_prefix("f:") == Some(name))
}

/// What somebody has written who made `after` of `before`: every part that is another, and every map of keys that was not there.
pub(crate) fn changed(before: &Value, after: &Value) -> Fields {
    let mut written: Fields = of(after).into_iter().filter(|path| get(before, path) != get(after, path)).collect();
    let maps: Vec<Path> = written
        .iter()
        .filter_map(|path| {
            let place = path.iter().rposition(|step| MAPS.iter().any(|name| step.strip_prefix("f:") == Some(name)))?;
            let map = path[..=place].to_vec();
            get(before, &map).is_none().then_some(map)
        })
        .collect();
    written.extend(maps);
    written
}

/// Takes out maps of keys that have none: the types of the API do not write them.
pub(crate) fn drop_empty_maps(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, inner| !(MAPS.contains(&name.as_str()) && is_empty(inner)));
            map.values_mut().for_each(drop_empty_maps);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty_maps),
        _ => {}
    }
}

/// Lays one value over another.
pub(crate) fn merge(name: &str, live: &mut Value, wanted: &Value) {
    match (shape(name, wanted), live) {
        (Shape::Map(wanted), Value::Object(live)) if !ATOMIC.contains(&name) => {
            for (key, value) in wanted {
                match live.get_mut(key) {
                    Some(present) => merge(key, present, value),
                    None => {
                        live.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (Shape::Keyed(wanted, keys), Value::Array(live)) => {
            for item in wanted {
                let own = selector(item, keys);
                match live.iter_mut().find(|present| selector(present, keys) == own) {
                    Some(present) => merge("", present, item),
                    None => live.push(item.clone()),
                }
            }
        }
        (Shape::Set(wanted), Value::Array(live)) => {
            for item in wanted {
                if !live.contains(item) {
                    live.push(item.clone());
                }
            }
        }
        // An empty map says that there is one, not that nothing is in it.
        (Shape::Whole, Value::Object(_))
            if wanted.as_object().is_some_and(Map::is_empty) && !ATOMIC.contains(&name) => {}
        (_, live) => live.clone_from(wanted),
    }
}

/// The value at a path.
pub(crate) fn get<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    let Some((step, rest)) = path.split_first() else { return Some(value) };
    let inner = match (step.split_once(':')?, value) {
        (("f", key), Value::Object(map)) => map.get(key)?,
        (_, Value::Array(items)) => items.iter().find(|item| is_item(step, item))?,
        _ => return None,
    };
    get(inner, rest)
}

/// Takes the part at a path out, and the maps and lists that are empty without it.
pub(crate) fn remove(value: &mut Value, path: &[String]) {
    let Some((step, rest)) = path.split_first() else { return };
    match value {
        Value::Object(map) => {
            let Some(key) = step.strip_prefix("f:") else { return };
            if rest.is_empty() {
                map.remove(key);
            } else if let Some(inner) = map.get_mut(key) {
                remove(inner, rest);
                if is_empty(inner) {
                    map.remove(key);
                }
            }
        }
        Value::Array(items) => {
            if rest.is_empty() {
                items.retain(|item| !is_item(step, item));
            } else if let Some(inner) = items.iter_mut().find(|item| is_item(step, item)) {
                remove(inner, rest);
            }
        }
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn is_item(step: &str, item: &Value) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    if let Some(Value::Object(keys)) = step.strip_prefix("k:").and_then(parsed) {
        return keys.iter().all(|(key, value)| {
            item.get(key).unwrap_or(if key == "protocol" { &DEFAULT_PROTOCOL } else { &Value::Null }) == value
        });
    }
    step.strip_prefix("v:").and_then(parsed).is_some_and(|value| value == *item)
}

static DEFAULT_PROTOCOL: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| json!("TCP"));

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Value {
        json!({
            "metadata": { "labels": { "app": "a" }, "finalizers": ["x"] },
            "spec": {
                "selector": { "matchLabels": { "app": "a" } },
                "template": { "spec": { "containers": [
                    { "name": "first", "args": ["one"], "ports": [{ "containerPort": 80 }] },
                ] } },
            },
        })
    }

    #[test]
    fn parts_are_written_as_the_api_server_writes_them() {
        let expected = json!({
            "f:metadata": { "f:labels": { "f:app": {} }, "f:finalizers": { "v:\"x\"": {} } },
            "f:spec": {
                "f:selector": {},
                "f:template": { "f:spec": { "f:containers": { "k:{\"name\":\"first\"}": {
                    ".": {}, "f:name": {}, "f:args": {},
                    "f:ports": { "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:containerPort": {} } },
                } } } },
            },
        });
        assert_eq!(written(&of(&deployment())), expected);
    }

    #[test]
    fn items_are_merged_by_their_keys_and_other_lists_are_replaced() {
        let mut live = deployment();
        let wanted = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "first", "args": ["two"] }, { "name": "second" },
        ] } } } });
        merge("", &mut live, &wanted);
        let containers = &live["spec"]["template"]["spec"]["containers"];
        assert_eq!(containers[0]["args"], json!(["two"]));
        assert_eq!(containers[0]["ports"][0]["containerPort"], json!(80));
        assert_eq!(containers[1]["name"], json!("second"));
    }

    #[test]
    fn whatever_has_a_path_can_be_found_and_taken_out() {
        let mut live = deployment();
        for path in &of(&deployment()) {
            assert!(get(&deployment(), path).is_some(), "{path:?}");
            remove(&mut live, path);
            assert!(get(&live, path).is_none(), "{path:?}");
        }
        assert_eq!(live, json!({}));
    }
}
