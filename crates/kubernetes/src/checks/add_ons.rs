//! What Kubernetes needs on its nodes runs: names, networks, volumes, metrics, the autoscaler.

use howso_infra_core::ProviderError;
use howso_infra_core::inside::SYSTEM_NAMESPACE;
use serde_json::Value as Json;

use super::Verdict;
use crate::errors::Call;
use crate::list;
use crate::object::collection;
use crate::transport::Api;

pub(super) async fn judge(api: &Api) -> Result<Verdict, ProviderError> {
    let read = async |plural: &str| {
        let call = Call::read(format!("list {plural}.apps"));
        list::all(api, &call, &collection("apps/v1", plural, Some(SYSTEM_NAMESPACE)), None).await
    };
    let (deployments, daemon_sets) = futures::try_join!(read("deployments"), read("daemonsets"))?;
    let mut missing: Vec<String> = deployments
        .iter()
        .filter_map(|found| short(found, "deploy", "/spec/replicas", "/status/availableReplicas"))
        .collect();
    missing.extend(
        daemon_sets
            .iter()
            .filter_map(|found| short(found, "ds", "/status/desiredNumberScheduled", "/status/numberAvailable")),
    );
    Ok(Verdict::of(&missing))
}

/// What is missing of one of them.
fn short(found: &Json, kind: &str, wanted: &str, available: &str) -> Option<String> {
    let number = |pointer: &str| found.pointer(pointer).and_then(Json::as_u64).unwrap_or_default();
    let (wanted, available) = (number(wanted), number(available));
    let name = found.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
    (available < wanted).then(|| {
        format!("{available} of {wanted} pods of {name} are available (see kubectl -n {SYSTEM_NAMESPACE} describe {kind}/{name})")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_short_of_pods_is_named() {
        let daemons = |wanted: u64, available: u64| {
            json!({
                "metadata": { "name": "aws-node" },
                "status": { "desiredNumberScheduled": wanted, "numberAvailable": available },
            })
        };
        let look = |found: &Json| short(found, "ds", "/status/desiredNumberScheduled", "/status/numberAvailable");
        assert_eq!(look(&daemons(3, 3)), None);
        assert_eq!(look(&daemons(0, 0)), None);
        assert!(look(&daemons(3, 2)).is_some_and(|what| what.starts_with("2 of 3 pods of aws-node")));
        assert!(look(&json!({ "status": { "desiredNumberScheduled": 1 } })).is_some());
    }
}
