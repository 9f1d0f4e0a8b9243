//! The provider as the engine sees it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use camino::Utf8Path;
use howso_infra_core::provider::{Access, ClientMachine, Facts, OpenError};
use howso_infra_core::sizing::Machines;
use howso_infra_core::spec::{ClusterSpec, SpecErrors};
use howso_infra_core::{
    Backend, ClusterIdentity, Connection, Connector, Finding, Graph, Inside, Kind, Leftover, Observation, Operation,
    Permissions, Plan, Progress, Provider, ProviderError, ProviderFactory, ResourceId, Scope, Submitted, Ticket,
};

use crate::clients::{Clients, Endpoint};
use crate::context::{ObserveContext, Wanted};
use crate::facts::EksFacts;
use crate::options::EksOptions;
use crate::{
    access, audit, catalogue, client_machine, connector, control_plane, graph, inside, kinds, observe, permissions,
    poll, preflight, submit, survey,
};

/// The name of this provider in a specification.
const NAME: &str = "eks";

/// Opens [`EksProvider`]s: the line of EKS in a program's registry of providers.
#[derive(Clone, Debug, Default)]
pub struct EksFactory {
    endpoint: Option<Endpoint>,
}

impl EksFactory {
    /// EKS at an address of its own instead of those that the environment says, with credentials that mean nothing: an AWS that
    /// somebody else emulates.
    pub fn at(endpoint_url: impl Into<String>) -> Self {
        Self { endpoint: Some(Endpoint(endpoint_url.into())) }
    }
}

#[async_trait]
impl ProviderFactory for EksFactory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn options_schema(&self) -> schemars::Schema {
        schemars::schema_for!(EksOptions)
    }

    async fn open(&self, spec: &ClusterSpec, _state_dir: &Utf8Path) -> Result<Arc<dyn Provider>, OpenError> {
        let options = EksOptions::from_spec(spec)?;
        let clients = Clients::open(spec, self.endpoint.as_ref()).await;
        let backend = Arc::new(EksBackend { clients, spec: spec.clone(), options });
        Ok(Arc::new(EksProvider { backend }))
    }
}

/// Amazon EKS, opened for one cluster.
#[derive(Debug)]
pub struct EksProvider {
    backend: Arc<EksBackend>,
}

#[async_trait]
impl Provider for EksProvider {
    fn name(&self) -> &str {
        NAME
    }

    async fn survey(&self, observation: &Observation) -> Result<Facts, ProviderError> {
        let EksBackend { clients, spec, options } = &*self.backend;
        survey::survey(clients, spec, options, observation).await
    }

    fn graph(&self, spec: &ClusterSpec, facts: &Facts) -> Result<Graph, SpecErrors> {
        graph::graph(spec, facts)
    }

    async fn preflight(
        &self,
        spec: &ClusterSpec,
        facts: &Facts,
        plan: &Plan,
        observation: &Observation,
    ) -> Vec<Finding> {
        preflight::preflight(&self.backend.clients, spec, facts, plan, observation).await
    }

    fn backends(&self) -> Vec<Arc<dyn Backend>> {
        vec![self.backend.clone()]
    }

    async fn access(&self, observation: &Observation) -> Result<Option<Access>, ProviderError> {
        let EksBackend { clients, spec, .. } = &*self.backend;
        Ok(access::access(spec, clients.profile.as_deref(), observation))
    }

    fn connector(&self) -> Option<Arc<dyn Connector>> {
        Some(self.backend.clone())
    }

    fn entrances(&self) -> Vec<ResourceId> {
        control_plane::entrances()
    }

    fn inside(&self, spec: &ClusterSpec, facts: &Facts) -> Inside {
        inside::inside(spec, &self.backend.options, facts)
    }

    fn machines(&self, spec: &ClusterSpec, facts: &Facts) -> Option<Machines> {
        catalogue::machines(spec, &EksFacts::from_facts(facts)?.instance_types)
    }

    fn client_machine(&self, observation: &Observation) -> Option<ClientMachine> {
        client_machine::found(observation, self.backend.spec.location.as_str())
    }

    fn permissions(&self, spec: &ClusterSpec, calls: &BTreeSet<String>) -> Option<Permissions> {
        Some(permissions::permissions(spec, &self.backend.options, calls))
    }
}

/// The APIs of AWS through which the resources of one cluster are read and changed.
struct EksBackend {
    clients: Clients,
    spec: ClusterSpec,
    options: EksOptions,
}

/// Leaves out the clients, whose configuration is long and tells nothing.
impl fmt::Debug for EksBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EksBackend").field("cluster", &self.spec.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Connector for EksBackend {
    async fn connect(&self) -> Result<Option<Connection>, ProviderError> {
        connector::connect(&self.clients, &self.spec).await
    }
}

#[async_trait]
impl Backend for EksBackend {
    fn kinds(&self) -> &'static [Kind] {
        &kinds::KINDS
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, ProviderError> {
        match scope {
            Scope::Cluster { deployment, kinds } => {
                let context =
                    ObserveContext { spec: &self.spec, options: &self.options, deployment: deployment.as_ref() };
                Box::pin(observe::observe(&self.clients, &context, kinds)).await
            }
            Scope::Resource { id, deployment, attributes, physical_id: _ } => {
                let context = ObserveContext { spec: &self.spec, options: &self.options, deployment: Some(deployment) };
                let wanted = Wanted { id, attributes };
                observe::observe_one(&self.clients, &context, wanted).await
            }
        }
    }

    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        submit::submit(&self.clients, operation).await
    }

    async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        poll::poll(&self.clients, ticket).await
    }

    async fn audit(&self, identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
        audit::audit(&self.clients, identity).await
    }
}
