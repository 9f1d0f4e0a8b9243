//! Reads all areas at once, or one resource.

use howso_infra_core::{ErrorKind, Observation, ProviderError, ScopeKinds};

use crate::clients::Clients;
use crate::context::{ObserveContext, Wanted};
use crate::kinds::{Area, area};
use crate::{client_machine, control_plane, errors, iam, network, pools};

/// Reads everything of the cluster that is of `kinds`.
pub(crate) async fn observe(
    clients: &Clients,
    context: &ObserveContext<'_>,
    kinds: &ScopeKinds,
) -> Result<Observation, ProviderError> {
    // Each look at the whole cluster asks for credentials that failed, once for all its reads.
    clients.retry_credentials();
    let on_cluster = async {
        let (mut observation, cluster) = control_plane::observe_cluster(clients, context, kinds).await;
        let (parts, pools) = futures::join!(
            control_plane::observe_parts(clients, context, &cluster, kinds),
            pools::observe(clients, context, &cluster, kinds),
        );
        observation.merge(parts);
        observation.merge(pools);
        observation
    };
    let (network, iam, client_machine, on_cluster) = futures::join!(
        network::observe(clients, context, kinds),
        iam::observe(clients, context, kinds),
        client_machine::observe(clients, context, kinds),
        on_cluster
    );
    let mut observation = network;
    observation.merge(iam);
    observation.merge(client_machine);
    observation.merge(on_cluster);
    // The places of subnets, by which lists of them are ordered, are known only now.
    pools::order_subnets(&mut observation);
    // Without credentials nothing was read at all, and the reason is the same everywhere.
    match observation.gaps.iter().find(|gap| gap.error.kind == ErrorKind::Auth) {
        Some(gap) => Err(gap.error.clone()),
        None => Ok(observation),
    }
}

/// Reads one resource.
pub(crate) async fn observe_one(
    clients: &Clients,
    context: &ObserveContext<'_>,
    wanted: Wanted<'_>,
) -> Result<Observation, ProviderError> {
    match area(wanted.id.kind()) {
        Some(Area::Network) => network::observe_one(clients, context, wanted).await,
        Some(Area::Iam) => iam::observe_one(clients, context, wanted).await,
        Some(Area::ControlPlane) => control_plane::observe_one(clients, context, wanted).await,
        Some(Area::Pools) => pools::observe_one(clients, context, wanted).await,
        Some(Area::ClientMachine) => client_machine::observe_one(clients, context, wanted).await,
        None => Err(errors::bug("observe", format!("{} has no known kind", wanted.id))),
    }
}
