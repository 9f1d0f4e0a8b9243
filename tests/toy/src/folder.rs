//! The files of the toy cloud.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use howso_infra_core::{Attributes, ResourceId};
use serde::{Deserialize, Serialize};

/// One resource as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) id: ResourceId,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) attributes: Attributes,
    /// Milliseconds since 1970 at which it is settled.
    pub(crate) settled_at_millis: u64,
}

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: Utf8PathBuf,
    settle: Duration,
}

impl Folder {
    pub(crate) fn new(path: Utf8PathBuf, settle: Duration) -> Self {
        Self { path, settle }
    }

    pub(crate) fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in files(&self.path)? {
            entries.push(serde_json::from_slice(&fs::read(file)?)?);
        }
        Ok(entries)
    }

    pub(crate) fn get(&self, id: &ResourceId) -> io::Result<Option<Entry>> {
        match fs::read(self.file(id)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn put(
        &self,
        id: &ResourceId,
        tags: BTreeMap<String, String>,
        attributes: Attributes,
    ) -> io::Result<()> {
        let settled_at_millis = now_millis() + u64::try_from(self.settle.as_millis()).unwrap_or(u64::MAX);
        let entry = Entry { id: id.clone(), tags, attributes, settled_at_millis };
        let file = self.file(id);
        fs::create_dir_all(file.parent().unwrap_or(&self.path))?;
        fs::write(file, serde_json::to_vec_pretty(&entry)?)
    }

    pub(crate) fn remove(&self, id: &ResourceId) -> io::Result<()> {
        match fs::remove_file(self.file(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn file(&self, id: &ResourceId) -> Utf8PathBuf {
        self.path.join(id.kind()).join(format!("{}.json", id.name()))
    }
}

impl Entry {
    pub(crate) fn is_settled(&self) -> bool {
        now_millis() >= self.settled_at_millis
    }
}

fn now_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// All files below `folder`; none when it does not exist.
fn files(folder: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let mut found = Vec::new();
    let entries = match folder.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() { found.extend(files(entry.path())?) } else { found.push(entry.into_path()) }
    }
    found.sort();
    Ok(found)
}
