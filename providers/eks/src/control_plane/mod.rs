//! The control plane: the cluster, who may administrate it, its add-ons and the roles of pods.

mod access;
mod addons;
pub(crate) mod cluster;
mod graph;
mod kinds;
mod observe;
mod pod_identity;
mod poll;
mod submit;
mod updates;

pub(crate) use access::entrances;
pub(crate) use addons::{addon_names, observed_versions as observed_addon_versions, running as running_addons};
pub(crate) use cluster::{DEFAULT_VERSION, cluster_id, observed_version};
pub(crate) use graph::{graph, late_addons};
pub(crate) use kinds::{CLUSTER, KINDS};
pub(crate) use observe::{ClusterState, has_access_entries, observe_cluster, observe_one, observe_parts};
pub(crate) use poll::poll;
pub(crate) use submit::submit;
pub(crate) use updates::{Part, accepted, poll_update};

#[cfg(test)]
mod tests;
