//! What can be written on the command line, as clap types. Holds no behaviour beyond parsing of values.

mod authoring;
mod outside;
mod running;
mod values;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use authoring::{
    AttackArgs, AttackFormat, CheckArgs, CheckFormat, ExplainArgs, FmtArgs, GenerateArgs, GraphArgs, GraphFormat,
    ImportFilesArgs, TestArgs,
};
pub use outside::{FlinkArgs, FlinkWhat, PackageArgs, StateArgs, StateDirArgs, StateFormat, StateWhat};
pub use running::{BacktestArgs, FilterArgs, Progress, RunArgs, TimeArgs};

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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use tripline::base::Duration;

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
