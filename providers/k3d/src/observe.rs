//! From containers to resources.

use std::collections::BTreeMap;

use futures::future::{try_join_all, try_join3};
use howso_infra_core::identity::{CLUSTER_TAG, DEPLOYMENT_TAG, GENERATION_TAG, RESOURCE_TAG};
use howso_infra_core::{
    Attributes, DeploymentId, Generation, Observation, Observed, Ownership, ProviderError, ResourceId, Status, Value,
};

use crate::arguments::NodeArguments;
use crate::containers::{Container, Role, State};
use crate::docker::Docker;
use crate::graph::{cluster_id, network_id, network_name, volume_name};
use crate::images::{self, ImageIds};
use crate::kinds::NODE;
use crate::program::Program;

/// What k3d is doing while somebody waits for it.
pub(crate) const AT_WORK: &str = "in k3d's hands";

/// What is asked about.
pub(crate) struct Observing<'a> {
    pub(crate) docker: &'a Docker,
    pub(crate) program: &'a Program,
    /// The cluster's name, for k3d and in our labels.
    pub(crate) cluster: &'a str,
    /// The deployment, when it is known.
    pub(crate) deployment: Option<&'a DeploymentId>,
    /// The images that nodes are asked for.
    pub(crate) images: &'a ImageIds,
}

