//! Checking a tree along a schema: unknown keys, wrong types, values that are not listed, numbers out of bounds.
//!
//! What is wrong is reported and taken out of the tree, so that the rest can be checked further in the same run.

use crate::spec::schema_cursor::{SchemaCursor, ValueKind};
use crate::spec::suggest::nearest;
use crate::spec::tree::{Node, Value};
use crate::spec::{KeyPath, Origin, SpecError, SpecErrorKind};

/// What a check found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The mistakes.
    pub(crate) errors: Vec<SpecError>,
    /// What was taken out of the tree because of them.
    pub(crate) removed: Vec<KeyPath>,
}

impl Findings {
    fn report(&mut self, kind: SpecErrorKind, path: &KeyPath, origin: &Origin, message: String, hint: Option<String>) {
        self.errors.push(SpecError { kind, path: path.clone(), message, hint, origin: Some(origin.clone()) });
        self.removed.push(path.clone());
    }
}

/// Gives every [`Value::Text`] below `node` the type that its key accepts.
pub(crate) fn settle_texts(node: &mut Node, cursor: &SchemaCursor<'_>) {
    match &mut node.value {
        Value::Text(text) => {
            let settled = settle(text, &node.origin, cursor);
            node.value = settled;
        }
        Value::Table(table) => {
            for (key, child) in table {
                if let Some(cursor) = cursor.property(key) {
                    settle_texts(child, &cursor);
                }
            }
        }
        Value::Array(items) => {
            let cursor = cursor.items();
            for item in items.values_mut() {
                settle_texts(item, &cursor);
            }
        }
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

/// Reads `text` as TOML when that gives a type that is accepted, else as text.
fn settle(text: &str, origin: &Origin, cursor: &SchemaCursor<'_>) -> Value {
    match Node::parse_value(text.trim(), origin) {
        Some(node) if cursor.accepts(kind_of(&node.value)) => node.value,
        Some(_) | None => Value::String(text.to_owned()),
    }
}

fn kind_of(value: &Value) -> ValueKind {
    match value {
        Value::Table(_) => ValueKind::Table,
        Value::Array(_) => ValueKind::Array,
        Value::String(_) | Value::Text(_) => ValueKind::String,
        Value::Integer(_) => ValueKind::Integer,
        Value::Float(_) => ValueKind::Float,
        Value::Boolean(_) => ValueKind::Boolean,
        Value::Datetime(_) => ValueKind::Datetime,
    }
}

/// Checks `root` along `schema`. `base` is what `root` is called in messages.
pub(crate) fn check_shape(root: &mut Node, schema: &serde_json::Value, base: &KeyPath) -> Findings {
    let top = SchemaCursor::new(schema);
    let mut inspector = Inspector { top: top.clone(), base, findings: Findings::default() };
    inspector.inspect(root, &top, base);
    inspector.findings
}

struct Inspector<'a> {
    top: SchemaCursor<'a>,
    base: &'a KeyPath,
    findings: Findings,
}

impl Inspector<'_> {
    /// Checks `node` and what is inside it. Whether it may stay.
    fn inspect(&mut self, node: &mut Node, cursor: &SchemaCursor<'_>, path: &KeyPath) -> bool {
        if cursor.is_open() {
            return true;
        }
        if !cursor.accepts(kind_of(&node.value)) {
            let (message, hint) = wrong_type(node, cursor);
            self.findings.report(SpecErrorKind::WrongType, path, &node.origin, message, hint);
            return false;
        }
        match &mut node.value {
            Value::Table(table) => {
                table.retain(|key, child| {
                    let path = path.key(key);
                    if let Some(cursor) = cursor.property(key) {
                        self.inspect(child, &cursor, &path)
                    } else {
                        let hint = self.hint_for_unknown_key(key, cursor);
                        let message = format!("unknown key `{key}`");
                        self.findings.report(SpecErrorKind::UnknownKey, &path, &child.key_origin, message, hint);
                        false
                    }
                });
                true
            }
            Value::Array(items) => {
                let cursor = cursor.items();
                // Every element is looked at, and the list goes as a whole: what is left of it means something else.
                let before = self.findings.removed.len();
                for (index, item) in items {
                    self.inspect(item, &cursor, &path.index(*index));
                }
                let is_fine = self.findings.removed.len() == before;
                if !is_fine {
                    self.findings.removed.push(path.clone());
                }
                is_fine
            }
            Value::String(text) | Value::Text(text) => {
                let problem = unlisted_text(text, cursor);
                self.reject(problem, path, &node.origin)
            }
            Value::Integer(number) => {
                let problem = out_of_bounds(*number, cursor);
                self.reject(problem, path, &node.origin)
            }
            Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => true,
        }
    }

    /// Reports a value of the right type that is not accepted. Whether there was none.
    fn reject(&mut self, problem: Option<(String, Option<String>)>, path: &KeyPath, origin: &Origin) -> bool {
        let Some((message, hint)) = problem else { return true };
        self.findings.report(SpecErrorKind::InvalidValue, path, origin, message, hint);
        false
    }

    fn hint_for_unknown_key(&self, key: &str, cursor: &SchemaCursor<'_>) -> Option<String> {
        let keys = cursor.keys();
        if let Some(near) = nearest(key, keys.iter().copied()) {
            return Some(format!("did you mean `{near}`?"));
        }
        if let Some(place) = self.top.find_key(key) {
            let place = if self.base.segments().is_empty() { place } else { format!("{}.{place}", self.base) };
            return Some(format!("did you mean `{place}`?"));
        }
        let accepted: Vec<_> = keys.into_iter().collect();
        (!accepted.is_empty()).then(|| format!("accepted here: {}", accepted.join(", ")))
    }
}

