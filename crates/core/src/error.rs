//! Error kinds, and the one function that says what follows from them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kind::CreateSafety;
use crate::resource::ResourceId;

/// What a call was meant to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationVerb {
    /// Reads.
    Observe,
    /// Makes a resource.
    Create,
    /// Changes a resource.
    Update,
    /// Removes a resource.
    Delete,
}

/// What went wrong, in terms that every cloud shares. Each provider decides it by one table of status, service code and
/// message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ErrorKind {
    /// The request certainly had no effect and may be sent again: refused connection, 503.
    Transient,
    /// The service asks to slow down.
    Throttled {
        /// How long it asks to wait.
        after: Option<Duration>,
    },
    /// Another operation is running on the same resource.
    Busy {
        /// What is running, when the service names it.
        by: String,
    },
    /// Something that was just made is not visible everywhere yet (a role, a tag, a permission).
    NotYetVisible,
    /// Something else must change first: it still exists, or is not ready.
    Dependency {
        /// What the service names.
        on: String,
    },
    /// The answer was lost: the call may or may not have had an effect.
    Ambiguous,
    /// The name is taken.
    Conflict {
        /// By whom, as far as the service says.
        owner: String,
    },
    /// A quota is exhausted.
    Quota {
        /// The quota, for example `vpc L-F678F1CE VPCs per region`.
        what: String,
    },
    /// The cloud has no such machine at present.
    Capacity {
        /// The machine and place, as far as the service says.
        what: String,
    },
    /// Credentials are missing, expired or wrong.
    Auth,
    /// The credentials lack a permission.
    Permission {
        /// The action, for example `ec2:CreateVpc`.
        action: String,
    },
    /// The service does not accept a value.
    Invalid {
        /// The field, when the service names it.
        field: Option<String>,
    },
    /// The resource does not exist.
    Gone,
    /// The run was interrupted.
    Cancelled,
    /// It took longer than the deadline.
    Deadline,
    /// An operation that was accepted ended in failure, for reasons the message gives.
    Failed,
    /// Something that cannot happen happened: an unknown client error, an answer without a required field.
    Bug,
}

/// An error of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{call}: {message}{}", code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
#[serde(deny_unknown_fields)]
pub struct ProviderError {
    /// What follows from it.
    pub kind: ErrorKind,
    /// The call that failed, for example `ec2:CreateVpc`.
    pub call: String,
    /// The service's message, without credentials.
    pub message: String,
    /// The service's error code.
    pub code: Option<String>,
    /// The service's request id, for its support.
    pub request_id: Option<String>,
    /// What a person can do about it.
    pub hint: Option<String>,
}

impl ProviderError {
    /// Makes an error without code, request id and hint.
    pub fn new(kind: ErrorKind, call: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, call: call.into(), message: message.into(), code: None, request_id: None, hint: None }
    }

    /// Adds advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What to do about an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send the same call again after a back-off of at least `after`.
    Retry {
        /// The least time to wait, when the service named one.
        after: Option<Duration>,
        /// Against which bound repeated retries count.
        patience: Patience,
    },
    /// Find out whether the call had an effect before anything else.
    Resolve,
    /// What was wanted is already so.
    Settled,
    /// Give up this step.
    Stop,
}

/// Against which bound repeated retries count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// A number of attempts: faults that should pass quickly.
    Attempts,
    /// The step's deadline: somebody else's work that takes its time.
    Deadline,
}

