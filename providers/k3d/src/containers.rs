//! Containers as Docker reports them, as far as this provider looks at them.

use std::collections::BTreeMap;

use bollard::models::{ContainerInspectResponse, PortMap};

/// The label with which k3d names the cluster of a container.
pub(crate) const K3D_CLUSTER: &str = "k3d.cluster";
/// The label with which k3d names what a container does.
pub(crate) const K3D_ROLE: &str = "k3d.role";
/// Our label with the container's own name. `k3d node create` copies the labels of another node; a copy has another name.
pub(crate) const CONTAINER_LABEL: &str = "howso-infra/container";

/// What a container does in its cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    Agent,
    LoadBalancer,
    Registry,
    /// Helpers that k3d takes away when it is done.
    Other,
}

/// How far a container is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Made, never started.
    Created,
    Running,
    /// Started before, not running now.
    Stopped,
}

/// A container of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) role: Role,
    pub(crate) state: State,
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    /// The address and port of this machine for each port inside, such as `80/tcp`.
    pub(crate) ports: BTreeMap<String, (String, u16)>,
}

impl Container {
    /// Reads what Docker reports; [`None`] for an answer without a name.
    pub(crate) fn from_docker(found: ContainerInspectResponse) -> Option<Self> {
        let name = found.name?.trim_start_matches('/').to_owned();
        let config = found.config.unwrap_or_default();
        let labels: BTreeMap<_, _> = config.labels.unwrap_or_default().into_iter().collect();
        let state = found.state.unwrap_or_default();
        // Docker gives the year 1 as the start of a container that was never started.
        let was_started = state.started_at.is_some_and(|started| !started.starts_with("0001"));
        Some(Self {
            role: match labels.get(K3D_ROLE).map(String::as_str) {
                Some("server") => Role::Server,
                Some("agent") => Role::Agent,
                Some("loadbalancer") => Role::LoadBalancer,
                Some("registry") => Role::Registry,
                Some(_) | None => Role::Other,
            },
            state: match state.running {
                Some(true) => State::Running,
                Some(false) | None if was_started => State::Stopped,
                Some(false) | None => State::Created,
            },
            name,
            labels,
            image: config.image.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            ports: found.host_config.and_then(|host| host.port_bindings).map(bindings).unwrap_or_default(),
        })
    }

    /// Whether it carries our labels because we made it, not because it is a copy of a node that we made.
    pub(crate) fn is_made_here(&self) -> bool {
        self.labels.get(CONTAINER_LABEL) == Some(&self.name)
    }
}

fn bindings(ports: PortMap) -> BTreeMap<String, (String, u16)> {
    let first = |(inside, outside): (String, Option<Vec<bollard::models::PortBinding>>)| {
        let binding = outside?.into_iter().next()?;
        Some((inside, (binding.host_ip.unwrap_or_default(), binding.host_port?.parse().ok()?)))
    };
    ports.into_iter().filter_map(first).collect()
}
