//! The plan: pure data that says what will be done, why, and why not.

mod decide;
mod diff;
mod removal;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{OperationVerb, ProviderError};
use crate::graph::Graph;
use crate::identity::{ClusterIdentity, Generation, Token, digest};
use crate::kind::{CreateSafety, Kind, Lane};
use crate::latency::Latency;
use crate::observation::Observation;
use crate::operation::FieldChange;
use crate::resource::ResourceId;
use crate::value::Attributes;

/// The version of the stored form of a plan.
pub const PLAN_SCHEMA: u32 = 1;

/// What will be done, in which order, and why; also why the rest is left alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this form, [`PLAN_SCHEMA`].
    pub schema: u32,
    /// Which way it goes.
    pub direction: Direction,
    /// Whose resources it touches.
    pub identity: ClusterIdentity,
    /// The steps, numbered by their place in this list.
    pub steps: Vec<Step>,
    /// One decision for every resource that is wanted or there.
    pub report: Vec<Decision>,
    /// The outputs of resources that exist already, for steps that refer to them.
    pub outputs: BTreeMap<ResourceId, Attributes>,
    /// Digest of what was wanted.
    pub spec_digest: String,
    /// Digest of what was there.
    pub observed_digest: String,
}

/// Which way a plan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the specification.
    Up,
    /// Towards nothing.
    Down,
}

/// The number of a step: its place in [`Plan::steps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

/// One mutation, or one wait for a mutation that is already under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its number.
    pub id: StepId,
    /// The resource it is about.
    pub resource: ResourceId,
    /// What to do.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The steps that must be settled before.
    pub depends_on: BTreeSet<StepId>,
    /// The lane it occupies.
    pub lane: Option<Lane>,
    /// What a lost create answer means.
    pub create_safety: CreateSafety,
    /// How long it takes.
    pub latency: Latency,
    /// After how many seconds to give up waiting.
    pub deadline_secs: u64,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Makes the resource.
    Create {
        /// All desired attributes; references are resolved when the step starts.
        attributes: Attributes,
        /// The idempotency token.
        token: Token,
        /// The generation written into the tags: that of an earlier run when its lost call is sent again.
        generation: Generation,
    },
    /// Changes the resource by one call.
    Update {
        /// The call, as named in the kind's field rules.
        call: String,
        /// The cloud's own identifier; absent when the resource is made by this plan.
        physical_id: Option<String>,
        /// The fields that the call changes; references are resolved when the step starts.
        changes: Vec<FieldChange>,
        /// All desired attributes.
        attributes: Attributes,
        /// The idempotency token.
        token: Token,
    },
    /// Removes the resource.
    Delete {
        /// The cloud's own identifier.
        physical_id: String,
        /// What was observed of it.
        attributes: Attributes,
    },
    /// Waits for a resource that is on its way to being usable.
    AwaitReady {
        /// The cloud's own identifier.
        physical_id: String,
        /// What was observed of it.
        attributes: Attributes,
    },
    /// Waits for a resource that is on its way out.
    AwaitGone {
        /// The cloud's own identifier.
        physical_id: String,
        /// What was observed of it.
        attributes: Attributes,
    },
}

impl Action {
    /// What the step does, as a verb.
    pub fn verb(&self) -> OperationVerb {
        match self {
            Self::Create { .. } | Self::AwaitReady { .. } => OperationVerb::Create,
            Self::Update { .. } => OperationVerb::Update,
            Self::Delete { .. } | Self::AwaitGone { .. } => OperationVerb::Delete,
        }
    }

    /// Whether the call was sent before, so that nothing is left but to wait for its end.
    pub fn is_wait(&self) -> bool {
        match self {
            Self::AwaitReady { .. } | Self::AwaitGone { .. } => true,
            Self::Create { .. } | Self::Update { .. } | Self::Delete { .. } => false,
        }
    }
}

/// What was decided about one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The resource.
    pub resource: ResourceId,
    /// What happens to it.
    pub change: Change,
    /// Why.
    pub reason: Reason,
    /// The fields that differ.
    pub changes: Vec<FieldChange>,
    /// Fields that the cloud does not report, so that a difference could not be seen.
    pub unverified: Vec<String>,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Nothing.
    None,
    /// It is made.
    Create,
    /// It is changed while it lives.
    Update,
    /// It is deleted and made again.
    Replace,
    /// It is deleted.
    Delete,
    /// It is waited for.
    Wait,
    /// Something should happen but must not.
    Blocked,
}

