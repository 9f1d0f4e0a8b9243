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

#[cfg(test)]
mod tests {
    use howso_infra_core::error::OperationVerb;
    use howso_infra_core::{ClusterIdentity, DeploymentId, Gap, Generation, Value};

    use super::*;

    const LOST: ErrorKind = ErrorKind::Ambiguous;

    fn id() -> ResourceId {
        ResourceId::new("test/thing", "a")
    }

    fn identity() -> ClusterIdentity {
        let deployment = DeploymentId::from_bytes([7; 16]);
        ClusterIdentity { cluster: "test".to_owned(), deployment, generation: Generation::FIRST }
    }

    fn observed(physical_id: &str, status: Status) -> Observed {
        let ownership = Ownership::Ours { deployment: identity().deployment, generation: None };
        let attributes = Attributes::from([("size".to_owned(), Value::Integer(1))]);
        Observed { physical_id: physical_id.to_owned(), ownership, status, attributes, outputs: Attributes::new() }
    }

    fn strange(ownership: Ownership) -> Observed {
        Observed { ownership, ..observed("x", Status::Ready) }
    }

    fn operation(verb: OperationVerb) -> Operation {
        let (physical_id, attributes) = ("x".to_owned(), Attributes::new());
        let work = match verb {
            OperationVerb::Create | OperationVerb::Observe => Work::Create { attributes },
            OperationVerb::Update => Work::Update {
                physical_id,
                call: "resize".to_owned(),
                changes: vec![FieldChange { field: "size".to_owned(), from: None, to: Value::Integer(2) }],
                attributes,
            },
            OperationVerb::Delete => Work::Delete { physical_id, attributes },
        };
        Operation { resource: id(), work, token: identity().token(&id(), "test"), identity: identity() }
    }

    fn ask(
        verb: OperationVerb,
        safety: CreateSafety,
        kind: &ErrorKind,
        is_visible_by_now: bool,
        found: &[Observed],
    ) -> Resolution {
        let mut observation = Observation { gaps: Vec::<Gap>::new(), ..Observation::default() };
        for observed in found {
            observation.insert(id(), observed.clone());
        }
        let (operation, doubt) = (operation(verb), ProviderError::new(kind.clone(), "test:Call", "lost"));
        resolve(&Question { operation: &operation, doubt: &doubt, safety, is_visible_by_now }, &observation)
    }

    fn kind_of(resolution: Resolution) -> Option<ErrorKind> {
        match resolution {
            Resolution::Fail(error) => Some(error.kind),
            _ => None,
        }
    }

    #[test]
    fn an_absence_is_believed_only_where_sending_again_does_no_harm_or_the_window_is_over() {
        use CreateSafety::{Named, TagOnly, Token};
        let taken = ErrorKind::Conflict { owner: "somebody".to_owned() };
        for (safety, kind, is_visible, expected) in [
            (Named, &LOST, false, Resolution::SendAgain),
            (Token, &LOST, false, Resolution::SendAgain),
            (TagOnly, &LOST, false, Resolution::LookAgain),
            (TagOnly, &LOST, true, Resolution::SendAgain),
            (Named, &taken, false, Resolution::LookAgain),
            (Named, &taken, true, Resolution::SendAgain),
        ] {
            assert_eq!(ask(OperationVerb::Create, safety, kind, is_visible, &[]), expected, "{safety:?} {kind:?}");
        }
    }

    #[test]
    fn the_best_of_several_is_kept_and_what_is_on_its_way_out_is_left_alone() {
        let pending = observed("a", Status::Pending { state: "CREATING".to_owned() });
        let ready = observed("b", Status::Ready);
        let failed = observed("c", Status::Failed { reason: "no".to_owned() });
        let leaving = observed("d", Status::Deleting);
        let all = [pending.clone(), ready.clone(), failed.clone(), leaving.clone()];
        let resolution = ask(OperationVerb::Create, CreateSafety::TagOnly, &LOST, false, &all);
        assert_eq!(resolution, Resolution::Adopt { kept: ready, duplicates: vec![pending, failed.clone()] });
        let resolution = ask(OperationVerb::Create, CreateSafety::TagOnly, &LOST, false, &[failed, leaving.clone()]);
        assert_eq!(kind_of(resolution), Some(ErrorKind::Failed));
        let only_leaving = |is_visible| {
            ask(OperationVerb::Create, CreateSafety::Named, &LOST, is_visible, std::slice::from_ref(&leaving))
        };
        assert_eq!(only_leaving(false), Resolution::LookAgain);
        assert_eq!(kind_of(only_leaving(true)), Some(ErrorKind::Failed));
    }

    #[test]
    fn what_belongs_to_others_is_a_conflict_and_never_adopted() {
        let foreign = strange(Ownership::Foreign { evidence: "tag of another".to_owned() });
        let unclaimed = strange(Ownership::Unclaimed);
        let ask = |safety, is_visible, found: &Observed| {
            ask(OperationVerb::Create, safety, &LOST, is_visible, std::slice::from_ref(found))
        };
        let is_conflict = |resolution| matches!(kind_of(resolution), Some(ErrorKind::Conflict { .. }));
        assert!(is_conflict(ask(CreateSafety::Named, false, &foreign)));
        // Only the name of a resource without a unique name is taken: ours may still appear beside it.
        assert_eq!(ask(CreateSafety::TagOnly, false, &foreign), Resolution::LookAgain);
        assert!(is_conflict(ask(CreateSafety::TagOnly, true, &foreign)));
        // Our tags may become visible after our resource.
        assert_eq!(ask(CreateSafety::Named, false, &unclaimed), Resolution::LookAgain);
        assert!(is_conflict(ask(CreateSafety::Named, true, &unclaimed)));
    }

    #[test]
    fn an_update_is_done_when_every_changed_field_is_as_wanted() {
        let ask =
            |is_visible, found: &[Observed]| ask(OperationVerb::Update, CreateSafety::Named, &LOST, is_visible, found);
        let mut changed = observed("x", Status::Ready);
        changed.attributes.insert("size".to_owned(), Value::Integer(2));
        assert_eq!(ask(false, &[changed]), Resolution::Settled { outputs: Attributes::new() });
        assert_eq!(ask(false, &[observed("x", Status::Ready)]), Resolution::SendAgain);
        assert_eq!(
            ask(false, &[observed("x", Status::Pending { state: "UPDATING".to_owned() })]),
            Resolution::LookAgain
        );
        assert_eq!(ask(false, &[observed("y", Status::Ready)]), Resolution::LookAgain);
        assert_eq!(kind_of(ask(true, &[])), Some(ErrorKind::Gone));
        assert_eq!(kind_of(ask(false, &[observed("x", Status::Deleting)])), Some(ErrorKind::Failed));
    }

    #[test]
    fn a_deletion_is_done_when_nothing_is_there_and_repeated_while_nothing_happens() {
        let ask = |found: &[Observed]| ask(OperationVerb::Delete, CreateSafety::Named, &LOST, false, found);
        assert_eq!(ask(&[]), Resolution::Settled { outputs: Attributes::new() });
        assert_eq!(ask(&[observed("another", Status::Ready)]), Resolution::Settled { outputs: Attributes::new() });
        assert_eq!(ask(&[observed("x", Status::Ready)]), Resolution::SendAgain);
        let leaving = observed("x", Status::Deleting);
        assert_eq!(ask(std::slice::from_ref(&leaving)), Resolution::UnderWay { observed: leaving });
        assert!(matches!(kind_of(ask(&[strange(Ownership::Unclaimed)])), Some(ErrorKind::Conflict { .. })));
    }
}
