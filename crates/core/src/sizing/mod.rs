//! Which machines a workload needs, and whether those that are wanted hold it.
//!
//! Everything here is arithmetic on tables: what a platform's nodes leave to pods ([`allocatable`]), what its machines are and cost
//! ([`catalogue`]), what trainees ([`trainees`]) and the platform's services ([`services`]) request, and how that is packed
//! ([`packing`]).

pub mod advice;
pub mod allocatable;
mod amounts;
pub mod catalogue;
pub mod client;
pub mod fit;
pub mod packing;
pub mod platform;
pub mod prices;
pub mod services;
pub mod trainees;

pub use advice::{Advice, NoAdvice, Question, advise};
pub use allocatable::Nominal;
pub use amounts::Amounts;
pub use catalogue::{Catalogue, MachineType};
pub use fit::{Fit, Machines, PoolMachine, prove};
pub use platform::{ContainerUsers, NodeWait, Platform};
pub use prices::Prices;
pub use trainees::{TraineeSize, Trainees};
