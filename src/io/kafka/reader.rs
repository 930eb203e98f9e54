//! Reads one topic: records of its partitions become blocks, each partition's in a bounded queue of its own.
//!
//! Invariants: the blocks of a partition are in the order of offsets, and none is left out; a partition whose queue is
//! full is paused and nothing else waits for it. A block says whether more is known to be there: the end of a partition
//! is known from what brokers said last, about once a second, and from reaching it. While no broker answers, more may be
//! there: so an outage does not make a partition look silent.
#![expect(clippy::disallowed_methods, reason = "waits are told by the clock, and reading has a thread")]

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientContext, Offset, Statistics, TopicPartitionList};

use super::client::{Complaints, explain};
use super::lines::{LineWriter, Pile, Record};
use super::{Connection, PartitionStanding};
use crate::engine::{Place, SourceBlock, SourceFailure};

/// What a source is given; nothing is its end.
pub(super) type Given = Result<Option<SourceBlock>, SourceFailure>;

/// A client that reads.
pub(super) type Client = BaseConsumer<Ears>;

/// How long a poll waits when nothing is there.
const WAIT: Duration = Duration::from_millis(20);
/// Records between two looks at queues and clocks.
const RECORDS: usize = 500;
/// Bytes of all partitions together that wait here for room before partitions are paused. The client throws away what it
/// has fetched of one that is paused, so to pause for every block would be to fetch everything many times.
const WAITING: usize = 32 << 20;
/// The least of it that one partition may have.
const LEAST_WAITING: usize = 256 << 10;

/// What a client tells beside its records.
pub(super) struct Ears {
    pub(super) complaints: Complaints,
    pub(super) commits: Commits,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// Ends of partitions and the offsets at which they were last seen to be there, by topic and number.
    ends: BTreeMap<(String, i32), (u64, i64)>,
    /// No broker answers.
    away: bool,
}

/// Commits that have not been answered.
#[derive(Default)]
pub(super) struct Commits(AtomicI64);

impl Commits {
    /// Begins one.
    pub(super) fn begin(&self, commit: impl FnOnce() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        commit().inspect_err(|_| {
            self.0.fetch_sub(1, Ordering::Relaxed);
        })
    }