/// Why something happens to a resource, or does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reason {
    /// It is as wanted.
    AsWanted,
    /// It is as wanted but the cloud reports defects.
    Degraded {
        /// The cloud's explanation.
        reason: String,
    },
    /// It does not exist.
    Missing,
    /// An earlier run sent the call and never learned the answer; the same call is sent again.
    AnswerLost,
    /// Fields differ.
    Differs,
    /// A value it refers to changes.
    ReferenceChanges,
    /// The create call cannot carry these fields.
    FollowsCreation,
    /// These fields cannot change on the living resource.
    CannotChangeInPlace {
        /// The fields.
        fields: Vec<String>,
    },
    /// It never became usable.
    CreationFailed {
        /// The cloud's explanation.
        reason: String,
    },
    /// What it is a part of is made again.
    ParentReplaced {
        /// The other resource.
        parent: ResourceId,
    },
    /// It is not usable yet.
    StillPending {
        /// The cloud's word for the state.
        state: String,
    },
    /// It is being deleted.
    StillDeleting,
    /// It is not in the specification.
    NotWanted,
    /// A second one of it exists, left by a lost answer.
    Duplicate {
        /// The one that is kept.
        kept: String,
    },
    /// The whole deployment is removed.
    Removal,
    /// It goes away with another resource.
    GoesWith {
        /// The kind of the other resource.
        kind: String,
    },
    /// Something with its name belongs to somebody else.
    Foreign {
        /// What tells so.
        evidence: String,
        /// The cloud's own identifier.
        physical_id: String,
    },
    /// Its kind could not be read, so nothing can be concluded.
    Gap {
        /// Why.
        error: ProviderError,
    },
    /// A field differs that can never change.
    ImmutableField {
        /// The field.
        field: String,
    },
    /// It would have to be replaced, which was not allowed.
    ReplacementNotAllowed {
        /// The fields that force it.
        fields: Vec<String>,
    },
    /// A Kubernetes version cannot go back.
    VersionGoesBack {
        /// The present version.
        from: String,
        /// The wanted version.
        to: String,
    },
    /// A Kubernetes version cannot skip others.
    VersionSkips {
        /// The present version.
        from: String,
        /// The wanted version.
        to: String,
        /// The version that comes first.
        next: String,
    },
    /// A resource it depends on is blocked.
    DependencyBlocked {
        /// The other resource.
        dependency: ResourceId,
    },
}

impl Reason {
    /// Whether this reason keeps something from happening that should happen.
    pub fn blocks(&self) -> bool {
        match self {
            Self::Foreign { .. }
            | Self::Gap { .. }
            | Self::ImmutableField { .. }
            | Self::ReplacementNotAllowed { .. }
            | Self::VersionGoesBack { .. }
            | Self::VersionSkips { .. }
            | Self::DependencyBlocked { .. } => true,
            Self::AsWanted
            | Self::Degraded { .. }
            | Self::Missing
            | Self::AnswerLost
            | Self::Differs
            | Self::ReferenceChanges
            | Self::FollowsCreation
            | Self::CannotChangeInPlace { .. }
            | Self::CreationFailed { .. }
            | Self::ParentReplaced { .. }
            | Self::StillPending { .. }
            | Self::StillDeleting
            | Self::NotWanted
            | Self::Duplicate { .. }
            | Self::Removal
            | Self::GoesWith { .. } => false,
        }
    }
}

/// Says the reason the way a plan shows it.
impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsWanted => formatter.write_str("as wanted"),
            Self::Degraded { reason } => write!(formatter, "as wanted, but degraded: {reason}"),
            Self::Missing => formatter.write_str("does not exist"),
            Self::AnswerLost => formatter.write_str("an earlier run asked for it and never learned the answer"),
            Self::Differs => formatter.write_str("differs from the specification"),
            Self::ReferenceChanges => formatter.write_str("a value it refers to changes"),
            Self::FollowsCreation => formatter.write_str("cannot be set by the create call"),
            Self::CannotChangeInPlace { fields } => write!(formatter, "{} cannot change in place", fields.join(", ")),
            Self::CreationFailed { reason } => write!(formatter, "its creation failed: {reason}"),
            Self::ParentReplaced { parent } => write!(formatter, "{parent} is made again"),
            Self::StillPending { state } => write!(formatter, "is {state}"),
            Self::StillDeleting => formatter.write_str("is being deleted"),
            Self::NotWanted => formatter.write_str("is not in the specification"),
            Self::Duplicate { kept } => write!(formatter, "is a duplicate of {kept} left by a lost answer"),
            Self::Removal => formatter.write_str("the deployment is removed"),
            Self::GoesWith { kind } => write!(formatter, "goes away with its {kind}"),
            Self::Foreign { evidence, physical_id } => write!(formatter, "{physical_id} is not ours: {evidence}"),
            Self::Gap { error } => write!(formatter, "could not be read: {error}"),
            Self::ImmutableField { field } => write!(formatter, "{field} can never change"),
            Self::ReplacementNotAllowed { fields } => {
                write!(formatter, "{} cannot change in place, and replacing was not allowed", fields.join(", "))
            }
            Self::VersionGoesBack { from, to } => write!(formatter, "Kubernetes cannot go back from {from} to {to}"),
            Self::VersionSkips { from, to, next } => {
                write!(formatter, "Kubernetes goes one minor version at a time: from {from} to {next} before {to}")
            }
            Self::DependencyBlocked { dependency } => write!(formatter, "waits for {dependency}, which is blocked"),
        }
    }
}

