use serde_json::json;

use super::*;

const SECONDS: Option<Duration> = Some(Duration::from_secs(7));

fn refusal(status: u16, reason: &str, causes: &[[&str; 3]], retry_after: Option<Duration>) -> Refusal {
    let causes: Vec<_> = causes
        .iter()
        .map(|[reason, message, field]| json!({ "reason": reason, "message": message, "field": field }))
        .collect();
    let body = json!({ "kind": "Status", "reason": reason, "message": "no", "details": { "causes": causes } });
    Refusal::read(status, retry_after, &serde_json::to_vec(&body).unwrap())
}

fn conflict(owner: &str) -> ErrorKind {
    ErrorKind::Conflict { owner: owner.to_owned() }
}

fn busy(by: &str) -> ErrorKind {
    ErrorKind::Busy { by: by.to_owned() }
}

type Row<'a> = (u16, &'a str, &'a [[&'a str; 3]], Option<Duration>, &'a [OperationVerb], ErrorKind);

/// Row by row: status, reason, causes, `Retry-After`, and what follows for a read and for each kind of mutation.
#[test]
fn every_row_of_the_table() {
    use OperationVerb::{Create, Delete, Observe, Update};
    const MANAGER: [&str; 3] =
        ["FieldManagerConflict", "conflict with \"kubectl-edit\" using apps/v1", ".spec.replicas"];
    const TERMINATING: [&str; 3] =
        ["NamespaceTerminating", "namespace howso is being terminated", "metadata.namespace"];
    const FIELD: [&str; 3] = ["FieldValueInvalid", "Invalid value", "spec.selector"];
    let permission = |action: &str| ErrorKind::Permission { action: action.to_owned() };
    let invalid = |field: Option<&str>| ErrorKind::Invalid { field: field.map(str::to_owned) };
    let rows: &[Row<'_>] = &[
        (401, "Unauthorized", &[], None, &[Observe, Create, Update, Delete], ErrorKind::Auth),
        (403, "Forbidden", &[], None, &[Observe, Create, Update, Delete], permission("patch things")),
        (403, "Forbidden", &[TERMINATING], None, &[Create], busy("the end of the namespace")),
        (404, "NotFound", &[], None, &[Observe, Update, Delete], ErrorKind::Gone),
        (409, "AlreadyExists", &[], None, &[Create], conflict("")),
        (409, "Conflict", &[MANAGER], None, &[Create, Update], conflict("kubectl-edit")),
        (409, "Conflict", &[], None, &[Create, Delete], conflict("")),
        (409, "Conflict", &[], None, &[Update], busy("another writer")),
        (410, "Expired", &[], None, &[Observe], ErrorKind::Transient),
        (410, "Gone", &[], None, &[Observe], ErrorKind::Transient),
        (422, "Invalid", &[FIELD], None, &[Create, Update], invalid(Some("spec.selector"))),
        (422, "Invalid", &[], None, &[Create], invalid(None)),
        (
            429,
            "TooManyRequests",
            &[],
            SECONDS,
            &[Observe, Create, Update, Delete],
            ErrorKind::Throttled { after: SECONDS },
        ),
        (429, "TooManyRequests", &[], None, &[Observe], ErrorKind::Throttled { after: None }),
        (500, "InternalError", &[], None, &[Observe], ErrorKind::Transient),
        (500, "InternalError", &[], None, &[Create, Update, Delete], ErrorKind::Ambiguous),
        (502, "", &[], None, &[Observe], ErrorKind::Transient),
        (502, "", &[], None, &[Create], ErrorKind::Ambiguous),
        (503, "ServiceUnavailable", &[], None, &[Observe, Create, Update, Delete], ErrorKind::Transient),
        (503, "ServiceUnavailable", &[], SECONDS, &[Create], ErrorKind::Throttled { after: SECONDS }),
        (504, "Timeout", &[], None, &[Observe], ErrorKind::Transient),
        (504, "Timeout", &[], None, &[Create, Update, Delete], ErrorKind::Ambiguous),
        (400, "BadRequest", &[], None, &[Observe, Create], ErrorKind::Bug),
        (405, "MethodNotAllowed", &[], None, &[Delete], ErrorKind::Bug),
        (415, "UnsupportedMediaType", &[], None, &[Update], ErrorKind::Bug),
    ];
    for (status, reason, causes, retry_after, verbs, expected) in rows {
        for verb in *verbs {
            let error = refusal(*status, reason, causes, *retry_after).error(&Call::mutation(*verb, "patch things"));
            assert_eq!(error.kind, *expected, "{status} {reason} {verb:?}");
        }
    }
}

#[test]
fn the_pause_stands_in_the_header_or_in_the_body() {
    let body = br#"{"kind":"Status","reason":"TooManyRequests","details":{"retryAfterSeconds":3}}"#;
    assert_eq!(Refusal::read(429, None, body).retry_after, Some(Duration::from_secs(3)));
    assert_eq!(Refusal::read(429, SECONDS, body).retry_after, SECONDS);
}

#[test]
fn an_answer_that_is_no_status_is_shown_as_it_is() {
    let error = Refusal::read(418, None, b"I am a teapot\n").error(&Call::read("get pots"));
    assert_eq!((error.kind, error.message.as_str(), error.code), (ErrorKind::Bug, "I am a teapot", None));
}

#[test]
fn what_a_person_can_cure_says_how() {
    for (status, causes) in [(401, &[][..]), (403, &[]), (409, &[]), (422, &[])] {
        let error = refusal(status, "", causes, None).error(&Call::mutation(OperationVerb::Create, "patch things"));
        assert!(error.hint.is_some(), "{status}");
    }
}
