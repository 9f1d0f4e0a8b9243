//! From an SDK error to an [`ErrorKind`]: what was lost on the way, and what the service said.

mod table;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::http::HttpResponse;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::RequestId;
use howso_infra_core::{ErrorKind, OperationVerb, ProviderError};

use table::{Answer, Meaning};

/// How much of an answer that nobody understands is shown.
const BODY_LIMIT: usize = 2_000;

const CREDENTIALS_HINT: &str = "check who you are with `aws sts get-caller-identity`; sign in with `aws sso login`, or choose other \
                                credentials with AWS_PROFILE";

/// Stands for the call in errors of credentials: they come before any call, and the one that happened to be first tells nothing.
const CREDENTIALS: &str = "AWS credentials";

const ENDPOINT_HINT: &str = "check the network, the region and AWS_ENDPOINT_URL";

/// How the SDK's credentials cache begins to say that no provider answered in time; the error has no public type.
const IDENTITY_TIMEOUT: &str = "identity resolver timed out";

/// Turns the error of a read into ours, for `map_err`.
pub(crate) fn reading<E>(call: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    mutating(OperationVerb::Observe, call)
}

/// Turns the error of a call with `verb` into ours, for `map_err`.
pub(crate) fn mutating<E>(
    verb: OperationVerb,
    call: &'static str,
) -> impl FnOnce(SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| provider_error(verb, call, &error)
}

/// An answer of a read that lacks a required field.
pub(crate) fn missing(call: &'static str, field: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Bug, call, format!("the answer has no {field}"))
}

/// An answer to a create call that lacks the new resource's identifier: it may exist all the same.
pub(crate) fn created_without(call: &'static str, field: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Ambiguous, call, format!("the answer has no {field}"))
}

/// A kind, call or attribute that this provider does not know: a mistake of ours.
pub(crate) fn bug(call: &str, message: impl Into<String>) -> ProviderError {
    ProviderError::new(ErrorKind::Bug, call, message)
}

/// Whether the error says that the resource does not exist.
pub(crate) fn is_gone(error: &ProviderError) -> bool {
    error.kind == ErrorKind::Gone
}

/// Whether the answer of a read says that the server does not have this API at all: a 404 that no service has worded. What
/// cannot be asked for on a server cannot exist there.
pub(crate) fn is_without_api(error: &ProviderError) -> bool {
    error.kind == ErrorKind::Bug && error.code.is_none() && error.message.starts_with("status 404: ")
}

fn provider_error<E>(verb: OperationVerb, call: &'static str, error: &SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(credentials) = find::<CredentialsError>(error) {
        return credentials_error(credentials);
    }
    if chain(error).any(|cause| cause.to_string().starts_with(IDENTITY_TIMEOUT)) {
        return credentials_error(&CredentialsError::provider_timed_out(Duration::ZERO));
    }
    match error {
        SdkError::ServiceError(context) if !context.raw().status().is_success() => {
            answered(verb, call, context.raw(), error.code(), error.message())
        }
        SdkError::ResponseError(context) if !context.raw().status().is_success() => {
            answered(verb, call, context.raw(), None, None)
        }
        // The call was carried out, and what the answer says is lost.
        SdkError::ServiceError(_) | SdkError::ResponseError(_) => {
            ProviderError::new(ErrorKind::Ambiguous, call, "the answer could not be read as one of AWS")
                .with_hint(ENDPOINT_HINT)
        }
        SdkError::TimeoutError(_) => {
            ProviderError::new(ErrorKind::Ambiguous, call, "no answer within the request timeout")
                .with_hint(ENDPOINT_HINT)
        }
        SdkError::DispatchFailure(_) if is_before_sending(error) => {
            ProviderError::new(ErrorKind::Transient, call, format!("no connection: {}", innermost(error)))
                .with_hint(ENDPOINT_HINT)
        }
        SdkError::DispatchFailure(_) => {
            ProviderError::new(ErrorKind::Ambiguous, call, format!("the connection broke: {}", innermost(error)))
                .with_hint(ENDPOINT_HINT)
        }
        // `SdkError` is open; the rest are requests that could not be built.
        _ => ProviderError::new(ErrorKind::Bug, call, format!("the request could not be made: {}", innermost(error))),
    }
    .with_request_id(error.request_id())
}

