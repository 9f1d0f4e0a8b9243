//! Amazon EC2, as far as a cluster needs it: networks, and what nodes are made from.
//!
//! Objects are kept as their `Describe…` operation shows them, with their tags apart.

mod addresses;
mod describe;
mod existing;
mod gateways;
mod instances;
mod interfaces;
mod launch_templates;
mod of_clusters;
mod offerings;
mod routes;
mod security_groups;
mod subnets;
mod tags;
mod vpcs;
mod zones;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::account::Chance;
use crate::eks::OWNER_TAG;
use crate::error::{Answer, ApiError};
use crate::iam::Iam;
use crate::invariants::{Made, Tags};
use crate::transitions::{Changing, Needs};
use crate::wire::Request;

pub use existing::ExistingNetwork;
pub(crate) use interfaces::{cluster_interface, leave_interface};
pub(crate) use of_clusters::cluster_security_group;

/// What EC2 knows in a region.
#[derive(Clone, Debug)]
pub(crate) struct Ec2 {
    region: String,
    objects: BTreeMap<Kind, BTreeMap<String, Object>>,
    /// What was answered for a token that makes a call safe to repeat, by operation and token.
    tokens: BTreeMap<(String, String), (Value, Value)>,
}

/// The kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Vpc,
    Subnet,
    InternetGateway,
    Address,
    NatGateway,
    RouteTable,
    SecurityGroup,
    NetworkAcl,
    NetworkInterface,
    LaunchTemplate,
    Instance,
    Volume,
}

/// One object, as it is described.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) value: Map<String, Value>,
    pub(crate) tags: BTreeMap<String, String>,
    /// What is asked for and changed one at a time: the attributes of a VPC.
    pub(crate) attributes: BTreeMap<&'static str, bool>,
    /// The versions of a launch template, the oldest first.
    pub(crate) versions: Vec<Value>,
    /// When it becomes what it is on its way to.
    pub(crate) change: Option<(Timestamp, Change)>,
}

/// What becomes of an object by itself.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Its member `State` changes.
    State(&'static str),
    /// It disappears.
    Gone,
}

/// What an operation is carried out with.
pub(crate) struct Call<'a> {
    pub(crate) ec2: &'a mut Ec2,
    pub(crate) chance: &'a mut Chance,
    /// The roles that instances take on are IAM's.
    pub(crate) iam: &'a Iam,
    pub(crate) now: Timestamp,
    pub(crate) operation: &'a str,
    pub(crate) parameters: &'a Value,
    /// The identifier of what the call makes first, when it is known before.
    pub(crate) id: Option<String>,
}

/// Whether a text is the identifier of an object of EC2.
pub(crate) fn is_id(text: &str) -> bool {
    Kind::of(text).is_some()
}

impl Kind {
    /// The kind of the object with an identifier.
    fn of(id: &str) -> Option<Self> {
        let is_of = |kind: &Self| id.strip_prefix(kind.names().1).is_some_and(|rest| rest.starts_with('-'));
        Self::ALL.into_iter().find(is_of)
    }

    const ALL: [Self; 12] = [
        Self::Vpc,
        Self::Subnet,
        Self::InternetGateway,
        Self::Address,
        Self::NatGateway,
        Self::RouteTable,
        Self::SecurityGroup,
        Self::NetworkAcl,
        Self::NetworkInterface,
        Self::LaunchTemplate,
        Self::Instance,
        Self::Volume,
    ];

