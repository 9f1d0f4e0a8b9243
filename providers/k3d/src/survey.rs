//! What the graph depends on beyond the specification: the machine, free ports, and the workers that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;

use howso_infra_core::provider::Facts;
use howso_infra_core::spec::{ClusterSpec, Machine, WorkerPool};
use howso_infra_core::{Observation, Observed, ProviderError, Value};
use tokio::net::TcpListener;

use crate::docker::Docker;
use crate::facts::K3dFacts;
use crate::graph::cluster_id;
use crate::images::{ImageIds, ImageName};
use crate::kinds::NODE;
use crate::options::K3dOptions;

/// How much of the machine's memory the nodes share: the rest is for the machine itself, Docker and the control plane.
const MEMORY_PERCENT: u64 = 80;

/// The least memory that a node is given: below, not even the system's own pods fit.
const MEMORY_MEBIBYTES_MIN: u64 = 512;

/// How many ports after the first are tried.
const PORTS_TRIED: u16 = 100;

/// Reads the machine, and chooses what must stay as it is once the cluster exists.
pub(crate) async fn survey(
    docker: &Docker,
    spec: &ClusterSpec,
    options: &K3dOptions,
    image_ids: &ImageIds,
    observation: &Observation,
) -> Result<Facts, ProviderError> {
    let info = docker.info().await?;
    let positive = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
    let mut warnings = Vec::new();
    let mut ports = Ports { listen: options.listen, observation, taken: BTreeSet::new(), warnings: &mut warnings };
    let facts = K3dFacts {
        cpus: positive(info.ncpu),
        memory_mebibytes: positive(info.mem_total) / (1024 * 1024),
        http_port: ports.choose("http_port", options.http_port, &[80, 8080]).await,
        https_port: ports.choose("https_port", options.https_port, &[443, 8443]).await,
        registry_port: if options.registry {
            ports.choose("registry_port", options.registry_port, &[5000, 5001]).await
        } else {
            0
        },
        workers: spec
            .workers
            .iter()
            .map(|(name, pool)| (name.node_pool_name().to_owned(), workers(name.node_pool_name(), pool, observation)))
            .collect(),
        images: image_ids.iter().map(|(name, id)| wanted_image(name, id.as_deref(), observation)).collect(),
        images_missing: image_ids.iter().filter(|(_, id)| id.is_none()).map(|(name, _)| name.to_string()).collect(),
    };
    let share = Share::of(spec, &facts);
    let explanations = share.explanation(spec, &facts).into_iter().collect();
    Ok(Facts { values: facts.to_attributes(), explanations, warnings, cost: None })
}

/// The image that nodes shall have under a name: Docker's, or the one that the server has when Docker has none.
fn wanted_image(name: &ImageName, id: Option<&str>, observation: &Observation) -> (String, Value) {
    let of_server = || {
        let images = observation.one(&cluster_id())?.attributes.get("images")?.as_map()?;
        images.get(&name.to_string())?.as_text()
    };
    (name.to_string(), Value::text(id.or_else(of_server).unwrap_or("not in Docker")))
}

/// Chooses ports of this machine.
struct Ports<'a> {
    listen: IpAddr,
    observation: &'a Observation,
    taken: BTreeSet<u16>,
    warnings: &'a mut Vec<String>,
}

impl Ports<'_> {
    /// The port that the cluster has already, else the one that is wanted, else the first that is free: the usual one, then those
    /// from a second one on.
    async fn choose(&mut self, name: &str, wanted: Option<u16>, usual: &[u16; 2]) -> u16 {
        let cluster = self.observation.one(&cluster_id());
        let present = cluster.and_then(|cluster| cluster.attributes.get(name)?.as_integer());
        if let Some(port) = wanted.or(present.and_then(|port| u16::try_from(port).ok())) {
            self.taken.insert(port);
            return port;
        }
        let [first, second] = *usual;
        let mut candidates = [first].into_iter().chain(second..second.saturating_add(PORTS_TRIED));
        let port = loop {
            let Some(port) = candidates.next() else { break first };
            if !self.taken.contains(&port) && is_free(self.listen, port).await {
                break port;
            }
        };
        if port != first {
            self.warnings.push(format!("the port {first} is taken, so {port} is used (k3d.{name})"));
        }
        self.taken.insert(port);
        port
    }
}

/// Whether nothing listens there. Only that counts: a port that needs privileges is opened by Docker, which has them.
pub(crate) async fn is_free(listen: IpAddr, port: u16) -> bool {
    match TcpListener::bind((listen, port)).await {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::AddrInUse,
    }
}

