//! The provider as the engine sees it.

use std::sync::Arc;

use async_trait::async_trait;
use camino::Utf8Path;
use futures::future::try_join_all;
use howso_infra_core::inside::Inside;
use howso_infra_core::provider::{Access, Facts, OpenError};
use howso_infra_core::spec::{ClusterSpec, SpecErrors};
use howso_infra_core::{
    Backend, ClusterIdentity, Connection, Connector, DeploymentId, Finding, Graph, Kind, Leftover, Observation,
    Operation, Plan, Progress, Provider, ProviderError, ProviderFactory, Scope, Submitted, Ticket,
};
use tokio::sync::OnceCell;

use crate::docker::Docker;
use crate::images::{ImageIds, ImageName, Imports};
use crate::observe::Observing;
use crate::options::K3dOptions;
use crate::poll::Polling;
use crate::program::Program;
use crate::submit::Submitting;
use crate::{access, audit, graph, inside, kinds, preflight, survey};

/// The name of this provider in a specification.
const NAME: &str = "k3d";

/// Opens the provider: the line of k3d in a program's registry of providers.
#[derive(Clone, Copy, Debug, Default)]
pub struct K3dFactory;

#[async_trait]
impl ProviderFactory for K3dFactory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn options_schema(&self) -> schemars::Schema {
        schemars::schema_for!(K3dOptions)
    }

    fn only_location(&self) -> Option<&'static str> {
        Some("local")
    }

    async fn open(&self, spec: &ClusterSpec, state_dir: &Utf8Path) -> Result<Arc<dyn Provider>, OpenError> {
        let options = K3dOptions::from_spec(spec)?;
        let backend = Arc::new(K3dBackend {
            docker: Arc::new(Docker::new(spec.engine.request_timeout)),
            program: Program::new(state_dir, spec.name.as_str()),
            imports: Imports::default(),
            image_ids: OnceCell::new(),
            spec: spec.clone(),
            options,
        });
        Ok(Arc::new(K3dProvider { backend }))
    }
}

/// k3d, opened for one cluster.
struct K3dProvider {
    backend: Arc<K3dBackend>,
}

#[async_trait]
impl Provider for K3dProvider {
    fn name(&self) -> &str {
        NAME
    }

    async fn survey(&self, observation: &Observation) -> Result<Facts, ProviderError> {
        let K3dBackend { docker, spec, options, .. } = &*self.backend;
        survey::survey(docker, spec, options, self.backend.image_ids().await?, observation).await
    }

    fn graph(&self, spec: &ClusterSpec, facts: &Facts) -> Result<Graph, SpecErrors> {
        graph::graph(spec, facts)
    }

    async fn preflight(
        &self,
        spec: &ClusterSpec,
        facts: &Facts,
        plan: &Plan,
        _observation: &Observation,
    ) -> Vec<Finding> {
        preflight::preflight(&self.backend.program, spec, &self.backend.options, facts, plan).await
    }

    fn backends(&self) -> Vec<Arc<dyn Backend>> {
        vec![self.backend.clone()]
    }

    async fn access(&self, observation: &Observation) -> Result<Option<Access>, ProviderError> {
        access::access(&self.backend.docker, self.backend.cluster(), observation).await
    }

    fn connector(&self) -> Option<Arc<dyn Connector>> {
        Some(self.backend.clone())
    }

    fn inside(&self, spec: &ClusterSpec, facts: &Facts) -> Inside {
        inside::inside(spec, facts)
    }
}

#[async_trait]
impl Connector for K3dBackend {
    async fn connect(&self) -> Result<Option<Connection>, ProviderError> {
        access::connect(self.observing(None, &ImageIds::new())).await
    }
}

/// Docker and k3d, through which the resources of one cluster are read and changed.
struct K3dBackend {
    docker: Arc<Docker>,
    program: Program,
    imports: Imports,
    image_ids: OnceCell<ImageIds>,
    spec: ClusterSpec,
    options: K3dOptions,
}

impl K3dBackend {
    fn cluster(&self) -> &str {
        self.spec.name.as_str()
    }

    /// What Docker calls the images that nodes shall have. Asked once: what is built while a command runs comes with the next.
    async fn image_ids(&self) -> Result<&ImageIds, ProviderError> {
        let ask = async || {
            let id = async |name: &ImageName| Ok((name.clone(), self.docker.image_id(&name.to_string()).await?));
            Ok(try_join_all(self.options.images.iter().map(id)).await?.into_iter().collect())
        };
        self.image_ids.get_or_try_init(ask).await
    }

    fn observing<'a>(&'a self, deployment: Option<&'a DeploymentId>, images: &'a ImageIds) -> Observing<'a> {
        Observing { docker: &self.docker, program: &self.program, cluster: self.cluster(), deployment, images }
    }
}

#[async_trait]
impl Backend for K3dBackend {
    fn kinds(&self) -> &'static [Kind] {
        kinds::KINDS
    }

    /// Two listings and a look at each container tell everything, so one resource costs no less than all.
    async fn observe(&self, scope: &Scope) -> Result<Observation, ProviderError> {
        let (deployment, only) = match scope {
            Scope::Cluster { deployment, kinds: _ } => (deployment.as_ref(), None),
            Scope::Resource { id, deployment, .. } => (Some(deployment), Some(id)),
        };
        let images = self.image_ids().await?;
        let mut observation = self.observing(deployment, images).all().await?;
        if let Some(only) = only {
            observation.resources.retain(|id, _| id == only);
        }
        Ok(observation)
    }

    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        let submitting = Submitting {
            docker: &self.docker,
            program: &self.program,
            imports: &self.imports,
            cluster: self.cluster(),
        };
        submitting.submit(operation).await
    }

    async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        let polling = Polling {
            docker: &self.docker,
            program: &self.program,
            imports: &self.imports,
            cluster: self.cluster(),
            request_timeout: self.spec.engine.request_timeout,
        };
        polling.poll(ticket).await
    }

    async fn audit(&self, identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
        audit::audit(self.observing(Some(&identity.deployment), &ImageIds::new())).await
    }
}
