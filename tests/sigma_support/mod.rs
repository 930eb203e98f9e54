//! Sigma texts run over a few events: through the printed rules, so that what is printed is held to its meaning too.
#![allow(dead_code, reason = "not every test uses every part")]

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use tripline::alert::Alert;
use tripline::base::Timestamp;
use tripline::compile::{CompileOptions, compile};
use tripline::diag::Diagnostic;
use tripline::diag::render::render_text;
use tripline::import::sigma::pipeline::Pipelines;
use tripline::import::sigma::{assemble, read};
use tripline::plan::Ruleset;
use tripline::session::{AtEnd, Session, SessionConfig};
use tripline::syntax::print;
use tripline::syntax::source::SourceMap;

/// What was made of texts.
pub struct Made {
    /// The printed rules.
    pub printed: String,
    /// What is wrong.
    pub problems: Vec<Diagnostic>,
    /// The same as people see it.
    pub shown: String,
    /// How many documents were refused.
    pub refused: usize,
}

/// Texts of files to printed rules.
pub fn made(texts: &[&str], pipelines: &Pipelines) -> Made {
    let mut sources = SourceMap::new();
    let mut documents = Vec::new();
    let mut problems = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let id = sources.add(format!("rule{number}.yml"), *text);
        let (found, wrong) = read(id, text);
        documents.push((id, found));
        problems.extend(wrong);
    }
    let rules = assemble(documents, BTreeSet::new(), &BTreeSet::new(), pipelines);
    problems.extend(rules.problems);
    let printed = rules.files.iter().map(|(_, file)| print(file)).collect::<Vec<_>>().join("\n");
    let shown = render_text(&problems, &sources, false);
    Made { printed, problems, shown, refused: rules.refused }
}

/// No routing: rules apply to every event.
pub fn unrouted() -> Pipelines {
    Pipelines::new(&["none"], Vec::new()).expect("`none` is a name")
}

/// Printed rules, compiled.
pub fn compiled(printed: &str) -> Arc<Ruleset> {
    let mut sources = SourceMap::new();
    sources.add("printed.trip", printed);
    let compiled = compile(&sources, &CompileOptions::default(), &|_, _| Err("no tables".into()));
    match compiled.ruleset {
        Some(rules) => rules,
        None => panic!("{printed}\n{}", render_text(&compiled.diagnostics, &sources, false)),
    }
}

/// The rules of a text that has nothing wrong in it.
pub fn rules(text: &str) -> Arc<Ruleset> {
    let made = made(&[text], &unrouted());
    assert!(made.problems.is_empty(), "{}", made.shown);
    compiled(&made.printed)
}

/// Runs events of `(seconds, fields)`, in the order given; undecided absences are decided if asked.
pub fn alerts(rules: &Arc<Ruleset>, events: &[(f64, Value)], flush: bool) -> Vec<Alert> {
    let mut session = Session::new(Arc::clone(rules), SessionConfig::default());
    for (seconds, fields) in events {
        let mut event = fields.clone();
        let time = Timestamp((seconds * 1e9) as i64);
        event["ts"] = Value::String(time.to_string());
        session.push_line(&event.to_string());
    }
    session.finish(if flush { AtEnd::Flush } else { AtEnd::Pending });
    session.drain()
}

/// Alerts as `rule@seconds key`.
pub fn fired(rules: &Arc<Ruleset>, events: &[(f64, Value)]) -> Vec<String> {
    alerts(rules, events, true).iter().map(shown).collect()
}

fn shown(alert: &Alert) -> String {
    let key: Vec<String> = alert.key.iter().map(|(_, value)| plain(value)).collect();
    format!("{}@{} {}", alert.rule_name, alert.time.0 as f64 / 1e9, key.join(",")).trim_end().to_owned()
}

fn plain(value: &tripline::base::Value) -> String {
    match value {
        tripline::base::Value::Str(text) => text.to_string(),
        tripline::base::Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}
