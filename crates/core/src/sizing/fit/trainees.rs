//! Whether the trainees that are to run have room on the worker nodes.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{LargerMachine, Machines, requested};
use crate::sizing::packing::{Group, PackedNode, fill, largest_first, pack};
use crate::sizing::{Amounts, MachineType, TraineeSize, Trainees};
use crate::spec::{Architecture, KeyPath, PoolName, SpecError, SpecErrorKind};

/// Whether the trainees that are to run have room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TraineesFit {
    /// How many nodes of each pool they take when all of them run.
    pub nodes_at_peak: BTreeMap<PoolName, u64>,
    /// The sizes that no node holds, with the smallest machine that does.
    pub too_large: Vec<TooLarge>,
    /// The pools with too few nodes, and how many would be enough.
    pub too_few: BTreeMap<PoolName, u64>,
    /// The sizes at which trainees that run out of memory are made again, and which no node holds: first the size, then the next.
    pub next_too_large: Vec<(String, String)>,
}

/// A size that no node holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TooLarge {
    /// The size.
    pub size: TraineeSize,
    /// The pool with the largest nodes.
    pub pool: Option<PoolName>,
    /// What each of them leaves to trainees.
    pub node: Amounts,
    /// The cheapest machine of the same architecture that would hold it.
    pub machine: Option<LargerMachine>,
}

/// The nodes of one pool.
struct Nodes<'a> {
    pool: &'a PoolName,
    offered: Amounts,
    architecture: Architecture,
    max: u32,
}

/// Puts `trainees` on worker nodes, of which each pool has at most as many as `maxima` say: on those of the smallest machine first.
pub(super) fn prove_trainees(
    trainees: &[Trainees],
    maxima: &BTreeMap<PoolName, u32>,
    machines: &Machines,
) -> TraineesFit {
    let mut pools: Vec<Nodes<'_>> = machines
        .workers
        .iter()
        .map(|(pool, machine)| {
            let offered = machines.platform.offers(machine.nominal);
            Nodes {
                pool,
                offered,
                architecture: machine.architecture,
                max: maxima.get(pool).copied().unwrap_or_default(),
            }
        })
        .collect();
    pools.sort_by_key(|pool| (pool.offered.cpu_millicores, pool.offered.memory_mebibytes));
    let holder = |requests: Amounts| pools.iter().rposition(|pool| pool.offered.holds(requests));
    let (fitting, larger): (Vec<&Trainees>, Vec<&Trainees>) =
        trainees.iter().partition(|own| holder(own.size.requests).is_some());
    let too_large = larger.into_iter().map(|own| too_large(&own.size, pools.last(), machines));
    let next_too_large = fitting.iter().filter_map(|own| {
        let next = own.size.next()?;
        holder(next.requests).is_none().then(|| (own.size.name.clone(), next.name))
    });
    let (nodes_at_peak, too_few) = spread(&fitting, &pools, holder);
    TraineesFit { nodes_at_peak, too_large: too_large.collect(), too_few, next_too_large: next_too_large.collect() }
}

fn too_large(size: &TraineeSize, largest: Option<&Nodes<'_>>, machines: &Machines) -> TooLarge {
    let platform = machines.platform;
    let holds = |known: &&MachineType| platform.offers(known.nominal()).holds(size.requests);
    TooLarge {
        size: size.clone(),
        pool: largest.map(|pool| pool.pool.clone()),
        node: largest.map(|pool| pool.offered).unwrap_or_default(),
        machine: largest.and_then(|pool| platform.machines(pool.architecture).find(holds)).map(LargerMachine::from),
    }
}

/// How many nodes of each pool `trainees` take, and how many those pools would need at least whose nodes are too few.
///
/// What has no room goes on further nodes of the largest machine that holds it, which are filled after all others. So one node less
/// than told is never enough.
fn spread(
    trainees: &[&Trainees],
    pools: &[Nodes<'_>],
    holder: impl Fn(Amounts) -> Option<usize>,
) -> (BTreeMap<PoolName, u64>, BTreeMap<PoolName, u64>) {
    let groups: Vec<Group> =
        trainees.iter().map(|own| Group { requests: own.size.requests, count: own.count }).collect();
    let mut nodes: Vec<Vec<PackedNode>> = pools
        .iter()
        .map(|pool| vec![PackedNode { free: pool.offered, pods: vec![0; groups.len()] }; pool.max as usize])
        .collect();
    let mut left: BTreeMap<usize, Vec<Group>> = BTreeMap::new();
    let largest = pools.last().map(|pool| pool.offered).unwrap_or_default();
    for index in largest_first(&groups, largest) {
        let Group { requests, count } = groups[index];
        let rest = nodes.iter_mut().fold(count, |rest, nodes| fill(nodes, index, requests, rest));
        if let (1.., Some(pool)) = (rest, holder(requests)) {
            left.entry(pool).or_default().push(Group { requests, count: rest });
        }
    }
    let used =
        |nodes: &[PackedNode]| nodes.iter().filter(|node| node.pods.iter().any(|count| *count > 0)).count() as u64;
    let at_peak = pools.iter().zip(&nodes).map(|(pool, nodes)| (pool.pool.clone(), used(nodes)));
    let too_few = left.iter().filter_map(|(index, groups)| {
        let pool = pools.get(*index)?;
        let more = pack(groups, pool.offered)?.nodes.len() as u64;
        Some((pool.pool.clone(), u64::from(pool.max) + more))
    });
    (at_peak.collect(), too_few.collect())
}

impl TraineesFit {
    pub(super) fn errors(&self) -> Vec<SpecError> {
        let error =
            |path, message, hint| SpecError { kind: SpecErrorKind::InvalidValue, path, message, hint, origin: None };
        let too_large = self.too_large.iter().map(|own| {
            let TooLarge { size, node, pool, machine } = own;
            let message = format!(
                "a trainee of size {size} requests {}, and the largest worker node leaves it {}",
                requested(size.requests),
                requested(*node)
            );
            let hint = pool.as_ref().zip(machine.as_ref()).map(|(pool, machine)| {
                format!("enough would be, under [workers.{pool}], {machine}, which is a {}", machine.name)
            });
            error(KeyPath::dotted("trainees").key(&size.name), message, hint)
        });
        let too_few = self.too_few.iter().map(|(pool, enough)| {
            let path = KeyPath::dotted("workers").key(pool.as_str()).key("max");
            let message = "so many nodes do not hold all trainees at the same time".to_owned();
            error(path, message, Some(format!("enough would be max = {enough}")))
        });
        too_large.chain(too_few).collect()
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let text = |(size, next): &(String, String)| {
            format!(
                "a trainee of size {size} that runs out of memory is made again as {next}, which no worker node holds"
            )
        };
        self.next_too_large.iter().map(text).collect()
    }
}
