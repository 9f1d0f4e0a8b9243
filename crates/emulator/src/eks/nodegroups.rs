//! Managed node groups, each with an autoscaling group.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::account::{Chance, after};
use crate::autoscaling::AutoScaling;
use crate::eks::{Call, Change, Object, in_use, invalid, not_found, updates, versions};
use crate::error::{Answer, ApiError};
use crate::wire::seconds;

/// How long a group without nodes takes to get another version, and how much longer with each node: assumptions, no published
/// measurement was found.
const ROLL_SECS: f64 = 90.0;
const NODE_SECS: f64 = 180.0;

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let cluster = call.active_cluster()?;
    let (cluster_name, version) = (cluster.own.text("name").to_owned(), cluster.own.text("version").to_owned());
    let name = call.text("nodegroupName").to_owned();
    if cluster.nodegroups.contains_key(&name) {
        return Err(in_use(format!("NodeGroup already exists with name {name} and cluster name {cluster_name}")));
    }
    call.check_role(call.text("nodeRole"), "ec2.amazonaws.com")?;
    for subnet in call.parameters["subnets"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        call.region.ec2.place_of(subnet).ok_or_else(|| invalid(format!("Subnets are not valid: {subnet}")))?;
    }
    let mut value = call.given(&[
        "clusterName",
        "nodegroupName",
        "subnets",
        "nodeRole",
        "taints",
        "instanceTypes",
        "updateConfig",
        "nodeRepairConfig",
    ]);
    let has_template = call.parameters.get("launchTemplate").is_some();
    if let Some(wanted) = call.parameters.get("launchTemplate") {
        if call.parameters.get("diskSize").is_some() {
            return Err(invalid("Disk size must be specified within the launch template.".to_owned()));
        }
        let template = call
            .region
            .ec2
            .launch_template(wanted)
            .ok_or_else(|| invalid("The launch template or its version does not exist".to_owned()))?;
        value.insert("launchTemplate".to_owned(), template);
    }
    let scaling = scaling(call.parameters.get("scalingConfig").unwrap_or(&Value::Null), None)?;
    let or = |name: &str, usual: Value| call.parameters.get(name).cloned().unwrap_or(usual);
    let id = call.chance.uuid();
    let group = format!("eks-{name}-{id}");
    let described = json!({
        "nodegroupArn": call.arn("nodegroup", &format!("{cluster_name}/{name}/{id}")),
        "version": or("version", json!(version)),
        "releaseVersion": or("releaseVersion", json!(versions::release(&version))),
        "createdAt": seconds(call.now),
        "modifiedAt": seconds(call.now),
        "status": "CREATING",
        "capacityType": or("capacityType", json!("ON_DEMAND")),
        "scalingConfig": scaling,
        "amiType": or("amiType", json!("AL2023_x86_64_STANDARD")),
        "labels": or("labels", json!({})),
        "resources": { "autoScalingGroups": [{ "name": group }] },
        "health": { "issues": [] },
        "tags": or("tags", json!({})),
    });
    if let Value::Object(described) = described {
        value.extend(described);
    }
    if !has_template {
        value.insert("diskSize".to_owned(), or("diskSize", json!(20)));
    }
    let zones = value["subnets"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let zones: Vec<String> = zones.filter_map(|id| call.region.ec2.place_of(id)).map(|(_, zone)| zone).collect();
    call.region.autoscaling.make(&group, (&cluster_name, &name), &scaling, &zones, call.now, call.chance);
    // It is active when its nodes are.
    let nodes_ready = call.region.autoscaling.ready(&group).unwrap_or(call.now);
    let ready = after(call.now, call.chance.duration(119.0, 0.3)).max(nodes_ready);
    let mut own = Object::new(Value::Object(value));
    own.change = Some((ready, Change::Becomes(Map::from_iter([("status".to_owned(), json!("ACTIVE"))]))));
    let answer = own.described();
    call.cluster_mut()?.nodegroups.insert(name, own);
    Ok(json!({ "nodegroup": answer }))
}

