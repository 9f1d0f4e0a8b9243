//! `down`: remove everything that was made.

use howso_infra::core::plan::Direction;
use howso_infra::core::spec::ClusterSpec;
use howso_infra::{Finished, Goal, Run, interrupt};
use serde_json::{Value, json};

use super::{Context, access, release};
use crate::arguments::DownArguments;
use crate::consent::confirm_name;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::Report;
use crate::view::plan::PlanReport;
use crate::view::style::{Style, counted};

pub(super) async fn run(context: &Context<'_>, signals: &mut Signals, arguments: DownArguments) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    if let Some(name) = arguments.yes.as_ref().filter(|name| *name != spec.name.as_str()) {
        let message = format!("--yes names the cluster `{name}`, but this is about `{}`", spec.name);
        return Err(Failure::usage(message, format!("say --name {name}, or --yes {}", spec.name)));
    }
    let run = signals.or_stop(session.begin(Goal::Down)).await??;
    if let Err(failure) = agree(context, signals, &arguments, &spec, &run).await {
        release(context, run).await;
        return Err(failure);
    }
    let plan = &run.prepared().plan;
    context.console.expect(plan);
    let (trigger, interrupts) = interrupt::channel();
    let finished = signals.or_tell(&trigger, run.execute(interrupts)).await??;
    let finished = Failure::of_finished(Direction::Down, finished)?;
    let kubeconfig = access::own_path(context.machine, &spec).ok().filter(|path| path.exists());
    context.console.say(&DownReport { spec: &spec, finished: &finished });
    if let Some(path) = kubeconfig {
        context.console.note(format!("  {path} leads nowhere any more and can be deleted"));
    }
    Ok(())
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
