//! What the rules of the comparison must find, counted by brute force: for each user every event is tried as the first
//! of a match, and what must follow is searched for from there.

use std::collections::BTreeMap;

use crate::cases::Case;
use crate::fingerprint;
use crate::generate::{Event, events};
use crate::measure::Found;

const MINUTE: u64 = 60_000;

/// The matches of a case, pattern by pattern, in a stream of so many events.
pub fn matches(case: &Case, count: u64) -> Vec<Found> {
    let mut users: BTreeMap<u32, Vec<Event>> = BTreeMap::new();
    for event in events(count) {
        users.entry(event.user).or_default().push(event);
    }
    let one = |pattern: &&str| {
        let find = finder(case, pattern);
        let (mut matches, mut sum) = (0, 0_u64);
        for events in users.values() {
            for (first, last) in find(events) {
                matches += 1;
                sum = sum.wrapping_add(fingerprint(first, last));
            }
        }
        Found { pattern: (*pattern).to_owned(), matches, sum }
    };
    let mut found: Vec<Found> = case.patterns.iter().map(one).collect();
    found.sort();
    found
}

/// Finds the matches of a user: the times of their first and last events.
type Finder = Box<dyn Fn(&[Event]) -> Vec<(u64, u64)>>;

fn finder(case: &Case, pattern: &str) -> Finder {
    match pattern {
        "seq3" => Box::new(|events| chains(events, &["A", "B", "C"], |gap| gap < 10 * MINUTE)),
        "absent" => Box::new(absent),
        "login5skip" => Box::new(failures),
        "filter" => Box::new(filter),
        "part" => Box::new(|events| chains(events, &["A", "B"], |gap| gap <= 10 * MINUTE)),
        _ => unreachable!("{} has an unknown pattern {pattern}", case.name()),
    }
}

/// From every event of the first kind: the next of the second kind, from there the next of the third, and so on.
fn chains(events: &[Event], kinds: &[&str], within: impl Fn(u64) -> bool) -> Vec<(u64, u64)> {
    let chain = |start: usize| {
        let mut at = start;
        for kind in kinds {
            at += events.get(at..)?.iter().position(|event| event.is(kind))? + 1;
        }
        let (first, last) = (events[start].time, events[at - 1].time);
        within(last - first).then_some((first, last))
    };
    (0..events.len()).filter(|start| events[*start].is(kinds[0])).filter_map(chain).collect()
}

/// Every A after which five minutes pass without a B. The end of the stream ends every wait.
fn absent(events: &[Event]) -> Vec<(u64, u64)> {
    let silent = |start: &usize| {
        let first = events[*start].time;
        let soon = |event: &&Event| event.time < first + 5 * MINUTE;
        events[*start].is("A") && !events[*start + 1..].iter().take_while(soon).any(|event| event.is("B"))
    };
    (0..events.len()).filter(silent).map(|start| (events[start].time, events[start].time)).collect()
}

/// Every success before which, in less than half an hour and after the match before, there were five failures or more.
fn failures(events: &[Event]) -> Vec<(u64, u64)> {
    let (mut found, mut free) = (Vec::new(), 0);
    for (at, event) in events.iter().enumerate().filter(|(_, event)| event.is("success")) {
        let recent = |failed: &&Event| failed.is("failed") && event.time < failed.time + 30 * MINUTE;
        let mut before = events[free..at].iter().filter(recent);
        if let Some(first) = before.next()
            && before.count() >= 4
        {
            found.push((first.time, event.time));
            free = at + 1;
        }
    }
    found
}

/// Every A with a value above 50.
fn filter(events: &[Event]) -> Vec<(u64, u64)> {
    let hit = |event: &&Event| event.is("A") && event.value > 5_000;
    events.iter().filter(hit).map(|event| (event.time, event.time)).collect()
}
