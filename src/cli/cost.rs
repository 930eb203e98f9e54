//! What parts of a rule cost: the state they keep for a key, and the work for an event.

use tripline::base::function::Statistic;
use tripline::decode::decoder::KEYS_PER_EVENT;
use tripline::plan::ruleset::{AfterMatch, Ends, Rule, Ruleset, Stat, StatWindow, StrategyKind};

/// What a rule costs beyond its strategy, a name and a text each. A rule has a row only for what it uses.
pub fn rows(rule: &Rule, ruleset: &Ruleset) -> Vec<(&'static str, String)> {
    let mut rows = vec![("work", work(rule))];
    let mut add = |name, text: &str| rows.push((name, text.to_owned()));
    if rule.roles.iter().any(|role| ruleset.keyspecs[role.keyspec.index()].has_each()) {
        let most = format!("one for each element, {KEYS_PER_EVENT} at most");
        add("keys", &format!("an event has {most}, and costs as much as so many events"));
    }
    add("timers", &timers(rule));
    if !rule.alternatives.is_empty() {
        let ways = rule.alternatives.len();
        add("ways", &format!("{ways}, each searched for what an event completes; one buffer a key for all"));
    }
    pattern(rule, &mut add);
    if matches!(rule.after, AfterMatch::SkipTo { .. }) {
        add("skip", "one place a key: what lies before it is used up");
    }
    if let Some(expect) = &rule.expect {
        let text = match expect.table {
            Some(_) => "one state for each key of the table, from the start",
            None => "one state from the start",
        };
        add("expected", text);
    }
    let ticks = |clock: &usize| ruleset.classes.ticks_for(*clock).any(|id| id == rule.id);
    for clock in (0..ruleset.clocks.len()).filter(ticks) {
        let keys = if rule.expect.is_some() { "each expected key" } else { "each key that holds something" };
        add("clock", &format!("{}: each tick is an event of {keys}", ruleset.clocks[clock].name));
    }
    if let Some(follow) = &rule.follow {
        add(
            "open alerts",
            "each kept until it ends, at most `open_alerts_per_key` a key; one look-up an event that may end one",
        );
        if let Some(every) = follow.repeat {
            add("repeats", &format!("one timer an open alert, every {every}, at most `repeats_per_alert` times"));
        }
    }
    if rule.asks_open {
        add("asks", "one look-up among open alerts for each event of a step with `unless open`");
    }
    if let Some(suppress) = &rule.suppress {
        let period = suppress.period;
        add("suppress", &format!("one time for each key or `by` that was told of, for {period}; one look-up an alert"));
    }
    if let Some(text) = sliding(rule) {
        add("window", &text);
    }
    if let Some(lasting) = rule.sliding.as_ref().and_then(|sliding| sliding.lasting) {
        add("lasting", &format!("one time a key: since when the condition holds, to compare with {lasting}"));
    }
    for stat in &rule.stats {
        add("statistic", &statistic(rule, stat));
    }
    rows
}

/// What an event costs, by strategy.
fn work(rule: &Rule) -> String {
    let text = match (rule.strategy, &rule.automaton) {
        (StrategyKind::Stateless, _) => "an event is judged once, by itself",
        (StrategyKind::Counter, _) => "an event enters the window of its key and is a look at it",
        (StrategyKind::LatestRun, _) => "an event moves at most one partial match for each step that it fits",
        (StrategyKind::Attempts, _) => "an event moves each partial match that waits for it, one step at most",
        (StrategyKind::Pending, _) => "an event moves at most one pending match for each step that it fits",
        (StrategyKind::Enumerate, Some(automaton)) => {
            let places = automaton.places.len();
            return format!(
                "an event touches those of {places} places that take it; a match costs as much as it binds"
            );
        }
        (StrategyKind::Runs | StrategyKind::Enumerate, _) => {
            "an event that may complete a match begins a search among those of its key, at most `search_steps`"
        }
    };
    text.to_owned()
}

/// What parts of the pattern cost.
fn pattern(rule: &Rule, add: &mut impl FnMut(&'static str, &str)) {
    let elements = || rule.ways().iter().flat_map(|way| &way.elements);
    let absences =
        || rule.ways().iter().flat_map(|w| w.trailing.iter().chain(w.elements.iter().flat_map(|e| &e.ahead)));
    if !rule.computed_parts.is_empty() || rule.computed_within.is_some() {
        add("bounds", "computed from a whole candidate, and tested on it: it does not narrow the search");
    }
    if elements().any(|element| element.link.computed.is_some()) {
        add("gaps", "computed once for each candidate that has come so far; it does not narrow the search");
    }
    if rule.ways().iter().any(|way| !way.parts.is_empty()) {
        add("parts", "no state; each is compared with its bound when its last event is bound");
    }
    if absences().any(|ahead| ahead.fewer > 1) {
        add("counted", "events that count are held like bound ones, and gone through when the absence is decided");
    }
    if absences().any(|ahead| ahead.group.is_some()) {
        add("absence", "of a sequence: what its steps take is held, and searched through at the deadline");
    }
    for step in &rule.steps {
        if !step.lookback.is_empty() {
            let limit = rule.runs_per_key;
            add(
                "looks back",
                &format!("{}: one time for each value that it tells apart, at most {limit}; one look-up", step.label),
            );
        }
        for lookback in &step.cross_lookback {
            let from =
                if lookback.names.is_some() { "from the newest on, up to the first hit" } else { "until one hits" };
            add("looks back", &format!("{}: events are held for it, and gone through {from}", step.label));
        }
    }
    if rule.having.is_some() && rule.sliding.is_none() {
        add("having", "on each whole candidate; aggregates go through what it binds");
    }
}

/// What time alone does to a key.
fn timers(rule: &Rule) -> String {
    match (rule.closing(), rule.trailing_deadline(), rule.horizon) {
        _ if rule.strategy == StrategyKind::Stateless && !rule.hints.needs_past => "none".to_owned(),
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
