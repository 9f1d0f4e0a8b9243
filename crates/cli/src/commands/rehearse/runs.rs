//! Many rehearsals with other seeds, each with other faults.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use howso_infra_rehearsal::{Call, Fault, Makespan, Place, PlannedFault, random_faults, random_faults_at};
use serde_json::{Map, Value, json};

use super::{Faults, Performance, Play, REPETITIONS_MAX, Sweep, Swept, WHAT_IT_IS, finding, rehearse};
use crate::arguments::RehearseArguments;
use crate::commands::{Context, block_on};
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::style::{Style, add_line, counted, duration};
use crate::view::{Console, Report};

/// The greatest number of faults in one run.
const FAULTS_MAX: usize = 3;

/// Of so many seeds one is rehearsed twice, and must be the same to the call.
const ONE_OF_SEEDS: u64 = 100;

/// One run of many.
struct Run {
    seed: u64,
    faults: Vec<PlannedFault>,
    performance: Result<Performance, Failure>,
    /// In what it was otherwise when it was rehearsed again.
    difference: Option<String>,
}

impl Run {
    fn is_interrupted(&self) -> bool {
        let done = self.performance.as_ref().map_or_else(Some, |performance| performance.done.as_ref().err());
        matches!(done, Some(Failure::Interrupted | Failure::Abandoned))
    }

    /// Notes in what it was otherwise when it was rehearsed again.
    fn compare(&mut self, again: &Result<Performance, Failure>) {
        self.difference = match (&self.performance, again) {
            (Ok(one), Ok(other)) => difference(one, other),
            (Err(_), Err(_)) => None,
            (Ok(_), Err(failure)) | (Err(failure), Ok(_)) => Some(failure.to_string()),
        };
    }
}

/// In what two rehearsals of the same differ.
fn difference(one: &Performance, other: &Performance) -> Option<String> {
    let name = |call: Option<&Call>| {
        call.map_or_else(|| "nothing".to_owned(), |call| format!("{} at {}", call.name, call.time))
    };
    let count = one.calls.len().max(other.calls.len());
    let (number, first, second) = (0..count)
        .map(|number| (number, one.calls.get(number), other.calls.get(number)))
        .find(|(_, first, second)| first != second)?;
    Some(format!("call {number} is {} the first time and {} the second", name(first), name(second)))
}

/// What a thread has found. Its panic is that of everybody: a run that is lost would count as one without a violation.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Rehearses the command many times: with as many seeds, each with the faults that were named or with some drawn from its seed; or, with
/// one seed, with a fault at each call in turn.
pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    play: &Play<'_>,
    faults: &Faults,
) -> Result<(), Failure> {
    let arguments = play.arguments;
    context.console.note(WHAT_IT_IS);
    let console = Arc::new(Console::silent());
    let silent = Context { console: &console, ..*context };
    let calm = rehearse(&silent, signals, play, arguments.seed, &[]).await?;
    let begin = Instant::now();
    let cases = cases(arguments, faults, &calm.calls);
    calm.done?;
    let expected = Expected { there: calm.there };
    let next = AtomicUsize::new(0);
    let is_compared = faults.sweeps.is_empty();
    let work = || {
        let mut runs = Vec::new();
        while let Some((seed, faults)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let performance = perform(&silent, play, *seed, faults);
            let mut run = Run { seed: *seed, faults: faults.clone(), performance, difference: None };
            if is_compared && seed.is_multiple_of(ONE_OF_SEEDS) && !run.is_interrupted() {
                run.compare(&perform(&silent, play, *seed, faults));
            }
            // Whoever interrupts wants an end to all of them.
            if run.is_interrupted() {
                next.store(cases.len(), Ordering::Relaxed);
            }
            runs.push(run);
        }
        runs
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut runs: Vec<Run> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(joined).collect()
    });
    if runs.iter().any(Run::is_interrupted) {
        return Err(Failure::Interrupted);
    }
    runs.sort_by(|one, other| (one.seed, &one.faults).cmp(&(other.seed, &other.faults)));
    let violation = |run: &Run| {
        let what = expected.violation(run)?;
        let faults = expected.least(&silent, play, run);
        Some(Violation { seed: run.seed, what, faults })
    };
    // Not in this thread, which has a runtime already.
    let violations: Vec<Violation> =
        thread::scope(|scope| joined(scope.spawn(|| runs.iter().filter_map(violation).collect())));
    let wall = begin.elapsed();
    context.console.data(&RunsReport { arguments, runs: &runs, violations: &violations, wall });
    if violations.is_empty() {
        Ok(())
    } else {
        let told = violations.iter().map(|violation| finding(format!("seed {}", violation.seed), &violation.what));
        Err(Failure::Found(told.collect()))
    }
}

