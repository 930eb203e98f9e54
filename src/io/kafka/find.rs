//! Which partitions there are, asked once when a run begins.
#![expect(clippy::disallowed_methods, reason = "waits for brokers are told by the clock")]

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use regex_automata::meta::Regex;

use super::client::{Complaints, config, consumer, explain};
use super::{Partition, TopicOptions, Topics};

/// How long brokers may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How long one of several questions waits for an answer.
const ONCE: Duration = Duration::from_secs(2);
/// How long complaints may be on their way.
const COMPLAINTS: Duration = Duration::from_millis(200);

impl ConsumerContext for Complaints {}

/// The partitions of the topics that are wanted, in order.
///
/// # Errors
/// Brokers cannot be reached, do not let us in, or have no such topic: in words that name the setting.
pub fn partitions(options: &TopicOptions) -> Result<Vec<Partition>, String> {
    let complaints = Complaints::new(&options.connection);
    let consumer = consumer(&config(&options.connection), complaints)?;
    let mut found = Vec::new();
    match &options.topics {
        Topics::Named(names) => {
            for name in names {
                found.extend(of_topic(&consumer, name)?);
            }
        }
        Topics::Pattern(pattern) => {
            let regex = Regex::new(pattern).map_err(|error| format!("`topics`: {error}"))?;
            let metadata = ask(&consumer, None)?;
            for topic in metadata.topics().iter().filter(|topic| regex.is_match(topic.name())) {
                let number = topic.partitions().iter().map(|partition| partition.id());
                found.extend(number.map(|number| Partition { topic: topic.name().to_owned(), number }));
            }
            if found.is_empty() {
                return Err(format!("`topics`: no topic matches {pattern}"));
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn of_topic(consumer: &BaseConsumer<Complaints>, name: &str) -> Result<Vec<Partition>, String> {
    let metadata = ask(consumer, Some(name))?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    let code = topic.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
    if let Some(code) = code {
        return Err(explain(Some(code), &format!("`{name}`, named in `topics`")));
    }
    let numbers: Vec<i32> = topic.into_iter().flat_map(|topic| topic.partitions()).map(|p| p.id()).collect();
    if numbers.is_empty() {
        return Err(explain(Some(RDKafkaErrorCode::UnknownTopic), &format!("`{name}`, named in `topics`")));
    }
    Ok(numbers.into_iter().map(|number| Partition { topic: name.to_owned(), number }).collect())
}

/// Asks which partitions there are. What does not pass by itself is not waited for.
fn ask(consumer: &BaseConsumer<Complaints>, topic: Option<&str>) -> Result<Metadata, String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let error = match consumer.fetch_metadata(topic, ONCE) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        hear(consumer);
        if let Some(words) = consumer.context().take_lasting() {
            return Err(words);
        }
        if Instant::now() > until {
            return Err(wrong(consumer, &error));
        }
    }
}

/// Lets the client bring its complaints.
pub(super) fn hear<C: ConsumerContext>(consumer: &BaseConsumer<C>) {
    while consumer.poll(COMPLAINTS).is_some() {}
}

/// What went wrong: what the client complained about meanwhile says more than the call.
fn wrong(consumer: &BaseConsumer<Complaints>, error: &KafkaError) -> String {
    let complaint = consumer.context().take();
    complaint.unwrap_or_else(|| explain(error.rdkafka_error_code(), &error.to_string()))
}
