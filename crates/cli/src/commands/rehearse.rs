//! `rehearse`: the same command against an emulated cloud, in virtual time.

mod page;
mod report;
mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use howso_infra::Goal;
use howso_infra::core::plan::Replacement;
use howso_infra::core::{ErrorKind, Finding, Severity};
use howso_infra_rehearsal::{
    Call, Fault, Makespan, Place, PlannedFault, PolicyDocument, Rehearsal, StepSpan, UnknownFault,
};

use super::{Context, down, plan, up, verify};
use crate::arguments::{
    CANARY_IMAGE, DownArguments, PlanArguments, RehearseArguments, Rehearsed, SpecArguments, Stage, UpArguments,
    VerifyArguments,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings;
use crate::signals::Signals;
use crate::view::Console;
use crate::view::errors::FailureReport;
use report::{Catalogue, RehearsalReport};

/// How often the same command is given again after something went wrong on purpose.
const REPETITIONS_MAX: usize = 3;

const SECS_PER_HOUR: u64 = 3_600;

const WHAT_IT_IS: &str =
    "rehearsal: an emulated AWS in this process, in virtual time; nothing real is asked or changed";

/// What a specification is completed with where nobody says anything: key and value.
const DEFAULTS: [(&str, &str); 3] = [("name", "howso"), ("provider", "eks"), ("region", "us-east-1")];

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: RehearseArguments,
) -> Result<(), Failure> {
    if arguments.fault.iter().any(|fault| fault == "list") {
        context.console.data(&Catalogue);
        return Ok(());
    }
    let play = Play { arguments: &arguments, policies: policies(context, &arguments.policy)? };
    let faults = Faults::read(&arguments.fault)?;
    if arguments.runs > 1 || !faults.sweeps.is_empty() || faults.drawn.is_some_and(|drawn| drawn > 0) {
        if arguments.html.is_some() {
            let hint = "leave out --runs and what makes many of one: FAULT@every… and random";
            return Err(Failure::usage("--html shows one rehearsal, and these are many", hint));
        }
        return runs::run(context, signals, &play, &faults).await;
    }
    let faults = faults.planned;
    let performance = rehearse(context, signals, &play, arguments.seed, &faults).await?;
    // What was refused as it was typed was not rehearsed.
    if !performance.calls.is_empty() {
        context.console.say(&RehearsalReport { arguments: &arguments, faults: &faults, performance: &performance });
    }
    if let Some(path) = &arguments.html {
        let failed = |source| Failure::File { action: "write", path: path.clone(), source };
        let page = page::page(&arguments, &faults, &performance);
        fs::write(context.machine.directory.join(path), page).map_err(failed)?;
    }
    performance.done?;
    let told = |violation: &String| finding(arguments.command.as_str(), violation);
    let violations: Vec<Finding> = performance.violations.iter().map(told).collect();
    if violations.is_empty() { Ok(()) } else { Err(Failure::Found(violations)) }
}

/// What a rehearsal must not come to.
fn finding(subject: impl Into<String>, message: &str) -> Finding {
    Finding {
        severity: Severity::Blocking,
        subject: subject.into(),
        message: message.to_owned(),
        cure: None,
        kind: Some(ErrorKind::Failed),
    }
}

/// What is rehearsed.
struct Play<'a> {
    arguments: &'a RehearseArguments,
    /// What the caller may do; without any, everything.
    policies: Vec<PolicyDocument>,
}

/// Reads the policies in files.
fn policies(context: &Context<'_>, paths: &[Utf8PathBuf]) -> Result<Vec<PolicyDocument>, Failure> {
    let read = |path: &Utf8PathBuf| {
        let failed = |source| Failure::File { action: "read", path: path.clone(), source };
        let text = fs::read_to_string(context.machine.directory.join(path)).map_err(failed)?;
        let hint = "give a JSON document such as `howso-infra plan --policy DIRECTORY` writes";
        text.parse().map_err(|error| Failure::usage(format!("{path} is {error}"), hint))
    };
    paths.iter().map(read).collect()
}

