//! What becomes of alerts after they were found: open until resolved, said again while an absence lasts.
//!
//! ```text
//! alerts of a rule ─┐
//!                   ├─ in order ─► open alerts by key ─► alerts, repeats, `resolved` notices
//! events, time ─────┘
//! ```
//! Rules with `resolve` or `repeat every` pass here after they have matched and before rules on their alerts do. So
//! `suppress` of these rules is decided here: a repeat passes it like any alert.
//!
//! Order: at one time events come first, then alerts, then repeats. A notice has the time and position of the event
//! that resolved, and stands before an alert that the same event completes.

use std::collections::{BTreeSet, VecDeque};

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::build::{Draft, Kind, Order};
use super::collect::SentCounters;
use super::suppress::Suppressor;
use super::{Notice, Origin};
use crate::base::id::GuardId;
use crate::base::{Limits, RuleId, Timestamp};
use crate::decode::view::LineView;
use crate::matcher::RuleEnv;
use crate::plan::Ruleset;
use crate::plan::eval::passes;
use crate::plan::event::{Seq, StoredEvent};
use crate::plan::ruleset::{Follow, Follower, RoleKind, Rule};

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// An alert that is open, or that will be said again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    draft: Draft,
    /// It, or a repeat of it, was sent.
    sent: bool,
    /// How often it was said again.
    said: u64,
    /// When it is said again.
    next: Option<Timestamp>,
}

impl Open {
    /// Whether it is what is said again now, at this place.
    fn is_due(&self, now: Timestamp, place: &Order) -> bool {
        self.next == Some(now) && timer(&self.draft.order, now).1 == *place
    }
}

/// The open alerts of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyAlerts {
    /// Oldest first.
    open: VecDeque<Open>,
    /// From when to when alerts were open that no longer are, as long as someone may ask about that time.
    closed: Vec<(Timestamp, Timestamp)>,
}

/// The saved alerts of one rule.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SavedFollower {
    rule: RuleId,
    keys: Vec<(Box<[u8]>, KeyAlerts)>,
}

/// The alerts of one rule.
#[derive(Debug, Default)]
struct State {
    keys: Map<Box<[u8]>, KeyAlerts>,
    timers: BTreeSet<(Timestamp, Order)>,
    /// Keys with something closed, by the time of closing.
    closing: VecDeque<(Timestamp, Box<[u8]>)>,
    /// Another rule asks whether alerts are open.
    watched: bool,
}

/// All rules whose alerts are followed.
#[derive(Debug)]
pub struct Followers {
    states: Vec<State>,
}

/// An event that may end an alert.
pub(super) struct Ending<'a> {
    pub(super) view: LineView<'a>,
    pub(super) ts: Timestamp,
    pub(super) seq: Seq,
    pub(super) roles: u64,
    pub(super) key: &'a [u8],
    /// For an alert that serves as an event: its place.
    pub(super) order: Option<&'a Order>,
}

/// What the work on one rule needs.
pub(super) struct Stage<'a> {
    pub(super) rules: &'a Ruleset,
    pub(super) limits: &'a Limits,
    pub(super) suppressor: &'a mut Suppressor,
    pub(super) counters: &'a mut [SentCounters],
    /// Repeats before this are due.
    pub(super) until: Timestamp,
}

impl Followers {
    /// Nothing is open; `None` if no rule asks for it.
    pub fn new(rules: &Ruleset) -> Option<Self> {
        let asked = |rule: RuleId| {
            rules.rules.iter().flat_map(|r| &r.steps).flat_map(|s| &s.unless_open).any(|open| open.rule == rule)
        };
        let state = |f: &Follower| State { watched: asked(f.rule), ..State::default() };
        (!rules.followers.is_empty()).then(|| Self { states: rules.followers.iter().map(state).collect() })
    }

    /// Whether a rule has an unresolved alert for a key, as an event at `ts` sees it: what happened strictly before.
    pub fn is_open(&self, rules: &Ruleset, rule: RuleId, key: &[u8], ts: Timestamp) -> bool {
        let Some(follow) = rules.rules[rule.index()].follow.as_deref() else { return false };
        let Some(alerts) = self.states[follow.follower].keys.get(key) else { return false };
        alerts.open.iter().any(|open| open.draft.order.time < ts)
            || alerts.closed.iter().any(|(from, to)| *from < ts && ts <= *to)
    }

    /// Forgets what was closed before `frontier`: nobody asks about earlier times any more.
    pub(super) fn forget(&mut self, frontier: Timestamp) {
        for state in &mut self.states {
            while state.closing.front().is_some_and(|(at, _)| *at < frontier) {
                let Some((_, key)) = state.closing.pop_front() else { break };
                if let Some(alerts) = state.keys.get_mut(&key) {
                    alerts.closed.retain(|(_, to)| *to >= frontier);
                    if alerts.open.is_empty() && alerts.closed.is_empty() {
                        state.keys.remove(&key);
                    }
                }
            }
        }
    }

