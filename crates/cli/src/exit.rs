//! Exit codes, decided in one place (command line design, section 3).

use std::io;
use std::process::ExitCode;

use howso_infra::core::plan::{Plan, Reason};
use howso_infra::core::{ErrorKind, Finding, Severity};
use howso_infra::engine::{Interruption, JournalError, Outcome};

use crate::failure::{Failure, ReleaseCounts, ReleaseTroubles};

/// How a command ended, as its caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, nothing left to do.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or invalid specification.
    Usage = 2,
    /// There are changes.
    Changes = 3,
    /// Partly done, resumable with the same command.
    Partly = 4,
    /// Credentials or permission.
    Credentials = 5,
    /// Quota or capacity.
    Quota = 6,
    /// A foreign resource is in the way.
    Foreign = 7,
    /// Another run holds the lease.
    Held = 8,
    /// The removal finished but left something behind.
    LeftBehind = 9,
    /// Interrupted, resumable.
    Interrupted = 130,
}

/// Of several causes the first of these decides: what a person must do first comes first.
const MOST_TELLING_FIRST: [Exit; 6] =
    [Exit::Credentials, Exit::Foreign, Exit::Quota, Exit::Usage, Exit::Partly, Exit::Failed];

impl Exit {
    /// The exit code of a command that did not do what it should.
    pub(crate) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Library(error) => Self::of_library(error),
            Failure::Spec(_) | Failure::Usage { .. } | Failure::NobodyToAsk { .. } => Self::Usage,
            Failure::Blocked(plan) => Self::of_blocked(plan),
            Failure::Workloads { .. } => Self::Foreign,
            Failure::Unfit(findings) | Failure::Found(findings) => Self::of_findings(findings),
            Failure::Unfinished { outcome, .. } => Self::of_outcome(outcome),
            Failure::Releases(counts, troubles) => Self::of_releases(*counts, troubles),
            Failure::StillDifferent(_) => Self::Partly,
            Failure::LeftBehind { .. } => Self::LeftBehind,
            Failure::Interrupted | Failure::Abandoned => Self::Interrupted,
            Failure::Changes => Self::Changes,
            Failure::File { action: "read", source, .. } if is_wrong_path(source) => Self::Usage,
            Failure::File { .. }
            | Failure::Merge { .. }
            | Failure::Declined
            | Failure::NoAccess
            | Failure::Runtime(_)
            | Failure::StandardOutput(_) => Self::Failed,
        }
    }

    fn of_library(error: &howso_infra::Error) -> Self {
        use howso_infra::Error;
        match error {
            Error::Spec(_)
            | Error::UnknownProvider { .. }
            | Error::PlanOutdated { .. }
            | Error::ScaledByPlatform { .. }
            | Error::PlatformFile(_)
            | Error::SecretNotGiven { .. } => Self::Usage,
            Error::NotAsWanted { .. } => Self::Changes,
            Error::Provider(error) => Self::of_kind(&error.kind),
            Error::Journal(JournalError::Held { .. } | JournalError::Lost { .. }) | Error::HelmElsewhere { .. } => {
                Self::Held
            }
            Error::Journal(error) if error.is_about_credentials() => Self::Credentials,
            Error::SeveralDeployments { .. }
            | Error::ForeignReleases { .. }
            | Error::SecretLacks { .. }
            | Error::TraineesAtWork { .. } => Self::Foreign,
            // What else the library may come to report needs nothing more specific than a failure.
            _ => Self::Failed,
        }
    }

    /// What an error of a cloud means for a command that has done nothing yet.
    fn of_kind(kind: &ErrorKind) -> Self {
        match kind {
            ErrorKind::Auth | ErrorKind::Permission { .. } => Self::Credentials,
            ErrorKind::Quota { .. } | ErrorKind::Capacity { .. } => Self::Quota,
            ErrorKind::Conflict { .. } => Self::Foreign,
            ErrorKind::Invalid { .. } => Self::Usage,
            ErrorKind::Cancelled => Self::Interrupted,
            ErrorKind::Transient
            | ErrorKind::Throttled { .. }
            | ErrorKind::Busy { .. }
            | ErrorKind::NotYetVisible
            | ErrorKind::Dependency { .. }
            | ErrorKind::Ambiguous
            | ErrorKind::Gone
            | ErrorKind::Deadline
            | ErrorKind::Failed
            | ErrorKind::Bug => Self::Failed,
        }
    }

    /// The most telling failure decides; when none tells more than that it failed, what was done can be built upon.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        match outcome.interruption {
            Some(Interruption::Requested | Interruption::Forced) => return Self::Interrupted,
            Some(Interruption::JournalRefused { .. }) => return Self::Partly,
            None => {}
        }
        match Self::most_telling(outcome.failures.iter().map(|failure| Self::of_kind(&failure.error.kind))) {
            Self::Failed if outcome.counts.settled > 0 => Self::Partly,
            told => told,
        }
    }

    fn of_releases(counts: ReleaseCounts, troubles: &ReleaseTroubles) -> Self {
        if counts.is_interrupted {
            return Self::Interrupted;
        }
        match Self::most_telling(troubles.failures.iter().map(|(_, error)| Self::of_kind(&error.kind))) {
            Self::Failed if counts.done > 0 => Self::Partly,
            told => told,
        }
    }

    fn of_blocked(plan: &Plan) -> Self {
        Self::most_telling(plan.blocked().filter_map(|decision| match &decision.reason {
            Reason::Foreign { .. } => Some(Self::Foreign),
            Reason::Gap { error } => Some(Self::of_kind(&error.kind)),
            Reason::ImmutableField { .. }
            | Reason::ReplacementNotAllowed { .. }
            | Reason::VersionGoesBack { .. }
            | Reason::VersionSkips { .. } => Some(Self::Usage),
            // It follows from another one, which decides. The others do not block.
            Reason::DependencyBlocked { .. }
            | Reason::AsWanted
            | Reason::Degraded { .. }
            | Reason::Missing
            | Reason::AnswerLost
            | Reason::Differs
            | Reason::ReferenceChanges
            | Reason::FollowsCreation
            | Reason::CannotChangeInPlace { .. }
            | Reason::CreationFailed { .. }
            | Reason::ParentReplaced { .. }
            | Reason::StillPending { .. }
            | Reason::StillDeleting
            | Reason::NotWanted
            | Reason::Duplicate { .. }
            | Reason::Removal
            | Reason::GoesWith { .. } => None,
        }))
    }

    /// The exit code of a check: the worst finding decides, and only what blocks is bad.
    pub(crate) fn of_findings(findings: &[Finding]) -> Self {
        let mut blocking = findings.iter().filter(|finding| finding.severity == Severity::Blocking).peekable();
        if blocking.peek().is_none() {
            return Self::Done;
        }
        Self::most_telling(blocking.map(|finding| finding.kind.as_ref().map_or(Self::Failed, Self::of_kind)))
    }

    fn most_telling(found: impl Iterator<Item = Self>) -> Self {
        let found: Vec<Self> = found.collect();
        MOST_TELLING_FIRST.into_iter().find(|code| found.contains(code)).unwrap_or(Self::Failed)
    }

    /// The number.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

/// Whether a file could not be read because its name is wrong.
fn is_wrong_path(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory)
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests;
