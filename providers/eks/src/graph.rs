//! The whole graph: network and roles, then the control plane, then the nodes, then what runs on them; beside them the machine for
//! clients.

use howso_infra_core::provider::Facts;
use howso_infra_core::spec::{ClusterSpec, KeyPath, SpecError, SpecErrorKind, SpecErrors};
use howso_infra_core::{Graph, Resource, ResourceId, Value};

use crate::client_machine::Surroundings;
use crate::facts::EksFacts;
use crate::options::EksOptions;
use crate::pools::Foundation;
use crate::tags::NAME_TAG;
use crate::{client_machine, control_plane, iam, network, pools};

/// Builds the graph. The same specification and facts give the same graph.
pub(crate) fn graph(spec: &ClusterSpec, facts: &Facts) -> Result<Graph, SpecErrors> {
    let options = EksOptions::from_spec(spec)?;
    let facts = EksFacts::from_facts(facts).ok_or_else(|| internal("the facts are not those of EKS"))?;
    let network = network::graph(spec, &options, &facts)?;
    let roles = iam::graph(spec, &options, &facts);
    let control_plane = control_plane::graph(spec, &options, &facts, &network.private_subnets, &roles);
    let before_nodes = network.egress.union(&control_plane.before_nodes).cloned().collect();
    let foundation =
        Foundation { private_subnets: &network.private_subnets, before_nodes: &before_nodes, role: &roles.node };
    let pools = pools::graph(spec, &facts, foundation)?;
    let late_addons = control_plane::late_addons(spec, &options, &facts, &pools.core_groups);
    let surroundings =
        Surroundings { vpc_id: &network.vpc_id, private_subnets: &network.private_subnets, egress: &network.egress };
    let client_machine = client_machine::graph(spec, &options, &facts, roles.client.as_ref(), surroundings);
    let parts =
        [network.resources, roles.resources, control_plane.resources, pools.resources, late_addons, client_machine];
    Graph::new(parts.into_iter().flatten()).map_err(|error| internal(&error.to_string()))
}

/// A mistake of this provider, which no user can cure; only the type of the answer makes it look like one of theirs.
fn internal(message: &str) -> SpecErrors {
    let error = SpecError {
        kind: SpecErrorKind::Conflict,
        path: KeyPath::dotted("eks"),
        message: format!("this is a fault of the program: {message}"),
        hint: Some("please report it with your specification".to_owned()),
        origin: None,
    };
    error.into()
}

/// The user's tags.
pub(crate) fn user_tags(spec: &ClusterSpec) -> impl Iterator<Item = (String, String)> {
    spec.tags.iter().map(|(key, value)| (key.as_str().to_owned(), value.clone()))
}

/// Starts a resource with the tags that everything gets: the user's, and a name.
pub(crate) fn tagged(spec: &ClusterSpec, id: &ResourceId) -> Resource {
    let name = (NAME_TAG.to_owned(), format!("{}-{}", spec.name, id.name()));
    Resource::new(id.clone()).with("tags", Value::text_map(user_tags(spec).chain([name])))
}

/// The subnets of a cluster or of a group over several zones. Those of an existing network, which users name in any order, are
/// sorted as they are when they are read.
pub(crate) fn subnet_ids(subnets: &[Value]) -> Value {
    let mut subnets = subnets.to_vec();
    if subnets.iter().all(|subnet| subnet.as_text().is_some()) {
        subnets.sort();
    }
    Value::List(subnets)
}

#[cfg(test)]
pub(crate) mod tests;
