//! What is known of each platform that clusters run on.

use crate::sizing::allocatable::{self, Nominal};
use crate::sizing::catalogue::{self, Catalogue};
use crate::sizing::services::{Service, Spread};
use crate::sizing::{Amounts, MachineType};
use crate::spec::Architecture;

/// A platform that clusters run on, as far as sizing goes.
#[derive(Clone, Copy, Debug)]
pub struct Platform {
    /// Its name, as a specification has it.
    pub name: &'static str,
    /// Its machines; [`None`] where it runs on those of others.
    pub catalogue: Option<Catalogue>,
    /// What the control plane costs, in millionths of a US dollar per hour; [`None`] when no source says it.
    pub control_plane_microdollars: Option<u64>,
    /// How long a trainee waits that needs a new node.
    pub node_wait: NodeWait,
    /// Who chooses the users that containers run as.
    pub container_users: ContainerUsers,
    /// What the platform itself runs on core nodes, beside what it runs on each.
    pub system: &'static [Service],
    /// What a node leaves to pods.
    allocatable: fn(Nominal) -> Amounts,
    /// What the platform's own pods on each node request.
    daemons: Amounts,
}

/// Who chooses the users that containers run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerUsers {
    /// Whoever writes the manifest.
    Manifest,
    /// The platform, by its security context constraints.
    Platform,
}

/// How long it takes from a trainee's pod to the trainee, when a node must be made for it: modelled from the times of autoscaler,
/// machine, image and start (`docs/sizing.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeWait {
    /// Half of them take longer. Seconds.
    pub median_secs: u64,
    /// One of a hundred takes longer. Seconds.
    pub p99_secs: u64,
}

impl NodeWait {
    /// How long a client should wait for a trainee before it gives up: twice what one of a hundred exceeds, or what was measured if that
    /// is more, in whole hundreds of seconds.
    pub fn client_wait_secs(self, measured_secs: Option<u64>) -> u64 {
        let longest_secs = self.p99_secs.max(measured_secs.unwrap_or_default());
        (longest_secs * 2).div_ceil(100) * 100
    }
}

impl Platform {
    /// The platform of this name; [`None`] for one of which nothing is known.
    pub fn named(name: &str) -> Option<&'static Self> {
        PLATFORMS.into_iter().chain([&K3D]).find(|platform| platform.name == name)
    }

    /// What a node leaves to pods that are not the platform's own on each node.
    pub fn offers(&self, nominal: Nominal) -> Amounts {
        (self.allocatable)(nominal).without(self.daemons)
    }

    /// The machines that may be chosen without being named, cheapest first.
    pub fn machines(&self, architecture: Architecture) -> impl Iterator<Item = &'static MachineType> {
        let types = self.catalogue.map(Catalogue::types).unwrap_or_default();
        types.iter().filter(move |known| known.automatic && known.architecture == architecture)
    }
}

const fn system(name: &'static str, replicas: u64, cpu: u64, memory: u64) -> Service {
    Service { name, replicas, requests: Amounts::pod(cpu, memory), spread: Spread::Anywhere }
}

/// The name service and the metrics server, as Kubernetes' own manifests have them.
const COMMON_SYSTEM: &[Service] = &[system("CoreDNS", 2, 100, 70), system("metrics-server", 2, 100, 200)];

/// Amazon EKS: managed node groups, the cluster autoscaler.
///
/// On each node: `aws-node` 50m, `kube-proxy` 100m, `ebs-csi-node` 30m and 120Mi, the pod identity agent; and 50m and 20Mi for the
/// loader of trainees' images.
pub const EKS: Platform = Platform {
    name: "eks",
    catalogue: Some(catalogue::EKS),
    control_plane_microdollars: Some(100_000),
    node_wait: NodeWait { median_secs: 121, p99_secs: 197 },
    container_users: ContainerUsers::Manifest,
    system: &[
        system("CoreDNS", 2, 100, 70),
        system("metrics-server", 2, 100, 200),
        system("EBS driver", 2, 60, 240),
        system("cluster autoscaler", 1, 100, 600),
    ],
    allocatable: allocatable::eks,
    daemons: Amounts { cpu_millicores: 230, memory_mebibytes: 140, pods: 5 },
};

