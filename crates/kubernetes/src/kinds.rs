//! The kinds of what lives inside a cluster.

use std::time::Duration;

use howso_infra_core::inside::CONTENTS_KIND;
use howso_infra_core::{CreateSafety, FieldRule, Kind, Latency, Removal};

/// The kind of the checks: each passes, or is waited for.
pub const CHECK: &str = "kubernetes/check";

pub(crate) const CLUSTER_ROLE: &str = "kubernetes/cluster-role";
pub(crate) const CLUSTER_ROLE_BINDING: &str = "kubernetes/cluster-role-binding";
pub(crate) const DAEMON_SET: &str = "kubernetes/daemon-set";
pub(crate) const DEPLOYMENT: &str = "kubernetes/deployment";
pub(crate) const NAMESPACE: &str = "kubernetes/namespace";
pub(crate) const POD_DISRUPTION_BUDGET: &str = "kubernetes/pod-disruption-budget";
pub(crate) const PRIORITY_CLASS: &str = "kubernetes/priority-class";
pub(crate) const ROLE: &str = "kubernetes/role";
pub(crate) const ROLE_BINDING: &str = "kubernetes/role-binding";
pub(crate) const SERVICE_ACCOUNT: &str = "kubernetes/service-account";
pub(crate) const STORAGE_CLASS: &str = "kubernetes/storage-class";

/// The name of the one resource that stands for what lives in the cluster.
pub(crate) const CONTENTS_NAME: &str = "main";

/// The call that applies an object.
pub(crate) const APPLY: &str = "apply";

const BY_APPLY: FieldRule = FieldRule::in_place(APPLY);

/// How long to wait for nodes, for the autoscaler's first look, for the metrics of new nodes: minutes on every platform.
const CHECK_DEADLINE: Duration = Duration::from_mins(15);

/// Cloud controllers take minutes to delete a load balancer, and volumes are detached first.
const CONTENTS_DEADLINE: Duration = Duration::from_mins(20);

const OBJECT_DEADLINE: Duration = Duration::from_mins(5);

const fn object(name: &'static str, title: &'static str, fields: &'static [(&'static str, FieldRule)]) -> Kind {
    Kind {
        name,
        title,
        create_safety: CreateSafety::Named,
        lane: None,
        fields,
        removal: Removal::With(CONTENTS_KIND),
        deleted_after: &[],
        create: Latency::IMMEDIATE,
        update: Latency::IMMEDIATE,
        delete: Latency::IMMEDIATE,
        deadline: OBJECT_DEADLINE,
    }
}

/// The rules that hold for every kind of object, and those of its own sections.
macro_rules! fields {
    ($($section:literal: $rule:expr),* $(,)?) => {
        &[
            ("name", FieldRule::Immutable),
            ("namespace", FieldRule::Immutable),
            ("labels", BY_APPLY),
            ("annotations", BY_APPLY),
            $(($section, $rule)),*
        ]
    };
}

/// The table. What cannot change on a living object (the API reference says so of each) is replaced.
static KINDS: [Kind; 13] = [
    Kind {
        removal: Removal::Call,
        create: Latency::new(5.0, 0.8),
        delete: Latency::new(60.0, 0.8),
        deadline: CONTENTS_DEADLINE,
        ..object(CONTENTS_KIND, "contents of the cluster", &[])
    },
    object(NAMESPACE, "namespace", fields! {}),
    object(
        STORAGE_CLASS,
        "storage class",
        fields! {
            "provisioner": FieldRule::Replace,
            "parameters": FieldRule::Replace,
            "reclaimPolicy": FieldRule::Replace,
            "volumeBindingMode": FieldRule::Replace,
            "allowVolumeExpansion": BY_APPLY,
        },
    ),
    object(
        PRIORITY_CLASS,
        "priority class",
        fields! {
            "value": FieldRule::Replace,
            "preemptionPolicy": FieldRule::Replace,
            "description": BY_APPLY,
        },
    ),
    object(SERVICE_ACCOUNT, "service account", fields! {}),
    object(CLUSTER_ROLE, "cluster role", fields! { "rules": BY_APPLY }),
    object(ROLE, "role", fields! { "rules": BY_APPLY }),
    object(
        CLUSTER_ROLE_BINDING,
        "cluster role binding",
        fields! { "roleRef": FieldRule::Replace, "subjects": BY_APPLY },
    ),
    object(ROLE_BINDING, "role binding", fields! { "roleRef": FieldRule::Replace, "subjects": BY_APPLY }),
    object(DAEMON_SET, "daemon set", fields! { "spec": BY_APPLY }),
    object(DEPLOYMENT, "deployment", fields! { "spec": BY_APPLY }),
    object(POD_DISRUPTION_BUDGET, "pod disruption budget", fields! { "spec": BY_APPLY }),
    Kind {
        create: Latency::new(20.0, 1.0),
        deadline: CHECK_DEADLINE,
        ..object(
            CHECK,
            "check",
            &[("groups", FieldRule::Ignore), ("pools", FieldRule::Ignore), ("class", FieldRule::Ignore)],
        )
    },
];

/// Every kind of this backend.
pub(crate) fn table() -> &'static [Kind] {
    &KINDS
}

/// The row of a kind of this backend.
pub(crate) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
