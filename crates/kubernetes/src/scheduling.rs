//! Whether a pod can be placed on a node, as the scheduler decides it: taints, node selector and node affinity, resources.
//!
//! Not looked at: affinity between pods, spreading, ports of the host, and volumes. A pod that waits for one of these alone is one
//! that a node could take, so it makes no node appear.

mod predicates;
mod resources;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, PodSpec, Taint};

pub(crate) use predicates::Misfit;
pub(crate) use resources::{Amount, Resources};

/// A node as the scheduler sees it, there or only thought of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) taints: Vec<Taint>,
    /// What no pod has asked for yet.
    pub(crate) free: Resources,
}

impl Place {
    /// A node without pods.
    pub(crate) fn of_node(node: &Node) -> Self {
        let status = node.status.as_ref();
        Self {
            labels: node.metadata.labels.clone().unwrap_or_default(),
            taints: node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default(),
            free: Resources::of(status.and_then(|status| status.allocatable.as_ref())),
        }
    }

    /// Why a pod cannot be placed here; nothing when it can.
    pub(crate) fn misfits(&self, pod: &PodSpec) -> Vec<Misfit> {
        predicates::misfits(self, pod)
    }

    /// Places a pod.
    pub(crate) fn take(&mut self, pod: &PodSpec) {
        self.free.take(&Resources::of_pod(pod));
    }
}
