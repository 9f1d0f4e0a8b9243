//! Walking along a JSON schema beside a value.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// The kinds of TOML values, as schemas distinguish them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueKind {
    Table,
    Array,
    String,
    Integer,
    Float,
    Boolean,
    Datetime,
}

impl ValueKind {
    /// What a person calls it.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Table => "a table",
            Self::Array => "a list",
            Self::String => "text",
            Self::Integer => "a whole number",
            Self::Float => "a number with a fraction",
            Self::Boolean => "true or false",
            Self::Datetime => "a date",
        }
    }

    /// Whether a schema of JSON type `name` accepts it.
    fn is_of_type(self, name: &str) -> bool {
        match self {
            Self::Table => name == "object",
            Self::Array => name == "array",
            Self::String => name == "string",
            Self::Integer => matches!(name, "integer" | "number"),
            Self::Float => name == "number",
            Self::Boolean => name == "boolean",
            Self::Datetime => false,
        }
    }
}

/// References that lead to references: more than any schema of ours needs, and a bound for those that lead in circles.
const REFERENCE_DEPTH: usize = 16;

/// A place in a schema: the alternatives that a value may satisfy there.
///
/// Alternatives (`anyOf`, `oneOf`, `allOf`) are taken together: a key that one of them knows is known.
#[derive(Clone, Debug)]
pub(crate) struct SchemaCursor<'a> {
    root: &'a Json,
    alternatives: Vec<&'a Json>,
}

impl<'a> SchemaCursor<'a> {
    /// The top of `root`.
    pub(crate) fn new(root: &'a Json) -> Self {
        Self::at(root, root)
    }

    fn at(root: &'a Json, node: &'a Json) -> Self {
        let mut alternatives = Vec::new();
        expand(root, node, REFERENCE_DEPTH, &mut alternatives);
        Self { root, alternatives }
    }

    fn types(node: &'a Json) -> Vec<&'a str> {
        match node.get("type") {
            Some(Json::String(name)) => vec![name],
            Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
            _ if node.get("enum").is_some() || node.get("const").is_some() => vec!["string"],
            _ if node.get("properties").is_some() => vec!["object"],
            _ => Vec::new(),
        }
    }

    /// Whether anything is accepted here.
    pub(crate) fn is_open(&self) -> bool {
        self.alternatives.is_empty() || self.alternatives.iter().any(|node| Self::types(node).is_empty())
    }

    /// Whether a value of `kind` is accepted here.
    pub(crate) fn accepts(&self, kind: ValueKind) -> bool {
        self.is_open() || self.of_kind(kind).next().is_some()
    }

    fn of_kind(&self, kind: ValueKind) -> impl Iterator<Item = &'a Json> {
        self.alternatives.iter().copied().filter(move |node| Self::types(node).iter().any(|name| kind.is_of_type(name)))
    }

    /// The kinds that are accepted here; empty for any.
    pub(crate) fn kinds(&self) -> Vec<ValueKind> {
        use ValueKind::{Array, Boolean, Float, Integer, String, Table};
        if self.is_open() {
            return Vec::new();
        }
        let kinds = [Boolean, Integer, Float, String, Array, Table]
            .into_iter()
            .filter(|kind| self.accepts(*kind))
            .collect::<Vec<_>>();
        // A number with a fraction is said once, as such.
        if kinds.contains(&Float) { kinds.into_iter().filter(|kind| *kind != Integer).collect() } else { kinds }
    }