/// The seed and the faults of each rehearsal. `calls` are those of one in which nothing goes wrong.
fn cases(arguments: &RehearseArguments, faults: &Faults, calls: &[Call]) -> Vec<(u64, Vec<PlannedFault>)> {
    let changes: Vec<&Call> = calls.iter().filter(|call| call.mutates).collect();
    if faults.sweeps.is_empty() {
        let end = arguments.seed.saturating_add(arguments.runs);
        let faults = |seed| match (faults.drawn, faults.planned.as_slice()) {
            (None, []) => random_faults(seed, changes.len(), FAULTS_MAX),
            (drawn, planned) => {
                let drawn = random_faults_at(seed, calls, drawn.unwrap_or_default());
                planned.iter().cloned().chain(drawn).collect()
            }
        };
        return (arguments.seed..end).map(|seed| (seed, faults(seed))).collect();
    }
    let places = |sweep: &Sweep| match &sweep.calls {
        Swept::Changes => {
            let places = changes.iter().enumerate().filter(|(_, call)| sweep.fault.applies_to(&call.name, true));
            places.map(|(number, _)| Place::MutatingCall(number)).collect()
        }
        Swept::Reads => reads(calls, sweep.fault),
        Swept::Operations => first_and_last(&reads(calls, sweep.fault)),
        Swept::Operation(name) => by_operation(calls, sweep.fault, |call| call.name == *name),
    };
    let of_sweep = |sweep: &Sweep| {
        let fault = sweep.fault;
        places(sweep).into_iter().map(move |place| {
            let planned = faults.planned.iter().cloned().chain([PlannedFault { fault, place }]);
            (arguments.seed, planned.collect())
        })
    };
    faults.sweeps.iter().flat_map(of_sweep).collect()
}

/// Every read to which a fault can happen, by operation.
fn reads(calls: &[Call], fault: Fault) -> Vec<Place> {
    by_operation(calls, fault, |call| !call.mutates)
}

/// Every call of a choice to which a fault can happen, by operation.
fn by_operation(calls: &[Call], fault: Fault, is_chosen: impl Fn(&Call) -> bool) -> Vec<Place> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls.iter().filter(|call| is_chosen(call) && fault.applies_to(&call.name, call.mutates)) {
        *counts.entry(&call.name).or_default() += 1;
    }
    let places = |(name, count): (&str, usize)| {
        (0..count).map(move |number| Place::Operation { name: name.to_owned(), number }).collect::<Vec<_>>()
    };
    counts.into_iter().flat_map(places).collect()
}

/// Of each operation the first call and the last.
fn first_and_last(reads: &[Place]) -> Vec<Place> {
    let mut kept: Vec<Place> = Vec::new();
    for of_operation in reads.chunk_by(|one, other| name(one) == name(other)) {
        kept.extend(of_operation.first().cloned());
        kept.extend(of_operation.last().filter(|_| of_operation.len() > 1).cloned());
    }
    kept
}

fn name(place: &Place) -> &str {
    match place {
        Place::Operation { name, .. } => name,
        Place::MutatingCall(_) | Place::Share(_) => "",
    }
}

/// Rehearses once in this thread.
fn perform(context: &Context<'_>, play: &Play<'_>, seed: u64, faults: &[PlannedFault]) -> Result<Performance, Failure> {
    let mut performance = Err(Failure::Interrupted);
    block_on(async |signals| {
        performance = Box::pin(rehearse(context, signals, play, seed, faults)).await;
        Ok(())
    })?;
    performance
}

/// What a run must come to.
struct Expected {
    there: BTreeMap<&'static str, usize>,
}

impl Expected {
    /// What is wrong with how a run ended.
    fn violation(&self, run: &Run) -> Option<String> {
        let performance = match &run.performance {
            Ok(performance) => performance,
            Err(failure) => return Some(format!("it could not be rehearsed: {failure}")),
        };
        let again = counted(performance.repetitions, "repetition", "repetitions");
        if let Some(difference) = &run.difference {
            return Some(format!("not the same when it is rehearsed again: {difference}"));
        }
        match &performance.done {
            _ if !performance.violations.is_empty() => Some(performance.violations.join(", ")),
            Err(failure) => Some(format!("after {again}: {failure}")),
            Ok(()) if performance.repetitions > REPETITIONS_MAX => Some(format!("done, but only after {again}")),
            Ok(()) if performance.there != self.there => {
                Some(format!("after {again} there is {:?} instead of {:?}", performance.there, self.there))
            }
            Ok(()) => None,
        }
    }

