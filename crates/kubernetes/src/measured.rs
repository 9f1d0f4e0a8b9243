//! What was measured on a cluster, and is written on it, so that whoever asks later finds it: an annotation of the platform's namespace.

use howso_infra_core::inside::PLATFORM_NAMESPACE;
use howso_infra_core::{OperationVerb, ProviderError};
use kube::core::Request;
use kube::core::params::{Patch, PatchParams};
use serde_json::{Value as Json, json};

use crate::backend::KubernetesBackend;
use crate::errors::Call;
use crate::list;
use crate::object::collection;

/// How long a worker took to appear from none and to run a pod, when it was last tried. Seconds.
const WORKER_WAIT: &str = "howso-infra/worker-wait-secs";

impl KubernetesBackend {
    /// How long a worker took to appear from none, when it was last tried; [`None`] when nobody tried, or while there is no cluster of ours.
    /// Seconds.
    pub async fn measured_worker_wait(&self) -> Result<Option<u64>, ProviderError> {
        if self.deployment().await?.is_none() {
            return Ok(None);
        }
        let path = format!("{}/{PLATFORM_NAMESPACE}", collection("v1", "namespaces", None));
        let namespace = list::one(&self.api, &Call::read("get namespaces"), &path).await?.unwrap_or_default();
        let annotation = namespace["metadata"]["annotations"][WORKER_WAIT].as_str();
        // Anybody may write there; what is no number, or more than anybody waits, was measured by nobody.
        Ok(annotation.and_then(|secs| secs.parse::<u16>().ok()).map(u64::from))
    }

    /// Writes down how long a worker took to appear from none. Seconds.
    pub async fn note_worker_wait(&self, secs: u64) -> Result<(), ProviderError> {
        let call = Call::mutation(OperationVerb::Update, "patch namespaces");
        let change: Json = json!({ "metadata": { "annotations": { WORKER_WAIT: secs.to_string() } } });
        let request = Request::new(collection("v1", "namespaces", None)).patch(
            PLATFORM_NAMESPACE,
            &PatchParams::default(),
            &Patch::Merge(&change),
        );
        self.api.send(&call, request.map_err(|error| list::bug(&call, &error))?).await?;
        Ok(())
    }
}
