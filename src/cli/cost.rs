//! What parts of a rule cost: the state they keep for a key, and the work for an event.

use tripline::base::function::Statistic;
use tripline::decode::decoder::KEYS_PER_EVENT;
use tripline::plan::ruleset::{Ends, Rule, Ruleset, Stat, StatWindow};

/// What a rule costs beyond its strategy, a name and a text each. A rule has a row only for what it uses.
pub fn rows(rule: &Rule, ruleset: &Ruleset) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if rule.roles.iter().any(|role| ruleset.keyspecs[role.keyspec.index()].has_each()) {
        let most = format!("one for each element, {KEYS_PER_EVENT} at most");
        rows.push(("keys", format!("an event has {most}, and costs as much as so many events")));
    }
    rows.push(("timers", timers(rule)));
    let ways = rule.alternatives.len();
    if let Some(automaton) = &rule.automaton {
        let many = automaton.places.len();
        rows.push(("places", format!("{many} at which partial matches wait; an event touches those that take it")));
    } else if ways > 0 {
        rows.push(("ways", format!("{ways}, each searched for what an event completes; one buffer a key for all")));
    }
    if !rule.computed_parts.is_empty() || rule.computed_within.is_some() {
        let text = "computed from a whole candidate, and tested on it: it does not narrow the search";
        rows.push(("bounds", text.to_owned()));
    }
    if rule.absent_groups().next().is_some() {
        let text = "of a sequence: what its steps take is held, and searched through at the deadline";
        rows.push(("absence", text.to_owned()));
    }
    if let Some(expect) = &rule.expect {
        let text = match expect.table {
            Some(_) => "one state for each key of the table, from the start",
            None => "one state from the start",
        };
        rows.push(("expected", text.to_owned()));
    }
    if let Some(follow) = &rule.follow {
        let text =
            "each kept until it ends, at most `open_alerts_per_key` a key; one look-up an event that may end one";
        rows.push(("open alerts", text.to_owned()));
        if let Some(every) = follow.repeat {
            let text = format!("one timer an open alert, every {every}, at most `repeats_per_alert` times");
            rows.push(("repeats", text));
        }
    }
    if rule.asks_open {
        let text = "one look-up among open alerts for each event of a step with `unless open`";
        rows.push(("asks", text.to_owned()));
    }
    rows.extend(sliding(rule).map(|text| ("window", text)));
    if let Some(lasting) = rule.sliding.as_ref().and_then(|sliding| sliding.lasting) {
        rows.push(("lasting", format!("one time a key: since when the condition holds, to compare with {lasting}")));
    }
    rows.extend(rule.stats.iter().map(|stat| ("statistic", statistic(rule, stat))));
    rows
}

/// What time alone does to a key.
fn timers(rule: &Rule) -> String {
    match (rule.closing(), rule.trailing_deadline(), rule.horizon) {
        (Some((_, Ends::Silent(d))), ..) => {
            format!("one a key, {d} after the newest event of the last step, at which its repetition closes")
        }
        (Some((_, Ends::After(d))), ..) => {
            format!("{d} after an event of the last step, at which a repetition that begins with it closes")
        }
        _ if rule.has_computed_deadline() => "one for each deadline computed from what is bound so far".to_owned(),
        (None, Some(deadline), _) => format!("one a key, at the deadline {deadline} after the last bound event"),
        (None, None, Some(horizon)) if rule.hints.timed => {
            format!("one a key, to forget it when its last event is {horizon} old")
        }
        (None, None, Some(horizon)) => {
            format!("none: keys are looked at in turn, and forgotten when their last event is {horizon} old")
        }
        (None, None, None) => "none: what is held is never too old".to_owned(),
    }
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
fn sliding(rule: &Rule) -> Option<String> {
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
