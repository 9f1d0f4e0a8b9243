//! A cloud in memory that shows what it has made late, loses answers, and kills the program that asks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8Path;
use howso_infra::core::identity::{CLUSTER_TAG, DEPLOYMENT_TAG};
use howso_infra::core::plan::Plan;
use howso_infra::core::provider::{Access, Facts, OpenError};
use howso_infra::core::spec::{ClusterSpec, SpecErrors};
use howso_infra::core::{
    Attributes, Backend, ClusterIdentity, CreateSafety, DeploymentId, ErrorKind, FieldRule, Finding, Gap, Graph, Kind,
    Latency, Leftover, Observation, Observed, Operation, OperationVerb, Ownership, Progress, Provider, ProviderError,
    ProviderFactory, Removal, Resource, ResourceId, Scope, ScopeKinds, Status, Submitted, Ticket, Token, Value, Work,
};
use howso_infra::engine::clock::Moment;
use howso_infra::engine::{Clock, VirtualClock};
use tokio::sync::Notify;

/// How late the cloud shows what it has made.
pub const VISIBLE_AFTER: Duration = Duration::from_secs(3);
/// How long the cloud works on what it has accepted.
const READY_AFTER: Duration = Duration::from_secs(20);

const BASE: Kind = Kind {
    name: "",
    title: "",
    create_safety: CreateSafety::Named,
    lane: None,
    fields: &[],
    removal: Removal::Call,
    deleted_after: &[],
    create: Latency::new(20.0, 0.3),
    update: Latency::new(20.0, 0.3),
    delete: Latency::new(20.0, 0.3),
    deadline: Duration::from_mins(10),
};

const KINDS: &[Kind] = &[
    Kind {
        name: "memory/network",
        create_safety: CreateSafety::TagOnly,
        fields: &[("range", FieldRule::Immutable), ("resolver", FieldRule::after_create("set-resolver"))],
        deleted_after: &["memory/gateway", "memory/cluster"],
        ..BASE
    },
    Kind {
        name: "memory/gateway",
        create_safety: CreateSafety::Token,
        fields: &[("network", FieldRule::Replace)],
        ..BASE
    },
    Kind {
        name: "memory/cluster",
        lane: Some("cluster"),
        fields: &[("network", FieldRule::Replace), ("logging", FieldRule::in_place("set-logging"))],
        deleted_after: &["memory/pool"],
        ..BASE
    },
    Kind {
        name: "memory/pool",
        fields: &[("cluster", FieldRule::Replace), ("max", FieldRule::in_place("scale"))],
        ..BASE
    },
];

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call is carried out and its answer lost.
    AnswerLost,
    /// The call is lost; the program cannot tell.
    CallLost,
    /// The service asks to slow down.
    Throttled,
    /// Another operation runs on the resource.
    Busy,
}

struct Entry {
    physical_id: String,
    resource: ResourceId,
    identity: ClusterIdentity,
    token: Token,
    attributes: Attributes,
    visible_at: Moment,
    ready_at: Moment,
    deleted_at: Option<Moment>,
}

#[derive(Default)]
struct Inner {
    entries: Vec<Entry>,
    made: usize,
    submits: usize,
    boundaries: usize,
    kill_at: Option<usize>,
    faults: BTreeMap<usize, Fault>,
    /// What goes wrong with the next reads of the whole cluster.
    unreadable: VecDeque<Unreadable>,
    /// What was read of the whole cluster.
    reads: Vec<ScopeKinds>,
}

/// What goes wrong with one read.
#[derive(Clone, Debug)]
pub enum Unreadable {
    /// One kind cannot be read.
    Kind(&'static str, ErrorKind),
    /// Nothing can be read.
    Everything(ErrorKind),
}

/// The cloud.
#[derive(Clone)]
pub struct MemoryCloud {
    inner: Arc<Mutex<Inner>>,
    clock: VirtualClock,
    killed: Arc<Notify>,
}

impl MemoryCloud {
    /// Makes an empty cloud that lives on `clock`.
    pub fn new(clock: VirtualClock) -> Self {
        Self { inner: Arc::default(), clock, killed: Arc::default() }
    }

    /// Kills the program at the boundary with this number, counted from now: before a call is carried out, and after it is
    /// and before its answer arrives.
    pub fn kill_at(&self, boundary: Option<usize>) {
        let mut inner = self.lock();
        inner.boundaries = 0;
        inner.kill_at = boundary;
    }

    /// The number of boundaries that were passed since [`MemoryCloud::kill_at`].
    pub fn boundaries(&self) -> usize {
        self.lock().boundaries
    }

    /// Lets calls go wrong, by their number counted from now.
    pub fn set_faults(&self, faults: BTreeMap<usize, Fault>) {
        let mut inner = self.lock();
        inner.submits = 0;
        inner.faults = faults;
    }

    /// The number of calls since [`MemoryCloud::set_faults`].
    pub fn submits(&self) -> usize {
        self.lock().submits
    }

    /// Lets the next reads of the whole cluster go wrong, one after the other.
    pub fn set_unreadable(&self, unreadable: impl IntoIterator<Item = Unreadable>) {
        let mut inner = self.lock();
        inner.reads.clear();
        inner.unreadable = unreadable.into_iter().collect();
    }

