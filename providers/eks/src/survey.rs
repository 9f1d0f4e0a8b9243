//! Reads and chooses what the graph depends on beyond the specification.
//!
//! Every choice is sticky: what an observed resource already shows is kept and not read again, so that a plan for a cluster
//! that is as wanted asks little, and a new price list, version or zone never moves a cluster that runs. The names of
//! the facts are those of [`EksFacts`].

mod api_networks;
mod identity;
mod instance_types;
#[cfg(test)]
mod tests;
mod versions;
mod zones;

use howso_infra_core::provider::Facts;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{ErrorKind, Observation, ProviderError};

use crate::clients::Clients;
use crate::facts::EksFacts;
use crate::options::EksOptions;
use crate::{catalogue, control_plane};

/// What every part of the survey starts from.
#[derive(Clone, Copy)]
struct Survey<'a> {
    clients: &'a Clients,
    spec: &'a ClusterSpec,
    options: &'a EksOptions,
    observation: &'a Observation,
}

/// What one part of the survey found, with what people should know of it.
#[derive(Debug, Default)]
struct Notes {
    explanations: Vec<String>,
    warnings: Vec<String>,
}

impl Notes {
    fn add(&mut self, other: Self) {
        self.explanations.extend(other.explanations);
        self.warnings.extend(other.warnings);
    }
}

/// Reads what is not known yet, all at once, and chooses.
pub(crate) async fn survey(
    clients: &Clients,
    spec: &ClusterSpec,
    options: &EksOptions,
    observation: &Observation,
) -> Result<Facts, ProviderError> {
    let survey = Survey { clients, spec, options, observation };
    // All are waited for, so that of several failures always the same one is told.
    let (identity, placement, versions, (api_networks, api_notes)) =
        futures::join!(survey.identity(), survey.placement(), survey.versions(), survey.api_networks());
    let (identity, identity_notes) = identity?;
    let (placement, placement_notes) = placement?;
    let (versions, version_notes) = versions?;
    let mut notes = Notes::default();
    notes.add(identity_notes);
    notes.add(placement_notes);
    notes.add(version_notes);
    notes.add(api_notes);
    let cost = catalogue::cost(spec, &placement.instance_types);
    let facts = EksFacts {
        account: identity.account,
        partition: identity.partition,
        creator_arn: identity.creator_arn,
        zones: placement.zones,
        kubernetes_version: versions.kubernetes,
        instance_types: placement.instance_types,
        addon_versions: versions.addons,
        api_networks,
        running_addons: control_plane::running_addons(observation),
    };
    Ok(Facts { values: facts.to_attributes(), explanations: notes.explanations, warnings: notes.warnings, cost })
}

/// What an API answered that not every server of the service has; the reason when it has not.
///
/// Faults that pass are errors all the same: a choice must not depend on a moment of bad luck.
fn optional<T>(answer: Result<T, ProviderError>) -> Result<Result<T, String>, ProviderError> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => match error.kind {
            ErrorKind::Auth | ErrorKind::Transient | ErrorKind::Throttled { .. } | ErrorKind::Ambiguous => Err(error),
            _ => Ok(Err(error.code.unwrap_or(error.message))),
        },
    }
}
