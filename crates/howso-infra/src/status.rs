//! What is there, and how it compares with what is wanted.

use howso_infra_core::plan::{Decision, Replacement};
use howso_infra_core::provider::{Access, ClientMachine};
use howso_infra_core::{DeploymentId, Observed, Plan, ResourceId};
use howso_infra_engine::Journal;
use serde::Serialize;

use crate::prepare::{Goal, is_present};
use crate::{Error, Session};

/// What is there, and how it compares with what is wanted.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The deployment, when anything of it exists.
    pub deployment: Option<DeploymentId>,
    /// Every resource that is wanted or there.
    pub resources: Vec<ResourceStatus>,
    /// The way to what is wanted.
    pub plan: Plan,
}

/// One resource that is wanted or there.
#[derive(Clone, Debug, Serialize)]
pub struct ResourceStatus {
    /// Its name in the graph.
    pub id: ResourceId,
    /// What people call its kind.
    pub title: &'static str,
    /// What is there; absent when nothing is.
    pub observed: Option<Observed>,
    /// What would happen to it, and why.
    pub decision: Decision,
}

/// The result of an adoption.
#[derive(Clone, Debug, Serialize)]
pub struct Adopted {
    /// The deployment that the tags name.
    pub deployment: DeploymentId,
    /// The number of its resources.
    pub resources: usize,
}

impl Session {
    /// Reads what is there and compares it with what is wanted. Takes no lease.
    pub async fn status(&self) -> Result<Status, Error> {
        let prepared = self.prepare(Goal::Up { replacement: Replacement::Allowed }).await?;
        let identity = &prepared.plan.identity;
        let deployment = is_present(&prepared.observation, identity).then(|| identity.deployment.clone());
        let resources = prepared.plan.report.iter().map(|decision| ResourceStatus {
            id: decision.resource.clone(),
            title: prepared.titles.get(decision.resource.kind()).copied().unwrap_or_default(),
            observed: prepared.observation.one(&decision.resource).cloned(),
            decision: decision.clone(),
        });
        Ok(Status { deployment, resources: resources.collect(), plan: prepared.plan })
    }

    /// How to reach the cluster; [`None`] while its control plane cannot be used.
    pub async fn access(&self) -> Result<Option<Access>, Error> {
        let state = self.peek_journal().await?;
        let observation = self.observe(state.deployment()).await?;
        Ok(self.provider.access(&observation).await?)
    }

    /// Returns the machine for clients; [`None`] where there is none.
    pub async fn client_machine(&self) -> Result<Option<ClientMachine>, Error> {
        let state = self.peek_journal().await?;
        let observation = self.observe(state.deployment()).await?;
        Ok(self.provider.client_machine(&observation))
    }

    /// Rebuilds local knowledge of a cluster from its tags.
    pub async fn adopt(&self) -> Result<Adopted, Error> {
        let mut journal = self.open_journal().await?;
        let adopted = self.adopt_into(&mut journal).await;
        let closed = journal.close().await;
        let adopted = adopted?;
        closed?;
        Ok(adopted)
    }

    async fn adopt_into(&self, journal: &mut Journal) -> Result<Adopted, Error> {
        let known = journal.state().deployment().cloned();
        let observation = self.observe(known.as_ref()).await?;
        let mut deployments = observation.deployments().into_iter();
        let cluster = self.spec.name.to_string();
        let (deployment, resources) = deployments.next().ok_or(Error::NothingToAdopt { cluster })?;
        let others: Vec<_> = deployments.map(|(other, _)| other).collect();
        if !others.is_empty() {
            let deployments = std::iter::once(deployment).chain(others).collect();
            return Err(Error::SeveralDeployments { deployments });
        }
        if known.is_none() {
            journal.record_deployment(&deployment).await?;
        }
        Ok(Adopted { deployment, resources })
    }
}

impl Status {
    /// Whether everything is as wanted.
    pub fn is_as_wanted(&self) -> bool {
        self.plan.is_empty()
    }
}
