//! The whole graph: a network, the cluster with its server, and the agents.

use std::collections::BTreeMap;

use howso_infra_core::provider::Facts;
use howso_infra_core::spec::{
    CORE_LABEL, ClusterSpec, KeyPath, LabelKey, LabelValue, Machine, SpecError, SpecErrorKind, SpecErrors, Taint,
};
use howso_infra_core::{Attributes, Graph, Resource, ResourceId, Value};

use crate::arguments::{NodeArguments, Reserved};
use crate::facts::K3dFacts;
use crate::kinds::{CLUSTER, NETWORK, NODE};
use crate::options::K3dOptions;
use crate::survey::Share;

/// The label of every node with the name of its pool.
pub(crate) const POOL_LABEL: &str = "howso-infra/pool";

/// The name of the core pool among the pools of nodes.
pub(crate) const CORE_POOL: &str = "core";

/// The network.
pub(crate) fn network_id() -> ResourceId {
    ResourceId::new(NETWORK, "main")
}

/// The cluster.
pub(crate) fn cluster_id() -> ResourceId {
    ResourceId::new(CLUSTER, "main")
}

/// A node beside the server.
pub(crate) fn node_id(name: &str) -> ResourceId {
    ResourceId::new(NODE, name)
}

/// Builds the graph. The same specification and facts give the same graph.
pub(crate) fn graph(spec: &ClusterSpec, facts: &Facts) -> Result<Graph, SpecErrors> {
    let options = K3dOptions::from_spec(spec)?;
    let facts = K3dFacts::from_facts(facts).ok_or_else(|| internal("the facts are not those of k3d"))?;
    let nodes = nodes(spec, &facts);
    let cluster = cluster(spec, &options, &facts, &nodes);
    let network = Resource::new(network_id()).with("name", network_name(spec.name.as_str()));
    let nodes = nodes.into_iter().map(|(id, arguments)| {
        let node = Resource { attributes: arguments.to_attributes(), ..Resource::new(id) };
        let node = node.with("cluster", Value::reference(&cluster_id(), "name"));
        with_images(node, &facts).with("accepts_pods", true).with("running", true)
    });
    Graph::new([network, cluster].into_iter().chain(nodes)).map_err(|error| internal(&error.to_string()))
}

/// The name of the network, which is the one that k3d would choose.
pub(crate) fn network_name(cluster: &str) -> String {
    format!("k3d-{cluster}")
}

/// The name of the volume that k3d makes for images.
pub(crate) fn volume_name(cluster: &str) -> String {
    format!("k3d-{cluster}-images")
}

fn cluster(
    spec: &ClusterSpec,
    options: &K3dOptions,
    facts: &K3dFacts,
    nodes: &BTreeMap<ResourceId, NodeArguments>,
) -> Resource {
    let server = core_arguments(spec, facts);
    let agent = |(id, arguments): (&ResourceId, &NodeArguments)| {
        let mut agent = arguments.to_attributes();
        agent.insert("resource".to_owned(), Value::text(id.to_string()));
        Value::Map(agent)
    };
    let arguments: Attributes = server.to_attributes().into_iter().filter(|(field, _)| field != "taints").collect();
    let mut cluster = Resource { attributes: arguments, ..Resource::new(cluster_id()) }
        .with("network", Value::reference(&network_id(), "name"))
        .with("listen", options.listen.to_string())
        .with("http_port", u32::from(facts.http_port))
        .with("https_port", u32::from(facts.https_port))
        .with("registry", options.registry)
        .with("running", true)
        .with("agents", Value::List(nodes.iter().map(agent).collect()));
    if options.registry {
        cluster = cluster.with("registry_port", u32::from(facts.registry_port));
        if let Some(image) = &options.registry_image {
            cluster = cluster.with("registry_image", image.as_str());
        }
    }
    if !options.volumes.is_empty() {
        cluster = cluster.with("volumes", Value::texts(options.volumes.clone()));
    }
    cluster = with_images(cluster, facts);
    // An image that is named says which version it holds; without either, the cluster keeps what it has.
    match (&options.image, spec.kubernetes.version) {
        (Some(image), _) => cluster.with("image", image.as_str()),
        (None, Some(version)) => cluster.with("kubernetes_version", version.to_string()),
        (None, None) => cluster,
    }
}

/// Adds the images that a node shall have; the cluster stands for its server.
fn with_images(node: Resource, facts: &K3dFacts) -> Resource {
    if facts.images.is_empty() { node } else { node.with("images", Value::Map(facts.images.clone())) }
}

