//! Local autoscaling: does on a machine of one's own what the Cluster Autoscaler does in a cloud.
//!
//! An [`Autoscaler`] looks at pods and nodes and says how many workers there must be; carrying that out is an ordinary run, with
//! lease, journal and plan, whose specification names the workers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use howso_infra_core::inside::{Pool, PoolScaling};
use howso_infra_core::plan::Replacement;
use howso_infra_core::spec::{LocalNodes, PoolName};
use howso_infra_engine::{JournalError, Moment};
use howso_infra_kubernetes::{KubernetesBackend, Look, PodReference, PoolNodes, ScaleUpNews};

use crate::event::{AutoscalingEvent, Event};
use crate::interrupt::Interrupts;
use crate::prepare::{Goal, Prepared};
use crate::{Error, Finished, Session, Stage};

const GOAL: Goal = Goal::Up { replacement: Replacement::Refused };

/// Watches the pods of one cluster.
pub struct Autoscaler<'a> {
    session: &'a Session,
    backend: &'a KubernetesBackend,
    pools: Vec<Pool>,
    /// How long a node must be idle before it goes.
    idle_for: Duration,
    idle_since: BTreeMap<String, Moment>,
    /// What was said of pods that still wait.
    told: BTreeMap<PodReference, String>,
}

/// New numbers of nodes, by pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resize(BTreeMap<PoolName, LocalNodes>);

impl Session {
    /// Begins to watch a cluster that is as wanted but for the number of its workers. A worker goes once nothing has run on it for
    /// `idle_for`. Changes nothing.
    pub async fn autoscaler(&self, idle_for: Duration) -> Result<Autoscaler<'_>, Error> {
        let (backend, pools) = self.scalable(&self.prepare(GOAL).await?)?;
        let (idle_since, told) = (BTreeMap::new(), BTreeMap::new());
        let autoscaler = Autoscaler { session: self, backend, pools, idle_for, idle_since, told };
        let seen = autoscaler.see().await?;
        let present = autoscaler.resize(&seen, &BTreeMap::new(), &BTreeSet::new());
        let prepared = autoscaler.resized(&present).await?.prepare(GOAL).await?;
        // Nodes that a run left half-made come with the next change.
        autoscaler.refuse_other_changes(&prepared)?;
        Ok(autoscaler)
    }

    /// Refuses a cluster whose platform has an autoscaler of its own.
    pub fn refuse_if_scaled_by_platform(&self, prepared: &Prepared) -> Result<(), Error> {
        self.scalable(prepared).map(|_| ())
    }

    fn scalable(&self, prepared: &Prepared) -> Result<(&KubernetesBackend, Vec<Pool>), Error> {
        let mut pools = self.provider.inside(&self.spec, &prepared.facts).pools;
        pools.retain(|pool| pool.scaling.is_some());
        match self.kubernetes.as_deref() {
            Some(backend) if !pools.is_empty() => Ok((backend, pools)),
            Some(_) | None => Err(Error::ScaledByPlatform { provider: self.spec.provider.to_string() }),
        }
    }
}

