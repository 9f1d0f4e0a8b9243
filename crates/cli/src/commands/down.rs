//! `down`: remove everything that was made.

use howso_infra::core::inside::CONTENTS_KIND;
use howso_infra::core::plan::Direction;
use howso_infra::core::spec::ClusterSpec;
use howso_infra::{Finished, Goal, Run, Session, Stage, Workload, interrupt};
use serde_json::{Value, json};

use super::{Context, access, release};
use crate::arguments::DownArguments;
use crate::consent::{confirm, confirm_name};
use crate::failure::{Failure, still_run};
use crate::signals::Signals;
use crate::view::Report;
use crate::view::errors::workload_lines;
use crate::view::plan::PlanReport;
use crate::view::style::{Style, counted};

pub(super) async fn run(context: &Context<'_>, signals: &mut Signals, arguments: DownArguments) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    if let Some(name) = arguments.yes.as_ref().filter(|name| *name != spec.name.as_str()) {
        let message = format!("--yes names the cluster `{name}`, but this is about `{}`", spec.name);
        return Err(Failure::usage(message, format!("say --name {name}, or --yes {}", spec.name)));
    }
    let session = reachable(context, signals, &arguments, session).await?;
    let run = signals.or_stop(session.begin(Goal::Down)).await??;
    if let Err(failure) = agree(context, signals, &arguments, &spec, &run).await {
        release(context, run).await;
        return Err(failure);
    }
    // Once it is gone, nothing tells any more which entries of a kubeconfig led to it; whoever cannot be told finds them dead.
    let access = signals.or_stop(run.access()).await?.ok().flatten();
    context.expect(&run.prepared().plan);
    let (trigger, interrupts) = interrupt::channel();
    let finished = signals.or_tell(&trigger, run.execute(interrupts)).await??;
    let finished = Failure::of_finished(Direction::Down, finished)?;
    context.console.say(&DownReport { spec: &spec, finished: &finished });
    if context.is_rehearsal() {
        return Ok(());
    }
    let kubeconfig = access::remove_own(context.machine, &spec);
    if let Some(path) = kubeconfig {
        context.console.note(format!("  {path} led nowhere any more and was removed"));
    }
    if let Some(path) = access.and_then(|access| access::unmerge(context.machine, &access)) {
        context.console.note(format!("  its entries in {path} led nowhere any more and were removed"));
    }
    Ok(())
}

/// With force, a cluster whose API cannot be asked is removed as the cloud sees it.
async fn reachable(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: &DownArguments,
    session: Session,
) -> Result<Session, Failure> {
    if !arguments.force_workloads {
        return Ok(session);
    }
    let prepared = signals.or_stop(session.prepare(Goal::Down)).await??;
    match prepared.observation.gap(CONTENTS_KIND) {
        None => Ok(session),
        Some(gap) => {
            context.console.note(format!(
                "  what runs in the cluster is not looked at, so load balancers and volumes may be left: {}",
                gap.error
            ));
            Ok(session.until(Stage::Cloud))
        }
    }
}

/// Whether what others run in the cluster may be stopped.
async fn agree_to_stop(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: &DownArguments,
    workloads: &[Workload],
) -> Result<(), Failure> {
    if workloads.is_empty() || arguments.force_workloads {
        return Ok(());
    }
    if arguments.yes.is_some() {
        return Err(Failure::Workloads { workloads: workloads.to_vec() });
    }
    for line in workload_lines(workloads) {
        context.console.note(format!("  {line}"));
    }
    let question =
        format!("{} in the cluster. Stop that, and delete its load balancers and volumes?", still_run(workloads));
    match confirm(context.console, context.machine, signals, &question).await {
        Err(Failure::NobodyToAsk { .. }) => Err(Failure::Workloads { workloads: workloads.to_vec() }),
        answer => answer,
    }
}

/// Shows the plan, and asks for the cluster's name when it was not given.
async fn agree(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: &DownArguments,
    spec: &ClusterSpec,
    run: &Run<'_>,
) -> Result<(), Failure> {
    let plan = &run.prepared().plan;
    let will_ask = arguments.yes.is_none() && !plan.steps.is_empty();
    context.console.propose(&PlanReport { spec, prepared: run.prepared() }, will_ask);
    if plan.blocked().next().is_some() {
        return Err(Failure::Blocked(Box::new(plan.clone())));
    }
    agree_to_stop(context, signals, arguments, &run.prepared().workloads).await?;
    if will_ask {
        confirm_name(context.console, context.machine, signals, spec.name.as_str()).await?;
    }
    Ok(())
}

/// How `down` ended well.
struct DownReport<'a> {
    spec: &'a ClusterSpec,
    finished: &'a Finished,
}

impl Report for DownReport<'_> {
    fn kind(&self) -> &'static str {
        "result"
    }

    fn json(&self) -> Value {
        json!({ "command": "down", "cluster": self.spec.name, "counts": self.finished.outcome.counts })
    }

    fn text(&self, style: Style) -> String {
        let name = style.bold(self.spec.name.as_str());
        match self.finished.outcome.counts.settled {
            0 => format!("{} nothing of {name} is there\n", style.good()),
            some => {
                format!("{} {name} is gone after {}, nothing is left\n", style.good(), counted(some, "step", "steps"))
            }
        }
    }
}
