//! The configuration file as a tree with places, and everything in it that no setting has or that is of another kind.
//!
//! ```text
//! text ─► tree ─► value ─► Written        an unknown key, a wrong kind: reported with its place,
//!                  ▲          │           taken out, and read again, until what is left can be read
//!                  └──────────┘
//! ```
//! So all problems are found at once, although a deserializer stops at the first. Relies on the reader of YAML that
//! rules of other languages have.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use serde_yaml::Value;

use super::{NOT_YAML, UNKNOWN_KEY, WRONG_VALUE};
use crate::diag::codes::sigma::REPEATED_KEY;
use crate::diag::{Code, Diagnostic};
use crate::import::sigma::yaml::{self, Node, NodeKind, Resolved};
use crate::syntax::source::{SourceId, Span};
use crate::syntax::spelling::nearest;

/// Problems that are reported at most.
const MOST: usize = 100;
/// Settings whose values may be secrets: a line that may mean one of them is not shown.
const SECRETS: &[&str] = &["token", "password", "sign", "webhook", "postgres", "headers", "settings"];

/// A file as it is written.
pub(super) struct Tree {
    source: SourceId,
    root: Option<Node>,
    /// Items of lists that hold something that was reported: what they lack is no problem of its own.
    broken: BTreeSet<(String, usize)>,
}

impl Tree {
    /// Reads a text. What it holds of several documents, the first counts.
    pub(super) fn read(source: SourceId, text: &str, problems: &mut Vec<Diagnostic>) -> Self {
        let (documents, found) = yaml::documents(source, text);
        problems.extend(found.into_iter().map(|problem| of_config(&problem, text)));
        let root = documents.into_iter().next().map(|document| document.node);
        Self { source, root, broken: BTreeSet::new() }
    }

    /// Reads what is written, without what cannot be.
    pub(super) fn take<T: DeserializeOwned + Default>(&mut self, text: &str, problems: &mut Vec<Diagnostic>) -> T {
        let Some(mut value) = self.root.as_ref().map(value) else { return T::default() };
        if value.is_null() {
            return T::default();
        }
        while problems.len() < MOST {
            let error = match serde_path_to_error::deserialize::<_, T>(&value) {
                Ok(taken) => return taken,
                Err(error) => error,
            };
            let steps = steps(error.path());
            problems.push(self.problem(text, &steps, &error.inner().to_string()));
            if let [Step::Key(list), Step::Item(n), ..] = &steps[..] {
                self.broken.insert((list.clone(), *n));
            }
            if !remove(&mut value, &steps) {
                break;
            }
        }
        T::default()
    }

    /// Whether something in an item of a list has been reported.
    pub(super) fn is_broken(&self, list: &str, n: usize) -> bool {
        self.broken.contains(&(list.to_owned(), n))
    }

    /// The value behind a path of keys; the key if that is a list or a map.
    pub(super) fn value(&self, path: &[&str]) -> Span {
        let steps: Vec<Step> = path.iter().map(|key| Step::Key((*key).to_owned())).collect();
        self.shown(&steps)
    }

    /// The value behind a key of the n-th item of a list, however deep in it, or the item's first word.
    pub(super) fn in_item(&self, list: &str, n: usize, key: &str) -> Span {
        let Some(item) = self.find(&[Step::Key(list.to_owned()), Step::Item(n)]) else { return self.nowhere() };
        within(item, key).or_else(|| first_word(item)).unwrap_or(self.nowhere())
    }

    fn nowhere(&self) -> Span {
        Span::new(self.source, 0, 0)
    }

    fn find(&self, steps: &[Step]) -> Option<&Node> {
        let mut node = self.root.as_ref()?;
        for step in steps {
            node = match (step, &node.kind) {
                (Step::Key(key), NodeKind::Map(entries)) => {
                    &entries.iter().find(|entry| entry.key.value == *key)?.value
                }
                (Step::Item(n), NodeKind::List(items)) => items.get(*n)?,
                _ => return None,
            };
        }
        Some(node)
    }

