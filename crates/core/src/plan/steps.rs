//! Collects steps and their order.

use std::collections::{BTreeMap, BTreeSet};

use crate::identity::digest;
use crate::inside::CONTENTS_KIND;
use crate::kind::Kind;
use crate::latency::Latency;
use crate::observation::Observed;
use crate::operation::FieldChange;
use crate::plan::diff::{self, Call};
use crate::plan::{Action, PlanInput, Reason, Step, StepId};
use crate::resource::ResourceId;
use crate::value::{Attributes, Value};

/// The steps of a plan under construction.
pub(super) struct Steps<'a> {
    input: PlanInput<'a>,
    list: Vec<Step>,
    /// The identifiers that the observed attributes of a step's resource contain: what it uses until the step is done.
    uses: BTreeMap<StepId, BTreeSet<String>>,
}

/// The outputs of resources that exist.
pub(super) fn known_outputs(input: PlanInput<'_>) -> BTreeMap<ResourceId, Attributes> {
    input
        .observation
        .resources
        .keys()
        .filter_map(|id| input.observation.one(id).map(|observed| (id.clone(), observed.outputs.clone())))
        .filter(|(_, outputs)| !outputs.is_empty())
        .collect()
}

impl<'a> Steps<'a> {
    pub(super) fn new(input: PlanInput<'a>) -> Self {
        Self { input, list: Vec::new(), uses: BTreeMap::new() }
    }

    pub(super) fn into_list(self) -> Vec<Step> {
        self.list
    }

    /// Adds the creation of a resource; an earlier run's lost call is sent again as it was.
    pub(super) fn create(
        &mut self,
        kind: &Kind,
        resource: &ResourceId,
        attributes: Attributes,
        reason: Reason,
        after: BTreeSet<StepId>,
    ) -> StepId {
        let pending =
            self.input.pending.get(resource).filter(|pending| pending.attributes_digest == digest(&attributes));
        let identity = self.input.identity;
        let (token, generation, reason) = match pending {
            Some(pending) => (pending.token.clone(), pending.generation, Reason::AnswerLost),
            None => (identity.token(resource, "create"), identity.generation, reason),
        };
        self.add(kind, resource, Action::Create { attributes, token, generation }, reason, after, kind.create)
    }

    /// Adds one update call.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the step, named at the only two call sites")]
    pub(super) fn update(
        &mut self,
        kind: &Kind,
        resource: &ResourceId,
        observed: Option<&Observed>,
        call: Call,
        attributes: Attributes,
        reason: Reason,
        after: BTreeSet<StepId>,
    ) -> StepId {
        let key =
            format!("{} {}", call.name, digest(&call.changes.iter().map(|change| &change.to).collect::<Vec<_>>()));
        let action = Action::Update {
            call: call.name.to_owned(),
            physical_id: observed.map(|observed| observed.physical_id.clone()),
            changes: call.changes,
            attributes,
            token: self.input.identity.token(resource, &key),
        };
        let id = self.add(kind, resource, action, reason, after, kind.update);
        if let Some(observed) = observed {
            self.uses.insert(id, texts(&observed.attributes));
        }
        id
    }

    /// Adds a deletion, after the calls that must come before it; [`Steps::order_deletions`] gives it its place.
    pub(super) fn delete(&mut self, kind: &Kind, resource: &ResourceId, observed: &Observed, reason: Reason) -> StepId {
        let (physical_id, attributes) = (observed.physical_id.clone(), observed.attributes.clone());
        let mut after = BTreeSet::new();
        let action = match observed.status {
            crate::Status::Deleting => Action::AwaitGone { physical_id, attributes },
            crate::Status::Ready
            | crate::Status::Pending { .. }
            | crate::Status::Failed { .. }
            | crate::Status::Degraded { .. } => {
                for call in diff::before_deletion(kind, observed) {
                    let (wanted, reason) = (observed.attributes.clone(), reason.clone());
                    after = BTreeSet::from([self.update(kind, resource, Some(observed), call, wanted, reason, after)]);
                }
                Action::Delete { physical_id, attributes }
            }
        };
        let id = self.add(kind, resource, action, reason, after, kind.delete);
        self.uses.insert(id, texts(&observed.attributes));
        id
    }