/// The numbers that are wanted, with those that there are for the rest.
fn scaling(wanted: &Value, present: Option<&Value>) -> Result<Value, ApiError> {
    let number = |name: &str, usual: u64| {
        let present = present.and_then(|present| present[name].as_u64());
        wanted[name].as_u64().or(present).unwrap_or(usual)
    };
    let (min, max, desired) = (number("minSize", 1), number("maxSize", 2), number("desiredSize", 2));
    if max == 0 || min > max || desired < min || desired > max {
        let message =
            format!("Minimum capacity {min}, desired capacity {desired} and maximum capacity {max} do not fit");
        return Err(invalid(message));
    }
    Ok(json!({ "minSize": min, "maxSize": max, "desiredSize": desired }))
}

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    Ok(json!({ "nodegroup": find(call)?.described() }))
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a Object, ApiError> {
    let name = call.text("nodegroupName");
    call.cluster()?.nodegroups.get(name).ok_or_else(|| not_found(format!("No node group found for name: {name}.")))
}

fn find_mut<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Object, ApiError> {
    let name = call.text("nodegroupName").to_owned();
    let missing = not_found(format!("No node group found for name: {name}."));
    call.cluster_mut()?.nodegroups.get_mut(&name).ok_or(missing)
}

/// The node group that the call names, if it takes changes.
fn find_active<'a>(call: &'a Call<'_>) -> Result<&'a Object, ApiError> {
    let group = find(call)?;
    match group.status() {
        "ACTIVE" => Ok(group),
        status => Err(in_use(format!("Nodegroup cannot be updated as it is currently {status}"))),
    }
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let group = find_active(call)?;
    let mut becomes = Map::new();
    let mut parameters = Vec::new();
    let mut tell = |name: &str, value: &Value| parameters.push(json!({ "type": name, "value": value.to_string() }));
    if let Some(wanted) = call.parameters.get("labels") {
        let mut labels = group.value["labels"].as_object().cloned().unwrap_or_default();
        for (key, value) in wanted["addOrUpdateLabels"].as_object().into_iter().flatten() {
            labels.insert(key.clone(), value.clone());
        }
        for key in wanted["removeLabels"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            labels.remove(key);
        }
        tell("LabelsToAdd", wanted);
        becomes.insert("labels".to_owned(), Value::Object(labels));
    }
    if let Some(wanted) = call.parameters.get("taints") {
        let mut taints = group.value.get("taints").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_same = |one: &Value, other: &Value| one["key"] == other["key"] && one["effect"] == other["effect"];
        for change in ["addOrUpdateTaints", "removeTaints"] {
            for taint in wanted[change].as_array().into_iter().flatten() {
                taints.retain(|present| !is_same(present, taint));
                if change == "addOrUpdateTaints" {
                    taints.push(taint.clone());
                }
            }
        }
        tell("TaintsToAdd", wanted);
        becomes.insert("taints".to_owned(), Value::Array(taints));
    }
    if let Some(wanted) = call.parameters.get("scalingConfig") {
        let scaling = scaling(wanted, group.value.get("scalingConfig"))?;
        for (name, told) in [("minSize", "MinSize"), ("maxSize", "MaxSize"), ("desiredSize", "DesiredSize")] {
            tell(told, &scaling[name]);
        }
        becomes.insert("scalingConfig".to_owned(), scaling);
    }
    for (name, told) in [("updateConfig", "MaxUnavailable"), ("nodeRepairConfig", "NodeRepairEnabled")] {
        if let Some(wanted) = call.parameters.get(name) {
            tell(told, wanted);
            becomes.insert(name.to_owned(), wanted.clone());
        }
    }
    if becomes.is_empty() {
        return Err(invalid("No changes needed for the specified config"));
    }
    let autoscaling_group =
        group.value["resources"]["autoScalingGroups"][0]["name"].as_str().unwrap_or_default().to_owned();
    if let Some(scaling) = becomes.get("scalingConfig") {
        call.region.autoscaling.resize(&autoscaling_group, scaling, call.now, call.chance);
    }
    begin_update(call, "ConfigUpdate", &parameters, becomes, 15.0)
}

