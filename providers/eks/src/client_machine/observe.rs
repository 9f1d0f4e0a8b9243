//! Reads the machine for clients and what it needs: a request each.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Instance, SecurityGroup};
use howso_infra_core::identity::{CLUSTER_TAG, RESOURCE_TAG};
use howso_infra_core::{Gap, Observation, Observed, Ownership, ProviderError, ResourceId, ScopeKinds};

use super::convert;
use super::kinds::{INSTANCE, INSTANCE_PROFILE, INSTANCE_PROFILE_ROLE, SECURITY_GROUP};
use super::{NAME, profile};
use crate::clients::Clients;
use crate::context::{ObserveContext, Wanted};
use crate::found::Found;
use crate::network::filter;
use crate::tags::{self, Tags};
use crate::{errors, pages};

/// The instance type of the machine that is there.
pub(crate) fn observed_instance_type(observation: &Observation) -> Option<String> {
    let observed = observation.one(&ResourceId::new(INSTANCE, NAME))?;
    crate::fields::text(&observed.attributes, "instance_type", "").ok().map(str::to_owned)
}

/// Reads the machine and what it needs.
pub(crate) async fn observe(clients: &Clients, context: &ObserveContext<'_>, kinds: &ScopeKinds) -> Observation {
    let reader = Reader { clients, context };
    let read = |wanted: &'static [&'static str]| async move {
        if !kinds.includes(wanted) {
            return Observation::default();
        }
        reader.read(wanted[0]).await.unwrap_or_else(|error| {
            let kinds = wanted.iter().map(|kind| (*kind).to_owned()).collect();
            Observation { gaps: vec![Gap { kinds, error }], ..Observation::default() }
        })
    };
    let (mut observation, groups, instances) =
        futures::join!(read(&[INSTANCE_PROFILE, INSTANCE_PROFILE_ROLE]), read(&[SECURITY_GROUP]), read(&[INSTANCE]));
    observation.merge(groups);
    observation.merge(instances);
    observation
}

/// Reads one resource.
pub(crate) async fn observe_one(
    clients: &Clients,
    context: &ObserveContext<'_>,
    wanted: Wanted<'_>,
) -> Result<Observation, ProviderError> {
    let mut observation = Reader { clients, context }.read(wanted.id.kind()).await?;
    observation.resources.retain(|id, _| id == wanted.id);
    Ok(observation)
}

/// Reads the instances that filters select.
pub(super) async fn instances(ec2: &Client, filters: Vec<Filter>) -> Result<Vec<Instance>, ProviderError> {
    let items = ec2.describe_instances().set_filters(Some(filters)).into_paginator().items().send();
    let reservations = pages::all(items, "ec2:DescribeInstances").await?;
    Ok(reservations.into_iter().flat_map(|reservation| reservation.instances.unwrap_or_default()).collect())
}

async fn security_groups(ec2: &Client, filters: Vec<Filter>) -> Result<Vec<SecurityGroup>, ProviderError> {
    let items = ec2.describe_security_groups().set_filters(Some(filters)).into_paginator().items().send();
    pages::all(items, "ec2:DescribeSecurityGroups").await
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    clients: &'a Clients,
    context: &'a ObserveContext<'a>,
}

impl Reader<'_> {
    /// Reads what is of a kind, and what the same request tells besides.
    async fn read(&self, kind: &str) -> Result<Observation, ProviderError> {
        let ec2 = &self.clients.ec2;
        match kind {
            INSTANCE_PROFILE | INSTANCE_PROFILE_ROLE => profile::read(&self.clients.iam, self.context).await,
            SECURITY_GROUP => {
                let groups = security_groups(ec2, self.named(SECURITY_GROUP)).await?;
                Ok(self.ours(SECURITY_GROUP, groups.iter().filter_map(convert::security_group)))
            }
            INSTANCE => {
                let instances = instances(ec2, self.named(INSTANCE)).await?;
                Ok(self.ours(INSTANCE, instances.iter().filter_map(convert::instance)))
            }
            other => Err(errors::bug("observe", format!("{other} is not of this area"))),
        }
    }

    /// Selects the machine's own: nodes carry the tag of the cluster as well.
    fn named(&self, kind: &str) -> Vec<Filter> {
        let id = ResourceId::new(kind, NAME).to_string();
        vec![filter(&format!("tag:{CLUSTER_TAG}"), self.context.cluster()), filter(&format!("tag:{RESOURCE_TAG}"), &id)]
    }

    /// Those that are ours. Names in EC2 stand in nobody's way, so strangers are passed over.
    fn ours(&self, kind: &str, found: impl Iterator<Item = Found>) -> Observation {
        let mut observation = Observation::default();
        for Found { physical_id, tags, status, attributes, outputs } in found {
            if let Some((id, ownership)) = self.whose(kind, &tags) {
                observation.insert(id, Observed { physical_id, ownership, status, attributes, outputs });
            }
        }
        observation
    }

    fn whose(&self, kind: &str, tags: &Tags) -> Option<(ResourceId, Ownership)> {
        let ownership = tags::ownership(tags, self.context.cluster(), self.context.deployment);
        let is_ours = matches!(ownership, Ownership::Ours { .. });
        Some((tags::resource_id(tags, kind)?, ownership)).filter(|_| is_ours)
    }
}
