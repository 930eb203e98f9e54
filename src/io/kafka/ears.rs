//! What a client tells beside its records: complaints, and how far partitions reach.
//!
//! Records come through a queue of each partition ([`super::reader`]); everything else comes through the queue of the
//! client, which a [`Listener`] empties on a thread of its own. Relies on statistics, which come once a second: so the end of
//! a partition is known to the second, and from reaching it.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientContext, Statistics};

use super::Connection;
use super::client::{Complaints, explain};

/// A client that reads one topic.
pub(super) type Client = BaseConsumer<Ears>;

/// How long a poll waits when nothing is told.
const WAIT: Duration = Duration::from_millis(20);

/// What is known of a partition beside its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shore {
    /// Its end, as brokers said last.
    pub(super) end: u64,
    /// The offset at which the end was last seen; behind the last record there may be marks of transactions.
    pub(super) seen: i64,
    /// Nothing more of it is fetched until there is room.
    pub(super) full: bool,
    /// How often that came about.
    pub(super) pauses: u64,
}

/// What a client tells.
pub(super) struct Ears {
    pub(super) complaints: Complaints,
    /// So many bytes of a partition are fetched ahead, and no more.
    ahead: u64,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    /// By topic and number.
    shores: BTreeMap<(String, i32), Shore>,
    /// No broker answers.
    away: bool,
    /// Why nothing more can be read.
    end: Option<String>,
}

impl Ears {
    /// Of a client that fetches so many bytes of a partition ahead.
    pub(super) fn new(connection: &Connection, ahead: u64) -> Self {
        Self { complaints: Complaints::new(connection), ahead, heard: Mutex::default() }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a partition, and whether no broker answers.
    pub(super) fn of(&self, topic: &str, number: i32) -> (Option<Shore>, bool) {
        let heard = self.heard();
        (heard.shores.get(&(topic.to_owned(), number)).copied(), heard.away)
    }

    /// Why nothing more can be read, if that is so.
    pub(super) fn end(&self) -> Option<String> {
        self.heard().end.clone()
    }

    /// Notes an error. Whatever passes by itself is waited for; any other is the end for all partitions.
    pub(super) fn trip(&self, topic: &str, error: &KafkaError) {
        if let Some(words) = is_over(topic, error) {
            self.heard().end.get_or_insert(words);
        }
    }
}

impl ClientContext for Ears {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, words: &str) {
        self.complaints.log(level, facility, words);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // That a partition has been read to its end is told in the same way.
            Some(RDKafkaErrorCode::PartitionEOF) => return,
            Some(RDKafkaErrorCode::AllBrokersDown) => self.heard().away = true,
            _ => {}
        }
        self.complaints.hear(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let mut heard = self.heard();
        heard.away = !statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP");
        for topic in statistics.topics.into_values() {
            for (number, partition) in topic.partitions {
                let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
                let (Ok(end), 0..) = (u64::try_from(end), number) else { continue };
                let known = heard.shores.entry((topic.topic.clone(), number));
                let shore = known.or_default();
                let full = partition.fetchq_size >= self.ahead;
                shore.pauses += u64::from(full && !shore.full);
                (shore.end, shore.seen, shore.full) = (end, partition.eof_offset, full);
            }
        }
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.complaints.generate_oauth_token(config)
    }
}

impl ConsumerContext for Ears {}

/// Whether an error is the end, and in which words.
fn is_over(topic: &str, error: &KafkaError) -> Option<String> {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code()?;
    let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
    let over = matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::OffsetOutOfRange
            | Code::AutoOffsetReset
            | Code::Authentication
            | Code::SaslAuthenticationFailed
    );
    (fatal || over).then(|| format!("{topic}: {}", explain(Some(code), &error.to_string())))
}

/// Who listens to a client. Ends when it is dropped, which waits for it: so nothing of the client is at work any more when
/// the program ends.
pub(super) struct Listener {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Starts to listen.
    pub(super) fn start(client: &Arc<Client>, topic: &str) -> Result<Self, String> {
        let (client, topic, over) = (Arc::clone(client), topic.to_owned(), Arc::new(AtomicBool::new(false)));
        let ends = Arc::clone(&over);
        let started = thread::Builder::new().name(format!("kafka {topic}")).spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                match client.poll(WAIT) {
                    Some(Ok(_)) => {
                        let words = format!("{topic}: a record came beside the queue of its partition, by a defect");
                        client.context().heard().end.get_or_insert(words);
                    }
                    Some(Err(error)) => client.context().trip(&topic, &error),
                    None => {}
                }
            }
        });
        let thread = Some(started.map_err(|error| format!("a thread cannot be started: {error}"))?);
        Ok(Self { over, thread })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A thread that has panicked has said so itself.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
