//! What belongs to somebody else: objects that were there before, and must be as they were.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::account::Account;

/// Objects by identifier or ARN, as they are described.
#[derive(Clone, Debug, Default)]
pub(crate) struct Foreign(BTreeMap<String, Value>);

impl Foreign {
    /// Everything that there is now.
    pub(crate) fn of(account: &Account) -> Self {
        let regions = account.regions.values();
        let objects = regions.flat_map(|region| region.ec2.described().into_iter().chain(region.eks.described()));
        Self(objects.chain(account.iam.described()).collect())
    }

    /// What is no more, or not as it was.
    pub(crate) fn changes(&self, present: &Self) -> Vec<String> {
        let changed = |(id, before): &(&String, &Value)| present.0.get(*id) != Some(before);
        let told = |(id, _): (&String, &Value)| match present.0.get(id) {
            Some(_) => format!("{id} of somebody else was changed"),
            None => format!("{id} of somebody else was removed"),
        };
        self.0.iter().filter(changed).map(told).collect()
    }
}