    /// The type in tag specifications, and how its identifiers begin.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Vpc => ("vpc", "vpc"),
            Self::Subnet => ("subnet", "subnet"),
            Self::InternetGateway => ("internet-gateway", "igw"),
            Self::Address => ("elastic-ip", "eipalloc"),
            Self::NatGateway => ("natgateway", "nat"),
            Self::RouteTable => ("route-table", "rtb"),
            Self::SecurityGroup => ("security-group", "sg"),
            Self::NetworkAcl => ("network-acl", "acl"),
            Self::NetworkInterface => ("network-interface", "eni"),
            Self::LaunchTemplate => ("launch-template", "lt"),
            Self::Instance => ("instance", "i"),
            Self::Volume => ("volume", "vol"),
        }
    }

    /// The member that identifies an object.
    fn id(self) -> &'static str {
        match self {
            Self::Vpc => "VpcId",
            Self::Subnet => "SubnetId",
            Self::InternetGateway => "InternetGatewayId",
            Self::Address => "AllocationId",
            Self::NatGateway => "NatGatewayId",
            Self::RouteTable => "RouteTableId",
            Self::SecurityGroup => "GroupId",
            Self::NetworkAcl => "NetworkAclId",
            Self::NetworkInterface => "NetworkInterfaceId",
            Self::LaunchTemplate => "LaunchTemplateId",
            Self::Instance => "InstanceId",
            Self::Volume => "VolumeId",
        }
    }

    /// The code of the error that says that one does not exist.
    fn not_found(self) -> &'static str {
        match self {
            Self::Vpc => "InvalidVpcID.NotFound",
            Self::Subnet => "InvalidSubnetID.NotFound",
            Self::InternetGateway => "InvalidInternetGatewayID.NotFound",
            Self::Address => "InvalidAllocationID.NotFound",
            Self::NatGateway => "NatGatewayNotFound",
            Self::RouteTable => "InvalidRouteTableID.NotFound",
            Self::SecurityGroup => "InvalidGroup.NotFound",
            Self::NetworkAcl => "InvalidNetworkAclID.NotFound",
            Self::NetworkInterface => "InvalidNetworkInterfaceID.NotFound",
            Self::LaunchTemplate => "InvalidLaunchTemplateId.NotFound",
            Self::Instance => "InvalidInstanceID.NotFound",
            Self::Volume => "InvalidVolume.NotFound",
        }
    }
}

impl Ec2 {
    pub(crate) fn new(region: &str) -> Self {
        Self { region: region.to_owned(), objects: BTreeMap::new(), tokens: BTreeMap::new() }
    }

    /// Lets everything become what it has become by `now`.
    pub(crate) fn pass_time(&mut self, now: Timestamp) {
        for objects in self.objects.values_mut() {
            objects.retain(|_, object| match &object.change {
                Some((when, Change::Gone)) => *when > now,
                Some(_) | None => true,
            });
            for object in objects.values_mut() {
                if let Some((_, Change::State(state))) = object.change.take_if(|(when, _)| *when <= now) {
                    object.value.insert("State".to_owned(), json!(state));
                }
            }
        }
        gateways::finish_deletions(self, now);
        instances::finish_terminations(self, now);
    }

    /// How many objects there are of each kind. A NAT gateway that is deleted is only remembered, as is a terminated instance.
    pub(crate) fn inventory(&self) -> Vec<(&'static str, usize)> {
        let is_there = |object: &Object| !matches!(object.text("State"), "deleted" | "terminated");
        let count = |kind: Kind| self.all(kind).filter(|(_, object)| is_there(object)).count();
        Kind::ALL.into_iter().map(|kind| (kind.names().0, count(kind))).collect()
    }

