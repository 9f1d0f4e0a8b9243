//! The planner against a small made-up cloud: networks, machines in them, templates and parts of machines.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::identity::{ClusterIdentity, DeploymentId, Generation, digest};
use crate::kind::{CreateSafety, FieldRule, InPlace, Kind, Progression, Removal};
use crate::observation::{Gap, Observation, Observed, Ownership, Status};
use crate::plan::{Action, Change, Kinds, PendingCreate, Plan, PlanInput, Reason, Replacement, plan_down, plan_up};
use crate::value::{Attributes, Value, resolve_all};
use crate::{ErrorKind, Graph, Latency, ProviderError, Resource, ResourceId};

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
    deadline: Duration::from_mins(1),
};

const fn rule(base: FieldRule, change: InPlace) -> FieldRule {
    match base {
        FieldRule::InPlace(_) => FieldRule::InPlace(change),
        other => other,
    }
}

const KINDS: &[Kind] = &[
    Kind {
        name: "toy/network",
        fields: &[
            ("range", FieldRule::Immutable),
            ("resolver", FieldRule::after_create("set-resolver")),
            ("tags", FieldRule::tags("tag")),
        ],
        deleted_after: &["toy/machine"],
        create_safety: CreateSafety::TagOnly,
        ..BASE
    },
    Kind {
        name: "toy/template",
        fields: &[
            (
                "size",
                rule(
                    FieldRule::in_place(""),
                    InPlace { call: "new-version", changes_outputs: &["version"], ..InPlace::by("") },
                ),
            ),
            (
                "motto",
                rule(
                    FieldRule::in_place(""),
                    InPlace { call: "new-version", renews_outputs: &["version"], ..InPlace::by("") },
                ),
            ),
        ],
        deleted_after: &["toy/machine"],
        ..BASE
    },
    Kind {
        name: "toy/machine",
        fields: &[
            ("network", FieldRule::Replace),
            (
                "locked",
                rule(FieldRule::in_place(""), InPlace { call: "lock", before_delete: Some(false), ..InPlace::by("") }),
            ),
            ("template_version", FieldRule::in_place("roll")),
            (
                "engine",
                rule(
                    FieldRule::in_place(""),
                    InPlace { call: "roll", progression: Progression::Forward, ..InPlace::by("") },
                ),
            ),
            ("min", FieldRule::in_place("scale")),
            ("max", FieldRule::in_place("scale")),
            ("live", FieldRule::Ignore),
            (
                "labels",
                rule(
                    FieldRule::in_place(""),
                    InPlace { call: "label", remove_call: Some("unlabel"), ..InPlace::by("") },
                ),
            ),
            (
                "version",
                rule(
                    FieldRule::in_place(""),
                    InPlace { call: "upgrade", progression: Progression::MinorVersions, ..InPlace::by("") },
                ),
            ),
        ],
        ..BASE
    },
    Kind {
        name: "toy/part",
        fields: &[("machine", FieldRule::Replace), ("color", FieldRule::in_place("paint"))],
        removal: Removal::With("toy/machine"),
        ..BASE
    },
];

fn network() -> ResourceId {
    ResourceId::new("toy/network", "main")
}

fn template() -> ResourceId {
    ResourceId::new("toy/template", "main")
}

fn machine(name: &str) -> ResourceId {
    ResourceId::new("toy/machine", name)
}

fn part() -> ResourceId {
    ResourceId::new("toy/part", "lamp")
}

fn wanted() -> Vec<Resource> {
    vec![
        Resource::new(network())
            .with("range", "10.0.0.0/16")
            .with("resolver", true)
            .with("tags", Value::text_map([("team", "ml")])),
        Resource::new(template()).with("size", 4_u32).with("motto", "work"),
        Resource::new(machine("a"))
            .with("network", Value::reference(&network(), "id"))
            .with("template_version", Value::reference(&template(), "version"))
            .with("engine", "1.33")
            .with("min", 0_u32)
            .with("max", 2_u32)
            .with("live", 0_u32)
            .with("labels", Value::text_map([("kind", "worker")]))
            .with("version", "1.33"),
        Resource::new(part()).with("machine", Value::reference(&machine("a"), "id")).with("color", "red"),
    ]
}

fn identity() -> ClusterIdentity {
    ClusterIdentity {
        cluster: "demo".to_owned(),
        deployment: DeploymentId::from_bytes([7; 16]),
        generation: Generation(3),
    }
}

