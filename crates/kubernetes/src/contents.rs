//! What must leave the cluster before its nodes do: everything for which controllers made something in the cloud.
//!
//! Load balancers of Services, Ingresses and Gateways, and volumes of claims, outlive the cluster when their controllers go
//! first. A claim is let go only when no pod uses it, and its maker would make it again: so what runs is stopped as well.

use futures::future::try_join_all;
use howso_infra_core::{ErrorKind, Leftover, OperationVerb, Progress, ProviderError};
use serde_json::Value as Json;

use crate::backend::KubernetesBackend;
use crate::errors::Call;
use crate::object::collection;
use crate::submit::send_delete;
use crate::workloads::is_system_namespace;
use crate::{list, workloads};

/// A collection in which objects of others own something in the cloud, or use it.
#[derive(Clone, Copy, Debug)]
struct Source {
    api_version: &'static str,
    plural: &'static str,
    /// What people call them.
    title: (&'static str, &'static str),
    /// Which of them are meant.
    is_meant: fn(&Json) -> bool,
}

const fn source(
    api_version: &'static str,
    plural: &'static str,
    title: (&'static str, &'static str),
    is_meant: fn(&Json) -> bool,
) -> Source {
    Source { api_version, plural, title, is_meant }
}

/// In the order of their deletion: who makes pods goes first, then pods, then what they used.
const SOURCES: [Source; 12] = [
    source("batch/v1", "cronjobs", ("cron job", "cron jobs"), is_workload),
    source("apps/v1", "deployments", ("deployment", "deployments"), is_workload),
    source("apps/v1", "statefulsets", ("stateful set", "stateful sets"), is_workload),
    source("apps/v1", "daemonsets", ("daemon set", "daemon sets"), is_workload),
    source("apps/v1", "replicasets", ("replica set", "replica sets"), is_workload),
    source("v1", "replicationcontrollers", ("replication controller", "replication controllers"), is_workload),
    source("batch/v1", "jobs", ("job", "jobs"), is_workload),
    source("v1", "pods", ("pod", "pods"), is_workload),
    source("gateway.networking.k8s.io/v1", "gateways", ("gateway", "gateways"), always),
    source("networking.k8s.io/v1", "ingresses", ("ingress", "ingresses"), always),
    source("v1", "services", ("load balancer", "load balancers"), is_load_balancer),
    source("v1", "persistentvolumeclaims", ("volume claim", "volume claims"), always),
];

fn always(_: &Json) -> bool {
    true
}

fn is_load_balancer(service: &Json) -> bool {
    service.pointer("/spec/type").and_then(Json::as_str) == Some("LoadBalancer")
}

/// What somebody started, an operator too. What Kubernetes' own controllers started goes with what they did it for.
fn is_workload(object: &Json) -> bool {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Json::as_array);
    let is_built_in =
        |owner: &Json| owner["apiVersion"].as_str().is_some_and(|api| matches!(api, "v1" | "apps/v1" | "batch/v1"));
    let namespace = object.pointer("/metadata/namespace").and_then(Json::as_str).unwrap_or_default();
    !is_system_namespace(namespace) && !owners.into_iter().flatten().any(is_built_in)
}

/// One object that has to go.
#[derive(Debug)]
struct Remnant {
    title: (&'static str, &'static str),
    path: String,
    uid: String,
    /// `namespace/name`.
    name: String,
    is_leaving: bool,
}

