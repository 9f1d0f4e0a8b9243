//! Instances that a customer starts. Those of node groups are none: EKS shows them as nodes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::account::{ACCOUNT_ID, after};
use crate::ec2::{Call, Change, Ec2, Kind, Object, describe, tags};
use crate::error::{Answer, ApiError};
use crate::wire::seconds;

/// How long a terminated instance is still described: about an hour
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html>).
const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

/// The kinds of what a call makes and can tag.
const TAGGABLE: [&str; 3] = ["instance", "volume", "network-interface"];

/// The states with their codes (`InstanceState` in the model).
const STATES: [(&str, u32); 6] =
    [("pending", 0), ("running", 16), ("shutting-down", 32), ("terminated", 48), ("stopping", 64), ("stopped", 80)];

/// Starts one instance with its interface and its disk.
pub(super) fn run(call: &mut Call<'_>) -> Answer {
    if call.parameters["MinCount"] != 1 || call.parameters["MaxCount"] != 1 {
        return Err(ApiError::internal("more than one instance in a call is not emulated"));
    }
    let given = given_tags(call)?;
    let of = |kind: &str| given.get(kind).cloned().unwrap_or_default();
    let image = image(call.text("ImageId"))?;
    let subnet = call.text("SubnetId").to_owned();
    let place = call.ec2.get(Kind::Subnet, &subnet)?;
    let (vpc, zone) = (place.text("VpcId").to_owned(), place.text("AvailabilityZone").to_owned());
    let groups = groups(call, &vpc)?;
    let profile = profile(call)?;
    let private = format!("10.254.254.{}", call.chance.below(256));
    let interface = json!({
        "OwnerId": ACCOUNT_ID,
        "VpcId": vpc,
        "SubnetId": subnet,
        "Status": "in-use",
        "InterfaceType": "interface",
        "Description": "",
        "RequesterManaged": false,
        "PrivateIpAddress": private,
        "Groups": groups,
    });
    // The identifier that is known before is that of the instance.
    let known = call.id.take();
    let (interface, _) = call.add(Kind::NetworkInterface, interface, of("network-interface"));
    let volume = volume(call, &zone, of("volume"));
    let metadata = metadata(
        &json!({ "HttpTokens": "optional", "HttpPutResponseHopLimit": 1 }),
        &call.parameters["MetadataOptions"],
    );
    let instance = json!({
        "ImageId": image,
        "InstanceType": call.text("InstanceType"),
        "State": "pending",
        "LaunchTime": seconds(call.now),
        "SubnetId": subnet,
        "VpcId": vpc,
        "Placement": { "AvailabilityZone": zone, "Tenancy": "default" },
        "PrivateIpAddress": private,
        "SecurityGroups": groups,
        "NetworkInterfaces": [{ "NetworkInterfaceId": interface, "SubnetId": subnet, "VpcId": vpc, "Groups": groups }],
        "RootDeviceName": "/dev/xvda",
        "RootDeviceType": "ebs",
        "BlockDeviceMappings": [{
            "DeviceName": "/dev/xvda",
            "Ebs": { "VolumeId": volume, "Status": "attached", "DeleteOnTermination": true },
        }],
        "MetadataOptions": metadata,
        "ClientToken": call.text("ClientToken"),
    });
    call.id = known;
    let (id, _) = call.add(Kind::Instance, instance, of("instance"));
    let ready = after(call.now, call.chance.duration(12.0, 0.3));
    let instance = call.ec2.get_mut(Kind::Instance, &id)?;
    instance.change = Some((ready, Change::State("running")));
    if let Some(profile) = profile {
        instance.value.insert("IamInstanceProfile".to_owned(), profile);
    }
    let reservation = call.chance.id("r");
    let instance = call.ec2.get_mut(Kind::Instance, &id)?;
    let described = described(instance);
    Ok(json!({ "ReservationId": reservation, "OwnerId": ACCOUNT_ID, "Groups": [], "Instances": [described] }))
}

/// The groups by name and identifier, which must be in the network.
fn groups(call: &Call<'_>, vpc: &str) -> Result<Value, ApiError> {
    let named = |id: &str| {
        let group = call.ec2.get(Kind::SecurityGroup, id)?;
        if group.text("VpcId") != vpc {
            let message = format!("Security group {id} and the subnet belong to different networks.");
            return Err(ApiError::new("InvalidParameter", message));
        }
        Ok(json!({ "GroupId": id, "GroupName": group.text("GroupName") }))
    };
    let given = call.texts("SecurityGroupIds");
    if given.is_empty() {
        return Err(ApiError::internal("an instance in the default group is not emulated"));
    }
    given.into_iter().map(named).collect()
}