impl Autoscaler<'_> {
    /// Looks once. Tells of pods that a node is made for, and of those that no node would help, also to whoever describes them.
    pub async fn look(&mut self) -> Result<Option<Resize>, Error> {
        let seen = self.see().await?;
        self.tell_unhelped(&seen).await;
        let now = self.session.clock.now();
        let idle: BTreeSet<&String> = seen.pools.values().flat_map(|pool| &pool.idle).collect();
        self.idle_since.retain(|node, _| idle.contains(node));
        for node in idle {
            self.idle_since.entry(node.clone()).or_insert(now);
        }
        if !seen.growth.is_empty() {
            for growth in &seen.growth {
                self.tell(AutoscalingEvent::TriggeredScaleUp(growth.clone()));
                for pod in &growth.pods {
                    self.tell_pod(pod, ScaleUpNews::Triggered, &format!("[{{{growth}}}]")).await;
                }
            }
            let wanted = seen.growth.iter().map(|growth| (growth.pool.as_str(), growth.to)).collect();
            return Ok(Some(self.resize(&seen, &wanted, &BTreeSet::new())));
        }
        let leaving = self.leaving(&seen, now);
        for node in &leaving {
            let idle_secs = self.idle_since.get(node).map_or(0, |since| now.since(*since).as_secs());
            self.tell(AutoscalingEvent::ScaleDownEmpty { node: node.clone(), idle_secs });
        }
        Ok((!leaving.is_empty()).then(|| self.resize(&seen, &BTreeMap::new(), &leaving)))
    }

    /// Carries out what a look said. Does nothing when another command holds the lease: the next look says what is to be done then.
    pub async fn carry_out(&mut self, resize: &Resize, interrupts: Interrupts) -> Result<Option<Finished>, Error> {
        let session = self.resized(resize).await?;
        let run = match session.begin(GOAL).await {
            Err(Error::Journal(error @ JournalError::Held { .. })) => {
                self.tell(AutoscalingEvent::Postponed { why: error.to_string() });
                return Ok(None);
            }
            begun => begun?,
        };
        if let Err(error) = self.refuse_other_changes(run.prepared()) {
            // Why nothing is done is the news; a lease that could not be given free runs out by itself.
            let _ = run.release().await;
            return Err(error);
        }
        run.execute(interrupts).await.map(Some)
    }

    async fn see(&self) -> Result<Look, Error> {
        let (session, now) = (self.session, self.session.clock.wall());
        session.reading(async || self.backend.look(&self.pools, now).await).await
    }

    /// The nodes that have been idle for long enough, those longest first, but for as many as a pool has at least.
    fn leaving(&self, seen: &Look, now: Moment) -> BTreeSet<String> {
        let mut leaving = BTreeSet::new();
        for (name, scaling) in self.scalings() {
            let Some(PoolNodes { count, idle }) = seen.pools.get(name) else { continue };
            let since = idle.iter().filter_map(|node| Some((*self.idle_since.get(node)?, node)));
            let mut expired: Vec<_> = since.filter(|(since, _)| now.since(*since) >= self.idle_for).collect();
            expired.sort();
            let removable = count.saturating_sub(scaling.min) as usize;
            leaving.extend(expired.into_iter().take(removable).map(|(_, node)| node.clone()));
        }
        leaving
    }

    /// The numbers of nodes: those that are there, or those that are wanted, without those that leave.
    fn resize(&self, seen: &Look, wanted: &BTreeMap<&str, u32>, leaving: &BTreeSet<String>) -> Resize {
        let none = PoolNodes::default();
        let local = self.session.spec.workers.keys().map(|pool| {
            let name = pool.node_pool_name();
            let PoolNodes { count, idle } = seen.pools.get(name).unwrap_or(&none);
            let without: BTreeSet<String> = idle.intersection(leaving).cloned().collect();
            let gone = u32::try_from(without.len()).unwrap_or(u32::MAX);
            let count = wanted.get(name).copied().unwrap_or_else(|| count.saturating_sub(gone));
            (pool.clone(), LocalNodes { count, without })
        });
        Resize(local.collect())
    }

    /// The cluster with other numbers of workers.
    async fn resized(&self, resize: &Resize) -> Result<Session, Error> {
        let mut spec = self.session.spec.clone();
        for (pool, nodes) in &resize.0 {
            if let Some(pool) = spec.workers.get_mut(pool) {
                pool.local = Some(nodes.clone());
            }
        }
        Ok(self.session.reopen(spec).await?.until(Stage::Cloud))
    }

    fn scalings(&self) -> impl Iterator<Item = (&str, &PoolScaling)> {
        self.pools.iter().filter_map(|pool| Some((pool.name.as_str(), pool.scaling.as_ref()?)))
    }

    /// Tells each reason once for as long as its pod waits.
    async fn tell_unhelped(&mut self, seen: &Look) {
        self.told.retain(|pod, _| seen.unhelped.iter().any(|unhelped| unhelped.pod == *pod));
        for unhelped in &seen.unhelped {
            if self.told.insert(unhelped.pod.clone(), unhelped.why.clone()).as_ref() == Some(&unhelped.why) {
                continue;
            }
            self.tell(AutoscalingEvent::NotTriggerScaleUp(unhelped.clone()));
            self.tell_pod(&unhelped.pod, ScaleUpNews::NotTriggered, &unhelped.why).await;
        }
    }

    /// An event that cannot be added is no reason not to scale.
    async fn tell_pod(&self, pod: &PodReference, news: ScaleUpNews, detail: &str) {
        if let Err(error) = self.backend.tell_pod(pod, news, detail, self.session.clock.wall()).await {
            self.tell(AutoscalingEvent::PodNotTold { pod: pod.clone(), error });
        }
    }

    fn tell(&self, event: AutoscalingEvent) {
        self.session.tell(&Event::Autoscaling(event));
    }

    /// Refuses to scale a cluster that differs from its specification in more than nodes.
    fn refuse_other_changes(&self, prepared: &Prepared) -> Result<(), Error> {
        let plan = &prepared.plan;
        let kinds: BTreeSet<&str> = self.scalings().map(|(_, scaling)| scaling.kind).collect();
        let steps = plan.steps.iter().map(|step| &step.resource).filter(|id| !kinds.contains(id.kind()));
        let blocked = plan.blocked().map(|decision| &decision.resource);
        let resources: BTreeSet<String> = steps.chain(blocked).map(ToString::to_string).collect();
        if resources.is_empty() {
            return Ok(());
        }
        Err(Error::NotAsWanted { resources: resources.into_iter().collect() })
    }
}
