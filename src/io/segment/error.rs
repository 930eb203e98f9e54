//! What can go wrong with a log, told apart by what there is to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Position;

/// A log cannot be read or written.
#[derive(Debug, Error)]
pub enum LogError {
    /// The disk is full. Nothing of the frame was kept; trying again later may succeed.
    #[error("{}: the disk is full", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The log may not become longer than it is. Trimming makes room.
    #[error("{}: the log has come to its limit of {limit} bytes", path.display())]
    Capped {
        /// The directory.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// The system refused something. What was appended since the last success of `sync` may be lost.
    #[error("{}: cannot {action}: {error}", path.display())]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// An earlier call has failed in a way after which nobody knows what the file holds.
    #[error("{}: not written any more after an earlier failure; start again to find out what is left", path.display())]
    Broken {
        /// The directory.
        path: PathBuf,
    },
    /// What was durable once is no longer what it was.
    #[error("{}: damaged at byte {offset}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What shows it.
        what: &'static str,
    },
    /// What is asked for is not in the log: it was trimmed, or not yet written.
    #[error("{}: position {} is not in the log, which reaches from {} to {}", path.display(), asked.0, start.0, end.0)]
    Outside {
        /// The directory.
        path: PathBuf,
        /// What was asked for.
        asked: Position,
        /// The first position.
        start: Position,
        /// The position after the last frame.
        end: Position,
    },
    /// The file that a reader had come to was trimmed away.
    #[error("{}: was trimmed away while it was to be read at position {}", path.display(), asked.0)]
    Trimmed {
        /// The file.
        path: PathBuf,
        /// Where the reader was.
        asked: Position,
    },
    /// A frame cannot hold so much.
    #[error("{}: {bytes} bytes are too many for one frame", path.display())]
    TooLong {
        /// The directory.
        path: PathBuf,
        /// Bytes of the payload.
        bytes: usize,
    },
}

impl LogError {
    pub(super) fn disk(path: &Path, action: &'static str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path: path.to_owned() },
            _ => Self::Disk { path: path.to_owned(), action, error },
        }
    }

    /// Whether trying again later may succeed: room may be made.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Capped { .. })
    }
}
