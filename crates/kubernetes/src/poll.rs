//! Asks how far an accepted operation is.

use howso_infra_core::inside::CONTENTS_KIND;
use howso_infra_core::{Attributes, OperationVerb, Progress, ProviderError, Ticket};

use crate::backend::KubernetesBackend;
use crate::checks::{self, Verdict};
use crate::errors::Call;
use crate::kinds::CHECK;
use crate::object::{ObjectKind, collection};
use crate::{contents, list, observe};
use howso_infra_core::inside::SYSTEM_NAMESPACE;

/// Whether the API answers, and answers more than it would anybody.
async fn entered(backend: &KubernetesBackend) -> Result<bool, ProviderError> {
    if observe::reachable(backend).await?.is_none() {
        return Ok(false);
    }
    let path = format!("{}/{}", collection("v1", "namespaces", None), SYSTEM_NAMESPACE);
    list::one(&backend.api, &Call::read("get namespaces"), &path).await?;
    Ok(true)
}

pub(crate) async fn poll(backend: &KubernetesBackend, ticket: &Ticket) -> Result<Progress, ProviderError> {
    let id = &ticket.resource;
    match (id.kind(), ticket.verb) {
        (CONTENTS_KIND, OperationVerb::Delete) => contents::progress(backend).await,
        (CONTENTS_KIND, OperationVerb::Create | OperationVerb::Update | OperationVerb::Observe) => {
            Ok(match entered(backend).await {
                Ok(true) => settled(),
                Ok(false) => pending("waiting for the control plane"),
                // A new API server has no name yet, or does not know its administrators.
                Err(error) => pending(&with_hint("waiting for the Kubernetes API", &error)),
            })
        }
        (CHECK, _) => Ok(match checks::judge(&backend.api, id.name(), &ticket.context).await? {
            Verdict::Passes => settled(),
            Verdict::Waits(what) => pending(&format!("waiting: {what}")),
        }),
        _ => match list::one(&backend.api, &Call::read(read_action(ticket)), &ticket.physical_id).await? {
            None => Ok(settled()),
            Some(_) if ticket.verb != OperationVerb::Delete => Ok(settled()),
            Some(_) => Ok(pending("being deleted")),
        },
    }
}

fn read_action(ticket: &Ticket) -> String {
    ObjectKind::of(&ticket.resource).map_or_else(String::new, |object| object.action("get"))
}

fn with_hint(what: &str, error: &ProviderError) -> String {
    match &error.hint {
        Some(hint) => format!("{what}: {} ({hint})", error.message),
        None => format!("{what}: {}", error.message),
    }
}

fn pending(state: &str) -> Progress {
    Progress::Pending { state: state.to_owned() }
}

fn settled() -> Progress {
    Progress::Settled { outputs: Attributes::new() }
}
