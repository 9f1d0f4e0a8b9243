//! Fits on machines of every size.

use proptest::prelude::*;

use super::*;
use crate::sizing::Trainees;
use crate::sizing::platform::{AKS, EKS, GKE, OPENSHIFT};

fn machines(platform: &'static Platform, core: &str, worker: &str) -> Machines {
    let machine = |name: &str| {
        let found = platform.catalogue.and_then(|known| known.find(name)).expect("it is in the table");
        PoolMachine { name: found.name.clone(), nominal: found.nominal(), architecture: found.architecture }
    };
    let workers = BTreeMap::from([("default".parse().expect("it is a name"), machine(worker))]);
    Machines { platform, core: machine(core), workers }
}

#[test]
fn the_large_profile_has_room_also_with_one_node_lost() {
    for (platform, core, worker) in [
        (&EKS, "m6a.2xlarge", "m6a.4xlarge"),
        (&GKE, "n2d-standard-8", "n2d-standard-16"),
        (&AKS, "Standard_D8as_v5", "Standard_D16as_v5"),
        (&OPENSHIFT, "m6a.2xlarge", "m6a.4xlarge"),
    ] {
        let machines = machines(platform, core, worker);
        let core = prove_core(3, &machines);
        assert!(core.all_nodes.is_enough(), "{}", platform.name);
        // OpenShift keeps so much for itself that two of its nodes of this size do not hold everything.
        assert_eq!(core.one_node_lost.is_enough(), platform.name != "openshift", "{}", platform.name);
        let workers = worker_fits(&machines);
        assert_eq!(workers[0].largest().map(|fit| (fit.size.as_str(), fit.per_node)), Some(("xx-large", 1)));
    }
}

#[test]
fn two_nodes_hold_the_services_but_not_when_one_is_lost() {
    let core = prove_core(2, &machines(&EKS, "m6a.2xlarge", "m6a.2xlarge"));
    assert_eq!(core.all_nodes, Room::Enough);
    let fit = Fit { core: Some(core), workers: Vec::new(), trainees: None };
    assert!(fit.errors().is_empty());
    assert_eq!(
        fit.warnings(),
        [
            "with one core node lost, not every service has room (enough would be, under [core], nodes = 3 or machine = { cpu = 16, \
         memory = \"64Gi\" })"
        ]
    );
}

#[test]
fn what_has_no_room_is_told_with_the_smallest_change() {
    let core = prove_core(3, &machines(&EKS, "m6a.xlarge", "m6a.xlarge"));
    let fit = Fit { core: Some(core), workers: Vec::new(), trainees: None };
    let [error] = fit.errors().try_into().expect("one thing is wrong");
    assert_eq!(error.path.to_string(), "core");
    assert_eq!(
        error.message,
        "the services of the platform have no room on 3 × m6a.xlarge: they request 14.6 CPUs and 47.6 GiB in all, NATS 3 × 2 CPUs \
         and 8 GiB, and a node leaves them 3.7 CPUs and 14.1 GiB"
    );
    let hint = error.hint.expect("there is a cure");
    assert_eq!(hint, "enough would be, under [core], nodes = 5 or machine = { cpu = 8, memory = \"32Gi\" }");
    // A machine too small for one replica is not cured by many.
    let core = prove_core(3, &machines(&EKS, "c6a.xlarge", "m6a.xlarge"));
    assert!(matches!(core.all_nodes, Room::Lacking { nodes: None, machine: Some(_) }), "{core:?}");
}

#[test]
fn a_machine_that_holds_no_trainee_is_told() {
    let mut machines = machines(&OPENSHIFT, "m6a.2xlarge", "c6a.large");
    machines.workers.values_mut().for_each(|machine| machine.nominal.vcpus = 1);
    let fit = Fit { core: None, workers: worker_fits(&machines), trainees: None };
    assert_eq!(fit.warnings(), ["c6a.large holds no trainee of any size of the platform"]);
}

