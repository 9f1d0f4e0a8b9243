//! Which instance types a pool gets.

use std::fmt::Write as _;

use howso_infra_core::sizing::catalogue::EKS;
use howso_infra_core::sizing::{MachineType, Prices};
use howso_infra_core::spec::{Machine, Purchase};
use howso_infra_core::{ErrorKind, ProviderError};

/// How many types a spot pool gets: the more, the less often all of them are taken back at once.
const SPOT_TYPES: usize = 5;

/// The instance types of one pool, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The types, best first. One, except where a user named several and for spot machines.
    pub(crate) types: Vec<String>,
    /// What was chosen and what came next, for people.
    pub(crate) explanation: String,
}

/// The call whose answer decides what is offered.
const OFFERINGS: &str = "ec2:DescribeInstanceTypeOfferings";

/// Every type that `machine` may become, best first: the types to ask offerings for.
pub(crate) fn candidates(machine: &Machine) -> Vec<String> {
    if !machine.types.is_empty() {
        return machine.types.clone();
    }
    fitting(machine).map(|candidate| candidate.name.clone()).collect()
}

fn fitting(machine: &Machine) -> impl Iterator<Item = &'static MachineType> {
    EKS.types().iter().filter(|candidate| candidate.automatic && fits(candidate, machine))
}

/// What is asked for: the machine of a pool, and how it is bought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// The pool's name.
    pub(crate) pool: &'a str,
    /// What each node needs.
    pub(crate) machine: &'a Machine,
    /// How it is bought.
    pub(crate) purchase: Purchase,
    /// Prices of the user's own.
    pub(crate) prices: &'a Prices,
}

/// Chooses the types of a pool.
///
/// Types that the user names are taken as they are. Otherwise the cheapest that fits wins, equals by name, among those
/// that are `offered` in every zone of the pool. Types in `current` use stay as long as they fit without waste, so that a
/// new price list does not roll every node.
pub(crate) fn choose(
    wish: Wish<'_>,
    offered: &dyn Fn(&str) -> bool,
    current: &[String],
) -> Result<Choice, ProviderError> {
    let Wish { pool, machine, purchase, prices } = wish;
    if !machine.types.is_empty() {
        return choose_named(pool, machine, offered);
    }
    let is_as_many = match purchase {
        Purchase::OnDemand => current.len() == 1,
        Purchase::Spot => current.len() > 1,
    };
    if is_as_many && current.iter().all(|name| EKS.find(name).is_some_and(|found| fits_tightly(found, machine))) {
        return Ok(Choice { types: current.to_vec(), explanation: format!("{pool}: {}, as before", join(current)) });
    }
    let mut fitting: Vec<_> = fitting(machine).filter(|candidate| offered(&candidate.name)).collect();
    prices.sort(&mut fitting);
    let Some(best) = fitting.first() else { return Err(nothing_fits(pool, machine)) };
    // The autoscaler foresees one shape for all nodes of a group, so the types of a spot pool are of one shape.
    let same_shape =
        |other: &&&MachineType| (other.vcpus, other.memory_mebibytes) == (best.vcpus, best.memory_mebibytes);
    let chosen: Vec<&MachineType> = match purchase {
        Purchase::OnDemand => vec![*best],
        Purchase::Spot => fitting.iter().filter(same_shape).take(SPOT_TYPES).copied().collect(),
    };
    let runner_up = fitting.iter().find(|other| !chosen.iter().any(|taken| taken.name == other.name));
    Ok(Choice {
        types: chosen.iter().map(|instance_type| instance_type.name.clone()).collect(),
        explanation: explain(wish, &chosen, runner_up.copied()),
    })
}

fn choose_named(pool: &str, machine: &Machine, offered: &dyn Fn(&str) -> bool) -> Result<Choice, ProviderError> {
    let missing: Vec<_> = machine.types.iter().filter(|name| !offered(name)).cloned().collect();
    if missing.is_empty() {
        let explanation = format!("{pool}: {}, as the specification says", join(&machine.types));
        return Ok(Choice { types: machine.types.clone(), explanation });
    }
    let message = format!("{} is not offered in every zone of pool {pool}", join(&missing));
    let hint = "name other types, or another region, or leave `types` out to let the cheapest fitting one be chosen";
    Err(ProviderError::new(ErrorKind::Capacity { what: join(&missing) }, OFFERINGS, message).with_hint(hint))
}

fn fits(candidate: &MachineType, machine: &Machine) -> bool {
    candidate.fits(machine.cpu.get(), machine.memory.mebibytes(), machine.architecture)
}

