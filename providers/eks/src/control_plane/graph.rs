//! The wanted control plane.

use std::collections::BTreeSet;

use howso_infra_core::spec::{ApiAccess, ClusterSpec, ControlPlaneLog};
use howso_infra_core::{Resource, ResourceId, Value};

use crate::control_plane::access::{CREATOR, STANDARD, WHOLE_CLUSTER, admin_name, admin_policy_arn};
use crate::control_plane::addons::{self, Definition, EBS_CSI_DRIVER, Stage};
use crate::control_plane::cluster::cluster_id;
use crate::control_plane::kinds::{ACCESS_ENTRY, ACCESS_POLICY, ADDON, POD_IDENTITY_ASSOCIATION};
use crate::control_plane::pod_identity::{AUTOSCALER, EBS_CSI, NAMESPACE};
use crate::facts::EksFacts;
use crate::graph::{subnet_ids, tagged};
use crate::iam::{Role, Roles};
use crate::options::EksOptions;

/// The control plane as the rest of the graph sees it.
#[derive(Clone, Debug)]
pub(crate) struct ControlPlane {
    /// What is made.
    pub(crate) resources: Vec<Resource>,
    /// What must be settled before nodes can be ready.
    pub(crate) before_nodes: BTreeSet<ResourceId>,
}

/// Builds the control plane and the add-ons that do not need nodes first. Those that run already have their nodes, and are
/// brought up to date before these are.
pub(crate) fn graph(
    spec: &ClusterSpec,
    options: &EksOptions,
    facts: &EksFacts,
    private_subnets: &[Value],
    roles: &Roles,
) -> ControlPlane {
    let builder = Builder { spec, options, facts };
    let mut resources = vec![builder.cluster(private_subnets, &roles.cluster)];
    resources.extend(builder.access());
    if let Some(role) = &roles.ebs_csi {
        resources.push(builder.association(EBS_CSI, role));
    }
    if let Some(role) = &roles.autoscaler {
        resources.push(builder.association(AUTOSCALER, role));
    }
    let mut before_nodes = BTreeSet::new();
    for definition in addons::wanted(spec, options) {
        let runs = facts.running_addons.contains(definition.name);
        if definition.stage == Stage::OnCore && !runs {
            continue;
        }
        let addon = builder.addon(definition);
        if definition.stage == Stage::First || runs {
            before_nodes.insert(addon.id.clone());
        }
        resources.push(addon);
    }
    ControlPlane { resources, before_nodes }
}

/// Builds the add-ons that run on the core nodes and do not run yet.
pub(crate) fn late_addons(
    spec: &ClusterSpec,
    options: &EksOptions,
    facts: &EksFacts,
    core_groups: &BTreeSet<ResourceId>,
) -> Vec<Resource> {
    let builder = Builder { spec, options, facts };
    let is_late =
        |definition: &Definition| definition.stage == Stage::OnCore && !facts.running_addons.contains(definition.name);
    let late = addons::wanted(spec, options).into_iter().filter(is_late);
    late.map(|definition| {
        let mut addon = builder.addon(definition);
        addon.depends_on.extend(core_groups.iter().cloned());
        addon
    })
    .collect()
}

struct Builder<'a> {
    spec: &'a ClusterSpec,
    options: &'a EksOptions,
    facts: &'a EksFacts,
}

