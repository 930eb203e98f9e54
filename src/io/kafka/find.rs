//! Which partitions there are, asked once when a run begins.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use regex_automata::meta::Regex;

use super::client::{Complaints, config, explain, unusable};
use super::{Partition, TopicOptions, Topics};

/// How long brokers may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

impl ConsumerContext for Complaints {}

/// The partitions of the topics that are wanted, in order.
///
/// # Errors
/// Brokers cannot be reached, do not let us in, or have no such topic: in words that name the setting.
pub fn partitions(options: &TopicOptions) -> Result<Vec<Partition>, String> {
    let complaints = Complaints::new(&options.connection);
    let consumer: BaseConsumer<Complaints> =
        config(&options.connection).create_with_context(complaints).map_err(|error| unusable(&error))?;
    let mut found = Vec::new();
    match &options.topics {
        Topics::Named(names) => {
            for name in names {
                found.extend(of_topic(&consumer, name)?);
            }
        }
        Topics::Pattern(pattern) => {
            let regex = Regex::new(pattern).map_err(|error| format!("`topics`: {error}"))?;
            let metadata = consumer.fetch_metadata(None, PATIENCE).map_err(|error| wrong(&consumer, &error))?;
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
    let metadata = consumer.fetch_metadata(Some(name), PATIENCE).map_err(|error| wrong(consumer, &error))?;
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

/// What went wrong: what the client complained about meanwhile says more than the call.
fn wrong(consumer: &BaseConsumer<Complaints>, error: &KafkaError) -> String {
    while consumer.poll(Duration::ZERO).is_some() {}
    let complaint = consumer.context().take();
    complaint.unwrap_or_else(|| explain(error.rdkafka_error_code(), &error.to_string()))
}
