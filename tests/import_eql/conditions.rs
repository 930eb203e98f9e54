//! EQL's conditions, made at random and evaluated straight from the documentation: three-valued, any element of an array.

use serde_json::{Map, Value, json};

/// Numbers from a seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }

    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// A condition.
pub enum Cond {
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Not(Box<Cond>),
    Compare(&'static str, Side, Side),
    IsNull(Side, bool),
    Among(Side, bool, bool, Vec<Value>),
    Like(Side, &'static str, Vec<&'static str>),
    Part(&'static str, bool, Side, &'static str),
    Bool(bool),
}

/// A value: a field, a constant, or something computed from one.
pub enum Side {
    Field(&'static str),
    Const(Value),
    Length(&'static str),
    Sub(&'static str, i64, Option<i64>),
    Sum(&'static str, char, i64),
    Text(&'static str),
    Index(&'static str, &'static str),
    Concat(&'static str, &'static str),
}

const TEXTS: [&str; 8] = ["", "a", "A", "ab", "Abc", "cmd.exe", "b[*]c", "x\\y"];
const GLOBS: [&str; 9] = ["a*", "*B*", "?", "a?c", "*", "ab", "b[*]c", "[?]", "*\\*"];
const FIELDS: [&str; 5] = ["s", "t", "n", "m", "u.s"];

pub fn side(r: &mut Random) -> Side {
    let any = r.of(&FIELDS);
    // What functions make of an array is not said.
    let field = r.of(&["s", "n", "m", "u.s"]);
    match r.below(10) {
        0 => Side::Length(field),
        1 => Side::Sub(field, r.below(7) as i64 - 3, [None, Some(r.below(7) as i64 - 3)][r.below(2)]),
        2 => Side::Sum(field, ['+', '-', '*', '%'][r.below(4)], r.below(4) as i64 + 1),
        3 => Side::Text(field),
        4 => Side::Index(field, r.of(&TEXTS[1..])),
        5 => Side::Concat(field, r.of(&TEXTS)),
        _ => Side::Field(any),
    }
}

fn constant(r: &mut Random) -> Value {
    match r.below(5) {
        0 => json!(r.below(4)),
        1 => json!(r.below(4) as f64 + 0.5),
        2 => json!(r.below(2) == 0),
        _ => json!(r.of(&TEXTS)),
    }
}

pub fn cond(r: &mut Random, depth: usize) -> Cond {
    match r.below(if depth == 0 { 7 } else { 11 }) {
        0 => Cond::IsNull(side(r), r.below(2) == 0),
        1 => {
            let list = (0..=r.below(3)).map(|_| constant(r)).collect();
            Cond::Among(side(r), r.below(2) == 0, r.below(2) == 0, list)
        }
        2 | 3 => {
            let patterns = (0..=r.below(3)).map(|_| r.of(&GLOBS)).collect();
            Cond::Like(side(r), r.of(&[":", "like", "like~"]), patterns)
        }
        4 => {
            let name = r.of(&["startsWith", "endsWith", "stringContains"]);
            Cond::Part(name, r.below(2) == 0, side(r), r.of(&TEXTS[1..]))
        }
        5 if r.below(4) == 0 => Cond::Bool(r.below(2) == 0),
        7 | 8 => Cond::And((0..2 + r.below(2)).map(|_| cond(r, depth - 1)).collect()),
        9 => Cond::Or((0..2 + r.below(2)).map(|_| cond(r, depth - 1)).collect()),
        10 => Cond::Not(Box::new(cond(r, depth - 1))),
        _ => {
            let op = r.of(&["==", "!=", "<", "<=", ">", ">="]);
            // What order `true` has among others is not said.
            let value = match constant(r) {
                Value::Bool(_) => json!(1),
                other => other,
            };
            Cond::Compare(op, side(r), Side::Const(value))
        }
    }
}

fn quoted(text: &str) -> String {
    json!(text).to_string()
}

impl Side {
    pub fn text(&self) -> String {
        match self {
            Self::Field(f) => (*f).to_owned(),
            Self::Const(v) => v.to_string(),
            Self::Length(f) => format!("length({f})"),
            Self::Sub(f, a, None) => format!("substring({f}, {a})"),
            Self::Sub(f, a, Some(b)) => format!("substring({f}, {a}, {b})"),
            Self::Sum(f, op, n) => format!("({f} {op} {n})"),
            Self::Text(f) => format!("string({f})"),
            Self::Index(f, part) => format!("indexOf({f}, {})", quoted(part)),
            Self::Concat(f, part) => format!("concat({f}, {})", quoted(part)),
        }
    }

    fn eval(&self, event: &Map<String, Value>) -> Value {
        let field = |name: &str| event.get(name).cloned().unwrap_or(Value::Null);
        let chars = |v: &Value| v.as_str().map(|s| s.chars().collect::<Vec<char>>());
        match self {
            Self::Field(f) => field(f),
            Self::Const(v) => v.clone(),
            Self::Length(f) => chars(&field(f)).map_or(Value::Null, |c| json!(c.len())),
            Self::Sub(f, a, b) => chars(&field(f)).map_or(Value::Null, |c| {
                let place = |n: i64| if n < 0 { (c.len() as i64 + n).max(0) } else { n.min(c.len() as i64) };
                let (a, b) = (place(*a) as usize, b.map_or(c.len(), |b| place(b) as usize));
                json!(if a < b { c[a..b].iter().collect::<String>() } else { String::new() })
            }),
            Self::Sum(f, op, n) => {
                let Some(x) = field(f).as_f64() else { return Value::Null };
                let n = *n as f64;
                json!(match op {
                    '+' => x + n,
                    '-' => x - n,
                    '*' => x * n,
                    _ => x % n,
                })
            }
            Self::Text(f) => text(&field(f)),
            Self::Index(f, part) => chars(&field(f)).map_or(Value::Null, |c| {
                let part: Vec<char> = part.chars().collect();
                c.windows(part.len()).position(|w| w == part).map_or(Value::Null, |at| json!(at))
            }),
            Self::Concat(f, part) => match text(&field(f)) {
                Value::String(s) => json!(format!("{s}{part}")),
                _ => Value::Null,
            },
        }
    }
}

fn text(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(s) => json!(s),
        Value::Number(n) if n.as_f64().is_some_and(|x| x.fract() == 0.0) => {
            json!(format!("{}", n.as_f64().unwrap_or(0.0)))
        }
        other => json!(other.to_string()),
    }
}

/// A test of one value, over any element of an array. `None` is null.
fn any(value: &Value, test: &dyn Fn(&Value) -> Option<bool>) -> Option<bool> {
    match value {
        Value::Null => None,
        Value::Array(items) => {
            let all: Vec<Option<bool>> = items.iter().map(test).collect();
            if all.contains(&Some(true)) { Some(true) } else { Some(false) }
        }
        one => test(one),
    }
}

fn equal(a: &Value, b: &Value, fold: bool) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x.as_f64() == y.as_f64(),
        (Value::String(x), Value::String(y)) if fold => x.to_lowercase() == y.to_lowercase(),
        (a, b) => a == b,
    }
}

fn glob(pattern: &[char], text: &[char]) -> bool {
    match pattern.first() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|n| glob(&pattern[1..], &text[n..])),
        Some('?') => !text.is_empty() && glob(&pattern[1..], &text[1..]),
        Some(c) => text.first() == Some(c) && glob(&pattern[1..], &text[1..]),
    }
}

impl Cond {
    pub fn text(&self) -> String {
        let list = |items: &[String]| format!("({})", items.join(", "));
        match self {
            Self::And(parts) => format!("({})", parts.iter().map(Self::text).collect::<Vec<_>>().join(" and ")),
            Self::Or(parts) => format!("({})", parts.iter().map(Self::text).collect::<Vec<_>>().join(" or ")),
            Self::Not(inner) => format!("not {}", inner.text()),
            Self::Compare(op, a, b) => format!("{} {op} {}", a.text(), b.text()),
            Self::IsNull(a, is) => format!("{} {} null", a.text(), if *is { "==" } else { "!=" }),
            Self::Among(a, fold, negated, items) => {
                let items: Vec<String> = items.iter().map(Value::to_string).collect();
                let word = format!("{}in{}", if *negated { "not " } else { "" }, if *fold { "~" } else { "" });
                format!("{} {word} {}", a.text(), list(&items))
            }
            Self::Like(a, op, patterns) => {
                let items: Vec<String> = patterns.iter().map(|p| quoted(p)).collect();
                let right = if items.len() == 1 { items[0].clone() } else { list(&items) };
                format!("{} {op} {right}", a.text())
            }
            Self::Part(name, fold, a, part) => {
                format!("{name}{}({}, {})", if *fold { "~" } else { "" }, a.text(), quoted(part))
            }
            Self::Bool(b) => b.to_string(),
        }
    }

