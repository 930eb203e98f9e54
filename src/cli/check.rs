//! `tripline check`: all problems of rule files, and with `--sample` of rules against events.

use std::path::Path;

use tripline::check::sample::{Imported, LogSourceSeen, Sample, SampleReport};
use tripline::compile::{CompileOptions, Language};
use tripline::diag::Level;
use tripline::diag::render::{render_json, render_sarif, render_text};
use tripline::io::source::{BlockOptions, open};
use tripline::syntax::ast::File;
use tripline::syntax::source::SourceId;

use super::args::{CheckArgs, CheckFormat};
use super::exit::{Exit, Stop};
use super::number::counted;
use super::rules::{RuleTexts, compile_texts, declared_rules};
use super::sample;
use super::settings::Settings;
use super::terminal::{Terminal, note, paint, print, style};
use super::threads::Threads;
use super::topology;

/// Runs the command.
pub fn run(args: &CheckArgs, settings: &Settings, terminal: Terminal) -> Result<Exit, Stop> {
    let options = &settings.compile_options(&args.time);
    let texts = RuleTexts::read(&args.paths, Threads::default())?;
    let compiled = compile_texts(&texts, options);
    let mut found = compiled.diagnostics;
    let mut report = None;
    // Rules that are wrong in themselves are not worth holding against data.
    if let (Some(events), Some(_)) = (&args.sample, &compiled.ruleset) {
        let files = texts.sources.ids().zip(compiled.files.iter().cloned());
        let is_own = |(id, _): &(SourceId, File)| matches!(Language::of(&texts.sources.get(*id).name), Language::Trip);
        let (own, imported): (Vec<_>, Vec<_>) = files.partition(is_own);
        let read = read_sample(events, &own, &imported, options)?;
        found.extend(read.0.diagnostics.iter().cloned());
        report = Some(read);
    }
    let mut topology = None;
    if let (Some(named), Some(ruleset)) = (&args.topology, &compiled.ruleset) {
        let by = topology::fields(named, settings)?;
        let problems = topology::problems(ruleset, &compiled.files, &by);
        topology = Some(topology::verdict(ruleset, problems.len(), &by));
        found.extend(problems);
    }
    let count = |level: Level| found.iter().filter(|d| d.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    match args.format {
        CheckFormat::Json => {
            let mut text = render_json(&found, &texts.sources);
            if let Some((_, sources)) = &report {
                text.push_str(&sample::json(sources));
            }
            print(&text)?;
        }
        CheckFormat::Sarif => print(&render_sarif(&found, &texts.sources))?,
        CheckFormat::Text => {
            let mut text = render_text(&found, &texts.sources, terminal.color_out);
            if let Some(report) = &report {
                text.push_str(&sample::text(&report.0, &report.1, terminal.color_out));
            }
            text.push_str(topology.as_deref().unwrap_or_default());
            let rules = declared_rules(&compiled.files).count();
            text.push_str(&verdict(texts.paths.len(), rules, errors, warnings, terminal.color_out));
            print(&text)?;
        }
    }
    let failed = errors > 0 || (args.deny_warnings && warnings > 0);
    Ok(if failed { Exit::Usage } else { Exit::Done })
}

/// Holds the rules against the events of a file.
fn read_sample(
    path: &Path,
    own: &[(SourceId, File)],
    imported: &[(SourceId, File)],
    options: &CompileOptions,
) -> Result<(SampleReport, Vec<LogSourceSeen>), Stop> {
    let name = path.to_str().ok_or_else(|| Stop::usage(format!("{}: the path is not UTF-8", path.display())))?;
    let mut input = open(name, BlockOptions::default()).map_err(Stop::failed)?;
    let mut sample = Sample::new(own, &options.type_field);
    let mut sources = Imported::new(imported);
    let mut unread = 0_u64;
    while let Some(block) = input.next_block().map_err(Stop::failed)? {
        for line in block.bytes.split(|byte| *byte == b'\n') {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(event) => {
                    sample.event(&event);
                    sources.event(&event);
                }
                Err(_) => unread += 1,
            }
        }
    }
    if unread > 0 {
        note(&format!("{name}: {unread} lines of the sample are not JSON and were passed over\n"));
    }
    Ok((sample.finish(), sources.finish()))
}

fn verdict(files: usize, rules: usize, errors: usize, warnings: usize, color: bool) -> String {
    let found = match (errors, warnings) {
        (0, 0) => paint(color, style::GREEN, "no problems"),
        (0, w) => paint(color, style::YELLOW, &counted(w, "warning")),
        (e, 0) => paint(color, style::RED, &counted(e, "error")),
        (e, w) => paint(color, style::RED, &format!("{}, {}", counted(e, "error"), counted(w, "warning"))),
    };
    format!("{} in {}: {found}\n", counted(rules, "rule"), counted(files, "file"))
}
