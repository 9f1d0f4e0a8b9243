//! Why a command did not do what it should.

use std::io;

use camino::Utf8PathBuf;
use howso_infra::core::error::StepFailure;
use howso_infra::core::plan::{Direction, Plan};
use howso_infra::core::spec::SpecErrors;
use howso_infra::core::{Finding, Leftover, ProviderError};
use howso_infra::engine::Outcome;
use howso_infra::{Finished, Workload};

use crate::exit::Exit;
use crate::view::style::counted;

/// Why a command did not do what it should. Each has an exit code in [`crate::exit`] and a text in [`crate::errors`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The specification is wrong.
    #[error("the specification is wrong")]
    Spec(#[from] SpecErrors),
    /// The library could not carry the command out.
    #[error(transparent)]
    Library(howso_infra::Error),
    /// The command was used in a way that makes no sense.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do instead.
        hint: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: Utf8PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The user's kubeconfig was left alone.
    #[error("cannot merge into {path}")]
    Merge {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: howso_infra::kubeconfig::MergeError,
    },
    /// Consent was needed, and there was nobody to ask.
    #[error("nobody can be asked for consent: {reason}")]
    NobodyToAsk {
        /// Why nobody can be asked.
        reason: &'static str,
        /// The option that gives consent.
        option: String,
    },
    /// The user said no.
    #[error("not confirmed, so nothing was changed")]
    Declined,
    /// Others still run something in a cluster that is to be removed.
    #[error("{} in the cluster, so nothing was changed", still_run(workloads))]
    Workloads {
        /// What they run.
        workloads: Vec<Workload>,
    },
    /// Parts of the plan must not be carried out, so nothing was.
    #[error("the plan is blocked, so nothing was changed")]
    Blocked(Box<Plan>),
    /// The plan would fail.
    #[error("the checks found what would make this fail, so nothing was changed")]
    Unfit(Vec<Finding>),
    /// A check found what is in the way; it was printed already.
    #[error("the checks found what would make `up` fail")]
    Found(Vec<Finding>),
    /// The run did not bring the plan to its end.
    #[error("{}", describe_outcome(outcome))]
    Unfinished {
        /// Which way it went.
        direction: Direction,
        /// What happened to the steps.
        outcome: Box<Outcome>,
    },
    /// Everything was done, and reading again showed that something is still to be done.
    #[error("every step is done, but the cloud is not as wanted")]
    StillDifferent(Box<Plan>),
    /// A removal left something behind.
    #[error("the removal left something behind")]
    LeftBehind {
        /// The steps that failed, because of what was left behind.
        failures: Vec<StepFailure>,
        /// What the audit found.
        leftovers: Vec<Leftover>,
        /// What is still there by a new plan.
        remaining: Option<Box<Plan>>,
    },
    /// Not every release of the platform is as it should be.
    #[error("{}", describe_releases(*.0))]
    Releases(ReleaseCounts, ReleaseTroubles),
    /// The control plane cannot be used yet.
    #[error("there is no access to the cluster yet")]
    NoAccess,
    /// Interrupted while nothing was being changed.
    #[error("interrupted; nothing was changed")]
    Interrupted,
    /// Interrupted so often that even reading once more was given up.
    #[error("interrupted; what was under way was left as it is")]
    Abandoned,
    /// What was found out is the answer: its exit code is not 0, and there is nothing to say about it.
    #[error("there are changes")]
    Changes,
    /// The runtime could not be started.
    #[error("cannot start")]
    Runtime(#[source] io::Error),
    /// Standard output could not be written.
    #[error("cannot write to standard output")]
    StandardOutput(#[source] io::Error),
}

impl From<howso_infra::Error> for Failure {
    fn from(error: howso_infra::Error) -> Self {
        match error {
            howso_infra::Error::Spec(errors) => Self::Spec(errors),
            other => Self::Library(other),
        }
    }
}

impl Failure {
    /// A wrong use of the command, with what to do instead.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: hint.into() }
    }

    /// What a finished run lacks, if anything.
    pub(crate) fn of_finished(direction: Direction, finished: Finished) -> Result<Finished, Self> {
        if !finished.outcome.is_complete() {
            let outcome = Box::new(finished.outcome);
            // A failure that says more than that something is in the way is told as what it is.
            let is_blocked = matches!(Exit::of_outcome(&outcome), Exit::Failed | Exit::Partly);
            return Err(if is_blocked && !finished.leftovers.is_empty() {
                let failures = outcome.failures;
                Self::LeftBehind { failures, leftovers: finished.leftovers, remaining: None }
            } else {
                Self::Unfinished { direction, outcome }
            });
        }
        let remaining = finished.remaining.as_ref().filter(|plan| !plan.is_empty());
        match (direction, remaining) {
            (Direction::Up, Some(plan)) => Err(Self::StillDifferent(Box::new(plan.clone()))),
            (Direction::Down, remaining) if remaining.is_some() || !finished.leftovers.is_empty() => {
                let remaining = remaining.cloned().map(Box::new);
                Err(Self::LeftBehind { failures: Vec::new(), leftovers: finished.leftovers, remaining })
            }
            (Direction::Up | Direction::Down, _) => Ok(finished),
        }
    }
}

/// What became of releases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReleaseCounts {
    pub(crate) done: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    pub(crate) unfinished: usize,
    pub(crate) is_interrupted: bool,
}

/// Why releases failed.
#[derive(Clone, Debug)]
pub(crate) struct ReleaseTroubles {
    /// What failed, by the name of the release.
    pub(crate) failures: Vec<(&'static str, ProviderError)>,
    /// What was missing when it was last looked at.
    pub(crate) waiting: Vec<String>,
}

fn describe_releases(counts: ReleaseCounts) -> String {
    let ReleaseCounts { done, failed, skipped, unfinished, is_interrupted } = counts;
    let total = done + failed + skipped + unfinished;
    let done = format!("{done} of {} done", counted(total, "release is", "releases are"));
    match (is_interrupted, failed) {
        (true, _) => format!("interrupted: {done}"),
        (false, 1) => format!("1 release failed: {done}"),
        (false, failed) => format!("{failed} releases failed: {done}"),
    }
}

/// How many workloads there are.
pub(crate) fn still_run(workloads: &[Workload]) -> String {
    match workloads.len() {
        1 => "1 workload still runs".to_owned(),
        several => format!("{several} workloads still run"),
    }
}

fn describe_outcome(outcome: &Outcome) -> String {
    let counts = &outcome.counts;
    let done = format!("{} of {} done", counts.settled, counted(counts.total, "step is", "steps are"));
    match (&outcome.interruption, counts.failed) {
        (Some(_), _) => format!("interrupted: {done}"),
        (None, 1) => format!("1 step failed: {done}"),
        (None, failed) => format!("{failed} steps failed: {done}"),
    }
}