fn ours() -> Ownership {
    Ownership::Ours { deployment: identity().deployment, generation: Some(Generation(2)) }
}

fn set<'a>(resources: &'a mut [Resource], id: &ResourceId) -> &'a mut Attributes {
    &mut resources.iter_mut().find(|resource| resource.id == *id).unwrap().attributes
}

fn see<'a>(observation: &'a mut Observation, id: &ResourceId) -> &'a mut Observed {
    &mut observation.resources.get_mut(id).unwrap()[0]
}

struct World {
    resources: Vec<Resource>,
    observation: Observation,
    pending: BTreeMap<ResourceId, PendingCreate>,
    replacement: Replacement,
}

impl World {
    fn empty() -> Self {
        Self {
            resources: wanted(),
            observation: Observation::default(),
            pending: BTreeMap::new(),
            replacement: Replacement::Refused,
        }
    }

    /// A world in which everything wanted exists.
    fn built() -> Self {
        let mut world = Self::empty();
        world.apply(&world.up());
        world
    }

    fn up(&self) -> Plan {
        let (graph, kinds) = (Graph::new(self.resources.clone()).unwrap(), Kinds::new([KINDS]));
        plan_up(self.input(&graph, &kinds, &identity()))
    }

    fn down(&self) -> Plan {
        let (graph, kinds) = (Graph::default(), Kinds::new([KINDS]));
        plan_down(self.input(&graph, &kinds, &identity()))
    }

    fn input<'a>(&'a self, graph: &'a Graph, kinds: &'a Kinds, identity: &'a ClusterIdentity) -> PlanInput<'a> {
        PlanInput {
            graph,
            kinds,
            observation: &self.observation,
            identity,
            pending: &self.pending,
            replacement: self.replacement,
        }
    }

    /// Performs a plan's steps in an order that its dependencies allow, as a faultless cloud would.
    fn apply(&mut self, plan: &Plan) {
        let mut outputs = plan.outputs.clone();
        let mut open: Vec<_> = plan.steps.iter().collect();
        while !open.is_empty() {
            let ready = open
                .iter()
                .position(|step| !open.iter().any(|other| step.depends_on.contains(&other.id)))
                .expect("the steps of a plan have no cycle");
            let step = open.remove(ready);
            let resolve = |attributes: &Attributes| {
                resolve_all(attributes, &|reference| outputs.get(&reference.resource)?.get(&reference.output).cloned())
            };
            match &step.action {
                Action::Create { attributes, .. } => {
                    let physical_id = format!("{}-{}", step.resource.name(), step.id.0);
                    let made = Attributes::from([
                        ("id".to_owned(), Value::text(physical_id.clone())),
                        ("version".to_owned(), Value::Integer(1)),
                    ]);
                    let mut attributes = resolve(attributes);
                    assert!(
                        attributes.values().all(|value| !value.has_references()),
                        "{} is not resolved",
                        step.resource
                    );
                    attributes.retain(|field, _| field != "resolver");
                    outputs.insert(step.resource.clone(), made.clone());
                    let observed =
                        Observed { physical_id, ownership: ours(), status: Status::Ready, attributes, outputs: made };
                    self.observation.insert(step.resource.clone(), observed);
                }
                Action::Update { call, changes, .. } => {
                    for change in changes {
                        let to = resolve(&Attributes::from([("to".to_owned(), change.to.clone())]))["to"].clone();
                        see(&mut self.observation, &step.resource).attributes.insert(change.field.clone(), to);
                    }
                    if call == "new-version" {
                        let next = Value::Integer(2);
                        outputs.get_mut(&step.resource).unwrap().insert("version".to_owned(), next.clone());
                        see(&mut self.observation, &step.resource).outputs.insert("version".to_owned(), next);
                    }
                }
                Action::Delete { physical_id, .. } | Action::AwaitGone { physical_id, .. } => {
                    self.observation
                        .resources
                        .get_mut(&step.resource)
                        .unwrap()
                        .retain(|it| it.physical_id != *physical_id);
                    // What is a part of it goes with it.
                    if step.resource.kind() == "toy/machine" {
                        self.observation.resources.remove(&part());
                    }
                }
                Action::AwaitReady { .. } => see(&mut self.observation, &step.resource).status = Status::Ready,
            }
        }
        self.observation.resources.retain(|_, found| !found.is_empty());
    }

