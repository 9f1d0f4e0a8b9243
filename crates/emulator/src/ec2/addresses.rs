//! Elastic addresses.

use serde_json::{Value, json};

use crate::ec2::{Call, Kind, describe};
use crate::error::{Answer, ApiError};

/// How many there may be in a region: <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>.
const LIMIT: usize = 5;

pub(super) fn allocate(call: &mut Call<'_>) -> Answer {
    let tags = call.tags(Kind::Address)?;
    if call.ec2.all(Kind::Address).count() >= LIMIT {
        let message = "The maximum number of addresses has been reached.";
        return Err(ApiError::new("AddressLimitExceeded", message));
    }
    // Addresses for documentation (RFC 5737), so that nobody's are shown.
    let public = format!("203.0.113.{}", call.chance.below(256));
    let region = call.ec2.region.clone();
    let address =
        json!({ "PublicIp": public, "Domain": "vpc", "PublicIpv4Pool": "amazon", "NetworkBorderGroup": region });
    let (id, _) = call.add(Kind::Address, address, tags);
    Ok(json!({
        "AllocationId": id,
        "PublicIp": public,
        "Domain": "vpc",
        "PublicIpv4Pool": "amazon",
        "NetworkBorderGroup": region,
    }))
}

/// Takes an address away from what has it. NAT gateways, the only ones that have any here, give theirs back themselves.
pub(super) fn disassociate(call: &mut Call<'_>) -> Answer {
    let association = call.text("AssociationId");
    if call.ec2.with(Kind::Address, "AssociationId", association).next().is_some() {
        let message = "You do not have permission to access the specified resource.";
        return Err(ApiError::new("AuthFailure", message));
    }
    let message = format!("The association ID '{association}' does not exist");
    Err(ApiError::new("InvalidAssociationID.NotFound", message))
}

/// What is looked up backwards: nothing, for nobody has given an address a name.
pub(super) fn describe_attributes(call: &mut Call<'_>) -> Answer {
    let wanted = call.texts("AllocationIds");
    for id in &wanted {
        call.ec2.get(Kind::Address, id)?;
    }
    let found = call.ec2.all(Kind::Address).filter(|(id, _)| wanted.is_empty() || wanted.contains(&id.as_str()));
    let found: Vec<Value> =
        found.map(|(id, address)| json!({ "AllocationId": id, "PublicIp": address.text("PublicIp") })).collect();
    describe::page(call, "Addresses", &found)
}

pub(super) fn release(call: &mut Call<'_>) -> Answer {
    let id = call.text("AllocationId").to_owned();
    let address = call.ec2.get(Kind::Address, &id)?;
    if !address.text("AssociationId").is_empty() {
        let message = format!("Address {} is in use.", address.text("PublicIp"));
        return Err(ApiError::new("InvalidIPAddress.InUse", message));
    }
    call.ec2.remove(Kind::Address, &id)?;
    Ok(json!({}))
}
