//! Subnets.

use serde_json::json;

use crate::account::ACCOUNT_ID;
use crate::ec2::vpcs::{network, network_of};
use crate::ec2::{Call, Kind, in_use, zones};
use crate::error::{Answer, ApiError};

/// The addresses of each subnet that nobody gets: <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>.
const RESERVED_ADDRESSES: u32 = 5;

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let tags = call.tags(Kind::Subnet)?;
    let vpc = call.text("VpcId");
    let around = network_of(call.ec2.get(Kind::Vpc, vpc)?)?;
    let network = network(call.text("CidrBlock"))?;
    if !(16..=28).contains(&network.prefix_len()) || !around.contains(&network) {
        return Err(ApiError::new("InvalidSubnet.Range", format!("The CIDR '{network}' is invalid.")));
    }
    for (_, other) in call.ec2.with(Kind::Subnet, "VpcId", vpc) {
        let other = network_of(other)?;
        if other.contains(&network) || network.contains(&other) {
            let message = format!("The CIDR '{network}' conflicts with another subnet");
            return Err(ApiError::new("InvalidSubnet.Conflict", message));
        }
    }
    let region = &call.ec2.region;
    let all: Vec<String> = zones::LETTERS.iter().map(|letter| format!("{region}{letter}")).collect();
    let zone = match call.text("AvailabilityZone") {
        "" => &all[0],
        wanted => all.iter().find(|zone| *zone == wanted).ok_or_else(|| {
            let message = format!("Value ({wanted}) for parameter availabilityZone is invalid.");
            ApiError::new("InvalidParameterValue", message)
        })?,
    };
    let addresses = (1_u32 << (32 - network.prefix_len())) - RESERVED_ADDRESSES;
    let subnet = json!({
        "OwnerId": ACCOUNT_ID,
        "State": "available",
        "VpcId": vpc,
        "CidrBlock": network.to_string(),
        "AvailableIpAddressCount": addresses,
        "AvailabilityZone": zone,
        "AvailabilityZoneId": zones::id_of(zone),
        "DefaultForAz": false,
        "MapPublicIpOnLaunch": false,
        "AssignIpv6AddressOnCreation": false,
        "Ipv6CidrBlockAssociationSet": [],
        "Ipv6Native": false,
        "PrivateDnsNameOptionsOnLaunch": {
            "HostnameType": "ip-name",
            "EnableResourceNameDnsARecord": false,
            "EnableResourceNameDnsAAAARecord": false,
        },
    });
    let region = call.ec2.region.clone();
    let (id, mut created) = call.add(Kind::Subnet, subnet, tags);
    let arn = json!(format!("arn:aws:ec2:{region}:{ACCOUNT_ID}:subnet/{id}"));
    created["SubnetArn"] = arn.clone();
    call.ec2.get_mut(Kind::Subnet, &id)?.value.insert("SubnetArn".to_owned(), arn);
    Ok(json!({ "Subnet": created }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = call.text("SubnetId");
    call.ec2.get(Kind::Subnet, id)?;
    if call.ec2.with(Kind::NetworkInterface, "SubnetId", id).next().is_some() {
        return Err(in_use(format!("The subnet '{id}' has dependencies and cannot be deleted.")));
    }
    call.ec2.remove(Kind::Subnet, call.parameters["SubnetId"].as_str().unwrap_or_default())?;
    crate::ec2::routes::forget_subnet(call);
    Ok(json!({}))
}

pub(super) fn modify_attribute(call: &mut Call<'_>) -> Answer {
    let id = call.text("SubnetId").to_owned();
    let public = call.parameters["MapPublicIpOnLaunch"]["Value"].as_bool();
    let subnet = call.ec2.get_mut(Kind::Subnet, &id)?;
    let Some(public) = public else {
        return Err(ApiError::new("InvalidParameterCombination", "no attribute that is emulated was given"));
    };
    subnet.value.insert("MapPublicIpOnLaunch".to_owned(), json!(public));
    Ok(json!({}))
}
