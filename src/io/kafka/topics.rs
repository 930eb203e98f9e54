//! What is read: which topics, from where, and how records become lines.

use std::fmt;

use super::Connection;
use super::lines::ValueFormat;
use crate::base::Timestamp;

/// What is read of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicOptions {
    /// The cluster.
    pub connection: Connection,
    /// Which topics.
    pub topics: Topics,
    /// Under which name offsets are committed.
    pub group: Option<String>,
    /// Where a partition begins that nothing is known of.
    pub start: Start,
    /// Read up to what is there when the run begins, and no further.
    pub until_end: bool,
    /// What the values of records are.
    pub format: ValueFormat,
    /// Whether events say where they come from, in the object `kafka`.
    pub provenance: bool,
}

/// Which topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Topics {
    /// These.
    Named(Vec<String>),
    /// All whose name a regular expression matches, as they are when the run begins.
    Pattern(String),
}

/// Where a partition begins that nothing is known of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the offset that the group has committed, else at the oldest record.
    #[default]
    Committed,
    /// At the oldest record.
    Earliest,
    /// Behind the newest record.
    Latest,
    /// At the first record of this time or later.
    At(Timestamp),
}

/// A partition of a topic. Their order is that of inputs, and so of events of one time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic.
    pub topic: String,
    /// Its number.
    pub number: i32,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// How far the reading of a partition has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionStanding {
    /// The partition.
    pub partition: Partition,
    /// The offset that is read next.
    pub next: u64,
    /// The end of the partition, as it was known last.
    pub end: u64,
    /// What its records were.
    pub counts: super::lines::RecordCounts,
    /// How often reading paused because the run was slower.
    pub pauses: u64,
}

impl PartitionStanding {
    /// Nothing read yet.
    pub fn nowhere(partition: Partition) -> Self {
        Self { partition, next: 0, end: 0, counts: super::lines::RecordCounts::default(), pauses: 0 }
    }

    /// Records that are there and have not been read.
    pub fn lag(&self) -> u64 {
        self.end.saturating_sub(self.next)
    }
}

/// How a process is a member of its group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// A name that stays when the process ends and begins anew: its partitions wait for it a while.
    pub instance: Option<String>,
    /// By which protocol partitions are given out.
    pub protocol: Protocol,
}

/// By which protocol a group gives out partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Members agree among themselves, and give up only what moves.
    #[default]
    Classic,
    /// The brokers decide, from Kafka 4.0 on.
    Consumer,
}
