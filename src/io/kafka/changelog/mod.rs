//! The state of a run kept in Kafka: a compacted topic of states, written in transactions.
//!
//! ```text
//! one transaction = alerts since the last one │ states of keys that have changed │ commit │ offsets of the group
//! ```
//! What the commit says, up to where inputs were read, what keys hold, and which alerts were sent become visible
//! together or not at all. A run that reads all partitions has one [`Changelog`], in the first partition of the topic.
//! Processes that share a topic have a [`SharedChangelog`] each: the state of a partition is in the partition of the
//! same number. Relies on the brokers for all of this.

mod pieces;
mod records;
mod shared;
mod topic;
mod transactions;
mod watched;

use std::fmt;
use std::time::Duration;

use rdkafka::consumer::Consumer;

use super::{AlertRecords, Connection, Partition};
use crate::io::deliver::Letter;
use crate::io::state::{Commit, Recovered};
use crate::matcher::saved::Changes;
use pieces::Long;
use records::{Known, Records};
use topic::Client;
use transactions::Transactions;

pub use shared::{PartitionCheckpoint, PartitionRecords, PartitionState, SharedChangelog};

/// How long a transaction of a run lasts at most: from checkpoint to checkpoint, with room.
const LASTS: Duration = Duration::from_secs(300);

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
    /// The group has given out partitions anew since.
    #[error("the group has given partitions to other processes meanwhile")]
    Moved,
    /// What it holds cannot be read by this release.
    #[error("the state is of a form that this release does not read")]
    Unreadable,
    /// It was there, and a part of it is not.
    #[error(
        "a part of the state is missing in the topic of states; to begin anew name another `state_topic`, and another \
         `group`"
    )]
    Missing,
    /// It is that of another topic, or of another way to read it.
    #[error(
        "the topic of states has {found} partitions where {wanted} are needed: it belongs to another topic, or to the \
         other way to read this one; name another `state_topic`, and another `group`"
    )]
    Partitions {
        /// How many it has.
        found: usize,
        /// How many are needed.
        wanted: usize,
    },
    /// The cluster is in trouble, or refuses. What was not committed is not there.
    #[error("{0}")]
    Failed(String),
}

/// The state of a run, in Kafka.
pub struct Changelog {
    options: ChangelogOptions,
    transactions: Transactions,
    /// Has read the topic, and knows the group.
    client: Client,
    /// What was read, until the first commit has put right what differs from it.
    known: Option<Known>,
    /// Which states stand in several records.
    long: Long,
    number: u64,
}

impl Changelog {
    /// Takes a changelog over and reads it.
    ///
    /// # Errors
    /// As [`ChangelogError`].
    pub fn open(options: ChangelogOptions) -> Result<(Self, Option<Recovered>), ChangelogError> {
        let ChangelogOptions { connection, topic, group } = &options;
        let owner = format!("tripline.{group}.{topic}");
        let transactions = Transactions::open(connection, topic, &owner, LASTS)?;
        let client = topic::client(connection, group)?;
        topic::make(connection, topic, 1)?;
        let found = topic::partitions(&client, topic)?;
        if found != 1 {
            return Err(ChangelogError::Partitions { found, wanted: 1 });
        }
        transactions.take_over()?;
        // Nothing more comes meanwhile: nobody else may write.
        let known = topic::read(&client, topic, 0, &|| true)?;
        let recovered = known.recovered()?;
        let number = recovered.as_ref().map_or(0, |recovered| recovered.commit.number);
        let long = known.long();
        Ok((Self { options, transactions, client, known: Some(known), long, number }, recovered))
    }

    /// Adds an alert to what is committed next. False if it can never be written, since it is too long.
    ///
    /// # Errors
    /// As [`ChangelogError`].
    pub fn add(&mut self, letter: &Letter, records: &AlertRecords) -> Result<bool, ChangelogError> {
        self.transactions.add(letter, records)
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
        commit.number = self.number + 1;
        self.transactions.put(0, &Records::new(self.known.take(), &mut self.long, &commit, keys)?)?;
        self.transactions.commit(places, self.client.group_metadata().as_ref())?;
        self.number += 1;
        Ok(())
    }
}

impl fmt::Debug for Changelog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changelog").field("options", &self.options).finish_non_exhaustive()
    }
}
