//! The kinds of all areas in one table.

use howso_infra_core::Kind;

use crate::{control_plane, iam, network, pools};

const COUNT: usize = network::KINDS.len() + iam::KINDS.len() + control_plane::KINDS.len() + pools::KINDS.len();

/// Every kind of resource this provider makes.
pub(crate) static KINDS: [Kind; COUNT] = concatenate([network::KINDS, iam::KINDS, control_plane::KINDS, pools::KINDS]);

/// An area of the provider: the module that looks after a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Area {
    Network,
    Iam,
    ControlPlane,
    Pools,
}

/// The area of a kind.
pub(crate) fn area(kind: &str) -> Option<Area> {
    let tables = [
        (Area::Network, network::KINDS),
        (Area::Iam, iam::KINDS),
        (Area::ControlPlane, control_plane::KINDS),
        (Area::Pools, pools::KINDS),
    ];
    tables.into_iter().find(|(_, table)| table.iter().any(|row| row.name == kind)).map(|(area, _)| area)
}

const fn concatenate(tables: [&[Kind]; 4]) -> [Kind; COUNT] {
    let mut all = [network::KINDS[0]; COUNT];
    let (mut table, mut to) = (0, 0);
    while table < tables.len() {
        let mut from = 0;
        while from < tables[table].len() {
            all[to] = tables[table][from];
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
        assert_eq!(area("ec2/instance"), None);
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
