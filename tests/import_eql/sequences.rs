//! Random sequences of EQL, each with the clauses that it means, for the oracle.

use super::conditions::Random;

/// A stage: category, condition, whether it is missing, how often.
#[derive(Clone, Debug)]
struct Stage {
    category: &'static str,
    least: Option<i64>,
    missing: bool,
    runs: usize,
}

impl Stage {
    fn any(r: &mut Random, missing: bool) -> Self {
        let category = if missing { r.of(&["X", "B", "C"]) } else { r.of(&["A", "B", "A", "C"]) };
        let least = (r.below(3) == 0).then(|| r.below(3) as i64);
        let runs = if !missing && r.below(5) == 0 { 2 } else { 1 };
        Self { category, least, missing, runs }
    }

    fn eql(&self) -> String {
        let condition = self.least.map_or("true".to_owned(), |n| format!("v > {n}"));
        let runs = if self.runs > 1 { format!(" with runs={}", self.runs) } else { String::new() };
        format!("{}[{} where {condition}]{runs}", if self.missing { "!" } else { "" }, self.category)
    }

    fn rule(&self, more: Option<&str>) -> String {
        let parts: Vec<String> =
            self.least.map(|n| format!("v > {n}")).into_iter().chain(more.map(str::to_owned)).collect();
        let condition = if parts.is_empty() { String::new() } else { format!(" where {}", parts.join(" and ")) };
        format!("{}{condition}", self.category)
    }
}

/// A query, and the clauses that it means: with `pick pending` and without.
pub struct Made {
    pub query: String,
    pub pending: String,
    pub complete: String,
}

/// A random sequence.
pub fn sequence(r: &mut Random) -> Made {
    let mut stages: Vec<Stage> = (0..1 + r.below(3)).map(|_| Stage::any(r, false)).collect();
    for _ in 0..r.below(3) {
        let at = r.below(stages.len() + 1);
        stages.insert(at, Stage::any(r, true));
    }
    if stages.len() == 1 && stages[0].runs == 1 {
        stages.push(Stage::any(r, false));
    }
    let span = 2 + r.below(4);
    let spanned = stages.iter().any(|s| s.missing) || r.below(3) > 0;
    let by = r.of(&["", "k", "?k"]);
    let happen: usize = stages.iter().filter(|s| !s.missing).map(|s| s.runs).sum();
    let waits = stages.last().is_some_and(|s| s.missing);
    let until = (r.below(4) == 0 && (happen > 1 || waits)).then(|| Stage { runs: 1, ..Stage::any(r, false) });
    let written: Vec<String> = stages.iter().map(Stage::eql).collect();
    let mut query = "sequence".to_owned();
    if !by.is_empty() {
        query += &format!(" by {by}");
    }
    if spanned {
        query += &format!(" with maxspan={span}s");
    }
    query += &format!("\n  {}\n", written.join("\n  "));
    if let Some(until) = &until {
        query += &format!("until {}\n", until.eql());
    }

    let first = stages.iter().position(|s| !s.missing).expect("one happens");
    let last = stages.iter().rposition(|s| !s.missing).expect("one happens");
    let count: usize = stages.iter().filter(|s| !s.missing).map(|s| s.runs).sum();
    let alone = count == 1;
    let mut parts: Vec<String> = Vec::new();
    let mut absent: Vec<String> = Vec::new();
    let mut n = 0;
    for stage in &stages[first..=last] {
        if stage.missing {
            absent.push(stage.rule(None));
            continue;
        }
        for _ in 0..stage.runs {
            if !absent.is_empty() {
                parts.push(format!("no {}", absent.join(", ")));
                absent.clear();
            }
            n += 1;
            parts.push(format!("e{n}: {}", stage.rule(None)));
        }
    }
    if first > 0 {
        let more = (!alone).then_some("@ts < e1.@ts");
        let before: Vec<String> = stages[..first].iter().map(|s| s.rule(more)).collect();
        let last = parts.last_mut().expect("a step");
        *last += &format!(" unless {} in last < {span}s", before.join(", "));
    }
    let behind: Vec<String> = stages[last + 1..].iter().map(|s| s.rule(None)).collect();
    if !behind.is_empty() {
        let end = if alone { format!("within {span}s") } else { format!("until e1.@ts + {span}s") };
        parts.push(format!("no {} {end}", behind.join(", ")));
    }
    let mut rule = String::new();
    if !by.is_empty() {
        rule += if *by == *"k" { "by k\n" } else { "by k?\n" };
    }
    rule += &format!("match {{ {} }}", parts.join(" then "));
    if spanned && !alone {
        rule += &format!(" within {span}s");
    }
    let cancel = until.map(|u| format!("cancel on {}\n", u.rule(None))).unwrap_or_default();
    let pick = if !alone || !behind.is_empty() { "pick pending\n" } else { "" };
    Made { query, pending: format!("{rule}\n{pick}{cancel}"), complete: format!("{rule}\n{cancel}") }
}

/// A stream in the words of cases, with the number of its events.
pub fn stream(r: &mut Random) -> String {
    let mut at = 0;
    let mut out = Vec::new();
    for n in 1..=3 + r.below(9) {
        at += [0, 500, 1000, 1000, 2000][r.below(5)];
        let mut event = format!("{}{n}@{at}ms", r.of(&["A", "B", "C", "A", "B", "X"]));
        if r.below(6) > 0 {
            event += r.of(&[" k=x", " k=x", " k=y"]);
        }
        if r.below(3) > 0 {
            event += &format!(" v={}", r.below(5));
        }
        out.push(event);
    }
    out.join(" ")
}
