//! Random detections, how they are written in YAML, and random events that they may match.

use serde_json::{Value, json};

use super::eval::{Condition, Item, Piece, Rule, Search, Test, Wanted};

const FIELDS: [&str; 4] = ["Image", "Line", "Code", "when"];
const WORDS: [&str; 14] = ["a", "ab", "AB", "Ä", "4", "46", "1.5", "-e", "x -e y", r"C:\a", "a*b", "[?]", "true", ""];

pub struct Random(fastrand::Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    fn below(&mut self, n: usize) -> usize {
        self.0.usize(..n)
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn rule(&mut self) -> Rule {
        let count = 1 + self.below(4);
        let names: Vec<String> =
            (0..count).map(|i| format!("{}{i}", if self.chance(20) { "_f" } else { "sel" })).collect();
        let selections: Vec<(String, Search)> = names.iter().map(|name| (name.clone(), self.search())).collect();
        let conditions = (0..1 + usize::from(self.chance(10))).map(|_| self.condition(&names, 0)).collect();
        Rule { selections, conditions }
    }

    fn search(&mut self) -> Search {
        match self.below(8) {
            0 => {
                let all = self.chance(30);
                let words = (0..1 + self.below(2)).map(|_| self.scalar()).collect();
                Search::Keywords(words, all)
            }
            1 => Search::Maps((0..2).map(|_| self.items()).collect()),
            _ => Search::Map(self.items()),
        }
    }

    fn items(&mut self) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        for _ in 0..1 + self.below(2) {
            let item = self.item();
            if items.iter().all(|other| key(other) != key(&item)) {
                items.push(item);
            }
        }
        items
    }

    fn item(&mut self) -> Item {
        let test = [
            Test::Equal,
            Test::Equal,
            Test::Equal,
            Test::Contains,
            Test::Contains,
            Test::StartsWith,
            Test::EndsWith,
            Test::Less,
            Test::AtMost,
            Test::Greater,
            Test::AtLeast,
            Test::Exists,
            Test::Field,
            Test::WinDash,
            Test::Hour,
        ][self.below(15)];
        let text = matches!(test, Test::Equal | Test::Contains | Test::StartsWith | Test::EndsWith);
        let count = 1 + if text { self.below(3) } else { 0 };
        // Only there is a time in every form that is a text.
        let field = if test == Test::Hour { "when" } else { self.one(&FIELDS) };
        let values = (0..count)
            .map(|_| match test {
                Test::Equal => self.wanted(),
                Test::Contains | Test::StartsWith | Test::EndsWith => self.scalar(),
                Test::Exists => Wanted::Bool(self.chance(50)),
                Test::Field => Wanted::Text(self.one(&FIELDS).chars().map(Piece::Plain).collect()),
                Test::WinDash => Wanted::Text([' ', '-', 'e'].map(Piece::Plain).to_vec()),
                Test::Hour => Wanted::Int(self.below(3) as i64),
                _ => Wanted::Int([-1, 1, 4, 46][self.below(4)]),
            })
            .collect();
        let cased = (text || test == Test::Field) && self.chance(15);
        Item { field, test, all: text && self.chance(20), neq: self.chance(10), cased, values }
    }

    fn wanted(&mut self) -> Wanted {
        match self.below(10) {
            0 => Wanted::Null,
            1 => Wanted::Bool(self.chance(50)),
            2 => Wanted::Int([-1, 4, 46][self.below(3)]),
            _ => self.scalar(),
        }
    }

    /// A text, perhaps with wildcards.
    fn scalar(&mut self) -> Wanted {
        if self.chance(10) {
            return Wanted::Int([4, 46][self.below(2)]);
        }
        let word = self.one(&WORDS);
        let mut pieces: Vec<Piece> = word.chars().map(Piece::Plain).collect();
        for _ in 0..self.below(3) {
            let at = self.below(pieces.len() + 1);
            pieces.insert(at, if self.chance(60) { Piece::Star } else { Piece::Question });
        }
        Wanted::Text(pieces)
    }

    fn condition(&mut self, names: &[String], depth: usize) -> Condition {
        let pick = self.below(if depth > 3 { 4 } else { 12 });
        match pick {
            0 if names.iter().any(|name| !name.starts_with('_')) => {
                let among = names.iter().filter(|name| !name.starts_with('_')).count();
                Condition::Of(self.count(among), "them".to_owned())
            }
            1 if names.iter().any(|name| name.starts_with("sel")) => {
                let among = names.iter().filter(|name| name.starts_with("sel")).count();
                Condition::Of(self.count(among), "sel*".to_owned())
            }
            0..=5 => Condition::Name(names[self.below(names.len())].clone()),
            6..=7 => Condition::Not(Box::new(self.condition(names, depth + 1))),
            8..=9 => Condition::And((0..2).map(|_| self.condition(names, depth + 1)).collect()),
            _ => Condition::Or((0..2).map(|_| self.condition(names, depth + 1)).collect()),
        }
    }

    fn count(&mut self, among: usize) -> Option<usize> {
        self.chance(70).then(|| 1 + self.below(among))
    }

    pub fn event(&mut self) -> Value {
        let mut event = json!({});
        for field in FIELDS {
            let value = match self.below(10) {
                0 | 1 => continue,
                2 => Value::Null,
                3 => json!([self.plain(), self.plain()]),
                4 => json!({ "inner": self.plain() }),
                _ if field == "when" => json!(format!("2026-11-20T0{}:30:00Z", self.below(3))),
                _ => self.plain(),
            };
            event[field] = value;
        }
        event
    }

    fn plain(&mut self) -> Value {
        match self.below(8) {
            0 => json!([-1, 4, 46, 1460][self.below(4)]),
            1 => json!(1.5),
            2 => json!(self.chance(50)),
            3 => json!(format!("{}{}", self.one(&WORDS), self.one(&WORDS))),
            _ => json!(self.one(&WORDS)),
        }
    }
}

