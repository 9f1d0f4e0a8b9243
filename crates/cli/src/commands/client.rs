//! `client`: how long clients wait for a trainee.

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use howso_infra::core::sizing::Platform;
use howso_infra::core::spec::ClusterSpec;
use howso_infra::core::{Finding, Severity};
use howso_infra_platform::client::{
    MergeError, Merged, USUAL_WAIT_SECS, WAIT_VARIABLE, Wait, configured, fresh, is_too_short, merge,
};
use serde_json::{Value, json};

use super::{Context, profile};
use crate::arguments::ClientArguments;
use crate::failure::Failure;
use crate::settings;
use crate::signals::Signals;
use crate::view::Report;
use crate::view::style::{Style, lines};

pub(super) async fn run(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: &ClientArguments,
) -> Result<(), Failure> {
    let layers = settings::with_profile(settings::layers(&arguments.spec, context.machine)?, context.machine)?;
    let spec = profile::resolve_as_far_as_possible(context, layers)?.spec;
    let platform = Platform::named(spec.provider.as_str()).ok_or_else(|| {
        Failure::usage(
            "nobody says where the cluster runs",
            "for example --provider eks, or provider in howso-infra.toml",
        )
    })?;
    let measured_secs = if arguments.measured { Some(measured_secs(context, signals, arguments).await?) } else { None };
    let wait = Wait::of(platform.node_wait, measured_secs);
    if let Some(file) = &arguments.merge {
        return put(context, file, wait);
    }
    context.console.data(&WaitReport(wait));
    Ok(())
}

/// How long a worker took to appear from none on the cluster.
async fn measured_secs(
    context: &Context<'_>,
    signals: &mut Signals,
    arguments: &ClientArguments,
) -> Result<u64, Failure> {
    let (_, session) = context.open(&arguments.spec).await?;
    let measured = signals.or_stop(session.measured_worker_wait_secs()).await??;
    measured.ok_or_else(|| {
        Failure::usage(
            "nobody has measured on this cluster how long a worker takes to appear from none",
            "howso-infra verify --scale measures it, while there is no worker",
        )
    })
}

/// Where a client looks for its configuration, in a directory.
const FILE_NAMES: [&str; 2] = ["howso.yml", "howso.yaml"];

/// Whether the client of this machine waits long enough; nothing when there is none.
pub(super) fn findings(context: &Context<'_>, spec: &ClusterSpec, measured_secs: Option<u64>) -> Vec<Finding> {
    let Some(wait) = wait(spec, measured_secs) else { return Vec::new() };
    // The variable wins, for a client as well.
    if let Some(value) = context.machine.variable(WAIT_VARIABLE) {
        let cure = format!("export {WAIT_VARIABLE}={}", wait.secs);
        return vec![match value.parse() {
            Ok(secs) => finding(WAIT_VARIABLE, secs, wait, cure),
            Err(_) => unreadable(WAIT_VARIABLE, "it is not a number of seconds", cure),
        }];
    }
    configurations(context)
        .map(|(text, path)| {
            let cure = format!("howso-infra client --merge {path}");
            match configured(&text) {
                Ok(secs) => finding(path.as_str(), secs, wait, cure),
                Err(error) => unreadable(path.as_str(), &error.to_string(), cure),
            }
        })
        .collect()
}

/// How long clients of a cluster should wait; [`None`] for a platform of which nothing is known.
fn wait(spec: &ClusterSpec, measured_secs: Option<u64>) -> Option<Wait> {
    Platform::named(spec.provider.as_str()).map(|platform| Wait::of(platform.node_wait, measured_secs))
}

/// The configurations of clients on this machine.
fn configurations(context: &Context<'_>) -> impl Iterator<Item = (String, Utf8PathBuf)> {
    let home = context.machine.home().map(|home| home.join(".howso")).ok();
    let directories = [Some(context.machine.directory.clone()), home];
    let paths = directories.into_iter().flatten().flat_map(|directory| FILE_NAMES.map(|name| directory.join(name)));
    paths.filter_map(|path| Some((fs::read_to_string(&path).ok()?, path)))
}

