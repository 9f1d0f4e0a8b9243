//! A journal in an object of a bucket.
//!
//! The first line is the lease, the others are entries. Every write sends the whole object and is conditional on the last
//! one, so that a run that lost its lease cannot write, and therefore cannot begin another call.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::journal::Holder;
use crate::journal::content::Content;
use crate::journal::error::JournalError;
use crate::journal::record::RECORD_SCHEMA;
use crate::journal::state::JournalState;
use crate::journal::{StoreFailure, StoreFailureKind};

/// How long the lease of a journal in a bucket lasts after the last write.
pub const LEASE: Duration = Duration::from_mins(1);
/// How often a put is sent when no answer comes.
const PUT_ATTEMPTS_MAX: u32 = 2;

/// A journal object whose lease this process holds.
pub(crate) struct BucketStore {
    object: Object,
    clock: Arc<dyn Clock>,
    lease: Lease,
    /// The entries, as text.
    text: String,
    /// The version that this process wrote last.
    version: UpdateVersion,
}

/// Where a journal lies.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    /// With scheme and bucket, for messages.
    pub(crate) url: String,
}

/// Who may write the object. Not an entry, because it changes with every write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lease {
    schema: u32,
    /// Counts how often the lease was taken.
    fence: u64,
    /// Absent when nobody holds it.
    holder: Option<Holder>,
    until: Timestamp,
}

/// What an object holds.
struct Found {
    lease: Lease,
    text: String,
    content: Content,
    version: UpdateVersion,
}

impl BucketStore {
    /// Takes the lease when it is free or expired.
    pub(crate) async fn open(
        object: Object,
        holder: Holder,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Content), JournalError> {
        let now = clock.wall();
        let (fence, text, content, mode) = match object.read().await? {
            None => (1, String::new(), Content::default(), PutMode::Create),
            Some(found) if found.lease.holder.is_some() && found.lease.until > now => {
                return Err(object.held(&found.lease));
            }
            Some(found) => {
                let fence = found.lease.fence.max(found.content.state.fence()) + 1;
                (fence, found.text, found.content, PutMode::Update(found.version))
            }
        };
        let lease = Lease { schema: RECORD_SCHEMA, fence, holder: Some(holder), until: now + LEASE };
        let version = match object.put(&lease, &text, mode).await {
            Ok(version) => version,
            // Somebody was faster.
            Err(JournalError::Lost { .. }) => {
                return Err(match object.read().await? {
                    Some(found) => object.held(&found.lease),
                    None => object.lost("it was deleted while it was opened"),
                });
            }
            Err(error) => return Err(error),
        };
        Ok((Self { object, clock, lease, text, version }, content))
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn fence(&self) -> u64 {
        self.lease.fence
    }

    pub(crate) fn lease_until(&self) -> Timestamp {
        self.lease.until
    }

    /// Adds entries and renews the lease.
    pub(crate) async fn append(&mut self, text: &str) -> Result<(), JournalError> {
        let text = format!("{}{text}", self.text);
        self.replace(text).await
    }

    /// Puts other entries in place of all, and renews the lease.
    pub(crate) async fn replace(&mut self, text: String) -> Result<(), JournalError> {
        let lease = Lease { until: self.clock.wall() + LEASE, ..self.lease.clone() };
        self.write(lease, text).await
    }

    /// Gives the lease free. A lease that was lost is free of this run already.
    pub(crate) async fn release(&mut self) -> Result<(), JournalError> {
        let lease = Lease { holder: None, until: self.clock.wall(), ..self.lease.clone() };
        let text = self.text.clone();
        match self.write(lease, text).await {
            Err(JournalError::Lost { .. }) => Ok(()),
            result => result,
        }
    }

    /// Leaves an empty journal and keeps a copy of the old one beside it.
    pub(crate) async fn retire(&mut self) -> Result<(), JournalError> {
        let Object { store, path, url } = self.object.clone();
        let copy = Object { store, path: Path::from(format!("{path}.removed")), url: format!("{url}.removed") };
        copy.put(&self.lease, &self.text, PutMode::Overwrite).await?;
        let lease = Lease { holder: None, until: self.clock.wall(), ..self.lease.clone() };
        self.write(lease, String::new()).await
    }

    async fn write(&mut self, lease: Lease, text: String) -> Result<(), JournalError> {
        self.version = self.object.put(&lease, &text, PutMode::Update(self.version.clone())).await?;
        (self.lease, self.text) = (lease, text);
        Ok(())
    }
}

/// Reads an object without taking its lease.
pub(crate) async fn peek(object: &Object) -> Result<JournalState, JournalError> {
    Ok(object.read().await?.map(|found| found.content.state).unwrap_or_default())
}

impl Object {
    async fn read(&self) -> Result<Option<Found>, JournalError> {
        let result = match self.store.get(&self.path).await {
            Ok(result) => result,
            Err(error) => return self.absent_or_failed(&error),
        };
        let version = UpdateVersion { e_tag: result.meta.e_tag.clone(), version: result.meta.version.clone() };
        let bytes = result.bytes().await.map_err(|error| self.failed("read", &error))?;
        let damaged = |reason: String| JournalError::Damaged { place: self.url.clone(), line: 1, reason };
        let whole = std::str::from_utf8(&bytes).map_err(|error| damaged(error.to_string()))?;
        let (first, text) = whole.split_once('\n').unwrap_or((whole, ""));
        let lease: Lease = serde_json::from_str(first).map_err(|error| damaged(error.to_string()))?;
        if lease.schema != RECORD_SCHEMA {
            return Err(JournalError::Newer { place: self.url.clone(), schema: lease.schema });
        }
        let content = Content::parse(text.as_bytes(), &self.url, 1)?;
        let text = text[..content.len].to_owned();
        Ok(Some(Found { lease, text, content, version }))
    }