/// The profile that a call names, once EC2 knows it and the role in it.
fn profile(call: &Call<'_>) -> Result<Option<Value>, ApiError> {
    let Some(named) = call.parameters.get("IamInstanceProfile") else { return Ok(None) };
    let (name, arn) = (named["Name"].as_str(), named["Arn"].as_str());
    let what = name.map_or("arn", |_| "name");
    let value = name.or(arn).unwrap_or_default();
    let known = call.iam.instance_profile(value, call.now);
    let profile = known.ok_or_else(|| {
        let message = format!(
            "Value ({value}) for parameter iamInstanceProfile.{what} is invalid. Invalid IAM Instance Profile {what}"
        );
        ApiError::new("InvalidParameterValue", message)
    })?;
    if profile["Roles"].as_array().is_none_or(Vec::is_empty) {
        let message = format!(
            "Value ({value}) for parameter iamInstanceProfile.{what} is invalid. IAM Instance Profile has no associated IAM Roles"
        );
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    Ok(Some(json!({ "Arn": profile["Arn"], "Id": profile["InstanceProfileId"] })))
}

/// The image, which may be named by a public parameter of Systems Manager
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-systems-manager-parameter-to-find-AMI.html>).
fn image(named: &str) -> Result<String, ApiError> {
    match named.strip_prefix("resolve:ssm:") {
        Some(parameter) if parameter.starts_with("/aws/service/ami-amazon-linux-latest/") => {
            Ok("ami-0a1b2c3d4e5f60718".to_owned())
        }
        Some(parameter) => {
            let message = format!("Parameter '{parameter}' could not be resolved.");
            Err(ApiError::new("InvalidParameterValue", message))
        }
        None if named.starts_with("ami-") => Ok(named.to_owned()),
        None => Err(ApiError::new("InvalidAMIID.Malformed", format!("Invalid id: \"{named}\""))),
    }
}

fn volume(call: &mut Call<'_>, zone: &str, tags: BTreeMap<String, String>) -> String {
    let disk = call.parameters["BlockDeviceMappings"][0]["Ebs"].clone();
    let volume = json!({
        "AvailabilityZone": zone,
        "Size": disk.get("VolumeSize").cloned().unwrap_or_else(|| json!(8)),
        "VolumeType": disk.get("VolumeType").cloned().unwrap_or_else(|| json!("gp3")),
        "Encrypted": disk.get("Encrypted").cloned().unwrap_or_else(|| json!(false)),
        "State": "in-use",
    });
    call.add(Kind::Volume, volume, tags).0
}

/// What is asked of the metadata service, over what is so already.
fn metadata(present: &Value, given: &Value) -> Value {
    let of = |name: &str| given.get(name).unwrap_or(&present[name]).clone();
    json!({
        "State": "applied",
        "HttpEndpoint": given.get("HttpEndpoint").cloned().unwrap_or_else(|| json!("enabled")),
        "HttpTokens": of("HttpTokens"),
        "HttpPutResponseHopLimit": of("HttpPutResponseHopLimit"),
    })
}

fn given_tags(call: &Call<'_>) -> Result<BTreeMap<String, BTreeMap<String, String>>, ApiError> {
    let mut given = BTreeMap::new();
    for specification in call.parameters.get("TagSpecifications").and_then(Value::as_array).into_iter().flatten() {
        let kind = specification["ResourceType"].as_str().unwrap_or_default();
        if !TAGGABLE.contains(&kind) {
            let message = format!("'{kind}' is not a valid taggable resource type for this operation.");
            return Err(ApiError::new("InvalidParameterValue", message));
        }
        given.insert(kind.to_owned(), tags::pairs(&specification["Tags"])?);
    }
    Ok(given)
}

/// Each instance in a reservation of its own.
pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    let mut answer = describe::describe(call, Kind::Instance, "Reservations", "InstanceIds")?;
    if let Some(list) = answer["Reservations"].as_array_mut() {
        for instance in list {
            let state = instance["State"].as_str().unwrap_or_default().to_owned();
            let mut own = instance.take();
            own["State"] = of_state(&state);
            let id = own["InstanceId"].as_str().unwrap_or_default().trim_start_matches("i-").to_owned();
            *instance = json!({
                "ReservationId": format!("r-{id}"), "OwnerId": ACCOUNT_ID, "Groups": [], "Instances": [own],
            });
        }
    }
    Ok(answer)
}

fn described(instance: &Object) -> Value {
    let mut value = instance.described();
    value["State"] = of_state(instance.text("State"));
    value
}

fn of_state(name: &str) -> Value {
    let code = STATES.iter().find(|(state, _)| *state == name).map_or(0, |(_, code)| *code);
    json!({ "Name": name, "Code": code })
}

