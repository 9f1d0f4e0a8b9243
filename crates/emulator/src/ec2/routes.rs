//! Route tables, their routes, and which subnets use them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::account::ACCOUNT_ID;
use crate::ec2::vpcs::network_of;
use crate::ec2::{Call, Ec2, Kind, Object, in_use, vpcs};
use crate::error::{Answer, ApiError};

/// The targets of routes that are emulated.
const TARGETS: [(&str, Kind); 2] = [("GatewayId", Kind::InternetGateway), ("NatGatewayId", Kind::NatGateway)];

/// Adds a table with the route to its own network.
pub(super) fn table(call: &mut Call<'_>, vpc: &str) -> Result<String, ApiError> {
    let tags = if call.operation == "CreateRouteTable" { call.tags(Kind::RouteTable)? } else { BTreeMap::new() };
    let network = network_of(call.ec2.get(Kind::Vpc, vpc)?)?;
    let table = json!({
        "OwnerId": ACCOUNT_ID,
        "VpcId": vpc,
        "Associations": [],
        "PropagatingVgws": [],
        "Routes": [{
            "DestinationCidrBlock": network.to_string(),
            "GatewayId": "local",
            "Origin": "CreateRouteTable",
            "State": "active",
        }],
    });
    Ok(call.add(Kind::RouteTable, table, tags).0)
}

pub(super) fn create_table(call: &mut Call<'_>) -> Answer {
    let vpc = call.text("VpcId").to_owned();
    let id = table(call, &vpc)?;
    Ok(json!({ "RouteTable": call.ec2.get(Kind::RouteTable, &id)?.described() }))
}

pub(super) fn is_main(table: &Object) -> bool {
    table.list("Associations").iter().any(|association| association["Main"] == true)
}

pub(super) fn delete_table(call: &mut Call<'_>) -> Answer {
    let id = call.text("RouteTableId").to_owned();
    if !call.ec2.get(Kind::RouteTable, &id)?.list("Associations").is_empty() {
        return Err(in_use(format!("The routeTable '{id}' has dependencies and cannot be deleted.")));
    }
    call.ec2.remove(Kind::RouteTable, &id)?;
    Ok(json!({}))
}

/// The route that the call describes: where to, and by what.
fn route(call: &Call<'_>) -> Result<(String, Value), ApiError> {
    let to = vpcs::network(call.text("DestinationCidrBlock"))?.to_string();
    let given: Vec<(&str, Kind)> = TARGETS.into_iter().filter(|(name, _)| !call.text(name).is_empty()).collect();
    let [(name, kind)] = given[..] else {
        let message = "exactly one target that is emulated must be given: GatewayId or NatGatewayId";
        return Err(ApiError::new("InvalidParameterCombination", message));
    };
    let target = call.text(name);
    call.ec2.get(kind, target)?;
    let route = json!({ "DestinationCidrBlock": to, name: target, "Origin": "CreateRoute", "State": "active" });
    Ok((to, route))
}

pub(super) fn create_route(call: &mut Call<'_>) -> Answer {
    let (to, route) = route(call)?;
    let routes = routes_of(call)?;
    if routes.iter().any(|route| route["DestinationCidrBlock"] == *to) {
        let message = format!("The route identified by {to} already exists.");
        return Err(ApiError::new("RouteAlreadyExists", message));
    }
    routes.push(route);
    Ok(json!({ "Return": true }))
}

pub(super) fn replace_route(call: &mut Call<'_>) -> Answer {
    let (to, route) = route(call)?;
    let place = routes_of(call)?.iter_mut().find(|route| route["DestinationCidrBlock"] == *to);
    *place.ok_or_else(|| no_route(&to))? = route;
    Ok(json!({}))
}

pub(super) fn delete_route(call: &mut Call<'_>) -> Answer {
    let to = vpcs::network(call.text("DestinationCidrBlock"))?.to_string();
    let routes = routes_of(call)?;
    let place = routes.iter().position(|route| route["DestinationCidrBlock"] == *to).ok_or_else(|| no_route(&to))?;
    if routes[place]["GatewayId"] == "local" {
        return Err(ApiError::new("InvalidParameterValue", "cannot remove local route in the table"));
    }
    routes.remove(place);
    Ok(json!({}))
}

fn routes_of<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Vec<Value>, ApiError> {
    let id = call.parameters["RouteTableId"].as_str().unwrap_or_default();
    Ok(call.ec2.get_mut(Kind::RouteTable, id)?.list_mut("Routes"))
}

