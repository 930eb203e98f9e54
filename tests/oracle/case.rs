//! Conformance cases as text: a rule, a stream, the matches expected of it.
//!
//! ```text
//! == a name
//! by k
//! match { a: A then b: B } within 5s
//! -- A1@0s k=x v=2 B2@5s k=x
//! -> [1,2] @5s key="x"
//! ```
//!
//! A stream's events are `LETTER[number]@time field=value …`, each of them a line of input; without a time it is
//! the number of seconds. A match is the list of its events' numbers, oldest first, or by step: `[a:1,2 b:3]`.
//! `resolved=4` is a notice that event 4 closed the alert, `repeat=1` the alert said again.
//! `-> none`, `-> pending 2`, `-> late 3` say the rest. `.. flush` and `.. lateness 2s` before the expectations
//! are settings of the run.

use super::event::{Event, Ms};
use super::parse;
use super::select::{Alert, Notice, Outcome, Settings};

#[derive(Clone, Debug, Default)]
pub struct Case {
    pub file: String,
    pub name: String,
    /// Clauses of the rule.
    pub rule: String,
    pub stream: Vec<Event>,
    pub settings: Settings,
    pub expected: Vec<Expected>,
    pub pending: Option<usize>,
    pub late: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Events by step name, or all together under the empty name.
    pub bound: Vec<(String, Vec<usize>)>,
    pub at: Option<Ms>,
    pub key: Option<String>,
    pub suppressed: Option<usize>,
    pub notice: Option<Notice>,
}

