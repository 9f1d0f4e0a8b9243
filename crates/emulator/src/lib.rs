//! An emulated AWS that speaks the real protocols over HTTP, in any time: a virtual clock makes a quarter of an hour milliseconds.
//!
//! What the APIs take and give is read from excerpts of the official service models (`models/`); what they do is written from their
//! documentation. Nothing is taken from the providers of this project, which do not know that this exists. Anything that the models
//! have no place for is refused, in requests and in answers.

mod account;
mod api_server;
mod authorization;
mod autoscaling;
mod ec2;
mod eks;
mod emulator;
mod error;
mod faults;
mod iam;
mod invariants;
mod kubernetes;
mod model;
mod quotas;
mod s3;
mod server;
mod sts;
mod throttling;
mod transitions;
mod wire;

pub use api_server::{ApiServer, Write};
pub use authorization::{PolicyDocument, PolicyDocumentError};
pub use ec2::ExistingNetwork;
pub use emulator::{ADDRESS_PATH, Emulator};
pub use error::ProvideError;
pub use faults::{Call, Fault, Place, PlannedFault, UnknownFault};
pub use invariants::Marks;
pub use transitions::Transition;
