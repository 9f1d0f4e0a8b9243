//! The wanted network.

use std::collections::BTreeSet;

use howso_infra_core::spec::{ClusterSpec, Nat, SpecErrors};
use howso_infra_core::{Resource, ResourceId, Value};

use super::kinds::{
    ELASTIC_IP, INTERNET_GATEWAY, INTERNET_GATEWAY_ATTACHMENT, NAT_GATEWAY, ROUTE, ROUTE_TABLE,
    ROUTE_TABLE_ASSOCIATION, SUBNET, VPC,
};
use super::layout::{PlaceRanges, layout};
use crate::facts::EksFacts;
use crate::options::EksOptions;
use crate::tags::NAME_TAG;

/// The range of every address that no other route covers.
pub(super) const EVERYWHERE: &str = "0.0.0.0/0";

/// The network as the rest of the graph sees it.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// What is made; nothing for an existing network.
    pub(crate) resources: Vec<Resource>,
    /// The network itself: a reference, or the literal id of an existing network.
    pub(crate) vpc_id: Value,
    /// The private subnets in the order of the places: references, or literal ids of an existing network.
    pub(crate) private_subnets: Vec<Value>,
    /// The public subnets in the order of the places; literal ids of an existing network.
    pub(crate) public_subnets: Vec<Value>,
    /// What must be settled before nodes in private subnets reach the internet.
    pub(crate) egress: BTreeSet<ResourceId>,
}

/// Builds the network, or names the existing one.
pub(crate) fn graph(spec: &ClusterSpec, options: &EksOptions, facts: &EksFacts) -> Result<Network, SpecErrors> {
    if let Some(vpc) = &options.network.vpc {
        let ids = |subnets: &[String]| subnets.iter().map(Value::text).collect();
        return Ok(Network {
            vpc_id: Value::text(vpc),
            private_subnets: ids(&options.network.private_subnets),
            public_subnets: ids(&options.network.public_subnets),
            resources: Vec::new(),
            egress: BTreeSet::new(),
        });
    }
    let cidr = options.network.cidr();
    let ranges = layout(cidr, facts.zones.len())
        .map_err(|invalid| spec.provider_options.error("network.cidr", invalid.message, invalid.hint))?;
    let builder = Builder { spec };
    let mut network = Network {
        resources: Vec::new(),
        vpc_id: vpc_id(),
        private_subnets: Vec::new(),
        public_subnets: Vec::new(),
        egress: BTreeSet::new(),
    };
    builder.add_vpc(&mut network, &cidr.to_string());
    for ((place, zone), ranges) in facts.places().zip(&ranges) {
        builder.add_place(&mut network, place, zone, ranges);
    }
    Ok(network)
}

struct Builder<'a> {
    spec: &'a ClusterSpec,
}

impl Builder<'_> {
    fn add_vpc(&self, network: &mut Network, cidr: &str) {
        let (vpc, gateway, table) = (main(VPC), main(INTERNET_GATEWAY), public_table());
        let attachment = main(INTERNET_GATEWAY_ATTACHMENT);
        network.resources.extend([
            self.tagged(&vpc, &[]).with("cidr", cidr).with("dns_support", true).with("dns_hostnames", true),
            self.tagged(&gateway, &[]),
            Resource::new(attachment.clone())
                .with("vpc_id", vpc_id())
                .with("internet_gateway_id", Value::reference(&gateway, "internet_gateway_id")),
            self.tagged(&table, &[]).with("vpc_id", vpc_id()),
            default_route(&table)
                .with("gateway_id", Value::reference(&gateway, "internet_gateway_id"))
                .after(&attachment),
        ]);
    }

    fn add_place(&self, network: &mut Network, place: char, zone: &str, ranges: &PlaceRanges) {
        let public = ResourceId::new(SUBNET, format!("public-{place}"));
        let private = ResourceId::new(SUBNET, format!("private-{place}"));
        let table = ResourceId::new(ROUTE_TABLE, private.name());
        // The AWS load balancer controller finds its subnets by these tags.
        let subnet = |id: &ResourceId, cidr: String, role: &str| {
            self.tagged(id, &[(role, "1")]).with("vpc_id", vpc_id()).with("zone", zone).with("cidr", cidr)
        };
        network.resources.extend([
            subnet(&public, ranges.public.to_string(), "kubernetes.io/role/elb").with("map_public_ip", true),
            subnet(&private, ranges.private.to_string(), "kubernetes.io/role/internal-elb"),
            association(&public, &public_table()),
            association(&private, &table),
            self.tagged(&table, &[]).with("vpc_id", vpc_id()),
        ]);
        network.egress.insert(ResourceId::new(ROUTE_TABLE_ASSOCIATION, private.name()));
        if let Some(nat_place) = self.nat_place(place) {
            if nat_place == place {
                self.add_nat(network, place, &public);
            }
            let nat = ResourceId::new(NAT_GATEWAY, nat_place);
            let route = default_route(&table).with("nat_gateway_id", Value::reference(&nat, "nat_gateway_id"));
            network.egress.insert(route.id.clone());
            network.resources.push(route);
        }
        network.private_subnets.push(Value::reference(&private, "subnet_id"));
        network.public_subnets.push(Value::reference(&public, "subnet_id"));
    }

    fn add_nat(&self, network: &mut Network, place: char, public: &ResourceId) {
        let address = ResourceId::new(ELASTIC_IP, place);
        network.resources.extend([
            self.tagged(&address, &[]),
            self.tagged(&ResourceId::new(NAT_GATEWAY, place), &[])
                .with("subnet_id", Value::reference(public, "subnet_id"))
                .with("allocation_id", Value::reference(&address, "allocation_id"))
                // EC2 refuses a public gateway in a VPC without an internet gateway.
                .after(&main(INTERNET_GATEWAY_ATTACHMENT)),
        ]);
    }

    /// The place of the NAT gateway that the nodes of `place` use.
    fn nat_place(&self, place: char) -> Option<char> {
        match self.spec.network.nat {
            Nat::PerZone => Some(place),
            Nat::Single => Some('a'),
            Nat::None => None,
        }
    }

    fn tagged(&self, id: &ResourceId, more: &[(&str, &str)]) -> Resource {
        let user = self.spec.tags.iter().map(|(key, value)| (key.as_str().to_owned(), value.clone()));
        let name = (NAME_TAG.to_owned(), format!("{}-{}", self.spec.name, id.name()));
        let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Resource::new(id.clone()).with("tags", Value::text_map(user.chain([name]).chain(more)))
    }
}

fn main(kind: &str) -> ResourceId {
    ResourceId::new(kind, "main")
}

fn public_table() -> ResourceId {
    ResourceId::new(ROUTE_TABLE, "public")
}

fn vpc_id() -> Value {
    Value::reference(&main(VPC), "vpc_id")
}

/// The name of the default route of a route table.
pub(super) fn default_route_id(table: &str) -> ResourceId {
    ResourceId::new(ROUTE, format!("{table}-default"))
}

fn default_route(table: &ResourceId) -> Resource {
    Resource::new(default_route_id(table.name()))
        .with("route_table_id", Value::reference(table, "route_table_id"))
        .with("destination_cidr", EVERYWHERE)
}

fn association(subnet: &ResourceId, table: &ResourceId) -> Resource {
    Resource::new(ResourceId::new(ROUTE_TABLE_ASSOCIATION, subnet.name()))
        .with("subnet_id", Value::reference(subnet, "subnet_id"))
        .with("route_table_id", Value::reference(table, "route_table_id"))
}
