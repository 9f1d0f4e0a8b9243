//! The Howso Platform on the cluster: its secrets, its releases, and the volumes that outlive them.
//!
//! Releases are Helm's: its store in the cluster is the only record of them, so that a user can go on with `helm` at any time, and no
//! journal can disagree with it. What this adds is the lease, passwords that are made once, labels by which a release is known as ours
//! and as wanted, and a word on what is missing while Helm waits.

mod helm_files;
mod install;
mod remove;

use howso_infra_core::Finding;
use howso_infra_core::spec::{ChartSource, ChartVersion, Release};
use howso_infra_kubernetes::{HelmRelease, HelmStatus, KubernetesBackend};
use howso_infra_platform::helm;
use howso_infra_platform::releases::{Present, SECRETS, WantedRelease, decide, wanted};
use howso_infra_platform::values::Surroundings;
use serde::Serialize;

pub use howso_infra_kubernetes::VolumeClaim;
pub use howso_infra_platform::releases::Action;

pub use helm_files::License;
pub use install::Installed;
pub use remove::{Data, Removal, Removed};

use crate::{Error, Session};

/// The platform of one cluster, as it is wanted.
pub struct Platform<'a> {
    session: &'a Session,
    backend: &'a KubernetesBackend,
    wanted: Vec<WantedRelease>,
    license: Option<License>,
}

/// What has to be done so that the platform is as wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlatformPlan {
    /// The secrets, in no particular order.
    pub secrets: Vec<SecretPlan>,
    /// The releases, in the order in which they are installed.
    pub releases: Vec<ReleasePlan>,
}

/// What has to be done for a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SecretPlan {
    /// Its name.
    pub name: &'static str,
    /// Whether it is made; one that is there is kept.
    pub is_missing: bool,
}

/// What has to be done for a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReleasePlan {
    /// The name of the release.
    pub name: &'static str,
    /// Where its chart comes from.
    pub chart: String,
    /// The version of its chart; [`None`] for the newest.
    pub version: Option<String>,
    /// What is to be done.
    pub action: Action,
    #[serde(skip)]
    release: Release,
}

impl PlatformPlan {
    /// Whether nothing has to be done.
    pub fn is_empty(&self) -> bool {
        self.secrets.iter().all(|secret| !secret.is_missing)
            && self.releases.iter().all(|release| matches!(release.action, Action::Keep | Action::Leave))
    }

    /// Refuses to touch what somebody else installed.
    pub fn refuse_foreign(&self) -> Result<(), Error> {
        let foreign = self.releases.iter().filter(|release| release.action == Action::Leave);
        let releases: Vec<&'static str> = foreign.map(|release| release.name).collect();
        if releases.is_empty() { Ok(()) } else { Err(Error::ForeignReleases { releases }) }
    }
}

/// Whether the program Helm is here and new enough.
pub async fn check_helm() -> Result<(), Error> {
    helm::check_version().await?;
    Ok(())
}

impl Session {
    /// The platform that the specification wants on this cluster. Reads the files that the specification names, and asks nobody.
    pub fn platform(&self, license: Option<License>) -> Result<Platform<'_>, Error> {
        let wanted = wanted(&self.spec.platform, &Surroundings::of(&self.spec)).map_err(Error::PlatformFile)?;
        let backend = self.kubernetes.as_deref().ok_or(Error::NoClusterForPlatform)?;
        Ok(Platform { session: self, backend, wanted, license })
    }
}

impl Platform<'_> {
    /// Refuses when there is no cluster, or when it is not ours.
    pub async fn check_cluster(&self) -> Result<(), Error> {
        match self.deployment().await? {
            Some(_) => Ok(()),
            None => Err(Error::NoClusterForPlatform),
        }
    }

    async fn deployment(&self) -> Result<Option<String>, Error> {
        self.session.reading(async || self.backend.deployment().await).await
    }

    /// Reads what is there, and says what has to be done. Before there is a cluster, that is everything.
    pub async fn plan(&self) -> Result<PlatformPlan, Error> {
        let releases = self.session.reading(async || self.backend.helm_releases().await).await?;
        let ours = self.deployment().await?;
        let releases = self.wanted.iter().map(|wanted| {
            let present = present(releases.get(wanted.release.name()), ours.as_deref());
            plan_of(wanted, decide(&present, &wanted.digest))
        });
        Ok(PlatformPlan { releases: releases.collect(), secrets: self.secrets().await? })
    }

    /// How the platform fares: what does not run, and why.
    pub async fn findings(&self) -> Result<Vec<Finding>, Error> {
        self.session.reading(async || self.backend.platform_findings().await).await
    }

    async fn secrets(&self) -> Result<Vec<SecretPlan>, Error> {
        let mut plans = Vec::new();
        for wanted in SECRETS {
            let present = self.session.reading(async || self.backend.secret(wanted.name).await).await?;
            if let Some(present) = &present {
                let lacking = wanted.keys.iter().copied().filter(|key| !present.keys.contains(*key));
                let keys: Vec<&'static str> = lacking.collect();
                if !keys.is_empty() {
                    return Err(Error::SecretLacks { secret: wanted.name, keys });
                }
            }
            plans.push(SecretPlan { name: wanted.name, is_missing: present.is_none() });
        }
        Ok(plans)
    }
}

fn plan_of(wanted: &WantedRelease, action: Action) -> ReleasePlan {
    let chart = match &wanted.source {
        ChartSource::Registry(place) | ChartSource::Repository(place) => format!("{place}/{}", wanted.release.chart()),
        ChartSource::Directory(place) => place.join(wanted.release.chart()).into_string(),
    };
    ReleasePlan {
        name: wanted.release.name(),
        chart,
        version: wanted.version.as_ref().map(|version| ChartVersion::as_str(version).to_owned()),
        action,
        release: wanted.release,
    }
}

/// What is there of a release, when `ours` is the deployment of the cluster.
fn present(release: Option<&HelmRelease>, ours: Option<&str>) -> Present {
    let Some(release) = release.filter(|release| release.status != HelmStatus::Uninstalled) else {
        return Present::Nothing;
    };
    if release.deployment.is_none() || release.deployment.as_deref() != ours {
        return Present::Foreign;
    }
    match release.status {
        HelmStatus::Deployed => Present::Deployed { digest: release.digest.clone() },
        HelmStatus::Failed => Present::Failed,
        HelmStatus::PendingInstall => Present::Installing,
        HelmStatus::PendingChange => Present::Changing,
        HelmStatus::Uninstalling => Present::Removing,
        HelmStatus::Uninstalled => Present::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(deployment: Option<&str>, status: HelmStatus) -> HelmRelease {
        HelmRelease { revision: 1, status, deployment: deployment.map(str::to_owned), digest: Some("d".to_owned()) }
    }

    #[test]
    fn only_what_this_deployment_installed_is_ours() {
        let of = |deployment, status| present(Some(&release(deployment, status)), Some("a"));
        assert_eq!(of(Some("a"), HelmStatus::Deployed), Present::Deployed { digest: Some("d".to_owned()) });
        for (deployment, ours) in [(None, Some("a")), (Some("b"), Some("a")), (Some("a"), None), (None, None)] {
            let found = present(Some(&release(deployment, HelmStatus::PendingInstall)), ours);
            assert_eq!(found, Present::Foreign, "{deployment:?} {ours:?}");
        }
        assert_eq!(of(None, HelmStatus::Uninstalled), Present::Nothing);
        assert_eq!(present(None, Some("a")), Present::Nothing);
    }
}
