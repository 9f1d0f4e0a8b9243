//! `plan`: what `up` would do, and why.

use camino::Utf8Path;
use howso_infra::Goal;
use howso_infra::core::plan::{PLAN_SCHEMA, Plan, Replacement};
use howso_infra::kubeconfig::write;

use super::{Context, stage};
use crate::arguments::PlanArguments;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::signals::Signals;
use crate::view::plan::PlanReport;

pub(super) async fn run(context: &Context<'_>, signals: &mut Signals, arguments: PlanArguments) -> Result<(), Failure> {
    #[cfg(feature = "eks")]
    if let Some(directory) = &arguments.policy {
        return super::policy::run(context, signals, directory, &arguments.spec).await;
    }
    let (spec, session) = context.open(&arguments.spec).await?;
    let (session, _) = stage::settle(arguments.until, &spec, session)?;
    let goal = Goal::Up { replacement: replacement(arguments.allow_replace) };
    let prepared = signals.or_stop(session.prepare(goal)).await??;
    context.console.data(&PlanReport { spec: &spec, prepared: &prepared });
    prepared.check_fit()?;
    if let Some(out) = &arguments.out {
        save(out, context.machine, &prepared.plan)?;
        context.console.note(format!("saved: carry it out with `howso-infra up {out}`"));
    }
    if prepared.plan.blocked().next().is_some() {
        return Err(Failure::Blocked(Box::new(prepared.plan)));
    }
    if arguments.detailed_exitcode && !prepared.plan.is_empty() { Err(Failure::Changes) } else { Ok(()) }
}

pub(super) fn replacement(allowed: bool) -> Replacement {
    if allowed { Replacement::Allowed } else { Replacement::Refused }
}

fn save(path: &Utf8Path, machine: &Machine, plan: &Plan) -> Result<(), Failure> {
    // A plan has text keys only, so it can be written as JSON.
    let text = serde_json::to_string_pretty(plan).expect("a plan serialises to JSON");
    let failed = |source| Failure::File { action: "write", path: path.to_owned(), source };
    write(&machine.directory.join(path), &(text + "\n")).map_err(failed)
}

/// Reads a saved plan.
pub(super) fn load(path: &Utf8Path, machine: &Machine) -> Result<Plan, Failure> {
    let failed = |source| Failure::File { action: "read", path: path.to_owned(), source };
    let text = std::fs::read_to_string(machine.directory.join(path)).map_err(failed)?;
    let hint = "make a new one with `howso-infra plan --out FILE`";
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("{path} is not a saved plan: {error}"), hint))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(PLAN_SCHEMA) => {}
        Some(schema) => {
            let message = format!("{path} was saved by another version of this program (form {schema})");
            return Err(Failure::usage(message, hint));
        }
        None => return Err(Failure::usage(format!("{path} is not a saved plan"), hint)),
    }
    serde_json::from_value(value).map_err(|error| Failure::usage(format!("{path} is not a saved plan: {error}"), hint))
}
