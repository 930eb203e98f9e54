//! `tripline generate`: a stream of events that fires a rule, and the alerts to expect from it.
#![expect(clippy::disallowed_methods, reason = "the stream and its alerts are written here")]

use super::number::counted;
use std::fs;
use std::path::{Path, PathBuf};

use tripline::alert::format::{Format, Formatter};
use tripline::compile::CompileOptions;
use tripline::decode::TimeConfig;
use tripline::generate::{EFFORT, Generated, NearMiss, Options, generate};

use super::args::GenerateArgs;
use super::exit::{Exit, Stop};
use super::rules::{self, compile_texts, with_rules_below};
use super::terminal::{Terminal, note, print};

/// Runs the command.
pub fn run(args: &GenerateArgs, options: &CompileOptions, time: TimeConfig, terminal: Terminal) -> Result<Exit, Stop> {
    let selection = rules::select(&args.paths, &args.only, options, terminal)?;
    let names: Vec<String> = selection.rules().map(|rule| rule.name.name.clone()).collect();
    let [rule] = names.as_slice() else {
        return Err(Stop::usage(format!(
            "a stream is made for one rule, and {} are meant; name one of them: {}",
            names.len(),
            names.join(", ")
        )));
    };
    let wanted = with_rules_below([rule.clone()], &selection.files);
    let silent = wanted.iter().filter(|name| *name != rule).cloned().collect();
    let narrow = CompileOptions { only: Some(wanted), silent, ..options.clone() };
    let Some(ruleset) = compile_texts(&selection.texts, &narrow).ruleset else { return Err(Stop::shown()) };
    let wish = Options {
        seed: args.seed,
        count: usize::from(args.count),
        near_misses: args.near_misses,
        type_field: options.type_field.clone(),
        time,
        effort: EFFORT,
    };
    let generated = generate(&selection.files, &ruleset, rule, &wish).map_err(Stop::usage)?;
    let mut events = generated.lines.join("\n");
    events.push('\n');
    let formatter = Formatter::new(Format::Json, Vec::new());
    let mut alerts = String::new();
    generated.alerts.iter().for_each(|alert| formatter.write(alert, &mut alerts));
    match &args.file {
        Some(path) => {
            let beside = beside(path);
            write(path, &events)?;
            write(&beside, &alerts)?;
            note(&format!("{}: {}\n", path.display(), contents(&generated)));
            note(&format!("{}: {}\n", beside.display(), counted(generated.alerts.len(), "alert")));
        }
        None => {
            print(&events)?;
            note(&format!("{}; {} expected\n", contents(&generated), counted(generated.alerts.len(), "alert")));
        }
    }
    Ok(Exit::Done)
}

/// Where the alerts go: `stream.ndjson` has `stream.alerts.ndjson` beside it.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("alerts.ndjson")
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    fs::write(path, text).map_err(|error| Stop::failed(format!("{}: cannot be written: {error}", path.display())))
}

/// What a stream holds, in words.
fn contents(generated: &Generated) -> String {
    let mut text = format!("{}: {} firing", counted(generated.lines.len(), "event"), generated.firing);
    for kind in NearMiss::ALL {
        let planted = generated.near_misses.iter().filter(|near| **near == kind).count();
        if planted > 0 {
            text.push_str(&format!(", {planted} {}", kind.as_str()));
        }
    }
    format!("{text}, {} of noise", counted(generated.noise, "event"))
}
