//! `doctor --fix`: cures what can be cured without a second thought, before the doctor looks.
//!
//! That is what makes no new machine, stops nothing, replaces nothing and costs nothing: objects of ours inside the cluster that are missing or
//! were changed, tags, and clients that give up too soon. The rest is for `up`, which shows its plan first.

use howso_infra::core::plan::{Action, Direction, Plan, Replacement, Step};
use howso_infra::core::spec::ClusterSpec;
use howso_infra::{CHECK, Goal, Session, interrupt};

use super::{Context, client, doctor, release};
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::style::counted;

/// How the kinds of what lives inside a cluster begin.
const INSIDE: &str = "kubernetes/";

/// Cures what is safe to cure, and says what is not.
pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    spec: &ClusterSpec,
    session: &Session,
) -> Result<(), Failure> {
    // Before the lease is taken, which would be left to run out when this fails.
    client::fix(context, spec, doctor::measured_secs(signals, session).await?)?;
    let goal = Goal::Up { replacement: Replacement::Refused };
    let run = signals.or_stop(session.begin(goal)).await??;
    let plan = &run.prepared().plan;
    let others = plan.steps.iter().filter(|step| !is_safe(step)).count();
    // A check passes by what is done before it; by itself there would be nothing but to wait.
    let is_nothing = plan.steps.iter().all(|step| step.resource.kind() == CHECK || step.action.is_wait());
    if is_nothing || others > 0 || plan.blocked().next().is_some() {
        if others > 0 {
            context.console.note(format!(
                "{} would change more than what is fixed without a question; howso-infra up shows and does {}",
                counted(others, "step", "steps"),
                if others == 1 { "it" } else { "them" }
            ));
        }
        release(context, run).await;
        return Ok(());
    }
    told(context, plan);
    context.expect(plan);
    let (trigger, interrupts) = interrupt::channel();
    let finished = signals.or_tell(&trigger, run.execute(interrupts)).await??;
    Failure::of_finished(Direction::Up, finished)?;
    Ok(())
}

/// Says what is fixed.
fn told(context: &Context<'_>, plan: &Plan) {
    for step in plan.steps.iter().filter(|step| step.resource.kind() != CHECK) {
        context.console.note(format!("fixes {}", step.resource));
    }
}

/// Whether a step makes no new machine, stops nothing, replaces nothing and costs nothing.
fn is_safe(step: &Step) -> bool {
    let is_inside = step.resource.kind().starts_with(INSIDE);
    match &step.action {
        Action::Create { .. } => is_inside,
        Action::Update { changes, .. } => is_inside || changes.iter().all(|change| change.field == "tags"),
        Action::AwaitReady { .. } | Action::AwaitGone { .. } => true,
        Action::Delete { .. } => false,
    }
}
