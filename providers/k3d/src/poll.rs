//! How far an operation is. Changes nothing.

use std::time::Duration;

use bollard::models::ContainerState;
use howso_infra_core::{
    Attributes, ErrorKind, Observation, OperationVerb, Progress, ProviderError, Status, Ticket, Value,
};
use jiff::Timestamp;

use crate::config_file;
use crate::docker::{CommandState, Docker};
use crate::graph::cluster_id;
use crate::images::{ImageIds, ImportState, Imports};
use crate::kinds::{CLUSTER, NODE};
use crate::observe::{AT_WORK, Observing};
use crate::program::{CallState, Program};
use crate::submit::{COMMAND, DRAIN_OUTPUT, IMPORTED, still_there};

/// How long a look at k3d lasts, so that its end is seen at once and not at the next look.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an agent of k3s says once it is a node of the cluster; k3d waits for the same words. Whether it is ready is told by the checks
/// inside the cluster, which ask Kubernetes itself.
const REGISTERED: &str = "successfully registered node";

/// What operations are asked about with.
pub(crate) struct Polling<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) program: &'a Program,
    pub(crate) imports: &'a Imports,
    pub(crate) cluster: &'a str,
    /// The longest that one look may take.
    pub(crate) request_timeout: Duration,
}

impl Polling<'_> {
    pub(crate) async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        if let Some(node) = ticket.context.get(IMPORTED).and_then(Value::as_text) {
            match self.imports.state(node, PATIENCE.min(self.request_timeout)).await {
                ImportState::Running => return Ok(Progress::Pending { state: "taking images".to_owned() }),
                ImportState::Failed(error) => return Ok(Progress::Failed(error)),
                ImportState::Done => {}
            }
        }
        match (ticket.resource.kind(), ticket.verb) {
            (CLUSTER, _) => self.cluster(ticket).await,
            (NODE, OperationVerb::Create | OperationVerb::Update) => match ticket.context.get(COMMAND) {
                Some(command) => self.drained(command.as_text().unwrap_or_default(), &ticket.physical_id).await,
                None => self.node_joined(&ticket.physical_id).await,
            },
            // Networks, and deletions of nodes, are at an end when they are answered.
            _ => Ok(Progress::Settled { outputs: outputs(&ticket.physical_id) }),
        }
    }

    async fn cluster(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        match self.program.state(PATIENCE.min(self.request_timeout)).await {
            CallState::Running => return Ok(Progress::Pending { state: AT_WORK.to_owned() }),
            CallState::Failed(error) => return Ok(Progress::Failed(error)),
            CallState::Done | CallState::Unknown => {}
        }
        let images = ImageIds::new();
        let observing = Observing {
            docker: self.docker,
            program: self.program,
            cluster: self.cluster,
            deployment: None,
            images: &images,
        };
        let observation: Observation = observing.all().await?;
        // Whoever owns it: the call was about what has this name.
        let found = observation.resources.get(&cluster_id()).and_then(|found| found.first());
        Ok(match (ticket.verb, found) {
            (OperationVerb::Delete, None) => Progress::Settled { outputs: Attributes::new() },
            (OperationVerb::Delete, Some(_)) => Progress::Failed(still_there(&ticket.resource, "a container")),
            (_, Some(found)) if found.status == Status::Ready => Progress::Settled { outputs: outputs(self.cluster) },
            (_, Some(_) | None) => {
                let message = "k3d has ended, but the cluster is not whole".to_owned();
                let error = ProviderError::new(ErrorKind::Failed, "k3d", message);
                Progress::Failed(error.with_hint("the same command makes it again"))
            }
        })
    }

    async fn node_joined(&self, node: &str) -> Result<Progress, ProviderError> {
        let Some(found) = self.docker.inspect(node).await? else {
            let message = format!("the container {node} has disappeared");
            return Ok(Progress::Failed(ProviderError::new(ErrorKind::Gone, "docker:ContainerInspect", message)));
        };
        let state = found.state.unwrap_or_default();
        if state.running != Some(true) && state.restarting != Some(true) {
            let code = state.exit_code.unwrap_or_default();
            let message = format!("the node stopped with exit code {code}");
            let hint = format!("its last words: docker logs --tail 20 {node}");
            return Ok(Progress::Failed(ProviderError::new(ErrorKind::Failed, "k3s agent", message).with_hint(hint)));
        }
        Ok(if is_registered(self.docker, node, &state).await? {
            Progress::Settled { outputs: outputs(node) }
        } else {
            Progress::Pending { state: "joining the cluster".to_owned() }
        })
    }

    async fn drained(&self, command: &str, node: &str) -> Result<Progress, ProviderError> {
        match self.docker.command_state(command).await? {
            CommandState::Running => Ok(Progress::Pending { state: "moving pods elsewhere".to_owned() }),
            CommandState::Ended { exit_code: 0 } => Ok(Progress::Settled { outputs: Attributes::new() }),
            CommandState::Ended { .. } => {
                let server = config_file::container(self.cluster, "server", 0);
                let output = self.docker.ask(&server, &["cat", &format!("{DRAIN_OUTPUT}-{node}")]).await?;
                let complaint = output.unwrap_or_default().trim().replace('\n', "; ");
                let message = format!("the node could not be emptied: {complaint}");
                let hint = "move or delete the pods that it names, and run the same command again";
                let error = ProviderError::new(ErrorKind::Failed, format!("kubectl drain {node}"), message);
                Ok(Progress::Failed(error.with_hint(hint)))
            }
        }
    }
}

/// Whether a node in this state has become one of the cluster since it was started last.
pub(crate) async fn is_registered(docker: &Docker, node: &str, state: &ContainerState) -> Result<bool, ProviderError> {
    let started = state.started_at.as_ref().and_then(|text| text.parse::<Timestamp>().ok());
    let start = started.and_then(|started| i32::try_from(started.as_second()).ok()).unwrap_or_default();
    docker.has_logged(node, start, REGISTERED).await
}

fn outputs(name: &str) -> Attributes {
    Attributes::from([("name".to_owned(), Value::text(name))])
}
