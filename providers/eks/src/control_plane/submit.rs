//! Sends the calls of this area.

use howso_infra_core::{Attributes, Operation, OperationVerb, ProviderError, Submitted, Work};

use crate::clients::Clients;
use crate::control_plane::kinds::{ACCESS_ENTRY, ACCESS_POLICY, ADDON, CLUSTER, POD_IDENTITY_ASSOCIATION, call};
use crate::control_plane::{access, addons, cluster, pod_identity};
use crate::{errors, tags};

/// Sends exactly one mutating call and does not wait.
pub(crate) async fn submit(clients: &Clients, operation: &Operation) -> Result<Submitted, ProviderError> {
    let eks = &clients.eks;
    match &operation.work {
        Work::Create { attributes } => match operation.resource.kind() {
            CLUSTER => cluster::create(eks, operation, attributes).await,
            ACCESS_ENTRY => access::create(eks, operation, attributes).await,
            ACCESS_POLICY => access::associate(eks, OperationVerb::Create, attributes).await,
            ADDON => addons::create(eks, operation, attributes).await,
            POD_IDENTITY_ASSOCIATION => pod_identity::create(eks, operation, attributes).await,
            other => Err(errors::bug("submit", format!("{other} is not of this area"))),
        },
        Work::Update { physical_id, call: update, changes, attributes } => {
            match (operation.resource.kind(), update.as_str()) {
                (ACCESS_ENTRY, call::TAG) => access::tag(eks, physical_id, attributes).await,
                (_, call::TAG) => tag(eks, physical_id, attributes).await,
                (CLUSTER, update) => cluster::update(eks, operation, physical_id, update, changes, attributes).await,
                (ACCESS_POLICY, _) => access::associate(eks, OperationVerb::Update, attributes).await,
                (ADDON, _) => addons::update(eks, operation, physical_id, attributes).await,
                (POD_IDENTITY_ASSOCIATION, _) => pod_identity::update(eks, operation, physical_id, attributes).await,
                (kind, update) => Err(errors::bug("submit", format!("{kind} has no call {update}"))),
            }
        }
        Work::Delete { physical_id, attributes } => match operation.resource.kind() {
            CLUSTER => cluster::delete(eks, operation, physical_id).await,
            ACCESS_ENTRY => access::delete(eks, physical_id, attributes).await,
            ACCESS_POLICY => access::disassociate(eks, attributes).await,
            ADDON => addons::delete(eks, operation, physical_id).await,
            POD_IDENTITY_ASSOCIATION => pod_identity::delete(eks, physical_id).await,
            other => Err(errors::bug("submit", format!("{other} is not of this area"))),
        },
    }
}

/// Sets the tags of what is identified by its ARN.
async fn tag(eks: &aws_sdk_eks::Client, arn: &str, attributes: &Attributes) -> Result<Submitted, ProviderError> {
    let request = eks.tag_resource().resource_arn(arn).set_tags(Some(tags::declared(attributes).into_iter().collect()));
    request.send().await.map_err(errors::mutating(OperationVerb::Update, "eks:TagResource"))?;
    Ok(Submitted::settled(arn))
}
