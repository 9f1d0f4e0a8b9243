//! What the user wants: the cluster specification, its layers, and where each of its values came from.
//!
//! A specification is put together from layers (flag, environment, file, profile, built-in default; see [`Layers`]),
//! checked once by [`resolve`] and never again. Nothing here reads a file or the environment: the caller passes texts
//! and variables in.

mod api_access;
mod build;
mod client;
mod cluster_spec;
mod cost;
mod decode;
mod defaults;
mod document;
mod engine_settings;
mod errors;
mod journal_location;
mod labels;
mod layers;
mod names;
mod origin;
mod platform;
mod pools;
mod profile;
mod provider_options;
mod resolution;
mod schema;
mod schema_cursor;
mod shape;
mod suggest;
mod trainees;
mod tree;
mod units;

#[cfg(test)]
mod tests;

pub use api_access::ApiAccess;
pub use client::ClientMachine;
pub use cluster_spec::{
    ClusterSpec, ControlPlaneLog, ControlPlaneLogs, CorePool, CoreServices, KubernetesSpec, LocalNodes, Machine, Nat,
    NetworkSpec, Protection, Purchase, Toggle, WorkerPool,
};
pub use cost::CostSpec;
pub use document::{
    AutoscalerDocument, ClientDocument, CoreDocument, CostDocument, EngineDocument, KubernetesDocument,
    MachineDocument, NetworkDocument, ObjectStoreDocument, PerRelease, PlatformDocument, SpecDocument, TraineeDocument,
    WorkerDocument,
};
pub use engine_settings::EngineSettings;
pub use errors::{Invalid, SpecError, SpecErrorKind, SpecErrors, SpecWarning, SpecWarningKind};
pub use journal_location::{JournalLocation, JournalScheme};
pub use labels::{CORE_LABEL, LabelKey, LabelValue, Taint, TaintEffect, WORKER_TAINT};
pub use layers::Layers;
pub use names::{ClusterName, ImageName, Location, PoolName, ProviderName, TagKey};
pub use origin::{KeyPath, Layer, Origin, Segment, Span};
pub use platform::{
    BucketName, ChartSource, ChartVersion, DnsName, Endpoint, ObjectStore, PlatformSpec, Release, Scheme,
};
pub use profile::{DEFAULT_PROFILE, EMBEDDED_PROFILES, ProfileChoice, embedded_profile, profile_name};
pub use provider_options::ProviderOptions;
pub use resolution::{Explained, Origins, Resolved, resolve};
pub use schema::{ProviderSchema, ProviderSchemas, json_schema};
pub use units::{Architecture, Cpu, Gibibytes, KubernetesVersion, Memory, ZoneCount};
