//! The specification itself: parsed once at the edge, never validated again inside.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::sizing::Trainees;
use crate::spec::{
    ApiAccess, Architecture, ClientMachine, ClusterName, CostSpec, Cpu, DnsName, EngineSettings, Gibibytes, ImageName,
    JournalLocation, KubernetesVersion, LabelKey, LabelValue, Location, Memory, PlatformSpec, PoolName, ProviderName,
    ProviderOptions, TagKey, Taint, ZoneCount,
};

/// What the user wants, in units that every platform shares. Counts are pool-wide.
///
/// Serialised with a fixed order of fields, so that its text can be digested; it is never read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterSpec {
    /// The cluster's name.
    pub name: ClusterName,
    /// The platform.
    pub provider: ProviderName,
    /// Where on the platform (`region` in the file).
    pub location: Location,
    /// The name of the profile that the rest builds on.
    pub profile: String,
    /// Over how many zones the cluster is spread.
    pub zones: ZoneCount,
    /// The control plane.
    pub kubernetes: KubernetesSpec,
    /// Who reaches the Kubernetes API.
    pub api_access: ApiAccess,
    /// Whether the platform is told to refuse deletion of the cluster.
    pub deletion_protection: Protection,
    /// The network.
    pub network: NetworkSpec,
    /// The pool of the platform's own services.
    pub core: CorePool,
    /// The pools of the trainees; at least one.
    pub workers: BTreeMap<PoolName, WorkerPool>,
    /// The image of trainees, which worker nodes fetch as soon as they are there; [`None`] where nobody says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker_image: Option<ImageName>,
    /// The secret with which nodes fetch images from a registry that asks who they are; [`None`] where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_secret: Option<DnsName>,
    /// How many trainees run at the same time at most, largest first; empty when nobody said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trainees: Vec<Trainees>,
    /// The releases of the platform. No part of what a plan of the cluster follows from, so that it outdates none.
    #[serde(skip)]
    pub platform: PlatformSpec,
    /// A machine for clients of the platform; [`None`] where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientMachine>,
    /// What is assumed of costs.
    #[serde(skip_serializing_if = "CostSpec::is_of_tables")]
    pub cost: CostSpec,
    /// Whether the cluster autoscaler is set up, where the platform leaves that to us.
    pub autoscaler: Toggle,
    /// Whether add-ons are managed here; off for a user who manages them elsewhere.
    pub addons: Toggle,
    /// Tags on everything that is created, beside those of ownership.
    pub tags: BTreeMap<TagKey, String>,
    /// Where the journal is kept; [`None`] for the local state directory.
    pub journal: Option<JournalLocation>,
    /// How the engine runs.
    pub engine: EngineSettings,
    /// The provider's own options, which the provider decodes.
    pub provider_options: ProviderOptions,
}

/// The control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KubernetesSpec {
    /// The minor version; [`None`] for the newest in standard support when the cluster is created, and for the present
    /// one afterwards.
    pub version: Option<KubernetesVersion>,
    /// Which logs of the control plane are kept.
    pub control_plane_logs: ControlPlaneLogs,
}

/// Which logs of the control plane are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlPlaneLogs {
    /// Every type that the platform offers.
    All,
    /// No log.
    None,
    /// These types; not empty.
    Only(BTreeSet<ControlPlaneLog>),
}

impl ControlPlaneLogs {
    /// The types one by one.
    pub fn types(&self) -> BTreeSet<ControlPlaneLog> {
        match self {
            Self::All => ControlPlaneLog::ALL.into(),
            Self::None => BTreeSet::new(),
            Self::Only(types) => types.clone(),
        }
    }
}

/// A log of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ControlPlaneLog {
    /// Requests to the API server.
    Api,
    /// Who did what, by Kubernetes audit policy.
    Audit,
    /// How callers were authenticated.
    Authenticator,
    /// The controllers.
    ControllerManager,
    /// The scheduler.
    Scheduler,
}

