//! What has room on the nodes, as a person reads it.

use howso_infra::core::sizing::fit::{CoreFit, TraineesFit, WorkerFit};
use howso_infra::core::sizing::{Fit, Trainees, services};

use crate::view::style::{Style, counted};

/// What has room, and with how much to spare.
pub(crate) fn lines(fit: &Fit, trainees: &[Trainees], style: Style) -> Vec<String> {
    let core = fit.core.iter().flat_map(|core| [services(core), style.dim(services::ASSUMED)]);
    let workers = fit.workers.iter().filter_map(largest);
    let trainees = fit.trainees.iter().map(|fit| running(fit, trainees));
    core.chain(workers).chain(trainees).collect()
}

fn services(core: &CoreFit) -> String {
    let CoreFit { nodes, machine, node, asked, all_nodes, one_node_lost } = core;
    let nodes_offer = node.times(u64::from(*nodes));
    let percent = |asked: u64, offered: u64| (asked * 100).div_ceil(offered.max(1));
    let fits = if all_nodes.is_enough() { "fits" } else { "does not fit" };
    // With fewer nodes than replicas, two of them share one.
    let apart = if *nodes >= 3 { " on separate nodes" } else { "" };
    let lost = if one_node_lost.is_enough() { ", also with one node lost" } else { "" };
    format!(
        "{fits}: the services on {nodes} {machine}, NATS 3 x 2 CPUs and 8Gi{apart}{lost}; they ask for {} % of the CPUs and {} \
         % of the memory",
        percent(asked.cpu_millicores, nodes_offer.cpu_millicores),
        percent(asked.memory_mebibytes, nodes_offer.memory_mebibytes),
    )
}

fn largest(pool: &WorkerFit) -> Option<String> {
    let largest = pool.largest()?;
    Some(format!("largest trainee: {}, {} on each {} of {}", largest.size, largest.per_node, pool.machine, pool.pool))
}

fn running(fit: &TraineesFit, trainees: &[Trainees]) -> String {
    let used = fit.nodes_at_peak.iter().filter(|(_, count)| **count > 0);
    let nodes: Vec<String> = used.map(|(pool, count)| format!("{} of {pool}", counted_long(*count))).collect();
    format!("trainees: {} at a time take {}", sizes(trainees), nodes.join(", "))
}

/// How many of each size.
pub(crate) fn sizes(trainees: &[Trainees]) -> String {
    let sizes: Vec<String> = trainees.iter().map(|own| format!("{} {}", own.count, own.size)).collect();
    sizes.join(", ")
}

fn counted_long(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "node", "nodes")
}
