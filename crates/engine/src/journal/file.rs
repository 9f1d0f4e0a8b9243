//! A journal in a file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};

use camino::{Utf8Path, Utf8PathBuf};

use crate::journal::content::Content;
use crate::journal::error::JournalError;
use crate::journal::state::JournalState;

/// How often to look again when the file is replaced between opening and locking it.
const OPEN_ATTEMPTS: usize = 5;

/// A journal file that this process has locked.
pub(crate) struct FileStore {
    /// Absent only while an abandoned write may still be under way.
    locked: Option<LockedFile>,
    path: Utf8PathBuf,
    len: usize,
}

/// The file itself; all its methods block.
struct LockedFile {
    path: Utf8PathBuf,
    file: File,
    /// The length that this process left it with.
    len: u64,
}

impl FileStore {
    pub(crate) async fn open(path: Utf8PathBuf) -> Result<(Self, Content), JournalError> {
        let (locked, content) = blocking({
            let path = path.clone();
            move || LockedFile::open(path)
        })
        .await?;
        let len = content.len;
        Ok((Self { locked: Some(locked), path, len }, content))
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) async fn append(&mut self, text: String) -> Result<(), JournalError> {
        let added = text.len();
        self.with(move |locked| locked.append(text.as_bytes())).await?;
        self.len += added;
        Ok(())
    }

    pub(crate) async fn replace(&mut self, text: String) -> Result<(), JournalError> {
        let len = text.len();
        self.with(move |locked| locked.replace(text.as_bytes())).await?;
        self.len = len;
        Ok(())
    }

    /// Closes the file, and with it the lock.
    pub(crate) async fn release(self) -> Result<(), JournalError> {
        let locked = self.locked;
        blocking(move || {
            drop(locked);
            Ok(())
        })
        .await
    }

    pub(crate) async fn retire(&mut self) -> Result<(), JournalError> {
        self.with(LockedFile::retire).await
    }

    async fn with(
        &mut self,
        work: impl FnOnce(&mut LockedFile) -> Result<(), JournalError> + Send + 'static,
    ) -> Result<(), JournalError> {
        let Some(mut locked) = self.locked.take() else {
            return Err(lost(&self.path, "an earlier write failed or was abandoned"));
        };
        let locked = blocking(move || work(&mut locked).map(|()| locked)).await?;
        self.locked = Some(locked);
        Ok(())
    }
}

/// Reads a file without locking it.
pub(crate) async fn peek(path: Utf8PathBuf) -> Result<JournalState, JournalError> {
    blocking(move || match fs::read(&path) {
        Ok(bytes) => Content::parse(&bytes, path.as_str(), 0).map(|content| content.state),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(JournalState::default()),
        Err(source) => Err(failed("read", &path)(source)),
    })
    .await
}

