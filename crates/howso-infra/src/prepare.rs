//! Reads, and plans; changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use howso_infra_core::inside::CONTENTS_KIND;
use howso_infra_core::plan::{PlanInput, Replacement, plan_down, plan_up};
use howso_infra_core::provider::Facts;
use howso_infra_core::sizing::{Fit, prove};
use howso_infra_core::spec::SpecErrors;
use howso_infra_core::{
    Backend, ClusterIdentity, DeploymentId, ErrorKind, Finding, Gap, Generation, Graph, Observation, Ownership, Plan,
    ResourceId,
};
use howso_infra_engine::JournalState;
use howso_infra_kubernetes::{CHECK, KubernetesBackend, Workload};

use crate::event::Phase;
use crate::randomness::Randomness;
use crate::{Error, Session};

/// What a command is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// The cluster of the specification.
    Up {
        /// Whether resources that worked may be deleted and made again.
        replacement: Replacement,
    },
    /// Nothing: the removal of everything that is ours.
    Down,
}

/// Everything that was read and decided before anything is changed.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What will be done.
    pub plan: Plan,
    /// What the graph depends on beyond the specification. Empty for a removal.
    pub facts: Facts,
    /// Whether the workload has room on the nodes. Absent for a removal, and where the provider does not tell what nodes are made of.
    pub fit: Option<Fit>,
    /// What is there.
    pub observation: Observation,
    /// What is wanted. Empty for a removal.
    pub graph: Graph,
    /// What others run in the cluster; only for a removal, which stops it. Whoever removes asks first when there is any.
    pub workloads: Vec<Workload>,
    /// What people call each kind of resource.
    pub titles: BTreeMap<&'static str, &'static str>,
}

impl Prepared {
    /// Refuses to make or change a cluster whose workload has no room on its nodes. Of one that stays as it is, nothing is said.
    pub fn check_fit(&self) -> Result<(), SpecErrors> {
        match &self.fit {
            Some(fit) if !self.plan.steps.is_empty() => SpecErrors::check(fit.errors()),
            Some(_) | None => Ok(()),
        }
    }
}

impl Session {
    /// Reads what is there and plans the way to `goal`. Takes no lease and changes nothing.
    pub async fn prepare(&self, goal: Goal) -> Result<Prepared, Error> {
        let state = self.peek_journal().await?;
        self.prepare_with(goal, &state).await
    }

    /// Checks whether the plan can succeed, by reads alone. A plan without steps needs no check.
    pub async fn preflight(&self, prepared: &Prepared) -> Vec<Finding> {
        self.begin_phase(Phase::Checking);
        self.provider.preflight(&self.spec, &prepared.facts, &prepared.plan, &prepared.observation).await
    }

    /// Reads what is there, also what was made a moment ago, and plans.
    pub(crate) async fn prepare_with(&self, goal: Goal, journal: &JournalState) -> Result<Prepared, Error> {
        let observation = self.observe_settled(journal).await?;
        self.plan(goal, journal, observation).await
    }

    /// Reads and plans again after a run. Who finds something left to do must look once more: what a run has just made or
    /// removed may show late.
    pub(crate) async fn prepare_again(&self, goal: Goal, journal: &JournalState) -> Result<Prepared, Error> {
        self.begin_phase(Phase::Reading);
        let observation = self.observe(journal.deployment()).await?;
        self.plan(goal, journal, observation).await
    }

    async fn plan(&self, goal: Goal, journal: &JournalState, mut observation: Observation) -> Result<Prepared, Error> {
        let identity = identity(&self.spec.name.to_string(), journal, &observation, &self.randomness)?;
        let mut workloads = Vec::new();
        let (facts, fit, graph) = match goal {
            Goal::Up { .. } => {
                let facts = self.reading(async || self.provider.survey(&observation).await).await?;
                let machines = self.provider.machines(&self.spec, &facts);
                let fit = machines.map(|machines| prove(&self.spec, &machines));
                let graph = self.with_inside(self.provider.graph(&self.spec, &facts)?, &facts)?;
                if let Some(kubernetes) = &self.kubernetes {
                    self.expect_locked_doors(kubernetes, &graph, &mut observation);
                    let checks = self.check(kubernetes, &graph, &observation).await?;
                    observation.merge(checks);
                }
                (facts, fit, graph)
            }
            Goal::Down => {
                workloads = self.workloads(&observation).await?;
                (Facts::default(), None, Graph::default())
            }
        };
        let mut pending = journal.pending_creates();
        pending.retain(|id, _| observation.one(id).is_none());
        let input = |replacement| PlanInput {
            graph: &graph,
            kinds: &self.kinds,
            observation: &observation,
            identity: &identity,
            pending: &pending,
            replacement,
        };
        let plan = match goal {
            Goal::Up { replacement } => plan_up(input(replacement)),
            Goal::Down => plan_down(input(Replacement::Refused)),
        };
        let titles = self.backends.iter().flat_map(|backend| backend.kinds()).map(|kind| (kind.name, kind.title));
        Ok(Prepared { plan, facts, fit, titles: titles.collect(), observation, graph, workloads })
    }

