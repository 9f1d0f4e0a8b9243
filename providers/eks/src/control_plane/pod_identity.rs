//! The roles of pods: which service account gets which role.
//!
//! The driver's association is a resource of its own and not a part of its add-on: it can be seen, changed and checked like
//! the autoscaler's, which has no add-on.

use aws_sdk_eks::Client;
use aws_sdk_eks::types::{PodIdentityAssociation, PodIdentityAssociationSummary};
use howso_infra_core::{
    Attributes, Observed, Operation, OperationVerb, Ownership, ProviderError, Status, Submitted, Value,
};

use crate::fields::text;
use crate::tags::{self, Tags};
use crate::{eks_arn, errors, pages};

/// The namespace of both service accounts.
pub(super) const NAMESPACE: &str = "kube-system";

/// The association of the EBS CSI driver: its name in the graph and its service account.
pub(super) const EBS_CSI: (&str, &str) = ("ebs-csi", "ebs-csi-controller-sa");

/// The association of the cluster autoscaler: its name in the graph and its service account.
pub(super) const AUTOSCALER: (&str, &str) = ("autoscaler", "cluster-autoscaler");

/// The name in the graph of the association of a service account.
pub(super) fn name_of(namespace: &str, service_account: &str) -> Option<&'static str> {
    let known = [EBS_CSI, AUTOSCALER].into_iter().find(|(_, account)| *account == service_account);
    known.filter(|_| namespace == NAMESPACE).map(|(name, _)| name)
}

/// Reads the associations of our service accounts; those of others are left alone.
pub(super) async fn read_all(eks: &Client, cluster: &str) -> Result<Vec<PodIdentityAssociation>, ProviderError> {
    let items = eks.list_pod_identity_associations().cluster_name(cluster).into_paginator().items().send();
    let found = pages::all(items, "eks:ListPodIdentityAssociations").await?;
    let is_known = |summary: &PodIdentityAssociationSummary| {
        let names = summary.namespace().zip(summary.service_account());
        names.is_some_and(|(namespace, account)| name_of(namespace, account).is_some())
    };
    let ids: Vec<_> = found.into_iter().filter(is_known).filter_map(|summary| summary.association_id).collect();
    let reads = ids.iter().map(|id| read(eks, cluster, id));
    Ok(futures::future::try_join_all(reads).await?.into_iter().flatten().collect())
}

/// Reads one association; [`None`] when there is none.
async fn read(eks: &Client, cluster: &str, id: &str) -> Result<Option<PodIdentityAssociation>, ProviderError> {
    let call = "eks:DescribePodIdentityAssociation";
    let request = eks.describe_pod_identity_association().cluster_name(cluster).association_id(id);
    match request.send().await.map_err(errors::reading(call)) {
        Ok(answer) => Ok(answer.association),
        Err(error) if errors::is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn tags_of(association: &PodIdentityAssociation) -> Tags {
    association.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

pub(super) fn observed(
    association: &PodIdentityAssociation,
    tags: &Tags,
    cluster_arn: &str,
    ownership: Ownership,
) -> Option<Observed> {
    let attributes = [
        ("cluster_arn", Some(Value::text(cluster_arn))),
        ("namespace", association.namespace().map(Value::text)),
        ("service_account", association.service_account().map(Value::text)),
        ("role_arn", association.role_arn().map(Value::text)),
        ("tags", Some(tags::attribute(tags))),
    ];
    Some(Observed {
        physical_id: association.association_arn()?.to_owned(),
        ownership,
        status: Status::Ready,
        attributes: attributes.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))).collect(),
        outputs: Attributes::new(),
    })
}

/// Makes an association.
pub(super) async fn create(
    eks: &Client,
    operation: &Operation,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:CreatePodIdentityAssociation";
    let answer = eks
        .create_pod_identity_association()
        .cluster_name(eks_arn::cluster_of(attributes, call)?)
        .namespace(text(attributes, "namespace", call)?)
        .service_account(text(attributes, "service_account", call)?)
        .role_arn(text(attributes, "role_arn", call)?)
        .set_tags(Some(tags::for_create(attributes, &operation.identity, &operation.resource).into_iter().collect()))
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    let arn = answer.association.and_then(|association| association.association_arn);
    Ok(Submitted::settled(arn.ok_or_else(|| errors::created_without(call, "ARN"))?))
}

/// Changes the role of an association.
pub(super) async fn update(
    eks: &Client,
    operation: &Operation,
    arn: &str,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:UpdatePodIdentityAssociation";
    eks.update_pod_identity_association()
        .cluster_name(eks_arn::cluster(arn, call)?)
        .association_id(eks_arn::child(arn, call)?)
        .role_arn(text(attributes, "role_arn", call)?)
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Update, call))?;
    Ok(Submitted::settled(arn))
}

/// Removes an association.
pub(super) async fn delete(eks: &Client, arn: &str) -> Result<Submitted, ProviderError> {
    let call = "eks:DeletePodIdentityAssociation";
    let (cluster, id) = (eks_arn::cluster(arn, call)?, eks_arn::child(arn, call)?);
    let request = eks.delete_pod_identity_association().cluster_name(cluster).association_id(id);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, call))?;
    Ok(Submitted::settled(arn))
}
