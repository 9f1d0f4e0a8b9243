//! What a node leaves to pods: its memory as the kernel shows it, less what the kubelet keeps for itself and for the system.
//!
//! Each formula names its source; how near they are to nodes that were observed is tested below and told in `docs/sizing.md`.

use crate::sizing::Amounts;

/// The memory below which a kubelet evicts pods, and which it therefore does not offer: the kubelet's own default, and what all of
/// these platforms set.
const EVICTION_MEBIBYTES: u64 = 100;

/// A machine as its price list describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nominal {
    /// Virtual CPUs.
    pub vcpus: u32,
    /// Memory, in mebibytes.
    pub memory_mebibytes: u64,
    /// How many pods the node takes, where that depends on the machine.
    pub pods: u64,
}

/// The part of `amount` that is `numerator / denominator` of it, rounded up: what is kept is never told too small.
fn part(amount: u64, numerator: u64, denominator: u64) -> u64 {
    (amount * numerator).div_ceil(denominator)
}

/// The reservation of CPU time that GKE published first and EKS took over: 6 % of the first core, 1 % of the second, 0.5 % of the
/// next two and 0.25 % of all others. Millicores.
fn bracketed_millicores(vcpus: u32) -> u64 {
    let of_core = |core: u32| match core {
        1 => 600,
        2 => 100,
        3 | 4 => 50,
        _ => 25,
    };
    (1..=vcpus).map(of_core).sum::<u64>().div_ceil(10)
}

fn offered(nominal: Nominal, capacity: u64, reserved: (u64, u64), pods: u64) -> Amounts {
    Amounts {
        cpu_millicores: (u64::from(nominal.vcpus) * 1000).saturating_sub(reserved.0),
        memory_mebibytes: capacity.saturating_sub(reserved.1 + EVICTION_MEBIBYTES),
        pods,
    }
}

/// Amazon Linux 2023 and Bottlerocket (`nodeadm/internal/kubelet/config.go` of <https://github.com/awslabs/amazon-eks-ami>).
///
/// Memory is reserved for as many pods as the network interfaces can address, [`Nominal::pods`], also where a managed node group
/// takes fewer: at most 110 below 30 vCPUs, and 250 from there on.
pub fn eks(nominal: Nominal) -> Amounts {
    // Firmware and kernel: nominal less 3.9 % and 200 MiB, fitted to observed nodes.
    let capacity = nominal.memory_mebibytes.saturating_sub(part(nominal.memory_mebibytes, 39, 1000) + 200);
    let reserved = (bracketed_millicores(nominal.vcpus), 11 * nominal.pods + 255);
    let cap = if nominal.vcpus < 30 { 110 } else { 250 };
    offered(nominal, capacity, reserved, nominal.pods.min(cap))
}

/// Container-Optimized OS (`gce_reserved.go` of the cluster autoscaler, and
/// <https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes>).
pub fn gke(nominal: Nominal) -> Amounts {
    const PODS: u64 = 110;
    let memory = nominal.memory_mebibytes;
    let of_size = if memory > 3 * 1024 { 64 } else { 0 } + if memory <= 8 * 1024 { 8 } else { 0 };
    let kernel = memory.div_ceil(64) + 16 + of_size + part(memory, 175, 100_000).min(248);
    let capacity = memory.saturating_sub(kernel);
    let reserved = if capacity <= 1024 { 255 } else { tiered_mebibytes(capacity) };
    offered(nominal, capacity, (bracketed_millicores(nominal.vcpus), reserved), PODS)
}

/// 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112 and 2 % of what is above. Mebibytes.
fn tiered_mebibytes(capacity: u64) -> u64 {
    const TIERS_GIBIBYTES: [(u64, u64); 5] = [(4, 25), (4, 20), (8, 10), (112, 6), (u64::MAX, 2)];
    let mut rest = capacity;
    let mut reserved_percent = 0;
    for (width, percent) in TIERS_GIBIBYTES {
        let here = rest.min(width.saturating_mul(1024));
        reserved_percent += here * percent;
        rest -= here;
    }
    reserved_percent.div_ceil(100)
}

