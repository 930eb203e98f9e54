//! Reads a log frame by frame, and goes on when more is appended.

#![allow(clippy::disallowed_methods, reason = "logs are files")]

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::frame::{HEADER, read_header};
use super::log::{FILE_HEADER, check_file_header, path_of, start_of};
use super::{LogError, Position};
use crate::io::disk::Disk;

/// A reader of a log.
#[derive(Debug)]
pub struct LogReader {
    dir: PathBuf,
    /// The first position of the file that is read, and of its next frame.
    start: Position,
    at: Position,
    end: Arc<AtomicU64>,
    file: Option<BufReader<File>>,
    /// Somebody else may be writing: what is not whole at the end is no damage.
    from_outside: bool,
}

impl LogReader {
    pub(super) fn new(dir: PathBuf, start: Position, at: Position, end: Arc<AtomicU64>) -> Self {
        Self { dir, start, at, end, file: None, from_outside: false }
    }

    /// Reads all that is left of the log in a directory, which another process may be writing. Changes nothing.
    /// `None` if there is no log.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn of_directory(dir: &Path) -> Result<Option<Self>, LogError> {
        let names = Disk::default().names(dir).map_err(|error| LogError::disk(dir, "read the directory", error))?;
        let Some(start) = names.iter().find_map(|name| start_of(name)) else { return Ok(None) };
        let reader = Self::new(dir.to_owned(), start, start, Arc::new(AtomicU64::new(u64::MAX)));
        Ok(Some(Self { from_outside: true, ..reader }))
    }

    /// The position of the next frame.
    pub fn position(&self) -> Position {
        self.at
    }

    /// The next frame with its position; `None` at the present end of the log.
    ///
    /// # Errors
    /// The file cannot be read, was trimmed away, or is damaged. Asking again gives the same.
    #[expect(clippy::should_implement_trait, reason = "it is no iterator: after `None` there may be more")]
    pub fn next(&mut self) -> Result<Option<(Position, Vec<u8>)>, LogError> {
        if self.at.0 >= self.end.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut anew = self.file.is_none();
        loop {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => self.open()?,
            };
            match self.read_frame(&mut file)? {
                Step::Frame(payload) => {
                    let position = self.at;
                    self.at.0 += (HEADER + payload.len()) as u64;
                    self.file = Some(file);
                    return Ok(Some((position, payload)));
                }
                // Files join without gaps.
                Step::FileEnds => (self.start, anew) = (self.at, true),
                // What was read ahead may since have been taken back and written anew.
                Step::Wrong(_) if !anew => anew = true,
                Step::Wrong(_) if self.from_outside && self.is_last()? => return Ok(None),
                Step::Wrong(what) => {
                    let offset = FILE_HEADER + self.at.0 - self.start.0;
                    return Err(LogError::Damaged { path: path_of(&self.dir, self.start), offset, what });
                }
            }
        }
    }

    /// Whether no file follows the one that is read.
    fn is_last(&self) -> Result<bool, LogError> {
        let names = Disk::default().names(&self.dir);
        let names = names.map_err(|error| LogError::disk(&self.dir, "read the directory", error))?;
        Ok(names.iter().filter_map(|name| start_of(name)).all(|start| start <= self.start))
    }

    fn read_frame(&self, file: &mut BufReader<File>) -> Result<Step, LogError> {
        let failed = |error| LogError::disk(&path_of(&self.dir, self.start), "read the file", error);
        let mut bytes = [0; HEADER];
        let read = read_full(file, &mut bytes).map_err(failed)?;
        if read == 0 && self.at > self.start && path_of(&self.dir, self.at).exists() {
            return Ok(Step::FileEnds);
        }
        let Some(header) = read_header(&bytes[..read], self.at) else {
            return Ok(Step::Wrong("no frame begins here"));
        };
        let mut payload = Vec::new();
        file.take(header.length as u64).read_to_end(&mut payload).map_err(failed)?;
        Ok(if header.accepts(&payload) { Step::Frame(payload) } else { Step::Wrong("a frame is not what was written") })
    }

    fn open(&self) -> Result<BufReader<File>, LogError> {
        let path = path_of(&self.dir, self.start);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => LogError::Trimmed { path: path.clone(), asked: self.at },
            _ => LogError::disk(&path, "read the file", error),
        };
        let mut file = File::open(&path).map_err(failed)?;
        let mut header = [0; FILE_HEADER as usize];
        let read = read_full(&mut file, &mut header).map_err(failed)?;
        if !check_file_header(&header[..read], self.start) {
            return Err(LogError::Damaged { path, offset: 0, what: "the file does not begin as a log does" });
        }
        file.seek(SeekFrom::Start(FILE_HEADER + self.at.0 - self.start.0)).map_err(failed)?;
        Ok(BufReader::with_capacity(64 << 10, file))
    }
}

/// What stands at the reader's position.
enum Step {
    Frame(Vec<u8>),
    FileEnds,
    Wrong(&'static str),
}

/// Reads until the buffer is full or the file ends.
fn read_full(file: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read(&mut into[read..]) {
            Ok(0) => break,
            Ok(n) => read += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
