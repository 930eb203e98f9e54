//! The summary at the end of a run, on stderr.

use crate::cli::number::{counted, grouped};
use std::fmt::Write;
use std::time::Duration;

use tripline::base::Timestamp;
use tripline::base::visible;
use tripline::decode::Reject;
use tripline::io::deliver::Report;
use tripline::io::kafka::PartitionStanding;
use tripline::session::{RuleSummary, Summary};

use super::inputs::InputReport;
use crate::cli::terminal::{paint, style};

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Bytes of all inputs.
    pub bytes: u64,
    /// Events.
    pub events: u64,
    /// Alerts that were written.
    pub alerts: u64,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// How far event time came.
    pub time: Option<Timestamp>,
    /// Rejected lines by reason, none if 0.
    pub rejects: Vec<(String, u64)>,
    /// Late events.
    pub late: u64,
    /// The lateness that would have kept them.
    pub needed_lateness: tripline::base::Duration,
    /// Events too far in the future.
    pub quarantined: u64,
    /// Times that an event would have had more keys than one may have.
    pub cut_keys: u64,
    /// Events outside `--from` and `--to`.
    pub outside: u64,
    /// Events let go before their time because memory was short.
    pub hurried: u64,
    /// Keys dropped because memory was short.
    pub dropped: u64,
    /// Events that got the time of their arrival.
    pub untimed: u64,
    /// Inputs in their order, if there is more to say of them than of the whole.
    pub inputs: Vec<RuleTotals>,
    /// What inputs rejected and turned away, in words.
    pub unwanted: Vec<String>,
    /// Rules in their order.
    pub rules: Vec<RuleTotals>,
    /// Outputs that have couriers, in their order.
    pub outputs: Vec<RuleTotals>,
    /// What was not delivered, in words.
    pub undelivered: Vec<String>,
}

impl Totals {
    /// From the engine's counts.
    pub fn new(
        counts: &Summary,
        elapsed: Duration,
        time: Option<Timestamp>,
        inputs: &[InputReport],
        outputs: &[Report],
    ) -> Self {
        Self {
            bytes: counts.bytes,
            events: counts.events,
            alerts: counts.rules.iter().map(|rule| rule.sent).sum(),
            elapsed,
            time,
            rejects: counts.rejects.iter().map(|(reason, n)| ((*reason).to_owned(), *n)).collect(),
            late: counts.late,
            needed_lateness: counts.needed_lateness,
            quarantined: counts.quarantined,
            cut_keys: counts.cut_keys,
            outside: counts.outside,
            hurried: counts.hurried,
            dropped: counts.rules.iter().map(|rule| rule.dropped).sum(),
            untimed: counts.untimed,
            inputs: inputs.iter().map(RuleTotals::of_input).collect(),
            unwanted: inputs.iter().flat_map(|input| unwanted(input, inputs.len() > 1)).collect(),
            rules: counts.rules.iter().map(RuleTotals::new).collect(),
            outputs: outputs.iter().map(RuleTotals::of_output).collect(),
            undelivered: outputs.iter().filter_map(undelivered).collect(),
        }
    }
}

impl RuleTotals {
    fn new(rule: &RuleSummary) -> Self {
        Self {
            name: rule.name.clone(),
            numbers: vec![
                ("events", rule.events),
                ("matches", rule.matches),
                ("suppressed", rule.suppressed),
                ("shadow", rule.shadowed),
                ("internal", rule.internal),
                ("alerts", rule.sent),
                ("repeats", rule.repeated),
                ("resolved", rule.resolved),
                ("forgotten", rule.forgotten),
                ("open", rule.open),
                ("pending", rule.pending),
                ("no key", rule.no_key),
                ("late", rule.late),
                ("evicted", rule.evicted),
                ("dropped", rule.dropped),
                ("limited", rule.limited),
            ],
            spent: (rule.nanos > 0).then(|| Duration::from_nanos(rule.nanos)),
        }
    }

    fn of_input(report: &InputReport) -> Self {
        Self {
            name: report.name.clone(),
            numbers: vec![
                ("events", report.counts.events),
                ("rejected", report.counts.rejects.iter().sum()),
                ("late", report.counts.late),
                ("turned away", report.turned_away.iter().map(|(_, n)| n).sum()),
                ("tombstones", report.standing.as_ref().map_or(0, |standing| standing.counts.tombstones)),
                ("cut records", report.standing.as_ref().map_or(0, |standing| standing.counts.cut)),
                ("pauses", report.standing.as_ref().map_or(0, |standing| standing.pauses)),
                ("lag", report.standing.as_ref().map_or(0, PartitionStanding::lag)),
            ],
            spent: None,
        }
    }

