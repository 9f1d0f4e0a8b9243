//! Decides about what is there and not, or no longer, wanted.

use crate::kind::Removal;
use crate::observation::{Observed, Status};
use crate::plan::diff;
use crate::plan::steps::{Steps, changes_of};
use crate::plan::{Change, Decision, PlanInput, Reason};
use crate::resource::ResourceId;

/// Decides about everything that is ours and not in the graph.
pub(super) fn decide_unwanted<'a>(input: PlanInput<'a>, steps: &mut Steps<'a>) -> Vec<Decision> {
    let unwanted = input.observation.resources.keys().filter(|id| input.graph.get(id).is_none());
    remove(input, steps, unwanted, &Reason::NotWanted)
}

/// Decides about everything that is ours.
pub(super) fn decide_removal<'a>(input: PlanInput<'a>, steps: &mut Steps<'a>) -> Vec<Decision> {
    remove(input, steps, input.observation.resources.keys(), &Reason::Removal)
}

fn remove<'a, 'b>(
    input: PlanInput<'a>,
    steps: &mut Steps<'a>,
    ids: impl Iterator<Item = &'b ResourceId>,
    reason: &Reason,
) -> Vec<Decision> {
    let ids: Vec<_> = ids.collect();
    let mut report = Vec::new();
    for id in &ids {
        let ours: Vec<&Observed> = input.observation.ours(id).collect();
        let Some(kind) = input.kinds.get(id.kind()).filter(|_| !ours.is_empty()) else { continue };
        let mut changes = Vec::new();
        let (change, reason) = if let Some(gap) = input.observation.gap(id.kind()) {
            (Change::Blocked, Reason::Gap { error: gap.error.clone() })
        } else if let Some(parent) = goes_with(kind.removal, &ids, &ours, input) {
            (Change::Delete, Reason::GoesWith { kind: parent.to_owned() })
        } else {
            for observed in ours {
                changes.extend(changes_of(&diff::before_deletion(kind, observed)));
                steps.delete(kind, id, observed, reason.clone());
            }
            (Change::Delete, reason.clone())
        };
        report.push(Decision { resource: (*id).clone(), change, reason, changes, unverified: Vec::new() });
    }
    report.extend(blind_spots(input, &report));
    report
}

/// The kind of the parent that takes these along, when every one of them has a parent among what is removed.
///
/// The parent is the resource of that kind whose identifier appears in the attributes.
fn goes_with(
    removal: Removal,
    removed: &[&ResourceId],
    ours: &[&Observed],
    input: PlanInput<'_>,
) -> Option<&'static str> {
    let Removal::With(parent_kind) = removal else { return None };
    let parents: Vec<&Observed> = removed
        .iter()
        .filter(|id| id.kind() == parent_kind)
        .flat_map(|id| input.observation.ours(id))
        .filter(|parent| !matches!(parent.status, Status::Deleting))
        .collect();
    let has_parent = |child: &&Observed| {
        parents
            .iter()
            .any(|parent| child.attributes.values().any(|value| value.as_text() == Some(parent.physical_id.as_str())))
    };
    ours.iter().all(has_parent).then_some(parent_kind)
}

/// A removal that could not read a kind must say so, also when nothing of that kind was seen.
fn blind_spots(input: PlanInput<'_>, report: &[Decision]) -> Vec<Decision> {
    if !input.graph.is_empty() {
        return Vec::new();
    }
    let mut spots = Vec::new();
    for gap in &input.observation.gaps {
        for kind in &gap.kinds {
            let reported = report.iter().any(|decision| decision.resource.kind() == kind && decision.reason.blocks());
            if !reported {
                spots.push(Decision {
                    resource: ResourceId::new(kind, "*"),
                    change: Change::Blocked,
                    reason: Reason::Gap { error: gap.error.clone() },
                    changes: Vec::new(),
                    unverified: Vec::new(),
                });
            }
        }
    }
    spots
}
