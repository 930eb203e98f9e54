//! A queue on disk: a segmented log with a mark for how far its letters are settled.
//!
//! ```text
//!  trimmed │ settled │ in hand │ waiting ………………………… │
//!          └ segments of the log                         └ appended to
//!                    ▲ mark file
//! ```
//! What was left at the desk outlasts the process, and after [`Spool::sync`] a power cut. After a crash letters since the
//! last mark come again, with the ids they had: at least once. Invariants: the log never grows beyond its cap; letters
//! are taken in the order in which they came; a damaged segment is reported and passed over, and later ones are not.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::queue::Queue;
use super::sink::Letter;
use crate::alert::{Alert, Notice, Seq};
use crate::io::disk::Disk;
use crate::io::segment::{Log, LogError, LogOptions, LogReader, Position};

/// Where a spool is and how large it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    /// Its directory.
    pub directory: PathBuf,
    /// Bytes of all its files together, at least 1 MiB.
    pub most: u64,
}

/// Segments of a full spool: dropping the oldest drops one of them.
const SEGMENTS: u64 = 16;

/// The version of the form of letters, which is the first byte of each.
const VERSION: u8 = 1;

/// A queue on disk.
#[derive(Debug)]
pub struct Spool {
    log: Log,
    reader: LogReader,
    mark: Mark,
    waiting: u64,
}

/// A letter as it is kept: the alert, with the names of those inputs that it refers to.
#[derive(Serialize, Deserialize)]
struct Kept {
    inputs: Vec<(u16, String)>,
    alert: Arc<Alert>,
}

impl Spool {
    /// Opens the spool in a directory, which is made if it is not there.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn open(options: &SpoolOptions) -> io::Result<Self> {
        Self::open_on(options, Disk::default())
    }

    /// The same on a disk on which calls may fail; the mark is written past it.
    ///
    /// # Errors
    /// As [`Spool::open`].
    pub fn open_on(options: &SpoolOptions, disk: Disk) -> io::Result<Self> {
        let most = options.most.max(1 << 20);
        let log = LogOptions { segment_bytes: most / SEGMENTS, limit: Some(most) };
        let (log, _) = Log::open(&options.directory, log, disk).map_err(io::Error::other)?;
        let mut mark = Mark::open(&options.directory.join("mark"))?;
        // A mark that is not of this log says nothing.
        let from = mark.position.clamp(log.start(), log.end());
        if mark.position > log.end() {
            // A power cut took what was settled, and left the mark. It has to go before the log grows beyond it again:
            // what is appended until then would be passed over by the next start.
            mark.set(from)?;
            mark.file.sync_data()?;
        }
        let reader = log.read_from(from).or_else(|_| log.read_from(log.start())).map_err(io::Error::other)?;
        let mut spool = Self { log, reader, mark, waiting: 0 };
        spool.waiting = spool.count()?;
        Ok(spool)
    }

    /// Counts what waits, and finds out whether the mark stands between letters.
    fn count(&mut self) -> io::Result<u64> {
        let from = self.reader.position();
        let (mut waiting, mut first) = (0, true);
        loop {
            match self.reader.next() {
                Ok(Some(_)) => waiting += 1,
                Ok(None) => break,
                Err(LogError::Damaged { .. }) if first && from > self.log.start() => {
                    self.reader = self.log.read_from(self.log.start()).map_err(io::Error::other)?;
                    return self.count();
                }
                Err(error) => self.pass_over(error)?,
            }
            first = false;
        }
        self.reader = self.log.read_from(from).map_err(io::Error::other)?;
        Ok(waiting)
    }

    /// Goes on with the next segment after one that cannot be read.
    fn pass_over(&mut self, error: LogError) -> io::Result<()> {
        if !matches!(error, LogError::Damaged { .. }) {
            return Err(io::Error::other(error));
        }
        let at = self.reader.position();
        let next = self.log.segments().iter().copied().find(|start| *start > at).unwrap_or(self.log.end());
        tracing::error!(%error, "a part of a spool is damaged; the alerts in it are lost");
        self.reader = self.log.read_from(next).map_err(io::Error::other)?;
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<Letter>> {
        loop {
            match self.reader.next() {
                Ok(Some((_, payload))) => {
                    self.waiting = self.waiting.saturating_sub(1);
                    match decode(&payload) {
                        Some(letter) => return Ok(Some(letter)),
                        None => tracing::error!("an alert in a spool is of a form that is not known here; it is lost"),
                    }
                }
                Ok(None) => {
                    self.waiting = 0;
                    return Ok(None);
                }
                Err(error) => self.pass_over(error)?,
            }
        }
    }
}

