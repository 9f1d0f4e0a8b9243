//! Changes roles and their policies.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;
use howso_infra_core::{Attributes, Operation, OperationVerb, ProviderError, Submitted, Value, Work};

use crate::clients::Clients;
use crate::fields::text;
use crate::iam::kinds::{ROLE, ROLE_POLICY, ROLE_POLICY_ATTACHMENT, call};
use crate::tags::{self, Tags};
use crate::{documents, errors};

/// Sends one mutating call.
pub(crate) async fn submit(clients: &Clients, operation: &Operation) -> Result<Submitted, ProviderError> {
    let iam = &clients.iam;
    match (operation.resource.kind(), &operation.work) {
        (ROLE, Work::Create { attributes }) => create_role(iam, operation, attributes).await,
        (ROLE, Work::Update { physical_id, call, attributes, .. }) => {
            update_role(iam, physical_id, call, attributes).await
        }
        (ROLE, Work::Delete { physical_id, .. }) => delete_role(iam, physical_id).await,
        (ROLE_POLICY_ATTACHMENT, Work::Create { attributes }) => attach(iam, attributes).await,
        (ROLE_POLICY_ATTACHMENT, Work::Delete { attributes, .. }) => detach(iam, attributes).await,
        (ROLE_POLICY, Work::Create { attributes }) => put_policy(iam, OperationVerb::Create, attributes).await,
        (ROLE_POLICY, Work::Update { attributes, .. }) => put_policy(iam, OperationVerb::Update, attributes).await,
        (ROLE_POLICY, Work::Delete { attributes, .. }) => delete_policy(iam, attributes).await,
        (kind, work) => Err(errors::bug("submit", format!("{kind} has no {:?}", work.verb()))),
    }
}

/// Tags as IAM takes them.
pub(crate) fn iam_tags(tags: Tags) -> Result<Vec<Tag>, ProviderError> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    tags.into_iter().map(tag).collect::<Result<_, _>>().map_err(|error| errors::bug("iam:TagRole", error.to_string()))
}

fn document(attributes: &Attributes, field: &str, call: &str) -> Result<String, ProviderError> {
    let value = attributes.get(field).ok_or_else(|| errors::bug(call, format!("no document `{field}` was given")))?;
    Ok(documents::to_text(value))
}

async fn create_role(iam: &Client, operation: &Operation, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "iam:CreateRole";
    let answer = iam
        .create_role()
        .role_name(text(attributes, "name", call)?)
        .path(text(attributes, "path", call)?)
        .assume_role_policy_document(document(attributes, "trust_policy", call)?)
        .set_permissions_boundary(attributes.get("permissions_boundary").and_then(Value::as_text).map(str::to_owned))
        .set_tags(Some(iam_tags(tags::for_create(attributes, &operation.identity, &operation.resource))?))
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    let role = answer.role.ok_or_else(|| errors::created_without(call, "role"))?;
    let outputs = Attributes::from([
        ("arn".to_owned(), Value::text(&role.arn)),
        ("name".to_owned(), Value::text(&role.role_name)),
    ]);
    Ok(Submitted::settled_with(role.role_name, outputs))
}

async fn update_role(
    iam: &Client,
    role_name: &str,
    update: &str,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    match update {
        call::TAG => {
            let tags = iam_tags(tags::declared(attributes))?;
            let request = iam.tag_role().role_name(role_name).set_tags(Some(tags));
            request.send().await.map_err(errors::mutating(OperationVerb::Update, "iam:TagRole"))?;
        }
        call::UPDATE_TRUST_POLICY => {
            let call = "iam:UpdateAssumeRolePolicy";
            let policy = document(attributes, "trust_policy", call)?;
            let request = iam.update_assume_role_policy().role_name(role_name).policy_document(policy);
            request.send().await.map_err(errors::mutating(OperationVerb::Update, call))?;
        }
        call::PUT_PERMISSIONS_BOUNDARY => {
            let call = "iam:PutRolePermissionsBoundary";
            let boundary = text(attributes, "permissions_boundary", call)?;
            let request = iam.put_role_permissions_boundary().role_name(role_name).permissions_boundary(boundary);
            request.send().await.map_err(errors::mutating(OperationVerb::Update, call))?;
        }
        other => return Err(errors::bug("submit", format!("a role has no call {other}"))),
    }
    Ok(Submitted::settled(role_name))
}

async fn delete_role(iam: &Client, role_name: &str) -> Result<Submitted, ProviderError> {
    let request = iam.delete_role().role_name(role_name);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, "iam:DeleteRole"))?;
    Ok(Submitted::settled(role_name))
}

async fn attach(iam: &Client, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "iam:AttachRolePolicy";
    let (role_name, policy_arn) = (text(attributes, "role_name", call)?, text(attributes, "policy_arn", call)?);
    let request = iam.attach_role_policy().role_name(role_name).policy_arn(policy_arn);
    request.send().await.map_err(errors::mutating(OperationVerb::Create, call))?;
    Ok(Submitted::settled(format!("{role_name}/{policy_arn}")))
}

async fn detach(iam: &Client, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "iam:DetachRolePolicy";
    let (role_name, policy_arn) = (text(attributes, "role_name", call)?, text(attributes, "policy_arn", call)?);
    let request = iam.detach_role_policy().role_name(role_name).policy_arn(policy_arn);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, call))?;
    Ok(Submitted::settled(format!("{role_name}/{policy_arn}")))
}

async fn put_policy(iam: &Client, verb: OperationVerb, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "iam:PutRolePolicy";
    let (role_name, policy_name) = (text(attributes, "role_name", call)?, text(attributes, "policy_name", call)?);
    let policy = document(attributes, "document", call)?;
    let request = iam.put_role_policy().role_name(role_name).policy_name(policy_name).policy_document(policy);
    request.send().await.map_err(errors::mutating(verb, call))?;
    Ok(Submitted::settled(format!("{role_name}/{policy_name}")))
}

async fn delete_policy(iam: &Client, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "iam:DeleteRolePolicy";
    let (role_name, policy_name) = (text(attributes, "role_name", call)?, text(attributes, "policy_name", call)?);
    let request = iam.delete_role_policy().role_name(role_name).policy_name(policy_name);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, call))?;
    Ok(Submitted::settled(format!("{role_name}/{policy_name}")))
}
