//! The program `helm`: what it is asked to do goes on when this program ends.
//!
//! Each call runs in a process group of its own, so that Ctrl-C does not stop it half-way, and writes to a file instead of a pipe, so
//! that it does not die with us. The file is locked by the running program: whoever comes next sees that it is at work.

mod errors;

use std::fs::{File, TryLockError};
use std::process::Stdio;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use howso_infra_core::spec::{ChartSource, Release};
use howso_infra_core::{ErrorKind, ProviderError};
use semver::Version;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::releases::WantedRelease;

const NAME: &str = "helm";

/// The first release with `--labels` and `uninstall --ignore-not-found`.
pub const OLDEST: Version = Version::new(3, 13, 0);

/// How Helm is installed.
pub const INSTALL_HINT: &str =
    "install Helm 3.13 or newer from https://helm.sh/docs/intro/install/ and put it on the PATH";

/// How much of the end of Helm's output is read for its last words.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// What would lead Helm to another cluster, another namespace or another store than those it is told (`helm env`).
const MISLEADING: [&str; 13] = [
    "HELM_DEBUG",
    "HELM_DRIVER",
    "HELM_KUBEAPISERVER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEASUSER",
    "HELM_KUBECAFILE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBETOKEN",
    "HELM_MAX_HISTORY",
    "HELM_NAMESPACE",
    "KUBECONFIG",
];

/// The program, for one cluster and one namespace.
#[derive(Clone, Debug)]
pub struct Helm {
    /// Where it writes what it says.
    pub output: Utf8PathBuf,
    /// How it reaches the cluster.
    pub kubeconfig: Utf8PathBuf,
    /// The logins of registries; [`None`] for those of the user.
    pub registry_config: Option<Utf8PathBuf>,
    /// The namespace of the releases.
    pub namespace: &'static str,
}

/// Which release of Helm is installed; an error when there is none, or one that is too old.
pub async fn check_version() -> Result<Version, ProviderError> {
    let call = "helm version";
    let mut command = command();
    command.args(["version", "--short"]).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.map_err(|error| not_started(call, &error))?;
    let text = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    let version: Option<Version> = text.split_whitespace().find_map(|word| word.strip_prefix('v')?.parse().ok());
    match version {
        Some(version) if version >= OLDEST => Ok(version),
        Some(version) => {
            let message = format!("helm {version} is too old, {OLDEST} is the oldest that this needs");
            Err(ProviderError::new(ErrorKind::Failed, call, message).with_hint(INSTALL_HINT))
        }
        None => {
            let message = format!("this does not look like the version of helm: {}", text.trim());
            Err(ProviderError::new(ErrorKind::Failed, call, message).with_hint(INSTALL_HINT))
        }
    }
}

impl Helm {
    /// Installs or changes a release, and waits until it is ready. What fails is taken back by Helm itself.
    pub async fn upgrade(&self, wanted: &WantedRelease, labels: &str, timeout: Duration) -> Result<(), ProviderError> {
        let timeout = seconds(timeout);
        let mut arguments = vec!["upgrade", "--install", wanted.release.name()];
        let chart = match &wanted.source {
            ChartSource::Repository(url) => {
                arguments.extend(["--repo", url]);
                wanted.release.chart().to_owned()
            }
            ChartSource::Registry(place) => format!("{place}/{}", wanted.release.chart()),
            ChartSource::Directory(place) => place.join(wanted.release.chart()).into_string(),
        };
        arguments.push(&chart);
        if let Some(version) = &wanted.version {
            arguments.extend(["--version", version.as_str()]);
        }
        arguments.extend(["--values", "-"]);
        if let Some(own) = &wanted.own_values {
            arguments.extend(["--values", own.as_str()]);
        }
        // Without this, values of the revision before would be mixed in when none were given.
        arguments.extend(["--reset-values", "--labels", labels, "--atomic", "--timeout", &timeout]);
        self.run(wanted.release, &arguments, &wanted.values).await
    }

    /// Removes a release, and waits until what it made is gone.
    pub async fn uninstall(&self, release: Release, timeout: Duration) -> Result<(), ProviderError> {
        let timeout = seconds(timeout);
        let arguments = [
            "uninstall",
            release.name(),
            "--ignore-not-found",
            "--cascade",
            "foreground",
            "--wait",
            "--timeout",
            &timeout,
        ];
        self.run(release, &arguments, "").await
    }

