//! The zones, and with them the instance types, because neither can be chosen without the other.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{AvailabilityZone, AvailabilityZoneState};
use howso_infra_core::{ErrorKind, ProviderError, ResourceId, Value};

use super::instance_types::{Offerings, Pool};
use super::{Notes, Survey, optional};
use crate::{catalogue, errors};

/// Zones in which EKS puts no control plane (EKS user guide, "Subnet requirements and considerations"). One of them is
/// chosen only when the region has not enough others.
const WITHOUT_EKS: [&str; 3] = ["cac1-az3", "use1-az3", "usw1-az2"];

/// EKS spreads every control plane over two zones at least.
const ZONES_MIN: usize = 2;

/// Where the cluster is, and on what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) zones: Vec<String>,
    pub(super) instance_types: BTreeMap<String, Vec<String>>,
}

/// A zone that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Zone {
    name: String,
    has_eks: bool,
}

/// A set of zones with the types that the pools get there.
struct Candidate {
    zones: Vec<String>,
    /// How many of the zones are without EKS, then how far down their lists the pools' types are.
    demerits: (usize, usize),
    instance_types: BTreeMap<String, Vec<String>>,
    explanations: Vec<String>,
}

impl Survey<'_> {
    /// Settles zones and instance types; keeps what the observed subnets and pools have.
    pub(super) async fn placement(&self) -> Result<(Placement, Notes), ProviderError> {
        let pools = self.pools();
        let all_settled = pools.iter().all(Pool::is_settled);
        let offerings = async { if all_settled { Ok(None) } else { optional(self.offerings(&pools).await).map(Some) } };
        let (choices, offerings) = futures::try_join!(self.zone_choices(), offerings)?;
        let mut notes = Notes::default();
        let offerings = offerings.and_then(|answer| {
            let note =
                |reason: &String| format!("EC2 does not say here which zones offer which instance types ({reason})");
            notes.warnings.extend(answer.as_ref().err().map(note));
            answer.ok()
        });
        let best = best(&choices, &pools, offerings.as_ref())?;
        for zone in choices.iter().flatten().filter(|zone| !zone.has_eks && best.zones.contains(&zone.name)) {
            let text = format!("zone {} is used for want of others, though AWS names it as one without EKS", zone.name);
            if !notes.warnings.contains(&text) {
                notes.warnings.push(text);
            }
        }
        notes.explanations = best.explanations;
        Ok((Placement { zones: best.zones, instance_types: best.instance_types }, notes))
    }

    /// The sets of zones among which the instance types decide.
    async fn zone_choices(&self) -> Result<Vec<Vec<Zone>>, ProviderError> {
        if self.options.network.vpc.is_some() {
            return Ok(vec![self.zones_of_existing_subnets().await?]);
        }
        if !self.options.zones.is_empty() {
            return Ok(vec![self.options.zones.iter().cloned().map(Zone::chosen).collect()]);
        }
        let wanted = usize::from(self.spec.zones.get()).max(ZONES_MIN);
        let mut kept = self.observed_zones();
        kept.truncate(wanted);
        if kept.len() == wanted {
            return Ok(vec![kept.into_iter().map(Zone::chosen).collect()]);
        }
        let available = self.available_zones().await?;
        let others: Vec<Zone> = available.iter().filter(|zone| !kept.contains(&zone.name)).cloned().collect();
        let missing = wanted - kept.len();
        if others.len() < missing {
            return Err(too_few_zones(self.spec.location.as_str(), wanted, kept.len() + others.len()));
        }
        let kept: Vec<Zone> = kept.into_iter().map(Zone::chosen).collect();
        Ok(combinations(&others, missing).into_iter().map(|more| [kept.clone(), more].concat()).collect())
    }

    /// The zones of our private subnets, in the order of their places.
    fn observed_zones(&self) -> Vec<String> {
        let zone = |place: char| {
            let subnet = self.observation.one(&ResourceId::new("ec2/subnet", format!("private-{place}")))?;
            subnet.attributes.get("zone").and_then(Value::as_text).map(str::to_owned)
        };
        ('a'..='z').map_while(zone).collect()
    }

    async fn available_zones(&self) -> Result<Vec<Zone>, ProviderError> {
        let call = "ec2:DescribeAvailabilityZones";
        let answer = self.clients.ec2.describe_availability_zones().send().await.map_err(errors::reading(call))?;
        let mut zones: Vec<_> = answer.availability_zones.iter().flatten().filter_map(usable).collect();
        zones.sort_by(|left, right| (!left.has_eks, &left.name).cmp(&(!right.has_eks, &right.name)));
        Ok(zones)
    }

    /// The zones of the private subnets of an existing network, in the order in which the user names them.
    async fn zones_of_existing_subnets(&self) -> Result<Vec<Zone>, ProviderError> {
        let call = "ec2:DescribeSubnets";
        let wanted = &self.options.network.private_subnets;
        let request = self.clients.ec2.describe_subnets().set_subnet_ids(Some(wanted.clone()));
        let subnets =
            request.send().await.map_err(errors::reading(call)).map_err(not_there)?.subnets.unwrap_or_default();
        let zone = |id: &String| {
            let subnet = subnets.iter().find(|subnet| subnet.subnet_id.as_ref() == Some(id));
            let zone = subnet.and_then(|subnet| subnet.availability_zone.clone());
            zone.ok_or_else(|| {
                not_there(ProviderError::new(ErrorKind::Gone, call, format!("subnet {id} does not exist")))
            })
        };
        let mut zones: Vec<String> = Vec::new();
        for id in wanted {
            let zone = zone(id)?;
            if !zones.contains(&zone) {
                zones.push(zone);
            }
        }
        if zones.len() < ZONES_MIN {
            let kind = ErrorKind::Invalid { field: Some("eks.network.private_subnets".to_owned()) };
            let message = format!("the private subnets are all in {}", zones.concat());
            let hint =
                "name subnets in two zones at least in eks.network.private_subnets: EKS spreads every control plane";
            return Err(ProviderError::new(kind, call, message).with_hint(hint));
        }
        Ok(zones.into_iter().map(Zone::chosen).collect())
    }
}

