//! The Docker API, as far as this provider uses it.

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use bollard::body_full;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerSummary, ExecConfig, NetworkCreateRequest, NetworkInspect,
    SystemInfo,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder, InspectContainerOptions, InspectNetworkOptions,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
    StartContainerOptions, UploadToContainerOptionsBuilder,
};
use futures::StreamExt;
use futures::future::{try_join, try_join_all};
use howso_infra_core::identity::RESOURCE_TAG;
use howso_infra_core::{ErrorKind, OperationVerb, ProviderError, ResourceId};
use tokio::io::AsyncWriteExt;
use tokio::sync::OnceCell;

use crate::containers::{CONTAINER_LABEL, Container, K3D_CLUSTER};
use crate::errors::{bug, from_text, if_there, mutating, reading};

/// How long Docker may take to write an archive of images.
const ARCHIVE_TIMEOUT: Duration = Duration::from_mins(10);

/// The Docker engine that `DOCKER_HOST` names, or the one of this machine. Connected when it is first asked.
pub(crate) struct Docker {
    timeout: Duration,
    connection: OnceCell<bollard::Docker>,
    machine: OnceCell<SystemInfo>,
}

/// How a command inside a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommandState {
    Running,
    Ended { exit_code: i64 },
}

impl Docker {
    /// An engine that is given `timeout` for each answer.
    pub(crate) fn new(timeout: Duration) -> Self {
        // The client counts whole seconds.
        Self { timeout: timeout.max(Duration::from_secs(1)), connection: OnceCell::new(), machine: OnceCell::new() }
    }

    async fn connection(&self) -> Result<&bollard::Docker, ProviderError> {
        let connect = async || {
            let call = "docker:Ping";
            let docker = bollard::Docker::connect_with_defaults().map_err(reading(call))?.with_timeout(self.timeout);
            // Versions are not negotiated: the client's requests name none, and the engine takes a tenth of a second to tell its own.
            docker.ping().await.map_err(reading(call))?;
            Ok(docker)
        };
        self.connection.get_or_try_init(connect).await
    }

    /// What the engine says about itself and its machine. Asked once: neither changes while a command runs.
    pub(crate) async fn info(&self) -> Result<&SystemInfo, ProviderError> {
        let ask = async || self.connection().await?.info().await.map_err(reading("docker:Info"));
        self.machine.get_or_try_init(ask).await
    }

    /// All containers of the cluster that k3d calls `cluster`.
    pub(crate) async fn containers(&self, cluster: &str) -> Result<Vec<Container>, ProviderError> {
        let docker = self.connection().await?;
        let filters = HashMap::from([("label".to_owned(), vec![format!("{K3D_CLUSTER}={cluster}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = docker.list_containers(Some(options)).await.map_err(reading("docker:ContainerList"))?;
        let ids: Vec<String> = found.into_iter().filter_map(|summary| summary.id).collect();
        // One that is gone by the time it is looked at is no container of the cluster.
        let inspected = try_join_all(ids.iter().map(|id| self.inspect(id))).await?;
        let mut containers: Vec<_> = inspected.into_iter().flatten().filter_map(Container::from_docker).collect();
        containers.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(containers)
    }

    /// The name of the container that was made for a node of the cluster that k3d calls `cluster`, if it is there.
    pub(crate) async fn node_of(&self, cluster: &str, node: &ResourceId) -> Result<Option<String>, ProviderError> {
        let labels = vec![format!("{K3D_CLUSTER}={cluster}"), format!("{RESOURCE_TAG}={node}")];
        let filters = HashMap::from([("label".to_owned(), labels)]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let found = self.connection().await?.list_containers(Some(options)).await;
        let found = found.map_err(reading("docker:ContainerList"))?;
        // A copy of a node carries the labels of another.
        let made_here = |summary: ContainerSummary| {
            let mut names = summary.names?.into_iter().map(|name| name.trim_start_matches('/').to_owned());
            let own = summary.labels?.remove(CONTAINER_LABEL)?;
            names.find(|name| *name == own)
        };
        Ok(found.into_iter().find_map(made_here))
    }

    /// One container as Docker reports it, if it is there.
    pub(crate) async fn inspect(&self, name: &str) -> Result<Option<ContainerInspectResponse>, ProviderError> {
        let docker = self.connection().await?;
        let found = docker.inspect_container(name, None::<InspectContainerOptions>).await;
        if_there(found.map_err(reading("docker:ContainerInspect")))
    }

    /// Whether a container has written `words`, in any case, since `start`: seconds since 1970.
    pub(crate) async fn has_logged(&self, name: &str, start: i32, words: &str) -> Result<bool, ProviderError> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).since(start).build();
        let docker = self.connection().await?;
        let mut parts = Box::pin(docker.logs(name, Some(options)));
        let mut text = String::new();
        while let Some(part) = parts.next().await {
            text += &part.map_err(reading("docker:ContainerLogs"))?.to_string();
        }
        Ok(text.to_lowercase().contains(&words.to_lowercase()))
    }

    /// Makes a container; returns once it exists, not yet started.
    pub(crate) async fn create_container(&self, name: &str, body: ContainerCreateBody) -> Result<(), ProviderError> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let created = self.connection().await?.create_container(Some(options), body).await;
        created.map(drop).map_err(mutating(OperationVerb::Create, "docker:ContainerCreate"))
    }

    /// Starts a container. One that runs already is as wanted.
    pub(crate) async fn start_container(&self, name: &str) -> Result<(), ProviderError> {
        let started = self.connection().await?.start_container(name, None::<StartContainerOptions>).await;
        started.map_err(mutating(OperationVerb::Update, "docker:ContainerStart"))
    }

    /// Removes a container with its anonymous volumes, running or not. One that is gone is as wanted.
    pub(crate) async fn remove_container(&self, name: &str) -> Result<(), ProviderError> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removed = self.connection().await?.remove_container(name, Some(options)).await;
        if_there(removed.map_err(mutating(OperationVerb::Delete, "docker:ContainerDelete"))).map(drop)
    }

    /// A network, if it is there.
    pub(crate) async fn network(&self, name: &str) -> Result<Option<NetworkInspect>, ProviderError> {
        let found = self.connection().await?.inspect_network(name, None::<InspectNetworkOptions>).await;
        if_there(found.map_err(reading("docker:NetworkInspect")))
    }

    /// Makes a network of the default kind.
    pub(crate) async fn create_network(
        &self,
        name: &str,
        labels: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ProviderError> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels.into_iter().collect()),
            // As k3d makes its own: pods of one node reach those of another under any policy of the engine.
            options: Some(HashMap::from([(
                "com.docker.network.bridge.enable_ip_masquerade".to_owned(),
                "true".to_owned(),
            )])),
            ..NetworkCreateRequest::default()
        };
        let created = self.connection().await?.create_network(request).await;
        created.map(drop).map_err(mutating(OperationVerb::Create, "docker:NetworkCreate"))
    }

