//! Why a journal cannot be used.

use std::io;

use howso_infra_core::DeploymentId;
use jiff::Timestamp;

use crate::journal::Holder;
#[cfg(feature = "bucket")]
use crate::journal::{StoreFailure, StoreFailureKind};

/// Why a journal cannot be used. After any of these no mutation may be sent.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another live run holds it.
    #[error("the journal {place} is in use by {}", by.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string))]
    Held {
        /// Where it is.
        place: String,
        /// The other run, when it said who it is.
        by: Option<Holder>,
        /// When its lease ends unless it is renewed; only for a bucket.
        until: Option<Timestamp>,
    },
    /// Somebody else changed it, so that this run no longer is the only one.
    #[error("the journal {place} is no longer this run's: {reason}")]
    Lost {
        /// Where it is.
        place: String,
        /// What tells so.
        reason: String,
    },
    /// It cannot be read.
    #[error("the journal {place} is damaged in line {line}: {reason}")]
    Damaged {
        /// Where it is.
        place: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer version of this program wrote it.
    #[error("the journal {place} was written by a newer version of this program (form {schema})")]
    Newer {
        /// Where it is.
        place: String,
        /// The version of its form.
        schema: u32,
    },
    /// It is about another deployment.
    #[error("the journal is about deployment {recorded}, not {wanted}")]
    OtherDeployment {
        /// The one it is about.
        recorded: DeploymentId,
        /// The one that should be recorded.
        wanted: DeploymentId,
    },
    /// A file operation failed.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The store of a bucket failed.
    #[cfg(feature = "bucket")]
    #[error("cannot {action} {place}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// The object.
        place: String,
        /// Why it failed.
        source: StoreFailure,
    },
}

impl JournalError {
    /// Whether the credentials are missing or invalid, or may not do what was asked.
    pub fn is_about_credentials(&self) -> bool {
        match self {
            #[cfg(feature = "bucket")]
            Self::Store { source, .. } => {
                matches!(source.kind, StoreFailureKind::Credentials | StoreFailureKind::Permission)
            }
            Self::Held { .. }
            | Self::Lost { .. }
            | Self::Damaged { .. }
            | Self::Newer { .. }
            | Self::OtherDeployment { .. }
            | Self::File { .. } => false,
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Held { until: None, .. } => Some("wait until the other run ends, or stop it".to_owned()),
            Self::Held { until: Some(until), .. } => {
                Some(format!("wait until the other run ends; if it is dead, its lease ends at {until:.0}"))
            }
            Self::Lost { .. } => {
                Some("see whether somebody else works on this cluster, then run the command again".to_owned())
            }
            Self::Damaged { place, .. } => {
                Some(format!("move {place} away and run the command again: everything is found again by its tags"))
            }
            Self::Newer { .. } => Some("use that version".to_owned()),
            Self::OtherDeployment { .. } => Some(
                "two deployments must not share a journal: use another name, or remove the other one first".to_owned(),
            ),
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("make room and run the command again".to_owned())
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("make the directory writable, or choose another".to_owned())
                }
                _ => None,
            },
            #[cfg(feature = "bucket")]
            Self::Store { source, .. } => Some(source.hint().to_owned()),
        }
    }
}
