//! The permissions that a call needs, each on one resource.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reference::REFERENCE;
use super::resources::{self, Resource};
use crate::account::{ACCOUNT_ID, Region};
use crate::iam::Iam;
use crate::wire::Request;

/// A permission on a resource, with what conditions can ask for.
#[derive(Clone, Debug)]
pub(super) struct Need {
    /// As policies write it: `eks:CreateCluster`.
    pub(super) action: String,
    pub(super) arn: String,
    /// Values of condition keys.
    pub(super) keys: BTreeMap<String, String>,
}

impl Need {
    /// A permission on no resource in particular: only `*` matches such an ARN, or one that ends with it.
    pub(super) fn of_call(service: &str, action: &str) -> Self {
        let arn = format!("arn:aws:{service}::{ACCOUNT_ID}:*");
        Self { action: format!("{service}:{action}"), arn, keys: BTreeMap::new() }
    }

    fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.keys.insert(key.to_owned(), value.into());
        self
    }
}

/// The permissions that a call needs: those of its own name, and those of what it does besides.
pub(super) fn of(request: &Request, region: &Region, iam: &Iam) -> Vec<Need> {
    let call = Call { request, region, iam, request_tags: request_tags(request) };
    let mut needs = call.own();
    needs.extend(call.further());
    needs
}

struct Call<'a> {
    request: &'a Request,
    region: &'a Region,
    iam: &'a Iam,
    request_tags: BTreeMap<String, String>,
}

