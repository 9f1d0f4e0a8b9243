//! How the engine runs.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// How the engine runs: waiting, retrying and concurrency. Every value is bounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EngineSettings {
    /// The longest that one request may take.
    #[serde(serialize_with = "serialize_duration")]
    pub request_timeout: Duration,
    /// The shortest pause between two looks at an operation.
    #[serde(serialize_with = "serialize_duration")]
    pub poll_interval_min: Duration,
    /// The longest pause between two looks at an operation; at least `poll_interval_min`.
    #[serde(serialize_with = "serialize_duration")]
    pub poll_interval_max: Duration,
    /// The pause before the first retry, doubled by each one.
    #[serde(serialize_with = "serialize_duration")]
    pub retry_delay_base: Duration,
    /// The longest pause before a retry; at least `retry_delay_base`.
    #[serde(serialize_with = "serialize_duration")]
    pub retry_delay_max: Duration,
    /// How often a call is tried in all.
    pub retry_attempts: u32,
    /// The longest to wait for one step, for kinds of resources that would otherwise be given longer.
    #[serde(serialize_with = "serialize_duration")]
    pub step_deadline_max: Duration,
    /// How long a resource that was created may stay invisible to listings.
    #[serde(serialize_with = "serialize_duration")]
    pub visibility_window: Duration,
    /// The greatest number of requests in flight.
    pub parallelism: u32,
}

impl Default for EngineSettings {
    /// The values of the built-in layer.
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            poll_interval_min: Duration::from_secs(1),
            poll_interval_max: Duration::from_secs(15),
            retry_delay_base: Duration::from_secs(1),
            retry_delay_max: Duration::from_secs(20),
            retry_attempts: 8,
            step_deadline_max: Duration::from_hours(2),
            visibility_window: Duration::from_secs(10),
            parallelism: 16,
        }
    }
}

fn serialize_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}