    /// The named keys of a table here.
    pub(crate) fn keys(&self) -> BTreeSet<&'a str> {
        self.of_kind(ValueKind::Table)
            .filter_map(|node| node.get("properties")?.as_object())
            .flat_map(|properties| properties.keys().map(String::as_str))
            .collect()
    }

    /// What `key` of a table here may be; [`None`] when there is no such key.
    ///
    /// A table with named keys has no others unless its schema says so: a key that nobody reads is a mistake.
    pub(crate) fn property(&self, key: &str) -> Option<Self> {
        let named = self.of_kind(ValueKind::Table).filter_map(|node| node.get("properties")?.get(key));
        let mut alternatives = Vec::new();
        named.for_each(|node| expand(self.root, node, REFERENCE_DEPTH, &mut alternatives));
        if alternatives.is_empty() {
            for node in self.of_kind(ValueKind::Table) {
                match node.get("additionalProperties") {
                    Some(Json::Bool(false)) => {}
                    Some(schema) => expand(self.root, schema, REFERENCE_DEPTH, &mut alternatives),
                    None if node.get("properties").is_none() => alternatives.push(&Json::Bool(true)),
                    None => {}
                }
            }
        }
        if alternatives.is_empty() && !self.is_open() {
            return None;
        }
        Some(Self { root: self.root, alternatives })
    }

    /// What the keys of a table here may be when they are free to choose.
    fn free_property(&self) -> Option<Self> {
        let node = self
            .of_kind(ValueKind::Table)
            .find_map(|node| node.get("additionalProperties").filter(|s| s.is_object()))?;
        Some(Self::at(self.root, node))
    }

    /// What the elements of a list here may be.
    pub(crate) fn items(&self) -> Self {
        let mut alternatives = Vec::new();
        let items = self.of_kind(ValueKind::Array).filter_map(|node| node.get("items"));
        items.for_each(|node| expand(self.root, node, REFERENCE_DEPTH, &mut alternatives));
        Self { root: self.root, alternatives }
    }

    /// The texts accepted here, in the order of the schema; [`None`] when texts are not listed one by one.
    pub(crate) fn accepted_texts(&self) -> Option<Vec<&'a str>> {
        let mut texts = Vec::new();
        for node in self.of_kind(ValueKind::String) {
            match (node.get("enum"), node.get("const")) {
                (Some(Json::Array(values)), _) => texts.extend(values.iter().filter_map(Json::as_str)),
                (_, Some(Json::String(text))) => texts.push(text),
                _ => return None,
            }
        }
        (!texts.is_empty()).then_some(texts)
    }

    /// An example of a text accepted here.
    pub(crate) fn example(&self) -> Option<&'a str> {
        self.of_kind(ValueKind::String).find_map(|node| node.get("examples")?.get(0)?.as_str())
    }

    /// The smallest and greatest whole number accepted here.
    pub(crate) fn integer_bounds(&self) -> (i64, i64) {
        let bound = |node: &Json, key: &str| node.get(key).and_then(as_integer);
        let format_bound = |node: &Json| match node.get("format").and_then(Json::as_str) {
            Some("uint8") => (Some(0), Some(i64::from(u8::MAX))),
            Some("uint16") => (Some(0), Some(i64::from(u16::MAX))),
            Some("uint32") => (Some(0), Some(i64::from(u32::MAX))),
            Some("int32") => (Some(i64::from(i32::MIN)), Some(i64::from(i32::MAX))),
            _ => (None, None),
        };
        let lows =
            self.of_kind(ValueKind::Integer).map(|n| bound(n, "minimum").or(format_bound(n).0).unwrap_or(i64::MIN));
        let highs =
            self.of_kind(ValueKind::Integer).map(|n| bound(n, "maximum").or(format_bound(n).1).unwrap_or(i64::MAX));
        (lows.min().unwrap_or(i64::MIN), highs.max().unwrap_or(i64::MAX))
    }

    /// Where in the schema a key called `name` exists, in dotted spelling; nearest to the top first.
    pub(crate) fn find_key(&self, name: &str) -> Option<String> {
        let mut level = vec![(String::new(), self.clone())];
        for _ in 0..4 {
            let mut next = Vec::new();
            for (path, cursor) in level {
                let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
                let keys = cursor.keys();
                if keys.contains(name) {
                    return Some(format!("{prefix}{name}"));
                }
                next.extend(keys.iter().filter_map(|key| Some((format!("{prefix}{key}"), cursor.property(key)?))));
                next.extend(cursor.free_property().map(|free| (format!("{prefix}<name>"), free)));
            }
            level = next;
        }
        None
    }
}

