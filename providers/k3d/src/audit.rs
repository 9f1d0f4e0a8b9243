//! What a removal may have left behind.

use howso_infra_core::{Leftover, ProviderError};

use crate::graph::{cluster_id, network_id, volume_name};
use crate::observe::Observing;

/// Looks for what is ours and still there.
pub(crate) async fn audit(observing: Observing<'_>) -> Result<Vec<Leftover>, ProviderError> {
    let observation = observing.all().await?;
    let mut leftovers = Vec::new();
    if observation.one(&cluster_id()).is_some() {
        for container in observing.docker.containers(observing.cluster).await? {
            leftovers.push(Leftover {
                what: "container".to_owned(),
                advice: format!("remove it with `docker rm --force --volumes {}`", container.name),
                physical_id: container.name,
            });
        }
        let volume = volume_name(observing.cluster);
        if observing.docker.has_volume(&volume, observing.cluster).await? {
            let advice = format!("remove it with `docker volume rm {volume}`");
            leftovers.push(Leftover { what: "volume".to_owned(), physical_id: volume, advice });
        }
    }
    leftovers.extend(observation.one(&network_id()).map(|network| Leftover {
        what: "network".to_owned(),
        physical_id: network.physical_id.clone(),
        advice: format!("see what uses it with `docker network inspect {}`, then remove it", network.physical_id),
    }));
    Ok(leftovers)
}
