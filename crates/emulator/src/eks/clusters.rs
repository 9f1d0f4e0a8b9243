//! Control planes. Each has a security group and network interfaces of its own in the customer's network.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::account::after;
use crate::ec2::{self, Ec2};
use crate::eks::{Call, Change, Cluster, Object, in_use, invalid, updates, versions};
use crate::error::{Answer, ApiError};
use crate::kubernetes::Kubernetes;
use crate::wire::seconds;

/// The tag of what EKS makes for a cluster.
pub(crate) const OWNER_TAG: &str = "aws:eks:cluster-name";

/// How long a control plane takes to the next version: an assumption within what the user guide calls "several minutes".
const UPGRADE_SECS: f64 = 540.0;

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let name = call.text("name").to_owned();
    if call.region.eks.clusters.contains_key(&name) {
        return Err(in_use(format!("Cluster already exists with name: {name}")));
    }
    let version = match call.text("version") {
        "" => versions::NEWEST.to_owned(),
        version if versions::KUBERNETES.iter().any(|(known, _)| *known == version) => version.to_owned(),
        version => {
            let message = format!("unsupported Kubernetes version {version}");
            return Err(invalid(message));
        }
    };
    call.check_role(call.text("roleArn"), "eks.amazonaws.com")?;
    let (network, vpc) = network(call)?;
    let group = ec2::cluster_security_group(call.region, call.chance, &vpc, &name, OWNER_TAG);
    for subnet in network["subnetIds"].as_array().into_iter().flatten().filter_map(Value::as_str).take(2) {
        ec2::cluster_interface(call.region, call.chance, &vpc, subnet, &name, OWNER_TAG);
    }
    let mut value = call.given(&["name", "roleArn", "clientRequestToken", "encryptionConfig", "zonalShiftConfig"]);
    let or = |name: &str, usual: Value| call.parameters.get(name).cloned().unwrap_or(usual);
    let access = or("accessConfig", json!({}));
    let creator_is_admin = access["bootstrapClusterCreatorAdminPermissions"] != json!(false);
    let mut network = network;
    network["clusterSecurityGroupId"] = json!(group);
    network["vpcId"] = json!(vpc);
    let described = json!({
        "arn": call.arn("cluster", &name),
        "createdAt": seconds(call.now),
        "version": version,
        "resourcesVpcConfig": network,
        "kubernetesNetworkConfig": kubernetes_network(&or("kubernetesNetworkConfig", json!({}))),
        "logging": or("logging", json!({ "clusterLogging": [{ "types": versions::LOGS, "enabled": false }] })),
        "status": "CREATING",
        "certificateAuthority": {},
        "platformVersion": "eks.1",
        "tags": or("tags", json!({})),
        "health": { "issues": [] },
        "accessConfig": {
            "authenticationMode": access.get("authenticationMode").cloned().unwrap_or_else(|| json!("CONFIG_MAP")),
        },
        "upgradePolicy": or("upgradePolicy", json!({ "supportType": "EXTENDED" })),
        "deletionProtection": or("deletionProtection", json!(false)),
    });
    if let Value::Object(described) = described {
        value.extend(described);
    }
    let mut own = Object::new(Value::Object(value));
    let id = call.chance.letters(32).to_uppercase();
    let ready = after(call.now, call.chance.duration(622.0, 0.14));
    let server = &call.region.kubernetes;
    let authority = STANDARD.encode(&server.authority);
    // A host of its own would have to be found by names; a path of its own need not be.
    let endpoint = format!("{}/{id}", server.url);
    let issuer =
        format!("https://oidc.eks.{}.amazonaws.com/id/{}", call.region.name, call.chance.letters(32).to_uppercase());
    let becomes = json!({
        "status": "ACTIVE",
        "endpoint": endpoint,
        "certificateAuthority": { "data": authority },
        "identity": { "oidc": { "issuer": issuer } },
    });
    own.change = becomes.as_object().cloned().map(|becomes| (ready, Change::Becomes(becomes)));
    let answer = own.described();
    let mut cluster = Cluster {
        own,
        nodegroups: BTreeMap::new(),
        addons: BTreeMap::new(),
        entries: BTreeMap::new(),
        associations: BTreeMap::new(),
        updates: BTreeMap::new(),
        endpoint: id,
        kubernetes: Some(Kubernetes::new(call.chance.uuid()[..23].to_owned(), call.now)),
    };
    if creator_is_admin && access["authenticationMode"] != json!("CONFIG_MAP") {
        super::access::admin(call, &mut cluster, &name);
    }
    call.region.eks.clusters.insert(name, cluster);
    Ok(json!({ "cluster": answer }))
}

