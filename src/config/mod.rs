//! `tripline.yaml`: what it may say, as types, and its validation.
//!
//! Every setting is optional: what the file leaves out is `None`, so that a flag can win over the file and the file
//! over a default. An unknown key, a wrong kind or a value out of range is an error with its line; nothing is ignored.
//! Relies on `diag` for the form of problems; reads no file itself.

/// The names of the fields of `$of` that are set, of those that are listed, in that order.
macro_rules! keys_set {
    ($of:expr; $($name:ident),* $(,)?) => {{
        let keys: &[(&'static str, bool)] = &[$((stringify!($name), $of.$name.is_some())),*];
        keys.iter().filter(|(_, set)| *set).map(|(key, _)| *key).collect::<Vec<&'static str>>()
    }};
}

mod choice;
mod inputs;
mod item;
mod kafka;
mod literal;
mod outputs;
mod tree;

use serde::Deserialize;

use crate::alert::Evidence;
use crate::base::{Duration, Limits};
use crate::decode::timefield::{OnMissing, TimeFormat};
use crate::diag::{Code, Diagnostic};
use crate::session::AtEnd;
use crate::syntax::source::SourceId;
use crate::syntax::spelling::nearest;
use tree::Tree;

pub use choice::{Choice, OutputFormat};
pub use inputs::{
    Input, KafkaInput, NetBounds, OpenInput, Opened, Origin, Reading, ReadingPreset, ServerTls, Sharing, field_path,
};
pub use kafka::KafkaPeer;
use literal::bytes;
pub use literal::{duration, timestamp};
pub use outputs::{NetOptions, Output, Spool, Target, Text, alert_records, open};

const NOT_YAML: Code = Code("E0410");
const UNKNOWN_KEY: Code = Code("E0411");
const WRONG_VALUE: Code = Code("E0412");

/// The settings of a configuration file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `time.fields`: fields that may hold the event time; the first present wins.
    pub time_fields: Option<Vec<String>>,
    /// `time.format`: how the event time is written.
    pub time_format: Option<TimeFormat>,
    /// `time.on_missing`: what becomes of an event without a usable time.
    pub on_missing: Option<OnMissing>,
    /// `type_field`: the field that holds the class.
    pub type_field: Option<String>,
    /// `lateness`: how much events may be out of order.
    pub lateness: Option<Duration>,
    /// `idle`: when a live source without input lets time follow the wall clock.
    pub idle: Option<Duration>,
    /// `max_future`: how far ahead of the wall clock a live event may lie.
    pub max_future: Option<Duration>,
    /// `at_end`: what becomes of undecided absences.
    pub at_end: Option<AtEnd>,
    /// `evidence`: how much of the bound events an alert carries.
    pub evidence: Option<Evidence>,
    /// `threads`: how many match.
    pub threads: Option<u16>,
    /// `rules`: rule files and directories, relative to the configuration file.
    pub rules: Vec<String>,
    /// `pipelines`: names and files of pipelines for Sigma rules, relative to the configuration file.
    pub pipelines: Vec<String>,
    /// `inputs`: where events come from.
    pub inputs: Vec<Input>,
    /// `outputs`: where alerts go.
    pub outputs: Vec<Output>,
    /// `dead_letters`: the file for alerts that an output does not take.
    pub dead_letters: Option<String>,
    /// `drain`: how long the end of a run waits for outputs that have not delivered everything.
    pub drain: Option<Duration>,
    /// `rejects`: the file for lines that are no events.
    pub rejects: Option<String>,
    /// `late`: the file for late events.
    pub late: Option<String>,
    /// `state`: the directory that keeps the state of a run.
    pub state: Option<String>,
    /// `checkpoint_every`: how often the state is written.
    pub checkpoint_every: Option<Duration>,
    /// `journal`: the directory that keeps what cannot be read again.
    pub journal: Option<String>,
    /// `retain`: how long the journal is kept.
    pub retain: Option<Duration>,
    /// `limits`: bounds on state and input; the defaults where the file says nothing.
    pub limits: Limits,
}

/// The file as it is written; texts that need more than serde are still texts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    time: WrittenTime,
    type_field: Option<String>,
    lateness: Option<String>,
    idle: Option<String>,
    max_future: Option<String>,
    at_end: Option<String>,
    evidence: Option<String>,
    threads: Option<u16>,
    rules: Option<OneOrMany>,
    pipelines: Option<OneOrMany>,
    inputs: Option<inputs::WrittenInputs>,
    outputs: Option<Vec<outputs::Written>>,
    dead_letters: Option<String>,
    drain: Option<String>,
    rejects: Option<String>,
    late: Option<String>,
    state: Option<String>,
    checkpoint_every: Option<String>,
    journal: Option<String>,
    retain: Option<String>,
    limits: WrittenLimits,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenTime {
    fields: Option<OneOrMany>,
    format: Option<String>,
    on_missing: Option<String>,
}

/// The limits that a file may set, named as in [`Limits`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WrittenLimits {
    runs_per_key: Option<usize>,
    open_alerts_per_key: Option<usize>,
    repeats_per_alert: Option<u64>,
    live_keys: Option<usize>,
    memory: Option<Size>,
    search_steps: Option<usize>,
    matches_per_completion: Option<usize>,
    max_line: Option<usize>,
    max_json_depth: Option<usize>,
    max_rule_depth: Option<usize>,
    max_steps: Option<usize>,
    max_count: Option<u64>,
    max_regex_len: Option<usize>,
    max_regex_size: Option<usize>,
}

