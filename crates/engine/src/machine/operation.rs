//! Turns the action of a step into a call with everything it needs.

use std::collections::BTreeMap;

use howso_infra_core::error::ProviderError;
use howso_infra_core::plan::Action;
use howso_infra_core::value::resolve_all;
use howso_infra_core::{
    Attributes, ClusterIdentity, ErrorKind, FieldChange, Operation, Reference, ResourceId, Step, Ticket, Value, Work,
};

use super::name_of;

/// What is known when a step starts.
pub(super) struct Known<'a> {
    pub(super) identity: &'a ClusterIdentity,
    pub(super) outputs: &'a BTreeMap<ResourceId, Attributes>,
    pub(super) physical_ids: &'a BTreeMap<ResourceId, String>,
}

/// What a step begins with.
#[derive(Debug)]
pub(super) enum Beginning {
    /// A mutating call.
    Call(Operation),
    /// A poll: somebody sent the call before.
    Wait(Ticket),
}

/// Makes the call of a step. Everything it refers to must exist by now.
pub(super) fn begin(step: &Step, known: &Known<'_>) -> Result<Beginning, ProviderError> {
    let resource = step.resource.clone();
    let mut identity = known.identity.clone();
    let (work, token) = match &step.action {
        Action::Create { attributes, token, generation } => {
            identity.generation = *generation;
            (Work::Create { attributes: known.attributes(step, attributes)? }, token.clone())
        }
        Action::Update { call, physical_id, changes, attributes, token } => {
            let physical_id = match physical_id.as_ref().or_else(|| known.physical_ids.get(&resource)) {
                Some(physical_id) => physical_id.clone(),
                None => return Err(bug(step, &format!("{resource} should exist by now, but has no identifier"))),
            };
            let changes = changes.iter().map(|change| known.change(step, change)).collect::<Result<_, _>>()?;
            let attributes = known.attributes(step, attributes)?;
            (Work::Update { physical_id, call: call.clone(), changes, attributes }, token.clone())
        }
        Action::Delete { physical_id, attributes } => {
            return Ok(Beginning::Call(delete(known.identity, &resource, physical_id, attributes)));
        }
        Action::AwaitReady { physical_id, attributes } | Action::AwaitGone { physical_id, attributes } => {
            let (verb, physical_id) = (step.action.verb(), physical_id.clone());
            return Ok(Beginning::Wait(Ticket { resource, verb, physical_id, context: attributes.clone() }));
        }
    };
    Ok(Beginning::Call(Operation { resource, work, token, identity }))
}

/// Makes the call that deletes one resource.
pub(super) fn delete(
    identity: &ClusterIdentity,
    resource: &ResourceId,
    physical_id: &str,
    attributes: &Attributes,
) -> Operation {
    let token = identity.token(resource, &format!("delete {physical_id}"));
    let work = Work::Delete { physical_id: physical_id.to_owned(), attributes: attributes.clone() };
    Operation { resource: resource.clone(), work, token, identity: identity.clone() }
}

/// An error for what cannot happen.
pub(super) fn bug(step: &Step, message: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Bug, name_of(step.action.verb(), &step.resource), message)
}

impl Known<'_> {
    fn attributes(&self, step: &Step, attributes: &Attributes) -> Result<Attributes, ProviderError> {
        let resolved = resolve_all(attributes, &|reference| self.output(reference));
        resolved.values().try_for_each(|value| check(step, value))?;
        Ok(resolved)
    }

    fn change(&self, step: &Step, change: &FieldChange) -> Result<FieldChange, ProviderError> {
        let to = change.to.resolve(&|reference| self.output(reference));
        check(step, &to)?;
        Ok(FieldChange { to, ..change.clone() })
    }

    fn output(&self, reference: &Reference) -> Option<Value> {
        self.outputs.get(&reference.resource)?.get(&reference.output).cloned()
    }
}

/// Checks that no reference is left.
fn check(step: &Step, value: &Value) -> Result<(), ProviderError> {
    let mut missing = None;
    value.for_each_reference(&mut |reference| missing = Some(reference.clone()));
    match missing {
        None => Ok(()),
        Some(Reference { resource, output }) => {
            Err(bug(step, &format!("it needs the output `{output}` of {resource}, which is not known")))
        }
    }
}
