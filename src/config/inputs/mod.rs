//! `inputs`: where events come from, and how those of each input are read.
//!
//! [`written`] is the list as it stands in the file, [`read`] makes of it what is here and says what is wrong, [`open`]
//! makes sources. One further kind of input is a variant of [`Origin`], its keys in [`written`], its reading in [`read`],
//! and its source in [`open`]; nothing else asks what kind an input is.

mod kafka;
mod open;
mod read;
mod written;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration as StdDuration;

use crate::base::Duration;
use crate::decode::decoder::OwnForm;
use crate::decode::timefield::{OnMissing, TimeConfig, TimeFormat};
use crate::io::form::syslog::SyslogForm;
use crate::io::kafka::Partition;
use crate::io::listen::Endpoint;
use crate::io::sink::secret::SecretPlace;
use crate::io::source::{Files, Form, STDIN};
use crate::session::OwnSettings;

pub use kafka::{KafkaInput, Sharing};
pub use open::{OpenInput, Opened};
pub(super) use written::WrittenInputs;

/// How much events of a live input may be out of order if nothing is said: whoever sends over a network does not wait for
/// others.
const LIVE_LATENESS: Duration = Duration::from_secs(1);

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name, in alerts, messages, counts, and in what a run keeps for the next one.
    pub name: String,
    /// Where its events come from.
    pub origin: Origin,
    /// How its events are read, where that is not as for all.
    pub reading: Reading,
}

/// What an input may say of its own about event time and class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Fields that may hold the event time.
    pub time_fields: Option<Vec<String>>,
    /// How it is written.
    pub time_format: Option<TimeFormat>,
    /// What becomes of an event without a usable time.
    pub on_missing: Option<OnMissing>,
    /// The field that holds the class.
    pub type_field: Option<String>,
    /// How much its events may be out of order.
    pub lateness: Option<Duration>,
    /// When its silence no longer holds time back.
    pub idle: Option<Duration>,
    /// How far ahead of the wall clock an event of it may lie.
    pub max_future: Option<Duration>,
}

/// Where events come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file or a named pipe by its path, the files of a directory, or standard input.
    File {
        /// The path, `-` for standard input.
        path: String,
        /// What it holds.
        form: Form,
    },
    /// Requests.
    Http {
        /// Where.
        address: SocketAddr,
        /// What clients show.
        token: Option<SecretPlace>,
        /// Bytes of a body at most.
        max_body: usize,
        /// Encryption.
        tls: Option<ServerTls>,
        /// Bounds.
        bounds: NetBounds,
    },
    /// Lines over TCP.
    Tcp {
        /// Where.
        address: SocketAddr,
        /// Encryption.
        tls: Option<ServerTls>,
        /// Bounds.
        bounds: NetBounds,
    },
    /// Syslog messages.
    Syslog {
        /// Where, and whether over streams or datagrams.
        endpoint: Endpoint,
        /// How messages become events.
        form: SyslogForm,
        /// Encryption.
        tls: Option<ServerTls>,
        /// Bounds.
        bounds: NetBounds,
    },
    /// Lines over a socket in the file system.
    Unix {
        /// The socket.
        path: String,
        /// Its permission bits.
        mode: u32,
        /// Bounds.
        bounds: NetBounds,
    },
    /// Topics of Kafka, or one partition of them.
    Kafka {
        /// The topics.
        kafka: Box<KafkaInput>,
        /// The partition, once it is known which there are.
        partition: Option<Partition>,
    },
}

/// Files for encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The own certificate with its chain.
    pub cert: String,
    /// Its key.
    pub key: String,
    /// Authorities by which clients must be certified.
    pub ca: Option<String>,
}

/// What a listener takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetBounds {
    /// Bytes that wait for the engine.
    pub queue: usize,
    /// Connections at a time.
    pub connections: usize,
    /// How long a handshake, the head of a request, or its body may take.
    pub timeout: StdDuration,
}

impl Default for NetBounds {
    fn default() -> Self {
        let bounds = crate::io::listen::Bounds::default();
        Self { queue: bounds.queue, connections: bounds.connections, timeout: bounds.timeout }
    }
}