    /// Open alerts, by follower.
    pub fn open(&self) -> impl Iterator<Item = usize> + '_ {
        self.states.iter().map(|s| s.keys.values().map(|k| k.open.len()).sum())
    }

    /// What a state file keeps.
    pub(super) fn save(&self, rules: &Ruleset) -> Vec<SavedFollower> {
        let saved = |(follower, state): (&Follower, &State)| {
            let mut keys: Vec<_> = state.keys.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
            keys.sort_by(|a, b| a.0.cmp(&b.0));
            SavedFollower { rule: follower.rule, keys }
        };
        rules.followers.iter().zip(&self.states).map(saved).collect()
    }

    /// Puts back what [`Followers::save`] gave. `rule` maps saved rules to those of this rule set.
    pub(super) fn restore(
        &mut self,
        rules: &Ruleset,
        saved: Vec<SavedFollower>,
        rule: &dyn Fn(RuleId) -> Option<RuleId>,
    ) {
        for SavedFollower { rule: of, keys } in saved {
            let Some(id) = rule(of) else { continue };
            let Some(at) = rules.followers.iter().position(|follower| follower.rule == id) else { continue };
            let state = &mut self.states[at];
            for (key, mut alerts) in keys {
                for open in &mut alerts.open {
                    open.draft.renumber(id);
                    state.timers.extend(open.next.map(|next| timer(&open.draft.order, next)));
                }
                state.closing.extend(alerts.closed.iter().map(|(_, to)| (*to, key.clone())));
                state.keys.insert(key, alerts);
            }
            state.closing.make_contiguous().sort();
        }
    }

    /// Takes the new alerts of one rule and the events that may end older ones, both in order.
    pub(super) fn run(
        &mut self,
        follower: usize,
        endings: &[Ending<'_>],
        drafts: Vec<Draft>,
        stage: &mut Stage<'_>,
        out: &mut Vec<Draft>,
    ) {
        let rule = &stage.rules.rules[stage.rules.followers[follower].rule.index()];
        let Some(follow) = rule.follow.as_deref() else { return };
        let mut at = At { state: &mut self.states[follower], rule, follow, out };
        let (mut events, mut drafts) = (endings.iter().peekable(), drafts.into_iter().peekable());
        loop {
            let event_first = match (events.peek(), drafts.peek()) {
                (None, None) => break,
                (Some(event), Some(draft)) => match event.order {
                    Some(order) => *order < draft.order,
                    // A look that resolves is an input event like any other: of one time, the earlier line comes first.
                    None if draft.order.kind == Kind::Resolved => {
                        (event.ts, event.seq) <= (draft.order.time, draft.order.seq)
                    }
                    // Input events of a time come before its alerts.
                    None => event.ts <= draft.order.time,
                },
                (event, _) => event.is_some(),
            };
            if event_first {
                let Some(event) = events.next() else { break };
                at.repeat_before(event.ts, stage);
                at.event(event, stage);
            } else {
                let Some(draft) = drafts.next() else { break };
                at.repeat_before(draft.order.time, stage);
                at.draft(draft, stage);
            }
        }
        at.repeat_before(Timestamp::MAX, stage);
    }
}

/// When an alert is said again, and its place among others that are said then.
fn timer(order: &Order, next: Timestamp) -> (Timestamp, Order) {
    let mut place = order.clone();
    place.repeated_at(next);
    (next, place)
}

/// One rule at work.
struct At<'a> {
    state: &'a mut State,
    rule: &'a Rule,
    follow: &'a Follow,
    out: &'a mut Vec<Draft>,
}