/// The kinds of all backends of a provider, by name.
#[derive(Clone, Debug, Default)]
pub struct Kinds(BTreeMap<&'static str, &'static Kind>);

impl Kinds {
    /// Collects the tables of several backends.
    pub fn new(tables: impl IntoIterator<Item = &'static [Kind]>) -> Self {
        Self(tables.into_iter().flatten().map(|kind| (kind.name, kind)).collect())
    }

    /// Returns the row of a kind.
    pub fn get(&self, name: &str) -> Option<&'static Kind> {
        self.0.get(name).copied()
    }
}

/// A create call that an earlier run recorded and whose end it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingCreate {
    /// The token it was sent with.
    pub token: Token,
    /// The generation in its tags.
    pub generation: Generation,
    /// [`digest`] of the attributes it was sent with.
    pub attributes_digest: String,
}

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// What is wanted; empty for a removal.
    pub graph: &'a Graph,
    /// The kinds of the provider.
    pub kinds: &'a Kinds,
    /// What is there.
    pub observation: &'a Observation,
    /// Whose resources may be touched.
    pub identity: &'a ClusterIdentity,
    /// Creations of an earlier run whose answers were lost and that are still not visible.
    pub pending: &'a BTreeMap<ResourceId, PendingCreate>,
    /// Whether resources that worked may be deleted and made again.
    pub replacement: Replacement,
}

/// Whether resources that worked may be deleted and made again. One that never worked may always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// Yes.
    Allowed,
    /// No: report and block.
    Refused,
}

/// Plans the way to the graph.
pub fn plan_up(input: PlanInput<'_>) -> Plan {
    let mut steps = steps::Steps::new(input);
    let mut report = decide::decide_wanted(input, &mut steps);
    report.extend(removal::decide_unwanted(input, &mut steps));
    steps.order_deletions();
    finish(Direction::Up, input, steps, report)
}

/// Plans the removal of everything that is ours.
pub fn plan_down(input: PlanInput<'_>) -> Plan {
    let mut steps = steps::Steps::new(input);
    let report = removal::decide_removal(input, &mut steps);
    steps.order_deletions();
    finish(Direction::Down, input, steps, report)
}

fn finish(direction: Direction, input: PlanInput<'_>, steps: steps::Steps<'_>, report: Vec<Decision>) -> Plan {
    Plan {
        schema: PLAN_SCHEMA,
        direction,
        identity: input.identity.clone(),
        steps: steps.into_list(),
        report,
        outputs: steps::known_outputs(input),
        spec_digest: digest(input.graph),
        observed_digest: digest(input.observation),
    }
}

impl Plan {
    /// Whether there is nothing to do and nothing in the way.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.blocked().next().is_none()
    }

    /// The decisions that keep something from happening.
    pub fn blocked(&self) -> impl Iterator<Item = &Decision> {
        self.report.iter().filter(|decision| decision.reason.blocks())
    }

    /// The number of resources by what happens to them.
    pub fn count(&self, change: Change) -> usize {
        self.report.iter().filter(|decision| decision.change == change).count()
    }

    /// Returns a step by its number.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get(id.0 as usize)
    }

    /// The expected seconds from each step's start to the end of everything that waits for it: the longest remaining path,
    /// by the medians of the steps.
    pub fn remaining_secs(&self) -> BTreeMap<StepId, f64> {
        let mut remaining: BTreeMap<StepId, f64> =
            self.steps.iter().map(|step| (step.id, step.latency.median_secs)).collect();
        // Steps are numbered so that a step depends only on lower numbers, except deletions, which are ordered afterwards:
        // relax until nothing changes; a plan has no cycles, so this ends after at most as many rounds as its depth.
        loop {
            let mut changed = false;
            for step in &self.steps {
                let after = remaining[&step.id];
                for before in &step.depends_on {
                    if let Some(own) = self.step(*before).map(|step| step.latency.median_secs)
                        && remaining[before] < own + after
                    {
                        remaining.insert(*before, own + after);
                        changed = true;
                    }
                }
            }
            if !changed {
                return remaining;
            }
        }
    }

    /// The expected duration of the whole plan in seconds: its critical path by medians.
    pub fn expected_secs(&self) -> f64 {
        self.remaining_secs().into_values().fold(0.0, f64::max)
    }
}
