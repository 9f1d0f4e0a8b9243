//! Who may use the Kubernetes API.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::account::{ACCOUNT_ID, CALLER_ARN};
use crate::eks::{Call, Cluster, Entry, Object, in_use, invalid, not_found};
use crate::error::{Answer, ApiError};
use crate::wire::seconds;

pub(super) const ADMIN_POLICY: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy";
const POLICY_PREFIX: &str = "arn:aws:eks::aws:cluster-access-policy/AmazonEKS";

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let cluster = call.cluster()?;
    if cluster.own.value["accessConfig"]["authenticationMode"] == json!("CONFIG_MAP") {
        let message = "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP]";
        return Err(ApiError::new("InvalidRequestException", message));
    }
    let principal = call.text("principalArn").to_owned();
    if cluster.entries.contains_key(&principal) {
        let message = "The specified access entry resource is already in use on this cluster.";
        return Err(in_use(message.to_owned()));
    }
    let name = cluster.own.text("name").to_owned();
    let entry = entry(call, &name, &principal);
    let answer = entry.own.described();
    call.cluster_mut()?.entries.insert(principal, entry);
    Ok(json!({ "accessEntry": answer }))
}

fn entry(call: &mut Call<'_>, cluster: &str, principal: &str) -> Entry {
    let id = call.chance.uuid();
    let kind = if principal.contains(":user/") { "user" } else { "role" };
    let short = principal.rsplit('/').next().unwrap_or_default();
    let arn = call.arn("access-entry", &format!("{cluster}/{kind}/{ACCOUNT_ID}/{short}/{id}"));
    let or = |name: &str, usual: Value| call.parameters.get(name).cloned().unwrap_or(usual);
    let value = json!({
        "clusterName": cluster,
        "principalArn": principal,
        "kubernetesGroups": or("kubernetesGroups", json!([])),
        "accessEntryArn": arn,
        "createdAt": seconds(call.now),
        "modifiedAt": seconds(call.now),
        "tags": or("tags", json!({})),
        "username": or("username", json!(principal)),
        "type": or("type", json!("STANDARD")),
    });
    Entry { own: Object::new(value), policies: BTreeMap::new() }
}

/// Lets whoever creates a cluster administer it.
pub(super) fn admin(call: &mut Call<'_>, cluster: &mut Cluster, name: &str) {
    let mut entry = entry(call, name, CALLER_ARN);
    entry.own.set("tags", json!({}));
    entry
        .policies
        .insert(ADMIN_POLICY.to_owned(), policy(call, ADMIN_POLICY, &json!({ "type": "cluster", "namespaces": [] })));
    cluster.entries.insert(CALLER_ARN.to_owned(), entry);
}

fn policy(call: &Call<'_>, arn: &str, scope: &Value) -> Value {
    json!({
        "policyArn": arn,
        "accessScope": { "type": scope["type"], "namespaces": scope.get("namespaces").cloned().unwrap_or_else(|| json!([])) },
        "associatedAt": seconds(call.now),
        "modifiedAt": seconds(call.now),
    })
}

fn missing() -> ApiError {
    not_found("The specified principalArn could not be found. You can view your access entries.".to_owned())
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a Entry, ApiError> {
    call.cluster()?.entries.get(call.text("principalArn")).ok_or_else(missing)
}

fn find_mut<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Entry, ApiError> {
    let principal = call.text("principalArn").to_owned();
    call.cluster_mut()?.entries.get_mut(&principal).ok_or_else(missing)
}

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    Ok(json!({ "accessEntry": find(call)?.own.described() }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let principal = call.text("principalArn").to_owned();
    call.cluster_mut()?.entries.remove(&principal).map(|_| json!({})).ok_or_else(missing)
}

pub(super) fn associate(call: &mut Call<'_>) -> Answer {
    let arn = call.text("policyArn").to_owned();
    if !arn.starts_with(POLICY_PREFIX) {
        let message = format!("The policyArn parameter format is not valid: {arn}");
        return Err(invalid(message));
    }
    let policy = policy(call, &arn, &call.parameters["accessScope"]);
    find_mut(call)?.policies.insert(arn, policy.clone());
    let (cluster, principal) = (call.text("clusterName"), call.text("principalArn"));
    Ok(json!({ "clusterName": cluster, "principalArn": principal, "associatedAccessPolicy": policy }))
}

pub(super) fn disassociate(call: &mut Call<'_>) -> Answer {
    let arn = call.text("policyArn").to_owned();
    let removed = find_mut(call)?.policies.remove(&arn);
    removed.map(|_| json!({})).ok_or_else(|| not_found(format!("The policy {arn} is not associated")))
}

pub(super) fn list_policies(call: &mut Call<'_>) -> Answer {
    let policies: Vec<Value> = find(call)?.policies.values().cloned().collect();
    let mut answer = call.page("associatedAccessPolicies", &policies)?;
    answer["clusterName"] = json!(call.text("clusterName"));
    answer["principalArn"] = json!(call.text("principalArn"));
    Ok(answer)
}