impl At<'_> {
    fn resolves(&self) -> bool {
        !self.follow.resolve_on.is_empty() || self.follow.resolve_when.is_some()
    }

    /// A new alert, or a look at which `resolve when` is true.
    fn draft(&mut self, mut draft: Draft, stage: &mut Stage<'_>) {
        let key = draft.order.key.clone();
        let time = draft.order.time;
        if draft.order.kind == Kind::Resolved {
            let by = Origin { ts: time, seq: draft.order.seq };
            self.close(&key, by, |_| true);
            return;
        }
        let sent = self.admit(&mut draft, stage);
        let next = self.follow.repeat.map(|period| time + period);
        self.state.timers.extend(next.map(|next| timer(&draft.order, next)));
        let alerts = self.state.keys.entry(key).or_default();
        alerts.open.push_back(Open { draft: draft.clone(), sent, said: 0, next });
        while alerts.open.len() > stage.limits.open_alerts_per_key {
            alerts.open.pop_front();
            stage.counters[self.rule.id.index()].forgotten += 1;
        }
        self.out.push(draft);
    }

    /// Asks `suppress`, and writes its answer into the draft.
    fn admit(&self, draft: &mut Draft, stage: &mut Stage<'_>) -> bool {
        let admitted = match (&self.rule.suppress, &draft.suppress) {
            (Some(suppress), Some(key)) => {
                stage.suppressor.admit(self.rule.id.0, key, suppress.period, draft.order.time)
            }
            _ => Some(0),
        };
        draft.alert.suppressed = admitted.unwrap_or(0);
        draft.verdict = Some(admitted.is_some());
        admitted.is_some()
    }

    /// An event that may resolve alerts, or end their repetition.
    fn event(&mut self, event: &Ending<'_>, stage: &Stage<'_>) {
        if self.state.keys.get(event.key).is_none_or(|k| k.open.is_empty()) {
            return;
        }
        let roles = &stage.rules.followers[self.follow.follower].roles;
        let by = Origin { ts: event.ts, seq: event.seq };
        let env = RuleEnv::new(self.rule, &stage.rules.tables, stage.limits);
        let hits = |guard: &GuardId| {
            let role = roles.iter().position(|r| r.kind == RoleKind::Guard(*guard));
            role.is_some_and(|role| event.roles & (1 << role) != 0)
        };
        let meets = |guard: &GuardId, open: &Open| {
            let Some(cross) = &env.rule.guards[guard.index()].cross else { return true };
            let mut bound: Vec<Vec<&StoredEvent>> = vec![Vec::new(); env.rule.steps.len()];
            for (step, events) in open.draft.bound.iter().flatten() {
                bound[step.index()].extend(events.iter().map(|e| &**e));
            }
            passes(cross, &env.context(Some(&event.view), &bound, None))
        };
        let any = |guards: &[GuardId], open: &Open| guards.iter().any(|g| hits(g) && meets(g, open));
        let (resolve_on, ends) = (&self.follow.resolve_on, &self.follow.ends_repeat);
        if ends.iter().any(hits) {
            let resolves = self.resolves();
            if let Some(alerts) = self.state.keys.get_mut(event.key) {
                for open in alerts.open.iter_mut().filter(|o| o.next.is_some()) {
                    if any(ends, open) {
                        open.next = None;
                    }
                }
                // Nothing is left to wait for.
                if !resolves {
                    alerts.open.retain(|o| o.next.is_some());
                }
            }
            self.tidy(event.key);
        }
        if resolve_on.iter().any(hits) {
            self.close(event.key, by, |open| any(resolve_on, open));
        }
    }

    /// Closes the open alerts of a key that are `meant`: a notice each, oldest first.
    fn close(&mut self, key: &[u8], by: Origin, meant: impl Fn(&Open) -> bool) {
        let Some(alerts) = self.state.keys.get_mut(key) else { return };
        let (ended, rest) = std::mem::take(&mut alerts.open).into_iter().partition(|o| meant(o));
        alerts.open = rest;
        for open in Vec::<Open>::from(ended) {
            if self.state.watched {
                alerts.closed.push((open.draft.order.time, by.ts));
                self.state.closing.push_back((by.ts, key.into()));
            }
            let mut notice = open.draft;
            notice.alert.time = by.ts;
            notice.alert.notice = Some(Notice::Resolved(by));
            notice.alert.bound.clear();
            notice.alert.values.clear();
            notice.alert.suppressed = 0;
            notice.order.resolved_at(by);
            notice.verdict = Some(open.sent);
            self.out.push(notice);
        }
        self.tidy(key);
    }

    /// Forgets a key that holds nothing.
    fn tidy(&mut self, key: &[u8]) {
        if self.state.keys.get(key).is_some_and(|k| k.open.is_empty() && k.closed.is_empty()) {
            self.state.keys.remove(key);
        }
    }

    /// Says alerts again whose time has come.
    fn repeat_before(&mut self, time: Timestamp, stage: &mut Stage<'_>) {
        let Some(period) = self.follow.repeat else { return };
        let limit = time.min(stage.until);
        while self.state.timers.first().is_some_and(|(at, _)| *at < limit) {
            let Some((now, place)) = self.state.timers.pop_first() else { break };
            let open = self.state.keys.get_mut(&place.key);
            let open = open.and_then(|k| k.open.iter_mut().find(|o| o.is_due(now, &place)));
            // It has ended meanwhile.
            let Some(open) = open else { continue };
            let order = open.draft.order.clone();
            open.said += 1;
            let mut again = open.draft.clone();
            again.alert.time = now;
            again.alert.notice = Some(Notice::Repeat(open.said));
            again.order.repeated_at(now);
            again.origins.push(Origin { ts: now, seq: Seq::REPEAT });
            let last = open.said >= stage.limits.repeats_per_alert;
            open.next = (!last).then_some(now + period);
            let next = open.next;
            if last {
                again.alert.notes.push("the limit of repeats is reached: the alert is not said again".to_owned());
            }
            self.state.timers.extend(next.map(|next| timer(&order, next)));
            let sent = self.admit(&mut again, stage);
            let resolves = self.resolves();
            if let Some(alerts) = self.state.keys.get_mut(&order.key) {
                alerts.open.iter_mut().filter(|o| o.draft.order == order).for_each(|o| o.sent |= sent);
                if last && !resolves {
                    alerts.open.retain(|o| o.next.is_some());
                }
            }
            // Alerts of `pick all` that bind the same events to other steps have one place.
            let alerts = self.state.keys.get(&order.key);
            if alerts.is_some_and(|k| k.open.iter().any(|o| o.is_due(now, &place))) {
                self.state.timers.insert((now, place));
            }
            self.tidy(&order.key);
            self.out.push(again);
        }
    }
}
