//! Virtual private clouds. Each has a main route table, a default security group and a default network ACL from the beginning.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use crate::account::ACCOUNT_ID;
use crate::ec2::{Call, Kind, Object, in_use, routes};
use crate::error::{Answer, ApiError};

/// How many there may be in a region: <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>.
const LIMIT: usize = 5;

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let tags = call.tags(Kind::Vpc)?;
    let network = network(call.text("CidrBlock"))?;
    if !(16..=28).contains(&network.prefix_len()) {
        return Err(ApiError::new("InvalidVpc.Range", format!("The CIDR '{network}' is invalid.")));
    }
    if call.ec2.all(Kind::Vpc).count() >= LIMIT {
        return Err(ApiError::new("VpcLimitExceeded", "The maximum number of VPCs has been reached."));
    }
    let association = call.chance.id("vpc-cidr-assoc");
    let tenancy = Some(call.text("InstanceTenancy")).filter(|tenancy| !tenancy.is_empty()).unwrap_or("default");
    let vpc = json!({
        "OwnerId": ACCOUNT_ID,
        "State": "pending",
        "CidrBlock": network.to_string(),
        "DhcpOptionsId": "dopt-00000000000000000",
        "InstanceTenancy": tenancy,
        "IsDefault": false,
        "CidrBlockAssociationSet": [{
            "AssociationId": association,
            "CidrBlock": network.to_string(),
            "CidrBlockState": { "State": "associated" },
        }],
        "Ipv6CidrBlockAssociationSet": [],
    });
    let (id, created) = call.add(Kind::Vpc, vpc, tags);
    // It is described as available as soon as it can be described at all.
    call.ec2.get_mut(Kind::Vpc, &id)?.value.insert("State".to_owned(), json!("available"));
    let table = routes::table(call, &id)?;
    routes::add_association(call, &table, None)?;
    let group = json!({
        "OwnerId": ACCOUNT_ID,
        "VpcId": id,
        "GroupName": "default",
        "Description": "default VPC security group",
        "IpPermissions": [],
        "IpPermissionsEgress": [],
    });
    call.add(Kind::SecurityGroup, group, BTreeMap::new());
    let list = json!({ "OwnerId": ACCOUNT_ID, "VpcId": id, "IsDefault": true, "Associations": [], "Entries": default_entries() });
    call.add(Kind::NetworkAcl, list, BTreeMap::new());
    Ok(json!({ "Vpc": created }))
}

/// The rules of a default network ACL: everything may come and go, and what no rule allows may not.
///
/// <https://docs.aws.amazon.com/vpc/latest/userguide/default-network-acl.html>
fn default_entries() -> Value {
    let rule = |is_egress: bool, number: u32, action: &str| {
        json!({
            "CidrBlock": "0.0.0.0/0", "Egress": is_egress, "Protocol": "-1", "RuleAction": action, "RuleNumber": number,
        })
    };
    [true, false].into_iter().flat_map(|egress| [rule(egress, 100, "allow"), rule(egress, 32_767, "deny")]).collect()
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = call.text("VpcId").to_owned();
    call.ec2.get(Kind::Vpc, &id)?;
    let has = |kind: Kind, counts: &dyn Fn(&Object) -> bool| {
        call.ec2.with(kind, "VpcId", &id).any(|(_, object)| counts(object))
    };
    let is_attached = |gateway: &Object| gateway.list("Attachments").iter().any(|attached| attached["VpcId"] == *id);
    if has(Kind::Subnet, &|_| true)
        || has(Kind::NetworkInterface, &|_| true)
        || has(Kind::NatGateway, &|gateway| gateway.text("State") != "deleted")
        || has(Kind::RouteTable, &|table| !routes::is_main(table))
        || has(Kind::SecurityGroup, &|group| group.text("GroupName") != "default")
        || call.ec2.all(Kind::InternetGateway).any(|(_, gateway)| is_attached(gateway))
    {
        return Err(in_use(format!("The vpc '{id}' has dependencies and cannot be deleted.")));
    }
    for kind in [Kind::RouteTable, Kind::SecurityGroup, Kind::NetworkAcl] {
        let belonging: Vec<String> = call.ec2.with(kind, "VpcId", &id).map(|(own, _)| own.clone()).collect();
        for own in belonging {
            call.ec2.remove(kind, &own)?;
        }
    }
    call.ec2.remove(Kind::Vpc, &id)?;
    Ok(json!({}))
}

/// The attributes that are asked for and changed one at a time, with what they are at first.
const ATTRIBUTES: [(&str, &str, bool); 3] = [
    ("enableDnsSupport", "EnableDnsSupport", true),
    ("enableDnsHostnames", "EnableDnsHostnames", false),
    ("enableNetworkAddressUsageMetrics", "EnableNetworkAddressUsageMetrics", false),
];

pub(super) fn describe_attribute(call: &mut Call<'_>) -> Answer {
    let (id, wanted) = (call.text("VpcId"), call.text("Attribute"));
    let vpc = call.ec2.get(Kind::Vpc, id)?;
    let found = ATTRIBUTES.iter().find(|(name, ..)| *name == wanted);
    let (_, member, usual) =
        found.ok_or_else(|| ApiError::new("InvalidParameterValue", format!("Invalid attribute {wanted}")))?;
    let set = vpc.attributes.get(*member).copied().unwrap_or(*usual);
    Ok(json!({ "VpcId": id, *member: { "Value": set } }))
}

pub(super) fn modify_attribute(call: &mut Call<'_>) -> Answer {
    let given: Vec<(&str, bool)> = ATTRIBUTES
        .iter()
        .filter_map(|(_, member, _)| Some((*member, call.parameters.get(*member)?["Value"].as_bool()?)))
        .collect();
    let [(member, set)] = given[..] else {
        let message = "exactly one attribute is modified by one call";
        return Err(ApiError::new("InvalidParameterCombination", message));
    };
    call.ec2.get_mut(Kind::Vpc, call.parameters["VpcId"].as_str().unwrap_or_default())?.attributes.insert(member, set);
    Ok(json!({}))
}

/// A network in CIDR notation; bits beyond the prefix are cut off, as EC2 does.
pub(super) fn network(text: &str) -> Result<Ipv4Net, ApiError> {
    let parsed = text.parse::<Ipv4Net>().map(|network| network.trunc());
    parsed.map_err(|_| {
        let message = format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.");
        ApiError::new("InvalidParameterValue", message)
    })
}

/// The network of an object that was made with one.
pub(super) fn network_of(object: &Object) -> Result<Ipv4Net, ApiError> {
    network(object.value.get("CidrBlock").and_then(Value::as_str).unwrap_or_default())
}
