//! Building what is assumed of costs.

use serde::Serialize;

use crate::sizing::Prices;
use crate::sizing::advice::HOURS_PER_MONTH;
use crate::spec::build::Builder;
use crate::spec::{CostDocument, Invalid, KeyPath};

/// What is assumed of costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CostSpec {
    /// How many hours of a month every worker pool is at its maximum; in the others all are at their minimum. It changes nothing but a
    /// number that people read.
    #[serde(skip)]
    pub busy_hours_per_month: u32,
    /// Prices of the user's own.
    pub prices: Prices,
}

impl CostSpec {
    /// Whether a plan follows from the tables alone.
    pub(crate) fn is_of_tables(&self) -> bool {
        self.prices.is_empty()
    }
}

impl Builder<'_> {
    /// What is assumed of costs.
    pub(crate) fn cost(&mut self, document: &CostDocument) -> Option<CostSpec> {
        let path = KeyPath::dotted("cost");
        let hours = u32::try_from(HOURS_PER_MONTH).unwrap_or(u32::MAX);
        let busy_hours = self.count(&path.key("busy_hours"), document.busy_hours, 0, hours);
        let mut prices = Prices { source: document.source.clone(), ..Prices::default() };
        for (machine, text) in &document.prices {
            let path = path.key("prices").key(machine);
            if let Some(price) = self.accept(&path, microdollars(text)) {
                prices.microdollars_per_hour.insert(machine.clone(), price);
            }
        }
        Some(CostSpec { busy_hours_per_month: busy_hours?, prices })
    }
}

/// An amount in US dollars, with at most six digits behind the point, in millionths.
fn microdollars(text: &str) -> Result<u64, Invalid> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    let parsed = (is_number(whole) && is_number(fraction) && whole.len() <= 6 && fraction.len() <= 6)
        .then(|| format!("{whole}{fraction:0<6}").parse().ok())
        .flatten();
    parsed.ok_or_else(|| {
        Invalid::new(
            format!("\"{text}\" is not a price"),
            "US dollars per hour, with up to six digits behind the point, for example \"0.3456\"",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_to_the_millionth() {
        for (text, price) in [("0.3456", 345_600), ("12", 12_000_000), ("0.000001", 1), ("0", 0)] {
            assert_eq!(microdollars(text), Ok(price), "{text}");
        }
        for text in ["", ".5", "1.", "-1", "1e3", "0.1234567", "1,5", "$1"] {
            assert!(microdollars(text).is_err(), "{text}");
        }
    }
}