fn unlisted_text(text: &str, cursor: &SchemaCursor<'_>) -> Option<(String, Option<String>)> {
    let accepted = cursor.accepted_texts()?;
    if accepted.contains(&text) {
        return None;
    }
    let quoted: Vec<_> = accepted.iter().map(|text| format!("\"{text}\"")).collect();
    let mut hint = format!("accepted: {}", quoted.join(", "));
    if cursor.accepts(ValueKind::Array) {
        hint.push_str(", or a list");
    }
    if let Some(near) = nearest(text, accepted.iter().copied()) {
        hint = format!("did you mean \"{near}\"? {hint}");
    }
    Some((format!("\"{}\" is not accepted here", shorten(text)), Some(hint)))
}

fn out_of_bounds(number: i64, cursor: &SchemaCursor<'_>) -> Option<(String, Option<String>)> {
    let (low, high) = cursor.integer_bounds();
    let message = if number < low {
        format!("{number} is too small")
    } else if number > high {
        format!("{number} is too large")
    } else {
        return None;
    };
    let hint = match (low, high) {
        (i64::MIN, high) => format!("at most {high}"),
        (low, i64::MAX) => format!("at least {low}"),
        (low, high) => format!("from {low} to {high}"),
    };
    Some((message, Some(hint)))
}

/// The message and hint for a value whose type is not accepted.
fn wrong_type(node: &Node, cursor: &SchemaCursor<'_>) -> (String, Option<String>) {
    let kinds = cursor.kinds();
    let expected: Vec<_> = kinds.iter().map(|kind| kind.describe()).collect();
    let found = match &node.value {
        Value::Table(_) => "a table".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Datetime(date) => format!("the date {}", shorten(date)),
        Value::Boolean(_) | Value::Integer(_) | Value::Float(_) | Value::String(_) | Value::Text(_) => {
            shorten(&node.to_toml_text())
        }
    };
    let hint = hint_for_wrong_type(node, &kinds, cursor);
    (format!("expected {}, found {found}", expected.join(" or ")), hint)
}

fn hint_for_wrong_type(node: &Node, kinds: &[ValueKind], cursor: &SchemaCursor<'_>) -> Option<String> {
    let accepts = |kind| kinds.contains(&kind);
    match &node.value {
        Value::Integer(_) | Value::Float(_) | Value::Datetime(_) | Value::Boolean(_) if accepts(ValueKind::String) => {
            let text = node.to_toml_text();
            Some(match (unlisted_text(&text, cursor), cursor.example()) {
                (Some((_, Some(accepted))), _) => accepted,
                (_, Some(example)) => format!("write text, for example \"{example}\""),
                (_, None) => format!("write it in quotes: \"{text}\""),
            })
        }
        Value::String(text) | Value::Text(text) => match text.trim().parse::<i64>() {
            Ok(number) if accepts(ValueKind::Integer) => Some(format!("write it without quotes: {number}")),
            _ if accepts(ValueKind::Boolean) && matches!(text.as_str(), "true" | "false") => {
                Some(format!("write it without quotes: {text}"))
            }
            _ if accepts(ValueKind::Array) => {
                Some(format!("write it in brackets: [{}]", shorten(&node.to_toml_text())))
            }
            _ => keys_hint(kinds, cursor),
        },
        Value::Integer(_)
        | Value::Float(_)
        | Value::Datetime(_)
        | Value::Boolean(_)
        | Value::Array(_)
        | Value::Table(_) => keys_hint(kinds, cursor),
    }
}

/// For a table: its keys.
fn keys_hint(kinds: &[ValueKind], cursor: &SchemaCursor<'_>) -> Option<String> {
    let keys: Vec<_> = cursor.keys().into_iter().collect();
    (kinds.contains(&ValueKind::Table) && !keys.is_empty())
        .then(|| format!("a table with the keys {}", keys.join(", ")))
}

