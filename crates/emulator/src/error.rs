//! Errors as the APIs tell them.

/// An answer that says why a request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) code: String,
    pub(crate) message: String,
    /// The HTTP status, where the code does not imply it.
    pub(crate) status: Option<u16>,
}

impl ApiError {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: None }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// A mistake of the emulator: it answered something that the API cannot say.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new("InternalFailure", message).with_status(500)
    }
}

/// Why something cannot be there from the beginning.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .0.code, .0.message)]
pub struct ProvideError(pub(crate) ApiError);

/// What an operation answers: members of its output, by the names of the model.
pub(crate) type Answer = Result<serde_json::Value, ApiError>;
