//! How long a run took, beside how long it had to take and how long others would have taken for the same.

use std::collections::BTreeMap;
use std::time::Duration;

use howso_infra::core::identity::RESOURCE_TAG;
use howso_infra::core::{Lane, OperationVerb, Plan, ResourceId, Step, StepId};
use howso_infra::engine::Event;
use howso_infra_emulator::Transition;
use jiff::Timestamp;

/// A run in virtual time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Makespan {
    /// From its first step to its last.
    pub taken: Duration,
    /// The longest path through the plan by what the cloud itself needed, or the longest lane: nobody who looks only from outside can
    /// be faster.
    pub shortest: Duration,
    /// That path, the first step first. Those that take no time are left out.
    pub critical_path: Vec<(ResourceId, Duration)>,
    /// The same steps as whoever makes stacks would take them: in waves, looking every 30 s.
    pub in_waves: Duration,
    /// The same steps as whoever walks a graph would take them: ten at a time, looking every 10 s.
    pub ten_at_a_time: Duration,
}

/// How often stacks are looked at (latency facts, C5: eksctl).
const WAVES_LOOK_EVERY: Duration = Duration::from_secs(30);

/// How often a graph walker looks, and how much it does at once (latency facts, C5 and C6: Terraform).
const GRAPH_LOOKS_EVERY: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 10;

/// A step as it went.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSpan {
    /// The resource.
    pub resource: ResourceId,
    /// What was done to it.
    pub verb: OperationVerb,
    /// When it began, from the beginning of the run.
    pub begin: Duration,
    /// When it was done or had failed; absent when it was neither.
    pub end: Option<Duration>,
    /// When a look showed that it was still under way.
    pub looks: Vec<Duration>,
    /// Why it failed.
    pub failure: Option<String>,
}

/// What is noted of a run while it goes on.
#[derive(Default)]
pub(crate) struct Course {
    /// In the order in which they began.
    spans: Vec<(StepId, StepSpan)>,
    begin: Option<Timestamp>,
    steps: Vec<Step>,
    /// How long each step had been under way when a look showed that it still was.
    still_open: BTreeMap<StepId, Duration>,
    taken: Option<Duration>,
}

impl Course {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self { steps: plan.steps.clone(), ..Self::default() }
    }

    pub(crate) fn note(&mut self, event: &Event, now: Timestamp) {
        let time = now.duration_since(*self.begin.get_or_insert(now)).unsigned_abs();
        match event {
            Event::StepStarted { step, resource, verb, .. } => {
                let (resource, verb, begin) = (resource.clone(), *verb, time);
                let span = StepSpan { resource, verb, begin, end: None, looks: Vec::new(), failure: None };
                self.spans.push((*step, span));
            }
            Event::Progress { step, elapsed_secs, .. } => {
                self.still_open.insert(*step, Duration::from_secs_f64(*elapsed_secs));
                self.span(*step, |span| span.looks.push(time));
            }
            Event::StepSettled { step, .. } => self.span(*step, |span| span.end = Some(time)),
            Event::StepFailed { step, error, .. } => self.span(*step, |span| {
                span.end = Some(time);
                span.failure = Some(error.to_string());
            }),
            Event::RunFinished { counts, elapsed_secs } if counts.settled == self.steps.len() => {
                self.taken = Some(Duration::from_secs_f64(*elapsed_secs));
            }
            _ => {}
        }
    }

    fn span(&mut self, step: StepId, change: impl FnOnce(&mut StepSpan)) {
        if let Some((_, span)) = self.spans.iter_mut().rfind(|(id, _)| *id == step) {
            change(span);
        }
    }

    /// The steps that began, in that order.
    pub(crate) fn spans(&self) -> Vec<StepSpan> {
        self.spans.iter().map(|(_, span)| span.clone()).collect()
    }

    /// What came of it; nothing when it did not come to its end.
    pub(crate) fn makespan(&self, transitions: &[Transition]) -> Option<Makespan> {
        let tasks: Vec<Task<'_>> = self.steps.iter().map(|step| self.task(step, transitions)).collect();
        let (shortest, critical_path) = critical_path(&tasks);
        Some(Makespan {
            taken: self.taken?,
            shortest: shortest.max(longest_lane(&tasks)),
            critical_path,
            in_waves: in_waves(&tasks, WAVES_LOOK_EVERY),
            ten_at_a_time: at_once(&tasks, AT_ONCE, GRAPH_LOOKS_EVERY),
        })
    }

    /// What the cloud needed for a step; where it does not say, what it needed at least.
    fn task<'a>(&self, step: &'a Step, transitions: &[Transition]) -> Task<'a> {
        let resource = step.resource.to_string();
        let mut own = transitions.iter().filter(|transition| transition.tags.get(RESOURCE_TAG) == Some(&resource));
        // Of a creation and a later removal only the last is this step's.
        let needed = own.next_back().map(|transition| {
            // What an earlier run asked for has been under way for a while.
            let begin = self.begin.map_or(transition.begin, |begin| begin.max(transition.begin));
            transition.end.max(begin).duration_since(begin).unsigned_abs()
        });
        let needed = needed.or_else(|| self.still_open.get(&step.id).copied()).unwrap_or_default();
        Task { step, needed }
    }
}

