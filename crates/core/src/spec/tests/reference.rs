//! The schema is the reference: it lists every key that there is.

use serde_json::Value as Json;

use super::{Options, providers, valid};
use crate::spec::schema_cursor::SchemaCursor;
use crate::spec::{KeyPath, Segment, json_schema};

/// A file with every key.
const EXAMPLE: &str = r#"
name = "howso"
provider = "eks"
region = "us-east-1"
profile = "large"
zones = 3
deletion_protection = true
journal = "s3://my-journals/howso"
addons = true
worker_image = "registry.example.com/howso/worker:1.2"
image_pull_secret = "registry"

[kubernetes]
version = "1.34"
api_access = ["203.0.113.0/24", "2001:db8::/48"]
control_plane_logs = ["api", "audit"]

[network]
nat = "per-zone"

[core]
nodes = 3
max = 5
services = "tuned"
machine = { cpu = 8, memory = "32Gi", architecture = "x86_64", disk = "100Gi", types = [] }
labels = { "example.com/team" = "platform" }

[workers.default]
min = 0
max = 20
local = 2
machine = { cpu = 16, memory = "64Gi" }

[workers.spot]
min = 0
max = 40
spot = true
machine = { architecture = "arm64", disk = "200GiB", types = ["m7g.4xlarge", "m8g.4xlarge"] }
labels = { pool = "spot" }
taints = ["example.com/spot=true:NoSchedule"]

[trainees]
x-large = { count = 20 }
mine = { count = 2, cpu = 12, memory = "48Gi" }

[platform]
charts = "oci://registry.example.com/charts"
versions = { nats = "1.2.3", redis = "1.2.3", postgres = "~1.2", minio = "1.2.3", platform = "2025.5.0" }
values = { nats = "nats.yaml", redis = "redis.yaml", postgres = "postgres.yaml", minio = "minio.yaml", platform = "platform.yaml" }
domain = "howso.example.com"
storage_class = "gp3"
license_file = "license.toml"
image_pull_file = "docker.json"
object_store = { endpoint = "https://s3.us-east-1.amazonaws.com", bucket = "howso-data", region = "us-east-1" }

[client]
parallel = 8
machine = { cpu = 16, memory = "64Gi", architecture = "arm64", disk = "200Gi", types = [] }

[cost]
busy_hours = 200
source = "our agreement of 2026-11"
prices = { "m6a.2xlarge" = "0.21" }

[autoscaler]
enabled = true

[tags]
team = "ml-platform"

[engine]
request_timeout = "30s"
poll_interval_min = "1s"
poll_interval_max = "15s"
retry_delay_base = "1s"
retry_delay_max = "20s"
retry_attempts = 8
step_deadline_max = "2h"
visibility_window = "10s"
parallelism = 16

[eks]
vpc = { cidr = "10.42.0.0/16" }
"#;

#[test]
fn the_example_with_every_key_is_valid_without_a_warning() {
    let resolved = valid(EXAMPLE);
    assert_eq!(resolved.warnings, []);
    assert_eq!(resolved.spec.workers.len(), 2);
    assert_eq!(resolved.spec.journal.as_ref().unwrap().to_string(), "s3://my-journals/howso");
    let options: Options = resolved.spec.provider_options.decode().unwrap();
    assert_eq!(options.vpc.cidr.as_deref(), Some("10.42.0.0/16"));
}

#[test]
fn the_schema_lists_every_key_of_the_example_and_the_example_every_key_of_the_schema() {
    let schema = json_schema(&providers());
    let resolved = valid(EXAMPLE);
    let mut used: Vec<String> = Vec::new();
    for explained in resolved.origins.explain() {
        let mut cursor = SchemaCursor::new(&schema);
        for segment in explained.path.segments() {
            let Segment::Key(key) = segment else { continue };
            cursor = cursor.property(key).unwrap_or_else(|| panic!("{} is not in the schema", explained.path));
        }
        used.push(generic(&explained.path));
    }
    let listed = listed_keys(&schema);
    assert!(listed.len() > 40, "{listed:?}");
    let unused: Vec<_> = listed.iter().filter(|key| !used.contains(key)).collect();
    assert_eq!(unused, [&"gke".to_owned()], "the example lacks keys of the schema");
}

