//! `tripline rule`: what a diagnostic code means.

use std::fmt::Write;

use tripline::diag::code::{self, CodeInfo};
use tripline::syntax::spelling::nearest;

use super::args::RuleArgs;
use super::exit::{Exit, Stop};
use super::terminal::{Terminal, paint, print, style};

/// Runs the command.
pub fn run(args: &RuleArgs, terminal: Terminal) -> Result<Exit, Stop> {
    let Some(wanted) = &args.code else {
        let mut text = String::new();
        for info in code::all() {
            writeln!(text, "{}  {}", info.code, info.title).expect("a String takes any text");
        }
        print(&text)?;
        return Ok(Exit::Done);
    };
    match code::info(wanted) {
        Some(info) => {
            print(&explanation(info, terminal.color_out))?;
            Ok(Exit::Done)
        }
        None => {
            let help = match nearest(wanted, code::all().map(|info| info.code)) {
                Some(near) => format!("; did you mean {near}?"),
                None => "; `tripline rule` without a code lists all".to_owned(),
            };
            Err(Stop::usage(format!("there is no code {wanted}{help}")))
        }
    }
}

fn explanation(info: &CodeInfo, color: bool) -> String {
    let head = paint(color, style::BOLD, &format!("{}: {}", info.code, info.title));
    format!("{head}\n\n{}\n", info.explanation.trim())
}
