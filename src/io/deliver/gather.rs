//! Storms and groups: many alerts become one that says how many.
//!
//! A pile is opened by the first alert of its group and closed after a span. The first `pass` alerts of a pile go
//! through as they come; the rest is held and counted, and said in one summary when the pile is closed. Grouping
//! passes none, a rate limit passes some, and both are this.
//!
//! ```text
//! alerts of a group   a b c d e f ─ ─ ─ ─ ─ ─ ─ │ g
//! pass 2              a b                       S g      S: "4 more", with the ids and times of c … f
//! pass 0                                        S        S: "6", a … f; one alert alone is sent as it is
//! ```
//! The span is measured in event time, so that a replay gives the same summaries; a pile that no further alert closes
//! is closed by the clock. Invariant: every alert is passed on or counted in exactly one summary.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration as Clock;

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Severity};
use crate::base::{Duration, Timestamp, Value};

/// Ids that a summary names.
const NAMED: usize = 10;
/// Keys that a summary counts apart.
const KEYS: usize = 10;
/// Piles that are open at a time; of more, the oldest is closed early.
const PILES: usize = 10_000;
/// The tag that tells summaries from other alerts.
pub const TAG: &str = "tripline.summary";

/// What alerts of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The rule.
    Rule,
    /// The severity.
    Severity,
    /// The whole key.
    Key,
    /// A component of the key, or a value, of this name.
    Named(String),
}

/// How alerts are gathered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathering {
    /// What alerts of a pile have in common.
    pub by: Vec<By>,
    /// How many of a pile go through.
    pub pass: u64,
    /// How long a pile is open.
    pub span: Duration,
}

/// The open piles of one output.
#[derive(Debug)]
pub struct Gather {
    how: Gathering,
    /// By the order in which they were opened, which is that of event time.
    piles: BTreeMap<u64, Pile>,
    found: HashMap<String, u64>,
    opened: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pile {
    group: String,
    since: Timestamp,
    /// Of the process: in another one the pile is open for its whole span again.
    #[serde(skip)]
    since_clock: Clock,
    passed: u64,
    held: u64,
    first: Option<Alert>,
    last: Timestamp,
    last_id: String,
    severity: Severity,
    ids: Vec<Value>,
    keys: BTreeMap<String, i64>,
    other_keys: i64,
}

impl Gather {
    /// No pile is open.
    pub fn new(how: Gathering) -> Self {
        Self { how, piles: BTreeMap::new(), found: HashMap::new(), opened: 0 }
    }

    /// The open piles as bytes; none if there is no pile.
    pub(super) fn save(&self) -> Vec<u8> {
        if self.piles.is_empty() {
            return Vec::new();
        }
        let piles: Vec<&Pile> = self.piles.values().collect();
        postcard::to_stdvec(&piles).expect("piles are plain data")
    }

    /// Puts back what [`Gather::save`] gave. Bytes that are no piles are passed over: how alerts are gathered may be
    /// another since.
    pub(super) fn restore(&mut self, saved: &[u8], now: Clock) {
        let piles: Vec<Pile> = postcard::from_bytes(saved).unwrap_or_default();
        for pile in piles {
            self.opened += 1;
            self.found.insert(pile.group.clone(), self.opened);
            self.piles.insert(self.opened, Pile { since_clock: now, ..pile });
        }
    }

    /// Takes an alert; what goes on is appended.
    pub fn take(&mut self, alert: Alert, now: Clock, out: &mut Vec<Alert>) {
        while let Some((n, _)) = self.piles.iter().next().filter(|(_, pile)| alert.time - pile.since >= self.how.span) {
            let n = *n;
            self.shut(n, out);
        }
        let group = self.group(&alert);
        if alert.notice.is_some() && self.how.pass == 0 {
            // What is said of an alert comes after the alert.
            if let Some(n) = self.found.get(&group).copied() {
                self.shut(n, out);
            }
            out.push(alert);
            return;
        }
        let n = match self.found.get(&group) {
            Some(n) => *n,
            None => {
                if self.piles.len() >= PILES
                    && let Some(oldest) = self.piles.keys().next().copied()
                {
                    self.shut(oldest, out);
                }
                self.opened += 1;
                self.found.insert(group.clone(), self.opened);
                self.piles.insert(self.opened, Pile::open(group, &alert, now));
                self.opened
            }
        };
        let Some(pile) = self.piles.get_mut(&n) else { return };
        if pile.passed < self.how.pass {
            pile.passed += 1;
            out.push(alert);
        } else {
            pile.hold(alert);
        }
    }

    /// Closes what has been open for its span by the clock.
    pub fn tick(&mut self, now: Clock, out: &mut Vec<Alert>) {
        while self.due().is_some_and(|due| due <= now) {
            let Some(n) = self.piles.keys().next().copied() else { return };
            self.shut(n, out);
        }
    }

