//! Launch templates: what every node of a pool is like. Their data changes by new versions, which node groups roll out.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    Filter, InstanceType, LaunchTemplate, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDevice,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataEndpointState,
    LaunchTemplateInstanceMetadataOptions, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateTagSpecificationRequest, LaunchTemplateVersion, RequestLaunchTemplateData, ResourceType,
    ResponseLaunchTemplateData, TagSpecification, VolumeType,
};
use howso_infra_core::identity::{CLUSTER_TAG, DEPLOYMENT_TAG};
use howso_infra_core::{
    Attributes, ClusterIdentity, Observed, Operation, OperationVerb, Ownership, ProviderError, Status, Submitted, Value,
};

use crate::fields::{boolean, integer, text};
use crate::pools::kinds::call;
use crate::tags::{self, Tags};
use crate::{errors, pages};

/// The root volume of Amazon Linux 2023.
const ROOT_DEVICE: &str = "/dev/xvda";

/// What of a node carries the pool's tags.
const TAGGED: [ResourceType; 2] = [ResourceType::Instance, ResourceType::Volume];

/// Reads the templates that a filter selects. An unknown name or id selects none.
pub(super) async fn list(ec2: &Client, filter: Filter) -> Result<Vec<LaunchTemplate>, ProviderError> {
    let items = ec2.describe_launch_templates().filters(filter).into_paginator().items().send();
    pages::all(items, "ec2:DescribeLaunchTemplates").await
}

/// Selects by one field.
pub(super) fn filter(name: &str, values: Vec<String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values)).build()
}

/// Reads the latest version of a template; [`None`] when the template is gone.
pub(super) async fn latest(ec2: &Client, id: &str) -> Result<Option<LaunchTemplateVersion>, ProviderError> {
    let call = "ec2:DescribeLaunchTemplateVersions";
    let request = ec2.describe_launch_template_versions().launch_template_id(id).versions("$Latest");
    match request.send().await.map_err(errors::reading(call)) {
        Ok(answer) => Ok(answer.launch_template_versions.unwrap_or_default().pop()),
        Err(error) if errors::is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads some versions of a template by their numbers; those that are gone are left out.
pub(super) async fn versions(
    ec2: &Client,
    id: &str,
    numbers: Vec<String>,
) -> Result<Vec<LaunchTemplateVersion>, ProviderError> {
    let call = "ec2:DescribeLaunchTemplateVersions";
    let request = ec2.describe_launch_template_versions().launch_template_id(id).set_versions(Some(numbers));
    match pages::all(request.into_paginator().items().send(), call).await {
        Err(error) if errors::is_gone(&error) => Ok(Vec::new()),
        other => other,
    }
}

/// The data of a version without the part for which no node is replaced.
pub(super) fn replacing_data(version: &LaunchTemplateVersion) -> Attributes {
    let mut found = version.launch_template_data().map(data).unwrap_or_default();
    found.remove("node_tags");
    found
}

pub(super) fn observed(
    template: &LaunchTemplate,
    latest: Option<&LaunchTemplateVersion>,
    tags: &Tags,
    ownership: Ownership,
) -> Option<Observed> {
    let id = template.launch_template_id()?;
    let mut attributes = latest.and_then(LaunchTemplateVersion::launch_template_data).map(data).unwrap_or_default();
    attributes.extend(template.launch_template_name().map(|name| ("name".to_owned(), Value::text(name))));
    attributes.insert("tags".to_owned(), tags::attribute(tags));
    let number = latest.and_then(LaunchTemplateVersion::version_number).or(template.latest_version_number());
    let mut outputs = Attributes::from([("launch_template_id".to_owned(), Value::text(id))]);
    outputs.extend(number.map(version_output));
    Some(Observed { physical_id: id.to_owned(), ownership, status: Status::Ready, attributes, outputs })
}

fn version_output(number: i64) -> (String, Value) {
    ("latest_version".to_owned(), Value::text(number.to_string()))
}

/// The data of a version, spelled as in the graph. Data that we never set is not looked at.
fn data(data: &ResponseLaunchTemplateData) -> Attributes {
    let mut found = Attributes::new();
    // Without a type the answer has no field for it: known to be none.
    let instance_type = data.instance_type().map_or("", InstanceType::as_str);
    found.insert("instance_type".to_owned(), Value::text(instance_type));
    let root = data.block_device_mappings().iter().find(|device| device.device_name() == Some(ROOT_DEVICE));
    let disk = root.and_then(|device| device.ebs());
    let metadata = data.metadata_options();
    let fields = [
        ("disk_gib", disk.and_then(LaunchTemplateEbsBlockDevice::volume_size).map(|size| Value::Integer(size.into()))),
        ("disk_type", disk.and_then(|disk| disk.volume_type()).map(|kind| Value::text(kind.as_str()))),
        ("disk_encrypted", disk.and_then(LaunchTemplateEbsBlockDevice::encrypted).map(Value::Bool)),
        (
            "metadata_tokens",
            metadata.and_then(|options| options.http_tokens()).map(|state| Value::text(state.as_str())),
        ),
        (
            "metadata_hop_limit",
            metadata
                .and_then(LaunchTemplateInstanceMetadataOptions::http_put_response_hop_limit)
                .map(|limit| Value::Integer(limit.into())),
        ),
    ];
    found.extend(fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?))));
    found.insert("node_tags".to_owned(), node_tags(data));
    found
}

