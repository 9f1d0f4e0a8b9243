//! Asks whether the instance runs, or is gone.

use aws_sdk_ec2::types::Instance;
use howso_infra_core::{Attributes, ErrorKind, OperationVerb, Progress, ProviderError, Status, Ticket};

use super::convert;
use super::kinds::INSTANCE;
use super::observe::instances;
use crate::clients::Clients;
use crate::errors;
use crate::network::filter;

/// Asks once, and changes nothing.
pub(crate) async fn poll(clients: &Clients, ticket: &Ticket) -> Result<Progress, ProviderError> {
    if ticket.resource.kind() != INSTANCE || ticket.verb == OperationVerb::Update {
        return Err(errors::bug("poll", format!("{} is never waited for", ticket.resource)));
    }
    let found = instances(&clients.ec2, vec![filter("instance-id", &ticket.physical_id)]).await?;
    let found = found.iter().find(|instance| instance.instance_id.as_deref() == Some(ticket.physical_id.as_str()));
    Ok(match ticket.verb {
        OperationVerb::Delete => deletion(found),
        OperationVerb::Create | OperationVerb::Update | OperationVerb::Observe => creation(found),
    })
}

fn creation(instance: Option<&Instance>) -> Progress {
    // What was made a moment ago is not visible everywhere; the step's deadline bounds the wait.
    let Some(instance) = instance else { return Progress::Pending { state: "not visible yet".to_owned() } };
    let failed = || {
        let reason = convert::reason(instance);
        let code = reason.split(": ").next().filter(|code| !code.contains(' ')).map(str::to_owned);
        Progress::Failed(ProviderError { code, ..ProviderError::new(ErrorKind::Failed, "ec2:RunInstances", reason) })
    };
    match convert::instance(instance) {
        None => failed(),
        Some(found) => match found.status {
            Status::Deleting => failed(),
            Status::Pending { state } => Progress::Pending { state },
            Status::Ready | Status::Degraded { .. } | Status::Failed { .. } => {
                Progress::Settled { outputs: found.outputs }
            }
        },
    }
}

fn deletion(instance: Option<&Instance>) -> Progress {
    match instance.and_then(convert::instance) {
        None => Progress::Settled { outputs: Attributes::new() },
        Some(found) if found.status == Status::Deleting => Progress::Pending { state: "shutting down".to_owned() },
        Some(_) => Progress::Pending { state: "still there".to_owned() },
    }
}
