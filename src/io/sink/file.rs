//! A file that is rotated by size and age, and opened anew on request.
//!
//! ```text
//! alerts.ndjson ─► alerts.ndjson.1 ─► alerts.ndjson.2 ─► … ─► gone after `keep`
//! ```
//! Invariant: the file ends with a whole line. A batch that does not get through whole is cut off again.
#![expect(clippy::disallowed_methods, reason = "files are written, renamed and removed, and grow old by the clock")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::alert::format::{Format, Formatter};
use crate::io::deliver::{Failure, Letter, Receipt, Sink};

/// When a file is put aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Before it grows beyond so many bytes.
    pub size: Option<u64>,
    /// When it is so old.
    pub age: Option<Duration>,
    /// Files that are kept besides the one that is written.
    pub keep: u32,
}

/// A file of alerts.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    format: Format,
    rotation: Option<Rotation>,
    file: File,
    length: u64,
    since: SystemTime,
}

impl FileSink {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(path: &Path, format: Format, rotation: Option<Rotation>) -> io::Result<Self> {
        let (file, length, since) = open(path)?;
        Ok(Self { path: path.to_owned(), format, rotation, file, length, since })
    }

    /// Whether a line is to go into a new file: `before` bytes are to be written before it, and `with` with it.
    fn is_due(&self, before: u64, with: u64) -> bool {
        let Some(rotation) = self.rotation else { return false };
        let full = rotation.size.is_some_and(|size| self.length + with > size);
        let old = rotation.age.is_some_and(|age| self.since.elapsed().is_ok_and(|passed| passed >= age));
        self.length + before > 0 && (full || old)
    }

    /// Puts the file aside and starts a new one.
    fn rotate(&mut self, keep: u32) -> io::Result<()> {
        self.file.sync_data()?;
        if keep == 0 {
            remove(&self.path)?;
        } else {
            remove(&self.aside(keep))?;
            for n in (1..keep).rev() {
                rename(&self.aside(n), &self.aside(n + 1))?;
            }
            rename(&self.path, &self.aside(1))?;
        }
        self.reopened()
    }

    fn reopened(&mut self) -> io::Result<()> {
        (self.file, self.length, self.since) = open(&self.path)?;
        Ok(())
    }

    fn aside(&self, n: u32) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{n}"));
        PathBuf::from(name)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let result = self.file.write_all(text.as_bytes());
        match &result {
            Ok(()) => self.length += text.len() as u64,
            // Half a line is no line. If it cannot be cut off, the next reader sees it.
            Err(_) => drop(self.file.set_len(self.length)),
        }
        result
    }

    fn try_deliver(&mut self, letters: &[Letter]) -> io::Result<()> {
        let mut text = String::new();
        for letter in letters {
            let start = text.len();
            Formatter::new(self.format, letter.inputs.clone()).write(&letter.alert, &mut text);
            if let Some(rotation) = self.rotation
                && self.is_due(start as u64, text.len() as u64)
            {
                let line = text.split_off(start);
                self.write(&text)?;
                self.rotate(rotation.keep)?;
                text = line;
            }
        }
        self.write(&text)
    }
}

impl Sink for FileSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        self.try_deliver(letters).map_err(|error| self.failure(&error))?;
        Ok(Receipt::ALL)
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.file.sync_data().map_err(|error| self.failure(&error))
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.reopened().map_err(|error| self.failure(&error))
    }
}

impl FileSink {
    fn failure(&self, error: &io::Error) -> Failure {
        Failure::down(format!("{}: {error}", self.path.display()))
    }
}

fn open(path: &Path) -> io::Result<(File, u64, SystemTime)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let metadata = file.metadata()?;
    let now = SystemTime::now();
    let since = if metadata.len() == 0 { now } else { metadata.created().unwrap_or(now) };
    Ok((file, metadata.len(), since))
}

fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(absent)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to).or_else(absent)
}

fn absent(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