/// Names that a user chooses become `*`.
fn generic(path: &KeyPath) -> String {
    let keys: Vec<_> = path
        .segments()
        .iter()
        .map(|s| match s {
            Segment::Key(key) => key.as_str(),
            Segment::Index(_) => "[]",
        })
        .collect();
    match keys.as_slice() {
        ["workers", _, "labels", _] => "workers.*.labels.*".into(),
        ["workers", _, rest @ ..] => format!("workers.*.{}", rest.join(".")),
        ["trainees", _, rest @ ..] => format!("trainees.*.{}", rest.join(".")),
        ["core", "labels", _] => "core.labels.*".into(),
        ["tags", _] => "tags.*".into(),
        ["cost", "prices", _] => "cost.prices.*".into(),
        keys => keys.join("."),
    }
}

/// Every leaf that the schema names.
fn listed_keys(schema: &Json) -> Vec<String> {
    fn follow<'a>(root: &'a Json, mut node: &'a Json) -> &'a Json {
        while let Some(reference) = node.get("$ref").and_then(Json::as_str) {
            node = root.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        }
        node
    }
    fn collect(root: &Json, node: &Json, path: &str, keys: &mut Vec<String>) {
        let node = follow(root, node);
        let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let named = node.get("properties").and_then(Json::as_object);
        let free = node.get("additionalProperties").filter(|schema| schema.is_object());
        for (key, child) in named.into_iter().flatten() {
            collect(root, child, &join(key), keys);
        }
        if let Some(child) = free {
            collect(root, child, &join("*"), keys);
        }
        if named.is_none() && free.is_none() {
            keys.push(path.to_owned());
        }
    }
    let mut keys = Vec::new();
    collect(schema, schema, "", &mut keys);
    keys
}

#[test]
fn every_key_of_the_schema_is_described() {
    fn check(node: &Json, path: &str) {
        match node {
            Json::Object(object) => {
                for (name, property) in object.get("properties").and_then(Json::as_object).into_iter().flatten() {
                    let described = property.get("description").is_some() || property == &Json::Bool(true);
                    assert!(described, "{path}.{name} has no description");
                }
                object.iter().for_each(|(key, child)| check(child, &format!("{path}/{key}")));
            }
            Json::Array(items) => items.iter().for_each(|item| check(item, path)),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    check(&json_schema(&providers()), "");
}

#[test]
fn the_schema_carries_the_built_in_defaults() {
    let schema = json_schema(&providers());
    assert_eq!(schema.pointer("/properties/zones/default"), Some(&serde_json::json!(3)));
    assert_eq!(
        schema.pointer("/$defs/EngineDocument/properties/request_timeout/default"),
        Some(&serde_json::json!("30s"))
    );
    assert_eq!(schema.pointer("/$defs/NetworkDocument/properties/nat/default"), Some(&serde_json::json!("single")));
}

#[test]
fn the_schema_speaks_of_no_null_and_breaks_no_lines() {
    let schema = json_schema(&providers());
    let text = serde_json::to_string(&schema).unwrap();
    assert!(!text.contains("null"), "TOML has no null");
    assert_eq!(schema.pointer("/properties/name/type"), Some(&serde_json::json!("string")));
    assert_eq!(schema.pointer("/$defs/NetworkDocument/properties/nat/$ref"), Some(&serde_json::json!("#/$defs/Nat")));
    let description = schema.pointer("/properties/name/description").and_then(Json::as_str).unwrap();
    assert!(description.contains("ending with a hyphen") && !description.contains('\n'), "{description}");
}

#[test]
fn definitions_of_providers_do_not_mix_with_others() {
    let schema = json_schema(&providers());
    assert!(schema.pointer("/$defs/eks.VpcOptions").is_some());
    assert_eq!(
        schema.pointer("/properties/eks/properties/vpc/$ref"),
        Some(&serde_json::json!("#/$defs/eks.VpcOptions"))
    );
    assert!(schema.pointer("/properties/eks/$schema").is_none());
}
