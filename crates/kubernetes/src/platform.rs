//! How the platform fares in its namespace: what runs, what waits, and what stands where it should not.

use std::collections::BTreeMap;

use howso_infra_core::inside::PLATFORM_NAMESPACE;
use howso_infra_core::spec::{CORE_LABEL, WORKER_TAINT};
use howso_infra_core::{Finding, ProviderError, Severity};
use serde_json::Value as Json;

use crate::backend::KubernetesBackend;
use crate::checks::nodes::label;
use crate::errors::Call;
use crate::list;
use crate::object::collection;
use crate::workloads::is_ours;

/// Replicas that are meant to be lost one at a time.
const SPREAD_MIN: usize = 3;

/// What is in the namespace of the platform, and the nodes.
struct Seen<'a> {
    pods: Vec<&'a Json>,
    claims: &'a [Json],
    scalers: &'a [Json],
    nodes: &'a [Json],
}

impl KubernetesBackend {
    /// Looks at the platform, by reads alone. Nothing is told while nothing of it is there.
    pub async fn platform_findings(&self) -> Result<Vec<Finding>, ProviderError> {
        let read = async |version: &str, plural: &str| {
            let group = version.split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
            let call = Call::read(format!("list {plural}{group}"));
            list::all(&self.api, &call, &collection(version, plural, Some(PLATFORM_NAMESPACE)), None).await
        };
        let (pods, claims, scalers) = futures::try_join!(
            read("v1", "pods"),
            read("v1", "persistentvolumeclaims"),
            read("autoscaling/v2", "horizontalpodautoscalers"),
        )?;
        if pods.is_empty() && claims.is_empty() {
            return Ok(Vec::new());
        }
        let nodes = list::all(&self.api, &Call::read("list nodes"), &collection("v1", "nodes", None), None).await?;
        let pods = pods.iter().filter(|pod| !is_ours(pod)).collect();
        Ok(Seen { pods, claims: &claims, scalers: &scalers, nodes: &nodes }.findings())
    }
}

impl KubernetesBackend {
    /// The trainees that run or wait in the namespace of the platform, by the names of their pods.
    pub async fn trainees(&self) -> Result<Vec<String>, ProviderError> {
        if self.api.session().await?.is_none() {
            return Ok(Vec::new());
        }
        let path = collection("v1", "pods", Some(PLATFORM_NAMESPACE));
        let pods = list::all(&self.api, &Call::read("list pods"), &path, None).await?;
        let trainees = pods.iter().filter(|pod| is_trainee(pod) && !is_ours(pod) && !has_ended(pod));
        Ok(trainees.map(|pod| name(pod).to_owned()).collect())
    }
}

impl Seen<'_> {
    fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.pods.iter().filter_map(|pod| waiting(pod)).collect();
        findings.extend(self.claims.iter().filter_map(unbound));
        findings.extend(self.scalers.iter().filter_map(unscaled));
        findings.extend(self.pods.iter().filter_map(|pod| self.astray(pod)));
        findings.extend(self.crowded());
        if findings.is_empty() {
            let message = format!("{} pods run, each where it should", self.pods.len());
            findings.push(Finding {
                severity: Severity::Good,
                subject: "platform".to_owned(),
                message,
                cure: None,
                kind: None,
            });
        }
        findings
    }

    /// A pod that is no trainee and runs on a node that is not of the core pool.
    fn astray(&self, pod: &Json) -> Option<Finding> {
        let node = text(pod, "/spec/nodeName");
        let found = self.nodes.iter().find(|found| text(found, "/metadata/name") == node)?;
        let is_astray = !is_trainee(pod) && label(found, CORE_LABEL.0) != Some(CORE_LABEL.1);
        is_astray.then(|| {
            problem(
                Severity::Warning,
                pod,
                format!("runs on {node}, which is no core node; trainees take its room, and it goes when its node does"),
                format!("look at the taints of {node} (kubectl describe node {node}), then kubectl -n {PLATFORM_NAMESPACE} delete pod {}", name(pod)),
            )
        })
    }

    /// Replicas of one set that would be lost together.
    fn crowded(&self) -> Vec<Finding> {
        let mut sets: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
        for pod in self.pods.iter().filter(|pod| !is_trainee(pod)) {
            let (owner, node) = (text(pod, "/metadata/ownerReferences/0/name"), text(pod, "/spec/nodeName"));
            if text(pod, "/metadata/ownerReferences/0/kind") == "StatefulSet" && !node.is_empty() {
                *sets.entry(owner).or_default().entry(node).or_default() += 1;
            }
        }
        let crowded = sets.iter().filter_map(|(set, places)| {
            let replicas: usize = places.values().sum();
            let (node, here) = places.iter().max_by_key(|(_, count)| **count)?;
            (replicas >= SPREAD_MIN && *here > 1).then(|| Finding {
                severity: Severity::Warning,
                subject: format!("platform: {set}"),
                message: format!("{here} of {replicas} replicas are on {node}, and are lost with it"),
                cure: Some(format!(
                    "give it topologySpreadConstraints as `howso-infra values nats` does, and see that there are {replicas} core nodes with room"
                )),
                kind: None,
            })
        });
        crowded.collect()
    }
}