impl Zone {
    /// A zone that is given, about which there is nothing to decide.
    fn chosen(name: String) -> Self {
        Self { name, has_eks: true }
    }
}

/// A subnet that the user named and that is not there is a mistake in the specification.
fn not_there(error: ProviderError) -> ProviderError {
    if !errors::is_gone(&error) {
        return error;
    }
    let kind = ErrorKind::Invalid { field: Some("eks.network.private_subnets".to_owned()) };
    ProviderError { kind, ..error }.with_hint("check the subnets, the region and the account")
}

fn too_few_zones(place: &str, wanted: usize, found: usize) -> ProviderError {
    let kind = ErrorKind::Invalid { field: Some("zones".to_owned()) };
    let message = format!("{place} has {found} usable zones, and {wanted} are wanted");
    let hint = if found >= ZONES_MIN {
        "ask for fewer with `zones`, or choose another region"
    } else {
        "choose another region"
    };
    ProviderError::new(kind, "ec2:DescribeAvailabilityZones", message).with_hint(hint)
}

/// Leaves out local and wavelength zones and those that are closed.
fn usable(zone: &AvailabilityZone) -> Option<Zone> {
    let is_open = matches!(zone.state, Some(AvailabilityZoneState::Available) | None);
    let is_regional = zone.zone_type.as_deref().is_none_or(|kind| kind == "availability-zone");
    let has_eks = !zone.zone_id.as_deref().is_some_and(|id| WITHOUT_EKS.contains(&id));
    (is_open && is_regional).then_some(Zone { name: zone.zone_name.clone()?, has_eks })
}

