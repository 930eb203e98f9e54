//! Settings with a fixed set of words, each with the words it is written by.

use super::inputs::ReadingPreset;
use crate::alert::format::Format;
use crate::alert::{Evidence, Severity};
use crate::decode::timefield::OnMissing;
use crate::io::deliver::WhenFull;
use crate::io::form::csv::Kind;
use crate::io::kafka::lines::ValueFormat;
use crate::io::kafka::{KeyBy, Mechanism, Protocol};
use crate::io::sink::preset::Preset;
use crate::session::AtEnd;

/// A setting that is one of a few words.
pub trait Choice: Copy + 'static {
    /// Every word with what it stands for, in the order in which help shows them.
    const WORDS: &'static [(&'static str, Self)];

    /// What a word stands for.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
    }
}

/// How alerts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OutputFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Pretty,
    /// One JSON object a line, with the field names of the Elastic Common Schema.
    Ecs,
    /// One JSON object a line: an OCSF Detection Finding.
    Ocsf,
    /// One line in the Common Event Format.
    Cef,
    /// One line in the Log Event Extended Format.
    Leef,
    /// One line: a syslog message.
    Rfc5424,
}

impl OutputFormat {
    /// The rendering; `color` is for people.
    pub fn rendering(self, color: bool) -> Format {
        match self {
            Self::Json => Format::Json,
            Self::Pretty => Format::Pretty { color },
            Self::Ecs => Format::Ecs,
            Self::Ocsf => Format::Ocsf,
            Self::Cef => Format::Cef,
            Self::Leef => Format::Leef,
            Self::Rfc5424 => Format::Rfc5424,
        }
    }

    /// Whether it is one JSON value.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ecs | Self::Ocsf)
    }
}

impl Choice for OutputFormat {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("json", Self::Json),
        ("pretty", Self::Pretty),
        ("ecs", Self::Ecs),
        ("ocsf", Self::Ocsf),
        ("cef", Self::Cef),
        ("leef", Self::Leef),
        ("rfc5424", Self::Rfc5424),
    ];
}

/// What an input file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Lines of JSON.
    Json,
    /// A table.
    Csv,
    /// Records of topics, as `kcat -J` writes them.
    Kafka,
}

impl Choice for FileFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("json", Self::Json), ("csv", Self::Csv), ("kafka", Self::Kafka)];
}

impl Choice for Kind {
    const WORDS: &'static [(&'static str, Self)] =
        &[("text", Self::Text), ("number", Self::Number), ("bool", Self::Bool)];
}

impl Choice for ReadingPreset {
    const WORDS: &'static [(&'static str, Self)] = &[("journald", Self::Journald)];
}

impl Choice for OnMissing {
    const WORDS: &'static [(&'static str, Self)] = &[("arrival", Self::Arrival), ("reject", Self::Reject)];
}

impl Choice for AtEnd {
    const WORDS: &'static [(&'static str, Self)] = &[("pending", Self::Pending), ("flush", Self::Flush)];
}

impl Choice for Evidence {
    const WORDS: &'static [(&'static str, Self)] =
        &[("full", Self::Full), ("fields", Self::Fields), ("ids", Self::Ids)];
}

impl Choice for Severity {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("info", Self::Info),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("critical", Self::Critical),
    ];
}

impl Choice for WhenFull {
    const WORDS: &'static [(&'static str, Self)] =
        &[("block", Self::Block), ("drop_oldest", Self::DropOldest), ("drop_new", Self::DropNew)];
}

impl Choice for Preset {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("slack", Self::Slack),
        ("teams", Self::Teams),
        ("pagerduty", Self::PagerDuty),
        ("opsgenie", Self::Opsgenie),
        ("alertmanager", Self::Alertmanager),
    ];
}

impl Choice for KeyBy {
    const WORDS: &'static [(&'static str, Self)] = &[("key", Self::Key), ("id", Self::Id), ("nothing", Self::Nothing)];
}

impl Choice for Mechanism {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("PLAIN", Self::Plain),
        ("SCRAM-SHA-256", Self::Scram256),
        ("SCRAM-SHA-512", Self::Scram512),
        ("OAUTHBEARER", Self::OauthBearer),
    ];
}

impl Choice for Protocol {
    const WORDS: &'static [(&'static str, Self)] = &[("classic", Self::Classic), ("consumer", Self::Consumer)];
}

impl Choice for ValueFormat {
    const WORDS: &'static [(&'static str, Self)] =
        &[("json", Self::Json), ("lines", Self::Lines), ("text", Self::Text)];
}
