//! Writing access to a cluster into files.

use camino::{Utf8Path, Utf8PathBuf};
use howso_infra::core::provider::{Access, KubeconfigUser};
use howso_infra::core::spec::ClusterSpec;
use howso_infra::kubeconfig;

use crate::failure::Failure;
use crate::machine::Machine;
use crate::view::style::Style;

/// A kubeconfig that was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) path: Utf8PathBuf,
    pub(super) context: String,
    /// How to install the program that gets the token, when it is missing here.
    pub(super) missing_program: Option<(String, String)>,
}

impl Written {
    pub(super) fn new(path: Utf8PathBuf, access: &Access, machine: &Machine) -> Self {
        let missing_program = match &access.user {
            KubeconfigUser::Exec(exec) if !machine.has_program(&exec.command) => {
                Some((exec.command.clone(), exec.install_hint.clone()))
            }
            KubeconfigUser::Exec(_) | KubeconfigUser::ClientCertificate { .. } => None,
        };
        Self { path, context: access.context.clone(), missing_program }
    }

    /// A warning about the missing program.
    pub(super) fn missing_program_line(&self, style: Style) -> String {
        match &self.missing_program {
            Some((program, hint)) => {
                style.yellow(&format!("  warning: kubectl needs the program `{program}`, which is not here: {hint}"))
                    + "\n"
            }
            None => String::new(),
        }
    }
}

/// `~/.kube/howso-NAME.yaml`.
pub(super) fn own_path(machine: &Machine, spec: &ClusterSpec) -> Result<Utf8PathBuf, Failure> {
    Ok(machine.home()?.join(".kube").join(format!("howso-{}.yaml", spec.name)))
}

/// Writes a kubeconfig of our own.
pub(super) fn write_own(
    machine: &Machine,
    spec: &ClusterSpec,
    access: &Access,
    path: Option<&Utf8Path>,
) -> Result<Written, Failure> {
    let path = match path {
        Some(path) => machine.directory.join(path),
        None => own_path(machine, spec)?,
    };
    write(&path, &kubeconfig::render(access))?;
    Ok(Written::new(path, access, machine))
}

/// Removes the kubeconfig of a cluster that is gone, if it is the one that this program wrote and holds nothing else.
/// Returns its path.
pub(super) fn remove_own(machine: &Machine, spec: &ClusterSpec) -> Option<Utf8PathBuf> {
    let path = own_path(machine, spec).ok()?;
    let text = std::fs::read_to_string(&path).ok()?;
    (kubeconfig::is_ours(&text) && std::fs::remove_file(&path).is_ok()).then_some(path)
}

/// Takes the entries of a cluster that is gone out of the user's kubeconfig. Returns its path.
pub(super) fn unmerge(machine: &Machine, access: &Access) -> Option<Utf8PathBuf> {
    let path = users_path(machine).ok()?;
    let existing = std::fs::read_to_string(&path).ok()?;
    let without = kubeconfig::unmerge(&existing, access)?;
    write(&path, &without).is_ok().then_some(path)
}

/// Puts our entries into the user's kubeconfig.
pub(super) fn merge(machine: &Machine, access: &Access, path: Option<&Utf8Path>) -> Result<Written, Failure> {
    let path = match path {
        Some(path) => machine.directory.join(path),
        None => users_path(machine)?,
    };
    let existing = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Failure::File { action: "read", path, source }),
    };
    let merged =
        kubeconfig::merge(&existing, access).map_err(|source| Failure::Merge { path: path.clone(), source })?;
    if merged != existing {
        write(&path, &merged)?;
    }
    Ok(Written::new(path, access, machine))
}

/// The first file of `KUBECONFIG`, which is where kubectl puts new entries, or `~/.kube/config`.
fn users_path(machine: &Machine) -> Result<Utf8PathBuf, Failure> {
    let listed = machine.variable("KUBECONFIG").into_iter().flat_map(std::env::split_paths);
    let first = listed.filter_map(|path| Utf8PathBuf::from_path_buf(path).ok()).find(|path| !path.as_str().is_empty());
    match first {
        Some(path) => Ok(machine.directory.join(path)),
        None => Ok(machine.home()?.join(".kube").join("config")),
    }
}

fn write(path: &Utf8Path, text: &str) -> Result<(), Failure> {
    kubeconfig::write(path, text).map_err(|source| Failure::File { action: "write", path: path.to_owned(), source })
}
