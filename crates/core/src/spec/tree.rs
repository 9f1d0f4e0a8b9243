//! TOML values that know where they came from, and how layers of them are merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::spec::{KeyPath, Layer, Origin, Segment, Span, SpecError, SpecErrorKind};

/// A value, where it was set, and where its key was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
    pub(crate) key_origin: Origin,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Table(BTreeMap<String, Node>),
    /// By place, so that an element keeps its place when one before it is taken out.
    Array(BTreeMap<usize, Node>),
    String(String),
    Integer(i64),
    /// As it was written, because `1.30` is not `1.3` when a version was meant.
    Float(String),
    Boolean(bool),
    Datetime(String),
    /// From the environment or a flag: its type is decided by what its key accepts.
    Text(String),
}

impl Node {
    /// A value that was set by `origin` as a whole.
    pub(crate) fn new(value: Value, origin: &Origin) -> Self {
        Self { value, origin: origin.clone(), key_origin: origin.clone() }
    }

    /// An empty table.
    pub(crate) fn empty(origin: &Origin) -> Self {
        Self::new(Value::Table(BTreeMap::new()), origin)
    }

    /// A table that holds `leaf` at `keys` and nothing else.
    pub(crate) fn nested(keys: &[String], leaf: Node) -> Self {
        keys.iter().rev().fold(leaf, |inner, key| {
            let origin = inner.origin.clone();
            Self::new(Value::Table(BTreeMap::from([(key.clone(), inner)])), &origin)
        })
    }

    /// Reads a TOML document.
    pub(crate) fn parse(layer: &Layer, text: &str) -> Result<Self, Vec<SpecError>> {
        let reader = Reader { layer, text };
        let document = DeTable::parse(text).map_err(|error| vec![reader.syntax_error(&error)])?;
        let mut errors = Vec::new();
        let span = document.span();
        let node = reader.table(&document.into_inner(), &reader.origin(span), &KeyPath::root(), &mut errors);
        if errors.is_empty() { Ok(node) } else { Err(errors) }
    }

    /// Reads one TOML value that `origin` set; [`None`] when it is not TOML.
    pub(crate) fn parse_value(text: &str, origin: &Origin) -> Option<Self> {
        let value = DeValue::parse(text).ok()?;
        let reader = Reader { layer: &origin.layer, text: "" };
        let mut errors = Vec::new();
        let mut node = reader.value(value.get_ref(), 0..0, &KeyPath::root(), &mut errors);
        node.set_origin(origin);
        errors.is_empty().then_some(node)
    }

    /// Takes over a value that has no places.
    pub(crate) fn from_toml(value: toml::Value, origin: &Origin) -> Self {
        let value = match value {
            toml::Value::String(text) => Value::Text(text),
            toml::Value::Integer(number) => Value::Integer(number),
            toml::Value::Float(number) => Value::Float(number.to_string()),
            toml::Value::Boolean(on) => Value::Boolean(on),
            toml::Value::Datetime(date) => Value::Datetime(date.to_string()),
            toml::Value::Array(items) => {
                Value::Array(items.into_iter().map(|item| Self::from_toml(item, origin)).enumerate().collect())
            }
            toml::Value::Table(table) => {
                Value::Table(table.into_iter().map(|(key, item)| (key, Self::from_toml(item, origin))).collect())
            }
        };
        Self::new(value, origin)
    }

    fn set_origin(&mut self, origin: &Origin) {
        self.origin = origin.clone();
        self.key_origin = origin.clone();
        match &mut self.value {
            Value::Table(table) => table.values_mut().for_each(|node| node.set_origin(origin)),
            Value::Array(items) => items.values_mut().for_each(|node| node.set_origin(origin)),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Text(_) => {}
        }
    }

    /// The keys of a table; [`None`] for anything else.
    pub(crate) fn table(&self) -> Option<&BTreeMap<String, Node>> {
        match &self.value {
            Value::Table(table) => Some(table),
            Value::Array(_)
            | Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Text(_) => None,
        }
    }

    fn child(&self, segment: &Segment) -> Option<&Node> {
        match (&self.value, segment) {
            (Value::Table(table), Segment::Key(key)) => table.get(key),
            (Value::Array(items), Segment::Index(index)) => items.get(index),
            _ => None,
        }
    }

    /// The value at `path`.
    pub(crate) fn get(&self, path: &KeyPath) -> Option<&Node> {
        path.segments().iter().try_fold(self, |node, segment| node.child(segment))
    }

    /// The value at `path`, or the innermost table or array around it that exists.
    pub(crate) fn get_or_enclosing(&self, path: &KeyPath) -> &Node {
        let mut node = self;
        for segment in path.segments() {
            match node.child(segment) {
                Some(child) => node = child,
                None => break,
            }
        }
        node
    }

