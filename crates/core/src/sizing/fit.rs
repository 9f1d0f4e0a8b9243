//! Whether the workload has room on the nodes of a specification: told before anything is paid for.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::sizing::packing::{Group, PackedNode, pack_on};
use crate::sizing::services::{self, Service, Spread};
use crate::sizing::{Amounts, MachineType, Nominal, Platform, TraineeSize};
use crate::spec::{Architecture, ClusterSpec, KeyPath, PoolName, SpecError, SpecErrorKind};

mod trainees;

pub use trainees::TraineesFit;
use trainees::prove_trainees;

/// The machine that nodes of a pool are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolMachine {
    /// The platform's name of it, or the names of several.
    pub name: String,
    /// What it is made of; the least of each part where there are several.
    pub nominal: Nominal,
    /// The architecture of its processors.
    pub architecture: Architecture,
}

/// The machines of a cluster, as a provider chose them.
#[derive(Clone, Debug)]
pub struct Machines {
    /// The platform.
    pub platform: &'static Platform,
    /// Those of the core pool.
    pub core: PoolMachine,
    /// Those of each worker pool.
    pub workers: BTreeMap<PoolName, PoolMachine>,
}

/// What was found: what has room, and with how much to spare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// The core pool; [`None`] where other services than the tuned ones run.
    pub core: Option<CoreFit>,
    /// The worker pools.
    pub workers: Vec<WorkerFit>,
    /// The trainees that are to run; [`None`] when nobody said which.
    pub trainees: Option<TraineesFit>,
}

/// Whether the services have room on the core nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoreFit {
    /// How many nodes there are.
    pub nodes: u32,
    /// The machine of each.
    pub machine: String,
    /// What each leaves to the services.
    pub node: Amounts,
    /// What all services request, scaled to their maximum.
    pub asked: Amounts,
    /// Whether they have room.
    pub all_nodes: Room,
    /// Whether they still have room with one node less.
    pub one_node_lost: Room,
}

/// Whether there is room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Room {
    /// There is.
    Enough,
    /// There is not; the smallest changes with which there is, each alone.
    Lacking {
        /// This many nodes of the same machine.
        nodes: Option<u32>,
        /// This machine, for the same number of nodes.
        machine: Option<LargerMachine>,
    },
}

impl Room {
    /// Whether there is.
    pub fn is_enough(&self) -> bool {
        *self == Self::Enough
    }
}

/// A machine that would be large enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LargerMachine {
    /// The platform's name of it.
    pub name: String,
    /// Virtual CPUs.
    pub cpu: u32,
    /// Memory, in gibibytes.
    pub memory_gibibytes: u64,
}

impl From<&MachineType> for LargerMachine {
    fn from(known: &MachineType) -> Self {
        Self { name: known.name.clone(), cpu: known.vcpus, memory_gibibytes: known.memory_mebibytes / 1024 }
    }
}

/// As it is written in a specification.
impl fmt::Display for LargerMachine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "machine = {{ cpu = {}, memory = \"{}Gi\" }}", self.cpu, self.memory_gibibytes)
    }
}

/// What a worker pool holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerFit {
    /// The pool.
    pub pool: PoolName,
    /// The machine of each node.
    pub machine: String,
    /// What each leaves to trainees.
    pub node: Amounts,
    /// The sizes of the platform that a node holds, smallest first.
    pub sizes: Vec<SizeFit>,
}

impl WorkerFit {
    /// The largest size of the platform that it holds.
    pub fn largest(&self) -> Option<&SizeFit> {
        self.sizes.last()
    }
}

/// How many trainees of one size a node holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SizeFit {
    /// The name of the size.
    pub size: String,
    /// How many.
    pub per_node: u64,
    /// The part of the node that is left over then, in thousandths, by whatever is used most.
    pub unused_permille: u64,
}

/// The most nodes that a core pool may have (`spec`).
const CORE_NODES_MAX: u32 = 100;

