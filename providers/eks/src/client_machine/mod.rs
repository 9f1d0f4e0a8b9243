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
pub(crate) use kinds::{INSTANCE, KINDS, RESIZE};
pub(crate) use observe::{observe, observe_one, observed_instance_type};
pub(crate) use poll::poll;
pub(crate) use submit::submit;

use howso_infra_core::provider::ClientMachine;
use howso_infra_core::{Observation, ResourceId};

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