    /// The objects of a type that a call names, with their tags: by a member of their own, in a list, or by their association.
    pub(crate) fn named(&self, parameters: &Value, resource_type: &str) -> Vec<(String, BTreeMap<String, String>)> {
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.names().0 == resource_type) else { return Vec::new() };
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let lists = ["Resources", "InstanceIds", "SecurityGroupIds", "Groups"];
        let listed = lists.into_iter().filter_map(|list| parameters.get(list)?.as_array()).flatten();
        let listed = listed.filter_map(Value::as_str).filter(|id| Kind::of(id) == Some(kind));
        let associated = text("AssociationId").and_then(|id| routes::associated(self, id, kind));
        let ids = text(kind.id()).into_iter().map(str::to_owned).chain(listed.map(str::to_owned)).chain(associated);
        let with_tags = |id: String| {
            let tags = self.get(kind, &id).map(|object| object.tags.clone()).unwrap_or_default();
            (id, tags)
        };
        ids.map(with_tags).collect()
    }

    /// What becomes something else.
    pub(crate) fn changing(&self) -> impl Iterator<Item = Changing> {
        self.objects.values().flat_map(BTreeMap::values).filter_map(|object| {
            let (end, _) = object.change.as_ref().filter(|(_, change)| matches!(change, Change::State(_)))?;
            Some(Changing { tags: object.tags.clone(), end: *end, needs: Needs::Nothing })
        })
    }

    pub(crate) fn identifiers(&self) -> impl Iterator<Item = &str> {
        self.objects.values().flat_map(BTreeMap::keys).map(String::as_str)
    }

    /// An object by its identifier. How many addresses of a subnet are left says nothing of whoever changes it.
    pub(crate) fn described(&self, id: &str) -> Option<Value> {
        let mut described = self.get(Kind::of(id)?, id).ok()?.described();
        if let Value::Object(members) = &mut described {
            members.remove("AvailableIpAddressCount");
        }
        Some(described)
    }

    /// What a customer makes: not what comes with a VPC or an instance, nor what other services make.
    pub(crate) fn made(&self) -> impl Iterator<Item = Made<'_>> {
        const COMING_ALONG: [Kind; 3] = [Kind::NetworkAcl, Kind::NetworkInterface, Kind::Volume];
        let kinds = Kind::ALL.into_iter().filter(|kind| !COMING_ALONG.contains(kind));
        let is_made = |object: &Object| {
            let is_main = object.list("Associations").iter().any(|own| own["Main"] == json!(true));
            let is_of_eks = object.tags.contains_key(OWNER_TAG);
            let is_going = matches!(object.text("State"), "deleting" | "deleted" | "shutting-down" | "terminated");
            !is_main && !is_of_eks && !is_going && object.text("GroupName") != "default"
        };
        let objects = kinds.flat_map(|kind| self.all(kind)).filter(move |(_, object)| is_made(object));
        objects.map(|(id, object)| Made { id, tags: Tags::Texts(&object.tags) })
    }

    pub(crate) fn all(&self, kind: Kind) -> impl Iterator<Item = (&String, &Object)> {
        self.objects.get(&kind).into_iter().flatten()
    }

    fn get(&self, kind: Kind, id: &str) -> Result<&Object, ApiError> {
        self.objects.get(&kind).and_then(|objects| objects.get(id)).ok_or_else(|| missing(kind, id))
    }

    fn get_mut(&mut self, kind: Kind, id: &str) -> Result<&mut Object, ApiError> {
        self.objects.get_mut(&kind).and_then(|objects| objects.get_mut(id)).ok_or_else(|| missing(kind, id))
    }

    pub(crate) fn insert(&mut self, kind: Kind, id: &str, object: Object) {
        self.objects.entry(kind).or_default().insert(id.to_owned(), object);
    }

    pub(crate) fn remove(&mut self, kind: Kind, id: &str) -> Result<Object, ApiError> {
        self.objects.get_mut(&kind).and_then(|objects| objects.remove(id)).ok_or_else(|| missing(kind, id))
    }

    /// The objects of a kind whose member has this value.
    fn with<'a>(
        &'a self,
        kind: Kind,
        member: &'a str,
        value: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Object)> {
        self.all(kind).filter(move |(_, object)| object.text(member) == value)
    }
}

impl Object {
    /// A new object with the members of `value`.
    fn new(value: Value, tags: BTreeMap<String, String>) -> Self {
        let value = match value {
            Value::Object(value) => value,
            _ => Map::new(),
        };
        Self { value, tags, attributes: BTreeMap::new(), versions: Vec::new(), change: None }
    }

