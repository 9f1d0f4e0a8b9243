//! Asks whether what was made is usable, or what was deleted is gone.

use aws_sdk_ec2::Client;
use howso_infra_core::{Attributes, ErrorKind, OperationVerb, Progress, ProviderError, Status, Ticket};

use super::convert::{self, split_ids};
use super::kinds::{
    ELASTIC_IP, INTERNET_GATEWAY, INTERNET_GATEWAY_ATTACHMENT, NAT_GATEWAY, ROUTE, ROUTE_TABLE,
    ROUTE_TABLE_ASSOCIATION, SUBNET, VPC,
};
use super::read::{self, filter};
use crate::clients::Clients;
use crate::errors;
use crate::found::Found;

/// Asks once.
pub(crate) async fn poll(clients: &Clients, ticket: &Ticket) -> Result<Progress, ProviderError> {
    let found = find(&clients.ec2, ticket).await?;
    Ok(match ticket.verb {
        OperationVerb::Delete => deletion(found),
        OperationVerb::Create | OperationVerb::Update | OperationVerb::Observe => creation(ticket, found),
    })
}

/// Finds the resource by its identifier.
async fn find(ec2: &Client, ticket: &Ticket) -> Result<Option<Found>, ProviderError> {
    let id = ticket.physical_id.as_str();
    Ok(match ticket.resource.kind() {
        VPC => {
            let vpcs = read::vpcs(ec2, filter("vpc-id", id)).await?;
            pick(id, vpcs.iter().filter_map(|vpc| convert::vpc(vpc, (None, None))))
        }
        SUBNET => {
            let subnets = read::subnets(ec2, filter("subnet-id", id)).await?;
            pick(id, subnets.iter().filter_map(convert::subnet))
        }
        INTERNET_GATEWAY => {
            let gateways = read::internet_gateways(ec2, filter("internet-gateway-id", id)).await?;
            pick(id, gateways.iter().filter_map(convert::internet_gateway))
        }
        INTERNET_GATEWAY_ATTACHMENT => {
            let (gateway_id, _) = split(ticket)?;
            let gateways = read::internet_gateways(ec2, filter("internet-gateway-id", gateway_id)).await?;
            let gateway = gateways.iter().find(|gateway| gateway.internet_gateway_id.as_deref() == Some(gateway_id));
            let attachments = gateway.into_iter().flat_map(|gateway| gateway.attachments.iter().flatten());
            pick(id, attachments.filter_map(|attachment| convert::attachment(gateway_id, attachment)))
        }
        ELASTIC_IP => {
            let addresses = read::addresses(ec2, filter("allocation-id", id)).await?;
            pick(id, addresses.iter().filter_map(convert::address))
        }
        NAT_GATEWAY => {
            let gateways = read::nat_gateways(ec2, filter("nat-gateway-id", id)).await?;
            pick(id, gateways.iter().filter_map(convert::nat_gateway))
        }
        ROUTE_TABLE => {
            let tables = read::route_tables(ec2, filter("route-table-id", id)).await?;
            pick(id, tables.iter().filter_map(convert::route_table))
        }
        ROUTE => {
            let (table_id, _) = split(ticket)?;
            let tables = read::route_tables(ec2, filter("route-table-id", table_id)).await?;
            let table = tables.iter().find(|table| table.route_table_id.as_deref() == Some(table_id));
            let routes = table.into_iter().flat_map(|table| table.routes.iter().flatten());
            pick(id, routes.filter_map(|route| convert::route(table_id, route)))
        }
        ROUTE_TABLE_ASSOCIATION => {
            let tables = read::route_tables(ec2, filter("association.route-table-association-id", id)).await?;
            let associations = tables.iter().flat_map(|table| {
                let table_id = table.route_table_id.as_deref().unwrap_or_default();
                table.associations.iter().flatten().filter_map(move |item| convert::association(table_id, item))
            });
            pick(id, associations)
        }
        kind => return Err(errors::bug("poll", format!("{kind} is not a kind of the network"))),
    })
}

/// The one with this identifier, in case the list has more than was asked for.
fn pick(id: &str, found: impl Iterator<Item = Found>) -> Option<Found> {
    found.into_iter().find(|found| found.physical_id == id)
}

fn split(ticket: &Ticket) -> Result<(&str, &str), ProviderError> {
    let unknown = || errors::bug("poll", format!("{} is not an identifier of {}", ticket.physical_id, ticket.resource));
    split_ids(&ticket.physical_id).ok_or_else(unknown)
}

fn creation(ticket: &Ticket, found: Option<Found>) -> Progress {
    // What was made a moment ago is not visible everywhere; the step's deadline bounds the wait.
    let Some(found) = found else { return Progress::Pending { state: "not visible yet".to_owned() } };
    match found.status {
        Status::Ready | Status::Degraded { .. } => Progress::Settled { outputs: found.outputs },
        Status::Pending { state } => Progress::Pending { state },
        Status::Deleting => Progress::Failed(failed(ticket, "somebody deletes it".to_owned())),
        Status::Failed { reason } => Progress::Failed(failed(ticket, reason)),
    }
}

fn deletion(found: Option<Found>) -> Progress {
    match found {
        None => Progress::Settled { outputs: Attributes::new() },
        Some(found) => match found.status {
            Status::Deleting => Progress::Pending { state: "deleting".to_owned() },
            Status::Pending { state } => Progress::Pending { state },
            Status::Ready => Progress::Pending { state: "still there".to_owned() },
            Status::Degraded { reason } | Status::Failed { reason } => Progress::Pending { state: reason },
        },
    }
}

fn failed(ticket: &Ticket, reason: String) -> ProviderError {
    // The reason begins with EC2's failure code.
    let code = reason.split(": ").next().filter(|code| !code.contains(' ')).map(str::to_owned);
    let kind = match code.as_deref() {
        Some("InsufficientFreeAddressesInSubnet") => ErrorKind::Capacity { what: ticket.resource.to_string() },
        _ => ErrorKind::Failed,
    };
    ProviderError { code, ..ProviderError::new(kind, format!("ec2:Create {}", ticket.resource.kind()), reason) }
}
