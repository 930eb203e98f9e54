//! What becomes of the alerts of a rule: `resolve` closes them, `repeat every` says them again. Also their order, and
//! `suppress`, which repeats pass like new alerts.

use super::candidates::Done;
use super::eval::{At, Binds, Env, World};
use super::event::Ms;
use super::rule::{Elem, Guard};
use super::select::{self, Alert, Notice};

/// An alert that was found.
pub struct Found {
    pub done: Done,
    pub key: Env,
    pub binds: Binds,
    /// Later looks of its key at which `resolve when` is true.
    pub looks: Vec<usize>,
}

/// What is said at one place in the order of alerts.
struct Said {
    time: Ms,
    at_deadline: bool,
    /// The completing or resolving event.
    event: usize,
    /// Notices, new alerts, repeats.
    kind: u8,
    /// Which alert it is about.
    of: usize,
    repeat: usize,
}

/// Alerts, repeats and notices in order. Time has come to `watermark`.
pub fn all(world: &World<'_>, found: &[Found], watermark: Ms) -> Vec<Alert> {
    let mut said: Vec<Said> = vec![];
    for (of, alert) in found.iter().enumerate() {
        let (time, at_deadline, event) = match alert.done {
            Done::Event(e) => (world.events[e].ts, false, e),
            Done::Deadline(t) => (t, true, 0),
        };
        said.push(Said { time, at_deadline, event, kind: 1, of, repeat: 0 });
        let resolved = resolved(world, alert, time);
        if let Some(event) = resolved {
            said.push(Said { time: world.events[event].ts, at_deadline: false, event, kind: 0, of, repeat: 0 });
        }
        let Some(period) = world.rule.repeat else { continue };
        let ends = ends(world, alert, time).into_iter().chain(resolved).min().map(|e| world.events[e].ts);
        let mut n = 1;
        while time + period * (n as Ms) < watermark && ends.is_none_or(|end| end > time + period * (n as Ms)) {
            said.push(Said { time: time + period * (n as Ms), at_deadline: true, event: 0, kind: 2, of, repeat: n });
            n += 1;
        }
    }
    said.sort_by(|a, b| {
        let place = |s: &Said| (s.time, s.at_deadline, s.event, s.kind);
        // The same events may complete two keys: missing comes first, then texts in their order.
        let key = |s: &Said| found[s.of].key.iter().map(|(_, v)| (v != "null", v.clone())).collect::<Vec<_>>();
        let by_binding = || select::older_first(&found[a.of].binds, &found[b.of].binds);
        let flat = |s: &Said| {
            let mut all: Vec<usize> = found[s.of].binds.iter().flatten().copied().collect();
            all.sort_unstable();
            all
        };
        let by_key = || if flat(a) == flat(b) { key(a).cmp(&key(b)) } else { std::cmp::Ordering::Equal };
        place(a).cmp(&place(b)).then_with(by_key).then_with(by_binding)
    });
    tell(world, found, said)
}

/// The first event after the alert that closes it: after all events of its time, or a later look.
fn resolved(world: &World<'_>, alert: &Found, time: Ms) -> Option<usize> {
    let by_event = first_hit(world, &world.rule.resolve_on, alert, time);
    by_event.into_iter().chain(alert.looks.first().copied()).min()
}

/// The events that end the repetition: what was absent, and `cancel on`.
fn ends(world: &World<'_>, alert: &Found, time: Ms) -> Option<usize> {
    let mut guards: Vec<Guard> = world.rule.cancel.clone();
    for (_, elem) in world.rule.body.iter().rev() {
        let Elem::Absence { events, .. } = elem else { break };
        guards.extend(events.iter().cloned());
    }
    first_hit(world, &guards, alert, time)
}

fn first_hit(world: &World<'_>, guards: &[Guard], alert: &Found, time: Ms) -> Option<usize> {
    let comps = world.rule.comps(world.rule.steps()[0]);
    let met = |x: usize| guards.iter().any(|g| world.meets(g, x, &comps, &alert.key, &alert.binds));
    (0..world.events.len()).find(|&x| world.events[x].ts > time && met(x))
}

/// Drops what `suppress` holds back, and notices of what was never sent.
fn tell(world: &World<'_>, found: &[Found], said: Vec<Said>) -> Vec<Alert> {
    let mut sent: Vec<(Env, Ms, usize)> = vec![];
    let mut was_sent = vec![false; found.len()];
    let mut out = vec![];
    for s in said {
        let alert = &found[s.of];
        // What time brought is in no line.
        let line = |i: usize| if world.events[i].is_timed() { 0 } else { world.events[i].seq };
        let lines = |l: &Vec<usize>| l.iter().map(|&i| line(i)).collect();
        let at = At { event: None, binds: &alert.binds, prev: None, step: None };
        let names = world.rule.names().split_off(alert.binds.len());
        let world = World { key: alert.key.clone(), ..*world };
        let found = names.iter().flatten().map(|name| world.looked_back(name, at).into_iter().collect());
        let mut told = Alert {
            time: s.time,
            key: alert.key.clone(),
            bound: alert.binds.iter().cloned().chain(found).map(|l| lines(&l)).collect(),
            suppressed: 0,
            notice: match s.kind {
                0 => Some(Notice::Resolved(line(s.event))),
                1 => None,
                _ => Some(Notice::Repeat(s.repeat)),
            },
        };
        let admitted = s.kind == 0 && was_sent[s.of] || s.kind != 0 && select::admit(world.rule, &mut sent, &mut told);
        was_sent[s.of] |= admitted;
        if admitted {
            out.push(told);
        }
    }
    out
}
