//! What parts of a rule cost: the state they keep for a key, and the work for an event.

use tripline::base::function::Statistic;
use tripline::plan::ruleset::{Rule, Stat, StatWindow};

/// A line a statistic.
pub fn statistics(rule: &Rule) -> Vec<String> {
    rule.stats.iter().map(|stat| statistic(rule, stat)).collect()
}

fn statistic(rule: &Rule, stat: &Stat) -> String {
    let limit = rule.runs_per_key;
    let kept = match (stat.kind, stat.window) {
        (Statistic::Prior, StatWindow::Events(1)) => "the previous value".to_owned(),
        (_, StatWindow::Events(n)) => format!("the last {n} values"),
        (_, StatWindow::Ever) => "one summary of all values".to_owned(),
        (_, StatWindow::Time(d)) => format!("the values of {d}, at most {limit}"),
    };
    let keys = match (stat.key.is_empty(), rule.handed_over) {
        (true, _) => "",
        (false, false) => ", for each key of its own",
        (false, true) => ", for each key of its own, in one state for the whole rule",
    };
    format!("{} keeps {kept}{keys}; an event costs the same however many there are", stat.kind.name())
}

/// The window and the condition of a sliding count.
pub fn sliding(rule: &Rule) -> Option<String> {
    let sliding = rule.sliding.as_ref()?;
    let window = match (sliding.events, rule.within) {
        (Some(n), _) => format!("those of the last {n} events that qualify"),
        (None, Some(d)) => format!("the events of {d}, at most {}", rule.runs_per_key),
        (None, None) => return None,
    };
    let condition = match (&rule.having, &sliding.slow) {
        (None, _) | (_, None) => "a look costs the same however many there are",
        (Some(_), Some(_)) => "a look goes through all of them once the number is reached",
    };
    Some(format!("{window}; {condition}"))
}
