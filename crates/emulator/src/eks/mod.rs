//! Amazon EKS: control planes, node groups, add-ons, access.
//!
//! Objects are kept as their `Describe…` operation shows them. Durations are those of published logs (median and spread).

mod access;
mod addons;
mod associations;
mod clusters;
pub(crate) mod inside;
mod nodegroups;
mod tags;
mod updates;
mod versions;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::account::{ACCOUNT_ID, Chance, Region, after};
use crate::authorization::Resource;
use crate::ec2;
use crate::error::{Answer, ApiError};
use crate::iam::Iam;
use crate::invariants::{Made, Protection, Tags};
use crate::kubernetes::Kubernetes;
use crate::transitions::{Changing, Needs};
use crate::wire::Request;

pub(crate) use clusters::OWNER_TAG;

/// What EKS knows in a region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Eks {
    clusters: BTreeMap<String, Cluster>,
    /// What was answered for a token that makes a call safe to repeat, by operation and token.
    tokens: BTreeMap<(String, String), (Value, Value)>,
}

/// A cluster with everything that belongs to it.
#[derive(Clone, Debug)]
struct Cluster {
    own: Object,
    nodegroups: BTreeMap<String, Object>,
    addons: BTreeMap<String, Object>,
    /// By principal.
    entries: BTreeMap<String, Entry>,
    /// Pod identity associations by identifier.
    associations: BTreeMap<String, Object>,
    updates: BTreeMap<String, Object>,
    /// What its address ends with.
    endpoint: String,
    /// What is behind it. Absent only while it is worked on.
    kubernetes: Option<Kubernetes>,
}

/// An access entry with its policies, by ARN.
#[derive(Clone, Debug)]
struct Entry {
    own: Object,
    policies: BTreeMap<String, Value>,
}

/// One object, as it is described.
#[derive(Clone, Debug)]
struct Object {
    value: Map<String, Value>,
    /// When it becomes what it is on its way to.
    change: Option<(Timestamp, Change)>,
}

/// What becomes of an object by itself.
#[derive(Clone, Debug)]
enum Change {
    /// These members get these values.
    Becomes(Map<String, Value>),
    /// It disappears.
    Gone,
}

/// What an operation is carried out with.
struct Call<'a> {
    region: &'a mut Region,
    iam: &'a Iam,
    chance: &'a mut Chance,
    now: Timestamp,
    parameters: &'a Value,
}

impl Object {
    fn new(value: Value) -> Self {
        let value = match value {
            Value::Object(value) => value,
            _ => Map::new(),
        };
        Self { value, change: None }
    }

    fn text(&self, member: &str) -> &str {
        self.value.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    fn arn(&self) -> Option<&str> {
        let names = ["arn", "nodegroupArn", "addonArn", "associationArn", "accessEntryArn"];
        names.iter().find_map(|name| self.value.get(*name)?.as_str())
    }

    fn status(&self) -> &str {
        self.text("status")
    }

    /// The object as policies see it.
    fn resource(&self) -> Option<Resource> {
        let tags = self.value.get("tags").and_then(Value::as_object).into_iter().flatten();
        let tags = tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        Some(Resource { arn: self.arn()?.to_owned(), tags: tags.collect() })
    }

    fn changing(&self, needs: Needs) -> Option<Changing> {
        let (end, change) = self.change.as_ref()?;
        let needs = if matches!(change, Change::Gone) { Needs::Nothing } else { needs };
        Some(Changing { tags: self.resource()?.tags, end: *end, needs })
    }

    fn set(&mut self, member: &str, value: impl Into<Value>) {
        self.value.insert(member.to_owned(), value.into());
    }

    fn described(&self) -> Value {
        Value::Object(self.value.clone())
    }

    /// Lets it become what it has become by `now`; whether it is still there.
    fn pass_time(&mut self, now: Timestamp) -> bool {
        match self.change.take_if(|(when, _)| *when <= now) {
            Some((_, Change::Becomes(members))) => {
                self.value.extend(members);
                true
            }
            Some((_, Change::Gone)) => false,
            None => true,
        }
    }
}

impl Cluster {
    /// The cluster itself and everything that belongs to it and has an ARN.
    fn objects(&self) -> impl Iterator<Item = &Object> {
        let entries = self.entries.values().map(|entry| &entry.own);
        let others = self.nodegroups.values().chain(self.addons.values()).chain(self.associations.values());
        std::iter::once(&self.own).chain(others).chain(entries)
    }

