//! The kinds of the made-up cloud, and what is wanted of it.

use std::time::Duration;

use howso_infra_core::kind::{CreateSafety, FieldRule, InPlace, Kind, Progression, Removal};
use howso_infra_core::{Graph, Latency, Resource, ResourceId, Value};

const BASE: Kind = Kind {
    name: "toy/base",
    title: "base",
    create_safety: CreateSafety::Named,
    lane: None,
    fields: &[],
    removal: Removal::Call,
    deleted_after: &[],
    create: Latency::IMMEDIATE,
    update: Latency::IMMEDIATE,
    delete: Latency::IMMEDIATE,
    deadline: Duration::from_mins(10),
};

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "toy/network",
        create_safety: CreateSafety::TagOnly,
        fields: &[("range", FieldRule::Immutable), ("resolver", FieldRule::after_create("set-resolver"))],
        deleted_after: &["toy/subnet", "toy/gateway"],
        ..BASE
    },
    Kind {
        name: "toy/subnet",
        create_safety: CreateSafety::TagOnly,
        fields: &[("network", FieldRule::Replace), ("range", FieldRule::Replace)],
        deleted_after: &["toy/gateway"],
        ..BASE
    },
    Kind {
        name: "toy/gateway",
        create_safety: CreateSafety::Token,
        fields: &[("subnet", FieldRule::Replace)],
        create: Latency::new(60.0, 0.3),
        delete: Latency::new(30.0, 0.3),
        ..BASE
    },
    Kind {
        name: "toy/role",
        fields: &[("policy", FieldRule::in_place("set-policy"))],
        deleted_after: &["toy/cluster"],
        ..BASE
    },
    Kind {
        name: "toy/attachment",
        fields: &[("role", FieldRule::Replace)],
        removal: Removal::With("toy/role"),
        ..BASE
    },
    Kind {
        name: "toy/cluster",
        lane: Some("cluster"),
        fields: &[
            ("role", FieldRule::Immutable),
            ("subnets", FieldRule::in_place("set-subnets")),
            (
                "version",
                FieldRule::InPlace(InPlace { progression: Progression::MinorVersions, ..InPlace::by("upgrade") }),
            ),
            ("logging", FieldRule::in_place("set-logging")),
        ],
        deleted_after: &["toy/pool", "toy/addon"],
        create: Latency::new(600.0, 0.15),
        update: Latency::new(300.0, 0.15),
        delete: Latency::new(200.0, 0.15),
        deadline: Duration::from_mins(40),
        ..BASE
    },
    Kind {
        name: "toy/pool",
        fields: &[
            ("cluster", FieldRule::Replace),
            ("size", FieldRule::in_place("scale")),
            ("image", FieldRule::Replace),
        ],
        create: Latency::new(120.0, 0.3),
        update: Latency::new(20.0, 0.3),
        delete: Latency::new(150.0, 0.3),
        deadline: Duration::from_mins(40),
        ..BASE
    },
    Kind {
        name: "toy/addon",
        create_safety: CreateSafety::Token,
        lane: Some("addons"),
        fields: &[("cluster", FieldRule::Replace)],
        create: Latency::new(20.0, 0.3),
        delete: Latency::new(10.0, 0.3),
        ..BASE
    },
];

pub(crate) fn id(kind: &str, name: &str) -> ResourceId {
    ResourceId::new(&format!("toy/{kind}"), name)
}

fn refer(kind: &str, name: &str) -> Value {
    Value::reference(&id(kind, name), "id")
}

fn subnet(name: &str, range: &str) -> Resource {
    Resource::new(id("subnet", name)).with("network", refer("network", "main")).with("range", range)
}

fn pool(name: &str, size: i64, image: &str) -> Resource {
    Resource::new(id("pool", name)).with("cluster", refer("cluster", "main")).with("size", size).with("image", image)
}

fn addon(name: &str) -> Resource {
    Resource::new(id("addon", name)).with("cluster", refer("cluster", "main"))
}

fn cluster(subnets: &[&str], version: &str, logging: bool) -> Resource {
    let subnets = Value::List(subnets.iter().map(|name| refer("subnet", name)).collect());
    Resource::new(id("cluster", "main"))
        .with("role", refer("role", "main"))
        .with("subnets", subnets)
        .with("version", version)
        .with("logging", logging)
        .after(&id("attachment", "main"))
}

fn common(policy: &str) -> Vec<Resource> {
    vec![
        Resource::new(id("network", "main")).with("range", "10.0.0.0/16").with("resolver", true),
        subnet("a", "10.0.1.0/24"),
        Resource::new(id("gateway", "main")).with("subnet", refer("subnet", "a")),
        Resource::new(id("role", "main")).with("policy", policy),
        Resource::new(id("attachment", "main")).with("role", refer("role", "main")),
    ]
}

/// What is wanted first: eleven resources, twelve calls.
pub(crate) fn first() -> Graph {
    let own = [
        subnet("b", "10.0.2.0/24"),
        cluster(&["a", "b"], "1.33", false),
        pool("core", 3, "x"),
        pool("worker", 0, "x"),
        addon("dns"),
        addon("net"),
    ];
    Graph::new(common("read").into_iter().chain(own)).unwrap()
}

/// What is wanted afterwards: every kind of step leads there.
pub(crate) fn second() -> Graph {
    let own = [
        cluster(&["a"], "1.34", true),
        pool("core", 5, "x"),
        pool("worker", 0, "y"),
        pool("extra", 1, "x"),
        addon("dns"),
        addon("log"),
    ];
    Graph::new(common("read-write").into_iter().chain(own)).unwrap()
}
