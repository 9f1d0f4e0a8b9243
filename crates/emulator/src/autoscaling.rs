//! Amazon EC2 Auto Scaling: the groups behind node groups, and their tags.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::account::{ACCOUNT_ID, Chance, after};
use crate::authorization::Resource;
use crate::error::{Answer, ApiError};
use crate::wire::{Request, seconds};

/// The groups of a region, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct AutoScaling {
    groups: BTreeMap<String, Group>,
}

/// A group, as it is described, with its tags.
#[derive(Clone, Debug)]
struct Group {
    value: Map<String, Value>,
    tags: BTreeMap<String, Tag>,
    zones: Vec<String>,
    instances: Vec<Instance>,
}

/// A machine of a group.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) zone: String,
    /// When its node registers.
    pub(crate) joins: Timestamp,
    /// When its node is ready.
    pub(crate) ready: Timestamp,
}

/// How long a machine boots until its node is ready: median and spread of published measurements of Amazon Linux 2023.
const BOOT_SECS: (f64, f64) = (75.0, 0.25);

/// How long after registering a node is ready.
const SETTLES_SECS: f64 = 8.0;

#[derive(Clone, Debug)]
struct Tag {
    value: String,
    propagates: bool,
}

impl AutoScaling {
    /// The groups that a list of tags names.
    pub(crate) fn named(&self, parameters: &Value, region: &str) -> Vec<Resource> {
        let tags = parameters.get("Tags").and_then(Value::as_array);
        let names: BTreeSet<&str> = tags.into_iter().flatten().filter_map(|tag| tag["ResourceId"].as_str()).collect();
        let resource = |name: &str| {
            let prefix = format!("arn:aws:autoscaling:{region}:{ACCOUNT_ID}:autoScalingGroup:");
            let tags = self.groups.get(name).map(|group| &group.tags);
            let tags = tags.into_iter().flatten().map(|(key, tag)| (key.clone(), tag.value.clone())).collect();
            Resource { arn: format!("{prefix}*:autoScalingGroupName/{name}"), tags }
        };
        names.into_iter().map(resource).collect()
    }

    /// Makes the group of a node group.
    pub(crate) fn make(
        &mut self,
        name: &str,
        (cluster, nodegroup): (&str, &str),
        scaling: &Value,
        zones: &[String],
        now: Timestamp,
        chance: &mut Chance,
    ) {
        let value = json!({
            "AutoScalingGroupName": name,
            "DefaultCooldown": 300,
            "AvailabilityZones": zones,
            "HealthCheckType": "EC2",
            "HealthCheckGracePeriod": 15,
            "CreatedTime": seconds(now),
            "NewInstancesProtectedFromScaleIn": false,
        });
        let value = value.as_object().cloned().unwrap_or_default();
        let tag = |key: &str, value: &str| (key.to_owned(), Tag { value: value.to_owned(), propagates: true });
        let tags = [
            tag("eks:cluster-name", cluster),
            tag("eks:nodegroup-name", nodegroup),
            tag("k8s.io/cluster-autoscaler/enabled", "true"),
            tag(&format!("k8s.io/cluster-autoscaler/{cluster}"), "owned"),
            tag(&format!("kubernetes.io/cluster/{cluster}"), "owned"),
        ];
        let group = Group { value, tags: tags.into(), zones: zones.to_vec(), instances: Vec::new() };
        self.groups.insert(name.to_owned(), group);
        self.resize(name, scaling, now, chance);
    }

    /// Takes over the numbers of a node group.
    pub(crate) fn resize(&mut self, name: &str, scaling: &Value, now: Timestamp, chance: &mut Chance) {
        let Some(group) = self.groups.get_mut(name) else { return };
        for (member, number) in [("MinSize", "minSize"), ("MaxSize", "maxSize")] {
            group.value.insert(member.to_owned(), scaling[number].clone());
        }
        self.set_desired(name, scaling["desiredSize"].as_u64().unwrap_or_default(), now, chance);
    }

