//! Compares what is wanted with what is there, field by field.

use std::collections::{BTreeMap, BTreeSet};

use crate::kind::{Carried, FieldRule, InPlace, Keys, Kind, Progression};
use crate::observation::{Observed, Status};
use crate::operation::FieldChange;
use crate::value::{Attributes, Value};

/// The differences of one resource.
#[derive(Debug, Default)]
pub(super) struct Difference {
    /// Changes on the living resource, one entry for each call, in the order of the kind's table.
    pub(super) calls: Vec<Call>,
    /// Fields that only a replacement can change.
    pub(super) replacing: Vec<FieldChange>,
    /// Fields that nothing can change.
    pub(super) immutable: Vec<FieldChange>,
    /// A version that would have to go back.
    pub(super) backwards: Option<FieldChange>,
    /// A version that would have to skip others, and the one that comes next.
    pub(super) skipping: Option<(FieldChange, String)>,
    /// Fields that the cloud does not report.
    pub(super) unverified: Vec<String>,
}

/// One update call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) changes: Vec<FieldChange>,
    /// Outputs that what refers to them has to follow.
    pub(super) changes_outputs: BTreeSet<&'static str>,
    /// Outputs that change without that.
    pub(super) renews_outputs: BTreeSet<&'static str>,
}

impl Call {
    fn new(name: &'static str) -> Self {
        Self { name, changes: Vec::new(), changes_outputs: BTreeSet::new(), renews_outputs: BTreeSet::new() }
    }

    fn add(&mut self, rule: InPlace, change: FieldChange) {
        self.changes.push(change);
        self.changes_outputs.extend(rule.changes_outputs);
        self.renews_outputs.extend(rule.renews_outputs);
    }
}

/// Whether a reference that is still open will change or is merely not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenReferences {
    /// Something it refers to is made or changed by this plan.
    Change,
    /// It cannot be known from what was observed.
    Unknown,
}

/// Compares `desired`, in which known references are resolved, with `observed`. `at_present` is the same with the references
/// whose renewal is no difference resolved to the value that they have now.
pub(super) fn compare(
    kind: &Kind,
    desired: &Attributes,
    at_present: &Attributes,
    observed: &Attributes,
    open_references: &dyn Fn(&Value) -> OpenReferences,
) -> Difference {
    let mut difference = Difference::default();
    let mut calls: BTreeMap<usize, Call> = BTreeMap::new();
    for (position, (field, rule)) in kind.fields.iter().enumerate() {
        let (Some(to), Some(wanted)) = (desired.get(*field), at_present.get(*field)) else { continue };
        if *rule == FieldRule::Ignore {
            continue;
        }
        let present = observed.get(*field);
        if wanted.has_references() {
            if open_references(wanted) == OpenReferences::Unknown {
                difference.unverified.push((*field).to_owned());
                continue;
            }
        } else {
            let Some(present) = present else {
                difference.unverified.push((*field).to_owned());
                continue;
            };
            if is_equal(*rule, wanted, present) {
                continue;
            }
        }
        let change = FieldChange { field: (*field).to_owned(), from: present.cloned(), to: to.clone() };
        match rule {
            FieldRule::InPlace(rule) => add_call(&mut difference, &mut calls, kind, position, *rule, change),
            FieldRule::Replace => difference.replacing.push(change),
            FieldRule::Immutable => difference.immutable.push(change),
            FieldRule::Ignore => {}
        }
    }
    difference.calls.extend(calls.into_values());
    difference
}

/// Returns the calls that must follow a creation, because the create call cannot carry their fields.
pub(super) fn after_creation(kind: &Kind, desired: &Attributes) -> Vec<Call> {
    let mut calls: BTreeMap<usize, Call> = BTreeMap::new();
    for (position, (field, rule)) in kind.fields.iter().enumerate() {
        let FieldRule::InPlace(rule) = rule else { continue };
        if rule.carried == Carried::ByCreate {
            continue;
        }
        if let Some(wanted) = desired.get(*field) {
            let change = FieldChange { field: (*field).to_owned(), from: None, to: wanted.clone() };
            call_of(&mut calls, kind, position, rule.call).add(*rule, change);
        }
    }
    calls.into_values().collect()
}

