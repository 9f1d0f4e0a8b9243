//! What a cluster that is gone has left in a network of ours, and what keeps that network from being removed.
//!
//! The VPC CNI makes interfaces of its own and takes them back, unless its node goes first
//! (<https://github.com/aws/amazon-vpc-cni-k8s/issues/608>). An interface keeps its subnet, and it keeps EKS from removing the security group
//! that EKS had made for the cluster, which keeps the VPC. Only what its maker has tagged with the name of the cluster is removed,
//! only in a network of ours, and only when it was in the way.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Filter;
use howso_infra_core::{OperationVerb, ProviderError};

use crate::audit::CNI_TAG;
use crate::errors;
use crate::pages;

/// The tag of the security group that EKS makes for a cluster. Nobody else can give a tag that begins with `aws:`.
pub(crate) const EKS_TAG: &str = "aws:eks:cluster-name";

/// Removes the interfaces of a subnet that the network add-on of the cluster has left.
pub(super) async fn remove_from_subnet(ec2: &Client, cluster: &str, subnet: &str) -> Result<(), ProviderError> {
    let (call, delete) = ("ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface");
    let request = ec2.describe_network_interfaces();
    // Nothing uses one that is available.
    let request = request.filters(filter("subnet-id", subnet)).filters(filter("status", "available"));
    let request = request.filters(filter(&format!("tag:{CNI_TAG}"), cluster));
    let left = pages::all(request.into_paginator().items().send(), call).await?;
    for id in left.into_iter().filter_map(|interface| interface.network_interface_id) {
        let answer = ec2.delete_network_interface().network_interface_id(id).send().await;
        unless_gone(answer.map_err(errors::mutating(OperationVerb::Delete, delete)))?;
    }
    Ok(())
}

/// Removes the security group that EKS had made for the cluster in a VPC.
pub(super) async fn remove_from_vpc(ec2: &Client, cluster: &str, vpc: &str) -> Result<(), ProviderError> {
    let (call, delete) = ("ec2:DescribeSecurityGroups", "ec2:DeleteSecurityGroup");
    let request = ec2.describe_security_groups().filters(filter("vpc-id", vpc));
    let request = request.filters(filter(&format!("tag:{EKS_TAG}"), cluster));
    let left = pages::all(request.into_paginator().items().send(), call).await?;
    for id in left.into_iter().filter_map(|group| group.group_id) {
        let answer = ec2.delete_security_group().group_id(id).send().await;
        unless_gone(answer.map_err(errors::mutating(OperationVerb::Delete, delete)))?;
    }
    Ok(())
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn unless_gone<T>(answer: Result<T, ProviderError>) -> Result<(), ProviderError> {
    match answer {
        Err(error) if !errors::is_gone(&error) => Err(error),
        _ => Ok(()),
    }
}
