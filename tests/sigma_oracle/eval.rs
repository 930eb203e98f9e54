//! Sigma detections as the specification describes them, and their meaning over one event.
//!
//! Every value is a text: a number by its digits, a bool by its word. A list in an event holds if one element does.

use serde_json::Value;

/// A rule.
pub struct Rule {
    pub selections: Vec<(String, Search)>,
    pub conditions: Vec<Condition>,
}

/// What a selection looks for.
pub enum Search {
    Map(Vec<Item>),
    Maps(Vec<Vec<Item>>),
    Keywords(Vec<Wanted>, bool),
}

/// A field with its modifiers and values.
pub struct Item {
    pub field: &'static str,
    pub test: Test,
    pub all: bool,
    pub neq: bool,
    pub cased: bool,
    pub values: Vec<Wanted>,
}

/// How a value is compared.
#[derive(Clone, Copy, PartialEq)]
pub enum Test {
    Equal,
    Contains,
    StartsWith,
    EndsWith,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Exists,
    Field,
    WinDash,
    Hour,
}

/// A value of a rule.
#[derive(Clone)]
pub enum Wanted {
    Null,
    Bool(bool),
    Int(i64),
    /// A text: plain characters and wildcards.
    Text(Vec<Piece>),
}

/// A character of a text.
#[derive(Clone, Copy, PartialEq)]
pub enum Piece {
    Plain(char),
    Star,
    Question,
}

/// A condition over selections.
pub enum Condition {
    Name(String),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
    /// `n of pattern`; none is all.
    Of(Option<usize>, String),
}

pub fn matches(rule: &Rule, event: &Value) -> bool {
    rule.conditions.iter().any(|condition| holds(condition, rule, event))
}

fn holds(condition: &Condition, rule: &Rule, event: &Value) -> bool {
    match condition {
        Condition::Name(name) => {
            let (_, search) = rule.selections.iter().find(|(n, _)| n == name).expect("a selection");
            found(search, event)
        }
        Condition::Not(inner) => !holds(inner, rule, event),
        Condition::And(parts) => parts.iter().all(|part| holds(part, rule, event)),
        Condition::Or(parts) => parts.iter().any(|part| holds(part, rule, event)),
        Condition::Of(count, pattern) => {
            let meant = |name: &str| match pattern.strip_suffix('*') {
                None => !name.starts_with('_'),
                Some(head) => name.starts_with(head),
            };
            let of: Vec<bool> =
                rule.selections.iter().filter(|(name, _)| meant(name)).map(|(_, s)| found(s, event)).collect();
            let hits = of.iter().filter(|hit| **hit).count();
            hits >= count.unwrap_or(of.len())
        }
    }
}

fn found(search: &Search, event: &Value) -> bool {
    match search {
        Search::Map(items) => items.iter().all(|item| item_holds(item, event)),
        Search::Maps(maps) => maps.iter().any(|items| items.iter().all(|item| item_holds(item, event))),
        Search::Keywords(words, all) => {
            let mut texts = Vec::new();
            every_text(event, &mut texts);
            let held = |word: &Wanted| texts.iter().any(|text| glob(&surrounded(word, true, true), text, false));
            if *all { words.iter().all(held) } else { words.iter().any(held) }
        }
    }
}

fn every_text(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| every_text(item, out)),
        Value::Object(fields) => fields.values().for_each(|field| every_text(field, out)),
        other => out.extend(text_of(other)),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The text of a value as a whole: a list or object as it is written in JSON.
fn whole(value: &Value) -> Option<String> {
    text_of(value).or_else(|| (!value.is_null()).then(|| value.to_string()))
}

fn item_holds(item: &Item, event: &Value) -> bool {
    let value = event.get(item.field).filter(|value| !value.is_null());
    let one = |wanted: &Wanted| wanted_holds(item, wanted, value, event);
    let held = if item.all { item.values.iter().all(one) } else { item.values.iter().any(one) };
    held != item.neq
}