/// AKS from Kubernetes 1.29 on (<https://learn.microsoft.com/en-us/azure/aks/node-resource-reservations>), for the number of pods
/// that its overlay network allows by default.
pub fn aks(nominal: Nominal) -> Amounts {
    const PODS: u64 = 250;
    // 20 MB for each pod and 50 MB, which are decimal there.
    const FOR_PODS_MEBIBYTES: u64 = ((20 * PODS + 50) * 1_000_000).div_ceil(1024 * 1024);
    let memory = nominal.memory_mebibytes;
    // Firmware and kernel: nominal less 2 % and 50 MiB, fitted to observed nodes.
    let capacity = memory.saturating_sub(part(memory, 2, 100) + 50);
    let of_core = |core: u32| match core {
        1 => 60,
        2 => 40,
        3 | 4 => 20,
        _ => 10,
    };
    let reserved_millicores = (1..=nominal.vcpus).map(of_core).sum();
    offered(nominal, capacity, (reserved_millicores, FOR_PODS_MEBIBYTES.min(part(memory, 1, 4))), PODS)
}

/// Workers of `OpenShift` 4 (`templates/common/_base/files/kubelet-auto-sizing.yaml` of
/// <https://github.com/openshift/machine-config-operator>): dynamic reservations, as they are made since `NODE_SIZING_ENABLED` is the
/// default there.
pub fn openshift(nominal: Nominal) -> Amounts {
    const PODS: u64 = 250;
    // Firmware and kernel of RHCOS: 3.4 %, fitted to observed nodes.
    let capacity = nominal.memory_mebibytes.saturating_sub(part(nominal.memory_mebibytes, 34, 1000));
    let reserved_millicores = (60 + 12 * u64::from(nominal.vcpus.saturating_sub(1))).max(500);
    // Whole GiB as `free -g` would round them; the script rounds its result as well.
    let total = (capacity + 512) / 1024;
    let hundredths = match total {
        0..=8 => 100,
        9..=128 => 100 + 6 * (total - 8),
        _ => 100 + 672 + 2 * (total - 120),
    };
    let reserved_mebibytes = (hundredths + 50) / 100 * 1024;
    offered(nominal, capacity, (reserved_millicores, reserved_mebibytes), PODS)
}

