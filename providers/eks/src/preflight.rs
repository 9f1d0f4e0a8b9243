//! Checks, by reads alone, whether a plan can succeed, and reports everything it finds at once.
//!
//! Only what the plan touches is looked at, and a plan without steps asks nothing. What cannot be looked at, because the
//! server lacks the API or the caller the permission, is a note.

mod network;
mod permissions;
mod placement;
mod quotas;
#[cfg(test)]
mod tests;

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use howso_infra_core::plan::{Action, Direction};
use howso_infra_core::provider::Facts;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{ErrorKind, Finding, Observation, Plan, ProviderError, Reason, Severity};

use crate::client_machine::{self, INSTANCE, RESIZE};
use crate::clients::Clients;
use crate::errors;
use crate::facts::EksFacts;
use crate::options::EksOptions;

/// What every check starts from.
struct Preflight<'a> {
    clients: &'a Clients,
    spec: &'a ClusterSpec,
    options: &'a EksOptions,
    facts: &'a EksFacts,
    plan: &'a Plan,
}

/// Checks everything at the same time.
pub(crate) async fn preflight(
    clients: &Clients,
    spec: &ClusterSpec,
    facts: &Facts,
    plan: &Plan,
    observation: &Observation,
) -> Vec<Finding> {
    let mut findings = obstacles(plan);
    findings.extend(running_machine(spec, plan, observation));
    if plan.steps.is_empty() || plan.direction == Direction::Down {
        return findings;
    }
    // Both were made by this provider for this very specification.
    let (Some(facts), Ok(options)) = (EksFacts::from_facts(facts), EksOptions::from_spec(spec)) else {
        return findings;
    };
    let preflight = Preflight { clients, spec, options: &options, facts: &facts, plan };
    let checks: [BoxFuture<'_, Vec<Finding>>; 4] = [
        preflight.caller().boxed(),
        preflight.placement().boxed(),
        preflight.network().boxed(),
        preflight.quotas().boxed(),
    ];
    findings.extend(join_all(checks).await.into_iter().flatten());
    findings
}

impl Preflight<'_> {
    /// How many resources of this kind are made.
    fn creates(&self, kind: &str) -> usize {
        let is_created = |action: &Action| matches!(action, Action::Create { .. });
        self.plan.steps.iter().filter(|step| step.resource.kind() == kind && is_created(&step.action)).count()
    }

    /// Whether the plan makes or changes a resource of this kind.
    fn touches(&self, kind: &str) -> bool {
        self.plan.steps.iter().any(|step| step.resource.kind() == kind)
    }

    /// Whether the plan may start nodes, or a machine for clients, that do not run yet.
    fn starts_nodes(&self) -> bool {
        self.touches("eks/nodegroup") || self.touches("ec2/launch-template") || self.touches(INSTANCE)
    }

    /// Who is asking, and whether they may.
    async fn caller(&self) -> Vec<Finding> {
        let subject = "credentials";
        let call = "sts:GetCallerIdentity";
        let answer = self.clients.sts.get_caller_identity().send().await.map_err(errors::reading(call));
        match answer.and_then(|answer| answer.arn.ok_or_else(|| errors::missing(call, "ARN"))) {
            Ok(arn) => {
                let mut findings = vec![good(subject, format!("{arn} in account {}", self.facts.account))];
                findings.extend(self.permissions(&arn).await);
                findings
            }
            Err(error) => vec![unreadable(subject, &error)],
        }
    }
}

/// What the plan already knows to be in the way.
fn obstacles(plan: &Plan) -> Vec<Finding> {
    let finding = |decision: &howso_infra_core::plan::Decision| {
        let (kind, cure) = match &decision.reason {
            Reason::Foreign { evidence, .. } => {
                let cure = "choose another name for the cluster, or remove what has its name";
                (ErrorKind::Conflict { owner: evidence.clone() }, cure)
            }
            Reason::Gap { error } => (error.kind.clone(), "allow this read, or try again"),
            _ => return None,
        };
        let subject = decision.resource.to_string();
        Some(blocking(&subject, decision.reason.to_string(), cure, kind))
    };
    plan.blocked().filter_map(finding).collect()
}

/// EC2 changes the type of an instance only while it is stopped, and when that may be is up to whoever works on it.
fn running_machine(spec: &ClusterSpec, plan: &Plan, observation: &Observation) -> Option<Finding> {
    let resizes = |action: &Action| matches!(action, Action::Update { call, .. } if call == RESIZE);
    let is_resized = plan.steps.iter().any(|step| step.resource.kind() == INSTANCE && resizes(&step.action));
    let machine = client_machine::found(observation, spec.location.as_str()).filter(|_| is_resized)?;
    let message =
        format!("{} is {}, and can get another type only while it is stopped", machine.physical_id, machine.state);
    let cure = format!("when nobody works on it: {}, and afterwards {}", machine.stop, machine.start);
    let kind = ErrorKind::Busy { by: "whoever works on the client machine".to_owned() };
    (machine.state != "stopped").then(|| blocking("client machine", message, &cure, kind))
}

fn good(subject: &str, message: impl Into<String>) -> Finding {
    finding(Severity::Good, subject, message, None)
}

fn note(subject: &str, message: impl Into<String>) -> Finding {
    finding(Severity::Note, subject, message, None)
}

fn warning(subject: &str, message: impl Into<String>, cure: &str) -> Finding {
    finding(Severity::Warning, subject, message, Some(cure))
}

fn blocking(subject: &str, message: impl Into<String>, cure: &str, kind: ErrorKind) -> Finding {
    Finding { kind: Some(kind), ..finding(Severity::Blocking, subject, message, Some(cure)) }
}

fn finding(severity: Severity, subject: &str, message: impl Into<String>, cure: Option<&str>) -> Finding {
    Finding {
        severity,
        subject: subject.to_owned(),
        message: message.into(),
        cure: cure.map(str::to_owned),
        kind: None,
    }
}

/// What could not be looked at. Without credentials nothing else can be done either, so that alone blocks.
fn unreadable(subject: &str, error: &ProviderError) -> Finding {
    if error.kind == ErrorKind::Auth {
        let cure = error.hint.clone().unwrap_or_default();
        return blocking(subject, error.message.clone(), &cure, ErrorKind::Auth);
    }
    let reason =
        error.code.as_deref().map_or_else(|| format!(": {}", error.message), |code| format!(" answered {code}"));
    note(subject, format!("could not be checked: {}{reason}", error.call))
}
