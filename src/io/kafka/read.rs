//! Topics opened as inputs: where each partition begins, and a source for each.
//!
//! Partitions are assigned by us, not by a group: one run reads all of them, so no broker takes one away. A group is
//! the name under which offsets are committed behind checkpoints, for whoever watches how far the run has come.
#![expect(clippy::disallowed_methods, reason = "waits for brokers are told by the clock")]

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{config, consumer, explain};
use super::commits::Commits;
use super::ears::{Client, Ears, Listener};
use super::feed::Feed;
use super::find::{PATIENCE, hear};
use super::lines::{LineForm, LineWriter};
use super::reader::{Gate, Gates, PartitionSource, Slate};
use super::{Partition, PartitionStanding, Start, TopicOptions};
use crate::engine::{FileMark, Place};

/// How often brokers are asked for what they do not know yet.
const AGAIN: Duration = Duration::from_millis(50);
/// Bytes of all partitions of a topic together that are fetched ahead.
const AHEAD: usize = 16 << 20;
/// The least of it that one partition may have.
const LEAST_AHEAD: usize = 256 << 10;

/// Topics that are open.
pub struct Opened {
    /// A source for each partition, in the order asked for.
    pub sources: Vec<PartitionSource>,
    /// The reading behind them.
    pub reading: Reading,
    /// What is to be said of places that are no longer there.
    pub notices: Vec<String>,
}

/// The reading behind sources, to commit offsets and to see how far it has come.
#[derive(Clone)]
pub struct Reading {
    // In the order in which they end: then nothing has a client any more, and it ends as well.
    /// By topic, if there is a group.
    commits: Arc<Vec<Commits>>,
    _gates: Arc<Gates>,
    _listeners: Arc<Vec<Listener>>,
    standing: Arc<Mutex<Vec<PartitionStanding>>>,
}

impl Reading {
    /// How far each partition has come.
    pub fn standing(&self) -> Vec<PartitionStanding> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until commits have been answered, but no longer than that. False if they have not.
    pub fn wait_for_commits(&self, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        self.commits.iter().all(|commits| commits.wait(until.saturating_duration_since(Instant::now())))
    }

    /// Commits where all partitions go on, if there is a group. Does not wait; the next commit makes up for one that
    /// fails.
    pub fn commit<'a>(&self, places: impl Iterator<Item = (&'a Partition, u64)>) {
        let mut lists: BTreeMap<&str, Vec<(i32, u64)>> = BTreeMap::new();
        for (partition, offset) in places {
            lists.entry(&partition.topic).or_default().push((partition.number, offset));
        }
        for commits in self.commits.iter() {
            if let Some(list) = lists.remove(commits.topic()) {
                commits.commit(list);
            }
        }
    }
}

/// What a partition of a topic is known by: the topic's name and how many partitions it had.
fn mark(topic: &str, partitions: usize) -> FileMark {
    let head = xxhash_rust::xxh3::xxh3_64(topic.as_bytes());
    FileMark { inode: (0, partitions as u64), begins: 0, head, head_len: topic.len() as u32 }
}