    /// Removes a network. One that is gone is as wanted.
    pub(crate) async fn remove_network(&self, name: &str) -> Result<(), ProviderError> {
        let removed = self.connection().await?.remove_network(name).await;
        if_there(removed.map_err(mutating(OperationVerb::Delete, "docker:NetworkDelete"))).map(drop)
    }

    /// Whether there is a volume of this name that belongs to the cluster that k3d calls `cluster`.
    pub(crate) async fn has_volume(&self, name: &str, cluster: &str) -> Result<bool, ProviderError> {
        let found = self.connection().await?.inspect_volume(name).await;
        let found = if_there(found.map_err(reading("docker:VolumeInspect")))?;
        Ok(found.is_some_and(|volume| volume.labels.get(K3D_CLUSTER).is_some_and(|owner| owner == cluster)))
    }

    /// Removes a volume. One that is gone is as wanted.
    pub(crate) async fn remove_volume(&self, name: &str) -> Result<(), ProviderError> {
        let removed = self.connection().await?.remove_volume(name, None::<RemoveVolumeOptions>).await;
        if_there(removed.map_err(mutating(OperationVerb::Delete, "docker:VolumeDelete"))).map(drop)
    }

    /// The content of a file inside a container, if it is there.
    pub(crate) async fn read_file(&self, container: &str, path: &str) -> Result<Option<Vec<u8>>, ProviderError> {
        let call = "docker:ContainerArchive";
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let docker = self.connection().await?;
        let mut stream = Box::pin(docker.download_from_container(container, Some(options)));
        let mut archive = Vec::new();
        while let Some(chunk) = stream.next().await {
            match if_there(chunk.map_err(reading(call)))? {
                Some(chunk) => archive.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
        let mut archive = tar::Archive::new(archive.as_slice());
        let unreadable = |error: std::io::Error| bug(call, format!("the archive with {path} cannot be read: {error}"));
        let Some(entry) = archive.entries().map_err(unreadable)?.next() else { return Ok(None) };
        let mut content = Vec::new();
        entry.map_err(unreadable)?.read_to_end(&mut content).map_err(unreadable)?;
        Ok(Some(content))
    }

    /// Writes files into a container, each with its absolute path and its mode; directories that are missing are made.
    pub(crate) async fn write_files(
        &self,
        container: &str,
        files: &[(&str, u32, Vec<u8>)],
    ) -> Result<(), ProviderError> {
        let call = "docker:PutContainerArchive";
        let unwritable = |error: std::io::Error| bug(call, format!("the archive cannot be written: {error}"));
        let mut archive = tar::Builder::new(Vec::new());
        for (path, mode, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_mode(*mode);
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path.trim_start_matches('/'), content.as_slice()).map_err(unwritable)?;
        }
        let archive = archive.into_inner().map_err(unwritable)?;
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        let docker = self.connection().await?;
        let sent = docker.upload_to_container(container, Some(options), body_full(archive.into())).await;
        sent.map_err(mutating(OperationVerb::Update, call))
    }

    /// Starts a command inside a container, and returns with what its state can be asked.
    pub(crate) async fn start_command(&self, container: &str, command: &[&str]) -> Result<String, ProviderError> {
        let call = "docker:ExecStart";
        let docker = self.connection().await?;
        let command = Some(command.iter().map(|word| (*word).to_owned()).collect());
        let config = ExecConfig { cmd: command, ..ExecConfig::default() };
        let made = docker.create_exec(container, config).await.map_err(mutating(OperationVerb::Update, call))?;
        let options = StartExecOptions { detach: true, ..StartExecOptions::default() };
        docker.start_exec(&made.id, Some(options)).await.map_err(mutating(OperationVerb::Update, call))?;
        Ok(made.id)
    }

    /// How a command is that was started before.
    pub(crate) async fn command_state(&self, id: &str) -> Result<CommandState, ProviderError> {
        let call = "docker:ExecInspect";
        let found = self.connection().await?.inspect_exec(id).await.map_err(reading(call))?;
        Ok(match (found.running, found.exit_code) {
            (Some(false), Some(exit_code)) => CommandState::Ended { exit_code },
            _ => CommandState::Running,
        })
    }

    /// What Docker calls an image of its own, if it has it.
    pub(crate) async fn image_id(&self, name: &str) -> Result<Option<String>, ProviderError> {
        match self.connection().await?.inspect_image(name).await {
            Ok(image) => Ok(image.id),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(reading("docker:ImageInspect")(error)),
        }
    }

    /// Gives an archive of images to a command inside a container, through its standard input. Waits for its end.
    pub(crate) async fn pipe_images(
        &self,
        images: &[&str],
        container: &str,
        command: &[&str],
    ) -> Result<(), ProviderError> {
        let (call, update) = ("docker:ImageSave", OperationVerb::Update);
        let docker = self.connection().await?;
        // Docker writes the whole archive down before it begins to answer.
        let patient = docker.clone().with_timeout(ARCHIVE_TIMEOUT);
        let mut archive = Box::pin(patient.export_images(images));
        let command = Some(command.iter().map(|word| (*word).to_owned()).collect());
        let (attach_stdin, attach_stdout) = (Some(true), Some(true));
        let config = ExecConfig { cmd: command, attach_stdin, attach_stdout, ..ExecConfig::default() };
        let made = docker.create_exec(container, config).await.map_err(mutating(update, call))?;
        let started = docker.start_exec(&made.id, None::<StartExecOptions>).await.map_err(mutating(update, call))?;
        let StartExecResults::Attached { mut output, mut input } = started else {
            return Err(bug(call, "the command was detached"));
        };
        let write = async {
            while let Some(part) = archive.next().await {
                // A command that ends early says why.
                if input.write_all(&part.map_err(reading(call))?).await.is_err() {
                    break;
                }
            }
            let _ = input.shutdown().await;
            Ok::<_, ProviderError>(())
        };
        let read = async {
            let mut text = String::new();
            while let Some(part) = output.next().await {
                text += &part.map_err(reading(call))?.to_string();
            }
            Ok(text)
        };
        let ((), text) = try_join(write, read).await?;
        match self.command_state(&made.id).await? {
            CommandState::Ended { exit_code: 0 } => Ok(()),
            CommandState::Ended { .. } | CommandState::Running => {
                let message = format!("{container} did not take the images {}: {}", images.join(", "), text.trim());
                Err(from_text(call, &message, ErrorKind::Failed))
            }
        }
    }

    /// Runs a command inside a container that only reads, and returns what it prints; [`None`] when it failed.
    pub(crate) async fn ask(&self, container: &str, command: &[&str]) -> Result<Option<String>, ProviderError> {
        let call = "docker:ExecStart";
        let docker = self.connection().await?;
        let command = Some(command.iter().map(|word| (*word).to_owned()).collect());
        let config = ExecConfig { cmd: command, attach_stdout: Some(true), ..ExecConfig::default() };
        let made = docker.create_exec(container, config).await.map_err(reading(call))?;
        let started = docker.start_exec(&made.id, None::<StartExecOptions>).await.map_err(reading(call))?;
        let StartExecResults::Attached { mut output, input: _ } = started else {
            return Err(bug(call, "the command was detached"));
        };
        let mut text = String::new();
        while let Some(part) = output.next().await {
            text += &part.map_err(reading(call))?.to_string();
        }
        match self.command_state(&made.id).await? {
            CommandState::Ended { exit_code: 0 } => Ok(Some(text)),
            CommandState::Ended { .. } | CommandState::Running => Ok(None),
        }
    }
}

/// A container that the call needs and that is not there.
pub(crate) fn missing(call: &str, name: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Gone, call, format!("the container {name} does not exist"))
}