    /// A cluster that does not let this program in yet, because what lets it in is still to be made, is like one without a control
    /// plane: nothing inside is known, and nothing is there that was made by this program. Whatever is made there must be new, so
    /// that nothing of others can be overwritten by this.
    fn expect_locked_doors(&self, kubernetes: &KubernetesBackend, graph: &Graph, observation: &mut Observation) {
        let is_missing = |id: &ResourceId| graph.get(id).is_some() && observation.one(id).is_none();
        let inside: BTreeSet<String> = kubernetes.kinds().iter().map(|kind| kind.name.to_owned()).collect();
        let is_refused = |gap: &Gap| matches!(gap.error.kind, ErrorKind::Auth | ErrorKind::Permission { .. });
        let mut gaps =
            observation.gaps.iter().filter(|gap| gap.kinds.iter().any(|kind| inside.contains(kind))).peekable();
        if gaps.peek().is_some() && gaps.all(is_refused) && self.provider.entrances().iter().any(is_missing) {
            observation.replace(&inside, Observation::default());
        }
    }

    /// Adds what belongs inside the cluster to the graph of the provider.
    fn with_inside(&self, cloud: Graph, facts: &Facts) -> Result<Graph, Error> {
        if self.kubernetes.is_none() {
            return Ok(cloud);
        }
        let inside = self.provider.inside(&self.spec, facts);
        let resources = howso_infra_kubernetes::graph(&inside, &cloud);
        Ok(Graph::new(cloud.iter().cloned().chain(resources))?)
    }

    /// What others run in the cluster. What could not be read is a gap of the observation, which says it.
    async fn workloads(&self, observation: &Observation) -> Result<Vec<Workload>, Error> {
        match &self.kubernetes {
            Some(kubernetes) if observation.gap(CONTENTS_KIND).is_none() => {
                self.reading(async || kubernetes.workloads().await).await
            }
            Some(_) | None => Ok(Vec::new()),
        }
    }

    /// Reads what is there; a resource whose creation was asked for a moment ago and that does not show yet is given the
    /// time in which it must become visible, because its absence proves nothing before.
    async fn observe_settled(&self, journal: &JournalState) -> Result<Observation, Error> {
        self.begin_phase(Phase::Reading);
        let deployment = journal.deployment();
        let observation = self.observe(deployment).await?;
        // A call that was under way when its run died may have been carried out until it would have timed out.
        let engine = &self.spec.engine;
        let recent = journal.recent_creates(self.clock.wall(), engine.visibility_window + 2 * engine.request_timeout);
        // Checks are looked at later, and make nothing that could be late; what is of a later stage is not looked at.
        let is_looked_at = |kind: &str| kind != CHECK && self.kinds.get(kind).is_some();
        if recent.iter().all(|id| !is_looked_at(id.kind()) || observation.one(id).is_some()) {
            return Ok(observation);
        }
        self.begin_phase(Phase::AwaitingVisibility);
        self.clock.sleep(engine.visibility_window).await;
        self.observe(deployment).await
    }
}

/// Whose resources this run may touch: the journal knows, or the tags tell, or the deployment is new.
fn identity(
    cluster: &str,
    journal: &JournalState,
    observation: &Observation,
    randomness: &Randomness,
) -> Result<ClusterIdentity, Error> {
    let known: Vec<DeploymentId> = match journal.deployment() {
        Some(deployment) => vec![deployment.clone()],
        None => observation.deployments().into_keys().collect(),
    };
    let deployment = match known.as_slice() {
        [] => DeploymentId::from_bytes(randomness.bytes()?),
        [deployment] => deployment.clone(),
        [_, ..] => return Err(Error::SeveralDeployments { deployments: known }),
    };
    let last = journal.generation().max(observation.generation());
    let generation = last.map_or(Generation::FIRST, Generation::next);
    Ok(ClusterIdentity { cluster: cluster.to_owned(), deployment, generation })
}

/// Whether anything of this deployment was seen.
pub(crate) fn is_present(observation: &Observation, identity: &ClusterIdentity) -> bool {
    observation.resources.values().flatten().any(|observed| {
        matches!(&observed.ownership, Ownership::Ours { deployment, .. } if *deployment == identity.deployment)
    })
}
