//! The vertices of the graph.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::value::Attributes;

/// Names a resource within one cluster: `eks/nodegroup:worker`. Ordered, printable, stable between versions of this
/// program, because it is also written into a tag of the resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    kind: String,
    name: String,
}

/// Why a text is not a [`ResourceId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a resource id (expected `service/kind:name`)")]
pub struct ResourceIdError(String);

impl ResourceId {
    /// Makes an id from a kind such as `ec2/subnet` and a name such as `private-a`.
    pub fn new(kind: &str, name: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), name: name.into() }
    }

    /// The kind, for example `ec2/subnet`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The name within the kind, for example `private-a`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.kind, self.name)
    }
}

impl FromStr for ResourceId {
    type Err = ResourceIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((kind, name)) if kind.contains('/') && !name.is_empty() => Ok(Self::new(kind, name)),
            Some(_) | None => Err(ResourceIdError(text.to_owned())),
        }
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One thing that should exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its name in the graph.
    pub id: ResourceId,
    /// What it should look like. Fields that are left out are not compared.
    pub attributes: Attributes,
    /// Ordering beyond what the references in `attributes` already imply.
    pub depends_on: BTreeSet<ResourceId>,
}

impl Resource {
    /// Starts a resource without attributes.
    pub fn new(id: ResourceId) -> Self {
        Self { id, attributes: Attributes::new(), depends_on: BTreeSet::new() }
    }

    /// Sets a field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<crate::value::Value>) -> Self {
        self.attributes.insert(field.to_owned(), value.into());
        self
    }

    /// Adds an ordering that no reference expresses.
    #[must_use]
    pub fn after(mut self, dependency: &ResourceId) -> Self {
        self.depends_on.insert(dependency.clone());
        self
    }
}
