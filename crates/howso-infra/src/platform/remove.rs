//! Removing the platform, and what it leaves on purpose.

use std::time::Duration;

use futures::future::join_all;
use howso_infra_core::ProviderError;
use howso_infra_core::inside::SecretName;
use howso_infra_core::spec::Release;
use howso_infra_engine::Journal;
use howso_infra_kubernetes::VolumeClaim;
use howso_infra_platform::helm::Helm;
use howso_infra_platform::releases::Present;
use howso_infra_platform::secrets::every_secret;
use serde::Serialize;

use super::Platform;
use super::install::Shared;
use crate::Error;
use crate::event::PlatformEvent;
use crate::interrupt::Interrupts;

/// How long a release may take to go.
const TIMEOUT: Duration = Duration::from_mins(10);

/// How often it is looked at whether volumes are gone.
const LOOK: Duration = Duration::from_secs(1);

/// What becomes of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Volumes stay, and the passwords that open them: the next installation finds everything as it was.
    Keep,
    /// Volumes and passwords are deleted.
    Delete,
}

/// What a removal of the platform would remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The releases that are there and ours, by their names.
    pub releases: Vec<&'static str>,
    /// Releases under the same names that are not ours, and stay.
    pub foreign: Vec<&'static str>,
    /// The volumes that hold the data of the platform.
    pub claims: Vec<VolumeClaim>,
    /// The secrets that this program made.
    pub secrets: Vec<SecretName>,
    /// Trainees that are at work, by the names of their pods.
    pub trainees: Vec<String>,
}

/// What became of a removal.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Removed {
    /// How many releases were removed.
    pub done: usize,
    /// What failed, by the name of the release.
    pub failures: Vec<(&'static str, ProviderError)>,
    /// How many Helm is still at work on, because nobody waited for it any more.
    pub unfinished: usize,
    /// Whether somebody interrupted.
    pub is_interrupted: bool,
    /// The claims for volumes that are still there.
    pub kept_claims: Vec<String>,
    /// The secrets that are still there.
    pub kept_secrets: Vec<SecretName>,
}

impl Removal {
    /// Whether there is nothing to remove.
    pub fn is_empty(&self, data: Data) -> bool {
        self.releases.is_empty() && (data == Data::Keep || (self.claims.is_empty() && self.secrets.is_empty()))
    }

    /// Refuses while trainees are at work.
    pub fn refuse_trainees(&self) -> Result<(), Error> {
        if self.trainees.is_empty() { Ok(()) } else { Err(Error::TraineesAtWork { trainees: self.trainees.clone() }) }
    }
}

