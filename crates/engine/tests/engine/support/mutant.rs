//! Mistakes, planted around the engine by wrappers: the suite must notice each.

use std::sync::Arc;

use async_trait::async_trait;
use howso_infra_core::{
    Backend, ClusterIdentity, ErrorKind, Kind, Leftover, Observation, Operation, Ownership, Progress, ProviderError,
    Scope, Submitted, Ticket,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The journal says that a record is durable before it is.
    JournalAfterSubmit,
    /// A lost answer counts as a request without effect.
    ResendOnAmbiguous,
    /// Whatever has the name is ours.
    AdoptByName,
    /// A lookup that could not read counts as one that found nothing.
    IgnoreGaps,
    /// An accepted call counts as done.
    SettleOnAccept,
    /// A look at an operation that cannot find the resource counts as the end of it.
    NotFoundMeansDone,
    /// An absence is believed although the creation was a moment ago.
    TrustAbsence,
    /// The token of a lost call is forgotten.
    ForgetPending,
    /// A lookup that finds several reports one.
    IgnoreDuplicates,
}

impl Mutant {
    pub(crate) const ALL: [Self; 9] = [
        Self::JournalAfterSubmit,
        Self::ResendOnAmbiguous,
        Self::AdoptByName,
        Self::IgnoreGaps,
        Self::SettleOnAccept,
        Self::NotFoundMeansDone,
        Self::TrustAbsence,
        Self::ForgetPending,
        Self::IgnoreDuplicates,
    ];
}

/// A backend with a mistake.
pub(crate) struct Mutated {
    pub(crate) inner: Arc<dyn Backend>,
    pub(crate) mutant: Mutant,
}

#[async_trait]
impl Backend for Mutated {
    fn kinds(&self) -> &'static [Kind] {
        self.inner.kinds()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, ProviderError> {
        let mut observation = self.inner.observe(scope).await?;
        match self.mutant {
            Mutant::IgnoreGaps => observation.gaps.clear(),
            Mutant::AdoptByName => {
                if let Scope::Resource { deployment, .. } = scope {
                    for observed in observation.resources.values_mut().flatten() {
                        observed.ownership = Ownership::Ours { deployment: deployment.clone(), generation: None };
                    }
                }
            }
            Mutant::IgnoreDuplicates => observation.resources.values_mut().for_each(|found| found.truncate(1)),
            _ => {}
        }
        Ok(observation)
    }

    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        match (self.mutant, self.inner.submit(operation).await) {
            (Mutant::ResendOnAmbiguous, Err(error)) if error.kind == ErrorKind::Ambiguous => {
                Err(ProviderError { kind: ErrorKind::Transient, ..error })
            }
            (Mutant::SettleOnAccept, Ok(Submitted::Accepted(ticket))) => {
                let outputs = [("id".to_owned(), ticket.physical_id.as_str().into())].into();
                Ok(Submitted::Settled { physical_id: ticket.physical_id, outputs })
            }
            (_, answer) => answer,
        }
    }

    async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        match (self.mutant, self.inner.poll(ticket).await) {
            (Mutant::NotFoundMeansDone, Err(error)) if error.kind == ErrorKind::Gone => {
                let outputs = [("id".to_owned(), ticket.physical_id.as_str().into())].into();
                Ok(Progress::Settled { outputs })
            }
            (_, answer) => answer,
        }
    }

    async fn audit(&self, identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
        self.inner.audit(identity).await
    }
}