    /// A value that fits on a line, else its key.
    fn shown(&self, steps: &[Step]) -> Span {
        match self.find(steps) {
            Some(node) if matches!(node.kind, NodeKind::Scalar(_)) && node.span.start < node.span.end => node.span,
            Some(node) => self.key(steps).unwrap_or(node.span),
            None => self.key(steps).unwrap_or(self.nowhere()),
        }
    }

    fn key(&self, steps: &[Step]) -> Option<Span> {
        let (Step::Key(key), before) = steps.split_last()? else { return None };
        let NodeKind::Map(entries) = &self.find(before)?.kind else { return None };
        entries.iter().find(|entry| entry.key.value == *key).map(|entry| entry.key.span)
    }

    fn problem(&self, text: &str, steps: &[Step], message: &str) -> Diagnostic {
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        if message.starts_with("unknown field")
            && let Some((key, known)) = quoted.split_first()
        {
            let span = self.key(steps).unwrap_or(self.nowhere());
            let flags = FLAGS.iter().map(|(flag, _)| *flag).filter(|_| known.contains(&"time"));
            let near = nearest(key, flags.chain(known.iter().copied()));
            let says = format!("there is no setting `{key}`");
            if near.is_some_and(|near| SECRETS.contains(&near)) {
                return hidden(UNKNOWN_KEY, text, span, &says)
                    .help(near.map(|near| format!("did you mean `{near}`?")).unwrap_or_default());
            }
            let diagnostic = Diagnostic::error(UNKNOWN_KEY, says, span, "not known");
            let setting = FLAGS.iter().find(|(flag, _)| near == Some(*flag)).map(|(_, setting)| setting);
            return match (setting, near) {
                (Some(setting), _) => diagnostic.help(format!("write `{setting}`")),
                (None, Some(word)) => diagnostic.help(format!("did you mean `{word}`?")).fix(span, word),
                (None, None) => diagnostic.help(format!("known here: {}", known.join(", "))),
            };
        }
        let secret = steps.iter().any(|step| matches!(step, Step::Key(key) if SECRETS.contains(&key.as_str())));
        let span = self.shown(steps);
        let message = message.split(" at line ").next().unwrap_or(message);
        if secret {
            // What is quoted may be the secret.
            return hidden(WRONG_VALUE, text, span, "this is of another kind")
                .help("write `{env: NAME}`, `{file: PATH}` or `{credential: NAME}` for a secret");
        }
        if message.starts_with("missing field") {
            let key = quoted.first().copied().unwrap_or_default();
            return Diagnostic::error(WRONG_VALUE, format!("`{key}` is missing"), span, "here");
        }
        let key = steps.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Item(_) => None,
        });
        let takes = format!("`{}` takes {}", key.unwrap_or("the file"), expected(message));
        let diagnostic = Diagnostic::error(WRONG_VALUE, takes, span, "this is of another kind");
        let number = message.strip_prefix("invalid type: integer `").and_then(|rest| rest.split_once('`'));
        match (key, number) {
            (Some(key), Some((number, _))) if DURATIONS.contains(&key) => {
                diagnostic.help(format!("a duration has a unit, such as `{number}s`")).fix(span, format!("{number}s"))
            }
            _ => diagnostic,
        }
    }
}

/// Flags of the command line of which the setting has another name.
const FLAGS: [(&str, &str); 2] = [("time_field", "time: {fields: …}"), ("time_format", "time: {format: …}")];

/// Settings that take a duration.
const DURATIONS: [&str; 9] =
    ["lateness", "idle", "max_future", "drain", "checkpoint_every", "retain", "timeout", "age", "max_wait"];

/// What a setting takes, from what a deserializer says that it expects.
fn expected(message: &str) -> String {
    let expected = message.rsplit_once("expected ").map_or("", |(_, expected)| expected);
    match expected {
        "usize" | "u64" | "u32" | "u16" => "a whole number that is not too large".to_owned(),
        "a string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        words if words.starts_with("struct ") => "a map of settings".to_owned(),
        "" if message.contains("OneOrMany") => "a text, or a list of texts".to_owned(),
        "" => "something of another form".to_owned(),
        other => other.to_owned(),
    }
}