/// How a rehearsal went.
struct Performance {
    /// What came of it in the end.
    done: Result<(), Failure>,
    /// In virtual time.
    passed: Duration,
    /// What it would have cost at most if it had been real, in thousandths of a US dollar; nothing when nobody asked, or when prices are
    /// not known.
    cost_max_millidollars: Option<u64>,
    calls: Vec<Call>,
    /// How often the same command was given again.
    repetitions: usize,
    /// What there is at the end, by kind.
    there: BTreeMap<&'static str, usize>,
    /// How many calls came more often than the services allow.
    throttled: usize,
    /// What must not be and was, after any call or at the end.
    violations: Vec<String>,
    /// How long the last run took beside how long it had to; nothing when it did not come to its end.
    makespan: Option<Makespan>,
    /// The steps of the last run.
    spans: Vec<StepSpan>,
}

impl Performance {
    /// How many calls there were of each operation.
    fn by_operation(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.calls {
            *counts.entry(call.name.as_str()).or_default() += 1;
        }
        counts
    }
}

impl Performance {
    /// Plans `up` once more after everything that counts: what it would cost, and that there is nothing left to do.
    async fn look_once_more(
        &mut self,
        stage: &Context<'_>,
        signals: &mut Signals,
        spec: &SpecArguments,
        command: Rehearsed,
    ) -> Result<(), Failure> {
        let console = Arc::new(Console::silent());
        let stage = Context { console: &console, ..*stage };
        let (spec, session) = stage.open(spec).await?;
        let goal = Goal::Up { replacement: Replacement::Refused };
        let prepared = signals.or_stop(session.until(howso_infra::Stage::Cloud).prepare(goal)).await??;
        let workers: u64 = spec.workers.values().map(|pool| u64::from(pool.max - pool.min)).sum();
        let secs = self.passed.as_secs();
        self.cost_max_millidollars = prepared.facts.cost.map(|cost| {
            let idle = cost.idle_millidollars_per_hour;
            let hourly = idle + cost.maximum_millidollars_per_hour.saturating_sub(idle) / workers.max(1);
            (hourly * secs).div_ceil(SECS_PER_HOUR)
        });
        if command == Rehearsed::Up {
            let left =
                prepared.plan.steps.iter().map(|step| format!("the same plan again would change {}", step.resource));
            self.violations.extend(left);
        }
        Ok(())
    }
}

