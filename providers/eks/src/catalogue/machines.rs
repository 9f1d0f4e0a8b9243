//! What the nodes of each pool are made of.

use std::collections::BTreeMap;

use howso_infra_core::sizing::catalogue::EKS;
use howso_infra_core::sizing::{MachineType, Machines, Nominal, PoolMachine, platform};
use howso_infra_core::spec::ClusterSpec;

/// The machines of each pool; [`None`] when one is not in the catalogue.
///
/// `instance_types` are the chosen types of each pool by its name among node pools.
pub(crate) fn machines(spec: &ClusterSpec, instance_types: &BTreeMap<String, Vec<String>>) -> Option<Machines> {
    let of_pool = |pool: &str| of_types(instance_types.get(pool)?);
    let workers = spec.workers.keys().map(|name| Some((name.clone(), of_pool(name.node_pool_name())?)));
    Some(Machines { platform: &platform::EKS, core: of_pool("core")?, workers: workers.collect::<Option<_>>()? })
}

/// The machine that holds no more than any of `types`: a group makes whichever the cloud has.
fn of_types(types: &[String]) -> Option<PoolMachine> {
    let known: Vec<&MachineType> = types.iter().map(|name| EKS.find(name)).collect::<Option<_>>()?;
    let nominal = Nominal {
        vcpus: known.iter().map(|known| known.vcpus).min()?,
        memory_mebibytes: known.iter().map(|known| known.memory_mebibytes).min()?,
        // More addresses mean more memory that is kept back for pods.
        pods: known.iter().map(|known| known.pods).max()?,
    };
    Some(PoolMachine { name: types.join(" or "), nominal, architecture: known.first()?.architecture })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_several_types_is_as_large_as_the_least_of_each_part() {
        let types = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let several = of_types(&types(&["c6a.8xlarge", "r6a.4xlarge", "m8i.4xlarge"])).expect("all are known");
        assert_eq!(several.name, "c6a.8xlarge or r6a.4xlarge or m8i.4xlarge");
        assert_eq!(several.nominal, Nominal { vcpus: 16, memory_mebibytes: 64 * 1024, pods: 394 });
        assert_eq!(of_types(&types(&["m8i.4xlarge", "zz9.4xlarge"])), None);
        assert_eq!(of_types(&[]), None);
    }
}