/// Whether the type fits and the next smaller one of its family does not: a user who asks for half gets half.
fn fits_tightly(current: &MachineType, machine: &Machine) -> bool {
    let is_smaller = |other: &&MachineType| other.family == current.family && other.vcpus < current.vcpus;
    fits(current, machine) && !EKS.types().iter().filter(is_smaller).any(|smaller| fits(smaller, machine))
}

fn nothing_fits(pool: &str, machine: &Machine) -> ProviderError {
    let shape = format!("{} vCPUs and {} on {}", machine.cpu, machine.memory, machine.architecture);
    let (kind, message, hint) = if fitting(machine).next().is_some() {
        let kind = ErrorKind::Capacity { what: shape.clone() };
        (
            kind,
            format!("no instance type with {shape} is offered in every zone of pool {pool}"),
            "choose another region",
        )
    } else {
        let kind = ErrorKind::Invalid { field: Some("machine".to_owned()) };
        (kind, format!("pool {pool}: there is no instance type with {shape}"), "ask for a smaller machine")
    };
    ProviderError::new(kind, OFFERINGS, message).with_hint(hint)
}

fn explain(wish: Wish<'_>, chosen: &[&MachineType], runner_up: Option<&MachineType>) -> String {
    let Wish { pool, machine, prices, .. } = wish;
    let mut text = format!("{pool}: {}, ", join(&chosen.iter().map(|found| found.name.clone()).collect::<Vec<_>>()));
    let _ = write!(text, "cheapest with {} vCPUs and {} on {}", machine.cpu, machine.memory, machine.architecture);
    if let Some(first) = chosen.first() {
        let _ = write!(text, " at {}", price(prices, first));
    }
    if let Some(next) = runner_up {
        let _ = write!(text, "; next would be {} at {}", next.name, price(prices, next));
    }
    let named = chosen.first().copied().into_iter().chain(runner_up).map(|found| found.name.as_str());
    let _ = write!(text, " ({})", prices.basis(named, EKS.price_basis));
    text
}

fn price(prices: &Prices, instance_type: &MachineType) -> String {
    prices.of(instance_type).map_or_else(
        || "an unknown price".to_owned(),
        |price| format!("${}.{:04}/h", price / 1_000_000, price % 1_000_000 / 100),
    )
}

