//! What can go wrong with an output, told apart by what there is to do about it.

use std::io;

use thiserror::Error;

/// An output failed.
#[derive(Debug, Error)]
pub enum SinkError {
    /// The reader went away, as `head` does when it has seen enough. Nothing is wrong.
    #[error("{name}: the reader closed the pipe")]
    Closed {
        /// The output.
        name: String,
    },
    /// No room is left.
    #[error("{name}: the disk is full; make room and run again, alerts up to here were written")]
    Full {
        /// The output.
        name: String,
    },
    /// It cannot be opened.
    #[error("{name}: cannot be opened for writing: {error}")]
    Open {
        /// The output.
        name: String,
        /// Why.
        error: io::Error,
    },
    /// It cannot be written.
    #[error("{name}: cannot be written: {error}")]
    Write {
        /// The output.
        name: String,
        /// Why.
        error: io::Error,
    },
}

impl SinkError {
    pub(super) fn open(name: &str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { name: name.to_owned() },
            _ => Self::Open { name: name.to_owned(), error },
        }
    }

    /// The queue of an output cannot be written.
    pub fn queue(error: io::Error) -> Self {
        Self::write("the queue of an output", error)
    }

    pub(super) fn write(name: &str, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed { name: name.to_owned() },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { name: name.to_owned() },
            _ => Self::Write { name: name.to_owned(), error },
        }
    }
}