    /// What was read of the whole cluster since [`MemoryCloud::set_unreadable`].
    pub fn reads(&self) -> Vec<ScopeKinds> {
        self.lock().reads.clone()
    }

    /// Waits until the program is killed.
    pub async fn killed(&self) {
        self.killed.notified().await;
    }

    /// Everything that exists, by what it is, identifiers left out: two clouds that were brought to the same end are equal.
    pub fn contents(&self) -> Vec<(String, Vec<String>)> {
        let inner = self.lock();
        let name = |id: &str| {
            inner.entries.iter().find(|entry| entry.physical_id == id).map(|entry| entry.resource.to_string())
        };
        let show = |entry: &Entry| {
            let fields = entry.attributes.iter().map(|(field, value)| {
                let text = value.to_string();
                format!("{field}={}", name(&text).unwrap_or(text))
            });
            (entry.resource.to_string(), fields.collect())
        };
        let mut contents: Vec<_> = inner.entries.iter().filter(|entry| entry.deleted_at.is_none()).map(show).collect();
        contents.sort();
        contents
    }

    /// A boundary at which the program may die: it then never gets an answer.
    async fn boundary(&self) {
        let dies = {
            let mut inner = self.lock();
            inner.boundaries += 1;
            inner.kill_at.is_some_and(|kill_at| inner.boundaries >= kill_at)
        };
        if dies {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry_out(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        let now = self.clock.now();
        let mut inner = self.lock();
        let physical_id = match &operation.work {
            Work::Create { attributes } => Self::create(&mut inner, operation, attributes, now)?,
            Work::Update { physical_id, changes, .. } => {
                let entry = inner.living(physical_id, now).ok_or_else(|| error(ErrorKind::Gone, "no such thing"))?;
                entry.attributes.extend(changes.iter().map(|change| (change.field.clone(), change.to.clone())));
                entry.ready_at = now + READY_AFTER;
                physical_id.clone()
            }
            Work::Delete { physical_id, .. } => {
                let entry = inner.living(physical_id, now).ok_or_else(|| error(ErrorKind::Gone, "no such thing"))?;
                entry.deleted_at = Some(now + READY_AFTER);
                physical_id.clone()
            }
        };
        let (resource, verb) = (operation.resource.clone(), operation.work.verb());
        Ok(Submitted::Accepted(Ticket { resource, verb, physical_id, context: Attributes::new() }))
    }

    fn create(
        inner: &mut Inner,
        operation: &Operation,
        attributes: &Attributes,
        now: Moment,
    ) -> Result<String, ProviderError> {
        let kind = KINDS.iter().find(|kind| kind.name == operation.resource.kind());
        let kind = kind.ok_or_else(|| error(ErrorKind::Bug, "no such kind"))?;
        let mut twins =
            inner.entries.iter().filter(|entry| entry.is_alive(now) && entry.resource == operation.resource);
        match kind.create_safety {
            CreateSafety::Named if twins.next().is_some() => {
                return Err(error(ErrorKind::Conflict { owner: String::new() }, "the name is taken"));
            }
            CreateSafety::Token => {
                if let Some(twin) = twins.find(|entry| entry.token == operation.token) {
                    return Ok(twin.physical_id.clone());
                }
            }
            CreateSafety::Named | CreateSafety::TagOnly => {}
        }
        inner.made += 1;
        let physical_id = format!("id-{}", inner.made);
        let mut attributes = attributes.clone();
        if attributes.remove("resolver").is_some() {
            attributes.insert("resolver".to_owned(), Value::Bool(false));
        }
        inner.entries.push(Entry {
            physical_id: physical_id.clone(),
            resource: operation.resource.clone(),
            identity: operation.identity.clone(),
            token: operation.token.clone(),
            attributes,
            visible_at: now + VISIBLE_AFTER,
            ready_at: now + READY_AFTER,
            deleted_at: None,
        });
        Ok(physical_id)
    }

    fn observed(entry: &Entry, wanted: Option<&DeploymentId>, now: Moment) -> Observed {
        let identity = &entry.identity;
        let ownership = if wanted.is_none_or(|wanted| *wanted == identity.deployment) {
            Ownership::Ours { deployment: identity.deployment.clone(), generation: Some(identity.generation) }
        } else {
            Ownership::Foreign { evidence: format!("{CLUSTER_TAG} and {DEPLOYMENT_TAG}={}", identity.deployment) }
        };
        let status = match entry.deleted_at {
            Some(_) => Status::Deleting,
            None if entry.ready_at <= now => Status::Ready,
            None => Status::Pending { state: "working".to_owned() },
        };
        Observed {
            physical_id: entry.physical_id.clone(),
            ownership,
            status,
            attributes: entry.attributes.clone(),
            outputs: Attributes::from([("id".to_owned(), Value::text(entry.physical_id.clone()))]),
        }
    }
}

impl Entry {
    fn is_alive(&self, now: Moment) -> bool {
        self.deleted_at.is_none_or(|deleted_at| deleted_at > now)
    }
}

impl Inner {
    fn living(&mut self, physical_id: &str, now: Moment) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.physical_id == physical_id && entry.is_alive(now))
    }
}

#[async_trait]
impl Backend for MemoryCloud {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, ProviderError> {
        let mut inner = self.lock();
        let mut observation = Observation::default();
        let mut hidden = None;
        let (only, deployment) = match scope {
            Scope::Cluster { deployment, kinds } => {
                inner.reads.push(kinds.clone());
                match inner.unreadable.pop_front() {
                    None => {}
                    Some(Unreadable::Everything(kind)) => return Err(error(kind, "nothing can be read")),
                    Some(Unreadable::Kind(name, kind)) => {
                        let error = error(kind, "it cannot be read");
                        observation.gaps.push(Gap { kinds: vec![name.to_owned()], error });
                        hidden = Some(name);
                    }
                }
                (None, deployment.as_ref())
            }
            Scope::Resource { id, deployment, .. } => (Some(id), Some(deployment)),
        };
        let now = self.clock.now();
        for entry in &inner.entries {
            let is_meant = only.is_none_or(|only| *only == entry.resource) && hidden != Some(entry.resource.kind());
            if is_meant && entry.is_alive(now) && entry.visible_at <= now {
                observation.insert(entry.resource.clone(), Self::observed(entry, deployment, now));
            }
        }
        Ok(observation)
    }

    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        self.boundary().await;
        let fault = {
            let mut inner = self.lock();
            inner.submits += 1;
            let number = inner.submits;
            inner.faults.get(&number).copied()
        };
        match fault {
            None => {
                let answer = self.carry_out(operation);
                self.boundary().await;
                answer
            }
            Some(Fault::AnswerLost) => {
                // Whatever the call did, also fail, the program does not learn it.
                drop(self.carry_out(operation));
                Err(error(ErrorKind::Ambiguous, "connection closed"))
            }
            Some(Fault::CallLost) => Err(error(ErrorKind::Ambiguous, "connection closed")),
            Some(Fault::Throttled) => Err(error(ErrorKind::Throttled { after: None }, "slow down")),
            Some(Fault::Busy) => Err(error(ErrorKind::Busy { by: "another update".to_owned() }, "in progress")),
        }
    }