    /// Plans, applies, and asserts that nothing is left to do.
    fn converge(&mut self) -> Plan {
        let plan = self.up();
        self.apply(&plan);
        let again = self.up();
        assert!(again.is_empty(), "a second plan changes something: {:#?}", again.steps);
        plan
    }
}

/// The steps as `verb resource call`, in the order of the plan.
fn summary(plan: &Plan) -> Vec<String> {
    let line = |step: &crate::Step| match &step.action {
        Action::Create { .. } => format!("create {}", step.resource),
        Action::Update { call, .. } => format!("{call} {}", step.resource),
        Action::Delete { .. } => format!("delete {}", step.resource),
        Action::AwaitReady { .. } => format!("await {}", step.resource),
        Action::AwaitGone { .. } => format!("await end of {}", step.resource),
    };
    plan.steps.iter().map(line).collect()
}

fn reason<'a>(plan: &'a Plan, id: &ResourceId) -> &'a Reason {
    &plan.report.iter().find(|decision| decision.resource == *id).unwrap().reason
}

/// Whether the step described first waits for the one described second, directly or through others.
fn waits_for(plan: &Plan, step: &str, other: &str) -> bool {
    let steps = summary(plan);
    let place = |wanted: &str| steps.iter().position(|line| line == wanted).unwrap();
    let (mut open, target) = (vec![place(step)], place(other));
    while let Some(next) = open.pop() {
        if next == target {
            return true;
        }
        open.extend(plan.steps[next].depends_on.iter().map(|id| id.0 as usize));
    }
    false
}

#[test]
fn an_empty_account_gets_everything_in_order() {
    let plan = World::empty().converge();
    assert_eq!(
        summary(&plan),
        [
            "create toy/network:main",
            "set-resolver toy/network:main",
            "create toy/template:main",
            "create toy/machine:a",
            "create toy/part:lamp",
        ]
    );
    assert!(waits_for(&plan, "create toy/machine:a", "set-resolver toy/network:main"));
    assert!(waits_for(&plan, "create toy/part:lamp", "create toy/machine:a"));
}

#[test]
fn what_is_as_wanted_hands_on_what_it_waits_for() {
    let mut world = World::built();
    see(&mut world.observation, &network()).attributes.insert("resolver".to_owned(), Value::Bool(false));
    world.observation.resources.remove(&part());
    let plan = world.converge();
    assert_eq!(summary(&plan), ["set-resolver toy/network:main", "create toy/part:lamp"]);
    assert!(waits_for(&plan, "create toy/part:lamp", "set-resolver toy/network:main"), "by way of the machine");
}

#[test]
fn an_interrupted_creation_gets_what_the_create_call_could_not_carry() {
    let mut world = World::built();
    see(&mut world.observation, &network()).attributes.insert("resolver".to_owned(), Value::Bool(false));
    assert_eq!(summary(&world.converge()), ["set-resolver toy/network:main"]);
}

#[test]
fn fields_of_one_call_change_together_and_the_live_size_is_left_alone() {
    let mut world = World::built();
    let attributes = set(&mut world.resources, &machine("a"));
    attributes.insert("min".to_owned(), Value::Integer(1));
    attributes.insert("max".to_owned(), Value::Integer(9));
    see(&mut world.observation, &machine("a")).attributes.insert("live".to_owned(), Value::Integer(5));
    let plan = world.converge();
    assert_eq!(summary(&plan), ["scale toy/machine:a"]);
    assert_eq!(plan.count(Change::Update), 1);
}

#[test]
fn labels_are_added_and_removed_by_their_own_calls() {
    let mut world = World::built();
    set(&mut world.resources, &machine("a")).insert("labels".to_owned(), Value::text_map([("role", "worker")]));
    assert_eq!(summary(&world.converge()), ["label toy/machine:a", "unlabel toy/machine:a"]);
}

#[test]
fn tags_of_others_are_no_difference() {
    let mut world = World::built();
    let tags = Value::text_map([("team", "ml"), ("cost-center", "42")]);
    see(&mut world.observation, &network()).attributes.insert("tags".to_owned(), tags);
    assert!(world.up().is_empty());
}