    /// Takes a change back that did not come to its end. Waits for nothing, because another change follows.
    pub async fn roll_back(&self, release: Release) -> Result<(), ProviderError> {
        self.run(release, &["rollback", release.name()], "").await
    }

    /// Whether the program is changing this release, whoever of this machine started it.
    pub fn is_at_work(&self, release: Release) -> bool {
        let Ok(file) = File::open(self.output_of(release)) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Whether this machine ever changed this release.
    pub fn has_worked(&self, release: Release) -> bool {
        self.output_of(release).exists()
    }

    fn output_of(&self, release: Release) -> Utf8PathBuf {
        self.output.join(format!("{release}.log"))
    }

    async fn run(&self, release: Release, arguments: &[&str], input: &str) -> Result<(), ProviderError> {
        let call = format!("helm {} {release}", arguments[0]);
        let path = self.output_of(release);
        let output = take_output(&path, &call)?;
        let both = output.try_clone().map_err(|error| unusable(&path, &call, &error))?;
        let mut command = command();
        command.args(arguments).args(["--namespace", self.namespace, "--kubeconfig", self.kubeconfig.as_str()]);
        if let Some(config) = &self.registry_config {
            command.args(["--registry-config", config.as_str()]);
        }
        command.stdin(Stdio::piped()).stdout(output).stderr(both).kill_on_drop(false);
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| not_started(&call, &error))?;
        // The lock is the program's alone, so that it ends with it.
        drop(command);
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends before it has read everything says why in its output.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let status = child.wait().await.map_err(|error| unusable(&path, &call, &error))?;
        if status.success() {
            return Ok(());
        }
        let mut bytes = std::fs::read(&path).unwrap_or_default();
        bytes.drain(..bytes.len().saturating_sub(OUTPUT_BYTES_MAX));
        Err(errors::failed(&call, release, &String::from_utf8_lossy(&bytes)))
    }
}

/// The program, which nothing in the environment leads elsewhere.
fn command() -> Command {
    let mut command = Command::new(NAME);
    for name in MISLEADING {
        command.env_remove(name);
    }
    command
}

/// The file for the output of a new call, emptied and locked until the program that gets it has ended.
fn take_output(path: &Utf8Path, call: &str) -> Result<File, ProviderError> {
    let unusable = |error: std::io::Error| unusable(path, call, &error);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(unusable)?;
    }
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let by = "helm, which an earlier run started".to_owned();
            return Err(ProviderError::new(ErrorKind::Busy { by }, call, "helm is at work on this release"));
        }
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
    }
    file.set_len(0).map_err(unusable)?;
    Ok(file)
}

fn unusable(path: &Utf8Path, call: &str, error: &std::io::Error) -> ProviderError {
    let message = format!("{path} cannot be used: {error}");
    ProviderError::new(ErrorKind::Failed, call, message).with_hint("choose another place with --state-dir")
}

fn not_started(call: &str, error: &std::io::Error) -> ProviderError {
    let message = match error.kind() {
        std::io::ErrorKind::NotFound => "the program helm is not installed".to_owned(),
        _ => format!("the program helm cannot be started: {error}"),
    };
    ProviderError::new(ErrorKind::Failed, call, message).with_hint(INSTALL_HINT)
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_at_work_is_seen_by_others_until_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let output = Utf8Path::from_path(directory.path()).unwrap().to_owned();
        let helm = Helm { output, kubeconfig: "k".into(), registry_config: None, namespace: "howso" };
        assert!(!helm.is_at_work(Release::Nats));
        let locked = take_output(&helm.output_of(Release::Nats), "helm upgrade").unwrap();
        assert!(helm.is_at_work(Release::Nats) && !helm.is_at_work(Release::Redis));
        let refused = take_output(&helm.output_of(Release::Nats), "helm upgrade").unwrap_err();
        assert!(matches!(refused.kind, ErrorKind::Busy { .. }));
        drop(locked);
        assert!(!helm.is_at_work(Release::Nats));
    }
}
