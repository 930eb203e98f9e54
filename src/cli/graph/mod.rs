//! `tripline graph`: the automaton of rules, drawn.

mod dot;
pub mod drawing;
mod mermaid;
mod svg;

use tripline::compile::CompileOptions;

use super::args::{GraphArgs, GraphFormat};
use super::exit::{Exit, Stop};
use super::rules;
use super::terminal::{Terminal, print};
use super::wording::Wording;

/// Runs the command.
pub fn run(args: &GraphArgs, options: &CompileOptions, terminal: Terminal) -> Result<Exit, Stop> {
    let selection = rules::select(&args.paths, &args.only, options, terminal)?;
    let wording = Wording::new(&selection.texts.sources);
    let mut drawn = Vec::new();
    for rule in selection.rules() {
        drawn.push(drawing::draw(rule, wording));
    }
    if args.format == GraphFormat::Svg && drawn.len() > 1 {
        return Err(Stop::usage(format!(
            "an SVG image shows one rule, and {} are meant; name one of them",
            drawn.len()
        )));
    }
    let texts: Vec<String> = drawn
        .iter()
        .map(|drawing| match args.format {
            GraphFormat::Mermaid => mermaid::render(drawing),
            GraphFormat::Dot => dot::render(drawing),
            GraphFormat::Svg => svg::render(drawing),
        })
        .collect();
    print(&texts.join("\n"))?;
    Ok(Exit::Done)
}