/// Looks whether the services and trainees of `spec` have room on `machines`.
pub fn prove(spec: &ClusterSpec, machines: &Machines) -> Fit {
    let core = spec.core.services.is_tuned().then(|| prove_core(spec.core.nodes, machines));
    let maxima = spec.workers.iter().map(|(name, pool)| (name.clone(), pool.max)).collect();
    let trainees = (!spec.trainees.is_empty()).then(|| prove_trainees(&spec.trainees, &maxima, machines));
    Fit { core, workers: worker_fits(machines), trainees }
}

/// What runs on so many core nodes: the platform's own pods, then the services.
fn services(platform: &Platform, core_nodes: u32) -> Vec<Service> {
    platform.system.iter().copied().chain(services::services(core_nodes)).collect()
}

pub(super) fn prove_core(nodes: u32, machines: &Machines) -> CoreFit {
    let Machines { platform, core, .. } = machines;
    let services = services(platform, nodes);
    let node = platform.offers(core.nominal);
    CoreFit {
        nodes,
        machine: core.name.clone(),
        node,
        asked: services.iter().map(|service| service.requests.times(service.replicas)).sum(),
        all_nodes: room(nodes, 0, machines),
        one_node_lost: room(nodes, 1, machines),
    }
}

/// Whether `nodes` of which each leaves `node` to them hold the services of a platform, also when one is lost.
pub(super) fn is_enough_for_core(platform: &Platform, nodes: u32, node: Amounts) -> bool {
    let services = services(platform, nodes);
    [nodes, nodes.saturating_sub(1)].into_iter().all(|nodes| place(&services, nodes, node).is_some())
}

/// Whether the services have room on `nodes`, of which `lost` are gone.
fn room(nodes: u32, lost: u32, machines: &Machines) -> Room {
    let Machines { platform, core, .. } = machines;
    let has_room = |nodes: u32, node| place(&services(platform, nodes), nodes.saturating_sub(lost), node).is_some();
    let node = platform.offers(core.nominal);
    if has_room(nodes, node) {
        return Room::Enough;
    }
    let mut larger = platform.machines(core.architecture);
    Room::Lacking {
        nodes: (nodes + 1..=CORE_NODES_MAX).find(|more| has_room(*more, node)),
        machine: larger.find(|known| has_room(nodes, platform.offers(known.nominal()))).map(LargerMachine::from),
    }
}

/// Places services on nodes, those first that are spread evenly; [`None`] when no place was found.
///
/// What has room on some nodes has room on one more as well: where the first attempt finds none, the placement on one node less is
/// taken, and the new node takes its part of what is spread.
fn place(services: &[Service], nodes: u32, node: Amounts) -> Option<Vec<PackedNode>> {
    if nodes == 0 {
        return None;
    }
    place_at_once(services, nodes, node).or_else(|| {
        let mut placed = place(services, nodes - 1, node)?;
        placed.push(PackedNode { free: node, pods: vec![0; services.len()] });
        let spread = services.iter().enumerate().filter(|(_, service)| service.spread == Spread::Evenly);
        spread.for_each(|(index, service)| level(&mut placed, index, service.requests));
        Some(placed)
    })
}

fn place_at_once(services: &[Service], nodes: u32, node: Amounts) -> Option<Vec<PackedNode>> {
    let mut placed = vec![PackedNode { free: node, pods: vec![0; services.len()] }; usize::try_from(nodes).ok()?];
    let mut anywhere: Vec<Group> = Vec::with_capacity(services.len());
    for (index, Service { replicas, requests, spread, .. }) in services.iter().enumerate() {
        anywhere.push(Group { requests: *requests, count: if *spread == Spread::Anywhere { *replicas } else { 0 } });
        if *spread == Spread::Evenly {
            for _ in 0..*replicas {
                // The first of those with fewest: whoever adds a node adds one that stays as empty as it can.
                let least = placed.iter_mut().min_by_key(|node| node.pods[index])?;
                if !least.free.holds(*requests) {
                    return None;
                }
                least.free = least.free.without(*requests);
                least.pods[index] += 1;
            }
        }
    }
    pack_on(placed, &anywhere, node)
}

/// Moves pods of one service to the last node until no node has more than one more than it.
fn level(nodes: &mut [PackedNode], service: usize, requests: Amounts) {
    let Some((last, others)) = nodes.split_last_mut() else { return };
    while let Some(fullest) = others.iter_mut().max_by_key(|node| node.pods[service]) {
        if fullest.pods[service] <= last.pods[service] + 1 {
            break;
        }
        fullest.pods[service] -= 1;
        fullest.free = fullest.free + requests;
        last.pods[service] += 1;
        last.free = last.free.without(requests);
    }
}

