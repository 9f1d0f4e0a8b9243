//! Who may administrate the cluster: access entries and their policies.
//!
//! Entries that EKS makes itself, for example those of node roles, carry no tag of ours and are left alone.

use aws_sdk_eks::Client;
use aws_sdk_eks::types::{AccessEntry, AccessScope, AccessScopeType, AssociatedAccessPolicy};
use howso_infra_core::identity::digest;
use howso_infra_core::{
    Attributes, Observed, Operation, OperationVerb, Ownership, ProviderError, ResourceId, Status, Submitted, Value,
};

use crate::control_plane::kinds::{ACCESS_ENTRY, ACCESS_POLICY};
use crate::fields::text;
use crate::tags::{self, Tags};
use crate::{eks_arn, errors, pages};

/// The name in the graph of the entry of whoever made the cluster.
pub(super) const CREATOR: &str = "creator";

/// By what whoever made the cluster gets in: an entry, and the policy of administrators for it.
pub(crate) fn entrances() -> Vec<ResourceId> {
    [ACCESS_ENTRY, ACCESS_POLICY].map(|kind| ResourceId::new(kind, CREATOR)).into()
}

/// The type of an entry for people and programs, as opposed to nodes.
pub(super) const STANDARD: &str = "STANDARD";

/// The scope of a policy that holds in all namespaces.
pub(super) const WHOLE_CLUSTER: &str = "cluster";

/// The name of the policy that allows everything in the cluster.
const ADMIN_POLICY: &str = "AmazonEKSClusterAdminPolicy";

/// How many hexadecimal digits tell apart principals of the same name in other paths and accounts.
const DIGEST_DIGITS: usize = 8;

/// The ARN of the policy that allows everything in the cluster.
pub(super) fn admin_policy_arn(partition: &str) -> String {
    format!("arn:{partition}:eks::aws:cluster-access-policy/{ADMIN_POLICY}")
}

/// The name in the graph of an administrator's entry: short, because it goes into a tag, and unlike every other.
pub(super) fn admin_name(principal_arn: &str) -> String {
    let mut parts = principal_arn.rsplit(':').next().unwrap_or(principal_arn).split('/');
    let (kind, name) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
    format!("{kind}-{name}-{}", &digest(&principal_arn)[..DIGEST_DIGITS])
}

