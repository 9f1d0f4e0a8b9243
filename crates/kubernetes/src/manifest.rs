//! Between manifests, which are JSON, and attributes.

use howso_infra_core::identity::ClusterIdentity;
use howso_infra_core::{Attributes, Resource, ResourceId, Value};
use serde_json::{Map, Value as Json};

use crate::kinds;
use crate::object::ObjectKind;
use crate::owned_fields::owned;
use crate::ownership;

/// Attributes that are no section of the manifest.
const HEAD: [&str; 5] = ["name", "namespace", "labels", "annotations", "cluster"];

/// The attribute that carries the object's unique id, by which an object is told from another of the same name.
pub(crate) const UID: &str = "uid";

/// What an object is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Name<'a> {
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
}

/// Builds the wanted object. `manifest` has labels and annotations under `metadata`, and its sections beside it.
pub(crate) fn resource(kind: &str, name: Name<'_>, manifest: &Json) -> Resource {
    let texts =
        |pointer: &str| manifest.pointer(pointer).map_or_else(|| Value::Map(Attributes::new()), Value::from_json);
    let mut resource = Resource::new(ResourceId::new(kind, name.name))
        .with("name", name.name)
        .with("labels", texts("/metadata/labels"))
        .with("annotations", texts("/metadata/annotations"));
    if let Some(namespace) = name.namespace {
        resource = resource.with("namespace", namespace);
    }
    for (section, value) in manifest.as_object().into_iter().flatten().filter(|(section, _)| *section != "metadata") {
        resource.attributes.insert(section.clone(), Value::from_json(value));
    }
    resource
}

/// The manifest that is sent: the attributes, and the marks of ownership.
pub(crate) fn to_send(
    object: ObjectKind,
    attributes: &Attributes,
    identity: &ClusterIdentity,
    resource: &ResourceId,
) -> Json {
    let (mut labels, mut annotations) = ownership::marks(identity, resource);
    let texts = |field: &str| attributes.get(field).map(Value::to_json);
    let declared = |field: &str| texts(field).and_then(|value| value.as_object().cloned()).unwrap_or_default();
    labels.extend(declared("labels"));
    annotations.extend(declared("annotations"));
    let mut metadata = Map::from_iter([
        ("name".to_owned(), texts("name").unwrap_or_default()),
        ("labels".to_owned(), Json::Object(labels)),
        ("annotations".to_owned(), Json::Object(annotations)),
    ]);
    metadata.extend(texts("namespace").map(|namespace| ("namespace".to_owned(), namespace)));
    let sections = attributes.iter().filter(|(field, _)| !HEAD.contains(&field.as_str()) && *field != UID);
    let mut manifest: Map<String, Json> = sections.map(|(section, value)| (section.clone(), value.to_json())).collect();
    manifest.insert("apiVersion".to_owned(), object.api_version.into());
    manifest.insert("kind".to_owned(), object.api_kind.into());
    manifest.insert("metadata".to_owned(), Json::Object(metadata));
    Json::Object(manifest)
}

/// The attributes of an object that is there: of its maps and lists what we applied, of everything else what it says.
///
/// Every field of the kind is reported, because a difference in a field that is not reported could not be seen.
pub(crate) fn observed(object: ObjectKind, live: &Json, contents: &str) -> Attributes {
    let owned = owned(live);
    let text = |pointer: &str| live.pointer(pointer).and_then(Json::as_str).map(Value::text);
    let marked = |field: &str| {
        let entries = owned.pointer(&format!("/metadata/{field}")).and_then(Json::as_object);
        let entries = entries.into_iter().flatten().filter(|(key, _)| !ownership::is_mark(key));
        Value::Map(entries.map(|(key, value)| (key.clone(), Value::from_json(value))).collect())
    };
    let mut attributes = Attributes::from([
        ("cluster".to_owned(), Value::text(contents)),
        ("labels".to_owned(), marked("labels")),
        ("annotations".to_owned(), marked("annotations")),
    ]);
    let head = [("name", text("/metadata/name")), ("namespace", text("/metadata/namespace"))];
    let head = head.into_iter().chain([(UID, text("/metadata/uid"))]);
    attributes.extend(head.filter_map(|(field, value)| Some((field.to_owned(), value?))));
    let fields = kinds::kind(object.kind).map(|kind| kind.fields).unwrap_or_default();
    for (section, _) in fields.iter().filter(|(field, _)| !HEAD.contains(field)) {
        let value = match (owned.get(section), live.get(section)) {
            (Some(value), _) => Value::from_json(value),
            // Somebody else's words in place of ours: they differ, or are the same.
            (None, Some(value)) if !value.is_object() => Value::from_json(value),
            (None, Some(_) | None) => Value::Map(Attributes::new()),
        };
        attributes.insert((*section).to_owned(), value);
    }
    attributes
}

#[cfg(test)]
mod tests;
