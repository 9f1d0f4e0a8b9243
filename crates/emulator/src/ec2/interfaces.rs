//! Network interfaces that others make in the customer's network.

use serde_json::json;

use crate::account::{ACCOUNT_ID, Chance, Region};
use crate::ec2::of_clusters::insert;
use crate::ec2::{Call, Kind, Object};
use crate::error::{Answer, ApiError};

/// The identifiers of the security groups of an interface.
pub(super) fn groups(interface: &Object) -> impl Iterator<Item = String> {
    interface.list("Groups").iter().filter_map(|group| group["GroupId"].as_str()).map(str::to_owned)
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = call.text("NetworkInterfaceId").to_owned();
    if call.ec2.get(Kind::NetworkInterface, &id)?.text("Status") != "available" {
        let message = format!("Network interface '{id}' is currently in use.");
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    call.ec2.remove(Kind::NetworkInterface, &id)?;
    Ok(json!({}))
}

/// Makes a network interface of a control plane.
pub(crate) fn cluster_interface(
    region: &mut Region,
    chance: &mut Chance,
    vpc: &str,
    subnet: &str,
    cluster: &str,
    tag: &str,
) {
    let value = json!({
        "OwnerId": ACCOUNT_ID,
        "VpcId": vpc,
        "SubnetId": subnet,
        "Status": "in-use",
        "InterfaceType": "interface",
        "Description": format!("Amazon EKS {cluster}"),
        "RequesterManaged": true,
    });
    insert(region, chance, Kind::NetworkInterface, value, [(tag.to_owned(), cluster.to_owned())].into());
}

/// Makes a network interface as the VPC CNI leaves one when its node goes first: nothing uses it, and nobody will take it back.
pub(crate) fn leave_interface(region: &mut Region, chance: &mut Chance, subnet: &str, cluster: &str, group: &str) {
    let Some((vpc, _)) = region.ec2.place_of(subnet) else { return };
    let instance = chance.id("i");
    let value = json!({
        "OwnerId": ACCOUNT_ID,
        "VpcId": vpc,
        "SubnetId": subnet,
        "Status": "available",
        "InterfaceType": "interface",
        "Description": format!("aws-K8S-{instance}"),
        "RequesterManaged": false,
        "Groups": [{ "GroupId": group }],
    });
    let tags = [("cluster.k8s.amazonaws.com/name", cluster), ("node.k8s.amazonaws.com/instance_id", instance.as_str())];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    insert(region, chance, Kind::NetworkInterface, value, tags.into());
}
