//! The JSON schema of the specification file, with each provider's table.

use std::collections::BTreeMap;

use schemars::Schema;
use serde_json::{Map, Value as Json};

use crate::spec::SpecDocument;
use crate::spec::defaults::built_in_defaults;

/// What is said of each provider's part of a specification, by provider.
pub type ProviderSchemas = BTreeMap<String, ProviderSchema>;

/// What is said of one provider's part of a specification.
#[derive(Clone, Debug)]
pub struct ProviderSchema {
    /// The schema of its own table.
    pub options: Schema,
    /// What the only place is called on a platform that has no regions.
    pub only_location: Option<&'static str>,
}

impl From<Schema> for ProviderSchema {
    /// A provider with regions.
    fn from(options: Schema) -> Self {
        Self { options, only_location: None }
    }
}

/// The schema of the specification file: the shared keys and one table for each of `providers`.
///
/// Built-in defaults are in it as `default`.
pub fn json_schema(providers: &ProviderSchemas) -> Json {
    let mut schema = schemars::schema_for!(SpecDocument).to_value();
    for (name, provider) in providers {
        add_provider(&mut schema, name, provider.options.clone().to_value());
    }
    tidy(&mut schema);
    let defaults = built_in_defaults();
    for (path, value) in defaults.leaves() {
        if let Some(node) = property_mut(&mut schema, &path.to_string().split('.').collect::<Vec<_>>()) {
            node.insert("default".to_owned(), value.to_json());
        }
    }
    schema
}

/// Takes out what makes no sense for TOML, which has no null, and the line breaks of our sources.
fn tidy(node: &mut Json) {
    match node {
        Json::Object(object) => {
            if object.get("default").is_some_and(Json::is_null) {
                object.remove("default");
            }
            if let Some(Json::String(text)) = object.get_mut("description") {
                *text =
                    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
            }
            if let Some(Json::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Json::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").and_then(Json::as_str) != Some("null"));
                // A description beside the reference stays beside it.
                if let [Json::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    object.remove("anyOf");
                    only.into_iter().for_each(|(key, value)| _ = object.entry(key).or_insert(value));
                }
            }
            object.values_mut().for_each(tidy);
        }
        Json::Array(items) => items.iter_mut().for_each(tidy),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// Adds a provider's schema as the table `name`; its definitions move to the top under names of their own.
fn add_provider(schema: &mut Json, name: &str, mut provider: Json) {
    rename_references(&mut provider, name);
    if let Some(object) = provider.as_object_mut() {
        object.remove("$schema");
        if let Some(Json::Object(definitions)) = object.remove("$defs") {
            let all = object_at(schema, "$defs");
            all.extend(definitions.into_iter().map(|(key, definition)| (definition_name(name, &key), definition)));
        }
    }
    object_at(schema, "properties").insert(name.to_owned(), provider);
}

fn definition_name(provider: &str, name: &str) -> String {
    format!("{provider}.{name}")
}

fn rename_references(node: &mut Json, provider: &str) {
    match node {
        Json::Object(object) => {
            for (key, value) in object {
                match value {
                    Json::String(reference) if key == "$ref" => {
                        if let Some(name) = reference.strip_prefix("#/$defs/") {
                            *reference = format!("#/$defs/{}", definition_name(provider, name));
                        }
                    }
                    other => rename_references(other, provider),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rename_references(item, provider)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// The object at `key`, made when it is missing.
fn object_at<'a>(schema: &'a mut Json, key: &str) -> &'a mut Map<String, Json> {
    let top = schema.as_object_mut().expect("the schema of a struct is an object");
    let object = top.entry(key).or_insert_with(|| Json::Object(Map::new()));
    object.as_object_mut().expect("`properties` and `$defs` are objects")
}

/// The schema of the property at `path`, through references to definitions.
fn property_mut<'a>(schema: &'a mut Json, path: &[&str]) -> Option<&'a mut Map<String, Json>> {
    let mut pointer = String::new();
    for key in path {
        if let Some(reference) = schema.pointer(&pointer)?.get("$ref").and_then(Json::as_str) {
            pointer = reference.strip_prefix('#')?.to_owned();
        }
        pointer = format!("{pointer}/properties/{key}");
    }
    schema.pointer_mut(&pointer)?.as_object_mut()
}
