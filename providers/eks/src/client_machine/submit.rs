//! Sends the calls of this area.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    AttributeValue, BlockDeviceMapping, EbsBlockDevice, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceType, ResourceType, ShutdownBehavior,
    TagSpecification, VolumeType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use howso_infra_core::operation::FieldChange;
use howso_infra_core::{Attributes, Operation, OperationVerb, ProviderError, Submitted, Value, Work};

use super::kinds::{INSTANCE, INSTANCE_PROFILE, INSTANCE_PROFILE_ROLE, RESIZE, SECURITY_GROUP, call};
use super::{convert, profile};
use crate::clients::Clients;
use crate::errors;
use crate::fields::{boolean, integer, output, text, texts};
use crate::tags;

/// The root volume of Amazon Linux 2023.
const ROOT_DEVICE: &str = "/dev/xvda";

/// What of an instance carries its tags.
const TAGGED: [ResourceType; 3] = [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];

/// Sends exactly one mutating call and does not wait.
pub(crate) async fn submit(clients: &Clients, operation: &Operation) -> Result<Submitted, ProviderError> {
    let Clients { ec2, iam, .. } = clients;
    match (operation.resource.kind(), &operation.work) {
        (INSTANCE_PROFILE, Work::Create { attributes }) => profile::create(iam, operation, attributes).await,
        (INSTANCE_PROFILE, Work::Update { physical_id, call, attributes, .. }) => {
            profile::update(iam, physical_id, call, attributes).await
        }
        (INSTANCE_PROFILE, Work::Delete { physical_id, .. }) => profile::delete(iam, physical_id).await,
        (INSTANCE_PROFILE_ROLE, Work::Create { attributes }) => profile::add_role(iam, attributes).await,
        (INSTANCE_PROFILE_ROLE, Work::Delete { attributes, .. }) => profile::remove_role(iam, attributes).await,
        (SECURITY_GROUP, Work::Create { attributes }) => create_group(ec2, operation, attributes).await,
        (SECURITY_GROUP, Work::Delete { physical_id, .. }) => delete_group(ec2, physical_id).await,
        (INSTANCE, Work::Create { attributes }) => run(ec2, operation, attributes).await,
        (INSTANCE, Work::Delete { physical_id, .. }) => terminate(ec2, operation, physical_id).await,
        (SECURITY_GROUP | INSTANCE, Work::Update { physical_id, call, changes, attributes }) => {
            update(ec2, physical_id, call, changes, attributes).await
        }
        (kind, work) => Err(errors::bug("submit", format!("{kind} has no {:?}", work.verb()))),
    }
}

async fn create_group(
    ec2: &Client,
    operation: &Operation,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "ec2:CreateSecurityGroup";
    let answer = ec2
        .create_security_group()
        .group_name(text(attributes, "name", call)?)
        .description(text(attributes, "description", call)?)
        .vpc_id(text(attributes, "vpc_id", call)?)
        .tag_specifications(tag_specification(ResourceType::SecurityGroup, operation, attributes))
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    let id = answer.group_id.ok_or_else(|| errors::created_without(call, "group id"))?;
    let outputs = output("group_id", id.as_str());
    Ok(Submitted::settled_with(id, outputs))
}

async fn delete_group(ec2: &Client, id: &str) -> Result<Submitted, ProviderError> {
    let request = ec2.delete_security_group().group_id(id);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, "ec2:DeleteSecurityGroup"))?;
    Ok(Submitted::settled(id))
}

fn tag_specification(kind: ResourceType, operation: &Operation, attributes: &Attributes) -> TagSpecification {
    let tags = tags::for_create(attributes, &operation.identity, &operation.resource);
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags::to_ec2(tags))).build()
}

