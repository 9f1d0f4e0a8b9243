//! Gateways to the internet, for everybody and for those without addresses of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::account::{ACCOUNT_ID, after};
use crate::ec2::{Call, Change, Ec2, Kind, in_use};
use crate::error::{Answer, ApiError};
use crate::wire::seconds;

/// How long a NAT gateway that is gone is still described.
const REMEMBERED: Duration = Duration::from_hours(1);

pub(super) fn create_internet_gateway(call: &mut Call<'_>) -> Answer {
    let tags = call.tags(Kind::InternetGateway)?;
    let gateway = json!({ "OwnerId": ACCOUNT_ID, "Attachments": [] });
    let (_, created) = call.add(Kind::InternetGateway, gateway, tags);
    Ok(json!({ "InternetGateway": created }))
}

pub(super) fn attach(call: &mut Call<'_>) -> Answer {
    let (id, vpc) = (call.text("InternetGatewayId").to_owned(), call.text("VpcId").to_owned());
    call.ec2.get(Kind::Vpc, &vpc)?;
    let attached_to = |attachments: &[Value]| attachments.first().map(|attachment| attachment["VpcId"].clone());
    let taken = call
        .ec2
        .all(Kind::InternetGateway)
        .any(|(own, gateway)| *own != id && attached_to(gateway.list("Attachments")) == Some(json!(vpc)));
    let gateway = call.ec2.get_mut(Kind::InternetGateway, &id)?;
    if taken || attached_to(gateway.list("Attachments")).is_some() {
        let message = format!("resource {id} or network {vpc} is already attached");
        return Err(ApiError::new("Resource.AlreadyAssociated", message));
    }
    gateway.list_mut("Attachments").push(json!({ "VpcId": vpc, "State": "available" }));
    Ok(json!({}))
}

pub(super) fn detach(call: &mut Call<'_>) -> Answer {
    let (id, vpc) = (call.text("InternetGatewayId").to_owned(), call.text("VpcId").to_owned());
    call.ec2.get(Kind::Vpc, &vpc)?;
    let gateway = call.ec2.get(Kind::InternetGateway, &id)?;
    if !gateway.list("Attachments").iter().any(|attachment| attachment["VpcId"] == *vpc) {
        let message = format!("resource {id} is not attached to network {vpc}");
        return Err(ApiError::new("Gateway.NotAttached", message));
    }
    if call.ec2.with(Kind::NetworkInterface, "VpcId", &vpc).any(|(_, own)| own.value.contains_key("Association")) {
        let message = format!(
            "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching \
             the gateway."
        );
        return Err(in_use(message));
    }
    call.ec2.get_mut(Kind::InternetGateway, &id)?.list_mut("Attachments").clear();
    Ok(json!({}))
}

pub(super) fn delete_internet_gateway(call: &mut Call<'_>) -> Answer {
    let id = call.text("InternetGatewayId").to_owned();
    if !call.ec2.get(Kind::InternetGateway, &id)?.list("Attachments").is_empty() {
        let message = format!("The internetGateway '{id}' has dependencies and cannot be deleted.");
        return Err(in_use(message));
    }
    call.ec2.remove(Kind::InternetGateway, &id)?;
    Ok(json!({}))
}

