//! One run at a time uses a state directory. The lock is the system's, so it ends with the process, however that ends.

#![allow(clippy::disallowed_methods, reason = "the lock is a file")]

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::StateDirError;

/// A held lock.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks a directory.
    pub(super) fn take(dir: &Path) -> Result<Self, StateDirError> {
        let path = dir.join("lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|error| StateDirError::disk(&path, "open the lock", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StateDirError::InUse { path: dir.to_owned() }),
            Err(TryLockError::Error(error)) => Err(StateDirError::disk(&path, "lock the directory", error)),
        }
    }
}
