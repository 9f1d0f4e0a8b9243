//! Decides what happens to every wanted resource.

use std::collections::{BTreeMap, BTreeSet};

use crate::kind::{Kind, Removal};
use crate::observation::{Observed, Ownership, Status};
use crate::operation::FieldChange;
use crate::plan::diff::{self, Call, Difference, OpenReferences};
use crate::plan::steps::{Steps, changes_of};
use crate::plan::{Change, Decision, PlanInput, Reason, Replacement, StepId};
use crate::resource::{Resource, ResourceId};
use crate::value::{Attributes, Reference, Value, resolve_all};

/// What the plan has in store for a resource, as its dependents see it.
#[derive(Debug, Default)]
struct Fate {
    /// The steps after which it is as wanted.
    settled_by: BTreeSet<StepId>,
    /// What its outputs will do.
    outputs: Outputs,
    /// Whether something that should happen to it must not.
    blocked: bool,
}

/// What the outputs of a resource will do.
#[derive(Debug, Default)]
enum Outputs {
    /// Stay as observed.
    #[default]
    Stay,
    /// Some change: those that what refers to them has to follow, and those that it need not follow.
    Change { followed: BTreeSet<&'static str>, renewed: BTreeSet<&'static str> },
    /// All are new, because the resource is.
    New,
}

struct Decider<'a, 'b> {
    input: PlanInput<'a>,
    steps: &'b mut Steps<'a>,
    fates: BTreeMap<&'a ResourceId, Fate>,
}

/// Decides about every resource of the graph, dependencies first.
pub(super) fn decide_wanted<'a>(input: PlanInput<'a>, steps: &mut Steps<'a>) -> Vec<Decision> {
    let mut decider = Decider { input, steps, fates: BTreeMap::new() };
    let mut report = Vec::with_capacity(input.graph.len());
    for resource in input.graph.in_order() {
        let (mut fate, decision) = decider.decide(resource);
        // What has no step of its own is as wanted only when everything before it is: who waits for it waits for that.
        if fate.settled_by.is_empty() {
            fate.settled_by = decider.ready(resource);
        }
        decider.fates.insert(&resource.id, fate);
        report.push(decision);
    }
    report.sort_by(|left, right| left.resource.cmp(&right.resource));
    report
}

