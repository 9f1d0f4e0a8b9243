//! The machines of each platform, with their prices.
//!
//! Tables of families, since within a family everything is proportional to the number of CPUs. Where and when their numbers held is
//! said in each.

mod aks;
mod eks;
mod gke;

use std::cmp::Ordering;

use crate::sizing::allocatable::Nominal;
use crate::spec::Architecture;

/// A machine that a platform rents out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineType {
    /// Its name, in the platform's own spelling.
    pub name: String,
    /// Its family: types that differ in nothing but size.
    pub family: &'static str,
    /// Its virtual CPUs.
    pub vcpus: u32,
    /// Its nominal memory in mebibytes; a node can use less.
    pub memory_mebibytes: u64,
    /// How many pods its network interfaces have addresses for; 0 where that is not what limits them.
    pub pods: u64,
    /// Its processor architecture.
    pub architecture: Architecture,
    /// Its price in millionths of a US dollar per hour; [`None`] when no source gives one.
    pub price_microdollars: Option<u64>,
    /// Whether it is used without being named.
    pub automatic: bool,
}

impl MachineType {
    /// Cheapest first, those without a price last, equals by name.
    pub fn by_price(&self, other: &Self) -> Ordering {
        let key = |own: &Self| (own.price_microdollars.is_none(), own.price_microdollars, own.name.clone());
        key(self).cmp(&key(other))
    }

    /// Whether it has at least this much of everything.
    pub fn fits(&self, vcpus: u32, memory_mebibytes: u64, architecture: Architecture) -> bool {
        self.vcpus >= vcpus && self.memory_mebibytes >= memory_mebibytes && self.architecture == architecture
    }

    /// What a node of it is made of.
    pub fn nominal(&self) -> Nominal {
        Nominal { vcpus: self.vcpus, memory_mebibytes: self.memory_mebibytes, pods: self.pods }
    }
}

/// The machines that a platform rents out, and what their prices hold for.
#[derive(Clone, Copy, Debug)]
pub struct Catalogue {
    /// Every machine type, cheapest first.
    types: fn() -> &'static [MachineType],
    /// Where and when the prices held.
    pub price_basis: &'static str,
    /// The region of the prices, in the platform's own spelling.
    pub price_region: &'static str,
}

impl Catalogue {
    /// Every machine type, cheapest first.
    pub fn types(self) -> &'static [MachineType] {
        (self.types)()
    }

    /// The machine type of this name.
    pub fn find(self, name: &str) -> Option<&'static MachineType> {
        self.types().iter().find(|known| known.name == name)
    }
}

/// Amazon EC2, as far as managed node groups of EKS can run it.
pub const EKS: Catalogue =
    Catalogue { types: eks::types, price_basis: "us-east-1, on demand, 2026-01", price_region: "us-east-1" };

/// Google Compute Engine.
pub const GKE: Catalogue =
    Catalogue { types: gke::types, price_basis: "us-central1, on demand, 2026", price_region: "us-central1" };

/// Azure Virtual Machines.
pub const AKS: Catalogue =
    Catalogue { types: aks::types, price_basis: "eastus, on demand, 2026", price_region: "eastus" };

/// A family of x86 machines, as a row of a table gives it.
struct Family {
    name: &'static str,
    memory_gib_per_vcpu: &'static str,
    /// Of the size with [`Family::PRICED_VCPUS`].
    price: &'static str,
    /// Its sizes.
    vcpus: &'static str,
    automatic: bool,
}

impl Family {
    /// The size whose price the tables give, in virtual CPUs.
    const PRICED_VCPUS: u32 = 16;

    /// Its machines, each with its name.
    fn sizes(self, name: impl Fn(u32) -> String) -> Vec<MachineType> {
        let memory_gib_per_vcpu: u64 = self.memory_gib_per_vcpu.parse().expect("tables give memory in whole GiB");
        let price = parse_microdollars(self.price);
        let of_size = |size: &str| {
            let vcpus: u32 = size.parse().expect("tables give sizes as numbers");
            MachineType {
                name: name(vcpus),
                family: self.name,
                vcpus,
                memory_mebibytes: u64::from(vcpus) * memory_gib_per_vcpu * 1024,
                pods: 0,
                architecture: Architecture::X86_64,
                price_microdollars: price.map(|price| proportional(price, Self::PRICED_VCPUS, vcpus)),
                automatic: self.automatic,
            }
        };
        self.vcpus.split_whitespace().map(of_size).collect()
    }
}

/// The rows of a table, without comments and heading.
fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.skip(1).map(|line| line.split(',').collect())
}

