//! Reads launch templates, node groups and the tags of their autoscaling groups.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::LaunchTemplate;
use aws_sdk_eks::types::Nodegroup;
use howso_infra_core::identity::CLUSTER_TAG;
use howso_infra_core::spec::PoolName;
use howso_infra_core::{Attributes, Gap, Observation, Ownership, ProviderError, ResourceId, ScopeKinds, Value};

use crate::clients::Clients;
use crate::context::{ObserveContext, Wanted};
use crate::control_plane::ClusterState;
use crate::pools::graph::CORE;
use crate::pools::kinds::{AUTOSCALING_TAGS, LAUNCH_TEMPLATE, NODEGROUP};
use crate::pools::nodegroup::Types;
use crate::pools::subnets::order_as_wanted;
use crate::pools::{autoscaling_tags, launch_template, nodegroup, running_versions};
use crate::{errors, tags};

/// The instance types that the pools which are there have, by the pool's name.
pub(crate) fn observed_instance_types(observation: &Observation) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in observation.resources.keys() {
        let Some(observed) = observation.one(id) else { continue };
        let types = match id.kind() {
            LAUNCH_TEMPLATE => {
                crate::fields::text(&observed.attributes, "instance_type", "").map(|name| vec![name.to_owned()])
            }
            NODEGROUP => Ok(crate::fields::texts(&observed.attributes, "instance_types")),
            _ => continue,
        };
        let types: Vec<_> = types.unwrap_or_default().into_iter().filter(|name| !name.is_empty()).collect();
        if !types.is_empty() {
            found.insert(pool_of(id.name()).to_owned(), types);
        }
    }
    found
}

/// The pool of a node group. Names of worker pools have no hyphen.
fn pool_of(group: &str) -> &str {
    group.split('-').next().unwrap_or(group)
}

/// Reads everything of the pools: the launch templates, and the node groups of the cluster when it is ours.
pub(crate) async fn observe(
    clients: &Clients,
    context: &ObserveContext<'_>,
    cluster: &ClusterState,
    kinds: &ScopeKinds,
) -> Observation {
    let reader = Reader { clients, context };
    let mut observation = Observation::default();
    if !kinds.includes(&[LAUNCH_TEMPLATE, NODEGROUP, AUTOSCALING_TAGS]) {
        return observation;
    }
    let groups = async {
        match cluster {
            ClusterState::Ours(_) => reader.nodegroups().await,
            ClusterState::NotOurs => Ok(Vec::new()),
            ClusterState::Unknown(error) => Err(error.clone()),
        }
    };
    let (templates, groups) = futures::join!(reader.launch_templates(), groups);
    match templates {
        Ok(templates) => observation.merge(templates),
        // Without its template the types of a group are not known.
        Err(error) => observation.gaps.push(gap(&[LAUNCH_TEMPLATE, NODEGROUP], error)),
    }
    let groups = match groups {
        Ok(groups) => groups,
        Err(error) => {
            observation.gaps.push(gap(&[NODEGROUP, AUTOSCALING_TAGS], error));
            return observation;
        }
    };
    for group in &groups {
        let types = types_of(&observation, group);
        if let Err(error) = reader.insert(&mut observation, group, types) {
            observation.gaps.push(gap(&[NODEGROUP, AUTOSCALING_TAGS], error));
        }
    }
    if let Err(error) = running_versions::settle(clients, &mut observation).await {
        observation.gaps.push(gap(&[NODEGROUP], error));
    }
    if let Err(error) = reader.insert_tags(&mut observation, &groups).await {
        observation.gaps.push(gap(&[AUTOSCALING_TAGS], error));
    }
    observation
}

/// Reads one resource.
pub(crate) async fn observe_one(
    clients: &Clients,
    context: &ObserveContext<'_>,
    wanted: Wanted<'_>,
) -> Result<Observation, ProviderError> {
    let reader = Reader { clients, context };
    if wanted.id.kind() == LAUNCH_TEMPLATE {
        let mut observation = reader.launch_templates().await?;
        observation.resources.retain(|id, _| id == wanted.id);
        return Ok(observation);
    }
    let mut observation = Observation::default();
    let Some(group) = nodegroup::read(&clients.eks, context.cluster(), wanted.id.name()).await? else {
        return Ok(observation);
    };
    if wanted.id.kind() == AUTOSCALING_TAGS {
        reader.insert_tags(&mut observation, std::slice::from_ref(&group)).await?;
        return Ok(observation);
    }
    let names_types = !crate::fields::texts(wanted.attributes, "instance_types").is_empty();
    let types = if names_types { Types::InGroup } else { Types::InTemplate };
    reader.insert(&mut observation, &group, types)?;
    for found in observation.resources.values_mut().flatten() {
        order_as_wanted(&mut found.attributes, wanted.attributes);
    }
    Ok(observation)
}

fn gap(kinds: &[&str], error: ProviderError) -> Gap {
    Gap { kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(), error }
}

/// Where the types of a group are, by the template of its pool.
fn types_of(observation: &Observation, group: &Nodegroup) -> Types {
    let pool = pool_of(group.nodegroup_name().unwrap_or_default());
    let template = observation.one(&ResourceId::new(LAUNCH_TEMPLATE, pool));
    match template.and_then(|template| template.attributes.get("instance_type")).and_then(Value::as_text) {
        Some("") => Types::InGroup,
        Some(_) => Types::InTemplate,
        None => Types::Unknown,
    }
}

