//! What must be true in a cluster before it is called ready. Checks only read.

mod add_ons;
mod autoscaler;
mod metrics;
pub(crate) mod nodes;
mod storage_class;

use futures::future::join_all;
use howso_infra_core::value::resolve_all;
use howso_infra_core::{Attributes, Graph, Observation, Observed, ProviderError, ResourceId, Status, Value};

use crate::backend::KubernetesBackend;
use crate::graph::contents_id;
use crate::kinds::CHECK;
use crate::transport::Api;

/// Deployments and daemon sets of Kubernetes' own namespace are available.
pub(crate) const ADD_ONS: &str = "add-ons";
/// The autoscaler works, and knows every pool with its bounds.
pub(crate) const AUTOSCALER: &str = "autoscaler";
/// Core nodes are ready, and keep trainees off.
pub(crate) const CORE_NODES: &str = "core-nodes";
/// Measured use is available.
pub(crate) const METRICS: &str = "metrics";
/// Claims without a class get one.
pub(crate) const STORAGE_CLASS: &str = "storage-class";
/// Worker nodes keep everything but trainees off.
pub(crate) const WORKER_NODES: &str = "worker-nodes";

/// What a check is for, in the words of those who run the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What it looks at.
    pub subject: &'static str,
    /// What happens to the platform while it does not pass.
    pub matters: &'static str,
    /// The command that cures it, with `NODE` and `POD` for what the check names.
    pub cure: &'static str,
}

/// What the check of this name is for; [`None`] for one of a later version of this program.
pub fn meaning(check: &str) -> Option<Meaning> {
    let (subject, matters, cure) = match check {
        ADD_ONS => (
            "add-ons",
            "pods lack names, networks, volumes or measured use",
            "kubectl -n kube-system get pods, and kubectl -n kube-system describe pod POD for what does not run",
        ),
        AUTOSCALER => (
            "autoscaler",
            "trainees wait for worker nodes that nobody makes",
            "`howso-infra up`, which puts back what it set up, and kubectl -n kube-system logs deploy/cluster-autoscaler",
        ),
        CORE_NODES => (
            "core nodes",
            "trainees run beside NATS, Redis and Postgres, or these have nowhere to run",
            "kubectl label node NODE howso.com/allowWorkers=False --overwrite, or replace the node",
        ),
        METRICS => (
            "metrics",
            "the services of the platform are not scaled with what is asked of them",
            "kubectl -n kube-system rollout restart deploy/metrics-server, or `howso-infra up`",
        ),
        STORAGE_CLASS => (
            "storage class",
            "NATS, Redis, Postgres and MinIO get no volumes",
            "`howso-infra up`, and kubectl annotate storageclass NAME storageclass.kubernetes.io/is-default-class- for one too many",
        ),
        WORKER_NODES => (
            "worker nodes",
            "other pods take the room of trainees, and keep their nodes from going",
            "kubectl taint node NODE howso.com/nodetype=worker:NoSchedule --overwrite, or replace the node",
        ),
        _ => return None,
    };
    Some(Meaning { subject, matters, cure })
}

/// What a look showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is so.
    Passes,
    /// It is not: what is missing, and what a person can look at.
    Waits(String),
}

impl Verdict {
    fn of(missing: &[String]) -> Self {
        if missing.is_empty() { Self::Passes } else { Self::Waits(missing.join("; ")) }
    }
}

/// Looks once. `attributes` say what is expected.
pub(crate) async fn judge(api: &Api, name: &str, attributes: &Attributes) -> Result<Verdict, ProviderError> {
    match name {
        ADD_ONS => add_ons::judge(api).await,
        AUTOSCALER => autoscaler::judge(api, attributes).await,
        CORE_NODES => nodes::judge_core(api, attributes).await,
        METRICS => metrics::judge(api).await,
        STORAGE_CLASS => storage_class::judge(api, attributes).await,
        WORKER_NODES => nodes::judge_workers(api, attributes).await,
        // One of a later version of this program: it knows, this one does not.
        _ => Ok(Verdict::Waits(format!("the check `{name}` is not known to this version"))),
    }
}

/// Reports every check of the graph. While the contents of the cluster were not seen, no check is there either.
pub(crate) async fn observe(backend: &KubernetesBackend, graph: &Graph, seen: &Observation) -> Observation {
    let mut observation = Observation::default();
    let Some(contents) = seen.one(&contents_id()) else { return observation };
    let output = |reference: &howso_infra_core::Reference| {
        let found = seen.one(&reference.resource)?;
        // What is made again will be another: what the present one says is not to be waited for.
        let stays = !matches!(found.status, Status::Failed { .. } | Status::Deleting);
        found.outputs.get(&reference.output).filter(|_| stays).cloned()
    };
    let checks = graph.iter().filter(|resource| resource.id.kind() == CHECK);
    let looks = checks.map(|check| async move {
        let attributes = resolve_all(&check.attributes, &output);
        if attributes.values().any(Value::has_references) {
            return None;
        }
        Some((&check.id, observed(backend, &check.id, &attributes, contents).await))
    });
    for (id, look) in join_all(looks).await.into_iter().flatten() {
        match look {
            Ok(observed) => observation.insert(id.clone(), observed),
            Err(error) => {
                // One gap says it for all checks.
                let gap = howso_infra_core::Gap { kinds: vec![CHECK.to_owned()], error };
                return Observation { gaps: vec![gap], ..Observation::default() };
            }
        }
    }
    observation
}

/// One check as a resource: usable when it passes, on its way otherwise.
pub(crate) async fn observed(
    backend: &KubernetesBackend,
    id: &ResourceId,
    attributes: &Attributes,
    contents: &Observed,
) -> Result<Observed, ProviderError> {
    let status = match judge(&backend.api, id.name(), attributes).await? {
        Verdict::Passes => Status::Ready,
        Verdict::Waits(what) => Status::Pending { state: format!("waiting: {what}") },
    };
    let mut attributes = attributes.clone();
    attributes.insert("cluster".to_owned(), Value::text(&contents.physical_id));
    Ok(Observed {
        physical_id: id.to_string(),
        ownership: contents.ownership.clone(),
        status,
        attributes,
        outputs: Attributes::new(),
    })
}

/// The maps of a list attribute.
fn entries<'a>(attributes: &'a Attributes, field: &str) -> impl Iterator<Item = &'a Attributes> {
    attributes.get(field).and_then(Value::as_list).into_iter().flatten().filter_map(Value::as_map)
}

fn text<'a>(attributes: &'a Attributes, field: &str) -> &'a str {
    attributes.get(field).and_then(Value::as_text).unwrap_or_default()
}

fn number(attributes: &Attributes, field: &str) -> i64 {
    attributes.get(field).and_then(Value::as_integer).unwrap_or_default()
}