/// The names of the nodes that a worker pool shall have: those that are there first.
fn workers(pool: &str, wanted: &WorkerPool, observation: &Observation) -> Vec<String> {
    let index = |name: &str| name.strip_prefix(pool)?.strip_prefix('-')?.parse::<usize>().ok();
    let must_go =
        |node: &Observed| wanted.local.as_ref().is_some_and(|local| local.without.contains(&node.physical_id));
    let (mut present, mut leaving) = (BTreeSet::new(), BTreeSet::new());
    for id in observation.resources.keys().filter(|id| id.kind() == NODE) {
        // A node is called in Kubernetes as its container is.
        let (Some(node), Some(index)) = (observation.one(id), index(id.name())) else { continue };
        let set = if must_go(node) { &mut leaving } else { &mut present };
        set.insert(index);
    }
    let there = u32::try_from(present.len()).unwrap_or(u32::MAX);
    let count = wanted.local.as_ref().map_or_else(|| there.clamp(wanted.min, wanted.max), |local| local.count);
    let missing = (0..).filter(|index| !present.contains(index) && !leaving.contains(index));
    let mut indices: Vec<usize> = present.iter().copied().take(count as usize).collect();
    let more = (count as usize).saturating_sub(indices.len());
    indices.extend(missing.take(more));
    indices.sort_unstable();
    indices.into_iter().map(|index| format!("{pool}-{index}")).collect()
}

/// How the wishes of the pools are scaled down to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    cpus: u64,
    /// Memory that there is for nodes, and what they would take: every core node, and one node of each worker pool.
    memory_offered: u64,
    memory_wanted: u64,
}

/// What a node offers to pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) cpus: u64,
    pub(crate) memory_mebibytes: u64,
}

impl Share {
    /// The rule depends on the machine and the pools alone, not on how many workers there are, so that nodes that come later
    /// are like those that are there.
    pub(crate) fn of(spec: &ClusterSpec, facts: &K3dFacts) -> Self {
        let core = u64::from(spec.core.nodes) * spec.core.machine.memory.mebibytes();
        let workers: u64 = spec.workers.values().map(|pool| pool.machine.memory.mebibytes()).sum();
        Self {
            cpus: facts.cpus,
            memory_offered: facts.memory_mebibytes * MEMORY_PERCENT / 100,
            memory_wanted: core + workers,
        }
    }

    /// What a node with this machine offers: never more CPUs than there are, which nodes share; memory, which they cannot
    /// share, in proportion.
    pub(crate) fn of_machine(self, machine: &Machine) -> Offer {
        let memory = machine.memory.mebibytes();
        let scaled = if self.memory_wanted <= self.memory_offered {
            memory
        } else {
            (memory * self.memory_offered / self.memory_wanted).max(MEMORY_MEBIBYTES_MIN)
        };
        Offer { cpus: u64::from(machine.cpu.get()).min(self.cpus), memory_mebibytes: scaled }
    }

