//! The kinds of IAM.
//!
//! Durations: latency facts C4. A new role is visible to other services some seconds later; whoever uses it retries.

use std::time::Duration;

use howso_infra_core::{CreateSafety, FieldRule, Kind, Latency, Removal};

pub(super) const ROLE: &str = "iam/role";
pub(super) const ROLE_POLICY_ATTACHMENT: &str = "iam/role-policy-attachment";
pub(super) const ROLE_POLICY: &str = "iam/role-policy";

/// Update calls.
pub(super) mod call {
    /// `TagRole`.
    pub(in super::super) const TAG: &str = "tag";
    /// `UpdateAssumeRolePolicy`.
    pub(in super::super) const UPDATE_TRUST_POLICY: &str = "update-trust-policy";
    /// `PutRolePermissionsBoundary`.
    pub(in super::super) const PUT_PERMISSIONS_BOUNDARY: &str = "put-permissions-boundary";
    /// `PutRolePolicy`.
    pub(in super::super) const PUT_POLICY: &str = "put-policy";
}

const DEADLINE: Duration = Duration::from_mins(5);

const fn kind(name: &'static str, title: &'static str, fields: &'static [(&'static str, FieldRule)]) -> Kind {
    Kind {
        name,
        title,
        create_safety: CreateSafety::Named,
        lane: None,
        fields,
        removal: Removal::Call,
        deleted_after: &[],
        create: Latency::IMMEDIATE,
        update: Latency::IMMEDIATE,
        delete: Latency::IMMEDIATE,
        deadline: DEADLINE,
    }
}

/// What uses a role as long as it exists.
const USERS: &[&str] = &["ec2/instance", "eks/cluster", "eks/nodegroup", "eks/pod-identity-association"];

/// The kinds of IAM.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        // IAM refuses to delete a role that still has policies or is in a profile (`DeleteConflict`).
        deleted_after: &[
            ROLE_POLICY_ATTACHMENT,
            ROLE_POLICY,
            "iam/instance-profile-role",
            "eks/cluster",
            "eks/nodegroup",
            "eks/pod-identity-association",
        ],
        ..kind(
            ROLE,
            "role",
            &[
                ("name", FieldRule::Immutable),
                ("path", FieldRule::Replace),
                ("trust_policy", FieldRule::in_place(call::UPDATE_TRUST_POLICY)),
                ("permissions_boundary", FieldRule::in_place(call::PUT_PERMISSIONS_BOUNDARY)),
                ("tags", FieldRule::tags(call::TAG)),
            ],
        )
    },
    Kind {
        deleted_after: USERS,
        ..kind(
            ROLE_POLICY_ATTACHMENT,
            "role policy attachment",
            &[("role_name", FieldRule::Replace), ("policy_arn", FieldRule::Replace)],
        )
    },
    Kind {
        deleted_after: USERS,
        ..kind(
            ROLE_POLICY,
            "role policy",
            &[
                ("role_name", FieldRule::Replace),
                ("policy_name", FieldRule::Replace),
                ("document", FieldRule::in_place(call::PUT_POLICY)),
            ],
        )
    },
];
