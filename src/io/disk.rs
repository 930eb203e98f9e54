//! The file system as everything durable uses it: the few calls that can fail for want of room or by a broken disk.
//!
//! All of them go through [`Disk`], so that a test can fail the n-th one, or let only part of a write through. Without
//! faults it adds nothing to `std::fs`. Reading does not pass here: what was read is checked by its checksums.

#![allow(clippy::disallowed_methods, reason = "this is the file system")]

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A call that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// A file or directory is made.
    Create,
    /// Bytes are appended.
    Write,
    /// A file is made durable.
    Sync,
    /// The names in a directory are made durable.
    SyncDir,
    /// A file gets another name.
    Rename,
    /// A file is removed.
    Remove,
    /// A file is cut.
    Truncate,
}

/// What a test lets go wrong.
#[derive(Debug)]
pub struct Fault {
    /// The error that the caller sees.
    pub error: io::Error,
    /// Of a write: bytes that reach the file all the same.
    pub written: usize,
}

/// Asked before every call; `Some` makes it fail.
pub type Faults = dyn Fn(Call, &Path) -> Option<Fault> + Send + Sync;

/// The file system.
#[derive(Clone, Default)]
pub struct Disk {
    faults: Option<Arc<Faults>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("faults", &self.faults.is_some()).finish()
    }
}

impl Disk {
    /// A file system on which calls fail as `faults` says.
    pub fn with_faults(faults: Arc<Faults>) -> Self {
        Self { faults: Some(faults) }
    }

    fn before(&self, call: Call, path: &Path) -> Result<(), Fault> {
        match self.faults.as_ref().and_then(|faults| faults(call, path)) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    fn check(&self, call: Call, path: &Path) -> io::Result<()> {
        self.before(call, path).map_err(|fault| fault.error)
    }

    /// Makes a directory and those above it, unless they are there. What is made is for its owner alone: events stand in
    /// it. One that is there stays as it is.
    ///
    /// # Errors
    /// As the system says.
    pub fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check(Call::Create, path)?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path)
    }

    /// Makes a file that must not be there.
    ///
    /// # Errors
    /// As the system says.
    pub fn create(&self, path: &Path) -> io::Result<DiskFile> {
        self.check(Call::Create, path)?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(DiskFile { file, path: path.to_owned(), disk: self.clone() })
    }

    /// Opens a file that is there, with its end as the place where writing goes on.
    ///
    /// # Errors
    /// As the system says.
    pub fn open(&self, path: &Path) -> io::Result<DiskFile> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(DiskFile { file, path: path.to_owned(), disk: self.clone() })
    }

    /// Gives a file another name, in place of what had it.
    ///
    /// # Errors
    /// As the system says.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(Call::Rename, from)?;
        fs::rename(from, to)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.check(Call::Remove, path)?;
        fs::remove_file(path)
    }

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// As the system says.
    pub fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check(Call::SyncDir, path)?;
        // Elsewhere a directory cannot be opened as a file, and renames are durable with the file.
        if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
    }

    /// The names of the files in a directory, sorted; none if there is no such directory.
    ///
    /// # Errors
    /// As the system says.
    pub fn names(&self, path: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }
}

/// A file that is appended to.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    path: PathBuf,
    disk: Disk,
}

impl DiskFile {
    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes in it.
    ///
    /// # Errors
    /// As the system says.
    pub fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// As the system says.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Appends bytes. After an error any part of them may be in the file.
    ///
    /// # Errors
    /// As the system says.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.disk.before(Call::Write, &self.path) {
            Ok(()) => self.file.write_all(bytes),
            Err(fault) => {
                self.file.write_all(&bytes[..fault.written.min(bytes.len())])?;
                Err(fault.error)
            }
        }
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// As the system says. What was written since the last success may be lost then, and a second call that succeeds
    /// proves nothing: do not go on with this file.
    pub fn sync(&self) -> io::Result<()> {
        self.disk.check(Call::Sync, &self.path)?;
        self.file.sync_data()
    }

    /// Cuts the file to a length; writing goes on there.
    ///
    /// # Errors
    /// As the system says.
    pub fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.disk.check(Call::Truncate, &self.path)?;
        self.file.set_len(len)?;
        self.file.seek(SeekFrom::Start(len)).map(drop)
    }

    /// Another handle of the file, for making it durable from another thread.
    ///
    /// # Errors
    /// As the system says.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, path: self.path.clone(), disk: self.disk.clone() })
    }

    /// Reads the whole file.
    ///
    /// # Errors
    /// As the system says.
    pub fn read_all(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}
