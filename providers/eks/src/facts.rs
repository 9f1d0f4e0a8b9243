//! What the survey found, typed: the graph reads it, and it travels as [`Facts`] between the two.

use std::collections::{BTreeMap, BTreeSet};

use howso_infra_core::provider::Facts;
use howso_infra_core::spec::KubernetesVersion;
use howso_infra_core::{Attributes, Value};
use ipnet::IpNet;

/// The names of the facts.
mod name {
    /// The twelve digits of the account.
    pub(super) const ACCOUNT: &str = "account";
    /// The partition of ARNs: `aws`, `aws-cn`, `aws-us-gov`.
    pub(super) const PARTITION: &str = "partition";
    /// The ARN of the role or user who made the cluster, or is about to; absent for the root user.
    pub(super) const CREATOR_ARN: &str = "creator_arn";
    /// The names of the chosen zones; the places `a`, `b`, `c` of the graph are those of this list.
    pub(super) const ZONES: &str = "zones";
    /// The Kubernetes version of the control plane.
    pub(super) const KUBERNETES_VERSION: &str = "kubernetes_version";
    /// The instance types of each pool, best first, by the pool's name among node pools (`core`, `worker`, …).
    pub(super) const INSTANCE_TYPES: &str = "instance_types";
    /// The versions of the add-ons by name; absent where the service decides.
    pub(super) const ADDON_VERSIONS: &str = "addon_versions";
    /// The add-ons that run already, so that they are brought up to date before the nodes.
    pub(super) const RUNNING_ADDONS: &str = "running_addons";
    /// The networks from which `api_access = "auto"` lets the Kubernetes API be reached over the internet.
    pub(super) const API_NETWORKS: &str = "api_networks";
}

/// What the survey found and chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EksFacts {
    /// The twelve digits of the account.
    pub(crate) account: String,
    /// The partition of ARNs: `aws`, `aws-cn`, `aws-us-gov`.
    pub(crate) partition: String,
    /// The ARN of the role or user who made the cluster, or is about to; [`None`] for the root user, whom EKS refuses.
    pub(crate) creator_arn: Option<String>,
    /// The names of the chosen zones; the places `a`, `b`, `c` of the graph are those of this list.
    pub(crate) zones: Vec<String>,
    /// The Kubernetes version of the control plane.
    pub(crate) kubernetes_version: KubernetesVersion,
    /// The instance types of each pool, best first, by the pool's name among node pools (`core`, `worker`, …).
    pub(crate) instance_types: BTreeMap<String, Vec<String>>,
    /// The versions of the add-ons by name; absent where the service decides.
    pub(crate) addon_versions: BTreeMap<String, String>,
    /// The add-ons that run already, so that they are brought up to date before the nodes.
    pub(crate) running_addons: BTreeSet<String>,
    /// The networks from which `api_access = "auto"` lets the Kubernetes API be reached over the internet; none for nowhere.
    pub(crate) api_networks: Vec<IpNet>,
}

impl EksFacts {
    /// Writes the facts by name.
    pub(crate) fn to_attributes(&self) -> Attributes {
        let types = self.instance_types.iter().map(|(pool, types)| (pool.clone(), Value::texts(types.clone())));
        let mut attributes = Attributes::from([
            (name::ACCOUNT.to_owned(), Value::text(&self.account)),
            (name::PARTITION.to_owned(), Value::text(&self.partition)),
            (name::ZONES.to_owned(), Value::texts(self.zones.clone())),
            (name::KUBERNETES_VERSION.to_owned(), Value::text(self.kubernetes_version.to_string())),
            (name::INSTANCE_TYPES.to_owned(), Value::Map(types.collect())),
            (name::ADDON_VERSIONS.to_owned(), Value::text_map(self.addon_versions.clone())),
            (name::RUNNING_ADDONS.to_owned(), Value::texts(self.running_addons.clone())),
            (name::API_NETWORKS.to_owned(), Value::texts(self.api_networks.iter().map(ToString::to_string))),
        ]);
        attributes.extend(self.creator_arn.iter().map(|arn| (name::CREATOR_ARN.to_owned(), Value::text(arn))));
        attributes
    }

    /// Reads the facts back; [`None`] for facts of another provider.
    pub(crate) fn from_facts(facts: &Facts) -> Option<Self> {
        let values = &facts.values;
        let text = |name: &str| values.get(name)?.as_text().map(str::to_owned);
        let types = values.get(name::INSTANCE_TYPES)?.as_map()?;
        let versions = values.get(name::ADDON_VERSIONS)?.as_map()?;
        Some(Self {
            account: text(name::ACCOUNT)?,
            partition: text(name::PARTITION)?,
            creator_arn: text(name::CREATOR_ARN),
            zones: texts(values.get(name::ZONES)?),
            kubernetes_version: text(name::KUBERNETES_VERSION)?.parse().ok()?,
            instance_types: types.iter().map(|(pool, types)| (pool.clone(), texts(types))).collect(),
            running_addons: texts(values.get(name::RUNNING_ADDONS)?).into_iter().collect(),
            api_networks: texts(values.get(name::API_NETWORKS)?).iter().filter_map(|text| text.parse().ok()).collect(),
            addon_versions: versions
                .iter()
                .filter_map(|(addon, version)| Some((addon.clone(), version.as_text()?.to_owned())))
                .collect(),
        })
    }

    /// The places of the chosen zones with their zones: `a` first.
    pub(crate) fn places(&self) -> impl Iterator<Item = (char, &str)> {
        ('a'..='z').zip(self.zones.iter().map(String::as_str))
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_list().into_iter().flatten().filter_map(Value::as_text).map(str::to_owned).collect()
}