    /// As few of the faults of a run as still make it go wrong.
    fn least(&self, context: &Context<'_>, play: &Play<'_>, run: &Run) -> Vec<PlannedFault> {
        let mut faults = run.faults.clone();
        for fault in &run.faults {
            let fewer: Vec<PlannedFault> = faults.iter().filter(|kept| *kept != fault).cloned().collect();
            let performance = perform(context, play, run.seed, &fewer);
            let mut fewer = Run { seed: run.seed, faults: fewer, performance, difference: None };
            if run.difference.is_some() {
                fewer.compare(&perform(context, play, run.seed, &fewer.faults));
            }
            if self.violation(&fewer).is_some() {
                faults = fewer.faults;
            }
        }
        faults
    }
}

/// A run that went wrong in the end, with the faults that it takes.
struct Violation {
    seed: u64,
    what: String,
    faults: Vec<PlannedFault>,
}

/// What many runs came to.
struct RunsReport<'a> {
    arguments: &'a RehearseArguments,
    runs: &'a [Run],
    violations: &'a [Violation],
    /// How long they took. Real time.
    wall: Duration,
}

impl RunsReport<'_> {
    fn performances(&self) -> impl Iterator<Item = &Performance> {
        self.runs.iter().filter_map(|run| run.performance.as_ref().ok())
    }

    /// How many runs were done after so many repetitions.
    fn by_repetitions(&self) -> BTreeMap<usize, usize> {
        let mut counts = BTreeMap::new();
        for performance in self.performances().filter(|performance| performance.done.is_ok()) {
            *counts.entry(performance.repetitions).or_default() += 1;
        }
        counts
    }

    /// The median, and what 95 of 100 do not exceed.
    fn quantiles(&self, of: impl Fn(&Performance) -> Option<f64>) -> (f64, f64) {
        let mut values: Vec<f64> = self.performances().filter_map(of).collect();
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| values.get((values.len() * percent / 100).min(values.len().saturating_sub(1)));
        (at(50).copied().unwrap_or_default(), at(95).copied().unwrap_or_default())
    }
}

/// How many times the shortest possible time something takes, of runs that were done at once.
fn ratio(of: fn(&Makespan) -> Duration) -> impl Fn(&Performance) -> Option<f64> {
    move |performance| {
        let makespan = performance.makespan.as_ref().filter(|_| performance.repetitions == 0)?;
        Some(of(makespan).as_secs_f64() / makespan.shortest.as_secs_f64())
    }
}

/// Who takes the steps.
struct Scheduler {
    name: &'static str,
    description: &'static str,
    takes: fn(&Makespan) -> Duration,
}

const SCHEDULERS: [Scheduler; 3] = [
    Scheduler { name: "own", description: "as it was", takes: |makespan| makespan.taken },
    Scheduler {
        name: "ten_at_a_time",
        description: "by a walker of graphs, ten steps at a time, looking every 10 s",
        takes: |makespan| makespan.ten_at_a_time,
    },
    Scheduler { name: "in_waves", description: "in waves, looking every 30 s", takes: |makespan| makespan.in_waves },
];

fn calls(performance: &Performance) -> f64 {
    // Far below where a float would lose any of them.
    #[expect(clippy::cast_precision_loss, reason = "there are hundreds")]
    let count = performance.calls.len() as f64;
    count
}

fn seconds(performance: &Performance) -> f64 {
    performance.passed.as_secs_f64()
}

