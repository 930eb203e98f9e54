//! Kafka: what clients of it have in common.
//!
//! [`Connection`] and [`AlertRecords`] are there in every build: a configuration may name Kafka whether or not the program
//! was built with it. Everything that speaks to a broker needs the feature `kafka` and relies on librdkafka: `client`
//! makes its settings and says in our words what it complains about.

mod connection;
mod records;

#[cfg(feature = "kafka")]
pub mod client;

pub use connection::{Connection, Mechanism, Sasl, unusable_setting};
pub use records::{AlertRecords, KeyBy, LONGEST_TOPIC, is_topic};

/// What a program says that was built without the feature.
pub const NOT_BUILT: &str = "this program was built without Kafka: build it with `--features kafka`";
