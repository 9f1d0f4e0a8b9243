//! The program `k3d`: what it is asked to do goes on when this program ends.
//!
//! Each call runs in a process group of its own, so that Ctrl-C does not stop it half-way, and writes to a file instead of a
//! pipe, so that it does not die with us. The file is locked by the running program: whoever comes next sees that it is at work.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind as IoErrorKind;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use howso_infra_core::{ErrorKind, ProviderError};
use semver::Version;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::errors::from_text;

const NAME: &str = "k3d";

/// The first release that reads `k3d.io/v1alpha5`.
pub(crate) const OLDEST: Version = Version::new(5, 5, 0);

pub(crate) const INSTALL_HINT: &str =
    "install k3d 5.5 or newer from https://k3d.io/stable/#installation and put it on the PATH";

/// How much of the end of k3d's output is read for its last words.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// The program, for one cluster.
pub(crate) struct Program {
    output: Utf8PathBuf,
    /// The call that this process started last.
    running: Mutex<Option<Arc<Mutex<Child>>>>,
}

/// How a call of the program is.
#[derive(Debug)]
pub(crate) enum CallState {
    /// It goes on.
    Running,
    /// It ended well.
    Done,
    /// It ended badly.
    Failed(ProviderError),
    /// It is not running, and it was not started by this process: only what is there tells how it ended.
    Unknown,
}

impl Program {
    /// The program for the cluster `cluster`, with its output below `state_dir`.
    pub(crate) fn new(state_dir: &Utf8Path, cluster: &str) -> Self {
        Self { output: state_dir.join("k3d").join(format!("{cluster}.log")), running: Mutex::new(None) }
    }

    /// Which release is installed.
    pub(crate) async fn version(&self) -> Result<Version, ProviderError> {
        let text = self.ask(&["version"]).await?;
        let version = text.split_whitespace().find_map(|word| word.strip_prefix('v')?.parse().ok());
        version.ok_or_else(|| {
            let message = format!("this does not look like the version of k3d: {}", text.trim());
            ProviderError::new(ErrorKind::Failed, "k3d version", message).with_hint(INSTALL_HINT)
        })
    }