/// A step with the time that it needs.
struct Task<'a> {
    step: &'a Step,
    needed: Duration,
}

fn critical_path(tasks: &[Task<'_>]) -> (Duration, Vec<(ResourceId, Duration)>) {
    let mut ends: BTreeMap<StepId, (Duration, Vec<(ResourceId, Duration)>)> = BTreeMap::new();
    let mut open: Vec<&Task<'_>> = tasks.iter().collect();
    while !open.is_empty() {
        let count = open.len();
        open.retain(|task| {
            let before: Option<Vec<_>> = task.step.depends_on.iter().map(|id| ends.get(id)).collect();
            let Some(before) = before else { return true };
            let (mut end, mut path) = before.into_iter().max_by_key(|(end, _)| *end).cloned().unwrap_or_default();
            if !task.needed.is_zero() {
                end += task.needed;
                path.push((task.step.resource.clone(), task.needed));
            }
            ends.insert(task.step.id, (end, path));
            false
        });
        // A plan has no circles; what waits for a step of another plan waits for nothing here.
        if open.len() == count {
            break;
        }
    }
    ends.into_values().max_by_key(|(end, _)| *end).unwrap_or_default()
}

fn longest_lane(tasks: &[Task<'_>]) -> Duration {
    let mut lanes: BTreeMap<&Lane, Duration> = BTreeMap::new();
    for task in tasks {
        if let Some(lane) = &task.step.lane {
            *lanes.entry(lane).or_default() += task.needed;
        }
    }
    lanes.into_values().max().unwrap_or_default()
}

/// When whoever looks at fixed times sees that something is done.
fn seen(needed: Duration, every: Duration) -> Duration {
    let looks = needed.as_nanos().div_ceil(every.as_nanos());
    // Hours at the most.
    every * u32::try_from(looks).unwrap_or(u32::MAX)
}

/// All that can be done is done together, and the next wave begins when all of it is done.
fn in_waves(tasks: &[Task<'_>], every: Duration) -> Duration {
    let mut done: Vec<StepId> = Vec::new();
    let mut total = Duration::ZERO;
    loop {
        let is_next =
            |task: &&Task<'_>| !done.contains(&task.step.id) && task.step.depends_on.iter().all(|id| done.contains(id));
        let wave: Vec<&Task<'_>> = tasks.iter().filter(is_next).collect();
        if wave.is_empty() {
            return total;
        }
        total += wave.iter().map(|task| seen(task.needed, every)).max().unwrap_or_default();
        done.extend(wave.iter().map(|task| task.step.id));
    }
}

/// So many at once, each as soon as all that it depends on is done.
fn at_once(tasks: &[Task<'_>], count: usize, every: Duration) -> Duration {
    let (mut done, mut running): (Vec<StepId>, Vec<(Duration, &Task<'_>)>) = (Vec::new(), Vec::new());
    let mut now = Duration::ZERO;
    loop {
        for task in tasks {
            let step = task.step;
            let is_begun = done.contains(&step.id) || running.iter().any(|(_, other)| other.step.id == step.id);
            let has_lane = step.lane.is_none() || running.iter().all(|(_, other)| other.step.lane != step.lane);
            if running.len() < count && !is_begun && has_lane && step.depends_on.iter().all(|id| done.contains(id)) {
                running.push((now + seen(task.needed, every), task));
            }
        }
        let Some(next) = running.iter().map(|(end, _)| *end).min() else { return now };
        now = next;
        done.extend(running.extract_if(.., |(end, _)| *end <= now).map(|(_, task)| task.step.id));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use howso_infra::core::plan::Action;
    use howso_infra::core::{Attributes, CreateSafety, Latency, Reason};
    use howso_infra::engine::Counts;

    use super::*;

    fn step(number: u32, name: &str, depends_on: &[u32], lane: Option<&str>) -> Step {
        Step {
            id: StepId(number),
            resource: ResourceId::new("eks/nodegroup", name),
            action: Action::Delete { physical_id: name.to_owned(), attributes: Attributes::new() },
            reason: Reason::Missing,
            depends_on: depends_on.iter().copied().map(StepId).collect::<BTreeSet<_>>(),
            lane: lane.map(|lane| Lane(lane.to_owned())),
            create_safety: CreateSafety::Named,
            latency: Latency::IMMEDIATE,
            deadline_secs: 60,
        }
    }

    fn tasks(steps: &[(Step, u64)]) -> Vec<Task<'_>> {
        steps.iter().map(|(step, secs)| Task { step, needed: Duration::from_secs(*secs) }).collect()
    }

    /// A control plane of 610 s, then two node groups of 100 and 95 s, beside something of 31 s.
    fn plan() -> Vec<(Step, u64)> {
        vec![
            (step(0, "plane", &[], None), 610),
            (step(1, "a", &[0], Some("groups")), 100),
            (step(2, "b", &[0], Some("groups")), 95),
            (step(3, "beside", &[], None), 31),
        ]
    }

    #[test]
    fn the_longest_path_decides_unless_a_lane_does() {
        let plan = plan();
        let (end, path) = critical_path(&tasks(&plan));
        let names: Vec<&str> = path.iter().map(|(resource, _)| resource.name()).collect();
        assert_eq!((end.as_secs(), names), (710, vec!["plane", "a"]));
        assert_eq!(longest_lane(&tasks(&plan)).as_secs(), 195);
    }

    #[test]
    fn others_see_what_is_done_when_they_look_next() {
        let plan = plan();
        // 630 s until the plane is seen, then both groups in a wave of 120 s.
        assert_eq!(in_waves(&tasks(&plan), Duration::from_secs(30)).as_secs(), 630 + 120);
        // One group after the other, for they share a lane.
        assert_eq!(at_once(&tasks(&plan), 10, Duration::from_secs(10)).as_secs(), 610 + 100 + 100);
        // One step at a time: what is beside comes between.
        assert_eq!(at_once(&tasks(&plan), 1, Duration::from_secs(10)).as_secs(), 610 + 100 + 100 + 40);
    }

    #[test]
    fn a_run_that_did_not_come_to_its_end_has_no_makespan() {
        let steps: Vec<Step> = plan().into_iter().map(|(step, _)| step).collect();
        let mut course = Course { steps, ..Course::default() };
        let elapsed_secs = 720.0;
        let counts = |settled| Counts { total: 4, settled, ..Counts::default() };
        course.note(&Event::RunFinished { counts: counts(3), elapsed_secs }, Timestamp::UNIX_EPOCH);
        assert_eq!(course.makespan(&[]), None);
        course.note(&Event::RunFinished { counts: counts(4), elapsed_secs }, Timestamp::UNIX_EPOCH);
        assert_eq!(course.makespan(&[]).map(|makespan| makespan.taken.as_secs()), Some(720));
    }

    #[test]
    fn what_an_earlier_run_asked_for_needs_only_the_rest() {
        let second = |second| Timestamp::constant(second, 0);
        let steps: Vec<Step> = plan().into_iter().take(1).map(|(step, _)| step).collect();
        let mut course = Course { steps, ..Course::default() };
        let elapsed_secs = 15.0;
        let counts = Counts { total: 1, settled: 1, ..Counts::default() };
        course.note(&Event::RunStarted { steps: 1, expected_secs: 600.0 }, second(90));
        course.note(&Event::RunFinished { counts, elapsed_secs }, second(105));
        let tags = BTreeMap::from([(RESOURCE_TAG.to_owned(), "eks/nodegroup:plane".to_owned())]);
        let transition = Transition { tags, begin: second(0), end: second(100) };
        let makespan = course.makespan(&[transition]);
        assert_eq!(makespan.map(|makespan| makespan.shortest.as_secs()), Some(10));
    }
}