/// A number of bytes, with or without a unit.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Number(u64),
    Text(String),
}

/// `rules: a` is `rules: [a]`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl Config {
    /// Reads the text of a configuration file. Everything that is wrong is reported at once, in the order of the text.
    pub fn parse(source: SourceId, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut tree = Tree::read(source, text, &mut problems);
        let written: Written = tree.take(text, &mut problems);
        let mut reader = Reader { source, text, tree, problems };
        let config = reader.config(written);
        reader.problems.sort_by_key(|problem| problem.labels[0].span.start);
        if reader.problems.is_empty() { Ok(config) } else { Err(reader.problems) }
    }
}

/// Turns texts into values and collects what cannot be.
struct Reader<'a> {
    source: SourceId,
    text: &'a str,
    tree: Tree,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn config(&mut self, w: Written) -> Config {
        let time_fields = w.time.fields.map(OneOrMany::into_vec);
        if time_fields.as_ref().is_some_and(|fields| fields.iter().all(|field| field.trim().is_empty())) {
            self.wrong(&["time", "fields"], "no time field is named", "name at least one field");
        }
        if w.threads.is_some_and(|n| !(1..=256).contains(&n)) {
            self.wrong(&["threads"], "this number of threads cannot be", "write a number from 1 to 256");
        }
        Config {
            time_fields,
            time_format: self.time_format(w.time.format),
            on_missing: self.choice(&["time", "on_missing"], w.time.on_missing),
            type_field: w.type_field,
            lateness: self.duration(&["lateness"], w.lateness),
            idle: self.duration(&["idle"], w.idle),
            max_future: self.duration(&["max_future"], w.max_future),
            at_end: self.choice(&["at_end"], w.at_end),
            evidence: self.choice(&["evidence"], w.evidence),
            threads: w.threads,
            rules: w.rules.map(OneOrMany::into_vec).unwrap_or_default(),
            pipelines: w.pipelines.map(OneOrMany::into_vec).unwrap_or_default(),
            inputs: self.inputs(w.inputs.unwrap_or_default()),
            outputs: self.outputs(w.outputs.unwrap_or_default()),
            dead_letters: w.dead_letters,
            drain: self.duration(&["drain"], w.drain),
            rejects: w.rejects,
            late: w.late,
            state: w.state,
            checkpoint_every: self.duration(&["checkpoint_every"], w.checkpoint_every),
            journal: w.journal,
            retain: self.duration(&["retain"], w.retain),
            limits: self.limits(&w.limits),
        }
    }

    fn duration(&mut self, key: &[&str], text: Option<String>) -> Option<Duration> {
        match duration(&text?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.wrong(key, &message, "a duration is a number with a unit: 500ms, 30s, 5m, 1h30m, 2d");
                None
            }
        }
    }

    fn time_format(&mut self, text: Option<String>) -> Option<TimeFormat> {
        match TimeFormat::parse(&text?) {
            Ok(format) => Some(format),
            Err(message) => {
                self.wrong(&["time", "format"], &message, "`auto` reads RFC 3339 and numbers since 1970");
                None
            }
        }
    }

    fn choice<T: Choice>(&mut self, key: &[&str], text: Option<String>) -> Option<T> {
        let text = text?;
        let value = T::from_word(&text);
        if value.is_none() {
            let words = || T::WORDS.iter().map(|(word, _)| *word);
            let help = match nearest(&text, words()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("it is one of {}", words().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")),
            };
            self.wrong(key, &format!("`{text}` cannot stand for `{}`", key.join(".")), &help);
        }
        value
    }

    fn limits(&mut self, w: &WrittenLimits) -> Limits {
        let mut limits = Limits::default();
        macro_rules! take {
            ($($name:ident),*) => {$(
                if let Some(value) = w.$name {
                    if value == 0 {
                        self.wrong(&["limits", stringify!($name)], "a limit of 0 lets nothing through", "write 1 or more");
                    }
                    limits.$name = value;
                }
            )*};
        }
        take!(
            runs_per_key,
            open_alerts_per_key,
            repeats_per_alert,
            live_keys,
            search_steps,
            matches_per_completion,
            max_line,
            max_json_depth,
            max_rule_depth
        );
        take!(max_steps, max_count, max_regex_len, max_regex_size);
        limits.memory = w.memory.as_ref().and_then(|size| self.memory(size));
        limits
    }

    /// `none` is no cap, which is not the same as nothing said.
    fn memory(&mut self, size: &Size) -> Option<usize> {
        let size = match size {
            Size::Text(text) if text == "none" => return Some(usize::MAX),
            Size::Text(text) => bytes(text),
            Size::Number(n) => Ok(*n),
        };
        match size {
            Ok(0) => {
                self.wrong(&["limits", "memory"], "a limit of 0 lets nothing through", "write `512MiB`, or `none`");
                None
            }
            Ok(n) => Some(usize::try_from(n).unwrap_or(usize::MAX)),
            Err(problem) => {
                self.wrong(&["limits", "memory"], &problem, "`none` is no cap");
                None
            }
        }
    }

    fn wrong(&mut self, key: &[&str], message: &str, help: &str) {
        let span = self.tree.value(key);
        self.problems.push(Diagnostic::error(WRONG_VALUE, message, span, "here").help(help));
    }
}

#[cfg(test)]
mod tests;
