//! What a cluster costs per hour.

use std::collections::{BTreeMap, BTreeSet};

use howso_infra_core::provider::Cost;
use howso_infra_core::sizing::catalogue::EKS;
use howso_infra_core::spec::{ClusterSpec, Purchase};

use crate::client_machine;

/// The control plane in standard support: 0.10 US dollars per hour (<https://aws.amazon.com/eks/pricing/>).
const CONTROL_PLANE_MICRODOLLARS: u64 = 100_000;

/// Adds up control plane, nodes and the machine for clients, with every worker pool at its minimum and at its maximum; [`None`] when a price is
/// not known.
///
/// `instance_types` are the chosen types of each pool by its name among node pools. The first of several types counts.
pub(crate) fn cost(spec: &ClusterSpec, instance_types: &BTreeMap<String, Vec<String>>) -> Option<Cost> {
    let machine = |pool: &str| EKS.find(instance_types.get(pool)?.first()?);
    let price = |pool: &str| spec.cost.prices.of(machine(pool)?);
    let core = price("core")?;
    let (core_min, core_max) = (spec.core.nodes, spec.core.max.unwrap_or(spec.core.nodes));
    let mut idle = CONTROL_PLANE_MICRODOLLARS + core * u64::from(core_min);
    let mut maximum = CONTROL_PLANE_MICRODOLLARS + core * u64::from(core_max);
    for (name, pool) in &spec.workers {
        let worker = price(name.node_pool_name())?;
        idle += worker * u64::from(pool.min);
        maximum += worker * u64::from(pool.max);
    }
    if spec.client.is_some() {
        let client = price(client_machine::POOL)?;
        idle += client;
        maximum += client;
    }
    Some(Cost {
        idle_millidollars_per_hour: idle.div_ceil(1000),
        maximum_millidollars_per_hour: maximum.div_ceil(1000),
        basis: basis(spec, instance_types),
    })
}

fn basis(spec: &ClusterSpec, instance_types: &BTreeMap<String, Vec<String>>) -> String {
    let mut notes = vec!["without disks, NAT gateways, load balancers, traffic and logs"];
    if spec.workers.values().any(|pool| pool.purchase == Purchase::Spot) {
        notes.push("spot pools at the on-demand price, which they stay below");
    }
    if spec.location.as_str() != EKS.price_region {
        notes.push("prices of other regions differ");
    }
    let machines: BTreeSet<&str> =
        instance_types.values().filter_map(|types| types.first()).map(String::as_str).collect();
    format!("{}; {}", spec.cost.prices.basis(machines, EKS.price_basis), notes.join("; "))
}
