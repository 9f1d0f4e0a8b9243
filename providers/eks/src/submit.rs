//! Sends one mutating call, in the area of its kind.

use howso_infra_core::{Operation, ProviderError, Submitted};

use crate::clients::Clients;
use crate::kinds::{Area, area};
use crate::{client_machine, control_plane, errors, iam, network, pools};

/// Sends exactly one mutating call and does not wait.
pub(crate) async fn submit(clients: &Clients, operation: &Operation) -> Result<Submitted, ProviderError> {
    match area(operation.resource.kind()) {
        Some(Area::Network) => network::submit(clients, operation).await,
        Some(Area::Iam) => iam::submit(clients, operation).await,
        Some(Area::ControlPlane) => control_plane::submit(clients, operation).await,
        Some(Area::Pools) => pools::submit(clients, operation).await,
        Some(Area::ClientMachine) => client_machine::submit(clients, operation).await,
        None => Err(errors::bug("submit", format!("{} has no known kind", operation.resource))),
    }
}
