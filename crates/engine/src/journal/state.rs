//! What the records of a journal add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use howso_infra_core::error::OperationVerb;
use howso_infra_core::plan::PendingCreate;
use howso_infra_core::{DeploymentId, Generation, Observation, ResourceId};
use jiff::Timestamp;

use crate::journal::Holder;
use crate::journal::record::{Entry, Intent, Record, RunResult};

/// What the records of a journal add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalState {
    deployment: Option<DeploymentId>,
    fence: u64,
    last_run: Option<LastRun>,
    creates: BTreeMap<ResourceId, LastCreate>,
}

/// The last run that a journal knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// What it did, for example `up`.
    pub command: String,
    /// The generation of what it created.
    pub generation: Generation,
    /// Who ran it.
    pub holder: Holder,
    /// When it began.
    pub started: Timestamp,
    /// When and how it ended; absent when it was killed or is still running.
    pub ended: Option<(Timestamp, RunResult)>,
}

/// The last call that created a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LastCreate {
    intent: Intent,
    sent: Timestamp,
    /// Whether it is known how it ended.
    is_known: bool,
}

impl JournalState {
    /// The deployment that the journal is about.
    pub fn deployment(&self) -> Option<&DeploymentId> {
        self.deployment.as_ref()
    }

    /// The generation of the last run.
    pub fn generation(&self) -> Option<Generation> {
        self.last_run.as_ref().map(|run| run.generation)
    }

    /// The number of the last run.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// The last run.
    pub fn last_run(&self) -> Option<&LastRun> {
        self.last_run.as_ref()
    }

    /// The creations whose end was never learned.
    pub fn pending_creates(&self) -> BTreeMap<ResourceId, PendingCreate> {
        let pending = self.creates.iter().filter(|(_, create)| !create.is_known);
        pending.map(|(resource, create)| (resource.clone(), create.intent.to_pending())).collect()
    }

    /// The resources whose creation may have been sent less than `window` ago, whether its end is known or not: their
    /// absence from an observation proves nothing yet.
    ///
    /// A call may be carried out until it times out, so `window` is the visibility window and the longest request.
    pub fn recent_creates(&self, now: Timestamp, window: Duration) -> BTreeSet<ResourceId> {
        // A time in the future (a clock that was set back) is recent, too.
        let is_recent = |create: &LastCreate| now.duration_since(create.sent).as_millis() < to_millis(window);
        self.creates.iter().filter(|(_, create)| is_recent(create)).map(|(resource, _)| resource.clone()).collect()
    }

    /// The pending creations that `observation` shows to have had an effect.
    pub(crate) fn seen_in(&self, observation: &Observation) -> Vec<ResourceId> {
        let pending = self.creates.iter().filter(|(_, create)| !create.is_known).map(|(resource, _)| resource);
        pending.filter(|resource| observation.ours(resource).next().is_some()).cloned().collect()
    }

    /// Adds one entry.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        match &entry.record {
            Record::Deployment { id } => self.deployment = Some(id.clone()),
            Record::Run { fence, holder, command, generation } => {
                self.fence = *fence;
                self.last_run = Some(LastRun {
                    command: command.clone(),
                    generation: *generation,
                    holder: holder.clone(),
                    started: entry.at,
                    ended: None,
                });
            }
            Record::Intent(intent) => self.intend(intent, entry.at),
            Record::Ticket { resource, verb: OperationVerb::Create, .. }
            | Record::Settled { resource, verb: OperationVerb::Create, .. }
            | Record::Seen { resource } => {
                if let Some(create) = self.creates.get_mut(resource) {
                    create.is_known = true;
                }
            }
            Record::Failed { resource, verb: OperationVerb::Create, .. } => {
                self.creates.remove(resource);
            }
            Record::Ticket { .. } | Record::Settled { .. } | Record::Failed { .. } => {}
            Record::End { result } => {
                if let Some(run) = &mut self.last_run {
                    run.ended = Some((entry.at, *result));
                }
            }
        }
    }

    fn intend(&mut self, intent: &Intent, at: Timestamp) {
        match intent.verb {
            OperationVerb::Create => {
                let create = LastCreate { intent: intent.clone(), sent: at, is_known: false };
                self.creates.insert(intent.resource.clone(), create);
            }
            // What is deleted was seen, so its creation had an effect.
            OperationVerb::Delete => {
                if let Some(create) = self.creates.get_mut(&intent.resource) {
                    create.is_known = true;
                }
            }
            OperationVerb::Update | OperationVerb::Observe => {}
        }
    }

    /// The records that add up to this state again, with their times.
    pub(crate) fn to_records(&self) -> Vec<(Timestamp, Record)> {
        let mut records = Vec::new();
        let begun = self.last_run.as_ref().map_or(Timestamp::UNIX_EPOCH, |run| run.started);
        if let Some(id) = &self.deployment {
            records.push((begun, Record::Deployment { id: id.clone() }));
        }
        if let Some(run) = &self.last_run {
            records.push((
                run.started,
                Record::Run {
                    fence: self.fence,
                    holder: run.holder.clone(),
                    command: run.command.clone(),
                    generation: run.generation,
                },
            ));
        }
        for (resource, create) in &self.creates {
            records.push((create.sent, Record::Intent(create.intent.clone())));
            if create.is_known {
                records.push((create.sent, Record::Seen { resource: resource.clone() }));
            }
        }
        if let Some((at, result)) = self.last_run.as_ref().and_then(|run| run.ended) {
            records.push((at, Record::End { result }));
        }
        records
    }
}

impl Intent {
    fn to_pending(&self) -> PendingCreate {
        PendingCreate {
            token: self.token.clone(),
            generation: self.generation,
            attributes_digest: self.attributes_digest.clone(),
        }
    }
}

fn to_millis(duration: Duration) -> i128 {
    i128::try_from(duration.as_millis()).unwrap_or(i128::MAX)
}
