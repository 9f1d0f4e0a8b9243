//! Reads the roles by their names: one or three requests each, never a list of the account.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::Role;
use howso_infra_core::{
    Attributes, Gap, Observation, Observed, Ownership, ProviderError, ResourceId, ScopeKinds, Status, Value,
};
use percent_encoding::percent_decode_str;

use crate::clients::Clients;
use crate::context::{ObserveContext, Wanted};
use crate::iam::graph::{attachment_id, iam_name};
use crate::iam::kinds::{KINDS, ROLE, ROLE_POLICY};
use crate::iam::policies::{AUTOSCALER_POLICY, RoleName};
use crate::options::IamOptions;
use crate::tags::{self, Tags};
use crate::{documents, errors, pages};

/// Reads every role that this provider may have made.
pub(crate) async fn observe(clients: &Clients, context: &ObserveContext<'_>, kinds: &ScopeKinds) -> Observation {
    if !KINDS.iter().any(|kind| kinds.includes(&[kind.name])) {
        return Observation::default();
    }
    let ours = RoleName::ALL.into_iter().filter(|role| brought(&context.options.iam, *role).is_none());
    let reads = ours.map(|role| read_role(&clients.iam, context, role));
    let mut observation = Observation::default();
    for result in futures::future::join_all(reads).await {
        match result {
            Ok(found) => observation.merge(found),
            Err(error) => {
                let kinds = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
                observation.gaps = vec![Gap { kinds, error }];
            }
        }
    }
    observation
}