/// Why a pod does not run.
fn waiting(pod: &Json) -> Option<Finding> {
    if matches!(text(pod, "/status/phase"), "Succeeded") {
        return None;
    }
    let describe = format!("kubectl -n {PLATFORM_NAMESPACE} describe pod {}", name(pod));
    let containers = pod.pointer("/status/containerStatuses").and_then(Json::as_array);
    let stuck = containers.into_iter().flatten().find_map(|status| status.pointer("/state/waiting/reason")?.as_str());
    match stuck {
        Some("ContainerCreating" | "PodInitializing") | None => {}
        Some(reason @ ("ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull")) => {
            let cure = format!(
                "{describe}; a private registry wants an image pull secret in the namespace {PLATFORM_NAMESPACE}"
            );
            return Some(problem(Severity::Blocking, pod, format!("has no image ({reason})"), cure));
        }
        Some(reason @ "CreateContainerConfigError") => {
            let cure = format!("{describe}; most often a secret is missing, which is made before the charts");
            return Some(problem(Severity::Blocking, pod, format!("cannot be started ({reason})"), cure));
        }
        Some(reason) => {
            let cure = format!("kubectl -n {PLATFORM_NAMESPACE} logs {} --previous", name(pod));
            return Some(problem(Severity::Blocking, pod, format!("does not stay up ({reason})"), cure));
        }
    }
    let conditions = pod.pointer("/status/conditions").and_then(Json::as_array);
    let unschedulable = conditions.into_iter().flatten().find(|condition| {
        condition["type"] == "PodScheduled" && condition["status"] == "False" && condition["reason"] == "Unschedulable"
    })?;
    let why = unschedulable["message"].as_str().unwrap_or_default();
    // A trainee waits while a node is made for it, which is as it should be.
    let severity = if is_trainee(pod) { Severity::Note } else { Severity::Blocking };
    let cure = format!("{describe}; `howso-infra plan` tells what has room on the nodes");
    Some(problem(severity, pod, format!("has no node: {why}"), cure))
}

/// A claim without a volume.
fn unbound(claim: &Json) -> Option<Finding> {
    let phase = text(claim, "/status/phase");
    (!phase.is_empty() && phase != "Bound").then(|| Finding {
        severity: Severity::Blocking,
        subject: format!("platform: volume claim {}", name(claim)),
        message: format!("is {phase}, so that its pod cannot start"),
        cure: Some(format!(
            "kubectl -n {PLATFORM_NAMESPACE} describe pvc {}; it wants a storage class that makes volumes",
            name(claim)
        )),
        kind: None,
    })
}

/// A scaler that cannot scale, or would if it might.
fn unscaled(scaler: &Json) -> Option<Finding> {
    let conditions = scaler.pointer("/status/conditions").and_then(Json::as_array);
    let condition = |kind: &str| conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    let subject = format!("platform: scaling of {}", name(scaler));
    if let Some(active) = condition("ScalingActive").filter(|active| active["status"] == "False") {
        let why = active["message"].as_str().unwrap_or_default();
        return Some(Finding {
            severity: Severity::Warning,
            subject,
            message: format!("does not work: {why}"),
            cure: Some(
                "kubectl top pods tells whether there are metrics; without them see the finding about metrics"
                    .to_owned(),
            ),
            kind: None,
        });
    }
    let limited = condition("ScalingLimited")?;
    (limited["status"] == "True" && limited["reason"] == "TooManyReplicas").then(|| Finding {
        severity: Severity::Warning,
        subject,
        message: format!("is at its maximum of {} and would go on", scaler.pointer("/spec/maxReplicas").unwrap_or(&Json::Null)),
        cure: Some("raise autoscaling.maxReplicas in the values of howso-platform, and core.nodes if a plan says that there is no room".to_owned()),
        kind: None,
    })
}

fn has_ended(pod: &Json) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether a pod may run on workers, as trainees may.
fn is_trainee(pod: &Json) -> bool {
    let tolerations = pod.pointer("/spec/tolerations").and_then(Json::as_array);
    tolerations.into_iter().flatten().any(|toleration| toleration["key"] == WORKER_TAINT.0)
}

fn problem(severity: Severity, pod: &Json, message: String, cure: String) -> Finding {
    Finding { severity, subject: format!("platform: pod {}", name(pod)), message, cure: Some(cure), kind: None }
}

fn text<'a>(object: &'a Json, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

