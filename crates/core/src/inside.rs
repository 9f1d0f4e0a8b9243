//! What belongs inside a cluster, and how its Kubernetes API is reached from this program.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Serialize, Serializer};

use crate::error::ProviderError;
use crate::observation::Ownership;
use crate::spec::{ClusterSpec, DnsName, ImageName, Taint};
use crate::value::Value;

/// The kind of the resource that stands for what lives in a cluster. It is deleted before everything else: load balancers and
/// volumes that were made for Services and claims go away only while controllers and nodes still work.
pub const CONTENTS_KIND: &str = "kubernetes/contents";

/// The namespace of the platform.
pub const PLATFORM_NAMESPACE: &str = "howso";

/// Kubernetes' own namespace, in which its add-ons run.
pub const SYSTEM_NAMESPACE: &str = "kube-system";

/// The name of a secret, with its namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretName {
    /// Its namespace.
    pub namespace: &'static str,
    /// Its name there.
    pub name: String,
}

/// As people know it: without the namespace, when that is the platform's own.
impl fmt::Display for SecretName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace {
            PLATFORM_NAMESPACE => formatter.write_str(&self.name),
            namespace => write!(formatter, "{namespace}/{}", self.name),
        }
    }
}

impl Serialize for SecretName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Connects to the Kubernetes API of one cluster.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Tells where the API is and gives a credential; [`None`] while no control plane of this cluster can be used. Asked again
    /// before the credential ends. Only reads.
    async fn connect(&self) -> Result<Option<Connection>, ProviderError>;
}

/// Where a Kubernetes API is, whose it is, and who is calling.
pub struct Connection {
    /// The API server's URL.
    pub server: String,
    /// The certificate authority's certificate: PEM, in base64.
    pub certificate_authority: String,
    /// Whose the cluster is, by the tags of its control plane.
    pub owner: Ownership,
    /// Who is calling.
    pub credential: Credential,
}

/// Leaves out the credential.
impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A credential for a Kubernetes API. Never printed, never stored.
pub enum Credential {
    /// A bearer token.
    Token {
        /// The token.
        token: SecretString,
        /// How long it can be used from now on; [`None`] when it does not end.
        lifetime: Option<Duration>,
    },
    /// A client certificate.
    Certificate {
        /// The certificate: PEM, in base64.
        certificate: String,
        /// Its private key: PEM, in base64.
        key: SecretString,
    },
}

/// What a platform leaves to us inside the cluster, and what must be true there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// The default storage class to make; [`None`] where the platform brings one.
    pub storage_class: Option<StorageClass>,
    /// The cluster autoscaler to run; [`None`] where the platform brings one, or none is wanted.
    pub autoscaler: Option<Autoscaler>,
    /// The image of trainees, which worker nodes fetch as soon as they are there; [`None`] where the first trainee does.
    pub worker_image: Option<WorkerImage>,
    /// Whether measured use of nodes and pods must be available.
    pub metrics: bool,
    /// The pools whose nodes must be as wanted.
    pub pools: Vec<Pool>,
}

/// The image of trainees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerImage {
    /// The image.
    pub image: ImageName,
    /// The secret with which nodes fetch it; [`None`] where its registry asks for none, or knows the nodes.
    pub pull_secret: Option<DnsName>,
}

impl WorkerImage {
    /// The one that a specification wants.
    pub fn of(spec: &ClusterSpec) -> Option<Self> {
        let image = spec.worker_image.clone()?;
        Some(Self { image, pull_secret: spec.image_pull_secret.clone() })
    }
}

/// The default storage class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageClass {
    /// Its name.
    pub name: String,
    /// The driver.
    pub provisioner: String,
    /// What the driver is told.
    pub parameters: BTreeMap<String, String>,
}

/// The cluster autoscaler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaler {
    /// The image, with its tag.
    pub image: String,
    /// Arguments beside those that hold on every platform: where the groups of nodes are found.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Annotations of the service account, for platforms that give roles to pods by them.
    pub service_account_annotations: BTreeMap<String, String>,
}

/// The nodes of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its name, as people see it.
    pub name: String,
    /// Whether the platform's own services run here, or trainees.
    pub role: PoolRole,
    /// The label that the platform itself puts on every node of the group: key and value.
    pub member_label: (String, String),
    /// The least number of nodes.
    pub min: u32,
    /// The greatest number of nodes.
    pub max: u32,
    /// The group's name as the autoscaler knows it, often the output of a resource; [`None`] where no autoscaler runs.
    pub autoscaling_group: Option<Value>,
    /// How this program itself changes the number of nodes; [`None`] where the platform's own autoscaler does.
    pub scaling: Option<PoolScaling>,
}

/// How the number of a pool's nodes is changed by this program, and what a node is like before there is one. In everything that is
/// not named here it is like the other nodes of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolScaling {
    /// The kind of the resource that is such a node. An autoscaler changes nothing else.
    pub kind: &'static str,
    /// The least number of nodes.
    pub min: u32,
    /// The greatest number of nodes.
    pub max: u32,
    /// A node's labels.
    pub labels: BTreeMap<String, String>,
    /// A node's taints.
    pub taints: Vec<Taint>,
    /// The CPUs that a node offers to pods, in thousandths.
    pub cpu_millis: u64,
    /// The memory that a node offers to pods.
    pub memory_mebibytes: u64,
}

/// What the nodes of a pool are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolRole {
    /// The platform's own services.
    Core,
    /// Trainees.
    Worker,
}
