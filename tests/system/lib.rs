//! What the whole-system tests share: a toy cloud in a temporary folder, and a treacherous one in memory.

mod memory;

use std::sync::Arc;

use camino::Utf8PathBuf;
use howso_infra::core::spec::{Layers, embedded_profile, resolve};
use howso_infra::{Registry, Session, Surroundings};
use howso_infra_toy::ToyFactory;

pub use memory::{Fault, MemoryCloud, Unreadable, VISIBLE_AFTER};

/// A toy cloud and a state directory, gone when dropped.
pub struct ToyCloud {
    folder: tempfile::TempDir,
}

impl ToyCloud {
    /// Makes an empty cloud.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { folder: tempfile::tempdir()? })
    }

    /// The folder that is the cloud.
    pub fn cloud(&self) -> Utf8PathBuf {
        self.path("cloud")
    }

    /// The state directory.
    pub fn state(&self) -> Utf8PathBuf {
        self.path("state")
    }

    /// Opens the cluster `demo` with the profile `small` and what `settings` (`key=value`) say beyond it.
    pub async fn open(&self, settings: &[&str]) -> Result<Session, Box<dyn std::error::Error>> {
        let registry = Registry::empty().with(Arc::new(ToyFactory));
        let profile = embedded_profile("small").ok_or("the profile `small` is embedded")?;
        let mut layers = Layers::new().profile("small", None, profile)?;
        let folder = format!("toy.folder=\"{}\"", self.cloud());
        let quick = ["engine.poll_interval_min=1ms", "engine.poll_interval_max=5ms", "engine.visibility_window=1ms"];
        let base = ["name=demo", "provider=toy", "region=here", folder.as_str()];
        for setting in base.into_iter().chain(quick).chain(settings.iter().copied()) {
            layers = layers.set("--set", setting)?;
        }
        let spec = resolve(&layers, &registry.schemas())?.spec;
        let surroundings = Surroundings { state_dir: self.state(), host: "test".to_owned(), process_id: 1 };
        Ok(Session::open(spec, &registry, surroundings).await?)
    }

    /// The names of everything in the cloud.
    pub fn resources(&self) -> std::io::Result<Vec<String>> {
        let mut found = Vec::new();
        let mut open = vec![self.cloud()];
        while let Some(folder) = open.pop() {
            if !folder.exists() {
                continue;
            }
            for entry in folder.read_dir_utf8()? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    open.push(entry.into_path());
                } else if let Ok(relative) = entry.path().strip_prefix(self.cloud()) {
                    found.push(relative.to_string());
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::from(self.folder.path().to_string_lossy().into_owned()).join(name)
    }
}
