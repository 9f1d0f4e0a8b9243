//! What happens during a run, for views.
//!
//! Events are data: whoever shows them wraps each in an envelope with [`EVENT_SCHEMA`] and the time. Durations are in
//! seconds.

use howso_infra_core::error::{OperationVerb, ProviderError};
use howso_infra_core::{ResourceId, StepId};
use serde::{Deserialize, Serialize};

use crate::outcome::Counts;

/// The version of the form of [`Event`].
pub const EVENT_SCHEMA: u32 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The run began.
    RunStarted {
        /// The number of steps.
        steps: usize,
        /// The expected duration of the whole run: the plan's critical path by medians.
        expected_secs: f64,
    },
    /// A step began: its first request is about to leave.
    StepStarted {
        /// The step.
        step: StepId,
        /// The resource.
        resource: ResourceId,
        /// What is done to it.
        verb: OperationVerb,
        /// How long this usually takes, by the median.
        expected_secs: f64,
    },
    /// A look at an operation showed that it is still under way. Sent after every such look.
    Progress {
        /// The step.
        step: StepId,
        /// The resource.
        resource: ResourceId,
        /// The cloud's word for the state.
        state: String,
        /// The time since the step began.
        elapsed_secs: f64,
    },
    /// A request failed in a way that is worth another attempt.
    Retrying {
        /// The step.
        step: StepId,
        /// The resource.
        resource: ResourceId,
        /// What went wrong.
        error: ProviderError,
        /// How long until the next attempt.
        delay_secs: f64,
        /// How many attempts have failed in a row.
        attempt: u32,
    },
    /// It is being found out whether a call whose answer was lost had an effect.
    Resolving {
        /// The step.
        step: StepId,
        /// The resource.
        resource: ResourceId,
        /// Why it is not known.
        error: ProviderError,
    },
    /// A resource was found that a call with a lost answer had made; it is used.
    Adopted {
        /// The step.
        step: StepId,
        /// The resource.
        resource: ResourceId,
        /// The cloud's own identifier.
        physical_id: String,
        /// How many duplicates of it are deleted.
        duplicates: usize,
    },
    /// A step takes longer than 95 of 100 of its kind.
    SlowerThanUsual {
        /// The step.
        step: StepId,
        /// The resource.
        resource: ResourceId,
        /// The time since the step began.
        elapsed_secs: f64,
        /// How long this usually takes, by the median.
        expected_secs: f64,
    },
    /// A step is done and recorded.
    StepSettled {
        /// The step.
        step: StepId,
        /// The resource.
        resource: ResourceId,
        /// What was done to it.
        verb: OperationVerb,
        /// The time since the step began.
        elapsed_secs: f64,
    },
    /// A step failed.
    StepFailed {
        /// The step.
        step: StepId,
        /// The resource.
        resource: ResourceId,
        /// What was tried.
        verb: OperationVerb,
        /// Why it failed.
        error: ProviderError,
    },
    /// A step is not tried, because a step it depends on failed.
    StepSkipped {
        /// The step.
        step: StepId,
        /// The resource.
        resource: ResourceId,
        /// The resource of the step that failed.
        because: ResourceId,
    },
    /// The run is being interrupted: nothing new starts.
    Interrupted {
        /// How many calls are still waited for.
        in_flight: usize,
    },
    /// The run ended.
    RunFinished {
        /// The number of steps by how they ended.
        counts: Counts,
        /// The time since the run began.
        elapsed_secs: f64,
    },
}
