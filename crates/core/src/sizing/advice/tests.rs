//! Advice holds up to the proof of a plan, and nothing cheaper of its kind does.

use proptest::prelude::*;

use super::*;
use crate::sizing::Amounts;
use crate::sizing::platform::{EKS, PLATFORMS};

fn trainees(sizes: &[(&str, u64)]) -> Vec<Trainees> {
    let of = |(name, count): &(&str, u64)| Trainees { size: TraineeSize::named(name).expect("a size"), count: *count };
    sizes.iter().map(of).collect()
}

fn ask(platform: &'static Platform, trainees: &[Trainees]) -> Result<Advice, NoAdvice> {
    ask_with(platform, trainees, &Prices::default())
}

fn ask_with(platform: &'static Platform, trainees: &[Trainees], prices: &Prices) -> Result<Advice, NoAdvice> {
    let architecture = Architecture::X86_64;
    advise(&Question { platform, architecture, trainees, busy_hours_per_month: 160, prices })
}

#[test]
fn a_price_of_ones_own_decides_and_is_named() {
    let trainees = trainees(&[("x-large", 20)]);
    let usual = ask(&EKS, &trainees).expect("there are such machines");
    let prices = Prices {
        source: Some("our agreement".to_owned()),
        microdollars_per_hour: [("m7i.4xlarge".to_owned(), 1_000)].into(),
    };
    let own = ask_with(&EKS, &trainees, &prices).expect("there are such machines");
    assert_ne!(usual.workers[0].machine, "m7i.4xlarge");
    assert_eq!(own.workers[0].machine, "m7i.4xlarge");
    assert_eq!(own.price_basis, "our agreement");
    let (usual, own) = (usual.cost.expect("a price"), own.cost.expect("a price"));
    assert!(own.month_millidollars < usual.month_millidollars);
}

#[test]
fn larger_machines_are_advised_where_they_waste_less() {
    let advice = ask(&EKS, &trainees(&[("x-large", 20), ("xx-small", 1)])).expect("there are such machines");
    let pools: Vec<_> =
        advice.workers.iter().map(|pool| (pool.name, pool.machine.as_str(), pool.nodes_at_peak)).collect();
    assert_eq!(pools, [("default", "c6a.8xlarge", 4)]);
    assert_eq!(advice.core.fit.machine, "m6a.2xlarge");
    assert_eq!(advice.client_wait_secs, 400);
}

#[test]
fn a_pool_holds_the_size_above_its_largest() {
    let advice = ask(&EKS, &trainees(&[("x-large", 2)])).expect("there are such machines");
    assert_eq!(advice.workers[0].largest.as_deref(), Some("xx-large"));
    assert_eq!(advice.workers[0].sizes[0].next.as_deref(), Some("xx-large"));
}

#[test]
fn what_no_machine_holds_is_named() {
    let huge =
        Trainees { size: TraineeSize { name: "huge".to_owned(), requests: Amounts::pod(900_000, 1024) }, count: 1 };
    let error = ask(&EKS, &[trainees(&[("small", 3)]).remove(0), huge]).expect_err("it is larger than any machine");
    assert_eq!(error.to_string(), "no x86_64 machine of eks with a known price holds a trainee of size huge");
}

#[test]
fn a_price_that_is_not_known_is_not_guessed() {
    for platform in PLATFORMS {
        let advice = ask(platform, &trainees(&[("medium", 8)])).expect("there are such machines");
        assert_eq!(advice.cost.is_some(), platform.name != "openshift", "{}", platform.name);
    }
}

#[test]
fn a_month_is_the_idle_cluster_and_the_busy_hours() {
    let advice = ask(&EKS, &trainees(&[("xx-large", 10)])).expect("there are such machines");
    let cost = advice.cost.expect("its prices are known");
    let busy = cost.peak_millidollars_per_hour - cost.idle_millidollars_per_hour;
    let month = cost.idle_millidollars_per_hour * HOURS_PER_MONTH + busy * 160;
    assert!(cost.month_millidollars.abs_diff(month) <= HOURS_PER_MONTH, "{cost:?}");
}

proptest! {
    // Each asks about every machine of a platform.
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_advised_holds_everything(counts in proptest::collection::vec(0_u64..60, 7), platform in 0..PLATFORMS.len()) {
        let platform = PLATFORMS[platform];
        let sizes = TraineeSize::all_named().zip(counts).map(|(size, count)| Trainees { size, count });
        let sizes: Vec<Trainees> = sizes.filter(|own| own.count > 0).collect();
        prop_assume!(!sizes.is_empty());
        let advice = ask(platform, &sizes).expect("every named size has a machine");
        let told: u64 = advice.workers.iter().flat_map(|pool| &pool.sizes).map(|size| size.count).sum();
        prop_assert_eq!(told, sizes.iter().map(|own| own.count).sum::<u64>());
        for pool in &advice.workers {
            let machine = platform.catalogue.and_then(|known| known.find(&pool.machine)).expect("it is in the table");
            let node = platform.offers(machine.nominal());
            let asked: Amounts = pool
                .sizes
                .iter()
                .map(|own| TraineeSize::named(&own.fit.size).expect("a size").requests.times(own.count))
                .sum();
            prop_assert!(node.times(pool.nodes_at_peak).holds(asked));
            prop_assert!(pool.nodes_at_least <= pool.nodes_at_peak);
            prop_assert!(pool.sizes.iter().all(|own| own.fit.per_node > 0));
        }
        prop_assert!(advice.core.fit.one_node_lost.is_enough());
    }
}
