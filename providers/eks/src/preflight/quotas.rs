//! Quotas against the plan at its maximum, less what is used already.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, Instance, InstanceLifecycleType, InstanceType, NatGatewayState};
use howso_infra_core::spec::Purchase;
use howso_infra_core::{ErrorKind, Finding, ProviderError};

use super::{Preflight, blocking, good, unreadable};
use crate::{catalogue, client_machine, errors, pages};

/// A quota of Service Quotas. Codes: those that rosa and cluster-api-provider-aws check, and the Service Quotas console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quota {
    service: &'static str,
    code: &'static str,
    title: &'static str,
}

const VPCS: Quota = Quota { service: "vpc", code: "L-F678F1CE", title: "VPCs" };
const INTERNET_GATEWAYS: Quota = Quota { service: "vpc", code: "L-A4707A72", title: "internet gateways" };
const NAT_GATEWAYS: Quota = Quota { service: "vpc", code: "L-FE5A380F", title: "NAT gateways in a zone" };
const ELASTIC_IPS: Quota = Quota { service: "ec2", code: "L-0263D0A3", title: "elastic IPs" };
const CLUSTERS: Quota = Quota { service: "eks", code: "L-1194D53C", title: "clusters" };
const ON_DEMAND: Quota = Quota { service: "ec2", code: "L-1216C47A", title: "vCPUs of on-demand standard instances" };
const SPOT: Quota = Quota { service: "ec2", code: "L-34B43A08", title: "vCPUs of spot standard instances" };

/// The families that EC2 counts as standard: A, C, D, H, I, M, R, T, Z.
const STANDARD_FAMILIES: &str = "acdhimrtz";

/// What the plan needs of one quota, and how to find out what is used.
struct Need {
    quota: Quota,
    need: u64,
}

