//! `platform`: the releases of the Howso Platform.

use howso_infra::core::Severity;
use howso_infra::core::spec::ClusterSpec;
use howso_infra::platform::{Data, Given, Installed, Platform, PlatformPlan, Removed, check_helm};
use howso_infra::{Session, interrupt};

use super::Context;
use crate::arguments::{PlatformDownArguments, PlatformStatusArguments, PlatformUpArguments, PlatformVerb};
use crate::consent::{confirm, confirm_name};
use crate::exit::Exit;
use crate::failure::{Failure, ReleaseCounts, ReleaseTroubles};
use crate::given;
use crate::signals::Signals;
use crate::view::findings::FindingsReport;
use crate::view::platform::{InstalledReport, PlatformReport, RemovalReport, RemovedReport};

pub(super) async fn run(context: &Context<'_>, signals: &mut Signals, verb: PlatformVerb) -> Result<(), Failure> {
    match verb {
        PlatformVerb::Up(arguments) => up(context, signals, arguments).await,
        PlatformVerb::Status(arguments) => status(context, signals, arguments).await,
        PlatformVerb::Down(arguments) => down(context, signals, arguments).await,
    }
}

/// The platform as the specification wants it. What is wrong with the files and programs that it needs is found here, before anything
/// is changed.
pub(super) async fn open<'a>(
    context: &Context<'_>,
    signals: &mut Signals,
    spec: &ClusterSpec,
    session: &'a Session,
) -> Result<Platform<'a>, Failure> {
    let platform = session.platform(given::find(&spec.platform, context.machine)?)?;
    signals.or_stop(check_helm()).await??;
    Ok(platform)
}

/// Whether the user agrees is asked here, or was before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Consent {
    Asked,
    ToAsk,
}

async fn up(context: &Context<'_>, signals: &mut Signals, arguments: PlatformUpArguments) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    let platform = open(context, signals, &spec, &session).await?;
    // A cluster that is not there is told before anybody is asked.
    signals.or_stop(Box::pin(platform.check_cluster())).await??;
    let consent = if arguments.yes { Consent::Asked } else { Consent::ToAsk };
    Box::pin(install(context, signals, &spec, &platform, consent)).await
}

/// Shows what is to be done, asks, and does it.
pub(super) async fn install(
    context: &Context<'_>,
    signals: &mut Signals,
    spec: &ClusterSpec,
    platform: &Platform<'_>,
    consent: Consent,
) -> Result<(), Failure> {
    let plan = signals.or_stop(Box::pin(platform.plan())).await??;
    let will_ask = consent == Consent::ToAsk && !plan.is_empty();
    context.console.propose(&PlatformReport { spec, plan: &plan }, will_ask);
    plan.check()?;
    if plan.is_empty() {
        context.console.say(&InstalledReport { spec, installed: &Installed::default() });
        return Ok(());
    }
    if will_ask {
        confirm(context.console, context.machine, signals, &question(&plan)).await?;
    }
    let (trigger, interrupts) = interrupt::channel();
    let installed = signals.or_tell(&trigger, Box::pin(platform.install(interrupts))).await??;
    if !installed.failures.is_empty() || installed.skipped + installed.unfinished > 0 {
        let counts = ReleaseCounts {
            done: installed.done,
            failed: installed.failures.len(),
            skipped: installed.skipped,
            unfinished: installed.unfinished,
            is_interrupted: installed.is_interrupted,
        };
        let troubles = ReleaseTroubles { failures: installed.failures, waiting: installed.waiting };
        return Err(Failure::Releases(counts, troubles));
    }
    context.console.say(&InstalledReport { spec, installed: &installed });
    Ok(())
}

fn question(plan: &PlatformPlan) -> String {
    format!("Install the platform ({})?", crate::view::platform::counts(plan))
}

async fn status(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: PlatformStatusArguments,
) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    let platform = session.platform(Given::default())?;
    let plan = signals.or_stop(Box::pin(platform.plan())).await??;
    context.console.data(&PlatformReport { spec: &spec, plan: &plan });
    let findings = signals.or_stop(Box::pin(platform.findings())).await??;
    if !findings.is_empty() {
        context.console.data(&FindingsReport { findings: &findings, complete: true });
    }
    match Exit::of_findings(&findings) {
        Exit::Done if plan.is_empty() => Ok(()),
        Exit::Done => Err(Failure::Changes),
        _ => {
            Err(Failure::Found(findings.into_iter().filter(|finding| finding.severity == Severity::Blocking).collect()))
        }
    }
}

async fn down(context: &Context<'_>, signals: &mut Signals, arguments: PlatformDownArguments) -> Result<(), Failure> {
    let (spec, session) = context.open(&arguments.spec).await?;
    if let Some(name) = arguments.yes.as_ref().filter(|name| *name != spec.name.as_str()) {
        let message = format!("--yes names the cluster `{name}`, but this is about `{}`", spec.name);
        return Err(Failure::usage(message, format!("say --name {name}, or --yes {}", spec.name)));
    }
    let platform = session.platform(Given::default())?;
    signals.or_stop(check_helm()).await??;
    let data = if arguments.delete_data { Data::Delete } else { Data::Keep };
    let removal = signals.or_stop(Box::pin(platform.removal())).await??;
    let will_ask = arguments.yes.is_none() && !removal.is_empty(data);
    context.console.propose(&RemovalReport { spec: &spec, removal: &removal, data }, will_ask);
    if !arguments.force_workloads {
        removal.refuse_trainees()?;
    }
    if removal.is_empty(data) {
        context.console.say(&RemovedReport { spec: &spec, removed: &Removed::default() });
        return Ok(());
    }
    if will_ask {
        confirm_name(context.console, context.machine, signals, spec.name.as_str()).await?;
    }
    let (trigger, interrupts) = interrupt::channel();
    let removed = signals.or_tell(&trigger, Box::pin(platform.remove(data, interrupts))).await??;
    if !removed.failures.is_empty() || removed.unfinished > 0 || removed.is_interrupted {
        let counts = ReleaseCounts {
            done: removed.done,
            failed: removed.failures.len(),
            skipped: removal.releases.len() - removed.done - removed.failures.len() - removed.unfinished,
            unfinished: removed.unfinished,
            is_interrupted: removed.is_interrupted,
        };
        let troubles = ReleaseTroubles { failures: removed.failures, waiting: Vec::new() };
        return Err(Failure::Releases(counts, troubles));
    }
    context.console.say(&RemovedReport { spec: &spec, removed: &removed });
    Ok(())
}
