//! What lies between the connections of a listener and the engine: a bounded queue of whole lines, and receipts.
//!
//! ```text
//! connection ─► Intake ─┐                     ┌─► Listening (a Source) ─► journal ─► engine
//! connection ─► Intake ─┼─► parcels, bounded ─┤                              │
//! connection ─► Intake ─┘      by bytes       └── receipts ◄── durable to ───┘
//! ```
//! Every parcel holds a share of the queue's bytes until the source has taken it, so what listeners hold in memory is
//! bounded, and a full queue is felt by whoever sends. Invariants: a parcel is whole lines, each with its line feed;
//! the places of blocks only grow, so a receipt is due when everything up to its place is durable.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::decode::Reject;
use crate::engine::{Place, Refused, Source, SourceBlock, SourceFailure};

/// Bytes of a block, about.
const BLOCK: usize = 256 << 10;
/// What a parcel takes of the queue besides its bytes: many small ones are not free.
const OVERHEAD: usize = 256;

/// A line of a parcel that the listener gave up. A blank line stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Its line in the parcel, from 0.
    pub line: u64,
    /// Bytes of the parcel before it.
    pub offset: u64,
    /// Why.
    pub reason: Reject,
    /// Its beginning.
    pub text: String,
}

/// Lines on their way to the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The lines, each with its line feed.
    pub bytes: Vec<u8>,
    /// How many they are.
    pub count: u64,
    /// Those that were given up.
    pub given_up: Vec<GivenUp>,
}

/// Bytes of the beginning of a line that is kept when it is given up.
const KEPT: usize = 1024;

impl Lines {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a line; one that has a line feed inside gets a space for it.
    pub fn push(&mut self, line: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(line);
        for byte in &mut self.bytes[from..] {
            if *byte == b'\n' {
                *byte = b' ';
            }
        }
        self.bytes.push(b'\n');
        self.count += 1;
    }

    /// Adds whole lines, each with its line feed.
    pub fn extend(&mut self, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
        self.count += memchr::memchr_iter(b'\n', lines).count() as u64;
    }

    /// Adds a line that was given up.
    pub fn give_up(&mut self, reason: Reject, text: &[u8]) {
        let text = String::from_utf8_lossy(&text[..text.len().min(KEPT)]).into_owned();
        self.given_up.push(GivenUp { line: self.count, offset: self.bytes.len() as u64, reason, text });
        self.bytes.push(b'\n');
        self.count += 1;
    }
}

struct Parcel {
    lines: Lines,
    receipt: Option<oneshot::Sender<()>>,
    /// Its share of the queue, given back when it is dropped.
    _share: Share,
}

/// A share of the queue's bytes, held while what it stands for is in memory.
#[derive(Debug, Default)]
pub struct Share(Vec<OwnedSemaphorePermit>);

/// The queue is full, or what is asked for is larger than the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Nobody takes lines any more: the run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// The side of the connections.
#[derive(Clone)]
pub struct Intake {
    parcels: UnboundedSender<Parcel>,
    room: Arc<Semaphore>,
    capacity: usize,
    /// Whether receipts are given.
    receipts: bool,
}

impl Intake {
    /// Takes a share for so many bytes more, if there is room now.
    ///
    /// # Errors
    /// There is none.
    pub fn try_share(&self, share: &mut Share, bytes: usize) -> Result<(), Full> {
        let permits = u32::try_from(bytes).map_err(|_| Full)?;
        share.0.push(Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| Full)?);
        Ok(())
    }

    /// Takes a share for so many bytes, waiting for room. What is larger than the queue gets all of it.
    pub async fn share(&self, bytes: usize) -> Share {
        let permits = u32::try_from((bytes + OVERHEAD).min(self.capacity)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        Share(Arc::clone(&self.room).acquire_many_owned(permits).await.into_iter().collect())
    }

    /// Hands lines over, with a share of the queue that was taken for them. The receipt comes when they are durable, or
    /// is dropped when they cannot be; `None` if nothing makes them durable.
    ///
    /// # Errors
    /// Nobody takes lines any more.
    pub fn hand_over(&self, lines: Lines, share: Share) -> Result<Option<oneshot::Receiver<()>>, Gone> {
        let (receipt, due) = match self.receipts {
            true => Some(oneshot::channel()).unzip(),
            false => (None, None),
        };
        self.parcels.send(Parcel { lines, receipt, _share: share }).map_err(|_| Gone)?;
        Ok(due)
    }

    /// Hands lines over when there is room, without a receipt.
    pub async fn pass_on(&self, lines: Lines) {
        if !lines.is_empty() {
            let share = self.share(lines.bytes.len()).await;
            let _ = self.parcels.send(Parcel { lines, receipt: None, _share: share });
        }
    }
}

/// Receipts by the offset at which they are due.
type Due = VecDeque<(u64, Vec<oneshot::Sender<()>>)>;

/// Receipts that are waited for; `None` when none can come any more.
type Waiting = Arc<Mutex<Option<Due>>>;

/// Gives receipts for everything up to a place. Dropped, it refuses those that are waited for.
pub struct Receipts(Waiting);

impl Receipts {
    /// Everything before this place is durable.
    pub fn give(&self, durable: &Place) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(due) = waiting.as_mut() else { return };
        while due.front().is_some_and(|(offset, _)| *offset <= durable.offset) {
            for receipt in due.pop_front().into_iter().flat_map(|(_, receipts)| receipts) {
                // Its holder may have gone.
                let _ = receipt.send(());
            }
        }
    }
}

