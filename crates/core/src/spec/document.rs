//! The specification file as it is written: the reference of its keys.
//!
//! Nothing is required here, because each layer gives a part. Bounds and accepted values that a schema can say are in the
//! schema and are checked along it; the rest is checked when a [`ClusterSpec`](crate::spec::ClusterSpec) is built.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor, value::SeqAccessDeserializer};

use crate::spec::{ControlPlaneLog, CoreServices, Nat, Release};

/// What a cluster for the Howso Platform should be: `howso-infra.toml`, and the form of profiles.
///
/// Beside these keys, each provider has a table of its own, for example `[eks]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpecDocument {
    /// The cluster's name: a lower-case letter, then up to 31 lower-case letters, digits and hyphens, not ending with a
    /// hyphen. Required.
    #[schemars(regex(pattern = "^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$"))]
    pub name: Option<String>,
    /// The platform, for example `"eks"`. Required.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]*$"))]
    pub provider: Option<String>,
    /// Where, in the platform's own words, for example `"us-east-1"`. Required, unless the platform has one place only.
    #[schemars(regex(pattern = "^[a-z0-9-]+$"))]
    pub region: Option<String>,
    /// The profile to build on: `"small"`, `"medium"`, `"large"`, the name of a profile of your own, or a path.
    pub profile: Option<String>,
    /// Over how many zones the cluster is spread.
    #[schemars(range(min = 1, max = 3))]
    pub zones: Option<u64>,
    /// Whether the platform is told to refuse deletion of the cluster.
    pub deletion_protection: Option<bool>,
    /// Where the journal of runs is kept: `"local"` (the state directory of this machine), or `"s3://bucket/prefix"` when
    /// a team shares the cluster.
    pub journal: Option<String>,
    /// Permits an API endpoint that is open to the whole internet. Not accepted in a file: only as a flag or in the
    /// environment, so that it is said each time.
    pub allow_open_endpoint: Option<bool>,
    /// Whether add-ons (network, DNS, storage, metrics) are installed and kept up to date.
    pub addons: Option<bool>,
    /// The control plane.
    pub kubernetes: KubernetesDocument,
    /// The network.
    pub network: NetworkDocument,
    /// The pool of the platform's own services.
    pub core: CoreDocument,
    /// The pools of the trainees, by name: a lower-case letter, then up to 11 lower-case letters and digits. The pool
    /// `"default"` is called `"worker"` on the platform.
    pub workers: BTreeMap<String, WorkerDocument>,
    /// The image that trainees run, for example `"registry.example.com/howso/worker:1.2"`. With it, every new worker node fetches it at
    /// once, and not only when the first trainee is there. Without it: the platform's own way.
    #[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9._:@/-]*[a-zA-Z0-9]$"))]
    pub worker_image: Option<String>,
    /// The name of a secret with which nodes fetch images from a private registry: the worker image, and those of NATS, Redis, Postgres
    /// and `MinIO`. `platform up` makes it of `platform.image_pull_file` or of the variable `HOWSO_IMAGE_PULL_CONFIG`, unless it is there.
    pub image_pull_secret: Option<String>,
    /// How many trainees run at the same time at most, by their size: a name of the platform such as `"x-large"`, or one of your own. A
    /// plan proves that they have room on the worker nodes.
    pub trainees: BTreeMap<String, TraineeDocument>,
    /// The releases of the Howso Platform, for `up --until platform` and `values`.
    pub platform: PlatformDocument,
    /// A machine for clients of the platform, in the cluster's network. Without it: there is none.
    pub client: ClientDocument,
    /// What is assumed of costs.
    pub cost: CostDocument,
    /// The cluster autoscaler.
    pub autoscaler: AutoscalerDocument,
    /// Tags on everything that is created.
    pub tags: BTreeMap<String, String>,
    /// How the engine runs: rarely changed.
    pub engine: EngineDocument,
}

/// The control plane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KubernetesDocument {
    /// The minor version, for example `"1.34"`. Without it: the newest in standard support when the cluster is created,
    /// then the one it has.
    #[schemars(regex(pattern = "^[0-9]+\\.[0-9]+$"))]
    pub version: Option<String>,
    /// Who reaches the Kubernetes API from outside: `"auto"` (your own address, when it can be found out), `"private"`
    /// (nobody), or a list of networks such as `["203.0.113.0/24"]`.
    #[schemars(schema_with = "api_access_schema")]
    pub api_access: Option<Words>,
    /// Which logs of the control plane are kept: `"all"`, `"none"`, or a list of types.
    #[schemars(schema_with = "control_plane_logs_schema")]
    pub control_plane_logs: Option<Words>,
}

/// The network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkDocument {
    /// How nodes reach the internet.
    pub nat: Option<Nat>,
}

