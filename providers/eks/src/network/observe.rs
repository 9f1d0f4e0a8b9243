//! Reads the network: six lists at once, by the tag of the cluster.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{InternetGateway, RouteTable, Vpc};
use howso_infra_core::{Gap, Observation, Observed, Ownership, ProviderError, ResourceId, ScopeKinds};

use super::convert;
use super::graph::{EVERYWHERE, default_route_id};
use super::kinds::{
    ELASTIC_IP, INTERNET_GATEWAY, INTERNET_GATEWAY_ATTACHMENT, NAT_GATEWAY, ROUTE, ROUTE_TABLE,
    ROUTE_TABLE_ASSOCIATION, SUBNET, VPC,
};
use super::read;
use crate::clients::Clients;
use crate::context::{ObserveContext, Wanted};
use crate::control_plane::CLUSTER;
use crate::found::Found;
use crate::pools::NODEGROUP;
use crate::tags::{self, NAME_TAG, Tags};

/// Reads everything of the network.
pub(crate) async fn observe(clients: &Clients, context: &ObserveContext<'_>, kinds: &ScopeKinds) -> Observation {
    read_lists(clients, context, kinds).await
}

/// Reads the lists in which one resource shows, and reports only it.
pub(crate) async fn observe_one(
    clients: &Clients,
    context: &ObserveContext<'_>,
    wanted: Wanted<'_>,
) -> Result<Observation, ProviderError> {
    let kinds = ScopeKinds::Only([wanted.id.kind().to_owned()].into());
    let mut observation = read_lists(clients, context, &kinds).await;
    if let Some(gap) = observation.gap(wanted.id.kind()) {
        return Err(gap.error.clone());
    }
    observation.gaps.clear();
    observation.resources.retain(|id, _| id == wanted.id);
    Ok(observation)
}

/// A list of EC2 and the kinds that are read from it.
struct List {
    kinds: &'static [&'static str],
}

const VPCS: List = List { kinds: &[VPC] };
// The subnets give the associations their names, and the subnets of cluster and node groups their order.
const SUBNETS: List = List { kinds: &[SUBNET, ROUTE_TABLE_ASSOCIATION, CLUSTER, NODEGROUP] };
const INTERNET_GATEWAYS: List = List { kinds: &[INTERNET_GATEWAY, INTERNET_GATEWAY_ATTACHMENT] };
const ADDRESSES: List = List { kinds: &[ELASTIC_IP] };
const NAT_GATEWAYS: List = List { kinds: &[NAT_GATEWAY] };
const ROUTE_TABLES: List = List { kinds: &[ROUTE_TABLE, ROUTE, ROUTE_TABLE_ASSOCIATION] };

impl List {
    /// Reads the list, unless it is not needed for `wanted`.
    async fn unless_idle<T>(
        &self,
        wanted: &ScopeKinds,
        list: impl Future<Output = Result<Vec<T>, ProviderError>>,
    ) -> Result<Vec<T>, ProviderError> {
        if wanted.includes(self.kinds) { list.await } else { Ok(Vec::new()) }
    }
}

async fn read_lists(clients: &Clients, context: &ObserveContext<'_>, kinds: &ScopeKinds) -> Observation {
    let ec2 = &clients.ec2;
    let ours = || read::of_cluster(context.cluster());
    let (vpcs, subnets, gateways, addresses, nats, tables) = futures::join!(
        VPCS.unless_idle(kinds, vpcs_with_dns(clients, context)),
        SUBNETS.unless_idle(kinds, read::subnets(ec2, ours())),
        INTERNET_GATEWAYS.unless_idle(kinds, read::internet_gateways(ec2, ours())),
        ADDRESSES.unless_idle(kinds, read::addresses(ec2, ours())),
        NAT_GATEWAYS.unless_idle(kinds, read::nat_gateways(ec2, ours())),
        ROUTE_TABLES.unless_idle(kinds, read::route_tables(ec2, ours())),
    );
    let mut report = Report { context, observation: Observation::default() };
    let vpcs = report.list(&VPCS, vpcs);
    let subnets = report.list(&SUBNETS, subnets);
    let gateways = report.list(&INTERNET_GATEWAYS, gateways);
    let addresses = report.list(&ADDRESSES, addresses);
    let nats = report.list(&NAT_GATEWAYS, nats);
    let tables = report.list(&ROUTE_TABLES, tables);
    report.add(VPC, vpcs.iter().filter_map(|(vpc, dns)| convert::vpc(vpc, *dns)));
    let subnets = report.add(SUBNET, subnets.iter().filter_map(convert::subnet));
    report.add(ELASTIC_IP, addresses.iter().filter_map(convert::address));
    report.add(NAT_GATEWAY, nats.iter().filter_map(convert::nat_gateway));
    report.internet_gateways(&gateways);
    report.route_tables(&tables, &subnets);
    report.observation
}

type VpcWithDns = (Vpc, (Option<bool>, Option<bool>));

