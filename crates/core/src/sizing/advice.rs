//! From trainees to pools: which machines, how many of them, and what that costs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::sizing::fit::{CoreFit, PoolMachine, SizeFit, is_enough_for_core, prove_core, size_fit};
use crate::sizing::packing::{Group, pack};
use crate::sizing::{MachineType, Machines, NodeWait, Platform, Prices, TraineeSize, Trainees};
use crate::spec::Architecture;

/// The least that the performance guide recommends for nodes of trainees: 16 CPUs and 32 GB. A second pool, for small trainees only,
/// may have less.
const RECOMMENDED: (u32, u64) = (16, 32 * 1024);

/// Core nodes: one for each replica of NATS.
const CORE_NODES: u32 = 3;

/// Two pools are advised instead of one when they save at least so much at the peak, in per cent: each further pool is one more thing
/// to know.
const WORTH_A_POOL_PERCENT: u64 = 5;

/// Of machines that cost hardly more than the cheapest, in per cent, the smallest is advised: its pool follows the need more closely,
/// and the loss of a node takes fewer trainees with it.
const HARDLY_MORE_PERCENT: u64 = 5;

/// The hours of an average month: 365 days of 24 hours, divided by twelve.
pub const HOURS_PER_MONTH: u64 = 730;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Where the cluster runs.
    pub platform: &'static Platform,
    /// The architecture of its processors.
    pub architecture: Architecture,
    /// What runs at the same time at most. Not empty.
    pub trainees: &'a [Trainees],
    /// How many hours of a month all of them run; nothing runs in the others.
    pub busy_hours_per_month: u64,
    /// Prices of the user's own.
    pub prices: &'a Prices,
}

impl Question<'_> {
    /// The machines that may be chosen, with their prices, cheapest first. Those without a price are none.
    fn machines(&self) -> impl Iterator<Item = (&'static MachineType, u64)> {
        let mut machines: Vec<_> = self.platform.machines(self.architecture).collect();
        self.prices.sort(&mut machines);
        machines.into_iter().filter_map(|machine| Some((machine, self.prices.of(machine)?)))
    }
}

/// Which pools hold the trainees at the lowest price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The platform.
    pub platform: &'static str,
    /// Where and when the prices held.
    pub price_basis: String,
    /// The pool of the platform's services.
    pub core: CoreAdvice,
    /// The worker pools: the one of the largest trainees, which is called `default`, and perhaps one more.
    pub workers: Vec<PoolAdvice>,
    /// What it costs; absent when a price is not known.
    pub cost: Option<AdviceCost>,
    /// How long a trainee waits that needs a new node: half of them longer than this. Seconds.
    pub node_wait_median_secs: u64,
    /// One of a hundred waits longer than this. Seconds.
    pub node_wait_p99_secs: u64,
    /// How long clients should wait before they give up. Seconds.
    pub client_wait_secs: u64,
}

/// The core pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CoreAdvice {
    /// Virtual CPUs of each node.
    pub cpu: u32,
    /// Memory of each node, in gibibytes.
    pub memory_gibibytes: u64,
    /// That the services have room.
    #[serde(flatten)]
    pub fit: CoreFit,
}

/// One worker pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolAdvice {
    /// Its name.
    pub name: &'static str,
    /// The machine of each node.
    pub machine: String,
    /// Its virtual CPUs.
    pub cpu: u32,
    /// Its memory, in gibibytes.
    pub memory_gibibytes: u64,
    /// How many nodes there are when everything runs.
    pub nodes_at_peak: u64,
    /// No way of packing needs fewer.
    pub nodes_at_least: u64,
    /// What one more warm node (`min = 1`) costs, in thousandths of a US dollar per month.
    pub warm_node_millidollars_per_month: u64,
    /// Its trainees, largest first.
    pub sizes: Vec<SizeAdvice>,
    /// The largest size of the platform that it holds.
    pub largest: Option<String>,
}

/// Trainees of one size in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SizeAdvice {
    /// How many run at the same time.
    pub count: u64,
    /// How many a node holds.
    #[serde(flatten)]
    pub fit: SizeFit,
    /// The size at which one is made again that runs out of memory; the node holds it as well.
    pub next: Option<String>,
}

/// What a cluster costs, in thousandths of a US dollar: control plane and nodes, nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AdviceCost {
    /// While no trainee runs.
    pub idle_millidollars_per_hour: u64,
    /// While all run.
    pub peak_millidollars_per_hour: u64,
    /// A month of which all run for the hours that were asked for.
    pub month_millidollars: u64,
    /// Those hours.
    pub busy_hours_per_month: u64,
}

