//! The kinds of pools.
//!
//! Durations: latency facts C3.

use std::time::Duration;

use howso_infra_core::kind::{InPlace, Progression};
use howso_infra_core::{CreateSafety, FieldRule, Kind, Latency, Removal};

pub(super) const LAUNCH_TEMPLATE: &str = "ec2/launch-template";
pub(crate) const NODEGROUP: &str = "eks/nodegroup";
pub(crate) const AUTOSCALING_TAGS: &str = "autoscaling/tags";

/// Update calls.
pub(super) mod call {
    /// `CreateTags` of a launch template, `TagResource` of a node group.
    pub(in super::super) const TAG: &str = "tag";
    /// `CreateLaunchTemplateVersion`.
    pub(in super::super) const CREATE_VERSION: &str = "create-version";
    /// `UpdateNodegroupVersion`: replaces the nodes, one share after the other, by nodes of another Kubernetes version, of
    /// another version of the launch template, or of both.
    pub(in super::super) const ROLL: &str = "roll";
    /// `UpdateNodegroupConfig`: sizes, labels, taints, how updates and repairs go.
    pub(in super::super) const UPDATE_CONFIG: &str = "update-config";
    /// `CreateOrUpdateTags` of an autoscaling group.
    pub(in super::super) const PUT_TAGS: &str = "put-tags";
    /// `DeleteTags` of an autoscaling group.
    pub(in super::super) const REMOVE_TAGS: &str = "remove-tags";
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

/// The output that changes with a new version of a template.
const LATEST_VERSION: &[&str] = &["latest_version"];

/// A part of the template's data, which only a new version can change and only new nodes get.
const NEW_VERSION: FieldRule =
    FieldRule::InPlace(InPlace { changes_outputs: LATEST_VERSION, ..InPlace::by(call::CREATE_VERSION) });

/// A part of the template's data for which no node is replaced: it gets into the template at once, and onto nodes with the
/// next change that replaces them (decision 0006).
const NEW_VERSION_FOR_LATER: FieldRule =
    FieldRule::InPlace(InPlace { renews_outputs: LATEST_VERSION, ..InPlace::by(call::CREATE_VERSION) });

/// The kinds of pools.
pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: LAUNCH_TEMPLATE,
        title: "launch template",
        fields: &[
            ("name", FieldRule::Immutable),
            ("instance_type", NEW_VERSION),
            ("disk_gib", NEW_VERSION),
            ("disk_type", NEW_VERSION),
            ("disk_encrypted", NEW_VERSION),
            ("metadata_tokens", NEW_VERSION),
            ("metadata_hop_limit", NEW_VERSION),
            ("node_tags", NEW_VERSION_FOR_LATER),
            ("tags", FieldRule::tags(call::TAG)),
        ],
        deleted_after: &[NODEGROUP],
        ..BASE
    },
    Kind {
        name: NODEGROUP,
        title: "node group",
        fields: &[
            ("cluster_arn", FieldRule::Replace),
            ("name", FieldRule::Immutable),
            ("node_role_arn", FieldRule::Replace),
            ("subnet_ids", FieldRule::Replace),
            ("ami_type", FieldRule::Replace),
            ("capacity_type", FieldRule::Replace),
            ("instance_types", FieldRule::Replace),
            ("launch_template_id", FieldRule::Replace),
            (
                "version",
                // Nodes are made anew, so they may skip versions that the control plane went through.
                FieldRule::InPlace(InPlace { progression: Progression::Forward, ..InPlace::by(call::ROLL) }),
            ),
            ("launch_template_version", FieldRule::in_place(call::ROLL)),
            ("min_size", FieldRule::in_place(call::UPDATE_CONFIG)),
            ("max_size", FieldRule::in_place(call::UPDATE_CONFIG)),
            // The cluster autoscaler owns the live size.
            ("desired_size", FieldRule::Ignore),
            ("labels", FieldRule::in_place(call::UPDATE_CONFIG)),
            ("taints", FieldRule::in_place(call::UPDATE_CONFIG)),
            ("update_config", FieldRule::in_place(call::UPDATE_CONFIG)),
            ("node_repair", FieldRule::in_place(call::UPDATE_CONFIG)),
            ("tags", FieldRule::tags(call::TAG)),
        ],
        create: Latency::new(119.0, 0.3),
        update: Latency::new(300.0, 0.6),
        delete: Latency::new(379.0, 0.27),
        // A creation that fails takes up to 33 minutes to say so; a rolling update of twenty nodes takes longer.
        deadline: Duration::from_hours(2),
        ..BASE
    },
    Kind {
        name: AUTOSCALING_TAGS,
        title: "autoscaling tags",
        fields: &[
            ("nodegroup_arn", FieldRule::Replace),
            ("autoscaling_group", FieldRule::Replace),
            (
                "tags",
                FieldRule::InPlace(InPlace { remove_call: Some(call::REMOVE_TAGS), ..InPlace::by(call::PUT_TAGS) }),
            ),
        ],
        removal: Removal::With(NODEGROUP),
        ..BASE
    },
];
