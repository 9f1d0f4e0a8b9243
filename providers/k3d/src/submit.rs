//! Carries out operations: one call of Docker or of k3d each, which is not waited for.

use std::collections::HashMap;
use std::sync::Arc;

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};
use howso_infra_core::{Attributes, ErrorKind, Operation, ProviderError, ResourceId, Submitted, Value, Work};

use crate::arguments::NodeArguments;
use crate::config_file;
use crate::containers::{CONTAINER_LABEL, K3D_ROLE, Role};
use crate::docker::{Docker, missing};
use crate::errors::bug;
use crate::graph::{network_name, volume_name};
use crate::images::Imports;
use crate::kinds::{CLUSTER, DRAIN, IMPORT, NETWORK, NODE, START};
use crate::poll::is_registered;
use crate::program::Program;

/// In a ticket: the command inside the server that is waited for.
pub(crate) const COMMAND: &str = "command";
/// In a ticket: the node whose images are waited for.
pub(crate) const IMPORTED: &str = "imported";

/// What k3d writes into a node before it starts, besides what is in the image: the wrappers of the entry point, and which
/// registries there are.
const FILES: [(&str, u32); 5] = [
    ("/bin/k3d-entrypoint.sh", 0o744),
    ("/bin/k3d-entrypoint-dns.sh", 0o744),
    ("/bin/k3d-entrypoint-cgroupv2.sh", 0o744),
    ("/bin/k3d-entrypoint-mounts.sh", 0o744),
    ("/etc/rancher/k3s/registries.yaml", 0o644),
];

/// Where the output of a drain lies in the server.
pub(crate) const DRAIN_OUTPUT: &str = "/var/log/howso-infra-drain";

/// What operations are carried out with.
pub(crate) struct Submitting<'a> {
    pub(crate) docker: &'a Arc<Docker>,
    pub(crate) program: &'a Program,
    pub(crate) imports: &'a Imports,
    pub(crate) cluster: &'a str,
}

impl Submitting<'_> {
    pub(crate) async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        let resource = &operation.resource;
        match (resource.kind(), &operation.work) {
            (NETWORK, Work::Create { .. }) => self.create_network(operation).await,
            (NETWORK, Work::Delete { physical_id, .. }) => {
                self.docker.remove_network(physical_id).await?;
                Ok(settled(physical_id))
            }
            (CLUSTER, Work::Create { attributes }) => self.create_cluster(operation, attributes).await,
            (CLUSTER, Work::Update { call, .. }) if call == START => {
                self.program.start(&["cluster", "start", self.cluster], "").await?;
                Ok(Submitted::accepted(operation, self.cluster, Attributes::new()))
            }
            (CLUSTER, Work::Update { call, attributes, .. }) if call == IMPORT => {
                let server = self.server("docker:ExecStart").await?;
                Ok(Submitted::accepted(operation, self.cluster, self.start_import(&server, attributes)))
            }
            (CLUSTER, Work::Delete { .. }) => self.delete_cluster(operation).await,
            (NODE, Work::Create { attributes }) => self.create_node(operation, attributes).await,
            (NODE, Work::Update { physical_id, call, attributes, .. }) if call == START => {
                self.start_node(operation, physical_id, attributes).await
            }
            (NODE, Work::Update { physical_id, call, .. }) if call == DRAIN => {
                self.drain_node(operation, physical_id).await
            }
            (NODE, Work::Delete { physical_id, .. }) => {
                self.docker.remove_container(physical_id).await?;
                Ok(settled(physical_id))
            }
            (kind, work) => Err(bug("k3d", format!("there is no call for {:?} of {kind}", work.verb()))),
        }
    }

    async fn create_network(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        let name = network_name(self.cluster);
        self.docker.create_network(&name, operation.identity.tags(&operation.resource)).await?;
        Ok(settled(&name))
    }

    async fn create_cluster(&self, operation: &Operation, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        let config = config_file::render(self.cluster, attributes, &operation.resource, &operation.identity);
        self.program.start(&["cluster", "create", "--config", "-"], &config).await?;
        Ok(Submitted::accepted(operation, self.cluster, Attributes::new()))
    }

    async fn delete_cluster(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        let containers = self.docker.containers(self.cluster).await?;
        if !containers.iter().any(|container| container.role == Role::Server) {
            // The server goes first when k3d removes a cluster.
            self.program.refuse_at_work("docker:ContainerDelete")?;
            // What there is of a cluster before its server, k3d does not recognise as one: it would leave registry and volume.
            for container in &containers {
                self.docker.remove_container(&container.name).await?;
            }
            self.docker.remove_volume(&volume_name(self.cluster)).await?;
            return Ok(settled(self.cluster));
        }
        self.program.start(&["cluster", "delete", self.cluster], "").await?;
        Ok(Submitted::accepted(operation, self.cluster, Attributes::new()))
    }

    /// Makes an agent like those that k3d makes. A node that came with the cluster is there already.
    async fn create_node(&self, operation: &Operation, attributes: &Attributes) -> Result<Submitted, ProviderError> {
        if let Some(there) = self.docker.node_of(self.cluster, &operation.resource).await? {
            return Ok(settled(&there));
        }
        let call = "docker:ContainerCreate";
        let server = config_file::container(self.cluster, "server", 0);
        let template = self.docker.inspect(&server).await?.ok_or_else(|| missing(call, &server))?;
        let name = format!("k3d-{}-{}", self.cluster, operation.resource.name());
        let arguments = NodeArguments::from_attributes(attributes);
        let mut body = agent_like(template, &name, &network_name(self.cluster), &arguments, &server);
        let labels = body.labels.get_or_insert_default();
        labels.extend(operation.identity.tags(&operation.resource));
        labels.insert(CONTAINER_LABEL.to_owned(), name.clone());
        self.docker.create_container(&name, body).await?;
        Ok(settled(&name))
    }

    /// Gives a node the files that k3d gives to its own, starts it, and begins to give it its images. A node that came with the
    /// cluster runs already, and is not waited for.
    async fn start_node(
        &self,
        operation: &Operation,
        name: &str,
        attributes: &Attributes,
    ) -> Result<Submitted, ProviderError> {
        let call = "docker:ContainerStart";
        let found = self.docker.inspect(name).await?.ok_or_else(|| missing(call, name))?;
        let state = found.state.unwrap_or_default();
        if state.running == Some(true) {
            if !attributes.contains_key("images") && is_registered(self.docker, name, &state).await? {
                return Ok(settled(name));
            }
        } else {
            let server = self.server(call).await?;
            let mut files = Vec::new();
            for (path, mode) in FILES {
                if let Some(content) = self.docker.read_file(&server, path).await? {
                    files.push((path, mode, content));
                }
            }
            self.docker.write_files(name, &files).await?;
            self.docker.start_container(name).await?;
        }
        Ok(Submitted::accepted(operation, name, self.start_import(name, attributes)))
    }

    /// Begins to give a node its images, and returns what tells a ticket so.
    fn start_import(&self, node: &str, attributes: &Attributes) -> Attributes {
        match attributes.get("images").and_then(Value::as_map) {
            Some(images) => {
                self.imports.start(self.docker, node, images);
                Attributes::from([(IMPORTED.to_owned(), Value::text(node))])
            }
            None => Attributes::new(),
        }
    }

    /// Moves the pods of a node elsewhere and takes it out of the cluster, by `kubectl` inside the server.
    async fn drain_node(&self, operation: &Operation, name: &str) -> Result<Submitted, ProviderError> {
        let server = self.server("docker:ExecStart").await?;
        // A node that Kubernetes does not know has nothing to move. It may go while it is emptied: the drain of a run that
        // died goes on inside the server. Pods that no controller would make again are not deleted. A node that cannot be
        // emptied takes pods again.
        let script = format!(
            "gone() {{ node=$(kubectl get node {name} --ignore-not-found --output name) && [ -z \"$node\" ]; }}; \
             gone || {{ kubectl drain {name} --ignore-daemonsets --delete-emptydir-data --timeout=10m && \
             kubectl delete node {name} --ignore-not-found; }} || gone || {{ kubectl uncordon {name}; exit 1; }}"
        );
        let script = format!("({script}) > {DRAIN_OUTPUT}-{name} 2>&1");
        let command = self.docker.start_command(&server, &["sh", "-c", &script]).await?;
        let context = Attributes::from([(COMMAND.to_owned(), Value::text(command))]);
        Ok(Submitted::accepted(operation, name, context))
    }

    /// The container of the server.
    async fn server(&self, call: &str) -> Result<String, ProviderError> {
        let name = config_file::container(self.cluster, "server", 0);
        match self.docker.inspect(&name).await? {
            Some(_) => Ok(name),
            None => Err(missing(call, &name)),
        }
    }
}

