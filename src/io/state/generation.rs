//! One generation: a file of frames, a base and what changed since, cut into checkpoints by commits.
//!
//! ```text
//! "TRIPCKPT" │ format │ generation │ crc      frames: keys* commit   keys* commit   …   closed
//! ```
//! Positions of frames begin at the generation's number times 2^40, so a frame of another generation is none here. A
//! last frame says that the run ended in order: without it the end of the file may have been cut off by a crash.

#![allow(clippy::disallowed_methods, reason = "checkpoints are files")]

use std::fs;
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use super::{Commit, StateDirError};
use crate::io::disk::{Disk, DiskFile};
use crate::io::segment::Position;
use crate::io::segment::frame::{self, Frames, HEADER, Stop};
use crate::matcher::saved::{Change, Changes, read_chunk};

/// The format of files that this release writes. Older ones stay readable.
pub(super) const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"TRIPCKPT";
const FILE_HEADER: usize = 24;

const KEYS: u8 = 1;
const COMMIT: u8 = 2;
const CLOSED: u8 = 3;

/// The name of a generation's file.
pub(super) fn path_of(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("{generation:08}.checkpoints"))
}

/// The generation that a file name stands for.
pub(super) fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".checkpoints").filter(|n| n.len() == 8)?.parse().ok()
}

fn base_of(generation: u64) -> Position {
    Position(generation << 40)
}

