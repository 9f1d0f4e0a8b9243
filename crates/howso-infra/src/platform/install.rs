//! Making the platform as it is wanted.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use howso_infra_core::inside::SecretName;
use howso_infra_core::spec::Release;
use howso_infra_core::{ProviderError, Severity};
use howso_infra_engine::Journal;
use howso_infra_engine::journal::LEASE_RENEWAL;
use howso_infra_kubernetes::NewSecret;
use howso_infra_platform::helm::Helm;
use howso_infra_platform::releases::{Action, WantedRelease};
use howso_infra_platform::secrets::{SecretContent, WantedSecret, wanted_secrets};
use secrecy::SecretString;
use serde::Serialize;

use super::{BucketKeys, ImagePullConfig, Platform, PlatformPlan, SecretAction};
use crate::event::{Event, PlatformEvent};
use crate::interrupt::Interrupts;
use crate::{Error, randomness::Randomness};

/// How long a service may take until it is ready: volumes are made and attached, and images pulled.
const SERVICE_TIMEOUT: Duration = Duration::from_mins(10);

/// How long the platform itself may take (`common/README.md` of howsoai/platform-installation-examples).
pub(super) const PLATFORM_TIMEOUT: Duration = Duration::from_mins(20);

/// How often it is looked at what is missing, while Helm waits.
const LOOK: Duration = Duration::from_secs(5);

/// Bytes of chance in a password: more than anybody can try.
const PASSWORD_BYTES: usize = 24;

/// What became of a platform.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Installed {
    /// How many releases were made as wanted.
    pub done: usize,
    /// What failed, by the name of the release.
    pub failures: Vec<(&'static str, ProviderError)>,
    /// How many were not tried, because of what failed or of an interrupt.
    pub skipped: usize,
    /// How many Helm is still at work on, because nobody waited for it any more.
    pub unfinished: usize,
    /// Whether somebody interrupted.
    pub is_interrupted: bool,
    /// What was missing when it was last looked at, while anything failed.
    pub waiting: Vec<String>,
}

/// What a run of Helm's shares with those who watch it.
#[derive(Default)]
pub(super) struct Shared {
    /// Nothing new is to be started.
    pub(super) is_stopped: Cell<bool>,
    pub(super) failures: RefCell<Vec<(&'static str, ProviderError)>>,
    /// The releases that Helm is at work on.
    at_work: RefCell<BTreeSet<&'static str>>,
    pub(super) done: Cell<usize>,
    /// What was missing when it was last looked at.
    pub(super) waiting: RefCell<Vec<String>>,
}

impl Shared {
    /// How many releases were begun and came to no end.
    pub(super) fn unfinished(&self) -> usize {
        self.at_work.borrow().len()
    }

    pub(super) fn begin(&self, release: Release) {
        self.at_work.borrow_mut().insert(release.name());
    }

    /// Notes how Helm ended.
    pub(super) fn end(&self, release: Release, ended: &Result<(), ProviderError>) {
        self.at_work.borrow_mut().remove(release.name());
        match ended {
            Ok(()) => self.done.set(self.done.get() + 1),
            Err(error) => self.failures.borrow_mut().push((release.name(), error.clone())),
        }
    }
}

impl Platform<'_> {
    /// Makes the platform as it is wanted. Takes the lease.
    pub async fn install(&self, interrupts: Interrupts) -> Result<Installed, Error> {
        let mut journal = self.session.open_journal().await?;
        let installed = self.install_with(&mut journal, interrupts).await;
        let closed = journal.close().await;
        let installed = installed?;
        closed?;
        Ok(installed)
    }

