//! The changelog of processes that share a topic: the state of each partition by itself, for whoever has it now.
//!
//! ```text
//! partition is given to us ─► restore: wait until nothing is open for it ─► read its states ─► match
//! checkpoints of partitions ─► one transaction: their alerts, states and offsets ─► visible, or never was
//! ```
//! Who may commit is for the group to say: offsets are sent with the generation of the membership, and brokers refuse
//! those of one that has passed. So a process that stood still can commit nothing of partitions that have moved on.
//! Offsets are the last thing that a transaction sends, and a reader waits while they are open: what it then finds is
//! all there is, or ever will be, of those who had the partition before. That reader waits too until nothing is open at
//! the end of the partition's states: markers of commits reach topics one after the other.
#![expect(clippy::disallowed_methods, reason = "waits for brokers are told by the clock")]

use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::pieces::Long;
use super::records::{Known, Records};
use super::transactions::Transactions;
use super::{ChangelogError, topic};
use crate::io::deliver::Letter;
use crate::io::kafka::client::{Complaints, config, consumer};
use crate::io::kafka::find::PATIENCE;
use crate::io::kafka::member::Member;
use crate::io::kafka::{AlertRecords, Connection, Partition};
use crate::io::state::{Commit, Recovered};
use crate::matcher::saved::Changes;

/// How long a transaction lasts at most: everything of it is there when it begins.
const LASTS: Duration = Duration::from_secs(15);
/// How long what others have left open is waited for: until the brokers abort it, with room.
const LEFT_OPEN: Duration = Duration::from_secs(90);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Where the states of a topic's partitions are.
#[derive(Clone, Debug)]
pub struct PartitionState {
    /// The cluster.
    pub connection: Connection,
    /// The topic of states, with as many partitions as the topic that is read.
    pub topic: String,
    /// The group.
    pub group: String,
}

/// What becomes of checkpoints of a partition on their way to records.
#[derive(Debug)]
pub struct PartitionRecords {
    known: Option<Known>,
    /// Which states stand in several records.
    long: Long,
    number: u64,
}

/// A checkpoint of a partition, as it is written.
#[derive(Debug)]
pub struct PartitionCheckpoint {
    /// The partition of the topic that is read.
    partition: Partition,
    /// Where it goes on.
    offset: u64,
    records: Records,
}

impl PartitionState {
    /// Makes the topic if it is not there, and sees that it has as many partitions as the one that is read.
    ///
    /// # Errors
    /// As [`ChangelogError`].
    pub fn prepare(&self, partitions: usize) -> Result<(), ChangelogError> {
        topic::make(&self.connection, &self.topic, i32::try_from(partitions).unwrap_or(i32::MAX))?;
        let client = topic::client(&self.connection, &self.group)?;
        let found = topic::partitions(&client, &self.topic)?;
        if found == partitions { Ok(()) } else { Err(ChangelogError::Partitions { found, wanted: partitions }) }
    }

