//! Plans made by hand, for tests of views.

use std::collections::BTreeMap;

use howso_infra::Prepared;
use howso_infra::core::identity::{ClusterIdentity, DeploymentId, Generation};
use howso_infra::core::operation::FieldChange;
use howso_infra::core::plan::{Action, Change, Decision, Direction, PLAN_SCHEMA, Plan, Reason, Step, StepId};
use howso_infra::core::provider::{Cost, Facts};
use howso_infra::core::sizing::{Fit, Machines, PoolMachine, platform, prove};
use howso_infra::core::spec::{ClusterSpec, Layers, embedded_profile, resolve};
use howso_infra::core::{
    Attributes, CreateSafety, ErrorKind, Graph, Latency, Observation, Observed, Ownership, ProviderError, Resource,
    ResourceId, Status, Value,
};

pub(crate) fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

pub(crate) fn error(kind: ErrorKind, message: &str) -> ProviderError {
    ProviderError::new(kind, "toy:Make", message)
}

pub(crate) fn spec() -> ClusterSpec {
    let text = "name = \"demo\"\nprovider = \"toy\"\nregion = \"here\"\nprofile = \"large\"\n";
    let layers = Layers::new().file("howso-infra.toml".into(), text).unwrap();
    let layers = layers.profile("large", None, embedded_profile("large").unwrap()).unwrap();
    resolve(&layers, &BTreeMap::new()).unwrap().spec
}

fn identity() -> ClusterIdentity {
    let deployment = DeploymentId::from_bytes([7; 16]);
    ClusterIdentity { cluster: "demo".to_owned(), deployment, generation: Generation::FIRST }
}

pub(crate) fn plan(direction: Direction, steps: Vec<Step>, report: Vec<Decision>) -> Plan {
    Plan {
        schema: PLAN_SCHEMA,
        direction,
        identity: identity(),
        steps,
        report,
        outputs: BTreeMap::new(),
        spec_digest: "spec".to_owned(),
        observed_digest: "observed".to_owned(),
    }
}

pub(crate) fn decision(resource: &str, change: Change, reason: Reason) -> Decision {
    Decision { resource: id(resource), change, reason, changes: Vec::new(), unverified: Vec::new() }
}

/// A step that deletes, numbered `number`.
pub(crate) fn step(number: u32, resource: &str, median_secs: f64, depends_on: &[u32]) -> Step {
    Step {
        id: StepId(number),
        resource: id(resource),
        action: Action::Delete { physical_id: format!("x-{number}"), attributes: Attributes::new() },
        reason: Reason::Removal,
        depends_on: depends_on.iter().map(|number| StepId(*number)).collect(),
        lane: None,
        create_safety: CreateSafety::Named,
        latency: Latency::new(median_secs, 0.2),
        deadline_secs: 60,
    }
}

fn create(number: u32, resource: &Resource, median_secs: f64, depends_on: &[u32]) -> Step {
    let token = identity().token(&resource.id, "create");
    let action = Action::Create { attributes: resource.attributes.clone(), token, generation: Generation::FIRST };
    let reason = Reason::Missing;
    Step { action, reason, ..step(number, &resource.id.to_string(), median_secs, depends_on) }
}

/// An empty account: a network, a control plane, and two pools beside each other.
pub(crate) fn creation() -> Prepared {
    let network = Resource::new(id("toy/network:main")).with("range", "10.42.0.0/16").with("zones", 3_u32);
    let cluster = Resource::new(id("toy/cluster:main"))
        .with("network", Value::reference(&network.id, "id"))
        .with("summary", "Kubernetes 1.34, private");
    let pool = |name: &str, max: u32| {
        Resource::new(id(name))
            .with("cluster", Value::reference(&cluster.id, "id"))
            .with("max", max)
            .with("labels", Value::text_map([("role", name.rsplit(':').next().unwrap_or_default())]))
            .with("tags", Value::text_map([("team", "ml")]))
            .with("name", "never shown")
            .with("document", "x".repeat(400))
    };
    let pools = [pool("toy/pool:core", 3), pool("toy/pool:worker", 20)];
    let steps = vec![
        create(0, &network, 5.0, &[]),
        create(1, &cluster, 600.0, &[0]),
        create(2, &pools[0], 90.0, &[1]),
        create(3, &pools[1], 90.0, &[1]),
    ];
    let report =
        steps.iter().map(|step| decision(&step.resource.to_string(), Change::Create, Reason::Missing)).collect();
    let facts = Facts {
        values: Attributes::new(),
        explanations: vec!["core: m7i.2xlarge at $0.40/h; next: m6i.2xlarge at $0.41/h".to_owned()],
        warnings: vec!["zone c has no capacity and is left out".to_owned()],
        cost: Some(Cost {
            idle_millidollars_per_hour: 1_340,
            maximum_millidollars_per_hour: 16_700,
            basis: "here, on demand, 2026-07".to_owned(),
        }),
    };
    let [core, worker] = pools;
    Prepared {
        plan: plan(Direction::Up, steps, report),
        facts,
        fit: None,
        observation: Observation::default(),
        graph: Graph::new([network, cluster, core, worker]).unwrap(),
        workloads: Vec::new(),
        titles: BTreeMap::new(),
    }
}