    /// Takes the value at `path` out. Whether it was there.
    pub(crate) fn remove(&mut self, path: &[Segment]) -> bool {
        match (path, &mut self.value) {
            ([Segment::Key(key)], Value::Table(table)) => table.remove(key).is_some(),
            ([Segment::Key(key), rest @ ..], Value::Table(table)) => {
                table.get_mut(key).is_some_and(|node| node.remove(rest))
            }
            ([Segment::Index(index)], Value::Array(items)) => items.remove(index).is_some(),
            ([Segment::Index(index), rest @ ..], Value::Array(items)) => {
                items.get_mut(index).is_some_and(|node| node.remove(rest))
            }
            _ => false,
        }
    }

    /// Lays `higher` over this: tables key by key, everything else as a whole.
    pub(crate) fn merge(&mut self, higher: Node) {
        match (&mut self.value, higher.value) {
            (Value::Table(lower), Value::Table(table)) => {
                for (key, node) in table {
                    match lower.get_mut(&key) {
                        Some(existing) => existing.merge(node),
                        None => {
                            lower.insert(key, node);
                        }
                    }
                }
            }
            (_, value) => self.value = value,
        }
        self.origin = higher.origin;
        self.key_origin = higher.key_origin;
    }

    /// The place of the element that is number `position` of those left in an array.
    pub(crate) fn place_of(&self, position: usize) -> Option<usize> {
        match &self.value {
            Value::Array(items) => items.keys().nth(position).copied(),
            Value::Table(_)
            | Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Text(_) => None,
        }
    }

    /// Every value that is no table, with its path; arrays as a whole.
    pub(crate) fn leaves(&self) -> Vec<(KeyPath, &Node)> {
        fn collect<'a>(node: &'a Node, path: &KeyPath, leaves: &mut Vec<(KeyPath, &'a Node)>) {
            match node.table() {
                Some(table) => table.iter().for_each(|(key, child)| collect(child, &path.key(key), leaves)),
                None => leaves.push((path.clone(), node)),
            }
        }
        let mut leaves = Vec::new();
        collect(self, &KeyPath::root(), &mut leaves);
        leaves
    }

    /// The value as JSON, for decoding.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Table(table) => table.iter().map(|(key, node)| (key.clone(), node.to_json())).collect(),
            Value::Array(items) => items.values().map(Node::to_json).collect(),
            Value::Integer(number) => (*number).into(),
            // A number too large for a float is no number in JSON; such a text is reported as a wrong type.
            Value::Float(text) => text.parse::<f64>().map_or(serde_json::Value::Null, Into::into),
            Value::Boolean(on) => (*on).into(),
            Value::String(text) | Value::Datetime(text) | Value::Text(text) => text.as_str().into(),
        }
    }

    /// The value as TOML on one line.
    pub(crate) fn to_toml_text(&self) -> String {
        match &self.value {
            Value::Table(table) => {
                let pairs: Vec<_> = table
                    .iter()
                    .map(|(key, node)| format!("{} = {}", KeyPath::root().key(key), node.to_toml_text()))
                    .collect();
                if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
            }
            Value::Array(items) => {
                format!("[{}]", items.values().map(Node::to_toml_text).collect::<Vec<_>>().join(", "))
            }
            Value::Integer(number) => number.to_string(),
            Value::Boolean(on) => on.to_string(),
            Value::Float(text) | Value::Datetime(text) => text.clone(),
            Value::String(text) | Value::Text(text) => toml::Value::String(text.clone()).to_string(),
        }
    }
}

/// Turns the parser's values into ours.
struct Reader<'a> {
    layer: &'a Layer,
    text: &'a str,
}

impl Reader<'_> {
    fn origin(&self, span: std::ops::Range<usize>) -> Origin {
        Origin { layer: self.layer.clone(), span: Some(Span::new(self.text, span.start, span.end)) }
    }

    fn syntax_error(&self, error: &toml::de::Error) -> SpecError {
        let span = error.span().unwrap_or(0..0);
        SpecError {
            kind: SpecErrorKind::Syntax,
            path: KeyPath::root(),
            message: format!("this is not TOML: {}", error.message()),
            hint: syntax_hint(error.message(), &self.text[Span::new(self.text, span.start, span.end).start..]),
            origin: Some(self.origin(span)),
        }
    }

    fn table(&self, table: &DeTable<'_>, origin: &Origin, path: &KeyPath, errors: &mut Vec<SpecError>) -> Node {
        let entries = table.iter().map(|(key, value): (&Spanned<_>, &Spanned<_>)| {
            let name: &str = key.get_ref();
            let mut node = self.value(value.get_ref(), value.span(), &path.key(name), errors);
            node.key_origin = self.origin(key.span());
            (name.to_owned(), node)
        });
        Node::new(Value::Table(entries.collect()), origin)
    }

    fn value(
        &self,
        value: &DeValue<'_>,
        span: std::ops::Range<usize>,
        path: &KeyPath,
        errors: &mut Vec<SpecError>,
    ) -> Node {
        let origin = self.origin(span);
        let value = match value {
            DeValue::Table(table) => return self.table(table, &origin, path, errors),
            DeValue::Array(items) => {
                let items = items.iter().enumerate();
                let read = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
                    (index, self.value(item.get_ref(), item.span(), &path.index(index), errors))
                };
                Value::Array(items.map(read).collect())
            }
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(on) => Value::Boolean(*on),
            DeValue::Datetime(date) => Value::Datetime(date.to_string()),
            DeValue::Float(float) => Value::Float(float.as_str().to_owned()),
            DeValue::Integer(integer) => {
                let number = i64::from_str_radix(integer.as_str(), integer.radix());
                if number.is_err() {
                    errors.push(too_large(path, &origin));
                }
                Value::Integer(number.unwrap_or_default())
            }
        };
        Node::new(value, &origin)
    }
}