fn no_route(to: &str) -> ApiError {
    ApiError::new("InvalidRoute.NotFound", format!("no route with destination-cidr-block {to} in route table"))
}

/// Lets a subnet use a table, or makes the table the main one when there is no subnet.
pub(super) fn add_association(call: &mut Call<'_>, table: &str, subnet: Option<&str>) -> Result<String, ApiError> {
    let id = call.chance.id("rtbassoc");
    let mut association = json!({
        "RouteTableAssociationId": id,
        "RouteTableId": table,
        "Main": subnet.is_none(),
        "AssociationState": { "State": "associated" },
    });
    if let Some(subnet) = subnet {
        association["SubnetId"] = json!(subnet);
    }
    call.ec2.get_mut(Kind::RouteTable, table)?.list_mut("Associations").push(association);
    Ok(id)
}

pub(super) fn associate(call: &mut Call<'_>) -> Answer {
    let (table, subnet) = (call.text("RouteTableId").to_owned(), call.text("SubnetId").to_owned());
    call.ec2.get(Kind::RouteTable, &table)?;
    call.ec2.get(Kind::Subnet, &subnet)?;
    let existing = call.ec2.all(Kind::RouteTable).find_map(|(own, found)| {
        let association = found.list("Associations").iter().find(|association| association["SubnetId"] == *subnet)?;
        Some((own.clone(), association["RouteTableAssociationId"].clone()))
    });
    let id = match existing {
        // The same once more is answered like the first time.
        Some((own, id)) if own == table => id,
        Some(_) => {
            let message =
                format!("the specified association for subnet {subnet} conflicts with an existing association");
            return Err(ApiError::new("Resource.AlreadyAssociated", message));
        }
        None => json!(add_association(call, &table, Some(&subnet))?),
    };
    Ok(json!({ "AssociationId": id, "AssociationState": { "State": "associated" } }))
}

pub(super) fn replace_association(call: &mut Call<'_>) -> Answer {
    let (id, table) = (call.text("AssociationId").to_owned(), call.text("RouteTableId").to_owned());
    call.ec2.get(Kind::RouteTable, &table)?;
    let subnet = remove_association(call, &id)?["SubnetId"].as_str().map(str::to_owned);
    let new = add_association(call, &table, subnet.as_deref())?;
    Ok(json!({ "NewAssociationId": new, "AssociationState": { "State": "associated" } }))
}

pub(super) fn disassociate(call: &mut Call<'_>) -> Answer {
    let id = call.text("AssociationId").to_owned();
    let is_main = call.ec2.all(Kind::RouteTable).any(|(_, table)| {
        table.list("Associations").iter().any(|own| own["RouteTableAssociationId"] == *id && own["Main"] == true)
    });
    if is_main {
        let message = "cannot disassociate the main route table association";
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    remove_association(call, &id)?;
    Ok(json!({}))
}

fn remove_association(call: &mut Call<'_>, id: &str) -> Answer {
    let tables: Vec<String> = call.ec2.all(Kind::RouteTable).map(|(own, _)| own.clone()).collect();
    for table in tables {
        let associations = call.ec2.get_mut(Kind::RouteTable, &table)?.list_mut("Associations");
        if let Some(place) = associations.iter().position(|own| own["RouteTableAssociationId"] == *id) {
            return Ok(associations.remove(place));
        }
    }
    let message = format!("The association ID '{id}' does not exist");
    Err(ApiError::new("InvalidAssociationID.NotFound", message))
}

/// Removes the association of the subnet that the call deletes.
pub(super) fn forget_subnet(call: &mut Call<'_>) {
    let subnet = call.text("SubnetId").to_owned();
    for table in call.ec2.objects.get_mut(&Kind::RouteTable).into_iter().flat_map(BTreeMap::values_mut) {
        table.list_mut("Associations").retain(|association| association["SubnetId"] != *subnet);
    }
}

/// The route table or the subnet of an association.
pub(super) fn associated(ec2: &Ec2, id: &str, kind: Kind) -> Option<String> {
    let associations = ec2.all(Kind::RouteTable).flat_map(|(_, table)| table.list("Associations"));
    let found = { associations }.find(|association| association["RouteTableAssociationId"] == *id)?;
    match kind {
        Kind::RouteTable | Kind::Subnet => found[kind.id()].as_str().map(str::to_owned),
        _ => None,
    }
}