impl Queue for Spool {
    fn waiting(&self) -> u64 {
        self.waiting
    }

    fn push(&mut self, letter: Letter) -> io::Result<Option<Letter>> {
        match self.log.append(&encode(&letter)) {
            Ok(_) => {
                self.waiting += 1;
                Ok(None)
            }
            Err(error) if error.is_full() => Ok(Some(letter)),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn drop_oldest(&mut self) -> io::Result<Option<u64>> {
        let Some(end) = self.log.segments().get(1).copied() else { return Ok(None) };
        let before = self.waiting;
        while self.reader.position() < end {
            match self.reader.next() {
                Ok(Some(_)) => self.waiting = self.waiting.saturating_sub(1),
                Ok(None) => break,
                Err(error) => self.pass_over(error)?,
            }
        }
        self.log.trim(end).map_err(io::Error::other)?;
        Ok(Some(before - self.waiting))
    }

    fn take(&mut self, most: usize) -> io::Result<Vec<Letter>> {
        let mut letters = Vec::new();
        while letters.len() < most {
            match self.next() {
                Ok(Some(letter)) => letters.push(letter),
                Ok(None) => break,
                // What was read before it is not lost to it; the next call meets it again.
                Err(_) if !letters.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(letters)
    }

    fn settle(&mut self) -> io::Result<()> {
        let at = self.reader.position();
        if at != self.mark.position {
            self.mark.set(at)?;
            self.log.trim(at).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<bool> {
        self.log.sync().map_err(io::Error::other)?;
        Ok(true)
    }
}

fn encode(letter: &Letter) -> Vec<u8> {
    let mut numbers: Vec<u16> = seqs(&letter.alert).map(Seq::input).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let named = letter.inputs.len() > 1;
    let name = |number: u16| Some((number, letter.inputs.get(usize::from(number))?.clone()));
    let inputs = numbers.into_iter().filter(|_| named).filter_map(name).collect();
    let kept = Kept { inputs, alert: Arc::clone(&letter.alert) };
    postcard::to_extend(&kept, vec![VERSION]).expect("an alert is plain data, and a vector takes any of it")
}

fn decode(payload: &[u8]) -> Option<Letter> {
    let (VERSION, body) = payload.split_first().map(|(version, body)| (*version, body))? else { return None };
    let kept: Kept = postcard::from_bytes(body).ok()?;
    let most = kept.inputs.iter().map(|(number, _)| usize::from(*number) + 1).max().unwrap_or(0);
    // Of one input alone no name would be shown.
    let mut inputs = vec![String::new(); if most == 0 { 0 } else { most.max(2) }];
    for (number, name) in kept.inputs {
        inputs[usize::from(number)] = name;
    }
    Some(Letter { alert: kept.alert, inputs: inputs.into() })
}

/// The places that an alert refers to.
fn seqs(alert: &Alert) -> impl Iterator<Item = Seq> + '_ {
    let closed = match alert.notice {
        Some(Notice::Resolved(by)) => Some(by.seq),
        _ => None,
    };
    alert.bound.iter().flat_map(|step| step.events.iter().map(|event| event.seq)).chain(closed)
}

/// How far letters are settled: a position and its checksum in a file. A mark that a crash left half written does not
/// count, and then letters come again.
#[derive(Debug)]
struct Mark {
    file: File,
    position: Position,
}

impl Mark {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes)?;
        let position = match <[u8; 16]>::try_from(&bytes[..]) {
            Ok(bytes) => {
                let [position, check] = [&bytes[..8], &bytes[8..]]
                    .map(|half| half.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
                if check == checksum(position) { Position(position) } else { Position(0) }
            }
            Err(_) => Position(0),
        };
        Ok(Self { file, position })
    }

    fn set(&mut self, position: Position) -> io::Result<()> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&position.0.to_le_bytes());
        bytes[8..].copy_from_slice(&checksum(position.0).to_le_bytes());
        io::Seek::seek(&mut self.file, io::SeekFrom::Start(0))?;
        io::Write::write_all(&mut self.file, &bytes)?;
        self.position = position;
        Ok(())
    }
}

fn checksum(position: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&position.to_le_bytes())
}
