//! The journal: what was about to be done and what came of it, durable before anything follows from it. It is also the
//! lease: whoever can write it is the only run that may change the cluster.
//!
//! It is needed to find what a killed run left half done, not to be correct: without it everything is found by its tags.

#[cfg(feature = "bucket")]
mod bucket;
mod content;
mod error;
mod file;
pub mod record;
mod state;
#[cfg(feature = "bucket")]
mod store_failure;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use howso_infra_core::{DeploymentId, Generation, Observation};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use record::{Entry, Record};

#[cfg(feature = "bucket")]
pub use bucket::LEASE;
pub use error::JournalError;
pub use record::RunResult;
pub use state::{JournalState, LastRun};
#[cfg(feature = "bucket")]
pub use store_failure::{StoreFailure, StoreFailureKind};

/// How often a lease is renewed while nothing else is written.
pub const LEASE_RENEWAL: Duration = Duration::from_secs(20);

/// Where a journal is kept.
#[derive(Clone, Debug)]
pub enum JournalPlace {
    /// In a file. Its directory is made when it is missing, for the user alone.
    File(Utf8PathBuf),
    /// In an object of a bucket.
    #[cfg(feature = "bucket")]
    Bucket {
        /// The store; it must support conditional puts.
        store: Arc<dyn object_store::ObjectStore>,
        /// The object.
        path: object_store::path::Path,
        /// The same as a person writes it, with scheme and bucket, for messages.
        url: String,
    },
}

/// Who runs, for whoever finds the journal in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// The name of the machine.
    pub host: String,
    /// The process id.
    pub process_id: u32,
    /// When the process started.
    pub started: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, process_id, started } = self;
        write!(formatter, "process {process_id} on {host}, running since {started:.0}")
    }
}

/// An open journal.
pub struct Journal {
    store: Store,
    state: JournalState,
    /// The number of the last entry.
    sequence: u64,
    holder: Holder,
    clock: Arc<dyn Clock>,
}

enum Store {
    File(file::FileStore),
    #[cfg(feature = "bucket")]
    Bucket(bucket::BucketStore),
}

/// A journal is written anew at the start of a run when it is longer than this.
const FILE_BYTES_MAX: usize = 1 << 20;
/// The same for an object, of which every write sends the whole.
#[cfg(feature = "bucket")]
const OBJECT_BYTES_MAX: usize = 1 << 17;

impl Journal {
    /// Opens a journal for writing and reads what it says. Fails with [`JournalError::Held`] when another live run has it.
    pub async fn open(place: JournalPlace, holder: Holder, clock: Arc<dyn Clock>) -> Result<Self, JournalError> {
        let (store, content) = match place {
            JournalPlace::File(path) => {
                let (store, content) = file::FileStore::open(path).await?;
                (Store::File(store), content)
            }
            #[cfg(feature = "bucket")]
            JournalPlace::Bucket { store, path, url } => {
                let object = bucket::Object { store, path, url };
                let (store, content) = bucket::BucketStore::open(object, holder.clone(), Arc::clone(&clock)).await?;
                (Store::Bucket(store), content)
            }
        };
        Ok(Self { store, state: content.state, sequence: content.sequence, holder, clock })
    }

    /// Reads what a journal says without taking it. A journal that does not exist says nothing.
    pub async fn peek(place: &JournalPlace) -> Result<JournalState, JournalError> {
        match place {
            JournalPlace::File(path) => file::peek(path.clone()).await,
            #[cfg(feature = "bucket")]
            JournalPlace::Bucket { store, path, url } => {
                let object = bucket::Object { store: Arc::clone(store), path: path.clone(), url: url.clone() };
                bucket::peek(&object).await
            }
        }
    }

    /// What the journal says.
    pub fn state(&self) -> &JournalState {
        &self.state
    }

    /// Records the deployment that the journal is about. To be written before anything else about it.
    pub async fn record_deployment(&mut self, id: &DeploymentId) -> Result<(), JournalError> {
        match self.state.deployment() {
            Some(recorded) if recorded == id => Ok(()),
            Some(recorded) => Err(JournalError::OtherDeployment { recorded: recorded.clone(), wanted: id.clone() }),
            None => self.append(vec![Record::Deployment { id: id.clone() }]).await,
        }
    }