/// Stops, starts or terminates instances.
pub(super) fn change_state(call: &mut Call<'_>) -> Answer {
    let (list, from, on_the_way, end, median_secs): (_, &[&str], _, _, _) = match call.operation {
        "TerminateInstances" => (
            "TerminatingInstances",
            &["pending", "running", "stopping", "stopped"],
            "shutting-down",
            "terminated",
            40.0,
        ),
        "StopInstances" => ("StoppingInstances", &["pending", "running"], "stopping", "stopped", 30.0),
        _ => ("StartingInstances", &["stopped"], "pending", "running", 12.0),
    };
    let ids: Vec<String> = call.texts("InstanceIds").into_iter().map(str::to_owned).collect();
    for id in &ids {
        call.ec2.get(Kind::Instance, id)?;
    }
    let mut changed = Vec::new();
    for id in &ids {
        let when = after(call.now, call.chance.duration(median_secs, 0.3));
        let instance = call.ec2.get_mut(Kind::Instance, id)?;
        let before = instance.text("State").to_owned();
        if from.contains(&before.as_str()) {
            instance.value.insert("State".to_owned(), json!(on_the_way));
            instance.change = Some((when, Change::State(end)));
        } else if call.operation == "StartInstances" && before != "running" && before != "pending" {
            let message = format!("The instance '{id}' is not in a state from which it can be started.");
            return Err(ApiError::new("IncorrectInstanceState", message));
        }
        let current = instance.text("State").to_owned();
        changed.push(json!({
            "InstanceId": id, "PreviousState": of_state(&before), "CurrentState": of_state(&current),
        }));
    }
    Ok(json!({ list: changed }))
}

/// Changes the type of a stopped instance, or its groups.
pub(super) fn modify_attribute(call: &mut Call<'_>) -> Answer {
    let id = call.text("InstanceId").to_owned();
    let vpc = call.ec2.get(Kind::Instance, &id)?.text("VpcId").to_owned();
    if let Some(wanted) = call.parameters["InstanceType"]["Value"].as_str() {
        let instance = call.ec2.get_mut(Kind::Instance, &id)?;
        if instance.text("State") != "stopped" {
            let message = format!("The instance '{id}' is not in the 'stopped' state.");
            return Err(ApiError::new("IncorrectInstanceState", message));
        }
        instance.value.insert("InstanceType".to_owned(), json!(wanted));
        return Ok(json!({}));
    }
    let named = |id: &str| {
        let group = call.ec2.get(Kind::SecurityGroup, id).ok().filter(|group| group.text("VpcId") == vpc);
        let group = group.ok_or_else(|| {
            ApiError::new(
                "InvalidGroup.NotFound",
                format!("You have specified two resources that belong to different networks: {id}"),
            )
        })?;
        Ok(json!({ "GroupId": id, "GroupName": group.text("GroupName") }))
    };
    let groups: Value = call.texts("Groups").into_iter().map(named).collect::<Result<Vec<Value>, ApiError>>()?.into();
    if groups.as_array().is_none_or(Vec::is_empty) {
        return Err(ApiError::internal("no attribute that is emulated was given"));
    }
    let instance = call.ec2.get_mut(Kind::Instance, &id)?;
    instance.value.insert("SecurityGroups".to_owned(), groups.clone());
    let interfaces = interfaces(instance);
    for interface in interfaces {
        call.ec2.get_mut(Kind::NetworkInterface, &interface)?.value.insert("Groups".to_owned(), groups.clone());
    }
    Ok(json!({}))
}

pub(super) fn modify_metadata(call: &mut Call<'_>) -> Answer {
    let id = call.text("InstanceId").to_owned();
    let instance = call.ec2.get_mut(Kind::Instance, &id)?;
    let changed = metadata(&instance.value["MetadataOptions"], call.parameters);
    instance.value.insert("MetadataOptions".to_owned(), changed.clone());
    Ok(json!({ "InstanceId": id, "InstanceMetadataOptions": changed }))
}

fn interfaces(instance: &Object) -> Vec<String> {
    let ids =
        instance.list("NetworkInterfaces").iter().filter_map(|interface| interface["NetworkInterfaceId"].as_str());
    ids.map(str::to_owned).collect()
}

/// Takes back what instances used that are terminated now, and forgets them after a while.
pub(super) fn finish_terminations(ec2: &mut Ec2, now: Timestamp) {
    let is_finished =
        |(_, instance): &(&String, &Object)| instance.text("State") == "terminated" && instance.change.is_none();
    let finished: Vec<(String, Vec<String>, Vec<String>)> = ec2
        .all(Kind::Instance)
        .filter(is_finished)
        .map(|(id, instance)| {
            let disks = instance.list("BlockDeviceMappings").iter();
            let disks = disks.filter_map(|disk| disk["Ebs"]["VolumeId"].as_str()).map(str::to_owned).collect();
            (id.clone(), interfaces(instance), disks)
        })
        .collect();
    for (id, interfaces, disks) in finished {
        for (kind, gone) in [(Kind::NetworkInterface, interfaces), (Kind::Volume, disks)] {
            for id in gone {
                // What is gone already has been taken back before.
                let _ = ec2.remove(kind, &id);
            }
        }
        if let Ok(instance) = ec2.get_mut(Kind::Instance, &id) {
            instance.change = Some((after(now, REMEMBERED.unsigned_abs()), Change::Gone));
        }
    }
}
