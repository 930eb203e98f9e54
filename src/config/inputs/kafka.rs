//! Topics as inputs: their keys in the configuration, and the word that names them on the command line.

use std::path::Path;
use std::time::Duration as StdDuration;

use super::super::choice::Choice;
use super::super::item::ListItem;
use super::super::kafka::{KafkaPeer, NamesCluster, WrittenPeer};
use super::super::literal::timestamp;
use super::super::outputs::NetOptions;
use super::read::Item;
use super::written::Written;
use super::{Input, Origin, Reading, field_path};
use crate::io::kafka::lines::ValueFormat;
use crate::io::kafka::{Membership, Partition, Protocol, Start, TopicOptions, Topics};
use crate::io::sink::secret::Env;
use crate::io::source::{Form, SourceError, partitions};
use crate::syntax::spelling::nearest;

/// The keys that only such inputs have, besides those of the cluster.
pub(super) const KEYS: &[&str] = &[
    "topics",
    "group",
    "start",
    "until",
    "state_topic",
    "rejects",
    "partition_by",
    "instance",
    "protocol",
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
    /// The topic for records that are no events.
    pub rejects: Option<String>,
    /// Processes of the group share the partitions.
    pub sharing: Option<Sharing>,
}

/// How processes of a group share the partitions of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// The fields by which the topic is partitioned: events that agree on them are in one partition. Never empty.
    pub fields: Vec<Vec<String>>,
    /// How membership is kept.
    pub membership: Membership,
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

impl Input {
    /// An input for each partition of which a file holds records; nothing if it is no such file.
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub fn of_records(&self) -> Result<Option<Vec<Self>>, SourceError> {
        let Origin::File { path, form: Form::Records(None) } = &self.origin else { return Ok(None) };
        let named = self.name != *path;
        let input = |partition: Partition| Self {
            name: if named { format!("{} {partition}", self.name) } else { partition.to_string() },
            origin: Origin::File { path: path.clone(), form: Form::Records(Some(partition)) },
            reading: self.reading.clone(),
        };
        Ok(Some(partitions(path)?.into_iter().map(input).collect()))
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
        rejects: None,
        sharing: None,
    };
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=').unwrap_or((part, "")) {
            ("group", group) if !group.is_empty() => kafka.group = Some(group.to_owned()),
            ("start", word) => kafka.start = start(word)?,
            ("state_topic", name) if is_name(name) => kafka.state_topic = Some(name.to_owned()),
            ("partition_by", names) if !names.is_empty() => {
                let fields = names.split(',').map(field_path).collect();
                kafka.sharing = Some(Sharing { fields, membership: Membership::default() });
            }
            ("until", "end") => kafka.until_end = true,
            ("format", word) => {
                kafka.format = ValueFormat::from_word(word).ok_or_else(|| format!("there is no format `{word}`"))?
            }
            _ => {
                return Err(format!(
                    "`{part}` is none of group, start, until=end, format, state_topic and partition_by; the rest is for \
                     `inputs`"
                ));
            }
        }
    }
    if kafka.state_topic.is_some() && kafka.group.is_none() {
        return Err("a state_topic goes with a group, whose offsets are committed with it".to_owned());
    }
    if let Some(problem) = kafka.sharing.as_ref().and_then(|_| unshared(&kafka.topics, kafka.state_topic.as_ref())) {
        return Err(format!("with partition_by, {problem}"));
    }
    let origin = Origin::Kafka { kafka: Box::new(kafka), partition: None };
    Ok(Input { name: "kafka".to_owned(), origin, reading: Reading::default() })
}

/// What is missing for processes to share a topic.
fn unshared(topics: &Topics, state_topic: Option<&String>) -> Option<&'static str> {
    match topics {
        Topics::Named(names) if names.len() == 1 => {}
        _ => return Some("one topic is read, by its name"),
    }
    state_topic.is_none().then_some("a `state_topic` hands on what rules hold, and offsets are committed with it")
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
            let help = match nearest(word, ["committed", "earliest", "latest"]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "it is `committed`, `earliest`, `latest` or a time such as 2026-03-01T00:00:00Z".to_owned(),
            };
            start(word).map_err(|message| self.wrong("start", &message, &help)).unwrap_or_default()
        });
        if w.until.as_deref().is_some_and(|word| word != "end") {
            self.wrong("until", "reading ends at `end`, or never", "leave it out to go on reading");
        }
        let format: Option<ValueFormat> = self.choice("format", w.format.as_deref());
        for (key, name) in [("state_topic", &w.state_topic), ("rejects", &w.rejects)] {
            if let Some(name) = name.as_ref().filter(|name| !is_name(name)) {
                let help = "use letters, digits, `.`, `_` and `-`";
                self.wrong(key, &format!("`{name}` is no name of a topic"), help);
            }
        }
        let is_read = |name: &&String| matches!(&topics, Ok(Topics::Named(names)) if names.contains(name));
        if w.rejects.as_ref().filter(is_read).is_some() {
            let message = "what is rejected would be read again, and rejected again";
            self.wrong("rejects", message, "name another topic");
        }
        if w.state_topic.is_some() && w.group.is_none() {
            let message = "a `state_topic` goes with a `group`, whose offsets are committed with it";
            self.wrong("state_topic", message, "add `group: NAME`");
        }
        let topics = topics.ok()?;
        let kafka = KafkaInput {
            peer: peer?,
            sharing: self.sharing(w, &topics),
            topics,
            group: w.group.clone(),
            start: start.unwrap_or_default(),
            until_end: w.until.is_some(),
            format: format.unwrap_or_default(),
            state_topic: w.state_topic.clone(),
            rejects: w.rejects.clone(),
        };
        Some(Origin::Kafka { kafka: Box::new(kafka), partition: None })
    }

    /// How processes share the topic, if they do.
    fn sharing(&mut self, w: &Written, topics: &Topics) -> Option<Sharing> {
        let names = w.partition_by.as_ref().map(|names| names.as_slice().to_vec()).unwrap_or_default();
        if names.is_empty() {
            for (key, set) in [("instance", w.instance.is_some()), ("protocol", w.protocol.is_some())] {
                if set {
                    let help = "add `partition_by`, or leave it out";
                    self.wrong(key, &format!("`{key}` is for processes that share a topic"), help);
                }
            }
            if w.partition_by.is_some() {
                self.wrong("partition_by", "no field is named", "name those by which the topic is partitioned");
            }
            return None;
        }
        if let Some(problem) = unshared(topics, w.state_topic.as_ref()) {
            let help = "name one topic, and add `state_topic: NAME`";
            self.wrong("partition_by", &format!("where processes share a topic, {problem}"), help);
        }
        let protocol = self.choice::<Protocol>("protocol", w.protocol.as_deref()).unwrap_or_default();
        let membership = Membership { instance: w.instance.clone(), protocol };
        Some(Sharing { fields: names.iter().map(|name| field_path(name)).collect(), membership })
    }
}
