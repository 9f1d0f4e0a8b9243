//! From flags, environment, files and profiles to a specification.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use howso_infra::Registry;
use howso_infra::core::spec::{
    EMBEDDED_PROFILES, Layer, Layers, Origin, ProfileChoice, Resolved, SpecErrors, embedded_profile, profile_name,
    resolve,
};

use crate::arguments::SpecArguments;
use crate::failure::Failure;
use crate::machine::Machine;

/// The name of the specification file.
pub(crate) const FILE_NAME: &str = "howso-infra.toml";

/// Variables with our prefix that are no keys of a specification.
const RESERVED_VARIABLES: [&str; 2] = ["HOWSO_INFRA_CONFIG", "HOWSO_INFRA_STATE_DIR"];

/// Puts the specification together.
pub(crate) fn load(arguments: &SpecArguments, machine: &Machine, registry: &Registry) -> Result<Resolved, Failure> {
    let layers = with_profile(layers(arguments, machine)?, machine)?;
    let mut resolved = resolve(&layers, &registry.schemas())?;
    for (key, path) in resolved.spec.platform.paths_mut() {
        *path = base(resolved.origins.get(&key), machine).join(&path);
    }
    Ok(resolved)
}

/// What a path is relative to: the file that says it, else the current directory.
fn base(origin: Option<&Origin>, machine: &Machine) -> Utf8PathBuf {
    let file = origin.and_then(|origin| match &origin.layer {
        Layer::File { path, .. } | Layer::Profile { path: Some(path), .. } => path.parent(),
        _ => None,
    });
    file.map_or_else(|| machine.directory.clone(), |directory| machine.directory.join(directory))
}

/// All layers but the profile. What is wrong in several of them is reported together.
pub(crate) fn layers(arguments: &SpecArguments, machine: &Machine) -> Result<Layers, Failure> {
    let mut errors = Vec::new();
    let mut layers = Layers::new();
    let mut add = |add: &mut dyn FnMut(Layers) -> Result<Layers, SpecErrors>| match add(layers.clone()) {
        Ok(more) => layers = more,
        Err(found) => errors.extend(found.errors),
    };
    if let Some((path, text)) = find_file(arguments.config.as_deref(), machine)? {
        add(&mut |layers| layers.file(path.clone(), &text));
    }
    add(&mut |layers| layers.environment(machine.variables.clone(), &RESERVED_VARIABLES));
    for (flag, path, value) in flags(arguments) {
        add(&mut |layers| layers.flag(flag, path, value.clone()));
    }
    for assignment in &arguments.set {
        add(&mut |layers| layers.set("--set", assignment));
    }
    if errors.is_empty() { Ok(layers) } else { Err(SpecErrors::from(errors).into()) }
}

/// The flags that are keys of a specification: flag, key, value.
fn flags(arguments: &SpecArguments) -> Vec<(&'static str, &'static str, toml::Value)> {
    let texts = [
        ("--name", "name", &arguments.name),
        ("--provider", "provider", &arguments.provider),
        ("--region", "region", &arguments.region),
        ("--profile", "profile", &arguments.profile),
        ("--kubernetes-version", "kubernetes.version", &arguments.kubernetes_version),
        ("--core-nodes", "core.nodes", &arguments.core_nodes),
        ("--worker-min", "workers.default.min", &arguments.worker_min),
        ("--worker-max", "workers.default.max", &arguments.worker_max),
    ];
    let given = texts.into_iter().filter_map(|(flag, path, value)| Some((flag, path, value.clone()?.into())));
    let mut flags: Vec<_> = given.collect();
    match arguments.api_access.as_slice() {
        [] => {}
        [word] if word.parse::<std::net::IpAddr>().is_err() && !word.contains('/') => {
            flags.push(("--api-access", "kubernetes.api_access", word.clone().into()));
        }
        networks => flags.push(("--api-access", "kubernetes.api_access", networks.to_vec().into())),
    }
    if arguments.allow_open_endpoint {
        flags.push(("--allow-open-endpoint", "allow_open_endpoint", true.into()));
    }
    flags
}

/// The specification file that was named, or the nearest one at or above the current directory.
fn find_file(config: Option<&Utf8Path>, machine: &Machine) -> Result<Option<(Utf8PathBuf, String)>, Failure> {
    if let Some(named) = config.or_else(|| machine.variable("HOWSO_INFRA_CONFIG").map(Utf8Path::new)) {
        let text = read(&machine.directory.join(named)).map_err(|source| unreadable(named, source))?;
        return Ok(Some((named.to_owned(), text)));
    }
    for directory in machine.directory.ancestors() {
        let path = directory.join(FILE_NAME);
        match read(&path) {
            Ok(text) => {
                let shown = path.strip_prefix(&machine.directory).map_or(path.clone(), Utf8Path::to_owned);
                return Ok(Some((shown, text)));
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(source) => return Err(unreadable(&path, source)),
        }
    }
    Ok(None)
}

/// A specification is a page of text; what is larger is something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

fn read(path: &Utf8Path) -> io::Result<String> {
    use io::Read;
    let mut text = String::new();
    let file = fs::File::open(path)?;
    if file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)? as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(text)
}

fn unreadable(path: &Utf8Path, source: io::Error) -> Failure {
    Failure::File { action: "read", path: path.to_owned(), source }
}

/// Adds the profile that the other layers name.
pub(crate) fn with_profile(layers: Layers, machine: &Machine) -> Result<Layers, Failure> {
    let choice = profile_name(&layers)?;
    let profile = find_profile(&choice, machine)?;
    Ok(layers.profile(&choice.name, profile.path, &profile.text)?)
}

/// A profile.
pub(crate) struct Profile {
    /// Its file; [`None`] for one that is built in.
    pub(crate) path: Option<Utf8PathBuf>,
    /// Its text.
    pub(crate) text: String,
}

/// Finds a profile: by its path, else among the user's own, else among those that are built in.
pub(crate) fn find_profile(choice: &ProfileChoice, machine: &Machine) -> Result<Profile, Failure> {
    if let Some(named) = choice.as_path() {
        let text = read(&machine.directory.join(named)).map_err(|source| unreadable(named, source))?;
        return Ok(Profile { path: Some(named.to_owned()), text });
    }
    let own = own_profiles(machine)?;
    if let Some(path) = own.get(&choice.name) {
        let text = read(path).map_err(|source| unreadable(path, source))?;
        return Ok(Profile { path: Some(path.clone()), text });
    }
    match embedded_profile(&choice.name) {
        Some(text) => Ok(Profile { path: None, text: text.to_owned() }),
        None => Err(choice.unknown(own.keys().map(String::as_str).chain(EMBEDDED_PROFILES)).into()),
    }
}

/// The user's own profiles: name and file. Without a home directory there are none.
pub(crate) fn own_profiles(machine: &Machine) -> Result<BTreeMap<String, Utf8PathBuf>, Failure> {
    let Ok(directory) = machine.profile_dir() else { return Ok(BTreeMap::new()) };
    let entries = match directory.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(unreadable(&directory, source)),
    };
    let mut profiles = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(|source| unreadable(&directory, source))?.into_path();
        if path.extension() == Some("toml")
            && let Some(name) = path.file_stem()
        {
            profiles.insert(name.to_owned(), path);
        }
    }
    Ok(profiles)
}

#[cfg(test)]
mod tests;