/// What the service said, by the table.
fn answered(
    verb: OperationVerb,
    call: &'static str,
    raw: &HttpResponse,
    code: Option<&str>,
    message: Option<&str>,
) -> ProviderError {
    let status = raw.status().as_u16();
    let answer = Answer { status, code: code.unwrap_or_default(), message: message.unwrap_or_default() };
    let meaning = table::meaning(answer);
    let kind = kind_of(meaning, verb, call, answer, retry_after(raw));
    let message = match (&kind, message) {
        (ErrorKind::Bug, _) | (_, None) => format!("status {status}: {}", body(raw)),
        // A signature mismatch is answered with the whole canonical request, session token and all.
        (ErrorKind::Auth, Some(message)) => message.lines().next().unwrap_or_default().to_owned(),
        (_, Some(message)) => message.to_owned(),
    };
    let mut error = ProviderError::new(kind, call, message);
    error.code = code.map(str::to_owned);
    // What has no code of an error was not worded by AWS.
    error.hint = hint(&error.kind).or_else(|| code.is_none().then(|| ENDPOINT_HINT.to_owned()));
    error
}

fn kind_of(
    meaning: Meaning,
    verb: OperationVerb,
    call: &'static str,
    answer: Answer<'_>,
    after: Option<Duration>,
) -> ErrorKind {
    let text = || if answer.message.is_empty() { answer.code.to_owned() } else { answer.message.to_owned() };
    match meaning {
        Meaning::Transient => ErrorKind::Transient,
        Meaning::Throttled => ErrorKind::Throttled { after },
        Meaning::Ambiguous => ErrorKind::Ambiguous,
        Meaning::Busy => ErrorKind::Busy { by: text() },
        Meaning::NotYetVisible => ErrorKind::NotYetVisible,
        Meaning::Dependency => ErrorKind::Dependency { on: text() },
        Meaning::Conflict => ErrorKind::Conflict { owner: text() },
        Meaning::Quota => ErrorKind::Quota { what: text() },
        Meaning::Capacity => ErrorKind::Capacity { what: text() },
        Meaning::Auth => ErrorKind::Auth,
        Meaning::Permission => ErrorKind::Permission { action: action(answer.message).unwrap_or(call).to_owned() },
        Meaning::Invalid => ErrorKind::Invalid { field: None },
        Meaning::Unknown => ErrorKind::Bug,
        // What a create or update call refers to was made a moment ago, and not every server of the service knows it yet.
        Meaning::NotFound => match verb {
            OperationVerb::Create | OperationVerb::Update => ErrorKind::NotYetVisible,
            OperationVerb::Observe | OperationVerb::Delete => ErrorKind::Gone,
        },
    }
}

fn hint(kind: &ErrorKind) -> Option<String> {
    match kind {
        ErrorKind::Auth => Some(CREDENTIALS_HINT.to_owned()),
        ErrorKind::Permission { action } => Some(format!("allow {action} for these credentials")),
        ErrorKind::Quota { .. } => {
            Some("ask for a higher quota in Service Quotas, or remove what is no longer needed".to_owned())
        }
        ErrorKind::Capacity { .. } => Some("try again later, or name more instance types or other zones".to_owned()),
        _ => None,
    }
}

/// The action in `User: … is not authorized to perform: iam:PassRole on resource: …`.
fn action(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("is not authorized to perform: ")?;
    rest.split_whitespace().next()
}

fn retry_after(raw: &HttpResponse) -> Option<Duration> {
    raw.headers().get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// The text of an answer, short and on one line.
fn body(raw: &HttpResponse) -> String {
    let text = String::from_utf8_lossy(raw.body().bytes().unwrap_or_default());
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "empty answer".to_owned() } else { line.chars().take(BODY_LIMIT).collect() }
}

/// The reasons of credential providers may quote files and the output of helper programs, so they are not repeated.
pub(crate) fn credentials_error(error: &CredentialsError) -> ProviderError {
    let message = match error {
        CredentialsError::CredentialsNotLoaded(_) => "none were found",
        CredentialsError::ProviderTimedOut(_) => "none were found in time",
        CredentialsError::InvalidConfiguration(_) => "their configuration is wrong",
        _ => "their source failed, or they have expired",
    };
    ProviderError::new(ErrorKind::Auth, CREDENTIALS, message).with_hint(CREDENTIALS_HINT)
}

/// Whether the connection was never made, so that nothing can have been sent.
fn is_before_sending(error: &(dyn Error + 'static)) -> bool {
    let connects = |error: &hyper_util::client::legacy::Error| error.is_connect();
    find::<hyper_util::client::legacy::Error>(error).is_some_and(connects)
}

/// The error and its causes, the last one at the end.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| <dyn Error>::source(*error))
}

/// The first error of type `T` in the chain of causes.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref::<T>())
}

/// The last cause, which is the one that says something.
fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Sets what an answer carries and an error without answer does not.
trait WithRequestId {
    fn with_request_id(self, request_id: Option<&str>) -> Self;
}

impl WithRequestId for ProviderError {
    fn with_request_id(mut self, request_id: Option<&str>) -> Self {
        self.request_id = request_id.map(str::to_owned);
        self
    }
}
