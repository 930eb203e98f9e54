//! The state of a run kept in Kafka: a compacted topic of states, written in transactions.
//!
//! ```text
//! one transaction = alerts since the last one │ states of keys that have changed │ commit │ offsets of the group
//! ```
//! What the commit says, up to where inputs were read, what keys hold, and which alerts were sent become visible
//! together or not at all. A record is keyed by the name of its rule and the key, so compaction keeps the newest state of
//! each; a key that holds nothing any more is a tombstone. Whoever opens a changelog fences whoever had it before: what
//! that one has not committed is aborted, and it can commit nothing any more. Relies on the brokers for all of this.
#![expect(clippy::disallowed_methods, reason = "waits for brokers are told by the clock")]

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Complaints, config, explain, unusable};
use super::find::PATIENCE;
use super::transaction::Watched;
use super::{AlertRecords, Connection, Partition};
use crate::io::deliver::Letter;
use crate::io::sink::kafka::headers;
use crate::io::state::{Commit, Recovered};
use crate::matcher::saved::{Change, Changes, read_chunk};
use crate::session::head::Head;

/// The form of what is written. To be raised when it changes.
const FORM: u8 = 1;
/// The key of the record that holds everything but the states of keys.
const COMMIT: &[u8] = b"commit";
/// What keys of states begin with.
const STATE: u8 = b'/';
/// How long a transaction may take to be committed.
const COMMITS_WITHIN: Duration = Duration::from_secs(30);

/// Where the state of a run is.
#[derive(Clone, Debug)]
pub struct ChangelogOptions {
    /// The cluster.
    pub connection: Connection,
    /// The topic; made if it is not there. Its first partition is used.
    pub topic: String,
    /// The group whose offsets are committed with the state. Of all who open a changelog for a group, the last has it.
    pub group: String,
}

/// Why a changelog gives nothing, or takes nothing any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangelogError {
    /// Somebody else has it now.
    #[error("another process has taken over this state; what this one had not committed is not there")]
    Fenced,
    /// What it holds cannot be read by this release.
    #[error("the state is of a form that this release does not read")]
    Unreadable,
    /// The cluster is in trouble, or refuses. What was not committed is not there.
    #[error("{0}")]
    Failed(String),
}

/// States by the keys of their records.
type States = BTreeMap<Vec<u8>, Vec<u8>>;

/// The state of a run, in Kafka.
pub struct Changelog {
    options: ChangelogOptions,
    producer: BaseProducer<Watched>,
    /// Has read the topic, and knows the group.
    consumer: BaseConsumer<Complaints>,
    /// A transaction has begun.
    begun: bool,
    /// What was read, until the first commit has put right what differs from it.
    known: Option<States>,
    number: u64,
}

impl Changelog {
    /// Takes a changelog over and reads it.
    ///
    /// # Errors
    /// As [`ChangelogError`].
    pub fn open(options: ChangelogOptions) -> Result<(Self, Option<Recovered>), ChangelogError> {
        let failed = |error: KafkaError| ChangelogError::Failed(unusable(&error));
        let owner = format!("tripline.{}.{}", options.group, options.topic);
        let mut settings = config(&options.connection);
        settings.set("transactional.id", &owner).set("partitioner", "murmur2_random");
        for (name, value) in [("linger.ms", "5"), ("transaction.timeout.ms", "300000")] {
            if !options.connection.settings.iter().any(|(set, _)| set == name) {
                settings.set(name, value);
            }
        }
        let watched = Watched::new(&options.connection);
        let producer: BaseProducer<Watched> = settings.create_with_context(watched).map_err(failed)?;
        let mut settings = config(&options.connection);
        settings.set("group.id", &options.group).set("enable.auto.commit", "false");
        settings.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        let complaints = Complaints::new(&options.connection);
        let consumer: BaseConsumer<Complaints> = settings.create_with_context(complaints).map_err(failed)?;
        let mut changelog = Self { options, producer, consumer, begun: false, known: None, number: 0 };
        changelog.make_topic()?;
        // This is what fences: nothing of an earlier owner can be committed after it.
        changelog.producer.init_transactions(PATIENCE).map_err(|error| changelog.explained(&error))?;
        let (commit, states) = changelog.read()?;
        let recovered = commit.map(|commit| recovered(&commit, &states)).transpose()?;
        changelog.number = recovered.as_ref().map_or(0, |recovered| recovered.commit.number);
        changelog.known = Some(states);
        Ok((changelog, recovered))
    }

