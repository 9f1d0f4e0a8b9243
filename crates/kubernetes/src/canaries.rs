//! Pods that show where pods of each sort land: made, watched and removed. They live in the namespace of the platform, whose rules they keep.

use std::fmt;

use howso_infra_core::identity::{CLUSTER_TAG, DEPLOYMENT_TAG};
use howso_infra_core::inside::PLATFORM_NAMESPACE;
use howso_infra_core::spec::{CORE_LABEL, WORKER_TAINT};
use howso_infra_core::{ErrorKind, OperationVerb, Ownership, ProviderError};
use http::Request;
use serde_json::{Value as Json, json};

use crate::backend::KubernetesBackend;
use crate::checks::nodes::{has_taint, label};
use crate::errors::Call;
use crate::list;
use crate::object::collection;
use crate::scheduling::Amount;
use crate::submit::create_or_keep;

/// The label of replicas.
const REPLICAS: (&str, &str) = ("app.kubernetes.io/component", "howso-infra-canary-core");

/// A pod that shows something by where it lands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// Like a trainee: tolerates the taint of workers, and keeps off core nodes.
    Worker,
    /// Like one of the replicas of a service of the platform, which keep apart: no two of them share a node.
    Core(Replica),
    /// Like a service of the platform that no core node has room for: it must wait, and make no worker appear.
    CoreTooLarge,
}

/// Which of the replicas. Three are as many as NATS has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replica {
    /// The first.
    First,
    /// The second.
    Second,
    /// The third.
    Third,
}

impl Replica {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::First, Self::Second, Self::Third];
}

/// A node, as far as canaries look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// Its name.
    pub node: String,
    /// Whether it has the label of core nodes.
    pub is_core: bool,
    /// Whether it has the taint of worker nodes.
    pub is_worker: bool,
}

/// How far a canary is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryState {
    /// It runs on this node.
    Running(Landing),
    /// It does not run yet, for the reason that the cluster gives.
    Waiting(String),
}

impl Canary {
    /// Its name, which is also that of its pod.
    pub fn name(self) -> &'static str {
        match self {
            Self::Worker => "howso-infra-canary-worker",
            Self::Core(Replica::First) => "howso-infra-canary-core-1",
            Self::Core(Replica::Second) => "howso-infra-canary-core-2",
            Self::Core(Replica::Third) => "howso-infra-canary-core-3",
            Self::CoreTooLarge => "howso-infra-canary-core-too-large",
        }
    }

    fn path(self) -> String {
        format!("{}/{}", collection("v1", "pods", Some(PLATFORM_NAMESPACE)), self.name())
    }
}

impl fmt::Display for Canary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Worker => "worker canary",
            Self::Core(_) => "core canary",
            Self::CoreTooLarge => "core canary without room",
        })
    }
}

impl KubernetesBackend {
    /// Makes a canary, unless an earlier run left it. `image` must do nothing for long, without privileges.
    pub async fn plant(&self, canary: Canary, image: &str) -> Result<(), ProviderError> {
        let call = Call::mutation(OperationVerb::Create, "create pods");
        let cpu = match canary {
            Canary::Worker | Canary::Core(_) => "10m".to_owned(),
            // All that a core node offers: system pods take some of it, so it never fits, while a worker of that size would hold it.
            Canary::CoreTooLarge => self.core_cpu().await?,
        };
        let pod = pod(canary, image, &cpu, self.deployment().await?.as_deref(), &self.cluster);
        create_or_keep(self, &call, collection("v1", "pods", Some(PLATFORM_NAMESPACE)), &pod).await
    }