impl Builder<'_> {
    fn cluster(&self, private_subnets: &[Value], role: &Role) -> Resource {
        let id = cluster_id();
        let logs = self.spec.kubernetes.control_plane_logs.types();
        let mut logs: Vec<_> = logs.into_iter().map(log_type).collect();
        logs.sort_unstable();
        let mut cluster = tagged(self.spec, &id)
            .with("name", self.spec.name.as_str())
            .with("version", self.facts.kubernetes_version.to_string())
            .with("role_arn", role.arn.clone())
            .with("subnet_ids", subnet_ids(private_subnets))
            .with("endpoint_private", true)
            .with("logging", Value::texts(logs))
            .with("authentication_mode", "API")
            // Extended support costs six times as much, and only a deliberate choice should start it.
            .with("support_type", "STANDARD")
            .with("deletion_protection", self.spec.deletion_protection.is_on());
        cluster = match self.public_cidrs() {
            Some(cidrs) => cluster.with("endpoint_public", true).with("public_access_cidrs", Value::texts(cidrs)),
            None => cluster.with("endpoint_public", false),
        };
        if let Some(key) = &self.options.kms_key {
            cluster = cluster.with("kms_key_arn", key.as_str());
        }
        if let Some(services) = self.options.network.service_cidr {
            cluster = cluster.with("service_cidr", services.to_string());
        }
        cluster.depends_on.extend(role.ready.iter().cloned());
        cluster
    }

    /// An entry and its policy for whoever made the cluster and for every administrator.
    fn access(&self) -> Vec<Resource> {
        let creator = self.facts.creator_arn.as_deref();
        let admins = self.options.admins.iter().map(String::as_str).filter(|admin| Some(*admin) != creator);
        let creator = creator.map(|arn| (CREATOR.to_owned(), arn));
        let everyone = creator.into_iter().chain(admins.map(|arn| (admin_name(arn), arn)));
        everyone
            .flat_map(|(name, principal_arn)| {
                let id = ResourceId::new(ACCESS_ENTRY, name.clone());
                let entry = tagged(self.spec, &id)
                    .with("cluster_arn", cluster_arn())
                    .with("principal_arn", principal_arn)
                    .with("type", STANDARD);
                let policy = Resource::new(ResourceId::new(ACCESS_POLICY, name))
                    .with("cluster_arn", cluster_arn())
                    .with("principal_arn", principal_arn)
                    .with("policy_arn", admin_policy_arn(&self.facts.partition))
                    .with("scope", WHOLE_CLUSTER)
                    .after(&id);
                [entry, policy]
            })
            .collect()
    }

    fn association(&self, (name, service_account): (&str, &str), role: &Role) -> Resource {
        let mut association = tagged(self.spec, &ResourceId::new(POD_IDENTITY_ASSOCIATION, name))
            .with("cluster_arn", cluster_arn())
            .with("namespace", NAMESPACE)
            .with("service_account", service_account)
            .with("role_arn", role.arn.clone());
        association.depends_on.extend(role.ready.iter().cloned());
        association
    }

    fn addon(&self, definition: Definition) -> Resource {
        let mut addon = tagged(self.spec, &ResourceId::new(ADDON, definition.name))
            .with("cluster_arn", cluster_arn())
            .with("name", definition.name);
        if let Some(version) = self.facts.addon_versions.get(definition.name) {
            addon = addon.with("version", version.as_str());
        }
        if let Some(configuration) = addons::configuration(definition.name) {
            addon = addon.with("configuration", configuration);
        }
        if definition.name == EBS_CSI_DRIVER {
            // Its pods get their role only when they start after the association.
            addon = addon.after(&ResourceId::new(POD_IDENTITY_ASSOCIATION, EBS_CSI.0));
        }
        addon
    }

    /// From where the API server is reached over the internet; [`None`] for nowhere. Nodes always reach it inside the network.
    fn public_cidrs(&self) -> Option<Vec<String>> {
        let mut cidrs: Vec<_> = match &self.spec.api_access {
            ApiAccess::Private => return None,
            ApiAccess::Open => vec!["0.0.0.0/0".to_owned()],
            ApiAccess::Cidrs(cidrs) => cidrs.iter().map(ToString::to_string).collect(),
            ApiAccess::Auto => self.facts.api_networks.iter().map(ToString::to_string).collect(),
        };
        cidrs.sort();
        Some(cidrs).filter(|cidrs| !cidrs.is_empty())
    }
}

fn cluster_arn() -> Value {
    Value::reference(&cluster_id(), "arn")
}

/// How EKS spells a log.
fn log_type(log: ControlPlaneLog) -> &'static str {
    match log {
        ControlPlaneLog::Api => "api",
        ControlPlaneLog::Audit => "audit",
        ControlPlaneLog::Authenticator => "authenticator",
        ControlPlaneLog::ControllerManager => "controllerManager",
        ControlPlaneLog::Scheduler => "scheduler",
    }
}
