//! `tripline check`: all problems of rule files, and with `--sample` of rules against events.

use tripline::check::has_errors;
use tripline::compile::CompileOptions;
use tripline::diag::Level;
use tripline::diag::render::{render_json, render_sarif, render_text};

use super::args::{CheckArgs, CheckFormat};
use super::exit::{Exit, Stop};
use super::paths::rule_files;
use super::rules::{RuleTexts, compile_texts, declared_rules};
use super::sample;
use super::terminal::{Terminal, paint, print, style};

/// Runs the command.
pub fn run(args: &CheckArgs, options: &CompileOptions, terminal: Terminal) -> Result<Exit, Stop> {
    let files = rule_files(&args.paths)?;
    let texts = RuleTexts::read(&files)?;
    let compiled = compile_texts(&texts, options);
    let mut found = compiled.diagnostics;
    // Rules with errors read nothing reliably.
    let sample = match &args.sample {
        Some(path) if !has_errors(&found) => {
            let (report, passed_over) = sample::read(path, &compiled.files, &texts.sources, options)?;
            found.extend(report.diagnostics.iter().cloned());
            Some((report, passed_over))
        }
        _ => None,
    };
    let count = |level: Level| found.iter().filter(|d| d.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    match args.format {
        CheckFormat::Json => print(&render_json(&found, &texts.sources))?,
        CheckFormat::Sarif => print(&render_sarif(&found, &texts.sources))?,
        CheckFormat::Text => {
            let mut text = render_text(&found, &texts.sources, terminal.color_out);
            let rules = declared_rules(&compiled.files).count();
            if let Some((report, passed_over)) = &sample {
                text.push_str(&format!("{report}\n{} events in the sample", report.events));
                if *passed_over > 0 {
                    text.push_str(&format!(", {passed_over} lines are no JSON objects"));
                }
                text.push_str("\n");
            }
            text.push_str(&verdict(files.len(), rules, errors, warnings, terminal.color_out));
            print(&text)?;
        }
    }
    let failed = errors > 0 || (args.deny_warnings && warnings > 0);
    Ok(if failed { Exit::Usage } else { Exit::Done })
}

fn verdict(files: usize, rules: usize, errors: usize, warnings: usize, color: bool) -> String {
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let found = match (errors, warnings) {
        (0, 0) => paint(color, style::GREEN, "no problems"),
        (0, w) => paint(color, style::YELLOW, &counted(w, "warning")),
        (e, 0) => paint(color, style::RED, &counted(e, "error")),
        (e, w) => paint(color, style::RED, &format!("{}, {}", counted(e, "error"), counted(w, "warning"))),
    };
    format!("{} in {}: {found}\n", counted(rules, "rule"), counted(files, "file"))
}
