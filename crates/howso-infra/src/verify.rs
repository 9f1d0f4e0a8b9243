//! A proof of the pools: pods of each sort are made, and where they land is looked at.

use std::time::Duration;

use howso_infra_core::latency::{Latency, PollBounds};
use howso_infra_core::{ErrorKind, Finding, Severity};
use howso_infra_kubernetes::{Canary, CanaryState, KubernetesBackend, Landing, Replica};

use crate::{Error, Session};

/// How long a canary may take to run where nodes are there: its image may have to be fetched.
const PLACED_WITHIN: Duration = Duration::from_mins(2);

/// How long a node may take to appear from nothing: twice the slowest model of a cloud (howso facts, "The client").
const APPEARED_WITHIN: Duration = Duration::from_mins(15);

/// How long nothing may happen before it counts as nothing: an autoscaler looks every ten seconds.
const QUIET_FOR: Duration = Duration::from_secs(30);

/// What a node needs to run a canary, whose image may have to be fetched.
const PLACED: Latency = Latency::new(5.0, 0.6);

/// What a node takes to appear and to run a canary: the autoscaler looks, the machine boots, the node becomes ready.
const APPEARED: Latency = Latency::new(90.0, 0.35);

/// Whether workers may be made to appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Only what is there is looked at.
    AsIs,
    /// A worker is made to appear, which may cost money until it goes again.
    FromPresent,
}

impl Session {
    /// Makes pods like trainees and like services of the platform, and looks where they land. Whatever happens, also when this
    /// is not waited for to the end, [`Session::remove_canaries`] must follow. How long a worker took to appear from none is written onto the
    /// cluster, for clients.
    pub async fn verify(&self, scaling: Scaling, image: &str) -> Result<Vec<Finding>, Error> {
        let Some(backend) = &self.kubernetes else { return Ok(vec![unreachable()]) };
        let workers = self.reading(async || backend.worker_nodes().await).await?;
        let mut findings = vec![self.core(backend, image).await?];
        match scaling {
            Scaling::AsIs if workers == 0 => findings.push(finding(
                Severity::Note,
                Canary::Worker,
                "not tried, because there is no worker node",
                Some("say --scale to let one appear"),
            )),
            Scaling::AsIs => findings.push(self.worker(backend, image, workers, (PLACED, PLACED_WITHIN)).await?.0),
            Scaling::FromPresent => {
                findings.push(self.core_without_room(backend, image, workers).await?);
                let (found, appeared) = self.worker(backend, image, workers, (APPEARED, APPEARED_WITHIN)).await?;
                findings.push(found);
                if let Some(elapsed) = appeared.filter(|_| workers == 0) {
                    findings.extend(self.note(backend, elapsed).await);
                }
            }
        }
        Ok(findings)
    }

    /// Writes onto the cluster how long a worker took to appear. The proof stands also when that cannot be written.
    async fn note(&self, backend: &KubernetesBackend, elapsed: Duration) -> Option<Finding> {
        let error = self.reading(async || backend.note_worker_wait(elapsed.as_secs()).await).await.err()?;
        let message = format!("how long the worker took could not be written onto the cluster: {error}");
        let cure = "clients go on to wait as long as the model says; `howso-infra verify --scale` measures again";
        Some(finding(Severity::Warning, Canary::Worker, message, Some(cure)))
    }

    /// How long a worker took to appear from none when that was last proved on this cluster; [`None`] when it never was. Seconds.
    pub async fn measured_worker_wait_secs(&self) -> Result<Option<u64>, Error> {
        let Some(backend) = &self.kubernetes else { return Ok(None) };
        self.reading(async || backend.measured_worker_wait().await).await
    }

    /// Removes every canary.
    pub async fn remove_canaries(&self) -> Result<(), Error> {
        let Some(backend) = &self.kubernetes else { return Ok(()) };
        for canary in Replica::ALL.map(Canary::Core).into_iter().chain([Canary::Worker, Canary::CoreTooLarge]) {
            self.reading(async || backend.uproot(canary).await).await?;
        }
        Ok(())
    }

    /// As many replicas as NATS has, or as there are core nodes.
    async fn core(&self, backend: &KubernetesBackend, image: &str) -> Result<Finding, Error> {
        let nodes = self.reading(async || backend.core_nodes().await).await?;
        let replicas = Replica::ALL.map(Canary::Core).into_iter().take(nodes.max(1));
        for canary in replicas.clone() {
            self.reading(async || backend.plant(canary, image).await).await?;
        }
        let mut landed = Vec::new();
        for canary in replicas {
            match self.landed(backend, canary, PLACED, PLACED_WITHIN).await? {
                Ok((landing, _)) if landing.is_core && !landing.is_worker => landed.push(landing.node),
                Ok((landing, _)) => {
                    return Ok(finding(
                        Severity::Blocking,
                        canary,
                        format!("runs on {}, which is no core node", landing.node),
                        Some(
                            "services of the platform would run there: every worker node needs the taint howso.com/nodetype=worker:NoSchedule",
                        ),
                    ));
                }
                Err(why) => return Ok(late(canary, PLACED_WITHIN, &why)),
            }
        }
        landed.sort();
        let canary = Canary::Core(Replica::First);
        if let Some([node, _]) = landed.array_windows().find(|[one, next]| one == next) {
            let message = format!("two that keep apart run on {node}");
            let cure =
                "replicas of NATS would share it: every node needs the label kubernetes.io/hostname with its own name";
            return Ok(finding(Severity::Blocking, canary, message, Some(cure)));
        }
        let message = match landed.as_slice() {
            [node] => format!("runs on the core node {node}"),
            nodes => format!("{} that keep apart run on the core nodes {}", nodes.len(), nodes.join(", ")),
        };
        Ok(finding(Severity::Good, canary, message, None))
    }

