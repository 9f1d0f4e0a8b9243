//! Add-ons: the programs that every cluster needs and that EKS keeps running.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_eks::Client;
use aws_sdk_eks::types::{Addon, AddonHealth, AddonStatus, ResolveConflicts};
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{
    Attributes, Observation, Observed, Operation, OperationVerb, Ownership, Progress, ProviderError, ResourceId,
    Status, Submitted, Ticket, Value,
};
use serde_json::json;

use crate::control_plane::kinds::ADDON;
use crate::control_plane::updates::accepted;
use crate::fields::text;
use crate::health::{self, Issue};
use crate::options::{AddonOptions, EksOptions};
use crate::tags::{self, Tags};
use crate::{documents, eks_arn, errors, pages};

/// An add-on that this provider can manage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Definition {
    /// Its name in EKS and in the graph.
    pub(super) name: &'static str,
    /// When it is made.
    pub(super) stage: Stage,
    /// Whether the user wants it.
    pub(super) is_on: fn(&AddonOptions) -> bool,
}

/// When an add-on is made, seen from the nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before the nodes, which wait for it: no node is ready without it.
    First,
    /// As early, but the nodes do not wait for it: it is asked for before them and gets ready on them.
    Beside,
    /// After the core nodes, on which it runs.
    OnCore,
}

/// The name of the driver for volumes.
pub(super) const EBS_CSI_DRIVER: &str = "aws-ebs-csi-driver";

/// Every add-on that this provider can manage.
pub(super) const DEFINITIONS: [Definition; 6] = [
    Definition { name: "vpc-cni", stage: Stage::First, is_on: |options| options.vpc_cni },
    Definition { name: "kube-proxy", stage: Stage::First, is_on: |options| options.kube_proxy },
    Definition { name: "eks-pod-identity-agent", stage: Stage::First, is_on: |options| options.pod_identity_agent },
    Definition { name: "coredns", stage: Stage::Beside, is_on: |options| options.coredns },
    Definition { name: EBS_CSI_DRIVER, stage: Stage::OnCore, is_on: |options| options.ebs_csi_driver },
    Definition { name: "metrics-server", stage: Stage::OnCore, is_on: |options| options.metrics_server },
];

/// The add-ons that the user wants.
pub(super) fn wanted(spec: &ClusterSpec, options: &EksOptions) -> Vec<Definition> {
    let is_on = |definition: &&Definition| spec.addons.is_on() && (definition.is_on)(&options.addons);
    DEFINITIONS.iter().filter(is_on).copied().collect()
}

/// The names of the add-ons that the user wants.
pub(crate) fn addon_names(spec: &ClusterSpec, options: &EksOptions) -> Vec<String> {
    wanted(spec, options).into_iter().map(|definition| definition.name.to_owned()).collect()
}

/// The settings that an add-on needs beyond its defaults.
pub(super) fn configuration(name: &str) -> Option<Value> {
    // The add-on's schema has this truth value as a text.
    (name == "vpc-cni").then(|| Value::from_json(&json!({ "enableNetworkPolicy": "true" })))
}

/// The versions of the add-ons that are there, by name.
pub(crate) fn observed_versions(observation: &Observation) -> BTreeMap<String, String> {
    let addons = observation.resources.keys().filter(|id| id.kind() == ADDON);
    addons
        .filter_map(|id| {
            let version = observation.one(id)?.attributes.get("version")?.as_text()?;
            Some((id.name().to_owned(), version.to_owned()))
        })
        .collect()
}

/// The names of the add-ons of ours that run.
pub(crate) fn running(observation: &Observation) -> BTreeSet<String> {
    let addons = observation.resources.keys().filter(|id| id.kind() == ADDON);
    let runs = |id: &&ResourceId| observation.one(id).is_some_and(|observed| observed.status == Status::Ready);
    addons.filter(runs).map(|id| id.name().to_owned()).collect()
}

/// Reads the names of all add-ons.
pub(super) async fn names(eks: &Client, cluster: &str) -> Result<Vec<String>, ProviderError> {
    let items = eks.list_addons().cluster_name(cluster).into_paginator().items().send();
    pages::all(items, "eks:ListAddons").await
}

