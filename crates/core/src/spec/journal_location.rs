//! Where the journal is kept when a team shares a cluster.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::spec::Invalid;

/// The kind of store that a journal is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalScheme {
    /// An S3 bucket, or one that speaks its protocol.
    S3,
}

impl JournalScheme {
    /// The scheme of its URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
        }
    }
}

/// A place for journals in a bucket, written `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalLocation {
    /// The kind of store.
    pub scheme: JournalScheme,
    /// The bucket.
    pub bucket: String,
    /// What every key begins with, without slashes at the ends; may be empty.
    pub prefix: String,
}

const FORM: &str = "\"local\" or \"s3://bucket/prefix\"";

impl FromStr for JournalLocation {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(Invalid::new(format!("`{text}` is not a place for a journal"), FORM));
        };
        if scheme != JournalScheme::S3.as_str() {
            return Err(Invalid::new(format!("journals cannot be kept at `{scheme}://`"), FORM));
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        check_bucket(bucket)?;
        let prefix = prefix.trim_end_matches('/');
        check_prefix(prefix)?;
        Ok(Self { scheme: JournalScheme::S3, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// S3's rules for bucket names, without the rarer ones:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
fn check_bucket(bucket: &str) -> Result<(), Invalid> {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = (3..=63).contains(&bucket.len())
        && bucket.starts_with(word)
        && bucket.ends_with(word)
        && bucket.chars().all(|c| word(c) || c == '-' || c == '.')
        && !bucket.contains("..");
    if fits {
        Ok(())
    } else {
        Err(Invalid::new(
            format!("`{bucket}` is not the name of a bucket"),
            "3 to 63 lower-case letters, digits, hyphens and dots",
        ))
    }
}

fn check_prefix(prefix: &str) -> Result<(), Invalid> {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let fits = prefix.len() <= 512
        && prefix.chars().all(safe)
        && (prefix.is_empty() || prefix.split('/').all(|part| !matches!(part, "" | "." | "..")));
    if fits {
        Ok(())
    } else {
        Err(Invalid::new(
            format!("`{prefix}` cannot be the prefix of a journal"),
            "letters, digits, `-`, `_`, `.` and single slashes",
        ))
    }
}

impl fmt::Display for JournalLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme.as_str(), self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(formatter, "/{}", self.prefix) }
    }
}

impl Serialize for JournalLocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_and_prefix_are_taken_apart_and_put_together() {
        for text in ["s3://my-bucket", "s3://my-bucket/a", "s3://my.bucket/a/b_c"] {
            assert_eq!(text.parse::<JournalLocation>().unwrap().to_string(), text);
        }
        let location: JournalLocation = "s3://my-bucket/a/b/".parse().unwrap();
        assert_eq!((location.bucket.as_str(), location.prefix.as_str()), ("my-bucket", "a/b"));
    }

    #[test]
    fn other_places_are_refused_with_the_accepted_form() {
        for text in ["", "gs://bucket", "file:///journals", "S3://bucket", "bucket/prefix"] {
            assert_eq!(text.parse::<JournalLocation>().unwrap_err().hint.as_deref(), Some(FORM), "{text}");
        }
        for text in [
            "s3://",
            "s3://ab",
            "s3://Bucket",
            "s3://a..b",
            "s3://-ab",
            "s3://bucket/a//b",
            "s3://bucket/../x",
            "s3://bucket/a b",
        ] {
            assert!(text.parse::<JournalLocation>().is_err(), "{text}");
        }
    }
}