async fn run(ec2: &Client, operation: &Operation, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let call = "ec2:RunInstances";
    let disk = EbsBlockDevice::builder()
        .volume_size(integer(attributes, "disk_gib", call)?)
        .volume_type(VolumeType::from(text(attributes, "disk_type", call)?))
        .encrypted(boolean(attributes, "disk_encrypted", call)?)
        .delete_on_termination(true)
        .build();
    let profile =
        IamInstanceProfileSpecification::builder().arn(text(attributes, "instance_profile_arn", call)?).build();
    let metadata = InstanceMetadataOptionsRequest::builder()
        .http_endpoint(InstanceMetadataEndpointState::Enabled)
        .http_tokens(HttpTokensState::from(text(attributes, "metadata_tokens", call)?))
        .http_put_response_hop_limit(integer(attributes, "metadata_hop_limit", call)?)
        .build();
    let specifications = TAGGED.map(|kind| tag_specification(kind, operation, attributes));
    let answer = ec2
        .run_instances()
        .min_count(1)
        .max_count(1)
        .image_id(text(attributes, "image", call)?)
        .instance_type(InstanceType::from(text(attributes, "instance_type", call)?))
        .subnet_id(text(attributes, "subnet_id", call)?)
        .set_security_group_ids(Some(texts(attributes, "security_group_ids")))
        .iam_instance_profile(profile)
        .block_device_mappings(BlockDeviceMapping::builder().device_name(ROOT_DEVICE).ebs(disk).build())
        .metadata_options(metadata)
        // Whoever shuts the machine down from inside wants it back.
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Stop)
        .user_data(STANDARD.encode(text(attributes, "user_data", call)?))
        .set_tag_specifications(Some(specifications.into()))
        .client_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    let instance = answer.instances.unwrap_or_default().pop();
    let id = instance.and_then(|instance| instance.instance_id);
    let id = id.ok_or_else(|| errors::created_without(call, "instance id"))?;
    Ok(Submitted::accepted(operation, id, Attributes::new()))
}

async fn terminate(ec2: &Client, operation: &Operation, id: &str) -> Result<Submitted, ProviderError> {
    let request = ec2.terminate_instances().instance_ids(id);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, "ec2:TerminateInstances"))?;
    Ok(Submitted::accepted(operation, id, Attributes::new()))
}

async fn update(
    ec2: &Client,
    id: &str,
    update: &str,
    changes: &[FieldChange],
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    match update {
        call::TAG => {
            let tags = tags::to_ec2(tags::declared(attributes));
            let request = ec2.create_tags().resources(id).set_tags(Some(tags));
            request.send().await.map_err(errors::mutating(OperationVerb::Update, "ec2:CreateTags"))?;
        }
        call::REVOKE_INGRESS => revoke_ingress(ec2, id, changes).await?,
        RESIZE => {
            let call = "ec2:ModifyInstanceAttribute";
            let wanted = AttributeValue::builder().value(text(attributes, "instance_type", call)?).build();
            let request = ec2.modify_instance_attribute().instance_id(id).instance_type(wanted);
            request.send().await.map_err(errors::mutating(OperationVerb::Update, call))?;
        }
        call::SET_GROUPS => {
            let call = "ec2:ModifyInstanceAttribute";
            let groups = texts(attributes, "security_group_ids");
            let request = ec2.modify_instance_attribute().instance_id(id).set_groups(Some(groups));
            request.send().await.map_err(errors::mutating(OperationVerb::Update, call))?;
        }
        call::SET_METADATA => {
            let call = "ec2:ModifyInstanceMetadataOptions";
            let request = ec2
                .modify_instance_metadata_options()
                .instance_id(id)
                .http_tokens(HttpTokensState::from(text(attributes, "metadata_tokens", call)?))
                .http_put_response_hop_limit(integer(attributes, "metadata_hop_limit", call)?);
            request.send().await.map_err(errors::mutating(OperationVerb::Update, call))?;
        }
        other => return Err(errors::bug("submit", format!("the client machine has no call {other}"))),
    }
    Ok(Submitted::settled(id))
}

/// Takes back whatever lets something in.
async fn revoke_ingress(ec2: &Client, id: &str, changes: &[FieldChange]) -> Result<(), ProviderError> {
    let call = "ec2:RevokeSecurityGroupIngress";
    let present = changes.iter().find(|change| change.field == "ingress").map(|change| &change.from);
    let rules =
        present.and_then(|value| value.as_ref()?.as_list()).unwrap_or_default().iter().filter_map(Value::as_text);
    let permission =
        |rule: &str| convert::permission(rule).ok_or_else(|| errors::bug(call, format!("`{rule}` is no rule")));
    let permissions = rules.map(permission).collect::<Result<Vec<_>, _>>()?;
    let request = ec2.revoke_security_group_ingress().group_id(id).set_ip_permissions(Some(permissions));
    request.send().await.map_err(errors::mutating(OperationVerb::Update, call))?;
    Ok(())
}
