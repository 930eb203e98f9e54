//! A TOML or JSON file as one kind of tree, with the bytes that each value stands at.
//!
//! Texts know the place of every character, escapes resolved, so that a report about a query inside of one points at
//! the right column of the file.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use super::text::Embedded;
use crate::diag::Diagnostic;
use crate::diag::codes::eql as codes;
use crate::syntax::source::{SourceId, Span};

/// Nesting of a JSON file; TOML's parser has a bound of its own.
const MAX_DEPTH: usize = 32;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

/// The forms of values.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// `null`, a date, or what nobody asks for.
    Other,
    Bool(bool),
    Number(f64),
    Text(Embedded),
    List(Vec<Value>),
    Table(BTreeMap<String, Value>),
}

impl Value {
    /// A member of a table, if that is not `null`.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Table(table) => table.get(key).filter(|v| !matches!(v.kind, Kind::Other)),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&Embedded> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> &[Self] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }
}

fn unreadable(message: String, span: Span) -> Box<Diagnostic> {
    let problem = Diagnostic::error(codes::NOT_READABLE, message, span, "here");
    Box::new(problem.help("mend this; nothing in the file is read before"))
}

/// Reads a TOML file.
pub(super) fn toml(source: SourceId, text: &str) -> Result<Value, Box<Diagnostic>> {
    match DeTable::parse(text) {
        Ok(table) => {
            let span = table.span();
            Ok(of_toml(source, text, &DeValue::Table(table.into_inner()), span))
        }
        Err(error) => {
            let range = error.span().unwrap_or(0..0);
            let message = format!("this is no TOML: {}", error.message().trim().replace('\n', ", "));
            Err(unreadable(message, Span::new(source, range.start, range.end)))
        }
    }
}

fn of_toml(source: SourceId, text: &str, value: &DeValue<'_>, range: std::ops::Range<usize>) -> Value {
    let span = Span::new(source, range.start, range.end);
    let kind = match value {
        DeValue::String(_) => Kind::Text(toml_text(source, text, range)),
        DeValue::Integer(n) => n.as_str().parse().map_or(Kind::Other, Kind::Number),
        DeValue::Float(x) => x.as_str().parse().map_or(Kind::Other, Kind::Number),
        DeValue::Boolean(b) => Kind::Bool(*b),
        DeValue::Datetime(_) => Kind::Other,
        DeValue::Array(items) => {
            Kind::List(items.iter().map(|item| of_toml(source, text, item.get_ref(), item.span())).collect())
        }
        DeValue::Table(table) => Kind::Table(
            table
                .iter()
                .map(|(key, item)| (key.get_ref().to_string(), of_toml(source, text, item.get_ref(), item.span())))
                .collect(),
        ),
    };
    Value { kind, span }
}

/// The text at a place, which is a string of one of TOML's four forms.
fn toml_text(source: SourceId, text: &str, range: std::ops::Range<usize>) -> Embedded {
    let raw = &text[range.clone()];
    let long = raw.starts_with("\"\"\"") || raw.starts_with("'''");
    let quote = if long { 3 } else { 1 };
    let (mut start, end) = (range.start + quote, (range.end - quote).max(range.start + quote));
    if long {
        start += if text[start..].starts_with("\r\n") { 2 } else { usize::from(text[start..].starts_with('\n')) };
    }
    if raw.starts_with('\'') {
        return Embedded::plain(source, &text[start..end.max(start)], start);
    }
    let mut out = Embedded::empty(source, start);
    let mut at = start;
    while at < end {
        let plain = text[at..end].find('\\').map_or(end, |n| at + n);
        if plain > at {
            out.push(&text[at..plain], at, plain);
        }
        if plain == end {
            break;
        }
        let rest = &text[plain + 1..end];
        let Some(letter) = rest.chars().next() else { break };
        let hex = |digits: usize| rest.get(1..=digits).and_then(|d| u32::from_str_radix(d, 16).ok());
        let (value, length) = match letter {
            'b' => (Some('\u{8}'), 1),
            't' => (Some('\t'), 1),
            'n' => (Some('\n'), 1),
            'f' => (Some('\u{c}'), 1),
            'r' => (Some('\r'), 1),
            'e' => (Some('\u{1b}'), 1),
            'x' => (hex(2).and_then(char::from_u32), 3),
            'u' => (hex(4).and_then(char::from_u32), 5),
            'U' => (hex(8).and_then(char::from_u32), 9),
            c if c.is_whitespace() => (None, rest.len() - rest.trim_start().len()),
            c => (Some(c), c.len_utf8()),
        };
        let to = (plain + 1 + length).min(end);
        out.push(value.map(String::from).as_deref().unwrap_or(""), plain, to);
        at = to;
    }
    out
}

