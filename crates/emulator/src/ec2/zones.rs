//! Availability zones.

use serde_json::{Value, json};

use crate::ec2::Call;
use crate::error::{Answer, ApiError};

/// The letters of the zones of every emulated region.
pub(super) const LETTERS: [char; 3] = ['a', 'b', 'c'];

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    let region = &call.ec2.region;
    let zones: Vec<Value> = LETTERS.iter().map(|letter| zone(region, *letter)).collect();
    let (names, ids) = (call.texts("ZoneNames"), call.texts("ZoneIds"));
    let mut kept = Vec::new();
    for (members, wanted) in [("ZoneName", &names), ("ZoneId", &ids)] {
        for name in wanted {
            if !zones.iter().any(|zone| zone[members] == **name) {
                return Err(ApiError::new("InvalidParameterValue", format!("Invalid availability zone: [{name}]")));
            }
        }
    }
    for filter in call.parameters["Filters"].as_array().into_iter().flatten() {
        let name = filter["Name"].as_str().unwrap_or_default();
        let member = match name {
            "state" => "State",
            "zone-type" => "ZoneType",
            "opt-in-status" => "OptInStatus",
            "region-name" => "RegionName",
            "zone-name" => "ZoneName",
            "zone-id" => "ZoneId",
            _ => return Err(ApiError::new("InvalidParameterValue", format!("The filter '{name}' is invalid"))),
        };
        kept.push((member, filter["Values"].as_array().cloned().unwrap_or_default()));
    }
    let is_wanted = |zone: &Value| {
        (names.is_empty() || names.iter().any(|name| zone["ZoneName"] == **name))
            && (ids.is_empty() || ids.iter().any(|id| zone["ZoneId"] == **id))
            && kept.iter().all(|(member, values)| values.contains(&zone[*member]))
    };
    let zones: Vec<Value> = zones.into_iter().filter(is_wanted).collect();
    Ok(json!({ "AvailabilityZones": zones }))
}

/// The identifier of a zone, which is the same in every account.
pub(super) fn id_of(zone: &str) -> String {
    let (region, letter) = zone.split_at(zone.len() - 1);
    let number = LETTERS.iter().zip(1..).find(|(own, _)| letter.starts_with(**own)).map_or(0, |(_, number)| number);
    format!("{}-az{number}", short(region))
}

fn zone(region: &str, letter: char) -> Value {
    let name = format!("{region}{letter}");
    json!({
        "State": "available",
        "OptInStatus": "opt-in-not-required",
        "RegionName": region,
        "ZoneId": id_of(&name),
        "ZoneName": name,
        "GroupName": region,
        "NetworkBorderGroup": region,
        "ZoneType": "availability-zone",
        "Messages": [],
    })
}

/// The short name of a region in identifiers of zones: `use1` of `us-east-1`.
fn short(region: &str) -> String {
    let mut parts = region.split('-');
    let country = parts.next().unwrap_or_default();
    let rest: String = parts.filter_map(|part| part.chars().next()).collect();
    format!("{country}{rest}")
}
