//! What the API says when it does not do what was asked:
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>.

use serde_json::{Value, json};

use crate::kubernetes::resources::Resource;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    reason: &'static str,
    message: String,
    details: Value,
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: json!({}) }
    }

    fn about(self, resource: &Resource, name: &str) -> Self {
        Self { details: details(resource, name), ..self }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn forbidden(user: &str, verb: &str, what: &str) -> Self {
        Self::new(
            403,
            "Forbidden",
            format!("{what} is forbidden: User \"{user}\" cannot {verb} {what} at the cluster scope"),
        )
    }

    pub(crate) fn no_manager() -> Self {
        let message =
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
        let details = json!({ "group": "meta.k8s.io", "kind": "PatchOptions" });
        Self { details, ..Self::new(422, "Invalid", message) }
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.id)).about(resource, name)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// What a watch says of a number that is none: a real server takes it for a mistake of its own.
    pub(crate) fn not_a_number(name: &str, text: &str) -> Self {
        let why = format!("strconv.ParseUint: parsing \"{text}\": invalid syntax");
        Self::new(500, "", format!("{name}: Invalid value: \"{text}\": {why}"))
    }

    pub(crate) fn invalid(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is invalid: {why}", resource.kind);
        Self::new(422, "Invalid", message).about(resource, name)
    }

    pub(crate) fn unsupported_media(kind: &str) -> Self {
        Self::new(415, "UnsupportedMediaType", format!("the body of the request was in an unknown format: {kind}"))
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    pub(crate) fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.id)).about(resource, name)
    }

    pub(crate) fn changed_meanwhile(resource: &Resource, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the object has been modified; please apply your changes to the latest \
             version and try again",
            resource.id
        );
        Self::new(409, "Conflict", message).about(resource, name)
    }

    pub(crate) fn another_uid(resource: &Resource, name: &str, wanted: &str, present: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the UID in the precondition ({wanted}) does not match the UID in record \
             ({present}). The object might have been deleted and then recreated",
            resource.id
        );
        let details = json!({ "name": name, "kind": resource.kind });
        Self { details, ..Self::new(409, "Conflict", message) }
    }

    /// What the schema has no place for.
    pub(crate) fn untyped(resource: &Resource, name: &str, why: &str) -> Self {
        let (version, kind) = (resource.api_version(), resource.kind);
        Self::new(500, "", format!("failed to create typed patch object (/{name}; {version}, Kind={kind}): {why}"))
    }

    pub(crate) fn apply_conflict(count: usize, manager: &str, field: &str) -> Self {
        let conflicts = if count == 1 { "conflict" } else { "conflicts" };
        let message = format!("Apply failed with {count} {conflicts}: conflict with \"{manager}\": .{field}");
        Self::new(409, "Conflict", message)
    }

    pub(crate) fn expired(wanted: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {wanted} ({oldest})"))
    }

    pub(crate) fn terminating(namespace: &str) -> Self {
        let message = format!("unable to create new content in namespace {namespace} because it is being terminated");
        Self::new(403, "Forbidden", message)
    }

    /// As it is sent.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if self.details != json!({}) {
            status["details"] = self.details.clone();
        }
        status
    }
}

/// That an object was deleted.
pub(crate) fn deleted(resource: &Resource, name: &str, uid: &Value) -> Value {
    let mut details = details(resource, name);
    details["uid"] = uid.clone();
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
}

/// Which object is meant. The group without a name is not told.
fn details(resource: &Resource, name: &str) -> Value {
    let mut details = json!({ "name": name, "kind": resource.plural });
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    details
}
