//! The two traits that a cloud implements.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use camino::Utf8Path;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::error::ProviderError;
use crate::finding::Finding;
use crate::graph::Graph;
use crate::identity::{ClusterIdentity, DeploymentId};
use crate::inside::{Connector, Inside};
use crate::kind::Kind;
use crate::observation::{Leftover, Observation};
use crate::operation::{Operation, Progress, Submitted, Ticket};
use crate::plan::Plan;
use crate::resource::ResourceId;
use crate::sizing::Machines;
use crate::sizing::advice::HOURS_PER_MONTH;
use crate::spec::{ClusterSpec, SpecErrors};
use crate::value::Attributes;

/// How a provider is found and opened: one line in the registry of the program.
#[async_trait]
pub trait ProviderFactory: Send + Sync {
    /// The provider's name, as written in a specification.
    fn name(&self) -> &'static str;

    /// The JSON schema of the provider's own table in the specification.
    fn options_schema(&self) -> schemars::Schema;

    /// What the only place is called on a platform that has no regions.
    fn only_location(&self) -> Option<&'static str> {
        None
    }

    /// Opens the provider for one cluster: decodes its options and prepares clients. Sends no request.
    ///
    /// `state_dir` is the local directory of this program, for what a provider must remember of programs that it started.
    /// Nothing is lost when it is deleted while none of them runs.
    async fn open(&self, spec: &ClusterSpec, state_dir: &Utf8Path) -> Result<Arc<dyn Provider>, OpenError>;
}

/// What a caller must be allowed, as documents of the platform. Each is needed together with those before it, or with `read` alone.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Permissions {
    /// For everything that only looks.
    pub read: serde_json::Value,
    /// For making and changing, besides `read`.
    pub apply: serde_json::Value,
    /// For a machine for clients, besides those two; [`None`] where none is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<serde_json::Value>,
    /// For removing, besides `read`.
    pub destroy: serde_json::Value,
}

/// Why a provider could not be opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// The provider's part of the specification is wrong.
    #[error(transparent)]
    Spec(#[from] SpecErrors),
    /// The provider's surroundings are wrong, for example no region or no program.
    #[error(transparent)]
    Provider(#[from] ProviderError),
}

/// One platform, opened for one cluster: spec in, graph and access out.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The provider's name, as written in a specification.
    fn name(&self) -> &str;

    /// Reads what the graph depends on beyond the specification (zones, offerings, versions, the caller) and settles
    /// choices that must not change later: what `observation` already shows is kept.
    async fn survey(&self, observation: &Observation) -> Result<Facts, ProviderError>;

    /// Builds the graph. Pure: the same specification and facts give the same graph.
    fn graph(&self, spec: &ClusterSpec, facts: &Facts) -> Result<Graph, SpecErrors>;

    /// Checks whether `plan` can succeed, by reads alone, and reports everything it finds.
    async fn preflight(
        &self,
        spec: &ClusterSpec,
        facts: &Facts,
        plan: &Plan,
        observation: &Observation,
    ) -> Vec<Finding>;

    /// The backends that carry out the plan. Their kinds do not overlap.
    fn backends(&self) -> Vec<Arc<dyn Backend>>;

    /// How to reach the cluster, once its control plane is usable; [`None`] before.
    async fn access(&self, observation: &Observation) -> Result<Option<Access>, ProviderError>;

    /// How this program reaches the Kubernetes API; [`None`] where nothing is done inside the cluster.
    fn connector(&self) -> Option<Arc<dyn Connector>> {
        None
    }

    /// The resources by which the cluster lets this program in. While one of them is wanted and not there, that the API refuses
    /// to answer is no news. Pure.
    fn entrances(&self) -> Vec<ResourceId> {
        Vec::new()
    }

    /// What the platform leaves to us inside the cluster, and what must be true there. Pure.
    fn inside(&self, _spec: &ClusterSpec, _facts: &Facts) -> Inside {
        Inside::default()
    }

    /// What the nodes are made of, from which follows what has room on them; [`None`] where that cannot be told. Pure.
    fn machines(&self, _spec: &ClusterSpec, _facts: &Facts) -> Option<Machines> {
        None
    }

    /// The machine for clients that is there; [`None`] where there is none. Pure.
    fn client_machine(&self, _observation: &Observation) -> Option<ClientMachine> {
        None
    }

    /// What a caller must be allowed in order to make, change and remove the cluster. `calls` are those that were seen in a
    /// rehearsal, each as `service:Operation`. Sends no request.
    ///
    /// `None` on a platform that asks nobody for permissions.
    fn permissions(&self, _spec: &ClusterSpec, _calls: &BTreeSet<String>) -> Option<Permissions> {
        None
    }
}