/// Returns the calls without which the resource cannot be deleted. One that has failed takes no change and needs none.
pub(super) fn before_deletion(kind: &Kind, observed: &Observed) -> Vec<Call> {
    let mut calls = Vec::new();
    if matches!(observed.status, Status::Failed { .. } | Status::Deleting) {
        return calls;
    }
    for (field, rule) in kind.fields {
        let FieldRule::InPlace(rule) = rule else { continue };
        let Some(needed) = rule.before_delete else { continue };
        let Some(present) = observed.attributes.get(*field).and_then(Value::as_bool) else { continue };
        if present != needed {
            let (from, to) = (Some(Value::Bool(present)), Value::Bool(needed));
            let mut call = Call::new(rule.call);
            call.add(*rule, FieldChange { field: (*field).to_owned(), from, to });
            calls.push(call);
        }
    }
    calls
}

fn is_equal(rule: FieldRule, wanted: &Value, present: &Value) -> bool {
    match (rule, wanted, present) {
        (FieldRule::InPlace(InPlace { keys: Keys::Declared, .. }), Value::Map(wanted), Value::Map(present)) => {
            wanted.iter().all(|(key, value)| present.get(key) == Some(value))
        }
        _ => wanted == present,
    }
}

fn add_call(
    difference: &mut Difference,
    calls: &mut BTreeMap<usize, Call>,
    kind: &Kind,
    position: usize,
    rule: InPlace,
    change: FieldChange,
) {
    match (rule.progression, way(change.from.as_ref(), &change.to)) {
        (Progression::MinorVersions | Progression::Forward, Some(Way::Back)) => {
            difference.backwards = Some(change);
            return;
        }
        (Progression::MinorVersions, Some(Way::Over { next })) => {
            difference.skipping = Some((change, next));
            return;
        }
        (Progression::MinorVersions | Progression::Forward, Some(Way::Next | Way::Over { .. }) | None)
        | (Progression::Direct, _) => {}
    }
    let Some(remove_call) = rule.remove_call else {
        call_of(calls, kind, position, rule.call).add(rule, change);
        return;
    };
    let (adds, removes) = match (&change.from, &change.to) {
        (Some(Value::Map(from)), Value::Map(to)) => {
            (to.iter().any(|(key, value)| from.get(key) != Some(value)), from.keys().any(|key| !to.contains_key(key)))
        }
        _ => (true, false),
    };
    if adds {
        call_of(calls, kind, position, rule.call).add(rule, change.clone());
    }
    if removes {
        call_of(calls, kind, position, remove_call).add(rule, change);
    }
}

/// Returns the call named `name`, placed where the first field that uses it stands in the table; a removal follows the
/// addition of the same field.
fn call_of<'a>(calls: &'a mut BTreeMap<usize, Call>, kind: &Kind, position: usize, name: &'static str) -> &'a mut Call {
    let first = kind.fields.iter().position(|(_, rule)| matches!(rule, FieldRule::InPlace(rule) if rule.call == name));
    let place = first.map_or(2 * position + 1, |first| 2 * first);
    calls.entry(place).or_insert_with(|| Call::new(name))
}

/// The way from one Kubernetes version to another.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// To an older one.
    Back,
    /// To the next minor version.
    Next,
    /// Over others, the first of which is `next`.
    Over { next: String },
}

/// The way from one version to another; [`None`] when either is not a version.
fn way(from: Option<&Value>, to: &Value) -> Option<Way> {
    let parse = |value: &Value| -> Option<(u32, u32)> {
        let (major, minor) = value.as_text()?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let (from, to) = (parse(from?)?, parse(to)?);
    let next = (from.0, from.1 + 1);
    Some(match to {
        to if to <= from => Way::Back,
        to if to == next => Way::Next,
        _ => Way::Over { next: format!("{}.{}", next.0, next.1) },
    })
}
