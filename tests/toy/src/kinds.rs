//! The kinds of the toy cloud.

use std::time::Duration;

use howso_infra_core::{CreateSafety, FieldRule, Kind, Latency, Removal};

pub(crate) const NETWORK: &str = "toy/network";
pub(crate) const CONTROL_PLANE: &str = "toy/control-plane";
pub(crate) const POOL: &str = "toy/pool";

const DEADLINE: Duration = Duration::from_secs(30);
const SECOND: Latency = Latency::new(1.0, 0.3);

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: NETWORK,
        title: "network",
        create_safety: CreateSafety::TagOnly,
        lane: None,
        fields: &[("range", FieldRule::Immutable), ("tags", FieldRule::tags("tag"))],
        removal: Removal::Call,
        deleted_after: &[CONTROL_PLANE, POOL],
        create: SECOND,
        update: SECOND,
        delete: SECOND,
        deadline: DEADLINE,
    },
    Kind {
        name: CONTROL_PLANE,
        title: "control plane",
        create_safety: CreateSafety::Token,
        lane: Some("toy/control-plane"),
        fields: &[("network", FieldRule::Replace), ("version", FieldRule::in_place("upgrade"))],
        removal: Removal::Call,
        deleted_after: &[POOL],
        create: SECOND,
        update: SECOND,
        delete: SECOND,
        deadline: DEADLINE,
    },
    Kind {
        name: POOL,
        title: "pool",
        create_safety: CreateSafety::Named,
        lane: None,
        fields: &[
            ("control_plane", FieldRule::Replace),
            ("min", FieldRule::in_place("scale")),
            ("max", FieldRule::in_place("scale")),
            ("labels", FieldRule::in_place("label")),
        ],
        removal: Removal::Call,
        deleted_after: &[],
        create: SECOND,
        update: SECOND,
        delete: SECOND,
        deadline: DEADLINE,
    },
];
