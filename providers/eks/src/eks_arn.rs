//! Names in the ARNs of EKS. Identifiers are ARNs and not names, because a plain word such as `worker` could be mistaken
//! for something else wherever identifiers are looked for.

use howso_infra_core::{Attributes, ProviderError};

use crate::errors;
use crate::fields::text;

/// The name of the cluster whose ARN is the attribute `cluster_arn`.
pub(crate) fn cluster_of<'a>(attributes: &'a Attributes, call: &str) -> Result<&'a str, ProviderError> {
    cluster(text(attributes, "cluster_arn", call)?, call)
}

/// The name of the cluster in the ARN of a cluster or of a part of one.
pub(crate) fn cluster<'a>(arn: &'a str, call: &str) -> Result<&'a str, ProviderError> {
    part(arn, 1, call)
}

/// The name of a node group or add-on, or the id of an association, in its ARN.
pub(crate) fn child<'a>(arn: &'a str, call: &str) -> Result<&'a str, ProviderError> {
    part(arn, 2, call)
}

/// The ARN of the cluster that a node group is part of.
pub(crate) fn cluster_arn(child_arn: &str, call: &str) -> Result<String, ProviderError> {
    let name = cluster(child_arn, call)?;
    let account: Vec<_> = child_arn.split(':').take(5).collect();
    Ok(format!("{}:cluster/{name}", account.join(":")))
}

/// A part of the resource in an ARN: `cluster/NAME`, `nodegroup/CLUSTER/NAME/ID`, `addon/CLUSTER/NAME/ID`,
/// `podidentityassociation/CLUSTER/ID`.
fn part<'a>(arn: &'a str, place: usize, call: &str) -> Result<&'a str, ProviderError> {
    let found =
        arn.splitn(6, ':').nth(5).and_then(|resource| resource.split('/').nth(place)).filter(|part| !part.is_empty());
    found.ok_or_else(|| errors::bug(call, format!("`{arn}` is not the identifier that was expected")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_arns() {
        let group = "arn:aws:eks:us-east-1:123456789012:nodegroup/demo/worker/0a-1b";
        assert_eq!(cluster(group, "t").unwrap(), "demo");
        assert_eq!(child(group, "t").unwrap(), "worker");
        assert_eq!(cluster_arn(group, "t").unwrap(), "arn:aws:eks:us-east-1:123456789012:cluster/demo");
        assert_eq!(cluster("arn:aws:eks:us-east-1:123456789012:cluster/demo", "t").unwrap(), "demo");
        assert_eq!(child("arn:aws:eks:us-east-1:123456789012:podidentityassociation/demo/a-1", "t").unwrap(), "a-1");
    }

    #[test]
    fn what_is_no_arn_is_an_error() {
        for arn in ["", "demo", "arn:aws:eks:us-east-1:123456789012:cluster"] {
            assert!(cluster(arn, "t").is_err(), "{arn}");
        }
        assert!(child("arn:aws:eks:us-east-1:123456789012:cluster/demo", "t").is_err());
    }
}