/// Keeps a message on one line.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 60;
    let text = text.replace('\n', "\\n");
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::spec::tree::file_layer;

    fn schema() -> serde_json::Value {
        json!({ "type": "object", "properties": {
            "nodes": { "type": "integer", "minimum": 1, "maximum": 9 },
            "version": { "type": "string" },
            "nat": { "type": "string", "enum": ["per-zone", "single"] },
            "types": { "type": "array", "items": { "type": "string" } },
            "on": { "type": "boolean" },
            "inner": { "type": "object", "properties": { "deep": { "type": "integer" } } }
        } })
    }

    fn check(text: &str) -> (Node, Findings) {
        let mut node = Node::parse(&file_layer("t.toml".into(), text), text).unwrap();
        let findings = check_shape(&mut node, &schema(), &KeyPath::root());
        (node, findings)
    }

    fn only(text: &str) -> SpecError {
        let (_, mut findings) = check(text);
        assert_eq!(findings.errors.len(), 1, "{:?}", findings.errors);
        findings.errors.remove(0)
    }

    #[test]
    fn all_mistakes_are_reported_at_once_and_the_rest_is_kept() {
        let (node, findings) = check("nodes = \"3\"\nversion = 1.30\nnat = \"singel\"\nnode = 1\non = true\n");
        assert_eq!(findings.errors.len(), 4);
        assert_eq!(node.to_json(), json!({ "on": true }));
    }

    #[test]
    fn an_unknown_key_points_at_the_key_and_suggests_the_nearest() {
        let error = only("lnner = { deep = 1 }");
        assert_eq!(error.kind, SpecErrorKind::UnknownKey);
        assert_eq!(error.hint.as_deref(), Some("did you mean `inner`?"));
        assert_eq!(error.origin.unwrap().span.unwrap().end, 5);
        assert_eq!(only("deep = 1").hint.as_deref(), Some("did you mean `inner.deep`?"));
        assert!(only("zebra = 1").hint.unwrap().starts_with("accepted here: inner, nat"));
    }

    #[test]
    fn a_version_without_quotes_keeps_its_trailing_zero_in_the_hint() {
        let error = only("version = 1.30");
        assert_eq!(error.message, "expected text, found 1.30");
        assert_eq!(error.hint.as_deref(), Some("write it in quotes: \"1.30\""));
    }

    #[test]
    fn quotes_and_brackets_are_advised_where_they_are_wrong() {
        assert_eq!(only("nodes = \"3\"").hint.as_deref(), Some("write it without quotes: 3"));
        assert_eq!(only("on = \"true\"").hint.as_deref(), Some("write it without quotes: true"));
        assert_eq!(only("types = \"a\"").hint.as_deref(), Some("write it in brackets: [\"a\"]"));
        assert_eq!(only("inner = \"a\"").hint.as_deref(), Some("a table with the keys deep"));
    }

    #[test]
    fn numbers_out_of_bounds_and_unlisted_texts_name_what_is_accepted() {
        assert_eq!(only("nodes = 10").hint.as_deref(), Some("from 1 to 9"));
        assert_eq!(only("nodes = 0").message, "0 is too small");
        assert_eq!(only("nat = \"x\"").hint.as_deref(), Some("accepted: \"per-zone\", \"single\""));
        assert!(only("nat = \"singel\"").hint.unwrap().starts_with("did you mean \"single\"?"));
    }

    #[test]
    fn one_bad_element_takes_its_list_out() {
        let (node, findings) = check("types = [\"a\", 1, \"b\", 2]");
        assert_eq!(findings.errors.len(), 2);
        assert_eq!(findings.errors[0].path.to_string(), "types[1]");
        assert_eq!(node.to_json(), json!({}));
    }

    #[test]
    fn texts_take_the_type_that_is_accepted() {
        let schema = schema();
        let cursor = SchemaCursor::new(&schema);
        let settled = |key: &str, text: &str| {
            let mut node = Node::new(Value::Text(text.to_owned()), &Origin::built_in());
            settle_texts(&mut node, &cursor.property(key).unwrap());
            node.to_json()
        };
        assert_eq!(settled("nodes", "3"), json!(3));
        assert_eq!(settled("nodes", "three"), json!("three"));
        assert_eq!(settled("version", "1.34"), json!("1.34"));
        assert_eq!(settled("version", "\"1.34\""), json!("1.34"));
        assert_eq!(settled("types", "[\"a\"]"), json!(["a"]));
        assert_eq!(settled("on", "false"), json!(false));
        assert_eq!(settled("inner", "{ deep = 2 }"), json!({ "deep": 2 }));
        assert_eq!(settled("nat", "single"), json!("single"));
    }

    #[test]
    fn long_values_are_shortened_in_messages() {
        let error = only(&format!("nodes = \"{}\"", "x".repeat(500)));
        assert!(error.message.chars().count() < 120);
    }
}
