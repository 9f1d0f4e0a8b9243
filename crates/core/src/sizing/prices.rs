//! What machines cost: as the tables say, or as a user says it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::sizing::MachineType;

/// Prices of a user's own, which win over those of the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Prices {
    /// Where they come from, for people; [`None`] when nobody says it.
    pub source: Option<String>,
    /// Millionths of a US dollar per hour, by the names of the machines.
    pub microdollars_per_hour: BTreeMap<String, u64>,
}

impl Prices {
    /// Whether there are none of a user's own.
    pub fn is_empty(&self) -> bool {
        self.microdollars_per_hour.is_empty()
    }

    /// What a machine costs, in millionths of a US dollar per hour; [`None`] when neither says it.
    pub fn of(&self, machine: &MachineType) -> Option<u64> {
        self.microdollars_per_hour.get(&machine.name).copied().or(machine.price_microdollars)
    }

    /// Sorts machines, which come in the order of the tables: cheapest first, those without a price last.
    pub fn sort(&self, machines: &mut [&'static MachineType]) {
        if !self.is_empty() {
            machines.sort_by_key(|machine| self.of(machine).unwrap_or(u64::MAX));
        }
    }

    /// Where and when the prices of these machines hold: `table` is what the tables say of theirs.
    pub fn basis<'a>(&self, machines: impl IntoIterator<Item = &'a str>, table: &str) -> String {
        let (own, others): (Vec<_>, Vec<_>) =
            machines.into_iter().partition(|name| self.microdollars_per_hour.contains_key(*name));
        let source = self.source.as_deref().unwrap_or("your own prices");
        match (own.is_empty(), others.is_empty()) {
            (true, _) => table.to_owned(),
            (false, true) => source.to_owned(),
            (false, false) => format!("{}: {source}; others: {table}", own.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizing::catalogue::EKS;

    fn own(names: &[(&str, u64)]) -> Prices {
        let prices = names.iter().map(|(name, price)| ((*name).to_owned(), *price)).collect();
        Prices { source: Some("our agreement".to_owned()), microdollars_per_hour: prices }
    }

    #[test]
    fn a_price_of_ones_own_wins_and_moves_its_machine() {
        let machine = |name: &str| EKS.find(name).unwrap();
        let mut machines = vec![machine("m6a.2xlarge"), machine("m6i.2xlarge"), machine("m7i.2xlarge")];
        Prices::default().sort(&mut machines);
        assert_eq!(machines[0].name, "m6a.2xlarge");
        let prices = own(&[("m7i.2xlarge", 100_000)]);
        prices.sort(&mut machines);
        assert_eq!(machines[0].name, "m7i.2xlarge");
        assert_eq!(prices.of(machines[0]), Some(100_000));
        assert_eq!(prices.of(machines[1]), machines[1].price_microdollars);
    }

    #[test]
    fn it_is_said_whose_prices_they_are() {
        let prices = own(&[("m7i.2xlarge", 1)]);
        assert_eq!(prices.basis(["m6a.2xlarge"], "table"), "table");
        assert_eq!(prices.basis(["m7i.2xlarge"], "table"), "our agreement");
        assert_eq!(prices.basis(["m7i.2xlarge", "m6a.2xlarge"], "table"), "m7i.2xlarge: our agreement; others: table");
    }
}
