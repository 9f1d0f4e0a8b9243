//! What every resource of one kind has in common: a table that each backend publishes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::latency::Latency;

/// The name of an update call of a backend, for example `update-scaling`. One call is one request to the cloud.
pub type CallName = &'static str;

/// A service that allows one mutation at a time: steps in the same lane never overlap, from their first request until
/// they are settled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lane(pub String);

/// What to do when the answer to a create call was lost (architecture, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreateSafety {
    /// The name is the key: a second create conflicts.
    Named,
    /// An idempotency token makes a second create answer with the first.
    Token,
    /// Neither: look up by tag once the resource must have become visible, and only then send again.
    TagOnly,
}

/// How a resource disappears when its deployment is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// By its own delete call.
    Call,
    /// With a resource of this kind, on which it depends. Deleted by its own call only while that one stays.
    With(&'static str),
}

/// How a difference in a field is reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRule {
    /// By a call on the living resource.
    InPlace(InPlace),
    /// By deleting the resource and making it again.
    Replace,
    /// Not at all: the difference is reported and blocks.
    Immutable,
    /// Somebody else owns the field after creation (the cluster autoscaler owns the live size of a worker pool).
    Ignore,
}

/// The details of [`FieldRule::InPlace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InPlace {
    /// The call that sets the field. Fields that share a call change together in one request.
    pub call: CallName,
    /// The call that removes keys of a map field, where that is another call. With it, only keys that are no longer wanted
    /// *and* were ours are removed; without it `call` replaces or removes by itself.
    pub remove_call: Option<CallName>,
    /// Which keys of a map field are compared.
    pub keys: Keys,
    /// Whether the create call can carry the field.
    pub carried: Carried,
    /// Which ways from the present to the wanted value there are.
    pub progression: Progression,
    /// Outputs that change with this field; whatever refers to them changes afterwards.
    pub changes_outputs: &'static [&'static str],
    /// Outputs that change with this field and that are worth no change of what refers to them: what changes anyway gets
    /// the new value, everything else keeps the one it has.
    pub renews_outputs: &'static [&'static str],
    /// What the field must be before the resource can be deleted: a protection that must be off. Where the cloud does not
    /// report the field, the deletion is tried as it is. It protects what works: a resource that has failed is deleted as it is (so EKS
    /// has it: <https://docs.aws.amazon.com/eks/latest/userguide/deletion-protection.html>).
    pub before_delete: Option<bool>,
}

impl InPlace {
    /// A field that `call` sets and the create call carries.
    pub const fn by(call: CallName) -> Self {
        Self {
            call,
            remove_call: None,
            keys: Keys::All,
            carried: Carried::ByCreate,
            progression: Progression::Direct,
            changes_outputs: &[],
            renews_outputs: &[],
            before_delete: None,
        }
    }
}

/// Which keys of a map field are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// All: a key that the cloud has and the specification has not is a difference.
    All,
    /// Those of the specification: others may add keys of their own (tags).
    Declared,
}

/// Whether the create call can carry a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// It goes into the create call.
    ByCreate,
    /// It needs its own call right after creation, before anything that depends on the resource starts.
    AfterCreate,
}

/// Which ways from the present to the wanted value there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progression {
    /// From every value to every other.
    Direct,
    /// The field is a Kubernetes version `major.minor`, which moves one minor at a time and never back. What goes with a
    /// minor version (add-ons, nodes) has to follow before the next one, so a plan never takes two of these ways.
    MinorVersions,
    /// The field is a Kubernetes version `major.minor`, which moves by any number of minors and never back.
    Forward,
}

impl FieldRule {
    /// A field that `call` changes on the living resource and that the create call carries.
    pub const fn in_place(call: CallName) -> Self {
        Self::InPlace(InPlace::by(call))
    }

    /// A field that `call` sets right after creation, because the create call cannot carry it.
    pub const fn after_create(call: CallName) -> Self {
        Self::InPlace(InPlace { carried: Carried::AfterCreate, ..InPlace::by(call) })
    }

    /// Tags: carried by the create call, added by `call`; tags of others stay.
    pub const fn tags(call: CallName) -> Self {
        Self::InPlace(InPlace { keys: Keys::Declared, ..InPlace::by(call) })
    }
}

/// The table row of one kind of resource.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The name of the kind, for example `ec2/subnet`.
    pub name: &'static str,
    /// What people call it, for example `subnet`.
    pub title: &'static str,
    /// What to do about a lost create answer.
    pub create_safety: CreateSafety,
    /// The lane of its mutations.
    pub lane: Option<&'static str>,
    /// The rule of every attribute that its resources may have.
    pub fields: &'static [(&'static str, FieldRule)],
    /// How it disappears.
    pub removal: Removal,
    /// Kinds whose resources must be gone before one of this kind can be deleted.
    pub deleted_after: &'static [&'static str],
    /// Duration of a creation until it is settled.
    pub create: Latency,
    /// Duration of an update.
    pub update: Latency,
    /// Duration of a deletion.
    pub delete: Latency,
    /// After this time a step stops waiting and fails.
    pub deadline: Duration,
}

impl Kind {
    /// Returns the rule of `field`.
    pub fn rule(&self, field: &str) -> Option<FieldRule> {
        self.fields.iter().find(|(name, _)| *name == field).map(|(_, rule)| *rule)
    }

    /// Returns the lane of its mutations.
    pub fn lane(&self) -> Option<Lane> {
        self.lane.map(|lane| Lane(lane.to_owned()))
    }
}
