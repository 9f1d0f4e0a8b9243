//! The order of subnets. Services give them back in any order, the graph names them in the order of their places.

use std::collections::BTreeMap;

use howso_infra_core::{Attributes, Observation, Value};

/// The attribute with the subnets of a cluster or node group.
const SUBNET_IDS: &str = "subnet_ids";

/// Sorts the subnets of the cluster and the node groups by the name of each subnet in the graph, as far as it is observed; the
/// others, which an existing network brings, by their ids.
pub(crate) fn order_subnets(observation: &mut Observation) {
    let names: BTreeMap<String, String> = observation
        .resources
        .iter()
        .filter(|(id, _)| id.kind() == "ec2/subnet")
        .flat_map(|(id, found)| found.iter().map(|subnet| (subnet.physical_id.clone(), id.name().to_owned())))
        .collect();
    let users = observation.resources.iter_mut().filter(|(id, _)| matches!(id.kind(), "eks/cluster" | "eks/nodegroup"));
    for found in users.flat_map(|(_, found)| found) {
        if let Some(Value::List(subnets)) = found.attributes.get_mut(SUBNET_IDS) {
            subnets.sort_by_cached_key(|subnet| {
                let id = subnet.as_text().unwrap_or_default().to_owned();
                (names.get(&id).cloned(), id)
            });
        }
    }
}

/// Gives the subnets of one resource, read alone, the order in which they are wanted when they are the wanted ones.
pub(super) fn order_as_wanted(found: &mut Attributes, wanted: &Attributes) {
    let sorted = |list: &[Value]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    if let (Some(present), Some(list)) =
        (found.get(SUBNET_IDS).and_then(Value::as_list), wanted.get(SUBNET_IDS).and_then(Value::as_list))
        && sorted(present) == sorted(list)
    {
        found.insert(SUBNET_IDS.to_owned(), Value::List(list.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use howso_infra_core::{Observed, Ownership, ResourceId, Status};

    use super::*;

    fn found(physical_id: &str, attributes: Attributes) -> Observed {
        Observed {
            physical_id: physical_id.to_owned(),
            ownership: Ownership::Unclaimed,
            status: Status::Ready,
            attributes,
            outputs: Attributes::new(),
        }
    }

    fn subnets(ids: &[&str]) -> Attributes {
        Attributes::from([(SUBNET_IDS.to_owned(), Value::texts(ids.iter().copied()))])
    }

    #[test]
    fn own_subnets_are_ordered_by_place_and_others_by_id() {
        let mut observation = Observation::default();
        observation.insert(ResourceId::new("ec2/subnet", "private-a"), found("subnet-9", Attributes::new()));
        observation.insert(ResourceId::new("ec2/subnet", "private-b"), found("subnet-1", Attributes::new()));
        let cluster = ResourceId::new("eks/cluster", "main");
        observation.insert(cluster.clone(), found("arn", subnets(&["subnet-1", "subnet-9"])));
        order_subnets(&mut observation);
        assert_eq!(observation.resources[&cluster][0].attributes, subnets(&["subnet-9", "subnet-1"]));
    }

    #[test]
    fn one_resource_takes_the_wanted_order_unless_the_subnets_differ() {
        let mut attributes = subnets(&["subnet-1", "subnet-9"]);
        order_as_wanted(&mut attributes, &subnets(&["subnet-9", "subnet-1"]));
        assert_eq!(attributes, subnets(&["subnet-9", "subnet-1"]));
        order_as_wanted(&mut attributes, &subnets(&["subnet-1"]));
        assert_eq!(attributes, subnets(&["subnet-9", "subnet-1"]));
    }
}
