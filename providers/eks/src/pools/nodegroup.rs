//! Node groups.

use aws_sdk_eks::Client;
use aws_sdk_eks::types::{
    AmiTypes, CapacityTypes, LaunchTemplateSpecification, NodeRepairConfig, Nodegroup, NodegroupHealth,
    NodegroupScalingConfig, NodegroupStatus, NodegroupUpdateConfig, Taint, TaintEffect,
};
use howso_infra_core::{
    Attributes, Observed, Operation, OperationVerb, Ownership, Progress, ProviderError, Status, Submitted, Ticket,
    Value,
};

use crate::control_plane::accepted;
use crate::fields::{boolean, integer, text, texts};
use crate::health::{self, Issue};
use crate::tags::{self, Tags};
use crate::{eks_arn, errors, pages};

/// Reads the names of all node groups; none without a cluster.
pub(super) async fn names(eks: &Client, cluster: &str) -> Result<Vec<String>, ProviderError> {
    let items = eks.list_nodegroups().cluster_name(cluster).into_paginator().items().send();
    match pages::all(items, "eks:ListNodegroups").await {
        Err(error) if errors::is_gone(&error) => Ok(Vec::new()),
        other => other,
    }
}

/// Reads one node group; [`None`] when there is none.
pub(super) async fn read(eks: &Client, cluster: &str, name: &str) -> Result<Option<Nodegroup>, ProviderError> {
    let call = "eks:DescribeNodegroup";
    let request = eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name);
    match request.send().await.map_err(errors::reading(call)) {
        Ok(answer) => Ok(answer.nodegroup),
        Err(error) if errors::is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn tags_of(group: &Nodegroup) -> Tags {
    group.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The autoscaling group behind a node group; absent while it is being made.
pub(super) fn autoscaling_group(group: &Nodegroup) -> Option<&str> {
    group.resources()?.auto_scaling_groups().first()?.name()
}

/// Where the instance types of a node group are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Types {
    /// In its launch template, so that what the group reports means nothing.
    InTemplate,
    /// In the group.
    InGroup,
    /// It is not known.
    Unknown,
}

pub(super) fn observed(group: &Nodegroup, tags: &Tags, types: Types, ownership: Ownership) -> Option<Observed> {
    let arn = group.nodegroup_arn()?;
    Some(Observed {
        physical_id: arn.to_owned(),
        ownership,
        status: status(group),
        attributes: attributes(group, tags, types),
        outputs: outputs(group),
    })
}

fn attributes(group: &Nodegroup, tags: &Tags, types: Types) -> Attributes {
    let mut found = Attributes::from([
        ("tags".to_owned(), tags::attribute(tags)),
        // Without labels or taints the answer has no field for them: known to be none.
        ("labels".to_owned(), Value::text_map(group.labels().into_iter().flatten())),
        ("taints".to_owned(), Value::Map(group.taints().iter().filter_map(taint_entry).collect())),
    ]);
    let mut insert = |field: &str, value: Option<Value>| found.extend(value.map(|value| (field.to_owned(), value)));
    let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Value::text);
    let list = |items: &[String]| Some(items).filter(|items| !items.is_empty()).map(Value::texts);
    let integer = |number: i32| Value::Integer(number.into());
    insert("cluster_arn", group.nodegroup_arn().and_then(|arn| eks_arn::cluster_arn(arn, "").ok()).map(Value::text));
    insert("name", group.nodegroup_name().and_then(text));
    insert("node_role_arn", group.node_role().and_then(text));
    insert("subnet_ids", list(group.subnets()));
    insert("ami_type", group.ami_type().map(|kind| Value::text(kind.as_str())));
    insert("capacity_type", group.capacity_type().map(|kind| Value::text(kind.as_str())));
    match types {
        Types::InTemplate => insert("instance_types", Some(Value::List(Vec::new()))),
        Types::InGroup => insert("instance_types", Some(Value::texts(group.instance_types()))),
        Types::Unknown => {}
    }
    let template = group.launch_template();
    insert("launch_template_id", template.and_then(|template| template.id()).and_then(text));
    insert("launch_template_version", template.and_then(|template| template.version()).and_then(text));
    insert("version", group.version().and_then(text));
    let sizes = group.scaling_config();
    insert("min_size", sizes.and_then(NodegroupScalingConfig::min_size).map(integer));
    insert("max_size", sizes.and_then(NodegroupScalingConfig::max_size).map(integer));
    insert("desired_size", sizes.and_then(NodegroupScalingConfig::desired_size).map(integer));
    insert("update_config", group.update_config().map(update_config_value));
    insert("node_repair", group.node_repair_config().and_then(NodeRepairConfig::enabled).map(Value::Bool));
    found
}

