//! Kafka: each alert is a record, in order, written by an idempotent producer and acknowledged by all replicas in sync.
//!
//! Relies on librdkafka for retries, batches and the order of what is retried. A batch is settled when every record of
//! it has been acknowledged or has failed; a producer that has failed is replaced, so nothing of an old batch is still
//! on its way when a batch is brought again. Keys go to partitions by murmur2, as those of Java producers do.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use super::secret::Secret;
use crate::alert::Alert;
use crate::alert::format::words;
use crate::io::deliver::{Failure, Letter, Receipt, Sink};
use crate::io::kafka::client::{Complaints, config, explain, producer, wait_for_answers};
use crate::io::kafka::{AlertRecords, Connection, KeyBy};

/// A batch is given up so long after the last of its records should have been.
const GRACE: Duration = Duration::from_secs(5);

/// Where alerts are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaSinkOptions {
    /// The cluster.
    pub connection: Connection,
    /// What a record of an alert is.
    pub records: AlertRecords,
    /// How long a record may take.
    pub timeout: Duration,
}

/// A Kafka cluster.
pub struct KafkaSink {
    options: KafkaSinkOptions,
    producer: Option<BaseProducer<Acknowledged>>,
}

/// What became of the records of a batch.
struct Acknowledged {
    complaints: Complaints,
    batch: Mutex<Batch>,
}

#[derive(Default)]
struct Batch {
    /// Records that nothing has been heard of.
    open: BTreeSet<usize>,
    failed: Vec<(usize, KafkaError)>,
}

impl ClientContext for Acknowledged {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        self.complaints.log(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.complaints.hear(&error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.complaints.generate_oauth_token(config)
    }
}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        batch.open.remove(&place);
        if let Err((error, _)) = result {
            batch.failed.push((place, error.clone()));
        }
    }
}

impl KafkaSink {
    /// Reads the options; connects when there is something to deliver.
    ///
    /// # Errors
    /// A setting cannot be used. Says which, without any value.
    pub fn new(options: KafkaSinkOptions) -> Result<Self, String> {
        let mut sink = Self { options, producer: None };
        sink.producer = Some(sink.start()?);
        Ok(sink)
    }

    fn start(&self) -> Result<BaseProducer<Acknowledged>, String> {
        let options = &self.options;
        let mut settings = config(&options.connection);
        let timeout = options.timeout.as_millis().to_string();
        // Shorter, so that a topic that is not there is told from a broker that does not answer.
        let known_by = (options.timeout / 3).as_millis().to_string();
        for (name, value) in [
            ("enable.idempotence", "true"),
            ("partitioner", "murmur2_random"),
            ("message.timeout.ms", &timeout),
            ("topic.metadata.propagation.max.ms", &known_by),
        ] {
            settings.set(name, value);
        }
        let context =
            Acknowledged { complaints: Complaints::new(&options.connection), batch: Mutex::new(Batch::default()) };
        producer(&settings, context)
    }

    fn try_deliver(&self, producer: &BaseProducer<Acknowledged>, letters: &[Letter]) -> Result<Receipt, Failure> {
        let context = producer.context();
        let until = Instant::now() + self.options.timeout + GRACE;
        let batch = || context.batch.lock().unwrap_or_else(PoisonError::into_inner);
        *batch() = Batch { open: (0..letters.len()).collect(), failed: Vec::new() };
        for (place, letter) in letters.iter().enumerate() {
            if let Err(error) = self.send(producer, place, letter, until) {
                let mut batch = batch();
                batch.open.remove(&place);
                batch.failed.push((place, error));
            }
        }
        while !batch().open.is_empty() {
            if Instant::now() >= until {
                return Err(self.down(producer, "records were not acknowledged in time"));
            }
            wait_for_answers(producer);
        }
        let mut failed = std::mem::take(&mut batch().failed);
        failed.sort_by_key(|(place, _)| *place);
        let mut receipt = Receipt::ALL;
        for (place, error) in failed {
            let code = error.rdkafka_error_code();
            let words = explain(code, &error.to_string());
            if code.is_some_and(is_refusal) {
                receipt.refused.push((place, words));
            } else if error_is_fatal(&error) || letters.len() == 1 {
                return Err(self.down(producer, &words));
            } else {
                receipt.again.push(place);
                receipt.why = Some(context.complaints.take().unwrap_or(words));
            }
        }
        if receipt.again.len() == letters.len() {
            return Err(self.down(producer, &receipt.why.unwrap_or_default()));
        }
        Ok(receipt)
    }