fn trainees(sizes: &[(&str, u64)]) -> Vec<Trainees> {
    let own = TraineeSize { name: "mine".to_owned(), requests: Amounts::pod(24_000, 96 * 1024) };
    let size = |name: &str| TraineeSize::named(name).unwrap_or_else(|| own.clone());
    sizes.iter().map(|(name, count)| Trainees { size: size(name), count: *count }).collect()
}

fn maxima(pools: &[(&str, u32)]) -> BTreeMap<PoolName, u32> {
    pools.iter().map(|(name, max)| (name.parse().expect("it is a name"), *max)).collect()
}

#[test]
fn trainees_have_room_or_the_smallest_change_is_told() {
    let machines = machines(&EKS, "m6a.2xlarge", "m6a.4xlarge");
    let prove = |sizes: &[(&str, u64)], max| prove_trainees(&trainees(sizes), &maxima(&[("default", max)]), &machines);
    let fit = prove(&[("x-large", 20), ("small", 10)], 10);
    assert_eq!(fit.nodes_at_peak, BTreeMap::from([("default".parse().unwrap(), 10)]));
    assert!(fit.errors().is_empty() && fit.warnings().is_empty(), "{fit:?}");
    let errors = prove(&[("x-large", 20), ("small", 11)], 10).errors();
    assert_eq!(errors[0].path.to_string(), "workers.default.max");
    assert_eq!(errors[0].hint.as_deref(), Some("enough would be max = 11"));
    let errors = prove(&[("mine", 1), ("small", 1)], 10).errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(
        errors[0].message,
        "a trainee of size mine requests 24 CPUs and 96 GiB, and the largest worker node leaves it 15.7 CPUs and 58.3 GiB"
    );
    let hint =
        "enough would be, under [workers.default], machine = { cpu = 32, memory = \"128Gi\" }, which is a m6a.8xlarge";
    assert_eq!(errors[0].hint.as_deref(), Some(hint));
}

#[test]
fn a_size_whose_next_one_has_no_room_is_told() {
    let machines = machines(&EKS, "m6a.2xlarge", "m6a.2xlarge");
    let fit = prove_trainees(&trainees(&[("x-large", 1), ("medium", 1)]), &maxima(&[("default", 2)]), &machines);
    assert!(fit.errors().is_empty());
    assert_eq!(
        fit.warnings(),
        ["a trainee of size x-large that runs out of memory is made again as xx-large, which no worker node holds"]
    );
}

#[test]
fn small_trainees_go_on_small_nodes_and_large_ones_where_they_have_room() {
    let mut machines = machines(&EKS, "m6a.2xlarge", "m6a.4xlarge");
    let small = EKS.catalogue.and_then(|known| known.find("m6a.xlarge")).expect("it is in the table");
    let small = PoolMachine { name: small.name.clone(), nominal: small.nominal(), architecture: small.architecture };
    machines.workers.insert("small".parse().unwrap(), small);
    let maxima = maxima(&[("default", 5), ("small", 2)]);
    let fit = prove_trainees(&trainees(&[("xx-large", 4), ("x-small", 6), ("small", 8)]), &maxima, &machines);
    assert_eq!(fit.nodes_at_peak, BTreeMap::from([("default".parse().unwrap(), 4), ("small".parse().unwrap(), 2)]));
    assert!(fit.errors().is_empty(), "{fit:?}");
}

fn node() -> impl Strategy<Value = Amounts> {
    (1_u64..20_000, 1_u64..70_000, 1_u64..60).prop_map(|(cpu_millicores, memory_mebibytes, pods)| Amounts {
        cpu_millicores,
        memory_mebibytes,
        pods,
    })
}

fn some_services() -> impl Strategy<Value = Vec<Service>> {
    let spread = prop_oneof![Just(Spread::Evenly), Just(Spread::Anywhere)];
    let service = (1_u64..6, 1_u64..6_000, 1_u64..20_000, spread).prop_map(|(replicas, cpu, memory, spread)| Service {
        name: "some",
        replicas,
        requests: Amounts::pod(cpu, memory),
        spread,
    });
    proptest::collection::vec(service, 1..6)
}

