//! The network: VPC, gateways, subnets, routes.
//!
//! EC2 names are not unique, so a stranger with the same `Name` tag is no obstacle and is not reported.

mod convert;
mod graph;
mod kinds;
mod layout;
mod leftovers;
mod observe;
mod poll;
mod read;
mod submit;
#[cfg(test)]
mod tests;

pub(crate) use graph::graph;
pub(crate) use kinds::KINDS;
pub(crate) use layout::layout;
pub(crate) use leftovers::EKS_TAG;
pub(crate) use observe::{observe, observe_one};
pub(crate) use poll::poll;
pub(crate) use read::{dns, filter};
pub(crate) use submit::submit;
