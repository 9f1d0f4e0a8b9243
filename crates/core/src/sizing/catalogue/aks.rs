//! The sizes of Azure virtual machines.

use std::sync::LazyLock;

use super::{Family, MachineType, rows, sorted};

/// The series; the file says where its numbers come from.
const SERIES: &str = include_str!("aks.csv");

static TYPES: LazyLock<Vec<MachineType>> = LazyLock::new(|| sorted(rows(SERIES).flat_map(series_sizes).collect()));

pub(super) fn types() -> &'static [MachineType] {
    &TYPES
}

/// The sizes of one series. The table is a part of this program, and its test reads every row.
fn series_sizes(row: Vec<&'static str>) -> Vec<MachineType> {
    let [series, before, after, memory_gib_per_vcpu, price, vcpus] =
        row.try_into().expect("every row of the table has six columns");
    let family = Family { name: series, memory_gib_per_vcpu, price, vcpus, automatic: true };
    family.sizes(|vcpus| format!("{before}{vcpus}{after}"))
}