    pub(super) fn are_open(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Ears {
    pub(super) fn new(connection: &Connection) -> Self {
        Self { complaints: Complaints::new(connection), commits: Commits::default(), heard: Mutex::default() }
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Ears {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        self.complaints.log(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.heard().away = true;
        }
        self.complaints.hear(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let mut heard = self.heard();
        heard.away = !statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        for topic in statistics.topics.into_values() {
            for (number, partition) in topic.partitions {
                let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
                if let (Ok(end), 0..) = (u64::try_from(end), number) {
                    heard.ends.insert((topic.topic.clone(), number), (end, partition.eof_offset));
                }
            }
        }
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.complaints.generate_oauth_token(config)
    }
}

impl ConsumerContext for Ears {
    fn commit_callback(&self, result: Result<(), KafkaError>, _: &TopicPartitionList) {
        self.commits.0.fetch_sub(1, Ordering::Relaxed);
        if let Err(error) = result {
            let words = explain(error.rdkafka_error_code(), &error.to_string());
            tracing::warn!("offsets were not committed: {words}");
        }
    }
}

/// One partition on its way to its source.
pub(super) struct Feed {
    number: i32,
    writer: LineWriter,
    to: Option<Sender<Given>>,
    /// Blocks that found the queue full, oldest first.
    waiting: VecDeque<SourceBlock>,
    /// Bytes of them.
    bytes: usize,
    paused: bool,
    /// Where the source goes on after everything that was made into blocks.
    place: Place,
    /// Its end, as brokers said last.
    end: u64,
    /// The offset at which the end was last seen; behind the last record there may be marks of transactions.
    seen_end: i64,
    /// Nothing came since.
    at_end: bool,
    /// Where it is over.
    until: Option<u64>,
    /// What the source was told last: whether more is there.
    more: Option<bool>,
    /// Its place in the standing.
    at: usize,
    pauses: u64,
}

impl Feed {
    pub(super) fn new(
        (number, at): (i32, usize),
        writer: LineWriter,
        to: Sender<Given>,
        place: Place,
        (end, until): (u64, Option<u64>),
    ) -> Self {
        Self {
            number,
            writer,
            to: Some(to),
            waiting: VecDeque::new(),
            bytes: 0,
            paused: false,
            place,
            end,
            seen_end: -1,
            at_end: false,
            until,
            more: None,
            at,
            pauses: 0,
        }
    }

    fn take(&mut self, record: &Record<'_>) {
        if self.until.is_some_and(|until| record.offset >= until) {
            return self.reached();
        }
        self.at_end = false;
        if let Some(pile) = self.writer.push(record) {
            self.block(pile, true);
        }
    }

    /// Everything up to an end has come.
    fn reached(&mut self) {
        self.at_end = true;
        if let Some(pile) = self.writer.take() {
            self.block(pile, false);
        }
        if let Some(until) = self.until {
            self.place.offset = self.place.offset.max(until);
        }
        self.tell(false);
    }

    /// Whether nothing is known to be there behind what became blocks.
    fn is_caught_up(&self) -> bool {
        let seen = self.at_end && u64::try_from(self.seen_end).is_ok_and(|seen| seen >= self.end);
        self.place.offset >= self.end || seen
    }

    /// Makes a block of what was gathered, and says whether more is there if that is news.
    fn flush(&mut self, away: bool) {
        match self.writer.take() {
            Some(pile) => {
                let more = away || pile.next_offset < self.end;
                self.block(pile, more);
            }
            None => self.tell(away || !self.is_caught_up()),
        }
    }

    fn tell(&mut self, more: bool) {
        if self.more != Some(more) {
            self.more = Some(more);
            self.waiting.push_back(SourceBlock { after: self.place.clone(), more, ..SourceBlock::default() });
        }
    }

    fn block(&mut self, pile: Pile, more: bool) {
        self.place.offset = pile.next_offset;
        self.place.line = self.writer.line_of(pile.next_offset);
        self.more = Some(more);
        self.bytes += pile.bytes.len();
        self.waiting.push_back(SourceBlock {
            bytes: pile.bytes,
            first_line: pile.first_line,
            offset: pile.first_offset,
            after: self.place.clone(),
            more,
            ..SourceBlock::default()
        });
    }

    /// Hands over what there is room for. False if the source has gone.
    fn hand_over(&mut self) -> bool {
        let Some(to) = &self.to else { return false };
        while let Some(block) = self.waiting.pop_front() {
            let bytes = block.bytes.len();
            match to.try_send(Ok(Some(block))) {
                Ok(()) => self.bytes -= bytes,
                Err(TrySendError::Full(Ok(Some(block)))) => {
                    self.waiting.push_front(block);
                    return true;
                }
                Err(_) => return false,
            }
        }
        let over = self.until.is_some_and(|until| self.place.offset >= until);
        if over && to.try_send(Ok(None)).is_ok() {
            self.to = None;
            return false;
        }
        true
    }
}

/// What a reader is told while it reads.
pub(super) enum Order {
    /// Read a partition too.
    Add(Box<Feed>),
    /// Read it no further.
    Remove(i32),
}

/// Reads one topic.
pub(super) struct Reader {
    client: Arc<Client>,
    topic: String,
    feeds: Vec<Feed>,
    by_number: BTreeMap<i32, usize>,
    standing: Arc<Mutex<Vec<PartitionStanding>>>,
    stop: Arc<AtomicBool>,
    looked: Instant,
    /// If partitions come and go: it then ends when nobody gives orders any more.
    orders: Option<Receiver<Order>>,
}

impl Reader {
    /// Has partitions assigned where their feeds stand.
    pub(super) fn new(
        client: Arc<Client>,
        topic: &str,
        feeds: Vec<Feed>,
        standing: Arc<Mutex<Vec<PartitionStanding>>>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, String> {
        let mut list = TopicPartitionList::new();
        for feed in &feeds {
            let offset = i64::try_from(feed.place.offset).unwrap_or(i64::MAX);
            let added = list.add_partition_offset(topic, feed.number, Offset::Offset(offset));
            added.map_err(|error| error.to_string())?;
        }
        client.assign(&list).map_err(|error| format!("{topic} cannot be read: {error}"))?;
        let by_number = feeds.iter().enumerate().map(|(at, feed)| (feed.number, at)).collect();
        let (topic, looked) = (topic.to_owned(), Instant::now());
        Ok(Self { client, topic, feeds, by_number, standing, stop, looked, orders: None })
    }

    /// Reads nothing yet, and what it is told to.
    pub(super) fn on_orders(
        client: Arc<Client>,
        topic: &str,
        orders: Receiver<Order>,
        standing: Arc<Mutex<Vec<PartitionStanding>>>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let (topic, looked, orders) = (topic.to_owned(), Instant::now(), Some(orders));
        Self { client, topic, feeds: Vec::new(), by_number: BTreeMap::new(), standing, stop, looked, orders }
    }

    /// Does what it is told. False if nobody will tell it anything any more.
    fn follow_orders(&mut self) -> bool {
        loop {
            match self.orders.as_ref().map(Receiver::try_recv) {
                Some(Ok(Order::Add(feed))) => self.add(*feed),
                Some(Ok(Order::Remove(number))) => self.remove(number),
                Some(Err(TryRecvError::Empty)) => return true,
                Some(Err(TryRecvError::Disconnected)) | None => return false,
            }
        }
    }

    fn add(&mut self, feed: Feed) {
        let offset = i64::try_from(feed.place.offset).unwrap_or(i64::MAX);
        let mut list = TopicPartitionList::new();
        let added = list.add_partition_offset(&self.topic, feed.number, Offset::Offset(offset));
        match added.and_then(|()| self.client.incremental_assign(&list)) {
            Ok(()) => {
                self.feeds.push(feed);
                self.number_feeds();
            }
            Err(error) => {
                if let Some(to) = feed.to {
                    let words = format!("{}/{} cannot be read: {error}", self.topic, feed.number);
                    let _ = to.send(Err(SourceFailure(words)));
                }
            }
        }
    }

    fn remove(&mut self, number: i32) {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, number);
        if let Err(error) = self.client.incremental_unassign(&list) {
            tracing::debug!(topic = self.topic, number, %error, "a partition cannot be given up");
        }
        self.feeds.retain(|feed| feed.number != number);
        self.number_feeds();
    }

    fn number_feeds(&mut self) {
        self.by_number = self.feeds.iter().enumerate().map(|(at, feed)| (feed.number, at)).collect();
    }

    /// Reads until the run is stopped, or all partitions have come to where they are over.
    pub(super) fn run(mut self) {
        self.look();
        let mut records = 0;
        let is_wanted = |reader: &Self| reader.orders.is_some() || reader.feeds.iter().any(|feed| feed.to.is_some());
        while !self.stop.load(Ordering::Relaxed) && is_wanted(&self) {
            let client = Arc::clone(&self.client);
            let wait = if records == 0 { WAIT } else { Duration::ZERO };
            match client.poll(wait) {
                Some(Ok(message)) => {
                    self.take(&message);
                    records += 1;
                    if records < RECORDS {
                        continue;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(number))) => {
                    if let Some(at) = self.by_number.get(&number) {
                        self.feeds[*at].reached();
                    }
                    continue;
                }
                Some(Err(error)) => {
                    if let Some(words) = self.is_over(&error) {
                        return self.fail(&words);
                    }
                    continue;
                }
                None => {}
            }
            records = 0;
            let ordered = self.follow_orders();
            if !self.look() && !ordered {
                return;
            }
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let Some(feed) = self.by_number.get(&message.partition()).and_then(|at| self.feeds.get_mut(*at)) else {
            return;
        };
        let Ok(offset) = u64::try_from(message.offset()) else { return };
        let headers = if feed.writer.tells_provenance() { headers(message) } else { Vec::new() };
        feed.take(&Record {
            offset,
            timestamp: message.timestamp().to_millis(),
            key: message.key(),
            headers,
            value: message.payload(),
        });
    }

    /// Passes on what was gathered, and looks at ends and queues. False if nobody wants anything any more.
    fn look(&mut self) -> bool {
        let (away, ends) = {
            let mut heard = self.client.context().heard();
            (heard.away, std::mem::take(&mut heard.ends))
        };
        for ((topic, number), (end, seen)) in ends {
            if topic == self.topic
                && let Some(at) = self.by_number.get(&number)
            {
                let feed = &mut self.feeds[*at];
                (feed.end, feed.seen_end) = (feed.end.max(end), seen);
            }
        }
        let (mut pause, mut resume) = (TopicPartitionList::new(), TopicPartitionList::new());
        let mut wanted = false;
        let room = (WAITING / self.feeds.len().max(1)).max(LEAST_WAITING);
        for feed in &mut self.feeds {
            feed.flush(away);
            wanted |= feed.hand_over();
            // One that is paused goes on once half of it is through: by the time that its records come, the rest is.
            let full = feed.bytes > if feed.paused { room / 2 } else { room };
            if full != feed.paused {
                feed.paused = full;
                feed.pauses += u64::from(full);
                let list = if full { &mut pause } else { &mut resume };
                list.add_partition(&self.topic, feed.number);
            }
        }
        // What cannot be paused waits in memory, and what cannot be resumed is asked for again at the next look.
        for (list, result) in [(&pause, self.client.pause(&pause)), (&resume, self.client.resume(&resume))] {
            if let (Err(error), 1..) = (result, list.count()) {
                tracing::debug!(topic = self.topic, %error, "partitions cannot be paused or resumed");
            }
        }
        if self.looked.elapsed() >= Duration::from_millis(200) {
            self.note_standing();
        }
        wanted
    }

    fn note_standing(&mut self) {
        self.looked = Instant::now();
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        for feed in &self.feeds {
            if let Some(at) = standing.get_mut(feed.at) {
                let next = feed.place.offset;
                let end = if feed.is_caught_up() { next } else { feed.end };
                (at.next, at.end, at.counts, at.pauses) = (next, end, feed.writer.counts, feed.pauses);
            }
        }
    }

    /// Whether an error is the end, and in which words. Whatever passes by itself is waited for.
    fn is_over(&self, error: &KafkaError) -> Option<String> {
        use RDKafkaErrorCode as Code;
        let code = error.rdkafka_error_code()?;
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        let over = matches!(
            code,
            Code::TopicAuthorizationFailed
                | Code::UnknownTopicOrPartition
                | Code::UnknownTopic
                | Code::UnknownPartition
                | Code::OffsetOutOfRange
                | Code::AutoOffsetReset
                | Code::Authentication
                | Code::SaslAuthenticationFailed
        );
        (fatal || over).then(|| format!("{}: {}", self.topic, explain(Some(code), &error.to_string())))
    }

    fn fail(&mut self, words: &str) {
        for feed in &mut self.feeds {
            feed.flush(true);
            if let Some(to) = feed.to.take() {
                for block in feed.waiting.drain(..) {
                    let _ = to.send(Ok(Some(block)));
                }
                let _ = to.send(Err(SourceFailure(words.to_owned())));
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.note_standing();
    }
}

/// The headers of a record. The client panics at a name that is not UTF-8; then the record has none.
fn headers<'a>(message: &'a BorrowedMessage<'_>) -> Vec<(&'a str, Option<&'a [u8]>)> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let read = || headers.iter().map(|header| (header.key, header.value)).collect();
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_default()
}
