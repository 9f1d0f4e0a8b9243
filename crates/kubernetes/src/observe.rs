//! Reads what is there: by label, and by name.

use futures::future::join_all;
use howso_infra_core::identity::CLUSTER_TAG;
use howso_infra_core::inside::CONTENTS_KIND;
use howso_infra_core::{
    Attributes, DeploymentId, Gap, Observation, Observed, Ownership, ProviderError, ResourceId, ScopeKinds, Status,
};
use serde_json::Value as Json;

use crate::backend::KubernetesBackend;
use crate::errors::Call;
use crate::graph::contents_id;
use crate::kinds::{CHECK, STORAGE_CLASS};
use crate::object::{OBJECT_KINDS, ObjectKind};
use crate::transport::Session;
use crate::{checks, kinds, list, manifest, objects, ownership};

/// Reads everything but the checks, which depend on the graph. While there is no control plane, nothing is there; while it does
/// not answer, nothing is known.
pub(crate) async fn observe(
    backend: &KubernetesBackend,
    deployment: Option<&DeploymentId>,
    kinds: &ScopeKinds,
) -> Observation {
    match reachable(backend).await {
        Ok(None) => Observation::default(),
        Ok(Some(session)) => objects_of(backend, &session, deployment, kinds).await,
        Err(error) => gap(kinds::table().iter().map(|kind| kind.name), error),
    }
}

fn gap<'a>(kinds: impl Iterator<Item = &'a str>, error: ProviderError) -> Observation {
    let gap = Gap { kinds: kinds.map(str::to_owned).collect(), error };
    Observation { gaps: vec![gap], ..Observation::default() }
}

/// The session of an API that answers.
pub(crate) async fn reachable(backend: &KubernetesBackend) -> Result<Option<Session>, ProviderError> {
    // Since the last look the cluster may have gone.
    backend.api.forget().await;
    if backend.api.session().await?.is_none() {
        return Ok(None);
    }
    list::one(&backend.api, &Call::read("get /readyz"), "/readyz").await?;
    backend.api.session().await
}

async fn objects_of(
    backend: &KubernetesBackend,
    session: &Session,
    deployment: Option<&DeploymentId>,
    kinds: &ScopeKinds,
) -> Observation {
    let mut observation = Observation::default();
    let contents = contents(session, deployment);
    if kinds.includes(&[CONTENTS_KIND]) {
        observation.insert(contents_id(), contents.clone());
    }
    if !contents.is_ours() {
        return observation;
    }
    let wanted = OBJECT_KINDS.into_iter().filter(|object| kinds.includes(&[object.kind]));
    let reads = wanted.map(|object| async move { (object, read_all(backend, object).await) });
    for (object, read) in join_all(reads).await {
        match read {
            Ok(found) => {
                for live in found {
                    let (id, observed) = observed(backend, object, &live, &contents.physical_id, deployment);
                    observation.insert(id, observed);
                }
            }
            Err(error) => observation.merge(gap([object.kind].into_iter(), error)),
        }
    }
    observation
}

/// The cluster itself, seen from inside.
pub(crate) fn contents(session: &Session, deployment: Option<&DeploymentId>) -> Observed {
    let ownership = match &session.owner {
        Ownership::Ours { deployment: owner, .. } if deployment.is_some_and(|wanted| wanted != owner) => {
            Ownership::Foreign { evidence: format!("the cluster is that of deployment {owner}") }
        }
        owner => owner.clone(),
    };
    Observed {
        physical_id: format!("contents of {}", session.server),
        ownership,
        status: Status::Ready,
        attributes: Attributes::new(),
        outputs: Attributes::new(),
    }
}

/// Everything of one kind that carries the label of the cluster or has a name of ours.
async fn read_all(backend: &KubernetesBackend, object: ObjectKind) -> Result<Vec<Json>, ProviderError> {
    let listing = Call::read(object.action("list"));
    if object.kind == STORAGE_CLASS {
        // There are few, their names are the platform's, and which one is the default concerns all of them.
        return list::all(&backend.api, &listing, &object.collection(None), None).await;
    }
    let selector = format!("{CLUSTER_TAG}={}", backend.cluster);
    let mut found = list::all(&backend.api, &listing, &object.collection(None), Some(&selector)).await?;
    let seen = |found: &[Json], path: &str| found.iter().any(|live| path_of(object, live).as_deref() == Some(path));
    for (_, namespace, name) in objects::known_names().into_iter().filter(|(kind, _, _)| *kind == object.kind) {
        let path = object.path(namespace, name);
        if !seen(&found, &path) {
            found.extend(list::one(&backend.api, &Call::read(object.action("get")), &path).await?);
        }
    }
    Ok(found)
}

fn path_of(object: ObjectKind, live: &Json) -> Option<String> {
    let text = |pointer: &str| live.pointer(pointer).and_then(Json::as_str);
    Some(object.path(text("/metadata/namespace"), text("/metadata/name")?))
}

fn observed(
    backend: &KubernetesBackend,
    object: ObjectKind,
    live: &Json,
    contents: &str,
    deployment: Option<&DeploymentId>,
) -> (ResourceId, Observed) {
    let name = live.pointer("/metadata/name").and_then(Json::as_str).unwrap_or_default();
    let named = || ResourceId::new(object.kind, name);
    let ownership = ownership::of(live, &backend.cluster, deployment);
    // An annotation is believed only beside our labels: everybody may write one.
    let is_ours = matches!(ownership, Ownership::Ours { .. });
    let told = ownership::resource(live).filter(|id| is_ours && id.kind() == object.kind);
    let is_leaving = live.pointer("/metadata/deletionTimestamp").is_some();
    let observed = Observed {
        physical_id: path_of(object, live).unwrap_or_default(),
        ownership,
        status: if is_leaving { Status::Deleting } else { Status::Ready },
        attributes: manifest::observed(object, live, contents),
        outputs: Attributes::new(),
    };
    (told.unwrap_or_else(named), observed)
}

/// Reads one resource.
pub(crate) async fn observe_one(
    backend: &KubernetesBackend,
    id: &ResourceId,
    deployment: &DeploymentId,
    attributes: &Attributes,
) -> Result<Observation, ProviderError> {
    let mut observation = Observation::default();
    let Some(session) = reachable(backend).await? else { return Ok(observation) };
    let contents = contents(&session, Some(deployment));
    if id.kind() == CONTENTS_KIND {
        observation.insert(id.clone(), contents);
    } else if id.kind() == CHECK {
        observation.insert(id.clone(), checks::observed(backend, id, attributes, &contents).await?);
    } else if let Some(object) = ObjectKind::of(id)
        && let Some(path) = objects::path_of(object, attributes)
        && let Some(live) = list::one(&backend.api, &Call::read(object.action("get")), &path).await?
    {
        let (_, found) = observed(backend, object, &live, &contents.physical_id, Some(deployment));
        observation.insert(id.clone(), found);
    }
    Ok(observation)
}
