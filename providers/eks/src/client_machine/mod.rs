//! The machine for clients: an instance in a private subnet, with a role, and a security group that lets nothing in.
//!
//! People get onto it through AWS Systems Manager, so it needs neither a key pair nor an open port. They work on it, so nothing here ever
//! replaces it; what can only be changed on a stopped instance waits until they stop it (decision 0017).

mod convert;
mod graph;
mod kinds;
mod observe;
mod poll;
mod profile;
mod submit;
#[cfg(test)]
mod tests;

pub(crate) use graph::{POOL, Surroundings, graph};
pub(crate) use kinds::{INSTANCE, KINDS};
pub(crate) use observe::{observe, observe_one, observed_instance_type};
pub(crate) use poll::poll;
pub(crate) use submit::submit;

use howso_infra_core::plan::Action;
use howso_infra_core::provider::ClientMachine;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{ErrorKind, Finding, Observation, Plan, ResourceId, Severity};

use kinds::RESIZE;

/// The only resource of most kinds of this area.
const NAME: &str = "client";

/// The machine that is there, and how people get onto it.
pub(crate) fn found(observation: &Observation, region: &str) -> Option<ClientMachine> {
    let observed = observation.one(&ResourceId::new(INSTANCE, NAME))?;
    let text = |name: &str| Some(observed.outputs.get(name)?.as_text()?.to_owned());
    let id = &observed.physical_id;
    Some(ClientMachine {
        physical_id: id.clone(),
        machine: crate::fields::text(&observed.attributes, "instance_type", "").ok().map(str::to_owned),
        state: text("state").unwrap_or_default(),
        // A shell of the user who has the client on the path, and not one of the agent's own.
        shell: format!(
            "aws ssm start-session --region {region} --target {id} --document-name AWS-StartInteractiveCommand \
             --parameters command='sudo --login --user ec2-user'"
        ),
        start: format!("aws ec2 start-instances --region {region} --instance-ids {id}"),
        stop: format!("aws ec2 stop-instances --region {region} --instance-ids {id}"),
    })
}

/// What stands in the way of the plan: EC2 changes the type of an instance only while it is stopped, and when that may be is up to whoever
/// works on it.
pub(crate) fn preflight(spec: &ClusterSpec, plan: &Plan, observation: &Observation) -> Vec<Finding> {
    let resizes = |action: &Action| matches!(action, Action::Update { call, .. } if call == RESIZE);
    let is_resized = plan.steps.iter().any(|step| step.resource.kind() == INSTANCE && resizes(&step.action));
    let machine = found(observation, spec.location.as_str()).filter(|_| is_resized);
    let Some(machine) = machine.filter(|machine| machine.state != "stopped") else { return Vec::new() };
    vec![Finding {
        severity: Severity::Blocking,
        subject: "client machine".to_owned(),
        message: format!(
            "{} is {}, and can get another type only while it is stopped",
            machine.physical_id, machine.state
        ),
        cure: Some(format!("when nobody works on it: {}, and afterwards {}", machine.stop, machine.start)),
        kind: Some(ErrorKind::Busy { by: "whoever works on the client machine".to_owned() }),
    }]
}
