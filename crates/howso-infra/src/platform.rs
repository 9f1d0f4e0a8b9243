//! The Howso Platform on the cluster: its secrets, its releases, and the volumes that outlive them.
//!
//! Releases are Helm's: its store in the cluster is the only record of them, so that a user can go on with `helm` at any time, and no
//! journal can disagree with it. What this adds is the lease, passwords that are made once, labels by which a release is known as ours
//! and as wanted, and a word on what is missing while Helm waits.

mod helm_files;
mod install;
mod remove;

use std::collections::BTreeMap;
use std::str::FromStr;

use howso_infra_core::Finding;
use howso_infra_core::spec::{ChartSource, ChartVersion, Release};
use howso_infra_kubernetes::{HelmRelease, HelmStatus, KubernetesBackend};
use howso_infra_platform::helm;
use howso_infra_platform::releases::{Present, WantedRelease, decide, wanted};
use howso_infra_platform::secrets::wanted_secrets;
use howso_infra_platform::values::Surroundings;
use secrecy::SecretString;
use serde::Serialize;

pub use howso_infra_core::inside::SecretName;
pub use howso_infra_kubernetes::VolumeClaim;
pub use howso_infra_platform::releases::Action;
pub use howso_infra_platform::secrets::SecretContent;

pub use helm_files::License;
pub use install::Installed;
use install::PLATFORM_TIMEOUT;
pub use remove::{Data, Removal, Removed};

use crate::{Error, Session};

/// The platform of one cluster, as it is wanted.
pub struct Platform<'a> {
    session: &'a Session,
    backend: &'a KubernetesBackend,
    wanted: Vec<WantedRelease>,
    given: Given,
}

/// What somebody gives, and no file of the specification holds.
#[derive(Default)]
pub struct Given {
    /// What a registry of charts knows its customers by; [`None`] to use the user's own login.
    pub license: Option<License>,
    /// The keys of the bucket; [`None`] when they are in the cluster already, or when there is no bucket.
    pub bucket_keys: Option<BucketKeys>,
    /// The logins of registries of images, as Docker keeps them; [`None`] when they are in the cluster already, or when none asks.
    pub image_pull: Option<ImagePullConfig>,
}

/// The keys of a bucket.
pub struct BucketKeys {
    /// Who asks.
    pub access_key: SecretString,
    /// The proof of it.
    pub secret_key: SecretString,
}

/// The logins of registries of images, as Docker keeps them.
pub struct ImagePullConfig(SecretString);

/// Why a text has no logins. Nothing of it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLogins {
    /// It is not what Docker writes.
    #[error("it is not JSON with a table `auths`")]
    Malformed,
    /// It knows no registry, or keeps the logins somewhere else.
    #[error("it has no login: `auths` is empty, or a program keeps them (`credsStore`, `credHelpers`)")]
    Empty,
}

impl FromStr for ImagePullConfig {
    type Err = NoLogins;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let config: serde_json::Value = serde_json::from_str(text).map_err(|_| NoLogins::Malformed)?;
        let auths = config["auths"].as_object().ok_or(NoLogins::Malformed)?;
        let is_login = |login: &serde_json::Value| login["auth"].is_string() || login["username"].is_string();
        if auths.values().any(is_login) { Ok(Self(SecretString::from(text))) } else { Err(NoLogins::Empty) }
    }
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretPlan {
    /// Its name.
    pub name: SecretName,
    /// What it holds.
    #[serde(skip)]
    pub content: SecretContent,
    /// What has to be done for it.
    pub action: SecretAction,
}

/// What has to be done for a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretAction {
    /// Nothing: it is there.
    Keep,
    /// To make it, of passwords that nobody knows.
    Draw,
    /// To make it of what was given.
    Give,
    /// Nothing can be done, because nobody gave what it holds.
    Ask,
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
        self.secrets.iter().all(|secret| secret.action == SecretAction::Keep)
            && self
                .releases
                .iter()
                .all(|release| matches!(release.action, Action::Keep | Action::Leave | Action::Await))
    }

    /// Refuses to touch what somebody else installed, and to begin without what nobody gave.
    pub fn check(&self) -> Result<(), Error> {
        let foreign = self.releases.iter().filter(|release| release.action == Action::Leave);
        let releases: Vec<&'static str> = foreign.map(|release| release.name).collect();
        if !releases.is_empty() {
            return Err(Error::ForeignReleases { releases });
        }
        let awaited = self.releases.iter().find(|release| release.action == Action::Await);
        if let Some(release) = awaited {
            return Err(Error::HelmElsewhere { release: release.name });
        }
        match self.secrets.iter().find(|secret| secret.action == SecretAction::Ask) {
            Some(secret) => Err(Error::SecretNotGiven { secret: secret.name.to_string(), content: secret.content }),
            None => Ok(()),
        }
    }
}

/// Whether the program Helm is here and new enough.
pub async fn check_helm() -> Result<(), Error> {
    helm::check_version().await?;
    Ok(())
}