impl Rule {
    /// The rule as people write it.
    pub fn yaml(&self) -> String {
        let mut out = String::from("title: Case\nlogsource: {}\ndetection:\n");
        for (name, search) in &self.selections {
            out.push_str(&format!("  {name}:\n"));
            match search {
                Search::Map(items) => items.iter().for_each(|item| out.push_str(&format!("    {}\n", line(item)))),
                Search::Maps(maps) => {
                    for items in maps {
                        let lines: Vec<String> = items.iter().map(line).collect();
                        out.push_str(&format!("    - {}\n", lines.join("\n      ")));
                    }
                }
                Search::Keywords(words, all) => {
                    let words: Vec<String> = words.iter().map(value).collect();
                    let list = format!("[{}]", words.join(", "));
                    out.push_str(&if *all { format!("    '|all': {list}\n") } else { format!("    {list}\n") });
                }
            }
        }
        let conditions: Vec<String> =
            self.conditions.iter().map(|condition| format!("\"{}\"", text(condition))).collect();
        out.push_str(&format!("  condition: [{}]\n", conditions.join(", ")));
        out
    }
}

fn key(item: &Item) -> String {
    let mut key = item.field.to_owned();
    key.push_str(match item.test {
        Test::Equal => "",
        Test::Contains => "|contains",
        Test::StartsWith => "|startswith",
        Test::EndsWith => "|endswith",
        Test::Less => "|lt",
        Test::AtMost => "|lte",
        Test::Greater => "|gt",
        Test::AtLeast => "|gte",
        Test::Exists => "|exists",
        Test::Field => "|fieldref",
        Test::WinDash => "|windash|contains",
        Test::Hour => "|hour",
    });
    for (set, word) in [(item.all, "|all"), (item.neq, "|neq"), (item.cased, "|cased")] {
        if set {
            key.push_str(word);
        }
    }
    key
}

fn line(item: &Item) -> String {
    let values: Vec<String> = item.values.iter().map(value).collect();
    format!("{}: [{}]", key(item), values.join(", "))
}

/// A value in single quotes; wildcards that are meant literally, and all backslashes, are escaped.
fn value(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Null => "null".to_owned(),
        Wanted::Bool(flag) => flag.to_string(),
        Wanted::Int(number) => number.to_string(),
        Wanted::Text(pieces) => {
            let mut out = String::new();
            for piece in pieces {
                match piece {
                    Piece::Star => out.push('*'),
                    Piece::Question => out.push('?'),
                    Piece::Plain(c @ ('*' | '?' | '\\')) => out.extend(['\\', *c]),
                    Piece::Plain(c) => out.push(*c),
                }
            }
            format!("'{out}'")
        }
    }
}

fn text(condition: &Condition) -> String {
    let joined = |parts: &[Condition], word: &str| {
        let parts: Vec<String> = parts.iter().map(text).collect();
        format!("({})", parts.join(word))
    };
    match condition {
        Condition::Name(name) => name.clone(),
        Condition::Not(inner) => format!("not {}", text(inner)),
        Condition::And(parts) => joined(parts, " and "),
        Condition::Or(parts) => joined(parts, " or "),
        Condition::Of(count, pattern) => {
            format!("{} of {pattern}", count.map_or_else(|| "all".to_owned(), |n| n.to_string()))
        }
    }
}