/// Lets every client of this machine wait long enough whose configuration says otherwise. What cannot be read stays as it is.
pub(super) fn fix(context: &Context<'_>, spec: &ClusterSpec, measured_secs: Option<u64>) -> Result<(), Failure> {
    let Some(wait) = wait(spec, measured_secs) else { return Ok(()) };
    for (text, path) in configurations(context) {
        if configured(&text).is_ok_and(|secs| is_too_short(secs, wait)) {
            put(context, &path, wait)?;
        }
    }
    Ok(())
}

fn finding(place: &str, secs: u64, wait: Wait, cure: String) -> Finding {
    let is_short = is_too_short(secs, wait);
    let told = if secs == 0 { "waits forever".to_owned() } else { format!("waits {secs} s for a trainee") };
    let why =
        if is_short { format!(", which is given up while its node is made: {}", wait.reason()) } else { String::new() };
    Finding {
        severity: if is_short { Severity::Warning } else { Severity::Good },
        subject: format!("client: {place}"),
        message: told + &why,
        cure: is_short.then_some(cure),
        kind: None,
    }
}

fn unreadable(place: &str, why: &str, cure: String) -> Finding {
    let subject = format!("client: {place}");
    Finding { severity: Severity::Warning, subject, message: why.to_owned(), cure: Some(cure), kind: None }
}

/// Puts the time into a file, which stays as readable to others as it is.
fn put(context: &Context<'_>, file: &Utf8Path, wait: Wait) -> Result<(), Failure> {
    let path = context.machine.directory.join(file);
    let failed = |action| move |source| Failure::File { action, path: file.to_owned(), source };
    let (text, permissions) = match fs::read_to_string(&path) {
        Ok(text) => (Some(text), Some(fs::metadata(&path).map_err(failed("read"))?.permissions())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
        Err(source) => return Err(failed("read")(source)),
    };
    let merged = text.map_or_else(|| Ok(Merged::Changed(fresh(wait))), |text| merge(&text, wait.secs));
    match merged.map_err(|error| cannot(file, &error))? {
        Merged::Changed(text) => {
            howso_infra::kubeconfig::write(&path, &text).map_err(failed("write"))?;
            if let Some(permissions) = permissions {
                fs::set_permissions(&path, permissions).map_err(failed("write"))?;
            }
            context.console.note(format!("{file} says now to wait {} s: {}", wait.secs, wait.reason()));
        }
        Merged::Kept { secs: 0 } => context.console.note(format!("{file} says to wait forever, and stays as it is")),
        Merged::Kept { secs } => context.console.note(format!("{file} says to wait {secs} s, which is enough")),
    }
    Ok(())
}

fn cannot(file: &Utf8Path, error: &MergeError) -> Failure {
    Failure::usage(format!("{file} was left alone: {error}"), "correct it, or print the settings without --merge")
}

/// The time, as it is set.
struct WaitReport(Wait);

impl Report for WaitReport {
    fn kind(&self) -> &'static str {
        "client"
    }

    fn json(&self) -> Value {
        json!({
            "create_max_wait_secs": self.0.secs, "measured_secs": self.0.measured_secs, "reason": self.0.reason(), "variable": WAIT_VARIABLE,
            "configuration": fresh(self.0),
        })
    }

    fn text(&self, _style: Style) -> String {
        let text = [
            format!("# {}; clients wait {USUAL_WAIT_SECS} s otherwise.", self.0.reason()),
            format!("export {WAIT_VARIABLE}={}", self.0.secs),
            String::new(),
            "# The same in howso.yml:".to_owned(),
        ];
        lines(
            text.into_iter().chain(
                fresh(self.0).lines().filter(|line| !line.trim().starts_with('#')).map(|line| format!("# {line}")),
            ),
        )
    }
}