    /// Runs a command that only reads, and returns what it prints.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<String, ProviderError> {
        let call = format!("{NAME} {}", arguments.join(" "));
        let output = Command::new(NAME).args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.map_err(|error| not_started(&call, &error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(failed(&call, &String::from_utf8_lossy(&output.stderr)))
    }

    /// Starts a command that changes something, with `input` on its standard input.
    pub(crate) async fn start(&self, arguments: &[&str], input: &str) -> Result<(), ProviderError> {
        let call = format!("{NAME} {}", arguments.join(" "));
        let output = self.take_output(&call)?;
        let both = output.try_clone().map_err(|error| self.unusable(&call, &error))?;
        let mut command = Command::new(NAME);
        command.args(arguments).stdin(Stdio::piped()).stdout(output).stderr(both).kill_on_drop(false);
        if let Some(directory) = self.output.parent() {
            // k3d leaves files behind each time: a copy of its configuration, host names.
            command.env("TMPDIR", directory);
            // k3d would write the user's kubeconfig anew on each removal, also one that has nothing of the cluster.
            command.env("KUBECONFIG", directory.join("no-kubeconfig"));
        }
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(|error| not_started(&call, &error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends before it has read everything says why in its output.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        *self.running.lock().await = Some(Arc::new(Mutex::new(child)));
        Ok(())
    }

    /// How the last call is; waits up to `patience` for its end.
    pub(crate) async fn state(&self, patience: Duration) -> CallState {
        let child = self.running.lock().await.clone();
        let Some(child) = child else {
            return if self.is_at_work() { CallState::Running } else { CallState::Unknown };
        };
        let mut child = child.lock().await;
        match tokio::time::timeout(patience, child.wait()).await {
            Err(_) => CallState::Running,
            Ok(ended) => {
                self.remove_temporary_files();
                match ended {
                    Ok(status) if status.success() => CallState::Done,
                    Ok(_) | Err(_) => CallState::Failed(self.last_failure()),
                }
            }
        }
    }

    /// Whether the program is changing something of this cluster, whoever started it.
    pub(crate) fn is_at_work(&self) -> bool {
        let Ok(file) = File::open(&self.output) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Refuses to touch a cluster while the program is changing something of it.
    pub(crate) fn refuse_at_work(&self, call: &str) -> Result<(), ProviderError> {
        if self.is_at_work() { Err(at_work(call)) } else { Ok(()) }
    }

    /// What the program complained of in its last call.
    pub(crate) fn last_failure(&self) -> ProviderError {
        let mut bytes = fs::read(&self.output).unwrap_or_default();
        bytes.drain(..bytes.len().saturating_sub(OUTPUT_BYTES_MAX));
        failed(NAME, &String::from_utf8_lossy(&bytes))
    }

    /// The file for the output of a new call, emptied and locked until the program that gets it has ended.
    fn take_output(&self, call: &str) -> Result<File, ProviderError> {
        let unusable = |error: std::io::Error| self.unusable(call, &error);
        if let Some(directory) = self.output.parent() {
            fs::create_dir_all(directory).map_err(unusable)?;
        }
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.output).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(at_work(call)),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        file.set_len(0).map_err(unusable)?;
        self.remove_temporary_files();
        Ok(file)
    }

    /// Removes what k3d left behind of its temporary files.
    fn remove_temporary_files(&self) {
        let Some(entries) = self.output.parent().and_then(|directory| directory.read_dir_utf8().ok()) else { return };
        for entry in entries.flatten().filter(|entry| is_temporary(entry.file_name())) {
            // One that stays takes a few kilobytes and holds no secret.
            let _ = fs::remove_file(entry.path());
        }
    }

    fn unusable(&self, call: &str, error: &std::io::Error) -> ProviderError {
        let message = format!("{} cannot be written: {error}", self.output);
        ProviderError::new(ErrorKind::Failed, call, message).with_hint("choose another place with --state-dir")
    }
}

/// How k3d calls its temporary files; no file of ours is called like that.
fn is_temporary(name: &str) -> bool {
    name.starts_with("k3d-config-tmp-") || name.starts_with("k3d-hostsfile-")
}

fn at_work(call: &str) -> ProviderError {
    let by = "k3d, which an earlier run started".to_owned();
    ProviderError::new(ErrorKind::Busy { by }, call, "k3d is at work on this cluster")
}

fn not_started(call: &str, error: &std::io::Error) -> ProviderError {
    let message = match error.kind() {
        IoErrorKind::NotFound => "the program k3d is not installed".to_owned(),
        _ => format!("the program k3d cannot be started: {error}"),
    };
    ProviderError::new(ErrorKind::Failed, call, message).with_hint(INSTALL_HINT)
}

/// What k3d complained of: its lines of the levels error and fatal, without colours and without what it says of every failure.
fn failed(call: &str, output: &str) -> ProviderError {
    let output = anstream::adapter::strip_str(output).to_string();
    let mut complaints: Vec<&str> = Vec::new();
    for line in output.lines() {
        let Some((level, text)) = line.split_once("] ").filter(|(level, _)| level.contains("[0")) else { continue };
        let is_complaint = level.contains("ERRO[") || level.contains("FATA[");
        let says_something = !text.starts_with("Cluster creation FAILED") && !complaints.contains(&text.trim());
        if is_complaint && says_something {
            complaints.push(text.trim());
        }
    }
    let text = if complaints.is_empty() { output.trim().to_owned() } else { complaints.join("; ") };
    let text = if text.is_empty() { "it ended without a word".to_owned() } else { text };
    from_text(call, &text, ErrorKind::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_output_only_complaints_count_and_each_once() {
        let output = "\u{1b}[36mINFO\u{1b}[0m[0000] Prep: Network\n\
                      \u{1b}[31mERRO\u{1b}[0m[0001] failed to start: port is already allocated\n\
                      ERRO[0001] failed to start: port is already allocated\n\
                      FATA[0001] Cluster creation FAILED, rollback deactivated.\n";
        let error = failed("k3d cluster create", output);
        assert!(matches!(error.kind, ErrorKind::Conflict { .. }));
        assert_eq!(error.message.matches("port is already allocated").count(), 1, "{}", error.message);
        assert!(!error.message.contains("rollback"));
        assert_eq!(failed("k3d", "").message, "it ended without a word");
    }

    #[test]
    fn a_program_at_work_is_seen_by_others_until_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let state_dir = Utf8Path::from_path(directory.path()).unwrap();
        let (first, second) = (Program::new(state_dir, "a"), Program::new(state_dir, "a"));
        assert!(!second.is_at_work());
        let held = first.take_output("k3d").unwrap();
        assert!(second.is_at_work());
        assert!(matches!(second.take_output("k3d").unwrap_err().kind, ErrorKind::Busy { .. }));
        assert!(!Program::new(state_dir, "b").is_at_work(), "another cluster is none of its business");
        drop(held);
        assert!(!second.is_at_work());
    }
}
