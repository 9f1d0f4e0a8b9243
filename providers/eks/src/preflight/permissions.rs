//! What IAM says about the caller's permissions.

use aws_sdk_iam::types::PolicyEvaluationDecisionType;
use howso_infra_core::{Finding, ProviderError};

use super::{Preflight, good, unreadable, warning};
use crate::pages;

/// What the making of each kind asks for. Names are those of IAM.
const ACTIONS: &[(&str, &[&str])] = &[
    ("ec2/vpc", &["ec2:CreateVpc", "ec2:ModifyVpcAttribute", "ec2:CreateTags"]),
    ("ec2/subnet", &["ec2:CreateSubnet", "ec2:ModifySubnetAttribute"]),
    ("ec2/internet-gateway", &["ec2:CreateInternetGateway"]),
    ("ec2/internet-gateway-attachment", &["ec2:AttachInternetGateway"]),
    ("ec2/elastic-ip", &["ec2:AllocateAddress"]),
    ("ec2/nat-gateway", &["ec2:CreateNatGateway"]),
    ("ec2/route-table", &["ec2:CreateRouteTable"]),
    ("ec2/route", &["ec2:CreateRoute"]),
    ("ec2/route-table-association", &["ec2:AssociateRouteTable"]),
    ("ec2/security-group", &["ec2:CreateSecurityGroup"]),
    ("ec2/instance", &["ec2:RunInstances", "iam:PassRole", "ssm:GetParameters"]),
    ("ec2/launch-template", &["ec2:CreateLaunchTemplate", "ec2:RunInstances"]),
    ("iam/role", &["iam:CreateRole", "iam:TagRole"]),
    ("iam/role-policy-attachment", &["iam:AttachRolePolicy"]),
    ("iam/role-policy", &["iam:PutRolePolicy"]),
    ("iam/instance-profile", &["iam:CreateInstanceProfile", "iam:TagInstanceProfile"]),
    ("iam/instance-profile-role", &["iam:AddRoleToInstanceProfile", "iam:PassRole"]),
    ("eks/cluster", &["eks:CreateCluster", "eks:TagResource", "iam:PassRole"]),
    ("eks/access-entry", &["eks:CreateAccessEntry"]),
    ("eks/access-policy", &["eks:AssociateAccessPolicy"]),
    ("eks/nodegroup", &["eks:CreateNodegroup", "iam:PassRole"]),
    ("eks/addon", &["eks:CreateAddon"]),
    ("eks/pod-identity-association", &["eks:CreatePodIdentityAssociation", "iam:PassRole"]),
    ("autoscaling/tags", &["autoscaling:CreateOrUpdateTags"]),
];

impl Preflight<'_> {
    /// Asks IAM whether the caller may do what the plan does.
    ///
    /// A denial is a warning only: IAM simulates without the tags and conditions of the real calls, under which a policy of
    /// least privilege allows them.
    pub(super) async fn permissions(&self, caller_arn: &str) -> Option<Finding> {
        let subject = "permissions";
        // IAM simulates users and roles; for a session the role is the one that stands behind it.
        let source =
            if caller_arn.contains(":assumed-role/") { self.facts.creator_arn.as_deref()? } else { caller_arn };
        if !source.contains(":user/") && !source.contains(":role/") {
            return None;
        }
        let mut actions: Vec<&str> =
            ACTIONS.iter().filter(|(kind, _)| self.creates(kind) > 0).flat_map(|(_, names)| *names).copied().collect();
        actions.sort_unstable();
        actions.dedup();
        if actions.is_empty() {
            return None;
        }
        Some(match self.denied(source, &actions).await {
            Ok(denied) if denied.is_empty() => good(subject, format!("{} actions are allowed", actions.len())),
            Ok(denied) => {
                let message = format!("IAM does not see a permission without conditions for {}", denied.join(", "));
                warning(subject, message, "allow these actions, unless your policies allow them under conditions")
            }
            Err(error) => unreadable(subject, &error),
        })
    }

    async fn denied(&self, source: &str, actions: &[&str]) -> Result<Vec<String>, ProviderError> {
        let request = self.clients.iam.simulate_principal_policy().policy_source_arn(source);
        let request = request.set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()));
        let results = pages::all(request.into_paginator().items().send(), "iam:SimulatePrincipalPolicy").await?;
        let is_denied = |decision: &PolicyEvaluationDecisionType| *decision != PolicyEvaluationDecisionType::Allowed;
        Ok(results
            .into_iter()
            .filter(|result| is_denied(&result.eval_decision))
            .map(|result| result.eval_action_name)
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KINDS;

    #[test]
    fn every_kind_names_the_actions_of_its_creation() {
        for kind in &KINDS {
            assert!(ACTIONS.iter().any(|(name, actions)| *name == kind.name && !actions.is_empty()), "{}", kind.name);
        }
    }
}
