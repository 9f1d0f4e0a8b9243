//! The instance types of Amazon EC2.

use std::sync::LazyLock;

use super::{MachineType, parse_microdollars, proportional, rows, sorted};
use crate::spec::Architecture;

/// The families; the file says where its numbers come from.
const FAMILIES: &str = include_str!("eks.csv");

/// The sizes that every family has, by the number in their name; `large` and `xlarge` have none.
const COMMON_SIZES: [(&str, u32); 7] =
    [("large", 2), ("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16), ("8xlarge", 32), ("12xlarge", 48), ("16xlarge", 64)];

/// The virtual CPUs of one `xlarge`.
const VCPUS_PER_XLARGE: u32 = 4;

/// The size whose price the table gives, in virtual CPUs.
const PRICED_VCPUS: u32 = 64;

static TYPES: LazyLock<Vec<MachineType>> = LazyLock::new(|| sorted(rows(FAMILIES).flat_map(family_types).collect()));

pub(super) fn types() -> &'static [MachineType] {
    &TYPES
}

/// The types of one family. The table is a part of this program, and its test reads every row.
fn family_types(row: Vec<&'static str>) -> Vec<MachineType> {
    let [family, architecture, memory_gib_per_vcpu, price, larger, chosen, interfaces] =
        row.try_into().expect("every row of the table has seven columns");
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
        .map(|(size, vcpus)| MachineType {
            name: format!("{family}.{size}"),
            family,
            vcpus,
            memory_mebibytes: u64::from(vcpus) * memory_gib_per_vcpu * 1024,
            pods: pods(interfaces, vcpus),
            architecture,
            price_microdollars: price_16xlarge.map(|price| proportional(price, PRICED_VCPUS, vcpus)),
            automatic: chosen == "automatic",
        })
        .collect()
}

/// For how many pods the interfaces of a size have addresses.
fn pods(interfaces: &str, vcpus: u32) -> u64 {
    match (interfaces, vcpus) {
        ("common", ..=2) => 29,
        ("common", ..=8) => 58,
        ("common", ..=48) => 234,
        ("common", _) => 737,
        ("8i" | "8a", ..=2) => 59,
        ("8i", ..=8) => 118,
        ("8i", ..=16) => 394,
        ("8i", ..=32) => 492,
        ("8i", ..=48) => 590,
        ("8a", ..=4) => 78,
        ("8a", ..=8) => 158,
        ("8a", ..=16) => 314,
        ("8a", ..=32) => 392,
        ("8a", ..=48) => 758,
        ("8i" | "8a", ..=96) => 1010,
        // As many as any size has: whatever is not known keeps more memory back, not less.
        _ => 1514,
    }
}