struct Reader<'a> {
    clients: &'a Clients,
    context: &'a ObserveContext<'a>,
}

impl Reader<'_> {
    fn ownership(&self, tags: &tags::Tags) -> Ownership {
        tags::ownership(tags, self.context.cluster(), self.context.deployment)
    }

    /// The templates of the specification's pools, by their names on AWS.
    fn template_names(&self) -> BTreeMap<String, String> {
        let workers = self.context.spec.workers.keys().map(PoolName::node_pool_name);
        let pools = std::iter::once(CORE).chain(workers);
        pools.map(|pool| (format!("{}-{pool}", self.context.cluster()), pool.to_owned())).collect()
    }

    /// Reads the templates by tag and those of other tags on our names, and the latest version of each that is ours.
    async fn launch_templates(&self) -> Result<Observation, ProviderError> {
        let ec2 = &self.clients.ec2;
        let names = self.template_names();
        let by_tag = launch_template::filter(&format!("tag:{CLUSTER_TAG}"), vec![self.context.cluster().to_owned()]);
        let ours = launch_template::list(ec2, by_tag).await?;
        let is_taken = |name: &&String| ours.iter().any(|found| found.launch_template_name() == Some(name.as_str()));
        let free: Vec<String> = names.keys().filter(|name| !is_taken(name)).cloned().collect();
        let same_name = if free.is_empty() {
            Vec::new()
        } else {
            launch_template::list(ec2, launch_template::filter("launch-template-name", free)).await?
        };
        let mut seen = BTreeSet::new();
        let templates: Vec<_> = ours
            .into_iter()
            .chain(same_name)
            .filter(|template| seen.insert(template.launch_template_id.clone()))
            .filter_map(|template| Some((self.template_id(&template, &names)?, template)))
            .collect();
        let reads = templates.iter().map(|(id, template)| self.launch_template(id, template));
        let mut observation = Observation::default();
        for found in futures::future::try_join_all(reads).await? {
            observation.merge(found);
        }
        Ok(observation)
    }

    /// The name of a template in the graph: that of its tag, or of the pool whose name it stands on.
    fn template_id(&self, template: &LaunchTemplate, names: &BTreeMap<String, String>) -> Option<ResourceId> {
        let tags = tags::from_ec2(template.tags());
        let tagged =
            tags::resource_id(&tags, LAUNCH_TEMPLATE).filter(|_| self.ownership(&tags) != Ownership::Unclaimed);
        tagged.or_else(|| Some(ResourceId::new(LAUNCH_TEMPLATE, names.get(template.launch_template_name()?)?)))
    }

    async fn launch_template(&self, id: &ResourceId, template: &LaunchTemplate) -> Result<Observation, ProviderError> {
        let tags = tags::from_ec2(template.tags());
        let ownership = self.ownership(&tags);
        let latest = match (&ownership, template.launch_template_id()) {
            (Ownership::Ours { .. }, Some(template_id)) => {
                launch_template::latest(&self.clients.ec2, template_id).await?
            }
            _ => None,
        };
        let mut observation = Observation::default();
        if let Some(found) = launch_template::observed(template, latest.as_ref(), &tags, ownership) {
            observation.insert(id.clone(), found);
        }
        Ok(observation)
    }

    async fn nodegroups(&self) -> Result<Vec<Nodegroup>, ProviderError> {
        let (eks, cluster) = (&self.clients.eks, self.context.cluster());
        let names = nodegroup::names(eks, cluster).await?;
        let reads = names.iter().map(|name| nodegroup::read(eks, cluster, name));
        Ok(futures::future::try_join_all(reads).await?.into_iter().flatten().collect())
    }

    fn insert(&self, observation: &mut Observation, group: &Nodegroup, types: Types) -> Result<(), ProviderError> {
        let call = "eks:DescribeNodegroup";
        let name = group.nodegroup_name().ok_or_else(|| errors::missing(call, "name"))?;
        let tags = nodegroup::tags_of(group);
        let observed = nodegroup::observed(group, &tags, types, self.ownership(&tags));
        observation.insert(ResourceId::new(NODEGROUP, name), observed.ok_or_else(|| errors::missing(call, "ARN"))?);
        Ok(())
    }

    /// Reads the tags of the autoscaling groups of our node groups, all at once. Whose they are follows from the group.
    async fn insert_tags(&self, observation: &mut Observation, groups: &[Nodegroup]) -> Result<(), ProviderError> {
        let ours: BTreeMap<String, (&Nodegroup, Ownership)> = groups
            .iter()
            .filter_map(|group| {
                let ownership = self.ownership(&nodegroup::tags_of(group));
                let name = nodegroup::autoscaling_group(group)?;
                matches!(ownership, Ownership::Ours { .. }).then(|| (name.to_owned(), (group, ownership)))
            })
            .collect();
        let names: Vec<_> = ours.keys().cloned().collect();
        let found: BTreeMap<String, Attributes> = autoscaling_tags::read(&self.clients.autoscaling, &names).await?;
        for (name, tags) in found {
            let Some((group, ownership)) = ours.get(&name) else { continue };
            let (Some(group_name), Some(arn)) = (group.nodegroup_name(), group.nodegroup_arn()) else { continue };
            let observed = autoscaling_tags::observed(&name, tags, arn, ownership.clone());
            observation.insert(ResourceId::new(AUTOSCALING_TAGS, group_name), observed);
        }
        Ok(())
    }
}