/// Two nodes that hold the services as long as both are there, and a worker pool for trainees up to x-large.
pub(crate) fn fit() -> Fit {
    let machine = || {
        let known = platform::EKS.catalogue.and_then(|known| known.find("m6a.2xlarge")).expect("it is in the table");
        PoolMachine { name: known.name.clone(), nominal: known.nominal(), architecture: known.architecture }
    };
    let mut spec = spec();
    spec.core.nodes = 2;
    let workers = spec.workers.keys().map(|name| (name.clone(), machine())).collect();
    prove(&spec, &Machines { platform: &platform::EKS, core: machine(), workers })
}

/// One of everything that can happen to a resource that exists.
pub(crate) fn changes() -> Prepared {
    let field = |field: &str, from: Option<Value>, to: Value| FieldChange { field: field.to_owned(), from, to };
    let labels = |pairs: &[(&str, &str)]| Value::text_map(pairs.iter().copied());
    let mut updated = decision("toy/pool:worker", Change::Update, Reason::Differs);
    updated.changes = vec![
        field("max", Some(Value::Integer(8)), Value::Integer(20)),
        field("labels", Some(labels(&[("a", "1"), ("b", "2")])), labels(&[("a", "1"), ("c", "3")])),
        field("image", None, Value::text("new")),
    ];
    updated.unverified = vec!["disk".to_owned()];
    let cannot = Reason::CannotChangeInPlace { fields: vec!["zones".to_owned()] };
    let report = vec![
        decision("toy/cluster:main", Change::Wait, Reason::StillPending { state: "UPDATING".to_owned() }),
        decision("toy/network:main", Change::None, Reason::AsWanted),
        decision("toy/pool:core", Change::Replace, cannot),
        updated,
        decision("toy/pool:old", Change::Delete, Reason::NotWanted),
        decision("toy/pool:sick", Change::None, Reason::Degraded { reason: "no capacity".to_owned() }),
        decision(
            "toy/role:node",
            Change::Blocked,
            Reason::Foreign { evidence: "tag owner=somebody".to_owned(), physical_id: "r-1".to_owned() },
        ),
        decision("toy/role:user", Change::Blocked, Reason::DependencyBlocked { dependency: id("toy/role:node") }),
    ];
    let mut observation = Observation::default();
    for name in ["toy/cluster:main", "toy/pool:old", "toy/pool:sick"] {
        observation.insert(id(name), observed(name, Status::Ready));
    }
    let steps = vec![step(0, "toy/pool:old", 60.0, &[]), step(1, "toy/pool:core", 60.0, &[])];
    Prepared {
        plan: plan(Direction::Up, steps, report),
        facts: Facts::default(),
        fit: None,
        observation,
        graph: Graph::new([Resource::new(id("toy/pool:core")).with("zones", 3_u32)]).unwrap(),
        workloads: Vec::new(),
        titles: BTreeMap::new(),
    }
}

pub(crate) fn observed(name: &str, status: Status) -> Observed {
    Observed {
        physical_id: format!("i-{}", name.rsplit(':').next().unwrap_or_default()),
        ownership: Ownership::Ours { deployment: identity().deployment, generation: None },
        status,
        attributes: Attributes::new(),
        outputs: Attributes::new(),
    }
}
