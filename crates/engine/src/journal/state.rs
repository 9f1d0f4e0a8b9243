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
    /// Whether it is known that it had an effect.
    is_known: bool,
    /// The cloud's own identifier of what it made, when that is known.
    physical_id: Option<String>,
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
            Record::Ticket { resource, verb: OperationVerb::Create, physical_id }
            | Record::Settled { resource, verb: OperationVerb::Create, physical_id } => {
                self.know(resource, Some(physical_id));
            }
            Record::Seen { resource } => self.know(resource, None),
            Record::Settled { resource, verb: OperationVerb::Delete, physical_id } => {
                // Not when a duplicate of it was deleted.
                let is_deleted = |create: &LastCreate| create.physical_id.as_ref() == Some(physical_id);
                if self.creates.get(resource).is_some_and(is_deleted) {
                    self.creates.remove(resource);
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
                let create = LastCreate { intent: intent.clone(), sent: at, is_known: false, physical_id: None };
                self.creates.insert(intent.resource.clone(), create);
            }
            // What is deleted was seen, so its creation had an effect.
            OperationVerb::Delete => self.know(&intent.resource, None),
            OperationVerb::Update | OperationVerb::Observe => {}
        }
    }

    fn know(&mut self, resource: &ResourceId, physical_id: Option<&String>) {
        if let Some(create) = self.creates.get_mut(resource) {
            create.is_known = true;
            create.physical_id = physical_id.cloned().or(create.physical_id.take());
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
            let (resource, verb) = (resource.clone(), OperationVerb::Create);
            match &create.physical_id {
                Some(physical_id) => {
                    records.push((create.sent, Record::Settled { resource, verb, physical_id: physical_id.clone() }));
                }
                None if create.is_known => records.push((create.sent, Record::Seen { resource })),
                None => {}
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

#[cfg(test)]
mod tests {
    use howso_infra_core::{ErrorKind, Token};

    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn id() -> ResourceId {
        ResourceId::new("test/thing", "a")
    }

    fn second(second: u32) -> Timestamp {
        format!("2026-11-24T08:00:{second:02}Z").parse().expect("a time")
    }

    fn intent(verb: OperationVerb) -> Record {
        let deployment = DeploymentId::from_bytes([1; 16]);
        let token = Token::derive(&deployment, &id(), Generation::FIRST, "test");
        let (generation, attributes_digest) = (Generation::FIRST, String::new());
        Record::Intent(Intent { resource: id(), verb, physical_id: None, token, generation, attributes_digest })
    }

    fn settled(verb: OperationVerb, physical_id: &str) -> Record {
        Record::Settled { resource: id(), verb, physical_id: physical_id.to_owned() }
    }

    /// One record a second.
    fn state(records: &[Record]) -> JournalState {
        let mut state = JournalState::default();
        for (sequence, record) in (1..).zip(records.iter().cloned()) {
            let at = second(u32::try_from(sequence).expect("a small number"));
            state.apply(&Entry { sequence, at, record });
        }
        state
    }

    fn is_recent(state: &JournalState, at: u32) -> bool {
        state.recent_creates(second(at), WINDOW).contains(&id())
    }

    #[test]
    fn a_creation_is_pending_until_its_end_is_known_and_recent_until_the_window_is_over() {
        use OperationVerb::Create;
        let ticket = Record::Ticket { resource: id(), verb: Create, physical_id: "x".to_owned() };
        let failed = Record::Failed { resource: id(), verb: Create, kind: ErrorKind::Bug };
        for (end, is_pending, stays_recent) in [
            (None, true, true),
            (Some(ticket), false, true),
            (Some(settled(Create, "x")), false, true),
            (Some(Record::Seen { resource: id() }), false, true),
            (Some(intent(OperationVerb::Delete)), false, true),
            (Some(failed), false, false),
        ] {
            let records: Vec<Record> = [intent(Create)].into_iter().chain(end).collect();
            let state = state(&records);
            assert_eq!(state.pending_creates().contains_key(&id()), is_pending, "{records:?}");
            assert_eq!(is_recent(&state, 10), stays_recent, "{records:?}");
            assert!(!is_recent(&state, 11), "{records:?}");
        }
    }

    #[test]
    fn every_attempt_begins_the_window_anew() {
        let state =
            state(&[intent(OperationVerb::Create), intent(OperationVerb::Update), intent(OperationVerb::Create)]);
        assert!(is_recent(&state, 12));
        assert!(!is_recent(&state, 13));
    }

    #[test]
    fn what_was_deleted_is_not_missed_but_its_duplicate_is_another_matter() {
        use OperationVerb::{Create, Delete};
        let made = [intent(Create), settled(Create, "x"), intent(Delete)];
        let after = |physical_id| state(&[&made[..], &[settled(Delete, physical_id)]].concat());
        assert!(!is_recent(&after("x"), 5));
        assert!(is_recent(&after("duplicate"), 5));
    }

    #[test]
    fn the_records_of_a_state_add_up_to_it() {
        use OperationVerb::{Create, Delete};
        let holder = Holder { host: "machine".to_owned(), process_id: 1, started: second(0) };
        let run = |fence| Record::Run {
            fence,
            holder: holder.clone(),
            command: "up".to_owned(),
            generation: Generation(fence),
        };
        let deployment = Record::Deployment { id: DeploymentId::from_bytes([1; 16]) };
        for tail in [
            vec![],
            vec![intent(Create)],
            vec![intent(Create), settled(Create, "x")],
            vec![intent(Create), Record::Seen { resource: id() }],
            vec![intent(Create), settled(Create, "x"), intent(Delete), settled(Delete, "x")],
            vec![Record::End { result: RunResult::Partial }],
        ] {
            let records = [vec![deployment.clone(), run(1), run(2)], tail].concat();
            let state = state(&records);
            let mut again = JournalState::default();
            for (sequence, (at, record)) in (1..).zip(state.to_records()) {
                again.apply(&Entry { sequence, at, record });
            }
            assert_eq!(again, state, "{records:?}");
        }
    }
}
