//! Where instance types are offered: those of the current generations, in every zone.

use serde_json::{Value, json};

use crate::ec2::{Call, describe, zones};
use crate::error::{Answer, ApiError};

/// Families with their sizes: <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>.
const FAMILIES: [&str; 24] = [
    "c6a", "c6g", "c6i", "c7a", "c7g", "c7i", "c8g", "m6a", "m6g", "m6i", "m7a", "m7g", "m7i", "m8g", "r6a", "r6g",
    "r6i", "r7a", "r7g", "r7i", "r8g", "t3", "t3a", "t4g",
];
const SIZES: [&str; 7] = ["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge"];

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    let places: Vec<String> = match call.text("LocationType") {
        "" | "region" => vec![call.ec2.region.clone()],
        "availability-zone" => zones::LETTERS.iter().map(|letter| format!("{}{letter}", call.ec2.region)).collect(),
        other => {
            let message = format!("the location type {other} is not emulated");
            return Err(ApiError::new("InvalidParameterValue", message));
        }
    };
    let kind = if call.text("LocationType").is_empty() { "region" } else { call.text("LocationType") };
    let types = FAMILIES.iter().flat_map(|family| SIZES.iter().map(move |size| format!("{family}.{size}")));
    // Burstable types end at 2xlarge.
    let types = types
        .filter(|name| !name.starts_with('t') || name.split('.').nth(1).is_some_and(|size| SIZES[..3].contains(&size)));
    let mut found: Vec<Value> = types
        .flat_map(|name| places.iter().map(move |place| (name.clone(), place)))
        .map(|(name, place)| json!({ "InstanceType": name, "LocationType": kind, "Location": place }))
        .collect();
    for filter in call.parameters["Filters"].as_array().into_iter().flatten() {
        let member = match filter["Name"].as_str().unwrap_or_default() {
            "instance-type" => "InstanceType",
            "location" => "Location",
            other => return Err(ApiError::new("InvalidParameterValue", format!("The filter '{other}' is invalid"))),
        };
        let patterns: Vec<describe::Pattern> = filter["Values"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(describe::Pattern::read)
            .collect();
        let is_match = |text: &str| patterns.iter().any(|pattern| pattern.is_match(text));
        found.retain(|offering| offering[member].as_str().is_some_and(is_match));
    }
    describe::page(call, "InstanceTypeOfferings", &found)
}
