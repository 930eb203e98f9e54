//! Bodies of webhook requests: JSON with places that an alert fills.
//!
//! ```yaml
//! body:
//!   text: "{severity}: {message}"      # a text with parts of the alert in it
//!   user: "{key.user}"                 # a part alone keeps its kind: a number stays a number
//!   all: "{alert}"                     # the whole alert
//! ```
//! The tree is filled, not its text, so whatever an alert holds, the body stays JSON of the same shape. `{{` and `}}`
//! stand for braces. What an alert does not have is an empty text, or `null` alone.

use serde_json::{Map, Value};

use super::markup::Markup;
use crate::alert::Alert;
use crate::alert::format::{Format, words};
use crate::io::deliver::Letter;

/// What may stand in braces, perhaps with a dot and a name after it.
const PARTS: &[&str] = &[
    "alert",
    "id",
    "rule",
    "title",
    "severity",
    "time",
    "message",
    "status",
    "tags",
    "key",
    "values",
    "events",
    "about",
    "suppressed",
    "notes",
    "repeat",
    "resolved_by",
];

/// A body to be filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Plain(Value),
    /// A part alone: its value.
    Part(String),
    Text(Vec<Piece>),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Part(String),
}

impl Template {
    /// Reads a body.
    ///
    /// # Errors
    /// Says in words which text cannot be read.
    pub fn new(body: &Value) -> Result<Self, String> {
        Ok(Self { root: node(body)? })
    }

    /// The body for an alert.
    pub fn fill(&self, letter: &Letter, markup: Markup) -> Value {
        fill(&self.root, &parts(letter), markup)
    }
}

fn node(body: &Value) -> Result<Node, String> {
    Ok(match body {
        Value::String(text) => match &mut pieces(text)?[..] {
            [] => Node::Plain(Value::from("")),
            [Piece::Text(text)] => Node::Plain(Value::from(std::mem::take(text))),
            [Piece::Part(part)] => Node::Part(std::mem::take(part)),
            pieces => Node::Text(pieces.to_vec()),
        },
        Value::Array(items) => Node::List(items.iter().map(node).collect::<Result<_, _>>()?),
        Value::Object(members) => Node::Object(
            members.iter().map(|(name, value)| Ok((name.clone(), node(value)?))).collect::<Result<_, String>>()?,
        ),
        plain => Node::Plain(plain.clone()),
    })
}

/// A text cut at its braces.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let brace = &rest[at..];
        if brace.starts_with("{{") || brace.starts_with("}}") {
            plain.push_str(&brace[..1]);
            rest = &brace[2..];
            continue;
        }
        let end = brace.find('}').filter(|_| brace.starts_with('{'));
        let Some(end) = end else { return Err(format!("`{text}` has a brace alone: write `{{{{` or `}}}}` for one")) };
        let part = brace[1..end].trim();
        let head = part.split('.').next().unwrap_or_default();
        if !PARTS.contains(&head) {
            return Err(format!("`{{{part}}}`: an alert has no `{head}`; it has {}", PARTS.join(", ")));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Part(part.to_owned()));
        rest = &brace[end + 1..];
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

/// The alert as it is written to files, and what is derived from it.
fn parts(letter: &Letter) -> Value {
    let alert: &Alert = &letter.alert;
    let whole: Value = serde_json::from_str(&letter.text(Format::Json)).unwrap_or_default();
    let mut parts = whole.as_object().cloned().unwrap_or_default();
    parts.insert("alert".to_owned(), whole);
    parts.insert("title".to_owned(), words::title(alert).into());
    parts.insert("message".to_owned(), words::message(alert).into());
    parts.insert("status".to_owned(), words::status(alert).into());
    Value::Object(parts)
}

/// The value at a path; a name may hold dots itself.
fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let Value::Object(members) = value else { return None };
    if let Some(found) = members.get(path) {
        return Some(found);
    }
    path.match_indices('.').rev().find_map(|(at, _)| find(members.get(&path[..at])?, &path[at + 1..]))
}

fn fill(node: &Node, parts: &Value, markup: Markup) -> Value {
    match node {
        Node::Plain(value) => value.clone(),
        Node::Part(part) => match find(parts, part) {
            Some(Value::String(text)) => markup.escape(text).into(),
            Some(value) => value.clone(),
            None => Value::Null,
        },
        Node::Text(pieces) => {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Piece::Text(plain) => text.push_str(plain),
                    Piece::Part(part) => match find(parts, part) {
                        Some(Value::String(value)) => text.push_str(&markup.escape(value)),
                        Some(Value::Null) | None => {}
                        Some(value) => text.push_str(&markup.escape(&value.to_string())),
                    },
                }
            }
            text.into()
        }
        Node::List(items) => items.iter().map(|item| fill(item, parts, markup)).collect(),
        Node::Object(members) => {
            let filled = members.iter().map(|(name, node)| (name.clone(), fill(node, parts, markup)));
            Value::Object(filled.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Value as V;
    use crate::io::deliver::sink::test_letter;

    fn filled(body: Value) -> Value {
        let mut letter = test_letter("00ff", "brute_force");
        let alert = std::sync::Arc::make_mut(&mut letter.alert);
        alert.key =
            vec![("source.ip".to_owned(), V::Str("192.0.2.7\", \"x\": \"".into())), ("n".to_owned(), V::Int(3))];
        Template::new(&body).expect("a body").fill(&letter, Markup::Plain)
    }

    #[test]
    fn parts_are_filled_and_the_shape_stays() {
        let body = serde_json::json!({
            "text": "{{{severity}}} {rule}: {key.source.ip}{key.other}",
            "n": "{key.n}", "none": "{key.other}", "list": ["{id}", 7, true], "plain": "as it is",
        });
        assert_eq!(
            filled(body),
            serde_json::json!({
                "text": "{medium} brute_force: 192.0.2.7\", \"x\": \"",
                "n": 3, "none": null, "list": ["00ff", 7, true], "plain": "as it is",
            })
        );
        assert_eq!(filled(serde_json::json!({"a": "{alert}"}))["a"]["rule"], "brute_force");
    }

    #[test]
    fn what_an_alert_does_not_have_is_an_error() {
        for (wrong, words) in [("{sevrity}", "has no `sevrity`"), ("a {", "a brace alone"), ("} b", "a brace alone")] {
            let error = Template::new(&wrong.into()).expect_err(wrong);
            assert!(error.contains(words), "{error}");
        }
    }
}
