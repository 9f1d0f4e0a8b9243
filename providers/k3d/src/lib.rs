//! A cluster on this machine as a provider of howso-infra: k3d on Docker.
//!
//! A [`ClusterSpec`](howso_infra_core::spec::ClusterSpec) becomes a Docker network, a k3d cluster with one server, and agents for
//! the rest of the core pool and for the worker pools. The program `k3d` makes and removes the cluster; what is there is read
//! from Docker, and nodes that come and go later are made there as well (docs/decisions/0009).

mod access;
mod arguments;
mod audit;
mod config_file;
mod containers;
mod docker;
mod errors;
mod facts;
mod graph;
mod images;
mod inside;
mod kinds;
mod observe;
mod options;
mod poll;
mod preflight;
mod program;
mod provider;
mod submit;
mod survey;
#[cfg(test)]
mod testing;

pub use provider::K3dFactory;
