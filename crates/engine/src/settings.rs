//! How a run waits, retries and bounds itself.

use std::time::Duration;

use howso_infra_core::latency::PollBounds;
use howso_infra_core::spec::EngineSettings;

/// How often one step may find out whether its call had an effect before it gives up.
pub const RESOLUTIONS_MAX: u32 = 6;

/// How long an accepted creation may be unknown to those who ask for it. Longer than the visibility window, because
/// nothing is decided by it: the answer to the call said that the resource exists.
pub(crate) const UNKNOWN_MAX: Duration = Duration::from_mins(3);

/// How a run waits, retries and bounds itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSettings {
    /// What the specification says about waiting, retrying and concurrency.
    pub engine: EngineSettings,
    /// Decides the jitter of every retry. The caller draws it at random; the same seed gives the same run.
    pub seed: u64,
}

impl RunSettings {
    /// Makes settings from those of a specification.
    pub fn new(engine: EngineSettings, seed: u64) -> Self {
        Self { engine, seed }
    }

    /// The bounds of the interval between two polls.
    pub(crate) fn poll_bounds(&self) -> PollBounds {
        PollBounds { min: self.engine.poll_interval_min, max: self.engine.poll_interval_max }
    }
}
