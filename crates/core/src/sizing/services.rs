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

/// The services of the platform, with as many replicas as they are scaled to at most.
///
/// NATS, Redis, Postgres and `MinIO`: the manifests of the performance guide (howsoai/platform-installation-examples, May 2025), and for
/// the presets of Redis (`2xlarge`) and Postgres (`large`) the table of the Bitnami charts. What the pods of `api` and `ums`
/// request is not published; [`ASSUMED`] says so wherever this is shown.
pub const SERVICES: [Service; 6] = [
    service("NATS", 3, 2000, 8192, Spread::Evenly),
    service("Redis", 1, 1000, 3072, Spread::Anywhere),
    service("Postgres", 1, 1000, 2048, Spread::Anywhere),
    service("MinIO", 1, 0, 2048, Spread::Anywhere),
    service("api", 10, 250, 512, Spread::Anywhere),
    service("ums", 10, 250, 512, Spread::Anywhere),
];

/// What nobody publishes, and is assumed.
pub const ASSUMED: &str = "api and ums are assumed to request 250m and 512Mi each, which is not published";
