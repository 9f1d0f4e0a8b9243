//! From layers to a specification, in one pass that reports everything.

use serde_json::json;

use crate::spec::build::Builder;
use crate::spec::decode::decode_leaving_out;
use crate::spec::defaults::{built_in_defaults, complete_worker_pools, default_location};
use crate::spec::schema_cursor::SchemaCursor;
use crate::spec::shape::{Findings, check_shape};
use crate::spec::tree::{Node, Value};
use crate::spec::{
    ClusterSpec, KeyPath, Layers, Origin, ProviderSchemas, SpecDocument, SpecError, SpecErrorKind, SpecErrors,
    SpecWarning, json_schema,
};

/// A specification, where its values came from, and what is odd about it.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The specification.
    pub spec: ClusterSpec,
    /// Where each value came from.
    pub origins: Origins,
    /// What is allowed but worth knowing.
    pub warnings: Vec<SpecWarning>,
}

/// Where each value of a specification came from.
#[derive(Clone, Debug)]
pub struct Origins {
    tree: Node,
}

/// One value of a specification and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Its key.
    pub path: KeyPath,
    /// Its value as TOML.
    pub value: String,
    /// What set it.
    pub origin: Origin,
}

impl Origins {
    /// What set the value at `path`, dotted.
    pub fn get(&self, path: &str) -> Option<&Origin> {
        self.tree.get(&KeyPath::dotted(path)).map(|node| &node.origin)
    }

    /// Adds the places that `errors` lack, for mistakes that were found after the specification was resolved.
    #[must_use]
    pub fn locate(&self, errors: SpecErrors) -> SpecErrors {
        let located = errors.errors.into_iter().map(|mut error| {
            let node = self.tree.get(&error.path);
            error.origin = error.origin.or_else(|| node.map(|node| node.origin.clone()));
            error
        });
        SpecErrors::from(located.collect::<Vec<_>>())
    }

    /// Every value with its origin, sorted by key.
    pub fn explain(&self) -> Vec<Explained> {
        let leaves = self.tree.leaves().into_iter();
        let explained = |(path, node): (KeyPath, &Node)| Explained {
            path,
            value: node.to_toml_text(),
            origin: node.origin.clone(),
        };
        leaves.map(explained).collect()
    }
}

/// Puts the layers together and checks the result.
///
/// `providers` are the providers that exist, with the schemas of their options: their tables may be in the file, and
/// keys that they do not know are reported here with everything else. Whether the chosen provider exists is for the
/// registry to say; its table is accepted either way.
pub fn resolve(layers: &Layers, providers: &ProviderSchemas) -> Result<Resolved, SpecErrors> {
    let schema = schema_for(layers, providers);
    let mut defaults = built_in_defaults();
    let chosen = chosen_provider(layers).and_then(|name| providers.get(name));
    if let Some(location) = chosen.and_then(|provider| provider.only_location) {
        defaults.merge(default_location(location));
    }
    let mut tree = layers.merge_over(defaults, &SchemaCursor::new(&schema));
    complete_worker_pools(&mut tree);

    let mut findings = check_shape(&mut tree, &schema, &KeyPath::root());
    refuse_keys_in_wrong_layers(layers, &mut findings);

    let mut shared = tree.clone();
    let document_schema = schemars::schema_for!(SpecDocument).to_value();
    let keys = SchemaCursor::new(&document_schema);
    if let Value::Table(table) = &mut shared.value {
        table.retain(|key, _| keys.property(key).is_some());
    }
    let document = decode_leaving_out::<SpecDocument>(&mut shared, &KeyPath::root(), &mut findings).unwrap_or_default();

    let built = Builder::new(&tree, &findings.removed).build(&document);
    let mut errors = findings.errors;
    errors.extend(built.errors);
    SpecErrors::check(errors)?;
    let mut spec = built.spec.expect("a specification without errors is complete");
    // The key may name a profile by path; the layer has its name.
    if let Some(profile) = layers.profile_in_use() {
        profile.clone_into(&mut spec.profile);
    }
    Ok(Resolved { spec, origins: Origins { tree }, warnings: built.warnings })
}

/// The schema of the whole document. A provider that is chosen but not known has a table that may hold anything.
fn schema_for(layers: &Layers, providers: &ProviderSchemas) -> serde_json::Value {
    let mut schema = json_schema(providers);
    if let Some(name) = chosen_provider(layers) {
        let properties = schema.pointer_mut("/properties").and_then(serde_json::Value::as_object_mut);
        if let Some(properties) = properties {
            properties.entry(name).or_insert(json!({ "type": "object" }));
        }
    }
    schema
}

/// The name of the provider that the layers choose, if it is a name at all.
fn chosen_provider(layers: &Layers) -> Option<&str> {
    let path = KeyPath::dotted("provider");
    let chosen = layers.highest(&path).or_else(|| layers.in_profiles(&path).pop());
    match chosen.map(|node| &node.value) {
        Some(Value::String(name) | Value::Text(name)) => Some(name),
        Some(_) | None => None,
    }
}

/// Keys that are valid, but not in every layer.
fn refuse_keys_in_wrong_layers(layers: &Layers, findings: &mut Findings) {
    let mut refuse = |path: &KeyPath, node: &Node, message: &str, hint: &str| {
        findings.errors.push(SpecError {
            kind: SpecErrorKind::NotAllowedHere,
            path: path.clone(),
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
            origin: Some(node.key_origin.clone()),
        });
    };
    let open = KeyPath::dotted("allow_open_endpoint");
    for node in layers.in_texts(&open) {
        let hint = "say it each time, with --allow-open-endpoint or HOWSO_INFRA_ALLOW_OPEN_ENDPOINT=true";
        refuse(&open, node, "an API that is open to the whole internet is not permitted by a file", hint);
    }
    let profile = KeyPath::dotted("profile");
    for node in layers.in_profiles(&profile) {
        refuse(&profile, node, "a profile cannot build on another profile", "leave it out");
    }
}