impl ControlPlaneLog {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Api, Self::Audit, Self::Authenticator, Self::ControllerManager, Self::Scheduler];

    /// Its name in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Audit => "audit",
            Self::Authenticator => "authenticator",
            Self::ControllerManager => "controller-manager",
            Self::Scheduler => "scheduler",
        }
    }
}

/// Whether the cluster is protected from deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// It is.
    On,
    /// It is not.
    Off,
}

impl Protection {
    /// Whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

impl From<bool> for Protection {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// Whether an optional part is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Toggle {
    /// It is.
    On,
    /// It is not.
    Off,
}

impl Toggle {
    /// Whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

impl From<bool> for Toggle {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// The network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkSpec {
    /// How nodes reach the internet.
    pub nat: Nat,
}

/// How nodes in private subnets reach the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nat {
    /// One gateway in each zone: the loss of a zone does not cut off the others.
    PerZone,
    /// One gateway for all zones: cheapest, but the cluster depends on its zone.
    Single,
    /// No gateway: the nodes reach only what the network offers inside.
    None,
}

/// The pool of the platform's own services (NATS, Redis, Postgres, the API).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CorePool {
    /// How many nodes there are at least, and exactly when `max` is [`None`].
    pub nodes: u32,
    /// How many nodes there may be; at least `nodes`.
    pub max: Option<u32>,
    /// What runs there.
    #[serde(skip_serializing_if = "CoreServices::is_tuned")]
    pub services: CoreServices,
    /// Each node's machine.
    pub machine: Machine,
    /// Labels of each node, beside [`CORE_LABEL`](crate::spec::CORE_LABEL).
    pub labels: BTreeMap<LabelKey, LabelValue>,
}

/// What runs on the core nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CoreServices {
    /// The services of the platform as its performance guide tunes them. A plan proves that they have room.
    Tuned,
    /// Services of other sizes, of which nothing is proved.
    Other,
}

impl CoreServices {
    /// Whether they are those of the performance guide.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(crate) fn is_tuned(&self) -> bool {
        *self == Self::Tuned
    }
}

/// A pool of trainees, which grows and shrinks with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkerPool {
    /// How many nodes there are at least.
    pub min: u32,
    /// How many nodes there are at most; at least `min` and at least 1.
    pub max: u32,
    /// How many nodes a local platform has now; [`None`] to leave those that are there, between `min` and `max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalNodes>,
    /// Each node's machine.
    pub machine: Machine,
    /// How the machines are bought.
    pub purchase: Purchase,
    /// Labels of each node.
    pub labels: BTreeMap<LabelKey, LabelValue>,
    /// Taints of each node, beside [`WORKER_TAINT`](crate::spec::WORKER_TAINT).
    pub taints: Vec<Taint>,
}

/// The nodes that a pool of a local platform has now. A specification says how many; an autoscaler says which must go as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalNodes {
    /// How many there are.
    pub count: u32,
    /// Nodes, by their names in Kubernetes, that are none of them.
    pub without: BTreeSet<String>,
}

impl LocalNodes {
    /// So many nodes, whichever they are.
    pub fn count(count: u32) -> Self {
        Self { count, without: BTreeSet::new() }
    }
}

/// As it is written in a specification.
impl Serialize for LocalNodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.count)
    }
}

/// How machines are bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purchase {
    /// At the list price, for as long as wanted.
    OnDemand,
    /// At a discount; the platform may take a machine back at short notice.
    Spot,
}

/// The machine of each node in a pool.
///
/// With `types`, the types decide, and `cpu` and `memory` are no requirement; without, the provider chooses the
/// cheapest type that has at least `cpu` and `memory`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Virtual CPUs.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// The processor architecture.
    pub architecture: Architecture,
    /// The size of the node's disk.
    pub disk: Gibibytes,
    /// The platform's instance types to use, best first; empty to let the provider choose.
    pub types: Vec<String>,
}
