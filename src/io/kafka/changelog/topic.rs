//! State topics: made where they are not there, and read to their end.
#![expect(clippy::disallowed_methods, reason = "waits for brokers are told by the clock")]

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use super::ChangelogError;
use super::records::Known;
use crate::io::kafka::client::{Complaints, config, consumer, explain, unusable};
use crate::io::kafka::find::{PATIENCE, hear};
use crate::io::kafka::{Connection, Mechanism};

/// A client that reads a state topic for a group, and that nobody else polls.
pub(super) type Client = BaseConsumer<Complaints>;

/// Makes a compacted topic, if it is not there. Whoever makes topics cannot show a token: then it has to be there.
pub(super) fn make(connection: &Connection, topic: &str, partitions: i32) -> Result<(), ChangelogError> {
    if connection.sasl.as_ref().is_some_and(|sasl| sasl.mechanism == Mechanism::OauthBearer) {
        return Ok(());
    }
    let settings = config(connection);
    let admin: AdminClient<Complaints> = settings
        .create_with_context(Complaints::new(connection))
        .map_err(|error| ChangelogError::Failed(unusable(&error)))?;
    let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1)).set("cleanup.policy", "compact");
    let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
    let words = || admin.inner().context().take();
    match futures_executor::block_on(admin.create_topics([&wanted], &options)) {
        Ok(made) => match made.into_iter().next() {
            // One that may not be made may be there all the same; reading it will tell.
            Some(Err((_, code))) if code != RDKafkaErrorCode::TopicAlreadyExists => {
                tracing::debug!(topic, "the topic cannot be made: {code}");
                Ok(())
            }
            _ => Ok(()),
        },
        Err(error) => Err(ChangelogError::Failed(words().unwrap_or_else(|| error.to_string()))),
    }
}

/// A client that sees what is committed.
pub(super) fn client(connection: &Connection, group: &str) -> Result<Client, ChangelogError> {
    let mut settings = config(connection);
    settings.set("group.id", group).set("enable.auto.commit", "false");
    settings.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    // What is not fetched since much waits to be taken is fetched as soon as there is room.
    if !connection.settings.iter().any(|(name, _)| name == "fetch.queue.backoff.ms") {
        settings.set("fetch.queue.backoff.ms", "10");
    }
    let complaints = Complaints::new(connection);
    consumer(&settings, complaints).map_err(ChangelogError::Failed)
}

/// What went wrong, in words.
pub(super) fn failed(client: &Client, error: &KafkaError) -> ChangelogError {
    hear(client);
    let words = explain(error.rdkafka_error_code(), &error.to_string());
    ChangelogError::Failed(client.context().take().unwrap_or(words))
}

/// How many partitions a topic has, once it is there.
pub(super) fn partitions(client: &Client, topic: &str) -> Result<usize, ChangelogError> {
    let until = Instant::now() + PATIENCE;
    loop {
        let metadata = client.fetch_metadata(Some(topic), PATIENCE).map_err(|error| failed(client, &error))?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        match found.map_or(0, |found| found.partitions().len()) {
            // One that was made just now is not known everywhere at once.
            0 if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            0 => {
                let code = found.and_then(|found| found.error()).map(RDKafkaErrorCode::from);
                let code = code.unwrap_or(RDKafkaErrorCode::UnknownTopic);
                return Err(ChangelogError::Failed(explain(Some(code), "it could not be made either")));
            }
            count => return Ok(count),
        }
    }
}

/// Everything that is committed in a partition, up to what is its end for readers of committed records now. Gives up
/// when nothing is heard for long, and when `go_on` says so.
pub(super) fn read(
    client: &Client,
    topic: &str,
    number: i32,
    go_on: &dyn Fn() -> bool,
) -> Result<Known, ChangelogError> {
    let failed = |error: &KafkaError| failed(client, error);
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, number, Offset::Beginning).map_err(|error| failed(&error))?;
    client.assign(&list).map_err(|error| failed(&error))?;
    let mut known = Known::default();
    let mut heard = Instant::now();
    while go_on() {
        match client.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                known.take(message.key(), message.payload());
            }
            Some(Err(KafkaError::PartitionEOF(_))) => {
                client.unassign().map_err(|error| failed(&error))?;
                return Ok(known);
            }
            Some(Err(error)) if heard.elapsed() > PATIENCE => return Err(failed(&error)),
            None if heard.elapsed() > PATIENCE => return Err(failed(&KafkaError::NoMessageReceived)),
            Some(Err(_)) | None => {}
        }
    }
    Err(ChangelogError::Failed("reading was given up".to_owned()))
}
