//! A file that is still being written: at its end the reader waits for more.
//!
//! A file that becomes shorter is read again from its start. A file that is renamed or removed is read to its end, then
//! the one that takes its name is read from its start. Both end a line that had no line feed yet, and both are warned
//! about, since lines may have been lost in between. The reader stops only when it is told to.

#![allow(clippy::disallowed_methods, reason = "inputs are files, and a file that grows is waited for")]

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::block::{BlockOptions, BlockReader, Position};
use super::error::SourceError;
use super::mark::{HEAD, Marks, inode, mark};

/// How a growing file is followed.
#[derive(Clone)]
pub struct FollowOptions {
    /// How long to wait at the end before looking again.
    pub poll: Duration,
    /// Set from elsewhere to end the input at its present end.
    pub stop: Arc<AtomicBool>,
    /// The input ends where nothing more is there to read, instead of waiting for more.
    pub until_end: bool,
    /// The same from when this holds: nothing more is expected.
    pub over: Option<Over>,
}

/// Whether nothing more is expected of a file.
pub type Over = Arc<dyn Fn() -> bool + Send + Sync>;

impl fmt::Debug for FollowOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { poll, stop, until_end, over } = self;
        let over = over.as_ref().map(|_| "…");
        let mut shown = f.debug_struct("FollowOptions");
        shown.field("poll", poll).field("stop", stop).field("until_end", until_end).field("over", &over).finish()
    }
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self { poll: Duration::from_millis(200), stop: Arc::default(), until_end: false, over: None }
    }
}

/// Opens a file and keeps reading as it grows, from a place that an earlier run had come to or from the start.
///
/// # Errors
/// There is no such file, or it cannot be read, or it is no plain file.
pub fn follow(
    name: &str,
    at: Position,
    options: BlockOptions,
    following: FollowOptions,
) -> Result<BlockReader<Following>, SourceError> {
    let file = File::open(name).map_err(|error| SourceError::open(name, error))?;
    let metadata = file.metadata().map_err(|error| SourceError::open(name, error))?;
    if !metadata.is_file() {
        let help = "follow plain files only; a pipe is read as it comes without being followed";
        return Err(SourceError::new(name, "open", "it is no file that grows", help, None));
    }
    if [".gz", ".zst"].iter().any(|suffix| name.ends_with(suffix)) {
        let help = "read it without following it, or follow the file before it is compressed";
        return Err(SourceError::new(name, "open", "a compressed file cannot be followed", help, None));
    }
    let start = if metadata.len() < at.offset {
        tracing::warn!(input = name, "the file is shorter than when it was last read; it is read again from its start");
        0
    } else {
        at.offset
    };
    let begins = at.offset - start;
    let options = BlockOptions { fill: false, ..options };
    Following::begin(name, file, (at, begins), options, following).map_err(|error| SourceError::read(name, error))
}

/// A file that grows, as a reader that waits at its end.
#[derive(Debug)]
pub struct Following {
    path: PathBuf,
    file: File,
    identity: Identity,
    position: u64,
    /// The last byte read.
    last: u8,
    /// The path is known to lead nowhere; said once.
    gone: bool,
    /// Bytes given out, those before this run included.
    given: u64,
    /// The first bytes of the file, as far as they are known.
    head: Vec<u8>,
    marks: Marks,
    options: FollowOptions,
    /// It was over when its end was reached last: what is there now is the rest.
    over: bool,
}

type Identity = (u64, u64);

impl Read for Following {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.file.read(into)?;
            if read > 0 {
                if self.position == self.head.len() as u64 && self.head.len() < HEAD {
                    let more = read.min(HEAD - self.head.len());
                    self.head.extend_from_slice(&into[..more]);
                    self.marks.refine(&self.head);
                }
                self.position += read as u64;
                self.given += read as u64;
                self.last = into[read - 1];
                return Ok(read);
            }
            if into.is_empty() || self.options.stop.load(Ordering::Relaxed) {
                return Ok(0);
            }
            if self.start_over()? {
                let ends_line = self.last != b'\n';
                self.given += u64::from(ends_line);
                self.another_begins()?;
                if ends_line {
                    self.last = b'\n';
                    into[0] = b'\n';
                    return Ok(1);
                }
            } else if self.options.until_end || self.over {
                return Ok(0);
            } else if self.options.over.as_ref().is_some_and(|over| over()) {
                // What was written before that is still to be read.
                self.over = true;
            } else {
                thread::sleep(self.options.poll);
            }
        }
    }
}

impl Following {
    /// Reads a file from a place on; the file's first byte has the offset `begins`.
    pub(super) fn begin(
        name: &str,
        file: File,
        (at, begins): (Position, u64),
        options: BlockOptions,
        following: FollowOptions,
    ) -> io::Result<BlockReader<Self>> {
        let (input, marks) = Self::at(name, file, (at, begins), following)?;
        // Positions go on counting even if the file was replaced: they must not repeat.
        Ok(BlockReader::new(input, name, options).starting_at(at).with_marks(marks))
    }

    /// As [`Following::begin`], as bytes.
    pub(super) fn at(
        name: &str,
        mut file: File,
        (at, begins): (Position, u64),
        following: FollowOptions,
    ) -> io::Result<(Self, Marks)> {
        let position = at.offset.saturating_sub(begins);
        let marks = Marks::default();
        marks.push(mark(&mut file, begins)?);
        let mut head = vec![0; HEAD];
        let known = file.read(&mut head)?;
        head.truncate(known);
        file.seek(SeekFrom::Start(position))?;
        let input = Self {
            path: PathBuf::from(name),
            identity: inode(&file.metadata()?),
            file,
            position,
            last: b'\n',
            gone: false,
            given: at.offset,
            head,
            marks: marks.clone(),
            options: following,
            over: false,
        };
        Ok((input, marks))
    }

    /// The file is read from its beginning, which has the next offset.
    fn another_begins(&mut self) -> io::Result<()> {
        self.head.clear();
        self.marks.push(mark(&mut self.file, self.given)?);
        Ok(())
    }

    /// The end of the file was reached: has it been cut, or has another one taken its name?
    fn start_over(&mut self) -> io::Result<bool> {
        let name = self.path.display();
        if self.file.metadata()?.len() < self.position {
            tracing::warn!(input = %name, "the file became shorter; it is read again from its start");
            self.file.seek(SeekFrom::Start(0))?;
            self.position = 0;
            return Ok(true);
        }
        let there = match std::fs::metadata(&self.path) {
            Ok(metadata) => inode(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !self.gone {
                    tracing::warn!(input = %name, "the file is gone; waiting for one of that name");
                    self.gone = true;
                }
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.gone = false;
        if there == self.identity {
            return Ok(false);
        }
        // What was written to the old file after its end was read, and before it was renamed, is still to come.
        if self.file.metadata()?.len() > self.position {
            return Ok(false);
        }
        let Some((file, identity)) = reopen(&self.path)? else { return Ok(false) };
        tracing::info!(input = %name, "another file has taken the name; it is read from its start");
        (self.file, self.identity, self.position) = (file, identity, 0);
        Ok(true)
    }
}

/// The file may vanish again between two looks: then there is none.
fn reopen(path: &Path) -> io::Result<Option<(File, Identity)>> {
    match File::open(path) {
        Ok(file) => {
            let identity = inode(&file.metadata()?);
            Ok(Some((file, identity)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