/// A problem whose line is not shown: it may hold a secret.
fn hidden(code: Code, text: &str, span: Span, message: &str) -> Diagnostic {
    let line = text[..span.start as usize].matches('\n').count() + 1;
    Diagnostic::error(code, format!("line {line}: {message}"), Span::new(span.source, 0, 0), "")
}

/// A problem of the text itself.
fn of_config(problem: &Diagnostic, text: &str) -> Diagnostic {
    let span = problem.labels[0].span;
    if problem.code == REPEATED_KEY {
        let message = format!("`{}` is set twice", &text[span.range()]);
        return Diagnostic::error(UNKNOWN_KEY, message, span, "again here").help("keep one of them");
    }
    let diagnostic = Diagnostic::error(NOT_YAML, problem.message.clone(), span, "here");
    match &problem.help {
        Some(help) => diagnostic.help(help.clone()),
        None => diagnostic,
    }
}

/// A step down a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Item(usize),
}

fn steps(path: &Path) -> Vec<Step> {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(Step::Item(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().filter_map(step).collect()
}

/// Takes out what stands at the end of a path. An item of a list leaves nothing in its place, so that others keep theirs.
fn remove(value: &mut Value, steps: &[Step]) -> bool {
    let Some((last, before)) = steps.split_last() else { return false };
    let mut at = value;
    for step in before {
        let next = match (step, at) {
            (Step::Key(key), Value::Mapping(map)) => map.get_mut(key.as_str()),
            (Step::Item(n), Value::Sequence(items)) => items.get_mut(*n),
            _ => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    match (last, at) {
        (Step::Key(key), Value::Mapping(map)) => map.remove(key.as_str()).is_some(),
        (Step::Item(n), Value::Sequence(items)) => match items.get_mut(*n) {
            Some(item) => {
                let empty = Value::Mapping(serde_yaml::Mapping::new());
                let was = std::mem::replace(item, empty.clone());
                // An item that cannot even be empty makes the whole list unusable.
                if was == empty {
                    items.clear();
                }
                true
            }
            None => false,
        },
        _ => false,
    }
}

fn value(node: &Node) -> Value {
    match &node.kind {
        NodeKind::List(items) => Value::Sequence(items.iter().map(value).collect()),
        NodeKind::Map(entries) => {
            let pairs = entries.iter().map(|entry| (Value::String(entry.key.value.clone()), value(&entry.value)));
            Value::Mapping(pairs.collect())
        }
        NodeKind::Scalar(scalar) => match scalar.resolve() {
            Resolved::Null => Value::Null,
            Resolved::Bool(value) => Value::Bool(value),
            Resolved::Float(value) => Value::Number(value.into()),
            Resolved::Int(value) => match (u64::try_from(value), i64::try_from(value)) {
                (Ok(value), _) => Value::Number(value.into()),
                (_, Ok(value)) => Value::Number(value.into()),
                _ => Value::String(scalar.text.clone()),
            },
            Resolved::Str => Value::String(scalar.text.clone()),
        },
    }
}

/// The value of the first key of this name in a node, or the key itself if that is a list or a map.
fn within(node: &Node, key: &str) -> Option<Span> {
    match &node.kind {
        NodeKind::Scalar(_) => None,
        NodeKind::List(items) => items.iter().find_map(|item| within(item, key)),
        NodeKind::Map(entries) => {
            let own = entries.iter().find(|entry| entry.key.value == key).map(|entry| match entry.value.kind {
                NodeKind::Scalar(_) if entry.value.span.start < entry.value.span.end => entry.value.span,
                _ => entry.key.span,
            });
            own.or_else(|| entries.iter().find_map(|entry| within(&entry.value, key)))
        }
    }
}

fn first_word(node: &Node) -> Option<Span> {
    match &node.kind {
        NodeKind::Scalar(_) => Some(node.span),
        NodeKind::List(items) => items.first().and_then(first_word),
        NodeKind::Map(entries) => entries.first().map(|entry| entry.key.span),
    }
}