    /// What the last one who had a partition has left. Waits for what is still open; gives up when `go_on` says so.
    ///
    /// # Errors
    /// As [`ChangelogError`].
    pub fn restore(
        &self,
        partition: &Partition,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(Option<Recovered>, PartitionRecords), ChangelogError> {
        let client = topic::client(&self.connection, &self.group)?;
        let number = partition.number;
        // Brokers do not answer while an offset of the partition is part of an open transaction.
        self.until_told(go_on, || {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(&partition.topic, number, Offset::Invalid)?;
            let told = client.committed_offsets(list, Duration::from_secs(5))?;
            told.elements().iter().try_for_each(|element| element.error()).map(Some)
        })?;
        let end = self.end(go_on, number)?;
        self.until_told(go_on, || {
            let (_, stable) = client.fetch_watermarks(&self.topic, number, PATIENCE)?;
            Ok(Some(()).filter(|()| stable >= end))
        })?;
        let known = topic::read(&client, &self.topic, number, go_on)?;
        let recovered = known.recovered()?;
        let number = recovered.as_ref().map_or(0, |recovered| recovered.commit.number);
        let long = known.long();
        Ok((recovered, PartitionRecords { known: Some(known), long, number }))
    }

    /// The end of a partition of states, with what is open.
    fn end(&self, go_on: &dyn Fn() -> bool, number: i32) -> Result<i64, ChangelogError> {
        let mut settings = config(&self.connection);
        settings.set("isolation.level", "read_uncommitted");
        let client = consumer(&settings, Complaints::new(&self.connection)).map_err(ChangelogError::Failed)?;
        self.until_told(go_on, || client.fetch_watermarks(&self.topic, number, PATIENCE).map(|(_, end)| Some(end)))
    }

    /// Asks until there is an answer, as long as what is open may stay so.
    fn until_told<T>(
        &self,
        go_on: &dyn Fn() -> bool,
        mut ask: impl FnMut() -> Result<Option<T>, rdkafka::error::KafkaError>,
    ) -> Result<T, ChangelogError> {
        let until = Instant::now() + LEFT_OPEN;
        loop {
            let answer = ask();
            if let Ok(Some(told)) = answer {
                return Ok(told);
            }
            if !go_on() || Instant::now() > until {
                let words = answer.err().map_or_else(|| "a transaction stays open".to_owned(), |e| e.to_string());
                return Err(ChangelogError::Failed(format!("topic {}: {words}", self.topic)));
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl PartitionRecords {
    /// Makes records of a checkpoint. `offset` is where the partition goes on.
    ///
    /// # Errors
    /// The checkpoint is not of this release.
    pub fn checkpoint(
        &mut self,
        partition: Partition,
        offset: u64,
        mut commit: Commit,
        keys: &Changes,
    ) -> Result<PartitionCheckpoint, ChangelogError> {
        self.number += 1;
        commit.number = self.number;
        let records = Records::new(self.known.take(), &mut self.long, &commit, keys)?;
        Ok(PartitionCheckpoint { partition, offset, records })
    }
}

impl PartitionCheckpoint {
    /// The number of the partition.
    pub fn number(&self) -> i32 {
        self.partition.number
    }
}

/// What writes checkpoints of all partitions that a process has.
pub struct SharedChangelog {
    state: PartitionState,
    /// The name by which brokers know the producer. One that begins anew under it ends what the last one left open.
    owner: String,
    transactions: Transactions,
}

impl SharedChangelog {
    /// Opens the changelog for a process of that name, which no other one has at the same time.
    ///
    /// # Errors
    /// As [`ChangelogError`].
    pub fn open(state: PartitionState, process: &str) -> Result<Self, ChangelogError> {
        let owner = format!("tripline.{}.{}.{process}", state.group, state.topic);
        let transactions = Self::begin(&state, &owner)?;
        Ok(Self { state, owner, transactions })
    }

    fn begin(state: &PartitionState, owner: &str) -> Result<Transactions, ChangelogError> {
        let transactions = Transactions::open(&state.connection, &state.topic, owner, LASTS)?;
        transactions.take_over()?;
        Ok(transactions)
    }

    /// Begins anew after a failure: whatever was under way is decided then, and can be read.
    ///
    /// # Errors
    /// As [`ChangelogError`].
    pub fn reopen(&mut self) -> Result<(), ChangelogError> {
        self.transactions = Self::begin(&self.state, &self.owner)?;
        Ok(())
    }

    /// Adds an alert to what is committed next. False if it can never be written, since it is too long.
    ///
    /// # Errors
    /// As [`ChangelogError`].
    pub fn add(&mut self, letter: &Letter, records: &AlertRecords) -> Result<bool, ChangelogError> {
        let done = self.transactions.add(letter, records);
        self.abort_if_moved(done)
    }

    /// Commits all that was added and these checkpoints, as a member of the group.
    ///
    /// # Errors
    /// As [`ChangelogError`]. With [`ChangelogError::Moved`] nothing of it is there, and it may be tried again with what
    /// still belongs to the process. With any other it is not known whether all of it is there or nothing.
    pub fn commit<'a>(
        &mut self,
        checkpoints: impl Iterator<Item = &'a PartitionCheckpoint>,
        member: &Member,
    ) -> Result<(), ChangelogError> {
        let done = self.try_commit(checkpoints, member);
        self.abort_if_moved(done)
    }

    /// What is tried again begins with nothing.
    fn abort_if_moved<T>(&mut self, done: Result<T, ChangelogError>) -> Result<T, ChangelogError> {
        if matches!(done, Err(ChangelogError::Moved)) {
            self.transactions.abort()?;
        }
        done
    }

    fn try_commit<'a>(
        &mut self,
        checkpoints: impl Iterator<Item = &'a PartitionCheckpoint>,
        member: &Member,
    ) -> Result<(), ChangelogError> {
        let mut places = Vec::new();
        for checkpoint in checkpoints {
            self.transactions.put(checkpoint.number(), &checkpoint.records)?;
            places.push((checkpoint.partition.clone(), checkpoint.offset));
        }
        let group = member.metadata().ok_or(ChangelogError::Moved)?;
        self.transactions.commit(&places, Some(&group))
    }
}

impl fmt::Debug for SharedChangelog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedChangelog").field("owner", &self.owner).finish_non_exhaustive()
    }
}
