//! What `check --sample` says: the classes and fields that rules read, and which imported rules cannot fire.

use std::fmt::Write;

use serde_json::json;
use tripline::base::visible;
use tripline::check::sample::{LogSourceSeen, SampleReport};

use super::number::{counted, grouped};
use super::terminal::{paint, style};

/// Log sources that a list names.
const SHOWN: usize = 40;

/// Rules that a line names.
const NAMED: usize = 3;

/// The report for people.
pub fn text(report: &SampleReport, sources: &[LogSourceSeen], color: bool) -> String {
    let mut out = String::new();
    line(&mut out, &paint(color, style::BOLD, &format!("Sample of {}", counted(report.events, "event"))));
    classes(report, color, &mut out);
    if !sources.is_empty() {
        imported(sources, color, &mut out);
    }
    out
}

/// The report on imported rules as JSON, one log source a line.
pub fn json(sources: &[LogSourceSeen]) -> String {
    let mut out = String::new();
    for source in sources {
        let missing: Vec<_> =
            source.missing.iter().map(|(field, rules)| json!({ "field": field, "rules": rules })).collect();
        let record = json!({
            "log_source": source.condition, "events": source.events, "rules": source.rules, "missing": missing,
        });
        line(&mut out, &record.to_string());
    }
    out
}

/// The classes and fields that rules read, with how often they were there.
fn classes(report: &SampleReport, color: bool, out: &mut String) {
    for class in &report.classes {
        let events = class.events.map_or_else(|| "not judged".to_owned(), |n| n.to_string());
        line(out, &format!("  {:<32} {events:>10}", visible(&class.class)));
        for field in report.fields.iter().filter(|field| field.class == class.class) {
            let share = if field.events == 0 { 0.0 } else { 100.0 * field.present as f64 / field.events as f64 };
            let kinds: Vec<&str> = field.kinds.iter().map(|(kind, _)| *kind).collect();
            let text = format!("    {:<30} {share:>9.1}%  {}", visible(&field.field), kinds.join(", "));
            line(out, &if field.present == 0 { paint(color, style::YELLOW, &text) } else { text });
        }
    }
}

/// Which imported rules cannot fire on the sample, and for want of what.
fn imported(sources: &[LogSourceSeen], color: bool, out: &mut String) {
    let head = |out: &mut String, text: &str| line(out, &paint(color, style::BOLD, text));
    let rules = |sources: &[&LogSourceSeen]| sources.iter().map(|source| source.rules.len()).sum::<usize>();
    let (never, seen): (Vec<_>, Vec<_>) = sources.iter().partition(|source| source.events == Some(0));
    if !never.is_empty() {
        head(out, &format!("No event is of the log source of {}:", counted(rules(&never), "imported rule")));
        for source in never.iter().take(SHOWN) {
            line(out, &format!("  {:>6}  {}", grouped(source.rules.len()), visible(&source.condition)));
        }
        more(never.len(), out);
    }
    let mut short: Vec<_> =
        seen.iter().flat_map(|source| source.missing.iter().map(|(field, rules)| (*source, field, rules))).collect();
    if !short.is_empty() {
        short.sort_by_key(|(_, _, rules)| std::cmp::Reverse(rules.len()));
        let mut held: Vec<&String> = short.iter().flat_map(|(_, _, rules)| *rules).collect();
        held.sort();
        held.dedup();
        head(
            out,
            &format!("No event of the log source has a field needed by {}:", counted(held.len(), "imported rule")),
        );
        for (source, field, rules) in short.iter().take(SHOWN) {
            let names: Vec<_> = rules.iter().take(NAMED).map(|name| visible(name)).collect();
            let and = if rules.len() > NAMED { format!(", {} more", rules.len() - NAMED) } else { String::new() };
            line(out, &format!("  {:>6}  {} ({}{and})", grouped(rules.len()), visible(field), names.join(", ")));
            line(out, &format!("          of {}", visible(&source.condition)));
        }
        more(short.len(), out);
    }
    let all = rules(&seen);
    head(out, &format!("The log source of {} is there:", counted(all, "imported rule")));
    for source in seen.iter().take(SHOWN) {
        let events = source.events.map_or_else(|| "not judged".to_owned(), |n| counted(n, "event"));
        let condition = if source.condition.is_empty() { "every event".into() } else { visible(&source.condition) };
        line(out, &format!("  {:>6}  {condition}: {events}", grouped(source.rules.len())));
    }
    more(seen.len(), out);
}

fn more(length: usize, out: &mut String) {
    if length > SHOWN {
        line(out, &format!("          {} more; --format json lists all", length - SHOWN));
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{}", text.trim_end()).expect("a String takes any text");
}