impl LockedFile {
    fn open(path: Utf8PathBuf) -> Result<(Self, Content), JournalError> {
        let directory = directory_of(&path);
        create_private_directory(directory).map_err(failed("create", directory))?;
        for _ in 0..OPEN_ATTEMPTS {
            let mut file = open_private(&path).map_err(failed("open", &path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(held(&path)),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
            }
            // Between opening and locking, the run that had it may have put the file away or replaced it.
            if !is_same(&file, &path) {
                continue;
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(failed("read", &path))?;
            let content = Content::parse(&bytes, path.as_str(), 0)?;
            let len = content.len as u64;
            file.set_len(len).and_then(|()| file.sync_all()).map_err(failed("write", &path))?;
            sync_directory(directory).map_err(failed("sync", directory))?;
            return Ok((Self { path, file, len }, content));
        }
        Err(lost(&path, "it is replaced again and again"))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        self.check()?;
        let written = self.file.seek(SeekFrom::Start(self.len)).and_then(|_| {
            self.file.write_all(bytes)?;
            self.file.sync_data()
        });
        if let Err(source) = written {
            // What was written halfway is taken back, so that the file stays readable; if that fails too, it is a torn
            // tail, which the next run leaves out.
            let _ = self.file.set_len(self.len);
            return Err(failed("write", &self.path)(source));
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Checks that nobody else touched the file: then the lock is worth something.
    fn check(&self) -> Result<(), JournalError> {
        if !is_same(&self.file, &self.path) {
            return Err(lost(&self.path, "the file was moved, deleted or replaced"));
        }
        let len = self.file.metadata().map_err(failed("read", &self.path))?.len();
        if len == self.len {
            Ok(())
        } else {
            Err(lost(&self.path, &format!("it has {len} bytes instead of {}", self.len)))
        }
    }

    /// Puts other content in place of all that is there, in one step.
    fn replace(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        self.check()?;
        let new_path = with_suffix(&self.path, "new");
        let mut new = open_private(&new_path).map_err(failed("create", &new_path))?;
        // The lock must be on the new file before others can find it under the journal's name.
        new.try_lock().map_err(|error| failed("lock", &new_path)(error.into()))?;
        let written = new.set_len(0).and_then(|()| new.write_all(bytes)).and_then(|()| new.sync_all());
        written.map_err(failed("write", &new_path))?;
        let directory = directory_of(&self.path);
        fs::rename(&new_path, &self.path).map_err(failed("replace", &self.path))?;
        sync_directory(directory).map_err(failed("sync", directory))?;
        self.file = new;
        self.len = bytes.len() as u64;
        Ok(())
    }

    fn retire(&mut self) -> Result<(), JournalError> {
        self.check()?;
        fs::rename(&self.path, with_suffix(&self.path, "removed")).map_err(failed("rename", &self.path))?;
        let directory = directory_of(&self.path);
        sync_directory(directory).map_err(failed("sync", directory))
    }
}

/// Runs file operations off the tasks that talk to the cloud.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, JournalError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(JournalError::File { action: "write", path: "the journal".to_owned(), source: error.into() }),
    }
}

fn held(path: &Utf8Path) -> JournalError {
    let state = fs::read(path).ok().and_then(|bytes| Content::parse(&bytes, path.as_str(), 0).ok());
    let by = state
        .and_then(|content| content.state.last_run().filter(|run| run.ended.is_none()).map(|run| run.holder.clone()));
    JournalError::Held { place: path.to_string(), by, until: None }
}

fn lost(path: &Utf8Path, reason: &str) -> JournalError {
    JournalError::Lost { place: path.to_string(), reason: reason.to_owned() }
}

fn failed(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> JournalError {
    move |source| JournalError::File { action, path: path.to_string(), source }
}

fn directory_of(path: &Utf8Path) -> &Utf8Path {
    path.parent().filter(|parent| !parent.as_str().is_empty()).unwrap_or(Utf8Path::new("."))
}

fn with_suffix(path: &Utf8Path, suffix: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}.{suffix}"))
}

#[cfg(unix)]
fn create_private_directory(path: &Utf8Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_directory(path: &Utf8Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// Opens or makes a file that only the user can read, whatever the umask and whoever made it.
fn open_private(path: &Utf8Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        if file.metadata()?.permissions().mode() & 0o777 != 0o600 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// Whether `path` still names the open file.
#[cfg(unix)]
fn is_same(file: &File, path: &Utf8Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same(_file: &File, path: &Utf8Path) -> bool {
    path.exists()
}

/// Makes the names in a directory durable.
fn sync_directory(path: &Utf8Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A journal on a device that takes no bytes: the file is open for reading only.
    #[tokio::test]
    async fn a_write_that_fails_is_told_and_nothing_can_be_written_afterwards() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = Utf8PathBuf::from_path_buf(directory.path().join("a.journal")).expect("UTF-8");
        drop(FileStore::open(path.clone()).await.expect("a new journal"));
        let file = File::open(&path).expect("the journal");
        let locked = Some(LockedFile { path: path.clone(), file, len: 0 });
        let mut store = FileStore { locked, path, len: 0 };
        let first = store.append("{}\n".to_owned()).await;
        assert!(matches!(first, Err(JournalError::File { action: "write", .. })), "{first:?}");
        let second = store.append("{}\n".to_owned()).await;
        assert!(matches!(second, Err(JournalError::Lost { .. })), "{second:?}");
        assert_eq!(store.len(), 0);
    }
}