    /// Lets a group have so many machines. Those that it has longest stay.
    pub(crate) fn set_desired(&mut self, name: &str, desired: u64, now: Timestamp, chance: &mut Chance) {
        let Some(group) = self.groups.get_mut(name) else { return };
        group.value.insert("DesiredCapacity".to_owned(), json!(desired));
        let count = usize::try_from(desired).unwrap_or(usize::MAX);
        group.instances.truncate(count);
        while group.instances.len() < count {
            let zone = group.zones.get(group.instances.len() % group.zones.len().max(1)).cloned().unwrap_or_default();
            let (median_secs, sigma) = BOOT_SECS;
            let boots = chance.duration(median_secs, sigma);
            let joins = after(now, boots.mul_f64(1.0 - SETTLES_SECS / median_secs));
            group.instances.push(Instance { id: chance.id("i"), zone, joins, ready: after(now, boots) });
        }
    }

    /// Takes one machine away, and makes its group smaller by it.
    pub(crate) fn terminate(&mut self, id: &str) {
        for group in self.groups.values_mut() {
            let before = group.instances.len();
            group.instances.retain(|instance| instance.id != id);
            if group.instances.len() < before {
                group.value.insert("DesiredCapacity".to_owned(), json!(group.instances.len()));
            }
        }
    }

    /// Replaces every machine by one that is ready, as a rolling update has done when it is over.
    pub(crate) fn renew(&mut self, name: &str, now: Timestamp, chance: &mut Chance) {
        for instance in self.groups.get_mut(name).into_iter().flat_map(|group| &mut group.instances) {
            *instance = Instance { id: chance.id("i"), zone: instance.zone.clone(), joins: now, ready: now };
        }
    }

    /// The last moment at which a machine of a group is ready.
    pub(crate) fn ready(&self, name: &str) -> Option<Timestamp> {
        self.instances(name).iter().map(|instance| instance.ready).max()
    }

    pub(crate) fn instances(&self, name: &str) -> &[Instance] {
        self.groups.get(name).map(|group| group.instances.as_slice()).unwrap_or_default()
    }

    pub(crate) fn desired(&self, name: &str) -> Option<u64> {
        self.bounds(name).map(|(_, _, desired)| desired)
    }

    /// The least, the greatest and the wanted number of machines.
    pub(crate) fn bounds(&self, name: &str) -> Option<(u64, u64, u64)> {
        let group = self.groups.get(name)?;
        let number = |member: &str| group.value[member].as_u64();
        Some((number("MinSize")?, number("MaxSize")?, number("DesiredCapacity")?))
    }

    /// The tags of a group.
    pub(crate) fn tags(&self, name: &str) -> Option<BTreeMap<String, String>> {
        let group = self.groups.get(name)?;
        Some(group.tags.iter().map(|(key, tag)| (key.clone(), tag.value.clone())).collect())
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.groups.remove(name);
    }
}

/// Carries out an operation.
pub(crate) fn call(request: &Request, autoscaling: &mut AutoScaling, now: Timestamp) -> Answer {
    let parameters = &request.parameters;
    match request.operation.name.as_str() {
        "CreateOrUpdateTags" => create_tags(autoscaling, parameters),
        "DeleteTags" => delete_tags(autoscaling, parameters),
        "DescribeTags" => describe_tags(autoscaling, parameters),
        "DescribeAutoScalingGroups" => describe_groups(autoscaling, parameters, now),
        other => Err(ApiError::internal(format!("{other} is not emulated"))),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}

/// The group and the key that a tag names.
fn named<'a>(autoscaling: &'a mut AutoScaling, tag: &Value) -> Result<(&'a mut Group, String), ApiError> {
    let (name, key) = (tag["ResourceId"].as_str().unwrap_or_default(), tag["Key"].as_str().unwrap_or_default());
    let group = autoscaling.groups.get_mut(name);
    let group = group.ok_or_else(|| invalid(format!("AutoScalingGroup not found - {name}")))?;
    Ok((group, key.to_owned()))
}

