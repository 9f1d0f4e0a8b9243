//! Addresses: of a new network, and of an existing one.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, Subnet, Vpc};
use howso_infra_core::{ErrorKind, Finding, ProviderError};
use ipnet::Ipv4Net;

use super::{Preflight, blocking, good, unreadable, warning};
use crate::{network, pages};

/// The VPC CNI keeps one warm interface of addresses beside the one in use: 2 × 30 on the larger general types
/// (<https://github.com/aws/amazon-vpc-cni-k8s>, `WARM_ENI_TARGET`).
const ADDRESSES_PER_NODE: u64 = 60;
/// EKS needs 6 free addresses in each subnet of the control plane, and recommends 16 (EKS user guide).
const FREE_ADDRESSES_MIN: i32 = 6;
const FREE_ADDRESSES_RECOMMENDED: i32 = 16;

impl Preflight<'_> {
    /// Checks the network that is made, or the one that is used.
    pub(super) async fn network(&self) -> Vec<Finding> {
        match &self.options.network.vpc {
            Some(vpc) if self.touches("eks/cluster") || self.starts_nodes() => self.existing_network(vpc).await,
            None if self.creates("ec2/vpc") > 0 => {
                let mut findings = vec![self.size()];
                findings.push(self.overlap().await);
                findings
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The most nodes that the specification allows.
    fn nodes_max(&self) -> u64 {
        let core = self.spec.core.max.unwrap_or(self.spec.core.nodes);
        u64::from(core) + self.spec.workers.values().map(|pool| u64::from(pool.max)).sum::<u64>()
    }

    fn size(&self) -> Finding {
        let subject = "address space";
        let cidr = self.options.network.cidr();
        let ranges = network::layout(cidr, self.facts.zones.len()).unwrap_or_default();
        // AWS keeps five addresses of every subnet for itself.
        let size = |range: Ipv4Net| (1_u64 << (32 - range.prefix_len())) - 5;
        let have: u64 = ranges.iter().map(|place| size(place.private)).sum();
        let need = self.nodes_max() * ADDRESSES_PER_NODE;
        let message =
            format!("{cidr} has {have} addresses for nodes and pods; {} nodes use up to {need}", self.nodes_max());
        if have >= need {
            good(subject, message)
        } else {
            warning(subject, message, "choose a larger range in `eks.network.cidr`, at most a /16")
        }
    }

    async fn overlap(&self) -> Finding {
        let subject = "address space: other networks";
        let cidr = self.options.network.cidr();
        let items = self.clients.ec2.describe_vpcs().into_paginator().items().send();
        let vpcs = match pages::all(items, "ec2:DescribeVpcs").await {
            Ok(vpcs) => vpcs,
            Err(error) => return unreadable(subject, &error),
        };
        let overlaps = |vpc: &&Vpc| {
            let range: Option<Ipv4Net> = vpc.cidr_block.as_deref().and_then(|range| range.parse().ok());
            range.is_some_and(|range| range.contains(&cidr) || cidr.contains(&range))
        };
        let others: Vec<_> = vpcs.iter().filter(overlaps).filter_map(|vpc| vpc.vpc_id.clone()).collect();
        if others.is_empty() {
            return good(subject, format!("{cidr} overlaps with no other VPC of the region"));
        }
        let message = format!("{cidr} overlaps with {}, so the networks can never be connected", others.join(", "));
        warning(subject, message, "choose another range in `eks.network.cidr` if they ever should be")
    }

    /// Checks that an existing network is there and fit.
    async fn existing_network(&self, vpc_id: &str) -> Vec<Finding> {
        let subject = "existing network";
        let ids: Vec<String> =
            self.options.network.private_subnets.iter().chain(&self.options.network.public_subnets).cloned().collect();
        let (vpc, subnets, dns) =
            futures::join!(self.vpc(vpc_id), self.subnets(&ids), network::dns(&self.clients.ec2, vpc_id));
        let mut findings = Vec::new();
        match vpc {
            Ok(Some(_)) => findings.push(good(subject, format!("{vpc_id} exists"))),
            Ok(None) => return vec![invalid("vpc", format!("there is no {vpc_id} in this region and account"))],
            Err(error) => return vec![unreadable(subject, &error)],
        }
        match dns {
            Ok((support, hostnames)) if support == Some(false) || hostnames == Some(false) => {
                findings.push(invalid(
                    "vpc",
                    format!("{vpc_id} has DNS support or DNS host names turned off, and nodes need both"),
                ));
            }
            Ok(_) => {}
            Err(error) => findings.push(unreadable("existing network: DNS", &error)),
        }
        match subnets {
            Ok(subnets) => findings.extend(self.check_subnets(vpc_id, &ids, &subnets)),
            Err(error) => findings.push(unreadable("existing network: subnets", &error)),
        }
        findings
    }

    async fn vpc(&self, vpc_id: &str) -> Result<Option<Vpc>, ProviderError> {
        let filter = Filter::builder().name("vpc-id").values(vpc_id).build();
        let items = self.clients.ec2.describe_vpcs().filters(filter).into_paginator().items().send();
        let vpcs = pages::all(items, "ec2:DescribeVpcs").await?;
        Ok(vpcs.into_iter().find(|vpc| vpc.vpc_id.as_deref() == Some(vpc_id)))
    }

    async fn subnets(&self, ids: &[String]) -> Result<Vec<Subnet>, ProviderError> {
        let filter = Filter::builder().name("subnet-id").set_values(Some(ids.to_vec())).build();
        let items = self.clients.ec2.describe_subnets().filters(filter).into_paginator().items().send();
        pages::all(items, "ec2:DescribeSubnets").await
    }

    fn check_subnets(&self, vpc_id: &str, ids: &[String], subnets: &[Subnet]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut zones = BTreeSet::new();
        for id in ids {
            let is_private = self.options.network.private_subnets.contains(id);
            let field = if is_private { "private_subnets" } else { "public_subnets" };
            let Some(subnet) = subnets.iter().find(|subnet| subnet.subnet_id.as_ref() == Some(id)) else {
                findings.push(invalid(field, format!("there is no {id} in this region and account")));
                continue;
            };
            if subnet.vpc_id.as_deref() != Some(vpc_id) {
                let other = subnet.vpc_id.as_deref().unwrap_or("another network");
                findings.push(invalid(field, format!("{id} is in {other}, not in {vpc_id}")));
            }
            if is_private {
                zones.extend(subnet.availability_zone.as_deref());
            }
            findings.extend(free_addresses(field, id, subnet));
        }
        if zones.len() < 2 {
            findings.push(invalid("private_subnets", "the private subnets are in fewer than two zones".to_owned()));
        }
        findings
    }
}

fn free_addresses(field: &str, id: &str, subnet: &Subnet) -> Option<Finding> {
    let free = subnet.available_ip_address_count?;
    let message = format!(
        "{id} has {free} free addresses; EKS needs {FREE_ADDRESSES_MIN} and recommends {FREE_ADDRESSES_RECOMMENDED}"
    );
    if free < FREE_ADDRESSES_MIN {
        Some(invalid(field, message))
    } else if free < FREE_ADDRESSES_RECOMMENDED {
        Some(warning("existing network", message, "free some addresses, or choose a larger subnet"))
    } else {
        None
    }
}

fn invalid(field: &str, message: String) -> Finding {
    let kind = ErrorKind::Invalid { field: Some(format!("eks.network.{field}")) };
    blocking("existing network", message, &format!("correct eks.network.{field}"), kind)
}
