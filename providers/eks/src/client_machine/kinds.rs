//! The kinds of the machine for clients.
//!
//! Durations of instances: nodes of the same kind run 10 to 20 s after they are asked for (latency facts C3); EC2 tells of no bound.

use std::time::Duration;

use howso_infra_core::{CreateSafety, FieldRule, Kind, Latency, Removal};

pub(super) const INSTANCE_PROFILE: &str = "iam/instance-profile";
pub(super) const INSTANCE_PROFILE_ROLE: &str = "iam/instance-profile-role";
pub(super) const SECURITY_GROUP: &str = "ec2/security-group";
pub(crate) const INSTANCE: &str = "ec2/instance";

/// `ModifyInstanceAttribute` of the type, which EC2 allows on a stopped instance only.
pub(crate) const RESIZE: &str = "resize";

/// Update calls.
pub(super) mod call {
    /// `TagInstanceProfile`, `CreateTags`.
    pub(in super::super) const TAG: &str = "tag";
    /// `RevokeSecurityGroupIngress`.
    pub(in super::super) const REVOKE_INGRESS: &str = "revoke-ingress";
    /// `ModifyInstanceAttribute` of the groups.
    pub(in super::super) const SET_GROUPS: &str = "set-groups";
    /// `ModifyInstanceMetadataOptions`.
    pub(in super::super) const SET_METADATA: &str = "set-metadata";
}

const BASE: Kind = Kind {
    name: "",
    title: "",
    create_safety: CreateSafety::Named,
    lane: None,
    fields: &[],
    removal: Removal::Call,
    deleted_after: &[],
    create: Latency::IMMEDIATE,
    update: Latency::IMMEDIATE,
    delete: Latency::IMMEDIATE,
    deadline: Duration::from_mins(5),
};

/// The kinds of the machine for clients.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: INSTANCE_PROFILE,
        title: "instance profile",
        fields: &[("name", FieldRule::Immutable), ("path", FieldRule::Immutable), ("tags", FieldRule::tags(call::TAG))],
        // IAM refuses to delete a profile with a role in it (`DeleteConflict`).
        deleted_after: &[INSTANCE_PROFILE_ROLE, INSTANCE],
        ..BASE
    },
    Kind {
        name: INSTANCE_PROFILE_ROLE,
        title: "role of the instance profile",
        fields: &[("profile_name", FieldRule::Replace), ("role_name", FieldRule::Replace)],
        deleted_after: &[INSTANCE],
        ..BASE
    },
    Kind {
        name: SECURITY_GROUP,
        title: "security group",
        fields: &[
            ("name", FieldRule::Immutable),
            ("description", FieldRule::Immutable),
            ("vpc_id", FieldRule::Immutable),
            // A new group lets nothing in.
            ("ingress", FieldRule::in_place(call::REVOKE_INGRESS)),
            ("tags", FieldRule::tags(call::TAG)),
        ],
        deleted_after: &[INSTANCE],
        ..BASE
    },
    Kind {
        name: INSTANCE,
        title: "client machine",
        create_safety: CreateSafety::Token,
        fields: &[
            ("instance_type", FieldRule::in_place(RESIZE)),
            ("subnet_id", FieldRule::Immutable),
            ("instance_profile_arn", FieldRule::Immutable),
            ("security_group_ids", FieldRule::in_place(call::SET_GROUPS)),
            ("metadata_tokens", FieldRule::in_place(call::SET_METADATA)),
            ("metadata_hop_limit", FieldRule::in_place(call::SET_METADATA)),
            ("tags", FieldRule::tags(call::TAG)),
            // Whoever works on the machine owns what it was made from.
            ("image", FieldRule::Ignore),
            ("user_data", FieldRule::Ignore),
            ("disk_gib", FieldRule::Ignore),
            ("disk_type", FieldRule::Ignore),
            ("disk_encrypted", FieldRule::Ignore),
        ],
        create: Latency::new(12.0, 0.4),
        delete: Latency::new(40.0, 0.4),
        deadline: Duration::from_mins(15),
        ..BASE
    },
];
