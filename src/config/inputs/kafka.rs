//! Topics as inputs: their keys in the configuration, and the word that names them on the command line.

use std::path::Path;
use std::time::Duration as StdDuration;

use super::super::item::ListItem;
use super::super::kafka::{KafkaPeer, NamesCluster, WrittenPeer};
use super::super::literal::timestamp;
use super::super::outputs::NetOptions;
use super::read::Item;
use super::written::Written;
use super::{Input, Origin, Reading};
use crate::io::kafka::lines::ValueFormat;
use crate::io::kafka::{Partition, Start, TopicOptions, Topics};
use crate::io::sink::secret::Env;

/// The keys that only such inputs have, besides those of the cluster.
pub(super) const KEYS: &[&str] = &[
    "topics",
    "group",
    "start",
    "until",
    "state_topic",
    "format",
    "tls",
    "mechanism",
    "user",
    "password",
    "token",
    "settings",
    "cert",
    "key",
    "ca",
    "timeout",
];

/// Topics of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaInput {
    /// The cluster.
    pub peer: KafkaPeer,
    /// Which topics.
    pub topics: Topics,
    /// Under which name offsets are committed.
    pub group: Option<String>,
    /// Where a partition begins that nothing is known of.
    pub start: Start,
    /// Read up to what is there, and no further.
    pub until_end: bool,
    /// What the values of records are.
    pub format: ValueFormat,
    /// The topic that keeps the state of the run.
    pub state_topic: Option<String>,
}

impl KafkaInput {
    /// The same with secrets read. `provenance`: events say where they come from.
    ///
    /// # Errors
    /// Says in words what is missing. The words hold no secret.
    pub fn options(&self, directory: &Path, env: Env<'_>, provenance: bool) -> Result<TopicOptions, String> {
        Ok(TopicOptions {
            connection: self.peer.connection(directory, env)?,
            topics: self.topics.clone(),
            group: self.group.clone(),
            start: self.start,
            until_end: self.until_end,
            format: self.format,
            provenance,
        })
    }
}

impl Input {
    /// An input for each partition. `base` is the input that stands for all of them.
    pub fn of_partitions(base: &Self, kafka: &KafkaInput, partitions: Vec<Partition>) -> Vec<Self> {
        let named = base.name != "kafka";
        let input = |partition: Partition| Self {
            name: if named { format!("{} {partition}", base.name) } else { partition.to_string() },
            origin: Origin::Kafka { kafka: Box::new(kafka.clone()), partition: Some(partition) },
            reading: base.reading.clone(),
        };
        partitions.into_iter().map(input).collect()
    }
}

/// Topics by their names, or all that a pattern names, which begins with `^`.
fn topics(names: &[String]) -> Result<Topics, String> {
    match names {
        [pattern] if pattern.starts_with('^') => match regex_automata::meta::Regex::new(pattern) {
            Ok(_) => Ok(Topics::Pattern(pattern.clone())),
            Err(_) => Err(format!("`{pattern}` is no regular expression")),
        },
        [] => Err("no topic is named".to_owned()),
        names => match names.iter().find(|name| !is_name(name)) {
            Some(name) => Err(format!("`{name}` is no name of a topic")),
            None => Ok(Topics::Named(names.to_vec())),
        },
    }
}

fn is_name(name: &str) -> bool {
    !name.contains(['{', '}']) && crate::io::kafka::is_topic(name)
}

fn start(word: &str) -> Result<Start, String> {
    Ok(match word {
        "committed" => Start::Committed,
        "earliest" => Start::Earliest,
        "latest" => Start::Latest,
        time => Start::At(timestamp(time).map_err(|_| format!("`{word}` is no place to start at"))?),
    })
}

