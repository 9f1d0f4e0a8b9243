//! What is there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::error::ProviderError;
use crate::identity::{DeploymentId, Generation};
use crate::resource::ResourceId;
use crate::value::Attributes;

/// Everything that was read of one cluster's resources in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// What was found, by name in the graph. More than one entry means duplicates, or one of ours beside a foreign one.
    pub resources: BTreeMap<ResourceId, Vec<Observed>>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// One resource as the cloud reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The cloud's own identifier: what a delete call is given.
    pub physical_id: String,
    /// Whose it is.
    pub ownership: Ownership,
    /// Whether it can be used.
    pub status: Status,
    /// The fields that the cloud reports, spelled as in the graph. A field the cloud does not report is absent, and a
    /// difference in it cannot be seen.
    pub attributes: Attributes,
    /// What others may refer to.
    pub outputs: Attributes,
}

/// Whose a resource is, by its tags, or by those of the resource it is a part of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// It carries the tags of this cluster, and was made by this deployment.
    Ours {
        /// The deployment that made it.
        deployment: DeploymentId,
        /// The generation in which it was made, when the tag is legible.
        generation: Option<Generation>,
    },
    /// It carries the tags of another deployment or of another owner. Never changed, never deleted.
    Foreign {
        /// What tells whose it is, for the error message, for example `tag howso-infra/deployment=0123…`.
        evidence: String,
    },
    /// It stands on our name without any tag of ours. Never changed, never deleted.
    Unclaimed,
}

/// Whether a resource can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Usable.
    Ready,
    /// On its way to being usable; waiting is all there is to do. Also every state this program does not know.
    Pending {
        /// The cloud's word for the state.
        state: String,
    },
    /// On its way out.
    Deleting,
    /// Never became usable, or stopped being so, and stays that way until it is replaced.
    Failed {
        /// The cloud's explanation.
        reason: String,
    },
    /// Usable with defects that the cloud names, for example a node group that is degraded.
    Degraded {
        /// The cloud's explanation.
        reason: String,
    },
}

/// Something that could not be read. A resource inside a gap is neither created nor deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The kinds about which nothing can be concluded.
    pub kinds: Vec<String>,
    /// Why.
    pub error: ProviderError,
}

/// Something that is left after a removal and is ours, or blocks what is ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leftover {
    /// What it is, for example `network interface`.
    pub what: String,
    /// The cloud's own identifier.
    pub physical_id: String,
    /// Where it came from and what to do about it.
    pub advice: String,
}

impl Observed {
    /// Whether this program may change or delete it.
    pub fn is_ours(&self) -> bool {
        matches!(self.ownership, Ownership::Ours { .. })
    }
}

impl Observation {
    /// Adds one resource.
    pub fn insert(&mut self, id: ResourceId, observed: Observed) {
        self.resources.entry(id).or_default().push(observed);
    }

    /// Adds what another part of the cloud, or another backend, reported.
    pub fn merge(&mut self, other: Self) {
        for (id, observed) in other.resources {
            self.resources.entry(id).or_default().extend(observed);
        }
        self.gaps.extend(other.gaps);
    }

    /// Replaces everything known of `kinds` by what was read of them later.
    pub fn replace(&mut self, kinds: &BTreeSet<String>, later: Self) {
        self.resources.retain(|id, _| !kinds.contains(id.kind()));
        self.resources.extend(later.resources.into_iter().filter(|(id, _)| kinds.contains(id.kind())));
        let is_among = |gap: &Gap| gap.kinds.iter().any(|kind| kinds.contains(kind));
        self.gaps.retain(|gap| !is_among(gap));
        self.gaps.extend(later.gaps.into_iter().filter(is_among));
    }

    /// Returns those on this name that are ours.
    pub fn ours<'a>(&'a self, id: &ResourceId) -> impl Iterator<Item = &'a Observed> {
        self.resources.get(id).into_iter().flatten().filter(|observed| observed.is_ours())
    }

    /// Returns the one to use among those that are ours: see [`Observation::preferred`].
    pub fn one(&self, id: &ResourceId) -> Option<&Observed> {
        self.preferred(id).first().copied()
    }

    /// Returns ours on this name, best first: usable before unusable, then the one that more resources refer to, then by
    /// identifier. The first is used, the others are duplicates left by a lost answer.
    pub fn preferred(&self, id: &ResourceId) -> Vec<&Observed> {
        let mut ours: Vec<_> = self.ours(id).collect();
        if ours.len() > 1 {
            ours.sort_by_cached_key(|observed| {
                let usable = matches!(observed.status, Status::Ready | Status::Degraded { .. });
                (!usable, usize::MAX - self.mentions(&observed.physical_id), observed.physical_id.clone())
            });
        }
        ours
    }

    /// Returns the gap that hides resources of `kind`.
    pub fn gap(&self, kind: &str) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.kinds.iter().any(|hidden| hidden == kind))
    }

    /// The deployments that own something here, with the number of resources of each.
    pub fn deployments(&self) -> BTreeMap<DeploymentId, usize> {
        let mut count = BTreeMap::new();
        for observed in self.resources.values().flatten() {
            if let Ownership::Ours { deployment, .. } = &observed.ownership {
                *count.entry(deployment.clone()).or_default() += 1;
            }
        }
        count
    }

    /// The highest generation found in a tag.
    pub fn generation(&self) -> Option<Generation> {
        self.resources
            .values()
            .flatten()
            .filter_map(|observed| match &observed.ownership {
                Ownership::Ours { generation, .. } => *generation,
                Ownership::Foreign { .. } | Ownership::Unclaimed => None,
            })
            .max()
    }

    /// Counts the attributes of all resources that contain `physical_id`.
    fn mentions(&self, physical_id: &str) -> usize {
        fn count(value: &crate::Value, wanted: &str) -> usize {
            use crate::Value;
            match value {
                Value::Text(text) => usize::from(text == wanted),
                Value::List(items) => items.iter().map(|item| count(item, wanted)).sum(),
                Value::Map(entries) => entries.values().map(|item| count(item, wanted)).sum(),
                Value::Bool(_) | Value::Integer(_) | Value::Reference(_) => 0,
            }
        }
        self.resources
            .values()
            .flatten()
            .flat_map(|observed| observed.attributes.values())
            .map(|value| count(value, physical_id))
            .sum()
    }
}