#[test]
fn versions_move_one_minor_at_a_time_and_never_back() {
    let mut world = World::built();
    let mut refused = |version: &str| {
        set(&mut world.resources, &machine("a")).insert("version".to_owned(), Value::text(version));
        let plan = world.up();
        assert_eq!(summary(&plan), Vec::<String>::new());
        assert_eq!(plan.count(Change::Blocked), 2, "the machine and its part");
        reason(&plan, &machine("a")).clone()
    };
    let (from, next) = ("1.33".to_owned(), "1.34".to_owned());
    let skips = |to: &str| Reason::VersionSkips { from: from.clone(), to: to.to_owned(), next: next.clone() };
    assert_eq!(refused("1.35"), skips("1.35"));
    assert_eq!(refused("2.0"), skips("2.0"));
    assert_eq!(refused("1.32"), Reason::VersionGoesBack { from: from.clone(), to: "1.32".to_owned() });
    set(&mut world.resources, &machine("a")).insert("version".to_owned(), Value::text("1.34"));
    assert_eq!(summary(&world.converge()), ["upgrade toy/machine:a"]);
}

#[test]
fn a_version_that_only_moves_forward_may_skip_others() {
    let mut world = World::built();
    set(&mut world.resources, &machine("a")).insert("engine".to_owned(), Value::text("1.36"));
    assert_eq!(summary(&world.converge()), ["roll toy/machine:a"]);
    set(&mut world.resources, &machine("a")).insert("engine".to_owned(), Value::text("1.35"));
    let back = Reason::VersionGoesBack { from: "1.36".to_owned(), to: "1.35".to_owned() };
    assert_eq!(*reason(&world.up(), &machine("a")), back);
}

#[test]
fn a_changed_output_changes_whoever_refers_to_it() {
    let mut world = World::built();
    set(&mut world.resources, &template()).insert("size".to_owned(), Value::Integer(8));
    let plan = world.converge();
    assert_eq!(summary(&plan), ["new-version toy/template:main", "roll toy/machine:a"]);
    assert_eq!(*reason(&plan, &machine("a")), Reason::ReferenceChanges);
    assert_eq!(see(&mut world.observation, &machine("a")).attributes["template_version"], Value::Integer(2));
}

#[test]
fn a_renewed_output_changes_nobody_but_goes_along_with_what_changes_anyway() {
    let mut world = World::built();
    set(&mut world.resources, &template()).insert("motto".to_owned(), Value::text("rest"));
    let plan = world.up();
    assert_eq!(summary(&plan), ["new-version toy/template:main"]);
    assert_eq!(*reason(&plan, &machine("a")), Reason::AsWanted);

    set(&mut world.resources, &machine("a")).insert("engine".to_owned(), Value::text("1.34"));
    let plan = world.up();
    assert_eq!(summary(&plan), ["new-version toy/template:main", "roll toy/machine:a"]);
    let roll = plan.steps.iter().find(|step| step.resource == machine("a")).unwrap();
    let Action::Update { changes, attributes, .. } = &roll.action else { panic!("{roll:?}") };
    assert_eq!(changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>(), ["engine"]);
    assert_eq!(attributes["template_version"], Value::reference(&template(), "version"));
    assert!(waits_for(&plan, "roll toy/machine:a", "new-version toy/template:main"));
}

#[test]
fn fields_of_one_call_change_every_output_that_one_of_them_changes() {
    let mut world = World::built();
    let wanted = set(&mut world.resources, &template());
    wanted.insert("size".to_owned(), Value::Integer(8));
    wanted.insert("motto".to_owned(), Value::text("rest"));
    assert_eq!(summary(&world.converge()), ["new-version toy/template:main", "roll toy/machine:a"]);
}

#[test]
fn a_field_that_the_cloud_does_not_report_is_no_difference_and_is_named() {
    let mut world = World::built();
    see(&mut world.observation, &machine("a")).attributes.remove("max");
    let plan = world.up();
    assert!(plan.is_empty());
    let decision = plan.report.iter().find(|decision| decision.resource == machine("a")).unwrap();
    assert_eq!(decision.unverified, ["max"]);
}