/// What the command line says: `HOST:PORT/TOPIC,TOPIC?group=NAME&start=latest&until=end&format=lines`.
pub(super) fn word(text: &str) -> Result<Input, String> {
    let problem =
        || format!("`{text}` names no topics; write HOST:PORT/TOPIC, as in 127.0.0.1:9092/events?group=tripline");
    let (place, query) = text.split_once('?').unwrap_or((text, ""));
    let (brokers, names) = place.rsplit_once('/').ok_or_else(problem)?;
    if brokers.contains('/') || !brokers.contains(':') {
        return Err(problem());
    }
    let names: Vec<String> = names.split(',').map(str::to_owned).collect();
    let timeout = StdDuration::from_secs(10);
    let net = NetOptions { allow: Vec::new(), ca: None, cert: None, key: None, timeout };
    let (brokers, encrypted) = (brokers.to_owned(), false);
    let mut kafka = KafkaInput {
        peer: KafkaPeer { brokers, encrypted, login: None, settings: Vec::new(), net },
        topics: topics(&names)?,
        group: None,
        start: Start::default(),
        until_end: false,
        format: ValueFormat::default(),
        state_topic: None,
    };
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=').unwrap_or((part, "")) {
            ("group", group) if !group.is_empty() => kafka.group = Some(group.to_owned()),
            ("start", word) => kafka.start = start(word)?,
            ("state_topic", name) if is_name(name) => kafka.state_topic = Some(name.to_owned()),
            ("until", "end") => kafka.until_end = true,
            ("format", word) => kafka.format = format(word).ok_or_else(|| format!("there is no format `{word}`"))?,
            _ => {
                return Err(format!(
                    "`{part}` is none of group, start, until=end, format and state_topic; the rest is for `inputs`"
                ));
            }
        }
    }
    if kafka.state_topic.is_some() && kafka.group.is_none() {
        return Err("a state_topic goes with a group, whose offsets are committed with it".to_owned());
    }
    let origin = Origin::Kafka { kafka: Box::new(kafka), partition: None };
    Ok(Input { name: "kafka".to_owned(), origin, reading: Reading::default() })
}

fn format(word: &str) -> Option<ValueFormat> {
    match word {
        "json" => Some(ValueFormat::Json),
        "lines" => Some(ValueFormat::Lines),
        "text" => Some(ValueFormat::Text),
        _ => None,
    }
}

impl Item<'_, '_> {
    pub(super) fn kafka(&mut self, w: &Written) -> Option<Origin> {
        let written = WrittenPeer {
            brokers: w.kafka.as_deref()?,
            tls: w.tls.as_deref(),
            mechanism: w.mechanism.as_deref(),
            user: w.user.as_ref(),
            password: w.password.as_ref(),
            token: w.token.as_ref(),
            settings: w.settings.as_ref(),
        };
        self.key_pair(w.cert.as_ref(), w.key.as_ref());
        let timeout = self.duration("timeout", w.timeout.as_deref());
        let timeout = timeout.map_or(10_000_000_000, |timeout| u64::try_from(timeout.0).unwrap_or(0));
        let net = NetOptions {
            allow: Vec::new(),
            ca: w.ca.clone(),
            cert: w.cert.clone(),
            key: w.key.clone(),
            timeout: StdDuration::from_nanos(timeout),
        };
        let peer = self.cluster(&written, net);
        let names = w.topics.as_ref().map(|names| names.as_slice().to_vec()).unwrap_or_default();
        let topics = topics(&names).map_err(|message| {
            let help = "`topics: [a, b]`, or one regular expression that begins with `^`";
            self.wrong("topics", &message, help);
        });
        let start = w.start.as_deref().map(|word| {
            let help = "it is `committed`, `earliest`, `latest` or a time such as 2026-03-01T00:00:00Z";
            start(word).map_err(|message| self.wrong("start", &message, help)).unwrap_or_default()
        });
        if w.until.as_deref().is_some_and(|word| word != "end") {
            self.wrong("until", "reading ends at `end`, or never", "leave it out to go on reading");
        }
        let format = w.format.as_deref().map(|word| {
            let format = format(word);
            if format.is_none() {
                let message = format!("`{word}` cannot stand for `format`");
                self.wrong("format", &message, "it is one of `json`, `lines`, `text`");
            }
            format.unwrap_or_default()
        });
        if let Some(name) = w.state_topic.as_ref().filter(|name| !is_name(name)) {
            self.wrong(
                "state_topic",
                &format!("`{name}` is no name of a topic"),
                "use letters, digits, `.`, `_` and `-`",
            );
        }
        if w.state_topic.is_some() && w.group.is_none() {
            let message = "a `state_topic` goes with a `group`, whose offsets are committed with it";
            self.wrong("state_topic", message, "add `group: NAME`");
        }
        let kafka = KafkaInput {
            peer: peer?,
            topics: topics.ok()?,
            group: w.group.clone(),
            start: start.unwrap_or_default(),
            until_end: w.until.is_some(),
            format: format.unwrap_or_default(),
            state_topic: w.state_topic.clone(),
        };
        Some(Origin::Kafka { kafka: Box::new(kafka), partition: None })
    }
}