    /// How far a canary is.
    pub async fn canary_state(&self, canary: Canary) -> Result<CanaryState, ProviderError> {
        let Some(pod) = list::one(&self.api, &Call::read("get pods"), &canary.path()).await? else {
            return Ok(CanaryState::Waiting("it has disappeared".to_owned()));
        };
        let node = pod.pointer("/spec/nodeName").and_then(Json::as_str);
        let is_running = pod.pointer("/status/phase").and_then(Json::as_str) == Some("Running");
        match node {
            Some(node) if is_running => Ok(CanaryState::Running(self.landing(node).await?)),
            Some(node) => Ok(CanaryState::Waiting(format!("it starts on {node}{}", why_not_started(&pod)))),
            None => Ok(CanaryState::Waiting(why_not_scheduled(&pod))),
        }
    }

    /// Removes a canary at once. One that is gone is as wanted.
    pub async fn uproot(&self, canary: Canary) -> Result<(), ProviderError> {
        let call = Call::mutation(OperationVerb::Delete, "delete pods");
        let request = Request::delete(format!("{}?gracePeriodSeconds=0", canary.path())).body(Vec::new());
        match self.api.send(&call, request.map_err(|error| list::bug(&call, &error))?).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::Gone => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The nodes with the label of core nodes.
    pub async fn core_nodes(&self) -> Result<usize, ProviderError> {
        Ok(self.nodes().await?.iter().filter(|node| label(node, CORE_LABEL.0) == Some(CORE_LABEL.1)).count())
    }

    /// The nodes with the taint of workers.
    pub async fn worker_nodes(&self) -> Result<usize, ProviderError> {
        Ok(self.nodes().await?.iter().filter(|node| has_taint(node)).count())
    }

    async fn nodes(&self) -> Result<Vec<Json>, ProviderError> {
        list::all(&self.api, &Call::read("list nodes"), &collection("v1", "nodes", None), None).await
    }

    /// The CPUs that the largest core node offers.
    async fn core_cpu(&self) -> Result<String, ProviderError> {
        let nodes = self.nodes().await?;
        let core = nodes.iter().filter(|node| label(node, CORE_LABEL.0) == Some(CORE_LABEL.1));
        let cpu = core
            .filter_map(|node| node.pointer("/status/allocatable/cpu")?.as_str())
            .max_by_key(|cpu| Amount::parse(cpu));
        Ok(cpu.unwrap_or("1000").to_owned())
    }

    async fn landing(&self, node: &str) -> Result<Landing, ProviderError> {
        let path = format!("{}/{node}", collection("v1", "nodes", None));
        let found = list::one(&self.api, &Call::read("get nodes"), &path).await?.unwrap_or_default();
        let is_core = label(&found, CORE_LABEL.0) == Some(CORE_LABEL.1);
        Ok(Landing { node: node.to_owned(), is_core, is_worker: has_taint(&found) })
    }

    /// The deployment that owns the cluster; [`None`] while there is none of ours.
    pub async fn deployment(&self) -> Result<Option<String>, ProviderError> {
        Ok(self.api.session().await?.and_then(|session| match session.owner {
            Ownership::Ours { deployment, .. } => Some(deployment.to_string()),
            Ownership::Foreign { .. } | Ownership::Unclaimed => None,
        }))
    }
}

fn pod(canary: Canary, image: &str, cpu: &str, deployment: Option<&str>, cluster: &str) -> Json {
    let (core, worker) = (CORE_LABEL, WORKER_TAINT);
    let off_core = json!({ "nodeSelectorTerms": [{
        "matchExpressions": [{ "key": core.0, "operator": "NotIn", "values": [core.1] }],
    }] });
    let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": off_core } });
    let tolerations = json!([{ "key": worker.0, "operator": "Equal", "value": worker.1, "effect": "NoSchedule" }]);
    let mut spec = json!({
        "restartPolicy": "Always",
        "automountServiceAccountToken": false,
        "terminationGracePeriodSeconds": 0,
        "securityContext": { "runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{
            "name": "canary",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "resources": { "requests": { "cpu": cpu, "memory": "8Mi" } },
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"] },
            },
        }],
    });
    let mut labels = json!({ CLUSTER_TAG: cluster, "app.kubernetes.io/name": canary.name() });
    match canary {
        Canary::Worker => {
            spec["affinity"] = affinity;
            spec["tolerations"] = tolerations;
        }
        Canary::Core(_) => {
            labels[REPLICAS.0] = json!(REPLICAS.1);
            let others = json!({ "matchLabels": { REPLICAS.0: REPLICAS.1 } });
            let apart = json!([{ "topologyKey": "kubernetes.io/hostname", "labelSelector": others }]);
            spec["affinity"] =
                json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": apart } });
        }
        Canary::CoreTooLarge => {}
    }
    if let Some(deployment) = deployment {
        labels[DEPLOYMENT_TAG] = json!(deployment);
    }
    let metadata = json!({ "name": canary.name(), "namespace": PLATFORM_NAMESPACE, "labels": labels });
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec })
}