/// The pool of the platform's own services (NATS, Redis, Postgres, the API).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CoreDocument {
    /// How many nodes there are. The tuned NATS values want at least 3.
    #[schemars(range(min = 1, max = 100))]
    pub nodes: Option<u64>,
    /// How many nodes there may be at most; without it, exactly `nodes`.
    #[schemars(range(min = 1, max = 100))]
    pub max: Option<u64>,
    /// What runs there: `"tuned"`, the services of the platform as its performance guide tunes them, of which a plan proves that they
    /// have room; or `"other"`, of which nothing is proved.
    pub services: Option<CoreServices>,
    /// Each node's machine.
    pub machine: MachineDocument,
    /// Labels of each node, beside `howso.com/allowWorkers=False`.
    pub labels: BTreeMap<String, String>,
}

/// A pool of trainees, which grows and shrinks with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerDocument {
    /// How many nodes there are at least. 0 is cheapest; with 1, small tests need not wait for a machine.
    #[schemars(range(min = 0, max = 1000))]
    pub min: Option<u64>,
    /// How many nodes there are at most. Required.
    #[schemars(range(min = 1, max = 1000))]
    pub max: Option<u64>,
    /// How many nodes a local platform has now, which has no machines to order: `up` adds and removes nodes until it is so.
    /// Without it, the nodes that are there stay, between `min` and `max`. Other platforms pass it over.
    #[schemars(range(min = 0, max = 100))]
    pub local: Option<u64>,
    /// Each node's machine.
    pub machine: MachineDocument,
    /// Whether to buy spot capacity: cheaper, but machines may be taken back at short notice.
    pub spot: Option<bool>,
    /// Labels of each node.
    pub labels: BTreeMap<String, String>,
    /// Taints of each node as `"key=value:NoSchedule"`, beside `howso.com/nodetype=worker:NoSchedule`.
    pub taints: Vec<String>,
}

/// What is assumed of costs: for the numbers of `plan` and `size`, and for the choice among machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CostDocument {
    /// How many hours of a month every worker pool is at its maximum; in the others all are at their minimum.
    #[schemars(range(min = 0, max = 730))]
    pub busy_hours: Option<u64>,
    /// Where `prices` come from, as it is to be shown: `"our agreement of 2026-11"`.
    pub source: Option<String>,
    /// Prices of your own by machine, in place of the built-in ones: US dollars per hour, as `"0.3456"`.
    pub prices: BTreeMap<String, String>,
}

/// A machine for clients of the platform, near the trainees: `EKS` makes one, a local platform passes it over. What is made is kept:
/// nothing of it is ever made anew by itself, because people work on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientDocument {
    /// How many trainees are driven from it at the same time. Required: it has a CPU for each, and two more.
    #[schemars(range(min = 1, max = 1000))]
    pub parallel: Option<u64>,
    /// The machine, where it is to be another one than follows from `parallel`. Its disk is that of the moment when it is made.
    pub machine: MachineDocument,
}

/// Trainees of one size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TraineeDocument {
    /// How many run at the same time, at most. Required.
    #[schemars(range(min = 1, max = 100_000))]
    pub count: Option<u64>,
    /// Virtual CPUs that each requests; only for a size of your own.
    #[schemars(range(min = 1, max = 1024))]
    pub cpu: Option<u64>,
    /// Memory that each requests; only for a size of your own: `"96Gi"`.
    #[schemars(regex(pattern = "^[0-9]+(Mi|Gi|Ti)B?$"))]
    #[schemars(example = "96Gi")]
    pub memory: Option<String>,
}

/// The releases of the Howso Platform. Paths in a file are relative to that file, all others to the current directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlatformDocument {
    /// Where the charts come from: a registry (`"oci://host/path"`), a repository (`"https://host/path"`), or a directory in which
    /// each chart has its own.
    pub charts: Option<String>,
    /// The version of each chart. Without it: the newest when it is installed.
    pub versions: PerRelease,
    /// For each release a file of values that win over the tuned ones.
    pub values: PerRelease,
    /// The parent domain under which the platform is reached: `"howso.example.com"`.
    pub domain: Option<String>,
    /// The storage class of the volumes. Without it: the default one of the cluster.
    pub storage_class: Option<String>,
    /// A bucket of a store that speaks S3, in place of `MinIO`. Without it: `MinIO` is installed.
    pub object_store: Option<ObjectStoreDocument>,
    /// A file with the licence: TOML with `email` and `id`. Without it: the variables `HOWSO_LICENSE_EMAIL` and `HOWSO_LICENSE_ID`,
    /// else whoever is logged in (`helm registry login`).
    pub license_file: Option<String>,
    /// A file with the logins of which `image_pull_secret` is made, as Docker keeps them: `{"auths": {"registry.example.com": {"auth":
    /// "…"}}}`. Without it: the variable `HOWSO_IMAGE_PULL_CONFIG`, with the same.
    pub image_pull_file: Option<String>,
}

