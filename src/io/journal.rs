//! The input journal: what a source that cannot be asked again has given, kept on disk before it is processed.
//!
//! ```text
//! source ─► reader thread ─► append, sync ─► blocks, each with its place in the journal ─► engine
//!              log: header │ lines   header │ lines   …
//! ```
//! Nothing is passed on before it is durable. Blocks that come while one sync is under way share the next one, so the
//! disk's latency bounds delay, not throughput. After a crash what is behind the last checkpoint is read again from
//! the log, with the arrival times of then, and the source goes on after it. Relies on `segment`.

#![allow(clippy::disallowed_methods, reason = "a journal reads its source on a thread, and knows when lines arrived")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration as StdDuration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, Sender, bounded};
use serde::{Deserialize, Serialize};

use crate::base::{Duration, Timestamp};
use crate::decode::Reject;
use crate::engine::{Place, Refused, Source, SourceBlock, SourceFailure};
use crate::io::disk::Disk;
use crate::io::segment::{Log, LogError, LogOptions, LogReader, Position};

/// Bytes that one sync makes durable at most.
const TOGETHER: usize = 8 << 20;
/// Blocks read and not yet durable, and durable and not yet taken.
const AHEAD: usize = 32;
/// How long to wait before trying again on a full disk.
const PATIENCE: StdDuration = StdDuration::from_millis(200);

/// What stands before the lines of a block.
#[derive(Debug, Serialize, Deserialize)]
struct BlockHeader {
    first_line: u64,
    offset: u64,
    refused: KeptRefused,
    arrival: Timestamp,
    /// The place after the block.
    line: u64,
    end: u64,
}

/// Lines that a source gave up. The first two forms are those of the first release, which knew of no other lines.
#[derive(Debug, Serialize, Deserialize)]
enum KeptRefused {
    None,
    Overlong(u64, u64),
    /// Number, offset, the number of the reason, and the beginning of the line.
    Several(Vec<(u64, u64, u8, String)>),
}

impl KeptRefused {
    fn of(refused: &[Refused]) -> Self {
        match refused {
            [] => Self::None,
            [Refused { line, offset, reason: Reject::LineTooLong, text }] if text.is_empty() => {
                Self::Overlong(*line, *offset)
            }
            _ => Self::Several(refused.iter().map(|r| (r.line, r.offset, r.reason as u8, r.text.clone())).collect()),
        }
    }

    /// `None` if a reason is one of a later release.
    fn into_refused(self) -> Option<Vec<Refused>> {
        let several = match self {
            Self::None => Vec::new(),
            Self::Overlong(line, offset) => return Some(vec![Refused::overlong(line, offset)]),
            Self::Several(several) => several,
        };
        let refused = |(line, offset, reason, text)| {
            let reason = *Reject::ALL.get(usize::from(reason))?;
            Some(Refused { line, offset, reason, text })
        };
        several.into_iter().map(refused).collect()
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn encode(block: &SourceBlock, arrival: Timestamp) -> Vec<u8> {
    let header = BlockHeader {
        first_line: block.first_line,
        offset: block.offset,
        refused: KeptRefused::of(&block.refused),
        arrival,
        line: block.after.line,
        end: block.after.offset,
    };
    let mut bytes = postcard::to_stdvec(&header).expect("a header is plain data");
    bytes.extend_from_slice(&block.bytes);
    bytes
}

fn decode(frame: &[u8], after: Position) -> Option<SourceBlock> {
    let (header, lines) = postcard::take_from_bytes::<BlockHeader>(frame).ok()?;
    Some(SourceBlock {
        bytes: lines.to_vec(),
        first_line: header.first_line,
        offset: header.offset,
        refused: header.refused.into_refused()?,
        arrival: Some(header.arrival),
        after: Place { line: header.line, offset: header.end, file: None, journal: Some(after.0) },
        more: false,
    })
}

/// Settings of a journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalOptions {
    /// The log below.
    pub log: LogOptions,
    /// How long lines are kept after they are no longer needed for going on.
    pub retain: Option<Duration>,
}

/// Says from which position on a journal is still needed for going on.
#[derive(Clone, Debug)]
pub struct Needed(Arc<AtomicU64>);

impl Needed {
    /// Nothing before a position is needed.
    pub fn set(&self, position: u64) {
        self.0.fetch_max(position, Ordering::Relaxed);
    }
}

/// A journal that was opened: the place its source goes on at, and what is to be read again first.
#[derive(Debug)]
pub struct Journal {
    log: Log,
    options: JournalOptions,
    again: LogReader,
    until: Position,
    /// The place after the last line in the log, or the one to begin at.
    end: Place,
    needed: Arc<AtomicU64>,
}

impl Journal {
    /// Opens the journal in a directory, which is made if it is not there. What is behind `from` is given again.
    ///
    /// # Errors
    /// The log cannot be opened, is damaged, or does not hold `from` any more.
    pub fn open(dir: &Path, options: JournalOptions, from: &Place, disk: Disk) -> Result<Self, LogError> {
        let (log, _) = Log::open(dir, options.log, disk)?;
        let start = from.journal.map_or(log.start(), Position);
        let mut end = from.clone();
        let mut reader = log.read_from(start)?;
        while let Some((_, frame)) = reader.next()? {
            if let Some(block) = decode(&frame, reader.position()) {
                end = block.after;
            }
        }
        end.journal = Some(log.end().0);
        let again = log.read_from(start)?;
        let needed = Arc::new(AtomicU64::new(start.0));
        let until = log.end();
        Ok(Self { log, options, again, until, end, needed })
    }