    fn protection(&self) -> Protection {
        let own = &self.own.value;
        let network = &own["resourcesVpcConfig"];
        let is_public = network["endpointPublicAccess"] == json!(true);
        let open_to = network["publicAccessCidrs"].as_array().into_iter().flatten().filter(|_| is_public);
        Protection {
            from_deletion: own["deletionProtection"] == json!(true),
            encrypted: own.get("encryptionConfig").and_then(Value::as_array).is_some_and(|given| !given.is_empty()),
            open_to: open_to.filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }
}

impl Eks {
    /// How many objects there are of each kind.
    pub(crate) fn inventory(&self) -> [(&'static str, usize); 5] {
        let sum = |count: fn(&Cluster) -> usize| self.clusters.values().map(count).sum();
        [
            ("cluster", self.clusters.len()),
            ("node group", sum(|cluster| cluster.nodegroups.len())),
            ("add-on", sum(|cluster| cluster.addons.len())),
            ("access entry", sum(|cluster| cluster.entries.len())),
            ("pod identity association", sum(|cluster| cluster.associations.len())),
        ]
    }

    fn objects(&self) -> impl Iterator<Item = &Object> {
        self.clusters.values().flat_map(Cluster::objects)
    }

    /// The ARN of every object.
    pub(crate) fn identifiers(&self) -> impl Iterator<Item = &str> {
        self.objects().filter_map(Object::arn)
    }

    /// An object by its ARN.
    pub(crate) fn described(&self, arn: &str) -> Option<Value> {
        self.objects().find(|object| object.arn() == Some(arn)).map(Object::described)
    }

    /// What a customer makes: not who is let in without being asked for.
    pub(crate) fn made(&self) -> impl Iterator<Item = Made<'_>> {
        let is_made =
            |object: &&Object| object.status() != "DELETING" && matches!(object.text("type"), "" | "STANDARD");
        self.objects().filter(is_made).filter_map(|object| {
            let tags = object.value.get("tags").and_then(Value::as_object);
            Some(Made { id: object.arn()?, tags: Tags::Json(tags) })
        })
    }

    /// How well each control plane is protected, by ARN.
    pub(crate) fn protections(&self) -> impl Iterator<Item = (String, Protection)> {
        self.clusters.values().filter_map(|cluster| Some((cluster.own.arn()?.to_owned(), cluster.protection())))
    }

    /// The object of a type, by the name in its ARN, that a call names.
    pub(crate) fn named(&self, parameters: &Value, resource_type: &str) -> Option<Resource> {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        if let Some(arn) = text("resourceArn") {
            let is_of_type = arn.contains(&format!(":{resource_type}/"));
            return self.objects().find(|object| is_of_type && object.arn() == Some(arn))?.resource();
        }
        let cluster = self.clusters.get(text("clusterName").or_else(|| text("name"))?)?;
        let object = match resource_type {
            "cluster" => Some(&cluster.own),
            "nodegroup" => cluster.nodegroups.get(text("nodegroupName")?),
            "addon" => cluster.addons.get(text("addonName")?),
            "access-entry" => cluster.entries.get(text("principalArn")?).map(|entry| &entry.own),
            "podidentityassociation" => cluster.associations.get(text("associationId")?),
            _ => None,
        };
        object?.resource()
    }