#[test]
fn replacing_needs_permission_and_takes_parts_along() {
    let mut world = World::built();
    see(&mut world.observation, &machine("a")).attributes.insert("network".to_owned(), Value::text("elsewhere"));
    let refused = world.up();
    assert!(matches!(reason(&refused, &machine("a")), Reason::ReplacementNotAllowed { .. }));
    assert!(matches!(reason(&refused, &part()), Reason::DependencyBlocked { .. }));
    assert_eq!(summary(&refused), Vec::<String>::new());
    world.replacement = Replacement::Allowed;
    let plan = world.converge();
    assert_eq!(summary(&plan), ["delete toy/machine:a", "create toy/machine:a", "create toy/part:lamp"]);
    assert_eq!(*reason(&plan, &part()), Reason::ParentReplaced { parent: machine("a") });
}

#[test]
fn an_immutable_field_blocks() {
    let mut world = World::built();
    set(&mut world.resources, &network()).insert("range".to_owned(), Value::text("10.9.0.0/16"));
    let plan = world.up();
    assert_eq!(*reason(&plan, &network()), Reason::ImmutableField { field: "range".to_owned() });
    assert!(plan.steps.is_empty() && !plan.is_empty());
}

#[test]
fn a_failed_creation_is_replaced_without_permission() {
    let mut world = World::built();
    see(&mut world.observation, &machine("a")).status = Status::Failed { reason: "no capacity".to_owned() };
    let plan = world.converge();
    assert_eq!(summary(&plan), ["delete toy/machine:a", "create toy/machine:a", "create toy/part:lamp"]);
}

#[test]
fn what_is_on_its_way_is_waited_for() {
    let mut world = World::built();
    see(&mut world.observation, &machine("a")).status = Status::Pending { state: "CREATING".to_owned() };
    world.observation.resources.remove(&part());
    let plan = world.converge();
    assert_eq!(summary(&plan), ["await toy/machine:a", "create toy/part:lamp"]);
    assert!(waits_for(&plan, "create toy/part:lamp", "await toy/machine:a"));
    see(&mut world.observation, &machine("a")).status = Status::Deleting;
    assert_eq!(
        summary(&world.converge()),
        ["await end of toy/machine:a", "create toy/machine:a", "create toy/part:lamp"]
    );
}

#[test]
fn strangers_on_our_names_block_and_are_never_touched() {
    for ownership in [Ownership::Unclaimed, Ownership::Foreign { evidence: "tag owner=somebody".to_owned() }] {
        let mut world = World::built();
        see(&mut world.observation, &machine("a")).ownership = ownership;
        let plan = world.up();
        assert!(matches!(reason(&plan, &machine("a")), Reason::Foreign { .. }));
        assert!(plan.steps.is_empty());
        let down = world.down();
        assert!(!summary(&down).contains(&"delete toy/machine:a".to_owned()));
    }
}

#[test]
fn nothing_is_concluded_about_a_kind_that_could_not_be_read() {
    let gap = Gap {
        kinds: vec!["toy/machine".to_owned()],
        error: ProviderError::new(ErrorKind::Transient, "toy:List", "no answer"),
    };
    let mut world = World::empty();
    world.observation.gaps.push(gap.clone());
    let plan = world.up();
    assert!(!summary(&plan).iter().any(|line| line.contains("machine") || line.contains("part")));
    assert!(matches!(reason(&plan, &machine("a")), Reason::Gap { .. }));
    let mut world = World::built();
    world.observation.gaps.push(gap);
    let down = world.down();
    assert!(!summary(&down).iter().any(|line| line.contains("machine")));
    assert!(matches!(reason(&down, &machine("a")), Reason::Gap { .. }));
    world.observation.resources.remove(&machine("a"));
    assert!(world.down().blocked().next().is_some(), "a blind spot must be reported even when nothing was seen");
}

#[test]
fn of_duplicates_the_one_in_use_is_kept() {
    let mut world = World::built();
    let mut duplicate = see(&mut world.observation, &network()).clone();
    duplicate.physical_id = "a-first-by-name".to_owned();
    world.observation.insert(network(), duplicate);
    let plan = world.converge();
    assert_eq!(summary(&plan), ["delete toy/network:main"]);
    let kept = &world.observation.resources[&network()][0].physical_id;
    assert_eq!(kept, world.observation.resources[&machine("a")][0].attributes["network"].as_text().unwrap());
}