fn file_header(generation: u64) -> [u8; FILE_HEADER] {
    let mut bytes = [0; FILE_HEADER];
    bytes[..8].copy_from_slice(MAGIC);
    bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[12..20].copy_from_slice(&generation.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// A generation that is written.
#[derive(Debug)]
pub(super) struct Writing {
    file: DiskFile,
    generation: u64,
    end: Position,
    durable: Position,
    /// Bytes of the base, and of what was added since.
    pub(super) base: u64,
    pub(super) added: u64,
    broken: bool,
}

impl Writing {
    /// Begins a generation in a file of another name, which [`Writing::publish`] takes back.
    pub(super) fn begin(dir: &Path, generation: u64, disk: &Disk) -> Result<Self, StateDirError> {
        let path = dir.join(format!("{generation:08}.new"));
        let failed = |error| StateDirError::disk(&path, "begin a generation", error);
        if path.exists() {
            disk.remove(&path).map_err(failed)?;
        }
        let mut file = disk.create(&path).map_err(failed)?;
        file.append(&file_header(generation)).map_err(failed)?;
        let end = base_of(generation);
        Ok(Self { file, generation, end, durable: end, base: 0, added: 0, broken: false })
    }

    fn append(&mut self, kind: u8, body: &[u8]) -> Result<(), StateDirError> {
        let mut payload = Vec::with_capacity(body.len() + 1);
        payload.push(kind);
        payload.extend_from_slice(body);
        let header = frame::header(&payload, self.end, self.durable);
        let written = self.file.append(&header).and_then(|()| self.file.append(&payload));
        written.map_err(|error| StateDirError::disk(self.file.path(), "write a checkpoint", error))?;
        self.end.0 += (HEADER + payload.len()) as u64;
        Ok(())
    }

    /// Adds a checkpoint and makes it durable. Without room nothing of it stays, and it may be tried again.
    pub(super) fn add(&mut self, commit: &Commit, chunks: &[Vec<u8>]) -> Result<(), StateDirError> {
        if self.broken {
            return Err(StateDirError::Broken { path: self.file.path().to_owned() });
        }
        let before = self.end;
        let body = commit.to_bytes();
        let mut written = chunks.iter().try_for_each(|chunk| self.append(KEYS, chunk));
        written = written.and_then(|()| self.append(COMMIT, &body));
        if let Err(error) = written {
            let cut = self.file.truncate(FILE_HEADER as u64 + before.0 - base_of(self.generation).0);
            self.end = before;
            self.broken = cut.is_err() || !error.is_full();
            return Err(error);
        }
        if let Err(error) = self.file.sync() {
            self.broken = true;
            return Err(StateDirError::disk(self.file.path(), "make a checkpoint durable", error));
        }
        self.durable = self.end;
        let bytes = self.end.0 - before.0;
        if self.base == 0 {
            self.base = bytes;
        } else {
            self.added += bytes;
        }
        Ok(())
    }

    /// Gives the generation its name: from now on it is the newest.
    pub(super) fn publish(&mut self, dir: &Path, disk: &Disk) -> Result<(), StateDirError> {
        let to = path_of(dir, self.generation);
        let failed = |error| StateDirError::disk(&to, "name a generation", error);
        disk.rename(self.file.path(), &to).map_err(failed)?;
        disk.sync_dir(dir).map_err(failed)?;
        self.file = disk.open(&to).map_err(failed)?;
        Ok(())
    }

    /// The run has ended in order: nothing follows.
    pub(super) fn close(&mut self) -> Result<(), StateDirError> {
        self.append(CLOSED, &[])?;
        self.file.sync().map_err(|error| StateDirError::disk(self.file.path(), "make a checkpoint durable", error))
    }
}

/// What reading a generation gave.
#[derive(Debug)]
pub(super) struct Read {
    /// The first and the last intact commit; none if not even the base is whole.
    pub(super) commits: Option<(Commit, Commit)>,
    /// How many there are.
    pub(super) count: u64,
    /// The keys at the last one.
    pub(super) keys: Changes,
    /// How the file ends, and where that shows.
    pub(super) stop: Stop,
    pub(super) at: u64,
    pub(super) bytes: u64,
}

/// Reads a generation as far as it is intact.
pub(super) fn read(path: &Path, generation: u64) -> Result<Read, StateDirError> {
    let bytes = fs::read(path).map_err(|error| StateDirError::disk(path, "read a generation", error))?;
    read_bytes(&bytes, path, generation)
}

pub(super) fn read_bytes(bytes: &[u8], path: &Path, generation: u64) -> Result<Read, StateDirError> {
    let mut read = Read {
        commits: None,
        count: 0,
        keys: Changes::default(),
        stop: Stop::Damaged,
        at: 0,
        bytes: bytes.len() as u64,
    };
    let Some((header, body)) = bytes.split_at_checked(FILE_HEADER) else { return Ok(read) };
    if header != file_header(generation) {
        let mut found = [0; 4];
        found.copy_from_slice(&header[8..12]);
        let (found, mut crc) = (u32::from_le_bytes(found), [0; 4]);
        crc.copy_from_slice(&header[20..]);
        // Undamaged, and of the future.
        if &header[..8] == MAGIC && u32::from_le_bytes(crc) == crc32fast::hash(&header[..20]) && found > FORMAT {
            return Err(StateDirError::Format { path: path.to_owned(), found, known: FORMAT });
        }
        return Ok(read);
    }
    let mut frames = Frames::new(body, base_of(generation));
    let mut folded: HashMap<(u32, &[u8]), &[u8]> = HashMap::new();
    let mut open: Vec<Change<'_>> = Vec::new();
    let mut good = frames.end();
    let mut sense = true;
    while let Some((_, payload)) = frames.next() {
        match payload.split_first() {
            Some((&KEYS, chunk)) => match read_chunk(chunk) {
                Ok(changes) => open.extend(changes),
                Err(_) => sense = false,
            },
            Some((&COMMIT, body)) => match Commit::from_bytes(body) {
                Ok(commit) => {
                    for change in open.drain(..) {
                        match change.state {
                            Some(state) => folded.insert((change.rule, change.key), state),
                            None => folded.remove(&(change.rule, change.key)),
                        };
                    }
                    read.count += 1;
                    let first = read.commits.take().map_or_else(|| commit.clone(), |(first, _)| first);
                    read.commits = Some((first, commit));
                }
                Err(_) => sense = false,
            },
            Some((&CLOSED, [])) => {}
            _ => sense = false,
        }
        if !sense {
            break;
        }
        good = frames.end();
    }
    read.stop = if sense { frames.stop() } else { Stop::Damaged };
    read.at = FILE_HEADER as u64 + good.0 - base_of(generation).0;
    // Whole frames without a commit behind them: a crash came before it was written.
    if read.stop == Stop::Clean && !open.is_empty() {
        read.stop = Stop::Torn;
    }
    for ((rule, key), state) in folded {
        read.keys.push(Change { rule, key, state: Some(state) });
    }
    Ok(read)
}
