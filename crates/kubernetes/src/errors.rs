//! From what the API server answers to an [`ErrorKind`], by one table.
//!
//! Reasons: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/> and
//! `apimachinery/pkg/apis/meta/v1/types.go`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use howso_infra_core::{ErrorKind, OperationVerb, ProviderError};
use serde_json::Value as Json;

/// How much of an answer that nobody understands is shown.
const BODY_LIMIT: usize = 2_000;

const AUTH_HINT: &str =
    "check the credentials, and that they may use this cluster: who made it may, and who was given access to it";

pub(crate) const CONNECTION_HINT: &str = "check the network: a private API is reached only from inside its own. `up --until cloud` stops before what needs \
                                           it, `down --force-workloads` removes the cluster without it";

/// One request, for errors about it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What is done to what, as a role would permit it: `patch deployments.apps`.
    pub(crate) action: String,
    /// What it is meant for.
    pub(crate) verb: OperationVerb,
}

impl Call {
    /// A read.
    pub(crate) fn read(action: impl Into<String>) -> Self {
        Self { action: action.into(), verb: OperationVerb::Observe }
    }

    /// A call that changes something.
    pub(crate) fn mutation(verb: OperationVerb, action: impl Into<String>) -> Self {
        Self { action: action.into(), verb }
    }

    /// The name of the call in errors.
    pub(crate) fn name(&self) -> String {
        format!("kubernetes: {}", self.action)
    }

    /// An error about this call.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ProviderError {
        ProviderError::new(kind, self.name(), message)
    }

    /// The answer did not come: a call that changes something may have had an effect.
    pub(crate) fn unanswered(&self, message: impl Into<String>) -> ProviderError {
        self.error(unanswered(self.verb), message).with_hint(CONNECTION_HINT)
    }
}

/// What an API server says when it does not do what was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The reason of the status object; empty when the answer was none.
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
    /// The causes: type, message, field.
    pub(crate) causes: Vec<[String; 3]>,
}

impl Refusal {
    /// Reads an answer. `retry_after` is that of the header, which wins over the one in the body.
    pub(crate) fn read(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let json: Json = serde_json::from_slice(body).unwrap_or_default();
        if json["kind"] != "Status" {
            let message = String::from_utf8_lossy(body).trim().chars().take(BODY_LIMIT).collect();
            return Self { status, message, retry_after, ..Self::default() };
        }
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let causes = json.pointer("/details/causes").and_then(Json::as_array);
        let cause = |cause: &Json| [text(&cause["reason"]), text(&cause["message"]), text(&cause["field"])];
        let seconds = json.pointer("/details/retryAfterSeconds").and_then(Json::as_u64).filter(|seconds| *seconds > 0);
        Self {
            status,
            reason: text(&json["reason"]),
            message: text(&json["message"]),
            retry_after: retry_after.or_else(|| seconds.map(Duration::from_secs)),
            causes: causes.into_iter().flatten().map(cause).collect(),
        }
    }

    /// The error that follows.
    pub(crate) fn error(&self, call: &Call) -> ProviderError {
        let kind = self.kind(call);
        let hint = hint(&kind, call);
        let message = if self.message.is_empty() { format!("status {}", self.status) } else { self.message.clone() };
        let mut error = call.error(kind, message);
        error.code = Some(self.reason.clone()).filter(|reason| !reason.is_empty());
        error.hint = hint;
        error
    }

    /// The table.
    fn kind(&self, call: &Call) -> ErrorKind {
        match (self.status, self.reason.as_str()) {
            (401, _) => ErrorKind::Auth,
            // A namespace that is on its way out takes nothing in until it is gone.
            (403, _) if self.has_cause("NamespaceTerminating") => {
                ErrorKind::Busy { by: "the end of the namespace".to_owned() }
            }
            (403, _) => ErrorKind::Permission { action: call.action.clone() },
            (404, _) => ErrorKind::Gone,
            (409, "AlreadyExists") => ErrorKind::Conflict { owner: String::new() },
            (409, _) if self.has_cause("FieldManagerConflict") => ErrorKind::Conflict { owner: self.other_managers() },
            // A creation is sent with a version that no object can have.
            (409, _) if call.verb == OperationVerb::Create => ErrorKind::Conflict { owner: String::new() },
            // Another object has taken the name of the one that was to be deleted.
            (409, _) if call.verb == OperationVerb::Delete => ErrorKind::Conflict { owner: String::new() },
            (409, _) => ErrorKind::Busy { by: "another writer".to_owned() },
            (422, _) => ErrorKind::Invalid { field: self.causes.first().map(|[_, _, field]| field.clone()) },
            (429, _) => ErrorKind::Throttled { after: self.retry_after },
            (503, _) if self.retry_after.is_some() => ErrorKind::Throttled { after: self.retry_after },
            // A list whose continuation has expired (410) is read again from its beginning.
            (410 | 503, _) => ErrorKind::Transient,
            (500..=599, _) => unanswered(call.verb),
            _ => ErrorKind::Bug,
        }
    }

    fn has_cause(&self, reason: &str) -> bool {
        self.causes.iter().any(|[cause, _, _]| cause == reason)
    }

    /// The managers that own the fields in question. The API names them only in its messages: `conflict with "kubectl" …`.
    fn other_managers(&self) -> String {
        let named = self.causes.iter().filter_map(|[_, message, _]| message.split('"').nth(1));
        let managers: std::collections::BTreeSet<&str> = named.collect();
        managers.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// What a lost answer means.
fn unanswered(verb: OperationVerb) -> ErrorKind {
    match verb {
        OperationVerb::Observe => ErrorKind::Transient,
        OperationVerb::Create | OperationVerb::Update | OperationVerb::Delete => ErrorKind::Ambiguous,
    }
}

/// What a person can do.
fn hint(kind: &ErrorKind, call: &Call) -> Option<String> {
    match kind {
        ErrorKind::Auth => Some(AUTH_HINT.to_owned()),
        ErrorKind::Permission { action } => {
            Some(format!("ask an administrator of the cluster for the permission to {action}"))
        }
        ErrorKind::Conflict { owner } if !owner.is_empty() => Some(format!(
            "{owner} has written the same fields: let it give them up, or remove the object if it is yours"
        )),
        ErrorKind::Conflict { .. } => {
            Some("remove what has the name if it is yours, then run the command again".to_owned())
        }
        ErrorKind::Invalid { .. } | ErrorKind::Bug => {
            Some(format!("please report it: the API server does not take `{}` from this program", call.action))
        }
        _ => None,
    }
}