#[test]
fn what_is_no_longer_wanted_goes_after_its_last_user_has_moved() {
    let mut world = World::built();
    let other = ResourceId::new("toy/template", "other");
    world.resources.push(Resource::new(other.clone()).with("size", 4_u32));
    world.converge();
    // The machine is told to use something that is about to disappear.
    let physical_id = see(&mut world.observation, &other).physical_id.clone();
    see(&mut world.observation, &machine("a"))
        .attributes
        .insert("template_version".to_owned(), Value::text(physical_id));
    world.resources.retain(|resource| resource.id != other);
    let plan = world.converge();
    assert_eq!(summary(&plan), ["roll toy/machine:a", "delete toy/template:other"]);
    assert!(waits_for(&plan, "delete toy/template:other", "roll toy/machine:a"));
}

#[test]
fn removal_takes_parts_with_their_whole_and_keeps_the_order() {
    let mut world = World::built();
    let plan = world.down();
    assert_eq!(summary(&plan), ["delete toy/machine:a", "delete toy/network:main", "delete toy/template:main"]);
    assert!(waits_for(&plan, "delete toy/network:main", "delete toy/machine:a"));
    assert!(waits_for(&plan, "delete toy/template:main", "delete toy/machine:a"));
    assert!(matches!(reason(&plan, &part()), Reason::GoesWith { .. }));
    world.apply(&plan);
    assert!(world.observation.resources.is_empty());
    assert!(world.down().is_empty());
}

#[test]
fn a_part_whose_whole_stays_has_its_own_deletion() {
    let mut world = World::built();
    world.resources.retain(|resource| resource.id != part());
    assert_eq!(summary(&world.converge()), ["delete toy/part:lamp"]);
}

#[test]
fn a_lost_create_call_is_sent_again_as_it_was() {
    let mut world = World::empty();
    let attributes = world.resources[1].attributes.clone();
    let pending = PendingCreate {
        token: identity().token(&template(), "earlier"),
        generation: Generation(2),
        attributes_digest: digest(&attributes),
    };
    world.pending.insert(template(), pending.clone());
    let plan = world.up();
    let step = plan.steps.iter().find(|step| step.resource == template()).unwrap();
    assert_eq!(step.action, Action::Create { attributes, token: pending.token, generation: Generation(2) });
    assert_eq!(step.reason, Reason::AnswerLost);
    set(&mut world.resources, &template()).insert("size".to_owned(), Value::Integer(5));
    let changed = world.up();
    let step = changed.steps.iter().find(|step| step.resource == template()).unwrap();
    assert!(matches!(step.action, Action::Create { generation: Generation(3), .. }));
}

#[test]
fn a_plan_survives_being_stored() {
    let plan = World::empty().up();
    let stored = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&stored).unwrap(), plan);
}

#[test]
fn the_expected_duration_is_the_longest_path() {
    let plan = World::empty().up();
    // network, its resolver, machine, part: four seconds one after the other; the template stands beside them.
    assert!((plan.expected_secs() - 4.0).abs() < 1e-9, "{}", plan.expected_secs());
}

#[test]
fn a_protected_resource_loses_its_protection_before_it_is_deleted() {
    let mut world = World::built();
    see(&mut world.observation, &machine("a")).attributes.insert("locked".to_owned(), Value::Bool(true));
    let plan = world.down();
    let of_machine = |action: fn(&Action) -> bool| {
        plan.steps
            .iter()
            .find(|step| step.resource == machine("a") && action(&step.action))
            .expect("the step is planned")
    };
    let unlock = of_machine(|action| matches!(action, Action::Update { call, .. } if call == "lock"));
    let delete = of_machine(|action| matches!(action, Action::Delete { .. }));
    assert!(delete.depends_on.contains(&unlock.id));
    let decision = plan.report.iter().find(|decision| decision.resource == machine("a")).unwrap();
    assert_eq!(decision.changes[0].field, "locked");
    world.apply(&plan);
    assert!(world.down().is_empty());
}

#[test]
fn a_protection_that_is_off_or_not_reported_takes_no_step() {
    let mut world = World::built();
    let steps = world.down().steps.len();
    see(&mut world.observation, &machine("a")).attributes.insert("locked".to_owned(), Value::Bool(false));
    assert_eq!(world.down().steps.len(), steps);
}

#[test]
fn what_has_failed_is_protected_by_nothing() {
    let mut world = World::built();
    let steps = world.down().steps.len();
    let machine = see(&mut world.observation, &machine("a"));
    machine.attributes.insert("locked".to_owned(), Value::Bool(true));
    machine.status = Status::Failed { reason: "broken".to_owned() };
    assert_eq!(world.down().steps.len(), steps);
}