    /// Says what became of the wishes, when they do not fit.
    fn explanation(self, spec: &ClusterSpec, facts: &K3dFacts) -> Option<String> {
        let pools = std::iter::once(("core", &spec.core.machine))
            .chain(spec.workers.iter().map(|(name, pool)| (name.node_pool_name(), &pool.machine)));
        let mut scaled = BTreeMap::new();
        for (name, machine) in pools {
            let offer = self.of_machine(machine);
            if offer.cpus < u64::from(machine.cpu.get()) || offer.memory_mebibytes < machine.memory.mebibytes() {
                scaled.insert(name, format!("{name} {} CPUs and {} MiB", offer.cpus, offer.memory_mebibytes));
            }
        }
        let nodes: Vec<String> = scaled.into_values().collect();
        (!nodes.is_empty()).then(|| {
            let (cpus, memory) = (facts.cpus, facts.memory_mebibytes / 1024);
            format!("scaled down to this machine ({cpus} CPUs, {memory} GiB): each node offers {}", nodes.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use howso_infra_core::spec::LocalNodes;
    use howso_infra_core::{Attributes, DeploymentId, Observed, Ownership, ResourceId, Status};

    use super::*;
    use crate::testing::{facts, specification};

    fn there(names: &[&str]) -> Observation {
        let mut observation = Observation::default();
        for name in names {
            let deployment = DeploymentId::from_bytes([7; 16]);
            let observed = Observed {
                physical_id: (*name).to_owned(),
                ownership: Ownership::Ours { deployment, generation: None },
                status: Status::Ready,
                attributes: Attributes::new(),
                outputs: Attributes::new(),
            };
            observation.insert(ResourceId::new(NODE, *name), observed);
        }
        observation
    }

    #[test]
    fn a_node_that_must_go_goes_and_its_name_is_not_used_again_at_once() {
        let spec = specification("small", "").unwrap();
        let mut pool = spec.workers.values().next().unwrap().clone();
        let mut chosen = |count: u32, without: &str| {
            pool.local = Some(LocalNodes { count, without: [without.to_owned()].into() });
            workers("worker", &pool, &there(&["worker-0", "worker-1"]))
        };
        assert_eq!(chosen(1, "worker-0"), ["worker-1"]);
        assert_eq!(chosen(2, "worker-0"), ["worker-1", "worker-2"]);
        assert_eq!(chosen(2, "worker-9"), ["worker-0", "worker-1"]);
        assert_eq!(chosen(0, "worker-0"), [""; 0]);
    }

    fn chosen(pool: &str, present: &[&str]) -> Vec<String> {
        let spec = specification("small", &format!("[workers.default]\n{pool}\n")).unwrap();
        workers("worker", spec.workers.values().next().unwrap(), &there(present))
    }

    #[test]
    fn workers_that_are_there_stay_and_the_lowest_free_names_are_added() {
        assert_eq!(chosen("local = 0", &["worker-0"]), [""; 0]);
        assert_eq!(chosen("local = 3", &["worker-1", "core-1"]), ["worker-0", "worker-1", "worker-2"]);
        assert_eq!(chosen("local = 1", &["worker-0", "worker-4"]), ["worker-0"]);
        assert_eq!(chosen("local = 5", &[]).len(), 5, "the maximum is one of machines that a cloud makes");
    }

    #[test]
    fn without_a_number_those_that_are_there_stay_between_the_bounds() {
        assert_eq!(chosen("min = 0", &[]), [""; 0]);
        assert_eq!(chosen("min = 1", &[]), ["worker-0"]);
        assert_eq!(chosen("min = 0", &["worker-3"]), ["worker-3"]);
        assert_eq!(chosen("max = 1", &["worker-2", "worker-3"]), ["worker-2"]);
    }

    #[test]
    fn wishes_are_scaled_down_in_proportion_and_said_to_be() {
        let spec = specification("large", "").unwrap();
        let facts = K3dFacts::from_facts(&facts(&[])).unwrap();
        let share = Share::of(&spec, &facts);
        // 3 × 32 GiB and 64 GiB out of 80 % of 32 GiB.
        let core = share.of_machine(&spec.core.machine);
        assert_eq!(core, Offer { cpus: 8, memory_mebibytes: 32 * 1024 * (32 * 1024 * 80 / 100) / (160 * 1024) });
        insta::assert_snapshot!(share.explanation(&spec, &facts).unwrap(), @"scaled down to this machine (8 CPUs, 32 GiB): each node offers core 8 CPUs and 5242 MiB, worker 8 CPUs and 10485 MiB");
        let roomy = K3dFacts { cpus: 64, memory_mebibytes: 1024 * 1024, ..facts };
        assert_eq!(Share::of(&spec, &roomy).explanation(&spec, &roomy), None);
        assert_eq!(Share::of(&spec, &roomy).of_machine(&spec.core.machine).memory_mebibytes, 32 * 1024);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_passed_over_and_one_of_the_cluster_is_kept() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let (listen, mut warnings) = ("127.0.0.1".parse().unwrap(), Vec::new());
        let nothing = Observation::default();
        let mut ports = Ports { listen, observation: &nothing, taken: BTreeSet::new(), warnings: &mut warnings };
        let chosen = ports.choose("http_port", None, &[port, 20_000]).await;
        assert!((20_000..20_000 + PORTS_TRIED).contains(&chosen));
        assert_ne!(ports.choose("https_port", None, &[chosen, 20_000]).await, chosen, "one port for two things");
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        let mut cluster = there(&["x"]).resources.into_values().next().unwrap().remove(0);
        cluster.attributes.insert("http_port".to_owned(), Value::Integer(port.into()));
        let mut observation = Observation::default();
        observation.insert(cluster_id(), cluster);
        let mut ports = Ports { listen, observation: &observation, taken: BTreeSet::new(), warnings: &mut warnings };
        assert_eq!(ports.choose("http_port", None, &[80, 8080]).await, port);
        assert_eq!(ports.choose("http_port", Some(81), &[80, 8080]).await, 81);
    }
}