/// The cases of a file.
pub fn read(file: &str, text: &str) -> Vec<Case> {
    let mut out: Vec<Case> = vec![];
    for (n, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if let Some(name) = line.strip_prefix("== ") {
            out.push(Case { file: file.to_string(), name: name.to_string(), ..Case::default() });
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let case = out.last_mut().unwrap_or_else(|| panic!("{file}:{}: before the first case", n + 1));
        if let Some(stream) = line.strip_prefix("-- ") {
            events(stream, &mut case.stream);
        } else if let Some(setting) = line.strip_prefix(".. ") {
            match setting.split_once(' ') {
                None => case.settings.flush = setting == "flush",
                Some((_, d)) => case.settings.lateness = parse::span(d),
            }
        } else if let Some(expected) = line.strip_prefix("-> ") {
            expectation(expected, case);
        } else {
            case.rule += line;
            case.rule += "\n";
        }
    }
    out
}

fn events(text: &str, out: &mut Vec<Event>) {
    for word in text.split_whitespace() {
        if let Some((name, value)) = word.split_once('=') {
            let event = out.last_mut().expect("a field after its event");
            match name {
                "k" => event.k = Some(value.to_string()),
                "j" => event.j = Some(value.to_string()),
                "v" => event.v = Some(value.parse().expect("a number")),
                "t" => event.t = value.split('+').map(str::to_string).collect(),
                "w" => event.w = Some(value.parse().expect("a number")),
                other => panic!("no field {other}"),
            }
            continue;
        }
        let (head, time) = word.split_once('@').map_or((word, None), |(h, t)| (h, Some(t)));
        let digits = head.find(|c: char| c.is_ascii_digit()).unwrap_or(head.len());
        let seq = out.len() + 1;
        if digits < head.len() {
            assert_eq!(head[digits..].parse::<usize>().ok(), Some(seq), "{word} is event {seq}");
        }
        let ts = time.map_or(seq as Ms * 1000, |t| if t == "0" { 0 } else { parse::span(t) });
        out.push(Event { seq, ts, class: head[..digits].to_string(), ..Event::default() });
    }
}

fn expectation(text: &str, case: &mut Case) {
    if let Some(n) = text.strip_prefix("pending ") {
        case.pending = Some(n.parse().expect("a number"));
    } else if let Some(n) = text.strip_prefix("late ") {
        case.late = Some(n.parse().expect("a number"));
    } else if text != "none" {
        let mut rest = text;
        while let Some(open) = rest.strip_prefix('[') {
            let (list, after) = open.split_once(']').expect("a closing bracket");
            let bound = list.split_whitespace().map(|part| {
                let (name, numbers) = part.split_once(':').unwrap_or(("", part));
                (name.to_string(), numbers.split(',').map(|n| n.parse().expect("a number")).collect())
            });
            let mut expected = Expected { bound: bound.collect(), at: None, key: None, suppressed: None, notice: None };
            rest = after.trim_start();
            while !rest.is_empty() && !rest.starts_with('[') {
                let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
                if let Some(at) = word.strip_prefix('@') {
                    expected.at = Some(if at == "0" { 0 } else { parse::span(at) });
                } else if let Some(key) = word.strip_prefix("key=") {
                    expected.key = Some(key.to_string());
                } else if let Some(n) = word.strip_prefix("suppressed=") {
                    expected.suppressed = Some(n.parse().expect("a number"));
                } else if let Some(n) = word.strip_prefix("resolved=") {
                    expected.notice = Some(Notice::Resolved(n.parse().expect("a number")));
                } else if let Some(n) = word.strip_prefix("repeat=") {
                    expected.notice = Some(Notice::Repeat(n.parse().expect("a number")));
                } else {
                    panic!("what is {word}?");
                }
                rest = after.trim_start();
            }
            case.expected.push(expected);
        }
        assert!(rest.is_empty(), "what is {rest}?");
    }
}

impl Case {
    /// What an outcome has other than expected. `names` are the steps' names by id.
    pub fn differs(&self, outcome: &Outcome, names: &[Option<String>]) -> Option<String> {
        let list = || outcome.alerts.iter().map(|a| show(a, names)).collect::<Vec<_>>().join(" ");
        if outcome.alerts.len() != self.expected.len() {
            return Some(format!("{} alerts, not {}: {}", outcome.alerts.len(), self.expected.len(), list()));
        }
        for (alert, expected) in outcome.alerts.iter().zip(&self.expected) {
            let same = expected.bound.iter().all(|(name, events)| {
                let mut got: Vec<usize> = if name.is_empty() {
                    alert.bound.iter().flatten().copied().collect()
                } else {
                    let id = names.iter().position(|n| n.as_deref() == Some(name));
                    id.map(|id| alert.bound[id].clone()).unwrap_or_default()
                };
                if name.is_empty() {
                    got.sort_unstable();
                }
                got == *events
            });
            let total = expected.bound.iter().map(|(_, e)| e.len()).sum::<usize>();
            let key = alert.key.iter().map(|(_, v)| v.as_str()).collect::<Vec<_>>().join(",");
            if !same
                || total != alert.bound.iter().flatten().count()
                || expected.at.is_some_and(|t| t != alert.time)
                || expected.key.as_ref().is_some_and(|k| *k != key)
                || expected.notice != alert.notice
                || expected.suppressed.is_some_and(|s| s != alert.suppressed)
            {
                return Some(format!("expected {expected:?}, got {} in {}", show(alert, names), list()));
            }
        }
        if self.pending.is_some_and(|n| n != outcome.pending) {
            return Some(format!("{} pending, not {:?}", outcome.pending, self.pending));
        }
        if self.late.is_some_and(|n| n != outcome.late.len()) {
            return Some(format!("late {:?}, not {:?}", outcome.late, self.late));
        }
        None
    }
}

/// An alert as it stands in a case.
pub fn show(alert: &Alert, names: &[Option<String>]) -> String {
    let step = |(id, events): (usize, &Vec<usize>)| {
        let numbers: Vec<String> = events.iter().map(usize::to_string).collect();
        let name = names.get(id).cloned().flatten().unwrap_or_else(|| format!("#{id}"));
        format!("{name}:{}", numbers.join(","))
    };
    let bound: Vec<String> = alert.bound.iter().enumerate().filter(|(_, e)| !e.is_empty()).map(step).collect();
    let key: Vec<&str> = alert.key.iter().map(|(_, v)| v.as_str()).collect();
    let mut out = format!("[{}] @{}ms", bound.join(" "), alert.time);
    if !key.is_empty() {
        out += &format!(" key={}", key.join(","));
    }
    match alert.notice {
        Some(Notice::Resolved(by)) => out += &format!(" resolved={by}"),
        Some(Notice::Repeat(n)) => out += &format!(" repeat={n}"),
        None => {}
    }
    if alert.suppressed > 0 {
        out += &format!(" suppressed={}", alert.suppressed);
    }
    out
}