fn wanted_holds(item: &Item, wanted: &Wanted, value: Option<&Value>, event: &Value) -> bool {
    if let (Test::Exists, Wanted::Bool(there)) = (item.test, wanted) {
        return value.is_some() == *there;
    }
    if let (Wanted::Null, Test::Equal) = (wanted, item.test) {
        return value.is_none();
    }
    let Some(value) = value else { return false };
    let scalars: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok().filter(|_| text.chars().any(|c| c.is_ascii_digit())),
        _ => None,
    };
    let limit = if let Wanted::Int(limit) = wanted { *limit as f64 } else { 0.0 };
    let texts = || scalars.iter().filter_map(|value| text_of(value));
    let like = |start, end| texts().any(|text| glob(&surrounded(wanted, start, end), &text, item.cased));
    match item.test {
        // A pattern of stars alone asks whether the field is there.
        Test::Equal | Test::Contains | Test::StartsWith | Test::EndsWith if only_stars(item.test, wanted) => true,
        Test::Equal => like(false, false),
        Test::Contains => like(true, true),
        Test::StartsWith => like(false, true),
        Test::EndsWith => like(true, false),
        Test::Less => scalars.iter().any(|value| number(value).is_some_and(|n| n < limit)),
        Test::AtMost => scalars.iter().any(|value| number(value).is_some_and(|n| n <= limit)),
        Test::Greater => scalars.iter().any(|value| number(value).is_some_and(|n| n > limit)),
        Test::AtLeast => scalars.iter().any(|value| number(value).is_some_and(|n| n >= limit)),
        Test::WinDash => ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'].iter().any(|dash| {
            let Wanted::Text(pieces) = surrounded_wanted(wanted) else { return false };
            let dashed: Vec<Piece> =
                pieces.iter().map(|p| if *p == Piece::Plain('-') { Piece::Plain(*dash) } else { *p }).collect();
            texts().any(|text| glob(&dashed, &text, item.cased))
        }),
        Test::Field => {
            let Wanted::Text(pieces) = wanted else { return false };
            let name: String =
                pieces.iter().filter_map(|p| if let Piece::Plain(c) = p { Some(*c) } else { None }).collect();
            let other = event.get(&name).and_then(whole);
            let fold = |text: String| if item.cased { text } else { text.to_lowercase() };
            match (whole(value), other) {
                (Some(mine), Some(other)) => fold(mine) == fold(other),
                _ => false,
            }
        }
        Test::Hour => value.as_str().and_then(|text| text.get(11..13)?.parse::<f64>().ok()) == Some(limit),
        Test::Exists => false,
    }
}

fn surrounded_wanted(wanted: &Wanted) -> Wanted {
    Wanted::Text(surrounded(wanted, true, true))
}

fn only_stars(test: Test, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Text(pieces) => {
            (test != Test::Equal || !pieces.is_empty()) && pieces.iter().all(|piece| *piece == Piece::Star)
        }
        _ => false,
    }
}

/// The pieces of a value, perhaps with a star before and behind.
fn surrounded(wanted: &Wanted, before: bool, behind: bool) -> Vec<Piece> {
    let plain = |text: String| text.chars().map(Piece::Plain).collect::<Vec<_>>();
    let pieces = match wanted {
        Wanted::Text(pieces) => pieces.clone(),
        Wanted::Int(number) => plain(number.to_string()),
        Wanted::Bool(flag) => plain(flag.to_string()),
        Wanted::Null => Vec::new(),
    };
    let star = |wanted: bool| wanted.then_some(Piece::Star);
    star(before).into_iter().chain(pieces).chain(star(behind)).collect()
}

/// Plain backtracking over characters.
fn glob(pieces: &[Piece], text: &str, cased: bool) -> bool {
    fn from(pieces: &[Piece], text: &[char], same: &dyn Fn(char, char) -> bool) -> bool {
        match pieces {
            [] => text.is_empty(),
            [Piece::Star, rest @ ..] => (0..=text.len()).any(|at| from(rest, &text[at..], same)),
            [Piece::Question, rest @ ..] => !text.is_empty() && from(rest, &text[1..], same),
            [Piece::Plain(c), rest @ ..] => text.first().is_some_and(|t| same(*c, *t)) && from(rest, &text[1..], same),
        }
    }
    let text: Vec<char> = text.chars().collect();
    from(pieces, &text, &|a, b| a == b || (!cased && a.to_lowercase().eq(b.to_lowercase())))
}
