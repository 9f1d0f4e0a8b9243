//! Roles: what the control plane, the nodes, two programs in the cluster and the machine for clients may do.
//!
//! IAM names are unique in an account, so a stranger's role on our name is seen and reported. Roles that the user brings are
//! never read and never changed.

mod graph;
mod kinds;
mod observe;
mod policies;
mod submit;

use howso_infra_core::{Progress, ProviderError, Ticket};

use crate::clients::Clients;
use crate::errors;

pub(crate) use graph::{Role, Roles, graph, iam_name_prefix};
pub(crate) use kinds::KINDS;
pub(crate) use observe::{observe, observe_one};
pub(crate) use policies::managed_policies;
pub(crate) use submit::{iam_tags, submit};

/// IAM answers every call with its end, so there is nothing to ask for.
#[expect(clippy::unused_async, reason = "the same signature in every area")]
pub(crate) async fn poll(_clients: &Clients, ticket: &Ticket) -> Result<Progress, ProviderError> {
    Err(errors::bug("poll", format!("{} is never waited for", ticket.resource)))
}

#[cfg(test)]
mod tests;