impl Call<'_> {
    fn text(&self, name: &str) -> &str {
        self.request.parameters.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The permissions of the call's own name.
    fn own(&self) -> Vec<Need> {
        let (service, operation) = (self.request.service, self.request.operation.name.as_str());
        let types = REFERENCE.get(service).and_then(|service| service.actions.get(operation));
        // A call that the reference does not know is on everything.
        let Some(types) = types else { return vec![Need::of_call(service, operation)] };
        let of_call = types.get("").is_some_and(|of_call| of_call.request_tags);
        let named = types.iter().filter(|(name, _)| !name.is_empty());
        let needs: Vec<Need> = named
            .flat_map(|(name, of_type)| {
                let makes = of_type.request_tags && !of_call && operation != "CreateTags" && operation != "DeleteTags";
                let found =
                    if makes { Vec::new() } else { resources::named(self.request, self.region, self.iam, name) };
                let is_missing = found.is_empty() && of_type.required;
                let found = found.into_iter().chain(is_missing.then(|| resources::unknown(self.request, name)));
                found.map(move |resource| self.need(operation, resource, of_call || of_type.request_tags))
            })
            .collect();
        if needs.is_empty() {
            let everything = Resource { arn: Need::of_call(service, operation).arn, tags: BTreeMap::new() };
            return vec![self.need(operation, everything, of_call)];
        }
        needs
    }

    fn need(&self, action: &str, resource: Resource, sees_request_tags: bool) -> Need {
        let service = self.request.service;
        let mut need = Need::of_call(service, action);
        need.arn = resource.arn;
        for (key, value) in resource.tags {
            need = need.with(&format!("aws:ResourceTag/{key}"), value.clone());
            need = need.with(&format!("{service}:ResourceTag/{key}"), value);
        }
        if sees_request_tags {
            for (key, value) in &self.request_tags {
                need = need.with(&format!("aws:RequestTag/{key}"), value);
            }
        }
        match (service, action) {
            // The only images that can be named are those of AWS.
            ("ec2", "RunInstances") if need.arn.contains(":image/") => need.with("ec2:Owner", "amazon"),
            ("iam", "AttachRolePolicy" | "DetachRolePolicy") => need.with("iam:PolicyARN", self.text("PolicyArn")),
            ("iam", "CreateRole" | "PutRolePermissionsBoundary") => match self.text("PermissionsBoundary") {
                "" => need,
                boundary => need.with("iam:PermissionsBoundary", boundary),
            },
            _ => need,
        }
    }

    /// What the call does besides, in the caller's name: tags what it makes, hands over roles, tries a launch template.
    fn further(&self) -> Vec<Need> {
        let operation = self.request.operation.name.as_str();
        match self.request.service {
            "ec2" => {
                let mut needs = self.tagged_in_ec2();
                needs.extend(self.passed_to_instance());
                needs
            }
            "eks" => {
                let mut needs: Vec<Need> =
                    ["roleArn", "nodeRole"].iter().filter_map(|name| self.passed(name)).collect();
                needs.extend(self.tried_template());
                if operation.starts_with("Create") && !self.request_tags.is_empty() {
                    needs.extend(self.tagged_in_eks());
                }
                needs
            }
            "iam" if operation == "CreateRole" => self.tagged_in_iam("role", "TagRole"),
            "iam" if operation == "CreateInstanceProfile" => {
                self.tagged_in_iam("instance-profile", "TagInstanceProfile")
            }
            "iam" if operation == "AddRoleToInstanceProfile" => {
                self.iam.named(self.text("RoleName")).map(|role| passed_to_ec2(role.arn)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn tagged_in_ec2(&self) -> Vec<Need> {
        let specifications = self.request.parameters.get("TagSpecifications").and_then(Value::as_array);
        let types =
            specifications.into_iter().flatten().filter_map(|specification| specification["ResourceType"].as_str());
        let tag = |name: &str| {
            let need = self.need("CreateTags", resources::unknown(self.request, name), true);
            need.with("ec2:CreateAction", self.request.operation.name.as_str())
        };
        types.map(tag).collect()
    }

    fn tagged_in_iam(&self, resource_type: &str, action: &str) -> Vec<Need> {
        if self.request_tags.is_empty() {
            return Vec::new();
        }
        let made = resources::named(self.request, self.region, self.iam, resource_type).into_iter();
        made.map(|made| self.need(action, made, true)).collect()
    }

    /// The role in the profile of an instance.
    fn passed_to_instance(&self) -> Option<Need> {
        let profile = self.request.parameters.get("IamInstanceProfile")?;
        let named = profile["Name"].as_str().or_else(|| profile["Arn"].as_str())?;
        let profile = self.iam.profile_of(named)?;
        Some(passed_to_ec2(profile["Roles"][0]["Arn"].as_str()?.to_owned()))
    }

    fn tagged_in_eks(&self) -> Option<Need> {
        let resource_type = match self.request.operation.name.as_str() {
            "CreateCluster" => "cluster",
            "CreateNodegroup" => "nodegroup",
            "CreateAddon" => "addon",
            "CreateAccessEntry" => "access-entry",
            "CreatePodIdentityAssociation" => "podidentityassociation",
            _ => return None,
        };
        Some(self.need("TagResource", resources::unknown(self.request, resource_type), true))
    }

    /// The role that a parameter names, and to which service it is handed over.
    fn passed(&self, parameter: &str) -> Option<Need> {
        let role = Some(self.text(parameter)).filter(|arn| !arn.is_empty())?;
        let service = match self.request.operation.name.as_str() {
            "CreateCluster" => "eks.amazonaws.com",
            "CreateNodegroup" => "ec2.amazonaws.com",
            "CreatePodIdentityAssociation" | "UpdatePodIdentityAssociation" => "pods.eks.amazonaws.com",
            _ => return None,
        };
        let need = Need { action: "iam:PassRole".to_owned(), arn: role.to_owned(), keys: BTreeMap::new() };
        Some(need.with("iam:PassedToService", service))
    }

    /// EKS tries whether the caller could start instances from a launch template (Amazon EKS user guide, launch templates).
    fn tried_template(&self) -> Option<Need> {
        let template = self.request.parameters.get("launchTemplate")?;
        let id = template["id"].as_str().or_else(|| template["name"].as_str())?;
        let of = |name: &str, id: &str| format!("arn:aws:ec2:{}:{ACCOUNT_ID}:{name}/{id}", self.region.name);
        let need = Need { action: "ec2:RunInstances".to_owned(), arn: of("instance", "*"), keys: BTreeMap::new() };
        Some(need.with("ec2:LaunchTemplate", of("launch-template", id)))
    }
}

fn passed_to_ec2(role: String) -> Need {
    let need = Need { action: "iam:PassRole".to_owned(), arn: role, keys: BTreeMap::new() };
    need.with("iam:PassedToService", "ec2.amazonaws.com")
}

/// The tags that the call gives, in whichever of the three forms of the services.
fn request_tags(request: &Request) -> BTreeMap<String, String> {
    let parameters = &request.parameters;
    let pair =
        |tag: &Value| Some((tag["Key"].as_str()?.to_owned(), tag["Value"].as_str().unwrap_or_default().to_owned()));
    let lists = parameters.get("TagSpecifications").and_then(Value::as_array);
    let specified = lists.into_iter().flatten().filter_map(|list| list["Tags"].as_array()).flatten();
    let listed = parameters.get("Tags").and_then(Value::as_array).into_iter().flatten();
    let map = parameters.get("tags").and_then(Value::as_object).into_iter().flatten();
    let mapped = map.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    specified.chain(listed).filter_map(pair).chain(mapped).collect()
}
