//! Reads the lines of a journal.

use crate::journal::error::JournalError;
use crate::journal::record::{Entry, LineError};
use crate::journal::state::JournalState;

/// What the lines of a journal say.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// What they add up to.
    pub(crate) state: JournalState,
    /// The number of the last entry.
    pub(crate) sequence: u64,
    /// The number of bytes up to the end of the last good line.
    pub(crate) len: usize,
}

impl Content {
    /// Reads all lines. A last line that is torn was never acknowledged and nothing followed from it: it is left out.
    /// Damage before that is an error.
    ///
    /// `place` and `lines_before` are for messages.
    pub(crate) fn parse(bytes: &[u8], place: &str, lines_before: usize) -> Result<Self, JournalError> {
        let mut content = Self::default();
        let mut rest = bytes;
        let mut number = lines_before;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            number += 1;
            let damaged = |reason: String| JournalError::Damaged { place: place.to_owned(), line: number, reason };
            match std::str::from_utf8(line).map_err(|_| LineError::Torn).and_then(Entry::from_line) {
                Ok(entry) if entry.sequence == content.sequence + 1 => {
                    content.sequence = entry.sequence;
                    content.state.apply(&entry);
                }
                Ok(entry) => {
                    let expected = content.sequence + 1;
                    return Err(damaged(format!("entry {} stands where {expected} should be", entry.sequence)));
                }
                Err(LineError::Torn | LineError::Checksum) if after.is_empty() => break,
                Err(LineError::Newer(schema)) => {
                    return Err(JournalError::Newer { place: place.to_owned(), schema });
                }
                Err(error @ (LineError::Torn | LineError::Checksum | LineError::Form(_))) => {
                    return Err(damaged(error.to_string()));
                }
            }
            content.len += end + 1;
            rest = after;
        }
        Ok(content)
    }
}
