//! What an autoscaler sees at one look: pods that nothing but a further node would help, and nodes that nobody needs.
//!
//! The rules and the words are those of the Cluster Autoscaler
//! (<https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md>), in the parts that pools of like nodes need.

mod decision;
mod events;
mod pods;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use futures::try_join;
use howso_infra_core::ProviderError;
use howso_infra_core::inside::Pool;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::KubernetesBackend;
use crate::errors::Call;
use crate::list;
use crate::object::collection;

pub use events::ScaleUpNews;

/// What was seen, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The pools that this program scales, by name.
    pub pools: BTreeMap<String, PoolNodes>,
    /// The pools that must grow, and for which pods.
    pub growth: Vec<Growth>,
    /// Pods that wait, and that no further node would help.
    pub unhelped: Vec<Unhelped>,
}

/// The nodes of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolNodes {
    /// How many there are.
    pub count: u32,
    /// Those that only run what runs on every node, that no waiting pod needs, and that may go.
    pub idle: BTreeSet<String>,
}

/// A pool that must grow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Growth {
    /// Its name.
    pub pool: String,
    /// How many nodes there are.
    pub from: u32,
    /// How many there must be.
    pub to: u32,
    /// How many there may be.
    pub max: u32,
    /// The pods that need them.
    pub pods: Vec<PodReference>,
}

/// As the Cluster Autoscaler writes it.
impl fmt::Display for Growth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, from, to, max, .. } = self;
        write!(formatter, "{pool} {from}->{to} (max: {max})")
    }
}

/// A pod that waits, and that no further node would help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unhelped {
    /// The pod.
    pub pod: PodReference,
    /// Why not, by pool.
    pub why: String,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PodReference {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its unique id: another pod may come to have the name.
    pub uid: String,
}

/// `namespace/name`.
impl fmt::Display for PodReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// What is in the cluster.
struct Scene {
    nodes: Vec<Node>,
    pods: Vec<Pod>,
    daemon_sets: Vec<DaemonSet>,
}

impl KubernetesBackend {
    /// Looks once at pods and nodes. `now` is the time by the clock on the wall.
    pub async fn look(&self, pools: &[Pool], now: jiff::Timestamp) -> Result<Look, ProviderError> {
        let (nodes, pods, daemon_sets) = try_join!(
            self.list("list nodes", collection("v1", "nodes", None)),
            self.list("list pods", collection("v1", "pods", None)),
            self.list("list daemonsets.apps", collection("apps/v1", "daemonsets", None)),
        )?;
        Ok(decision::decide(pools, &Scene { nodes, pods, daemon_sets }, now))
    }

    async fn list<T: DeserializeOwned>(&self, action: &str, path: String) -> Result<Vec<T>, ProviderError> {
        let call = Call::read(action);
        let objects = list::all(&self.api, &call, &path, None).await?;
        let typed: Result<Vec<T>, _> = objects.into_iter().map(serde_json::from_value).collect();
        typed.map_err(|error| list::bug(&call, &error))
    }
}
