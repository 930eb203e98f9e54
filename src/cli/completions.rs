//! `tripline completions`: a script for a shell, made from the definition of the arguments.

use clap::CommandFactory;

use super::args::{Cli, CompletionArgs};
use super::exit::{Exit, Stop};
use super::terminal::print;

/// Runs the command.
pub fn run(args: &CompletionArgs) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tripline", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
