//! The wanted pools.

use std::collections::{BTreeMap, BTreeSet};

use howso_infra_core::spec::{
    Architecture, CORE_LABEL, ClusterSpec, Gibibytes, KeyPath, LabelKey, LabelValue, Machine, PoolName, Purchase,
    SpecError, SpecErrorKind, Taint, TaintEffect, WORKER_TAINT, WorkerPool,
};
use howso_infra_core::{Attributes, Resource, ResourceId, Value};

use crate::control_plane::cluster_id;
use crate::facts::EksFacts;
use crate::graph::{subnet_ids, tagged, user_tags};
use crate::iam::Role;
use crate::pools::autoscaling_tags::{TAGS_MAX, template_tags};
use crate::pools::kinds::{AUTOSCALING_TAGS, LAUNCH_TEMPLATE, NODEGROUP};
use crate::tags::NAME_TAG;

/// The name of the core pool.
pub(super) const CORE: &str = "core";

/// How many nodes of a core group are replaced at a time. A group is one zone's share, often a single node.
const CORE_UNAVAILABLE: (&str, u32) = ("max_unavailable", 1);

/// Which part of a worker group is replaced at a time, in per cent.
const WORKERS_UNAVAILABLE: (&str, u32) = ("max_unavailable_percentage", 25);

/// The pools as the rest of the graph sees them.
#[derive(Clone, Debug)]
pub(crate) struct Pools {
    /// What is made.
    pub(crate) resources: Vec<Resource>,
    /// The node groups of the core pool.
    pub(crate) core_groups: BTreeSet<ResourceId>,
}

/// What nodes build on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Foundation<'a> {
    /// The private subnets in the order of the places.
    pub(crate) private_subnets: &'a [Value],
    /// What must be settled before nodes can join: their way out, and the add-ons without which they are not ready.
    pub(crate) before_nodes: &'a BTreeSet<ResourceId>,
    /// The nodes' role.
    pub(crate) role: &'a Role,
}

/// Builds the pools.
pub(crate) fn graph(spec: &ClusterSpec, facts: &EksFacts, foundation: Foundation<'_>) -> Result<Pools, Vec<SpecError>> {
    let builder = Builder { spec, facts, foundation };
    let errors: Vec<_> = spec.workers.iter().filter_map(|(name, pool)| builder.too_many_tags(name, pool)).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut resources = vec![builder.launch_template(CORE, &spec.core.machine)];
    let core = builder.core_groups();
    let core_groups = core.iter().map(|group| group.id.clone()).collect();
    resources.extend(core);
    for (name, pool) in &spec.workers {
        let name = name.node_pool_name();
        resources.push(builder.launch_template(name, &pool.machine));
        let group = builder.worker_group(name, pool);
        if spec.autoscaler.is_on() {
            resources.push(autoscaling_tags(&group.id, pool));
        }
        resources.push(group);
    }
    Ok(Pools { resources, core_groups })
}

struct Builder<'a> {
    spec: &'a ClusterSpec,
    facts: &'a EksFacts,
    foundation: Foundation<'a>,
}

/// What node groups differ in.
struct Group<'a> {
    name: String,
    pool: &'a str,
    machine: &'a Machine,
    purchase: Purchase,
    subnets: Vec<Value>,
    sizes: (u32, u32),
    labels: Attributes,
    taints: Attributes,
    unavailable: (&'static str, u32),
}

