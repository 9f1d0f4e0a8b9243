//! Instance types: what they are, which one a pool gets, and what that costs.

mod choice;
mod cost;
mod names;
mod table;

pub(crate) use choice::{candidates, choose};
pub(crate) use cost::cost;
pub(crate) use names::check_machines;
use table::find;

/// The virtual CPUs of an instance type; [`None`] for one that the catalogue does not know.
pub(crate) fn virtual_cpus(name: &str) -> Option<u32> {
    find(name).map(|instance_type| instance_type.vcpus)
}