/// Opens partitions where they stand, or where `options` say if nothing is known.
///
/// # Errors
/// In words that name the setting: brokers cannot be reached or do not let us in, the topic has another number of
/// partitions than it had, or does not reach to where a partition stood.
pub fn open(
    options: &TopicOptions,
    partitions: &[(Partition, Place)],
    stop: &Arc<AtomicBool>,
) -> Result<Opened, String> {
    let mut by_topic: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (partition, _)) in partitions.iter().enumerate() {
        by_topic.entry(&partition.topic).or_default().push(at);
    }
    let standing = partitions.iter().map(|(partition, _)| PartitionStanding::nowhere(partition.clone()));
    let standing = Arc::new(Mutex::new(standing.collect()));
    let (mut clients, mut notices) = (Vec::new(), Vec::new());
    let mut sources: Vec<Option<PartitionSource>> = partitions.iter().map(|_| None).collect();
    let gates = Gates::default();
    for (topic, members) in by_topic {
        let client = Arc::new(client(options, members.len())?);
        let list: Vec<(&Partition, &Place)> =
            members.iter().map(|at| (&partitions[*at].0, &partitions[*at].1)).collect();
        let wrong = |error: &_| complaint(&client, error);
        let begins = begins(&client, options, topic, &list, &wrong, &mut notices)?;
        let mut assigned = TopicPartitionList::new();
        for (at, begin) in members.into_iter().zip(begins) {
            let partition = &partitions[at].0;
            let gate = Gate::open(&client, partition)?;
            gates.lock().insert((topic.to_owned(), partition.number), gate.clone());
            let offset = Offset::Offset(i64::try_from(begin.offset).unwrap_or(i64::MAX));
            let added = assigned.add_partition_offset(topic, partition.number, offset);
            added.map_err(|error| error.to_string())?;
            let feed = feed(options, partition, &begin);
            let slate = Slate { standing: Arc::clone(&standing), at };
            sources[at] = Some(PartitionSource::new(partition.clone(), feed, (slate, gate), stop));
        }
        client.assign(&assigned).map_err(|error| format!("{topic} cannot be read: {error}"))?;
        clients.push((topic.to_owned(), client));
    }
    let listeners: Result<Vec<Listener>, String> =
        clients.iter().map(|(topic, client)| Listener::start(client, topic)).collect();
    let (_listeners, _gates) = (Arc::new(listeners?), Arc::new(gates));
    let grouped = clients.iter().filter(|_| options.group.is_some());
    let commits: Result<Vec<Commits>, String> = grouped.map(|(topic, client)| Commits::start(client, topic)).collect();
    let commits = Arc::new(commits?);
    let sources = sources.into_iter().flatten().collect();
    Ok(Opened { sources, reading: Reading { commits, _gates, _listeners, standing }, notices })
}

/// What becomes of the records of a partition.
pub(super) fn feed(options: &TopicOptions, partition: &Partition, begin: &Begin) -> Feed {
    let TopicOptions { format, provenance, .. } = *options;
    let form = LineForm { format, provenance, topic: partition.topic.clone(), partition: partition.number };
    let Begin { offset, end, mark } = *begin;
    let place = Place { line: format.line_of(offset), offset, file: Some(mark), journal: None };
    Feed::new(LineWriter::new(form), place, (end, options.until_end.then_some(end)))
}

/// A client that reads so many partitions of one topic.
pub(super) fn client(options: &TopicOptions, partitions: usize) -> Result<Client, String> {
    let mut settings = config(&options.connection);
    let set = options.connection.settings.iter().find(|(name, _)| name == "queued.max.messages.kbytes");
    let kibibytes = match set.and_then(|(_, value)| value.reveal().parse().ok()) {
        Some(set) => set,
        None => (AHEAD / partitions.max(1)).max(LEAST_AHEAD) as u64 >> 10,
    };
    if let Some(group) = &options.group {
        settings.set("group.id", group);
    } else {
        // librdkafka asks for one; nothing is committed under it.
        settings.set("group.id", "tripline");
    }
    let own = [
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "error"),
        ("statistics.interval.ms", "1000"),
        ("fetch.wait.max.ms", "100"),
        ("queued.max.messages.kbytes", &kibibytes.to_string()),
        // What was fetched ahead lasts longer than this.
        ("fetch.queue.backoff.ms", "10"),
    ];
    for (name, value) in own {
        if !options.connection.settings.iter().any(|(set, _)| set == name) {
            settings.set(name, value);
        }
    }
    consumer(&settings, Ears::new(&options.connection, kibibytes * 1000))
}

/// Where a partition begins, and where it ends now.
pub(super) struct Begin {
    pub(super) offset: u64,
    pub(super) end: u64,
    pub(super) mark: FileMark,
}

