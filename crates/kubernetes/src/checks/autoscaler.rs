//! The autoscaler works: one instance holds the lease, and it knows every pool with its bounds.
//!
//! The form of its status: `cluster-autoscaler/clusterstate/api/types.go` of <https://github.com/kubernetes/autoscaler>.

use howso_infra_core::inside::SYSTEM_NAMESPACE;
use howso_infra_core::{Attributes, ProviderError};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Verdict, entries, number, text};
use crate::errors::Call;
use crate::list;
use crate::object::collection;
use crate::objects::autoscaler::{NAME, STATUS_MAP};
use crate::transport::Api;

const LOGS: &str = "see kubectl -n kube-system logs deploy/cluster-autoscaler";

/// How long a lease is believed beyond its own duration: clocks of nodes differ a little.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(30);

/// What is read of the status.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StatusDocument {
    node_groups: Vec<NodeGroup>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeGroup {
    name: String,
    health: Health,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Health {
    min_size: i64,
    max_size: i64,
}

pub(super) async fn judge(api: &Api, attributes: &Attributes) -> Result<Verdict, ProviderError> {
    let lease_path = format!("{}/{NAME}", collection("coordination.k8s.io/v1", "leases", Some(SYSTEM_NAMESPACE)));
    let map_path = format!("{}/{STATUS_MAP}", collection("v1", "configmaps", Some(SYSTEM_NAMESPACE)));
    let (lease_call, map_call) = (Call::read("get leases.coordination.k8s.io"), Call::read("get configmaps"));
    let lease = async {
        let request =
            http::Request::get(&lease_path).body(Vec::new()).map_err(|error| list::bug(&lease_call, &error))?;
        match api.send(&lease_call, request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.kind == howso_infra_core::ErrorKind::Gone => Ok(None),
            Err(error) => Err(error),
        }
    };
    let (lease, map) = futures::try_join!(lease, list::one(api, &map_call, &map_path))?;
    let Some(lease) = lease else {
        return Ok(Verdict::Waits(format!("the autoscaler has not taken its lease ({LOGS})")));
    };
    if let Some(why) = unheld(&lease.body, lease.date.as_deref()) {
        return Ok(Verdict::Waits(format!("{why} ({LOGS})")));
    }
    let status = map.as_ref().and_then(|map| map.pointer("/data/status")?.as_str());
    let Some(status) = status else {
        return Ok(Verdict::Waits(format!("the autoscaler has not said what it knows ({LOGS})")));
    };
    Ok(groups(status, attributes))
}

/// Why nobody holds the lease now, by the clock of the API server.
fn unheld(lease: &Json, now: Option<&str>) -> Option<String> {
    let text = |pointer: &str| lease.pointer(pointer).and_then(Json::as_str).filter(|text| !text.is_empty());
    let Some(holder) = text("/spec/holderIdentity") else {
        return Some("nobody holds the autoscaler's lease".to_owned());
    };
    let renewed: Timestamp = text("/spec/renewTime")?.parse().ok()?;
    let duration = lease.pointer("/spec/leaseDurationSeconds").and_then(Json::as_i64).unwrap_or_default();
    let now = rfc2822::parse(now?).ok()?.timestamp();
    let age = now.duration_since(renewed);
    (age > SignedDuration::from_secs(duration) + CLOCK_SKEW)
        .then(|| format!("{holder} has not renewed the autoscaler's lease for {} s", age.as_secs()))
}

/// Whether the status lists every group with its bounds.
fn groups(status: &str, attributes: &Attributes) -> Verdict {
    let Ok(document) = serde_saphyr::from_str::<StatusDocument>(status) else {
        return Verdict::Waits(format!("what the autoscaler says about itself cannot be read ({LOGS})"));
    };
    let mut missing = Vec::new();
    for wanted in entries(attributes, "groups") {
        let (pool, name) = (text(wanted, "pool"), text(wanted, "name"));
        let (min, max) = (number(wanted, "min"), number(wanted, "max"));
        match document.node_groups.iter().find(|group| group.name == name) {
            None => missing.push(format!("the autoscaler does not list the pool {pool} ({name})")),
            Some(group) if (group.health.min_size, group.health.max_size) != (min, max) => {
                let (min_size, max_size) = (group.health.min_size, group.health.max_size);
                missing.push(format!("the autoscaler knows the pool {pool} as {min_size}…{max_size}, not {min}…{max}"));
            }
            Some(_) => {}
        }
    }
    Verdict::of(&missing)
}

#[cfg(test)]
mod tests;
