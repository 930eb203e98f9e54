//! Kafka: topics as inputs, and what clients of it have in common.
//!
//! ```text
//! topic ─► one client ─┬─ queue ─► PartitionSource ─► engine     a queue for each partition, bounded in bytes;
//!                      ├─ queue ─► PartitionSource ─► engine     one that is full is not fetched
//!                      └─ queue ─► PartitionSource ─► engine
//! ```
//! [`Connection`], [`TopicOptions`] and [`AlertRecords`] are there in every build: a configuration may name Kafka whether
//! or not the program was built with it. Everything that speaks to a broker needs the feature `kafka` and relies on
//! librdkafka: `client` makes its settings and says in our words what it complains about.
//!
//! Each partition is an input of its own, in the order of topics and numbers, and the line of an event follows from its
//! offset ([`lines`]): so events of one time are ordered by (topic, partition, offset), and time is held back by the
//! partition that is furthest behind.

mod connection;
pub mod lines;
mod records;
mod topics;

#[cfg(feature = "kafka")]
pub mod changelog;
#[cfg(feature = "kafka")]
pub mod client;
#[cfg(feature = "kafka")]
mod commits;
#[cfg(feature = "kafka")]
mod ears;
#[cfg(feature = "kafka")]
mod feed;
#[cfg(feature = "kafka")]
mod find;
#[cfg(feature = "kafka")]
pub mod member;
#[cfg(feature = "kafka")]
mod read;
#[cfg(feature = "kafka")]
mod reader;
#[cfg(feature = "kafka")]
mod rejects;
#[cfg(feature = "kafka")]
mod shared;

pub use connection::{Connection, Mechanism, Sasl, unusable_setting};
#[cfg(feature = "kafka")]
pub use find::partitions;
#[cfg(feature = "kafka")]
pub use read::{Opened, Reading, open};
#[cfg(feature = "kafka")]
pub use reader::PartitionSource;
pub use records::{AlertRecords, KeyBy, LONGEST_TOPIC, is_topic};
#[cfg(feature = "kafka")]
pub use rejects::RejectTopic;
#[cfg(feature = "kafka")]
pub use shared::SharedReading;
pub use topics::{Membership, Partition, PartitionStanding, Protocol, Start, TopicOptions, Topics};

/// What a program says that was built without the feature.
pub const NOT_BUILT: &str = "this program was built without Kafka: build it with `--features kafka`";