    fn cluster(&self, name: &str) -> Result<&Cluster, ApiError> {
        self.clusters.get(name).ok_or_else(|| not_found(format!("No cluster found for name: {name}.")))
    }

    fn cluster_mut(&mut self, name: &str) -> Result<&mut Cluster, ApiError> {
        self.clusters.get_mut(name).ok_or_else(|| not_found(format!("No cluster found for name: {name}.")))
    }

    /// What becomes something else.
    pub(crate) fn changing(&self) -> impl Iterator<Item = Changing> {
        self.clusters.values().flat_map(|cluster| {
            let groups = cluster.nodegroups.values().map(|group| {
                let has_nodes = group.value["scalingConfig"]["desiredSize"] != json!(0);
                (group, if has_nodes { Needs::AreNodes } else { Needs::Nothing })
            });
            let addons = cluster.addons.iter().map(|(name, addon)| {
                let needs = if versions::needs_nodes(name) { Needs::Nodes } else { Needs::Nothing };
                (addon, needs)
            });
            let all = std::iter::once((&cluster.own, Needs::Nothing)).chain(groups).chain(addons);
            all.filter_map(|(object, needs)| object.changing(needs))
        })
    }

    /// Lets everything become what it has become by `now`.
    pub(crate) fn pass_time(region: &mut Region, chance: &mut Chance, now: Timestamp) {
        let names: Vec<String> = region.eks.clusters.keys().cloned().collect();
        for name in names {
            let Some(cluster) = region.eks.clusters.get_mut(&name) else { continue };
            let is_there = cluster.own.pass_time(now);
            for group in cluster.nodegroups.values() {
                if let Some((when, Change::Becomes(members))) = &group.change
                    && *when <= now
                    && members.contains_key("releaseVersion")
                {
                    nodegroups::renew(&mut region.autoscaling, group, *when, chance);
                }
            }
            let gone: Vec<String> = cluster
                .nodegroups
                .iter_mut()
                .filter_map(|(own, group)| (!group.pass_time(now)).then(|| own.clone()))
                .collect();
            cluster.updates.retain(|_, update| update.pass_time(now));
            addons::pass_time(cluster, now);
            for group in gone {
                if let Some(group) = cluster.nodegroups.remove(&group) {
                    nodegroups::take_back(&mut region.autoscaling, &group);
                }
            }
            if !is_there {
                clusters::take_back(&mut region.ec2, &name);
                region.eks.clusters.remove(&name);
            }
            inside::with(region, chance, &name, |kubernetes, cloud| kubernetes.pass_time(now, cloud));
        }
    }
}

impl Call<'_> {
    fn text(&self, name: &str) -> &str {
        self.parameters.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The cluster that the call names.
    fn cluster(&self) -> Result<&Cluster, ApiError> {
        let name = self.parameters.get("clusterName").or_else(|| self.parameters.get("name"));
        self.region.eks.cluster(name.and_then(Value::as_str).unwrap_or_default())
    }

    fn cluster_mut(&mut self) -> Result<&mut Cluster, ApiError> {
        let name = self.parameters.get("clusterName").or_else(|| self.parameters.get("name"));
        self.region.eks.cluster_mut(name.and_then(Value::as_str).unwrap_or_default())
    }

    /// The cluster that the call names, if it takes changes.
    fn active_cluster(&self) -> Result<&Cluster, ApiError> {
        let cluster = self.cluster()?;
        match cluster.own.status() {
            "ACTIVE" => Ok(cluster),
            "UPDATING" => Err(in_use(format!("Cluster {} has an update in progress", cluster.own.text("name")))),
            status => {
                let message = format!("Cluster {} is {status}, not ACTIVE", cluster.own.text("name"));
                Err(ApiError::new("InvalidRequestException", message))
            }
        }
    }

    /// The role of an ARN, which a service must be allowed to take on.
    fn check_role(&self, arn: &str, service: &str) -> Result<(), ApiError> {
        if self.iam.trusts(arn, service) {
            return Ok(());
        }
        let message = format!(
            "Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct"
        );
        Err(invalid(message))
    }

    fn arn(&self, kind: &str, rest: &str) -> String {
        format!("arn:aws:eks:{}:{ACCOUNT_ID}:{kind}/{rest}", self.region.name)
    }

    /// Members of the request, as they are, under the same names.
    fn given(&self, names: &[&str]) -> Map<String, Value> {
        let given = names.iter().filter_map(|name| Some(((*name).to_owned(), self.parameters.get(*name)?.clone())));
        given.collect()
    }

    /// The part of a list that the call asks for.
    fn page(&self, list: &str, items: &[Value]) -> Answer {
        let start = match self.parameters.get("nextToken").and_then(Value::as_str) {
            Some(token) => {
                let decoded = STANDARD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let unknown = || invalid("The nextToken is not valid");
                decoded.and_then(|text| text.parse::<usize>().ok()).ok_or_else(unknown)?
            }
            None => 0,
        };
        let size =
            self.parameters.get("maxResults").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
        let end = items.len().min(start.saturating_add(size.unwrap_or(100)));
        let mut answer = json!({ list: items.get(start..end).unwrap_or_default() });
        if end < items.len() {
            answer["nextToken"] = json!(STANDARD.encode(end.to_string()));
        }
        Ok(answer)
    }
}

fn not_found(message: String) -> ApiError {
    ApiError::new("ResourceNotFoundException", message)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}

fn in_use(message: String) -> ApiError {
    ApiError::new("ResourceInUseException", message)
}

/// The names of a map, as a list.
fn names<T>(map: &BTreeMap<String, T>) -> Vec<Value> {
    map.keys().map(|name| json!(name)).collect()
}

/// Carries out an operation.
pub(crate) fn call(request: &Request, region: &mut Region, iam: &Iam, chance: &mut Chance, now: Timestamp) -> Answer {
    let operation = request.operation.name.as_str();
    let token = request.parameters.get("clientRequestToken").and_then(Value::as_str);
    let key = token.map(|token| (operation.to_owned(), token.to_owned()));
    if let Some((parameters, answered)) = key.as_ref().and_then(|key| region.eks.tokens.get(key)) {
        if *parameters == request.parameters {
            return Ok(answered.clone());
        }
        let message = "The client request token was used with other parameters before";
        return Err(invalid(message));
    }
    let mut call = Call { region, iam, chance, now, parameters: &request.parameters };
    let answered = carry_out(&mut call, operation)?;
    if let Some(key) = key {
        call.region.eks.tokens.insert(key, (request.parameters.clone(), answered.clone()));
    }
    Ok(answered)
}

/// How long EKS tries to get instances before it gives up: the failures in published logs took from a quarter to half of an hour.
const GIVES_UP_SECS: f64 = 1200.0;

/// Lets what a call has just begun fail after a while, with the codes of the API for such ends.
pub(crate) fn fail_later(request: &Request, region: &mut Region, chance: &mut Chance, now: Timestamp) {
    let text = |name: &str| request.parameters[name].as_str().unwrap_or_default();
    let cluster_name = if text("clusterName").is_empty() { text("name") } else { text("clusterName") };
    let Some(cluster) = region.eks.clusters.get_mut(cluster_name) else { return };
    let (object, status, code, message) = match request.operation.name.as_str() {
        "CreateNodegroup" => {
            let group = cluster.nodegroups.get_mut(text("nodegroupName"));
            let message = "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient \
                           capacity in the Availability Zone you requested.";
            if let Some(name) =
                group.as_ref().and_then(|group| group.value["resources"]["autoScalingGroups"][0]["name"].as_str())
            {
                region.autoscaling.set_desired(name, 0, now, chance);
            }
            (group, "CREATE_FAILED", "AsgInstanceLaunchFailures", message)
        }
        "CreateAddon" => {
            let addon = cluster.addons.get_mut(text("addonName"));
            (addon, "CREATE_FAILED", "InternalFailure", "The add-on could not be installed.")
        }
        "CreateCluster" => {
            (Some(&mut cluster.own), "FAILED", "InternalFailure", "The control plane could not be made.")
        }
        _ => return,
    };
    let Some(object) = object else { return };
    let when = after(now, chance.duration(GIVES_UP_SECS, 0.2));
    let issues = json!({ "issues": [{ "code": code, "message": message, "resourceIds": [] }] });
    let becomes = [("status".to_owned(), json!(status)), ("health".to_owned(), issues)];
    object.change = Some((when, Change::Becomes(becomes.into_iter().collect())));
}

/// Lets the network add-on leave an interface of the node group that is being removed.
pub(crate) fn leave_interface(request: &Request, region: &mut Region, chance: &mut Chance) {
    let text = |name: &str| request.parameters[name].as_str().unwrap_or_default();
    let name = text("clusterName");
    let Some(cluster) = region.eks.clusters.get(name) else { return };
    let Some(group) = cluster.nodegroups.get(text("nodegroupName")) else { return };
    let shared =
        cluster.own.value["resourcesVpcConfig"]["clusterSecurityGroupId"].as_str().unwrap_or_default().to_owned();
    let subnet = group.value["subnets"][0].as_str().unwrap_or_default().to_owned();
    ec2::leave_interface(region, chance, &subnet, name, &shared);
}

fn carry_out(call: &mut Call<'_>, operation: &str) -> Answer {
    match operation {
        "CreateCluster" => clusters::create(call),
        "DescribeCluster" => Ok(json!({ "cluster": call.cluster()?.own.described() })),
        "ListClusters" => call.page("clusters", &names(&call.region.eks.clusters)),
        "UpdateClusterConfig" => clusters::update(call),
        "UpdateClusterVersion" => clusters::update_version(call),
        "DeleteCluster" => clusters::delete(call),
        "CreateNodegroup" => nodegroups::create(call),
        "DescribeNodegroup" => nodegroups::describe(call),
        "ListNodegroups" => call.page("nodegroups", &names(&call.cluster()?.nodegroups)),
        "UpdateNodegroupConfig" => nodegroups::update(call),
        "UpdateNodegroupVersion" => nodegroups::update_version(call),
        "DeleteNodegroup" => nodegroups::delete(call),
        "CreateAddon" => addons::create(call),
        "DescribeAddon" => addons::describe(call),
        "ListAddons" => call.page("addons", &names(&call.cluster()?.addons)),
        "UpdateAddon" => addons::update(call),
        "DeleteAddon" => addons::delete(call),
        "CreateAccessEntry" => access::create(call),
        "DescribeAccessEntry" => access::describe(call),
        "ListAccessEntries" => call.page("accessEntries", &names(&call.cluster()?.entries)),
        "DeleteAccessEntry" => access::delete(call),
        "AssociateAccessPolicy" => access::associate(call),
        "DisassociateAccessPolicy" => access::disassociate(call),
        "ListAssociatedAccessPolicies" => access::list_policies(call),
        "CreatePodIdentityAssociation" => associations::create(call),
        "DescribePodIdentityAssociation" => associations::describe(call),
        "ListPodIdentityAssociations" => associations::list(call),
        "UpdatePodIdentityAssociation" => associations::update(call),
        "DeletePodIdentityAssociation" => associations::delete(call),
        "DescribeUpdate" => updates::describe(call),
        "DescribeClusterVersions" => versions::clusters(call),
        "DescribeAddonVersions" => versions::addons(call),
        "TagResource" => tags::tag(call),
        "UntagResource" => tags::untag(call),
        other => Err(ApiError::internal(format!("{other} is not emulated"))),
    }
}
