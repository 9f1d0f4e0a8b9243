//! Pods that a stateful set waits for in vain.
//!
//! A stateful set replaces its pods one by one, and each only when the one before is ready. A pod that never becomes ready, because
//! its image or its secret is missing, is not even replaced when the set has been corrected: somebody must delete it
//! (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback>).

use std::collections::BTreeMap;

use howso_infra_core::inside::PLATFORM_NAMESPACE;
use howso_infra_core::{ErrorKind, OperationVerb, ProviderError};
use serde_json::Value as Json;

use crate::backend::KubernetesBackend;
use crate::errors::Call;
use crate::list;
use crate::object::collection;
use crate::submit::send_delete;

/// The annotation by which Helm knows what belongs to a release.
const RELEASE: &str = "meta.helm.sh/release-name";

/// The label of the revision of its set that a pod was made from.
const REVISION: &str = "controller-revision-hash";

impl KubernetesBackend {
    /// Deletes the pods of stateful sets of `releases` that were made from a revision that is not wanted any more and do not run, and
    /// returns their names. Each is made again from the revision that is wanted; what it kept is in its volumes.
    pub async fn replace_stuck_pods(&self, releases: &[&str]) -> Result<Vec<String>, ProviderError> {
        let read = async |version: &str, plural: &str| {
            let path = collection(version, plural, Some(PLATFORM_NAMESPACE));
            list::all(&self.api, &Call::read(format!("list {plural}")), &path, None).await
        };
        let (sets, pods) = futures::try_join!(read("apps/v1", "statefulsets"), read("v1", "pods"))?;
        let mut replaced = Vec::new();
        for pod in stuck(&sets, &pods, releases) {
            let name = text(pod, "/metadata/name");
            let path = format!("{}/{name}", collection("v1", "pods", Some(PLATFORM_NAMESPACE)));
            let call = Call::mutation(OperationVerb::Delete, "delete pods");
            match send_delete(self, &call, &path, Some(text(pod, "/metadata/uid"))).await {
                Ok(_) => replaced.push(name.to_owned()),
                // It is gone, or another one has its name by now.
                Err(error) if matches!(error.kind, ErrorKind::Gone | ErrorKind::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(replaced)
    }
}

fn stuck<'a>(sets: &[Json], pods: &'a [Json], releases: &[&str]) -> Vec<&'a Json> {
    let is_ours = |set: &&Json| {
        let release = set.pointer("/metadata/annotations").and_then(|annotations| annotations.get(RELEASE)?.as_str());
        release.is_some_and(|release| releases.contains(&release))
    };
    let wanted: BTreeMap<&str, &str> = sets
        .iter()
        .filter(is_ours)
        .map(|set| (text(set, "/metadata/uid"), text(set, "/status/updateRevision")))
        .collect();
    let is_stuck = |pod: &&Json| {
        let owner = text(pod, "/metadata/ownerReferences/0/uid");
        let revision = pod.pointer("/metadata/labels").and_then(|labels| labels.get(REVISION)?.as_str());
        let is_outdated = wanted.get(owner).is_some_and(|wanted| !wanted.is_empty() && revision != Some(wanted));
        is_outdated && pod.pointer("/metadata/deletionTimestamp").is_none() && waits_in_vain(pod)
    };
    pods.iter().filter(is_stuck).collect()
}

/// Whether no container of a pod runs, and one cannot be started.
fn waits_in_vain(pod: &Json) -> bool {
    let statuses = || pod.pointer("/status/containerStatuses").and_then(Json::as_array).into_iter().flatten();
    let runs = statuses().any(|status| status.pointer("/state/running").is_some());
    let reasons = statuses().filter_map(|status| status.pointer("/state/waiting/reason")?.as_str());
    let is_in_vain = |reason: &str| !matches!(reason, "ContainerCreating" | "PodInitializing");
    !runs && reasons.into_iter().any(is_in_vain)
}

fn text<'a>(object: &'a Json, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(release: &str) -> Json {
        json!({
            "metadata": { "uid": "s", "annotations": { RELEASE: release } }, "status": { "updateRevision": "new" },
        })
    }

    fn pod(revision: &str, state: &Json) -> Json {
        json!({
            "metadata": { "name": "a-0", "labels": { REVISION: revision }, "ownerReferences": [{ "uid": "s" }] },
            "status": { "containerStatuses": [{ "state": state }] },
        })
    }

    #[test]
    fn only_what_is_ours_outdated_and_does_not_run_is_deleted() {
        let waiting = |reason: &str| json!({ "waiting": { "reason": reason } });
        let count = |release: &str, pod: Json| stuck(&[set(release)], &[pod], &["platform-nats"]).len();
        for reason in ["ImagePullBackOff", "CrashLoopBackOff", "CreateContainerConfigError"] {
            assert_eq!(count("platform-nats", pod("old", &waiting(reason))), 1, "{reason}");
        }
        assert_eq!(count("other", pod("old", &waiting("ImagePullBackOff"))), 0, "the release of somebody else");
        assert_eq!(count("platform-nats", pod("new", &waiting("ImagePullBackOff"))), 0, "as it is wanted");
        assert_eq!(count("platform-nats", pod("old", &waiting("ContainerCreating"))), 0, "it may still start");
        assert_eq!(count("platform-nats", pod("old", &json!({ "running": {} }))), 0, "it runs");
        let mut leaving = pod("old", &waiting("ImagePullBackOff"));
        leaving["metadata"]["deletionTimestamp"] = json!("now");
        assert_eq!(count("platform-nats", leaving), 0, "it goes already");
    }
}