/// Why there is no advice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAdvice {
    /// No machine of the platform holds a trainee, or the size at which it would be made again.
    #[error("no {architecture} machine of {platform} with a known price holds a trainee of size {size}")]
    Trainee {
        /// The platform.
        platform: &'static str,
        /// The architecture.
        architecture: Architecture,
        /// The size.
        size: String,
    },
    /// No machine of the platform holds its services.
    #[error("no {architecture} machine of {platform} with a known price holds the services of the platform")]
    Services {
        /// The platform.
        platform: &'static str,
        /// The architecture.
        architecture: Architecture,
    },
}

/// A pool that holds some of the trainees.
struct Candidate<'a> {
    machine: &'static MachineType,
    price_microdollars: u64,
    trainees: &'a [Trainees],
    nodes: u64,
    nodes_at_least: u64,
}

impl Candidate<'_> {
    /// What all nodes cost per hour.
    fn microdollars(&self) -> u64 {
        self.price_microdollars * self.nodes
    }
}

/// Finds the pools that hold the trainees at the lowest price, each machine being able to hold the next size as well.
pub fn advise(question: &Question<'_>) -> Result<Advice, NoAdvice> {
    let Question { platform, .. } = question;
    let mut trainees = question.trainees.to_vec();
    trainees
        .sort_by_key(|own| std::cmp::Reverse((own.size.requests.cpu_millicores, own.size.requests.memory_mebibytes)));
    let chosen = cheapest_pools(question, &trainees)?;
    let core = cheapest_core(question)?;
    let names = ["default", "small"];
    let workers: Vec<PoolAdvice> =
        names.into_iter().zip(&chosen).map(|(name, candidate)| pool_advice(name, candidate, platform)).collect();
    let cost = core_microdollars(question, &core.fit).and_then(|core| cost(question, core, &chosen));
    let machines = chosen.iter().map(|candidate| candidate.machine.name.as_str());
    let table = platform.catalogue.map(|known| known.price_basis).unwrap_or_default();
    let price_basis = question.prices.basis(machines.chain([core.fit.machine.as_str()]), table);
    let NodeWait { median_secs, p99_secs } = platform.node_wait;
    Ok(Advice {
        platform: platform.name,
        price_basis,
        core,
        workers,
        cost,
        node_wait_median_secs: median_secs,
        node_wait_p99_secs: p99_secs,
        client_wait_secs: platform.node_wait.client_wait_secs(None),
    })
}

/// One pool for all, or one for the larger and one for the smaller ones where that is worth it.
fn cheapest_pools<'a>(question: &Question<'_>, trainees: &'a [Trainees]) -> Result<Vec<Candidate<'a>>, NoAdvice> {
    let one = cheapest(question, trainees, RECOMMENDED)?;
    let two = (1..trainees.len()).filter_map(|place| {
        let (larger, smaller) = trainees.split_at(place);
        let larger = cheapest(question, larger, RECOMMENDED).ok()?;
        Some([larger, cheapest(question, smaller, (1, 0)).ok()?])
    });
    let price = |pools: &[Candidate<'_>]| pools.iter().map(Candidate::microdollars).sum::<u64>();
    let two = two.min_by_key(|pools| price(pools));
    match two {
        Some(two) if price(&two) * 100 <= one.microdollars() * (100 - WORTH_A_POOL_PERCENT) => Ok(two.into()),
        _ => Ok(vec![one]),
    }
}

/// The smallest machine of which as many as it takes cost hardly more than of the cheapest.
fn cheapest<'a>(
    question: &Question<'_>,
    trainees: &'a [Trainees],
    (vcpus, memory_mebibytes): (u32, u64),
) -> Result<Candidate<'a>, NoAdvice> {
    let Question { platform, architecture, .. } = question;
    let groups: Vec<Group> =
        trainees.iter().map(|own| Group { requests: own.size.requests, count: own.count }).collect();
    let wanted = |own: &Trainees| own.size.next().map_or(own.size.requests, |next| next.requests);
    let candidates = question.machines().filter_map(|(machine, price_microdollars)| {
        let node = platform.offers(machine.nominal());
        let holds_all = trainees.iter().all(|own| node.holds(wanted(own)));
        let is_fine = machine.fits(vcpus, memory_mebibytes, *architecture);
        let packing = pack(&groups, node).filter(|_| holds_all && is_fine)?;
        let (nodes, nodes_at_least) = (packing.nodes.len() as u64, packing.nodes_at_least);
        Some(Candidate { machine, price_microdollars, trainees, nodes, nodes_at_least })
    });
    let candidates: Vec<Candidate<'_>> = candidates.collect();
    let cheapest = candidates.iter().map(Candidate::microdollars).min().unwrap_or_default();
    let is_near = |candidate: &Candidate<'_>| candidate.microdollars() * 100 <= cheapest * (100 + HARDLY_MORE_PERCENT);
    let near = candidates.into_iter().filter(is_near);
    near.min_by_key(|candidate| (candidate.machine.vcpus, candidate.microdollars())).ok_or_else(|| {
        let holds = |own: &&Trainees| {
            platform.machines(*architecture).any(|machine| platform.offers(machine.nominal()).holds(wanted(own)))
        };
        let size = trainees.iter().find(|own| !holds(own)).or(trainees.first());
        let size = size.map(|own| own.size.name.clone()).unwrap_or_default();
        NoAdvice::Trainee { platform: platform.name, architecture: *architecture, size }
    })
}