    async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        self.boundary().await;
        let now = self.clock.now();
        let mut inner = self.lock();
        let pending = Progress::Pending { state: "working".to_owned() };
        Ok(match (ticket.verb, inner.living(&ticket.physical_id, now)) {
            (OperationVerb::Delete, None) => Progress::Settled { outputs: Attributes::new() },
            (OperationVerb::Delete, Some(_)) => pending,
            (_, None) => return Err(error(ErrorKind::Gone, "no such thing")),
            (_, Some(entry)) if entry.visible_at > now => return Err(error(ErrorKind::Gone, "no such thing")),
            (_, Some(entry)) if entry.ready_at > now => pending,
            (_, Some(entry)) => Progress::Settled { outputs: Self::observed(entry, None, now).outputs },
        })
    }

    async fn audit(&self, _identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl ProviderFactory for MemoryCloud {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn options_schema(&self) -> schemars::Schema {
        schemars::Schema::from(true)
    }

    async fn open(&self, _spec: &ClusterSpec, _state_dir: &Utf8Path) -> Result<Arc<dyn Provider>, OpenError> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Provider for MemoryCloud {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn survey(&self, _observation: &Observation) -> Result<Facts, ProviderError> {
        Ok(Facts::default())
    }

    fn graph(&self, spec: &ClusterSpec, _facts: &Facts) -> Result<Graph, SpecErrors> {
        let (network, cluster) = (ResourceId::new("memory/network", "main"), ResourceId::new("memory/cluster", "main"));
        let network_id = || Value::reference(&network, "id");
        let mut resources = vec![
            Resource::new(network.clone()).with("range", "10.0.0.0/8").with("resolver", true),
            Resource::new(ResourceId::new("memory/gateway", "a")).with("network", network_id()),
            Resource::new(ResourceId::new("memory/gateway", "b")).with("network", network_id()),
            Resource::new(cluster.clone()).with("network", network_id()).with("logging", spec.core.nodes > 2),
        ];
        for (name, worker) in &spec.workers {
            let pool = Resource::new(ResourceId::new("memory/pool", name.node_pool_name()));
            resources.push(pool.with("cluster", Value::reference(&cluster, "id")).with("max", worker.max));
        }
        Ok(Graph::new(resources).expect("the names of pools are distinct"))
    }

    async fn preflight(&self, _: &ClusterSpec, _: &Facts, _: &Plan, _: &Observation) -> Vec<Finding> {
        Vec::new()
    }

    fn backends(&self) -> Vec<Arc<dyn Backend>> {
        vec![Arc::new(self.clone())]
    }

    async fn access(&self, _observation: &Observation) -> Result<Option<Access>, ProviderError> {
        Ok(None)
    }
}

fn error(kind: ErrorKind, message: &str) -> ProviderError {
    ProviderError::new(kind, "memory", message)
}
