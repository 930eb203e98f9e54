//! What can be written after the commands for what lies beside a run: its state directory, and a job of Flink.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tripline::alert::Evidence;
use tripline::base::Duration;
use tripline::session::AtEnd;

use super::running::TimeArgs;
use super::values::{duration, one_of};

/// `tripline flink`
#[derive(Debug, Args)]
pub struct FlinkArgs {
    /// What to do.
    #[command(subcommand)]
    pub what: FlinkWhat,
}

/// What to do for Flink.
#[derive(Debug, Subcommand)]
pub enum FlinkWhat {
    /// Put rules, the native library and the operators into one jar
    Package(PackageArgs),
}

/// `tripline flink package`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tripline flink package rules/ sigma/ hunts.eql --lateness 30s -o job.jar
  flink run job.jar --files events.ndjson --alerts alerts/")]
pub struct PackageArgs {
    /// Rule files and directories of rule files
    #[arg(value_name = "RULES", required = true)]
    pub paths: Vec<PathBuf>,
    /// The jar to write; with the ending .json the rules alone, for a job that runs
    #[arg(long, short, value_name = "FILE", default_value = "job.jar")]
    pub output: PathBuf,
    /// The jar of the operators, as Maven makes it
    #[arg(long, value_name = "FILE", default_value = "flink/target/tripline-flink-0.1.0.jar")]
    pub operators: PathBuf,
    /// The native library, for the machines that Flink runs on
    #[arg(long, value_name = "FILE", default_value = "target/release/libtripline.so")]
    pub library: PathBuf,
    #[command(flatten)]
    pub time: TimeArgs,
    /// How much an event may be out of order by event time, such as 30s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub lateness: Option<Duration>,
    /// What happens to undecided absences at the end of the input
    #[arg(long, value_name = "HOW", value_parser = one_of::<AtEnd>())]
    pub at_end: Option<AtEnd>,
    /// How much of the bound events an alert carries
    #[arg(long, value_name = "HOW MUCH", value_parser = one_of::<Evidence>())]
    pub evidence: Option<Evidence>,
    /// How alerts are written
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    pub format: HostFormat,
    /// The name of an input, in the order in which the job names its inputs; may be repeated
    #[arg(long, value_name = "NAME")]
    pub input_name: Vec<String>,
}

/// How a job of Flink writes alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HostFormat {
    /// JSON
    Json,
    /// JSON in the Elastic Common Schema
    Ecs,
    /// An OCSF Detection Finding
    Ocsf,
}

impl HostFormat {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
        }
    }
}

/// `tripline state`
#[derive(Debug, Args)]
pub struct StateArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub what: StateWhat,
}

/// What to do with a state directory.
#[derive(Debug, Subcommand)]
pub enum StateWhat {
    /// Show its checkpoints: inputs, outputs, rules and their keys
    Inspect(StateDirArgs),
    /// Write the newest checkpoint as JSON: a line for the whole, then one for each key
    Export(StateDirArgs),
    /// Check every byte; the exit code is 1 if something is damaged
    Verify(StateDirArgs),
    /// Set aside generations that hold no intact checkpoint; nothing is deleted
    Repair(StateDirArgs),
}

/// A state directory.
#[derive(Debug, Args)]
pub struct StateDirArgs {
    /// The state directory
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// How `verify` reports
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: StateFormat,
}

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StateFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