/// Google Kubernetes Engine, with its dataplane V2.
pub const GKE: Platform = Platform {
    name: "gke",
    catalogue: Some(catalogue::GKE),
    control_plane_microdollars: Some(100_000),
    node_wait: NodeWait { median_secs: 127, p99_secs: 219 },
    container_users: ContainerUsers::Manifest,
    system: COMMON_SYSTEM,
    allocatable: allocatable::gke,
    daemons: Amounts { cpu_millicores: 345, memory_mebibytes: 560, pods: 8 },
};

/// Azure Kubernetes Service, standard tier, overlay network.
pub const AKS: Platform = Platform {
    name: "aks",
    catalogue: Some(catalogue::AKS),
    control_plane_microdollars: Some(100_000),
    node_wait: NodeWait { median_secs: 157, p99_secs: 302 },
    container_users: ContainerUsers::Manifest,
    system: COMMON_SYSTEM,
    allocatable: allocatable::aks,
    daemons: Amounts { cpu_millicores: 350, memory_mebibytes: 470, pods: 8 },
};

/// `OpenShift` 4, whichever machines it runs on; told with those of Amazon. What a subscription costs is not known here.
pub const OPENSHIFT: Platform = Platform {
    name: "openshift",
    catalogue: Some(catalogue::EKS),
    control_plane_microdollars: None,
    node_wait: NodeWait { median_secs: 256, p99_secs: 424 },
    container_users: ContainerUsers::Platform,
    system: COMMON_SYSTEM,
    allocatable: allocatable::openshift,
    daemons: Amounts { cpu_millicores: 700, memory_mebibytes: 2560, pods: 12 },
};

/// k3s in containers of one machine, all of which show all of it.
pub const K3D: Platform = Platform {
    name: "k3d",
    catalogue: None,
    control_plane_microdollars: Some(0),
    node_wait: NodeWait { median_secs: 10, p99_secs: 30 },
    container_users: ContainerUsers::Manifest,
    system: COMMON_SYSTEM,
    allocatable: allocatable::k3s,
    daemons: Amounts { cpu_millicores: 0, memory_mebibytes: 0, pods: 2 },
};

/// Every platform that rents out machines, to compare them.
pub const PLATFORMS: [&Platform; 4] = [&EKS, &GKE, &AKS, &OPENSHIFT];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizing::TraineeSize;

    /// How many trainees a node holds, as the table of the sizing notes has it.
    #[test]
    fn nodes_hold_as_many_trainees_as_is_known() {
        let named = ["xx-small", "x-small", "small", "medium", "x-large", "xx-large"];
        let holds = |platform: &Platform, name: &str| {
            let machine = platform.catalogue.and_then(|known| known.find(name)).expect("it is in the table");
            let node = platform.offers(machine.nominal());
            named.map(|size| node.holds_times(TraineeSize::named(size).expect("it is a name").requests))
        };
        assert_eq!(holds(&EKS, "m6i.4xlarge"), [31, 15, 7, 3, 2, 1]);
        assert_eq!(holds(&EKS, "c6i.4xlarge"), [31, 15, 7, 3, 2, 1]);
        assert_eq!(holds(&EKS, "m6i.2xlarge"), [15, 7, 3, 1, 1, 0]);
        assert_eq!(holds(&GKE, "n2-standard-16"), [31, 15, 7, 3, 2, 1]);
        assert_eq!(holds(&AKS, "Standard_D16s_v5"), [30, 15, 7, 3, 2, 1]);
        assert_eq!(holds(&AKS, "Standard_D8s_v5"), [14, 7, 3, 1, 1, 0]);
        assert_eq!(holds(&OPENSHIFT, "m6i.4xlarge"), [29, 14, 7, 3, 2, 1]);
    }

    #[test]
    fn clients_wait_twice_as_long_as_nearly_every_node_takes() {
        let waits = PLATFORMS.map(|platform| platform.node_wait.client_wait_secs(None));
        assert_eq!(waits, [400, 500, 700, 900]);
    }
}