pub(super) fn tags_of(entry: &AccessEntry) -> Tags {
    entry.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Reads the principals of all entries.
pub(super) async fn principals(eks: &Client, cluster: &str) -> Result<Vec<String>, ProviderError> {
    let items = eks.list_access_entries().cluster_name(cluster).into_paginator().items().send();
    pages::all(items, "eks:ListAccessEntries").await
}

/// Reads one entry; [`None`] when there is none.
pub(super) async fn read(eks: &Client, cluster: &str, principal: &str) -> Result<Option<AccessEntry>, ProviderError> {
    let call = "eks:DescribeAccessEntry";
    let request = eks.describe_access_entry().cluster_name(cluster).principal_arn(principal);
    match request.send().await.map_err(errors::reading(call)) {
        Ok(answer) => Ok(answer.access_entry),
        Err(error) if errors::is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the administrator's policy of one entry; [`None`] when it has not got it.
pub(super) async fn read_policy(
    eks: &Client,
    cluster: &str,
    principal: &str,
) -> Result<Option<AssociatedAccessPolicy>, ProviderError> {
    let call = "eks:ListAssociatedAccessPolicies";
    let request = eks.list_associated_access_policies().cluster_name(cluster).principal_arn(principal);
    match pages::all(request.into_paginator().items().send(), call).await {
        Ok(policies) => Ok(policies.into_iter().find(is_admin_policy)),
        Err(error) if errors::is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_admin_policy(policy: &AssociatedAccessPolicy) -> bool {
    policy.policy_arn().is_some_and(|arn| arn.ends_with(&format!("/{ADMIN_POLICY}")))
}

pub(super) fn observed(entry: &AccessEntry, tags: &Tags, cluster_arn: &str, ownership: Ownership) -> Option<Observed> {
    let principal = entry.principal_arn()?;
    let mut attributes = Attributes::from([
        ("cluster_arn".to_owned(), Value::text(cluster_arn)),
        ("principal_arn".to_owned(), Value::text(principal)),
        ("tags".to_owned(), tags::attribute(tags)),
    ]);
    attributes.extend(entry.r#type().map(|kind| ("type".to_owned(), Value::text(kind))));
    Some(Observed {
        physical_id: principal.to_owned(),
        ownership,
        status: Status::Ready,
        attributes,
        outputs: Attributes::new(),
    })
}

pub(super) fn observed_policy(
    policy: &AssociatedAccessPolicy,
    principal: &str,
    cluster_arn: &str,
    ownership: Ownership,
) -> Option<Observed> {
    let policy_arn = policy.policy_arn()?;
    let mut attributes = Attributes::from([
        ("cluster_arn".to_owned(), Value::text(cluster_arn)),
        ("principal_arn".to_owned(), Value::text(principal)),
        ("policy_arn".to_owned(), Value::text(policy_arn)),
    ]);
    let scope = policy.access_scope().and_then(|scope| scope.r#type());
    attributes.extend(scope.map(|scope| ("scope".to_owned(), Value::text(scope.as_str()))));
    Some(Observed {
        physical_id: format!("{principal}/{policy_arn}"),
        ownership,
        status: Status::Ready,
        attributes,
        outputs: Attributes::new(),
    })
}

/// Makes an entry.
pub(super) async fn create(
    eks: &Client,
    operation: &Operation,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:CreateAccessEntry";
    let principal = text(attributes, "principal_arn", call)?;
    eks.create_access_entry()
        .cluster_name(eks_arn::cluster_of(attributes, call)?)
        .principal_arn(principal)
        .r#type(text(attributes, "type", call)?)
        .set_tags(Some(tags::for_create(attributes, &operation.identity, &operation.resource).into_iter().collect()))
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    Ok(Submitted::settled(principal))
}

/// Sets the tags of an entry. The service wants the entry's own ARN, which only a read gives.
pub(super) async fn tag(eks: &Client, principal: &str, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "eks:TagResource";
    let entry = read(eks, eks_arn::cluster_of(attributes, call)?, principal).await?;
    let arn =
        entry.and_then(|entry| entry.access_entry_arn).ok_or_else(|| errors::missing(call, "access entry ARN"))?;
    let request = eks.tag_resource().resource_arn(arn).set_tags(Some(tags::declared(attributes).into_iter().collect()));
    request.send().await.map_err(errors::mutating(OperationVerb::Update, call))?;
    Ok(Submitted::settled(principal))
}

/// Removes an entry, and with it its policies.
pub(super) async fn delete(eks: &Client, principal: &str, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "eks:DeleteAccessEntry";
    let cluster = eks_arn::cluster_of(attributes, call)?;
    let request = eks.delete_access_entry().cluster_name(cluster).principal_arn(principal);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, call))?;
    Ok(Submitted::settled(principal))
}

/// Gives an entry its policy.
pub(super) async fn associate(
    eks: &Client,
    verb: OperationVerb,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:AssociateAccessPolicy";
    let (principal, policy) = (text(attributes, "principal_arn", call)?, text(attributes, "policy_arn", call)?);
    let scope = AccessScope::builder().r#type(AccessScopeType::from(text(attributes, "scope", call)?)).build();
    let cluster = eks_arn::cluster_of(attributes, call)?;
    let request = eks.associate_access_policy().cluster_name(cluster).principal_arn(principal).policy_arn(policy);
    request.access_scope(scope).send().await.map_err(errors::mutating(verb, call))?;
    Ok(Submitted::settled(format!("{principal}/{policy}")))
}

/// Takes the policy of an entry away.
pub(super) async fn disassociate(eks: &Client, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "eks:DisassociateAccessPolicy";
    let (principal, policy) = (text(attributes, "principal_arn", call)?, text(attributes, "policy_arn", call)?);
    let cluster = eks_arn::cluster_of(attributes, call)?;
    let request = eks.disassociate_access_policy().cluster_name(cluster).principal_arn(principal).policy_arn(policy);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, call))?;
    Ok(Submitted::settled(format!("{principal}/{policy}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_of_one_name_have_entries_of_their_own() {
        let one = admin_name("arn:aws:iam::123456789012:role/team/Admin");
        let other = admin_name("arn:aws:iam::123456789012:role/Admin");
        assert!(one.starts_with("role-Admin-") && other.starts_with("role-Admin-"));
        assert_ne!(one, other);
        assert_eq!(one.len(), "role-Admin-".len() + DIGEST_DIGITS);
    }
}
