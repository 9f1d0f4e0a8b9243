//! Makes one mutating call.

use howso_infra_core::inside::CONTENTS_KIND;
use howso_infra_core::{Attributes, ErrorKind, Operation, OperationVerb, Ownership, ProviderError, Submitted, Work};
use kube::core::Request;
use kube::core::params::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy, ValidationDirective};
use serde_json::Value as Json;

use crate::backend::KubernetesBackend;
use crate::errors::Call;
use crate::kinds::{APPLY, CHECK};
use crate::manifest::{self, UID};
use crate::object::ObjectKind;
use crate::owned_fields::FIELD_MANAGER;
use crate::{contents, list, objects, ownership};

/// A version that no object can have: etcd counts from 1, which is the empty store. An application that names it makes the object
/// or is refused, and never touches one that is there.
const NO_VERSION: &str = "1";

pub(crate) async fn submit(backend: &KubernetesBackend, operation: &Operation) -> Result<Submitted, ProviderError> {
    let id = &operation.resource;
    match &operation.work {
        // Nothing is sent: what is created is the certainty, by polls.
        Work::Create { attributes } | Work::Update { attributes, .. } if matches!(id.kind(), CHECK | CONTENTS_KIND) => {
            Ok(Submitted::accepted(operation, id.to_string(), attributes.clone()))
        }
        Work::Delete { physical_id, attributes } if id.kind() == CONTENTS_KIND => {
            contents::clear(backend).await?;
            Ok(Submitted::accepted(operation, physical_id, attributes.clone()))
        }
        Work::Delete { physical_id, .. } if id.kind() == CHECK => Ok(Submitted::settled(physical_id)),
        work => {
            let object = ObjectKind::of(id).ok_or_else(|| bug(operation, "the kind is not known"))?;
            match work {
                Work::Create { attributes } => create(backend, operation, object, attributes).await,
                Work::Update { call, attributes, .. } if call == APPLY => {
                    update(backend, operation, object, attributes).await
                }
                Work::Update { call, .. } => Err(bug(operation, &format!("the call `{call}` is not known"))),
                Work::Delete { physical_id, attributes } => {
                    delete(backend, operation, object, physical_id, attributes).await
                }
            }
        }
    }
}

fn bug(operation: &Operation, message: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Bug, format!("kubernetes: {}", operation.resource), message)
        .with_hint("please report it")
}

async fn create(
    backend: &KubernetesBackend,
    operation: &Operation,
    object: ObjectKind,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let mut wanted = manifest::to_send(object, attributes, &operation.identity, &operation.resource);
    wanted["metadata"]["resourceVersion"] = NO_VERSION.into();
    apply(backend, operation, object, &wanted, false).await
}

/// Applies over what others changed: the fields are ours by the object's labels, which are read right before. What others wrote in
/// fields that we do not have stays.
async fn update(
    backend: &KubernetesBackend,
    operation: &Operation,
    object: ObjectKind,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let path = objects::path_of(object, attributes).ok_or_else(|| bug(operation, "the object has no name"))?;
    let reading = Call::mutation(OperationVerb::Update, object.action("get"));
    let Some(live) = list::one(&backend.api, &Call::read(object.action("get")), &path).await? else {
        return Err(reading.error(ErrorKind::Gone, format!("{path} does not exist any more")));
    };
    if let Some(owner) = stranger(backend, operation, &live) {
        let message = format!("{path} is not ours any more: {owner}");
        return Err(reading
            .error(ErrorKind::Conflict { owner }, message)
            .with_hint("remove it if it is yours, then run the command again"));
    }
    let mut identity = operation.identity.clone();
    identity.generation = ownership::generation(&live).unwrap_or(identity.generation);
    let mut wanted = manifest::to_send(object, attributes, &identity, &operation.resource);
    // Whatever is written in between is looked at again first.
    wanted["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
    apply(backend, operation, object, &wanted, true).await
}

/// Why an object that is there is not ours to change.
fn stranger(backend: &KubernetesBackend, operation: &Operation, live: &Json) -> Option<String> {
    match ownership::of(live, &backend.cluster, Some(&operation.identity.deployment)) {
        Ownership::Ours { .. } => None,
        Ownership::Foreign { evidence } => Some(evidence),
        Ownership::Unclaimed => Some("it carries no label of this deployment".to_owned()),
    }
}

async fn apply(
    backend: &KubernetesBackend,
    operation: &Operation,
    object: ObjectKind,
    wanted: &Json,
    force: bool,
) -> Result<Submitted, ProviderError> {
    let call = Call::mutation(operation.work.verb(), object.action("patch"));
    let params = PatchParams {
        force,
        field_manager: Some(FIELD_MANAGER.to_owned()),
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let text = |field: &str| wanted["metadata"][field].as_str();
    let name = text("name").unwrap_or_default();
    let request = Request::new(object.collection(text("namespace"))).patch(name, &params, &Patch::Apply(wanted));
    backend.api.send(&call, request.map_err(|error| list::bug(&call, &error))?).await?;
    Ok(Submitted::settled(object.path(text("namespace"), name)))
}

/// Deletes the very object that was seen, and none that has taken its name since.
async fn delete(
    backend: &KubernetesBackend,
    operation: &Operation,
    object: ObjectKind,
    path: &str,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = Call::mutation(OperationVerb::Delete, object.action("delete"));
    let uid = attributes.get(UID).and_then(howso_infra_core::Value::as_text);
    let answer = send_delete(backend, &call, path, uid).await?;
    // An object that others still have to let go of comes back with its end in it.
    if answer["kind"] == "Status" {
        return Ok(Submitted::settled(path));
    }
    Ok(Submitted::accepted(operation, path, attributes.clone()))
}

/// Makes an object of `collection`, unless one of its name is there.
pub(crate) async fn create_or_keep(
    backend: &KubernetesBackend,
    call: &Call,
    collection: String,
    object: &Json,
) -> Result<(), ProviderError> {
    let body = serde_json::to_vec(object).map_err(|error| list::bug(call, &error))?;
    let request = http::Request::post(collection).header("content-type", "application/json").body(body);
    match backend.api.send(call, request.map_err(|error| list::bug(call, &error))?).await {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind, ErrorKind::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Sends one deletion.
pub(crate) async fn send_delete(
    backend: &KubernetesBackend,
    call: &Call,
    path: &str,
    uid: Option<&str>,
) -> Result<Json, ProviderError> {
    let (collection, name) = path.rsplit_once('/').unwrap_or_default();
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions { uid: uid.map(str::to_owned), resource_version: None }),
        ..DeleteParams::default()
    };
    let request = Request::new(collection).delete(name, &params).map_err(|error| list::bug(call, &error))?;
    Ok(backend.api.send(call, request).await?.body)
}
