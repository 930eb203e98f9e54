//! `outputs`: where alerts go, which of them, in which form, and how their delivery is seen through.
//!
//! [`written`] is the list as it stands in the file, [`read`] makes of it what is here and says what is wrong, [`open`]
//! makes sinks. Secrets are places until then: a configuration never holds one.

mod kafka;
mod open;
mod read;
mod written;

use std::time::Duration;

use serde_json::Value;

use super::choice::OutputFormat;
use super::kafka::KafkaPeer;
use crate::io::deliver::{Route, Service};
use crate::io::kafka::KeyBy;
use crate::io::sink::file::Rotation;
use crate::io::sink::guard::Net;
use crate::io::sink::preset::Preset;
use crate::io::sink::secret::SecretPlace;
use crate::io::sink::syslog::Transport;
use crate::io::sink::wire::Peer;

pub use open::{alert_records, open};
pub(super) use written::{Written, WrittenPlace, WrittenText};

/// One output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name, in messages and counts.
    pub name: String,
    /// How alerts are written.
    pub format: OutputFormat,
    /// Where to.
    pub target: Target,
    /// Which alerts.
    pub route: Route,
    /// Its queue, if that is on disk.
    pub spool: Option<Spool>,
    /// How a courier serves it. `None`: it is written by the run itself, which waits for it.
    pub service: Option<Service>,
}

impl Output {
    /// All alerts to standard output or a file, written by the run itself.
    pub fn direct(format: OutputFormat, target: Target) -> Self {
        Self { name: target.kind().to_owned(), format, target, route: Route::default(), spool: None, service: None }
    }
}

/// A queue on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// Its directory.
    pub directory: String,
    /// Bytes of all its files together.
    pub most: u64,
}

/// Where alerts go.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file, appended to.
    File {
        /// The file.
        path: String,
        /// When it is put aside.
        rotation: Option<Rotation>,
    },
    /// A table in a SQLite file.
    Sqlite {
        /// The file.
        path: String,
        /// The table.
        table: String,
    },
    /// A table in PostgreSQL.
    Postgres {
        /// The server, as `postgres://…` or `host=…`.
        address: Text,
        /// The password.
        password: Option<SecretPlace>,
        /// The table.
        table: String,
        /// Whether the connection is encrypted.
        encrypted: bool,
        /// What is trusted, and time-outs.
        net: NetOptions,
    },
    /// Requests of one alert each.
    Webhook {
        /// The address.
        url: Text,
        /// The receiver, if it is a known one.
        preset: Option<Preset>,
        /// A template of the body.
        body: Option<Value>,
        /// Further headers.
        headers: Vec<(String, Text)>,
        /// What shows the receiver who is there.
        token: Option<SecretPlace>,
        /// What requests are signed with.
        sign: Option<SecretPlace>,
        /// Requests under way at a time, at most.
        concurrency: usize,
        /// What is trusted and allowed, and time-outs.
        net: NetOptions,
    },
    /// The bulk interface of Elasticsearch and OpenSearch.
    Elastic {
        /// The address.
        url: Text,
        /// The index.
        index: String,
        /// User name.
        user: Option<String>,
        /// Password.
        password: Option<SecretPlace>,
        /// An API key instead.
        token: Option<SecretPlace>,
        /// What is trusted and allowed, and time-outs.
        net: NetOptions,
    },
    /// Splunk's HTTP Event Collector.
    Splunk {
        /// The address.
        url: Text,
        /// The token.
        token: SecretPlace,
        /// The index.
        index: Option<String>,
        /// Whether alerts count only when they are in an index.
        acknowledge: bool,
        /// What is trusted and allowed, and time-outs.
        net: NetOptions,
    },
    /// A syslog receiver.
    Syslog {
        /// How messages travel.
        transport: Transport,
        /// Where to.
        peer: Peer,
        /// The facility.
        facility: u8,
        /// The host's name; that of the system if nothing is said.
        hostname: Option<String>,
        /// The program's name.
        app_name: String,
        /// What is trusted, and time-outs.
        net: NetOptions,
    },
    /// NATS JetStream.
    Nats {
        /// The server.
        peer: Peer,
        /// Whether the connection is encrypted.
        encrypted: bool,
        /// The subject.
        subject: String,
        /// User name.
        user: Option<String>,
        /// Password.
        password: Option<SecretPlace>,
        /// Token.
        token: Option<SecretPlace>,
        /// What is trusted, and time-outs.
        net: NetOptions,
    },
    /// Topics of Kafka.
    Kafka {
        /// The cluster.
        peer: KafkaPeer,
        /// The topic.
        topic: String,
        /// What records are keyed by.
        key_by: KeyBy,
        /// Further headers.
        headers: Vec<(String, Text)>,
        /// Alerts are written in the transactions of a `state_topic`.
        exactly_once: bool,
    },
}

impl Target {
    /// The key by which it is written in the file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::File { .. } => "file",
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres { .. } => "postgres",
            Self::Webhook { .. } => "webhook",
            Self::Elastic { .. } => "elasticsearch",
            Self::Splunk { .. } => "splunk",
            Self::Syslog { .. } => "syslog",
            Self::Nats { .. } => "nats",
            Self::Kafka { .. } => "kafka",
        }
    }
}

/// A text that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// It stands in the file.
    Plain(String),
    /// It stands elsewhere.
    Secret(SecretPlace),
}

/// How a peer is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetOptions {
    /// Networks that are allowed although they are not public.
    pub allow: Vec<Net>,
    /// A file of certificates to trust.
    pub ca: Option<String>,
    /// A file of the own certificate.
    pub cert: Option<String>,
    /// A file of its key.
    pub key: Option<String>,
    /// How long a request, or a step, may take.
    pub timeout: Duration,
}