    /// Records that pending creations which `observation` shows are no longer pending.
    pub async fn note_observed(&mut self, observation: &Observation) -> Result<(), JournalError> {
        let seen = self.state.seen_in(observation);
        if seen.is_empty() {
            return Ok(());
        }
        self.append(seen.into_iter().map(|resource| Record::Seen { resource }).collect()).await
    }

    /// Records that a run begins. `command` says what it does, for example `up`.
    pub async fn begin_run(&mut self, command: &str, generation: Generation) -> Result<(), JournalError> {
        self.compact().await?;
        let fence = self.next_fence();
        let (holder, command) = (self.holder.clone(), command.to_owned());
        self.append(vec![Record::Run { fence, holder, command, generation }]).await
    }

    /// Records that the run ended in an orderly way.
    pub async fn end_run(&mut self, result: RunResult) -> Result<(), JournalError> {
        self.append(vec![Record::End { result }]).await
    }

    /// Gives the journal free for others.
    pub async fn close(self) -> Result<(), JournalError> {
        match self.store {
            Store::File(store) => store.release().await,
            #[cfg(feature = "bucket")]
            Store::Bucket(mut store) => store.release().await,
        }
    }

    /// Puts the journal away after a complete removal, so that the next run starts a new deployment. What it said stays
    /// beside it, under the same name with `.removed`.
    pub async fn retire(self) -> Result<(), JournalError> {
        match self.store {
            Store::File(mut store) => store.retire().await,
            #[cfg(feature = "bucket")]
            Store::Bucket(mut store) => store.retire().await,
        }
    }

    /// Renews the lease, for whoever works for longer without writing anything: at least every [`LEASE_RENEWAL`].
    pub async fn renew(&mut self) -> Result<(), JournalError> {
        self.append(Vec::new()).await
    }

    /// Makes records durable, all or none of them as far as this run is concerned: one write, one sync. Without records
    /// it only renews the lease.
    pub(crate) async fn append(&mut self, records: Vec<Record>) -> Result<(), JournalError> {
        let at = self.clock.wall();
        let first = self.sequence + 1;
        let entries: Vec<Entry> =
            (first..).zip(records).map(|(sequence, record)| Entry { sequence, at, record }).collect();
        let text: String = entries.iter().map(Entry::to_line).collect();
        match &mut self.store {
            Store::File(_) if text.is_empty() => {}
            Store::File(store) => {
                store.append(text).await?;
                self.clock.settle().await;
            }
            #[cfg(feature = "bucket")]
            Store::Bucket(store) => store.append(&text).await?,
        }
        self.sequence += entries.len() as u64;
        for entry in &entries {
            self.state.apply(entry);
        }
        Ok(())
    }

    /// When the lease must have been renewed; [`None`] for a lock that does not expire.
    pub(crate) fn lease_until(&self) -> Option<Timestamp> {
        match &self.store {
            Store::File(_) => None,
            #[cfg(feature = "bucket")]
            Store::Bucket(store) => Some(store.lease_until()),
        }
    }

    fn next_fence(&self) -> u64 {
        let after_last = self.state.fence() + 1;
        match &self.store {
            Store::File(_) => after_last,
            #[cfg(feature = "bucket")]
            Store::Bucket(store) => after_last.max(store.fence()),
        }
    }

    async fn compact(&mut self) -> Result<(), JournalError> {
        let is_long = match &self.store {
            Store::File(store) => store.len() > FILE_BYTES_MAX,
            #[cfg(feature = "bucket")]
            Store::Bucket(store) => store.len() > OBJECT_BYTES_MAX,
        };
        if !is_long {
            return Ok(());
        }
        let records = self.state.to_records();
        let sequence = records.len() as u64;
        let entries = (1..).zip(records).map(|(sequence, (at, record))| Entry { sequence, at, record });
        let text: String = entries.map(|entry| entry.to_line()).collect();
        match &mut self.store {
            Store::File(store) => store.replace(text).await?,
            #[cfg(feature = "bucket")]
            Store::Bucket(store) => store.replace(text).await?,
        }
        self.sequence = sequence;
        Ok(())
    }
}
