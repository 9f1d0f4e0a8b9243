//! Instance types: which one a pool gets, what a node of it is made of, and what that costs.
//!
//! The table of them is `howso_infra_core::sizing::catalogue`.

mod choice;
mod cost;
mod machines;
mod names;

pub(crate) use choice::{Wish, candidates, choose};
pub(crate) use cost::cost;
use howso_infra_core::sizing::catalogue::EKS;
pub(crate) use machines::machines;
pub(crate) use names::check_machines;

/// The virtual CPUs of an instance type; [`None`] for one that the catalogue does not know.
pub(crate) fn virtual_cpus(name: &str) -> Option<u32> {
    EKS.find(name).map(|instance_type| instance_type.vcpus)
}