/// All choices of `count` zones, each in order, the first zones first.
fn combinations(zones: &[Zone], count: usize) -> Vec<Vec<Zone>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in zones.iter().enumerate() {
        for rest in combinations(&zones[index + 1..], count - 1) {
            all.push([vec![first.clone()], rest].concat());
        }
    }
    all
}

/// The choice of zones in which the pools get the best types; the first one among equals.
fn best(choices: &[Vec<Zone>], pools: &[Pool<'_>], offerings: Option<&Offerings>) -> Result<Candidate, ProviderError> {
    let mut best: Option<Candidate> = None;
    let mut refusal = None;
    for zones in choices {
        match candidate(zones, pools, offerings) {
            Ok(found) if best.as_ref().is_none_or(|best| found.demerits < best.demerits) => best = Some(found),
            Ok(_) => {}
            Err(error) => refusal = refusal.or(Some(error)),
        }
    }
    let nothing = || errors::bug("ec2:DescribeAvailabilityZones", "there are no zones to choose from");
    best.ok_or_else(|| refusal.unwrap_or_else(nothing))
}

fn candidate(zones: &[Zone], pools: &[Pool<'_>], offerings: Option<&Offerings>) -> Result<Candidate, ProviderError> {
    let nowhere = BTreeSet::new();
    let is_offered = |name: &str| {
        offerings.is_none_or(|offerings| {
            let offered = offerings.get(name).unwrap_or(&nowhere);
            zones.iter().all(|zone| offered.contains(&zone.name))
        })
    };
    let mut found = Candidate {
        zones: zones.iter().map(|zone| zone.name.clone()).collect(),
        demerits: (zones.iter().filter(|zone| !zone.has_eks).count(), 0),
        instance_types: BTreeMap::new(),
        explanations: Vec::new(),
    };
    for pool in pools {
        let types = if pool.is_settled() && !pool.machine.types.is_empty() {
            pool.current.clone()
        } else {
            let choice = catalogue::choose(pool.wish(), &is_offered, &pool.current)?;
            found.explanations.push(choice.explanation);
            choice.types
        };
        let ranks = catalogue::candidates(pool.machine);
        let rank = ranks.iter().position(|name| types.first() == Some(name)).unwrap_or_default();
        found.demerits.1 += rank;
        found.instance_types.insert(pool.name.clone(), types);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(names: &[(&str, bool)]) -> Vec<Zone> {
        names.iter().map(|(name, has_eks)| Zone { name: (*name).to_owned(), has_eks: *has_eks }).collect()
    }

    #[test]
    fn the_first_zones_come_first() {
        let all = combinations(&zones(&[("a", true), ("b", true), ("c", true), ("d", true)]), 3);
        let names: Vec<String> = all.iter().map(|set| set.iter().map(|zone| zone.name.as_str()).collect()).collect();
        assert_eq!(names, ["abc", "abd", "acd", "bcd"]);
        assert!(combinations(&zones(&[("a", true)]), 2).is_empty());
    }

    #[test]
    fn a_zone_without_eks_is_the_last_resort() {
        let choices = |count| combinations(&zones(&[("a", true), ("b", true), ("c", false), ("d", true)]), count);
        assert_eq!(best(&choices(3), &[], None).unwrap().zones, ["a", "b", "d"]);
        assert_eq!(best(&choices(4), &[], None).unwrap().demerits.0, 1);
    }

    #[test]
    fn local_closed_and_nameless_zones_are_not_usable() {
        let zone = || AvailabilityZone::builder().zone_name("us-east-1a").zone_id("use1-az1");
        assert_eq!(usable(&zone().build()), Some(Zone { name: "us-east-1a".to_owned(), has_eks: true }));
        assert_eq!(usable(&zone().zone_type("local-zone").build()), None);
        assert_eq!(usable(&zone().state(AvailabilityZoneState::Impaired).build()), None);
        assert_eq!(usable(&zone().zone_id("use1-az3").build()).map(|zone| zone.has_eks), Some(false));
        assert_eq!(usable(&AvailabilityZone::builder().build()), None);
    }
}