fn too_large(path: &KeyPath, origin: &Origin) -> SpecError {
    SpecError {
        kind: SpecErrorKind::InvalidValue,
        path: path.clone(),
        message: "this number is too large".to_owned(),
        hint: Some("whole numbers have at most 64 bits".to_owned()),
        origin: Some(origin.clone()),
    }
}

/// The commonest slips in TOML that the parser's own words do not explain.
fn syntax_hint(message: &str, rest: &str) -> Option<String> {
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
    let lower = word.to_lowercase();
    if word != lower && (lower == "true" || lower == "false") {
        return Some(format!("`{lower}` is written in lower case; the text \"{word}\" needs quotes"));
    }
    let lacks_quotes = message.contains("quoted") && !word.is_empty();
    lacks_quotes.then(|| "text values are written in double quotes".to_owned())
}

/// The layer of a text, which its origins share.
pub(crate) fn file_layer(path: camino::Utf8PathBuf, text: &str) -> Layer {
    Layer::File { path, text: Arc::from(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Node {
        Node::parse(&file_layer("test.toml".into(), text), text).unwrap()
    }

    fn place(node: &Node, path: &str) -> (usize, usize) {
        let span = node.get(&KeyPath::dotted(path)).unwrap().origin.span.unwrap();
        (span.line, span.column)
    }

    #[test]
    fn every_value_knows_its_line_and_column() {
        let node = parse("name = \"a\"\n[core]\nmachine = { cpu = 8, types = [\"x\"] }\n");
        assert_eq!(place(&node, "name"), (1, 8));
        assert_eq!(place(&node, "core.machine.cpu"), (3, 19));
        let types = node.get(&KeyPath::dotted("core.machine.types").index(0)).unwrap();
        assert_eq!(types.origin.span.unwrap().column, 31);
        assert_eq!(node.get(&KeyPath::dotted("core.machine")).unwrap().key_origin.span.unwrap().column, 1);
    }

    #[test]
    fn tables_merge_by_key_and_arrays_and_scalars_are_replaced() {
        let mut low = parse("a = 1\nlist = [1, 2]\n[t]\nx = 1\ny = 2\n");
        low.merge(parse("list = [3]\n[t]\ny = 4\nz = 5\n"));
        let json = low.to_json();
        assert_eq!(json, serde_json::json!({ "a": 1, "list": [3], "t": { "x": 1, "y": 4, "z": 5 } }));
    }

    #[test]
    fn a_table_and_a_scalar_replace_each_other() {
        let mut node = parse("a = 1\nb = { c = 1 }\n");
        node.merge(parse("a = { d = 1 }\nb = 2\n"));
        assert_eq!(node.to_json(), serde_json::json!({ "a": { "d": 1 }, "b": 2 }));
    }

    #[test]
    fn syntax_errors_have_a_place_and_common_slips_a_hint() {
        let text = "name = \"a\"\nlabel = False\n";
        let errors = Node::parse(&file_layer("test.toml".into(), text), text).unwrap_err();
        assert_eq!(errors[0].kind, SpecErrorKind::Syntax);
        assert!(errors[0].hint.as_deref().unwrap().contains("lower case"), "{}", errors[0]);
        assert_eq!(errors[0].origin.as_ref().unwrap().span.unwrap().line, 2);
    }

    #[test]
    fn numbers_beyond_64_bits_are_reported_with_their_path() {
        let text = "[core]\nnodes = 99999999999999999999\n";
        let errors = Node::parse(&file_layer("test.toml".into(), text), text).unwrap_err();
        assert_eq!(errors[0].path.to_string(), "core.nodes");
    }

    #[test]
    fn values_print_as_toml() {
        let node = parse("a = [\"x\", 1, { k = true, \"l m\" = 0x10 }]\n");
        assert_eq!(node.get(&KeyPath::dotted("a")).unwrap().to_toml_text(), r#"["x", 1, { k = true, "l m" = 16 }]"#);
    }

    #[test]
    fn removal_takes_out_exactly_one_value() {
        let mut node = parse("a = [1, 2]\n[t]\nx = 1\n");
        assert!(node.remove(KeyPath::dotted("a").index(0).segments()));
        assert!(node.remove(KeyPath::dotted("t.x").segments()));
        assert!(!node.remove(KeyPath::dotted("t.x").segments()));
        assert!(!node.remove(&[]));
        assert_eq!(node.to_json(), serde_json::json!({ "a": [2], "t": {} }));
    }
}