/// Reads a JSON file, or one with a value on each line.
pub(super) fn json(source: SourceId, text: &str) -> Result<Vec<Value>, Box<Diagnostic>> {
    let mut out = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    while let Some(next) = stream.next() {
        let at = stream.byte_offset();
        let raw = next.map_err(|error| {
            let message = format!("this is no JSON: {}", error.to_string().split(" at line").next().unwrap_or(""));
            unreadable(message, one_at(source, text, at))
        })?;
        out.push(
            of_json(source, text, raw, 0)
                .ok_or_else(|| unreadable("this is nested too deeply".to_owned(), one_at(source, text, at)))?,
        );
    }
    Ok(out)
}

/// The character at or behind a byte.
fn one_at(source: SourceId, text: &str, at: usize) -> Span {
    let start = (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let end = start + text[start..].chars().next().map_or(0, char::len_utf8);
    Span::new(source, start, end)
}

fn of_json(source: SourceId, text: &str, raw: &RawValue, depth: usize) -> Option<Value> {
    let written = raw.get();
    // A raw value borrows from the text.
    let start = written.as_ptr() as usize - text.as_ptr() as usize;
    let span = Span::new(source, start, start + written.len());
    if depth > MAX_DEPTH {
        return None;
    }
    let kind = match written.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(written).ok()?;
            let members = members.into_iter().map(|(k, v)| Some((k, of_json(source, text, v, depth + 1)?)));
            Kind::Table(members.collect::<Option<_>>()?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(written).ok()?;
            Kind::List(items.into_iter().map(|v| of_json(source, text, v, depth + 1)).collect::<Option<_>>()?)
        }
        Some(b'"') => Kind::Text(json_text(source, written, start)),
        Some(b't' | b'f') => Kind::Bool(written == "true"),
        Some(b'n') | None => Kind::Other,
        Some(_) => written.parse().map_or(Kind::Other, Kind::Number),
    };
    Some(Value { kind, span })
}

fn json_text(source: SourceId, written: &str, start: usize) -> Embedded {
    let mut out = Embedded::empty(source, start + 1);
    let end = written.len() - 1;
    let mut at = 1;
    while at < end {
        let plain = written[at..end].find('\\').map_or(end, |n| at + n);
        if plain > at {
            out.push(&written[at..plain], start + at, start + plain);
        }
        if plain == end {
            break;
        }
        // Two halves of a character outside of the first plane stand behind each other.
        let pair = written[plain..end].get(..12).filter(|p| p[6..].starts_with("\\u"));
        let one = match written.as_bytes().get(plain + 1) {
            Some(b'u') => written[plain..end].get(..6),
            _ => written[plain..end].get(..2),
        };
        let read =
            |escape: &str| serde_json::from_str::<String>(&format!("\"{escape}\"")).ok().map(|v| (v, escape.len()));
        let (value, length) = one
            .and_then(read)
            .or_else(|| pair.and_then(read))
            .unwrap_or_else(|| ("\u{fffd}".to_owned(), one.map_or(end - plain, str::len)));
        out.push(&value, start + plain, start + plain + length);
        at = plain + length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_know_their_places() {
        let toml_file = "a = \"x\\ty\"\nb = '''\nno \\escapes'''\nc = \"\"\"\none \\\n   two\"\"\"\n";
        let tree = toml(SourceId(0), toml_file).expect("TOML");
        let text = |key: &str| tree.get(key).and_then(Value::text).expect("a text").clone();
        assert_eq!((text("a").text.as_str(), text("a").span(2, 3).range()), ("x\ty", 8..9));
        assert_eq!(text("b").text, "no \\escapes");
        assert_eq!(&toml_file[text("b").span(3, 11).range()], "\\escapes");
        assert_eq!(text("c").text, "one two");
        assert_eq!(&toml_file[text("c").span(4, 7).range()], "two");
        let json_file = r#"{"q": "a\"b\u00e9 \ud83d\ude00!"}"#;
        let tree = &json(SourceId(0), json_file).expect("JSON")[0];
        let text = tree.get("q").and_then(Value::text).expect("a text");
        assert_eq!(text.text, "a\"b\u{e9} \u{1f600}!");
        assert_eq!(&json_file[text.span(text.text.len() - 1, text.text.len()).range()], "!");
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        assert!(toml(SourceId(0), "a = ").is_err());
        assert!(json(SourceId(0), "{\"a\": }").is_err());
        assert!(json(SourceId(0), &"[".repeat(1000)).is_err());
        assert!(json(SourceId(0), &format!("{}{}", "[".repeat(100), "]".repeat(100))).is_err());
    }
}