/// Rehearses the command once, and again as often as a user would.
async fn rehearse(
    context: &Context<'_>,
    signals: &mut Signals,
    play: &Play<'_>,
    seed: u64,
    faults: &[PlannedFault],
) -> Result<Performance, Failure> {
    let arguments = play.arguments;
    let rehearsal = Rehearsal::paced(seed, arguments.speed.pace()).await.map_err(Failure::Runtime)?;
    let mut spec = arguments.spec.clone();
    complete(context, &mut spec, &rehearsal)?;
    let registry = rehearsal.registry();
    let stage = Context { registry: &registry, rehearsal: Some(&rehearsal), ..*context };
    context.console.tell_time_of(rehearsal.clock());
    context.console.note(WHAT_IT_IS);
    if arguments.command == Rehearsed::Down || !arguments.from.is_empty() {
        // What is to be changed or removed is made before, and nothing goes wrong with that.
        let mut before = spec.clone();
        before.set.extend(arguments.from.iter().cloned());
        perform(&stage, signals, Rehearsed::Up, arguments.until, &before).await?;
    }
    if !play.policies.is_empty() {
        rehearsal.emulator().allow_only(play.policies.clone());
    }
    if arguments.command == Rehearsed::Up && arguments.from.is_empty() {
        rehearsal.emulator().keep_protection();
    }
    let (calls_before, passed_before) = (rehearsal.emulator().calls(), rehearsal.passed());
    for fault in faults {
        rehearsal.emulator().plan_fault(fault.clone().after(&calls_before));
    }
    let (mut repetitions, mut deadly) = (0, None);
    let done = loop {
        let again = repetitions < REPETITIONS_MAX && !faults.is_empty();
        tokio::select! {
            biased;
            fault = rehearsal.emulator().death() => {
                context.console.note("rehearsal: the program has died");
                deadly = Some(fault);
            }
            done = perform(&stage, signals, arguments.command, arguments.until, &spec) => match done {
                Err(failure) if again && is_resumable(&failure) => {
                    context.console.failure(&FailureReport { failure: &failure, resume: None });
                }
                done => break done,
            },
        }
        rehearsal.bury().await.map_err(Failure::Runtime)?;
        match deadly.take() {
            Some(Fault::LosesJournal) => rehearsal.lose_journal(),
            Some(Fault::TearsJournal) => rehearsal.tear_journal(),
            _ => Ok(()),
        }
        .map_err(Failure::Runtime)?;
        rehearsal.outlast_lease().await;
        repetitions += 1;
        context.console.clear();
        context.console.note("rehearsal: the same command again, as a user would give it");
    };
    rehearsal.emulator().forget_faults();
    let mut performance = Performance {
        done,
        cost_max_millidollars: None,
        passed: rehearsal.passed().saturating_sub(passed_before),
        calls: rehearsal.emulator().calls().split_off(calls_before.len()),
        repetitions,
        there: rehearsal.emulator().inventory(),
        throttled: rehearsal.emulator().throttled(),
        violations: rehearsal.emulator().broken(),
        makespan: rehearsal.makespan(),
        spans: rehearsal.spans(),
    };
    if performance.done.is_ok() && arguments.command != Rehearsed::Plan {
        performance.look_once_more(&stage, signals, &spec, arguments.command).await?;
    }
    Ok(performance)
}

/// The calls of the whole life of a cluster: made, proved, looked at, removed; each once, as `service:Operation`.
pub(super) async fn calls_of_a_life(
    context: &Context<'_>,
    signals: &mut Signals,
    spec: &SpecArguments,
) -> Result<BTreeSet<String>, Failure> {
    let rehearsal = Rehearsal::new(1).await.map_err(Failure::Runtime)?;
    let mut spec = spec.clone();
    complete(context, &mut spec, &rehearsal)?;
    let registry = rehearsal.registry();
    let console = Arc::new(Console::silent());
    let stage = Context { registry: &registry, rehearsal: Some(&rehearsal), console: &console, ..*context };
    perform(&stage, signals, Rehearsed::Up, None, &spec).await?;
    perform(&stage, signals, Rehearsed::Down, None, &spec).await?;
    Ok(rehearsal.emulator().calls().into_iter().map(|call| call.name).collect())
}

/// What is to go wrong.
struct Faults {
    /// In every rehearsal.
    planned: Vec<PlannedFault>,
    /// At each call in turn, one in each rehearsal.
    sweeps: Vec<Sweep>,
    /// How many are drawn from the seed, over all calls; absent when nothing was said.
    drawn: Option<usize>,
}

/// The same fault at each call in turn.
struct Sweep {
    fault: Fault,
    calls: Swept,
}

/// At which calls.
enum Swept {
    /// Those that change something.
    Changes,
    /// Those that read.
    Reads,
    /// The first and the last of each operation that reads.
    Operations,
    /// Those of one operation, for example `s3:PutObject`.
    Operation(String),
}

impl Faults {
    fn read(texts: &[String]) -> Result<Self, Failure> {
        let mut faults = Self { planned: Vec::new(), sweeps: Vec::new(), drawn: None };
        for text in texts {
            faults.add(text).map_err(|error| {
                let hint = format!("accepted: {}; `--fault list` explains them", error.accepted);
                Failure::usage(format!("--fault: {}", error.message), hint)
            })?;
        }
        Ok(faults)
    }