/// Reads one add-on; [`None`] when there is none.
pub(super) async fn read(eks: &Client, cluster: &str, name: &str) -> Result<Option<Addon>, ProviderError> {
    let call = "eks:DescribeAddon";
    match eks.describe_addon().cluster_name(cluster).addon_name(name).send().await.map_err(errors::reading(call)) {
        Ok(answer) => Ok(answer.addon),
        Err(error) if errors::is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn tags_of(addon: &Addon) -> Tags {
    addon.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

pub(super) fn observed(addon: &Addon, tags: &Tags, cluster_arn: &str, ownership: Ownership) -> Option<Observed> {
    let mut attributes = Attributes::from([
        ("cluster_arn".to_owned(), Value::text(cluster_arn)),
        ("name".to_owned(), Value::text(addon.addon_name()?)),
        ("tags".to_owned(), tags::attribute(tags)),
    ]);
    let version = addon.addon_version().filter(|version| !version.is_empty());
    attributes.extend(version.map(|version| ("version".to_owned(), Value::text(version))));
    // Without settings the answer has no field for them: known to be none. What is no JSON stays as it is, and so differs.
    let settings = addon.configuration_values().filter(|settings| !settings.trim().is_empty()).unwrap_or("{}");
    let settings = documents::parse(settings).unwrap_or_else(|| Value::text(settings));
    attributes.insert("configuration".to_owned(), settings);
    Some(Observed {
        physical_id: addon.addon_arn()?.to_owned(),
        ownership,
        status: status(addon),
        attributes,
        outputs: Attributes::new(),
    })
}

fn issues(addon: &Addon) -> Vec<Issue> {
    Issue::of_addons(addon.health().map(AddonHealth::issues).unwrap_or_default())
}

fn status(addon: &Addon) -> Status {
    let reason = || health::describe(&issues(addon));
    match addon.status() {
        Some(AddonStatus::Active) => Status::Ready,
        Some(AddonStatus::CreateFailed) => Status::Failed { reason: reason() },
        Some(AddonStatus::Deleting) => Status::Deleting,
        Some(AddonStatus::Degraded | AddonStatus::UpdateFailed | AddonStatus::DeleteFailed) => {
            Status::Degraded { reason: reason() }
        }
        // Also every state that did not exist when this was written.
        Some(other) => Status::Pending { state: other.as_str().to_owned() },
        None => Status::Pending { state: "without a state".to_owned() },
    }
}

/// Asks whether a new add-on runs.
///
/// A degraded one may only be waiting for nodes (coredns always does at first), so it is waited for until the deadline; what
/// it lacks is shown meanwhile.
pub(super) async fn poll_created(eks: &Client, ticket: &Ticket) -> Result<Progress, ProviderError> {
    let call = "eks:CreateAddon";
    let (cluster, name) = (eks_arn::cluster(&ticket.physical_id, call)?, eks_arn::child(&ticket.physical_id, call)?);
    let Some(addon) = read(eks, cluster, name).await? else {
        return Ok(Progress::Pending { state: "not visible yet".to_owned() });
    };
    let word = addon.status().map_or("CREATING", |status| status.as_str());
    Ok(match status(&addon) {
        Status::Ready => Progress::Settled { outputs: Attributes::new() },
        Status::Pending { .. } | Status::Degraded { .. } => {
            Progress::Pending { state: health::state(word, &issues(&addon)) }
        }
        Status::Failed { .. } | Status::Deleting => Progress::Failed(health::failure(call, word, &issues(&addon))),
    })
}

/// Asks whether an add-on is gone.
pub(super) async fn poll_deleted(eks: &Client, ticket: &Ticket) -> Result<Progress, ProviderError> {
    let call = "eks:DeleteAddon";
    let (cluster, name) = (eks_arn::cluster(&ticket.physical_id, call)?, eks_arn::child(&ticket.physical_id, call)?);
    let Some(addon) = read(eks, cluster, name).await? else {
        return Ok(Progress::Settled { outputs: Attributes::new() });
    };
    let word = addon.status().map_or("DELETING", |status| status.as_str());
    Ok(match addon.status() {
        Some(AddonStatus::DeleteFailed) => Progress::Failed(health::failure(call, word, &issues(&addon))),
        _ => Progress::Pending { state: word.to_owned() },
    })
}

/// Makes an add-on.
pub(super) async fn create(
    eks: &Client,
    operation: &Operation,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:CreateAddon";
    let answer = eks
        .create_addon()
        .cluster_name(eks_arn::cluster_of(attributes, call)?)
        .addon_name(text(attributes, "name", call)?)
        .set_addon_version(attributes.get("version").and_then(Value::as_text).map(str::to_owned))
        .set_configuration_values(settings(attributes))
        // Nothing of it is in a new cluster; in an old one our settings are those that are wanted.
        .resolve_conflicts(ResolveConflicts::Overwrite)
        .set_tags(Some(tags::for_create(attributes, &operation.identity, &operation.resource).into_iter().collect()))
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    let arn = answer.addon.and_then(|addon| addon.addon_arn).ok_or_else(|| errors::created_without(call, "ARN"))?;
    Ok(accepted(operation, &arn, None))
}

/// Changes version and settings of an add-on; what users changed in the cluster beyond the settings stays.
pub(super) async fn update(
    eks: &Client,
    operation: &Operation,
    arn: &str,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:UpdateAddon";
    let answer = eks
        .update_addon()
        .cluster_name(eks_arn::cluster(arn, call)?)
        .addon_name(eks_arn::child(arn, call)?)
        .set_addon_version(attributes.get("version").and_then(Value::as_text).map(str::to_owned))
        .set_configuration_values(settings(attributes))
        .resolve_conflicts(ResolveConflicts::Preserve)
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Update, call))?;
    Ok(accepted(operation, arn, answer.update.as_ref()))
}

fn settings(attributes: &Attributes) -> Option<String> {
    attributes.get("configuration").map(documents::to_text)
}

/// Ends the management of an add-on. Its pods go on running: they are needed until the last node is gone, and a user who
/// turns an add-on off manages it elsewhere.
pub(super) async fn delete(eks: &Client, operation: &Operation, arn: &str) -> Result<Submitted, ProviderError> {
    let call = "eks:DeleteAddon";
    let (cluster, name) = (eks_arn::cluster(arn, call)?, eks_arn::child(arn, call)?);
    let request = eks.delete_addon().cluster_name(cluster).addon_name(name).preserve(true);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, call))?;
    Ok(accepted(operation, arn, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addon(status: &str, settings: Option<&str>) -> Addon {
        Addon::builder()
            .addon_name("vpc-cni")
            .addon_arn("arn:aws:eks:us-east-1:123456789012:addon/demo/vpc-cni/1")
            .status(AddonStatus::from(status))
            .set_configuration_values(settings.map(str::to_owned))
            .build()
    }

    fn settings_of(settings: Option<&str>) -> Value {
        let observed = observed(&addon("ACTIVE", settings), &Tags::new(), "arn", Ownership::Unclaimed).unwrap();
        observed.attributes["configuration"].clone()
    }

    #[test]
    fn settings_are_compared_as_json() {
        let wanted = configuration("vpc-cni").unwrap();
        assert_eq!(settings_of(Some("{ \"enableNetworkPolicy\" : \"true\" }")), wanted);
        assert_ne!(settings_of(Some("{\"enableNetworkPolicy\":\"false\"}")), wanted);
        assert_ne!(settings_of(None), wanted);
        assert_ne!(settings_of(Some("enableNetworkPolicy: true")), wanted);
    }

    #[test]
    fn states_are_told_apart() {
        let status = |word: &str| status(&addon(word, None));
        assert_eq!(status("ACTIVE"), Status::Ready);
        assert!(matches!(status("DEGRADED"), Status::Degraded { .. }));
        assert!(matches!(status("UPDATE_FAILED"), Status::Degraded { .. }));
        assert!(matches!(status("CREATE_FAILED"), Status::Failed { .. }));
        assert_eq!(status("DELETING"), Status::Deleting);
        assert!(matches!(status("RESTING"), Status::Pending { state } if state == "RESTING"));
    }
}
