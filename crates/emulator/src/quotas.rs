//! Service Quotas: the ones that a cluster uses up.

use serde_json::{Value, json};

use crate::account::ACCOUNT_ID;
use crate::error::{Answer, ApiError};
use crate::wire::Request;

/// Service, code, name and value: the defaults, and on-demand instances as an account has them that is in use.
const QUOTAS: [(&str, &str, &str, f64); 5] = [
    ("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5.0),
    ("ec2", "L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 640.0),
    ("ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 640.0),
    ("eks", "L-1194D53C", "Clusters", 100.0),
    ("vpc", "L-F678F1CE", "VPCs per Region", 5.0),
];

/// Carries out an operation.
pub(crate) fn call(request: &Request) -> Answer {
    let text = |name: &str| request.parameters.get(name).and_then(Value::as_str).unwrap_or_default();
    match request.operation.name.as_str() {
        "GetServiceQuota" => {
            let (service, code) = (text("ServiceCode"), text("QuotaCode"));
            let found = QUOTAS.iter().find(|(own_service, own, ..)| *own_service == service && *own == code);
            let missing =
                || ApiError::new("NoSuchResourceException", "The request failed because the quota does not exist");
            let (_, _, name, value) = found.ok_or_else(missing)?;
            let region = &request.region;
            Ok(json!({ "Quota": {
                "ServiceCode": service,
                "ServiceName": service,
                "QuotaArn": format!("arn:aws:servicequotas:{region}:{ACCOUNT_ID}:{service}/{code}"),
                "QuotaCode": code,
                "QuotaName": name,
                "Value": value,
                "Unit": "None",
                "Adjustable": true,
                "GlobalQuota": false,
            } }))
        }
        other => Err(ApiError::internal(format!("{other} is not emulated"))),
    }
}
