//! Rules against sample data: which fields they read are there, and what they would silently skip.
//!
//! Speed is secondary: events are whole JSON values. Class membership is found by a small evaluator of its own
//! (`eval`); a class it cannot judge is left out, never guessed.

mod eval;
mod imported;
mod reads;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value as Json;

use crate::base::function::Kinds;
use crate::check::names::Names;
use crate::diag::Diagnostic;
use crate::syntax::ast::File;
use crate::syntax::source::SourceId;

pub use imported::{Imported, LogSourceSeen};

use eval::{Evaluator, find};
use reads::{Negated, Read, Use, collect};

/// Field names kept for "did you mean", and values of the type field.
const MAX_NAMES: usize = 2000;

/// How often a field that rules read was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSeen {
    /// The event class or classes; empty for what class declarations read of every event.
    pub class: String,
    /// The field path.
    pub field: String,
    /// Events that have it.
    pub present: u64,
    /// Events of the class.
    pub events: u64,
    /// What it was, with how often: `string`, `number`, `bool`, `list`, `object`.
    pub kinds: Vec<(&'static str, u64)>,
    /// The rules that read it.
    pub rules: Vec<String>,
}

/// How many events were of a class that rules name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassSeen {
    /// The class.
    pub class: String,
    /// Its events; `None` if the condition of the class could not be judged here.
    pub events: Option<u64>,
}

/// What a sample says about a rule set.
#[derive(Clone, Debug, Default)]
pub struct SampleReport {
    /// Events in the sample.
    pub events: u64,
    /// The classes that rules name, in order.
    pub classes: Vec<ClassSeen>,
    /// The fields that rules read, by class and path.
    pub fields: Vec<FieldSeen>,
    /// Warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a whole sample.
pub fn check_sample<'e>(
    files: &[(SourceId, File)],
    type_field: &[String],
    events: impl IntoIterator<Item = &'e Json>,
) -> SampleReport {
    let mut sample = Sample::new(files, type_field);
    events.into_iter().for_each(|event| sample.event(event));
    sample.finish()
}

/// A field of one subject, over the sample.
#[derive(Debug, Default)]
struct Counts {
    present: u64,
    kinds: BTreeMap<&'static str, u64>,
}

/// The events of one list of classes.
#[derive(Debug)]
struct Subject<'a> {
    /// Class names; empty is every event.
    classes: Vec<&'a str>,
    events: u64,
    /// By path.
    fields: BTreeMap<Vec<String>, Counts>,
    /// Paths that its events have, for "did you mean".
    names: BTreeSet<String>,
}

/// A sample being read.
#[derive(Debug)]
pub struct Sample<'a> {
    names: Names<'a>,
    type_field: Vec<String>,
    reads: Vec<Read<'a>>,
    negations: Vec<Negated<'a>>,
    /// How many events of the subject each negation would skip.
    skipped: Vec<u64>,
    subjects: Vec<Subject<'a>>,
    classes: BTreeMap<&'a str, Option<u64>>,
    types: BTreeMap<String, u64>,
    events: u64,
}

impl<'a> Sample<'a> {
    /// A sample for rules that the checker let pass.
    pub fn new(files: &'a [(SourceId, File)], type_field: &[String]) -> Self {
        let names = Names::collect(files, &mut Vec::new());
        let (reads, negations) = collect(&names);
        let mut subjects: Vec<Subject<'a>> = Vec::new();
        let mut classes = BTreeMap::new();
        for read in &reads {
            for class in &read.classes {
                classes.insert(*class, Some(0));
            }
            let at = match subjects.iter().position(|s| s.classes == read.classes) {
                Some(at) => at,
                None => {
                    let classes = read.classes.clone();
                    subjects.push(Subject { classes, events: 0, fields: BTreeMap::new(), names: BTreeSet::new() });
                    subjects.len() - 1
                }
            };
            if !read.path.is_empty() {
                subjects[at].fields.entry(read.path.clone()).or_default();
            }
        }
        let skipped = vec![0; negations.len()];
        let type_field = type_field.to_vec();
        Self { names, type_field, reads, negations, skipped, subjects, classes, types: BTreeMap::new(), events: 0 }
    }

