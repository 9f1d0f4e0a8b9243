//! Looks, after a removal, for what may have been left behind.
//!
//! What runs inside a cluster makes resources of its own that no deletion of the cluster takes along: network interfaces of
//! the network add-on, security groups and load balancers of Services, volumes of claims. They are found by the tags that
//! their makers write, and, while the VPC cannot be deleted, by their place in it. Nothing is deleted here.
//!
//! Not looked for: the log group `/aws/eks/<name>/cluster`, which stays on purpose, because audit logs outlive their
//! cluster; and load balancers themselves, which show by their network interfaces.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, NetworkInterface, SecurityGroup, Volume, VolumeState};
use howso_infra_core::identity::{CLUSTER_TAG, DEPLOYMENT_TAG};
use howso_infra_core::{ClusterIdentity, Leftover, Ownership, ProviderError};

use crate::clients::Clients;
use crate::pages;
use crate::tags::{self, Tags};

/// The tag that the VPC CNI writes on network interfaces: <https://github.com/aws/amazon-vpc-cni-k8s>.
pub(crate) const CNI_TAG: &str = "cluster.k8s.amazonaws.com/name";
/// The tags that the AWS load balancer controller and the EBS CSI driver write.
const CONTROLLER_TAGS: [&str; 2] = ["elbv2.k8s.aws/cluster", "ebs.csi.aws.com/cluster-name"];

/// Looks for leftovers of one cluster.
pub(crate) async fn audit(clients: &Clients, identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
    let auditor = Auditor { clients, identity, owned_tag: format!("kubernetes.io/cluster/{}", identity.cluster) };
    let (interfaces, groups, volumes, vpcs) = futures::try_join!(
        auditor.interfaces(auditor.tagged()),
        auditor.groups(auditor.tagged()),
        auditor.volumes(auditor.tagged()),
        auditor.remaining_vpcs()
    )?;
    let mut leftovers = BTreeSet::new();
    leftovers.extend(
        interfaces.iter().filter(|found| auditor.is_ours(&tags::from_ec2(found.tag_set()))).filter_map(interface),
    );
    leftovers.extend(groups.iter().filter(|found| auditor.is_ours(&tags::from_ec2(found.tags()))).filter_map(group));
    leftovers.extend(volumes.iter().filter(|found| auditor.is_ours(&tags::from_ec2(found.tags()))).filter_map(volume));
    if !vpcs.is_empty() {
        let inside = Filter::builder().name("vpc-id").set_values(Some(vpcs)).build();
        let (interfaces, groups) =
            futures::try_join!(auditor.interfaces(inside.clone()), auditor.groups(inside.clone()))?;
        leftovers.extend(interfaces.iter().filter_map(interface));
        // The default group goes with its VPC.
        let own = |found: &&SecurityGroup| found.group_name.as_deref() != Some("default");
        leftovers.extend(groups.iter().filter(own).filter_map(group));
    }
    Ok(leftovers.into_iter().collect())
}

struct Auditor<'a> {
    clients: &'a Clients,
    identity: &'a ClusterIdentity,
    /// The tag of what Kubernetes controllers of this cluster own.
    owned_tag: String,
}

impl Auditor<'_> {
    /// Everything with one of the tags, whatever its value.
    fn tagged(&self) -> Filter {
        let keys = [CLUSTER_TAG, &self.owned_tag, CNI_TAG].into_iter().chain(CONTROLLER_TAGS);
        Filter::builder().name("tag-key").set_values(Some(keys.map(str::to_owned).collect())).build()
    }

    /// Whether the tags name this cluster, and no other deployment of its name.
    fn is_ours(&self, tags: &Tags) -> bool {
        let cluster = self.identity.cluster.as_str();
        let names = |key: &str| tags.get(key).is_some_and(|value| value == cluster);
        let is_owned = tags.get(&self.owned_tag).is_some_and(|value| value == "owned");
        let is_other = tags.get(DEPLOYMENT_TAG).is_some_and(|value| *value != self.identity.deployment.to_string());
        let names_cluster = names(CLUSTER_TAG) || names(CNI_TAG) || CONTROLLER_TAGS.into_iter().any(names);
        (names_cluster || is_owned) && !is_other
    }

    /// The VPCs of this deployment that could not be deleted.
    async fn remaining_vpcs(&self) -> Result<Vec<String>, ProviderError> {
        let filter = Filter::builder().name(format!("tag:{CLUSTER_TAG}")).values(&self.identity.cluster).build();
        let items = self.clients.ec2.describe_vpcs().filters(filter).into_paginator().items().send();
        let vpcs = pages::all(items, "ec2:DescribeVpcs").await?;
        let is_ours = |tags: &Tags| {
            let ownership = tags::ownership(tags, &self.identity.cluster, Some(&self.identity.deployment));
            matches!(ownership, Ownership::Ours { .. })
        };
        Ok(vpcs.into_iter().filter(|vpc| is_ours(&tags::from_ec2(vpc.tags()))).filter_map(|vpc| vpc.vpc_id).collect())
    }

    async fn interfaces(&self, filter: Filter) -> Result<Vec<NetworkInterface>, ProviderError> {
        let items = self.clients.ec2.describe_network_interfaces().filters(filter).into_paginator().items().send();
        pages::all(items, "ec2:DescribeNetworkInterfaces").await
    }

    async fn groups(&self, filter: Filter) -> Result<Vec<SecurityGroup>, ProviderError> {
        let items = self.clients.ec2.describe_security_groups().filters(filter).into_paginator().items().send();
        pages::all(items, "ec2:DescribeSecurityGroups").await
    }

    async fn volumes(&self, filter: Filter) -> Result<Vec<Volume>, ProviderError> {
        let items = self.clients.ec2.describe_volumes().filters(filter).into_paginator().items().send();
        pages::all(items, "ec2:DescribeVolumes").await
    }
}

fn interface(interface: &NetworkInterface) -> Option<Leftover> {
    let description = interface.description.as_deref().unwrap_or_default();
    let advice = if description.starts_with("ELB ") {
        format!("it belongs to the load balancer `{description}`; delete that load balancer")
    } else if description.starts_with("aws-K8S-") {
        "the network add-on left it; delete it with `aws ec2 delete-network-interface`".to_owned()
    } else if description.is_empty() {
        "find out what uses it, then delete it with `aws ec2 delete-network-interface`".to_owned()
    } else {
        format!("find out what uses it (`{description}`), then delete it with `aws ec2 delete-network-interface`")
    };
    Some(Leftover {
        what: "network interface".to_owned(),
        physical_id: interface.network_interface_id.clone()?,
        advice,
    })
}

fn group(group: &SecurityGroup) -> Option<Leftover> {
    let name = group.group_name.as_deref().unwrap_or_default();
    let advice = format!("group `{name}`; once nothing uses it, delete it with `aws ec2 delete-security-group`");
    Some(Leftover { what: "security group".to_owned(), physical_id: group.group_id.clone()?, advice })
}

fn volume(volume: &Volume) -> Option<Leftover> {
    if matches!(volume.state, Some(VolumeState::Deleting | VolumeState::Deleted)) {
        return None;
    }
    let tags = tags::from_ec2(volume.tags());
    let claim =
        tags.get("kubernetes.io/created-for/pvc/name").map(|name| format!("it holds the data of claim `{name}`; "));
    let advice =
        format!("{}keep what you need, then delete it with `aws ec2 delete-volume`", claim.unwrap_or_default());
    Some(Leftover { what: "volume".to_owned(), physical_id: volume.volume_id.clone()?, advice })
}
