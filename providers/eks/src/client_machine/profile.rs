//! The instance profile: how an instance takes on a role. IAM names are unique in an account, so a stranger's is seen and reported.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::InstanceProfile;
use howso_infra_core::{
    Attributes, Observation, Observed, Operation, OperationVerb, Ownership, ProviderError, ResourceId, Status,
    Submitted, Value,
};

use super::NAME;
use super::kinds::{INSTANCE_PROFILE, INSTANCE_PROFILE_ROLE, call};
use crate::context::ObserveContext;
use crate::errors;
use crate::fields::text;
use crate::iam::{iam_name_prefix, iam_tags};
use crate::tags::{self, Tags};

/// Reads the profile, and the role in it when it is ours.
pub(super) async fn read(iam: &Client, context: &ObserveContext<'_>) -> Result<Observation, ProviderError> {
    let call = "iam:GetInstanceProfile";
    let name = iam_name_prefix(context.spec) + NAME;
    let answer = iam.get_instance_profile().instance_profile_name(&name).send().await;
    let found = match answer.map_err(errors::reading(call)) {
        Ok(answer) => answer.instance_profile.ok_or_else(|| errors::missing(call, "instance profile"))?,
        Err(error) if errors::is_gone(&error) => return Ok(Observation::default()),
        Err(error) => return Err(error),
    };
    let tags: Tags = found.tags().iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    let ownership = tags::ownership(&tags, context.cluster(), context.deployment);
    let mut observation = Observation::default();
    if matches!(ownership, Ownership::Ours { .. }) {
        for role in found.roles() {
            let id = ResourceId::new(INSTANCE_PROFILE_ROLE, NAME);
            observation.insert(id, role_observed(&name, &role.role_name, &ownership));
        }
    }
    observation.insert(ResourceId::new(INSTANCE_PROFILE, NAME), observed(&found, &tags, ownership));
    Ok(observation)
}

fn observed(profile: &InstanceProfile, tags: &Tags, ownership: Ownership) -> Observed {
    Observed {
        physical_id: profile.instance_profile_name.clone(),
        ownership,
        status: Status::Ready,
        attributes: Attributes::from([
            ("name".to_owned(), Value::text(&profile.instance_profile_name)),
            ("path".to_owned(), Value::text(&profile.path)),
            ("tags".to_owned(), tags::attribute(tags)),
        ]),
        outputs: outputs(profile),
    }
}

fn outputs(profile: &InstanceProfile) -> Attributes {
    Attributes::from([
        ("arn".to_owned(), Value::text(&profile.arn)),
        ("name".to_owned(), Value::text(&profile.instance_profile_name)),
    ])
}

fn role_observed(profile_name: &str, role_name: &str, ownership: &Ownership) -> Observed {
    Observed {
        physical_id: format!("{profile_name}/{role_name}"),
        ownership: ownership.clone(),
        status: Status::Ready,
        attributes: Attributes::from([
            ("profile_name".to_owned(), Value::text(profile_name)),
            ("role_name".to_owned(), Value::text(role_name)),
        ]),
        outputs: Attributes::new(),
    }
}

pub(super) async fn create(
    iam: &Client,
    operation: &Operation,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "iam:CreateInstanceProfile";
    let answer = iam
        .create_instance_profile()
        .instance_profile_name(text(attributes, "name", call)?)
        .path(text(attributes, "path", call)?)
        .set_tags(Some(iam_tags(tags::for_create(attributes, &operation.identity, &operation.resource))?))
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    let profile = answer.instance_profile.ok_or_else(|| errors::created_without(call, "instance profile"))?;
    let outputs = outputs(&profile);
    Ok(Submitted::settled_with(profile.instance_profile_name, outputs))
}

pub(super) async fn update(
    iam: &Client,
    name: &str,
    update: &str,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    if update != call::TAG {
        return Err(errors::bug("submit", format!("an instance profile has no call {update}")));
    }
    let tags = iam_tags(tags::declared(attributes))?;
    let request = iam.tag_instance_profile().instance_profile_name(name).set_tags(Some(tags));
    request.send().await.map_err(errors::mutating(OperationVerb::Update, "iam:TagInstanceProfile"))?;
    Ok(Submitted::settled(name))
}

pub(super) async fn delete(iam: &Client, name: &str) -> Result<Submitted, ProviderError> {
    let request = iam.delete_instance_profile().instance_profile_name(name);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, "iam:DeleteInstanceProfile"))?;
    Ok(Submitted::settled(name))
}

pub(super) async fn add_role(iam: &Client, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "iam:AddRoleToInstanceProfile";
    let (profile, role) = (text(attributes, "profile_name", call)?, text(attributes, "role_name", call)?);
    let request = iam.add_role_to_instance_profile().instance_profile_name(profile).role_name(role);
    request.send().await.map_err(errors::mutating(OperationVerb::Create, call))?;
    Ok(Submitted::settled(format!("{profile}/{role}")))
}

pub(super) async fn remove_role(iam: &Client, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "iam:RemoveRoleFromInstanceProfile";
    let (profile, role) = (text(attributes, "profile_name", call)?, text(attributes, "role_name", call)?);
    let request = iam.remove_role_from_instance_profile().instance_profile_name(profile).role_name(role);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, call))?;
    Ok(Submitted::settled(format!("{profile}/{role}")))
}
