//! Where alerts and records go: standard output, or a file.
//!
//! Relies on `alert::format` for the text. Writing blocks, so a slow reader slows the run down instead of filling
//! memory. Invariant: what was delivered before an error has been handed to the system whole, line by line.

#![allow(clippy::disallowed_methods, reason = "a full disk is waited for")]

pub mod elastic;
mod error;
pub mod file;
pub mod guard;
pub mod http;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod markup;
pub mod nats;
pub mod pace;
pub mod postgres;
pub mod preset;
pub mod row;
pub mod secret;
pub mod sign;
pub mod splunk;
pub mod sqlite;
pub mod stdout;
pub mod syslog;
pub mod template;
pub mod tls;
pub mod webhook;
pub mod wire;

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::alert::Alert;
use crate::alert::format::Formatter;

pub use error::SinkError;

/// Bytes collected before they are written.
const BUFFER: usize = 64 << 10;

/// How long to wait before trying again on a full disk.
const PATIENCE: Duration = Duration::from_millis(200);

/// Writes lines of text to one place.
pub struct LineSink {
    name: String,
    out: Box<dyn Write + Send>,
    buffer: String,
    /// Whether every delivery is written at once, because somebody may be waiting for it.
    prompt: bool,
    /// Another handle of a file that is appended to, and the bytes in it that have been written whole.
    file: Option<File>,
    length: u64,
    /// A full disk is waited for until this is set.
    patient: Option<Arc<AtomicBool>>,
}

impl LineSink {
    /// Standard output, written at the end of each delivery.
    pub fn stdout() -> Self {
        Self::new("stdout", Box::new(io::stdout()))
    }

    /// A file that is created, or appended to.
    pub fn append(path: &Path) -> Result<Self, SinkError> {
        let name = path.display().to_string();
        match OpenOptions::new().create(true).append(true).open(path) {
            Ok(file) => {
                let handle = file.try_clone().map_err(|error| SinkError::open(&name, error))?;
                let length = handle.metadata().map_err(|error| SinkError::open(&name, error))?.len();
                Ok(Self { file: Some(handle), length, ..Self::new(&name, Box::new(file)) })
            }
            Err(error) => Err(SinkError::open(&name, error)),
        }
    }

    /// Lets go of a file that may have been moved away, and opens the one of that name.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn reopen(&mut self, path: &Path) -> Result<(), SinkError> {
        let patient = self.patient.take();
        *self = Self { patient, ..Self::append(path)? };
        Ok(())
    }

    /// The name that errors show.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// On a full disk waits until there is room, or `stop` is set, instead of failing.
    pub fn wait_for_room(&mut self, stop: &Arc<AtomicBool>) {
        self.patient = Some(Arc::clone(stop));
    }

    /// Hands everything to the system, and gives the length of the file with a handle for making it durable. `None`
    /// for what is no file: there nothing can be taken back.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn mark(&mut self) -> Result<Option<(u64, File)>, SinkError> {
        self.flush()?;
        let failed = |error| SinkError::write(&self.name, error);
        let Some(file) = &self.file else { return Ok(None) };
        if !file.metadata().map_err(failed)?.is_file() {
            return Ok(None);
        }
        let handle = file.try_clone().map_err(failed)?;
        Ok(Some((file.metadata().map_err(failed)?.len(), handle)))
    }

    /// Takes back what was appended after a mark. False if the file has become shorter since: then somebody else has
    /// cut or replaced it, and it is left as it is.
    ///
    /// # Errors
    /// It cannot be cut.
    pub fn cut(&mut self, len: u64) -> Result<bool, SinkError> {
        let failed = |error| SinkError::write(&self.name, error);
        let Some(file) = &self.file else { return Ok(true) };
        if file.metadata().map_err(failed)?.len() < len {
            return Ok(false);
        }
        file.set_len(len).map_err(failed)?;
        self.length = len;
        Ok(true)
    }

    /// A file that is created, or emptied.
    pub fn create(path: &Path) -> Result<Self, SinkError> {
        let name = path.display().to_string();
        match OpenOptions::new().create(true).write(true).truncate(true).open(path) {
            Ok(file) => Ok(Self { prompt: false, ..Self::new(&name, Box::new(file)) }),
            Err(error) => Err(SinkError::open(&name, error)),
        }
    }

    /// Any writer, by the name that errors show.
    pub fn new(name: &str, out: Box<dyn Write + Send>) -> Self {
        Self { name: name.to_owned(), out, buffer: String::new(), prompt: true, file: None, length: 0, patient: None }
    }

    /// Writes a line; the text has no line end of its own.
    pub fn line(&mut self, text: &str) -> Result<(), SinkError> {
        self.buffer.push_str(text);
        self.buffer.push('\n');
        self.write_if_full()
    }

    /// Writes alerts in the order given.
    pub fn deliver(&mut self, alerts: &[Alert], formatter: &Formatter) -> Result<(), SinkError> {
        for alert in alerts {
            formatter.write(alert, &mut self.buffer);
            self.write_if_full()?;
        }
        if self.prompt && !alerts.is_empty() { self.flush() } else { Ok(()) }
    }

    /// Hands everything to the system.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.write_buffer()?;
        self.out.flush().map_err(|error| SinkError::write(&self.name, error))
    }

    fn write_if_full(&mut self) -> Result<(), SinkError> {
        if self.buffer.len() >= BUFFER { self.write_buffer() } else { Ok(()) }
    }

    fn write_buffer(&mut self) -> Result<(), SinkError> {
        let mut told = false;
        loop {
            let Err(error) = self.out.write_all(self.buffer.as_bytes()) else {
                self.length += self.buffer.len() as u64;
                break;
            };
            let error = SinkError::write(&self.name, error);
            let waits = self.patient.as_ref().is_some_and(|stop| !stop.load(Ordering::Relaxed));
            // Half of the lines may have been written: they are taken back, and all of them are written again.
            let taken_back = self.file.as_ref().is_some_and(|file| file.set_len(self.length).is_ok());
            if !(matches!(error, SinkError::Full { .. }) && waits && taken_back) {
                self.buffer.clear();
                return Err(error);
            }
            if !std::mem::replace(&mut told, true) {
                tracing::warn!("{}: the disk is full; input waits until there is room", self.name);
            }
            thread::sleep(PATIENCE);
        }
        self.buffer.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