fn worker_fits(machines: &Machines) -> Vec<WorkerFit> {
    let of_pool = |(pool, machine): (&PoolName, &PoolMachine)| {
        let node = machines.platform.offers(machine.nominal);
        let sizes = TraineeSize::all_named().filter_map(|size| size_fit(&size, node)).collect();
        WorkerFit { pool: pool.clone(), machine: machine.name.clone(), node, sizes }
    };
    machines.workers.iter().map(of_pool).collect()
}

/// How many trainees of `size` a node holds that leaves `node` to them; [`None`] for none.
pub(super) fn size_fit(size: &TraineeSize, node: Amounts) -> Option<SizeFit> {
    let per_node = node.holds_times(size.requests);
    let used = size.requests.times(per_node).share_permille(node);
    (per_node > 0).then(|| SizeFit {
        size: size.name.clone(),
        per_node,
        unused_permille: 1000_u64.saturating_sub(used),
    })
}

impl Fit {
    /// What has no room, as errors of the specification.
    pub fn errors(&self) -> Vec<SpecError> {
        let core = self.core.iter().filter_map(CoreFit::error);
        let trainees = self.trainees.iter().flat_map(TraineesFit::errors);
        core.chain(trainees).collect()
    }

    /// What has room only as long as nothing goes wrong, and what a pool is not good for.
    pub fn warnings(&self) -> Vec<String> {
        let core = self.core.iter().filter_map(CoreFit::warning);
        let empty = self.workers.iter().filter(|pool| pool.sizes.is_empty());
        let empty = empty.map(|pool| format!("{} holds no trainee of any size of the platform", pool.machine));
        let trainees = self.trainees.iter().flat_map(TraineesFit::warnings);
        core.chain(empty).chain(trainees).collect()
    }
}

impl CoreFit {
    fn warning(&self) -> Option<String> {
        let cure = self.one_node_lost.cure().map(|cure| format!(" ({cure})")).unwrap_or_default();
        let is_told = self.all_nodes.is_enough() && !self.one_node_lost.is_enough();
        is_told.then(|| format!("with one core node lost, not every service has room{cure}"))
    }

    fn error(&self) -> Option<SpecError> {
        if self.all_nodes.is_enough() {
            return None;
        }
        let message = format!(
            "the services of the platform have no room on {} × {}: they request {} CPUs and {} GiB in all, NATS 3 × 2 CPUs and 8 GiB, \
             and a node leaves them {} CPUs and {} GiB",
            self.nodes,
            self.machine,
            decimal(self.asked.cpu_millicores, 1000),
            decimal(self.asked.memory_mebibytes, 1024),
            decimal(self.node.cpu_millicores, 1000),
            decimal(self.node.memory_mebibytes, 1024),
        );
        Some(SpecError {
            kind: SpecErrorKind::InvalidValue,
            path: KeyPath::dotted("core"),
            message,
            hint: self.all_nodes.cure(),
            origin: None,
        })
    }
}

impl Room {
    /// The smallest changes with which there is room.
    pub fn cure(&self) -> Option<String> {
        let Self::Lacking { nodes, machine } = self else { return None };
        let nodes = nodes.map(|nodes| format!("nodes = {nodes}"));
        let machine = machine.as_ref().map(ToString::to_string);
        let cures: Vec<String> = nodes.into_iter().chain(machine).collect();
        (!cures.is_empty()).then(|| format!("enough would be, under [core], {}", cures.join(" or ")))
    }
}

/// What a pod requests, for people.
fn requested(amounts: Amounts) -> String {
    let (cpu, memory) = (decimal(amounts.cpu_millicores, 1000), decimal(amounts.memory_mebibytes, 1024));
    format!("{cpu} CPUs and {memory} GiB")
}

/// With one digit after the point, and none where it would be a zero.
fn decimal(amount: u64, whole: u64) -> String {
    let tenths = (amount * 10 + whole / 2) / whole;
    if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests;