/// Where partitions of a topic begin; `wrong` says what went wrong.
pub(super) fn begins(
    client: &Client,
    options: &TopicOptions,
    topic: &str,
    partitions: &[(&Partition, &Place)],
    wrong: &dyn Fn(&KafkaError) -> String,
    notices: &mut Vec<String>,
) -> Result<Vec<Begin>, String> {
    let metadata = client.fetch_metadata(Some(topic), PATIENCE).map_err(|error| wrong(&error))?;
    let count =
        metadata.topics().iter().find(|found| found.name() == topic).map_or(0, |found| found.partitions().len());
    let mark = mark(topic, count);
    let anew: Vec<&Partition> =
        partitions.iter().filter(|(_, place)| place.file.is_none()).map(|(partition, _)| *partition).collect();
    let starts = starts(client, options.start, &anew).map_err(|error| wrong(&error))?;
    let mut begins = Vec::with_capacity(partitions.len());
    for (partition, place) in partitions {
        let (low, high) = client.fetch_watermarks(topic, partition.number, PATIENCE).map_err(|error| wrong(&error))?;
        let (low, end) = (low.max(0) as u64, high.max(0) as u64);
        let offset = match &place.file {
            None => match starts.get(partition) {
                Some(Offset::Offset(offset)) => u64::try_from(*offset).unwrap_or(0).max(low),
                Some(Offset::End) => end,
                _ => low,
            },
            Some(known) if known.inode.1 != mark.inode.1 => {
                return Err(format!(
                    "topic {topic} had {} partitions and has {count} now: keys may have moved between them; read it \
                     with another --state, or give it a new name",
                    known.inode.1
                ));
            }
            Some(_) if place.offset > end => {
                return Err(format!(
                    "{partition} ends at offset {end}, and the state has read it up to {}: the topic is another one now; \
                     read it with another --state",
                    place.offset
                ));
            }
            Some(_) if place.offset < low => {
                notices.push(format!(
                    "{partition}: offsets {} to {low} are no longer kept by the brokers; what they held is lost",
                    place.offset
                ));
                low
            }
            Some(_) => place.offset,
        };
        begins.push(Begin { offset, end, mark });
    }
    Ok(begins)
}

/// Where partitions begin that nothing is known of.
fn starts(client: &Client, start: Start, partitions: &[&Partition]) -> Result<BTreeMap<Partition, Offset>, KafkaError> {
    let all = |offset: Offset| partitions.iter().map(|partition| (Partition::clone(partition), offset)).collect();
    let mut asked = TopicPartitionList::new();
    for partition in partitions {
        let offset = match start {
            Start::At(time) => Offset::Offset(time.0.div_euclid(1_000_000)),
            _ => Offset::Invalid,
        };
        asked.add_partition_offset(&partition.topic, partition.number, offset)?;
    }
    if partitions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let answered = match start {
        Start::Earliest => return Ok(all(Offset::Beginning)),
        Start::Latest => return Ok(all(Offset::End)),
        Start::At(_) => client.offsets_for_times(asked, PATIENCE)?,
        Start::Committed => committed(client, &asked)?,
    };
    let mut found = BTreeMap::new();
    for element in answered.elements() {
        element.error()?;
        let partition = Partition { topic: element.topic().to_owned(), number: element.partition() };
        found.insert(partition, element.offset());
    }
    Ok(found)
}

/// What a group has committed. The broker that knows may not be found at once, as when a cluster has its first group.
fn committed(client: &Client, asked: &TopicPartitionList) -> Result<TopicPartitionList, KafkaError> {
    use RDKafkaErrorCode as Code;
    let until = Instant::now() + PATIENCE;
    loop {
        match client.committed_offsets(asked.clone(), PATIENCE) {
            Err(error) if Instant::now() < until => match error.rdkafka_error_code() {
                Some(Code::NotCoordinator | Code::CoordinatorNotAvailable | Code::CoordinatorLoadInProgress) => {
                    thread::sleep(AGAIN);
                }
                _ => return Err(error),
            },
            answer => return answer,
        }
    }
}

/// What went wrong: what the client complained about meanwhile says more than the call.
fn complaint(client: &Client, error: &KafkaError) -> String {
    hear(client);
    self::words(client, error)
}

/// The same where somebody else polls.
pub(super) fn words(client: &Client, error: &KafkaError) -> String {
    let words = || explain(error.rdkafka_error_code(), &error.to_string());
    client.context().complaints.take().unwrap_or_else(words)
}
