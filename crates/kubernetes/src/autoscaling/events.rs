//! Tells whoever describes a pod what came of its waiting, as the Cluster Autoscaler does.

use howso_infra_core::{OperationVerb, ProviderError};
use http::Request;
use jiff::Timestamp;
use serde_json::json;

use super::PodReference;
use crate::backend::KubernetesBackend;
use crate::errors::Call;
use crate::list;
use crate::object::collection;

/// Who says it.
const CONTROLLER: &str = "howso-infra.howso.com/autoscale";

/// What came of the waiting of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScaleUpNews {
    /// A node is made for it.
    Triggered,
    /// No node would help it.
    NotTriggered,
}

impl ScaleUpNews {
    /// The reason of the event, and how its text begins.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Triggered => ("TriggeredScaleUp", "pod triggered scale-up"),
            Self::NotTriggered => ("NotTriggerScaleUp", "pod didn't trigger scale-up"),
        }
    }
}

impl KubernetesBackend {
    /// Adds an event to a pod. `now` is the time by the clock on the wall.
    pub async fn tell_pod(
        &self,
        pod: &PodReference,
        news: ScaleUpNews,
        detail: &str,
        now: Timestamp,
    ) -> Result<(), ProviderError> {
        let call = Call::mutation(OperationVerb::Create, "create events.events.k8s.io");
        let (reason, begin) = news.words();
        let event = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": { "generateName": format!("{}-", pod.name), "namespace": pod.namespace },
            "type": "Normal",
            "eventTime": format!("{now:.6}"),
            "reportingController": CONTROLLER,
            "reportingInstance": self.cluster,
            "action": "ScaleUp",
            "reason": reason,
            "note": format!("{begin}: {detail}"),
            "regarding": {
                "apiVersion": "v1", "kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid,
            },
        });
        let body = serde_json::to_vec(&event).map_err(|error| list::bug(&call, &error))?;
        let request = Request::post(collection("events.k8s.io/v1", "events", Some(&pod.namespace)))
            .header("content-type", "application/json")
            .body(body)
            .map_err(|error| list::bug(&call, &error))?;
        self.api.send(&call, request).await.map(|_| ())
    }
}
