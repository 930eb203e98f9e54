//! Where alerts and records go: standard output, or a file.
//!
//! Relies on `alert::format` for the text. Writing blocks, so a slow reader slows the run down instead of filling
//! memory. Invariant: what was delivered before an error has been handed to the system whole, line by line.

pub mod elastic;
mod error;
pub mod file;
pub mod guard;
pub mod http;
pub mod markup;
pub mod nats;
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

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use crate::alert::Alert;
use crate::alert::format::Formatter;

pub use error::SinkError;

/// Bytes collected before they are written.
const BUFFER: usize = 64 << 10;

/// Writes lines of text to one place.
pub struct LineSink {
    name: String,
    out: Box<dyn Write + Send>,
    buffer: String,
    /// Whether every delivery is written at once, because somebody may be waiting for it.
    prompt: bool,
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
            Ok(file) => Ok(Self::new(&name, Box::new(file))),
            Err(error) => Err(SinkError::open(&name, error)),
        }
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
        Self { name: name.to_owned(), out, buffer: String::new(), prompt: true }
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
        let result = self.out.write_all(self.buffer.as_bytes());
        self.buffer.clear();
        result.map_err(|error| SinkError::write(&self.name, error))
    }
}

#[cfg(test)]
mod tests;
