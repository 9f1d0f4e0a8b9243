//! Identity: what makes a resource ours, and what makes a repeated create call the same call.
//!
//! Everything here is derived before the resource exists, so that no state file is needed to find it again
//! (reliability facts, A4 and A7).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::resource::ResourceId;

/// The tag that carries the cluster's name.
pub const CLUSTER_TAG: &str = "howso-infra/cluster";
/// The tag that carries the deployment id. A resource is ours when this and [`CLUSTER_TAG`] match.
pub const DEPLOYMENT_TAG: &str = "howso-infra/deployment";
/// The tag that carries the [`ResourceId`].
pub const RESOURCE_TAG: &str = "howso-infra/resource";
/// The tag that carries the [`Generation`] in which the resource was created.
pub const GENERATION_TAG: &str = "howso-infra/generation";
/// Tags that begin with this prefix belong to this program.
pub const TAG_PREFIX: &str = "howso-infra/";

/// Tells one deployment of a cluster from every other, also from one of the same name: 128 random bits, drawn once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentId(String);

/// Why a text is not a [`DeploymentId`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a deployment id (expected 32 lower-case hexadecimal digits)")]
pub struct DeploymentIdError(String);

impl DeploymentId {
    /// Makes an id from random bytes drawn by the caller.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex::encode(bytes))
    }

    /// The id as 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeploymentId {
    type Err = DeploymentIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if well_formed { Ok(Self(text.to_owned())) } else { Err(DeploymentIdError(text.to_owned())) }
    }
}

impl TryFrom<String> for DeploymentId {
    type Error = DeploymentIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DeploymentId> for String {
    fn from(id: DeploymentId) -> Self {
        id.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Counts the runs that changed something, so that a resource made again after a deletion gets a new idempotency token.
///
/// A cloud remembers a token for a while: the token of a gateway deleted a minute ago would answer with the dead one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation of a deployment that has never created anything.
    pub const FIRST: Self = Self(1);

    /// The generation after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// An idempotency token: the same call sent again with the same token is one call to the cloud.
///
/// 64 hexadecimal digits, within the limits of EC2 (64 ASCII characters) and EKS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Derives the token of one call.
    ///
    /// `call` tells calls on the same resource apart, for example `create` or the name of an update call with a digest of
    /// what it sets.
    pub fn derive(deployment: &DeploymentId, resource: &ResourceId, generation: Generation, call: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [deployment.as_str(), &resource.to_string(), &generation.to_string(), call] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hex::encode(hash.finalize()))
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whose resources a run may touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterIdentity {
    /// The cluster's name.
    pub cluster: String,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The generation of this run.
    pub generation: Generation,
}

impl ClusterIdentity {
    /// The tags that make a resource ours. They go into the create call itself.
    pub fn tags(&self, resource: &ResourceId) -> BTreeMap<String, String> {
        BTreeMap::from([
            (CLUSTER_TAG.to_owned(), self.cluster.clone()),
            (DEPLOYMENT_TAG.to_owned(), self.deployment.to_string()),
            (RESOURCE_TAG.to_owned(), resource.to_string()),
            (GENERATION_TAG.to_owned(), self.generation.to_string()),
        ])
    }

    /// The idempotency token of a call on `resource` in this run.
    pub fn token(&self, resource: &ResourceId, call: &str) -> Token {
        Token::derive(&self.deployment, resource, self.generation, call)
    }
}

/// The hexadecimal SHA-256 of the canonical JSON form of `value`.
///
/// Canonical because every stored map is ordered and `serde_json` writes fields in declaration order.
pub fn digest(value: &impl Serialize) -> String {
    // Serialising to memory fails only for maps with non-text keys, which no stored type has.
    let json = serde_json::to_vec(value).expect("stored types serialise to JSON");
    hex::encode(Sha256::digest(json))
}
