//! Provisions the dedicated Kubernetes cluster of a Howso Platform.
//!
//! A [`Session`] is opened for one cluster specification. [`Session::prepare`] reads the cloud and plans without changing
//! anything; [`Session::begin`] takes the lease and gives a [`Run`], which can be executed. What happens meanwhile is
//! told to an observer as [`Event`]s. The same verbs serve the command line and programs that embed this library.

mod autoscale;
mod error;
mod event;
mod health;
pub mod interrupt;
mod journal;
pub mod kubeconfig;
pub mod platform;
mod prepare;
mod randomness;
mod read;
mod registry;
mod run;
mod session;
mod status;
mod verify;

pub use howso_infra_core as core;
pub use howso_infra_engine as engine;
pub use howso_infra_kubernetes::{CHECK, Growth, PodReference, Unhelped, Workload};

pub use autoscale::{Autoscaler, Resize};
pub use error::Error;
pub use event::{AutoscalingEvent, Event, Observer, Phase, PlatformEvent};
pub use prepare::{Goal, Prepared};
pub use registry::Registry;
pub use run::{Finished, Run};
pub use session::{Session, Stage, Surroundings};
pub use status::{Adopted, ResourceStatus, Status};
pub use verify::Scaling;
