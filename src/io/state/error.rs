//! What can go wrong with a state directory, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A state directory cannot be used.
#[derive(Debug, Error)]
pub enum StateDirError {
    /// The state is kept in a topic of Kafka, and that failed.
    #[error("topic {topic}: {problem}")]
    Topic {
        /// The topic.
        topic: String,
        /// What went wrong, in words.
        problem: String,
    },
    /// Another run uses it.
    #[error("{}: another run uses this state directory; stop it, or give this run a directory of its own", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The disk is full. Nothing was changed; trying again later may succeed.
    #[error("{}: the disk is full", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The system refused something.
    #[error("{}: cannot {action}: {error}", path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// A newer release wrote it.
    #[error(
        "{}: has format {found}, this release reads formats up to {known}; use the release that wrote it, or a newer one",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The newest format that is known.
        known: u32,
    },
    /// No generation holds an intact checkpoint, although there was one.
    #[error(
        "{}: no intact checkpoint is left ({found}); the damaged files were kept. `tripline state verify` says more; to \
         begin anew, give another directory",
        path.display()
    )]
    NothingIntact {
        /// The directory.
        path: PathBuf,
        /// What was found.
        found: String,
    },
    /// An earlier write has failed in a way after which nobody knows what the file holds.
    #[error("{}: not written any more after an earlier failure", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
    },
}

impl StateDirError {
    pub(super) fn disk(path: &Path, action: &'static str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path: path.to_owned() },
            _ => Self::Disk { path: path.to_owned(), action, error },
        }
    }

    /// Whether trying again later may succeed.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}
