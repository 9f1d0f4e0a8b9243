//! The mutating calls of the network, one for each operation.

use aws_sdk_ec2::types::{AttributeBooleanValue, ConnectivityType, DomainType, ResourceType, TagSpecification};
use howso_infra_core::operation::FieldChange;
use howso_infra_core::{Attributes, ErrorKind, Operation, OperationVerb, ProviderError, Submitted, Value, Work};

use super::convert::{join_ids, split_ids};
use super::kinds::{
    ELASTIC_IP, INTERNET_GATEWAY, INTERNET_GATEWAY_ATTACHMENT, NAT_GATEWAY, ROUTE, ROUTE_TABLE,
    ROUTE_TABLE_ASSOCIATION, SUBNET, VPC, call,
};
use super::leftovers;
use crate::clients::Clients;
use crate::errors;
use crate::fields;
use crate::tags;

/// Sends one mutating call.
pub(crate) async fn submit(clients: &Clients, operation: &Operation) -> Result<Submitted, ProviderError> {
    let sender = Sender { ec2: &clients.ec2, operation };
    match &operation.work {
        Work::Create { attributes } => sender.create(attributes).await,
        Work::Update { physical_id, call, changes, attributes } => {
            sender.update(physical_id, call, changes, attributes).await
        }
        Work::Delete { physical_id, .. } => sender.delete(physical_id).await,
    }
}

struct Sender<'a> {
    ec2: &'a aws_sdk_ec2::Client,
    operation: &'a Operation,
}

fn unknown(operation: &Operation, what: &str) -> ProviderError {
    errors::bug("ec2", format!("{} has no {what}", operation.resource))
}

