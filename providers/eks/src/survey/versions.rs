//! The Kubernetes version, and the versions of the add-ons that go with it.

use std::collections::BTreeMap;

use aws_sdk_eks::types::{ClusterVersionInformation, VersionStatus};
use futures::future::try_join_all;
use howso_infra_core::spec::KubernetesVersion;
use howso_infra_core::{ErrorKind, ProviderError, ResourceId};

use super::{Notes, Survey, optional};
use crate::{control_plane, pages};

/// The versions of what the service runs for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) kubernetes: KubernetesVersion,
    pub(super) addons: BTreeMap<String, String>,
}

impl Survey<'_> {
    /// Settles the version of the control plane, then those of the add-ons.
    pub(super) async fn versions(&self) -> Result<(Versions, Notes), ProviderError> {
        let mut notes = Notes::default();
        let present = control_plane::observed_version(self.observation);
        let kubernetes = match (self.spec.kubernetes.version, present) {
            // The plan refuses to go back.
            (Some(wanted), Some(present)) if wanted <= present => wanted,
            (Some(wanted), _) => self.existing_version(wanted).await?,
            (None, Some(present)) => present,
            (None, None) => self.newest_version(&mut notes).await?,
        };
        let addons = self.addon_versions(kubernetes, present == Some(kubernetes), &mut notes).await?;
        Ok((Versions { kubernetes, addons }, notes))
    }

    /// The wanted version, if EKS has it or does not say: it would refuse the control plane only after the network is made.
    async fn existing_version(&self, wanted: KubernetesVersion) -> Result<KubernetesVersion, ProviderError> {
        let call = "eks:DescribeClusterVersions";
        let items = self.clients.eks.describe_cluster_versions().into_paginator().items().send();
        let Ok(answer) = optional(pages::all(items, call).await)? else { return Ok(wanted) };
        let mut versions: Vec<KubernetesVersion> =
            answer.iter().filter_map(|version| version.cluster_version.as_deref()?.parse().ok()).collect();
        if versions.is_empty() || versions.contains(&wanted) {
            return Ok(wanted);
        }
        versions.sort_unstable();
        let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
        let kind = ErrorKind::Invalid { field: Some("kubernetes.version".to_owned()) };
        let hint = format!("set kubernetes.version to one of {}, or leave it out for the newest", versions.join(", "));
        Err(ProviderError::new(kind, call, format!("EKS has no Kubernetes {wanted}")).with_hint(hint))
    }

    /// The newest version in standard support, or the one known when this program was made.
    async fn newest_version(&self, notes: &mut Notes) -> Result<KubernetesVersion, ProviderError> {
        let items = self.clients.eks.describe_cluster_versions().into_paginator().items().send();
        match optional(pages::all(items, "eks:DescribeClusterVersions").await)? {
            Ok(versions) if newest(&versions).is_some() => {
                let newest = newest(&versions).expect("matched just now");
                notes.explanations.push(format!("Kubernetes {newest}: the newest in standard support"));
                Ok(newest)
            }
            Ok(_) | Err(_) => {
                let default = control_plane::DEFAULT_VERSION;
                notes
                    .explanations
                    .push(format!("Kubernetes {default}: the default, because EKS does not say here what it supports"));
                Ok(default)
            }
        }
    }

    /// Keeps the versions that run while the control plane keeps its own; asks for the rest, one call each.
    async fn addon_versions(
        &self,
        kubernetes: KubernetesVersion,
        is_kept: bool,
        notes: &mut Notes,
    ) -> Result<BTreeMap<String, String>, ProviderError> {
        let present = control_plane::observed_addon_versions(self.observation);
        let names = control_plane::addon_names(self.spec, self.options);
        let is_present = |name: &str| self.observation.one(&ResourceId::new("eks/addon", name)).is_some();
        let (kept, asked): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_kept && is_present(name));
        let answers = try_join_all(asked.iter().map(|name| self.default_addon_version(name, kubernetes))).await?;
        let mut versions = BTreeMap::new();
        for name in kept {
            // A server that reports no version leaves nothing to compare.
            versions.extend(
                present.get(&name).filter(|version| !version.is_empty()).map(|version| (name, version.clone())),
            );
        }
        let mut undecided = Vec::new();
        for (name, answer) in asked.into_iter().zip(answers) {
            match answer {
                Some(version) => {
                    versions.insert(name, version);
                }
                None => undecided.push(name),
            }
        }
        if !undecided.is_empty() {
            notes.explanations.push(format!("EKS chooses the versions of {}", undecided.join(", ")));
        }
        Ok(versions)
    }

    /// The version that EKS itself would take; [`None`] where it does not say.
    async fn default_addon_version(
        &self,
        name: &str,
        kubernetes: KubernetesVersion,
    ) -> Result<Option<String>, ProviderError> {
        let kubernetes = kubernetes.to_string();
        let request = self.clients.eks.describe_addon_versions().addon_name(name).kubernetes_version(&kubernetes);
        let items = request.into_paginator().items().send();
        let Ok(addons) = optional(pages::all(items, "eks:DescribeAddonVersions").await)? else { return Ok(None) };
        let versions = addons.into_iter().filter(|addon| addon.addon_name.as_deref() == Some(name));
        let mut versions = versions.flat_map(|addon| addon.addon_versions.unwrap_or_default());
        let default = versions.find(|version| {
            let mut compatible = version.compatibilities.iter().flatten();
            compatible.any(|item| item.default_version && item.cluster_version.as_deref() == Some(kubernetes.as_str()))
        });
        Ok(default.and_then(|version| version.addon_version))
    }
}

fn newest(versions: &[ClusterVersionInformation]) -> Option<KubernetesVersion> {
    let is_standard = |version: &&ClusterVersionInformation| match (&version.version_status, &version.status) {
        (Some(status), _) => *status == VersionStatus::StandardSupport,
        (None, Some(status)) => status.as_str() == "standard-support",
        (None, None) => false,
    };
    let standard = versions.iter().filter(is_standard);
    standard.filter_map(|version| version.cluster_version.as_deref()?.parse().ok()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(name: &str, status: VersionStatus) -> ClusterVersionInformation {
        ClusterVersionInformation::builder().cluster_version(name).version_status(status).build()
    }

    #[test]
    fn the_newest_version_in_standard_support_wins() {
        let versions = [
            version("1.9", VersionStatus::StandardSupport),
            version("1.34", VersionStatus::StandardSupport),
            version("1.33", VersionStatus::StandardSupport),
            version("1.30", VersionStatus::ExtendedSupport),
            version("1.36", VersionStatus::from("PREVIEW")),
        ];
        assert_eq!(newest(&versions), "1.34".parse().ok());
        assert_eq!(newest(&versions[3..]), None);
    }
}
