//! Zones, and the instance types in them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{AvailabilityZoneState, Filter, LocationType};
use howso_infra_core::{ErrorKind, Finding, ProviderError};

use super::{Preflight, blocking, good, unreadable};
use crate::{errors, pages};

impl Preflight<'_> {
    /// Checks that the chosen zones are open and offer the chosen types.
    pub(super) async fn placement(&self) -> Vec<Finding> {
        let zones = async { if self.creates("ec2/subnet") > 0 { Some(self.open_zones().await) } else { None } };
        let offerings = async { if self.starts_nodes() { Some(self.offerings().await) } else { None } };
        let (zones, offerings) = futures::join!(zones, offerings);
        let mut findings = Vec::new();
        findings.extend(zones.map(|zones| self.check_zones(zones)));
        findings.extend(offerings.into_iter().flat_map(|offerings| self.check_offerings(offerings)));
        findings
    }

    async fn open_zones(&self) -> Result<BTreeSet<String>, ProviderError> {
        let call = "ec2:DescribeAvailabilityZones";
        let answer = self.clients.ec2.describe_availability_zones().send().await.map_err(errors::reading(call))?;
        let zones = answer.availability_zones.unwrap_or_default().into_iter();
        let open = zones.filter(|zone| matches!(zone.state, Some(AvailabilityZoneState::Available) | None));
        Ok(open.filter_map(|zone| zone.zone_name).collect())
    }

    fn check_zones(&self, open: Result<BTreeSet<String>, ProviderError>) -> Finding {
        let subject = "zones";
        let open = match open {
            Ok(open) => open,
            Err(error) => return unreadable(subject, &error),
        };
        let closed: Vec<_> = self.facts.zones.iter().filter(|zone| !open.contains(*zone)).cloned().collect();
        if closed.is_empty() {
            return good(subject, self.facts.zones.join(", "));
        }
        let message = format!("{} cannot be used by this account", closed.join(", "));
        let cure = format!("choose among {}", open.into_iter().collect::<Vec<_>>().join(", "));
        blocking(subject, message, &cure, ErrorKind::Invalid { field: Some("eks.zones".to_owned()) })
    }

    /// In which zones each of the chosen types is offered.
    async fn offerings(&self) -> Result<BTreeMap<String, BTreeSet<String>>, ProviderError> {
        let types: BTreeSet<&String> = self.facts.instance_types.values().flatten().collect();
        let filter = Filter::builder().name("instance-type");
        let filter = filter.set_values(Some(types.into_iter().cloned().collect())).build();
        let request = self.clients.ec2.describe_instance_type_offerings();
        let request = request.location_type(LocationType::AvailabilityZone).filters(filter);
        let mut offerings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for offering in pages::all(request.into_paginator().items().send(), "ec2:DescribeInstanceTypeOfferings").await?
        {
            if let (Some(instance_type), Some(zone)) = (offering.instance_type, offering.location) {
                offerings.entry(instance_type.as_str().to_owned()).or_default().insert(zone);
            }
        }
        Ok(offerings)
    }

    fn check_offerings(&self, offerings: Result<BTreeMap<String, BTreeSet<String>>, ProviderError>) -> Vec<Finding> {
        let offerings = match offerings {
            Ok(offerings) => offerings,
            Err(error) => return vec![unreadable("instance types", &error)],
        };
        let check = |(pool, types): (&String, &Vec<String>)| {
            let subject = format!("instance types: {pool}");
            let is_offered =
                |name: &String, zone: &String| offerings.get(name).is_some_and(|zones| zones.contains(zone));
            let lacks = |zone: &&String| types.iter().any(|name| !is_offered(name, zone));
            let lacking: Vec<_> = self.facts.zones.iter().filter(lacks).cloned().collect();
            if lacking.is_empty() {
                return good(&subject, format!("{} in {}", types.join(", "), self.facts.zones.join(", ")));
            }
            let message = format!("{} is not offered in {}", types.join(", "), lacking.join(", "));
            let cure = "name other types in `machine.types`, or other zones in `eks.zones`";
            blocking(&subject, message, cure, ErrorKind::Capacity { what: types.join(", ") })
        };
        self.facts.instance_types.iter().map(check).collect()
    }
}