    /// Adds a wait for a resource that is on its way to being usable.
    pub(super) fn await_ready(
        &mut self,
        kind: &Kind,
        resource: &ResourceId,
        observed: &Observed,
        reason: Reason,
        after: BTreeSet<StepId>,
    ) -> StepId {
        let (physical_id, attributes) = (observed.physical_id.clone(), observed.attributes.clone());
        self.add(kind, resource, Action::AwaitReady { physical_id, attributes }, reason, after, kind.create)
    }

    /// Lets every deletion wait for the deletions that its kind names, for the removal of what lives inside the cluster, and for
    /// everything that still uses what it deletes.
    ///
    /// What itself waits for the deletion is left out: in a replacement the users move after the new one exists.
    pub(super) fn order_deletions(&mut self) {
        for deletion in 0..self.list.len() {
            let (Action::Delete { physical_id, .. } | Action::AwaitGone { physical_id, .. }) =
                &self.list[deletion].action
            else {
                continue;
            };
            let (id, resource) = (self.list[deletion].id, &self.list[deletion].resource);
            let named = self.input.kinds.get(resource.kind()).map_or(&[][..], |kind| kind.deleted_after);
            let is_before = |other: &&Step| {
                let is_deletion = matches!(other.action, Action::Delete { .. } | Action::AwaitGone { .. });
                let is_inside = other.resource.kind() == CONTENTS_KIND && resource.kind() != CONTENTS_KIND;
                let is_user = self.uses.get(&other.id).is_some_and(|used| used.contains(physical_id));
                (is_deletion && (is_inside || named.contains(&other.resource.kind())))
                    || (is_user && other.resource != *resource)
            };
            let before = self.list.iter().filter(is_before).map(|other| other.id);
            let before: Vec<StepId> = before.filter(|other| !self.waits_for(*other, id)).collect();
            self.list[deletion].depends_on.extend(before);
        }
    }

    /// Whether `step` waits for `other`, directly or through others.
    fn waits_for(&self, step: StepId, other: StepId) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![step];
        while let Some(next) = open.pop() {
            if next == other {
                return true;
            }
            if seen.insert(next) {
                open.extend(&self.list[next.0 as usize].depends_on);
            }
        }
        false
    }

    fn add(
        &mut self,
        kind: &Kind,
        resource: &ResourceId,
        action: Action,
        reason: Reason,
        depends_on: BTreeSet<StepId>,
        latency: Latency,
    ) -> StepId {
        // A plan of four thousand million steps does not fit into memory.
        let id = StepId(u32::try_from(self.list.len()).expect("fewer than 2^32 steps"));
        self.list.push(Step {
            id,
            resource: resource.clone(),
            action,
            reason,
            depends_on,
            lane: kind.lane(),
            create_safety: kind.create_safety,
            latency,
            deadline_secs: kind.deadline.as_secs(),
        });
        id
    }
}

/// All texts inside `attributes`.
fn texts(attributes: &Attributes) -> BTreeSet<String> {
    fn collect(value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Text(text) => {
                into.insert(text.clone());
            }
            Value::List(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Map(entries) => entries.values().for_each(|item| collect(item, into)),
            Value::Bool(_) | Value::Integer(_) | Value::Reference(_) => {}
        }
    }
    let mut found = BTreeSet::new();
    for value in attributes.values() {
        collect(value, &mut found);
    }
    found
}

/// The fields of all calls, for the report.
pub(super) fn changes_of(calls: &[Call]) -> Vec<FieldChange> {
    calls.iter().flat_map(|call| call.changes.iter().cloned()).collect()
}
