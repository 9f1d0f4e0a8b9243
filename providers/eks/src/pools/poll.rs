//! Asks how far the calls of this area are.

use howso_infra_core::{OperationVerb, Progress, ProviderError, Ticket};

use crate::clients::Clients;
use crate::control_plane::{Part, poll_update};
use crate::errors;
use crate::pools::kinds::NODEGROUP;
use crate::pools::nodegroup;

/// Asks once, and changes nothing.
pub(crate) async fn poll(clients: &Clients, ticket: &Ticket) -> Result<Progress, ProviderError> {
    match (ticket.resource.kind(), ticket.verb) {
        (NODEGROUP, OperationVerb::Create) => nodegroup::poll_created(&clients.eks, ticket).await,
        (NODEGROUP, OperationVerb::Update) => poll_update(&clients.eks, ticket, Part::Nodegroup).await,
        (NODEGROUP, OperationVerb::Delete) => nodegroup::poll_deleted(&clients.eks, ticket).await,
        (_, verb) => Err(errors::bug("poll", format!("{} is never waited for after {verb:?}", ticket.resource))),
    }
}
