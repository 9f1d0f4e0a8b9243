//! Asks how far an accepted call is, in the area of its kind.

use howso_infra_core::{Progress, ProviderError, Ticket};

use crate::clients::Clients;
use crate::kinds::{Area, area};
use crate::{client_machine, control_plane, errors, iam, network, pools};

/// Asks once, and changes nothing.
pub(crate) async fn poll(clients: &Clients, ticket: &Ticket) -> Result<Progress, ProviderError> {
    match area(ticket.resource.kind()) {
        Some(Area::Network) => network::poll(clients, ticket).await,
        Some(Area::Iam) => iam::poll(clients, ticket).await,
        Some(Area::ControlPlane) => control_plane::poll(clients, ticket).await,
        Some(Area::Pools) => pools::poll(clients, ticket).await,
        Some(Area::ClientMachine) => client_machine::poll(clients, ticket).await,
        None => Err(errors::bug("poll", format!("{} has no known kind", ticket.resource))),
    }
}