impl Observing<'_> {
    /// Reads everything: two listings, and a look at each container.
    pub(crate) async fn all(&self) -> Result<Observation, ProviderError> {
        let (name, volume) = (network_name(self.cluster), volume_name(self.cluster));
        let was_at_work = self.program.is_at_work();
        let (network, containers, has_volume) = try_join3(
            self.docker.network(&name),
            self.docker.containers(self.cluster),
            self.docker.has_volume(&volume, self.cluster),
        )
        .await?;
        // What looks half-made is so for good only if nobody was at work, neither when it was begun to be read nor when it was read.
        let at_work = was_at_work || self.program.is_at_work();
        let images = if at_work { BTreeMap::new() } else { self.images_of_nodes(&containers).await? };
        let mut observation = Observation::default();
        let labels = network.map(|network| network.labels.unwrap_or_default().into_iter().collect::<Vec<_>>());
        let network_owner = labels.as_deref().map(|labels| self.ownership(|key| find(labels, key)));
        if let Some(ownership) = network_owner.clone() {
            observation.insert(network_id(), network_observed(&name, ownership));
        }
        // A creation that is broken off early leaves no more than a volume. One without our network is whatever somebody left, and
        // in nobody's way: k3d uses it again.
        let has_volume = has_volume && matches!(network_owner, Some(Ownership::Ours { .. }));
        if has_volume || !containers.is_empty() {
            observation.insert(cluster_id(), self.cluster_observed(&containers, network_owner, &images, at_work));
        }
        for container in containers.iter().filter(|container| container.role == Role::Agent && container.is_made_here())
        {
            if let Some(id) = resource_of(container).filter(|id| id.kind() == NODE) {
                observation.insert(id, self.node_observed(container, images.get(&container.name), at_work));
            }
        }
        Ok(observation)
    }

    /// The images of each node that runs and can tell.
    async fn images_of_nodes(&self, containers: &[Container]) -> Result<BTreeMap<String, Attributes>, ProviderError> {
        let is_node = |container: &&Container| {
            matches!(container.role, Role::Server | Role::Agent) && container.state == State::Running
        };
        let ask = async |container: &Container| {
            let images = images::of_node(self.docker, &container.name, self.images).await?;
            Ok::<_, ProviderError>(images.map(|images| (container.name.clone(), images)))
        };
        let images = try_join_all(containers.iter().filter(is_node).map(ask)).await?;
        Ok(images.into_iter().flatten().collect())
    }

    fn cluster_observed(
        &self,
        containers: &[Container],
        network_owner: Option<Ownership>,
        images: &BTreeMap<String, Attributes>,
        at_work: bool,
    ) -> Observed {
        let of_role = |role| containers.iter().find(|container| container.role == role);
        let (server, load_balancer) = (of_role(Role::Server), of_role(Role::LoadBalancer));
        let main = [server, load_balancer].into_iter().flatten().collect::<Vec<_>>();
        // The first containers that k3d makes carry no labels of ours; they are in our network, which does.
        let ownership = match main.first() {
            Some(container) => self.ownership(|key| container.labels.get(key)),
            None => network_owner.unwrap_or(Ownership::Unclaimed),
        };
        let status =
            if at_work { Status::Pending { state: AT_WORK.to_owned() } } else { status(server, load_balancer) };
        let name = Value::text(self.cluster);
        Observed {
            physical_id: self.cluster.to_owned(),
            ownership,
            status,
            // What k3d has not made yet is no difference.
            attributes: if at_work {
                Attributes::new()
            } else {
                let images = server.and_then(|server| images.get(&server.name));
                cluster_attributes(server, load_balancer, of_role(Role::Registry), images)
            },
            outputs: Attributes::from([("name".to_owned(), name)]),
        }
    }

    fn node_observed(&self, container: &Container, images: Option<&Attributes>, at_work: bool) -> Observed {
        let mut attributes = NodeArguments::parse(&container.command).to_attributes();
        let is_running = container.state == State::Running;
        attributes.insert("cluster".to_owned(), Value::text(self.cluster));
        attributes.insert("running".to_owned(), Value::Bool(is_running));
        if is_running {
            // Whether pods may come is known to Kubernetes alone; a node that runs is emptied before it goes.
            attributes.insert("accepts_pods".to_owned(), Value::Bool(true));
        }
        attributes.extend(images.map(|images| ("images".to_owned(), Value::Map(images.clone()))));
        let is_being_made = at_work && container.state == State::Created;
        Observed {
            physical_id: container.name.clone(),
            ownership: self.ownership(|key| container.labels.get(key)),
            status: if is_being_made { Status::Pending { state: AT_WORK.to_owned() } } else { Status::Ready },
            attributes,
            outputs: Attributes::from([("name".to_owned(), Value::text(container.name.as_str()))]),
        }
    }

    fn ownership<'a>(&self, label: impl Fn(&str) -> Option<&'a String>) -> Ownership {
        let tagged = label(DEPLOYMENT_TAG).and_then(|text| text.parse::<DeploymentId>().ok());
        match tagged {
            Some(deployment)
                if label(CLUSTER_TAG).is_some_and(|cluster| cluster == self.cluster)
                    && self.deployment.is_none_or(|wanted| *wanted == deployment) =>
            {
                let generation = label(GENERATION_TAG).and_then(|text| text.parse().ok()).map(Generation);
                Ownership::Ours { deployment, generation }
            }
            Some(deployment) => Ownership::Foreign { evidence: format!("label {DEPLOYMENT_TAG}={deployment}") },
            None => Ownership::Unclaimed,
        }
    }
}

/// Whether a cluster on which nobody works was ever whole. k3d makes all containers before it starts the first, and the load balancer
/// last; what was whole and has lost a part since is not made again, with all that is in it, without being asked.
fn status(server: Option<&Container>, load_balancer: Option<&Container>) -> Status {
    let was_started = |container: &Container| container.state != State::Created;
    match (server, load_balancer) {
        (Some(server), Some(balancer)) if was_started(server) && was_started(balancer) => Status::Ready,
        (Some(server), None) if was_started(server) => {
            Status::Degraded { reason: "its load balancer is gone".to_owned() }
        }
        _ => Status::Failed { reason: "k3d was broken off before the cluster was whole".to_owned() },
    }
}

fn network_observed(name: &str, ownership: Ownership) -> Observed {
    let fields = Attributes::from([("name".to_owned(), Value::text(name))]);
    Observed {
        physical_id: name.to_owned(),
        ownership,
        status: Status::Ready,
        attributes: fields.clone(),
        outputs: fields,
    }
}

