//! A cloud in memory: one cluster, which is the real API server behind the proxy.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use camino::Utf8Path;
use howso_infra::core::inside::{Autoscaler, Inside, Pool, PoolRole, StorageClass, WorkerImage};
use howso_infra::core::provider::{Access, Facts, OpenError};
use howso_infra::core::spec::{ClusterSpec, SpecErrors};
use howso_infra::core::{
    Attributes, Backend, ClusterIdentity, Connection, Connector, CreateSafety, Credential, FieldRule, Finding, Graph,
    Kind, Latency, Leftover, Observation, Observed, Operation, Ownership, Plan, Progress, Provider, ProviderError,
    ProviderFactory, Removal, Resource, ResourceId, Scope, Status, Submitted, Ticket, Work,
};
use secrecy::SecretString;

use super::server::{OUR_TOKEN, server};

/// The label by which the emulated nodes say which pool they are of.
pub(crate) const POOL_LABEL: &str = "example.com/pool";

static KINDS: [Kind; 1] = [Kind {
    name: "memory/cluster",
    title: "cluster",
    create_safety: CreateSafety::Named,
    lane: None,
    fields: &[("size", FieldRule::Ignore)],
    removal: Removal::Call,
    deleted_after: &[],
    create: Latency::IMMEDIATE,
    update: Latency::IMMEDIATE,
    delete: Latency::IMMEDIATE,
    deadline: Duration::from_secs(30),
}];

/// The cloud, which outlives every run.
#[derive(Clone)]
pub(crate) struct Cloud(Arc<Inner>);

struct Inner {
    /// Where the API of the cluster is: the proxy.
    url: Mutex<String>,
    cluster: Mutex<Option<ClusterIdentity>>,
    inside: Mutex<Inside>,
    /// Tokens that are given before the good one.
    bad_tokens: Mutex<Vec<&'static str>>,
    connections: AtomicUsize,
}

impl Cloud {
    pub(crate) fn new(url: &str) -> Self {
        let pool = |name: &str, role, min, max| Pool {
            name: name.to_owned(),
            role,
            member_label: (POOL_LABEL.to_owned(), name.to_owned()),
            min,
            max,
            autoscaling_group: Some(format!("asg-{name}").into()),
            scaling: None,
        };
        let inside = Inside {
            storage_class: Some(StorageClass {
                name: "gp3".to_owned(),
                provisioner: "ebs.csi.aws.com".to_owned(),
                parameters: [("type".to_owned(), "gp3".to_owned())].into(),
            }),
            autoscaler: Some(Autoscaler {
                image: "registry.example.com/cluster-autoscaler:v1.34.0".to_owned(),
                arguments: vec!["--cloud-provider=aws".to_owned()],
                environment: [("AWS_REGION".to_owned(), "us-east-1".to_owned())].into(),
                service_account_annotations: [("example.com/role".to_owned(), "autoscaler".to_owned())].into(),
            }),
            worker_image: Some(WorkerImage {
                image: "registry.example.com/howso/worker:1.2".parse().expect("an image"),
                pull_secret: None,
            }),
            metrics: true,
            pools: vec![pool("core", PoolRole::Core, 2, 2), pool("worker", PoolRole::Worker, 0, 20)],
        };
        Self(Arc::new(Inner {
            url: Mutex::new(url.to_owned()),
            cluster: Mutex::default(),
            inside: Mutex::new(inside),
            bad_tokens: Mutex::default(),
            connections: AtomicUsize::new(0),
        }))
    }

    /// Changes what is wanted inside.
    pub(crate) fn want(&self, change: impl FnOnce(&mut Inside)) {
        change(&mut self.0.inside.lock().unwrap());
    }

    /// Lets these tokens be given first.
    pub(crate) fn give_bad_tokens(&self, tokens: &[&'static str]) {
        *self.0.bad_tokens.lock().unwrap() = tokens.to_vec();
        self.0.connections.store(0, Ordering::SeqCst);
    }

    /// How often somebody asked for a connection.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections.load(Ordering::SeqCst)
    }

    /// Moves the API to another address.
    pub(crate) fn move_to(&self, url: &str) {
        url.clone_into(&mut self.0.url.lock().unwrap());
    }

    /// Whether the cluster exists.
    pub(crate) fn exists(&self) -> bool {
        self.0.cluster.lock().unwrap().is_some()
    }

    fn owner(&self) -> Option<Ownership> {
        let cluster = self.0.cluster.lock().unwrap();
        let ours = |identity: &ClusterIdentity| Ownership::Ours {
            deployment: identity.deployment.clone(),
            generation: Some(identity.generation),
        };
        cluster.as_ref().map(ours)
    }
}

fn cluster_id() -> ResourceId {
    ResourceId::new("memory/cluster", "main")
}

#[async_trait]
impl ProviderFactory for Cloud {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn options_schema(&self) -> schemars::Schema {
        schemars::json_schema!({ "type": "object" })
    }

    async fn open(&self, _spec: &ClusterSpec, _state_dir: &Utf8Path) -> Result<Arc<dyn Provider>, OpenError> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait]
impl Provider for Cloud {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn survey(&self, _observation: &Observation) -> Result<Facts, ProviderError> {
        Ok(Facts::default())
    }

    fn graph(&self, _spec: &ClusterSpec, _facts: &Facts) -> Result<Graph, SpecErrors> {
        Ok(Graph::new([Resource::new(cluster_id()).with("size", 1_u32)]).expect("one resource is a graph"))
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

    fn connector(&self) -> Option<Arc<dyn Connector>> {
        Some(Arc::new(self.clone()))
    }

    fn inside(&self, _spec: &ClusterSpec, _facts: &Facts) -> Inside {
        self.0.inside.lock().unwrap().clone()
    }
}

#[async_trait]
impl Connector for Cloud {
    async fn connect(&self) -> Result<Option<Connection>, ProviderError> {
        let Some(owner) = self.owner() else { return Ok(None) };
        self.0.connections.fetch_add(1, Ordering::SeqCst);
        let mut bad = self.0.bad_tokens.lock().unwrap();
        let token = if bad.is_empty() { OUR_TOKEN } else { bad.remove(0) };
        Ok(Some(Connection {
            server: self.0.url.lock().unwrap().clone(),
            certificate_authority: server().certificate_authority.clone(),
            owner,
            credential: Credential::Token { token: SecretString::from(token), lifetime: None },
        }))
    }
}

#[async_trait]
impl Backend for Cloud {
    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    async fn observe(&self, _scope: &Scope) -> Result<Observation, ProviderError> {
        let mut observation = Observation::default();
        if let Some(ownership) = self.owner() {
            let observed = Observed {
                physical_id: "cluster-1".to_owned(),
                ownership,
                status: Status::Ready,
                attributes: Attributes::from([("size".to_owned(), 1_u32.into())]),
                outputs: Attributes::new(),
            };
            observation.insert(cluster_id(), observed);
        }
        Ok(observation)
    }

    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        let mut cluster = self.0.cluster.lock().unwrap();
        match operation.work {
            Work::Create { .. } => *cluster = Some(operation.identity.clone()),
            Work::Delete { .. } => *cluster = None,
            Work::Update { .. } => {}
        }
        Ok(Submitted::settled("cluster-1"))
    }

    async fn poll(&self, _ticket: &Ticket) -> Result<Progress, ProviderError> {
        Ok(Progress::Settled { outputs: Attributes::new() })
    }

    async fn audit(&self, _identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
        Ok(Vec::new())
    }
}
