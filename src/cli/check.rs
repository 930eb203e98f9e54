//! `tripline check`: all problems of rule files, and with `--sample` of rules against events.

use tripline::compile::CompileOptions;
use tripline::diag::Level;
use tripline::diag::render::{render_json, render_sarif, render_text};

use super::args::{CheckArgs, CheckFormat};
use super::exit::{Exit, Stop};
use super::paths::rule_files;
use super::rules::{RuleTexts, compile_texts, declared_rules};
use super::terminal::{Terminal, paint, print, style};

/// Runs the command.
pub fn run(args: &CheckArgs, options: &CompileOptions, terminal: Terminal) -> Result<Exit, Stop> {
    let files = rule_files(&args.paths)?;
    let texts = RuleTexts::read(&files)?;
    let compiled = compile_texts(&texts, options);
    let found = compiled.diagnostics;
    let count = |level: Level| found.iter().filter(|d| d.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    match args.format {
        CheckFormat::Json => print(&render_json(&found, &texts.sources))?,
        CheckFormat::Sarif => print(&render_sarif(&found, &texts.sources))?,
        CheckFormat::Text => {
            let mut text = render_text(&found, &texts.sources, terminal.color_out);
            let rules = declared_rules(&compiled.files).count();
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