fn update_config_value(config: &NodegroupUpdateConfig) -> Value {
    let fields = [
        ("max_unavailable", config.max_unavailable()),
        ("max_unavailable_percentage", config.max_unavailable_percentage()),
    ];
    let set = fields.into_iter().filter_map(|(field, number)| Some((field.to_owned(), Value::Integer(number?.into()))));
    Value::Map(set.collect())
}

/// A taint as the attribute has it: key and effect, which make it one and the same, and the value.
fn taint_entry(taint: &Taint) -> Option<(String, Value)> {
    let (key, effect) = (taint.key()?, taint.effect()?);
    Some((format!("{key}:{}", effect.as_str()), Value::text(taint.value().unwrap_or_default())))
}

/// The taint of an entry of the attribute.
pub(super) fn taint_of(entry: &str, value: &Value) -> Option<Taint> {
    let (key, effect) = entry.rsplit_once(':')?;
    Some(Taint::builder().key(key).effect(TaintEffect::from(effect)).value(value.as_text()?).build())
}

fn outputs(group: &Nodegroup) -> Attributes {
    let outputs = [
        ("name", group.nodegroup_name()),
        ("arn", group.nodegroup_arn()),
        ("autoscaling_group", autoscaling_group(group)),
    ];
    outputs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::text(value?)))).collect()
}

fn issues(group: &Nodegroup) -> Vec<Issue> {
    Issue::of_nodegroups(group.health().map(NodegroupHealth::issues).unwrap_or_default())
}

fn status(group: &Nodegroup) -> Status {
    let issues = issues(group);
    let reason = || health::describe(&issues);
    match group.status() {
        Some(NodegroupStatus::Active) if issues.is_empty() => Status::Ready,
        Some(NodegroupStatus::Active | NodegroupStatus::Degraded) => Status::Degraded { reason: reason() },
        Some(NodegroupStatus::Deleting) => Status::Deleting,
        Some(NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed) => Status::Failed { reason: reason() },
        // Also every state that did not exist when this was written.
        Some(other) => Status::Pending { state: other.as_str().to_owned() },
        None => Status::Pending { state: "without a state".to_owned() },
    }
}

/// Asks whether a new node group has its nodes.
pub(super) async fn poll_created(eks: &Client, ticket: &Ticket) -> Result<Progress, ProviderError> {
    let call = "eks:CreateNodegroup";
    let (cluster, name) = (eks_arn::cluster(&ticket.physical_id, call)?, eks_arn::child(&ticket.physical_id, call)?);
    let Some(group) = read(eks, cluster, name).await? else {
        return Ok(Progress::Pending { state: "not visible yet".to_owned() });
    };
    let word = group.status().map_or("CREATING", |status| status.as_str());
    Ok(match group.status() {
        // A degraded group can be used, and what is wrong with it is shown wherever it is read.
        Some(NodegroupStatus::Active | NodegroupStatus::Degraded) => Progress::Settled { outputs: outputs(&group) },
        Some(NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed | NodegroupStatus::Deleting) => {
            Progress::Failed(health::failure(call, word, &issues(&group)))
        }
        // Launches that fail are tried again for a long while, and what is wrong is shown meanwhile.
        _ => Progress::Pending { state: health::state(word, &issues(&group)) },
    })
}

/// Asks whether a node group is gone.
pub(super) async fn poll_deleted(eks: &Client, ticket: &Ticket) -> Result<Progress, ProviderError> {
    let call = "eks:DeleteNodegroup";
    let (cluster, name) = (eks_arn::cluster(&ticket.physical_id, call)?, eks_arn::child(&ticket.physical_id, call)?);
    let Some(group) = read(eks, cluster, name).await? else {
        return Ok(Progress::Settled { outputs: Attributes::new() });
    };
    let word = group.status().map_or("DELETING", |status| status.as_str());
    Ok(match group.status() {
        Some(NodegroupStatus::DeleteFailed) => Progress::Failed(health::failure(call, word, &issues(&group))),
        _ => Progress::Pending { state: health::state(word, &issues(&group)) },
    })
}

