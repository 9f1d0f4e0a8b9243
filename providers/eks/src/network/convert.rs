//! From EC2's descriptions to states and attributes, spelled as in the graph.

use aws_sdk_ec2::types::{
    Address, InternetGatewayAttachment, NatGateway, NatGatewayState, Route, RouteTable, RouteTableAssociation,
    RouteTableAssociationStateCode, Subnet, SubnetState, Tag, Vpc, VpcState,
};
use howso_infra_core::{Attributes, Status, Value};

use crate::found::{Fields, Found};
use crate::tags::{self, Tags};

fn found(physical_id: &str, output: &str, tags: Tags, status: Status, fields: Fields) -> Found {
    let outputs = Attributes::from([(output.to_owned(), Value::text(physical_id))]);
    let attributes = fields.tags(&tags).0;
    Found { physical_id: physical_id.to_owned(), tags, status, attributes, outputs }
}

pub(super) fn tags(tags: Option<&[Tag]>) -> Tags {
    tags::from_ec2(tags.unwrap_or_default())
}

fn pending(state: &str) -> Status {
    Status::Pending { state: state.to_owned() }
}

/// An absent state is that of a resource that has none to wait for.
pub(super) fn vpc(vpc: &Vpc, dns: (Option<bool>, Option<bool>)) -> Option<Found> {
    let status = match &vpc.state {
        Some(VpcState::Available) | None => Status::Ready,
        Some(other) => pending(other.as_str()),
    };
    let fields = Fields::default()
        .text("cidr", vpc.cidr_block.as_deref())
        .boolean("dns_support", dns.0)
        .boolean("dns_hostnames", dns.1);
    Some(found(vpc.vpc_id.as_deref()?, "vpc_id", tags(vpc.tags.as_deref()), status, fields))
}

pub(super) fn subnet(subnet: &Subnet) -> Option<Found> {
    let status = match &subnet.state {
        Some(SubnetState::Available) | None => Status::Ready,
        Some(state @ (SubnetState::Failed | SubnetState::FailedInsufficientCapacity)) => {
            Status::Failed { reason: state.as_str().to_owned() }
        }
        Some(state @ SubnetState::Unavailable) => Status::Degraded { reason: state.as_str().to_owned() },
        Some(other) => pending(other.as_str()),
    };
    let fields = Fields::default()
        .text("vpc_id", subnet.vpc_id.as_deref())
        .text("zone", subnet.availability_zone.as_deref())
        .text("cidr", subnet.cidr_block.as_deref())
        .boolean("map_public_ip", subnet.map_public_ip_on_launch);
    Some(found(subnet.subnet_id.as_deref()?, "subnet_id", tags(subnet.tags.as_deref()), status, fields))
}

pub(super) fn internet_gateway(gateway: &aws_sdk_ec2::types::InternetGateway) -> Option<Found> {
    let id = gateway.internet_gateway_id.as_deref()?;
    Some(found(id, "internet_gateway_id", tags(gateway.tags.as_deref()), Status::Ready, Fields::default()))
}

/// [`None`] for an attachment that is over.
pub(super) fn attachment(gateway_id: &str, attachment: &InternetGatewayAttachment) -> Option<Found> {
    let vpc_id = attachment.vpc_id.as_deref()?;
    let status = match attachment.state.as_ref().map_or("available", |state| state.as_str()) {
        // EC2 says `available`, its documentation `attached`.
        "available" | "attached" => Status::Ready,
        "detaching" => Status::Deleting,
        "detached" => return None,
        other => pending(other),
    };
    let fields = Fields::default().text("vpc_id", Some(vpc_id)).text("internet_gateway_id", Some(gateway_id));
    Some(part(join_ids(gateway_id, vpc_id), status, fields))
}

pub(super) fn address(address: &Address) -> Option<Found> {
    let id = address.allocation_id.as_deref()?;
    Some(found(id, "allocation_id", tags(address.tags.as_deref()), Status::Ready, Fields::default()))
}

