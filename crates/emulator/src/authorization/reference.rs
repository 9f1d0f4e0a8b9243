//! On which types of resources each permission is asked for.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// The permissions by service, as IAM writes its name.
pub(super) static REFERENCE: LazyLock<BTreeMap<String, Service>> = LazyLock::new(|| {
    // The file is part of the program, and every call with policies reads it.
    serde_json::from_str(include_str!("../../models/authorization.json")).expect("the excerpt is of the form above")
});

#[derive(Debug, Deserialize)]
pub(super) struct Service {
    /// By name; each with the types of resources by name. The one without a name is the call itself.
    pub(super) actions: BTreeMap<String, BTreeMap<String, ResourceType>>,
    /// What the ARN of each type looks like.
    pub(super) arns: BTreeMap<String, String>,
}

/// How a type of resources takes part in a call.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct ResourceType {
    /// Whether the call always has one.
    pub(super) required: bool,
    /// Whether conditions see the tags that the call gives.
    pub(super) request_tags: bool,
}
