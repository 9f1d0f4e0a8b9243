//! What an observer is told.

use std::sync::Arc;

use howso_infra_core::ProviderError;
use howso_infra_kubernetes::{Growth, PodReference, Unhelped};
use howso_infra_platform::releases::Action;
use serde::Serialize;

/// Something that happened, for views.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "event")]
pub enum Event {
    /// A phase begins; the one before has ended.
    Phase(Phase),
    /// Something could not be read, for a reason that should pass, and is read again.
    ReadingAgain {
        /// What went wrong.
        error: ProviderError,
        /// How long until the next attempt.
        delay_secs: f64,
    },
    /// Something happened while a plan runs.
    Engine(howso_infra_engine::Event),
    /// An autoscaler decided something.
    Autoscaling(AutoscalingEvent),
    /// Something happened to a release of the platform.
    Platform(PlatformEvent),
}

/// What an autoscaler decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoscalingEvent {
    /// A pool grows, because of pods that found no place.
    TriggeredScaleUp(Growth),
    /// A pod found no place, and no further node would help it.
    NotTriggerScaleUp(Unhelped),
    /// A node goes, because nothing runs on it.
    ScaleDownEmpty {
        /// The node.
        node: String,
        /// For how long nothing has run on it.
        idle_secs: u64,
    },
    /// What was decided could not be added to the events of a pod.
    PodNotTold {
        /// The pod.
        pod: PodReference,
        /// Why.
        error: ProviderError,
    },
    /// Nothing is changed for now, because another command holds the lease.
    Postponed {
        /// Who holds it.
        why: String,
    },
}

/// What happens to the releases of the platform.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlatformEvent {
    /// A secret was made, and nothing of it was told.
    SecretMade {
        /// Its name.
        secret: String,
    },
    /// Helm, which an earlier run started, is still at work on a release, and is waited for.
    HelmAtWork {
        /// The release.
        release: &'static str,
    },
    /// Helm begins with a release.
    ReleaseStarted {
        /// The release.
        release: &'static str,
        /// What is done.
        action: Action,
    },
    /// What keeps releases from being ready, each time it is something else.
    ReleasesWait {
        /// Pods and volumes, each with what it lacks.
        waiting: Vec<String>,
    },
    /// A pod was deleted that its stateful set would wait for in vain; it is made again as it is wanted.
    StuckPodReplaced {
        /// The pod.
        pod: String,
    },
    /// A release is ready.
    ReleaseReady {
        /// The release.
        release: &'static str,
        /// How long it took.
        elapsed_secs: f64,
    },
    /// A release is gone.
    ReleaseRemoved {
        /// The release.
        release: &'static str,
        /// How long it took.
        elapsed_secs: f64,
    },
    /// Helm failed.
    ReleaseFailed {
        /// The release.
        release: &'static str,
        /// Why.
        error: ProviderError,
    },
}

/// A phase of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reading what is there.
    Reading,
    /// Waiting until a recent creation must have become visible.
    AwaitingVisibility,
    /// Checking whether the plan can succeed.
    Checking,
    /// Running the plan.
    Running,
    /// Reading again and planning again: nothing may be left to do.
    Verifying,
    /// Looking for what a removal may have left behind.
    Auditing,
}

/// Is told what happens. Called from the run's own task: it must not block.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;
