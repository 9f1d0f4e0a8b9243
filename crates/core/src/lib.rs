//! The pure core of howso-infra.
//!
//! A [`spec`] says what the user wants, a provider turns it into a [`Graph`] of [`Resource`]s, an
//! [`Observation`] says what is there, and [`plan`] compares the two. Nothing in this crate does I/O, reads a clock or
//! draws a random number: whoever needs one passes its result in.

pub mod error;
pub mod finding;
pub mod graph;
pub mod identity;
pub mod inside;
pub mod kind;
pub mod latency;
pub mod observation;
pub mod operation;
pub mod plan;
pub mod provider;
pub mod resource;
pub mod sizing;
pub mod spec;
pub mod value;

pub use error::{ErrorKind, OperationVerb, ProviderError, Verdict};
pub use finding::{Finding, Severity};
pub use graph::{Graph, GraphError};
pub use identity::{ClusterIdentity, DeploymentId, Generation, Token};
pub use inside::{Connection, Connector, Credential, Inside};
pub use kind::{CallName, CreateSafety, FieldRule, Kind, Lane, Removal};
pub use latency::Latency;
pub use observation::{Gap, Leftover, Observation, Observed, Ownership, Status};
pub use operation::{FieldChange, Operation, Progress, Submitted, Ticket, Work};
pub use plan::{Change, Plan, Reason, Step, StepId};
pub use provider::{Backend, Permissions, Provider, ProviderFactory, Scope, ScopeKinds};
pub use resource::{Resource, ResourceId};
pub use value::{Attributes, Reference, Value};