fn cluster_attributes(
    server: Option<&Container>,
    load_balancer: Option<&Container>,
    registry: Option<&Container>,
    images: Option<&Attributes>,
) -> Attributes {
    let mut attributes = Attributes::from([("registry".to_owned(), Value::Bool(registry.is_some()))]);
    let mut set = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
    if let Some(server) = server {
        let arguments = NodeArguments::parse(&server.command).to_attributes();
        for field in ["labels", "reserved"] {
            set(field, arguments[field].clone());
        }
        set("image", Value::text(server.image.as_str()));
        if let Some(network) = server.labels.get("k3d.cluster.network") {
            set("network", Value::text(network.as_str()));
        }
        if let Some(version) = kubernetes_version(&server.image) {
            set("kubernetes_version", Value::text(version));
        }
    }
    let port = |container: &Container, inside: &str| container.ports.get(inside).cloned();
    if let Some(balancer) = load_balancer {
        for (name, inside) in [("http_port", "80/tcp"), ("https_port", "443/tcp")] {
            if let Some((listen, port)) = port(balancer, inside) {
                set(name, Value::from(u32::from(port)));
                set("listen", Value::text(listen));
            }
        }
    }
    if let Some((_, port)) = registry.and_then(|registry| port(registry, "5000/tcp")) {
        set("registry_port", Value::from(u32::from(port)));
    }
    if let Some(images) = images {
        set("images", Value::Map(images.clone()));
    }
    let main: Vec<&Container> = [server, load_balancer].into_iter().flatten().collect();
    set("running", Value::Bool(!main.is_empty() && main.iter().all(|container| container.state == State::Running)));
    attributes
}

/// The minor version that the tag of an image of k3s names: `rancher/k3s:v1.34.4-k3s1` holds 1.34.
fn kubernetes_version(image: &str) -> Option<String> {
    let (_, tag) = image.rsplit_once(':')?;
    let mut numbers = tag.strip_prefix('v')?.split('.');
    let (major, minor) = (numbers.next()?, numbers.next()?);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(major) && is_number(minor)).then(|| format!("{major}.{minor}"))
}

/// The resource that a container says it is.
fn resource_of(container: &Container) -> Option<ResourceId> {
    container.labels.get(RESOURCE_TAG)?.parse().ok()
}

fn find<'a>(labels: &'a [(String, String)], key: &str) -> Option<&'a String> {
    labels.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(role: Role, state: State) -> Container {
        Container {
            name: "k3d-demo".to_owned(),
            labels: BTreeMap::new(),
            role,
            state,
            image: String::new(),
            command: Vec::new(),
            ports: BTreeMap::new(),
        }
    }

    #[test]
    fn only_a_cluster_that_never_was_whole_has_failed() {
        let of = |server: Option<State>, balancer: Option<State>| {
            let server = server.map(|state| container(Role::Server, state));
            let balancer = balancer.map(|state| container(Role::LoadBalancer, state));
            status(server.as_ref(), balancer.as_ref())
        };
        let (created, running, stopped) = (Some(State::Created), Some(State::Running), Some(State::Stopped));
        assert_eq!(of(running, running), Status::Ready);
        assert_eq!(of(stopped, stopped), Status::Ready, "it can be started");
        assert!(matches!(of(running, None), Status::Degraded { .. }), "somebody removed it");
        for (server, balancer) in
            [(None, None), (created, None), (created, created), (running, created), (None, running)]
        {
            assert!(matches!(of(server, balancer), Status::Failed { .. }), "{server:?} {balancer:?}");
        }
    }

    #[test]
    fn the_version_is_read_from_the_tag_of_an_image_of_k3s_and_from_no_other() {
        assert_eq!(kubernetes_version("rancher/k3s:v1.34.4-k3s1").as_deref(), Some("1.34"));
        assert_eq!(kubernetes_version("localhost:5000/k3s:v1.33.0").as_deref(), Some("1.33"));
        for other in ["rancher/k3s", "rancher/k3s:latest", "localhost:5000/k3s", "k3s:v1"] {
            assert_eq!(kubernetes_version(other), None, "{other}");
        }
    }
}