    async fn install_with(&self, journal: &mut Journal, interrupts: Interrupts) -> Result<Installed, Error> {
        let shared = Shared::default();
        let work = async {
            self.check_cluster().await?;
            let helm = self.helm().await?;
            self.await_earlier(&helm.helm, &shared).await;
            let plan = self.plan().await?;
            plan.check()?;
            if !shared.is_stopped.get() {
                self.make_secrets(&plan).await?;
            }
            self.releases(&helm.helm, &plan, &shared).await
        };
        let skipped = self.watch(journal, interrupts, &shared, Box::pin(work)).await?;
        let unfinished = shared.unfinished();
        let begun = shared.done.get() + shared.failures.borrow().len() + unfinished;
        // Who leaves before it is known what has to be done leaves everything undone.
        let skipped = skipped.unwrap_or(self.wanted.len() - begun);
        let failures = shared.failures.into_inner();
        let waiting = if failures.is_empty() { Vec::new() } else { shared.waiting.into_inner() };
        let is_interrupted = shared.is_stopped.get();
        Ok(Installed { done: shared.done.get(), failures, skipped, unfinished, is_interrupted, waiting })
    }

    /// Waits for Helm that an earlier run started and that goes on.
    pub(super) async fn await_earlier(&self, helm: &Helm, shared: &Shared) {
        for release in Release::ALL {
            if helm.is_at_work(release) {
                shared.begin(release);
                self.tell(PlatformEvent::HelmAtWork { release: release.name() });
            }
            while helm.is_at_work(release) {
                self.session.clock.sleep(LOOK).await;
            }
            shared.at_work.borrow_mut().remove(release.name());
        }
    }

