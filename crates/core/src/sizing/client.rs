//! The machine on which clients of the platform run.
//!
//! Source: the performance guide of the platform (a core for every trainee that is driven at the same time, and more for the user's
//! own work). The guide says nothing of memory.

use crate::sizing::{MachineType, Platform, Prices};
use crate::spec::Architecture;

/// What a client does beside driving trainees: its own work, and the system's.
const OWN_CPUS: u32 = 2;

/// As little as machines have for each CPU, in the machines with least: an assumption, because no source says more.
const MEMORY_GIBIBYTES_PER_CPU: u32 = 2;

/// The virtual CPUs of a machine whose clients drive so many trainees at the same time.
pub fn virtual_cpus(parallel: u32) -> u32 {
    parallel.saturating_add(OWN_CPUS)
}

/// Its memory. GiB.
pub fn memory_gibibytes(parallel: u32) -> u32 {
    virtual_cpus(parallel).saturating_mul(MEMORY_GIBIBYTES_PER_CPU)
}

/// The cheapest machine of a platform for it; [`None`] when there is none so large.
pub fn cheapest(
    platform: &Platform,
    architecture: Architecture,
    parallel: u32,
    prices: &Prices,
) -> Option<&'static MachineType> {
    let memory_mebibytes = u64::from(memory_gibibytes(parallel)) * 1024;
    let mut machines: Vec<_> = platform.machines(architecture).collect();
    prices.sort(&mut machines);
    machines.into_iter().find(|machine| machine.fits(virtual_cpus(parallel), memory_mebibytes, architecture))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizing::platform::{EKS, K3D};

    #[test]
    fn there_is_a_core_for_every_trainee_and_some_for_the_rest() {
        let names = [1, 6, 7, 62].map(|parallel| {
            let machine = cheapest(&EKS, Architecture::X86_64, parallel, &Prices::default()).unwrap();
            assert!(machine.vcpus > parallel, "{}", machine.name);
            (parallel, machine.vcpus)
        });
        assert_eq!(names, [(1, 4), (6, 8), (7, 16), (62, 64)]);
        assert!(cheapest(&EKS, Architecture::X86_64, 1000, &Prices::default()).is_none());
        assert!(cheapest(&K3D, Architecture::X86_64, 1, &Prices::default()).is_none(), "it has no machines to order");
    }
}