/// The network of a request with what is usual for the rest, and the VPC of its subnets.
fn network(call: &Call<'_>) -> Result<(Value, String), ApiError> {
    let given = &call.parameters["resourcesVpcConfig"];
    let subnets: Vec<&str> = given["subnetIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (mut zones, mut vpcs) = (BTreeSet::new(), BTreeSet::new());
    for id in &subnets {
        let (vpc, zone) = call.region.ec2.place_of(id).ok_or_else(|| {
            invalid(format!(
                "The subnet ID '{id}' does not exist (Service: AmazonEC2; Error Code: InvalidSubnetID.NotFound)"
            ))
        })?;
        vpcs.insert(vpc);
        zones.insert(zone);
    }
    if zones.len() < 2 {
        return Err(invalid("Subnets specified must be in at least two different AZs".to_owned()));
    }
    let mut vpcs = vpcs.into_iter();
    let (Some(vpc), None) = (vpcs.next(), vpcs.next()) else {
        return Err(invalid("Subnets specified must belong to the same VPC".to_owned()));
    };
    let is_public = given["endpointPublicAccess"].as_bool().unwrap_or(true);
    let is_private = given["endpointPrivateAccess"].as_bool().unwrap_or(false);
    check_reach(is_public, is_private)?;
    let everybody = if is_public { json!(["0.0.0.0/0"]) } else { json!([]) };
    let or = |name: &str, usual: Value| given.get(name).cloned().unwrap_or(usual);
    let network = json!({
        "subnetIds": subnets,
        "securityGroupIds": or("securityGroupIds", json!([])),
        "endpointPublicAccess": is_public,
        "endpointPrivateAccess": is_private,
        "publicAccessCidrs": or("publicAccessCidrs", everybody),
    });
    Ok((network, vpc))
}

fn check_reach(is_public: bool, is_private: bool) -> Result<(), ApiError> {
    if is_public || is_private {
        return Ok(());
    }
    let message = "Private and public endpoint access cannot be false";
    Err(invalid(message))
}

fn kubernetes_network(given: &Value) -> Value {
    let family = given["ipFamily"].as_str().unwrap_or("ipv4");
    let addresses = given["serviceIpv4Cidr"].as_str().unwrap_or("172.20.0.0/16");
    json!({ "ipFamily": family, "serviceIpv4Cidr": addresses, "elasticLoadBalancing": { "enabled": false } })
}

/// One kind of change at a time, as EKS takes them.
pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let cluster = call.active_cluster()?;
    let mut becomes = Map::new();
    let (mut kind, mut parameters) = ("", Vec::new());
    let mut change = |name: &'static str, parameter: &str, value: &Value| {
        kind = name;
        parameters.push(json!({ "type": parameter, "value": value.to_string() }));
    };
    if let Some(wanted) = call.parameters.get("resourcesVpcConfig") {
        let mut network = cluster.own.value["resourcesVpcConfig"].clone();
        for (name, value) in wanted.as_object().into_iter().flatten() {
            change(
                "EndpointAccessUpdate",
                if name == "publicAccessCidrs" { "PublicAccessCidrs" } else { "EndpointPublicAccess" },
                value,
            );
            network[name] = value.clone();
        }
        let reach = |name: &str| network[name].as_bool().unwrap_or_default();
        check_reach(reach("endpointPublicAccess"), reach("endpointPrivateAccess"))?;
        becomes.insert("resourcesVpcConfig".to_owned(), network);
    }
    for (name, update, parameter) in [
        ("logging", "LoggingUpdate", "ClusterLogging"),
        ("accessConfig", "AccessConfigUpdate", "AuthenticationMode"),
        ("upgradePolicy", "UpgradePolicyUpdate", "UpgradePolicy"),
        ("deletionProtection", "DeletionProtectionUpdate", "DeletionProtection"),
    ] {
        if let Some(wanted) = call.parameters.get(name) {
            change(update, parameter, wanted);
            becomes.insert(name.to_owned(), wanted.clone());
        }
    }
    if becomes.len() != 1 {
        let message = "exactly one type of change that is emulated must be given";
        return Err(invalid(message));
    }
    if becomes.iter().all(|(name, value)| cluster.own.value.get(name) == Some(value)) {
        let message = "The cluster is already at the desired configuration";
        return Err(invalid(message));
    }
    begin_update(call, kind, &parameters, becomes, 45.0)
}

