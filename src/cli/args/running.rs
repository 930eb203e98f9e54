//! What can be written after the commands that read events: `run` and `backtest`, and what others share with them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tripline::alert::Evidence;
use tripline::base::{Duration, Timestamp};
use tripline::config;
use tripline::decode::timefield::TimeFormat;
use tripline::plan::ruleset::Severity;
use tripline::session::AtEnd;

use super::outside::StateFormat;
use super::values::{duration, level, one_of, timestamp};

/// `tripline backtest`
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is sent anywhere, and no state is read or written.

Examples:
  tripline backtest new.trip --journal journal/ --from 7d
  tripline backtest new.trip january.ndjson.zst --against old.trip")]
pub struct BacktestArgs {
    /// Rule files, directories of rule files, and files of events
    #[arg(value_name = "RULES… [INPUTS…]", required = true)]
    pub paths: Vec<PathBuf>,
    /// A journal that runs have kept with --journal and --retain
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// Only events since then: how long ago, such as 7d, or a time
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Another version of the rules to compare with; may be repeated
    #[arg(long, value_name = "RULES")]
    pub against: Vec<PathBuf>,
    #[command(flatten)]
    pub time: TimeArgs,
    /// How much an event may be out of order by event time, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub lateness: Option<Duration>,
    /// How counts are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: StateFormat,
}

/// `tripline run`
#[derive(Debug, Args)]
#[command(after_help = "\
Paths that end in .trip, .yml, .yaml (Sigma), .eql and .toml (EQL), and directories, hold rules; every other path is
an input, - is stdin.
Without an input, stdin is read. Inputs ending in .gz and .zst are unpacked.

Examples:
  tripline run rules/ events.ndjson
  tail -f events.ndjson | tripline run rules/siem --output pretty
  tripline run --rule 'login then no logout within 8h by user.name' events.ndjson.gz")]
pub struct RunArgs {
    /// Rule files, directories of rule files, and inputs
    #[arg(value_name = "RULES… [INPUTS…]")]
    pub paths: Vec<PathBuf>,
    /// A rule written here: a sequence, or the text of a rule file
    #[arg(long, value_name = "RULE")]
    pub rule: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub time: TimeArgs,
    /// How much an event may be out of order by event time, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub lateness: Option<Duration>,
    /// After this time without input, absences follow the wall clock; without --follow only if given
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub idle: Option<Duration>,
    /// What happens to undecided absences at the end of the input
    #[arg(long, value_name = "HOW", value_parser = one_of::<AtEnd>())]
    pub at_end: Option<AtEnd>,
    /// Only events at or after this time (RFC 3339, or a date)
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub from: Option<Timestamp>,
    /// Only events before this time (RFC 3339, or a date)
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    pub to: Option<Timestamp>,
    /// Keep reading inputs as they grow
    #[arg(long, short)]
    pub follow: bool,
    /// Take events that are sent here: http://127.0.0.1:8080, tcp://127.0.0.1:7000, unix:/run/events.sock; may be
    /// repeated
    #[arg(long, value_name = "WHERE")]
    pub listen: Vec<String>,
    /// Read topics of Kafka: HOST:PORT/TOPIC,TOPIC, with ?group=NAME&start=earliest&until=end; may be repeated
    #[arg(long, value_name = "TOPICS")]
    pub kafka: Vec<String>,
    /// Threads that match [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// How alerts are written
    #[arg(long, short, value_name = "FORMAT", value_parser = one_of::<config::OutputFormat>())]
    pub output: Option<config::OutputFormat>,
    /// Append alerts to this file instead of writing to stdout
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
    /// How much of the bound events an alert carries
    #[arg(long, value_name = "HOW MUCH", value_parser = one_of::<Evidence>())]
    pub evidence: Option<Evidence>,
    /// Keep the state of the run in this directory, and go on from what is there
    #[arg(long, value_name = "DIR", help_heading = "What outlasts the run")]
    pub state: Option<PathBuf>,
    /// How often the state is written [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "What outlasts the run")]
    pub checkpoint_every: Option<Duration>,
    /// Keep what standard input and pipes give in this directory before it is processed
    #[arg(long, value_name = "DIR", help_heading = "What outlasts the run")]
    pub journal: Option<PathBuf>,
    /// Keep the journal for so long, for backtests, such as 7d
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "What outlasts the run")]
    pub retain: Option<Duration>,
    /// Write lines that are no events here, with the reason
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Write events here that came too late
    #[arg(long, value_name = "FILE")]
    pub late: Option<PathBuf>,
    /// Progress on stderr: auto shows it on a terminal
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: Progress,
    /// No summary at the end
    #[arg(long, short)]
    pub quiet: bool,
    /// Exit with code 1 if there was an alert
    #[arg(long)]
    pub fail_on_alert: bool,
}

/// Which of the rules are meant. Rules that those build on run too, but do not notify.
#[derive(Debug, Args, Default)]
pub struct FilterArgs {
    /// Only rules whose name matches (* is any run of characters)
    #[arg(long, value_name = "NAME", help_heading = "Choice of rules")]
    pub only: Vec<String>,
    /// No rules whose name matches
    #[arg(long, value_name = "NAME", help_heading = "Choice of rules")]
    pub exclude: Vec<String>,
    /// Only rules and alerts of at least this severity
    #[arg(long, value_name = "LEVEL", value_parser = level(), help_heading = "Choice of rules")]
    pub min_level: Option<Severity>,
    /// Only rules of this status, such as stable; a rule that has none is left out
    #[arg(long, value_name = "STATUS", value_delimiter = ',', help_heading = "Choice of rules")]
    pub status: Vec<String>,
    /// Only rules with a tag that matches, such as attack.t1110*
    #[arg(long, value_name = "TAG", value_delimiter = ',', help_heading = "Choice of rules")]
    pub tag: Vec<String>,
    /// No rules with a tag that matches
    #[arg(long, value_name = "TAG", value_delimiter = ',', help_heading = "Choice of rules")]
    pub exclude_tag: Vec<String>,
}

/// Where the time and the class of an event stand.
#[derive(Debug, Args, Default)]
pub struct TimeArgs {
    /// Field that holds the event time; may be repeated, the first present wins
    #[arg(long, value_name = "FIELD")]
    pub time_field: Vec<String>,
    /// Format of the event time: auto, rfc3339, epoch_s, epoch_ms, epoch_us, epoch_ns, or a pattern such as %d/%m/%Y
    #[arg(long, value_name = "FORMAT", value_parser = TimeFormat::parse)]
    pub time_format: Option<TimeFormat>,
    /// Field that holds the class of an event
    #[arg(long, value_name = "FIELD")]
    pub type_field: Option<String>,
}

/// Whether progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// On a terminal, with files as inputs
    Auto,
    /// Never
    Never,
}
