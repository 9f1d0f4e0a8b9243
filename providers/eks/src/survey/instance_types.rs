//! The instance types of the pools, and where they are offered.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, LocationType};
use howso_infra_core::ProviderError;
use howso_infra_core::sizing::Prices;
use howso_infra_core::spec::{Machine, Purchase};

use super::Survey;
use crate::catalogue::Wish;
use crate::{catalogue, client_machine, pages, pools};

/// EC2 takes at most 200 values in a filter.
const FILTER_VALUES_MAX: usize = 200;

/// A pool whose types have to be settled.
pub(super) struct Pool<'a> {
    pub(super) name: String,
    pub(super) machine: &'a Machine,
    pub(super) purchase: Purchase,
    /// Prices of the user's own.
    pub(super) prices: &'a Prices,
    /// The types it has now.
    pub(super) current: Vec<String>,
}

impl Pool<'_> {
    /// What is asked for.
    pub(super) fn wish(&self) -> Wish<'_> {
        Wish { pool: &self.name, machine: self.machine, purchase: self.purchase, prices: self.prices }
    }

    /// Whether its present types stay, wherever else they may be offered.
    pub(super) fn is_settled(&self) -> bool {
        if self.current.is_empty() {
            return false;
        }
        if !self.machine.types.is_empty() {
            return self.machine.types == self.current;
        }
        catalogue::choose(self.wish(), &|_| false, &self.current).is_ok()
    }
}

/// In which zones each type is offered.
pub(super) type Offerings = BTreeMap<String, BTreeSet<String>>;

impl<'a> Survey<'a> {
    /// All pools, the core pool first, and the machine for clients as one.
    pub(super) fn pools(&self) -> Vec<Pool<'a>> {
        let current = pools::observed_instance_types(self.observation);
        let pool = |name: &str, machine: &'a Machine, purchase| Pool {
            name: name.to_owned(),
            machine,
            purchase,
            prices: &self.spec.cost.prices,
            current: current.get(name).cloned().unwrap_or_default(),
        };
        let client = self.spec.client.as_ref().map(|client| Pool {
            name: client_machine::POOL.to_owned(),
            machine: &client.machine,
            purchase: Purchase::OnDemand,
            prices: &self.spec.cost.prices,
            current: client_machine::observed_instance_type(self.observation).into_iter().collect(),
        });
        let core = pool("core", &self.spec.core.machine, Purchase::OnDemand);
        let workers = self.spec.workers.iter();
        let workers = workers.map(|(name, worker)| pool(name.node_pool_name(), &worker.machine, worker.purchase));
        std::iter::once(core).chain(workers).chain(client).collect()
    }

    /// Asks where the types are offered that the pools may get.
    pub(super) async fn offerings(&self, pools: &[Pool<'_>]) -> Result<Offerings, ProviderError> {
        let candidates: BTreeSet<String> = pools
            .iter()
            .filter(|pool| !pool.is_settled())
            .flat_map(|pool| catalogue::candidates(pool.machine))
            .collect();
        let candidates: Vec<String> = candidates.into_iter().collect();
        let chunks = candidates.chunks(FILTER_VALUES_MAX).map(|types| {
            let filter = Filter::builder().name("instance-type").set_values(Some(types.to_vec())).build();
            let request = self.clients.ec2.describe_instance_type_offerings();
            let request = request.location_type(LocationType::AvailabilityZone).filters(filter);
            pages::all(request.into_paginator().items().send(), "ec2:DescribeInstanceTypeOfferings")
        });
        let mut offerings = Offerings::new();
        for offering in futures::future::try_join_all(chunks).await?.into_iter().flatten() {
            if let (Some(instance_type), Some(zone)) = (offering.instance_type, offering.location) {
                offerings.entry(instance_type.as_str().to_owned()).or_default().insert(zone);
            }
        }
        Ok(offerings)
    }
}
