//! The situations that every fault is tried in, and how each goes without faults.

use howso_infra_core::{Attributes, DeploymentId, Generation, Graph, ResourceId, Value};
use howso_infra_engine::{Clock, Moment};

use super::cloud::Thing;
use super::graphs::{first, id, second};
use super::world::{Goal, World, deployment};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// From nothing.
    Build,
    /// From one graph to another, with a duplicate, something pending and something disappearing in between.
    Change,
    /// To nothing.
    Remove,
}

/// How a case goes without faults.
pub(crate) struct Calm {
    /// Boundaries of the command.
    pub(crate) boundaries: usize,
    /// Mutating requests before the command.
    pub(crate) mutations_before: usize,
    /// Mutating requests of the command.
    pub(crate) mutations: usize,
    /// Reads before the command.
    pub(crate) reads_before: usize,
    /// Reads of the command.
    pub(crate) reads: usize,
    /// What is there at the end.
    pub(crate) summary: Vec<String>,
}

impl Case {
    pub(crate) const ALL: [Self; 3] = [Self::Build, Self::Change, Self::Remove];

    pub(crate) fn graph(self) -> Graph {
        match self {
            Self::Build => first(),
            Self::Change => second(),
            Self::Remove => Graph::default(),
        }
    }

    pub(crate) fn goal(self, graph: &Graph) -> Goal<'_> {
        match self {
            Self::Build | Self::Change => Goal::Up(graph),
            Self::Remove => Goal::Down,
        }
    }

    /// Makes what is there before the command. Things of others, which look like ours, are always there.
    pub(crate) async fn prepare(self, world: &World) {
        let other = DeploymentId::from_bytes([0x11; 16]);
        world.cloud.plant(thing(world, &id("pool", "theirs"), "theirs", Some(other)));
        world.cloud.plant(thing(world, &id("pool", "unclaimed"), "unclaimed", None));
        match self {
            Self::Build => {}
            Self::Change | Self::Remove => {
                let ran = world.command(Goal::Up(&first())).await;
                assert!(ran.outcome.is_complete(), "{:?}", ran.outcome.failures);
            }
        }
        if self == Self::Change {
            plant_troubles(world);
        }
    }
}

impl Calm {
    pub(crate) async fn of(case: Case) -> Self {
        let (world, graph) = (World::new(), case.graph());
        case.prepare(&world).await;
        let boundaries_before = world.switch.count();
        let (mutations_before, reads_before) = counts(&world);
        let ran = world.command(case.goal(&graph)).await;
        assert!(ran.outcome.is_complete(), "{:?}", ran.outcome.failures);
        let boundaries = world.switch.count() - boundaries_before;
        let (mutations, reads) = counts(&world);
        assert_eq!(world.check(case.goal(&graph)).await, Ok(()));
        Self {
            boundaries,
            mutations_before,
            mutations: mutations - mutations_before,
            reads_before,
            reads: reads - reads_before,
            summary: world.cloud.summary(),
        }
    }
}

/// The mutating requests and the reads so far.
pub(crate) fn counts(world: &World) -> (usize, usize) {
    let state = world.cloud.lock();
    (state.mutations, state.reads)
}

/// A duplicate subnet, a pool that is about to be usable, and one that is about to be gone.
fn plant_troubles(world: &World) {
    let now = world.clock.now();
    let of = |resource: &ResourceId| {
        let state = world.cloud.lock();
        state.things.values().find(|thing| thing.resource == *resource).unwrap().clone()
    };
    let subnet = of(&id("subnet", "a"));
    world.cloud.plant(Thing { physical_id: "toy/subnet#duplicate".to_owned(), ..subnet });
    let core = of(&id("pool", "core"));
    let attributes = |size: i64| {
        let mut attributes = core.attributes.clone();
        attributes.insert("size".to_owned(), Value::Integer(size));
        attributes
    };
    let soon = now + std::time::Duration::from_secs(45);
    world.cloud.plant(Thing {
        resource: id("pool", "extra"),
        physical_id: "toy/pool#pending".to_owned(),
        attributes: attributes(1),
        busy_until: soon,
        ..core.clone()
    });
    world.cloud.plant(Thing {
        resource: id("pool", "leaving"),
        physical_id: "toy/pool#leaving".to_owned(),
        attributes: attributes(2),
        gone_from: Some(soon),
        ..core.clone()
    });
}

/// A thing that has always been there.
pub(crate) fn thing(world: &World, resource: &ResourceId, name: &str, owner: Option<DeploymentId>) -> Thing {
    Thing {
        resource: resource.clone(),
        physical_id: format!("{}#{name}", resource.kind()),
        deployment: owner,
        generation: Generation::FIRST,
        attributes: Attributes::new(),
        visible_from: Moment::START,
        busy_until: world.clock.now(),
        gone_from: None,
        is_failed: false,
    }
}

/// A thing of this deployment that has always been there.
pub(crate) fn our_thing(world: &World, resource: &ResourceId, name: &str) -> Thing {
    thing(world, resource, name, Some(deployment()))
}
