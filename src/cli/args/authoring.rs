//! What can be written after the commands for those who write rules: from `import` and `check` to `attack`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::running::{FilterArgs, TimeArgs};

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