    /// Where the source goes on: it must count lines and bytes from there.
    pub fn end(&self) -> &Place {
        &self.end
    }

    /// For saying what is no longer needed.
    pub fn needed(&self) -> Needed {
        Needed(Arc::clone(&self.needed))
    }

    /// The journal in front of a source. On a full disk it waits until there is room or `stop` is set.
    pub fn before(self, source: Box<dyn Source>, stop: Arc<AtomicBool>) -> Journalled {
        self.telling(source, stop, Box::new(|_| ()))
    }

    /// As [`Journal::before`]; `durable` is told after each sync to which place of the source everything is on the disk,
    /// and dropped when nothing more can be.
    pub fn telling(self, source: Box<dyn Source>, stop: Arc<AtomicBool>, durable: OnDurable) -> Journalled {
        let Self { log, options, again, until, needed, .. } = self;
        let (silent, drains) = (again.position() >= until && source.begins_silent(), source.drains());
        let (read, to_keep) = bounded(AHEAD);
        let (kept, blocks) = bounded(AHEAD);
        thread::spawn(move || read_ahead(source, &read));
        let keeper = Keeper { log, options, needed, stop, durable, trimmed: Position(0) };
        thread::spawn(move || keeper.keep(&to_keep, &kept));
        Journalled { again: Some((again, until)), blocks, silent, drains }
    }
}

/// Told where the last line stood that a sync has made durable.
pub type OnDurable = Box<dyn Fn(&Place) + Send>;

type Given = Result<SourceBlock, SourceFailure>;

fn read_ahead(mut source: Box<dyn Source>, to: &Sender<Given>) {
    loop {
        let given = match source.next_block() {
            Ok(Some(block)) => Ok(block),
            Ok(None) => return,
            Err(failure) => Err(failure),
        };
        let over = given.is_err();
        if to.send(given).is_err() || over {
            return;
        }
    }
}

/// The thread that appends.
struct Keeper {
    log: Log,
    options: JournalOptions,
    needed: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    durable: OnDurable,
    trimmed: Position,
}

impl Keeper {
    fn keep(mut self, from: &Receiver<Given>, to: &Sender<Given>) {
        while let Ok(first) = from.recv() {
            let (mut blocks, mut bytes, mut failure) = (Vec::new(), 0, None);
            let mut next = Some(first);
            while let Some(given) = next.take() {
                match given {
                    Ok(block) => match self.append(block) {
                        Ok(block) => {
                            bytes += block.bytes.len();
                            blocks.push(block);
                        }
                        Err(error) => failure = Some(SourceFailure(format!("the journal failed: {error}"))),
                    },
                    Err(error) => failure = Some(error),
                }
                if failure.is_none() && bytes < TOGETHER {
                    next = from.try_recv().ok();
                }
            }
            if let Err(error) = self.log.sync() {
                // What was not made durable is not processed.
                let _ = to.send(Err(SourceFailure(format!("the journal failed: {error}"))));
                return;
            }
            if let Some(last) = blocks.last() {
                (self.durable)(&last.after);
            }
            for block in blocks {
                if to.send(Ok(block)).is_err() {
                    return;
                }
            }
            if let Some(failure) = failure {
                let _ = to.send(Err(failure));
                return;
            }
            self.trim();
        }
    }