    /// Where a trainee lands, and after what time when it lands where it should.
    async fn worker(
        &self,
        backend: &KubernetesBackend,
        image: &str,
        workers: usize,
        (latency, limit): (Latency, Duration),
    ) -> Result<(Finding, Option<Duration>), Error> {
        let canary = Canary::Worker;
        self.reading(async || backend.plant(canary, image).await).await?;
        Ok(match self.landed(backend, canary, latency, limit).await? {
            Ok((landing, elapsed)) if landing.is_worker && !landing.is_core => {
                let seconds = elapsed.as_secs();
                let from = if workers == 0 { ", from no worker node" } else { "" };
                let message = format!("runs on the worker node {} after {seconds} s{from}", landing.node);
                (finding(Severity::Good, canary, message, None), Some(elapsed))
            }
            Ok((landing, _)) => {
                let message = format!("runs on {}, which is no worker node", landing.node);
                let cure =
                    "trainees would run there: every core node needs the label howso.com/allowWorkers=False, as a text";
                (finding(Severity::Blocking, canary, message, Some(cure)), None)
            }
            Err(why) => (late(canary, limit, &why), None),
        })
    }

    /// Waits for a while that must pass without anything happening.
    async fn core_without_room(
        &self,
        backend: &KubernetesBackend,
        image: &str,
        workers: usize,
    ) -> Result<Finding, Error> {
        let canary = Canary::CoreTooLarge;
        self.reading(async || backend.plant(canary, image).await).await?;
        self.clock.sleep(QUIET_FOR).await;
        let state = self.reading(async || backend.canary_state(canary).await).await?;
        let now = self.reading(async || backend.worker_nodes().await).await?;
        self.reading(async || backend.uproot(canary).await).await?;
        let seconds = QUIET_FOR.as_secs();
        Ok(match state {
            CanaryState::Waiting(_) if now <= workers => {
                finding(Severity::Good, canary, format!("waits, and made no worker appear within {seconds} s"), None)
            }
            CanaryState::Waiting(_) => finding(
                Severity::Blocking,
                canary,
                "made a worker node appear",
                Some("the autoscaler must know the taint of workers: it is part of the pool's template"),
            ),
            CanaryState::Running(landing) => {
                finding(Severity::Blocking, canary, format!("runs on {}, which has no room for it", landing.node), None)
            }
        })
    }

    /// Where a canary lands and after what time, usually that of the model, or why it does not within `limit`.
    async fn landed(
        &self,
        backend: &KubernetesBackend,
        canary: Canary,
        latency: Latency,
        limit: Duration,
    ) -> Result<Result<(Landing, Duration), String>, Error> {
        let begin = self.clock.now();
        let bounds = PollBounds { min: self.spec.engine.poll_interval_min, max: self.spec.engine.poll_interval_max };
        loop {
            let state = self.reading(async || backend.canary_state(canary).await).await?;
            let elapsed = self.clock.now().since(begin);
            match state {
                CanaryState::Running(landing) => return Ok(Ok((landing, elapsed))),
                CanaryState::Waiting(why) if elapsed >= limit => return Ok(Err(why)),
                CanaryState::Waiting(_) => {
                    let pause = latency.poll_interval(elapsed, bounds).min(limit.saturating_sub(elapsed));
                    self.clock.sleep(pause).await;
                }
            }
        }
    }
}

fn finding(severity: Severity, canary: Canary, message: impl Into<String>, cure: Option<&str>) -> Finding {
    let kind = (severity == Severity::Blocking).then_some(ErrorKind::Failed);
    Finding { severity, subject: canary.to_string(), message: message.into(), cure: cure.map(str::to_owned), kind }
}

fn late(canary: Canary, limit: Duration, why: &str) -> Finding {
    let message = format!("does not run after {} s: {why}", limit.as_secs());
    let cure = "see what the cluster lacks with `howso-infra status`, and what pods wait for with `kubectl get events -n howso`";
    finding(Severity::Blocking, canary, message, Some(cure))
}

fn unreachable() -> Finding {
    Finding {
        severity: Severity::Blocking,
        subject: "cluster".to_owned(),
        message: "nothing is known of what is inside the clusters of this provider".to_owned(),
        cure: None,
        kind: Some(ErrorKind::Failed),
    }
}