impl Input {
    /// A file, or standard input.
    pub fn file(path: impl Into<String>) -> Self {
        let path = path.into();
        let form = Form::of_name(&path);
        Self { name: path.clone(), origin: Origin::File { path, form }, reading: Reading::default() }
    }

    /// The input that a word on the command line means: `http://127.0.0.1:8080`, `tcp://…`, `unix:/path`.
    ///
    /// # Errors
    /// Says in words what is wrong.
    pub fn listening(word: &str) -> Result<Self, String> {
        read::listening(word)
    }

    /// The input that a word on the command line means: `127.0.0.1:9092/events?group=tripline`.
    ///
    /// # Errors
    /// Says in words what is wrong.
    pub fn kafka(word: &str) -> Result<Self, String> {
        kafka::word(word)
    }

    /// Whether events come to it as they happen, from others that it waits for.
    pub fn is_live(&self) -> bool {
        match &self.origin {
            Origin::File { .. } => false,
            Origin::Kafka { kafka, .. } => !kafka.until_end,
            _ => true,
        }
    }

    /// Whether it is a partition of a topic, and of which topics.
    pub fn partition(&self) -> Option<(&KafkaInput, &Partition)> {
        match &self.origin {
            Origin::Kafka { kafka, partition: Some(partition) } => Some((kafka, partition)),
            _ => None,
        }
    }

    /// The path, if it is a file.
    pub fn path(&self) -> Option<&str> {
        match &self.origin {
            Origin::File { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Whether it is a file, or files, that can be read again after a crash. Looks at the file.
    pub fn is_readable_again(&self) -> bool {
        let path = self.path().filter(|path| *path != STDIN);
        path.is_some_and(|path| Path::new(path).is_file() || Files::of(path).is_some())
    }

    /// The lateness of its own, where `all` is what is set for all inputs.
    pub fn own_lateness(&self, all: Option<Duration>) -> Option<Duration> {
        self.reading.lateness.or((all.is_none() && self.is_live()).then_some(LIVE_LATENESS))
    }

    /// What the directory of its journal is called.
    pub fn journal_name(&self) -> String {
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
        match &self.origin {
            Origin::File { path, .. } if path == STDIN => "stdin".to_owned(),
            Origin::File { .. } => self.name.replace('/', "_"),
            _ => self.name.chars().map(plain).collect(),
        }
    }

    /// Whether it is standard input.
    pub fn is_stdin(&self) -> bool {
        self.path() == Some(STDIN)
    }
}

/// How events of a known sender are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingPreset {
    /// `journalctl -o json`.
    Journald,
}

impl ReadingPreset {
    /// What it says.
    pub fn reading(self) -> Reading {
        match self {
            Self::Journald => Reading {
                time_fields: Some(vec!["__REALTIME_TIMESTAMP".to_owned()]),
                time_format: Some(TimeFormat::EpochUs),
                type_field: Some("SYSLOG_IDENTIFIER".to_owned()),
                ..Reading::default()
            },
        }
    }
}

impl Reading {
    /// What the engine is told, where `time` and `type_field` hold for all inputs. Live inputs have a bound for the
    /// future; `max_future` is what holds for all of them.
    pub fn own(&self, time: &TimeConfig, type_field: &[String], max_future: Option<Duration>) -> OwnSettings {
        let asks = self.time_fields.is_some() || self.time_format.is_some() || self.on_missing.is_some();
        let path = |name: &String| field_path(name);
        let own_time = asks.then(|| TimeConfig {
            fields: self.time_fields.as_ref().map_or_else(|| time.fields.clone(), |all| all.iter().map(path).collect()),
            format: self.time_format.clone().unwrap_or_else(|| time.format.clone()),
            on_missing: self.on_missing.unwrap_or(time.on_missing),
        });
        let renamed = self.type_field.as_ref().map(|name| (type_field.to_vec(), field_path(name)));
        OwnSettings {
            form: OwnForm { time: own_time, renamed: renamed.into_iter().collect() },
            lateness: self.lateness,
            max_future: self.max_future.or(max_future),
        }
    }
}

/// A field path as it is written in settings: parts joined by dots. A field whose name holds a dot is found too,
/// because a path is also looked up as one name.
pub fn field_path(written: &str) -> Vec<String> {
    written.split('.').map(str::to_owned).collect()
}