    fn make_topic(&self) -> Result<(), ChangelogError> {
        let settings = config(&self.options.connection);
        let admin: AdminClient<Complaints> = settings
            .create_with_context(Complaints::new(&self.options.connection))
            .map_err(|error| ChangelogError::Failed(unusable(&error)))?;
        let topic = NewTopic::new(&self.options.topic, 1, TopicReplication::Fixed(-1)).set("cleanup.policy", "compact");
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let words = || admin.inner().context().take();
        match futures_executor::block_on(admin.create_topics([&topic], &options)) {
            Ok(made) => match made.into_iter().next() {
                // One that may not be made may be there all the same; reading it will tell.
                Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
                    tracing::debug!(topic = self.options.topic, "the topic cannot be made: {code}");
                    Ok(())
                }
                _ => Ok(()),
            },
            Err(error) => Err(ChangelogError::Failed(words().unwrap_or_else(|| error.to_string()))),
        }
    }

    /// Everything that is committed. Nothing more comes meanwhile: nobody else may write.
    fn read(&self) -> Result<(Option<Vec<u8>>, States), ChangelogError> {
        let consumer = &self.consumer;
        let topic = &self.options.topic;
        let failed = |error: &KafkaError| {
            let words = explain(error.rdkafka_error_code(), &error.to_string());
            ChangelogError::Failed(consumer.context().take().unwrap_or(words))
        };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning).map_err(|error| failed(&error))?;
        consumer.assign(&list).map_err(|error| failed(&error))?;
        let (mut commit, mut states) = (None, States::new());
        let mut heard = Instant::now();
        loop {
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    match (message.key(), message.payload()) {
                        (Some(COMMIT), Some(value)) => commit = Some(value.to_vec()),
                        (Some(key), Some(value)) => drop(states.insert(key.to_vec(), value.to_vec())),
                        (Some(key), None) => drop(states.remove(key)),
                        (None, _) => {}
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) if heard.elapsed() > PATIENCE => return Err(failed(&error)),
                None if heard.elapsed() > PATIENCE => return Err(failed(&KafkaError::NoMessageReceived)),
                Some(Err(_)) | None => {}
            }
        }
        consumer.unassign().map_err(|error| failed(&error))?;
        Ok((commit, states))
    }

    /// Adds an alert to what is committed next. False if it can never be written, since it is too long.
    ///
    /// # Errors
    /// As [`ChangelogError`].
    pub fn add(&mut self, letter: &Letter, records: &AlertRecords) -> Result<bool, ChangelogError> {
        self.begin()?;
        let (topic, text) = (records.topic_of(&letter.alert), letter.text(records.format));
        let key = records.key_of(&letter.alert);
        let record = BaseRecord::<String, String>::to(&topic).payload(&text).headers(headers(records, letter));
        let record = match &key {
            Some(key) => record.key(key),
            None => record,
        };
        match self.send(record) {
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge) => Ok(false),
            sent => sent.map(|()| true).map_err(|error| self.explained(&error)),
        }
    }

    /// Commits all that was added, a checkpoint, and where partitions go on.
    ///
    /// # Errors
    /// As [`ChangelogError`]. Nothing of it is visible then, or all of it; whoever opens it anew sees which.
    pub fn commit(
        &mut self,
        mut commit: Commit,
        keys: &Changes,
        places: &[(Partition, u64)],
    ) -> Result<(), ChangelogError> {
        self.begin()?;
        let head = Head::from_bytes(&commit.head).map_err(|_| ChangelogError::Unreadable)?;
        let rules: Vec<&str> = head.rules.iter().map(|rule| rule.name.as_str()).collect();
        self.put_states(keys, &rules)?;
        commit.number = self.number + 1;
        let mut bytes = vec![FORM];
        bytes.extend_from_slice(&commit.to_bytes());
        self.put(COMMIT, Some(&bytes))?;
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in places {
            let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
            let added = offsets.add_partition_offset(&partition.topic, partition.number, offset);
            added.map_err(|error| self.explained(&error))?;
        }
        if let (Some(group), 1..) = (self.consumer.group_metadata(), offsets.count()) {
            let sent = self.producer.send_offsets_to_transaction(&offsets, &group, COMMITS_WITHIN);
            sent.map_err(|error| self.explained(&error))?;
        }
        let until = Instant::now() + COMMITS_WITHIN;
        loop {
            match self.producer.commit_transaction(COMMITS_WITHIN) {
                Ok(()) => break,
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < until => {}
                Err(error) => return Err(self.explained(&error)),
            }
        }
        self.number += 1;
        self.begun = false;
        Ok(())
    }

    /// Writes the states that have changed; the first time, also takes away what is there and should not be.
    fn put_states(&mut self, keys: &Changes, rules: &[&str]) -> Result<(), ChangelogError> {
        let mut known = self.known.take();
        let mut name = Vec::new();
        for chunk in &keys.chunks {
            for Change { rule, key, state } in read_chunk(chunk).map_err(|_| ChangelogError::Unreadable)? {
                name.clear();
                name.push(STATE);
                name.extend_from_slice(rules.get(rule as usize).copied().unwrap_or_default().as_bytes());
                name.push(0);
                name.extend_from_slice(key);
                let before = known.as_mut().and_then(|known| known.remove(&name));
                if known.is_none() || before.as_deref() != state {
                    self.put(&name, state)?;
                }
            }
        }
        for (name, _) in known.into_iter().flatten() {
            self.put(&name, None)?;
        }
        Ok(())
    }

    fn put(&self, key: &[u8], value: Option<&[u8]>) -> Result<(), ChangelogError> {
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.options.topic).partition(0).key(key);
        let record = match value {
            Some(value) => record.payload(value),
            None => record,
        };
        self.send(record).map_err(|error| self.explained(&error))
    }

    /// Hands a record to the client; waits for room.
    fn send<K, P>(&self, mut record: BaseRecord<'_, K, P>) -> Result<(), KafkaError>
    where
        K: rdkafka::message::ToBytes + ?Sized,
        P: rdkafka::message::ToBytes + ?Sized,
    {
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, again)) => {
                    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                        return Err(error);
                    }
                    record = again;
                    self.producer.poll(Duration::from_millis(20));
                }
            }
        }
    }

    fn begin(&mut self) -> Result<(), ChangelogError> {
        if !self.begun {
            self.producer.begin_transaction().map_err(|error| self.explained(&error))?;
            self.begun = true;
        }
        Ok(())
    }

    fn explained(&self, error: &KafkaError) -> ChangelogError {
        use RDKafkaErrorCode as Code;
        let code = match error {
            KafkaError::Transaction(error) => Some(error.code()),
            error => error.rdkafka_error_code(),
        };
        let fatal = self.producer.client().fatal_error().map(|(code, _)| code);
        let fenced = |code: Code| matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch);
        if code.is_some_and(fenced) || fatal.is_some_and(fenced) {
            return ChangelogError::Fenced;
        }
        let words = self.producer.context().complaint();
        ChangelogError::Failed(words.unwrap_or_else(|| explain(code, &error.to_string())))
    }
}

impl fmt::Debug for Changelog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changelog").field("options", &self.options).finish_non_exhaustive()
    }
}

/// What a commit and states are to a run.
fn recovered(bytes: &[u8], states: &States) -> Result<Recovered, ChangelogError> {
    let broken = || ChangelogError::Unreadable;
    let bytes = bytes.strip_prefix(&[FORM]).ok_or_else(broken)?;
    let commit = Commit::from_bytes(bytes).map_err(|_| broken())?;
    let head = Head::from_bytes(&commit.head).map_err(|_| broken())?;
    let mut keys = Changes::default();
    for (name, state) in states {
        let rest = name.strip_prefix(&[STATE]).ok_or_else(broken)?;
        let end = memchr::memchr(0, rest).ok_or_else(broken)?;
        // A rule that the head does not know has been taken away since.
        let Some(rule) = head.rules.iter().position(|rule| rule.name.as_bytes() == &rest[..end]) else { continue };
        keys.push(Change { rule: rule as u32, key: &rest[end + 1..], state: Some(state) });
    }
    Ok(Recovered { commit, keys })
}