fn join(names: &[String]) -> String {
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use howso_infra_core::spec::{Architecture, Cpu, Gibibytes};

    use super::*;

    fn machine(cpu: u64, memory: &str, types: &[&str]) -> Machine {
        Machine {
            cpu: Cpu::new(cpu).unwrap(),
            memory: memory.parse().unwrap(),
            architecture: Architecture::X86_64,
            disk: Gibibytes::new(100).unwrap(),
            types: types.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    static TABLES: Prices = Prices { source: None, microdollars_per_hour: std::collections::BTreeMap::new() };

    fn wish<'a>(pool: &'a str, machine: &'a Machine, purchase: Purchase) -> Wish<'a> {
        Wish { pool, machine, purchase, prices: &TABLES }
    }

    #[test]
    fn prices_of_the_users_own_decide() {
        let prices = Prices {
            source: Some("our agreement".to_owned()),
            microdollars_per_hour: [("m7i.2xlarge".to_owned(), 200_000)].into(),
        };
        let machine = machine(8, "32Gi", &[]);
        let own = Wish { prices: &prices, ..wish("core", &machine, Purchase::OnDemand) };
        let choice = choose(own, &|_| true, &[]).unwrap();
        assert_eq!(choice.types, ["m7i.2xlarge"]);
        assert!(
            choice.explanation.ends_with("(m7i.2xlarge: our agreement; others: us-east-1, on demand, 2026-01)"),
            "{}",
            choice.explanation
        );
    }

    fn names(types: &[&str]) -> Vec<String> {
        types.iter().map(|&name| name.to_owned()).collect()
    }

    fn chosen(machine: &Machine, purchase: Purchase, offered: Option<&[&str]>, current: &[&str]) -> Vec<String> {
        let is_offered = |name: &str| offered.is_none_or(|offered| offered.contains(&name));
        choose(wish("worker", machine, purchase), &is_offered, &names(current)).unwrap().types
    }

    #[test]
    fn the_cheapest_that_fits_wins() {
        assert_eq!(chosen(&machine(8, "32Gi", &[]), Purchase::OnDemand, None, &[]), ["m6a.2xlarge"]);
        assert_eq!(chosen(&machine(16, "64Gi", &[]), Purchase::OnDemand, None, &[]), ["m6a.4xlarge"]);
        assert_eq!(chosen(&machine(16, "32Gi", &[]), Purchase::OnDemand, None, &[]), ["c6a.4xlarge"]);
        // One vCPU more needs the next size.
        assert_eq!(chosen(&machine(17, "32Gi", &[]), Purchase::OnDemand, None, &[]), ["c6a.8xlarge"]);
        let arm = Machine { architecture: Architecture::Arm64, ..machine(8, "32Gi", &[]) };
        assert_eq!(chosen(&arm, Purchase::OnDemand, None, &[]), ["m6g.2xlarge"]);
    }

    #[test]
    fn only_what_every_zone_offers_is_chosen() {
        let offered = ["m6i.2xlarge", "m7i.2xlarge", "c6a.2xlarge"];
        assert_eq!(chosen(&machine(8, "32Gi", &[]), Purchase::OnDemand, Some(&offered), &[]), ["m6i.2xlarge"]);
    }

    #[test]
    fn a_type_in_use_stays_as_long_as_it_fits_without_waste() {
        let wanted = machine(8, "32Gi", &[]);
        assert_eq!(chosen(&wanted, Purchase::OnDemand, None, &["m7i.2xlarge"]), ["m7i.2xlarge"]);
        assert_eq!(chosen(&wanted, Purchase::OnDemand, None, &["m7i.xlarge"]), ["m6a.2xlarge"]);
        assert_eq!(chosen(&wanted, Purchase::OnDemand, None, &["m7i.4xlarge"]), ["m6a.2xlarge"]);
        assert_eq!(chosen(&wanted, Purchase::OnDemand, None, &["zz9.2xlarge"]), ["m6a.2xlarge"]);
    }

    #[test]
    fn types_in_use_do_not_outlive_the_way_they_are_bought() {
        let wanted = machine(8, "32Gi", &[]);
        let many = ["m7i.2xlarge", "m6i.2xlarge"];
        assert_eq!(chosen(&wanted, Purchase::Spot, None, &many), many);
        assert_eq!(chosen(&wanted, Purchase::OnDemand, None, &many), ["m6a.2xlarge"]);
        assert_eq!(chosen(&wanted, Purchase::Spot, None, &["m7i.2xlarge"]).len(), SPOT_TYPES);
    }

    #[test]
    fn a_spot_pool_gets_several_types_of_one_shape() {
        let types = chosen(&machine(16, "64Gi", &[]), Purchase::Spot, None, &[]);
        assert_eq!(types, ["m6a.4xlarge", "m6i.4xlarge", "m7i.4xlarge", "m8i.4xlarge", "m7a.4xlarge"]);
    }

    #[test]
    fn named_types_decide_whatever_is_in_use() {
        let named = machine(16, "64Gi", &["m7i.4xlarge", "m5.4xlarge"]);
        assert_eq!(chosen(&named, Purchase::OnDemand, None, &["m6a.4xlarge"]), ["m7i.4xlarge", "m5.4xlarge"]);
    }

    #[test]
    fn a_named_type_that_is_not_offered_is_named_in_the_error() {
        let named = machine(16, "64Gi", &["m7i.4xlarge", "m5.4xlarge"]);
        let error = choose(wish("worker", &named, Purchase::OnDemand), &|name| name == "m7i.4xlarge", &[]).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Capacity { .. }));
        assert_eq!(error.message, "m5.4xlarge is not offered in every zone of pool worker");
    }

    #[test]
    fn a_machine_that_does_not_exist_is_invalid_and_one_that_is_not_offered_a_lack_of_capacity() {
        let error = choose(wish("worker", &machine(512, "1Ti", &[]), Purchase::OnDemand), &|_| true, &[]).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Invalid { .. }), "{error}");
        let error = choose(wish("worker", &machine(16, "64Gi", &[]), Purchase::OnDemand), &|_| false, &[]).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Capacity { .. }), "{error}");
    }

    #[test]
    fn the_choice_is_explained_with_its_runner_up() {
        let choice = choose(wish("core", &machine(8, "32Gi", &[]), Purchase::OnDemand), &|_| true, &[]).unwrap();
        assert_eq!(
            choice.explanation,
            "core: m6a.2xlarge, cheapest with 8 vCPUs and 32Gi on x86_64 at $0.3456/h; next would be m6i.2xlarge at \
             $0.3840/h (us-east-1, on demand, 2026-01)"
        );
    }
}