/// What must be true of every placement.
fn check(services: &[Service], placed: &[PackedNode], node: Amounts) {
    for (index, service) in services.iter().enumerate() {
        let here: Vec<u64> = placed.iter().map(|node| node.pods[index]).collect();
        assert_eq!(here.iter().sum::<u64>(), service.replicas);
        if service.spread == Spread::Evenly {
            assert!(here.iter().max().unwrap() - here.iter().min().unwrap() <= 1, "{here:?}");
        }
    }
    for packed in placed {
        let here = packed.pods.iter().zip(services).map(|(count, service)| service.requests.times(*count));
        assert_eq!(here.sum::<Amounts>() + packed.free, node, "no node holds more than it offers");
    }
}

proptest! {
    #[test]
    fn placements_keep_to_what_nodes_offer_and_to_the_spread(services in some_services(), node in node(), nodes in 1_u32..8) {
        if let Some(placed) = place(&services, nodes, node) {
            check(&services, &placed, node);
        }
    }

    #[test]
    fn what_has_room_has_room_on_one_node_more(services in some_services(), node in node(), nodes in 1_u32..8) {
        if place(&services, nodes, node).is_some() {
            let more = place(&services, nodes + 1, node);
            check(&services, &more.expect("there is room"), node);
        }
    }

    #[test]
    fn the_smallest_change_is_enough_and_the_next_smaller_is_not(vcpus in 1_u32..12, gibibytes in 1_u64..40, nodes in 1_u32..6, lost in 0_u32..2) {
        let nominal = Nominal { vcpus, memory_mebibytes: gibibytes * 1024, pods: 58 };
        let core = PoolMachine { name: "made up".to_owned(), nominal, architecture: Architecture::X86_64 };
        let machines = Machines { platform: &EKS, core, workers: BTreeMap::new() };
        let enough = |nodes: u32, nominal| {
            place(&services(&EKS, nodes), nodes.saturating_sub(lost), EKS.offers(nominal)).is_some()
        };
        match room(nodes, lost, &machines) {
            Room::Enough => prop_assert!(enough(nodes, nominal)),
            Room::Lacking { nodes: more, machine } => {
                prop_assert!(!enough(nodes, nominal));
                if let Some(more) = more {
                    prop_assert!(enough(more, nominal) && !enough(more - 1, nominal));
                }
                let types = EKS.machines(Architecture::X86_64);
                let smaller = types.take_while(|known| machine.as_ref().is_none_or(|machine| machine.name != known.name));
                for known in smaller {
                    prop_assert!(!enough(nodes, known.nominal()), "{} is enough", known.name);
                }
                if let Some(LargerMachine { name, .. }) = machine {
                    prop_assert!(enough(nodes, EKS.catalogue.unwrap().find(&name).unwrap().nominal()));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn so_many_nodes_are_enough_and_one_less_is_not(counts in proptest::collection::vec(1_u64..60, 7), max in 1_u32..20) {
        let machines = machines(&EKS, "m6a.2xlarge", "m6a.4xlarge");
        let sizes: Vec<_> = TraineeSize::all_named().zip(counts).map(|(size, count)| Trainees { size, count }).collect();
        let too_few = |max| prove_trainees(&sizes, &maxima(&[("default", max)]), &machines).too_few;
        let enough = too_few(max).into_values().next();
        prop_assert!(enough.is_none_or(|enough| enough > u64::from(max)));
        if let Some(enough) = enough {
            let enough = u32::try_from(enough).unwrap();
            prop_assert!(too_few(enough).is_empty());
            prop_assert!(!too_few(enough - 1).is_empty());
        }
        let peak = prove_trainees(&sizes, &maxima(&[("default", 1000)]), &machines).nodes_at_peak;
        let asked: Amounts = sizes.iter().map(|own| own.size.requests.times(own.count)).sum();
        let node = EKS.offers(machines.workers.values().next().unwrap().nominal);
        prop_assert!(node.times(peak.into_values().sum()).holds(asked));
    }
}