impl Preflight<'_> {
    /// Checks every quota that the plan uses.
    pub(super) async fn quotas(&self) -> Vec<Finding> {
        let checks = self.needs().into_iter().map(|need| self.check(need));
        futures::future::join_all(checks).await
    }

    fn needs(&self) -> Vec<Need> {
        let mut needs = vec![
            Need { quota: VPCS, need: self.created("ec2/vpc") },
            Need { quota: INTERNET_GATEWAYS, need: self.created("ec2/internet-gateway") },
            Need { quota: ELASTIC_IPS, need: self.created("ec2/elastic-ip") },
            // The gateways lie in different zones, one in each.
            Need { quota: NAT_GATEWAYS, need: self.created("ec2/nat-gateway").min(1) },
            Need { quota: CLUSTERS, need: self.created("eks/cluster") },
        ];
        if self.starts_nodes() {
            needs.push(Need { quota: ON_DEMAND, need: self.virtual_cpus_max(Purchase::OnDemand) });
            needs.push(Need { quota: SPOT, need: self.virtual_cpus_max(Purchase::Spot) });
        }
        needs.retain(|need| need.need > 0);
        needs
    }

    fn created(&self, kind: &str) -> u64 {
        self.creates(kind) as u64
    }

    /// The virtual CPUs of all nodes when every pool is at its maximum, and of the machine for clients.
    fn virtual_cpus_max(&self, purchase: Purchase) -> u64 {
        let of = |pool: &str, nodes: u32| {
            let types = self.facts.instance_types.get(pool).into_iter().flatten();
            let largest = types.filter(|name| is_standard(name)).filter_map(|name| catalogue::virtual_cpus(name)).max();
            u64::from(largest.unwrap_or_default()) * u64::from(nodes)
        };
        let core = match purchase {
            Purchase::OnDemand => of("core", self.spec.core.max.unwrap_or(self.spec.core.nodes)),
            Purchase::Spot => 0,
        };
        let client = match purchase {
            Purchase::OnDemand => of(client_machine::POOL, u32::from(self.spec.client.is_some())),
            Purchase::Spot => 0,
        };
        let workers = self.spec.workers.iter().filter(|(_, pool)| pool.purchase == purchase);
        core + client + workers.map(|(name, pool)| of(name.node_pool_name(), pool.max)).sum::<u64>()
    }

    async fn check(&self, need: Need) -> Finding {
        let Need { quota, need } = need;
        let subject = format!("quota: {}", quota.title);
        let (limit, used) = futures::join!(self.limit(quota), self.used(quota));
        let (limit, used) = match (limit, used) {
            (Ok(limit), Ok(used)) => (limit, used),
            (Err(error), _) | (_, Err(error)) => return unreadable(&subject, &error),
        };
        let message = format!("{need} needed, {used} of {limit} used");
        if used + need <= limit {
            return good(&subject, message);
        }
        let missing = used + need - limit;
        let cure = format!(
            "ask for {missing} more in Service Quotas (`aws service-quotas request-service-quota-increase --service-code {} \
             --quota-code {} --desired-value {}`), or use less",
            quota.service,
            quota.code,
            used + need
        );
        blocking(
            &subject,
            message,
            &cure,
            ErrorKind::Quota { what: format!("{} {} {}", quota.service, quota.code, quota.title) },
        )
    }

    async fn limit(&self, quota: Quota) -> Result<u64, ProviderError> {
        let call = "servicequotas:GetServiceQuota";
        let request = self.clients.quotas.get_service_quota().service_code(quota.service).quota_code(quota.code);
        let answer = request.send().await.map_err(errors::reading(call))?;
        let value = answer.quota.and_then(|quota| quota.value).ok_or_else(|| errors::missing(call, "value"))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a saturating cast of a count")]
        Ok(value as u64)
    }

    /// What is used now, in the unit of the quota.
    async fn used(&self, quota: Quota) -> Result<u64, ProviderError> {
        let ec2 = &self.clients.ec2;
        let count = match quota {
            VPCS => pages::all(ec2.describe_vpcs().into_paginator().items().send(), "ec2:DescribeVpcs").await?.len(),
            INTERNET_GATEWAYS => {
                let items = ec2.describe_internet_gateways().into_paginator().items().send();
                pages::all(items, "ec2:DescribeInternetGateways").await?.len()
            }
            ELASTIC_IPS => {
                let answer = ec2.describe_addresses().send().await.map_err(errors::reading("ec2:DescribeAddresses"))?;
                answer.addresses.unwrap_or_default().len()
            }
            CLUSTERS => {
                let items = self.clients.eks.list_clusters().into_paginator().items().send();
                pages::all(items, "eks:ListClusters").await?.len()
            }
            NAT_GATEWAYS => self.nat_gateways_in_one_zone().await?,
            ON_DEMAND => return self.running_virtual_cpus(Purchase::OnDemand).await,
            _ => return self.running_virtual_cpus(Purchase::Spot).await,
        };
        Ok(count as u64)
    }

    /// The number of NAT gateways in the fullest of the chosen zones.
    async fn nat_gateways_in_one_zone(&self) -> Result<usize, ProviderError> {
        let ec2 = &self.clients.ec2;
        let (gateways, subnets) = futures::try_join!(
            pages::all(ec2.describe_nat_gateways().into_paginator().items().send(), "ec2:DescribeNatGateways"),
            pages::all(ec2.describe_subnets().into_paginator().items().send(), "ec2:DescribeSubnets"),
        )?;
        let zones: BTreeMap<_, _> = subnets
            .iter()
            .filter_map(|subnet| Some((subnet.subnet_id.as_deref()?, subnet.availability_zone.as_deref()?)))
            .collect();
        let is_alive = |state: Option<&NatGatewayState>| {
            matches!(state, Some(NatGatewayState::Pending | NatGatewayState::Available | NatGatewayState::Deleting))
        };
        let alive = gateways.iter().filter(|gateway| is_alive(gateway.state.as_ref()));
        let places: Vec<_> = alive.filter_map(|gateway| zones.get(gateway.subnet_id.as_deref()?)).collect();
        let count = |zone: &String| places.iter().filter(|place| ***place == zone.as_str()).count();
        Ok(self.facts.zones.iter().map(count).max().unwrap_or_default())
    }

    /// The virtual CPUs of running standard instances, without those of this cluster, which the need contains already.
    async fn running_virtual_cpus(&self, purchase: Purchase) -> Result<u64, ProviderError> {
        let running = Filter::builder().name("instance-state-name").values("pending").values("running").build();
        let items = self.clients.ec2.describe_instances().filters(running).into_paginator().items().send();
        let reservations = pages::all(items, "ec2:DescribeInstances").await?;
        let instances = reservations.iter().flat_map(|reservation| reservation.instances.iter().flatten());
        let counted = instances.filter(|instance| {
            let is_spot = instance.instance_lifecycle == Some(InstanceLifecycleType::Spot);
            is_spot == (purchase == Purchase::Spot) && !self.is_own_node(instance)
        });
        Ok(counted.map(virtual_cpus).sum())
    }

    fn is_own_node(&self, instance: &Instance) -> bool {
        let cluster = self.spec.name.as_str();
        let names_cluster = |tag: &aws_sdk_ec2::types::Tag| {
            tag.key.as_deref() == Some("eks:cluster-name") && tag.value.as_deref() == Some(cluster)
        };
        instance.tags.iter().flatten().any(names_cluster)
    }
}

fn virtual_cpus(instance: &Instance) -> u64 {
    let Some(name) = instance.instance_type.as_ref().map(InstanceType::as_str).filter(|name| is_standard(name)) else {
        return 0;
    };
    let options = instance.cpu_options.as_ref();
    let options = options.and_then(|options| options.core_count?.checked_mul(options.threads_per_core?));
    let counted = options.and_then(|count| u64::try_from(count).ok());
    counted.or_else(|| catalogue::virtual_cpus(name).map(u64::from)).unwrap_or_default()
}

/// Whether an instance type counts against the quota of standard instances: by the letters before its generation.
fn is_standard(name: &str) -> bool {
    let letters: String = name.chars().take_while(char::is_ascii_alphabetic).collect();
    // `inf`, `trn`, `mac` and others with longer names have quotas of their own; `im` and `is` are storage types.
    match letters.as_str() {
        "im" | "is" => true,
        other => other.len() == 1 && STANDARD_FAMILIES.contains(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_families_are_told_by_their_letters() {
        for name in ["m6i.2xlarge", "c7g.large", "r6a.4xlarge", "t3.micro", "is4gen.large", "z1d.large"] {
            assert!(is_standard(name), "{name}");
        }
        for name in
            ["g5.xlarge", "p4d.24xlarge", "inf2.xlarge", "trn1.2xlarge", "mac2.metal", "u-6tb1.metal", "x2idn.large"]
        {
            assert!(!is_standard(name), "{name}");
        }
    }
}
