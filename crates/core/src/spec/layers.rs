//! The layers of a specification, in the order in which they win.

use camino::Utf8PathBuf;
use std::collections::BTreeMap;
use std::sync::Arc;
use toml::de::{DeTable, DeValue};

use crate::spec::schema_cursor::SchemaCursor;
use crate::spec::shape::settle_texts;
use crate::spec::tree::{Node, Value, file_layer};
use crate::spec::{KeyPath, Layer, Origin, SpecError, SpecErrorKind, SpecErrors};

/// What every variable of ours begins with.
const VARIABLE_PREFIX: &str = "HOWSO_INFRA_";

/// The layers that a specification is put together from.
///
/// Flags win over the environment, over the file, over the profile, over the built-in defaults, in whatever order they
/// are added; among layers of one kind the later wins. Tables merge key by key; lists and single values are replaced.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    profiles: Vec<Node>,
    files: Vec<Node>,
    environment: Vec<Node>,
    flags: Vec<Node>,
}

impl Layers {
    /// No layer but the built-in defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a profile. `path` is its file, when it is not built in.
    pub fn profile(mut self, name: &str, path: Option<Utf8PathBuf>, text: &str) -> Result<Self, SpecErrors> {
        let layer = Layer::Profile { name: name.to_owned(), path, text: Arc::from(text) };
        self.profiles.push(Node::parse(&layer, text)?);
        Ok(self)
    }

    /// Adds the specification file.
    pub fn file(mut self, path: Utf8PathBuf, text: &str) -> Result<Self, SpecErrors> {
        self.files.push(Node::parse(&file_layer(path, text), text)?);
        Ok(self)
    }

    /// Adds environment variables: `HOWSO_INFRA_` and the path in upper case, with `__` for dots.
    ///
    /// Variables without the prefix and those in `reserved` are not ours to read. A value is read as TOML where that
    /// gives a type its key accepts, else as text. Empty values count as unset, as is usual for environments.
    pub fn environment(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
        reserved: &[&str],
    ) -> Result<Self, SpecErrors> {
        let variables: BTreeMap<String, String> = variables.into_iter().collect();
        let mut errors = Vec::new();
        for (variable, value) in variables {
            let Some(path) = variable.strip_prefix(VARIABLE_PREFIX) else { continue };
            if reserved.contains(&variable.as_str()) || value.is_empty() {
                continue;
            }
            let keys: Vec<String> = path.split("__").map(str::to_lowercase).collect();
            let origin = Origin { layer: Layer::Environment { variable: variable.clone() }, span: None };
            if keys.iter().any(String::is_empty) {
                errors.push(unreadable(&origin, "the name of this variable is no path", "HOWSO_INFRA_CORE__NODES"));
                continue;
            }
            self.environment.push(Node::nested(&keys, Node::new(Value::Text(value), &origin)));
        }
        SpecErrors::check(errors).map(|()| self)
    }

    /// Adds what a flag sets. Text is read like the value of an environment variable.
    ///
    /// `flag` is what messages call it, for example `--worker-max`; `path` is the key, for example
    /// `workers.default.max`.
    pub fn flag(mut self, flag: &str, path: &str, value: impl Into<toml::Value>) -> Result<Self, SpecErrors> {
        let origin = Origin { layer: Layer::Flag { flag: flag.to_owned() }, span: None };
        let keys =
            parse_path(path).ok_or_else(|| unreadable(&origin, &format!("`{path}` is no path"), "core.nodes"))?;
        self.flags.push(Node::nested(&keys, Node::from_toml(value.into(), &origin)));
        Ok(self)
    }

    /// Adds an assignment such as `workers.default.max=8`, given with `flag`.
    pub fn set(self, flag: &str, assignment: &str) -> Result<Self, SpecErrors> {
        // A key in quotes may hold an equals sign: the first one after a readable path is the right one.
        let found = assignment.match_indices('=').find_map(|(position, _)| {
            let path = assignment[..position].trim();
            parse_path(path).map(|_| (path, assignment[position + 1..].trim()))
        });
        let Some((path, value)) = found else {
            let origin = Origin { layer: Layer::Flag { flag: flag.to_owned() }, span: None };
            let message = format!("`{assignment}` is no assignment");
            return Err(SpecErrors::from(unreadable(&origin, &message, "workers.default.max=8")));
        };
        self.flag(&format!("{flag} {path}"), path, value)
    }

    /// Whether a layer above profiles has a value at a path such as `core.nodes`.
    pub fn says(&self, path: &str) -> bool {
        self.highest(&KeyPath::dotted(path)).is_some()
    }

    /// The value at `path` in the highest layer above profiles that has one.
    pub(crate) fn highest(&self, path: &KeyPath) -> Option<&Node> {
        let downwards = [&self.flags, &self.environment, &self.files];
        downwards.into_iter().flat_map(|layers| layers.iter().rev()).find_map(|layer| layer.get(path))
    }

    /// The value at `path` in each text (profiles and files) that has one.
    pub(crate) fn in_texts(&self, path: &KeyPath) -> Vec<&Node> {
        self.profiles.iter().chain(&self.files).filter_map(|layer| layer.get(path)).collect()
    }

