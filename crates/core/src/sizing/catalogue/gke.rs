//! The machine types of Google Compute Engine.

use std::sync::LazyLock;

use super::{Family, MachineType, rows, sorted};

/// The families; the file says where its numbers come from.
const FAMILIES: &str = include_str!("gke.csv");

static TYPES: LazyLock<Vec<MachineType>> = LazyLock::new(|| sorted(rows(FAMILIES).flat_map(family_types).collect()));

pub(super) fn types() -> &'static [MachineType] {
    &TYPES
}

/// The types of one family. The table is a part of this program, and its test reads every row.
fn family_types(row: Vec<&'static str>) -> Vec<MachineType> {
    let [name, memory_gib_per_vcpu, price, vcpus, chosen] =
        row.try_into().expect("every row of the table has five columns");
    let family = Family { name, memory_gib_per_vcpu, price, vcpus, automatic: chosen == "automatic" };
    family.sizes(|vcpus| format!("{name}-{vcpus}"))
}