    /// Takes one event into account. Anything but an object has no fields.
    pub fn event(&mut self, event: &Json) {
        self.events += 1;
        if let Some(Json::String(class)) = find(event, &self.type_field)
            && (self.types.len() < MAX_NAMES || self.types.contains_key(class))
        {
            *self.types.entry(class.clone()).or_insert(0) += 1;
        }
        let evaluator = Evaluator { names: &self.names, event };
        let mut member: BTreeMap<&str, Option<bool>> = BTreeMap::new();
        for (class, seen) in &mut self.classes {
            let is = evaluator.is_class(class, &self.type_field);
            member.insert(class, is);
            match is {
                None => *seen = None,
                Some(is) => *seen = seen.map(|n| n + u64::from(is)),
            }
        }
        let is_of = |classes: &[&str]| {
            classes.is_empty() || classes.iter().any(|c| member.get(c).copied().flatten() == Some(true))
        };
        for subject in &mut self.subjects {
            if !is_of(&subject.classes) {
                continue;
            }
            subject.events += 1;
            for (path, counts) in &mut subject.fields {
                if let Some(value) = find(event, path) {
                    counts.present += 1;
                    *counts.kinds.entry(kind_name(value)).or_insert(0) += 1;
                }
            }
            if subject.names.len() < MAX_NAMES && subject.events <= MAX_NAMES as u64 {
                field_names(event, &mut String::new(), &mut subject.names);
            }
        }
        for (negation, skipped) in self.negations.iter().zip(&mut self.skipped) {
            if is_of(&negation.classes) && find(event, &negation.path).is_none() {
                *skipped += 1;
            }
        }
    }
}

/// The kind of a JSON value as the language calls it.
fn kind_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "missing",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "list",
        Json::Object(_) => "object",
    }
}

/// The kind behind a name of [`kind_name`].
fn kind_of(name: &str) -> Kinds {
    match name {
        "bool" => Kinds::BOOL,
        "number" => Kinds::NUMBER,
        "string" => Kinds::STRING,
        "list" => Kinds::LIST,
        "object" => Kinds::OBJECT,
        _ => Kinds::NONE,
    }
}

/// All field paths of an event, objects included.
fn field_names(value: &Json, prefix: &mut String, found: &mut BTreeSet<String>) {
    let Json::Object(fields) = value else { return };
    for (name, value) in fields {
        if found.len() >= MAX_NAMES {
            return;
        }
        let length = prefix.len();
        if !prefix.is_empty() {
            prefix.push('.');
        }
        prefix.push_str(name);
        found.insert(prefix.clone());
        field_names(value, prefix, found);
        prefix.truncate(length);
    }
}

/// A table of the fields: class, field, how often it is there, what it is, who reads it.
impl fmt::Display for SampleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["class", "field", "present", "kinds", "rules"].map(str::to_owned);
        let rows = self.fields.iter().map(|row| {
            let share = if row.events == 0 { 0.0 } else { 100.0 * row.present as f64 / row.events as f64 };
            let kinds: Vec<String> = row.kinds.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
            [
                if row.class.is_empty() { "(every event)".to_owned() } else { row.class.clone() },
                row.field.clone(),
                format!("{share:.1} % of {}", row.events),
                kinds.join(", "),
                row.rules.join(", "),
            ]
        });
        let table: Vec<[String; 5]> = std::iter::once(header).chain(rows).collect();
        let mut widths = [0; 4];
        for row in &table {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &table {
            let mut line = String::new();
            for (i, cell) in row.iter().enumerate() {
                let width = widths.get(i).copied().unwrap_or(0);
                line.push_str(&format!("{cell:width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
