//! `rehearse`: the same command against an emulated cloud, in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use howso_infra_rehearsal::{Call, Fault, PlannedFault, Rehearsal};
use serde_json::{Value, json};

use super::{Context, down, plan, up, verify};
use crate::arguments::{
    CANARY_IMAGE, DownArguments, PlanArguments, RehearseArguments, Rehearsed, SpecArguments, Stage, UpArguments,
    VerifyArguments,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings;
use crate::signals::Signals;
use crate::view::Report;
use crate::view::errors::FailureReport;
use crate::view::style::{Style, add_line, counted, duration};

/// How often the same command is given again after something went wrong on purpose.
const REPETITIONS_MAX: usize = 3;

/// What a specification is completed with where nobody says anything: key and value.
const DEFAULTS: [(&str, &str); 3] = [("name", "howso"), ("provider", "eks"), ("region", "us-east-1")];

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    mut arguments: RehearseArguments,
) -> Result<(), Failure> {
    if arguments.fault.iter().any(|fault| fault == "list") {
        context.console.data(&Catalogue);
        return Ok(());
    }
    let faults = faults(&arguments.fault)?;
    let rehearsal = Rehearsal::new(arguments.seed).await.map_err(Failure::Runtime)?;
    complete(context, &mut arguments.spec, &rehearsal)?;
    let registry = rehearsal.registry();
    let stage = Context { registry: &registry, rehearsal: Some(&rehearsal), ..*context };
    context.console.tell_time_of(rehearsal.clock());
    context
        .console
        .note("rehearsal: an emulated AWS in this process, in virtual time; nothing real is asked or changed");
    if arguments.command == Rehearsed::Down {
        // What is to be removed is made before, and nothing goes wrong with that.
        perform(&stage, signals, Rehearsed::Up, &arguments).await?;
    }
    let (calls_before, passed_before) = (rehearsal.emulator().calls().len(), rehearsal.passed());
    for fault in &faults {
        rehearsal.emulator().plan_fault(fault.clone());
    }
    let mut repetitions = 0;
    let done = loop {
        match perform(&stage, signals, arguments.command, &arguments).await {
            Err(failure) if repetitions < REPETITIONS_MAX && !faults.is_empty() && is_resumable(&failure) => {
                context.console.failure(&FailureReport { failure: &failure, resume: None });
                repetitions += 1;
                context.console.note("rehearsal: the same command again, as a user would give it");
            }
            done => break done,
        }
    };
    let calls = rehearsal.emulator().calls().split_off(calls_before);
    let passed = rehearsal.passed().saturating_sub(passed_before);
    // What was refused as it was typed was not rehearsed.
    if !calls.is_empty() {
        let report = RehearsalReport { arguments: &arguments, faults: &faults, passed, calls: &calls, repetitions };
        context.console.say(&report);
    }
    done
}

fn faults(texts: &[String]) -> Result<Vec<PlannedFault>, Failure> {
    let parse = |text: &String| {
        text.parse().map_err(|error: howso_infra_rehearsal::UnknownFault| {
            let hint = format!("accepted: {}; `--fault list` explains them", error.accepted);
            Failure::usage(format!("--fault: {}", error.message), hint)
        })
    };
    texts.iter().map(parse).collect()
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
    arguments: &RehearseArguments,
) -> Result<(), Failure> {
    let (spec, until) = (arguments.spec.clone(), arguments.until);
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
    matches!(Exit::of(failure), Exit::Failed | Exit::Partly | Exit::LeftBehind)
}

/// What can go wrong on purpose.
struct Catalogue;

impl Report for Catalogue {
    fn kind(&self) -> &'static str {
        "faults"
    }

    fn json(&self) -> Value {
        let fault = |fault: Fault| json!({ "name": fault.name(), "meaning": fault.meaning() });
        json!({ "faults": Fault::ALL.map(fault) })
    }

    fn text(&self, _style: Style) -> String {
        let width = Fault::ALL.map(|fault| fault.name().len()).into_iter().max().unwrap_or_default();
        let mut text = String::new();
        for fault in Fault::ALL {
            add_line(&mut text, &format!("{:width$}  {}", fault.name(), fault.meaning()));
        }
        text + "\nFAULT@12                 at the call of this number that changes something\n\
                FAULT@ec2:CreateVpc      at the first call of an operation\n\
                FAULT@ec2:CreateVpc#2    at the second\n"
    }
}

/// What a rehearsal shows beyond what the command itself shows.
struct RehearsalReport<'a> {
    arguments: &'a RehearseArguments,
    faults: &'a [PlannedFault],
    /// In virtual time.
    passed: Duration,
    calls: &'a [Call],
    repetitions: usize,
}

impl RehearsalReport<'_> {
    /// How many calls there were by service, reads and changes apart.
    fn by_service(&self) -> BTreeMap<&str, (usize, usize)> {
        let mut counted = BTreeMap::new();
        for call in self.calls {
            let service = call.name.split(':').next().unwrap_or_default();
            let (reads, changes) = counted.entry(service).or_insert((0, 0));
            *(if call.mutates { changes } else { reads }) += 1;
        }
        counted
    }
}

impl Report for RehearsalReport<'_> {
    fn kind(&self) -> &'static str {
        "rehearsal"
    }

    fn json(&self) -> Value {
        let calls: BTreeMap<&str, Value> = self
            .by_service()
            .into_iter()
            .map(|(service, (reads, changes))| (service, json!({ "reads": reads, "changes": changes })))
            .collect();
        json!({
            "command": self.arguments.command.as_str(), "emulated": true, "seed": self.arguments.seed,
            "virtual_secs": self.passed.as_secs_f64(), "calls": calls, "repetitions": self.repetitions,
            "faults": self.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    fn text(&self, style: Style) -> String {
        let took = duration(self.passed.as_secs_f64());
        let mut text =
            format!("rehearsal of {}: {} of virtual time\n", style.bold(self.arguments.command.as_str()), took);
        let services = self.by_service();
        let (reads, changes) = services.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let calls = counted(reads + changes, "call", "calls");
        let parts: Vec<String> =
            services.iter().map(|(service, (reads, changes))| format!("{service} {reads} + {changes}")).collect();
        add_line(&mut text, &format!("  {calls}: {reads} reads and {changes} changes ({})", parts.join(", ")));
        if !self.faults.is_empty() {
            let names: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
            let again = match self.repetitions {
                0 => "the command was given once".to_owned(),
                some => format!("the command was given {} more", counted(some, "time", "times")),
            };
            add_line(&mut text, &format!("  {} went wrong on purpose; {again}", names.join(", ")));
        }
        text
    }
}
