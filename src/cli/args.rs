//! What can be written on the command line, as clap types. Holds no behaviour beyond parsing of values.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tripline::alert::Evidence;
use tripline::base::{Duration, Timestamp};
use tripline::config::{self, Choice};
use tripline::decode::timefield::TimeFormat;
use tripline::plan::ruleset::Severity;
use tripline::session::AtEnd;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    a test failed, a file is not formatted, or alerts were found with --fail-on-alert
  2    the command line, the configuration or a rule has an error
  4    an input, an output or the system failed
  130  interrupted";

/// Matches rules over streams of events and reports alerts.
#[derive(Debug, Parser)]
#[command(name = "tripline", version, styles = STYLES, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Configuration file [default: tripline.yaml in the working directory, if there is one]
    #[arg(long, global = true, help_heading = "General options", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Colours: auto looks at the terminal and at NO_COLOR
    #[arg(long, global = true, help_heading = "General options", value_name = "WHEN", default_value = "auto")]
    pub color: When,
    /// Level of the log on stderr: error, warn, info, debug, trace, or module=level
    #[arg(long, global = true, help_heading = "General options", value_name = "FILTER", default_value = "warn")]
    pub log: String,
    #[command(flatten)]
    pub import: ImportArgs,
}

/// How rules in other languages are taken.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Sigma and EQL")]
pub struct ImportArgs {
    /// An error in a Sigma or EQL rule ends the command, instead of leaving that rule out
    #[arg(long, global = true)]
    pub strict: bool,
    /// How the names of Sigma rules become those of the events: a pySigma pipeline, or one of windows, sysmon, nxlog,
    /// winlogbeat, evtx, ecs, cloudtrail, auditd, zeek, none; may be repeated [default: events as their sources write them]
    #[arg(long = "pipeline", global = true, value_name = "FILE|NAME")]
    pub pipelines: Vec<String>,
    /// Find the sequences of EQL rules completely, not with one pending match per step as Elasticsearch does
    #[arg(long, global = true)]
    pub eql_complete: bool,
    /// The field that holds the category of an event in EQL rules [default: event.category]
    #[arg(long, global = true, value_name = "FIELD")]
    pub event_category: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Match rules over events
    Run(Box<RunArgs>),
    /// Check rule files, and with --sample also against events
    Check(CheckArgs),
    /// Print Sigma and EQL rules as rules of this language
    Import(ImportFilesArgs),
    /// Run the tests that stand in rule files
    Test(TestArgs),
    /// Format rule files in place; reads stdin and writes stdout if no file is named
    Fmt(FmtArgs),
    /// Say in words and tables what a rule does and how it is executed
    Explain(ExplainArgs),
    /// Draw the automaton of a rule
    Graph(GraphArgs),
    /// Write a stream of events that fires a rule, and the alerts to expect
    Generate(GenerateArgs),
    /// List the ATT&CK techniques that rules cover, or write them as a layer of the Navigator
    Attack(AttackArgs),
    /// Count what rules would have said of the past, per day and key, and hold two versions of them side by side
    Backtest(BacktestArgs),
    /// Make a job of Apache Flink of rules
    Flink(FlinkArgs),
    /// Look at the state directory of a run, and mend it
    State(StateArgs),
    /// Explain a diagnostic code, such as E0201
    Rule(RuleArgs),
    /// Print a completion script for a shell
    Completions(CompletionArgs),
}

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

/// `tripline import`
#[derive(Debug, Args)]
#[command(after_help = "\
Rules with errors are left out and reported; the exit code is then 2.

Examples:
  tripline import sigma/proc_creation.yml
  tripline import sigma/ hunts.eql -o rules/")]
pub struct ImportFilesArgs {
    /// Sigma (.yml, .yaml) and EQL (.eql, .toml, .json) files, and directories of them
    #[arg(value_name = "FILES", required = true)]
    pub paths: Vec<PathBuf>,
    /// Write a .trip file for each of them into this directory instead of writing to stdout
    #[arg(long, short, value_name = "DIRECTORY")]
    pub output: Option<PathBuf>,
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

/// `tripline check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Rule files and directories
    #[arg(value_name = "RULES", required = true)]
    pub paths: Vec<PathBuf>,
    /// Events to hold the rules against: unknown fields, kinds that never compare, classes never seen
    #[arg(long, value_name = "FILE")]
    pub sample: Option<PathBuf>,
    /// Say which rules processes can share where a topic is partitioned by these fields [default: `partition_by` of the
    /// configured input]
    #[arg(long, value_name = "FIELDS", num_args = 0..=1, require_equals = true, value_delimiter = ',')]
    pub topology: Option<Vec<String>>,
    /// How findings are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: CheckFormat,
    /// Warnings count as errors
    #[arg(long)]
    pub deny_warnings: bool,
    #[command(flatten)]
    pub time: TimeArgs,
}

