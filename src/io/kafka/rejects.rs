//! Records that are no events, written to a topic: their text, and in headers their place and what is wrong.
//!
//! The key of a record is its place, so a compacted topic has each once; otherwise it may be there twice after a crash.
//! What was given is with the brokers once [`RejectTopic::flush`] has returned.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::client::{Complaints, config, explain, flush, hears, producer, wait_for_answers};
use super::lines::without_provenance;
use super::{Connection, Partition};
use crate::session::Rejected;

/// How long brokers may take for what was given.
const WITHIN: Duration = Duration::from_secs(30);

/// A topic for records that are no events.
pub struct RejectTopic {
    producer: BaseProducer<Heard>,
    topic: String,
}

/// Keeps why a record was not taken.
struct Heard {
    complaints: Complaints,
    failed: Mutex<Option<String>>,
}

hears!(Heard, complaints);

impl ProducerContext for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let words = explain(error.rdkafka_error_code(), &error.to_string());
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(words);
        }
    }
}

impl RejectTopic {
    /// Connects when there is something to write.
    ///
    /// # Errors
    /// A setting cannot be used, in words that name it.
    pub fn open(connection: &Connection, topic: &str) -> Result<Self, String> {
        let mut settings = config(connection);
        let within = WITHIN.as_millis().to_string();
        for (name, value) in [
            ("enable.idempotence", "true"),
            ("partitioner", "murmur2_random"),
            ("message.timeout.ms", &within),
            ("topic.metadata.propagation.max.ms", "5000"),
        ] {
            settings.set(name, value);
        }
        let heard = Heard { complaints: Complaints::new(connection), failed: Mutex::default() };
        let producer = producer(&settings, heard)?;
        Ok(Self { producer, topic: topic.to_owned() })
    }

    /// Writes the record at a place. Does not wait for brokers, but for room.
    ///
    /// # Errors
    /// It cannot be written, in words.
    pub fn write(&self, partition: &Partition, offset: u64, rejected: &Rejected) -> Result<(), String> {
        let text = without_provenance(&rejected.line_text.text, &partition.topic, partition.number, offset);
        let (number, offset) = (partition.number.to_string(), offset.to_string());
        let key = format!("{partition}/{offset}");
        let header = |headers: OwnedHeaders, key, value| headers.insert(Header { key, value: Some(value) });
        let headers = [
            ("topic", partition.topic.as_str()),
            ("partition", &number),
            ("offset", &offset),
            ("reason", rejected.line_text.reason.name()),
        ];
        let headers = headers.into_iter().fold(OwnedHeaders::new(), |all, (key, value)| header(all, key, value));
        let mut record = BaseRecord::to(&self.topic).key(&key).payload(&text).headers(headers);
        loop {
            match self.producer.send(record) {
                Ok(()) => return self.check(),
                Err((error, again)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    record = again;
                    wait_for_answers(&self.producer);
                }
                Err((error, _)) => {
                    let words = explain(error.rdkafka_error_code(), &error.to_string());
                    return Err(format!("`rejects`: topic {}: {words}", self.topic));
                }
            }
        }
    }

    /// Waits until all that was written is with the brokers.
    ///
    /// # Errors
    /// Something of it is not, in words.
    pub fn flush(&self) -> Result<(), String> {
        let done = flush(&self.producer, WITHIN);
        self.check()?;
        done.map_err(|error| {
            let words = explain(error.rdkafka_error_code(), &error.to_string());
            let words = self.producer.context().complaints.take().unwrap_or(words);
            format!("`rejects`: topic {}: {words}", self.topic)
        })
    }

    fn check(&self) -> Result<(), String> {
        self.producer.poll(Duration::ZERO);
        let failed = self.producer.context().failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().map_or(Ok(()), |words| Err(format!("`rejects`: topic {}: {words}", self.topic)))
    }
}
