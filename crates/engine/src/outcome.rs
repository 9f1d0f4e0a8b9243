//! How a run ended.

use std::collections::BTreeMap;

use howso_infra_core::error::{OperationVerb, StepFailure};
use howso_infra_core::{Attributes, ResourceId, StepId};
use serde::{Deserialize, Serialize};

/// How a run ended. The plan is carried out when [`Outcome::is_complete`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The steps that are done, in the order in which they were.
    pub settled: Vec<SettledStep>,
    /// The steps that failed, in the order in which they did.
    pub failures: Vec<StepFailure>,
    /// The steps that were not tried because one they depend on failed.
    pub skipped: Vec<StepId>,
    /// Why the run ended before every step was done, failed or skipped.
    pub interruption: Option<Interruption>,
    /// The outputs of all resources that exist, as far as they are known.
    pub outputs: BTreeMap<ResourceId, Attributes>,
    /// The number of steps by how they ended.
    pub counts: Counts,
}

/// A step that is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettledStep {
    /// The step.
    pub step: StepId,
    /// The resource.
    pub resource: ResourceId,
    /// What was done to it.
    pub verb: OperationVerb,
    /// The cloud's own identifier.
    pub physical_id: String,
    /// How long it took, in seconds.
    pub elapsed_secs: f64,
}

/// The number of steps by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// All steps of the plan.
    pub total: usize,
    /// Done.
    pub settled: usize,
    /// Failed.
    pub failed: usize,
    /// Not tried, because a step they depend on failed.
    pub skipped: usize,
    /// Begun and not brought to an end: the run was interrupted, or something else failed and this took longer than usual.
    pub unfinished: usize,
    /// Not begun, because the run was interrupted.
    pub not_started: usize,
}

/// Why a run ended before its plan did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Interruption {
    /// The user asked once: every call in flight was answered and recorded.
    Requested,
    /// The user asked twice: calls in flight were abandoned.
    Forced,
    /// The journal can no longer be written, so nothing may be changed.
    JournalRefused {
        /// Why.
        message: String,
        /// What a person can do about it.
        hint: Option<String>,
    },
}

impl Outcome {
    /// Whether every step is done.
    pub fn is_complete(&self) -> bool {
        self.interruption.is_none() && self.counts.settled == self.counts.total
    }
}