    /// A missing object is an empty journal; a missing bucket is not.
    fn absent_or_failed(&self, error: &StoreError) -> Result<Option<Found>, JournalError> {
        let failure = StoreFailure::new(error);
        match error {
            StoreError::NotFound { .. } if failure.kind != StoreFailureKind::NoBucket => Ok(None),
            _ => Err(JournalError::Store { action: "read", place: self.url.clone(), source: failure }),
        }
    }

    /// Writes the object, if the condition holds.
    async fn put(&self, lease: &Lease, text: &str, mode: PutMode) -> Result<UpdateVersion, JournalError> {
        // Serialising to memory fails only for maps with non-text keys.
        let first = serde_json::to_string(lease).expect("a lease serialises to JSON");
        let payload = PutPayload::from(format!("{first}\n{text}"));
        match self.put_until_answered(payload, mode).await {
            Ok(version) => Ok(version),
            // A put whose answer was lost and that was sent again conflicts with itself.
            Err(StoreError::Precondition { .. } | StoreError::AlreadyExists { .. } | StoreError::NotFound { .. }) => {
                match self.read().await? {
                    Some(found) if found.lease == *lease && found.text == text => Ok(found.version),
                    Some(found) => Err(self.lost(&match found.lease.holder {
                        Some(holder) => format!("its lease was taken by {holder}"),
                        None => "another run wrote it".to_owned(),
                    })),
                    None => Err(self.lost("it was deleted")),
                }
            }
            Err(error) => Err(self.failed("write", &error)),
        }
    }

    /// Sends a put again when no answer came. It is conditional on the version before it, so at most one of the two is
    /// carried out, and the other is told that it was too late.
    async fn put_until_answered(&self, payload: PutPayload, mode: PutMode) -> Result<UpdateVersion, StoreError> {
        let mut attempt = 1;
        loop {
            let options = PutOptions { mode: mode.clone(), ..PutOptions::default() };
            match self.store.put_opts(&self.path, payload.clone(), options).await {
                Ok(result) => return Ok(result.into()),
                Err(error) if attempt == PUT_ATTEMPTS_MAX => return Err(error),
                Err(error) if StoreFailure::new(&error).kind != StoreFailureKind::NoAnswer => return Err(error),
                Err(_) => attempt += 1,
            }
        }
    }

    fn held(&self, lease: &Lease) -> JournalError {
        JournalError::Held { place: self.url.clone(), by: lease.holder.clone(), until: Some(lease.until) }
    }

    fn lost(&self, reason: &str) -> JournalError {
        JournalError::Lost { place: self.url.clone(), reason: reason.to_owned() }
    }

    fn failed(&self, action: &'static str, error: &StoreError) -> JournalError {
        JournalError::Store { action, place: self.url.clone(), source: StoreFailure::new(error) }
    }
}
