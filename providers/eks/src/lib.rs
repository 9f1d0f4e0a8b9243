//! Amazon EKS as a provider of howso-infra.
//!
//! A [`ClusterSpec`](howso_infra_core::spec::ClusterSpec) becomes a network, roles, a control plane, node groups and
//! add-ons in one AWS region. Each of these areas is a module with the same files (`kinds`, `graph`, `observe`,
//! `submit`, `poll`); the modules beside them put the areas together.

mod access;
mod audit;
mod catalogue;
mod client_machine;
mod clients;
mod connector;
mod context;
mod control_plane;
mod credentials;
mod documents;
mod eks_arn;
mod errors;
mod facts;
mod fields;
mod found;
mod graph;
mod health;
mod iam;
mod inside;
mod kinds;
mod network;
mod observe;
mod options;
mod pages;
mod permissions;
mod poll;
mod pools;
mod preflight;
mod provider;
mod submit;
mod survey;
mod tags;
#[cfg(test)]
mod testing;
mod token;

pub use provider::{EksFactory, EksProvider};
