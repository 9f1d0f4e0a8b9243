//! What a preflight finds.

use serde::{Deserialize, Serialize};

use crate::error::ErrorKind;

/// One finding of a preflight. All findings of one preflight are reported together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Whether it stops the run.
    pub severity: Severity,
    /// What was looked at, for example `quota: vCPUs of on-demand standard instances`.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// How to cure it; absent when there is nothing to cure.
    pub cure: Option<String>,
    /// The kind of error it would become, which decides the exit code; only for [`Severity::Blocking`].
    pub kind: Option<ErrorKind>,
}

/// Whether a finding stops the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Looked at and found good.
    Good,
    /// Could not be looked at (the API is absent or the permission to read is lacking). Not a failure.
    Note,
    /// Works, with a risk.
    Warning,
    /// The run would fail.
    Blocking,
}
