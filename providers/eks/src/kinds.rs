//! The kinds of all areas in one table.

use howso_infra_core::Kind;

use crate::{client_machine, control_plane, iam, network, pools};

/// The tables of the areas.
const TABLES: [(Area, &[Kind]); 5] = [
    (Area::Network, network::KINDS),
    (Area::Iam, iam::KINDS),
    (Area::ControlPlane, control_plane::KINDS),
    (Area::Pools, pools::KINDS),
    (Area::ClientMachine, client_machine::KINDS),
];

const COUNT: usize = count();

/// Every kind of resource this provider makes.
pub(crate) static KINDS: [Kind; COUNT] = concatenate();

/// An area of the provider: the module that looks after a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    Network,
    Iam,
    ControlPlane,
    Pools,
    ClientMachine,
}

/// The area of a kind.
pub(crate) fn area(kind: &str) -> Option<Area> {
    TABLES.into_iter().find(|(_, table)| table.iter().any(|row| row.name == kind)).map(|(area, _)| area)
}

const fn count() -> usize {
    let (mut table, mut count) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].1.len();
        table += 1;
    }
    count
}

const fn concatenate() -> [Kind; COUNT] {
    let mut all = [network::KINDS[0]; COUNT];
    let (mut table, mut to) = (0, 0);
    while table < TABLES.len() {
        let mut from = 0;
        while from < TABLES[table].1.len() {
            all[to] = TABLES[table].1[from];
            from += 1;
            to += 1;
        }
        table += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_stands_in_the_table_once_and_has_an_area() {
        let names: BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| area(kind.name).is_some()));
        assert_eq!(area("ec2/image"), None);
    }

    #[test]
    fn rows_name_only_kinds_that_exist() {
        for kind in &KINDS {
            for other in kind.deleted_after {
                assert!(area(other).is_some(), "{} is deleted after {other}", kind.name);
            }
            if let howso_infra_core::Removal::With(parent) = kind.removal {
                assert!(area(parent).is_some(), "{} goes with {parent}", kind.name);
            }
        }
    }
}
