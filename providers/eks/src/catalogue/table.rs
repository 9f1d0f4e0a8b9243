//! The table of instance types.

use std::cmp::Ordering;
use std::sync::LazyLock;

use howso_infra_core::spec::Architecture;

/// Where and when the prices of the table held.
pub(super) const PRICE_BASIS: &str = "us-east-1, on demand, 2026-01";

/// The families; the file says where its numbers come from.
const FAMILIES: &str = include_str!("families.csv");

/// The sizes that every family has, by the number in their name; `large` and `xlarge` have none.
const COMMON_SIZES: [(&str, u32); 7] =
    [("large", 2), ("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16), ("8xlarge", 32), ("12xlarge", 48), ("16xlarge", 64)];

/// The virtual CPUs of one `xlarge`.
const VCPUS_PER_XLARGE: u32 = 4;

/// An instance type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstanceType {
    /// Its name, for example `m6i.4xlarge`.
    pub(crate) name: String,
    /// Its virtual CPUs.
    pub(crate) vcpus: u32,
    /// Its nominal memory in MiB; a node can use less.
    pub(crate) memory_mib: u64,
    /// Its processor architecture.
    pub(crate) architecture: Architecture,
    /// Its price in millionths of a US dollar per hour; [`None`] when no source gives one.
    pub(crate) price_microdollars: Option<u64>,
    /// Whether it is used without being named.
    pub(crate) automatic: bool,
}

impl InstanceType {
    /// The family, for example `m6i`.
    pub(super) fn family(&self) -> &str {
        self.name.split('.').next().unwrap_or(&self.name)
    }

    /// Cheapest first, those without a price last, equals by name.
    pub(super) fn by_price(&self, other: &Self) -> Ordering {
        let key = |instance_type: &Self| {
            let price = instance_type.price_microdollars;
            (price.is_none(), price, instance_type.name.clone())
        };
        key(self).cmp(&key(other))
    }

    /// Whether it has at least this much of everything.
    pub(super) fn fits(&self, vcpus: u32, memory_mib: u64, architecture: Architecture) -> bool {
        self.vcpus >= vcpus && self.memory_mib >= memory_mib && self.architecture == architecture
    }
}

/// Every instance type, cheapest first.
pub(super) static TYPES: LazyLock<Vec<InstanceType>> = LazyLock::new(|| {
    let mut types: Vec<_> = rows(FAMILIES).flat_map(family_types).collect();
    types.sort_by(InstanceType::by_price);
    types
});

/// Returns the instance type of this name.
pub(crate) fn find(name: &str) -> Option<&'static InstanceType> {
    TYPES.iter().find(|instance_type| instance_type.name == name)
}

/// The rows of a table, without comments and heading.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.skip(1).map(|line| line.split(',').collect())
}

/// The types of one family. The table is a part of this program, and its test reads every row.
fn family_types(row: Vec<&'static str>) -> Vec<InstanceType> {
    let [family, architecture, memory_gib_per_vcpu, price, larger, chosen] =
        row.try_into().expect("every row of the table has six columns");
    let architecture: Architecture = architecture.parse().expect("the table names known architectures");
    let memory_gib_per_vcpu: u64 = memory_gib_per_vcpu.parse().expect("the table gives memory in whole GiB");
    let price_16xlarge = parse_microdollars(price);
    let larger = larger.split_whitespace().map(|size| {
        let factor: u32 = size.parse().expect("the table gives larger sizes as numbers");
        (format!("{factor}xlarge"), factor * VCPUS_PER_XLARGE)
    });
    let common = COMMON_SIZES.map(|(size, vcpus)| (size.to_owned(), vcpus));
    common
        .into_iter()
        .chain(larger)
        .map(|(size, vcpus)| InstanceType {
            name: format!("{family}.{size}"),
            vcpus,
            memory_mib: u64::from(vcpus) * memory_gib_per_vcpu * 1024,
            architecture,
            price_microdollars: price_16xlarge.map(|price| proportional(price, vcpus)),
            automatic: chosen == "automatic",
        })
        .collect()
}

/// The price of a size with `vcpus`, from that of the size with 64, rounded like the price list to 10 microdollars.
fn proportional(price_16xlarge_microdollars: u64, vcpus: u32) -> u64 {
    (price_16xlarge_microdollars * u64::from(vcpus) + 320) / 640 * 10
}

/// Reads dollars with six decimals; [`None`] for an empty cell.
fn parse_microdollars(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.')?;
    format!("{whole}{fraction:0<6}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_its_names_are_unique() {
        assert!(TYPES.len() > 250, "{} types", TYPES.len());
        let names: std::collections::BTreeSet<_> = TYPES.iter().map(|instance_type| &instance_type.name).collect();
        assert_eq!(names.len(), TYPES.len());
    }

    /// Prices as the sources print them, also where the proportion has to be rounded.
    #[test]
    fn sizes_prices_and_memory_agree_with_the_sources() {
        let known = [
            ("m6i.2xlarge", 8, 32, 384_000),
            ("m6a.4xlarge", 16, 64, 691_200),
            ("m8i.large", 2, 8, 105_840),
            ("c6i.4xlarge", 16, 32, 680_000),
            ("c7a.large", 2, 4, 102_640),
            ("c7i-flex.xlarge", 4, 8, 169_580),
            ("c7i-flex.large", 2, 4, 84_790),
            ("c7i.48xlarge", 192, 384, 8_568_000),
            ("c8a.large", 2, 4, 107_770),
            ("r7g.large", 2, 16, 107_100),
            ("r6i.4xlarge", 16, 128, 1_008_000),
            ("m8g.12xlarge", 48, 192, 2_154_240),
        ];
        for (name, vcpus, memory_gib, price) in known {
            let found = find(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!((found.vcpus, found.memory_mib), (vcpus, memory_gib * 1024), "{name}");
            assert_eq!(found.price_microdollars, Some(price), "{name}");
        }
    }

    #[test]
    fn a_type_without_a_price_comes_after_all_that_have_one() {
        let priced = find("r8i.96xlarge").unwrap();
        let unknown = InstanceType { price_microdollars: None, name: "a1.large".to_owned(), ..priced.clone() };
        assert_eq!(priced.by_price(&unknown), Ordering::Less);
        assert_eq!(parse_microdollars(""), None);
    }
}