/// Reads the VPCs, and of those that are ours what their descriptions lack.
async fn vpcs_with_dns(clients: &Clients, context: &ObserveContext<'_>) -> Result<Vec<VpcWithDns>, ProviderError> {
    let vpcs = read::vpcs(&clients.ec2, read::of_cluster(context.cluster())).await?;
    let is_ours = |vpc: &Vpc| {
        let tags = convert::tags(vpc.tags.as_deref());
        matches!(tags::ownership(&tags, context.cluster(), context.deployment), Ownership::Ours { .. })
    };
    let with_dns = vpcs.into_iter().filter(is_ours).map(|vpc| async {
        let dns = match &vpc.vpc_id {
            Some(id) => read::dns(&clients.ec2, id).await?,
            None => (None, None),
        };
        Ok((vpc, dns))
    });
    futures::future::try_join_all(with_dns).await
}

/// Puts together what was read.
struct Report<'a> {
    context: &'a ObserveContext<'a>,
    observation: Observation,
}

impl Report<'_> {
    /// Takes a list that was read; one that was not becomes a gap.
    fn list<T>(&mut self, list: &List, read: Result<Vec<T>, ProviderError>) -> Vec<T> {
        read.unwrap_or_else(|error| {
            let kinds = list.kinds.iter().map(|kind| (*kind).to_owned()).collect();
            self.observation.gaps.push(Gap { kinds, error });
            Vec::new()
        })
    }

    /// Adds those that are ours, and returns their names by identifier.
    fn add(&mut self, kind: &str, found: impl Iterator<Item = Found>) -> BTreeMap<String, ResourceId> {
        let mut names = BTreeMap::new();
        for found in found {
            if let Some((id, ownership)) = self.ours(kind, &found.tags) {
                names.insert(found.physical_id.clone(), id.clone());
                self.insert(id, ownership, found);
            }
        }
        names
    }

    fn insert(&mut self, id: ResourceId, ownership: Ownership, found: Found) {
        let Found { physical_id, status, attributes, outputs, tags: _ } = found;
        self.observation.insert(id, Observed { physical_id, ownership, status, attributes, outputs });
    }

    /// The name of what is ours; nothing for strangers, whose names stand in nobody's way in EC2.
    fn ours(&self, kind: &str, tags: &Tags) -> Option<(ResourceId, Ownership)> {
        let cluster = self.context.cluster();
        let ownership = tags::ownership(tags, cluster, self.context.deployment);
        if !matches!(ownership, Ownership::Ours { .. }) {
            return None;
        }
        // Somebody may have removed the one tag and left the others.
        let by_name = || Some(ResourceId::new(kind, tags.get(NAME_TAG)?.strip_prefix(&format!("{cluster}-"))?));
        Some((tags::resource_id(tags, kind).or_else(by_name)?, ownership))
    }

    fn internet_gateways(&mut self, gateways: &[InternetGateway]) {
        self.add(INTERNET_GATEWAY, gateways.iter().filter_map(convert::internet_gateway));
        for gateway in gateways {
            let tags = convert::tags(gateway.tags.as_deref());
            let Some((id, ownership)) = self.ours(INTERNET_GATEWAY, &tags) else { continue };
            let Some(gateway_id) = &gateway.internet_gateway_id else { continue };
            for found in gateway.attachments.iter().flatten().filter_map(|item| convert::attachment(gateway_id, item)) {
                self.insert(ResourceId::new(INTERNET_GATEWAY_ATTACHMENT, id.name()), ownership.clone(), found);
            }
        }
    }

    /// Routes and associations are parts of their table and belong to its owner.
    fn route_tables(&mut self, tables: &[RouteTable], subnets: &BTreeMap<String, ResourceId>) {
        self.add(ROUTE_TABLE, tables.iter().filter_map(convert::route_table));
        for table in tables {
            let tags = convert::tags(table.tags.as_deref());
            let Some((id, ownership)) = self.ours(ROUTE_TABLE, &tags) else { continue };
            let Some(table_id) = &table.route_table_id else { continue };
            let mut destinations = BTreeSet::new();
            for found in table.routes.iter().flatten().filter_map(|route| convert::route(table_id, route)) {
                // Routes to other networks are the user's own; a destination can have one route only.
                if found.physical_id.ends_with(EVERYWHERE) && destinations.insert(found.physical_id.clone()) {
                    self.insert(default_route_id(id.name()), ownership.clone(), found);
                }
            }
            for found in table.associations.iter().flatten().filter_map(|item| convert::association(table_id, item)) {
                let subnet = found.attributes.get("subnet_id").and_then(|id| id.as_text());
                if let Some(subnet) = subnet.and_then(|id| subnets.get(id)) {
                    let id = ResourceId::new(ROUTE_TABLE_ASSOCIATION, subnet.name());
                    self.insert(id, ownership.clone(), found);
                }
            }
        }
    }
}