fn name(object: &Json) -> &str {
    text(object, "/metadata/name")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(name: &str, node: &str) -> Json {
        json!({
            "metadata": { "name": name, "ownerReferences": [{ "kind": "StatefulSet", "name": name.trim_end_matches(|end: char| end.is_ascii_digit() || end == '-') }] },
            "spec": { "nodeName": node }, "status": { "phase": "Running" },
        })
    }

    fn nodes() -> Vec<Json> {
        let node = |name: &str, label: &str| json!({ "metadata": { "name": name, "labels": { CORE_LABEL.0: label } } });
        vec![node("core-1", "False"), node("core-2", "False"), node("core-3", "False"), node("worker-1", "True")]
    }

    fn told(pods: &[Json], claims: &[Json], scalers: &[Json]) -> Vec<(Severity, String)> {
        let seen = Seen { pods: pods.iter().collect(), claims, scalers, nodes: &nodes() };
        let line = |finding: Finding| (finding.severity, format!("{}: {}", finding.subject, finding.message));
        seen.findings().into_iter().map(line).collect()
    }

    #[test]
    fn what_is_well_is_told_in_one_line() {
        let pods = [pod("nats-0", "core-1"), pod("nats-1", "core-2"), pod("nats-2", "core-3")];
        assert_eq!(told(&pods, &[], &[]), [(Severity::Good, "platform: 3 pods run, each where it should".to_owned())]);
    }

    /// Pods, claims and scalers, and what is told of them.
    type Trouble = (Vec<Json>, Vec<Json>, Vec<Json>, Severity, &'static str);

    #[test]
    fn each_trouble_is_told_alone() {
        let with = |pointer: &str, value: Json| {
            let mut pod = pod("redis-0", "core-1");
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            pod.pointer_mut(parent).unwrap()[key] = value;
            pod
        };
        let stuck =
            |reason: &str| with("/status/containerStatuses", json!([{ "state": { "waiting": { "reason": reason } } }]));
        let unschedulable = |mut pod: Json| {
            pod["status"]["conditions"] = json!([{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/4 nodes" }]);
            pod["spec"]["nodeName"] = Json::Null;
            pod
        };
        let trainee = with("/spec/tolerations", json!([{ "key": WORKER_TAINT.0 }]));
        let crowd = vec![pod("nats-0", "core-1"), pod("nats-1", "core-1"), pod("nats-2", "core-3")];
        let claim = |phase: &str| json!({ "metadata": { "name": "data" }, "status": { "phase": phase } });
        let scaler = |condition: Json| json!({ "metadata": { "name": "api" }, "spec": { "maxReplicas": 10 }, "status": { "conditions": [condition] } });
        let rows: Vec<Trouble> = vec![
            (
                vec![stuck("ImagePullBackOff")],
                vec![],
                vec![],
                Severity::Blocking,
                "platform: pod redis-0: has no image (ImagePullBackOff)",
            ),
            (
                vec![stuck("CrashLoopBackOff")],
                vec![],
                vec![],
                Severity::Blocking,
                "platform: pod redis-0: does not stay up (CrashLoopBackOff)",
            ),
            (
                vec![stuck("CreateContainerConfigError")],
                vec![],
                vec![],
                Severity::Blocking,
                "platform: pod redis-0: cannot be started (CreateContainerConfigError)",
            ),
            (
                vec![unschedulable(pod("redis-0", ""))],
                vec![],
                vec![],
                Severity::Blocking,
                "platform: pod redis-0: has no node: 0/4 nodes",
            ),
            (
                vec![unschedulable(trainee)],
                vec![],
                vec![],
                Severity::Note,
                "platform: pod redis-0: has no node: 0/4 nodes",
            ),
            (
                vec![pod("redis-0", "worker-1")],
                vec![],
                vec![],
                Severity::Warning,
                "platform: pod redis-0: runs on worker-1, which is no core node; trainees take its room, and it goes when its node does",
            ),
            (
                crowd,
                vec![],
                vec![],
                Severity::Warning,
                "platform: nats: 2 of 3 replicas are on core-1, and are lost with it",
            ),
            (
                vec![],
                vec![claim("Pending")],
                vec![],
                Severity::Blocking,
                "platform: volume claim data: is Pending, so that its pod cannot start",
            ),
            (
                vec![],
                vec![],
                vec![scaler(json!({ "type": "ScalingActive", "status": "False", "message": "no metrics" }))],
                Severity::Warning,
                "platform: scaling of api: does not work: no metrics",
            ),
            (
                vec![],
                vec![],
                vec![scaler(json!({ "type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas" }))],
                Severity::Warning,
                "platform: scaling of api: is at its maximum of 10 and would go on",
            ),
        ];
        for (pods, claims, scalers, severity, text) in rows {
            assert_eq!(told(&pods, &claims, &scalers), [(severity, text.to_owned())]);
        }
        assert_eq!(
            told(&[stuck("ContainerCreating")], &[claim("Bound")], &[]).len(),
            1,
            "what is on its way is no trouble"
        );
    }
}