/// What the scheduler says.
fn why_not_scheduled(pod: &Json) -> String {
    let conditions = pod.pointer("/status/conditions").and_then(Json::as_array);
    let scheduled = conditions.into_iter().flatten().find(|condition| condition["type"] == "PodScheduled");
    let message = scheduled.and_then(|condition| condition["message"].as_str());
    message.unwrap_or("no node was looked for yet").to_owned()
}

/// What the node says about the container, when it says anything.
fn why_not_started(pod: &Json) -> String {
    let waiting = pod.pointer("/status/containerStatuses/0/state/waiting");
    let text = |field: &str| waiting.and_then(|state| state.get(field)?.as_str()).unwrap_or_default();
    match (text("reason"), text("message")) {
        ("" | "ContainerCreating", "") => String::new(),
        (reason, "") => format!(": {reason}"),
        (reason, message) => format!(": {reason}: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_worker_canary_may_go_to_workers_and_never_to_core() {
        let pod = |canary| pod(canary, "pause", "10m", Some("0123"), "demo");
        for canary in [Canary::Core(Replica::First), Canary::CoreTooLarge] {
            assert_eq!(pod(canary)["spec"]["tolerations"], Json::Null, "{canary}");
            assert_eq!(pod(canary)["spec"]["affinity"]["nodeAffinity"], Json::Null, "{canary}");
        }
        let worker = pod(Canary::Worker);
        assert_eq!(worker["spec"]["tolerations"][0]["value"], "worker");
        let terms = "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0";
        let expression = worker.pointer(&format!("{terms}/matchExpressions/0")).unwrap();
        assert_eq!((&expression["operator"], &expression["values"][0]), (&json!("NotIn"), &json!("False")));
    }

    #[test]
    fn replicas_keep_apart_from_each_other_and_from_nobody_else() {
        let pods = Replica::ALL.map(|replica| pod(Canary::Core(replica), "pause", "10m", None, "demo"));
        let term =
            "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/labelSelector/matchLabels";
        for one in &pods {
            let selector = one.pointer(term).and_then(Json::as_object).unwrap();
            let is_meant = |labels: &Json| selector.iter().all(|(key, value)| labels.get(key) == Some(value));
            assert!(pods.iter().all(|other| is_meant(&other["metadata"]["labels"])));
            let worker = pod(Canary::Worker, "pause", "10m", None, "demo");
            assert!(!is_meant(&worker["metadata"]["labels"]));
        }
    }

    #[test]
    fn the_cluster_says_why_a_canary_waits() {
        let unscheduled = json!({ "status": { "conditions": [{ "type": "PodScheduled", "message": "0/3 nodes" }] } });
        assert_eq!(why_not_scheduled(&unscheduled), "0/3 nodes");
        let waiting = |state: Json| json!({ "status": { "containerStatuses": [{ "state": { "waiting": state } }] } });
        assert_eq!(why_not_started(&waiting(json!({ "reason": "ContainerCreating" }))), "");
        let backing_off = json!({ "reason": "ImagePullBackOff", "message": "no such image" });
        assert_eq!(why_not_started(&waiting(backing_off)), ": ImagePullBackOff: no such image");
    }
}
