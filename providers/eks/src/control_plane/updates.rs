//! Updates of clusters, node groups and add-ons: accepted at once, done later.

use aws_sdk_eks::Client;
use aws_sdk_eks::types::{Update, UpdateStatus};
use howso_infra_core::{Attributes, Operation, Progress, ProviderError, Submitted, Ticket, Value};

use crate::health::{self, Issue};
use crate::{eks_arn, errors};

/// Where a ticket keeps the id of an update.
const UPDATE_ID: &str = "update_id";

/// What of a cluster is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The cluster itself.
    Cluster,
    /// A node group.
    Nodegroup,
    /// An add-on.
    Addon,
}

/// The answer to an accepted call: a ticket, or the end when an update is done already or the service names none.
pub(crate) fn accepted(operation: &Operation, physical_id: &str, update: Option<&Update>) -> Submitted {
    let is_update = operation.work.verb() == howso_infra_core::OperationVerb::Update;
    let id = update.and_then(Update::id);
    let is_done = update.and_then(Update::status) == Some(&UpdateStatus::Successful);
    if is_update && (is_done || id.is_none()) {
        return Submitted::settled(physical_id);
    }
    let context = id.map(|id| (UPDATE_ID.to_owned(), Value::text(id))).into_iter().collect();
    Submitted::accepted(operation, physical_id, context)
}

/// Asks whether an update is done.
pub(crate) async fn poll_update(eks: &Client, ticket: &Ticket, part: Part) -> Result<Progress, ProviderError> {
    let call = "eks:DescribeUpdate";
    let id = ticket.context.get(UPDATE_ID).and_then(Value::as_text);
    let id = id.ok_or_else(|| errors::bug(call, "the ticket has no id of an update"))?;
    let request = eks.describe_update().name(eks_arn::cluster(&ticket.physical_id, call)?).update_id(id);
    let request = match part {
        Part::Cluster => request,
        Part::Nodegroup => request.nodegroup_name(eks_arn::child(&ticket.physical_id, call)?),
        Part::Addon => request.addon_name(eks_arn::child(&ticket.physical_id, call)?),
    };
    let answer = request.send().await.map_err(errors::reading(call))?;
    let update = answer.update.ok_or_else(|| errors::missing(call, "update"))?;
    Ok(progress(&update))
}

fn progress(update: &Update) -> Progress {
    let issues = Issue::of_updates(update.errors());
    let kind = update.r#type().map_or("update", |kind| kind.as_str());
    match update.status() {
        Some(UpdateStatus::Successful) => Progress::Settled { outputs: Attributes::new() },
        Some(status @ (UpdateStatus::Failed | UpdateStatus::Cancelled)) => {
            Progress::Failed(health::failure("eks:DescribeUpdate", &format!("{kind} {}", status.as_str()), &issues))
        }
        // Also every state that did not exist when this was written.
        Some(other) => Progress::Pending { state: format!("{kind} {}", other.as_str()) },
        None => Progress::Pending { state: kind.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{ErrorCode, ErrorDetail};
    use howso_infra_core::ErrorKind;

    use super::*;

    #[test]
    fn an_update_goes_on_until_it_is_successful_or_over() {
        let update = |status: &str| progress(&Update::builder().status(UpdateStatus::from(status)).build());
        assert!(matches!(update("Successful"), Progress::Settled { .. }));
        assert!(matches!(update("InProgress"), Progress::Pending { .. }));
        assert!(matches!(update("Cancelled"), Progress::Failed(_)));
        // A state of the future is waited for, not failed on.
        assert!(matches!(update("Paused"), Progress::Pending { state } if state.contains("Paused")));
    }

    #[test]
    fn a_failed_update_says_why() {
        let detail = ErrorDetail::builder()
            .error_code(ErrorCode::InsufficientFreeAddresses)
            .error_message("too few addresses")
            .resource_ids("subnet-1")
            .build();
        let update = Update::builder().status(UpdateStatus::Failed).errors(detail).build();
        let Progress::Failed(error) = progress(&update) else { panic!("a failed update did not fail") };
        assert!(matches!(error.kind, ErrorKind::Capacity { .. }), "{error}");
        assert!(error.message.contains("InsufficientFreeAddresses: too few addresses (subnet-1)"), "{error}");
    }
}
