//! The releases that Helm keeps in the namespace of the platform, as its own store shows them: a secret for each revision.
//!
//! Only their labels are read, never what they hold. Names and labels: `pkg/storage/driver/secrets.go` of <https://github.com/helm/helm>,
//! the same since Helm 3.0; labels of the caller's own since 3.13.

use std::collections::BTreeMap;

use howso_infra_core::ProviderError;
use howso_infra_core::identity::DEPLOYMENT_TAG;
use howso_infra_core::inside::PLATFORM_NAMESPACE;
use serde_json::Value as Json;

use crate::backend::KubernetesBackend;
use crate::errors::Call;
use crate::list;
use crate::object::collection;

/// The label of a release with the digest of what it was told.
pub const DIGEST_LABEL: &str = "howso-infra/digest";

/// The last revision of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HelmRelease {
    /// Its number.
    pub revision: u32,
    /// How it is.
    pub status: HelmStatus,
    /// When Helm last wrote it, in seconds since 1970; [`None`] when it does not say.
    pub written_secs: Option<i64>,
    /// The deployment that installed it; [`None`] when somebody else did.
    pub deployment: Option<String>,
    /// The digest of what it was told; [`None`] when somebody else did the telling.
    pub digest: Option<String>,
}

/// How a release is (`pkg/release/status.go` of Helm).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelmStatus {
    /// It is installed.
    Deployed,
    /// The last change failed.
    Failed,
    /// It is being installed, or that broke off.
    PendingInstall,
    /// It is being changed or taken back, or that broke off.
    PendingChange,
    /// It is being removed, or that broke off.
    Uninstalling,
    /// It is no more.
    Uninstalled,
}

impl HelmStatus {
    fn parse(text: &str) -> Self {
        match text {
            "deployed" | "superseded" => Self::Deployed,
            "pending-install" => Self::PendingInstall,
            "pending-upgrade" | "pending-rollback" => Self::PendingChange,
            "uninstalling" => Self::Uninstalling,
            "uninstalled" => Self::Uninstalled,
            _ => Self::Failed,
        }
    }
}

impl KubernetesBackend {
    /// The releases in the namespace of the platform, by their names; none while there is no control plane.
    pub async fn helm_releases(&self) -> Result<BTreeMap<String, HelmRelease>, ProviderError> {
        if self.api.session().await?.is_none() {
            return Ok(BTreeMap::new());
        }
        let path = collection("v1", "secrets", Some(PLATFORM_NAMESPACE));
        let secrets = list::metadata(&self.api, &Call::read("list secrets"), &path, "owner=helm").await?;
        Ok(latest(&secrets))
    }

    /// The labels by which a release is known as ours, as Helm takes them.
    pub async fn helm_labels(&self, digest: &str) -> Result<String, ProviderError> {
        let deployment = self.deployment().await?.unwrap_or_default();
        Ok(format!("{DEPLOYMENT_TAG}={deployment},{DIGEST_LABEL}={digest}"))
    }
}

fn latest(secrets: &[Json]) -> BTreeMap<String, HelmRelease> {
    let mut releases: BTreeMap<String, HelmRelease> = BTreeMap::new();
    for labels in secrets.iter().filter_map(|secret| secret.pointer("/metadata/labels")) {
        let text = |key: &str| labels.get(key).and_then(Json::as_str);
        let (Some(name), Some(Ok(revision))) = (text("name"), text("version").map(str::parse::<u32>)) else { continue };
        if releases.get(name).is_some_and(|newer| newer.revision > revision) {
            continue;
        }
        let release = HelmRelease {
            revision,
            status: HelmStatus::parse(text("status").unwrap_or_default()),
            // A revision that was never written again has no second time.
            written_secs: text("modifiedAt").or_else(|| text("createdAt")).and_then(|secs| secs.parse().ok()),
            deployment: text(DEPLOYMENT_TAG).map(str::to_owned),
            digest: text(DIGEST_LABEL).map(str::to_owned),
        };
        releases.insert(name.to_owned(), release);
    }
    releases
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_last_revision_counts_whatever_the_order() {
        let revision = |version: &str, status: &str| {
            let labels = json!({ "name": "platform-nats", "owner": "helm", "status": status, "version": version });
            json!({ "metadata": { "labels": labels } })
        };
        for order in [["10", "9"], ["9", "10"]] {
            let secrets =
                order.map(|version| revision(version, if version == "10" { "pending-upgrade" } else { "deployed" }));
            let release = &latest(&secrets)["platform-nats"];
            assert_eq!((release.revision, release.status), (10, HelmStatus::PendingChange));
            assert_eq!((&release.deployment, &release.digest), (&None, &None));
        }
        assert!(latest(&[json!({ "metadata": {} }), revision("x", "deployed")]).is_empty());
    }
}