fn create_tags(autoscaling: &mut AutoScaling, parameters: &Value) -> Answer {
    for tag in parameters["Tags"].as_array().into_iter().flatten() {
        let (group, key) = named(autoscaling, tag)?;
        let value = tag["Value"].as_str().unwrap_or_default().to_owned();
        let propagates = tag["PropagateAtLaunch"].as_bool().unwrap_or_default();
        group.tags.insert(key, Tag { value, propagates });
    }
    Ok(json!({}))
}

fn delete_tags(autoscaling: &mut AutoScaling, parameters: &Value) -> Answer {
    for tag in parameters["Tags"].as_array().into_iter().flatten() {
        let (group, key) = named(autoscaling, tag)?;
        group.tags.remove(&key);
    }
    Ok(json!({}))
}

fn described(name: &str, key: &str, tag: &Tag) -> Value {
    json!({
        "ResourceId": name,
        "ResourceType": "auto-scaling-group",
        "Key": key,
        "Value": tag.value,
        "PropagateAtLaunch": tag.propagates,
    })
}

fn describe_tags(autoscaling: &AutoScaling, parameters: &Value) -> Answer {
    let mut found: Vec<Value> = autoscaling
        .groups
        .iter()
        .flat_map(|(name, group)| group.tags.iter().map(move |(key, tag)| described(name, key, tag)))
        .collect();
    for filter in parameters["Filters"].as_array().into_iter().flatten() {
        let member = match filter["Name"].as_str().unwrap_or_default() {
            "auto-scaling-group" => "ResourceId",
            "key" => "Key",
            "value" => "Value",
            "propagate-at-launch" => "PropagateAtLaunch",
            other => return Err(invalid(format!("Filter type {other} is not correct."))),
        };
        let values = filter["Values"].as_array().cloned().unwrap_or_default();
        found.retain(|tag| values.contains(&tag[member]) || values.contains(&json!(tag[member].to_string())));
    }
    page(parameters, "Tags", &found, 50)
}

fn describe_groups(autoscaling: &AutoScaling, parameters: &Value, now: Timestamp) -> Answer {
    let names = parameters.get("AutoScalingGroupNames").and_then(Value::as_array);
    let is_wanted = |name: &str| names.is_none_or(|names| names.is_empty() || names.contains(&json!(name)));
    let group = |(name, group): (&String, &Group)| {
        let mut value = group.value.clone();
        let instance = |instance: &Instance| {
            json!({
                "InstanceId": instance.id,
                "AvailabilityZone": instance.zone,
                "LifecycleState": if instance.joins <= now { "InService" } else { "Pending" },
                "HealthStatus": "Healthy",
                "ProtectedFromScaleIn": false,
            })
        };
        value.insert("Instances".to_owned(), group.instances.iter().map(instance).collect());
        value.insert("Tags".to_owned(), group.tags.iter().map(|(key, tag)| self::described(name, key, tag)).collect());
        Value::Object(value)
    };
    let found: Vec<Value> = autoscaling.groups.iter().filter(|(name, _)| is_wanted(name)).map(group).collect();
    page(parameters, "AutoScalingGroups", &found, 50)
}

/// The part of a list that a call asks for.
fn page(parameters: &Value, list: &str, found: &[Value], usual: usize) -> Answer {
    let start = match parameters.get("NextToken").and_then(Value::as_str) {
        Some(token) => {
            token.parse().map_err(|_| ApiError::new("InvalidNextToken", "The NextToken value is not valid."))?
        }
        None => 0_usize,
    };
    let size = parameters.get("MaxRecords").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
    let end = found.len().min(start.saturating_add(size.unwrap_or(usual)));
    let mut answer = json!({ list: found.get(start..end).unwrap_or_default() });
    if end < found.len() {
        answer["NextToken"] = json!(end.to_string());
    }
    Ok(answer)
}