/// The nodes beside the server, by name.
fn nodes(spec: &ClusterSpec, facts: &K3dFacts) -> BTreeMap<ResourceId, NodeArguments> {
    let core = core_arguments(spec, facts);
    let mut nodes: BTreeMap<_, _> =
        (1..spec.core.nodes).map(|index| (node_id(&format!("core-{index}")), core.clone())).collect();
    for (name, pool) in &spec.workers {
        let arguments = NodeArguments {
            labels: labels(name.node_pool_name(), &pool.labels),
            taints: texts(&taints(&pool.taints)),
            reserved: reserved(spec, facts, &pool.machine),
        };
        let names = facts.workers.get(name.node_pool_name()).into_iter().flatten();
        nodes.extend(names.map(|name| (node_id(name), arguments.clone())));
    }
    nodes
}

fn core_arguments(spec: &ClusterSpec, facts: &K3dFacts) -> NodeArguments {
    let (key, value) = CORE_LABEL;
    let mut labels = labels(CORE_POOL, &spec.core.labels);
    labels.insert(key.to_owned(), value.to_owned());
    NodeArguments { labels, taints: Vec::new(), reserved: reserved(spec, facts, &spec.core.machine) }
}

/// What a node of this pool keeps from pods, so that it offers its pool's share of the machine.
fn reserved(spec: &ClusterSpec, facts: &K3dFacts, machine: &Machine) -> Reserved {
    let share = Share::of(spec, facts).of_machine(machine);
    Reserved {
        cpu_millis: 1000 * (facts.cpus.saturating_sub(share.cpus)),
        memory_mebibytes: facts.memory_mebibytes.saturating_sub(share.memory_mebibytes),
    }
}

/// The labels of a pool's nodes: the user's, and the pool's name.
pub(crate) fn labels(pool: &str, own: &BTreeMap<LabelKey, LabelValue>) -> BTreeMap<String, String> {
    let own = own.iter().map(|(key, value)| (key.to_string(), value.to_string()));
    own.chain([(POOL_LABEL.to_owned(), pool.to_owned())]).collect()
}

/// The taints of a worker pool's nodes: the user's, and the one that keeps others away.
pub(crate) fn taints(own: &[Taint]) -> Vec<Taint> {
    own.iter().cloned().chain([Taint::of_workers()]).collect()
}

fn texts(taints: &[Taint]) -> Vec<String> {
    let mut texts: Vec<String> = taints.iter().map(ToString::to_string).collect();
    texts.sort();
    texts
}

/// A mistake of this provider, which no user can cure; only the type of the answer makes it look like one of theirs.
fn internal(message: &str) -> SpecErrors {
    let error = SpecError {
        kind: SpecErrorKind::Conflict,
        path: KeyPath::dotted("k3d"),
        message: format!("this is a fault of the program: {message}"),
        hint: Some("please report it with your specification".to_owned()),
        origin: None,
    };
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KINDS;
    use crate::testing::{facts, specification};

    #[test]
    fn the_graph_of_a_small_cluster_with_a_worker_reads_like_this() {
        let graph = graph(&specification("small", "").unwrap(), &facts(&["worker-0"])).unwrap();
        insta::assert_json_snapshot!(graph);
    }

    #[test]
    fn every_resource_has_a_kind_and_every_attribute_a_rule() {
        for profile in ["small", "medium", "large"] {
            let more = "[k3d]\nvolumes = [\"/a:/b\"]\nimage = \"x\"\nregistry_image = \"y\"\n";
            let mut facts = K3dFacts::from_facts(&facts(&["worker-0"])).unwrap();
            facts.images.insert("docker.io/library/a:1".to_owned(), Value::text("sha256:1"));
            let facts = Facts { values: facts.to_attributes(), ..Facts::default() };
            let graph = graph(&specification(profile, more).unwrap(), &facts).unwrap();
            for resource in graph.iter() {
                let kind = KINDS.iter().find(|kind| kind.name == resource.id.kind()).unwrap();
                for field in resource.attributes.keys() {
                    assert!(kind.rule(field).is_some(), "{}: {field}", resource.id);
                }
            }
        }
    }

    #[test]
    fn a_worker_has_the_taint_beside_those_of_its_pool_and_never_the_core_label() {
        let more = "[workers.default]\ntaints = [\"a=b:NoExecute\"]\n";
        let graph = graph(&specification("small", more).unwrap(), &facts(&["worker-0"])).unwrap();
        let worker = NodeArguments::from_attributes(&graph.get(&node_id("worker-0")).unwrap().attributes);
        assert_eq!(worker.taints, ["a=b:NoExecute", "howso.com/nodetype=worker:NoSchedule"]);
        assert!(!worker.labels.contains_key(CORE_LABEL.0));
        let core = NodeArguments::from_attributes(&graph.get(&node_id("core-1")).unwrap().attributes);
        assert_eq!(core.labels[CORE_LABEL.0], "False");
        assert_eq!(core.taints, [""; 0]);
    }
}
