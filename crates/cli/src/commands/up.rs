//! `up`: create, change or resume.

use howso_infra::core::plan::{Direction, Plan, Reason};
use howso_infra::core::spec::ClusterSpec;
use howso_infra::{Finished, Goal, Run, interrupt};
use serde_json::{Value, json};

use super::access::{self, Written};
use super::plan::{load, replacement};
use super::platform::Consent;
use super::{Context, autoscale, platform, release, stage};
use crate::arguments::{Stage, UpArguments};
use crate::consent::confirm;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::Report;
use crate::view::findings::FindingsReport;
use crate::view::plan::{PlanReport, replaced};
use crate::view::style::{Style, add_line, counted};

pub(super) async fn run(context: &Context<'_>, signals: &mut Signals, arguments: UpArguments) -> Result<(), Failure> {
    let saved = arguments.plan.as_ref().map(|path| load(path, context.machine)).transpose()?;
    let (spec, session) = context.open(&arguments.spec).await?;
    let until = arguments.until.or_else(|| saved.as_ref().and_then(stage::of_plan));
    // The platform is a matter of its own, after everything else.
    let wants_platform = until == Some(Stage::Platform) && !context.is_rehearsal();
    let until = if wants_platform { Some(Stage::Cluster) } else { until };
    let (session, stage) = stage::settle(until, &spec, session)?;
    let platform = if wants_platform { Some(platform::open(context, signals, &spec, &session).await?) } else { None };
    let allowed = arguments.allow_replace || saved.as_ref().is_some_and(replaces_what_worked);
    let run = signals.or_stop(session.begin(Goal::Up { replacement: replacement(allowed) })).await??;
    let fits = if arguments.autoscale { session.refuse_if_scaled_by_platform(run.prepared()) } else { Ok(()) };
    let agreed = match fits {
        Ok(()) => agree(context, signals, &arguments, &spec, saved.as_ref(), &run).await,
        Err(error) => Err(error.into()),
    };
    if let Err(failure) = agreed {
        release(context, run).await;
        return Err(failure);
    }
    let plan = &run.prepared().plan;
    // Whoever agreed to a cluster for the platform is not asked again when the cluster is there, a quarter of an hour later.
    let consent = if arguments.yes || !plan.steps.is_empty() { Consent::Asked } else { Consent::ToAsk };
    context.expect(plan);
    let (trigger, interrupts) = interrupt::channel();
    let finished = signals.or_tell(&trigger, run.execute(interrupts)).await??;
    let finished = Failure::of_finished(Direction::Up, finished)?;
    let access = match &finished.access {
        // Nobody can use what vanishes with this process.
        _ if context.is_rehearsal() => AccessReport::Rehearsed,
        Some(access) => {
            let path = arguments.kubeconfig.as_deref();
            AccessReport::Written(access::write_own(context.machine, &spec, access, path)?)
        }
        None => AccessReport::NotYet,
    };
    context.console.say(&UpReport { spec: &spec, finished: &finished, access: &access, stage });
    if let Some(platform) = &platform {
        return Box::pin(platform::install(context, signals, &spec, platform, consent)).await;
    }
    if !arguments.autoscale {
        return Ok(());
    }
    Box::pin(autoscale::watch(context, signals, &session, arguments.idle_for)).await
}

/// Shows the plan, checks it, and asks whoever is to be asked.
async fn agree(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: &UpArguments,
    spec: &ClusterSpec,
    saved: Option<&Plan>,
    run: &Run<'_>,
) -> Result<(), Failure> {
    if let Some(saved) = saved {
        refuse_if_outdated(run, saved)?;
    }
    let plan = &run.prepared().plan;
    let will_ask = !arguments.yes && !plan.steps.is_empty();
    context.console.propose(&PlanReport { spec, prepared: run.prepared() }, will_ask);
    if plan.blocked().next().is_some() {
        return Err(Failure::Blocked(Box::new(plan.clone())));
    }
    run.prepared().check_fit()?;
    if !plan.steps.is_empty() {
        check(context, signals, run).await?;
        if will_ask {
            confirm(context.console, context.machine, signals, &question(plan, arguments.until)).await?;
        }
    }
    Ok(())
}

/// A saved plan that was made with `--allow-replace` is carried out with it.
fn replaces_what_worked(plan: &Plan) -> bool {
    plan.report.iter().any(|decision| matches!(decision.reason, Reason::CannotChangeInPlace { .. }))
}

fn refuse_if_outdated(run: &Run<'_>, saved: &Plan) -> Result<(), Failure> {
    run.refuse_if_changed(saved)?;
    // The same wishes and the same cloud give the same decisions, unless what may be replaced was different.
    if run.prepared().plan.report == saved.report {
        return Ok(());
    }
    Err(howso_infra::Error::PlanOutdated { what: "what may be replaced" }.into())
}

/// Looks, by reads alone, whether the plan can succeed.
async fn check(context: &Context<'_>, signals: &mut Signals, run: &Run<'_>) -> Result<(), Failure> {
    let findings = signals.or_stop(run.preflight()).await?;
    if Exit::of_findings(&findings) != Exit::Done {
        return Err(Failure::Unfit(findings));
    }
    let report = FindingsReport { findings: &findings, complete: false };
    if !report.is_silent() {
        context.console.say(&report);
    }
    Ok(())
}

fn question(plan: &Plan, until: Option<Stage>) -> String {
    let replaced = replaced(plan);
    let steps = counted(plan.steps.len(), "step", "steps");
    let steps = if until == Some(Stage::Platform) { format!("{steps}, then install the platform") } else { steps };
    if replaced.is_empty() {
        format!("Carry out {steps}?")
    } else {
        format!("Carry out {steps}, replacing {}?", replaced.join(", "))
    }
}

/// Access to the cluster when `up` has ended.
enum AccessReport {
    /// It was written here.
    Written(Written),
    /// The control plane cannot be used yet.
    NotYet,
    /// There is no cluster.
    Rehearsed,
}

/// How `up` ended well, and what to do next.
struct UpReport<'a> {
    spec: &'a ClusterSpec,
    finished: &'a Finished,
    access: &'a AccessReport,
    stage: Stage,
}

impl Report for UpReport<'_> {
    fn kind(&self) -> &'static str {
        "result"
    }

    fn json(&self) -> Value {
        let written = match self.access {
            AccessReport::Written(written) => Some(written),
            AccessReport::NotYet | AccessReport::Rehearsed => None,
        };
        json!({
            "command": "up", "cluster": self.spec.name, "stage": self.stage.as_str(),
            "counts": self.finished.outcome.counts,
            "kubeconfig": written.map(|written| written.path.as_str()),
            "context": written.map(|written| written.context.as_str()),
        })
    }

    fn text(&self, style: Style) -> String {
        let (name, steps) = (&self.spec.name, self.finished.outcome.counts.settled);
        let done = match steps {
            0 => "is as wanted, nothing was changed".to_owned(),
            some => format!("is as wanted after {}", counted(some, "step", "steps")),
        };
        let mut text =
            format!("{} {} {done} (stage {})\n", style.good(), style.bold(name.as_str()), self.stage.as_str());
        match self.access {
            AccessReport::Written(written) => {
                add_line(&mut text, &format!("  access: {}", written.path));
                add_line(&mut text, &format!("  next:   export KUBECONFIG={} && kubectl get nodes", written.path));
                text += &written.missing_program_line(style);
            }
            AccessReport::NotYet => {
                text += "  access: the control plane cannot be used yet\n";
                text += "  next:   howso-infra kubeconfig, as soon as it can\n";
            }
            AccessReport::Rehearsed => {}
        }
        text
    }
}
