//! Compares what is wanted with what is there, field by field.

use std::collections::BTreeMap;

use crate::kind::{Carried, FieldRule, InPlace, Keys, Kind, Progression};
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
    /// Fields that the cloud does not report.
    pub(super) unverified: Vec<String>,
}

/// One update call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) changes: Vec<FieldChange>,
    pub(super) changes_outputs: &'static [&'static str],
}

/// Whether a reference that is still open will change or is merely not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenReferences {
    /// Something it refers to is made or changed by this plan.
    Change,
    /// It cannot be known from what was observed.
    Unknown,
}

/// Compares `desired`, in which known references are resolved, with `observed`.
pub(super) fn compare(
    kind: &Kind,
    desired: &Attributes,
    observed: &Attributes,
    open_references: &dyn Fn(&Value) -> OpenReferences,
) -> Difference {
    let mut difference = Difference::default();
    let mut calls: BTreeMap<usize, Call> = BTreeMap::new();
    for (position, (field, rule)) in kind.fields.iter().enumerate() {
        let Some(wanted) = desired.get(*field) else { continue };
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
        let change = FieldChange { field: (*field).to_owned(), from: present.cloned(), to: wanted.clone() };
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
            call_of(&mut calls, kind, position, rule.call, rule.changes_outputs).changes.push(change);
        }
    }
    calls.into_values().collect()
}

/// Returns the calls without which the resource cannot be deleted.
pub(super) fn before_deletion(kind: &Kind, observed: &Attributes) -> Vec<Call> {
    let mut calls = Vec::new();
    for (field, rule) in kind.fields {
        let FieldRule::InPlace(InPlace { before_delete: Some(needed), call, changes_outputs, .. }) = rule else {
            continue;
        };
        let Some(present) = observed.get(*field).and_then(Value::as_bool) else { continue };
        if present != *needed {
            let change =
                FieldChange { field: (*field).to_owned(), from: Some(Value::Bool(present)), to: Value::Bool(*needed) };
            calls.push(Call { name: call, changes: vec![change], changes_outputs });
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
    match rule.progression {
        Progression::Direct => {}
        Progression::MinorVersions => {
            match minor_versions(change.from.as_ref(), &change.to) {
                // Every version in between is a call of its own, one after the other.
                Some(versions) if !versions.is_empty() => {
                    let mut from = change.from;
                    for to in versions {
                        let changes = vec![FieldChange { field: change.field.clone(), from, to: to.clone() }];
                        difference.calls.push(Call { name: rule.call, changes, changes_outputs: rule.changes_outputs });
                        from = Some(to);
                    }
                }
                Some(_) => difference.backwards = Some(change),
                None => call_of(calls, kind, position, rule.call, rule.changes_outputs).changes.push(change),
            }
            return;
        }
    }
    let Some(remove_call) = rule.remove_call else {
        call_of(calls, kind, position, rule.call, rule.changes_outputs).changes.push(change);
        return;
    };
    let (adds, removes) = match (&change.from, &change.to) {
        (Some(Value::Map(from)), Value::Map(to)) => {
            (to.iter().any(|(key, value)| from.get(key) != Some(value)), from.keys().any(|key| !to.contains_key(key)))
        }
        _ => (true, false),
    };
    if adds {
        call_of(calls, kind, position, rule.call, rule.changes_outputs).changes.push(change.clone());
    }
    if removes {
        call_of(calls, kind, position, remove_call, rule.changes_outputs).changes.push(change);
    }
}

/// Returns the call named `name`, placed where the first field that uses it stands in the table; a removal follows the
/// addition of the same field.
fn call_of<'a>(
    calls: &'a mut BTreeMap<usize, Call>,
    kind: &Kind,
    position: usize,
    name: &'static str,
    changes_outputs: &'static [&'static str],
) -> &'a mut Call {
    let first = kind.fields.iter().position(|(_, rule)| matches!(rule, FieldRule::InPlace(rule) if rule.call == name));
    let place = first.map_or(2 * position + 1, |first| 2 * first);
    calls.entry(place).or_insert_with(|| Call { name, changes: Vec::new(), changes_outputs })
}

/// The versions after `from` up to `to`, `[]` when `to` lies before `from`, [`None`] when either is not a version.
fn minor_versions(from: Option<&Value>, to: &Value) -> Option<Vec<Value>> {
    let parse = |value: &Value| -> Option<(u32, u32)> {
        let (major, minor) = value.as_text()?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let ((from_major, from_minor), (to_major, to_minor)) = (parse(from?)?, parse(to)?);
    if from_major != to_major {
        return (from_major > to_major).then(Vec::new);
    }
    Some((from_minor + 1..=to_minor).map(|minor| Value::text(format!("{to_major}.{minor}"))).collect())
}
