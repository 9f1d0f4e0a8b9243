//! What calls mean to IAM: the actions, and which recorded call shows that each is needed.

/// An action of IAM.
pub(super) struct Action {
    /// As policies write it.
    pub(super) name: &'static str,
    /// The call whose presence in a rehearsal shows that the action is needed: itself, or the one that makes what it changes.
    pub(super) because: &'static str,
}

impl Action {
    /// The service, as policies write it, and for IAM the kind of resources.
    pub(super) fn concerns(&self) -> (&'static str, &'static str) {
        match self.name.split_once(':') {
            Some(("iam", name)) if name.contains("InstanceProfile") => ("iam", "instance-profile"),
            Some(("iam", _)) => ("iam", "role"),
            Some((service, _)) => (service, ""),
            None => (self.name, ""),
        }
    }
}

/// Reads of EKS and IAM that name no cluster and no role, or not only their own.
pub(super) const READ_WITHOUT_RESOURCES: [&str; 4] =
    ["eks:DescribeAddonVersions", "eks:DescribeClusterVersions", "eks:ListClusters", "iam:SimulatePrincipalPolicy"];

/// What makes something in EC2.
pub(super) const MAKE_IN_EC2: &[Action] = &[
    of("ec2:AllocateAddress"),
    of("ec2:CreateInternetGateway"),
    of("ec2:CreateLaunchTemplate"),
    of("ec2:CreateNatGateway"),
    of("ec2:CreateRouteTable"),
    of("ec2:CreateSubnet"),
    of("ec2:CreateVpc"),
];

/// What makes something else but a cluster and a role, and the tags with which it is made.
pub(super) const MAKE_ELSEWHERE: &[Action] = &[
    of("eks:CreateAccessEntry"),
    of("eks:CreateAddon"),
    of("eks:CreateNodegroup"),
    of("eks:CreatePodIdentityAssociation"),
    also("eks:TagResource", "eks:CreateCluster"),
    also("iam:TagRole", "iam:CreateRole"),
];

/// What uses or changes something, or removes what failed while it was made, so that it can be made again.
pub(super) const CHANGE: &[Action] = &[
    of("ec2:AssociateRouteTable"),
    of("ec2:AttachInternetGateway"),
    also("ec2:CreateLaunchTemplateVersion", "ec2:CreateLaunchTemplate"),
    of("ec2:CreateNatGateway"),
    of("ec2:CreateRoute"),
    of("ec2:CreateRouteTable"),
    of("ec2:CreateSubnet"),
    also("ec2:CreateTags", "ec2:CreateLaunchTemplate"),
    also("ec2:DeleteNatGateway", "ec2:CreateNatGateway"),
    also("ec2:ModifySubnetAttribute", "ec2:CreateSubnet"),
    also("ec2:ModifyVpcAttribute", "ec2:CreateVpc"),
    also("ec2:ReplaceRoute", "ec2:CreateRoute"),
    also("ec2:ReplaceRouteTableAssociation", "ec2:AssociateRouteTable"),
    also("eks:AssociateAccessPolicy", "eks:CreateAccessEntry"),
    of("eks:AssociateEncryptionConfig"),
    also("eks:DeleteAddon", "eks:CreateAddon"),
    also("eks:DeleteCluster", "eks:CreateCluster"),
    also("eks:DeleteNodegroup", "eks:CreateNodegroup"),
    also("eks:TagResource", "eks:CreateCluster"),
    also("eks:UpdateAddon", "eks:CreateAddon"),
    also("eks:UpdateClusterConfig", "eks:CreateCluster"),
    also("eks:UpdateClusterVersion", "eks:CreateCluster"),
    also("eks:UpdateNodegroupConfig", "eks:CreateNodegroup"),
    also("eks:UpdateNodegroupVersion", "eks:CreateNodegroup"),
    also("eks:UpdatePodIdentityAssociation", "eks:CreatePodIdentityAssociation"),
    of("iam:PutRolePolicy"),
    also("iam:TagRole", "iam:CreateRole"),
    also("iam:UpdateAssumeRolePolicy", "iam:CreateRole"),
];

/// What makes the machine for clients, in EC2.
pub(super) const MAKE_CLIENT_IN_EC2: &[Action] = &[of("ec2:CreateSecurityGroup"), of("ec2:RunInstances")];

/// What makes its profile.
pub(super) const MAKE_CLIENT_ELSEWHERE: &[Action] =
    &[of("iam:CreateInstanceProfile"), also("iam:TagInstanceProfile", "iam:CreateInstanceProfile")];

/// What it is made with, and what changes it or removes one that failed.
pub(super) const CHANGE_CLIENT: &[Action] = &[
    of("ec2:CreateSecurityGroup"),
    also("ec2:CreateTags", "ec2:RunInstances"),
    also("ec2:ModifyInstanceAttribute", "ec2:RunInstances"),
    also("ec2:ModifyInstanceMetadataOptions", "ec2:RunInstances"),
    also("ec2:RevokeSecurityGroupIngress", "ec2:CreateSecurityGroup"),
    of("ec2:RunInstances"),
    also("ec2:TerminateInstances", "ec2:RunInstances"),
    of("iam:AddRoleToInstanceProfile"),
    also("iam:TagInstanceProfile", "iam:CreateInstanceProfile"),
];

/// What removes something, and takes the protection from what is to be removed.
pub(super) const REMOVE: &[Action] = &[
    also("ec2:DeleteInternetGateway", "ec2:CreateInternetGateway"),
    also("ec2:DeleteLaunchTemplate", "ec2:CreateLaunchTemplate"),
    also("ec2:DeleteNatGateway", "ec2:CreateNatGateway"),
    also("ec2:DeleteRoute", "ec2:CreateRoute"),
    also("ec2:DeleteRouteTable", "ec2:CreateRouteTable"),
    also("ec2:DeleteSecurityGroup", "ec2:CreateSecurityGroup"),
    also("ec2:DeleteSubnet", "ec2:CreateSubnet"),
    also("ec2:DeleteVpc", "ec2:CreateVpc"),
    also("ec2:DetachInternetGateway", "ec2:AttachInternetGateway"),
    also("ec2:DisassociateRouteTable", "ec2:AssociateRouteTable"),
    also("ec2:ReleaseAddress", "ec2:AllocateAddress"),
    also("ec2:TerminateInstances", "ec2:RunInstances"),
    also("eks:DeleteAccessEntry", "eks:CreateAccessEntry"),
    also("eks:DeleteAddon", "eks:CreateAddon"),
    also("eks:DeleteCluster", "eks:CreateCluster"),
    also("eks:DeleteNodegroup", "eks:CreateNodegroup"),
    also("eks:DeletePodIdentityAssociation", "eks:CreatePodIdentityAssociation"),
    also("eks:DisassociateAccessPolicy", "eks:CreateAccessEntry"),
    also("eks:UpdateClusterConfig", "eks:CreateCluster"),
    also("iam:DeleteInstanceProfile", "iam:CreateInstanceProfile"),
    also("iam:DeleteRole", "iam:CreateRole"),
    also("iam:DeleteRolePolicy", "iam:PutRolePolicy"),
    also("iam:DetachRolePolicy", "iam:AttachRolePolicy"),
    also("iam:RemoveRoleFromInstanceProfile", "iam:AddRoleToInstanceProfile"),
];

/// An action that is needed when it is recorded.
const fn of(name: &'static str) -> Action {
    Action { name, because: name }
}

/// An action that is needed when another one is recorded.
const fn also(name: &'static str, because: &'static str) -> Action {
    Action { name, because }
}
