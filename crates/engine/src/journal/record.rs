//! The stored form of the journal: one JSON object a line, each with a checksum.

use howso_infra_core::error::OperationVerb;
use howso_infra_core::{DeploymentId, ErrorKind, Generation, ResourceId, Token};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::journal::Holder;

/// The version of the stored form.
pub const RECORD_SCHEMA: u32 = 1;

/// One thing that the journal knows. It holds no attributes: the cloud knows them, and they may be confidential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    /// The deployment that this journal is about.
    Deployment {
        /// Its id.
        id: DeploymentId,
    },
    /// A run began.
    Run {
        /// Counts the runs; a later run has a higher number.
        fence: u64,
        /// Who runs it.
        holder: Holder,
        /// What it does, for example `up`.
        command: String,
        /// The generation of what it creates.
        generation: Generation,
    },
    /// A call is about to be sent.
    Intent(Intent),
    /// A call was accepted and the cloud goes on working.
    Ticket {
        /// The resource.
        resource: ResourceId,
        /// What the call does.
        verb: OperationVerb,
        /// The cloud's own identifier.
        physical_id: String,
    },
    /// What a call was meant to do is done.
    Settled {
        /// The resource.
        resource: ResourceId,
        /// What was done.
        verb: OperationVerb,
        /// The cloud's own identifier.
        physical_id: String,
    },
    /// A call certainly had no lasting effect, or its resource is known to have failed.
    Failed {
        /// The resource.
        resource: ResourceId,
        /// What was tried.
        verb: OperationVerb,
        /// Why it failed.
        kind: ErrorKind,
    },
    /// A resource that an earlier run may have created was seen.
    Seen {
        /// The resource.
        resource: ResourceId,
    },
    /// A run ended in an orderly way.
    End {
        /// How.
        result: RunResult,
    },
}

/// A call that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The resource.
    pub resource: ResourceId,
    /// What the call does.
    pub verb: OperationVerb,
    /// The cloud's own identifier of a resource that exists already.
    pub physical_id: Option<String>,
    /// The idempotency token.
    pub token: Token,
    /// The generation in the tags of what is created.
    pub generation: Generation,
    /// [`howso_infra_core::identity::digest`] of all attributes, references resolved.
    pub attributes_digest: String,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunResult {
    /// Everything is as wanted.
    Complete,
    /// Some of it is.
    Partial,
    /// Nothing was achieved.
    Failed,
    /// The user stopped it.
    Interrupted,
}

/// A record with its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Counts the entries from 1 without gaps, so that a missing or repeated line is noticed.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What it says.
    pub record: Record,
}

/// A line as stored. The checksum is over the exact bytes of `entry`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    schema: u32,
    checksum: String,
    #[serde(borrow)]
    entry: &'a RawValue,
}

/// The only field that every version of the form has.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// Why a line is not an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LineError {
    #[error("it is incomplete or not JSON")]
    Torn,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it is not an entry of this journal: {0}")]
    Form(String),
    #[error("it was written by a newer version (form {0})")]
    Newer(u32),
}

impl Entry {
    /// Writes the entry as one line, with its line feed.
    pub(crate) fn to_line(&self) -> String {
        // Serialising to memory fails only for maps with non-text keys, which no record has.
        let entry = serde_json::value::to_raw_value(self).expect("entries serialise to JSON");
        let line = Line { schema: RECORD_SCHEMA, checksum: checksum(entry.get()), entry: &entry };
        let mut text = serde_json::to_string(&line).expect("lines serialise to JSON");
        text.push('\n');
        text
    }

    /// Reads one line, without its line feed.
    pub(crate) fn from_line(text: &str) -> Result<Self, LineError> {
        let line: Line<'_> = match serde_json::from_str(text) {
            Ok(line) => line,
            Err(error) => {
                return Err(match serde_json::from_str::<Version>(text) {
                    Ok(version) if version.schema != RECORD_SCHEMA => LineError::Newer(version.schema),
                    Ok(_) => LineError::Form(error.to_string()),
                    Err(_) => LineError::Torn,
                });
            }
        };
        if line.schema != RECORD_SCHEMA {
            return Err(LineError::Newer(line.schema));
        }
        if line.checksum != checksum(line.entry.get()) {
            return Err(LineError::Checksum);
        }
        serde_json::from_str(line.entry.get()).map_err(|error| LineError::Form(error.to_string()))
    }
}

/// The first 64 bits of the SHA-256, hexadecimal: it tells damage from health, not friend from foe.
fn checksum(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let record = Record::Seen { resource: ResourceId::new("test/thing", "a") };
        Entry { sequence: 1, at: "2026-11-24T10:00:00Z".parse().unwrap(), record }
    }

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let line = entry().to_line();
        assert_eq!(Entry::from_line(line.trim_end()), Ok(entry()));
        assert_eq!(line.matches('\n').count(), 1);
    }

    #[test]
    fn every_single_changed_byte_is_noticed() {
        let line = entry().to_line();
        for place in 0..line.len() - 1 {
            let mut bytes = line.trim_end().as_bytes().to_vec();
            bytes[place] ^= 1;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert!(Entry::from_line(&text).is_err(), "byte {place} of {text}");
        }
    }

    #[test]
    fn a_newer_form_is_told_from_damage() {
        let newer = r#"{"schema":2,"something":"else"}"#;
        assert_eq!(Entry::from_line(newer), Err(LineError::Newer(2)));
        let line = entry().to_line();
        assert_eq!(Entry::from_line(&line[..line.len() - 10]), Err(LineError::Torn));
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = r#"{"sequence":1,"at":"2026-11-24T10:00:00Z","record":{"seen":{"resource":"test/thing:a","x":1}}}"#;
        let line = format!(r#"{{"schema":1,"checksum":"{}","entry":{text}}}"#, checksum(text));
        assert!(matches!(Entry::from_line(&line), Err(LineError::Form(_))));
    }
}
