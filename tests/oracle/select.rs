//! From candidates to alerts: completions in time order, `pick`, `after match`, pending absences, order, `suppress`.

use super::candidates::{self, Candidate, Done, Search};
use super::eval::{Binds, Env, World};
use super::event::{Event, Ms};
use super::follow::{self, Found};
use super::rule::{Elem, Pick, Rule, Skip};
use super::{pending, sliding};

/// Places that a small search looks at: some tenths of a second.
const MOST_WORK: u64 = 200_000;

/// An alert of the oracle. Events are named by their line.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub time: Ms,
    pub key: Env,
    /// For each step, by id, the lines it bound.
    pub bound: Vec<Vec<usize>>,
    pub suppressed: usize,
    pub notice: Option<Notice>,
}

/// What an alert is if it is not new.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Closed by the event of a line.
    Resolved(usize),
    /// Said again, for the n-th time.
    Repeat(usize),
}

impl Alert {
    /// All lines that it names.
    pub fn lines(&mut self) -> Vec<&mut usize> {
        let by = match &mut self.notice {
            Some(Notice::Resolved(by)) => Some(by),
            _ => None,
        };
        self.bound.iter_mut().flatten().chain(by).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Outcome {
    pub alerts: Vec<Alert>,
    /// Alerts that undecided absences would still give.
    pub pending: usize,
    /// Lines behind the watermark.
    pub late: Vec<usize>,
}

/// Settings of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    pub lateness: Ms,
    /// At the end, time goes on until everything is decided.
    pub flush: bool,
}

/// As [`run`], unless there are too many candidates to go through: their number may be exponential in that of events.
pub fn run_if_small(rule: &Rule, arrivals: &[Event], settings: Settings) -> Option<Outcome> {
    candidates::bound_work(MOST_WORK);
    let outcome = run(rule, arrivals, settings);
    let small = candidates::is_within_work();
    candidates::bound_work(u64::MAX);
    small.then_some(outcome)
}

/// What a rule says to events in order of arrival; `seq` is their line.
pub fn run(rule: &Rule, arrivals: &[Event], settings: Settings) -> Outcome {
    let mut events: Vec<Event> = vec![];
    let mut late = vec![];
    let mut newest: Option<Ms> = None;
    for event in arrivals {
        if newest.is_some_and(|n| event.ts < n - settings.lateness) {
            late.push(event.seq);
            continue;
        }
        newest = Some(newest.map_or(event.ts, |n| n.max(event.ts)));
        events.push(event.clone());
    }
    events.sort_by_key(|e| (e.ts, e.seq));
    // The end of the input puts everything in order: time has come as far as the newest event.
    let watermark = newest.unwrap_or(0);
    let start = arrivals.first().map(|e| e.ts - settings.lateness);
    if let Some(start) = start.filter(|_| rule.expect_start) {
        events.insert(0, Event::expected(start));
    }
    let timed = |until: Ms| with_ticks(rule, &events, start, until);
    let now = timed(watermark - 1);
    let world = World { rule, events: &now, key: vec![] };

    let mut all: Vec<(Env, Vec<Candidate>, Vec<usize>)> =
        keys(&world).into_iter().map(|key| candidates(&world, key)).collect();
    let late_deadline = |all: &[Candidate]| {
        let ends = all.iter().filter_map(|c| match c.done {
            Done::Deadline(t) if t >= watermark => Some(t),
            _ => None,
        });
        ends.max()
    };
    let mut longest = now.clone();
    if settings.flush && rule.clock.is_some() {
        // For each key the clock goes on to the latest deadline that was undecided.
        for (key, found, looks) in &mut all {
            let Some(until) = late_deadline(found) else { continue };
            let later = timed(until);
            let world = World { rule, events: &later, key: vec![] };
            (*key, *found, *looks) = candidates(&world, key.clone());
            if later.len() > longest.len() {
                longest = later;
            }
        }
    }
    let world = World { rule, events: &longest, key: vec![] };
    let mut decided: Vec<Found> = vec![];
    let mut pending = 0;
    for (key, all, looks) in all {
        for candidate in all {
            match candidate.done {
                Done::Deadline(t) if t >= watermark && !settings.flush => pending += 1,
                done => {
                    let looks = looks.iter().copied().filter(|&look| Done::Event(look) > done).collect();
                    decided.push(Found { done, key: key.clone(), binds: candidate.binds, looks });
                }
            }
        }
    }
    Outcome { alerts: follow::all(&world, &decided, watermark), pending, late }
}

/// The events with the ticks from the first watermark on up to a time.
fn with_ticks(rule: &Rule, events: &[Event], start: Option<Ms>, until: Ms) -> Vec<Event> {
    let mut out = events.to_vec();
    if let (Some(period), Some(start)) = (rule.clock, start) {
        let first = start.div_euclid(period) + Ms::from(start.rem_euclid(period) > 0);
        out.extend((first..).map(|n| n * period).take_while(|t| *t <= until).map(Event::tick));
        out.sort_by_key(|e| (e.ts, e.seq));
    }
    out
}

/// The candidates of a key that are reported, and the looks at which `resolve when` is true.
fn candidates(world: &World<'_>, key: Env) -> (Env, Vec<Candidate>, Vec<usize>) {
    let world = &World { key: key.clone(), ..*world };
    let (all, looks) = match world.rule.sliding() {
        Some(step) => sliding::count(world, step, &key),
        None if world.rule.pick == Pick::Pending => (pending::reported(world, &key), vec![]),
        None => (reported(world, &key), vec![]),
    };
    (key, all, looks)
}

/// The values of the rule's key that occur on first events.
fn keys(world: &World<'_>) -> Vec<Env> {
    let first = world.rule.body.iter().find(|(_, e)| !matches!(e, Elem::Absence { .. })).expect("a step");
    let mut out: Vec<Env> = vec![];
    // An optional first element lets another step open; in a keyed rule its key is the same components.
    for step in if world.rule.handed_over() { first.1.steps() } else { world.rule.steps() } {
        for e in 0..world.events.len() {
            if world.events[e].is_timed() && !world.rule.comps(step).is_empty() {
                continue;
            }
            for key in world.keys(&world.rule.comps(step), e) {
                if !out.contains(&key) {
                    out.push(key);
                }
            }
        }
    }
    out
}

/// The candidates of one key that are reported, completion by completion.
fn reported(world: &World<'_>, key: &Env) -> Vec<Candidate> {
    let rule = world.rule;
    let ways = rule.ways();
    let worlds: Vec<World<'_>> =
        ways.iter().map(|rule| World { rule, events: world.events, key: key.clone() }).collect();
    let (mut used, mut reported) = (0, vec![]);
    let mut out: Vec<Candidate> = vec![];
    let mut after: Option<(Ms, Done)> = None;
    loop {
        let search = |world| Search { world, key: key.clone(), used, reported: reported.clone() }.all();
        let all: Vec<Candidate> = worlds.iter().flat_map(search).collect();
        let places = all.iter().map(|c| (time(world, c.done), c.done));
        let Some((ts, done)) = places.filter(|place| after.is_none_or(|a| *place > a)).min() else {
            return out;
        };
        let mut chosen = pick(rule, all.into_iter().filter(|c| c.done == done).collect());
        if rule.skip == Skip::ToNext {
            chosen = oldest_per_first(chosen);
        }
        chosen.sort_by(|a, b| older_first(&a.binds, &b.binds));
        match &rule.skip {
            Skip::PastLast => used = used.max(past(world, done)),
            Skip::ToNext => reported.extend(chosen.iter().map(|c| c.bound()[0])),
            Skip::NoSkip => {}
            Skip::ToFirst(name) | Skip::ToLast(name) => {
                let last = matches!(rule.skip, Skip::ToLast(_));
                let step = rule.step_named(name).expect("a step").id;
                for bound in chosen.iter().map(|c| &c.binds[step]) {
                    let to = if last { bound.last() } else { bound.first() };
                    used = used.max(to.copied().unwrap_or_else(|| past(world, done)));
                }
            }
        }
        out.extend(chosen);
        after = Some((ts, done));
    }
}

/// When a completion is: of one time, events come before deadlines.
fn time(world: &World<'_>, done: Done) -> Ms {
    match done {
        Done::Event(e) => world.events[e].ts,
        Done::Deadline(t) => t,
    }
}

/// The first event, by index, that lies after a completion.
fn past(world: &World<'_>, done: Done) -> usize {
    match done {
        Done::Event(e) => e + 1,
        Done::Deadline(t) => world.events.partition_point(|e| e.ts <= t),
    }
}

/// Which of the candidates that complete together are reported.
fn pick(rule: &Rule, all: Vec<Candidate>) -> Vec<Candidate> {
    match rule.pick {
        Pick::All | Pick::Pending => all,
        Pick::Each => oldest_per_first(all),
        Pick::Latest => best(all, true),
        Pick::First => best(all, false),
    }
}

fn oldest_per_first(all: Vec<Candidate>) -> Vec<Candidate> {
    let mut firsts: Vec<usize> = all.iter().map(|c| c.bound()[0]).collect();
    firsts.sort_unstable();
    firsts.dedup();
    firsts.into_iter().flat_map(|f| best(all.iter().filter(|c| c.bound()[0] == f).cloned().collect(), false)).collect()
}

fn best(all: Vec<Candidate>, latest: bool) -> Vec<Candidate> {
    all.into_iter().reduce(|a, b| if newer(&b.binds, &a.binds, latest) { b } else { a }).into_iter().collect()
}

/// Whether `a` wins over `b`: under `latest` the newest binding, else the oldest.
pub fn newer(a: &Binds, b: &Binds, latest: bool) -> bool {
    use std::cmp::Ordering;
    let list = |binds: &Binds| {
        let mut all: Vec<usize> = binds.iter().flatten().copied().collect();
        all.sort_unstable();
        if latest {
            all.reverse();
        }
        all
    };
    let (la, lb) = (list(a), list(b));
    for (x, y) in la.iter().zip(&lb) {
        match x.cmp(y) {
            Ordering::Equal => {}
            Ordering::Greater => return latest,
            Ordering::Less => return !latest,
        }
    }
    // A proper prefix is newer.
    if la.len() != lb.len() {
        return (la.len() < lb.len()) == latest;
    }
    for (x, y) in a.iter().zip(b) {
        if x.len() != y.len() {
            return x.len() > y.len();
        }
    }
    a < b
}

/// Alerts of one completion stand oldest binding first.
pub fn older_first(a: &Binds, b: &Binds) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    if a == b {
        Ordering::Equal
    } else if newer(a, b, false) {
        Ordering::Less
    } else {
        Ordering::Greater
    }
}

/// Whether an alert is sent: not less than the period after the last one sent for the same values. Counts what is not.
pub fn admit(rule: &Rule, sent: &mut Vec<(Env, Ms, usize)>, alert: &mut Alert) -> bool {
    let Some((period, by)) = &rule.suppress else { return true };
    let mut values = alert.key.clone();
    values.retain(|(name, _)| by.is_empty() || by.contains(name));
    match sent.iter_mut().find(|(v, ..)| *v == values) {
        Some((_, last, dropped)) if alert.time - *last < *period => {
            *dropped += 1;
            false
        }
        Some((_, last, dropped)) => {
            alert.suppressed = std::mem::take(dropped);
            *last = alert.time;
            true
        }
        None => {
            sent.push((values, alert.time, 0));
            true
        }
    }
}
