//! Events of the oracle: a type letter, a time, two key fields, two number fields. Order is `(ts, seq)`.

/// Milliseconds since the start of a case.
pub type Ms = i64;

/// A value of a field or an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Val {
    Missing,
    Bool(bool),
    Num(f64),
    Str(String),
    Time(Ms),
    Span(Ms),
}

/// One event. Absent fields are `None`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Event {
    /// The line it came in, from 1.
    pub seq: usize,
    pub ts: Ms,
    pub class: String,
    pub k: Option<String>,
    pub j: Option<String>,
    pub v: Option<i64>,
    pub w: Option<i64>,
    /// A list of texts.
    pub t: Vec<String>,
}

/// The position of a tick: after all events of its time.
pub const TICK: usize = 1_000_000;

impl Event {
    /// A tick of the clock.
    pub fn tick(ts: Ms) -> Self {
        Self { seq: TICK, ts, class: "T".into(), ..Self::default() }
    }

    /// The virtual first event of `expect start`.
    pub fn expected(ts: Ms) -> Self {
        Self { ts, ..Self::default() }
    }

    /// Brought by time alone: of no key, and in no line.
    pub fn is_timed(&self) -> bool {
        self.seq == 0 || self.seq == TICK
    }

    /// The value of a field by name.
    pub fn field(&self, name: &str) -> Val {
        let text = |s: &Option<String>| s.clone().map_or(Val::Missing, Val::Str);
        let number = |n: Option<i64>| n.map_or(Val::Missing, |n| Val::Num(n as f64));
        match name {
            "k" => text(&self.k),
            "j" => text(&self.j),
            "v" => number(self.v),
            "w" => number(self.w),
            "type" => Val::Str(self.class.clone()),
            "@ts" => Val::Time(self.ts),
            _ => Val::Missing,
        }
    }

    /// The elements of a list field; a single value is a list of one.
    pub fn list(&self, name: &str) -> Vec<String> {
        match (name, self.field(name)) {
            ("t", _) => self.t.clone(),
            (_, Val::Str(text)) => vec![text],
            _ => vec![],
        }
    }

    /// The event as a line of JSON. Its time is an offset from `base` (epoch milliseconds).
    pub fn json(&self, base: Ms) -> String {
        let mut out = format!("{{\"ts\":{},\"type\":\"{}\"", base + self.ts, self.class);
        for (name, text) in [("k", &self.k), ("j", &self.j)] {
            if let Some(text) = text {
                out += &format!(",\"{name}\":\"{text}\"");
            }
        }
        for (name, number) in [("v", self.v), ("w", self.w)] {
            if let Some(number) = number {
                out += &format!(",\"{name}\":{number}");
            }
        }
        if !self.t.is_empty() {
            out += &format!(",\"t\":[{}]", self.t.iter().map(|t| format!("\"{t}\"")).collect::<Vec<_>>().join(","));
        }
        out + "}"
    }

    /// The event as it stands in a case: `A1@2s k=x v=3`.
    pub fn compact(&self) -> String {
        let mut out = format!("{}{}@{}", self.class, self.seq, duration(self.ts));
        for (name, text) in [("k", &self.k), ("j", &self.j)] {
            if let Some(text) = text {
                out += &format!(" {name}={text}");
            }
        }
        for (name, number) in [("v", self.v), ("w", self.w)] {
            if let Some(number) = number {
                out += &format!(" {name}={number}");
            }
        }
        if !self.t.is_empty() {
            out += &format!(" t={}", self.t.join("+"));
        }
        out
    }
}

/// A duration literal.
pub fn duration(ms: Ms) -> String {
    if ms % 60_000 == 0 && ms != 0 {
        format!("{}m", ms / 60_000)
    } else if ms % 1000 == 0 {
        format!("{}s", ms / 1000)
    } else {
        format!("{ms}ms")
    }
}
