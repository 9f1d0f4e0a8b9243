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

/// How long a lease lasts after the last write.
const LEASE: Duration = Duration::from_mins(1);

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

#[derive(Clone)]
struct Object {
    store: Arc<dyn ObjectStore>,
    path: Path,
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
        store: Arc<dyn ObjectStore>,
        path: Path,
        holder: Holder,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Content), JournalError> {
        let object = Object { store, path };
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
        let copy = Object { path: Path::from(format!("{}.removed", self.object.path)), ..self.object.clone() };
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
pub(crate) async fn peek(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<JournalState, JournalError> {
    let object = Object { store: Arc::clone(store), path: path.clone() };
    Ok(object.read().await?.map(|found| found.content.state).unwrap_or_default())
}

impl Object {
    async fn read(&self) -> Result<Option<Found>, JournalError> {
        let result = match self.store.get(&self.path).await {
            Ok(result) => result,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(self.failed("read", source)),
        };
        let version = UpdateVersion { e_tag: result.meta.e_tag.clone(), version: result.meta.version.clone() };
        let bytes = result.bytes().await.map_err(|source| self.failed("read", source))?;
        let damaged = |reason: String| JournalError::Damaged { place: self.path.to_string(), line: 1, reason };
        let whole = std::str::from_utf8(&bytes).map_err(|error| damaged(error.to_string()))?;
        let (first, text) = whole.split_once('\n').unwrap_or((whole, ""));
        let lease: Lease = serde_json::from_str(first).map_err(|error| damaged(error.to_string()))?;
        if lease.schema != RECORD_SCHEMA {
            return Err(JournalError::Newer { place: self.path.to_string(), schema: lease.schema });
        }
        let content = Content::parse(text.as_bytes(), self.path.as_ref(), 1)?;
        let text = text[..content.len].to_owned();
        Ok(Some(Found { lease, text, content, version }))
    }

    /// Writes the object, if the condition holds.
    async fn put(&self, lease: &Lease, text: &str, mode: PutMode) -> Result<UpdateVersion, JournalError> {
        // Serialising to memory fails only for maps with non-text keys.
        let first = serde_json::to_string(lease).expect("a lease serialises to JSON");
        let whole = format!("{first}\n{text}");
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&self.path, PutPayload::from(whole), options).await {
            Ok(result) => Ok(result.into()),
            // A put whose answer was lost and that was sent again conflicts with itself.
            Err(StoreError::Precondition { .. } | StoreError::AlreadyExists { .. }) => match self.read().await? {
                Some(found) if found.lease == *lease && found.text == text => Ok(found.version),
                Some(found) => Err(self.lost(&match found.lease.holder {
                    Some(holder) => format!("its lease was taken by {holder}"),
                    None => "another run wrote it".to_owned(),
                })),
                None => Err(self.lost("it was deleted")),
            },
            Err(StoreError::NotFound { .. }) => Err(self.lost("it was deleted")),
            Err(source) => Err(self.failed("write", source)),
        }
    }

    fn held(&self, lease: &Lease) -> JournalError {
        JournalError::Held { place: self.path.to_string(), by: lease.holder.clone(), until: Some(lease.until) }
    }

    fn lost(&self, reason: &str) -> JournalError {
        JournalError::Lost { place: self.path.to_string(), reason: reason.to_owned() }
    }

    fn failed(&self, action: &'static str, source: StoreError) -> JournalError {
        JournalError::Store { action, path: self.path.to_string(), source }
    }
}