/// Makes a NAT gateway with its network interface. It becomes available after about 105 s (published logs of nine creations).
pub(super) fn create_nat_gateway(call: &mut Call<'_>) -> Answer {
    let tags = call.tags(Kind::NatGateway)?;
    let (subnet, allocation) = (call.text("SubnetId").to_owned(), call.text("AllocationId").to_owned());
    let vpc = call.ec2.get(Kind::Subnet, &subnet)?.text("VpcId").to_owned();
    let address = call.ec2.get(Kind::Address, &allocation)?;
    if !address.text("AssociationId").is_empty() {
        let message = format!("Elastic IP address [{allocation}] is already associated");
        return Err(ApiError::new("Resource.AlreadyAssociated", message));
    }
    let public = address.text("PublicIp").to_owned();
    let attached = call
        .ec2
        .all(Kind::InternetGateway)
        .any(|(_, gateway)| gateway.list("Attachments").iter().any(|attachment| attachment["VpcId"] == *vpc));
    if !attached {
        let message = format!("Network {vpc} has no Internet gateway attached");
        return Err(ApiError::new("Gateway.NotAttached", message));
    }
    let association = call.chance.id("eipassoc");
    let private = format!("10.255.255.{}", call.chance.below(256));
    let interface = json!({
        "OwnerId": ACCOUNT_ID,
        "VpcId": vpc,
        "SubnetId": subnet,
        "Status": "in-use",
        "InterfaceType": "nat_gateway",
        "Description": "Interface for NAT Gateway",
        "RequesterManaged": true,
        "PrivateIpAddress": private,
        "Association": { "AllocationId": allocation, "AssociationId": association, "PublicIp": public },
    });
    let (interface, _) = call.add(Kind::NetworkInterface, interface, BTreeMap::new());
    let address = call.ec2.get_mut(Kind::Address, &allocation)?;
    address.value.insert("AssociationId".to_owned(), json!(association));
    address.value.insert("NetworkInterfaceId".to_owned(), json!(interface));
    let gateway = json!({
        "CreateTime": seconds(call.now),
        "State": "pending",
        "VpcId": vpc,
        "SubnetId": subnet,
        "ConnectivityType": "public",
        "NatGatewayAddresses": [{
            "AllocationId": allocation,
            "AssociationId": association,
            "NetworkInterfaceId": interface,
            "PrivateIp": private,
            "PublicIp": public,
            "IsPrimary": true,
            "Status": "succeeded",
        }],
    });
    let (id, created) = call.add(Kind::NatGateway, gateway, tags);
    let ready = after(call.now, call.chance.duration(105.0, 0.15));
    call.ec2.get_mut(Kind::NatGateway, &id)?.change = Some((ready, Change::State("available")));
    let mut answer = json!({ "NatGateway": created });
    if let Some(token) = call.parameters.get("ClientToken") {
        answer["ClientToken"] = token.clone();
    }
    Ok(answer)
}

pub(super) fn delete_nat_gateway(call: &mut Call<'_>) -> Answer {
    let id = call.text("NatGatewayId").to_owned();
    let gone = after(call.now, call.chance.duration(60.0, 0.3));
    let gateway = call.ec2.get_mut(Kind::NatGateway, &id)?;
    if !matches!(gateway.text("State"), "deleting" | "deleted") {
        gateway.value.insert("State".to_owned(), json!("deleting"));
        gateway.change = Some((gone, Change::State("deleted")));
    }
    Ok(json!({ "NatGatewayId": id }))
}

/// Takes back what NAT gateways used that are gone now, and forgets them after a while.
pub(super) fn finish_deletions(ec2: &mut Ec2, now: Timestamp) {
    let is_finished =
        |(_, gateway): &(&String, &crate::ec2::Object)| gateway.text("State") == "deleted" && gateway.change.is_none();
    let finished: Vec<(String, String, String)> = ec2
        .all(Kind::NatGateway)
        .filter(is_finished)
        .filter_map(|(id, gateway)| {
            let address = gateway.list("NatGatewayAddresses").first()?;
            let text = |name: &str| address[name].as_str().unwrap_or_default().to_owned();
            Some((id.clone(), text("AllocationId"), text("NetworkInterfaceId")))
        })
        .collect();
    for (id, allocation, interface) in finished {
        // Whoever is gone already has been taken back before.
        let _ = ec2.remove(Kind::NetworkInterface, &interface);
        if let Ok(address) = ec2.get_mut(Kind::Address, &allocation) {
            address.value.remove("AssociationId");
            address.value.remove("NetworkInterfaceId");
        }
        if let Ok(gateway) = ec2.get_mut(Kind::NatGateway, &id) {
            gateway.change = Some((after(now, REMEMBERED), Change::Gone));
        }
    }
}