    fn of_output(report: &Report) -> Self {
        let counts = &report.standing.counts;
        Self {
            name: report.name.clone(),
            numbers: vec![
                ("alerts", counts.taken),
                ("delivered", counts.delivered),
                ("failures", counts.failed),
                ("dead", counts.dead),
                ("dropped", counts.dropped),
                ("waiting", report.standing.waiting),
            ],
            spent: None,
        }
    }
}

/// What came to an input and gave no event, by reason. Of a single input, what it rejected is said of the whole.
fn unwanted(report: &InputReport, several: bool) -> Vec<String> {
    let list = |reasons: Vec<(&str, u64)>| -> Option<String> {
        let words = reasons.iter().filter(|(_, n)| *n > 0).map(|(why, n)| format!("{} {why}", grouped(*n)));
        Some(words.collect::<Vec<_>>().join(", ")).filter(|words| !words.is_empty())
    };
    let rejects = Reject::ALL.iter().zip(report.counts.rejects).map(|(reason, n)| (reason.name(), n)).collect();
    let rejected = list(rejects).filter(|_| several).map(|words| format!("input {}: rejected {words}", report.name));
    let turned = list(report.turned_away.clone()).map(|words| format!("input {}: turned away {words}", report.name));
    rejected.into_iter().chain(turned).collect()
}

/// What an output did not deliver, and why.
fn undelivered(report: &Report) -> Option<String> {
    let standing = &report.standing;
    let n = standing.waiting;
    if n == 0 {
        return None;
    }
    let fate = if report.kept { "kept for the next run" } else { "lost" };
    let why = standing.trouble.as_ref().map_or(String::new(), |why| format!(": {}", visible(why)));
    Some(format!("output {}: {} not delivered, {fate}{why}", report.name, counted(n, "alert")))
}

