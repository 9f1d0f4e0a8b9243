//! What runs in a cluster and is neither ours nor Kubernetes' own.

use std::collections::BTreeMap;
use std::fmt;

use howso_infra_core::ProviderError;
use howso_infra_core::identity::DEPLOYMENT_TAG;
use serde::Serialize;
use serde_json::Value as Json;

use crate::errors::Call;
use crate::list;
use crate::object::collection;
use crate::transport::Api;

/// The namespaces of Kubernetes itself, in which add-ons run as well.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-node-lease", "kube-public", "kube-system"];

/// Pods that still run and belong together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Workload {
    /// Their namespace.
    pub namespace: String,
    /// What made them, for example `StatefulSet trainee-1`; the pod itself when nothing did.
    pub owner: String,
    /// How many there are.
    pub pods: usize,
}

/// `namespace/Kind name (pods)`, as a person reads it.
impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pods = if self.pods == 1 { "pod" } else { "pods" };
        write!(formatter, "{}/{} ({} {pods})", self.namespace, self.owner, self.pods)
    }
}

pub(crate) fn is_system_namespace(namespace: &str) -> bool {
    SYSTEM_NAMESPACES.contains(&namespace)
}

/// Whether an object carries our label; which deployment's does not matter here, the cluster has only one.
pub(crate) fn is_ours(object: &Json) -> bool {
    object.pointer("/metadata/labels").and_then(|labels| labels.get(DEPLOYMENT_TAG)).is_some()
}

/// Reads what runs.
pub(crate) async fn running(api: &Api) -> Result<Vec<Workload>, ProviderError> {
    let pods = list::all(api, &Call::read("list pods"), &collection("v1", "pods", None), None).await?;
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for pod in pods.iter().filter(|pod| is_running(pod) && !is_ours(pod)) {
        let text = |pointer: &str| pod.pointer(pointer).and_then(Json::as_str).unwrap_or_default();
        let namespace = text("/metadata/namespace");
        if is_system_namespace(namespace) {
            continue;
        }
        let (kind, name) = (text("/metadata/ownerReferences/0/kind"), text("/metadata/ownerReferences/0/name"));
        let owner = match kind {
            "" => format!("Pod {}", text("/metadata/name")),
            kind => format!("{kind} {name}"),
        };
        *counts.entry((namespace.to_owned(), owner)).or_default() += 1;
    }
    Ok(counts.into_iter().map(|((namespace, owner), pods)| Workload { namespace, owner, pods }).collect())
}

fn is_running(pod: &Json) -> bool {
    !matches!(pod.pointer("/status/phase").and_then(Json::as_str), Some("Succeeded" | "Failed"))
}