    /// True, false, or null.
    pub fn eval(&self, event: &Map<String, Value>) -> Option<bool> {
        match self {
            Self::And(parts) => {
                let all: Vec<Option<bool>> = parts.iter().map(|p| p.eval(event)).collect();
                if all.contains(&Some(false)) { Some(false) } else { all.iter().all(Option::is_some).then_some(true) }
            }
            Self::Or(parts) => {
                let all: Vec<Option<bool>> = parts.iter().map(|p| p.eval(event)).collect();
                if all.contains(&Some(true)) {
                    Some(true)
                } else if all.iter().all(Option::is_some) {
                    Some(false)
                } else {
                    None
                }
            }
            Self::Not(inner) => inner.eval(event).map(|v| !v),
            Self::Bool(b) => Some(*b),
            Self::IsNull(a, is) => Some(a.eval(event).is_null() == *is),
            Self::Compare(op, a, b) => {
                let (a, b) = (a.eval(event), b.eval(event));
                match *op {
                    "==" => any(&a, &|x| Some(equal(x, &b, false))),
                    "!=" => any(&a, &|x| Some(equal(x, &b, false))).map(|v| !v),
                    op => any(&a, &|x| {
                        let order = match (x, &b) {
                            (Value::Number(x), Value::Number(y)) => x.as_f64()?.partial_cmp(&y.as_f64()?),
                            (Value::String(x), Value::String(y)) => Some(x.cmp(y)),
                            // A number and a text have no order: which is greater is missing, and `not` of it too.
                            _ => return None,
                        }?;
                        Some(match op {
                            "<" => order.is_lt(),
                            "<=" => order.is_le(),
                            ">" => order.is_gt(),
                            _ => order.is_ge(),
                        })
                    }),
                }
            }
            Self::Among(a, fold, negated, items) => {
                let found = any(&a.eval(event), &|x| Some(items.iter().any(|item| equal(x, item, *fold))));
                found.map(|v| v != *negated)
            }
            Self::Like(a, op, patterns) => {
                let fold = *op != "like";
                let chars = |s: &str| if fold { s.to_lowercase() } else { s.to_owned() }.chars().collect::<Vec<char>>();
                any(&a.eval(event), &|x| {
                    let text = chars(x.as_str()?);
                    Some(patterns.iter().any(|p| glob(&chars(p), &text)))
                })
            }
            Self::Part(name, fold, a, part) => {
                let change = |s: &str| if *fold { s.to_lowercase() } else { s.to_owned() };
                any(&a.eval(event), &|x| {
                    let (text, part) = (change(x.as_str()?), change(part));
                    Some(match *name {
                        "startsWith" => text.starts_with(&part),
                        "endsWith" => text.ends_with(&part),
                        _ => text.contains(&part),
                    })
                })
            }
        }
    }
}

/// An event with some of the fields; texts, numbers, arrays of texts, or nothing.
pub fn event(r: &mut Random) -> Map<String, Value> {
    let mut out = Map::new();
    for field in FIELDS {
        let value = match (field, r.below(6)) {
            (_, 0) => continue,
            (_, 1) => Value::Null,
            ("n" | "m", 2) => json!(r.below(4) as f64 + 0.5),
            ("n" | "m", _) => json!(r.below(5)),
            ("t", 2 | 3) => Value::Array((0..1 + r.below(3)).map(|_| json!(r.of(&TEXTS))).collect()),
            _ => json!(r.of(&TEXTS)),
        };
        out.insert(field.to_owned(), value);
    }
    out
}
