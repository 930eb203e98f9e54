//! Runs queries over small streams: `A1@0s k=x v=3` is the event of line 1 with category A, a second each if no time
//! is written. Expected is `[1,2] [3,4] @6s`, or `none`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tripline::base::Limits;
use tripline::check::check;
use tripline::compile::{CompileOptions, compile};
use tripline::diag::Level;
use tripline::diag::render::render_text;
use tripline::import::eql::{self, Kind, Options};
use tripline::plan::Ruleset;
use tripline::plan::lower::{Input, lower};
use tripline::plan::lower_expr::Declarations;
use tripline::session::{AtEnd, Session, SessionConfig};
use tripline::syntax::ast::Item;
use tripline::syntax::source::SourceMap;

/// An event of a case.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: i64,
    pub fields: BTreeMap<String, Value>,
}

impl Event {
    pub fn json(&self) -> String {
        let mut event = json!({ "@timestamp": 1_700_000_000_000_i64 + self.at });
        for (name, value) in &self.fields {
            event[name] = value.clone();
        }
        event.to_string()
    }
}

/// Reads `A1@0s k=x v=3 B2@1500ms`.
pub fn stream(text: &str) -> Vec<Event> {
    let mut out: Vec<Event> = Vec::new();
    for word in text.split_whitespace() {
        if let Some((name, value)) = word.split_once('=') {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
            out.last_mut().expect("an event").fields.insert(name.to_owned(), value);
            continue;
        }
        let (head, at) = word.split_once('@').unwrap_or((word, ""));
        let at = match at.strip_suffix("ms") {
            Some(ms) => ms.parse().expect("milliseconds"),
            None => at.strip_suffix('s').map_or(out.len() as i64 * 1000, |s| s.parse::<i64>().expect("seconds") * 1000),
        };
        let category = head.trim_end_matches(|c: char| c.is_ascii_digit());
        out.push(Event { at, fields: BTreeMap::from([("event.category".to_owned(), Value::from(category))]) });
    }
    out
}

/// Compiles a query.
pub fn ruleset(query: &str, complete: bool) -> Result<Arc<Ruleset>, String> {
    let eql = Options { complete, ..Options::default() };
    imported(query, "hunt.eql", &eql)
}

/// Compiles a text as the file of a name.
pub fn compiled(text: &str, name: &str) -> Result<Arc<Ruleset>, String> {
    with_options(text, name, CompileOptions::default())
}

/// Reads, checks and lowers a file of EQL.
pub fn imported(text: &str, name: &str, options: &Options) -> Result<Arc<Ruleset>, String> {
    let (mut sources, limits) = (SourceMap::new(), Limits::default());
    let id = sources.add(name, text);
    let kind = Kind::of(name).expect("EQL");
    let (file, mut problems) = eql::parse(id, name, text, kind, options, &limits, &mut BTreeSet::new());
    let files = [(id, file)];
    problems.extend(check(&files, &sources, &limits));
    let errors: Vec<_> = problems.into_iter().filter(|d| d.level == Level::Error).collect();
    if !errors.is_empty() {
        return Err(render_text(&errors, &sources, false));
    }
    let [(_, file)] = files;
    let mut declarations = Declarations::default();
    for item in &file.items {
        if let Item::Event(event) = item {
            declarations.classes.insert(event.name.name.clone(), event.condition.clone());
        }
    }
    let type_field = ["type".to_owned()];
    let input = Input { sources: &sources, type_field: &type_field, limits: &limits, force: None, key_seed: 0 };
    lower(&[file], &declarations, &input).map(Arc::new).map_err(|problems| format!("{problems:?}"))
}

fn with_options(text: &str, name: &str, options: CompileOptions) -> Result<Arc<Ruleset>, String> {
    let mut sources = SourceMap::new();
    sources.add(name, text);
    let compiled = compile(&sources, &options, &|_, _| Err("no tables".to_owned()));
    let errors: Vec<_> = compiled.diagnostics.into_iter().filter(|d| d.level == Level::Error).collect();
    compiled.ruleset.ok_or_else(|| render_text(&errors, &sources, false))
}

/// The lines of each match, with the time of those that a deadline completed.
pub fn matches(rules: &Arc<Ruleset>, events: &[Event]) -> Vec<String> {
    let mut session = Session::new(Arc::clone(rules), SessionConfig::default());
    for event in events {
        session.push_line(&event.json());
    }
    session.finish(AtEnd::Flush);
    let mut out = Vec::new();
    for alert in session.drain() {
        let lines: Vec<u64> = alert.bound.iter().flat_map(|step| step.events.iter().map(|e| e.seq.line())).collect();
        let words: Vec<String> = lines.iter().map(u64::to_string).collect();
        let time = alert.time.as_millis() - 1_700_000_000_000;
        let last = lines.last().and_then(|line| events.get(*line as usize - 1)).map_or(0, |e| e.at);
        let at = if time == last { String::new() } else { format!("@{time}") };
        out.push(format!("[{}]{at}", words.join(",")));
    }
    out
}