/// A bucket of a store that speaks S3. Its keys come from the variables `HOWSO_OBJECT_STORE_ACCESS_KEY` and
/// `HOWSO_OBJECT_STORE_SECRET_KEY`, or from a secret `platform-object-store` with `accessKey` and `secretKey` that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ObjectStoreDocument {
    /// The store's URL, for example `"https://s3.us-east-1.amazonaws.com"`. Required.
    pub endpoint: Option<String>,
    /// The bucket, which must be there. Required.
    pub bucket: Option<String>,
    /// The store's region, for stores that have some.
    pub region: Option<String>,
}

/// Something for each release that it is said for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PerRelease {
    /// NATS.
    pub nats: Option<String>,
    /// Redis.
    pub redis: Option<String>,
    /// Postgres.
    pub postgres: Option<String>,
    /// `MinIO`.
    pub minio: Option<String>,
    /// The platform itself.
    pub platform: Option<String>,
}

impl PerRelease {
    /// What is said for a release.
    pub(crate) fn get(&self, release: Release) -> Option<&str> {
        let text = match release {
            Release::Nats => &self.nats,
            Release::Redis => &self.redis,
            Release::Postgres => &self.postgres,
            Release::Minio => &self.minio,
            Release::Platform => &self.platform,
        };
        text.as_deref()
    }
}

/// The machine of each node in a pool: its size, or the platform's instance types by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MachineDocument {
    /// Virtual CPUs, at least.
    #[schemars(range(min = 1, max = 1024))]
    pub cpu: Option<u64>,
    /// Memory, at least: `"32Gi"`, `"64GiB"`, `"512Mi"`.
    #[schemars(regex(pattern = "^[0-9]+(Mi|Gi|Ti)B?$"))]
    #[schemars(example = "32Gi")]
    pub memory: Option<String>,
    /// The processor architecture: `"x86_64"` (also `"amd64"`) or `"arm64"` (also `"aarch64"`).
    pub architecture: Option<String>,
    /// The size of the disk: `"100Gi"`. 20Gi to 16384Gi.
    #[schemars(regex(pattern = "^[0-9]+(Mi|Gi|Ti)B?$"))]
    #[schemars(example = "100Gi")]
    pub disk: Option<String>,
    /// Instance types to use, best first. They replace the choice by `cpu` and `memory`.
    pub types: Vec<String>,
}

/// The cluster autoscaler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AutoscalerDocument {
    /// Whether it is set up, where the platform does not bring its own.
    pub enabled: Option<bool>,
}

/// How the engine runs. Durations are written `"30s"`, `"500ms"`, `"2m"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EngineDocument {
    /// The longest that one request may take: 10ms to 10m.
    #[schemars(example = "30s")]
    pub request_timeout: Option<String>,
    /// The shortest pause between two looks at an operation: 1ms to 1m.
    #[schemars(example = "1s")]
    pub poll_interval_min: Option<String>,
    /// The longest pause between two looks at an operation: 1ms to 10m, at least `poll_interval_min`.
    #[schemars(example = "15s")]
    pub poll_interval_max: Option<String>,
    /// The pause before the first retry, doubled by each one: 1ms to 1m.
    #[schemars(example = "1s")]
    pub retry_delay_base: Option<String>,
    /// The longest pause before a retry: 1ms to 10m, at least `retry_delay_base`.
    #[schemars(example = "20s")]
    pub retry_delay_max: Option<String>,
    /// How often a call is tried in all.
    #[schemars(range(min = 1, max = 100))]
    pub retry_attempts: Option<u64>,
    /// The longest to wait for one step, for kinds of resources that would otherwise be given longer: 1s to 1day.
    #[schemars(example = "2h")]
    pub step_deadline_max: Option<String>,
    /// How long a resource that was created may stay invisible to listings: 0s to 10m.
    #[schemars(example = "10s")]
    pub visibility_window: Option<String>,
    /// The greatest number of requests in flight.
    #[schemars(range(min = 1, max = 64))]
    pub parallelism: Option<u64>,
}

/// One word or a list of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// A single word.
    One(String),
    /// A list.
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WordsVisitor;

        impl<'de> Visitor<'de> for WordsVisitor {
            type Value = Words;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or a list of strings")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Words, E> {
                Ok(Words::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Words, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(sequence)).map(Words::Many)
            }
        }

        deserializer.deserialize_any(WordsVisitor)
    }
}

fn api_access_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string", "enum": ["auto", "private"] },
            { "type": "array", "items": { "type": "string" }, "minItems": 1 }
        ]
    })
}

fn control_plane_logs_schema(_: &mut SchemaGenerator) -> Schema {
    let types = ControlPlaneLog::ALL.map(ControlPlaneLog::as_str);
    json_schema!({
        "anyOf": [
            { "type": "string", "enum": ["all", "none"] },
            { "type": "array", "items": { "type": "string", "enum": types } }
        ]
    })
}
