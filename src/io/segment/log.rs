//! The log itself: opening with recovery, appending, making durable, trimming, cutting.

#![allow(clippy::disallowed_methods, reason = "logs are files")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::frame::{self, Frames, HEADER, MAX_PAYLOAD, Stop};
use super::reader::LogReader;
use super::{LogError, Position};
use crate::io::disk::{Disk, DiskFile};

/// Bytes before the first frame of a file: a name, the position of the first frame, and a checksum of both.
pub(super) const FILE_HEADER: u64 = 20;

const MAGIC: &[u8; 8] = b"TRIPLOG\x01";

/// Payloads up to this are written together with their header.
const TOGETHER: usize = 32 << 10;

/// Settings of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Bytes after which a new file begins, from 4 KiB to 1 GiB. Trimming frees whole files.
    pub segment_bytes: u64,
    /// Bytes of all files together that are never exceeded; `None` for no limit.
    pub limit: Option<u64>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, limit: None }
    }
}

/// What opening a log found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes at the end that a crash had left half written, and that were cut off.
    pub torn: u64,
}

/// A log that is appended to. One process at a time.
#[derive(Debug)]
pub struct Log {
    dir: PathBuf,
    options: LogOptions,
    disk: Disk,
    /// First positions of all files, in order; the last one is being written.
    starts: Vec<Position>,
    file: DiskFile,
    end: Position,
    durable: Position,
    /// The end as readers see it.
    shared_end: Arc<AtomicU64>,
    broken: bool,
    scratch: Vec<u8>,
}

/// The name of the file whose first frame stands at a position.
pub(super) fn path_of(dir: &Path, start: Position) -> PathBuf {
    dir.join(format!("{:020}.log", start.0))
}

/// The position of the first frame of a file of this name.
pub(super) fn start_of(name: &str) -> Option<Position> {
    name.strip_suffix(".log").filter(|n| n.len() == 20)?.parse().ok().map(Position)
}