/// The tags that both instances and volumes get; those that only one of them gets are as good as missing.
fn node_tags(data: &ResponseLaunchTemplateData) -> Value {
    let of = |kind: &ResourceType| {
        let specification = data.tag_specifications().iter().find(|spec| spec.resource_type() == Some(kind));
        specification.map(|specification| tags::from_ec2(specification.tags())).unwrap_or_default()
    };
    let [mut tags, others] = TAGGED.map(|kind| of(&kind));
    tags.retain(|key, value| others.get(key) == Some(value));
    tags::attribute(&tags)
}

/// Makes a template.
pub(super) async fn create(
    ec2: &Client,
    operation: &Operation,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "ec2:CreateLaunchTemplate";
    let own_tags = tags::to_ec2(tags::for_create(attributes, &operation.identity, &operation.resource));
    let specification =
        TagSpecification::builder().resource_type(ResourceType::LaunchTemplate).set_tags(Some(own_tags)).build();
    let answer = ec2
        .create_launch_template()
        .launch_template_name(text(attributes, "name", call)?)
        .launch_template_data(request(attributes, &operation.identity, call)?)
        .tag_specifications(specification)
        .client_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    let template = answer.launch_template.ok_or_else(|| errors::created_without(call, "launch template"))?;
    let id = template.launch_template_id.ok_or_else(|| errors::created_without(call, "id"))?;
    let number = template.latest_version_number.ok_or_else(|| errors::created_without(call, "version"))?;
    let outputs = Attributes::from([("launch_template_id".to_owned(), Value::text(&id)), version_output(number)]);
    Ok(Submitted::settled_with(id, outputs))
}

/// Makes a new version of a template, or sets its tags.
pub(super) async fn update(
    ec2: &Client,
    operation: &Operation,
    id: &str,
    update: &str,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let mut outputs = Attributes::new();
    match update {
        call::CREATE_VERSION => {
            let call = "ec2:CreateLaunchTemplateVersion";
            let answer = ec2
                .create_launch_template_version()
                .launch_template_id(id)
                .launch_template_data(request(attributes, &operation.identity, call)?)
                .client_token(operation.token.as_str())
                .send()
                .await
                .map_err(errors::mutating(OperationVerb::Update, call))?;
            let number = answer.launch_template_version.and_then(|version| version.version_number);
            outputs.extend([version_output(number.ok_or_else(|| errors::created_without(call, "version"))?)]);
        }
        call::TAG => {
            let request = ec2.create_tags().resources(id).set_tags(Some(tags::to_ec2(tags::declared(attributes))));
            request.send().await.map_err(errors::mutating(OperationVerb::Update, "ec2:CreateTags"))?;
        }
        other => return Err(errors::bug("submit", format!("a launch template has no call {other}"))),
    }
    Ok(Submitted::Settled { physical_id: id.to_owned(), outputs })
}

/// Removes a template with all its versions.
pub(super) async fn delete(ec2: &Client, id: &str) -> Result<Submitted, ProviderError> {
    let request = ec2.delete_launch_template().launch_template_id(id);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, "ec2:DeleteLaunchTemplate"))?;
    Ok(Submitted::Settled { physical_id: id.to_owned(), outputs: Attributes::new() })
}

fn request(
    attributes: &Attributes,
    identity: &ClusterIdentity,
    call: &str,
) -> Result<RequestLaunchTemplateData, ProviderError> {
    let disk = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(integer(attributes, "disk_gib", call)?)
        .volume_type(VolumeType::from(text(attributes, "disk_type", call)?))
        .encrypted(boolean(attributes, "disk_encrypted", call)?)
        .delete_on_termination(true)
        .build();
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_endpoint(LaunchTemplateInstanceMetadataEndpointState::Enabled)
        .http_tokens(LaunchTemplateHttpTokensState::from(text(attributes, "metadata_tokens", call)?))
        .http_put_response_hop_limit(integer(attributes, "metadata_hop_limit", call)?)
        .build();
    let instance_type = Some(text(attributes, "instance_type", call)?).filter(|name| !name.is_empty());
    let mut data = RequestLaunchTemplateData::builder()
        .set_instance_type(instance_type.map(InstanceType::from))
        .block_device_mappings(
            LaunchTemplateBlockDeviceMappingRequest::builder().device_name(ROOT_DEVICE).ebs(disk).build(),
        )
        .metadata_options(metadata);
    for kind in TAGGED {
        let specification = LaunchTemplateTagSpecificationRequest::builder()
            .resource_type(kind)
            .set_tags(Some(tags::to_ec2(tags_of_nodes(attributes, identity))));
        data = data.tag_specifications(specification.build());
    }
    Ok(data.build())
}

/// The pool's tags and whose the node is. Which resource and which generation made it is left out: nodes come and go
/// without us, and a new generation alone must not make a new version.
fn tags_of_nodes(attributes: &Attributes, identity: &ClusterIdentity) -> Tags {
    let mut tags = attributes.get("node_tags").map(tags::from_value).unwrap_or_default();
    tags.insert(CLUSTER_TAG.to_owned(), identity.cluster.clone());
    tags.insert(DEPLOYMENT_TAG.to_owned(), identity.deployment.to_string());
    tags
}