impl Sender<'_> {
    async fn create(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        match self.operation.resource.kind() {
            VPC => self.create_vpc(attributes).await,
            SUBNET => self.create_subnet(attributes).await,
            INTERNET_GATEWAY => self.create_internet_gateway(attributes).await,
            INTERNET_GATEWAY_ATTACHMENT => self.attach_internet_gateway(attributes).await,
            ELASTIC_IP => self.allocate_address(attributes).await,
            NAT_GATEWAY => self.create_nat_gateway(attributes).await,
            ROUTE_TABLE => self.create_route_table(attributes).await,
            ROUTE => self.create_route(attributes).await,
            ROUTE_TABLE_ASSOCIATION => self.associate_route_table(attributes).await,
            _ => Err(unknown(self.operation, "create call")),
        }
    }

    fn tags(&self, resource: ResourceType, attributes: &Attributes) -> TagSpecification {
        let tags = tags::for_create(attributes, &self.operation.identity, &self.operation.resource);
        TagSpecification::builder().resource_type(resource).set_tags(Some(tags::to_ec2(tags))).build()
    }

    /// What a create call answered: usable at once, or soon.
    fn created(&self, physical_id: String, output: &str, is_ready: bool) -> Submitted {
        if is_ready {
            let outputs = fields::output(output, physical_id.as_str());
            Submitted::settled_with(physical_id, outputs)
        } else {
            Submitted::accepted(self.operation, physical_id, Attributes::new())
        }
    }

    async fn create_vpc(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let call = "ec2:CreateVpc";
        let request = self.ec2.create_vpc().cidr_block(fields::text(attributes, "cidr", call)?);
        let answer = request.tag_specifications(self.tags(ResourceType::Vpc, attributes)).send().await;
        let vpc = answer.map_err(errors::mutating(OperationVerb::Create, call))?.vpc;
        let vpc = vpc.ok_or_else(|| errors::created_without(call, "VPC"))?;
        let is_ready = vpc.state.is_some_and(|state| state.as_str() == "available");
        let id = vpc.vpc_id.ok_or_else(|| errors::created_without(call, "VPC id"))?;
        Ok(self.created(id, "vpc_id", is_ready))
    }

    async fn create_subnet(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let call = "ec2:CreateSubnet";
        let request = self.ec2.create_subnet().vpc_id(fields::text(attributes, "vpc_id", call)?);
        let request = request.availability_zone(fields::text(attributes, "zone", call)?);
        let request = request.cidr_block(fields::text(attributes, "cidr", call)?);
        let answer = request.tag_specifications(self.tags(ResourceType::Subnet, attributes)).send().await;
        let subnet = answer.map_err(errors::mutating(OperationVerb::Create, call))?.subnet;
        let subnet = subnet.ok_or_else(|| errors::created_without(call, "subnet"))?;
        let is_ready = subnet.state.is_some_and(|state| state.as_str() == "available");
        let id = subnet.subnet_id.ok_or_else(|| errors::created_without(call, "subnet id"))?;
        Ok(self.created(id, "subnet_id", is_ready))
    }

    async fn create_internet_gateway(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let call = "ec2:CreateInternetGateway";
        let request = self.ec2.create_internet_gateway();
        let answer = request.tag_specifications(self.tags(ResourceType::InternetGateway, attributes)).send().await;
        let gateway = answer.map_err(errors::mutating(OperationVerb::Create, call))?.internet_gateway;
        let id = gateway.and_then(|gateway| gateway.internet_gateway_id);
        let id = id.ok_or_else(|| errors::created_without(call, "internet gateway id"))?;
        Ok(self.created(id, "internet_gateway_id", true))
    }

    async fn attach_internet_gateway(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let call = "ec2:AttachInternetGateway";
        let gateway = fields::text(attributes, "internet_gateway_id", call)?;
        let vpc = fields::text(attributes, "vpc_id", call)?;
        let answer = self.ec2.attach_internet_gateway().internet_gateway_id(gateway).vpc_id(vpc).send().await;
        answer.map_err(errors::mutating(OperationVerb::Create, call))?;
        Ok(Submitted::settled(join_ids(gateway, vpc)))
    }

    async fn allocate_address(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let call = "ec2:AllocateAddress";
        let request = self.ec2.allocate_address().domain(DomainType::Vpc);
        let answer = request.tag_specifications(self.tags(ResourceType::ElasticIp, attributes)).send().await;
        let id = answer.map_err(errors::mutating(OperationVerb::Create, call))?.allocation_id;
        Ok(self.created(id.ok_or_else(|| errors::created_without(call, "allocation id"))?, "allocation_id", true))
    }

    async fn create_nat_gateway(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let call = "ec2:CreateNatGateway";
        let request = self.ec2.create_nat_gateway().connectivity_type(ConnectivityType::Public);
        let request = request.subnet_id(fields::text(attributes, "subnet_id", call)?);
        let request = request.allocation_id(fields::text(attributes, "allocation_id", call)?);
        let request = request.client_token(self.operation.token.as_str());
        let answer = request.tag_specifications(self.tags(ResourceType::Natgateway, attributes)).send().await;
        let gateway = answer.map_err(errors::mutating(OperationVerb::Create, call))?.nat_gateway;
        let gateway = gateway.ok_or_else(|| errors::created_without(call, "NAT gateway"))?;
        let is_ready = gateway.state.is_some_and(|state| state.as_str() == "available");
        let id = gateway.nat_gateway_id.ok_or_else(|| errors::created_without(call, "NAT gateway id"))?;
        Ok(self.created(id, "nat_gateway_id", is_ready))
    }

    async fn create_route_table(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let call = "ec2:CreateRouteTable";
        let request = self.ec2.create_route_table().vpc_id(fields::text(attributes, "vpc_id", call)?);
        let request = request.client_token(self.operation.token.as_str());
        let answer = request.tag_specifications(self.tags(ResourceType::RouteTable, attributes)).send().await;
        let table = answer.map_err(errors::mutating(OperationVerb::Create, call))?.route_table;
        let id = table.and_then(|table| table.route_table_id);
        let id = id.ok_or_else(|| errors::created_without(call, "route table id"))?;
        Ok(self.created(id, "route_table_id", true))
    }

    async fn create_route(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let call = "ec2:CreateRoute";
        let table = fields::text(attributes, "route_table_id", call)?;
        let destination = fields::text(attributes, "destination_cidr", call)?;
        let (gateway, nat) = targets(attributes);
        let request = self.ec2.create_route().route_table_id(table).destination_cidr_block(destination);
        let answer = request.set_gateway_id(gateway).set_nat_gateway_id(nat).send().await;
        answer.map_err(errors::mutating(OperationVerb::Create, call))?;
        Ok(Submitted::settled(join_ids(table, destination)))
    }

    async fn associate_route_table(&self, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let call = "ec2:AssociateRouteTable";
        let table = fields::text(attributes, "route_table_id", call)?;
        let subnet = fields::text(attributes, "subnet_id", call)?;
        let answer = self.ec2.associate_route_table().route_table_id(table).subnet_id(subnet).send().await;
        let id = answer.map_err(errors::mutating(OperationVerb::Create, call))?.association_id;
        Ok(Submitted::settled(id.ok_or_else(|| errors::created_without(call, "association id"))?))
    }

    async fn update(
        &self,
        physical_id: &str,
        name: &str,
        changes: &[FieldChange],
        attributes: &Attributes,
    ) -> Result<Submitted, ProviderError> {
        let wanted = |field: &str| {
            let change = changes.iter().find(|change| change.field == field);
            change.and_then(|change| change.to.as_bool()).ok_or_else(|| unknown(self.operation, field))
        };
        match name {
            call::TAG => self.tag(physical_id, changes).await,
            call::SET_DNS_SUPPORT => self.set_dns(physical_id, Some(wanted("dns_support")?), None).await,
            call::SET_DNS_HOSTNAMES => self.set_dns(physical_id, None, Some(wanted("dns_hostnames")?)).await,
            call::SET_MAP_PUBLIC_IP => self.set_map_public_ip(physical_id, wanted("map_public_ip")?).await,
            call::REPLACE_ROUTE => self.replace_route(physical_id, attributes).await,
            call::REPLACE_ASSOCIATION => self.replace_association(physical_id, attributes).await,
            _ => Err(unknown(self.operation, name)),
        }
    }

    async fn tag(&self, physical_id: &str, changes: &[FieldChange]) -> Result<Submitted, ProviderError> {
        let tags =
            changes.iter().filter(|change| change.field == "tags").flat_map(|change| tags::from_value(&change.to));
        let request = self.ec2.create_tags().resources(physical_id).set_tags(Some(tags::to_ec2(tags.collect())));
        request.send().await.map_err(errors::mutating(OperationVerb::Update, "ec2:CreateTags"))?;
        Ok(Submitted::settled(physical_id))
    }

    /// EC2 takes one of the two attributes in a call.
    async fn set_dns(
        &self,
        physical_id: &str,
        support: Option<bool>,
        hostnames: Option<bool>,
    ) -> Result<Submitted, ProviderError> {
        let request = self.ec2.modify_vpc_attribute().vpc_id(physical_id);
        let request =
            request.set_enable_dns_support(support.map(boolean)).set_enable_dns_hostnames(hostnames.map(boolean));
        request.send().await.map_err(errors::mutating(OperationVerb::Update, "ec2:ModifyVpcAttribute"))?;
        Ok(Submitted::settled(physical_id))
    }

    async fn set_map_public_ip(&self, physical_id: &str, wanted: bool) -> Result<Submitted, ProviderError> {
        let request = self.ec2.modify_subnet_attribute().subnet_id(physical_id);
        let answer = request.map_public_ip_on_launch(boolean(wanted)).send().await;
        answer.map_err(errors::mutating(OperationVerb::Update, "ec2:ModifySubnetAttribute"))?;
        Ok(Submitted::settled(physical_id))
    }

    async fn replace_route(&self, physical_id: &str, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let (table, destination) = split_ids(physical_id).ok_or_else(|| unknown(self.operation, "route table"))?;
        let (gateway, nat) = targets(attributes);
        let request = self.ec2.replace_route().route_table_id(table).destination_cidr_block(destination);
        let answer = request.set_gateway_id(gateway).set_nat_gateway_id(nat).send().await;
        answer.map_err(errors::mutating(OperationVerb::Update, "ec2:ReplaceRoute"))?;
        Ok(Submitted::settled(physical_id))
    }

    async fn replace_association(
        &self,
        physical_id: &str,
        attributes: &Attributes,
    ) -> Result<Submitted, ProviderError> {
        let call = "ec2:ReplaceRouteTableAssociation";
        let table = fields::text(attributes, "route_table_id", call)?;
        let request = self.ec2.replace_route_table_association().association_id(physical_id).route_table_id(table);
        let answer = request.send().await.map_err(errors::mutating(OperationVerb::Update, call))?;
        // The association has a new identifier from now on.
        Ok(Submitted::settled(answer.new_association_id.unwrap_or_else(|| physical_id.to_owned())))
    }

    async fn delete(&self, id: &str) -> Result<Submitted, ProviderError> {
        let ec2 = self.ec2;
        match self.operation.resource.kind() {
            VPC => {
                let answer = ec2.delete_vpc().vpc_id(id).send().await;
                if let Err(error) = answer.map_err(errors::mutating(OperationVerb::Delete, "ec2:DeleteVpc")) {
                    if is_needed(&error) {
                        leftovers::remove_from_vpc(ec2, &self.operation.identity.cluster, id).await?;
                    }
                    return Err(error);
                }
            }
            SUBNET => {
                let answer = ec2.delete_subnet().subnet_id(id).send().await;
                if let Err(error) = answer.map_err(errors::mutating(OperationVerb::Delete, "ec2:DeleteSubnet")) {
                    if is_needed(&error) {
                        leftovers::remove_from_subnet(ec2, &self.operation.identity.cluster, id).await?;
                    }
                    return Err(error);
                }
            }
            INTERNET_GATEWAY => {
                let answer = ec2.delete_internet_gateway().internet_gateway_id(id).send().await;
                answer.map_err(errors::mutating(OperationVerb::Delete, "ec2:DeleteInternetGateway"))?;
            }
            INTERNET_GATEWAY_ATTACHMENT => {
                let (gateway, vpc) = split_ids(id).ok_or_else(|| unknown(self.operation, "VPC"))?;
                let answer = ec2.detach_internet_gateway().internet_gateway_id(gateway).vpc_id(vpc).send().await;
                answer.map_err(errors::mutating(OperationVerb::Delete, "ec2:DetachInternetGateway"))?;
            }
            ELASTIC_IP => {
                let answer = ec2.release_address().allocation_id(id).send().await;
                answer.map_err(errors::mutating(OperationVerb::Delete, "ec2:ReleaseAddress"))?;
            }
            NAT_GATEWAY => {
                let answer = ec2.delete_nat_gateway().nat_gateway_id(id).send().await;
                answer.map_err(errors::mutating(OperationVerb::Delete, "ec2:DeleteNatGateway"))?;
                return Ok(Submitted::accepted(self.operation, id, Attributes::new()));
            }
            ROUTE_TABLE => {
                let answer = ec2.delete_route_table().route_table_id(id).send().await;
                answer.map_err(errors::mutating(OperationVerb::Delete, "ec2:DeleteRouteTable"))?;
            }
            ROUTE => {
                let (table, destination) = split_ids(id).ok_or_else(|| unknown(self.operation, "route table"))?;
                let request = ec2.delete_route().route_table_id(table).destination_cidr_block(destination);
                request.send().await.map_err(errors::mutating(OperationVerb::Delete, "ec2:DeleteRoute"))?;
            }
            ROUTE_TABLE_ASSOCIATION => {
                let answer = ec2.disassociate_route_table().association_id(id).send().await;
                answer.map_err(errors::mutating(OperationVerb::Delete, "ec2:DisassociateRouteTable"))?;
            }
            _ => return Err(unknown(self.operation, "delete call")),
        }
        Ok(Submitted::settled(id))
    }
}

/// Whether something else still needs what was to be removed. The engine tries again.
fn is_needed(error: &ProviderError) -> bool {
    matches!(error.kind, ErrorKind::Dependency { .. })
}

fn boolean(value: bool) -> AttributeBooleanValue {
    AttributeBooleanValue::builder().value(value).build()
}

/// The target of a route: an internet gateway or a NAT gateway.
fn targets(attributes: &Attributes) -> (Option<String>, Option<String>) {
    let text = |field: &str| attributes.get(field).and_then(Value::as_text).map(str::to_owned);
    (text("gateway_id"), text("nat_gateway_id"))
}