impl Report for RunsReport<'_> {
    fn kind(&self) -> &'static str {
        "rehearsals"
    }

    fn json(&self) -> Value {
        let (calls, seconds) = (self.quantiles(|run| Some(calls(run))), self.quantiles(|run| Some(seconds(run))));
        let violation = |violation: &Violation| {
            let faults: Vec<String> = violation.faults.iter().map(ToString::to_string).collect();
            json!({ "seed": violation.seed, "what": violation.what, "faults": faults })
        };
        json!({
            "command": self.arguments.command.as_str(), "emulated": true, "seed": self.arguments.seed, "runs": self.runs.len(),
            "done_by_repetitions": self.by_repetitions(), "calls": { "p50": calls.0, "p95": calls.1 },
            "virtual_secs": { "p50": seconds.0, "p95": seconds.1 }, "wall_secs": self.wall.as_secs_f64(),
            "times_the_shortest": SCHEDULERS.into_iter().map(|Scheduler { name, takes, .. }| {
                let (p50, p95) = self.quantiles(ratio(takes));
                (name.to_owned(), json!({ "p50": p50, "p95": p95 }))
            }).collect::<Map<String, Value>>(),
            "violations": self.violations.iter().map(violation).collect::<Vec<_>>(),
        })
    }

    fn text(&self, style: Style) -> String {
        let (calls, seconds) = (self.quantiles(|run| Some(calls(run))), self.quantiles(|run| Some(seconds(run))));
        let faults: usize = self.runs.iter().map(|run| run.faults.len()).sum();
        let mut text = format!(
            "{} of {}, with {} planned, in {}\n",
            style.bold(&counted(self.runs.len(), "rehearsal", "rehearsals")),
            self.arguments.command.as_str(),
            counted(faults, "fault", "faults"),
            duration(self.wall.as_secs_f64()),
        );
        for (repetitions, count) in self.by_repetitions() {
            let again = match repetitions {
                0 => "at once".to_owned(),
                some => format!("after the command was given {} more", counted(some, "time", "times")),
            };
            add_line(&mut text, &format!("  {count:>6} done {again}"));
        }
        add_line(&mut text, &format!("  {:>6} not done, or not as a calm one", self.violations.len()));
        add_line(&mut text, &format!("  calls         p50 {:.0}, p95 {:.0}", calls.0, calls.1));
        add_line(&mut text, &format!("  virtual time  p50 {}, p95 {}", duration(seconds.0), duration(seconds.1)));
        if self.performances().any(|performance| ratio(|makespan| makespan.taken)(performance).is_some()) {
            add_line(&mut text, "  steps, in times of what the cloud itself needs (of those that were done at once)");
            for Scheduler { description, takes, .. } in SCHEDULERS {
                let (p50, p95) = self.quantiles(ratio(takes));
                add_line(&mut text, &format!("    p50 {p50:.3}, p95 {p95:.3}  {description}"));
            }
        }
        for violation in self.violations {
            let faults: Vec<String> = violation.faults.iter().map(|fault| format!(" --fault {fault}")).collect();
            add_line(&mut text, &style.red(&format!("  seed {}: {}", violation.seed, violation.what)));
            add_line(
                &mut text,
                &format!("    alone: the same command with --seed {}{}", violation.seed, faults.concat()),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn expected() -> Expected {
        Expected { there: BTreeMap::from([("vpc", 1)]) }
    }

    fn run(done: Result<(), Failure>, repetitions: usize, vpcs: usize) -> Run {
        let there = BTreeMap::from([("vpc", vpcs)]);
        let (calls, violations) = (Vec::new(), Vec::new());
        let performance = Performance {
            done,
            passed: Duration::ZERO,
            cost_max_millidollars: None,
            calls,
            repetitions,
            there,
            throttled: 0,
            violations,
            makespan: None,
            spans: Vec::new(),
        };
        Run { seed: 1, faults: Vec::new(), performance: Ok(performance), difference: None }
    }

    #[test]
    fn a_run_that_ends_like_a_calm_one_is_no_violation() {
        assert_eq!(expected().violation(&run(Ok(()), REPETITIONS_MAX, 1)), None);
    }

    #[test]
    fn a_duplicate_a_failure_and_too_many_repetitions_are_violations() {
        for (done, repetitions, vpcs, says) in [
            (Ok(()), 0, 2, "{\"vpc\": 2} instead of {\"vpc\": 1}"),
            (Ok(()), REPETITIONS_MAX + 1, 1, "only after 4 repetitions"),
            (Err(Failure::NoAccess), 3, 1, "after 3 repetitions: there is no access"),
        ] {
            let found = expected().violation(&run(done, repetitions, vpcs));
            assert!(found.as_ref().is_some_and(|found| found.contains(says)), "{found:?}");
        }
        let impossible = Run { performance: Err(Failure::NoAccess), ..run(Ok(()), 0, 1) };
        assert!(expected().violation(&impossible).is_some_and(|found| found.contains("could not be rehearsed")));
    }

    #[test]
    fn what_is_not_the_same_again_is_a_violation() {
        let at = |second| {
            let time = Timestamp::constant(second, 0);
            let run = run(Ok(()), 0, 1);
            let calls = vec![Call { name: "a:Get".to_owned(), mutates: false, time }];
            Run { performance: run.performance.map(|performance| Performance { calls, ..performance }), ..run }
        };
        let mut same = at(1);
        same.compare(&at(1).performance);
        assert_eq!(expected().violation(&same), None);
        let mut other = at(1);
        other.compare(&at(2).performance);
        assert!(
            expected().violation(&other).is_some_and(|found| found.contains("call 0 is a:Get at 1970-01-01T00:00:01Z"))
        );
    }

    #[test]
    fn reads_are_swept_at_their_first_and_last() {
        let call = |name: &str, mutates| Call { name: name.to_owned(), mutates, time: Timestamp::UNIX_EPOCH };
        let calls = [
            call("a:Get", false),
            call("a:Get", false),
            call("b:List", false),
            call("c:Make", true),
            call("a:Get", false),
        ];
        let place = |name: &str, number| Place::Operation { name: name.to_owned(), number };
        assert_eq!(
            first_and_last(&reads(&calls, Fault::Unavailable)),
            [place("a:Get", 0), place("a:Get", 2), place("b:List", 0)]
        );
    }
}