/// Lets the cluster become what is wanted after about `median_secs`.
fn begin_update(
    call: &mut Call<'_>,
    kind: &str,
    parameters: &[Value],
    mut becomes: Map<String, Value>,
    median_secs: f64,
) -> Answer {
    let (update, done) = updates::new(call, kind, parameters, median_secs);
    becomes.insert("status".to_owned(), json!("ACTIVE"));
    let cluster = call.cluster_mut()?;
    cluster.own.set("status", "UPDATING");
    cluster.own.change = Some((done, Change::Becomes(becomes)));
    Ok(updates::keep(cluster, update))
}

/// To the next version of Kubernetes: none is skipped, and there is no way back
/// (<https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html>).
pub(super) fn update_version(call: &mut Call<'_>) -> Answer {
    let cluster = call.active_cluster()?;
    let (from, to) = (cluster.own.text("version"), call.text("version"));
    match versions::distance(from, to) {
        None => return Err(invalid(format!("unsupported Kubernetes version {to}"))),
        Some(0) => return Err(invalid(format!("Cluster is already at version {to}"))),
        Some(1) => {}
        Some(_) => return Err(invalid(format!("Unsupported Kubernetes minor version update from {from} to {to}"))),
    }
    let becomes = Map::from_iter([("version".to_owned(), json!(to)), ("platformVersion".to_owned(), json!("eks.1"))]);
    let parameters =
        [json!({ "type": "Version", "value": to }), json!({ "type": "PlatformVersion", "value": "eks.1" })];
    begin_update(call, "VersionUpdate", &parameters, becomes, UPGRADE_SECS)
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let gone = after(call.now, call.chance.duration(204.0, 0.6));
    let cluster = call.cluster_mut()?;
    let name = cluster.own.text("name").to_owned();
    match cluster.own.status() {
        "DELETING" => return Ok(json!({ "cluster": cluster.own.described() })),
        "CREATING" | "UPDATING" => return Err(in_use(format!("Cluster {name} has an update in progress"))),
        _ => {}
    }
    if !cluster.nodegroups.is_empty() {
        return Err(in_use("Cluster has nodegroups attached".to_owned()));
    }
    // Only what is active is protected: <https://docs.aws.amazon.com/eks/latest/userguide/deletion-protection.html>.
    if cluster.own.status() == "ACTIVE" && cluster.own.value["deletionProtection"] == json!(true) {
        let message = format!("Cannot delete cluster {name} because deletion protection is enabled");
        return Err(ApiError::new("InvalidRequestException", message));
    }
    cluster.own.set("status", "DELETING");
    cluster.own.change = Some((gone, Change::Gone));
    Ok(json!({ "cluster": cluster.own.described() }))
}

/// Removes what EKS made for a cluster that is gone.
pub(super) fn take_back(ec2: &mut Ec2, cluster: &str) {
    ec2.forget_cluster(cluster, OWNER_TAG);
}
