//! The kinds of the control plane.
//!
//! Durations: latency facts C3 and C4.

use std::time::Duration;

use howso_infra_core::kind::{InPlace, Progression};
use howso_infra_core::{CreateSafety, FieldRule, Kind, Latency, Removal};

pub(crate) const CLUSTER: &str = "eks/cluster";
pub(super) const ACCESS_ENTRY: &str = "eks/access-entry";
pub(super) const ACCESS_POLICY: &str = "eks/access-policy";
pub(super) const ADDON: &str = "eks/addon";
pub(super) const POD_IDENTITY_ASSOCIATION: &str = "eks/pod-identity-association";

/// Update calls. EKS takes one type of update of a cluster at a time, so each is a call of its own.
pub(super) mod call {
    /// `TagResource`.
    pub(in super::super) const TAG: &str = "tag";
    /// `UpdateClusterVersion`.
    pub(in super::super) const UPDATE_VERSION: &str = "update-version";
    /// `UpdateClusterConfig` of the subnets.
    pub(in super::super) const UPDATE_SUBNETS: &str = "update-subnets";
    /// `UpdateClusterConfig` of who reaches the API server.
    pub(in super::super) const UPDATE_ENDPOINT: &str = "update-endpoint";
    /// `UpdateClusterConfig` of the logs.
    pub(in super::super) const UPDATE_LOGGING: &str = "update-logging";
    /// `UpdateClusterConfig` of the protection from deletion.
    pub(in super::super) const UPDATE_DELETION_PROTECTION: &str = "update-deletion-protection";
    /// `UpdateClusterConfig` of the support type.
    pub(in super::super) const UPDATE_SUPPORT_TYPE: &str = "update-support-type";
    /// `UpdateClusterConfig` of the authentication mode.
    pub(in super::super) const UPDATE_AUTHENTICATION_MODE: &str = "update-authentication-mode";
    /// `AssociateEncryptionConfig`.
    pub(in super::super) const ASSOCIATE_ENCRYPTION: &str = "associate-encryption";
    /// `AssociateAccessPolicy`.
    pub(in super::super) const ASSOCIATE_POLICY: &str = "associate-policy";
    /// `UpdateAddon`.
    pub(in super::super) const UPDATE_ADDON: &str = "update-addon";
    /// `UpdatePodIdentityAssociation`.
    pub(in super::super) const UPDATE_ASSOCIATION: &str = "update-association";
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

/// The kinds of the control plane.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: CLUSTER,
        title: "cluster",
        lane: Some(CLUSTER),
        fields: &[
            ("name", FieldRule::Immutable),
            (
                "version",
                FieldRule::InPlace(InPlace {
                    progression: Progression::MinorVersions,
                    ..InPlace::by(call::UPDATE_VERSION)
                }),
            ),
            ("role_arn", FieldRule::Replace),
            ("service_cidr", FieldRule::Replace),
            ("subnet_ids", FieldRule::in_place(call::UPDATE_SUBNETS)),
            ("endpoint_private", FieldRule::in_place(call::UPDATE_ENDPOINT)),
            ("endpoint_public", FieldRule::in_place(call::UPDATE_ENDPOINT)),
            ("public_access_cidrs", FieldRule::in_place(call::UPDATE_ENDPOINT)),
            ("logging", FieldRule::in_place(call::UPDATE_LOGGING)),
            ("authentication_mode", FieldRule::in_place(call::UPDATE_AUTHENTICATION_MODE)),
            ("support_type", FieldRule::in_place(call::UPDATE_SUPPORT_TYPE)),
            ("kms_key_arn", FieldRule::in_place(call::ASSOCIATE_ENCRYPTION)),
            (
                "deletion_protection",
                FieldRule::InPlace(InPlace {
                    before_delete: Some(false),
                    ..InPlace::by(call::UPDATE_DELETION_PROTECTION)
                }),
            ),
            ("tags", FieldRule::tags(call::TAG)),
        ],
        // EKS refuses to delete a cluster that has node groups.
        deleted_after: &["eks/nodegroup", ADDON],
        create: Latency::new(622.0, 0.14),
        update: Latency::new(180.0, 0.6),
        delete: Latency::new(204.0, 0.61),
        deadline: Duration::from_hours(1),
        ..BASE
    },
    Kind {
        name: ACCESS_ENTRY,
        title: "access entry",
        fields: &[
            ("cluster_arn", FieldRule::Replace),
            ("principal_arn", FieldRule::Replace),
            ("type", FieldRule::Replace),
            ("tags", FieldRule::tags(call::TAG)),
        ],
        removal: Removal::With(CLUSTER),
        ..BASE
    },
    Kind {
        name: ACCESS_POLICY,
        title: "access policy",
        fields: &[
            ("cluster_arn", FieldRule::Replace),
            ("principal_arn", FieldRule::Replace),
            ("policy_arn", FieldRule::Replace),
            ("scope", FieldRule::in_place(call::ASSOCIATE_POLICY)),
        ],
        removal: Removal::With(ACCESS_ENTRY),
        ..BASE
    },
    Kind {
        name: ADDON,
        title: "add-on",
        fields: &[
            ("cluster_arn", FieldRule::Replace),
            ("name", FieldRule::Replace),
            ("version", FieldRule::in_place(call::UPDATE_ADDON)),
            ("configuration", FieldRule::in_place(call::UPDATE_ADDON)),
            ("tags", FieldRule::tags(call::TAG)),
        ],
        create: Latency::new(15.0, 0.54),
        update: Latency::new(30.0, 0.6),
        delete: Latency::new(10.0, 0.5),
        // Those with pods of their own are ready only some time after the first nodes.
        deadline: Duration::from_mins(40),
        ..BASE
    },
    Kind {
        name: POD_IDENTITY_ASSOCIATION,
        title: "pod identity association",
        fields: &[
            ("cluster_arn", FieldRule::Replace),
            ("namespace", FieldRule::Replace),
            ("service_account", FieldRule::Replace),
            ("role_arn", FieldRule::in_place(call::UPDATE_ASSOCIATION)),
            ("tags", FieldRule::tags(call::TAG)),
        ],
        removal: Removal::With(CLUSTER),
        ..BASE
    },
];
