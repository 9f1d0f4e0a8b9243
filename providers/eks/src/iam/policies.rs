//! Who may take each role, and what it may do then.
//!
//! Sources: Amazon EKS user guide (node and cluster roles, pod identity), cloud facts 1.2, and the list of the cluster
//! autoscaler (`cluster-autoscaler/cloudprovider/aws/README.md`, full feature set).

use std::collections::BTreeSet;

use howso_infra_core::Value;
use howso_infra_core::spec::ClusterSpec;
use serde_json::{Value as Json, json};

use crate::documents::canonical_policy;

/// A role of this provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoleName {
    /// Taken by the control plane.
    Cluster,
    /// Taken by every node.
    Node,
    /// Taken by the EBS CSI driver.
    EbsCsi,
    /// Taken by the cluster autoscaler.
    Autoscaler,
    /// Taken by the machine for clients.
    Client,
}

/// The name of the autoscaler's inline policy.
pub(super) const AUTOSCALER_POLICY: &str = "scale-node-groups";

/// The policy that lets Systems Manager open shells on a machine.
const SESSION_MANAGER_POLICY: &str = "AmazonSSMManagedInstanceCore";

impl RoleName {
    pub(super) const ALL: [Self; 5] = [Self::Cluster, Self::Node, Self::EbsCsi, Self::Autoscaler, Self::Client];

    /// The name in the graph, and the last part of the name in IAM.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Node => "node",
            Self::EbsCsi => "ebs-csi",
            Self::Autoscaler => "autoscaler",
            Self::Client => "client",
        }
    }

    /// The managed policies that this provider may attach, by their path and name.
    pub(super) fn managed_policies(self, session_manager: bool) -> Vec<&'static str> {
        match self {
            Self::Cluster => vec!["AmazonEKSClusterPolicy"],
            Self::Node => {
                let mut policies =
                    vec!["AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"];
                if session_manager {
                    policies.push(SESSION_MANAGER_POLICY);
                }
                policies
            }
            Self::EbsCsi => vec!["service-role/AmazonEBSCSIDriverPolicyV2"],
            Self::Autoscaler => Vec::new(),
            // It talks to the platform, not to AWS: nothing but shells for people.
            Self::Client => vec![SESSION_MANAGER_POLICY],
        }
    }

    /// Who may take the role.
    pub(super) fn trust_policy(self) -> Value {
        let (service, actions) = match self {
            Self::Cluster => ("eks.amazonaws.com", json!(["sts:AssumeRole", "sts:TagSession"])),
            Self::Node | Self::Client => ("ec2.amazonaws.com", json!("sts:AssumeRole")),
            Self::EbsCsi | Self::Autoscaler => ("pods.eks.amazonaws.com", json!(["sts:AssumeRole", "sts:TagSession"])),
        };
        policy(&json!([{ "Effect": "Allow", "Principal": { "Service": service }, "Action": actions }]))
    }
}

/// The managed policies that this provider may attach to any role of a cluster.
pub(crate) fn managed_policies(spec: &ClusterSpec, session_manager: bool) -> BTreeSet<&'static str> {
    let is_made = |role: &RoleName| *role != RoleName::Client || spec.client.is_some();
    RoleName::ALL.into_iter().filter(is_made).flat_map(|role| role.managed_policies(session_manager)).collect()
}

/// What the cluster autoscaler may do: read everything it plans with, and change only groups of its own cluster.
pub(super) fn autoscaler(cluster: &str) -> Value {
    policy(&json!([
        {
            "Sid": "Read",
            "Effect": "Allow",
            "Action": [
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeAutoScalingInstances",
                "autoscaling:DescribeLaunchConfigurations",
                "autoscaling:DescribeScalingActivities",
                "ec2:DescribeImages",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:GetInstanceTypesFromInstanceRequirements",
                "eks:DescribeNodegroup"
            ],
            "Resource": "*"
        },
        {
            "Sid": "ScaleOwnGroups",
            "Effect": "Allow",
            "Action": ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"],
            "Resource": "*",
            "Condition": {
                "StringEquals": { format!("aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}"): "owned" }
            }
        }
    ]))
}

fn policy(statements: &Json) -> Value {
    canonical_policy(&Value::from_json(&json!({ "Version": "2012-10-17", "Statement": statements })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::to_text;

    #[test]
    fn every_role_trusts_exactly_one_service() {
        for (role, service) in [
            (RoleName::Cluster, "eks.amazonaws.com"),
            (RoleName::Node, "ec2.amazonaws.com"),
            (RoleName::EbsCsi, "pods.eks.amazonaws.com"),
            (RoleName::Autoscaler, "pods.eks.amazonaws.com"),
            (RoleName::Client, "ec2.amazonaws.com"),
        ] {
            let text = to_text(&role.trust_policy());
            assert!(text.contains(&format!(r#""Principal":{{"Service":["{service}"]}}"#)), "{text}");
            assert_eq!(text.contains("sts:TagSession"), service != "ec2.amazonaws.com", "{text}");
        }
    }

    #[test]
    fn the_autoscaler_writes_only_under_the_tag_of_its_cluster() {
        let text = to_text(&autoscaler("demo"));
        let policy: Json = serde_json::from_str(&text).unwrap();
        let is_read = |action: &str| {
            action.split(':').nth(1).is_some_and(|name| name.starts_with("Describe") || name.starts_with("Get"))
        };
        for statement in policy["Statement"].as_array().unwrap() {
            let actions = statement["Action"].as_array().unwrap();
            let reads = actions.iter().all(|action| is_read(action.as_str().unwrap()));
            let condition = &statement["Condition"]["StringEquals"]["aws:ResourceTag/k8s.io/cluster-autoscaler/demo"];
            assert_eq!(reads, condition.is_null(), "{statement}");
            assert!(reads || *condition == json!(["owned"]), "{statement}");
        }
    }
}
