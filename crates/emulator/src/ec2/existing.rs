//! A network that was there before.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::account::Chance;
use crate::ec2::{Call, Ec2, subnets, vpcs, zones};
use crate::error::ApiError;

/// A network with its subnets, by their identifiers.
#[derive(Clone, Debug, Default)]
pub struct ExistingNetwork {
    /// For example `vpc-0123456789abcdef0`.
    pub vpc: String,
    /// One in each zone in turn, in this order.
    pub private_subnets: Vec<String>,
    /// Likewise.
    pub public_subnets: Vec<String>,
}

/// Its addresses: a /16, of which each subnet gets a /20.
const NETWORK: &str = "10.0.0.0/16";

impl Ec2 {
    /// Makes the network. How its subnets reach the internet is not made: nobody asks for that.
    pub(crate) fn provide(&mut self, network: &ExistingNetwork, chance: &mut Chance) -> Result<(), ApiError> {
        let given = json!({ "CidrBlock": NETWORK });
        self.make(&network.vpc, &given, chance, vpcs::create)?;
        for attribute in ["EnableDnsHostnames", "EnableDnsSupport"] {
            let given = json!({ "VpcId": network.vpc, attribute: { "Value": true } });
            self.make("", &given, chance, vpcs::modify_attribute)?;
        }
        let zone = |place: usize| format!("{}{}", self.region, zones::LETTERS[place % zones::LETTERS.len()]);
        let zones: Vec<String> = (0..zones::LETTERS.len()).map(zone).collect();
        let kinds = [&network.private_subnets, &network.public_subnets];
        let places = kinds.into_iter().flat_map(|subnets| subnets.iter().enumerate());
        for (number, (place, subnet)) in places.enumerate() {
            let block = format!("10.0.{}.0/20", number * 16);
            let zone = &zones[place % zones.len()];
            let given = json!({ "VpcId": network.vpc, "CidrBlock": block, "AvailabilityZone": zone });
            self.make(subnet, &given, chance, subnets::create)?;
        }
        for subnet in &network.public_subnets {
            let given = json!({ "SubnetId": subnet, "MapPublicIpOnLaunch": { "Value": true } });
            self.make("", &given, chance, subnets::modify_attribute)?;
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
        operation(&mut Call { ec2: self, chance, now, operation: "", parameters, id })?;
        Ok(())
    }
}
