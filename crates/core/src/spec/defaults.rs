//! The lowest layer: values that hold when nothing else is said.

use crate::spec::tree::{Node, Value};
use crate::spec::{Layer, Origin};

/// Defaults of keys that exist once.
const DEFAULTS: &str = r#"
profile = "small"
zones = 3
deletion_protection = true
journal = "local"
allow_open_endpoint = false
addons = true

[kubernetes]
api_access = "auto"
control_plane_logs = ["audit"]

[network]
nat = "single"

[core]
nodes = 3
services = "tuned"
machine = { cpu = 8, memory = "32Gi", architecture = "x86_64", disk = "100Gi", types = [] }

[platform]
charts = "oci://registry.how.so/howso-platform/stable"

[cost]
busy_hours = 160

[autoscaler]
enabled = true

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
"#;

/// Defaults of every worker pool that some layer names.
const WORKER_DEFAULTS: &str = r#"
min = 0
spot = false
taints = []
machine = { cpu = 16, memory = "64Gi", architecture = "x86_64", disk = "100Gi", types = [] }
"#;

fn parse(text: &str) -> Node {
    let mut node = Node::parse(&Layer::Default, text).expect("the built-in defaults are valid TOML");
    forget_places(&mut node);
    node
}

/// Nobody can go to a line of a built-in text.
fn forget_places(node: &mut Node) {
    node.origin = Origin::built_in();
    node.key_origin = Origin::built_in();
    if let Value::Table(table) = &mut node.value {
        table.values_mut().for_each(forget_places);
    }
    if let Value::Array(items) = &mut node.value {
        items.values_mut().for_each(forget_places);
    }
}

/// The defaults of keys that exist once.
pub(crate) fn built_in_defaults() -> Node {
    parse(DEFAULTS)
}

/// The default of `region` on a platform with one place.
pub(crate) fn default_location(name: &str) -> Node {
    parse(&format!("region = \"{name}\""))
}

/// Lays every worker pool of `tree` over the defaults of a pool.
pub(crate) fn complete_worker_pools(tree: &mut Node) {
    let Value::Table(top) = &mut tree.value else { return };
    let Some(Value::Table(pools)) = top.get_mut("workers").map(|node| &mut node.value) else { return };
    for pool in pools.values_mut().filter(|pool| pool.table().is_some()) {
        let mut complete = parse(WORKER_DEFAULTS);
        complete.merge(pool.clone());
        *pool = complete;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::KeyPath;

    #[test]
    fn the_default_profile_is_the_one_that_is_looked_up() {
        let defaults = built_in_defaults();
        let node = defaults.get(&KeyPath::dotted("profile")).unwrap();
        assert_eq!(node.to_json(), serde_json::json!(crate::spec::DEFAULT_PROFILE));
    }

    #[test]
    fn a_pool_keeps_what_it_says_and_gets_the_rest() {
        let layer = Layer::Flag { flag: "x".into() };
        let mut tree =
            Node::parse(&layer, "[workers.big]\nmin = 2\nmachine = { cpu = 4 }\n[workers]\nodd = 1\n").unwrap();
        complete_worker_pools(&mut tree);
        let get = |path: &str| tree.get(&KeyPath::dotted(path)).unwrap();
        assert_eq!(get("workers.big.min").to_toml_text(), "2");
        assert_eq!(get("workers.big.machine.cpu").to_toml_text(), "4");
        assert_eq!(get("workers.big.machine.memory").to_toml_text(), "\"64Gi\"");
        assert_eq!(get("workers.big.machine.memory").origin, Origin::built_in());
        assert_eq!(get("workers.odd").to_toml_text(), "1");
    }
}