/// k3s keeps nothing back, and on one machine each of its nodes shows all of it.
pub fn k3s(nominal: Nominal) -> Amounts {
    const PODS: u64 = 110;
    offered(nominal, nominal.memory_mebibytes, (0, 0), PODS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nominal(vcpus: u32, gibibytes: u64, pods: u64) -> Nominal {
        Nominal { vcpus, memory_mebibytes: gibibytes * 1024, pods }
    }

    /// A node that somebody has looked at: what it showed as allocatable. Where only its capacity is known, that less the
    /// reservations of its platform.
    struct ObservedNode {
        what: &'static str,
        formula: fn(Nominal) -> Amounts,
        nominal: Nominal,
        cpu_millicores: u64,
        memory_mebibytes: u64,
    }

    /// From public bug reports and manuals, by way of `describe node`. EKS tells capacity; 11 MiB a pod, 255 and 100 come off.
    fn observed() -> Vec<ObservedNode> {
        let node = |what, formula: fn(Nominal) -> Amounts, nominal, cpu_millicores, memory_mebibytes| ObservedNode {
            what,
            formula,
            nominal,
            cpu_millicores,
            memory_mebibytes,
        };
        vec![
            node("EKS 2 vCPUs, 8 GiB", eks, nominal(2, 8, 29), 1930, 7681 - (11 * 29 + 355)),
            node("EKS m5.xlarge", eks, nominal(4, 16, 58), 3920, 15546 - (11 * 58 + 355)),
            node("EKS 8 vCPUs, 32 GiB", eks, nominal(8, 32, 58), 7910, 31316 - (11 * 58 + 355)),
            node("GKE 8 vCPUs, 32 GiB", gke, nominal(8, 32, 0), 7910, 28466),
            node("AKS 4 vCPUs, 8 GiB", aks, nominal(4, 8, 0), 3860, 7977 - 2048 - 100),
            node("OpenShift 16 vCPUs, 64 GiB", openshift, nominal(16, 64, 0), 15500, 63274 - 4096 - 100),
            node("OpenShift 8 vCPUs, 32 GiB", openshift, nominal(8, 32, 0), 7500, 31688 - 2048 - 100),
        ]
    }

    #[test]
    fn formulas_are_within_two_per_cent_of_observed_nodes_and_hardly_ever_above() {
        for node in observed() {
            let told = (node.formula)(node.nominal);
            assert_eq!(told.cpu_millicores, node.cpu_millicores, "{}", node.what);
            let (told, seen) = (told.memory_mebibytes, node.memory_mebibytes);
            assert!(told * 100 >= seen * 98, "{}: {told} MiB, but it offers {seen}", node.what);
            assert!(told * 100 <= seen * 101, "{}: {told} MiB, but it offers only {seen}", node.what);
        }
    }

    /// A machine of 4 GiB has relatively more to start with than the fit says. It is known to err on the safe side only.
    #[test]
    fn small_machines_of_eks_are_told_too_small_rather_than_too_large() {
        let told = eks(nominal(2, 4, 17)).memory_mebibytes;
        assert!(told < 3875 - (11 * 17 + 355) && told * 100 > (3875 - (11 * 17 + 355)) * 95, "{told}");
    }

    #[test]
    fn the_numbers_of_pods_that_managed_node_groups_take_are_capped_and_the_memory_is_not_given_back() {
        let node = eks(nominal(16, 64, 234));
        assert_eq!((node.cpu_millicores, node.pods), (15890, 110));
        assert_eq!(node.memory_mebibytes, 65536 - 2556 - 200 - (11 * 234 + 255) - 100);
        assert_eq!(eks(nominal(32, 128, 234)).pods, 234);
        assert_eq!(eks(nominal(64, 256, 737)).pods, 250);
    }

    #[test]
    fn published_tables_of_reserved_cpu_are_met() {
        for (vcpus, millicores) in [(1, 60), (2, 100), (4, 140), (8, 180), (16, 260), (32, 420), (64, 740)] {
            assert_eq!(aks(nominal(vcpus, 64, 0)).cpu_millicores, u64::from(vcpus) * 1000 - millicores);
        }
        for (vcpus, millicores) in [(1, 60), (2, 70), (4, 80), (8, 90), (16, 110)] {
            assert_eq!(gke(nominal(vcpus, 64, 0)).cpu_millicores, u64::from(vcpus) * 1000 - millicores);
        }
        assert_eq!(openshift(nominal(64, 256, 0)).cpu_millicores, 64_000 - 816);
        assert_eq!(k3s(nominal(4, 8, 0)).cpu_millicores, 4000);
    }

    #[test]
    fn more_of_a_machine_never_offers_less() {
        for formula in [eks, gke, aks, openshift, k3s] {
            for vcpus in 1..=96 {
                let (less, more) = (formula(nominal(vcpus, 64, 58)), formula(nominal(vcpus + 1, 64, 58)));
                assert!(more.cpu_millicores > less.cpu_millicores);
            }
            for gibibytes in 1..=512 {
                let (less, more) = (formula(nominal(8, gibibytes, 58)), formula(nominal(8, gibibytes + 1, 58)));
                // OpenShift keeps back whole GiB, so that a step may take more than the GiB that came.
                assert!(more.memory_mebibytes + 64 >= less.memory_mebibytes, "{gibibytes} GiB");
            }
        }
    }
}
