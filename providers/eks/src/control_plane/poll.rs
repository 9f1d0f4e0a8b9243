//! Asks how far the calls of this area are.

use howso_infra_core::{OperationVerb, Progress, ProviderError, Ticket};

use crate::clients::Clients;
use crate::control_plane::kinds::{ADDON, CLUSTER};
use crate::control_plane::updates::{Part, poll_update};
use crate::control_plane::{addons, cluster};
use crate::errors;

/// Asks once, and changes nothing.
pub(crate) async fn poll(clients: &Clients, ticket: &Ticket) -> Result<Progress, ProviderError> {
    let eks = &clients.eks;
    match (ticket.resource.kind(), ticket.verb) {
        (CLUSTER, OperationVerb::Create) => cluster::poll_created(eks, ticket).await,
        (CLUSTER, OperationVerb::Update) => poll_update(eks, ticket, Part::Cluster).await,
        (CLUSTER, OperationVerb::Delete) => cluster::poll_deleted(eks, ticket).await,
        (ADDON, OperationVerb::Create) => addons::poll_created(eks, ticket).await,
        (ADDON, OperationVerb::Update) => poll_update(eks, ticket, Part::Addon).await,
        (ADDON, OperationVerb::Delete) => addons::poll_deleted(eks, ticket).await,
        (_, verb) => Err(errors::bug("poll", format!("{} is never waited for after {verb:?}", ticket.resource))),
    }
}
