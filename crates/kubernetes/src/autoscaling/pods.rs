//! What matters about a pod to an autoscaler.

use howso_infra_core::spec::WORKER_TAINT;
use k8s_openapi::api::core::v1::Pod;

use super::PodReference;

/// On pods that a node runs by itself, without the API server.
const MIRROR: &str = "kubernetes.io/config.mirror";

pub(super) fn reference(pod: &Pod) -> PodReference {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let metadata = &pod.metadata;
    PodReference { namespace: text(&metadata.namespace), name: text(&metadata.name), uid: text(&metadata.uid) }
}

/// The node on which a pod is and uses something.
pub(super) fn node(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty() && !has_ended(pod))
}

/// Whether a pod was looked at by the scheduler, which found no place. One that was not looked at yet may find one.
pub(super) fn is_unschedulable(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let is_refused = conditions.into_iter().flatten().any(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    is_refused && node(pod).is_none() && !has_ended(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// Whether a pod goes with its node: it runs on every node, or the node makes it itself.
pub(super) fn goes_with_node(pod: &Pod) -> bool {
    let is_daemon = pod
        .metadata
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.controller == Some(true) && owner.kind == "DaemonSet");
    is_daemon || pod.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(MIRROR))
}

/// Whether a pod is meant for workers. Of one that is not, nobody expects that it makes one appear.
pub(super) fn is_for_workers(pod: &Pod) -> bool {
    let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_ref());
    tolerations.into_iter().flatten().any(|toleration| toleration.key.as_deref() == Some(WORKER_TAINT.0))
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
