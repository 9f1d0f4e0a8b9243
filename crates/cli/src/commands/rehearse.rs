//! `rehearse`: the same command against an emulated cloud, in virtual time.

mod report;
mod runs;

use std::collections::BTreeMap;
use std::time::Duration;

use howso_infra_rehearsal::{Call, Fault, PlannedFault, Rehearsal, UnknownFault};

use super::{Context, down, plan, up, verify};
use crate::arguments::{
    CANARY_IMAGE, DownArguments, PlanArguments, RehearseArguments, Rehearsed, SpecArguments, Stage, UpArguments,
    VerifyArguments,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings;
use crate::signals::Signals;
use crate::view::errors::FailureReport;
use report::{Catalogue, RehearsalReport};

/// How often the same command is given again after something went wrong on purpose.
const REPETITIONS_MAX: usize = 3;

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
    let faults = Faults::read(&arguments.fault)?;
    if arguments.runs > 1 || !faults.sweeps.is_empty() {
        return runs::run(context, signals, &arguments, &faults).await;
    }
    let faults = faults.planned;
    let performance = rehearse(context, signals, &arguments, arguments.seed, &faults).await?;
    // What was refused as it was typed was not rehearsed.
    if !performance.calls.is_empty() {
        context.console.say(&RehearsalReport { arguments: &arguments, faults: &faults, performance: &performance });
    }
    performance.done
}

/// How a rehearsal went.
struct Performance {
    /// What came of it in the end.
    done: Result<(), Failure>,
    /// In virtual time.
    passed: Duration,
    calls: Vec<Call>,
    /// How often the same command was given again.
    repetitions: usize,
    /// What there is at the end, by kind.
    there: BTreeMap<&'static str, usize>,
}

/// Rehearses the command once, and again as often as a user would.
async fn rehearse(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: &RehearseArguments,
    seed: u64,
    faults: &[PlannedFault],
) -> Result<Performance, Failure> {
    let rehearsal = Rehearsal::new(seed).await.map_err(Failure::Runtime)?;
    let mut spec = arguments.spec.clone();
    complete(context, &mut spec, &rehearsal)?;
    let registry = rehearsal.registry();
    let stage = Context { registry: &registry, rehearsal: Some(&rehearsal), ..*context };
    context.console.tell_time_of(rehearsal.clock());
    context.console.note(WHAT_IT_IS);
    if arguments.command == Rehearsed::Down {
        // What is to be removed is made before, and nothing goes wrong with that.
        perform(&stage, signals, Rehearsed::Up, arguments.until, &spec).await?;
    }
    let (calls_before, passed_before) = (rehearsal.emulator().calls(), rehearsal.passed());
    for fault in faults {
        rehearsal.emulator().plan_fault(fault.clone().after(&calls_before));
    }
    let mut repetitions = 0;
    let done = loop {
        let again = repetitions < REPETITIONS_MAX && !faults.is_empty();
        tokio::select! {
            done = perform(&stage, signals, arguments.command, arguments.until, &spec) => match done {
                Err(failure) if again && is_resumable(&failure) => {
                    context.console.failure(&FailureReport { failure: &failure, resume: None });
                }
                done => break done,
            },
            () = rehearsal.emulator().death() => context.console.note("rehearsal: the program has died"),
        }
        rehearsal.bury().await.map_err(Failure::Runtime)?;
        repetitions += 1;
        context.console.clear();
        context.console.note("rehearsal: the same command again, as a user would give it");
    };
    Ok(Performance {
        done,
        passed: rehearsal.passed().saturating_sub(passed_before),
        calls: rehearsal.emulator().calls().split_off(calls_before.len()),
        repetitions,
        there: rehearsal.emulator().inventory(),
    })
}

/// What is to go wrong.
struct Faults {
    /// In every rehearsal.
    planned: Vec<PlannedFault>,
    /// At each call in turn, one in each rehearsal.
    sweeps: Vec<Sweep>,
}

/// The same fault at each call in turn.
#[derive(Clone, Copy)]
struct Sweep {
    fault: Fault,
    calls: Swept,
}

/// At which calls.
#[derive(Clone, Copy)]
enum Swept {
    /// Those that change something.
    Changes,
    /// The first and the last of each operation that reads.
    Reads,
}

impl Faults {
    fn read(texts: &[String]) -> Result<Self, Failure> {
        let mut faults = Self { planned: Vec::new(), sweeps: Vec::new() };
        for text in texts {
            faults.add(text).map_err(|error| {
                let hint = format!("accepted: {}; `--fault list` explains them", error.accepted);
                Failure::usage(format!("--fault: {}", error.message), hint)
            })?;
        }
        Ok(faults)
    }

    fn add(&mut self, text: &str) -> Result<(), UnknownFault> {
        let swept = [("@every", Swept::Changes), ("@every-read", Swept::Reads)];
        let sweep = swept.into_iter().find_map(|(ending, calls)| Some((text.strip_suffix(ending)?, calls)));
        match sweep {
            Some((fault, calls)) => self.sweeps.push(Sweep { fault: fault.parse()?, calls }),
            None => self.planned.push(text.parse()?),
        }
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
    spec.set.push(format!("eks.address_service={}", rehearsal.address_service()));
    // What is known of other runs, and where a team keeps it, has nothing to do with a rehearsal.
    spec.set.push("journal=local".to_owned());
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
            let arguments = PlanArguments { out: None, detailed_exitcode: false, until, allow_replace: false, spec };
            Box::pin(plan::run(stage, signals, arguments)).await
        }
    }
}

/// Whether a user would simply give the same command again.
fn is_resumable(failure: &Failure) -> bool {
    matches!(Exit::of(failure), Exit::Failed | Exit::Partly | Exit::Credentials | Exit::Quota | Exit::LeftBehind)
}
