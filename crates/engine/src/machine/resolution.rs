//! Decides, from a lookup, whether a call whose answer was lost had an effect.

use howso_infra_core::error::ProviderError;
use howso_infra_core::{
    Attributes, CreateSafety, ErrorKind, FieldChange, Observation, Observed, Operation, Ownership, ResourceId, Status,
    Work,
};

/// What a lookup says about a call whose answer was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    /// It made this; others were made as well.
    Adopt {
        /// The one to use.
        kept: Observed,
        /// The others.
        duplicates: Vec<Observed>,
    },
    /// What it was to do is done.
    Settled {
        /// What others may refer to.
        outputs: Attributes,
    },
    /// It had an effect, and the cloud is still at it.
    UnderWay {
        /// The resource.
        observed: Observed,
    },
    /// It had no effect, or sending it again does no harm.
    SendAgain,
    /// Nothing can be concluded yet.
    LookAgain,
    /// It cannot succeed.
    Fail(ProviderError),
}

/// What is asked.
pub(super) struct Question<'a> {
    /// The call.
    pub(super) operation: &'a Operation,
    /// Why its effect is not known.
    pub(super) doubt: &'a ProviderError,
    /// What a lost create answer means.
    pub(super) safety: CreateSafety,
    /// Whether an effect of the call would be visible by the time of the lookup.
    pub(super) is_visible_by_now: bool,
}

/// Decides whether the call had an effect.
pub(super) fn resolve(question: &Question<'_>, observation: &Observation) -> Resolution {
    match &question.operation.work {
        Work::Create { .. } => resolve_create(question, observation),
        Work::Update { physical_id, changes, .. } => resolve_update(question, observation, physical_id, changes),
        Work::Delete { physical_id, .. } => resolve_delete(question, observation, physical_id),
    }
}

fn resolve_create(question: &Question<'_>, observation: &Observation) -> Resolution {
    let id = &question.operation.resource;
    let ours = observation.preferred(id);
    let mut alive: Vec<Observed> = ours
        .iter()
        .filter(|observed| observed.status != Status::Deleting)
        .map(|observed| (*observed).clone())
        .collect();
    let usable = alive.iter().position(|observed| !matches!(observed.status, Status::Failed { .. }));
    if let Some(usable) = usable {
        let kept = alive.remove(usable);
        return Resolution::Adopt { kept, duplicates: alive };
    }
    if let Some(Status::Failed { reason }) = alive.first().map(|observed| &observed.status) {
        return question.fail(ErrorKind::Failed, format!("it was made but never became usable: {reason}"));
    }
    if !ours.is_empty() {
        return question.wait_or(|| question.fail(ErrorKind::Failed, "it is being deleted".to_owned()));
    }
    match strangers(observation, id) {
        Some(evidence) if question.safety == CreateSafety::TagOnly => question.wait_or(|| question.conflict(&evidence)),
        Some(evidence) => question.conflict(&evidence),
        None if unclaimed(observation, id) => {
            question.wait_or(|| question.conflict("it carries no tag of this deployment"))
        }
        None => absent(question),
    }
}

/// What nobody sees was not made, or will be recognised by its name or token when it is sent again.
fn absent(question: &Question<'_>) -> Resolution {
    match (question.safety, &question.doubt.kind) {
        (CreateSafety::Named | CreateSafety::Token, ErrorKind::Ambiguous) => Resolution::SendAgain,
        // A name that is taken belongs to something; a resource without name or token would be made twice.
        (CreateSafety::Named | CreateSafety::Token | CreateSafety::TagOnly, _) => {
            question.wait_or(|| Resolution::SendAgain)
        }
    }
}

fn resolve_update(
    question: &Question<'_>,
    observation: &Observation,
    physical_id: &str,
    changes: &[FieldChange],
) -> Resolution {
    let Some(observed) = find(observation, &question.operation.resource, physical_id) else {
        return question.wait_or(|| question.fail(ErrorKind::Gone, "it no longer exists".to_owned()));
    };
    match &observed.status {
        Status::Deleting => question.fail(ErrorKind::Failed, "it is being deleted".to_owned()),
        Status::Failed { reason } => question.fail(ErrorKind::Failed, reason.clone()),
        Status::Pending { .. } => Resolution::LookAgain,
        // Sending an update again does no harm: it says what should be, and the service knows its token.
        Status::Ready | Status::Degraded { .. } => {
            if changes.iter().all(|change| observed.attributes.get(&change.field) == Some(&change.to)) {
                Resolution::Settled { outputs: observed.outputs.clone() }
            } else {
                Resolution::SendAgain
            }
        }
    }
}

fn resolve_delete(question: &Question<'_>, observation: &Observation, physical_id: &str) -> Resolution {
    let Some(observed) = find(observation, &question.operation.resource, physical_id) else {
        return Resolution::Settled { outputs: Attributes::new() };
    };
    match (&observed.ownership, &observed.status) {
        (Ownership::Foreign { evidence }, _) => question.conflict(evidence),
        (Ownership::Unclaimed, _) => question.conflict("it no longer carries a tag of this deployment"),
        (Ownership::Ours { .. }, Status::Deleting) => Resolution::UnderWay { observed: observed.clone() },
        (
            Ownership::Ours { .. },
            Status::Ready | Status::Pending { .. } | Status::Failed { .. } | Status::Degraded { .. },
        ) => Resolution::SendAgain,
    }
}

fn find<'a>(observation: &'a Observation, id: &ResourceId, physical_id: &str) -> Option<&'a Observed> {
    observation.resources.get(id)?.iter().find(|observed| observed.physical_id == physical_id)
}

/// What tells that somebody else has the name.
fn strangers(observation: &Observation, id: &ResourceId) -> Option<String> {
    observation.resources.get(id)?.iter().find_map(|observed| match &observed.ownership {
        Ownership::Foreign { evidence } => Some(evidence.clone()),
        Ownership::Ours { .. } | Ownership::Unclaimed => None,
    })
}

fn unclaimed(observation: &Observation, id: &ResourceId) -> bool {
    observation.resources.get(id).is_some_and(|found| !found.is_empty())
}

impl Question<'_> {
    fn wait_or(&self, conclude: impl FnOnce() -> Resolution) -> Resolution {
        if self.is_visible_by_now { conclude() } else { Resolution::LookAgain }
    }

    fn conflict(&self, evidence: &str) -> Resolution {
        self.fail(ErrorKind::Conflict { owner: evidence.to_owned() }, format!("the name is taken: {evidence}"))
    }

    fn fail(&self, kind: ErrorKind, message: String) -> Resolution {
        Resolution::Fail(ProviderError { kind, message, ..self.doubt.clone() })
    }
}
