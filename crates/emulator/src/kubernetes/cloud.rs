//! What a cluster knows of the cloud around it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::account::Chance;

/// The cloud around a cluster.
pub(crate) trait Cloud {
    /// The machines of the cluster: those that run, and those that boot.
    fn machines(&self) -> Vec<Machine>;

    /// The groups that an autoscaler finds when it looks for these tags.
    fn groups(&self, tags: &[&str]) -> Vec<Group>;

    /// Lets a group have so many machines.
    fn resize(&mut self, group: &str, desired: u64, now: Timestamp);

    /// Takes one machine away, and makes its group smaller by it.
    fn terminate(&mut self, machine: &str);

    /// Whether the pods of a service account have a role in the cloud.
    fn has_role(&self, namespace: &str, service_account: &str) -> bool;

    /// What durations are drawn from.
    fn chance(&mut self) -> &mut Chance;
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// What the cloud calls it.
    pub(crate) id: String,
    /// What its node is called.
    pub(crate) node: String,
    /// When its node registers.
    pub(crate) joins: Timestamp,
    /// When its node is ready.
    pub(crate) ready: Timestamp,
    pub(crate) zone: String,
    pub(crate) region: String,
    pub(crate) traits: Traits,
    /// The version of its kubelet.
    pub(crate) version: String,
}

/// What decides which pods a machine takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    pub(crate) instance_type: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) taints: Vec<Taint>,
}

/// A taint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taint {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) effect: String,
}

/// A group of machines that an autoscaler may resize.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) desired: u64,
    /// The machines that it has.
    pub(crate) machines: Vec<String>,
    /// What a machine of it would be, as far as its tags say so.
    pub(crate) template: Traits,
}