/// Makes a node group.
pub(super) async fn create(
    eks: &Client,
    operation: &Operation,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:CreateNodegroup";
    let template = LaunchTemplateSpecification::builder()
        .id(text(attributes, "launch_template_id", call)?)
        .version(text(attributes, "launch_template_version", call)?)
        .build();
    let sizes = NodegroupScalingConfig::builder()
        .min_size(integer(attributes, "min_size", call)?)
        .max_size(integer(attributes, "max_size", call)?)
        .desired_size(integer(attributes, "desired_size", call)?)
        .build();
    let labels = attributes.get("labels").map(tags::from_value).unwrap_or_default();
    let taints = attributes.get("taints").and_then(Value::as_map).into_iter().flatten();
    let answer = eks
        .create_nodegroup()
        .cluster_name(eks_arn::cluster_of(attributes, call)?)
        .nodegroup_name(text(attributes, "name", call)?)
        .node_role(text(attributes, "node_role_arn", call)?)
        .set_subnets(Some(texts(attributes, "subnet_ids")))
        .ami_type(AmiTypes::from(text(attributes, "ami_type", call)?))
        .capacity_type(CapacityTypes::from(text(attributes, "capacity_type", call)?))
        .set_instance_types(Some(texts(attributes, "instance_types")).filter(|types| !types.is_empty()))
        .launch_template(template)
        .version(text(attributes, "version", call)?)
        .scaling_config(sizes)
        .set_labels(Some(labels.into_iter().collect()))
        .set_taints(Some(taints.filter_map(|(entry, value)| taint_of(entry, value)).collect()))
        .update_config(update_config(attributes))
        .node_repair_config(NodeRepairConfig::builder().enabled(boolean(attributes, "node_repair", call)?).build())
        .set_tags(Some(tags::for_create(attributes, &operation.identity, &operation.resource).into_iter().collect()))
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    let arn = answer.nodegroup.and_then(|group| group.nodegroup_arn);
    Ok(accepted(operation, &arn.ok_or_else(|| errors::created_without(call, "ARN"))?, None))
}

/// How many nodes an update takes away at a time.
pub(super) fn update_config(attributes: &Attributes) -> NodegroupUpdateConfig {
    let fields = attributes.get("update_config").and_then(Value::as_map);
    let number = |field: &str| {
        let number = fields.and_then(|fields| fields.get(field)).and_then(Value::as_integer);
        number.and_then(|number| i32::try_from(number).ok())
    };
    NodegroupUpdateConfig::builder()
        .set_max_unavailable(number("max_unavailable"))
        .set_max_unavailable_percentage(number("max_unavailable_percentage"))
        .build()
}

/// Removes a node group: its nodes are drained, then stopped.
pub(super) async fn delete(eks: &Client, operation: &Operation, arn: &str) -> Result<Submitted, ProviderError> {
    let call = "eks:DeleteNodegroup";
    let request = eks.delete_nodegroup().cluster_name(eks_arn::cluster(arn, call)?);
    let request = request.nodegroup_name(eks_arn::child(arn, call)?);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, call))?;
    Ok(accepted(operation, arn, None))
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{Issue as EksIssue, NodegroupIssueCode};

    use super::*;

    fn with_status(status: &str) -> Nodegroup {
        let issue =
            EksIssue::builder().code(NodegroupIssueCode::AsgInstanceLaunchFailures).message("no machines").build();
        let group = Nodegroup::builder().status(NodegroupStatus::from(status));
        let group =
            if status == "ACTIVE" { group } else { group.health(NodegroupHealth::builder().issues(issue).build()) };
        group.build()
    }

    #[test]
    fn states_are_told_apart() {
        let status = |word: &str| status(&with_status(word));
        assert_eq!(status("ACTIVE"), Status::Ready);
        assert!(matches!(status("DEGRADED"), Status::Degraded { .. }));
        let Status::Failed { reason } = status("CREATE_FAILED") else { panic!("a failed creation is no failure") };
        assert_eq!(reason, "AsgInstanceLaunchFailures: no machines");
        assert!(matches!(status("DELETE_FAILED"), Status::Failed { .. }));
        assert_eq!(status("DELETING"), Status::Deleting);
        for word in ["CREATING", "UPDATING", "DREAMING"] {
            assert_eq!(status(word), Status::Pending { state: word.to_owned() });
        }
    }

    #[test]
    fn a_taint_survives_being_an_attribute() {
        let taint = Taint::builder().key("howso.com/nodetype").value("worker").effect(TaintEffect::NoSchedule).build();
        let (entry, value) = taint_entry(&taint).unwrap();
        assert_eq!(entry, "howso.com/nodetype:NO_SCHEDULE");
        assert_eq!(taint_of(&entry, &value), Some(taint));
    }

    #[test]
    fn fields_that_the_service_leaves_out_are_not_compared() {
        let found = attributes(&with_status("ACTIVE"), &Tags::new(), Types::Unknown);
        assert_eq!(found.keys().collect::<Vec<_>>(), ["labels", "tags", "taints"]);
    }
}