impl Session {
    /// The platform that the specification wants on this cluster. Reads the files that the specification names, and asks nobody.
    pub fn platform(&self, given: Given) -> Result<Platform<'_>, Error> {
        let wanted = wanted(&self.spec.platform, &Surroundings::of(&self.spec)).map_err(Error::PlatformFile)?;
        let backend = self.kubernetes.as_deref().ok_or(Error::NoClusterForPlatform)?;
        Ok(Platform { session: self, backend, wanted, given })
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
            let present = self.present(wanted.release, &releases, ours.as_deref());
            plan_of(wanted, decide(&present, &wanted.digest))
        });
        Ok(PlatformPlan { releases: releases.collect(), secrets: self.secrets().await? })
    }

    /// What is there of a release, of all that are there.
    fn present(&self, release: Release, found: &BTreeMap<String, HelmRelease>, ours: Option<&str>) -> Present {
        let present_release = found.get(release.name());
        let now_secs = self.session.clock.wall().as_second();
        let may_be_under_way = present_release.is_some_and(|release| is_young(release, now_secs));
        present(present_release, ours, may_be_under_way && !self.helm_without_files().has_worked(release))
    }

    /// How the platform fares: what does not run, and why.
    pub async fn findings(&self) -> Result<Vec<Finding>, Error> {
        self.session.reading(async || self.backend.platform_findings().await).await
    }

    async fn secrets(&self) -> Result<Vec<SecretPlan>, Error> {
        let mut plans = Vec::new();
        for wanted in wanted_secrets(&self.session.spec) {
            let present = self.session.reading(async || self.backend.secret(&wanted.name).await).await?;
            if let Some(present) = &present {
                let lacking = wanted.keys.iter().copied().filter(|key| !present.keys.contains(*key));
                let keys: Vec<&'static str> = lacking.collect();
                if !keys.is_empty() {
                    return Err(Error::SecretLacks { secret: wanted.name.to_string(), keys });
                }
            }
            let action = match wanted.content {
                _ if present.is_some() => SecretAction::Keep,
                SecretContent::Passwords => SecretAction::Draw,
                SecretContent::BucketKeys if self.given.bucket_keys.is_some() => SecretAction::Give,
                SecretContent::ImagePull if self.given.image_pull.is_some() => SecretAction::Give,
                SecretContent::BucketKeys | SecretContent::ImagePull => SecretAction::Ask,
            };
            plans.push(SecretPlan { name: wanted.name, content: wanted.content, action });
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

/// Whether Helm may still be at work on what it wrote last, wherever it runs.
fn is_young(release: &HelmRelease, now_secs: i64) -> bool {
    let longest = i64::try_from(PLATFORM_TIMEOUT.as_secs()).unwrap_or(i64::MAX);
    release.written_secs.is_some_and(|written| now_secs.saturating_sub(written) < longest)
}

/// What is there of a release, when `ours` is the deployment of the cluster. `is_elsewhere` says that what is under way may be so on
/// another machine, with which this one shares no lease.
fn present(release: Option<&HelmRelease>, ours: Option<&str>, is_elsewhere: bool) -> Present {
    let Some(release) = release.filter(|release| release.status != HelmStatus::Uninstalled) else {
        return Present::Nothing;
    };
    if release.deployment.is_none() || release.deployment.as_deref() != ours {
        return Present::Foreign;
    }
    match release.status {
        HelmStatus::Deployed => Present::Deployed { digest: release.digest.clone() },
        HelmStatus::Failed => Present::Failed,
        HelmStatus::PendingInstall | HelmStatus::PendingChange | HelmStatus::Uninstalling if is_elsewhere => {
            Present::Elsewhere
        }
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
        HelmRelease {
            revision: 1,
            status,
            written_secs: Some(1_000),
            deployment: deployment.map(str::to_owned),
            digest: Some("d".to_owned()),
        }
    }

    #[test]
    fn only_what_this_deployment_installed_is_ours() {
        let of = |deployment, status| present(Some(&release(deployment, status)), Some("a"), false);
        assert_eq!(of(Some("a"), HelmStatus::Deployed), Present::Deployed { digest: Some("d".to_owned()) });
        for (deployment, ours) in [(None, Some("a")), (Some("b"), Some("a")), (Some("a"), None), (None, None)] {
            let found = present(Some(&release(deployment, HelmStatus::PendingInstall)), ours, true);
            assert_eq!(found, Present::Foreign, "{deployment:?} {ours:?}");
        }
        assert_eq!(of(None, HelmStatus::Uninstalled), Present::Nothing);
        assert_eq!(present(None, Some("a"), true), Present::Nothing);
    }

    #[test]
    fn logins_are_those_that_are_in_the_text_and_of_a_wrong_one_nothing_is_repeated() {
        let told = |text: &str| text.parse::<ImagePullConfig>().map(|_| ());
        assert_eq!(told(r#"{"auths": {"a.example": {"auth": "bWU6c2VjcmV0"}}}"#), Ok(()));
        assert_eq!(told(r#"{"auths": {"a.example": {"username": "me", "password": "canary"}}}"#), Ok(()));
        // What Docker Desktop writes: the logins are in the keychain.
        assert_eq!(told(r#"{"auths": {"a.example": {}}, "credsStore": "desktop"}"#), Err(NoLogins::Empty));
        assert_eq!(told(r#"{"auths": {}}"#), Err(NoLogins::Empty));
        for wrong in ["", "canary", "[]", r#"{"auths": "canary"}"#, r#"{"a.example": {"auth": "canary"}}"#] {
            let error = told(wrong).unwrap_err();
            assert_eq!(error, NoLogins::Malformed);
            assert!(!error.to_string().contains("canary"));
        }
    }

    /// Two machines that share no lease must not take what the other is doing for broken off.
    #[test]
    fn what_may_be_under_way_elsewhere_is_left_alone_for_as_long_as_that_can_take() {
        let pending = release(Some("a"), HelmStatus::PendingInstall);
        assert_eq!(present(Some(&pending), Some("a"), true), Present::Elsewhere);
        assert_eq!(present(Some(&pending), Some("a"), false), Present::Installing);
        assert!(matches!(
            present(Some(&release(Some("a"), HelmStatus::Deployed)), Some("a"), true),
            Present::Deployed { .. }
        ));
        assert!(is_young(&pending, 1_000 + 20 * 60 - 1) && !is_young(&pending, 1_000 + 20 * 60));
        assert!(!is_young(&HelmRelease { written_secs: None, ..pending }, 1_000));
    }
}