/// Reads dollars with six decimals; [`None`] for an empty cell.
fn parse_microdollars(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.')?;
    format!("{whole}{fraction:0<6}").parse().ok()
}

/// The price of a size, from that of another one of its family, rounded like the price lists to 10 microdollars.
fn proportional(price_microdollars: u64, of_vcpus: u32, vcpus: u32) -> u64 {
    let tenths = u64::from(of_vcpus) * 10;
    (price_microdollars * u64::from(vcpus) + tenths / 2) / tenths * 10
}

fn sorted(mut types: Vec<MachineType>) -> Vec<MachineType> {
    types.sort_by(MachineType::by_price);
    types
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tables_are_read_and_names_are_unique() {
        for (catalogue, at_least) in [(EKS, 250), (GKE, 30), (AKS, 30)] {
            assert!(catalogue.types().len() > at_least, "{} types", catalogue.types().len());
            let names: BTreeSet<_> = catalogue.types().iter().map(|known| &known.name).collect();
            assert_eq!(names.len(), catalogue.types().len());
            assert!(catalogue.types().is_sorted_by(|one, next| one.by_price(next) == Ordering::Less));
        }
    }

    /// Prices as the sources print them, also where the proportion has to be rounded.
    #[test]
    fn sizes_prices_and_memory_agree_with_the_sources() {
        let known = [
            (EKS, "m6i.2xlarge", 8, 32, 384_000),
            (EKS, "m6a.4xlarge", 16, 64, 691_200),
            (EKS, "m8i.large", 2, 8, 105_840),
            (EKS, "c6i.4xlarge", 16, 32, 680_000),
            (EKS, "c7a.large", 2, 4, 102_640),
            (EKS, "c7i-flex.xlarge", 4, 8, 169_580),
            (EKS, "c7i-flex.large", 2, 4, 84_790),
            (EKS, "c7i.48xlarge", 192, 384, 8_568_000),
            (EKS, "c8a.large", 2, 4, 107_770),
            (EKS, "r7g.large", 2, 16, 107_100),
            (EKS, "r6i.4xlarge", 16, 128, 1_008_000),
            (EKS, "m8g.12xlarge", 48, 192, 2_154_240),
            (GKE, "n2-standard-8", 8, 32, 388_470),
            (GKE, "n2-standard-16", 16, 64, 776_940),
            (GKE, "n2-highcpu-16", 16, 16, 573_570),
            (GKE, "e2-standard-16", 16, 64, 536_090),
            (AKS, "Standard_D8s_v5", 8, 32, 384_000),
            (AKS, "Standard_D16s_v5", 16, 64, 768_000),
            (AKS, "Standard_D16as_v5", 16, 64, 688_000),
            (AKS, "Standard_F16s_v2", 16, 32, 677_000),
            (AKS, "Standard_E16s_v5", 16, 128, 1_008_000),
        ];
        for (catalogue, name, vcpus, memory_gibibytes, price) in known {
            let found = catalogue.find(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!((found.vcpus, found.memory_mebibytes), (vcpus, memory_gibibytes * 1024), "{name}");
            assert_eq!(found.price_microdollars, Some(price), "{name}");
        }
    }

    #[test]
    fn the_pods_that_interfaces_have_addresses_for_agree_with_the_list_of_amazon() {
        let known = [
            ("m6i.large", 29),
            ("c7a.xlarge", 58),
            ("r6g.2xlarge", 58),
            ("m6a.4xlarge", 234),
            ("m7i.12xlarge", 234),
            ("m5.16xlarge", 737),
            ("m7i.48xlarge", 737),
            ("m8i.large", 59),
            ("r8i.xlarge", 118),
            ("m8i-flex.4xlarge", 394),
            ("c8i.96xlarge", 1514),
            ("m8a.xlarge", 78),
            ("r8a.2xlarge", 158),
            ("m8a.12xlarge", 758),
            ("m8a.48xlarge", 1514),
            ("m8g.4xlarge", 234),
        ];
        for (name, pods) in known {
            assert_eq!(EKS.find(name).unwrap_or_else(|| panic!("{name} is missing")).pods, pods, "{name}");
        }
    }

    #[test]
    fn a_type_without_a_price_comes_after_all_that_have_one() {
        let priced = EKS.find("r8i.96xlarge").expect("it is in the table");
        let unknown = MachineType { price_microdollars: None, name: "a1.large".to_owned(), ..priced.clone() };
        assert_eq!(priced.by_price(&unknown), Ordering::Less);
        assert_eq!(parse_microdollars(""), None);
    }
}
