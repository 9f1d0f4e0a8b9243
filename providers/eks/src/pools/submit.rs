//! Sends the calls of this area.

use howso_infra_core::{Operation, ProviderError, Submitted, Work};

use crate::clients::Clients;
use crate::errors;
use crate::pools::kinds::{AUTOSCALING_TAGS, LAUNCH_TEMPLATE, NODEGROUP};
use crate::pools::{autoscaling_tags, launch_template, nodegroup, nodegroup_update};

/// Sends exactly one mutating call and does not wait.
pub(crate) async fn submit(clients: &Clients, operation: &Operation) -> Result<Submitted, ProviderError> {
    let Clients { autoscaling, ec2, eks, .. } = clients;
    match (operation.resource.kind(), &operation.work) {
        (LAUNCH_TEMPLATE, Work::Create { attributes }) => launch_template::create(ec2, operation, attributes).await,
        (LAUNCH_TEMPLATE, Work::Update { physical_id, call, attributes, .. }) => {
            launch_template::update(ec2, operation, physical_id, call, attributes).await
        }
        (LAUNCH_TEMPLATE, Work::Delete { physical_id, .. }) => launch_template::delete(ec2, physical_id).await,
        (NODEGROUP, Work::Create { attributes }) => nodegroup::create(eks, operation, attributes).await,
        (NODEGROUP, Work::Update { physical_id, call, changes, attributes }) => {
            nodegroup_update::update(eks, operation, physical_id, call, changes, attributes).await
        }
        (NODEGROUP, Work::Delete { physical_id, .. }) => nodegroup::delete(eks, operation, physical_id).await,
        (AUTOSCALING_TAGS, Work::Create { attributes }) => autoscaling_tags::create(autoscaling, attributes).await,
        (AUTOSCALING_TAGS, Work::Update { physical_id, call, changes, attributes }) => {
            autoscaling_tags::update(autoscaling, physical_id, call, changes, attributes).await
        }
        (AUTOSCALING_TAGS, Work::Delete { physical_id, attributes }) => {
            autoscaling_tags::delete(autoscaling, physical_id, attributes).await
        }
        (other, _) => Err(errors::bug("submit", format!("{other} is not of this area"))),
    }
}
