//! The configuration that k3d reads on its standard input: <https://k3d.io/stable/usage/configfile/>, `k3d.io/v1alpha5`.

use howso_infra_core::{Attributes, ClusterIdentity, ResourceId, Value};
use serde::Serialize;

use crate::arguments::NodeArguments;
use crate::containers::CONTAINER_LABEL;

/// After this time k3d gives up on a node that does not come up; without it k3d would wait for ever. Less than the deadline of the
/// step, so that it is k3d that says what was wrong.
const TIMEOUT: &str = "15m0s";

/// The whole configuration.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigFile {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    servers: usize,
    agents: usize,
    #[serde(rename = "kubeAPI")]
    kube_api: KubeApi,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    network: String,
    volumes: Vec<Volume>,
    ports: Vec<Port>,
    registries: Registries,
    options: Options,
}

#[derive(Clone, Debug, Serialize)]
struct Metadata {
    name: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct KubeApi {
    #[serde(rename = "hostIP")]
    host_ip: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    volume: String,
    node_filters: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    port: String,
    node_filters: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Registries {
    #[serde(skip_serializing_if = "Option::is_none")]
    create: Option<Registry>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Registry {
    name: String,
    host: String,
    host_port: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Options {
    k3d: K3dOptions,
    k3s: K3sOptions,
    kubeconfig: KubeconfigOptions,
    runtime: RuntimeOptions,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct K3dOptions {
    wait: bool,
    timeout: &'static str,
    disable_rollback: bool,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct K3sOptions {
    extra_args: Vec<ExtraArgument>,
    node_labels: Vec<Label>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtraArgument {
    arg: String,
    node_filters: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Label {
    label: String,
    node_filters: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct KubeconfigOptions {
    update_default_kubeconfig: bool,
    switch_current_context: bool,
}

#[derive(Clone, Debug, Serialize)]
struct RuntimeOptions {
    labels: Vec<Label>,
}

/// Writes the configuration of a new cluster.
///
/// JSON is YAML, and leaves no doubt about what is a text: the label's value is `False`, not a truth value.
pub(crate) fn render(
    cluster: &str,
    attributes: &Attributes,
    resource: &ResourceId,
    identity: &ClusterIdentity,
) -> String {
    let text = |name: &str| attributes.get(name).and_then(Value::as_text).unwrap_or_default().to_owned();
    let number = |name: &str| attributes.get(name).and_then(Value::as_integer).unwrap_or_default();
    let listen = text("listen");
    let agents = agents(attributes);
    let mut nodes = vec![(resource.clone(), "server:0".to_owned(), container(cluster, "server", 0))];
    let mut k3s = K3sOptions { extra_args: Vec::new(), node_labels: Vec::new() };
    add_arguments(&mut k3s, "server:0", &NodeArguments::from_attributes(attributes));
    for (index, (resource, arguments)) in agents.iter().enumerate() {
        let filter = format!("agent:{index}");
        add_arguments(&mut k3s, &filter, arguments);
        nodes.push((resource.clone(), filter, container(cluster, "agent", index)));
    }
    let config = ConfigFile {
        api_version: "k3d.io/v1alpha5",
        kind: "Simple",
        metadata: Metadata { name: cluster.to_owned() },
        servers: 1,
        agents: agents.len(),
        kube_api: KubeApi { host_ip: listen.clone() },
        image: attributes.get("image").and_then(Value::as_text).map(str::to_owned).or_else(|| {
            // k3d looks up the newest release of a channel.
            let version = attributes.get("kubernetes_version").and_then(Value::as_text)?;
            Some(format!("+v{version}"))
        }),
        network: text("network"),
        volumes: volumes(attributes),
        ports: [("http_port", 80), ("https_port", 443)]
            .map(|(name, inside)| Port {
                port: format!("{}:{}:{inside}", bracketed(&listen), number(name)),
                node_filters: vec!["loadbalancer".to_owned()],
            })
            .to_vec(),
        registries: Registries {
            create: attributes.get("registry").and_then(Value::as_bool).unwrap_or_default().then(|| Registry {
                name: registry_name(cluster),
                host: listen,
                host_port: number("registry_port").to_string(),
                image: attributes.get("registry_image").and_then(Value::as_text).map(str::to_owned),
            }),
        },
        options: Options {
            k3d: K3dOptions {
                wait: true,
                timeout: TIMEOUT,
                // What is half-made is seen, named and replaced by the next run; k3d could be broken off while it rolls back, too.
                disable_rollback: true,
            },
            k3s,
            kubeconfig: KubeconfigOptions { update_default_kubeconfig: false, switch_current_context: false },
            runtime: RuntimeOptions { labels: runtime_labels(&nodes, identity) },
        },
    };
    // Every part is text, a number or a list of those, all of which JSON can write.
    serde_json::to_string_pretty(&config).expect("the configuration can be written as JSON")
}

/// The name that k3d gives to the container of a node.
pub(crate) fn container(cluster: &str, role: &str, index: usize) -> String {
    format!("k3d-{cluster}-{role}-{index}")
}

/// The name of the registry's container, under which the nodes reach it.
pub(crate) fn registry_name(cluster: &str) -> String {
    format!("k3d-{cluster}-registry")
}

/// The agents that are made with the cluster.
pub(crate) fn agents(attributes: &Attributes) -> Vec<(ResourceId, NodeArguments)> {
    let entries = attributes.get("agents").and_then(Value::as_list).into_iter().flatten().filter_map(Value::as_map);
    let agent = |entry: &Attributes| {
        let resource = entry.get("resource")?.as_text()?.parse().ok()?;
        Some((resource, NodeArguments::from_attributes(entry)))
    };
    entries.filter_map(agent).collect()
}

fn add_arguments(k3s: &mut K3sOptions, filter: &str, arguments: &NodeArguments) {
    let node_filters = vec![filter.to_owned()];
    for (key, value) in &arguments.labels {
        k3s.node_labels.push(Label { label: format!("{key}={value}"), node_filters: node_filters.clone() });
    }
    for arg in arguments.beside_labels() {
        k3s.extra_args.push(ExtraArgument { arg, node_filters: node_filters.clone() });
    }
}

/// Labels of ownership for every container, and for each node those that name it.
fn runtime_labels(nodes: &[(ResourceId, String, String)], identity: &ClusterIdentity) -> Vec<Label> {
    let label = |key: &str, value: &str, filter: &str| Label {
        label: format!("{key}={value}"),
        node_filters: vec![filter.to_owned()],
    };
    let mut labels = Vec::new();
    for (resource, filter, container) in nodes {
        labels.extend(identity.tags(resource).iter().map(|(key, value)| label(key, value, filter)));
        labels.push(label(CONTAINER_LABEL, container, filter));
    }
    if let Some((cluster, _, _)) = nodes.first() {
        labels.extend(identity.tags(cluster).iter().map(|(key, value)| label(key, value, "loadbalancer")));
    }
    labels
}

fn volumes(attributes: &Attributes) -> Vec<Volume> {
    let volumes = attributes.get("volumes").and_then(Value::as_list).into_iter().flatten().filter_map(Value::as_text);
    let everywhere = |volume: &str| Volume {
        volume: volume.to_owned(),
        node_filters: vec!["server:*".to_owned(), "agent:*".to_owned()],
    };
    volumes.map(everywhere).collect()
}

/// An address as it stands before a port.
fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::graph::{cluster_id, graph};
    use crate::testing::{facts, identity, specification};

    fn rendered(more: &str) -> String {
        let graph = graph(&specification("small", more).unwrap(), &facts(&["worker-0"])).unwrap();
        let mut cluster = graph.get(&cluster_id()).unwrap().clone();
        cluster.attributes.insert("network".to_owned(), Value::text("k3d-demo"));
        render("demo", &cluster.attributes, &cluster.id, &identity())
    }

    #[test]
    fn the_whole_configuration_reads_like_this() {
        insta::assert_snapshot!(rendered(""));
    }

    /// A truth value instead of a text would be another label: trainees would be let in.
    #[test]
    fn the_label_of_core_nodes_is_a_text() {
        let config: Json = serde_json::from_str(&rendered("")).unwrap();
        let labels = config["options"]["k3s"]["nodeLabels"].as_array().unwrap();
        let of =
            |label: &str| labels.iter().find(|entry| entry["label"] == label).map(|entry| entry["nodeFilters"].clone());
        assert_eq!(of("howso.com/allowWorkers=False"), Some(serde_json::json!(["server:0"])));
        assert_eq!(of("howso-infra/pool=worker"), Some(serde_json::json!(["agent:1"])));
    }

    #[test]
    fn what_is_chosen_is_passed_on() {
        let more = "[k3d]\nimage = \"i:1\"\nlisten = \"::1\"\nregistry = false\nvolumes = [\"/a:/b\"]\n";
        let config: Json = serde_json::from_str(&rendered(more)).unwrap();
        assert_eq!(config["image"], "i:1");
        assert_eq!(config["ports"][0]["port"], "[::1]:80:80");
        assert_eq!(config["registries"], serde_json::json!({}));
        assert_eq!(config["volumes"][0]["volume"], "/a:/b");
        let versioned: Json = serde_json::from_str(&rendered("[kubernetes]\nversion = \"1.34\"\n")).unwrap();
        assert_eq!(versioned["image"], "+v1.34");
    }
}