impl<'a> Decider<'a, '_> {
    /// The order of the questions is the order of their weight: may we touch it, does it exist, does it work, does it differ.
    fn decide(&mut self, resource: &'a Resource) -> (Fate, Decision) {
        // Every resource of a graph has a kind in the provider's table: checked by the provider's conformance test.
        let kind = self.input.kinds.get(resource.id.kind()).expect("the provider's kinds cover its graph");
        if let Some(reason) = self.obstacle(resource) {
            return blocked(resource, reason, Vec::new());
        }
        let attributes = resolve_all(&resource.attributes, &|reference| self.known(reference));
        let ours = self.input.observation.preferred(&resource.id);
        let Some((kept, duplicates)) = ours.split_first() else {
            return self.create(kind, resource, &attributes, Reason::Missing);
        };
        for duplicate in duplicates {
            let reason = Reason::Duplicate { kept: kept.physical_id.clone() };
            self.steps.delete(kind, &resource.id, duplicate, reason);
        }
        if let Some(parent) = self.replaced_parent(kind, resource) {
            return self.create(kind, resource, &attributes, Reason::ParentReplaced { parent });
        }
        match &kept.status {
            Status::Deleting => self.replace(kind, resource, kept, &attributes, Reason::StillDeleting, Vec::new()),
            Status::Failed { reason } => {
                let reason = Reason::CreationFailed { reason: reason.clone() };
                self.replace(kind, resource, kept, &attributes, reason, Vec::new())
            }
            Status::Ready | Status::Pending { .. } | Status::Degraded { .. } => {
                self.reconcile(kind, resource, kept, &attributes)
            }
        }
    }

    /// What keeps this resource from being touched at all.
    fn obstacle(&self, resource: &Resource) -> Option<Reason> {
        let blocked = resource.depends_on.iter().find(|id| self.fates.get(id).is_some_and(|fate| fate.blocked));
        if let Some(dependency) = blocked {
            return Some(Reason::DependencyBlocked { dependency: dependency.clone() });
        }
        if let Some(gap) = self.input.observation.gap(resource.id.kind()) {
            return Some(Reason::Gap { error: gap.error.clone() });
        }
        if self.input.observation.one(&resource.id).is_some() {
            return None;
        }
        let stranger = self.input.observation.resources.get(&resource.id).and_then(|found| found.first())?;
        let evidence = match &stranger.ownership {
            Ownership::Foreign { evidence } => evidence.clone(),
            Ownership::Unclaimed | Ownership::Ours { .. } => "it carries no tag of this deployment".to_owned(),
        };
        Some(Reason::Foreign { evidence, physical_id: stranger.physical_id.clone() })
    }

    fn create(
        &mut self,
        kind: &Kind,
        resource: &Resource,
        attributes: &Attributes,
        reason: Reason,
    ) -> (Fate, Decision) {
        let created = self.steps.create(kind, &resource.id, attributes.clone(), reason.clone(), self.ready(resource));
        let fate = Fate {
            settled_by: self.follow_creation(kind, resource, attributes, created),
            outputs: Outputs::New,
            blocked: false,
        };
        (fate, decision(resource, Change::Create, reason, Vec::new(), Vec::new()))
    }

    fn replace(
        &mut self,
        kind: &Kind,
        resource: &Resource,
        observed: &Observed,
        attributes: &Attributes,
        reason: Reason,
        changes: Vec<FieldChange>,
    ) -> (Fate, Decision) {
        let deleted = self.steps.delete(kind, &resource.id, observed, reason.clone());
        let mut after = self.ready(resource);
        after.insert(deleted);
        let created = self.steps.create(kind, &resource.id, attributes.clone(), reason.clone(), after);
        let fate = Fate {
            settled_by: self.follow_creation(kind, resource, attributes, created),
            outputs: Outputs::New,
            blocked: false,
        };
        (fate, decision(resource, Change::Replace, reason, changes, Vec::new()))
    }

    /// Adds the calls for what the create call cannot carry, and returns the steps after which the resource is as wanted.
    fn follow_creation(
        &mut self,
        kind: &Kind,
        resource: &Resource,
        attributes: &Attributes,
        created: StepId,
    ) -> BTreeSet<StepId> {
        let mut settled_by = BTreeSet::from([created]);
        for call in diff::after_creation(kind, attributes) {
            let after = BTreeSet::from([created]);
            let step =
                self.steps.update(kind, &resource.id, None, call, attributes.clone(), Reason::FollowsCreation, after);
            settled_by.insert(step);
        }
        settled_by
    }

    fn reconcile(
        &mut self,
        kind: &Kind,
        resource: &Resource,
        observed: &Observed,
        attributes: &Attributes,
    ) -> (Fate, Decision) {
        let at_present = resolve_all(attributes, &|reference| self.renewed(reference));
        let open_references = |value: &Value| self.open_references(value);
        let difference = diff::compare(kind, attributes, &at_present, &observed.attributes, &open_references);
        if let Some(reason) = self.refusal(&difference) {
            let skipping = difference.skipping.map(|(change, _)| change);
            let changes = difference.immutable.into_iter().chain(difference.replacing);
            return blocked(resource, reason, changes.chain(difference.backwards).chain(skipping).collect());
        }
        if !difference.replacing.is_empty() {
            let reason = Reason::CannotChangeInPlace { fields: fields(&difference.replacing) };
            return self.replace(kind, resource, observed, attributes, reason, difference.replacing);
        }
        let mut after = self.ready(resource);
        let mut fate = Fate::default();
        let waiting = if let Status::Pending { state } = &observed.status {
            let reason = Reason::StillPending { state: state.clone() };
            let step = self.steps.await_ready(kind, &resource.id, observed, reason.clone(), after.clone());
            after.insert(step);
            fate.settled_by.insert(step);
            Some(reason)
        } else {
            None
        };
        let changes = changes_of(&difference.calls);
        let (change, reason) = match (&waiting, changes.first(), &observed.status) {
            (_, Some(_), _) => (Change::Update, update_reason(&changes)),
            (Some(reason), None, _) => (Change::Wait, reason.clone()),
            (None, None, Status::Degraded { reason }) => (Change::None, Reason::Degraded { reason: reason.clone() }),
            (None, None, Status::Ready | Status::Pending { .. } | Status::Deleting | Status::Failed { .. }) => {
                (Change::None, Reason::AsWanted)
            }
        };
        self.update(kind, resource, observed, attributes, difference.calls, after, &mut fate);
        (fate, decision(resource, change, reason, changes, difference.unverified))
    }

    /// Adds the update calls one after the other: services take one change of a resource at a time.
    #[expect(clippy::too_many_arguments, reason = "the arguments are the whole situation of one resource, used once")]
    fn update(
        &mut self,
        kind: &Kind,
        resource: &Resource,
        observed: &Observed,
        attributes: &Attributes,
        calls: Vec<Call>,
        mut after: BTreeSet<StepId>,
        fate: &mut Fate,
    ) {
        let (mut followed, mut renewed) = (BTreeSet::new(), BTreeSet::new());
        for call in calls {
            followed.extend(&call.changes_outputs);
            renewed.extend(&call.renews_outputs);
            let reason = update_reason(&call.changes);
            let step =
                self.steps.update(kind, &resource.id, Some(observed), call, attributes.clone(), reason, after.clone());
            after.insert(step);
            fate.settled_by.insert(step);
        }
        if !(followed.is_empty() && renewed.is_empty()) {
            fate.outputs = Outputs::Change { followed, renewed };
        }
    }

    /// Why a difference must not be reconciled.
    fn refusal(&self, difference: &Difference) -> Option<Reason> {
        if let Some(change) = difference.immutable.first() {
            return Some(Reason::ImmutableField { field: change.field.clone() });
        }
        if let Some(change) = &difference.backwards {
            let from = change.from.as_ref().map(ToString::to_string).unwrap_or_default();
            return Some(Reason::VersionGoesBack { from, to: change.to.to_string() });
        }
        if let Some((change, next)) = &difference.skipping {
            let from = change.from.as_ref().map(ToString::to_string).unwrap_or_default();
            return Some(Reason::VersionSkips { from, to: change.to.to_string(), next: next.clone() });
        }
        if !difference.replacing.is_empty() && self.input.replacement == Replacement::Refused {
            return Some(Reason::ReplacementNotAllowed { fields: fields(&difference.replacing) });
        }
        None
    }

    /// The steps after which everything that `resource` depends on is as wanted.
    fn ready(&self, resource: &Resource) -> BTreeSet<StepId> {
        resource
            .depends_on
            .iter()
            .filter_map(|id| self.fates.get(id))
            .flat_map(|fate| fate.settled_by.clone())
            .collect()
    }

    /// The value of an output that exists and stays.
    fn known(&self, reference: &Reference) -> Option<Value> {
        match self.fates.get(&reference.resource).map(|fate| &fate.outputs) {
            Some(Outputs::New) => return None,
            Some(Outputs::Change { followed, renewed }) => {
                let output = reference.output.as_str();
                if followed.contains(output) || renewed.contains(output) {
                    return None;
                }
            }
            Some(Outputs::Stay) | None => {}
        }
        self.observed_output(reference)
    }

    /// The present value of an output that changes without a need for others to follow.
    fn renewed(&self, reference: &Reference) -> Option<Value> {
        match self.fates.get(&reference.resource).map(|fate| &fate.outputs) {
            Some(Outputs::Change { followed, .. }) if !followed.contains(reference.output.as_str()) => {
                self.observed_output(reference)
            }
            Some(Outputs::Change { .. } | Outputs::New | Outputs::Stay) | None => None,
        }
    }

    fn observed_output(&self, reference: &Reference) -> Option<Value> {
        self.input.observation.one(&reference.resource)?.outputs.get(&reference.output).cloned()
    }

    /// Whether the references left in `value` will change, or merely cannot be known.
    fn open_references(&self, value: &Value) -> OpenReferences {
        let mut changes = false;
        value.for_each_reference(&mut |reference| {
            changes |= match self.fates.get(&reference.resource).map(|fate| &fate.outputs) {
                Some(Outputs::New) => true,
                Some(Outputs::Change { followed, .. }) => followed.contains(reference.output.as_str()),
                Some(Outputs::Stay) | None => false,
            };
        });
        if changes { OpenReferences::Change } else { OpenReferences::Unknown }
    }

    /// The resource with which this one disappears, when that one is made again.
    fn replaced_parent(&self, kind: &Kind, resource: &Resource) -> Option<ResourceId> {
        let Removal::With(parent_kind) = kind.removal else { return None };
        let is_new = |id: &&ResourceId| {
            id.kind() == parent_kind && self.fates.get(id).is_some_and(|fate| matches!(fate.outputs, Outputs::New))
        };
        resource.depends_on.iter().find(is_new).cloned()
    }
}

fn blocked(resource: &Resource, reason: Reason, changes: Vec<FieldChange>) -> (Fate, Decision) {
    let fate = Fate { blocked: true, ..Fate::default() };
    (fate, decision(resource, Change::Blocked, reason, changes, Vec::new()))
}

fn decision(
    resource: &Resource,
    change: Change,
    reason: Reason,
    changes: Vec<FieldChange>,
    unverified: Vec<String>,
) -> Decision {
    Decision { resource: resource.id.clone(), change, reason, changes, unverified }
}

fn update_reason(changes: &[FieldChange]) -> Reason {
    if changes.iter().all(|change| change.to.has_references()) { Reason::ReferenceChanges } else { Reason::Differs }
}

fn fields(changes: &[FieldChange]) -> Vec<String> {
    changes.iter().map(|change| change.field.clone()).collect()
}