impl Drop for Receipts {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The side of the engine: a source that gives what the connections hand over, until all of them have ended.
pub struct Listening {
    parcels: UnboundedReceiver<Parcel>,
    line: u64,
    offset: u64,
    receipts: Waiting,
}

/// A queue of so many bytes, for a source that goes on at a place. With `receipts`, whoever holds the third part must
/// say what is durable.
pub fn queue(capacity: usize, at: &Place, receipts: bool) -> (Intake, Listening, Receipts) {
    let capacity = capacity.clamp(OVERHEAD * 2, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let (sender, parcels) = unbounded_channel();
    let intake = Intake { parcels: sender, room: Arc::new(Semaphore::new(capacity)), capacity, receipts };
    let waiting: Waiting = Arc::new(Mutex::new(Some(VecDeque::new())));
    let listening = Listening { parcels, line: at.line, offset: at.offset, receipts: Arc::clone(&waiting) };
    (intake, listening, Receipts(waiting))
}

impl Listening {
    /// Adds a parcel to a block.
    fn add(&mut self, parcel: Parcel, block: &mut SourceBlock, receipts: &mut Vec<oneshot::Sender<()>>) {
        let Parcel { lines, receipt, .. } = parcel;
        let (line, offset) = (self.line, self.offset);
        let refused =
            |g: GivenUp| Refused { line: line + g.line, offset: offset + g.offset, reason: g.reason, text: g.text };
        block.refused.extend(lines.given_up.into_iter().map(refused));
        self.line += lines.count;
        self.offset += lines.bytes.len() as u64;
        if block.bytes.is_empty() {
            block.bytes = lines.bytes;
        } else {
            block.bytes.extend_from_slice(&lines.bytes);
        }
        receipts.extend(receipt);
    }
}

impl Source for Listening {
    fn begins_silent(&self) -> bool {
        true
    }

    fn drains(&self) -> bool {
        true
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        let Some(first) = self.parcels.blocking_recv() else { return Ok(None) };
        let mut block = SourceBlock { first_line: self.line, offset: self.offset, ..SourceBlock::default() };
        let mut receipts = Vec::new();
        self.add(first, &mut block, &mut receipts);
        while block.bytes.len() < BLOCK
            && let Ok(more) = self.parcels.try_recv()
        {
            self.add(more, &mut block, &mut receipts);
        }
        block.after = Place { line: self.line, offset: self.offset, file: None, journal: None };
        if !receipts.is_empty() {
            let mut waiting = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(due) = waiting.as_mut() {
                due.push_back((self.offset, receipts));
            }
        }
        Ok(Some(block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Lines {
        let mut lines = Lines::default();
        texts.iter().for_each(|text| lines.push(text.as_bytes()));
        lines
    }

    fn shared(intake: &Intake, bytes: usize) -> Share {
        let mut share = Share::default();
        intake.try_share(&mut share, bytes).expect("there is room");
        share
    }

    #[test]
    fn lines_are_numbered_from_the_place_on_and_those_given_up_have_a_number_too() {
        let at = Place { line: 11, offset: 100, ..Place::default() };
        let (intake, mut listening, _receipts) = queue(1 << 20, &at, false);
        assert!(intake.hand_over(lines(&["a", "b"]), Share::default()).expect("taken").is_none());
        let mut more = lines(&["c"]);
        more.give_up(Reject::LineTooLong, b"dddd");
        more.push(b"e\nf");
        intake.hand_over(more, Share::default()).expect("taken");
        drop(intake);
        let block = listening.next_block().expect("it gives").expect("a block");
        assert_eq!(block.bytes, b"a\nb\nc\n\ne f\n");
        assert_eq!((block.first_line, block.offset), (11, 100));
        let refused = Refused { line: 14, offset: 106, reason: Reject::LineTooLong, text: "dddd".to_owned() };
        assert_eq!(block.refused, [refused]);
        assert_eq!(block.after, Place { line: 16, offset: 111, ..Place::default() });
        assert!(listening.next_block().expect("it ends").is_none());
    }

    #[test]
    fn what_nobody_takes_is_not_accepted() {
        let (intake, listening, _receipts) = queue(1 << 20, &Place::default(), false);
        drop(listening);
        assert!(matches!(intake.hand_over(lines(&["a"]), Share::default()), Err(Gone)));
    }

    #[test]
    fn a_receipt_comes_when_its_lines_are_durable_and_not_before() {
        let (intake, mut listening, receipts) = queue(1 << 20, &Place::default(), true);
        let mut first = intake.hand_over(lines(&["a"]), Share::default()).expect("taken").expect("a receipt");
        let place = listening.next_block().expect("it gives").expect("a block").after;
        let mut second = intake.hand_over(lines(&["b"]), Share::default()).expect("taken").expect("a receipt");
        listening.next_block().expect("it gives").expect("a block");
        assert!(first.try_recv().is_err());
        receipts.give(&place);
        assert_eq!(first.try_recv(), Ok(()));
        assert_eq!(second.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        drop(receipts);
        assert_eq!(second.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        let mut third = intake.hand_over(lines(&["c"]), Share::default()).expect("taken").expect("a receipt");
        listening.next_block().expect("it gives").expect("a block");
        assert_eq!(third.try_recv(), Err(oneshot::error::TryRecvError::Closed), "nothing makes it durable any more");
    }

    #[test]
    fn a_full_queue_has_room_again_when_the_source_has_taken_something() {
        let (intake, mut listening, _receipts) = queue(1000, &Place::default(), false);
        let share = shared(&intake, 800);
        assert_eq!(intake.try_share(&mut Share::default(), 300), Err(Full));
        intake.hand_over(lines(&["a"]), share).expect("taken");
        assert_eq!(intake.try_share(&mut Share::default(), 300), Err(Full));
        listening.next_block().expect("it gives").expect("a block");
        drop(shared(&intake, 1000));
    }
}
