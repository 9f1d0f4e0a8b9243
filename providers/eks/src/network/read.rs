//! The describe calls of the network: one for each kind, to the last page.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Address, Filter, InternetGateway, NatGateway, RouteTable, Subnet, Vpc, VpcAttributeName};
use howso_infra_core::ProviderError;
use howso_infra_core::identity::CLUSTER_TAG;

use crate::{errors, pages};

/// Selects what carries the tag of the cluster, of whatever deployment.
pub(super) fn of_cluster(cluster: &str) -> Filter {
    filter(&format!("tag:{CLUSTER_TAG}"), cluster)
}

/// Selects by one field, for example `vpc-id`. Unlike an id parameter, it answers an unknown id with an empty list.
pub(crate) fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

pub(super) async fn vpcs(ec2: &Client, filter: Filter) -> Result<Vec<Vpc>, ProviderError> {
    pages::all(ec2.describe_vpcs().filters(filter).into_paginator().items().send(), "ec2:DescribeVpcs").await
}

pub(super) async fn subnets(ec2: &Client, filter: Filter) -> Result<Vec<Subnet>, ProviderError> {
    pages::all(ec2.describe_subnets().filters(filter).into_paginator().items().send(), "ec2:DescribeSubnets").await
}

pub(super) async fn internet_gateways(ec2: &Client, filter: Filter) -> Result<Vec<InternetGateway>, ProviderError> {
    let items = ec2.describe_internet_gateways().filters(filter).into_paginator().items().send();
    pages::all(items, "ec2:DescribeInternetGateways").await
}

pub(super) async fn nat_gateways(ec2: &Client, filter: Filter) -> Result<Vec<NatGateway>, ProviderError> {
    // Of all describe calls this one alone spells it `filter`.
    let items = ec2.describe_nat_gateways().filter(filter).into_paginator().items().send();
    pages::all(items, "ec2:DescribeNatGateways").await
}

pub(super) async fn route_tables(ec2: &Client, filter: Filter) -> Result<Vec<RouteTable>, ProviderError> {
    let items = ec2.describe_route_tables().filters(filter).into_paginator().items().send();
    pages::all(items, "ec2:DescribeRouteTables").await
}

/// Elastic IPs come in one page.
pub(super) async fn addresses(ec2: &Client, filter: Filter) -> Result<Vec<Address>, ProviderError> {
    let call = "ec2:DescribeAddresses";
    let answer = ec2.describe_addresses().filters(filter).send().await.map_err(errors::reading(call))?;
    Ok(answer.addresses.unwrap_or_default())
}

/// The attributes of a VPC that its description lacks: DNS support and DNS host names.
pub(crate) async fn dns(ec2: &Client, vpc_id: &str) -> Result<(Option<bool>, Option<bool>), ProviderError> {
    let call = "ec2:DescribeVpcAttribute";
    let ask = |attribute| ec2.describe_vpc_attribute().vpc_id(vpc_id).attribute(attribute).send();
    let (support, hostnames) =
        futures::join!(ask(VpcAttributeName::EnableDnsSupport), ask(VpcAttributeName::EnableDnsHostnames));
    let support = support.map_err(errors::reading(call))?.enable_dns_support;
    let hostnames = hostnames.map_err(errors::reading(call))?.enable_dns_hostnames;
    Ok((support.and_then(|value| value.value), hostnames.and_then(|value| value.value)))
}