    fn send(
        &self,
        producer: &BaseProducer<Acknowledged>,
        place: usize,
        letter: &Letter,
        until: Instant,
    ) -> Result<(), KafkaError> {
        let records = &self.options.records;
        let (topic, text) = (records.topic_of(&letter.alert), letter.text(records.format));
        let key = records.key_of(&letter.alert);
        let mut record = BaseRecord::<String, String, usize>::with_opaque_to(&topic, place)
            .payload(&text)
            .headers(headers(records, letter));
        if let Some(key) = &key {
            record = record.key(key);
        }
        loop {
            match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, again)) => {
                    let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                    if !full || Instant::now() >= until {
                        return Err(error);
                    }
                    record = again;
                    wait_for_answers(producer);
                }
            }
        }
    }

    fn down(&self, producer: &BaseProducer<Acknowledged>, words: &str) -> Failure {
        Failure::down(producer.context().complaints.take().unwrap_or_else(|| words.to_owned()))
    }
}

/// What a reader can tell an alert by without reading it.
pub(crate) fn headers(records: &AlertRecords, letter: &Letter) -> OwnedHeaders {
    let alert: &Alert = &letter.alert;
    let id = words::message_id(alert);
    let time = alert.time.to_string();
    let own = [
        ("id", id.as_str()),
        ("rule", &alert.rule_name),
        ("severity", alert.severity.as_str()),
        ("time", &time),
        ("content-type", records.content_type()),
    ];
    let more = records.headers.iter().map(|(name, value): &(String, Secret)| (name.as_str(), value.reveal()));
    let all = own.into_iter().chain(more);
    all.fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

/// Whether a record will never be taken, however often it is brought.
fn is_refusal(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTopic
            | Code::PolicyViolation
    )
}

fn error_is_fatal(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal)
}

impl fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSink").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Sink for KafkaSink {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.start().map_err(Failure::down)?,
        };
        let result = self.try_deliver(&producer, letters);
        if result.as_ref().is_ok_and(|receipt| receipt.again.is_empty()) {
            self.producer = Some(producer);
        } else {
            // Nothing of this batch must come later than the next attempt.
            producer.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
        }
        result
    }

    fn reopen(&mut self) -> Result<(), Failure> {
        self.producer = None;
        Ok(())
    }
}

impl AlertRecords {
    /// The key of an alert's record; `None` leaves its partition to chance.
    pub(crate) fn key_of(&self, alert: &Alert) -> Option<String> {
        let text = |(_, value): &(String, crate::base::Value)| words::value_text(value);
        match (self.key_by, &alert.key[..]) {
            (KeyBy::Nothing, _) => None,
            (KeyBy::Key, [one]) => Some(text(one)),
            (KeyBy::Key, [_, ..]) => {
                let parts: Vec<serde_json::Value> = alert.key.iter().map(|(_, value)| value.to_json()).collect();
                Some(serde_json::Value::Array(parts).to_string())
            }
            (KeyBy::Key, []) | (KeyBy::Id, _) => Some(alert.id.clone()),
        }
    }

    /// The topic of an alert's record: what stands for a name holds only what names of topics may hold.
    pub(crate) fn topic_of(&self, alert: &Alert) -> String {
        let known = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
        let rule: String = alert.rule_name.chars().map(known).collect();
        let topic = self.topic.replace("{severity}", alert.severity.as_str()).replace("{rule}", &rule);
        topic.chars().take(crate::io::kafka::LONGEST_TOPIC).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::format::Format;
    use crate::base::Value;
    use crate::io::deliver::sink::test_letter;

    fn records(key_by: KeyBy) -> AlertRecords {
        AlertRecords { topic: "a.{severity}.{rule}".to_owned(), key_by, format: Format::Json, headers: Vec::new() }
    }

    #[test]
    fn a_record_is_keyed_as_asked() {
        let mut alert = Alert::clone(&test_letter("7", "r/x").alert);
        assert_eq!(records(KeyBy::Key).key_of(&alert).as_deref(), Some("7"), "no key: the id");
        alert.key = vec![("user".to_owned(), Value::Str("bob".into()))];
        assert_eq!(records(KeyBy::Key).key_of(&alert).as_deref(), Some("bob"));
        alert.key.push(("n".to_owned(), Value::Int(7)));
        assert_eq!(records(KeyBy::Key).key_of(&alert).as_deref(), Some(r#"["bob",7]"#));
        assert_eq!(records(KeyBy::Id).key_of(&alert).as_deref(), Some("7"));
        assert_eq!(records(KeyBy::Nothing).key_of(&alert), None);
        assert_eq!(records(KeyBy::Id).topic_of(&alert), "a.medium.r_x");
    }
}
