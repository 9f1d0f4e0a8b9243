//! The kinds of resources.

use std::time::Duration;

use howso_infra_core::kind::{CallName, Carried, InPlace, Keys};
use howso_infra_core::{CreateSafety, FieldRule, Kind, Latency, Removal};

/// The Docker network in which the nodes reach each other.
pub(crate) const NETWORK: &str = "docker/network";
/// The cluster as k3d makes it: its server, which is the first core node, its load balancer and its registry.
pub(crate) const CLUSTER: &str = "k3d/cluster";
/// An agent: a core node beside the server, or a worker node.
pub(crate) const NODE: &str = "k3d/node";

/// The call that starts what stands still. A node is given its images by the same call, once it runs.
pub(crate) const START: &str = "start";
/// The call that gives the server its images.
pub(crate) const IMPORT: &str = "import";
/// The call that moves the pods of a node elsewhere and takes the node out of the cluster.
pub(crate) const DRAIN: &str = "drain";

/// Long enough for images of a gigabyte over a slow line.
const DEADLINE: Duration = Duration::from_mins(20);

/// Measured with images that are already here (docs/benchmarks.md).
const CLUSTER_LATENCY: Latency = Latency::new(20.0, 0.5);
const NODE_LATENCY: Latency = Latency::new(5.0, 0.6);

const RUNNING: FieldRule = FieldRule::in_place(START);
const STARTED_AFTER_CREATION: FieldRule = FieldRule::after_create(START);
/// Images that are not listed any more stay: pods may run from them.
const IMPORTED_AFTER_CREATION: FieldRule = images_by(IMPORT);
const IMPORTED_ONCE_STARTED: FieldRule = images_by(START);
const EMPTIED_BEFORE_DELETION: FieldRule =
    FieldRule::InPlace(InPlace { before_delete: Some(false), ..InPlace::by(DRAIN) });

const fn images_by(call: CallName) -> FieldRule {
    FieldRule::InPlace(InPlace { keys: Keys::Declared, carried: Carried::AfterCreate, ..InPlace::by(call) })
}

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: NETWORK,
        title: "network",
        create_safety: CreateSafety::Named,
        lane: None,
        fields: &[("name", FieldRule::Immutable)],
        removal: Removal::Call,
        deleted_after: &[CLUSTER, NODE],
        create: Latency::IMMEDIATE,
        update: Latency::IMMEDIATE,
        delete: Latency::IMMEDIATE,
        deadline: Duration::from_mins(1),
    },
    Kind {
        name: CLUSTER,
        title: "cluster",
        create_safety: CreateSafety::Named,
        lane: Some(CLUSTER),
        fields: &[
            ("network", FieldRule::Replace),
            ("image", FieldRule::Replace),
            ("kubernetes_version", FieldRule::Replace),
            ("listen", FieldRule::Replace),
            ("http_port", FieldRule::Replace),
            ("https_port", FieldRule::Replace),
            ("registry", FieldRule::Replace),
            ("labels", FieldRule::Replace),
            ("running", RUNNING),
            ("images", IMPORTED_AFTER_CREATION),
            // What only matters when it is made.
            ("registry_port", FieldRule::Ignore),
            ("registry_image", FieldRule::Ignore),
            ("volumes", FieldRule::Ignore),
            ("reserved", FieldRule::Ignore),
            ("agents", FieldRule::Ignore),
        ],
        removal: Removal::Call,
        deleted_after: &[],
        create: CLUSTER_LATENCY,
        update: CLUSTER_LATENCY,
        delete: NODE_LATENCY,
        deadline: DEADLINE,
    },
    Kind {
        name: NODE,
        title: "node",
        create_safety: CreateSafety::Named,
        lane: None,
        fields: &[
            ("cluster", FieldRule::Replace),
            ("labels", FieldRule::Replace),
            ("taints", FieldRule::Replace),
            ("accepts_pods", EMPTIED_BEFORE_DELETION),
            ("running", STARTED_AFTER_CREATION),
            ("images", IMPORTED_ONCE_STARTED),
            ("reserved", FieldRule::Ignore),
        ],
        removal: Removal::With(CLUSTER),
        deleted_after: &[],
        create: NODE_LATENCY,
        update: NODE_LATENCY,
        delete: Latency::IMMEDIATE,
        deadline: DEADLINE,
    },
];
