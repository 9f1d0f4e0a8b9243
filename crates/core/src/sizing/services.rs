//! What runs on the core nodes: the services of the Howso Platform as its performance guide tunes them.

use crate::sizing::Amounts;

/// Pods of the core pool that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// What they are called.
    pub name: &'static str,
    /// How many there are, at most.
    pub replicas: u64,
    /// What each requests.
    pub requests: Amounts,
    /// How they are spread over nodes.
    pub spread: Spread,
}

/// How replicas are spread over nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// However there is room.
    Anywhere,
    /// No node has more than one more than another (`topologySpreadConstraints` by host name, `maxSkew: 1`, `DoNotSchedule`).
    Evenly,
}

const fn service(name: &'static str, replicas: u64, cpu: u64, memory: u64, spread: Spread) -> Service {
    Service { name, replicas, requests: Amounts::pod(cpu, memory), spread }
}

/// Services that are scaled with what is asked of them.
pub const AUTOSCALED: [&str; 3] = ["api", "restapi", "ums"];

/// How many replicas of each of [`AUTOSCALED`] there are at least and at most: as the performance guide has it, and fewer on core pools
/// that are smaller than its own, which are for trying out.
pub fn autoscaled_replicas(core_nodes: u32) -> (u64, u64) {
    if core_nodes < 3 { (1, 3) } else { (3, 10) }
}

/// The services of the platform on so many core nodes, with as many replicas as they are scaled to at most.
///
/// NATS, Redis, Postgres and `MinIO`: the manifests of the performance guide (howsoai/platform-installation-examples, May 2025), and for
/// the presets of Redis (`2xlarge`) and Postgres (`large`) the table of the Bitnami charts. What the pods of [`AUTOSCALED`] request is not
/// published; [`ASSUMED`] says so wherever this is shown.
pub fn services(core_nodes: u32) -> Vec<Service> {
    let (_, replicas) = autoscaled_replicas(core_nodes);
    let stores = [
        service("NATS", 3, 2000, 8192, Spread::Evenly),
        service("Redis", 1, 1000, 3072, Spread::Anywhere),
        service("Postgres", 1, 1000, 2048, Spread::Anywhere),
        service("MinIO", 1, 0, 2048, Spread::Anywhere),
    ];
    let autoscaled = AUTOSCALED.map(|name| service(name, replicas, 200, 512, Spread::Anywhere));
    stores.into_iter().chain(autoscaled).collect()
}

/// What nobody publishes, and is assumed.
pub const ASSUMED: &str =
    "api, restapi and ums are assumed to request 200m and 512Mi a replica, which is not published";