    /// Does the work, and meanwhile keeps the lease, tells what is missing and listens for interrupts. The first lets what is under way
    /// end, the second leaves it alone: then there is no result.
    pub(super) async fn watch<T>(
        &self,
        journal: &mut Journal,
        interrupts: Interrupts,
        shared: &Shared,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<Option<T>, Error> {
        let mut work = pin!(work);
        let mut interrupts = interrupts.into_receiver();
        let mut renewed = self.session.clock.now();
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done.map(Some),
                Some(_) = interrupts.recv() => {
                    if shared.is_stopped.replace(true) {
                        return Ok(None);
                    }
                }
                () = self.session.clock.sleep(LOOK) => {
                    self.look(shared).await;
                    let now = self.session.clock.now();
                    if now.since(renewed) >= LEASE_RENEWAL.saturating_sub(LOOK) {
                        journal.renew().await?;
                        renewed = now;
                    }
                }
            }
        }
    }

    /// Tells what is missing, when it is something else than before, and deletes what nothing but its deletion helps. Who cannot look
    /// has nothing to tell, and looks again.
    async fn look(&self, shared: &Shared) {
        let at_work: Vec<&str> = shared.at_work.borrow().iter().copied().collect();
        for pod in self.backend.replace_stuck_pods(&at_work).await.unwrap_or_default() {
            self.tell(PlatformEvent::StuckPodReplaced { pod });
        }
        let Ok(findings) = self.backend.platform_findings().await else { return };
        let missing = findings.into_iter().filter(|finding| finding.severity == Severity::Blocking);
        let waiting: Vec<String> = missing.map(|finding| format!("{} {}", finding.subject, finding.message)).collect();
        let before = shared.waiting.replace(waiting.clone());
        if waiting != before && !waiting.is_empty() {
            self.tell(PlatformEvent::ReleasesWait { waiting });
        }
    }

    async fn make_secrets(&self, plan: &PlatformPlan) -> Result<(), Error> {
        let has_to_be_made = |name: &SecretName| {
            let is_due = |action| matches!(action, SecretAction::Draw | SecretAction::Give);
            plan.secrets.iter().any(|secret| secret.name == *name && is_due(secret.action))
        };
        for wanted in wanted_secrets(&self.session.spec).into_iter().filter(|wanted| has_to_be_made(&wanted.name)) {
            let Some(values) = self.content(&wanted)? else { continue };
            let secret = NewSecret { name: &wanted.name, kind: kind(wanted.content), values };
            // Whether or not a lost answer stood for a secret, the next attempt keeps the one that is there.
            self.session.reading(async || self.backend.make_secret(&secret).await).await?;
            self.tell(PlatformEvent::SecretMade { secret: wanted.name.to_string() });
        }
        Ok(())
    }

    /// What a secret will hold; [`None`] when nobody gave it.
    fn content(&self, wanted: &WantedSecret) -> Result<Option<Vec<(&'static str, SecretString)>>, Error> {
        let keys = wanted.keys.iter().copied();
        Ok(match wanted.content {
            SecretContent::Passwords => Some(keys.map(|key| Ok((key, password()?))).collect::<Result<_, Error>>()?),
            SecretContent::BucketKeys => {
                self.given.bucket_keys.as_ref().map(|BucketKeys { access_key, secret_key }| {
                    keys.zip([access_key.clone(), secret_key.clone()]).collect()
                })
            }
            SecretContent::ImagePull => {
                self.given.image_pull.as_ref().map(|ImagePullConfig(logins)| keys.zip([logins.clone()]).collect())
            }
        })
    }

    /// The services side by side, then the platform, which needs them. Returns how many were not tried.
    async fn releases(&self, helm: &Helm, plan: &PlatformPlan, shared: &Shared) -> Result<usize, Error> {
        let due = |is_platform: bool| {
            let due = plan.releases.iter().zip(&self.wanted).filter(move |(plan, wanted)| {
                !matches!(plan.action, Action::Keep | Action::Leave | Action::Await)
                    && (wanted.release == Release::Platform) == is_platform
            });
            due.map(|(plan, wanted)| (wanted, plan.action))
        };
        if shared.is_stopped.get() {
            return Ok(due(false).count() + due(true).count());
        }
        for outcome in join_all(due(false).map(|(wanted, action)| self.release(helm, wanted, action, shared))).await {
            outcome?;
        }
        if shared.is_stopped.get() || !shared.failures.borrow().is_empty() {
            return Ok(due(true).count());
        }
        for (wanted, action) in due(true) {
            self.release(helm, wanted, action, shared).await?;
        }
        Ok(0)
    }

    async fn release(&self, helm: &Helm, wanted: &WantedRelease, action: Action, shared: &Shared) -> Result<(), Error> {
        let release = wanted.release;
        let begin = self.session.clock.now();
        shared.begin(release);
        self.tell(PlatformEvent::ReleaseStarted { release: release.name(), action });
        let timeout = match release {
            Release::Platform => PLATFORM_TIMEOUT,
            Release::Nats | Release::Redis | Release::Postgres | Release::Minio => SERVICE_TIMEOUT,
        };
        let timeout = timeout.min(self.session.spec.engine.step_deadline_max);
        let labels = self.session.reading(async || self.backend.helm_labels(&wanted.digest).await).await?;
        let work = async {
            match action {
                Action::InstallAgain => helm.uninstall(release, timeout).await?,
                Action::ChangeAgain => helm.roll_back(release).await?,
                Action::Install | Action::Change | Action::Repair | Action::Keep | Action::Leave | Action::Await => {}
            }
            helm.upgrade(wanted, &labels, timeout).await
        };
        let ended = work.await;
        shared.end(release, &ended);
        let release = release.name();
        self.tell(match ended {
            Ok(()) => {
                let elapsed_secs = self.session.clock.now().since(begin).as_secs_f64();
                PlatformEvent::ReleaseReady { release, elapsed_secs }
            }
            Err(error) => PlatformEvent::ReleaseFailed { release, error },
        });
        Ok(())
    }

    pub(super) fn tell(&self, event: PlatformEvent) {
        self.session.tell(&Event::Platform(event));
    }
}

/// What Kubernetes makes of a secret.
fn kind(content: SecretContent) -> &'static str {
    match content {
        SecretContent::Passwords | SecretContent::BucketKeys => "Opaque",
        SecretContent::ImagePull => "kubernetes.io/dockerconfigjson",
    }
}

/// A password that nobody can foresee, in letters that no shell, URL or YAML takes for anything else. Always from the system, whatever
/// a session draws other numbers from.
fn password() -> Result<SecretString, Error> {
    let bytes: [u8; PASSWORD_BYTES] = Randomness::System.bytes()?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes).replace(['-', '_'], "0")))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn passwords_are_long_plain_and_never_the_same() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert_ne!(one.expose_secret(), other.expose_secret());
        for password in [one, other] {
            assert_eq!(password.expose_secret().len(), 32);
            assert!(password.expose_secret().chars().all(|each| each.is_ascii_alphanumeric()));
        }
    }
}
