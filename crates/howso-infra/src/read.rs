//! Reads of the cloud that belong to no step of a plan: sent again while their failure is one that passes.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use howso_infra_core::{DeploymentId, Graph, Observation, ProviderError, Scope, ScopeKinds};
use howso_infra_engine::ReadRetries;
use howso_infra_kubernetes::KubernetesBackend;

use crate::event::Event;
use crate::{Error, Session};

impl Session {
    /// Reads everything of the cluster. What could not be read for a reason that passes is read again, and only that.
    pub(crate) async fn observe(&self, deployment: Option<&DeploymentId>) -> Result<Observation, Error> {
        let mut retries = self.read_retries()?;
        let mut observation = Observation::default();
        let mut kinds = ScopeKinds::All;
        loop {
            let scope = Scope::Cluster { deployment: deployment.cloned(), kinds: kinds.clone() };
            match self.observe_once(&scope).await {
                Ok(read) => match &kinds {
                    ScopeKinds::All => observation = read,
                    ScopeKinds::Only(kinds) => observation.replace(kinds, read),
                },
                Err(failure) if self.wait_to_read(&mut retries, &failure).await => continue,
                Err(failure) => return Err(failure.into()),
            }
            let (hidden, failure) = passing_gaps(&observation);
            match failure {
                Some(failure) if self.wait_to_read(&mut retries, &failure).await => kinds = ScopeKinds::Only(hidden),
                // Gaps that stay are for the plan to deal with.
                Some(_) | None => return Ok(observation),
            }
        }
    }

    /// Makes a read until it succeeds or fails for good.
    pub(crate) async fn reading<T>(&self, read: impl AsyncFn() -> Result<T, ProviderError>) -> Result<T, Error> {
        let mut retries = self.read_retries()?;
        loop {
            match read().await {
                Ok(answer) => return Ok(answer),
                Err(failure) if self.wait_to_read(&mut retries, &failure).await => {}
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Looks at the checks of `graph`, and again while one cannot be looked at for a reason that passes.
    pub(crate) async fn check(
        &self,
        kubernetes: &KubernetesBackend,
        graph: &Graph,
        observation: &Observation,
    ) -> Result<Observation, Error> {
        let mut retries = self.read_retries()?;
        loop {
            let checks = kubernetes.check(graph, observation).await;
            match passing_gaps(&checks) {
                (_, Some(failure)) if self.wait_to_read(&mut retries, &failure).await => {}
                // Gaps that stay are for the plan to deal with.
                (_, Some(_) | None) => return Ok(checks),
            }
        }
    }

    fn read_retries(&self) -> Result<ReadRetries<'_>, Error> {
        Ok(ReadRetries::new(&self.spec.engine, self.randomness.number()?))
    }

    /// Waits until a failed read may be sent again; returns whether it is to be.
    async fn wait_to_read(&self, retries: &mut ReadRetries<'_>, failure: &ProviderError) -> bool {
        let Some(pause) = retries.pause(failure) else { return false };
        self.tell(&Event::ReadingAgain { error: failure.clone(), delay_secs: pause.as_secs_f64() });
        self.clock.sleep(pause).await;
        true
    }

    async fn observe_once(&self, scope: &Scope) -> Result<Observation, ProviderError> {
        let mut observation = Observation::default();
        for part in try_join_all(self.backends.iter().map(|backend| backend.observe(scope))).await? {
            observation.merge(part);
        }
        Ok(observation)
    }
}

/// The kinds that could not be read for reasons that pass, and one of the reasons.
fn passing_gaps(observation: &Observation) -> (BTreeSet<String>, Option<ProviderError>) {
    let passing = || observation.gaps.iter().filter(|gap| ReadRetries::can_pass(&gap.error));
    let kinds = passing().flat_map(|gap| gap.kinds.iter().cloned()).collect();
    (kinds, passing().next().map(|gap| gap.error.clone()))
}
