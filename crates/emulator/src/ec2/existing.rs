//! A network that was there before.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::account::Chance;
use crate::ec2::{Call, Ec2, Kind, subnets, vpcs, zones};
use crate::error::ApiError;
use crate::iam::Iam;

/// A network with its subnets, by their identifiers.
#[derive(Clone, Debug, Default)]
pub struct ExistingNetwork {
    /// For example `vpc-0123456789abcdef0`.
    pub vpc: String,
    /// Its addresses: a /16 such as `10.0.0.0/16`, of which each subnet gets a /20.
    pub cidr: Ipv4Net,
    /// The tags of the network and of its subnets.
    pub tags: BTreeMap<String, String>,
    /// One in each zone in turn, in this order.
    pub private_subnets: Vec<String>,
    /// Likewise.
    pub public_subnets: Vec<String>,
}

/// How long the prefix of a subnet's addresses is.
const SUBNET_PREFIX: u8 = 20;

impl Ec2 {
    /// Makes the network. How its subnets reach the internet is not made: nobody asks for that.
    pub(crate) fn provide(&mut self, network: &ExistingNetwork, chance: &mut Chance) -> Result<(), ApiError> {
        let given = json!({ "CidrBlock": network.cidr.to_string() });
        self.make(&network.vpc, &given, chance, vpcs::create)?;
        for attribute in ["EnableDnsHostnames", "EnableDnsSupport"] {
            let given = json!({ "VpcId": network.vpc, attribute: { "Value": true } });
            self.make("", &given, chance, vpcs::modify_attribute)?;
        }
        let zone = |place: usize| format!("{}{}", self.region, zones::LETTERS[place % zones::LETTERS.len()]);
        let zones: Vec<String> = (0..zones::LETTERS.len()).map(zone).collect();
        let kinds = [&network.private_subnets, &network.public_subnets];
        let places = kinds.into_iter().flat_map(|subnets| subnets.iter().enumerate());
        let too_small = |_| ApiError::internal("a network is a /20 or larger");
        let blocks = network.cidr.subnets(SUBNET_PREFIX).map_err(too_small)?;
        for ((place, subnet), block) in places.zip(blocks) {
            let zone = &zones[place % zones.len()];
            let given = json!({ "VpcId": network.vpc, "CidrBlock": block.to_string(), "AvailabilityZone": zone });
            self.make(subnet, &given, chance, subnets::create)?;
        }
        for subnet in &network.public_subnets {
            let given = json!({ "SubnetId": subnet, "MapPublicIpOnLaunch": { "Value": true } });
            self.make("", &given, chance, subnets::modify_attribute)?;
        }
        self.get_mut(Kind::Vpc, &network.vpc)?.tags.clone_from(&network.tags);
        for subnet in network.private_subnets.iter().chain(&network.public_subnets) {
            self.get_mut(Kind::Subnet, subnet)?.tags.clone_from(&network.tags);
        }
        Ok(())
    }

    /// Carries out a call; what it makes first gets this identifier.
    fn make(
        &mut self,
        id: &str,
        parameters: &Value,
        chance: &mut Chance,
        operation: fn(&mut Call<'_>) -> Result<Value, ApiError>,
    ) -> Result<(), ApiError> {
        let id = Some(id.to_owned()).filter(|id| !id.is_empty());
        let now = Timestamp::UNIX_EPOCH;
        operation(&mut Call { ec2: self, chance, iam: &Iam::default(), now, operation: "", parameters, id })?;
        Ok(())
    }
}