/// Reads a bound, which some generators write as `1.0`.
#[expect(clippy::cast_possible_truncation, reason = "bounds are small whole numbers, written with a fraction of zero")]
fn as_integer(value: &Json) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|number| number as i64))
}

/// Collects the alternatives of `node`, following references.
fn expand<'a>(root: &'a Json, node: &'a Json, depth: usize, alternatives: &mut Vec<&'a Json>) {
    if depth == 0 {
        return;
    }
    let mut is_alternative = true;
    if let Some(target) =
        node.get("$ref").and_then(Json::as_str).and_then(|reference| root.pointer(reference.strip_prefix('#')?))
    {
        expand(root, target, depth - 1, alternatives);
        is_alternative = false;
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for choice in node.get(keyword).and_then(Json::as_array).into_iter().flatten() {
            expand(root, choice, depth - 1, alternatives);
            is_alternative = false;
        }
    }
    let says_something = node.get("type").is_some() || node.get("properties").is_some();
    let is_null = node.get("type").and_then(Json::as_str) == Some("null");
    if (is_alternative || says_something) && !is_null {
        alternatives.push(node);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_and_alternatives_are_followed() {
        let schema = json!({
            "type": "object",
            "properties": { "pool": { "anyOf": [{ "$ref": "#/$defs/Pool" }, { "type": "null" }] } },
            "$defs": { "Pool": { "type": "object", "properties": { "max": { "type": ["integer", "null"], "maximum": 5.0 } } } }
        });
        let pool = SchemaCursor::new(&schema).property("pool").unwrap();
        assert_eq!(pool.keys(), BTreeSet::from(["max"]));
        let max = pool.property("max").unwrap();
        assert!(max.accepts(ValueKind::Integer) && !max.accepts(ValueKind::String));
        assert_eq!(max.integer_bounds(), (i64::MIN, 5));
        assert!(pool.property("min").is_none());
    }

    #[test]
    fn references_in_a_circle_end() {
        let schema = json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/A" } } });
        assert!(SchemaCursor::new(&schema).is_open());
    }

    #[test]
    fn listed_texts_come_from_enumerations_and_constants() {
        let schema = json!({ "oneOf": [{ "const": "a", "type": "string" }, { "enum": ["b", "c"], "type": "string" }] });
        assert_eq!(SchemaCursor::new(&schema).accepted_texts(), Some(vec!["a", "b", "c"]));
        let open = json!({ "oneOf": [{ "const": "a" }, { "type": "string" }] });
        assert_eq!(SchemaCursor::new(&open).accepted_texts(), None);
    }

    #[test]
    fn free_keys_are_known_and_named_tables_are_closed() {
        let map = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        assert!(SchemaCursor::new(&map).property("anything").unwrap().accepts(ValueKind::String));
        let closed = json!({ "type": "object", "properties": { "a": true } });
        assert!(SchemaCursor::new(&closed).property("b").is_none());
        let open = json!(true);
        assert!(SchemaCursor::new(&open).property("b").unwrap().is_open());
    }

    #[test]
    fn a_key_is_found_elsewhere_and_the_nearest_to_the_top_wins() {
        let pool = json!({ "type": "object", "properties": { "max": { "type": "integer" } } });
        let schema = json!({ "type": "object", "properties": {
            "workers": { "type": "object", "additionalProperties": pool },
            "a": { "type": "object", "properties": { "b": { "type": "object", "properties": { "deep": {} } } } }
        } });
        let cursor = SchemaCursor::new(&schema);
        assert_eq!(cursor.find_key("max").as_deref(), Some("workers.<name>.max"));
        assert_eq!(cursor.find_key("deep").as_deref(), Some("a.b.deep"));
        assert_eq!(cursor.find_key("zebra"), None);
    }
}
