//! `doctor`: everything that `up` needs, and whether a cluster that is there does what it is for, by reads alone; with `--fix` after what is
//! safe to cure was cured.

use howso_infra::core::plan::Replacement;
use howso_infra::core::provider::KubeconfigUser;
use howso_infra::core::{Finding, Severity};
use howso_infra::{Goal, Session};

use super::{Context, client, fix};
use crate::arguments::DoctorArguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signals::Signals;
use crate::view::findings::FindingsReport;

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: DoctorArguments,
) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    if arguments.fix {
        Box::pin(fix::run(context, signals, &spec, &session)).await?;
    }
    // What may be replaced matters to `up`; here it is only asked whether that could succeed.
    let goal = Goal::Up { replacement: Replacement::Allowed };
    let prepared = signals.or_stop(session.prepare(goal)).await??;
    let mut findings = signals.or_stop(session.preflight(&prepared)).await?;
    findings.extend(signals.or_stop(Box::pin(session.health(&prepared))).await?);
    findings.extend(prepared.plan.blocked().map(|decision| Finding {
        severity: Severity::Warning,
        subject: decision.resource.to_string(),
        message: decision.reason.to_string(),
        cure: crate::view::plan::hint(&decision.reason),
        kind: None,
    }));
    findings.extend(client::findings(context, &spec, measured_secs(signals, &session).await?));
    findings.push(program(context, "kubectl", "install it from https://kubernetes.io/docs/tasks/tools/"));
    if !prepared.observation.resources.is_empty()
        && let Some(access) = signals.or_stop(session.access()).await??
        && let KubeconfigUser::Exec(exec) = &access.user
    {
        findings.push(program(context, &exec.command, &exec.install_hint));
    }
    context.console.data(&FindingsReport { findings: &findings, complete: true });
    match Exit::of_findings(&findings) {
        Exit::Done if prepared.plan.blocked().next().is_some() => Err(Failure::Blocked(Box::new(prepared.plan))),
        Exit::Done => Ok(()),
        _ => Err(Failure::Found(findings)),
    }
}

/// How long a worker took to appear from none on the cluster, when it can be asked. That it cannot be is told by what else is asked of it.
pub(super) async fn measured_secs(signals: &mut Signals, session: &Session) -> Result<Option<u64>, Failure> {
    Ok(signals.or_stop(session.measured_worker_wait_secs()).await?.unwrap_or_default())
}

/// A program that people need later, though this one does not.
fn program(context: &Context<'_>, name: &str, cure: &str) -> Finding {
    let is_here = context.machine.has_program(name);
    let message = if is_here { "is here" } else { "is not on the PATH; it is needed to use the cluster" };
    Finding {
        severity: if is_here { Severity::Good } else { Severity::Warning },
        subject: format!("program: {name}"),
        message: message.to_owned(),
        cure: (!is_here).then(|| cure.to_owned()),
        kind: None,
    }
}