/// A machine for clients, and how people use it. Commands are those of the platform's own program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientMachine {
    /// The platform's own identifier.
    pub physical_id: String,
    /// What it is made of, in the platform's own words; [`None`] when that could not be read.
    pub machine: Option<String>,
    /// Whether it runs, in the platform's own words.
    pub state: String,
    /// The command that opens a shell on it.
    pub shell: String,
    /// The command that starts it.
    pub start: String,
    /// The command that stops it. A stopped machine keeps its disk and costs no more than that.
    pub stop: String,
}

/// What a provider read and chose before it builds the graph, with the reasons for the choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The facts by name; each provider documents its own.
    pub values: Attributes,
    /// Choices and their runners-up, to be shown with the plan.
    pub explanations: Vec<String>,
    /// What a person should know though nothing is wrong.
    pub warnings: Vec<String>,
    /// Prices, for the cost lines of a plan. Unknown prices are absent.
    pub cost: Option<Cost>,
}

/// What a cluster costs per hour, in thousandths of a US dollar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// With every worker pool at its minimum.
    pub idle_millidollars_per_hour: u64,
    /// With every worker pool at its maximum.
    pub maximum_millidollars_per_hour: u64,
    /// Where and when the prices held, and what they leave out.
    pub basis: String,
}

impl Cost {
    /// What a month costs in which every worker pool is at its maximum for so many hours, and at its minimum in the others; in
    /// thousandths of a US dollar.
    pub fn month_millidollars(&self, busy_hours: u32) -> u64 {
        let more = self.maximum_millidollars_per_hour.saturating_sub(self.idle_millidollars_per_hour);
        self.idle_millidollars_per_hour * HOURS_PER_MONTH + more * u64::from(busy_hours)
    }
}

/// One API through which resources are read and changed.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The kinds of resources this backend looks after.
    fn kinds(&self) -> &'static [Kind];

    /// Reads what is there, by ownership tag *and* by deterministic name. What cannot be read becomes a gap; only a
    /// failure that leaves nothing to report (no credentials) is an error.
    async fn observe(&self, scope: &Scope) -> Result<Observation, ProviderError>;

    /// Makes exactly one mutating call and never waits. Deleting what is gone is success.
    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError>;

    /// Asks how far an accepted operation is. Never changes anything.
    async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError>;

    /// Looks, after a removal, for what may have been left behind.
    async fn audit(&self, identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError>;
}

/// What to observe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything of the cluster. With a deployment, resources of other deployments are foreign; without, every resource
    /// that carries the cluster's tag is reported as ours with the deployment it names.
    Cluster {
        /// The deployment, when it is known.
        deployment: Option<DeploymentId>,
        /// The kinds of resources.
        kinds: ScopeKinds,
    },
    /// One resource: the cheapest reads that tell whether it exists and what it looks like.
    Resource {
        /// Its name in the graph.
        id: ResourceId,
        /// The deployment that may own it.
        deployment: DeploymentId,
        /// Its wanted or last observed attributes, without references; they name its parent.
        attributes: Attributes,
        /// The cloud's own identifier, when it is known.
        physical_id: Option<String>,
    },
}

/// Which kinds of a cluster's resources to observe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeKinds {
    /// All.
    All,
    /// Only these, because reading them failed before. A backend may report others as well; they are passed over.
    Only(BTreeSet<String>),
}

impl ScopeKinds {
    /// Whether any of `kinds` is to be observed.
    pub fn includes(&self, kinds: &[&str]) -> bool {
        match self {
            Self::All => true,
            Self::Only(wanted) => kinds.iter().any(|kind| wanted.contains(*kind)),
        }
    }
}

/// How to reach a cluster's Kubernetes API: the content of a kubeconfig.
#[derive(Clone, Debug)]
pub struct Access {
    /// The API server's URL.
    pub server: String,
    /// The certificate authority's certificate, base64.
    pub certificate_authority: String,
    /// The context's name, for example `howso@us-east-1.eks`.
    pub context: String,
    /// How kubectl shows who is asking.
    pub user: KubeconfigUser,
}

/// How kubectl shows a Kubernetes API who is asking.
#[derive(Clone, Debug)]
pub enum KubeconfigUser {
    /// By a program that prints a short-lived token: nothing is stored.
    Exec(ExecCredential),
    /// By a certificate of a cluster on this machine, which knows no other way.
    ClientCertificate {
        /// The certificate, PEM in base64.
        certificate: String,
        /// Its private key, PEM in base64.
        key: SecretString,
    },
}

/// A client-go credential plugin (`client.authentication.k8s.io/v1beta1`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecCredential {
    /// The program.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Environment variables to set for it.
    pub environment: Vec<(String, String)>,
    /// What to do when the program is missing.
    pub install_hint: String,
}
