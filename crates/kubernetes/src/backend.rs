//! The backend as the engine sees it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use howso_infra_core::inside::Connector;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{
    Backend, ClusterIdentity, Graph, Kind, Leftover, Observation, Operation, Progress, ProviderError, Scope, Submitted,
    Ticket,
};

use crate::transport::Api;
use crate::workloads::Workload;
use crate::{checks, kinds, observe, poll, submit, workloads};

/// What lives inside one cluster, through its Kubernetes API.
pub struct KubernetesBackend {
    pub(crate) api: Api,
    /// The cluster's name, as it stands in labels.
    pub(crate) cluster: String,
    /// Volumes that a removal leaves on purpose: nothing tells of them once the cluster is gone.
    retained: Mutex<Vec<Leftover>>,
}

impl KubernetesBackend {
    /// Prepares the backend of one cluster. Sends no request.
    pub fn new(connector: Arc<dyn Connector>, spec: &ClusterSpec) -> Self {
        Self {
            api: Api::new(connector, spec.engine.request_timeout),
            cluster: spec.name.to_string(),
            retained: Mutex::default(),
        }
    }

    /// Looks at everything that `graph` wants to be true, and reports each check as passed or as waited for. Which checks there
    /// are is known only with the graph, so this comes after [`Backend::observe`] and adds to what it read.
    pub async fn check(&self, graph: &Graph, observation: &Observation) -> Observation {
        checks::observe(self, graph, observation).await
    }

    /// What runs in the cluster and is neither ours nor the platform's; nothing while there is no control plane.
    pub async fn workloads(&self) -> Result<Vec<Workload>, ProviderError> {
        if self.api.session().await?.is_none() {
            return Ok(Vec::new());
        }
        workloads::running(&self.api).await
    }

    pub(crate) fn retain(&self, volumes: Vec<Leftover>) {
        // The lock is held for a moment at a time and nothing panics meanwhile.
        *self.retained.lock().unwrap_or_else(PoisonError::into_inner) = volumes;
    }
}

/// Leaves out the connection.
impl fmt::Debug for KubernetesBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KubernetesBackend").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for KubernetesBackend {
    fn kinds(&self) -> &'static [Kind] {
        kinds::table()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, ProviderError> {
        match scope {
            Scope::Cluster { deployment, kinds } => Ok(observe::observe(self, deployment.as_ref(), kinds).await),
            Scope::Resource { id, deployment, attributes, physical_id: _ } => {
                observe::observe_one(self, id, deployment, attributes).await
            }
        }
    }

    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        submit::submit(self, operation).await
    }

    async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        poll::poll(self, ticket).await
    }

    async fn audit(&self, _identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
        Ok(self.retained.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
