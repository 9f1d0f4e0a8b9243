//! What EKS says is wrong with a cluster, a node group, an add-on or an update.

use aws_sdk_eks::types::{
    AddonIssue, AddonIssueCode, ClusterIssue, ClusterIssueCode, ErrorCode, ErrorDetail, Issue as NodegroupIssue,
    NodegroupIssueCode,
};
use howso_infra_core::{ErrorKind, ProviderError};

/// One problem, whatever it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    code: String,
    message: String,
}

/// Texts of EC2 in the messages of node groups that mean a quota and not a lack of machines.
const QUOTA_TEXTS: [&str; 3] = ["VcpuLimitExceeded", "InstanceLimitExceeded", "MaxSpotInstanceCountExceeded"];

impl Issue {
    fn new(code: Option<&str>, message: Option<&str>, resources: &[String]) -> Self {
        let mut message = message.unwrap_or_default().to_owned();
        if !resources.is_empty() {
            message = format!("{message} ({})", resources.join(", "));
        }
        Self { code: code.unwrap_or("Unknown").to_owned(), message: message.trim().to_owned() }
    }

    pub(crate) fn of_clusters(issues: &[ClusterIssue]) -> Vec<Self> {
        let issue = |issue: &ClusterIssue| {
            Self::new(issue.code().map(ClusterIssueCode::as_str), issue.message(), issue.resource_ids())
        };
        issues.iter().map(issue).collect()
    }

    pub(crate) fn of_nodegroups(issues: &[NodegroupIssue]) -> Vec<Self> {
        let issue = |issue: &NodegroupIssue| {
            Self::new(issue.code().map(NodegroupIssueCode::as_str), issue.message(), issue.resource_ids())
        };
        issues.iter().map(issue).collect()
    }

    pub(crate) fn of_addons(issues: &[AddonIssue]) -> Vec<Self> {
        let issue = |issue: &AddonIssue| {
            Self::new(issue.code().map(AddonIssueCode::as_str), issue.message(), issue.resource_ids())
        };
        issues.iter().map(issue).collect()
    }

    pub(crate) fn of_updates(errors: &[ErrorDetail]) -> Vec<Self> {
        let issue = |error: &ErrorDetail| {
            Self::new(error.error_code().map(ErrorCode::as_str), error.error_message(), error.resource_ids())
        };
        errors.iter().map(issue).collect()
    }

    /// What follows from the problem.
    fn kind(&self) -> ErrorKind {
        let what = || if self.message.is_empty() { self.code.clone() } else { self.message.clone() };
        let names_quota = QUOTA_TEXTS.iter().any(|text| self.message.contains(text));
        match self.code.as_str() {
            "AsgInstanceLaunchFailures" if names_quota => ErrorKind::Quota { what: what() },
            "InstanceLimitExceeded" | "ResourceLimitExceeded" | "Ec2LaunchTemplateMaxLimitExceeded" => {
                ErrorKind::Quota { what: what() }
            }
            "AsgInstanceLaunchFailures" | "InsufficientInstanceCapacity" | "InsufficientFreeAddresses" => {
                ErrorKind::Capacity { what: what() }
            }
            "AccessDenied" => ErrorKind::Permission { action: what() },
            _ => ErrorKind::Failed,
        }
    }
}

/// All problems in one line.
pub(crate) fn describe(issues: &[Issue]) -> String {
    let one = |issue: &Issue| {
        if issue.message.is_empty() { issue.code.clone() } else { format!("{}: {}", issue.code, issue.message) }
    };
    if issues.is_empty() {
        return "no reason was given".to_owned();
    }
    issues.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A state with what is wrong, while waiting.
pub(crate) fn state(word: &str, issues: &[Issue]) -> String {
    if issues.is_empty() { word.to_owned() } else { format!("{word}, {}", describe(issues)) }
}

/// The error of something that ended badly in `state`. The first problem decides its kind.
pub(crate) fn failure(call: &str, state: &str, issues: &[Issue]) -> ProviderError {
    let kind = issues.first().map_or(ErrorKind::Failed, Issue::kind);
    let hint = match kind {
        ErrorKind::Capacity { .. } => Some("name more instance types or other zones, or try again later"),
        ErrorKind::Quota { .. } => Some("ask for a higher quota in Service Quotas"),
        ErrorKind::Permission { .. } => {
            Some("check the policies and permissions boundaries of the roles of the cluster")
        }
        _ => None,
    };
    let mut error = ProviderError::new(kind, call, format!("{state}: {}", describe(issues)));
    error.code = issues.first().map(|issue| issue.code.clone());
    error.hint = hint.map(str::to_owned);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch_failure(message: &str) -> Vec<Issue> {
        let issue = NodegroupIssue::builder()
            .code(NodegroupIssueCode::AsgInstanceLaunchFailures)
            .message(message)
            .resource_ids("eks-worker-1")
            .build();
        Issue::of_nodegroups(&[issue])
    }

    #[test]
    fn a_lack_of_machines_is_told_from_a_quota() {
        let error = failure(
            "eks:CreateNodegroup",
            "CREATE_FAILED",
            &launch_failure("Could not launch: InsufficientInstanceCapacity"),
        );
        assert!(matches!(error.kind, ErrorKind::Capacity { .. }), "{error}");
        assert_eq!(error.code.as_deref(), Some("AsgInstanceLaunchFailures"));
        assert!(error.message.contains("(eks-worker-1)"), "{error}");
        let error = failure(
            "eks:CreateNodegroup",
            "CREATE_FAILED",
            &launch_failure("VcpuLimitExceeded - You have requested more"),
        );
        assert!(matches!(error.kind, ErrorKind::Quota { .. }), "{error}");
    }

    #[test]
    fn a_failure_without_reason_says_so() {
        let error = failure("eks:CreateCluster", "FAILED", &[]);
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Failed, "FAILED: no reason was given"));
    }
}
