//! Which resources a call names.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reference::REFERENCE;
use crate::account::{ACCOUNT_ID, Region};
use crate::iam::Iam;
use crate::wire::Request;

/// A resource as policies see it.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    pub(crate) arn: String,
    pub(crate) tags: BTreeMap<String, String>,
}

/// The resources of a type that a call names, as far as they exist or can be named before.
pub(super) fn named(request: &Request, region: &Region, iam: &Iam, resource_type: &str) -> Vec<Resource> {
    let parameters = &request.parameters;
    match request.service {
        "autoscaling" => region.autoscaling.named(parameters, &region.name),
        "ec2" => {
            let found = region.ec2.named(parameters, resource_type).into_iter();
            found.map(|(id, tags)| Resource { arn: arn(request, resource_type, &[&id]), tags }).collect()
        }
        "eks" => region.eks.named(parameters, resource_type).into_iter().collect(),
        "iam" if resource_type == "instance-profile" => {
            let name = parameters.get("InstanceProfileName").and_then(Value::as_str).unwrap_or_default();
            let path = parameters.get("Path").and_then(Value::as_str).unwrap_or("/");
            let arn = format!("arn:aws:iam::{ACCOUNT_ID}:instance-profile{path}{name}");
            vec![iam.named_profile(name).unwrap_or(Resource { arn, tags: BTreeMap::new() })]
        }
        "iam" => {
            let name = parameters.get("RoleName").and_then(Value::as_str).unwrap_or_default();
            let path = parameters.get("Path").and_then(Value::as_str).unwrap_or("/");
            let made =
                || Resource { arn: format!("arn:aws:iam::{ACCOUNT_ID}:role{path}{name}"), tags: BTreeMap::new() };
            vec![iam.named(name).unwrap_or_else(made)]
        }
        "s3" => in_s3(request, resource_type).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The bucket or the object that a call names.
pub(super) fn in_s3(request: &Request, resource_type: &str) -> Option<Resource> {
    let text = |name: &str| request.parameters.get(name).and_then(Value::as_str).unwrap_or_default();
    let known = match resource_type {
        "bucket" => vec![text("Bucket")],
        "object" => vec![text("Bucket"), text("Key")],
        _ => return None,
    };
    Some(Resource { arn: arn(request, resource_type, &known), tags: BTreeMap::new() })
}

/// What the ARN of a resource begins with that the call makes, or that does not exist: what EKS names by its cluster.
pub(super) fn unknown(request: &Request, resource_type: &str) -> Resource {
    let text = |name: &str| request.parameters.get(name).and_then(Value::as_str);
    let cluster = text("clusterName").or_else(|| text("name"));
    let known: Vec<&str> = match (request.service, resource_type) {
        ("eks", "nodegroup") => cluster.into_iter().chain(text("nodegroupName")).collect(),
        ("eks", "addon") => cluster.into_iter().chain(text("addonName")).collect(),
        ("eks", _) => cluster.into_iter().collect(),
        _ => Vec::new(),
    };
    Resource { arn: arn(request, resource_type, &known), tags: BTreeMap::new() }
}

/// The ARN of a resource of a type, with `*` for everything that is not known: `known` are its first parts.
fn arn(request: &Request, resource_type: &str, known: &[&str]) -> String {
    let template = REFERENCE.get(request.service).and_then(|service| service.arns.get(resource_type));
    let template = template.map_or("arn:${Partition}:${Service}:${Region}:${Account}:*", String::as_str);
    let mut known = known.iter();
    let mut parts = template.split("${");
    let mut arn = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        match name {
            "Partition" => arn.push_str("aws"),
            "Region" => arn.push_str(&request.region),
            "Account" => arn.push_str(ACCOUNT_ID),
            "Service" => arn.push_str(request.service),
            _ => arn.push_str(known.next().copied().unwrap_or("*")),
        }
        arn.push_str(rest);
    }
    arn
}
