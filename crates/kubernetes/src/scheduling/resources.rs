//! Amounts of CPU, memory and whatever else pods ask for.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube_quantity::ParsedQuantity;

/// Every pod takes one of these.
const PODS: &str = "pods";

/// Memory and disks are counted in bytes, everything else in pieces.
const BYTES: [&str; 3] = ["ephemeral-storage", "hugepages-", "memory"];

const MEBIBYTE: i128 = 1024 * 1024;

/// An amount in thousandths: the finest that Kubernetes knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount(i128);

impl Amount {
    pub(crate) const fn of_thousandths(thousandths: u64) -> Self {
        Self(thousandths as i128)
    }

    pub(crate) const fn of_mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes as i128 * MEBIBYTE * 1000)
    }

    /// Reads an amount as people and the API server write it. The library's own arithmetic is not used: it gives 921.6 for nothing
    /// and 900m (version 0.9), because it turns one unit into the other without looking at the scale.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let thousandths = ParsedQuantity::try_from(text).ok()?.to_bytes_f64()? * 1000.0;
        // Amounts are far from where a float or an integer would lose any of them.
        #[expect(clippy::cast_possible_truncation, reason = "no cluster has so much of anything")]
        Some(Self(thousandths.round() as i128))
    }

    /// The amount as a person reads it, which depends on what it is of.
    pub(crate) fn shown(self, resource: &str) -> Shown<'_> {
        Shown { amount: self, resource }
    }
}

/// An amount of something, for people.
pub(crate) struct Shown<'a> {
    amount: Amount,
    resource: &'a str,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Amount(thousandths) = self.amount;
        if BYTES.iter().any(|name| self.resource.starts_with(name)) {
            write!(formatter, "{}Mi", thousandths / 1000 / MEBIBYTE)
        } else if thousandths % 1000 == 0 {
            write!(formatter, "{}", thousandths / 1000)
        } else {
            write!(formatter, "{thousandths}m")
        }
    }
}

/// Amounts by the name of the resource, such as `cpu`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources(BTreeMap<String, Amount>);

impl Resources {
    /// Amounts as the API server writes them, which takes none that cannot be read.
    pub(crate) fn of(quantities: Option<&BTreeMap<String, Quantity>>) -> Self {
        let parsed = quantities
            .into_iter()
            .flatten()
            .filter_map(|(name, quantity)| Some((name.clone(), Amount::parse(&quantity.0)?)));
        Self(parsed.collect())
    }

    /// What a pod asks for: what its containers need together, or one that runs before them needs alone when that is more. A
    /// container that starts before the others and stays counts with both
    /// (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers>).
    pub(crate) fn of_pod(pod: &PodSpec) -> Self {
        let mut before = Self::default();
        let mut stay = Self::default();
        for container in pod.init_containers.iter().flatten() {
            let mut at_once = stay.clone();
            at_once.add(&Self::of_container(container));
            before.raise_to(&at_once);
            if container.restart_policy.as_deref() == Some("Always") {
                stay = at_once;
            }
        }
        let mut together = stay;
        for container in &pod.containers {
            together.add(&Self::of_container(container));
        }
        together.raise_to(&before);
        // What is asked for the pod as a whole replaces the sum.
        let whole = pod.resources.as_ref().and_then(|resources| resources.requests.as_ref());
        together.0.extend(Self::of(whole).0);
        together.add(&Self::of(pod.overhead.as_ref()));
        together.0.insert(PODS.to_owned(), Amount::of_thousandths(1000));
        together
    }

    fn of_container(container: &Container) -> Self {
        Self::of(container.resources.as_ref().and_then(|resources| resources.requests.as_ref()))
    }

    /// Replaces the amount of one resource.
    pub(crate) fn set(&mut self, name: &str, amount: Amount) {
        self.0.insert(name.to_owned(), amount);
    }

    /// Takes an amount away; there may be less than nothing afterwards, as on a node that was overcommitted.
    pub(crate) fn take(&mut self, taken: &Self) {
        for (name, amount) in &taken.0 {
            self.0.entry(name.clone()).or_default().0 -= amount.0;
        }
    }

    /// The resources of which `wanted` asks for more than there is: name, what is wanted, what there is.
    pub(crate) fn short_of(&self, wanted: &Self) -> Vec<(String, Amount, Amount)> {
        let compared =
            wanted.0.iter().map(|(name, wanted)| (name, *wanted, self.0.get(name).copied().unwrap_or_default()));
        let short = compared.filter(|(_, wanted, there)| *wanted > Amount::default() && wanted > there);
        short.map(|(name, wanted, there)| (name.clone(), wanted, there)).collect()
    }

    fn add(&mut self, more: &Self) {
        for (name, amount) in &more.0 {
            self.0.entry(name.clone()).or_default().0 += amount.0;
        }
    }

    fn raise_to(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let own = self.0.entry(name.clone()).or_default();
            *own = (*own).max(*amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_whatever_their_unit() {
        let thousandths = |text: &str| Amount::parse(text).map(|amount| amount.0);
        assert_eq!(thousandths("100m"), Some(100));
        assert_eq!(thousandths("0.1"), Some(100));
        assert_eq!(thousandths("2"), Some(2_000));
        assert_eq!(thousandths("1e3"), thousandths("1k"));
        assert_eq!(thousandths("1Gi"), Some(1024 * 1024 * 1024 * 1000));
        assert_eq!(thousandths("16413344Ki"), Some(16_413_344 * 1024 * 1000));
        assert_eq!(thousandths("128974848"), thousandths("123Mi"));
        assert_eq!(thousandths("many"), None);
        assert!(Amount::parse("2") > Amount::parse("1930m") && Amount::parse("10") > Amount::parse("9"));
    }

    #[test]
    fn amounts_are_shown_as_people_write_them() {
        assert_eq!(Amount(1_500).shown("cpu").to_string(), "1500m");
        assert_eq!(Amount(2_000).shown("cpu").to_string(), "2");
        assert_eq!(Amount::of_mebibytes(512).shown("memory").to_string(), "512Mi");
    }
}