    /// The value at `path` in each profile that has one.
    pub(crate) fn in_profiles(&self, path: &KeyPath) -> Vec<&Node> {
        self.profiles.iter().filter_map(|layer| layer.get(path)).collect()
    }

    /// The name of the profile that was added last.
    pub(crate) fn profile_in_use(&self) -> Option<&str> {
        match &self.profiles.last()?.origin.layer {
            Layer::Profile { name, .. } => Some(name),
            Layer::Default | Layer::File { .. } | Layer::Environment { .. } | Layer::Flag { .. } => None,
        }
    }

    /// All layers laid over `lowest`; texts without a type get the one that `cursor` accepts.
    pub(crate) fn merge_over(&self, lowest: Node, cursor: &SchemaCursor<'_>) -> Node {
        let upwards = [&self.profiles, &self.files, &self.environment, &self.flags];
        upwards.into_iter().flatten().fold(lowest, |mut merged, layer| {
            let mut layer = layer.clone();
            settle_texts(&mut layer, cursor);
            merged.merge(layer);
            merged
        })
    }
}

fn unreadable(origin: &Origin, message: &str, example: &str) -> SpecError {
    SpecError {
        kind: SpecErrorKind::Syntax,
        path: KeyPath::root(),
        message: message.to_owned(),
        hint: Some(format!("for example {example}")),
        origin: Some(origin.clone()),
    }
}

/// Reads a dotted key as TOML does, with quotes where a key needs them.
fn parse_path(path: &str) -> Option<Vec<String>> {
    let text = format!("{path} = 0");
    if path.contains(['\n', '\r']) {
        return None;
    }
    let document = DeTable::parse(&text).ok()?;
    let mut keys = Vec::new();
    let mut table = document.get_ref();
    loop {
        let (key, value) = table.iter().next()?;
        keys.push(key.get_ref().to_string());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            DeValue::Integer(_) => return Some(keys),
            DeValue::String(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) => {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(layers: &Layers) -> serde_json::Value {
        let schema = json!({ "type": "object", "properties": {
            "max": { "type": "integer" }, "name": { "type": "string" }, "list": { "type": "array" },
            "tags": { "type": "object", "additionalProperties": { "type": "string" } }
        } });
        layers.merge_over(Node::empty(&Origin::built_in()), &SchemaCursor::new(&schema)).to_json()
    }

    fn variable(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn kinds_win_by_rank_and_not_by_the_order_of_adding() {
        let layers = Layers::new().flag("--max", "max", 4).unwrap();
        let layers = layers.environment([variable("HOWSO_INFRA_MAX", "3")], &[]).unwrap();
        let layers = layers.file("f".into(), "max = 2\nname = \"file\"").unwrap();
        let layers = layers.profile("p", None, "max = 1\nname = \"profile\"\nlist = [1]").unwrap();
        assert_eq!(merged(&layers), json!({ "max": 4, "name": "file", "list": [1] }));
    }

    #[test]
    fn the_later_flag_wins() {
        let layers = Layers::new().flag("--max", "max", "4").unwrap().set("--set", "max = 5").unwrap();
        assert_eq!(merged(&layers), json!({ "max": 5 }));
    }

    #[test]
    fn variables_of_others_reserved_ones_and_empty_ones_are_passed_over() {
        let variables = [
            variable("HOME", "/"),
            variable("HOWSO_INFRA_STATE_DIR", "x"),
            variable("HOWSO_INFRA_NAME", ""),
            variable("HOWSO_INFRA_TAGS__TEAM", "42"),
        ];
        let layers = Layers::new().environment(variables, &["HOWSO_INFRA_STATE_DIR"]).unwrap();
        assert_eq!(merged(&layers), json!({ "tags": { "team": "42" } }));
    }

    #[test]
    fn all_unreadable_variables_are_reported_together() {
        let variables =
            [variable("HOWSO_INFRA_A__", "1"), variable("HOWSO_INFRA___B", "1"), variable("HOWSO_INFRA_", "1")];
        let errors = Layers::new().environment(variables, &[]).unwrap_err();
        assert_eq!(errors.errors.len(), 3);
        assert!(errors.to_string().contains("HOWSO_INFRA_A__: "));
    }

    #[test]
    fn assignments_may_quote_keys_and_hold_equals_signs() {
        let layers = Layers::new().set("--set", r#"tags."a=b.c"=x=y"#).unwrap();
        assert_eq!(merged(&layers), json!({ "tags": { "a=b.c": "x=y" } }));
        let layers = Layers::new().set("--set", "list=[1, 2]").unwrap();
        assert_eq!(merged(&layers), json!({ "list": [1, 2] }));
    }

    #[test]
    fn what_is_no_assignment_is_refused_with_an_example() {
        for text in ["max", "=3", "a..b=1", "\"a=1", "a\nb=1", "a b=1"] {
            let errors = Layers::new().set("--set", text).unwrap_err();
            assert_eq!(errors.errors[0].kind, SpecErrorKind::Syntax, "{text:?}");
            assert!(errors.errors[0].hint.as_deref().unwrap().contains("workers.default.max=8"));
        }
    }

    #[test]
    fn a_syntax_error_names_the_file() {
        let errors = Layers::new().file("howso-infra.toml".into(), "name = \n").unwrap_err();
        assert!(errors.to_string().starts_with("howso-infra.toml:1:"), "{errors}");
    }
}