/// [`None`] for a gateway that is deleted: EC2 lists it for another hour.
pub(super) fn nat_gateway(gateway: &NatGateway) -> Option<Found> {
    let status = match &gateway.state {
        Some(NatGatewayState::Available) => Status::Ready,
        Some(NatGatewayState::Deleting) => Status::Deleting,
        Some(NatGatewayState::Deleted) => return None,
        Some(NatGatewayState::Failed) => Status::Failed { reason: failure(gateway) },
        Some(other) => pending(other.as_str()),
        None => pending("unknown"),
    };
    let address = gateway.nat_gateway_addresses.iter().flatten().find_map(|address| address.allocation_id.as_deref());
    let fields = Fields::default().text("subnet_id", gateway.subnet_id.as_deref()).text("allocation_id", address);
    Some(found(gateway.nat_gateway_id.as_deref()?, "nat_gateway_id", tags(gateway.tags.as_deref()), status, fields))
}

/// Why a NAT gateway failed, as `code: message`.
pub(super) fn failure(gateway: &NatGateway) -> String {
    let parts = [gateway.failure_code.as_deref(), gateway.failure_message.as_deref()];
    let text = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    if text.is_empty() { "no reason given".to_owned() } else { text }
}

pub(super) fn route_table(table: &RouteTable) -> Option<Found> {
    let fields = Fields::default().text("vpc_id", table.vpc_id.as_deref());
    Some(found(table.route_table_id.as_deref()?, "route_table_id", tags(table.tags.as_deref()), Status::Ready, fields))
}

pub(super) fn route(table_id: &str, route: &Route) -> Option<Found> {
    let destination = route.destination_cidr_block.as_deref()?;
    // Both targets are always reported, so that a wrong kind of target is seen as a difference.
    let fields = Fields::default()
        .text("route_table_id", Some(table_id))
        .text("destination_cidr", Some(destination))
        .text("gateway_id", Some(route.gateway_id.as_deref().unwrap_or_default()))
        .text("nat_gateway_id", Some(route.nat_gateway_id.as_deref().unwrap_or_default()));
    Some(part(join_ids(table_id, destination), Status::Ready, fields))
}

/// [`None`] for what is not an association of a subnet, or is over.
pub(super) fn association(table_id: &str, association: &RouteTableAssociation) -> Option<Found> {
    let subnet_id = association.subnet_id.as_deref()?;
    let state = association.association_state.as_ref();
    let status = match state.and_then(|state| state.state.as_ref()) {
        Some(RouteTableAssociationStateCode::Associated) | None => Status::Ready,
        Some(RouteTableAssociationStateCode::Disassociating) => Status::Deleting,
        Some(RouteTableAssociationStateCode::Disassociated) => return None,
        Some(RouteTableAssociationStateCode::Failed) => {
            let reason = state.and_then(|state| state.status_message.clone()).unwrap_or_else(|| "failed".to_owned());
            Status::Failed { reason }
        }
        Some(other) => pending(other.as_str()),
    };
    let fields = Fields::default().text("subnet_id", Some(subnet_id)).text("route_table_id", Some(table_id));
    Some(part(association.route_table_association_id.clone()?, status, fields))
}

/// A part of another resource, without tags of its own and without outputs.
fn part(physical_id: String, status: Status, fields: Fields) -> Found {
    Found { physical_id, tags: Tags::new(), status, attributes: fields.0, outputs: Attributes::new() }
}

/// The identifier of what is known only by two identifiers.
pub(super) fn join_ids(left: &str, right: &str) -> String {
    format!("{left}/{right}")
}

/// The reverse of [`join_ids`]; identifiers of EC2 contain no slash, ranges of addresses do.
pub(super) fn split_ids(physical_id: &str) -> Option<(&str, &str)> {
    physical_id.split_once('/')
}
