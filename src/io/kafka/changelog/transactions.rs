//! A producer of transactions: alerts, records of checkpoints, and offsets of a group become visible together.
#![expect(clippy::disallowed_methods, reason = "waits for brokers are told by the clock")]

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::ChangelogError;
use super::records::Records;
use super::watched::Watched;
use crate::io::deliver::Letter;
use crate::io::kafka::client::{config, explain, flush, producer, wait_for_answers};
use crate::io::kafka::find::PATIENCE;
use crate::io::kafka::{AlertRecords, Connection, Partition};
use crate::io::sink::kafka::headers;

/// How long a transaction may take to be committed.
const COMMITS_WITHIN: Duration = Duration::from_secs(30);

/// A producer of transactions.
pub(super) struct Transactions {
    producer: BaseProducer<Watched>,
    /// The topic that keeps states.
    topic: String,
    /// A transaction has begun.
    begun: bool,
}

impl Transactions {
    /// Fences whoever had this name before: what that one has not committed is aborted, and it can commit nothing any
    /// more. A transaction that lasts for longer than `lasts` is aborted by the brokers.
    pub(super) fn open(
        connection: &Connection,
        topic: &str,
        owner: &str,
        lasts: Duration,
    ) -> Result<Self, ChangelogError> {
        let mut settings = config(connection);
        settings.set("transactional.id", owner).set("partitioner", "murmur2_random");
        let lasts = lasts.as_millis().to_string();
        for (name, value) in [("linger.ms", "5"), ("transaction.timeout.ms", &lasts)] {
            if !connection.settings.iter().any(|(set, _)| set == name) {
                settings.set(name, value);
            }
        }
        let watched = Watched::new(connection);
        let producer = producer(&settings, watched).map_err(ChangelogError::Failed)?;
        Ok(Self { producer, topic: topic.to_owned(), begun: false })
    }

    /// This is what fences.
    pub(super) fn take_over(&self) -> Result<(), ChangelogError> {
        self.until_done(|| self.producer.init_transactions(PATIENCE))
    }

    /// Adds an alert to what is committed next. False if it can never be written, since it is too long.
    pub(super) fn add(&mut self, letter: &Letter, records: &AlertRecords) -> Result<bool, ChangelogError> {
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

    /// Adds a checkpoint, in a partition of the state topic.
    pub(super) fn put(&mut self, number: i32, records: &Records) -> Result<(), ChangelogError> {
        self.begin()?;
        for (key, value) in records.iter() {
            let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic).partition(number).key(key);
            let record = match value {
                Some(value) => record.payload(value),
                None => record,
            };
            self.send(record).map_err(|error| self.explained(&error))?;
        }
        Ok(())
    }

    /// Commits all that was added, and where partitions go on.
    pub(super) fn commit(
        &mut self,
        places: &[(Partition, u64)],
        group: Option<&ConsumerGroupMetadata>,
    ) -> Result<(), ChangelogError> {
        self.begin()?;
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in places {
            let offset = rdkafka::Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
            let added = offsets.add_partition_offset(&partition.topic, partition.number, offset);
            added.map_err(|error| self.explained(&error))?;
        }
        // Whoever reads a partition next waits while its offset is part of an open transaction: by then all of the
        // transaction must be with the brokers.
        flush(&self.producer, COMMITS_WITHIN).map_err(|error| self.explained(&error))?;
        if let (Some(group), 1..) = (group, offsets.count()) {
            self.until_done(|| self.producer.send_offsets_to_transaction(&offsets, group, COMMITS_WITHIN))?;
        }
        self.until_done(|| self.producer.commit_transaction(COMMITS_WITHIN))?;
        self.begun = false;
        Ok(())
    }

    /// Takes back what was added since the last commit.
    pub(super) fn abort(&mut self) -> Result<(), ChangelogError> {
        if std::mem::take(&mut self.begun) {
            self.until_done(|| self.producer.abort_transaction(COMMITS_WITHIN))?;
        }
        Ok(())
    }

    /// Does something again while that may help, but not for ever.
    fn until_done(&self, mut what: impl FnMut() -> Result<(), KafkaError>) -> Result<(), ChangelogError> {
        let until = Instant::now() + COMMITS_WITHIN;
        loop {
            match what() {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < until => {}
                Err(error) => return Err(self.explained(&error)),
            }
        }
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
                    wait_for_answers(&self.producer);
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
        if matches!(
            code,
            Some(
                Code::IllegalGeneration
                    | Code::UnknownMemberId
                    | Code::RebalanceInProgress
                    | Code::StaleMemberEpoch
                    | Code::FencedMemberEpoch
                    | Code::FencedInstanceId
            )
        ) {
            return ChangelogError::Moved;
        }
        let words = self.producer.context().complaint();
        ChangelogError::Failed(words.unwrap_or_else(|| explain(code, &error.to_string())))
    }
}
