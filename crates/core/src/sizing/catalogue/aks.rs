//! The sizes of Azure virtual machines.

use std::sync::LazyLock;

use super::{MachineType, parse_microdollars, proportional, rows, sorted};
use crate::spec::Architecture;

/// The series; the file says where its numbers come from.
const SERIES: &str = include_str!("aks.csv");

/// The size whose price the table gives, in virtual CPUs.
const PRICED_VCPUS: u32 = 16;

static TYPES: LazyLock<Vec<MachineType>> = LazyLock::new(|| sorted(rows(SERIES).flat_map(series_sizes).collect()));

pub(super) fn types() -> &'static [MachineType] {
    &TYPES
}

/// The sizes of one series. The table is a part of this program, and its test reads every row.
fn series_sizes(row: Vec<&'static str>) -> Vec<MachineType> {
    let [series, before, after, memory_gib_per_vcpu, price, vcpus] =
        row.try_into().expect("every row of the table has six columns");
    let memory_gib_per_vcpu: u64 = memory_gib_per_vcpu.parse().expect("the table gives memory in whole GiB");
    let price = parse_microdollars(price);
    let of_size = |size: &str| {
        let vcpus: u32 = size.parse().expect("the table gives sizes as numbers");
        MachineType {
            name: format!("{before}{vcpus}{after}"),
            family: series,
            vcpus,
            memory_mebibytes: u64::from(vcpus) * memory_gib_per_vcpu * 1024,
            pods: 0,
            architecture: Architecture::X86_64,
            price_microdollars: price.map(|price| proportional(price, PRICED_VCPUS, vcpus)),
            automatic: true,
        }
    };
    vcpus.split_whitespace().map(of_size).collect()
}