    pub(crate) fn text(&self, member: &str) -> &str {
        self.value.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    fn list(&self, member: &str) -> &[Value] {
        self.value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn list_mut(&mut self, member: &str) -> &mut Vec<Value> {
        let list = self.value.entry(member.to_owned()).or_insert_with(|| json!([]));
        if !list.is_array() {
            *list = json!([]);
        }
        list.as_array_mut().expect("it was made a list just now")
    }

    /// The object as it is described.
    pub(crate) fn described(&self) -> Value {
        let mut value = self.value.clone();
        let tags = self.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
        value.insert("Tags".to_owned(), tags.collect());
        Value::Object(value)
    }
}

fn missing(kind: Kind, id: &str) -> ApiError {
    ApiError::new(kind.not_found(), format!("The {} ID '{id}' does not exist", kind.names().0))
}

/// That something cannot go because something else needs it.
fn in_use(message: impl Into<String>) -> ApiError {
    ApiError::new("DependencyViolation", message)
}

impl Call<'_> {
    /// A text among the parameters; nothing is an empty text.
    fn text(&self, name: &str) -> &str {
        self.parameters.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.parameters.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The tags that the call gives to objects of a kind.
    fn tags(&self, kind: Kind) -> Result<BTreeMap<String, String>, ApiError> {
        let (wanted, _) = kind.names();
        let mut tags = BTreeMap::new();
        let specifications = self.parameters.get("TagSpecifications").and_then(Value::as_array);
        for specification in specifications.into_iter().flatten() {
            let given = specification["ResourceType"].as_str().unwrap_or_default();
            if given != wanted {
                let message = format!("'{given}' is not a valid taggable resource type for this operation.");
                return Err(ApiError::new("InvalidParameterValue", message));
            }
            tags.extend(tags::pairs(&specification["Tags"])?);
        }
        Ok(tags)
    }

    /// Adds an object, and answers with it.
    fn add(&mut self, kind: Kind, mut value: Value, tags: BTreeMap<String, String>) -> (String, Value) {
        let id = self.id.take().unwrap_or_else(|| self.chance.id(kind.names().1));
        value[kind.id()] = json!(id);
        let object = Object::new(value, tags);
        let described = object.described();
        self.ec2.insert(kind, &id, object);
        (id, described)
    }
}

/// Carries out an operation.
pub(crate) fn call(request: &Request, ec2: &mut Ec2, iam: &Iam, chance: &mut Chance, now: Timestamp) -> Answer {
    if request.parameters.get("DryRun").and_then(Value::as_bool) == Some(true) {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(ApiError::new("DryRunOperation", message).with_status(412));
    }
    let operation = request.operation.name.as_str();
    let token = request.parameters.get("ClientToken").and_then(Value::as_str);
    let key = token.map(|token| (operation.to_owned(), token.to_owned()));
    if let Some((parameters, answered)) = key.as_ref().and_then(|key| ec2.tokens.get(key)) {
        if *parameters == request.parameters {
            return Ok(answered.clone());
        }
        let message = "The provided client token was used with different parameters.";
        return Err(ApiError::new("IdempotentParameterMismatch", message));
    }
    let mut call = Call { ec2, chance, iam, now, operation, parameters: &request.parameters, id: None };
    let answered = carry_out(&mut call)?;
    if let Some(key) = key {
        ec2.tokens.insert(key, (request.parameters.clone(), answered.clone()));
    }
    Ok(answered)
}

fn carry_out(call: &mut Call<'_>) -> Answer {
    match call.operation {
        "CreateVpc" => vpcs::create(call),
        "DeleteVpc" => vpcs::delete(call),
        "DescribeVpcAttribute" => vpcs::describe_attribute(call),
        "ModifyVpcAttribute" => vpcs::modify_attribute(call),
        "CreateSubnet" => subnets::create(call),
        "DeleteSubnet" => subnets::delete(call),
        "ModifySubnetAttribute" => subnets::modify_attribute(call),
        "CreateInternetGateway" => gateways::create_internet_gateway(call),
        "AttachInternetGateway" => gateways::attach(call),
        "DetachInternetGateway" => gateways::detach(call),
        "DeleteInternetGateway" => gateways::delete_internet_gateway(call),
        "CreateNatGateway" => gateways::create_nat_gateway(call),
        "DeleteNatGateway" => gateways::delete_nat_gateway(call),
        "DeleteNetworkInterface" => interfaces::delete(call),
        "AllocateAddress" => addresses::allocate(call),
        "ReleaseAddress" => addresses::release(call),
        "DisassociateAddress" => addresses::disassociate(call),
        "DescribeAddressesAttribute" => addresses::describe_attributes(call),
        "CreateRouteTable" => routes::create_table(call),
        "DeleteRouteTable" => routes::delete_table(call),
        "CreateRoute" => routes::create_route(call),
        "ReplaceRoute" => routes::replace_route(call),
        "DeleteRoute" => routes::delete_route(call),
        "AssociateRouteTable" => routes::associate(call),
        "ReplaceRouteTableAssociation" => routes::replace_association(call),
        "DisassociateRouteTable" => routes::disassociate(call),
        "CreateLaunchTemplate" => launch_templates::create(call),
        "CreateLaunchTemplateVersion" => launch_templates::create_version(call),
        "DeleteLaunchTemplate" => launch_templates::delete(call),
        "DescribeLaunchTemplateVersions" => launch_templates::describe_versions(call),
        "CreateTags" => tags::create(call),
        "DeleteTags" => tags::delete(call),
        "DescribeAvailabilityZones" => zones::describe(call),
        "DescribeInstanceTypeOfferings" => offerings::describe(call),
        "CreateSecurityGroup" => security_groups::create(call),
        "DeleteSecurityGroup" => security_groups::delete(call),
        "AuthorizeSecurityGroupIngress" => security_groups::authorize_ingress(call),
        "RevokeSecurityGroupIngress" => security_groups::revoke_ingress(call),
        "RunInstances" => instances::run(call),
        "StartInstances" | "StopInstances" | "TerminateInstances" => instances::change_state(call),
        "ModifyInstanceAttribute" => instances::modify_attribute(call),
        "ModifyInstanceMetadataOptions" => instances::modify_metadata(call),
        "DescribeInstances" => instances::describe(call),
        "DescribeVpcs" => describe::describe(call, Kind::Vpc, "Vpcs", "VpcIds"),
        "DescribeSubnets" => describe::describe(call, Kind::Subnet, "Subnets", "SubnetIds"),
        "DescribeInternetGateways" => {
            describe::describe(call, Kind::InternetGateway, "InternetGateways", "InternetGatewayIds")
        }
        "DescribeAddresses" => describe::describe(call, Kind::Address, "Addresses", "AllocationIds"),
        "DescribeNatGateways" => describe::describe(call, Kind::NatGateway, "NatGateways", "NatGatewayIds"),
        "DescribeRouteTables" => describe::describe(call, Kind::RouteTable, "RouteTables", "RouteTableIds"),
        "DescribeSecurityGroups" => describe::describe(call, Kind::SecurityGroup, "SecurityGroups", "GroupIds"),
        "DescribeNetworkAcls" => describe::describe(call, Kind::NetworkAcl, "NetworkAcls", "NetworkAclIds"),
        "DescribeNetworkInterfaces" => {
            describe::describe(call, Kind::NetworkInterface, "NetworkInterfaces", "NetworkInterfaceIds")
        }
        "DescribeLaunchTemplates" => launch_templates::describe(call),
        "DescribeVolumes" => describe::describe(call, Kind::Volume, "Volumes", "VolumeIds"),
        other => Err(ApiError::internal(format!("{other} is not emulated"))),
    }
}
