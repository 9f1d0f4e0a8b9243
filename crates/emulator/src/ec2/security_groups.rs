//! Security groups that a customer makes: who may talk to an instance.

use serde_json::{Value, json};

use crate::account::ACCOUNT_ID;
use crate::ec2::{Call, Kind, in_use, interfaces};
use crate::error::{Answer, ApiError};

/// Makes a group that lets nothing in and everything out, as every new one does.
pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let tags = call.tags(Kind::SecurityGroup)?;
    let (name, vpc) = (call.text("GroupName").to_owned(), call.text("VpcId").to_owned());
    call.ec2.get(Kind::Vpc, &vpc)?;
    if call.ec2.with(Kind::SecurityGroup, "VpcId", &vpc).any(|(_, group)| group.text("GroupName") == name) {
        let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
        return Err(ApiError::new("InvalidGroup.Duplicate", message));
    }
    let everywhere = json!({
        "IpProtocol": "-1",
        "IpRanges": [{ "CidrIp": "0.0.0.0/0" }],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
        "UserIdGroupPairs": [],
    });
    let group = json!({
        "OwnerId": ACCOUNT_ID,
        "VpcId": vpc,
        "GroupName": name,
        "Description": call.text("Description"),
        "IpPermissions": [],
        "IpPermissionsEgress": [everywhere],
    });
    let region = call.ec2.region.clone();
    let (id, mut created) = call.add(Kind::SecurityGroup, group, tags);
    let arn = json!(format!("arn:aws:ec2:{region}:{ACCOUNT_ID}:security-group/{id}"));
    call.ec2.get_mut(Kind::SecurityGroup, &id)?.value.insert("SecurityGroupArn".to_owned(), arn.clone());
    let tags = created["Tags"].take();
    Ok(json!({ "GroupId": id, "SecurityGroupArn": arn, "Tags": tags }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = call.text("GroupId").to_owned();
    if call.ec2.get(Kind::SecurityGroup, &id)?.text("GroupName") == "default" {
        let message = format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user");
        return Err(ApiError::new("CannotDelete", message));
    }
    let interfaces = call.ec2.all(Kind::NetworkInterface);
    if interfaces.flat_map(|(_, interface)| interfaces::groups(interface)).any(|group| group == id) {
        return Err(in_use(format!("resource {id} has a dependent object")));
    }
    call.ec2.remove(Kind::SecurityGroup, &id)?;
    Ok(json!({ "Return": true, "GroupId": id }))
}

/// Lets something in.
pub(super) fn authorize_ingress(call: &mut Call<'_>) -> Answer {
    let given = permissions(call)?;
    let group = call.ec2.get_mut(Kind::SecurityGroup, call.parameters["GroupId"].as_str().unwrap_or_default())?;
    let present = group.list_mut("IpPermissions");
    if let Some(twice) = given.iter().find(|wanted| present.contains(wanted)) {
        let message = format!("the specified rule \"{twice}\" already exists");
        return Err(ApiError::new("InvalidPermission.Duplicate", message));
    }
    present.extend(given);
    Ok(json!({ "Return": true }))
}

/// Lets something in no longer.
pub(super) fn revoke_ingress(call: &mut Call<'_>) -> Answer {
    let given = permissions(call)?;
    let group = call.ec2.get_mut(Kind::SecurityGroup, call.parameters["GroupId"].as_str().unwrap_or_default())?;
    let present = group.list_mut("IpPermissions");
    if !given.iter().all(|wanted| present.contains(wanted)) {
        let message = "The specified rule does not exist in this security group.";
        return Err(ApiError::new("InvalidPermission.NotFound", message));
    }
    present.retain(|permission| !given.contains(permission));
    Ok(json!({ "Return": true }))
}

/// The rules of a call, one source each, in the form in which they are described.
fn permissions(call: &Call<'_>) -> Result<Vec<Value>, ApiError> {
    const SOURCES: [&str; 4] = ["IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"];
    let list = call.parameters.get("IpPermissions").and_then(Value::as_array);
    let list =
        list.ok_or_else(|| ApiError::new("MissingParameter", "Either 'ipPermissions' or a rule must be given"))?;
    let of_source = |permission: &Value, source: &str, item: &Value| {
        let mut rule = json!({ "IpProtocol": permission["IpProtocol"] });
        for port in ["FromPort", "ToPort"] {
            if let Some(number) = permission.get(port) {
                rule[port] = number.clone();
            }
        }
        for empty in SOURCES {
            rule[empty] = json!([]);
        }
        rule[source] = json!([item]);
        rule
    };
    let mut rules = Vec::new();
    for permission in list {
        for source in SOURCES {
            let items = permission.get(source).and_then(Value::as_array).into_iter().flatten();
            rules.extend(items.map(|item| of_source(permission, source, item)));
        }
    }
    Ok(rules)
}