    fn append(&mut self, mut block: SourceBlock) -> Result<SourceBlock, LogError> {
        let arrival = now();
        let frame = encode(&block, arrival);
        let mut waiting = false;
        loop {
            match self.log.append(&frame) {
                Ok(_) => break,
                Err(error) if error.is_full() && !self.stop.load(Ordering::Relaxed) => {
                    if !std::mem::replace(&mut waiting, true) {
                        tracing::warn!("{error}; input waits until there is room");
                    }
                    self.trim();
                    thread::sleep(PATIENCE);
                }
                Err(error) => return Err(error),
            }
        }
        block.arrival = Some(arrival);
        (block.after.file, block.after.journal) = (None, Some(self.log.end().0));
        Ok(block)
    }

    /// Removes files that nobody needs any more.
    fn trim(&mut self) {
        let mut before = Position(self.needed.load(Ordering::Relaxed));
        if before <= self.trimmed {
            return;
        }
        self.trimmed = before;
        if let Some(retain) = self.options.retain {
            let keep_from = now() - retain;
            // A file is as old as the first block of the next one.
            let young = self.log.segments().iter().skip(1).take_while(|at| **at <= before).find(|at| {
                let frame = self.log.read_from(**at).and_then(|mut reader| reader.next());
                let block = frame.ok().flatten().and_then(|(at, frame)| decode(&frame, at));
                block.is_none_or(|block| block.arrival.is_none_or(|arrival| arrival > keep_from))
            });
            before = young.copied().map_or(before, |young| Position(young.0.saturating_sub(1)));
        }
        if let Err(error) = self.log.trim(before) {
            tracing::warn!("{error}");
        }
    }
}

/// A source with a journal in front of it.
#[derive(Debug)]
pub struct Journalled {
    /// What is given again, up to a position: what is appended meanwhile comes from the other side.
    again: Option<(LogReader, Position)>,
    blocks: Receiver<Given>,
    silent: bool,
    drains: bool,
}

impl Source for Journalled {
    fn begins_silent(&self) -> bool {
        self.silent
    }

    fn drains(&self) -> bool {
        self.drains
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        if let Some((reader, until)) = &mut self.again {
            let damaged = |error: LogError| SourceFailure(format!("the journal cannot be read again: {error}"));
            if reader.position() < *until
                && let Some((_, frame)) = reader.next().map_err(damaged)?
            {
                let after = reader.position();
                return decode(&frame, after)
                    .map(Some)
                    .ok_or_else(|| SourceFailure("the journal holds something that is no block of lines".to_owned()));
            }
            self.again = None;
        }
        match self.blocks.recv() {
            Ok(given) => given.map(Some),
            Err(_) => Ok(None),
        }
    }
}

/// What a journal still holds, as a source of its own. The run that writes it may go on meanwhile.
#[derive(Debug)]
pub struct Past(LogReader);

impl Past {
    /// Opens the journal in a directory; `None` if there is none.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn open(dir: &Path) -> Result<Option<Self>, LogError> {
        Ok(LogReader::of_directory(dir)?.map(Self))
    }
}

impl Source for Past {
    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        match self.0.next() {
            Ok(None) => Ok(None),
            Ok(Some((_, frame))) => decode(&frame, self.0.position())
                .map(Some)
                .ok_or_else(|| SourceFailure("the journal holds something that is no block of lines".to_owned())),
            Err(error) => Err(SourceFailure(error.to_string())),
        }
    }
}