impl Builder<'_> {
    fn types(&self, pool: &str) -> &[String] {
        self.facts.instance_types.get(pool).map(Vec::as_slice).unwrap_or_default()
    }

    fn launch_template(&self, pool: &str, machine: &Machine) -> Resource {
        let id = ResourceId::new(LAUNCH_TEMPLATE, pool);
        let name = format!("{}-{pool}", self.spec.name);
        let node_tags = user_tags(self.spec).chain([(NAME_TAG.to_owned(), name.clone())]);
        // EKS wants several types in the node group, and then none in the template.
        let instance_type = if let [single] = self.types(pool) { single.as_str() } else { "" };
        tagged(self.spec, &id)
            .with("name", name)
            .with("instance_type", instance_type)
            .with("disk_gib", machine.disk.get())
            .with("disk_type", "gp3")
            .with("disk_encrypted", true)
            // Pods must not get at the node's role: no answers without a session token, none beyond the node itself.
            .with("metadata_tokens", "required")
            .with("metadata_hop_limit", 1_u32)
            .with("node_tags", Value::text_map(node_tags))
    }

    /// One group for each place, so that a node lost in one zone comes back there, where its volumes are.
    fn core_groups(&self) -> Vec<Resource> {
        let core = &self.spec.core;
        let subnets = self.foundation.private_subnets;
        let places = subnets.len().min(usize::from(self.spec.zones.get()).max(2)).min(self.facts.zones.len()).max(1);
        let mins = spread(core.nodes, places);
        let maxes = spread(core.max.unwrap_or(core.nodes), places);
        let mut labels = label_map(&core.labels);
        labels.insert(CORE_LABEL.0.to_owned(), Value::text(CORE_LABEL.1));
        ('a'..='z')
            .zip(subnets)
            .zip(mins.into_iter().zip(maxes))
            .filter(|(_, (_, max))| *max > 0)
            .map(|((place, subnet), sizes)| {
                self.group(Group {
                    name: format!("{CORE}-{place}"),
                    pool: CORE,
                    machine: &core.machine,
                    purchase: Purchase::OnDemand,
                    subnets: vec![subnet.clone()],
                    sizes,
                    labels: labels.clone(),
                    taints: Attributes::new(),
                    unavailable: CORE_UNAVAILABLE,
                })
            })
            .collect()
    }

    /// One group over all zones: the autoscaler adds nodes wherever there is room.
    fn worker_group(&self, name: &str, pool: &WorkerPool) -> Resource {
        self.group(Group {
            name: name.to_owned(),
            pool: name,
            machine: &pool.machine,
            purchase: pool.purchase,
            subnets: self.foundation.private_subnets.to_vec(),
            sizes: (pool.min, pool.max),
            labels: label_map(&pool.labels),
            taints: taints(pool).map(|taint| (taint_key(&taint), Value::text(taint.value))).collect(),
            unavailable: WORKERS_UNAVAILABLE,
        })
    }

    fn group(&self, group: Group<'_>) -> Resource {
        let template = ResourceId::new(LAUNCH_TEMPLATE, group.pool);
        let types = self.types(group.pool);
        let own_types = if types.len() > 1 { types } else { &[] };
        let mut resource = tagged(self.spec, &ResourceId::new(NODEGROUP, group.name.clone()))
            .with("cluster_arn", Value::reference(&cluster_id(), "arn"))
            .with("name", group.name)
            .with("node_role_arn", self.foundation.role.arn.clone())
            .with("subnet_ids", subnet_ids(&group.subnets))
            .with("ami_type", ami_type(group.machine.architecture))
            .with("capacity_type", capacity_type(group.purchase))
            .with("instance_types", Value::texts(own_types))
            .with("launch_template_id", Value::reference(&template, "launch_template_id"))
            .with("launch_template_version", Value::reference(&template, "latest_version"))
            .with("version", self.facts.kubernetes_version.to_string())
            .with("min_size", group.sizes.0)
            .with("max_size", group.sizes.1)
            .with("desired_size", group.sizes.0)
            .with("labels", Value::Map(group.labels))
            .with("taints", Value::Map(group.taints))
            .with("update_config", Value::Map([(group.unavailable.0.to_owned(), group.unavailable.1.into())].into()))
            .with("node_repair", true);
        resource.depends_on.extend(self.foundation.before_nodes.iter().cloned());
        resource.depends_on.extend(self.foundation.role.ready.iter().cloned());
        resource
    }

    /// A call of Auto Scaling carries a limited number of tags, and each label and taint is one.
    fn too_many_tags(&self, name: &PoolName, pool: &WorkerPool) -> Option<SpecError> {
        let count = template_tags_of(pool).len();
        (self.spec.autoscaler.is_on() && count > TAGS_MAX).then(|| SpecError {
            kind: SpecErrorKind::Conflict,
            path: KeyPath::dotted("workers").key(name.as_str()).key("labels"),
            message: format!("the pool has {} labels and taints, more than the autoscaler can be told", count - 1),
            hint: Some(format!("at most {} labels and taints together", TAGS_MAX - 1)),
            origin: None,
        })
    }
}

fn autoscaling_tags(group: &ResourceId, pool: &WorkerPool) -> Resource {
    Resource::new(ResourceId::new(AUTOSCALING_TAGS, group.name()))
        .with("nodegroup_arn", Value::reference(group, "arn"))
        .with("autoscaling_group", Value::reference(group, "autoscaling_group"))
        .with("tags", Value::text_map(template_tags_of(pool)))
}

fn template_tags_of(pool: &WorkerPool) -> BTreeMap<String, String> {
    let taints: Vec<_> = taints(pool).collect();
    let disk: Gibibytes = pool.machine.disk;
    template_tags(&pool.labels, &taints, disk)
}

/// The taints of a worker pool: the one that keeps everything but trainees off, and the user's.
fn taints(pool: &WorkerPool) -> impl Iterator<Item = PoolTaint> {
    let worker =
        PoolTaint { key: WORKER_TAINT.0.to_owned(), value: WORKER_TAINT.1.to_owned(), effect: TaintEffect::NoSchedule };
    std::iter::once(worker).chain(pool.taints.iter().map(PoolTaint::from))
}

/// A taint in plain texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PoolTaint {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) effect: TaintEffect,
}

impl From<&Taint> for PoolTaint {
    fn from(taint: &Taint) -> Self {
        Self { key: taint.key.to_string(), value: taint.value.clone(), effect: taint.effect }
    }
}

/// A taint's key in the attribute: what makes it one and the same for EKS, its key and its effect.
fn taint_key(taint: &PoolTaint) -> String {
    format!("{}:{}", taint.key, effect(taint.effect))
}

/// How EKS spells an effect.
fn effect(effect: TaintEffect) -> &'static str {
    match effect {
        TaintEffect::NoSchedule => "NO_SCHEDULE",
        TaintEffect::PreferNoSchedule => "PREFER_NO_SCHEDULE",
        TaintEffect::NoExecute => "NO_EXECUTE",
    }
}

fn label_map(labels: &BTreeMap<LabelKey, LabelValue>) -> Attributes {
    labels.iter().map(|(key, value)| (key.to_string(), Value::text(value.as_str()))).collect()
}

fn ami_type(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "AL2023_x86_64_STANDARD",
        Architecture::Arm64 => "AL2023_ARM_64_STANDARD",
    }
}

fn capacity_type(purchase: Purchase) -> &'static str {
    match purchase {
        Purchase::OnDemand => "ON_DEMAND",
        Purchase::Spot => "SPOT",
    }
}

/// Spreads nodes over places, the first ones getting what does not divide.
fn spread(nodes: u32, places: usize) -> Vec<u32> {
    let count = u32::try_from(places).unwrap_or(1).max(1);
    (0..count).map(|place| nodes / count + u32::from(place < nodes % count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_spread_evenly() {
        assert_eq!(spread(3, 3), [1, 1, 1]);
        assert_eq!(spread(2, 3), [1, 1, 0]);
        assert_eq!(spread(7, 3), [3, 2, 2]);
        assert_eq!(spread(0, 2), [0, 0]);
    }
}