fn file_header(start: Position) -> [u8; FILE_HEADER as usize] {
    let mut bytes = [0; FILE_HEADER as usize];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..16].copy_from_slice(&start.0.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..16]);
    bytes[16..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

pub(super) fn check_file_header(bytes: &[u8], start: Position) -> bool {
    bytes.get(..FILE_HEADER as usize) == Some(&file_header(start)[..])
}

impl Log {
    /// Opens the log in a directory, which is made if it is not there. A tail that a crash has left half written is
    /// cut off; that can only be what was never made durable.
    ///
    /// # Errors
    /// The directory cannot be read or written, or the last file is damaged. Damage in other files shows when they
    /// are read. A damaged file is left as it is.
    pub fn open(dir: &Path, options: LogOptions, disk: Disk) -> Result<(Self, Recovery), LogError> {
        let options = LogOptions { segment_bytes: options.segment_bytes.clamp(4 << 10, 1 << 30), limit: options.limit };
        disk.create_dir(dir).map_err(|error| LogError::disk(dir, "make the directory", error))?;
        let names = disk.names(dir).map_err(|error| LogError::disk(dir, "read the directory", error))?;
        let mut starts: Vec<Position> = names.iter().filter_map(|name| start_of(name)).collect();
        let mut recovery = Recovery::default();
        let (file, end) = loop {
            let Some(start) = starts.last().copied() else {
                let start = Position::default();
                starts.push(start);
                break (begin_file(dir, start, &disk)?, start);
            };
            let path = path_of(dir, start);
            let mut file = disk.open(&path).map_err(|error| LogError::disk(&path, "open the file", error))?;
            let bytes = file.read_all().map_err(|error| LogError::disk(&path, "read the file", error))?;
            let frames = bytes.get(FILE_HEADER as usize..).unwrap_or_default();
            if check_file_header(&bytes, start) {
                let mut frames = Frames::new(frames, start);
                frames.by_ref().for_each(drop);
                let (end, offset) = (frames.end(), FILE_HEADER + frames.end().0 - start.0);
                match frames.stop() {
                    Stop::Clean => {}
                    Stop::Torn => {
                        recovery.torn += bytes.len() as u64 - offset;
                        file.truncate(offset).map_err(|error| LogError::disk(&path, "cut the file", error))?;
                    }
                    Stop::Damaged => {
                        return Err(LogError::Damaged { path, offset, what: "a frame is not what was written" });
                    }
                }
                break (file, end);
            }
            // Made, and not yet made durable, when a crash came: no frame can be in it.
            if Frames::new(frames, start).next().is_some() || bytes.len() as u64 > FILE_HEADER {
                return Err(LogError::Damaged { path, offset: 0, what: "the file does not begin as a log does" });
            }
            recovery.torn += bytes.len() as u64;
            disk.remove(&path).map_err(|error| LogError::disk(&path, "remove the unfinished file", error))?;
            starts.pop();
            if starts.is_empty() {
                // The only file: a log that was trimmed goes on where its name says.
                starts.push(start);
                break (begin_file(dir, start, &disk)?, start);
            }
        };
        // It was read back from memory, which does not show that it is on the disk; nor is its name there if a crash came
        // between the two.
        file.sync().map_err(|error| LogError::disk(file.path(), "make the file durable", error))?;
        disk.sync_dir(dir).map_err(|error| LogError::disk(dir, "make the directory durable", error))?;
        let shared_end = Arc::new(AtomicU64::new(end.0));
        let scratch = Vec::new();
        let dir = dir.to_owned();
        let log = Self { dir, options, disk, starts, file, end, durable: end, shared_end, broken: false, scratch };
        Ok((log, recovery))
    }

    /// The first position that is still there.
    pub fn start(&self) -> Position {
        self.starts.first().copied().unwrap_or(self.end)
    }

    /// The position after the last frame.
    pub fn end(&self) -> Position {
        self.end
    }

    /// Everything before this is durable.
    pub fn durable(&self) -> Position {
        self.durable
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.end.0 - self.start().0 + FILE_HEADER * self.starts.len() as u64
    }

    /// Where the files begin, oldest first. [`Log::trim`] up to one of these frees everything before it.
    pub fn segments(&self) -> &[Position] {
        &self.starts
    }

    fn usable(&self) -> Result<(), LogError> {
        if self.broken { Err(LogError::Broken { path: self.dir.clone() }) } else { Ok(()) }
    }

    /// Appends a frame and gives its position. It is durable after the next [`Log::sync`], and readers see it at once.
    ///
    /// # Errors
    /// [`LogError::Full`] and [`LogError::Capped`] leave the log as it was: try again when there is room. After
    /// others it takes nothing more.
    pub fn append(&mut self, payload: &[u8]) -> Result<Position, LogError> {
        self.usable()?;
        if payload.len() > MAX_PAYLOAD {
            return Err(LogError::TooLong { path: self.dir.clone(), bytes: payload.len() });
        }
        let bytes = (HEADER + payload.len()) as u64;
        let start = self.starts.last().copied().unwrap_or_default();
        let rolls = self.end > start && self.end.0 - start.0 + bytes > self.options.segment_bytes;
        if let Some(limit) = self.options.limit
            && self.bytes() + bytes + if rolls { FILE_HEADER } else { 0 } > limit
        {
            return Err(LogError::Capped { path: self.dir.clone(), limit });
        }
        if rolls {
            self.roll()?;
        }
        let header = frame::header(payload, self.end, self.durable);
        let written = if payload.len() <= TOGETHER {
            self.scratch.clear();
            self.scratch.extend_from_slice(&header);
            self.scratch.extend_from_slice(payload);
            self.file.append(&self.scratch)
        } else {
            self.file.append(&header).and_then(|()| self.file.append(payload))
        };
        if let Err(error) = written {
            return Err(self.take_back(error));
        }
        let at = self.end;
        self.end.0 += bytes;
        self.shared_end.store(self.end.0, Ordering::Release);
        Ok(at)
    }

    /// A write has failed: what it left is removed, or else the log is broken.
    fn take_back(&mut self, error: std::io::Error) -> LogError {
        let start = self.starts.last().copied().unwrap_or_default();
        let cut = self.file.truncate(FILE_HEADER + self.end.0 - start.0);
        let error = LogError::disk(self.file.path(), "write", error);
        self.broken |= cut.is_err() || !error.is_full();
        error
    }

    /// Makes everything appended so far durable, and says up to where.
    ///
    /// # Errors
    /// What was appended since the last success may be lost, and the log takes nothing more.
    pub fn sync(&mut self) -> Result<Position, LogError> {
        self.usable()?;
        if self.durable < self.end {
            if let Err(error) = self.file.sync() {
                self.broken = true;
                return Err(LogError::disk(self.file.path(), "make the file durable", error));
            }
            self.durable = self.end;
        }
        Ok(self.durable)
    }

    /// Begins a new file. The one before is durable then, so only the last one can be torn.
    fn roll(&mut self) -> Result<(), LogError> {
        self.sync()?;
        let file = begin_file(&self.dir, self.end, &self.disk).inspect_err(|error| self.broken |= !error.is_full())?;
        self.file = file;
        self.starts.push(self.end);
        Ok(())
    }

    /// Removes the files that hold nothing from `before` on, and says how many bytes that freed. The file that is
    /// written stays.
    ///
    /// # Errors
    /// A file cannot be removed; those before it are gone.
    pub fn trim(&mut self, before: Position) -> Result<u64, LogError> {
        let held = self.bytes();
        while self.starts.get(1).is_some_and(|next| *next <= before) {
            let path = path_of(&self.dir, self.starts[0]);
            self.disk.remove(&path).map_err(|error| LogError::disk(&path, "remove the file", error))?;
            self.starts.remove(0);
        }
        let freed = held - self.bytes();
        if freed > 0 {
            self.sync_dir()?;
        }
        Ok(freed)
    }

    /// Removes every frame from `end` on, which must be the position of a frame or the end.
    ///
    /// # Errors
    /// `end` is not in the log or no frame begins there, or the system refuses.
    pub fn cut(&mut self, end: Position) -> Result<(), LogError> {
        self.usable()?;
        if end == self.end {
            return Ok(());
        }
        // Also finds out whether a frame begins there.
        let mut reader = self.read_from(end)?;
        reader.next()?;
        self.broken = true;
        while self.starts.last().is_some_and(|start| *start > end) {
            let path = self.starts.pop().map(|start| path_of(&self.dir, start)).unwrap_or_default();
            self.disk.remove(&path).map_err(|error| LogError::disk(&path, "remove the file", error))?;
        }
        let start = self.starts.last().copied().unwrap_or_default();
        let path = path_of(&self.dir, start);
        self.file = self.disk.open(&path).map_err(|error| LogError::disk(&path, "open the file", error))?;
        let cut = self.file.truncate(FILE_HEADER + end.0 - start.0).and_then(|()| self.file.sync());
        cut.map_err(|error| LogError::disk(&path, "cut the file", error))?;
        self.sync_dir()?;
        (self.end, self.durable, self.broken) = (end, end, false);
        self.shared_end.store(end.0, Ordering::Release);
        Ok(())
    }

    fn sync_dir(&self) -> Result<(), LogError> {
        self.disk.sync_dir(&self.dir).map_err(|error| LogError::disk(&self.dir, "make the directory durable", error))
    }

    /// Reads frames from the one at `from` on. The reader goes on when more is appended, also from another thread.
    ///
    /// # Errors
    /// The position is not in the log.
    pub fn read_from(&self, from: Position) -> Result<LogReader, LogError> {
        if from < self.start() || from > self.end {
            let (start, end) = (self.start(), self.end);
            return Err(LogError::Outside { path: self.dir.clone(), asked: from, start, end });
        }
        let file = self.starts.partition_point(|start| *start <= from).saturating_sub(1);
        let start = self.starts.get(file).copied().unwrap_or_default();
        Ok(LogReader::new(self.dir.clone(), start, from, Arc::clone(&self.shared_end)))
    }
}

fn begin_file(dir: &Path, start: Position, disk: &Disk) -> Result<DiskFile, LogError> {
    let path = path_of(dir, start);
    let mut file = disk.create(&path).map_err(|error| LogError::disk(&path, "make the file", error))?;
    let begun = file.append(&file_header(start)).and_then(|()| file.sync());
    if let Err(error) = begun {
        // Should it stay, opening finds it without frames and removes it.
        let _ = disk.remove(&path);
        return Err(LogError::disk(&path, "begin the file", error));
    }
    disk.sync_dir(dir).map_err(|error| LogError::disk(dir, "make the directory durable", error))?;
    Ok(file)
}
