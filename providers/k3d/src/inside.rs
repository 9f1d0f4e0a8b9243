//! What k3d leaves to us inside the cluster: nothing to make, but nodes and metrics to look at, and how many workers there are. k3s
//! brings a default storage class and a metrics server.

use howso_infra_core::inside::{Inside, Pool, PoolRole, PoolScaling, WorkerImage};
use howso_infra_core::provider::Facts;
use howso_infra_core::spec::{ClusterSpec, WorkerPool};

use crate::facts::K3dFacts;
use crate::graph::{CORE_POOL, POOL_LABEL, labels, taints};
use crate::kinds::NODE;
use crate::survey::Share;

/// What the kubelet keeps free of what a node could offer, unless it is told otherwise: `memory.available<100Mi`
/// (<https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#hard-eviction-thresholds>).
const EVICTION_MEBIBYTES: u64 = 100;

/// What must be true inside.
pub(crate) fn inside(spec: &ClusterSpec, facts: &Facts) -> Inside {
    let facts = K3dFacts::from_facts(facts);
    let count = |name: &str| {
        let names = facts.as_ref().and_then(|facts| facts.workers.get(name));
        names.map_or(0, |names| u32::try_from(names.len()).unwrap_or(u32::MAX))
    };
    let share = facts.as_ref().map(|facts| Share::of(spec, facts));
    let workers = spec.workers.iter().map(|(name, worker)| {
        let name = name.node_pool_name();
        let scaling = share.map(|share| scaling(name, worker, share));
        Pool { scaling, ..pool(name, PoolRole::Worker, count(name)) }
    });
    Inside {
        storage_class: None,
        autoscaler: None,
        worker_image: WorkerImage::of(spec),
        metrics: true,
        pools: [pool(CORE_POOL, PoolRole::Core, spec.core.nodes)].into_iter().chain(workers).collect(),
    }
}

fn pool(name: &str, role: PoolRole, nodes: u32) -> Pool {
    Pool {
        name: name.to_owned(),
        role,
        member_label: (POOL_LABEL.to_owned(), name.to_owned()),
        min: nodes,
        max: nodes,
        autoscaling_group: None,
        scaling: None,
    }
}

fn scaling(name: &str, pool: &WorkerPool, share: Share) -> PoolScaling {
    let offer = share.of_machine(&pool.machine);
    PoolScaling {
        kind: NODE,
        min: pool.min,
        max: pool.max,
        labels: labels(name, &pool.labels),
        taints: taints(&pool.taints),
        cpu_millis: offer.cpus * 1000,
        memory_mebibytes: offer.memory_mebibytes.saturating_sub(EVICTION_MEBIBYTES),
    }
}