/// `tripline test`
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Rule files and directories; a word that is no path is a rule name
    #[arg(value_name = "RULES… [NAMES…]", required = true)]
    pub paths: Vec<PathBuf>,
    /// Only tests whose rule or name matches (* is any run of characters)
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Say which steps and clauses no test reached
    #[arg(long)]
    pub coverage: bool,
    /// Write a JUnit XML report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Name every test, not only failures
    #[arg(long, short)]
    pub verbose: bool,
}

/// `tripline fmt`
#[derive(Debug, Args)]
pub struct FmtArgs {
    /// Rule files and directories; - is stdin
    #[arg(value_name = "RULES")]
    pub paths: Vec<PathBuf>,
    /// Change nothing; exit with code 1 if a file is not formatted
    #[arg(long)]
    pub check: bool,
}

/// `tripline explain`
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Rule files and directories; a word that is no path is a rule name
    #[arg(value_name = "RULES… [NAMES…]", required = true)]
    pub paths: Vec<PathBuf>,
    /// Only rules whose name matches (* is any run of characters)
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Also show how the rule is executed: strategy, predicates, fields read
    #[arg(long)]
    pub plan: bool,
    /// Draw instead what a job of Flink would be: which rules share keys, and what goes where
    #[arg(long)]
    pub topology: bool,
    /// Events to say with --topology how many, and how many bytes, take each way
    #[arg(long, value_name = "FILE", requires = "topology")]
    pub sample: Option<PathBuf>,
    #[command(flatten)]
    pub time: TimeArgs,
}

/// `tripline graph`
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// Rule files and directories; a word that is no path is a rule name
    #[arg(value_name = "RULES… [NAMES…]", required = true)]
    pub paths: Vec<PathBuf>,
    /// Only rules whose name matches (* is any run of characters)
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// The language of the drawing
    #[arg(long, value_name = "FORMAT", default_value = "mermaid")]
    pub format: GraphFormat,
}

/// `tripline generate`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tripline generate rules/siem ssh_bruteforce_success --near-misses --file stream.ndjson
  tripline run rules/siem --only ssh_bruteforce_success stream.ndjson | diff - stream.alerts.ndjson")]
pub struct GenerateArgs {
    /// Rule files and directories; a word that is no path is a rule name
    #[arg(value_name = "RULES… NAME", required = true)]
    pub paths: Vec<PathBuf>,
    /// The rule, if not named before (* is any run of characters)
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Plant near misses: one event short, one millisecond late, another key, an event that must not come
    #[arg(long)]
    pub near_misses: bool,
    /// The same seed gives the same stream
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How often the rule is to fire
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub count: u16,
    /// Write the events here, and the alerts beside them to FILE with the ending .alerts.ndjson
    #[arg(long, short, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `tripline attack`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  tripline attack rules/ --format navigator > layer.json")]
pub struct AttackArgs {
    /// Rule files and directories; a word that is no path is a rule name
    #[arg(value_name = "RULES… [NAMES…]", required = true)]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// How they are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: AttackFormat,
}

/// `tripline rule`
#[derive(Debug, Args)]
pub struct RuleArgs {
    /// The code; all codes are listed without one
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// `tripline completions`
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// A choice that a terminal decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Whether progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// On a terminal, with files as inputs
    Auto,
    /// Never
    Never,
}

/// How `check` writes its findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
    /// A SARIF 2.1.0 document
    Sarif,
}

/// How `attack` writes techniques.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AttackFormat {
    /// For people
    Text,
    /// A layer file of the ATT&CK Navigator, format 4.5
    Navigator,
}

/// How `graph` draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A Mermaid state diagram
    Mermaid,
    /// Graphviz
    Dot,
    /// An SVG image
    Svg,
}

/// A parser of the words of a [`Choice`].
fn one_of<T: Choice + Send + Sync>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::WORDS.iter().map(|(word, _)| *word))
        .map(|word| T::from_word(&word).expect("clap lets only the listed words pass"))
}

fn level() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.map(Severity::as_str))
        .map(|word| Severity::from_word(&word).expect("clap lets only the listed words pass"))
}

fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text)
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    config::timestamp(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn values_are_parsed() {
        let cli = Cli::try_parse_from(["tripline", "run", "rules", "--lateness", "1m30s", "--from", "2026-01-02"])
            .expect("valid arguments");
        let Command::Run(run) = cli.command else { panic!("not run") };
        assert_eq!(run.lateness, Some(Duration::from_secs(90)));
        assert_eq!(run.from.map(|t| t.to_string()).as_deref(), Some("2026-01-02T00:00:00.000Z"));
        assert!(Cli::try_parse_from(["tripline", "run", "--lateness", "soon"]).is_err());
    }
}
