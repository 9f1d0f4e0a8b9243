//! What must be true after each call that changes something, whatever it was: what belongs to somebody else is as it was, what was
//! made says whose it is and is there once, nothing is protected less, and nothing is removed unseen.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::account::Account;
use crate::authorization::Resource;
use crate::ec2;

/// The tags by which whoever makes something marks it.
#[derive(Clone, Debug)]
pub struct Marks {
    /// The tags that everything made carries from the call on that makes it.
    pub required: Vec<String>,
    /// The tag that says what something is: no two have the same value.
    pub identity: String,
}

/// An object that a customer makes, with its tags.
pub(crate) struct Made<'a> {
    pub(crate) id: &'a str,
    pub(crate) tags: Tags<'a>,
}

/// Tags as the services keep them.
pub(crate) enum Tags<'a> {
    Texts(&'a BTreeMap<String, String>),
    Json(Option<&'a Map<String, Value>>),
}

impl Tags<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        match self {
            Self::Texts(tags) => tags.get(key).map(String::as_str),
            Self::Json(tags) => (*tags)?.get(key)?.as_str(),
        }
    }
}

/// How well a control plane is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Protection {
    pub(crate) from_deletion: bool,
    pub(crate) encrypted: bool,
    /// Who reaches its API from the internet.
    pub(crate) open_to: BTreeSet<String>,
}

impl Protection {
    /// What is protected less than it was.
    fn weaker_than(&self, before: &Self) -> Option<&'static str> {
        if before.from_deletion && !self.from_deletion {
            Some("its protection from deletion")
        } else if before.encrypted && !self.encrypted {
            Some("its encryption")
        } else if !self.open_to.is_subset(&before.open_to) {
            Some("who reaches it")
        } else {
            None
        }
    }
}

/// What is watched, and what was seen to be wrong.
#[derive(Debug, Default)]
pub(crate) struct Invariants {
    /// What belongs to somebody else, by identifier or ARN, as it is described.
    foreign: BTreeMap<String, Value>,
    marks: Option<Marks>,
    /// Of each control plane, when it may not become less.
    protections: Option<BTreeMap<String, Protection>>,
    /// The identifiers and ARNs that the caller was told, with what they are, since it began.
    told: BTreeSet<String>,
    /// What is wrong, and after which call it was first.
    broken: BTreeMap<String, String>,
}

impl Invariants {
    /// From now on, everything that is there belongs to somebody else, and what is made carries these marks.
    pub(crate) fn watch(&mut self, account: &Account, marks: Marks) {
        self.foreign = account.identifiers().filter_map(|id| Some((id.to_owned(), account.described(id)?))).collect();
        self.marks = Some(marks);
    }

    /// From now on, no control plane may be protected less.
    pub(crate) fn keep_protection(&mut self, account: &Account) {
        self.protections = Some(account.protections().collect());
    }

    /// Another caller begins, who has been told nothing.
    pub(crate) fn begin_caller(&mut self) {
        self.told.clear();
    }

    /// Notes what the caller is told by an answer.
    pub(crate) fn note_answer(&mut self, answer: &Value) {
        match answer {
            Value::String(text) if text.starts_with("arn:") || ec2::is_id(text) => drop(self.told.insert(text.clone())),
            Value::Array(items) => items.iter().for_each(|item| self.note_answer(item)),
            Value::Object(members) => members.values().for_each(|member| self.note_answer(member)),
            _ => {}
        }
    }

    /// Looks before a call that removes these: whoever does so must have seen what they are, and not just have remembered.
    pub(crate) fn check_removal(&mut self, removed: &[Resource], call: &str) {
        for Resource { arn, .. } in removed {
            let id = arn.rsplit('/').next().filter(|id| ec2::is_id(id));
            if !self.told.contains(arn) && !id.is_some_and(|id| self.told.contains(id)) {
                self.broken.entry(format!("{arn} was removed unseen")).or_insert_with(|| call.to_owned());
            }
        }
    }

    /// Looks after a call.
    pub(crate) fn check(&mut self, account: &Account, call: &str) {
        let mut wrong = self.trespasses(account);
        wrong.extend(self.unmarked(account));
        let present: BTreeMap<String, Protection> =
            self.protections.iter().flat_map(|_| account.protections()).collect();
        if let Some(before) = &mut self.protections {
            let weaker = |(id, now): (&String, &Protection)| {
                let what = now.weaker_than(before.get(id)?)?;
                Some(format!("{id} was protected less: {what}"))
            };
            wrong.extend(present.iter().filter_map(weaker));
            *before = present;
        }
        for what in wrong {
            self.broken.entry(what).or_insert_with(|| call.to_owned());
        }
    }

