//! The wanted roles.

use std::collections::BTreeSet;

use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{Resource, ResourceId, Value};

use crate::facts::EksFacts;
use crate::graph::tagged;
use crate::iam::kinds::{ROLE, ROLE_POLICY, ROLE_POLICY_ATTACHMENT};
use crate::iam::policies::{AUTOSCALER_POLICY, RoleName, autoscaler};
use crate::options::EksOptions;

/// The roles as the rest of the graph sees them.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    /// What is made.
    pub(crate) resources: Vec<Resource>,
    /// The control plane's role.
    pub(crate) cluster: Role,
    /// The nodes' role.
    pub(crate) node: Role,
    /// The EBS CSI driver's role, when the driver is managed here.
    pub(crate) ebs_csi: Option<Role>,
    /// The cluster autoscaler's role, when it is set up.
    pub(crate) autoscaler: Option<Role>,
    /// The role of the machine for clients, when there is one.
    pub(crate) client: Option<Role>,
}

/// One role, made or brought.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    /// Its ARN.
    pub(crate) arn: Value,
    /// Its name, without its path.
    pub(crate) name: Value,
    /// What must be settled before it can do its work: its policies.
    pub(crate) ready: BTreeSet<ResourceId>,
}

/// Builds the roles, and names those that the user brings.
pub(crate) fn graph(spec: &ClusterSpec, options: &EksOptions, facts: &EksFacts) -> Roles {
    let mut builder = Builder { spec, options, facts, resources: Vec::new() };
    let iam = &options.iam;
    let has_driver = spec.addons.is_on() && options.addons.ebs_csi_driver;
    let cluster = builder.role(RoleName::Cluster, iam.cluster_role.as_deref());
    let node = builder.role(RoleName::Node, iam.node_role.as_deref());
    let ebs_csi = has_driver.then(|| builder.role(RoleName::EbsCsi, iam.ebs_csi_role.as_deref()));
    let autoscaler =
        spec.autoscaler.is_on().then(|| builder.role(RoleName::Autoscaler, iam.autoscaler_role.as_deref()));
    let client = spec.client.as_ref().map(|_| builder.role(RoleName::Client, iam.client_role.as_deref()));
    Roles { resources: builder.resources, cluster, node, ebs_csi, autoscaler, client }
}

/// What the names in IAM of all roles of a cluster begin with.
pub(crate) fn iam_name_prefix(spec: &ClusterSpec) -> String {
    format!("{}-{}-", spec.name, spec.location)
}

/// The name of a role in IAM: at most 32 + 14 + 10 characters and two hyphens of the 64 that IAM allows.
pub(super) fn iam_name(spec: &ClusterSpec, role: RoleName) -> String {
    iam_name_prefix(spec) + role.as_str()
}

/// The name of an attachment in the graph.
pub(super) fn attachment_id(role: RoleName, policy: &str) -> ResourceId {
    let name = policy.rsplit('/').next().unwrap_or(policy);
    ResourceId::new(ROLE_POLICY_ATTACHMENT, format!("{}-{name}", role.as_str()))
}

struct Builder<'a> {
    spec: &'a ClusterSpec,
    options: &'a EksOptions,
    facts: &'a EksFacts,
    resources: Vec<Resource>,
}

impl Builder<'_> {
    fn role(&mut self, role: RoleName, existing: Option<&str>) -> Role {
        if let Some(arn) = existing {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            return Role { arn: Value::text(arn), name: Value::text(name), ready: BTreeSet::new() };
        }
        let id = ResourceId::new(ROLE, role.as_str());
        let mut resource = tagged(self.spec, &id)
            .with("name", iam_name(self.spec, role))
            .with("path", self.options.iam.path.as_deref().unwrap_or("/"))
            .with("trust_policy", role.trust_policy());
        if let Some(boundary) = &self.options.iam.permissions_boundary {
            resource = resource.with("permissions_boundary", boundary.as_str());
        }
        self.resources.push(resource);
        let mut ready: BTreeSet<_> = role
            .managed_policies(self.options.nodes.session_manager)
            .into_iter()
            .map(|policy| self.attachment(&id, role, policy))
            .collect();
        if role == RoleName::Autoscaler {
            ready.insert(self.inline_policy(&id));
        }
        Role { arn: Value::reference(&id, "arn"), name: Value::reference(&id, "name"), ready }
    }

    fn attachment(&mut self, role_id: &ResourceId, role: RoleName, policy: &str) -> ResourceId {
        let id = attachment_id(role, policy);
        let arn = format!("arn:{}:iam::aws:policy/{policy}", self.facts.partition);
        let attachment =
            Resource::new(id.clone()).with("role_name", Value::reference(role_id, "name")).with("policy_arn", arn);
        self.resources.push(attachment);
        id
    }

    fn inline_policy(&mut self, role: &ResourceId) -> ResourceId {
        let id = ResourceId::new(ROLE_POLICY, role.name());
        let policy = Resource::new(id.clone())
            .with("role_name", Value::reference(role, "name"))
            .with("policy_name", AUTOSCALER_POLICY)
            .with("document", autoscaler(self.spec.name.as_str()));
        self.resources.push(policy);
        id
    }
}