    fn add(&mut self, text: &str) -> Result<(), UnknownFault> {
        match text {
            "none" => self.drawn = Some(0),
            "random" => self.drawn = Some(self.drawn.unwrap_or_default() + 1),
            text => self.name(text)?,
        }
        Ok(())
    }

    fn name(&mut self, text: &str) -> Result<(), UnknownFault> {
        let Some((fault, operation)) = text.split_once("@every") else {
            self.planned.push(text.parse()?);
            return Ok(());
        };
        let calls = match operation {
            "" => Swept::Changes,
            "-read" => Swept::Reads,
            "-kind-of-read" => Swept::Operations,
            of_one => {
                let name = of_one.strip_prefix('-').ok_or_else(|| PlannedFault::unplaced(text))?;
                // Whatever is right for the first call of an operation is right for all.
                match format!("{fault}@{name}#1").parse()? {
                    PlannedFault { place: Place::Operation { name, .. }, .. } => Swept::Operation(name),
                    PlannedFault { .. } => return Err(PlannedFault::unplaced(text)),
                }
            }
        };
        self.sweeps.push(Sweep { fault: fault.parse()?, calls });
        Ok(())
    }
}

/// Fills in what nobody says, so that a rehearsal needs no file and no flag.
fn complete(context: &Context<'_>, spec: &mut SpecArguments, rehearsal: &Rehearsal) -> Result<(), Failure> {
    let layers = settings::layers(spec, context.machine)?;
    let is_open = |key: &str| !layers.says(key);
    let fields = [&mut spec.name, &mut spec.provider, &mut spec.region];
    for ((key, value), field) in DEFAULTS.into_iter().zip(fields) {
        if is_open(key) {
            *field = Some(value.to_owned());
        }
    }
    let resolved = settings::load(spec, context.machine, context.registry)?;
    rehearsal.provide(&resolved.spec).map_err(Failure::Runtime)?;
    spec.set.push(format!("eks.address_service={}", rehearsal.address_service()));
    Ok(())
}

/// Carries the command out once.
async fn perform(
    stage: &Context<'_>,
    signals: &mut Signals,
    command: Rehearsed,
    until: Option<Stage>,
    spec: &SpecArguments,
) -> Result<(), Failure> {
    let spec = spec.clone();
    match command {
        Rehearsed::Up => {
            let arguments = UpArguments {
                plan: None,
                until,
                yes: true,
                allow_replace: false,
                kubeconfig: None,
                autoscale: false,
                idle_for: Duration::ZERO,
                spec,
            };
            let goes_inside = until.is_none_or(|until| until > Stage::Cloud);
            let spec = arguments.spec.clone();
            Box::pin(up::run(stage, signals, arguments)).await?;
            if !goes_inside {
                return Ok(());
            }
            // What is proved on a real cluster by a command of its own is part of the rehearsal, where it costs nothing.
            let arguments = VerifyArguments { spec, scale: true, image: CANARY_IMAGE.to_owned() };
            Box::pin(verify::run(stage, signals, arguments)).await
        }
        Rehearsed::Down => {
            let (spec_read, _) = stage.open(&spec).await?;
            let arguments = DownArguments { yes: Some(spec_read.name.to_string()), force_workloads: false, spec };
            Box::pin(down::run(stage, signals, arguments)).await
        }
        Rehearsed::Plan => {
            let arguments =
                PlanArguments { out: None, detailed_exitcode: false, until, allow_replace: false, policy: None, spec };
            Box::pin(plan::run(stage, signals, arguments)).await
        }
    }
}

/// Whether a user would simply give the same command again.
fn is_resumable(failure: &Failure) -> bool {
    matches!(Exit::of(failure), Exit::Failed | Exit::Partly | Exit::Credentials | Exit::Quota | Exit::LeftBehind)
}