/// The cheapest machine of which three hold the services, also when one is lost.
fn cheapest_core(question: &Question<'_>) -> Result<CoreAdvice, NoAdvice> {
    let Question { platform, architecture, .. } = question;
    let is_enough = |(machine, _): &(&MachineType, u64)| {
        is_enough_for_core(platform, CORE_NODES, platform.offers(machine.nominal()))
    };
    let none = NoAdvice::Services { platform: platform.name, architecture: *architecture };
    let (machine, _) = question.machines().find(is_enough).ok_or(none)?;
    let core = PoolMachine { name: machine.name.clone(), nominal: machine.nominal(), architecture: *architecture };
    let fit = prove_core(CORE_NODES, &Machines { platform, core, workers: BTreeMap::new() });
    Ok(CoreAdvice { cpu: machine.vcpus, memory_gibibytes: machine.memory_mebibytes / 1024, fit })
}

fn core_microdollars(question: &Question<'_>, core: &CoreFit) -> Option<u64> {
    let price = question.prices.of(question.platform.catalogue?.find(&core.machine)?)?;
    Some(price * u64::from(core.nodes))
}

fn pool_advice(name: &'static str, candidate: &Candidate<'_>, platform: &Platform) -> PoolAdvice {
    let Candidate { machine, price_microdollars, trainees, nodes, nodes_at_least } = candidate;
    let node = platform.offers(machine.nominal());
    let size = |own: &Trainees| {
        let next = own.size.next().map(|next| next.name);
        Some(SizeAdvice { count: own.count, fit: size_fit(&own.size, node)?, next })
    };
    let monthly = |price: u64| (price * HOURS_PER_MONTH).div_ceil(1000);
    PoolAdvice {
        name,
        machine: machine.name.clone(),
        cpu: machine.vcpus,
        memory_gibibytes: machine.memory_mebibytes / 1024,
        nodes_at_peak: *nodes,
        nodes_at_least: *nodes_at_least,
        warm_node_millidollars_per_month: monthly(*price_microdollars),
        sizes: trainees.iter().filter_map(size).collect(),
        largest: TraineeSize::all_named().rev().find(|size| node.holds(size.requests)).map(|size| size.name),
    }
}

fn cost(question: &Question<'_>, core_microdollars: u64, pools: &[Candidate<'_>]) -> Option<AdviceCost> {
    let idle = question.platform.control_plane_microdollars? + core_microdollars;
    let busy: u64 = pools.iter().map(Candidate::microdollars).sum();
    let hours = question.busy_hours_per_month;
    Some(AdviceCost {
        idle_millidollars_per_hour: idle.div_ceil(1000),
        peak_millidollars_per_hour: (idle + busy).div_ceil(1000),
        month_millidollars: (idle * HOURS_PER_MONTH + busy * hours).div_ceil(1000),
        busy_hours_per_month: hours,
    })
}

impl Advice {
    /// The part of a specification that asks for these pools.
    pub fn fragment(&self, trainees: &[Trainees], architecture: Architecture) -> String {
        let machine = |cpu: u32, memory: u64| {
            format!("machine = {{ cpu = {cpu}, memory = \"{memory}Gi\", architecture = \"{architecture}\" }}\n")
        };
        let mut text = format!("[core]\nnodes = {}\n", self.core.fit.nodes);
        text += &machine(self.core.cpu, self.core.memory_gibibytes);
        for pool in &self.workers {
            // Infallible: it is a text that grows.
            let _ = write!(text, "\n[workers.{}]\nmin = 0\nmax = {}\n", pool.name, pool.nodes_at_peak);
            text += &machine(pool.cpu, pool.memory_gibibytes);
        }
        for own in trainees {
            let _ = write!(text, "\n[trainees.{}]\ncount = {}\n", own.size, own.count);
            if TraineeSize::named(&own.size.name).is_none() {
                let (cpu, memory) = (own.size.requests.cpu_millicores / 1000, own.size.requests.memory_mebibytes);
                let _ = write!(text, "cpu = {cpu}\nmemory = \"{memory}Mi\"\n");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