/// What one rule or output did.
#[derive(Clone, Debug, Default)]
pub struct RuleTotals {
    /// Its name.
    pub name: String,
    /// The numbers, by their column.
    pub numbers: Vec<(&'static str, u64)>,
    /// Time spent, if it was measured.
    pub spent: Option<Duration>,
}

/// Of more rules than this, those that took no event are only counted.
const MANY: usize = 100;

/// The summary as text.
pub fn render(totals: &Totals, color: bool) -> String {
    let mut out = String::new();
    let seconds = totals.elapsed.as_secs_f64().max(1e-6);
    let rate = totals.events as f64 / seconds;
    line(
        &mut out,
        &format!(
            "{} from {} ({}) in {:.2} s, {} events/s",
            paint(color, style::BOLD, &counted(totals.alerts, "alert")),
            counted(totals.events, "event"),
            bytes(totals.bytes),
            seconds,
            grouped(rate as u64)
        ),
    );
    if let Some(time) = totals.time {
        line(&mut out, &format!("event time came to {time}"));
    }
    if !totals.inputs.is_empty() {
        table("input", &totals.inputs, color, &mut out);
    }
    if totals.rules.len() > MANY {
        let took = |rule: &&RuleTotals| rule.numbers.iter().any(|(_, value)| *value > 0);
        let shown: Vec<RuleTotals> = totals.rules.iter().filter(took).cloned().collect();
        table("rule", &shown, color, &mut out);
        line(&mut out, &format!("{} took no event", counted(totals.rules.len() - shown.len(), "rule")));
    } else {
        table("rule", &totals.rules, color, &mut out);
    }
    table("output", &totals.outputs, color, &mut out);
    let warn = |text: &str| paint(color, style::YELLOW, text);
    for text in &totals.undelivered {
        line(&mut out, &warn(text));
    }
    for text in &totals.unwanted {
        line(&mut out, &warn(text));
    }
    let rejected: u64 = totals.rejects.iter().map(|(_, n)| n).sum();
    if rejected > 0 {
        let reasons: Vec<String> = totals.rejects.iter().map(|(why, n)| format!("{} {why}", grouped(*n))).collect();
        line(&mut out, &warn(&format!("{} rejected: {}", counted(rejected, "line"), reasons.join(", "))));
    }
    if totals.late > 0 {
        let text = format!(
            "{} came too late; --lateness {} would have kept them",
            counted(totals.late, "event"),
            totals.needed_lateness
        );
        line(&mut out, &warn(&text));
    }
    if totals.cut_keys > 0 {
        let text = format!("{} with more than 1000 keys by each(…), cut", counted(totals.cut_keys, "event"));
        line(&mut out, &warn(&text));
    }
    if totals.quarantined > 0 {
        let text = format!("{} too far in the future, set aside", counted(totals.quarantined, "event"));
        line(&mut out, &warn(&text));
    }
    if totals.untimed > 0 {
        let text = format!("{} without a usable time, which got that of arrival", counted(totals.untimed, "event"));
        line(&mut out, &warn(&text));
    }
    if totals.dropped > 0 {
        let text =
            format!("memory was short: {} dropped, those nearest to an alert last", counted(totals.dropped, "key"));
        line(&mut out, &warn(&text));
    }
    if totals.hurried > 0 {
        let text =
            format!("memory was short: {} not held back for all of --lateness", counted(totals.hurried, "event"));
        line(&mut out, &warn(&text));
    }
    if totals.outside > 0 {
        line(&mut out, &format!("{} outside --from and --to", counted(totals.outside, "event")));
    }
    out
}

/// Rules or outputs with their numbers; a column in which every number is 0 is left out.
fn table(of: &str, rules: &[RuleTotals], color: bool, out: &mut String) {
    let Some(first) = rules.first() else { return };
    let columns: Vec<usize> = (0..first.numbers.len())
        .filter(|n| rules.iter().any(|rule| rule.numbers.get(*n).is_some_and(|(_, value)| *value > 0)))
        .collect();
    if columns.is_empty() {
        let nothing = match of {
            "rule" => "no rule took an event",
            "input" => "no input gave an event",
            _ => "no output took an alert",
        };
        line(out, nothing);
        return;
    }
    let spent = rules.iter().any(|rule| rule.spent.is_some());
    let wide = rules.iter().map(|rule| rule.name.chars().count()).max().unwrap_or(0).max(of.len());
    let mut head = format!("{of:<wide$}");
    for &n in &columns {
        let name = first.numbers[n].0;
        head.push_str(&format!("  {name:>width$}", width = width(rules, n)));
    }
    if spent {
        head.push_str("      time");
    }
    line(out, &paint(color, style::DIM, &head));
    for rule in rules {
        let mut row = format!("{:<wide$}", rule.name);
        for &n in &columns {
            let value = rule.numbers.get(n).map_or(0, |(_, value)| *value);
            let shown = if value == 0 { "-".to_owned() } else { grouped(value) };
            row.push_str(&format!("  {shown:>width$}", width = width(rules, n)));
        }
        if let Some(spent) = rule.spent {
            row.push_str(&format!("  {:>6.2} s", spent.as_secs_f64()));
        }
        line(out, &row);
    }
}

fn width(rules: &[RuleTotals], column: usize) -> usize {
    let numbers = rules.iter().filter_map(|rule| rule.numbers.get(column));
    numbers.map(|(name, value)| name.chars().count().max(grouped(*value).len())).max().unwrap_or(0)
}

fn bytes(n: u64) -> String {
    if n < 10_000 { format!("{n} bytes") } else { format!("{:.1} MB", n as f64 / 1e6) }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{}", text.trim_end()).expect("a String takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_leaves_out_columns_without_numbers() {
        let rule = |name: &str, events, late| RuleTotals {
            name: name.to_owned(),
            numbers: vec![("events", events), ("evicted", late), ("alerts", 2)],
            spent: None,
        };
        let totals = Totals {
            bytes: 123_456,
            events: 1000,
            alerts: 4,
            elapsed: Duration::from_secs(2),
            rejects: vec![("truncated".to_owned(), 2)],
            late: 3,
            needed_lateness: tripline::base::Duration::from_secs(90),
            rules: vec![rule("a", 1000, 0), rule("longer", 0, 0)],
            ..Totals::default()
        };
        assert_eq!(
            render(&totals, false),
            "4 alerts from 1,000 events (0.1 MB) in 2.00 s, 500 events/s\n\
             rule    events  alerts\n\
             a        1,000       2\n\
             longer       -       2\n\
             2 lines rejected: 2 truncated\n\
             3 events came too late; --lateness 1m30s would have kept them\n"
        );
    }
}
