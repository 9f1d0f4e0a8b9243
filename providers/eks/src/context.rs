//! What every area needs to know when it reads.

use howso_infra_core::identity::DeploymentId;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{Attributes, ResourceId};

use crate::options::EksOptions;

/// Whose resources are looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObserveContext<'a> {
    /// The specification, for names: the cluster's name, the pools.
    pub(crate) spec: &'a ClusterSpec,
    /// The provider's own options.
    pub(crate) options: &'a EksOptions,
    /// The deployment, when it is known; without it every resource that carries the cluster's tag is ours.
    pub(crate) deployment: Option<&'a DeploymentId>,
}

impl ObserveContext<'_> {
    /// The cluster's name.
    pub(crate) fn cluster(&self) -> &str {
        self.spec.name.as_str()
    }
}

/// One resource to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// Its name in the graph.
    pub(crate) id: &'a ResourceId,
    /// Its wanted or last observed attributes; they name what it is a part of.
    pub(crate) attributes: &'a Attributes,
}
