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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::account::Chance;
    use crate::ec2::ExistingNetwork;

    #[test]
    fn what_is_changed_or_removed_is_told_and_what_is_made_is_not() {
        let mut account = Account::new(1);
        let network = |vpc: &str| ExistingNetwork {
            vpc: vpc.to_owned(),
            cidr: "10.0.0.0/16".parse().expect("a network"),
            tags: BTreeMap::new(),
            private_subnets: Vec::new(),
            public_subnets: Vec::new(),
        };
        let provide = |account: &mut Account, network: &ExistingNetwork| {
            let (region, ..) = account.region("us-east-1", Timestamp::UNIX_EPOCH);
            region.ec2.provide(network, &mut Chance::new(2)).expect("there is room for it");
        };
        provide(&mut account, &network("vpc-1"));
        let (role, service) = ("arn:aws:iam::123456789012:role/theirs", "eks.amazonaws.com");
        account.iam.provide(role, service, Timestamp::UNIX_EPOCH);
        let before = Foreign::of(&account);
        assert_eq!(before.changes(&Foreign::of(&account)), Vec::<String>::new());

        account.iam.provide("arn:aws:iam::123456789012:role/ours", service, Timestamp::UNIX_EPOCH);
        assert_eq!(before.changes(&Foreign::of(&account)), Vec::<String>::new());

        account.iam.provide(role, "ec2.amazonaws.com", Timestamp::UNIX_EPOCH);
        account.regions.clear();
        let told = before.changes(&Foreign::of(&account));
        assert!(told.contains(&format!("{role} of somebody else was changed")), "{told:?}");
        assert!(told.contains(&"vpc-1 of somebody else was removed".to_owned()), "{told:?}");
    }
}
