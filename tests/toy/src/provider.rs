//! The toy provider.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use howso_infra_core::provider::{Access, Facts, OpenError};
use howso_infra_core::spec::{CORE_LABEL, ClusterSpec, SpecErrors};
use howso_infra_core::{
    Backend, Finding, Graph, Observation, Plan, Provider, ProviderError, ProviderFactory, Resource, ResourceId, Value,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backend::ToyBackend;
use crate::folder::Folder;
use crate::kinds::{CONTROL_PLANE, NETWORK, POOL};

/// Opens the toy provider.
#[derive(Clone, Copy, Debug)]
pub struct ToyFactory;

/// The table `[toy]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ToyOptions {
    /// The folder that is the cloud.
    folder: Option<String>,
    /// How long a resource is on its way, in milliseconds.
    settle_millis: u64,
}

#[async_trait]
impl ProviderFactory for ToyFactory {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn options_schema(&self) -> schemars::Schema {
        schemars::schema_for!(ToyOptions)
    }

    async fn open(&self, spec: &ClusterSpec, _state_dir: &Utf8Path) -> Result<Arc<dyn Provider>, OpenError> {
        let options: ToyOptions = spec.provider_options.decode()?;
        let Some(folder) = options.folder else {
            let error = spec.provider_options.error("folder", "the folder of the toy cloud is missing", None);
            return Err(OpenError::Spec(SpecErrors::from(error)));
        };
        let folder = Folder::new(Utf8PathBuf::from(folder), Duration::from_millis(options.settle_millis));
        let backend = Arc::new(ToyBackend { cluster: spec.name.to_string(), folder });
        Ok(Arc::new(ToyProvider { backend }))
    }
}

struct ToyProvider {
    backend: Arc<ToyBackend>,
}

#[async_trait]
impl Provider for ToyProvider {
    fn name(&self) -> &'static str {
        "toy"
    }

    async fn survey(&self, _observation: &Observation) -> Result<Facts, ProviderError> {
        Ok(Facts::default())
    }

    fn graph(&self, spec: &ClusterSpec, _facts: &Facts) -> Result<Graph, SpecErrors> {
        let (network, control_plane) = (ResourceId::new(NETWORK, "main"), ResourceId::new(CONTROL_PLANE, "main"));
        let version = spec.kubernetes.version.map_or_else(|| "1.34".to_owned(), |version| version.to_string());
        let tags = spec.tags.iter().map(|(key, value)| (key.to_string(), value.clone()));
        let pool = |name: &str, min: u32, max: u32, labels: Value| {
            Resource::new(ResourceId::new(POOL, name))
                .with("control_plane", Value::reference(&control_plane, "id"))
                .with("min", min)
                .with("max", max)
                .with("labels", labels)
        };
        let core_max = spec.core.max.unwrap_or(spec.core.nodes);
        let mut resources = vec![
            Resource::new(network.clone()).with("range", "10.42.0.0/16").with("tags", Value::text_map(tags)),
            Resource::new(control_plane.clone())
                .with("network", Value::reference(&network, "id"))
                .with("version", version),
            pool("core", spec.core.nodes, core_max, Value::text_map([CORE_LABEL])),
        ];
        for (name, worker) in &spec.workers {
            let labels = worker.labels.iter().map(|(key, value)| (key.to_string(), value.to_string()));
            resources.push(pool(name.node_pool_name(), worker.min, worker.max, Value::text_map(labels)));
        }
        Ok(Graph::new(resources).expect("the names of pools are distinct"))
    }

    async fn preflight(
        &self,
        _spec: &ClusterSpec,
        _facts: &Facts,
        _plan: &Plan,
        _observation: &Observation,
    ) -> Vec<Finding> {
        Vec::new()
    }

    fn backends(&self) -> Vec<Arc<dyn Backend>> {
        vec![self.backend.clone()]
    }

    async fn access(&self, _observation: &Observation) -> Result<Option<Access>, ProviderError> {
        Ok(None)
    }
}
