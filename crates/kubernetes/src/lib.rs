//! What runs inside the cluster, through its Kubernetes API: the backend that all providers share.
//!
//! [`graph`] says which objects a cluster needs and what must be true there; [`KubernetesBackend`] reads, applies, verifies and
//! removes them like any resource of a cloud. Objects are owned by labels, and their fields by the field manager
//! `howso-infra`: what others wrote into an object of ours is neither compared nor changed.

mod autoscaling;
mod backend;
mod canaries;
mod checks;
mod contents;
mod errors;
mod graph;
mod kinds;
mod list;
mod manifest;
mod measured;
mod object;
mod objects;
mod observe;
mod owned_fields;
mod ownership;
mod platform;
mod poll;
mod releases;
mod scheduling;
mod secrets;
mod stuck;
mod submit;
mod transport;
mod workloads;

pub use autoscaling::{Growth, Look, PodReference, PoolNodes, ScaleUpNews, Unhelped};
pub use backend::KubernetesBackend;
pub use canaries::{Canary, CanaryState, Landing, Replica};
pub use checks::{Meaning, meaning};
pub use graph::graph;
pub use kinds::CHECK;
pub use releases::{DIGEST_LABEL, HelmRelease, HelmStatus};
pub use secrets::{NewSecret, PresentSecret, VolumeClaim};
pub use workloads::Workload;