/// Lets the group become what is wanted after about `median_secs`.
fn begin_update(
    call: &mut Call<'_>,
    kind: &str,
    parameters: &[Value],
    mut becomes: Map<String, Value>,
    median_secs: f64,
) -> Answer {
    let (update, done) = updates::new(call, kind, parameters, median_secs);
    becomes.insert("status".to_owned(), json!("ACTIVE"));
    becomes.insert("modifiedAt".to_owned(), json!(seconds(call.now)));
    let group = find_mut(call)?;
    group.set("status", "UPDATING");
    group.change = Some((done, Change::Becomes(becomes)));
    Ok(updates::keep(call.cluster_mut()?, update))
}

/// Replaces the nodes by those of another version of Kubernetes or of the launch template. A version that is not given is the
/// present one, with its newest image.
pub(super) fn update_version(call: &mut Call<'_>) -> Answer {
    let group = find_active(call)?;
    let present = group.text("version");
    let version = call.parameters.get("version").and_then(Value::as_str).unwrap_or(present);
    let cluster = call.cluster()?.own.text("version");
    let fits = |from: &str, to: &str| versions::distance(from, to).is_some_and(|distance| distance >= 0);
    if !fits(present, version) || !fits(version, cluster) {
        let message = format!("Version {version} is not from {present}, the present one, to {cluster}, the cluster's");
        return Err(invalid(message));
    }
    let release = call.parameters.get("releaseVersion").cloned().unwrap_or_else(|| json!(versions::release(version)));
    let mut parameters =
        vec![json!({ "type": "Version", "value": version }), json!({ "type": "ReleaseVersion", "value": release })];
    let mut becomes = Map::from_iter([("version".to_owned(), json!(version)), ("releaseVersion".to_owned(), release)]);
    if let Some(wanted) = call.parameters.get("launchTemplate") {
        let present = group.value.get("launchTemplate").map(|template| &template["id"]);
        let found = call.region.ec2.launch_template(wanted).filter(|template| present == Some(&template["id"]));
        let other = || invalid("A node group keeps its launch template; only its version changes".to_owned());
        let template = found.ok_or_else(other)?;
        for (name, told) in [("name", "LaunchTemplateName"), ("version", "LaunchTemplateVersion")] {
            parameters.push(json!({ "type": told, "value": template[name] }));
        }
        becomes.insert("launchTemplate".to_owned(), template);
    }
    let nodes = group.value["scalingConfig"]["desiredSize"].as_f64().unwrap_or_default();
    begin_update(call, "VersionUpdate", &parameters, becomes, ROLL_SECS + nodes * NODE_SECS)
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let gone = after(call.now, call.chance.duration(370.0, 0.27));
    let group = find_mut(call)?;
    match group.status() {
        "DELETING" => return Ok(json!({ "nodegroup": group.described() })),
        "UPDATING" => return Err(in_use("Nodegroup cannot be deleted as it is currently UPDATING".to_owned())),
        _ => {}
    }
    group.set("status", "DELETING");
    group.change = Some((gone, Change::Gone));
    Ok(json!({ "nodegroup": group.described() }))
}

/// Lets a node group have other machines, when a version of it begins.
pub(super) fn renew(autoscaling: &mut AutoScaling, group: &Object, now: Timestamp, chance: &mut Chance) {
    let groups = group.value["resources"]["autoScalingGroups"].as_array().into_iter().flatten();
    groups.filter_map(|group| group["name"].as_str()).for_each(|name| autoscaling.renew(name, now, chance));
}

/// Removes what EKS made for a node group that is gone.
pub(super) fn take_back(autoscaling: &mut AutoScaling, group: &Object) {
    let groups = group.value["resources"]["autoScalingGroups"].as_array().into_iter().flatten();
    groups.filter_map(|group| group["name"].as_str()).for_each(|name| autoscaling.remove(name));
}