/// Reads one role or one of its policies.
pub(crate) async fn observe_one(
    clients: &Clients,
    context: &ObserveContext<'_>,
    wanted: Wanted<'_>,
) -> Result<Observation, ProviderError> {
    // A policy is named after its role.
    let role = RoleName::ALL.into_iter().find(|role| {
        let rest = wanted.id.name().strip_prefix(role.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    let role = role.ok_or_else(|| errors::bug("iam:GetRole", format!("{} is no role", wanted.id)))?;
    let mut observation = read_role(&clients.iam, context, role).await?;
    observation.resources.retain(|id, _| id == wanted.id);
    Ok(observation)
}

/// The role that the user brings instead.
fn brought(options: &IamOptions, role: RoleName) -> Option<&str> {
    match role {
        RoleName::Cluster => options.cluster_role.as_deref(),
        RoleName::Node => options.node_role.as_deref(),
        RoleName::EbsCsi => options.ebs_csi_role.as_deref(),
        RoleName::Autoscaler => options.autoscaler_role.as_deref(),
        RoleName::Client => options.client_role.as_deref(),
    }
}

/// Reads a role and, when it is ours, its policies.
async fn read_role(iam: &Client, context: &ObserveContext<'_>, role: RoleName) -> Result<Observation, ProviderError> {
    let call = "iam:GetRole";
    let name = iam_name(context.spec, role);
    let mut observation = Observation::default();
    let answer = match iam.get_role().role_name(&name).send().await.map_err(errors::reading(call)) {
        Ok(answer) => answer,
        Err(error) if errors::is_gone(&error) => return Ok(observation),
        Err(error) => return Err(error),
    };
    let found = answer.role.ok_or_else(|| errors::missing(call, "role"))?;
    let tags = tags_of(&found);
    let ownership = tags::ownership(&tags, context.cluster(), context.deployment);
    if matches!(ownership, Ownership::Ours { .. }) {
        let (attached, inline) = futures::join!(attached_policies(iam, &name), inline_policy(iam, &name, role));
        for policy_arn in attached? {
            if let Some((id, observed)) = attachment(role, &name, &policy_arn, &ownership) {
                observation.insert(id, observed);
            }
        }
        if let Some(document) = inline? {
            observation
                .insert(ResourceId::new(ROLE_POLICY, role.as_str()), inline_observed(&name, document, &ownership));
        }
    }
    observation.insert(ResourceId::new(ROLE, role.as_str()), observed(&found, &tags, ownership));
    Ok(observation)
}

async fn attached_policies(iam: &Client, role_name: &str) -> Result<Vec<String>, ProviderError> {
    let call = "iam:ListAttachedRolePolicies";
    let items = iam.list_attached_role_policies().role_name(role_name).into_paginator().items().send();
    match pages::all(items, call).await {
        Ok(policies) => Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).collect()),
        Err(error) if errors::is_gone(&error) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Reads the inline policy of the autoscaler; no other role of ours has one.
async fn inline_policy(iam: &Client, role_name: &str, role: RoleName) -> Result<Option<Value>, ProviderError> {
    let call = "iam:GetRolePolicy";
    if role != RoleName::Autoscaler {
        return Ok(None);
    }
    let answer = iam.get_role_policy().role_name(role_name).policy_name(AUTOSCALER_POLICY).send().await;
    match answer.map_err(errors::reading(call)) {
        Ok(answer) => Ok(Some(policy(&answer.policy_document))),
        Err(error) if errors::is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn tags_of(role: &Role) -> Tags {
    role.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect()
}

/// A policy as IAM gives it back: URL-encoded JSON. What cannot be read stays as it is, and so differs.
fn policy(document: &str) -> Value {
    let text = percent_decode_str(document).decode_utf8_lossy();
    documents::parse(&text).map_or_else(|| Value::text(text), |policy| documents::canonical_policy(&policy))
}

fn observed(role: &Role, tags: &Tags, ownership: Ownership) -> Observed {
    let mut attributes = Attributes::from([
        ("name".to_owned(), Value::text(&role.role_name)),
        ("path".to_owned(), Value::text(&role.path)),
        ("tags".to_owned(), tags::attribute(tags)),
    ]);
    if let Some(document) = &role.assume_role_policy_document {
        attributes.insert("trust_policy".to_owned(), policy(document));
    }
    let boundary = role.permissions_boundary.as_ref().and_then(|boundary| boundary.permissions_boundary_arn.as_deref());
    // Without a boundary the answer has no field for it: known to be none.
    attributes.insert("permissions_boundary".to_owned(), Value::text(boundary.unwrap_or_default()));
    Observed {
        physical_id: role.role_name.clone(),
        ownership,
        status: Status::Ready,
        attributes,
        outputs: Attributes::from([
            ("arn".to_owned(), Value::text(&role.arn)),
            ("name".to_owned(), Value::text(&role.role_name)),
        ]),
    }
}

/// An attachment that this provider may have made; [`None`] for what others attached.
fn attachment(
    role: RoleName,
    role_name: &str,
    policy_arn: &str,
    ownership: &Ownership,
) -> Option<(ResourceId, Observed)> {
    let (_, policy) = policy_arn.split_once(":iam::aws:policy/")?;
    let policy = role.managed_policies(true).into_iter().find(|known| *known == policy)?;
    let observed = Observed {
        physical_id: format!("{role_name}/{policy_arn}"),
        ownership: ownership.clone(),
        status: Status::Ready,
        attributes: Attributes::from([
            ("role_name".to_owned(), Value::text(role_name)),
            ("policy_arn".to_owned(), Value::text(policy_arn)),
        ]),
        outputs: Attributes::new(),
    };
    Some((attachment_id(role, policy), observed))
}

fn inline_observed(role_name: &str, document: Value, ownership: &Ownership) -> Observed {
    Observed {
        physical_id: format!("{role_name}/{AUTOSCALER_POLICY}"),
        ownership: ownership.clone(),
        status: Status::Ready,
        attributes: Attributes::from([
            ("role_name".to_owned(), Value::text(role_name)),
            ("policy_name".to_owned(), Value::text(AUTOSCALER_POLICY)),
            ("document".to_owned(), document),
        ]),
        outputs: Attributes::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_come_back_url_encoded_and_in_another_order() {
        let encoded = "%7B%22Statement%22%3A%5B%7B%22Action%22%3A%22sts%3AAssumeRole%22%2C%22Effect%22%3A%22Allow%22%2C%22\
                       Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%7D%5D%2C%22Version%22%3A%222012-10-17%22%7D";
        assert_eq!(policy(encoded), RoleName::Node.trust_policy());
        assert_ne!(policy(encoded), RoleName::Cluster.trust_policy());
    }

    #[test]
    fn attachments_of_others_are_left_alone() {
        let attached =
            |arn: &str| attachment(RoleName::Node, "demo-node", arn, &Ownership::Unclaimed).map(|(id, _)| id);
        assert_eq!(attached("arn:aws:iam::123456789012:policy/AmazonEKS_CNI_Policy"), None);
        assert_eq!(attached("arn:aws:iam::aws:policy/AdministratorAccess"), None);
        assert_eq!(
            attached("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"),
            Some(attachment_id(RoleName::Node, "AmazonEKS_CNI_Policy"))
        );
    }
}