    /// What was wrong, and after which call.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.broken.iter().map(|(what, call)| format!("{what} (after {call})")).collect()
    }

    fn trespasses(&self, account: &Account) -> Vec<String> {
        let told = |(id, before): (&String, &Value)| match account.described(id) {
            Some(present) if present == *before => None,
            Some(_) => Some(format!("{id} of somebody else was changed")),
            None => Some(format!("{id} of somebody else was removed")),
        };
        self.foreign.iter().filter_map(told).collect()
    }

    fn unmarked(&self, account: &Account) -> Vec<String> {
        let Some(marks) = &self.marks else { return Vec::new() };
        let (mut wrong, mut seen) = (Vec::new(), BTreeMap::new());
        for Made { id, tags } in account.made().filter(|made| !self.foreign.contains_key(made.id)) {
            if let Some(missing) = marks.required.iter().find(|key| tags.get(key).is_none()) {
                wrong.push(format!("{id} has no tag `{missing}`"));
            }
            let other = tags.get(&marks.identity).and_then(|what| seen.insert(what.to_owned(), id));
            if let Some(other) = other {
                wrong.push(format!("{other} and {id} are the same twice"));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::account::Chance;
    use crate::ec2::ExistingNetwork;

    const REGION: &str = "us-east-1";

    fn marks() -> Marks {
        Marks { required: vec!["owner".to_owned()], identity: "what".to_owned() }
    }

    fn provide(account: &mut Account, number: u64, tags: &[(&str, &str)]) {
        let network = ExistingNetwork {
            vpc: format!("vpc-{number}"),
            cidr: "10.0.0.0/16".parse().expect("a network"),
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            private_subnets: Vec::new(),
            public_subnets: Vec::new(),
        };
        let (region, ..) = account.region(REGION, Timestamp::UNIX_EPOCH);
        region.ec2.provide(&network, &mut Chance::new(number)).expect("there is room for it");
    }

    fn told(invariants: &mut Invariants, account: &Account, call: &str) -> Vec<String> {
        invariants.check(account, call);
        invariants.broken()
    }

    #[test]
    fn what_is_changed_or_removed_of_others_is_told_and_what_is_made_is_not() {
        let mut account = Account::new(1);
        provide(&mut account, 1, &[]);
        let (role, service) = ("arn:aws:iam::123456789012:role/theirs", "eks.amazonaws.com");
        account.iam.provide(role, service, Timestamp::UNIX_EPOCH);
        let mut invariants = Invariants::default();
        invariants.watch(&account, marks());
        provide(&mut account, 2, &[("owner", "us"), ("what", "vpc")]);
        assert_eq!(told(&mut invariants, &account, "one"), Vec::<String>::new());

        account.iam.provide(role, "ec2.amazonaws.com", Timestamp::UNIX_EPOCH);
        assert_eq!(
            told(&mut invariants, &account, "two"),
            [format!("{role} of somebody else was changed (after two)")]
        );
        account.regions.clear();
        let told = told(&mut invariants, &account, "three");
        assert!(told.contains(&"vpc-1 of somebody else was removed (after three)".to_owned()), "{told:?}");
        assert!(told.iter().any(|told| told.ends_with("changed (after two)")), "what was wrong stays told: {told:?}");
    }

    #[test]
    fn what_does_not_say_whose_it_is_and_what_is_there_twice_is_told() {
        let (mut account, mut invariants) = (Account::new(1), Invariants::default());
        invariants.watch(&account, marks());
        provide(&mut account, 1, &[("owner", "us"), ("what", "vpc")]);
        provide(&mut account, 2, &[("what", "vpc")]);
        assert_eq!(
            told(&mut invariants, &account, "one"),
            ["vpc-1 and vpc-2 are the same twice (after one)", "vpc-2 has no tag `owner` (after one)"]
        );
    }

    #[test]
    fn what_is_removed_by_whoever_was_not_told_of_it_is_told() {
        let group = "arn:aws:eks:us-east-1:123456789012:nodegroup/demo/core/1";
        let resources = ["arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0123456789abcdef0", group]
            .map(|arn| Resource { arn: arn.to_owned(), tags: BTreeMap::new() });
        let mut invariants = Invariants::default();
        invariants.note_answer(
            &json!({ "Vpcs": [{ "VpcId": "vpc-0123456789abcdef0" }], "nodegroup": { "nodegroupArn": group } }),
        );
        invariants.check_removal(&resources, "one");
        assert_eq!(invariants.broken(), Vec::<String>::new());
        invariants.begin_caller();
        invariants.note_answer(&json!({ "nodegroups": ["core"], "vpcId": "vpc-0123456789abcdef1" }));
        invariants.check_removal(&resources, "two");
        assert_eq!(
            invariants.broken(),
            resources.map(|Resource { arn, .. }| format!("{arn} was removed unseen (after two)"))
        );
    }

    #[test]
    fn less_protection_is_told() {
        let protection = |from_deletion, open_to: &[&str]| Protection {
            from_deletion,
            encrypted: true,
            open_to: open_to.iter().map(|cidr| (*cidr).to_owned()).collect(),
        };
        let before = protection(true, &["203.0.113.1/32"]);
        assert_eq!(protection(true, &["203.0.113.1/32"]).weaker_than(&before), None);
        assert_eq!(protection(true, &[]).weaker_than(&before), None);
        assert_eq!(protection(false, &[]).weaker_than(&before), Some("its protection from deletion"));
        assert_eq!(protection(true, &["0.0.0.0/0"]).weaker_than(&before), Some("who reaches it"));
        assert_eq!(Protection { encrypted: false, ..before.clone() }.weaker_than(&before), Some("its encryption"));
    }
}