    /// When the clock closes the next pile.
    pub fn due(&self) -> Option<Clock> {
        let oldest = self.piles.values().next()?;
        Some(oldest.since_clock.saturating_add(Clock::from_nanos(u64::try_from(self.how.span.0).unwrap_or(0))))
    }

    /// Closes everything.
    pub fn close(&mut self, out: &mut Vec<Alert>) {
        while let Some(n) = self.piles.keys().next().copied() {
            self.shut(n, out);
        }
    }

    fn shut(&mut self, n: u64, out: &mut Vec<Alert>) {
        let Some(pile) = self.piles.remove(&n) else { return };
        self.found.remove(&pile.group);
        out.extend(pile.summary());
    }

    /// What the alert has of the things that alerts of a pile share, each with its length.
    fn group(&self, alert: &Alert) -> String {
        let mut group = String::new();
        let mut add = |text: &str| write!(group, "{}:{text}", text.len()).expect("a String takes any text");
        for by in &self.how.by {
            match by {
                By::Rule => add(&alert.rule_name),
                By::Severity => add(alert.severity.as_str()),
                By::Key => add(&key_text(alert)),
                By::Named(name) => {
                    let value = alert.key.iter().chain(&alert.values).find(|(known, _)| known == name);
                    add(&value.map_or_else(String::new, |(_, value)| value.to_json().to_string()));
                }
            }
        }
        group
    }
}

impl Pile {
    fn open(group: String, alert: &Alert, now: Clock) -> Self {
        Self {
            group,
            since: alert.time,
            since_clock: now,
            passed: 0,
            held: 0,
            first: None,
            last: alert.time,
            last_id: String::new(),
            severity: alert.severity,
            ids: Vec::new(),
            keys: BTreeMap::new(),
            other_keys: 0,
        }
    }

    fn hold(&mut self, alert: Alert) {
        self.held += 1;
        self.severity = self.severity.max(alert.severity);
        self.last = alert.time;
        self.last_id.clone_from(&alert.id);
        if self.ids.len() < NAMED {
            self.ids.push(Value::Str(alert.id.as_str().into()));
        }
        let key = key_text(&alert);
        if self.keys.len() < KEYS || self.keys.contains_key(&key) {
            *self.keys.entry(key).or_default() += 1;
        } else {
            self.other_keys += 1;
        }
        self.first.get_or_insert(alert);
    }

    /// What is said of the alerts held: nothing of none, the alert itself of one that nothing was passed before.
    fn summary(self) -> Option<Alert> {
        let first = self.first?;
        if self.held == 1 && self.passed == 0 {
            return Some(first);
        }
        let more = if self.passed > 0 { " more" } else { "" };
        let what = first.title.as_deref().unwrap_or(&first.rule_name);
        let message = format!("{}{more} alerts from {} to {}: {what}", self.held, first.time, self.last);
        let mut tags = first.tags.to_vec();
        tags.push(TAG.to_owned());
        let mut keys: Vec<(Box<str>, Value)> =
            self.keys.into_iter().map(|(key, n)| (key.into_boxed_str(), Value::Int(n))).collect();
        if self.other_keys > 0 {
            keys.push(("others".into(), Value::Int(self.other_keys)));
        }
        let values = vec![
            ("message".to_owned(), Value::Str(message.into())),
            ("count".to_owned(), Value::integer(i128::from(self.held))),
            ("passed".to_owned(), Value::integer(i128::from(self.passed))),
            ("first".to_owned(), Value::Time(first.time)),
            ("last".to_owned(), Value::Time(self.last)),
            ("keys".to_owned(), Value::Object(keys.into_iter().collect())),
            ("ids".to_owned(), Value::List(self.ids.into_iter().collect())),
        ];
        let id = format!("summary {} {} {}", first.id, self.last_id, self.held);
        Some(Alert {
            id: format!("{:032x}", xxhash_rust::xxh3::xxh3_128(id.as_bytes())),
            severity: self.severity,
            tags: Arc::from(tags),
            time: self.last,
            key: Vec::new(),
            values,
            bound: Vec::new(),
            suppressed: 0,
            notes: Vec::new(),
            notice: None,
            ..first
        })
    }
}

/// The key as `name=value`, with blanks between.
fn key_text(alert: &Alert) -> String {
    let mut text = String::new();
    for (name, value) in &alert.key {
        let gap = if text.is_empty() { "" } else { " " };
        match value {
            Value::Str(value) => write!(text, "{gap}{name}={value}"),
            other => write!(text, "{gap}{name}={}", other.to_json()),
        }
        .expect("a String takes any text");
    }
    text
}
