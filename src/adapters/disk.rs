//! Files of one folder.
//!
//! Invariants:
//! - No path leaves the folder.
//! - Jobs run on tokio's threads for blocking work; one that has begun runs to its end, even when
//!   nobody waits for it any more.
//! - A file's name is as durable as its contents: the folder is synced when a file is made, moved
//!   or removed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ports::{Disk, DiskFile, DiskLock};

/// The files below one folder.
#[derive(Debug, Clone)]
pub struct FileDisk {
    root: Arc<PathBuf>,
}

impl FileDisk {
    /// The disk below `root`, which is made when absent.
    ///
    /// # Errors
    /// The operating system's.
    pub fn new(root: &Path) -> io::Result<Self> {
        fs::create_dir_all(root)?;
        Ok(Self { root: Arc::new(root.to_owned()) })
    }

    fn path(&self, path: &str) -> io::Result<PathBuf> {
        let relative = Path::new(path);
        if relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Ok(self.root.join(relative));
        }
        let why = format!("`{path}` is not a plain relative path");
        Err(io::Error::new(io::ErrorKind::InvalidInput, why))
    }

    /// The file's path, after its folders were made.
    fn path_in_folder(&self, path: &str) -> io::Result<PathBuf> {
        let path = self.path(path)?;
        let missing: Vec<&Path> = path.ancestors().skip(1).take_while(|a| !a.exists()).collect();
        for folder in missing.iter().rev() {
            match fs::create_dir(folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => sync_folder_of(folder)?,
            }
        }
        Ok(path)
    }
}

/// Makes the entry of `path` in its folder durable.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        // Elsewhere a folder cannot be opened, and its entries are durable by themselves.
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

impl Disk for FileDisk {
    type File = OpenFile;

    fn open(&self, path: &str) -> io::Result<OpenFile> {
        let path = self.path_in_folder(path)?;
        let existed = path.exists();
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        if !existed {
            sync_folder_of(&path)?;
        }
        Ok(OpenFile(Mutex::new(file)))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(path)?)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        fs::rename(&from, &to)?;
        sync_folder_of(&to)?;
        sync_folder_of(&from)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let path = self.path(path)?;
        fs::remove_file(&path)?;
        sync_folder_of(&path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.path(path)?)? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            let name = entry.file_name().into_string().map_err(|name| {
                let why = format!("the file name {} is not UTF-8", name.display());
                io::Error::new(io::ErrorKind::InvalidData, why)
            })?;
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    fn lock(&self, path: &str) -> io::Result<DiskLock> {
        let path = self.path_in_folder(path)?;
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            // Closing the file releases the lock, as does the end of the process.
            Ok(()) => Ok(DiskLock::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        #[expect(clippy::disallowed_methods, reason = "real files block the thread they are on")]
        let job = tokio::task::spawn_blocking(job);
        match job.await {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends before the job began, and this future ends with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// An open file.
#[derive(Debug)]
pub struct OpenFile(Mutex<File>);

impl OpenFile {
    fn at(&self, offset: u64) -> io::Result<std::sync::MutexGuard<'_, File>> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
    }
}

impl DiskFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.at(offset)?.read_exact(buffer)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.at(offset)?.write_all(data)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FileDisk::new(&folder.path().join("new")).unwrap();
        for path in ["../outside", "/etc/passwd", "a/../../b", "./a"] {
            let error = disk.open(path).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
        disk.open("a/b/c").unwrap();
        assert_eq!(disk.list("a/b").unwrap(), ["c"]);
        assert!(disk.list("a").unwrap().is_empty(), "a folder is not a file");
    }

    #[test]
    fn lock_outlives_no_holder() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FileDisk::new(folder.path()).unwrap();
        let held = disk.lock("lock").unwrap();
        let second = FileDisk::new(folder.path()).unwrap().lock("lock").unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        disk.lock("lock").unwrap();
    }
}