impl Platform<'_> {
    /// Reads what a removal would remove.
    pub async fn removal(&self) -> Result<Removal, Error> {
        let found = self.session.reading(async || self.backend.helm_releases().await).await?;
        let ours = self.deployment().await?;
        let mut releases = Vec::new();
        let mut foreign = Vec::new();
        for release in Release::ALL {
            match self.present(release, &found, ours.as_deref()) {
                Present::Nothing => {}
                Present::Foreign => foreign.push(release.name()),
                Present::Elsewhere => return Err(Error::HelmElsewhere { release: release.name() }),
                _ => releases.push(release.name()),
            }
        }
        let claims = self.session.reading(async || self.backend.claims().await).await?;
        let mut secrets = Vec::new();
        for wanted in every_secret(&self.session.spec) {
            let secret = self.session.reading(async || self.backend.secret(&wanted.name).await).await?;
            if secret.is_some_and(|secret| secret.is_ours) {
                secrets.push(wanted.name);
            }
        }
        let trainees = self.session.reading(async || self.backend.trainees().await).await?;
        let claims = claims.into_iter().filter(|claim| is_of_platform(&claim.name, &foreign)).collect();
        Ok(Removal { releases, foreign, claims, secrets, trainees })
    }

    /// Removes the platform. Takes the lease.
    pub async fn remove(&self, data: Data, interrupts: Interrupts) -> Result<Removed, Error> {
        let mut journal = self.session.open_journal().await?;
        let removed = self.remove_with(&mut journal, data, interrupts).await;
        let closed = journal.close().await;
        let removed = removed?;
        closed?;
        Ok(removed)
    }

    async fn remove_with(&self, journal: &mut Journal, data: Data, interrupts: Interrupts) -> Result<Removed, Error> {
        let shared = Shared::default();
        let work = async {
            self.check_cluster().await?;
            let helm = self.helm().await?;
            self.await_earlier(&helm.helm, &shared).await;
            let removal = self.removal().await?;
            let ours = |release: &Release| removal.releases.contains(&release.name());
            // Whoever uses the services goes before them.
            let (platform, services): (Vec<_>, Vec<_>) =
                Release::ALL.into_iter().filter(ours).partition(|release| *release == Release::Platform);
            for some in [platform, services] {
                if !shared.is_stopped.get() && shared.failures.borrow().is_empty() {
                    join_all(some.into_iter().map(|release| self.uninstall(&helm.helm, release, &shared))).await;
                }
            }
            let is_clear = !shared.is_stopped.get() && shared.failures.borrow().is_empty();
            if data == Data::Delete && is_clear {
                self.delete_data(&removal).await?;
            }
            Ok(())
        };
        self.watch(journal, interrupts, &shared, Box::pin(work)).await?;
        let left = self.removal().await?;
        Ok(Removed {
            done: shared.done.get(),
            unfinished: shared.unfinished(),
            failures: shared.failures.into_inner(),
            is_interrupted: shared.is_stopped.get(),
            kept_claims: left.claims.into_iter().map(|claim| claim.name).collect(),
            kept_secrets: left.secrets,
        })
    }

    async fn uninstall(&self, helm: &Helm, release: Release, shared: &Shared) {
        shared.begin(release);
        let begin = self.session.clock.now();
        let timeout = TIMEOUT.min(self.session.spec.engine.step_deadline_max);
        let ended = helm.uninstall(release, timeout).await;
        shared.end(release, &ended);
        let release = release.name();
        self.tell(match ended {
            Ok(()) => {
                let elapsed_secs = self.session.clock.now().since(begin).as_secs_f64();
                PlatformEvent::ReleaseRemoved { release, elapsed_secs }
            }
            Err(error) => PlatformEvent::ReleaseFailed { release, error },
        });
    }

    /// Volumes first: a password is of no use without its volume, and a volume of none without its password.
    async fn delete_data(&self, removal: &Removal) -> Result<(), Error> {
        for claim in &removal.claims {
            self.session.reading(async || self.backend.delete_claim(claim).await).await?;
        }
        let is_there = |claims: &[VolumeClaim]| claims.iter().any(|claim| removal.claims.contains(claim));
        let begin = self.session.clock.now();
        while is_there(&self.session.reading(async || self.backend.claims().await).await?) {
            if self.session.clock.now().since(begin) >= TIMEOUT {
                // What is left is read once more and told.
                return Ok(());
            }
            self.session.clock.sleep(LOOK).await;
        }
        for secret in &removal.secrets {
            self.session.reading(async || self.backend.delete_secret(secret).await).await?;
        }
        Ok(())
    }
}

/// Whether a claim belongs to a release of ours, by its name: charts put the release's name into it, with what a stateful set adds
/// before and after.
fn is_of_platform(claim: &str, foreign: &[&str]) -> bool {
    Release::ALL.into_iter().map(Release::name).filter(|name| !foreign.contains(name)).any(|name| {
        claim.match_indices(name).any(|(begin, _)| {
            let (before, after) = (&claim[..begin], &claim[begin + name.len()..]);
            (before.is_empty() || before.ends_with('-')) && (after.is_empty() || after.starts_with('-'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_belongs_to_the_release_whose_name_it_has() {
        let names = ["data-platform-redis-master-0", "platform-nats-js-platform-nats-0", "platform-minio"];
        for name in names {
            assert!(is_of_platform(name, &[]), "{name}");
        }
        for name in ["data", "my-platform-minion", "xplatform-nats", "data-other-redis-0"] {
            assert!(!is_of_platform(name, &[]), "{name}");
        }
        assert!(!is_of_platform("platform-minio", &["platform-minio"]), "what somebody else installed is theirs");
    }
}