/// Decides what to do about an error: the only place where this is decided.
pub fn verdict(kind: &ErrorKind, verb: OperationVerb, safety: CreateSafety) -> Verdict {
    use OperationVerb as Verb;
    let retry = |after: Option<Duration>, patience| Verdict::Retry { after, patience };
    match kind {
        ErrorKind::Transient => retry(None, Patience::Attempts),
        ErrorKind::Throttled { after } => retry(*after, Patience::Attempts),
        ErrorKind::Busy { .. } | ErrorKind::NotYetVisible => retry(None, Patience::Deadline),
        ErrorKind::Dependency { .. } => match verb {
            Verb::Delete => retry(None, Patience::Deadline),
            Verb::Observe | Verb::Create | Verb::Update => retry(None, Patience::Attempts),
        },
        ErrorKind::Ambiguous => match verb {
            Verb::Observe => retry(None, Patience::Attempts),
            Verb::Create | Verb::Update | Verb::Delete => Verdict::Resolve,
        },
        // The name may be taken by our own call whose answer was lost.
        ErrorKind::Conflict { .. } => match (verb, safety) {
            (Verb::Create, CreateSafety::Named | CreateSafety::Token) => Verdict::Resolve,
            (Verb::Create, CreateSafety::TagOnly) | (Verb::Observe | Verb::Update | Verb::Delete, _) => Verdict::Stop,
        },
        ErrorKind::Gone => match verb {
            Verb::Delete => Verdict::Settled,
            Verb::Observe | Verb::Create | Verb::Update => Verdict::Stop,
        },
        ErrorKind::Quota { .. }
        | ErrorKind::Capacity { .. }
        | ErrorKind::Auth
        | ErrorKind::Permission { .. }
        | ErrorKind::Invalid { .. }
        | ErrorKind::Cancelled
        | ErrorKind::Deadline
        | ErrorKind::Failed
        | ErrorKind::Bug => Verdict::Stop,
    }
}

/// How a run that ended in errors is summed up: the most telling error decides the exit code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFailure {
    /// The resource.
    pub resource: ResourceId,
    /// What was tried.
    pub verb: OperationVerb,
    /// Why it failed.
    pub error: ProviderError,
    /// Steps that were not tried because of it.
    pub skipped: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUTATIONS: [OperationVerb; 3] = [OperationVerb::Create, OperationVerb::Update, OperationVerb::Delete];
    const SAFETIES: [CreateSafety; 3] = [CreateSafety::Named, CreateSafety::Token, CreateSafety::TagOnly];

    #[test]
    fn a_mutation_whose_answer_was_lost_is_never_sent_again_blindly() {
        for (verb, safety) in MUTATIONS.into_iter().flat_map(|verb| SAFETIES.map(|safety| (verb, safety))) {
            assert_eq!(verdict(&ErrorKind::Ambiguous, verb, safety), Verdict::Resolve, "{verb:?} {safety:?}");
        }
    }

    #[test]
    fn reads_are_simply_repeated() {
        for kind in [ErrorKind::Ambiguous, ErrorKind::Transient, ErrorKind::Throttled { after: None }] {
            let verdict = verdict(&kind, OperationVerb::Observe, CreateSafety::Named);
            assert!(matches!(verdict, Verdict::Retry { patience: Patience::Attempts, .. }), "{kind:?}");
        }
    }

    #[test]
    fn only_a_deletion_is_content_with_absence() {
        assert_eq!(verdict(&ErrorKind::Gone, OperationVerb::Delete, CreateSafety::Named), Verdict::Settled);
        assert_eq!(verdict(&ErrorKind::Gone, OperationVerb::Update, CreateSafety::Named), Verdict::Stop);
    }

    #[test]
    fn a_taken_name_is_looked_at_before_it_is_called_a_conflict() {
        let taken = ErrorKind::Conflict { owner: String::new() };
        assert_eq!(verdict(&taken, OperationVerb::Create, CreateSafety::Named), Verdict::Resolve);
        assert_eq!(verdict(&taken, OperationVerb::Create, CreateSafety::TagOnly), Verdict::Stop);
    }

    #[test]
    fn what_waiting_cannot_cure_stops() {
        let permission = ErrorKind::Permission { action: "ec2:CreateVpc".to_owned() };
        for kind in [permission, ErrorKind::Auth, ErrorKind::Quota { what: String::new() }, ErrorKind::Bug] {
            for verb in MUTATIONS {
                assert_eq!(verdict(&kind, verb, CreateSafety::Token), Verdict::Stop, "{kind:?} {verb:?}");
            }
        }
    }
}
