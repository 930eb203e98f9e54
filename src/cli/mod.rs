//! The command line: arguments in, exit code out. Uses the library as any other program would.
//!
//! Each command is a file; `args` says what can be written, `settings` merges flags and configuration file,
//! `rules` finds and compiles rule files, `exit` holds the codes.

mod args;
mod attack;
mod backtest;
mod check;
mod code;
mod completions;
mod cost;
mod exit;
mod explain;
mod filter;
mod flink;
mod fmt;
mod generate;
mod graph;
mod import;
mod job;
mod machine;
mod number;
mod paths;
mod rules;
mod run;
mod sample;
mod settings;
mod state;
mod terminal;
mod test;
mod threads;
mod topology;
mod wording;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use args::{Cli, Command, TimeArgs};
use exit::{Exit, Stop};
use settings::Settings;
use terminal::{Terminal, note, paint, style};

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for; everything else is a mistake. A closed pipe is no reason to panic.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    let terminal = Terminal::new(cli.color);
    match start_log(&cli.log).and_then(|()| dispatch(&cli, terminal)) {
        Ok(exit) => exit.into(),
        Err(stop) => {
            if let Some(message) = stop.message {
                note(&format!("{} {message}\n", paint(terminal.color_err, style::RED, "error:")));
            }
            stop.exit.into()
        }
    }
}

fn dispatch(cli: &Cli, terminal: Terminal) -> Result<Exit, Stop> {
    let settings = || {
        let mut settings = Settings::load(cli.config.as_deref(), terminal)?;
        settings.take_import(cli.import.clone(), terminal)?;
        Ok::<_, Stop>(settings)
    };
    match &cli.command {
        Command::Attack(args) => attack::run(args, &settings()?.compile_options(&TimeArgs::default()), terminal),
        Command::Backtest(args) => backtest::run(args, &settings()?, terminal),
        Command::Check(args) => check::run(args, &settings()?, terminal),
        Command::Explain(args) if args.topology => job::run(args, &settings()?, terminal),
        Command::Explain(args) => explain::run(args, &settings()?.compile_options(&args.time), terminal),
        Command::Flink(args) => flink::run(args, &settings()?, terminal),
        Command::Fmt(args) => fmt::run(args, terminal),
        Command::Generate(args) => {
            let (settings, none) = (settings()?, TimeArgs::default());
            generate::run(args, &settings.compile_options(&none), settings.time_config(&none), terminal)
        }
        Command::Graph(args) => graph::run(args, &settings()?.compile_options(&TimeArgs::default()), terminal),
        Command::Import(args) => import::run(args, &settings()?.compile_options(&TimeArgs::default()), terminal),
        Command::Rule(args) => code::run(args, terminal),
        Command::Completions(args) => completions::run(args),
        Command::Run(args) => run::run(args, &settings()?, terminal),
        Command::State(args) => state::run(args),
        Command::Test(args) => test::run(args, &settings()?.compile_options(&TimeArgs::default()), terminal),
    }
}

fn start_log(filter: &str) -> Result<(), Stop> {
    let filter = EnvFilter::try_new(filter).map_err(|e| Stop::usage(format!("--log {filter}: {e}")))?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    Ok(())
}