/// An agent made after the server: the same image, mounts and privileges, and the way to the server.
///
/// k3d itself cannot be asked: `k3d node create` copies the arguments of another agent, and with them its labels and taints.
fn agent_like(
    server: bollard::models::ContainerInspectResponse,
    name: &str,
    network: &str,
    arguments: &NodeArguments,
    server_name: &str,
) -> ContainerCreateBody {
    let config = server.config.unwrap_or_default();
    let host = server.host_config.unwrap_or_default();
    let of_cluster = |key: &str| {
        key == "app" || key.starts_with("k3d.cluster") || key == "k3d.version" || key == "k3d.server.loadbalancer"
    };
    let mut labels: HashMap<String, String> =
        config.labels.unwrap_or_default().into_iter().filter(|(key, _)| of_cluster(key)).collect();
    labels.insert(K3D_ROLE.to_owned(), "agent".to_owned());
    let secret = config.env.unwrap_or_default().into_iter().filter(|variable| variable.starts_with("K3S_TOKEN="));
    let variables = secret.chain([
        format!("K3S_URL=https://{server_name}:6443"),
        "K3S_KUBECONFIG_OUTPUT=/output/kubeconfig.yaml".to_owned(),
    ]);
    ContainerCreateBody {
        hostname: Some(name.to_owned()),
        image: config.image,
        entrypoint: config.entrypoint,
        cmd: Some(std::iter::once("agent".to_owned()).chain(arguments.all()).collect()),
        env: Some(variables.collect()),
        labels: Some(labels),
        host_config: Some(HostConfig {
            binds: host.binds,
            init: host.init,
            privileged: Some(true),
            userns_mode: host.userns_mode,
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            tmpfs: host.tmpfs,
            extra_hosts: Some(vec!["host.k3d.internal:host-gateway".to_owned()]),
            network_mode: Some(network.to_owned()),
            ..HostConfig::default()
        }),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(network.to_owned(), EndpointSettings::default())])),
        }),
        ..ContainerCreateBody::default()
    }
}

fn settled(name: &str) -> Submitted {
    let outputs = Attributes::from([("name".to_owned(), Value::text(name))]);
    Submitted::settled_with(name, outputs)
}

/// The error of a deletion that ended while something was still there.
pub(crate) fn still_there(resource: &ResourceId, what: &str) -> ProviderError {
    let message = format!("{what} is still there although k3d says that it removed it");
    let call = format!("delete {resource}");
    ProviderError::new(ErrorKind::Failed, call, message)
        .with_hint("the same command tries again; `docker ps --all` shows what there is")
}