/// One pass: asks every object that has to go to go. Each of its requests can be repeated, so that a pass that breaks off is
/// simply made again.
pub(crate) async fn clear(backend: &KubernetesBackend) -> Result<(), ProviderError> {
    if backend.api.session().await?.is_none() {
        return Ok(());
    }
    let volumes = volumes(backend).await?;
    backend.retain(volumes.iter().filter_map(retained).collect());
    for remnant in remnants(backend, &volumes).await?.into_iter().filter(|remnant| !remnant.is_leaving) {
        let call = Call::mutation(OperationVerb::Delete, format!("delete {}", remnant.title.1));
        match send_delete(backend, &call, &remnant.path, Some(&remnant.uid)).await {
            Ok(_) => {}
            // Gone, or made again under the same name: the next look tells.
            Err(error) if matches!(error.kind, ErrorKind::Gone | ErrorKind::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How much of it is still there.
pub(crate) async fn progress(backend: &KubernetesBackend) -> Result<Progress, ProviderError> {
    if backend.api.session().await?.is_none() {
        return Ok(Progress::Settled { outputs: howso_infra_core::Attributes::new() });
    }
    let volumes = volumes(backend).await?;
    let remnants = remnants(backend, &volumes).await?;
    // Claims are gone before their volumes are.
    let leaving: Vec<&Json> =
        volumes.iter().filter(|volume| is_deleted_with_claim(volume) && is_released(volume)).collect();
    if remnants.is_empty() && leaving.is_empty() {
        return Ok(Progress::Settled { outputs: howso_infra_core::Attributes::new() });
    }
    // While anything is on its way out, so may be whoever makes things again.
    if leaving.is_empty()
        && !remnants.iter().any(|remnant| remnant.is_leaving)
        && let Some(again) = remnants.first()
    {
        let message = format!("{} {} has come up again", again.title.0, again.name);
        let error = ProviderError::new(ErrorKind::Failed, "kubernetes: clear the cluster", message);
        return Ok(Progress::Failed(
            error.with_hint("something in the cluster makes it again: stop that, then run the command again"),
        ));
    }
    Ok(Progress::Pending { state: describe(&remnants, &leaving) })
}

fn describe(remnants: &[Remnant], volumes: &[&Json]) -> String {
    let mut parts = Vec::new();
    for source in SOURCES {
        let names: Vec<&str> =
            remnants.iter().filter(|found| found.title == source.title).map(|found| found.name.as_str()).collect();
        if let [first, rest @ ..] = names.as_slice() {
            let title = if rest.is_empty() { source.title.0 } else { source.title.1 };
            let others = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            parts.push(format!("{title} {first}{others}"));
        }
    }
    let handles: Vec<String> = volumes.iter().map(|volume| handle(volume)).collect();
    if !handles.is_empty() {
        parts.push(format!("volumes {}", handles.join(", ")));
    }
    format!("waiting until these are gone: {}", parts.join("; "))
}

async fn volumes(backend: &KubernetesBackend) -> Result<Vec<Json>, ProviderError> {
    let path = collection("v1", "persistentvolumes", None);
    list::all(&backend.api, &Call::read("list persistentvolumes"), &path, None).await
}

async fn remnants(backend: &KubernetesBackend, volumes: &[Json]) -> Result<Vec<Remnant>, ProviderError> {
    let reads = SOURCES.into_iter().map(|source| async move { Ok((source, read(backend, source).await?)) });
    let mut found = Vec::new();
    for (source, objects) in try_join_all(reads).await? {
        let stays = |object: &Json| source.plural == "persistentvolumeclaims" && is_kept(object, volumes);
        let is_meant = |object: &&Json| (source.is_meant)(object) && !workloads::is_ours(object) && !stays(object);
        found.extend(objects.iter().filter(is_meant).filter_map(|object| remnant(source, object)));
    }
    Ok(found)
}

async fn read(backend: &KubernetesBackend, source: Source) -> Result<Vec<Json>, ProviderError> {
    let call = Call::read(format!("list {}", source.plural));
    let path = collection(source.api_version, source.plural, None);
    match list::all(&backend.api, &call, &path, None).await {
        // The kind is not installed.
        Err(error) if error.kind == ErrorKind::Gone => Ok(Vec::new()),
        result => result,
    }
}

fn remnant(source: Source, object: &Json) -> Option<Remnant> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Json::as_str);
    let (namespace, name) = (text("/metadata/namespace")?, text("/metadata/name")?);
    Some(Remnant {
        title: source.title,
        path: format!("{}/{name}", collection(source.api_version, source.plural, Some(namespace))),
        uid: text("/metadata/uid")?.to_owned(),
        name: format!("{namespace}/{name}"),
        is_leaving: text("/metadata/deletionTimestamp").is_some(),
    })
}

/// Whether a claim holds a volume that is to be kept. One that has no volume yet holds nothing.
fn is_kept(claim: &Json, volumes: &[Json]) -> bool {
    let bound = claim.pointer("/spec/volumeName").and_then(Json::as_str);
    volumes.iter().any(|volume| {
        volume.pointer("/metadata/name").and_then(Json::as_str) == bound && !is_deleted_with_claim(volume)
    })
}

fn is_deleted_with_claim(volume: &Json) -> bool {
    volume.pointer("/spec/persistentVolumeReclaimPolicy").and_then(Json::as_str) == Some("Delete")
}

fn is_released(volume: &Json) -> bool {
    volume.pointer("/status/phase").and_then(Json::as_str) == Some("Released")
        || volume.pointer("/metadata/deletionTimestamp").is_some()
}

/// The cloud's own identifier of a volume, or its name.
fn handle(volume: &Json) -> String {
    let text = |pointer: &str| volume.pointer(pointer).and_then(Json::as_str);
    text("/spec/csi/volumeHandle").or_else(|| text("/metadata/name")).unwrap_or_default().to_owned()
}

/// A volume whose owner wants it kept.
fn retained(volume: &Json) -> Option<Leftover> {
    if volume.pointer("/spec/persistentVolumeReclaimPolicy").and_then(Json::as_str) != Some("Retain") {
        return None;
    }
    let text = |pointer: &str| volume.pointer(pointer).and_then(Json::as_str);
    let claim = text("/spec/claimRef/namespace").zip(text("/spec/claimRef/name"));
    let claim = claim.map(|(namespace, name)| format!("it holds the data of claim `{namespace}/{name}`; "));
    Some(Leftover {
        what: "volume".to_owned(),
        physical_id: handle(volume),
        advice: format!(
            "{}its policy is Retain, so it was kept on purpose: delete it by hand when you need it no longer",
            claim.unwrap_or_default()
        ),
    })
}
