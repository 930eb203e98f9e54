//! Behind the shards: puts alerts in order, runs the rules that read alerts, and suppresses.
//!
//! ```text
//! shards ─► order by (time, event | deadline, seq, rule, binding) ─► rules on alerts, level by level ─► suppress ─► out
//! ```
//! An alert is an event at its completion time, after all input events of that time. So rules on alerts run only up
//! to the watermark: what lies at it waits, together with the alerts of that time, until time has passed it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::build::{Builder, Draft, Order};
use super::follow::{Ending, Followers, SavedFollower, Stage};
use super::suppress::Suppressor;
use super::{Alert, Evidence, Notice};
use crate::base::{Budget, Limits, RuleId, Timestamp, Value};
use crate::decode::batch::Batch;
use crate::decode::decoder::Decoder;
use crate::decode::view::LineView;
use crate::matcher::Arrived;
use crate::matcher::shard::{Found, Matcher};
use crate::plan::Ruleset;
use crate::plan::eval::{eval, unary};
use crate::plan::event::Seq;
use crate::plan::key::encode_scalar;

/// What the collector counts for each rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentCounters {
    /// Alerts sent.
    pub sent: u64,
    /// Alerts dropped by `suppress`.
    pub suppressed: u64,
    /// Alerts of shadow rules, counted only.
    pub shadowed: u64,
    /// Alerts of internal rules, which only other rules see.
    pub internal: u64,
    /// Notices that an alert is closed.
    pub resolved: u64,
    /// Of the alerts sent, those that were said again.
    pub repeated: u64,
    /// Open alerts that a limit dropped.
    pub forgotten: u64,
}

/// One level of rules on alerts.
#[derive(Debug)]
struct Level {
    matcher: Matcher,
    /// Alerts seen so far, for their positions.
    seen: u64,
}

/// The collector.
#[derive(Debug)]
pub struct Collector {
    rules: Arc<Ruleset>,
    builder: Builder,
    decoder: Option<Decoder>,
    levels: Vec<Level>,
    /// Input events for rules on alerts, in order, not before the frontier.
    inputs: Vec<(Arc<Batch>, u32)>,
    /// Alerts not yet final.
    held: Vec<Draft>,
    suppressor: Suppressor,
    /// Alerts that are open or said again, if any rule has such.
    follow: Option<Box<Followers>>,
    /// Repeats before this are due; it stays where the input ended.
    due: Timestamp,
    /// Where time began.
    start: Option<Timestamp>,
    ended: bool,
    limits: Limits,
    counters: Vec<SentCounters>,
    full_evidence: bool,
    /// Alerts of internal rules are given too: tests want to see them.
    show_internal: bool,
    /// By rule: it is matched elsewhere; empty if none is.
    elsewhere: Vec<bool>,
}

/// A saved collector.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedCollector {
    held: Vec<Draft>,
    suppressor: Suppressor,
    /// Alerts seen so far, by level.
    seen: Vec<u64>,
    counters: Vec<SentCounters>,
    follow: Vec<SavedFollower>,
}

impl SavedCollector {
    /// Alerts that were not final.
    pub fn held(&self) -> usize {
        self.held.len()
    }
}

impl Collector {
    /// A collector. `decoder` decodes alerts as events; it is needed only if rules read alerts.
    pub fn new(
        rules: Arc<Ruleset>,
        evidence: Evidence,
        limits: Limits,
        decoder: Option<Decoder>,
        clock: Option<fn() -> u64>,
    ) -> Self {
        let level = |at| {
            let matcher = Matcher::new(Arc::clone(&rules), limits.clone(), clock);
            Level { matcher: matcher.scheduled(at + 1, None), seen: 0 }
        };
        Self {
            builder: Builder::new(Arc::clone(&rules), evidence),
            decoder,
            levels: (0..rules.levels).map(level).collect(),
            inputs: Vec::new(),
            held: Vec::new(),
            suppressor: Suppressor::default(),
            follow: Followers::new(&rules).map(Box::new),
            due: Timestamp::MIN,
            start: None,
            ended: false,
            limits,
            counters: vec![SentCounters::default(); rules.rules.len()],
            full_evidence: evidence == Evidence::Full,
            show_internal: false,
            elsewhere: Vec::new(),
            rules,
        }
    }

    /// Leaves out rules on alerts that are matched elsewhere, by rule. For a collector that holds nothing yet.
    pub fn leave_out(&mut self, elsewhere: Vec<bool>) {
        self.elsewhere = elsewhere;
    }

    /// Levels of rules on alerts take so many parts of a budget, of `parts` in all. For a collector that holds nothing
    /// yet.
    pub fn set_budget(&mut self, budget: &Arc<Budget>, parts: usize) {
        self.levels.iter_mut().for_each(|level| level.matcher.set_budget(budget, parts));
    }

    /// Goes on with tables that were read anew; see [`Ruleset::differs_only_in_tables`].
    pub fn set_tables(&mut self, rules: &Arc<Ruleset>) {
        self.rules = Arc::clone(rules);
        self.builder.set_tables(rules);
        self.decoder.iter_mut().for_each(|d| d.set_tables(rules));
        self.levels.iter_mut().for_each(|l| l.matcher.set_tables(rules));
    }

    /// Also gives the alerts of internal rules, as a test of one wants to see them.
    pub fn show_internal(&mut self, show: bool) {
        self.show_internal = show;
    }

    /// The builder, for shards that make their own drafts.
    pub fn builder(&self) -> &Builder {
        &self.builder
    }

    /// Counters by rule.
    pub fn counters(&self) -> &[SentCounters] {
        &self.counters
    }

    /// The matchers of rules on alerts.
    pub fn matchers(&self) -> impl Iterator<Item = &Matcher> {
        self.levels.iter().map(|l| &l.matcher)
    }

    /// Events held for rules on alerts.
    pub fn inputs(&self) -> &[(Arc<Batch>, u32)] {
        &self.inputs
    }

    /// Puts back an event held for rules on alerts.
    pub fn restore_input(&mut self, batch: Arc<Batch>) {
        self.inputs.extend((0..batch.records.len() as u32).map(|i| (Arc::clone(&batch), i)));
    }

    /// Takes an event in order, for rules on alerts.
    pub fn input(&mut self, batch: &Arc<Batch>, record: u32) {
        if self.rules.gathers() {
            self.inputs.push((Arc::clone(batch), record));
        }
    }

    /// Time begins at `start`.
    pub fn begin(&mut self, start: Timestamp) {
        self.start = Some(start);
    }

    /// Goes on where a saved collector was.
    pub fn resume(&mut self, start: Option<Timestamp>, watermark: Timestamp) {
        self.start = start;
        self.levels.iter_mut().for_each(|l| l.matcher.resume(start, watermark));
    }

    /// The input has ended: clocks stop, or with `flush` go on as long as something is undecided.
    pub fn end(&mut self, flush: bool) {
        self.levels.iter_mut().for_each(|l| l.matcher.end(flush));
    }

    /// Takes what the shards found up to `watermark`, and gives what is final.
    pub fn collect(&mut self, mut drafts: Vec<Draft>, watermark: Timestamp, out: &mut Vec<Alert>) {
        if !self.rules.gathers() {
            drafts.sort_by(|a, b| a.order.cmp(&b.order));
            for draft in drafts {
                self.send(draft, out);
            }
            return;
        }
        self.held.append(&mut drafts);
        self.rise(watermark, watermark, out);
    }

    /// The input has ended: everything held is final. Deadlines before `watermark` are decided.
    pub fn finish(&mut self, watermark: Timestamp, out: &mut Vec<Alert>) {
        if self.rules.gathers() {
            self.rise(Timestamp::MAX, watermark, out);
        }
        self.ended = true;
    }

    /// Undecided absences of rules on alerts, by rule. Deciding them is how they are counted: nothing may follow.
    pub fn pending(&mut self) -> Vec<u64> {
        let mut pending = vec![0; self.rules.rules.len()];
        for level in &mut self.levels {
            let mut found = Vec::new();
            level.matcher.advance(Timestamp::MAX, &mut found);
            for f in found {
                pending[f.rule.index()] += 1;
            }
        }
        pending
    }

    /// Runs rules on alerts: events before `frontier`, deadlines before `deadlines`.
    fn rise(&mut self, frontier: Timestamp, deadlines: Timestamp, out: &mut Vec<Alert>) {
        // At the end of the input (`frontier` is MAX) the events at the last moment are final too.
        let last = frontier == Timestamp::MAX;
        let inside = |ts: Timestamp| last || ts < frontier;
        let split = self.inputs.partition_point(|(batch, i)| inside(batch.records[*i as usize].ts));
        let inputs: Vec<(Arc<Batch>, u32)> = self.inputs.drain(..split).collect();
        let (mut ready, rest): (Vec<Draft>, Vec<Draft>) =
            std::mem::take(&mut self.held).into_iter().partition(|d| inside(d.order.time));
        self.held = rest;
        ready.sort_by(|a, b| a.order.cmp(&b.order));
        if !self.ended {
            self.due = frontier.min(deadlines);
        }
        self.follow_up(0, &inputs, &mut ready);
        for level in 0..self.levels.len() {
            let mut found = Vec::new();
            self.run_level(level, &inputs, &ready, deadlines, &mut found);
            ready.extend(found.into_iter().map(|f| self.builder.build(f)));
            ready.sort_by(|a, b| a.order.cmp(&b.order));
            self.follow_up(level + 1, &inputs, &mut ready);
        }
        if let Some(follow) = &mut self.follow {
            follow.forget(frontier);
        }
        for draft in ready {
            self.send(draft, out);
        }
    }

    /// Opens, repeats and closes the alerts of the rules of a level, which have all been found up to here.
    fn follow_up(&mut self, level: usize, inputs: &[(Arc<Batch>, u32)], ready: &mut Vec<Draft>) {
        let Some(follow) = &mut self.follow else { return };
        let rules = &self.rules;
        for (at, follower) in rules.followers.iter().enumerate() {
            if rules.rules[follower.rule.index()].level as usize != level {
                continue;
            }
            let id = RuleId::from(rules.rules.len() + at);
            // Alerts that may end alerts: those of lower levels, as events.
            let alerts: Vec<(&Order, Batch)> = match &mut self.decoder {
                Some(decoder) if follower.reads_alerts => {
                    let seen = ready.iter().filter(|d| d.is_event(rules));
                    let decoded = seen.filter_map(|d| {
                        let batch = decoder.decode_alert(d.alert.rule, event_json(&d.alert), d.order.time)?;
                        Some((&d.order, batch))
                    });
                    decoded.collect()
                }
                _ => Vec::new(),
            };
            let of_inputs = inputs.iter().map(|(batch, record)| (&**batch, *record, None));
            let of_alerts = alerts.iter().map(|(order, batch)| (batch, 0, Some(*order)));
            let mut endings = Vec::new();
            for (batch, record, order) in of_inputs.chain(of_alerts) {
                let record = &batch.records[record as usize];
                for hit in &batch.hits[record.first_hit as usize..record.end_hit as usize] {
                    if hit.rule == id {
                        let seq = if order.is_some() { Seq::alert(0) } else { batch.seq(record) };
                        let (view, key) = (batch.view(record), batch.key(hit));
                        endings.push(Ending { view, ts: record.ts, seq, roles: hit.roles, key, order });
                    }
                }
            }
            endings.sort_by_key(|e| (e.ts, e.seq));
            let own: Vec<Draft> = ready.iter().filter(|d| d.alert.rule == follower.rule).cloned().collect();
            let mut stage = Stage {
                rules,
                limits: &self.limits,
                suppressor: &mut self.suppressor,
                counters: &mut self.counters,
                until: self.due,
            };
            let mut out = Vec::new();
            follow.run(at, &endings, own, &mut stage, &mut out);
            drop(endings);
            drop(alerts);
            ready.retain(|d| d.alert.rule != follower.rule);
            ready.append(&mut out);
            ready.sort_by(|a, b| a.order.cmp(&b.order));
        }
    }

    fn run_level(
        &mut self,
        level: usize,
        inputs: &[(Arc<Batch>, u32)],
        alerts: &[Draft],
        deadlines: Timestamp,
        found: &mut Vec<Found>,
    ) {
        let rules = Arc::clone(&self.rules);
        let of_level = |rule: RuleId| {
            rules.rules.get(rule.index()).is_some_and(|r| r.level as usize == level + 1)
                && !is_among(&self.elsewhere, rule)
        };
        let Level { matcher, seen } = &mut self.levels[level];
        if let Some(start) = self.start {
            matcher.begin(start, found);
        }
        let (mut a, mut b) = (inputs.iter().peekable(), alerts.iter().peekable());
        loop {
            let input = a.peek().map(|(batch, i)| batch.records[*i as usize].ts);
            let alert = b.peek().map(|d| d.order.time);
            match (input, alert) {
                (None, None) => break,
                // Input events of a time come before its alerts.
                (Some(ts), other) if other.is_none_or(|t| ts <= t) => {
                    matcher.advance(ts.min(deadlines), found);
                    if let Some((batch, i)) = a.next() {
                        let record = &batch.records[*i as usize];
                        for hit in &batch.hits[record.first_hit as usize..record.end_hit as usize] {
                            if !of_level(hit.rule) {
                                continue;
                            }
                            let view = batch.view(record);
                            let event = Arrived {
                                view,
                                ts,
                                seq: batch.seq(record),
                                roles: held_back(&self.follow, &rules, hit.rule, hit.roles, &view),
                                raw: self.full_evidence.then(|| batch.line(record)),
                                origins: &[],
                                copies: None,
                            };
                            matcher.on_hit(hit.rule, batch.key(hit), hit.hash, &event, found);
                        }
                    }
                }
                _ => {
                    let Some(draft) = b.next() else { break };
                    if !draft.is_event(&rules) {
                        continue;
                    }
                    matcher.advance_to_alert(draft.order.time, deadlines, found);
                    let Some(decoder) = &mut self.decoder else { continue };
                    let json = event_json(&draft.alert);
                    let Some(batch) = decoder.decode_alert(draft.alert.rule, json, draft.order.time) else { continue };
                    let record = &batch.records[0];
                    *seen += 1;
                    let seq = Seq::alert(*seen);
                    let mut view = batch.view(record);
                    view.seq = seq;
                    for hit in &batch.hits {
                        if !of_level(hit.rule) {
                            continue;
                        }
                        let event = Arrived {
                            view,
                            ts: draft.order.time,
                            seq,
                            roles: held_back(&self.follow, &rules, hit.rule, hit.roles, &view),
                            raw: self.full_evidence.then(|| batch.line(record)),
                            origins: &draft.origins,
                            copies: None,
                        };
                        matcher.on_hit(hit.rule, batch.key(hit), hit.hash, &event, found);
                    }
                }
            }
        }
        matcher.advance(deadlines, found);
    }

    fn send(&mut self, draft: Draft, out: &mut Vec<Alert>) {
        let gate = Gate { rules: &self.rules, suppressor: &mut self.suppressor, show_internal: self.show_internal };
        let rule = draft.alert.rule;
        out.extend(gate.send(draft, &mut self.counters[rule.index()]));
    }

    /// The matchers of rules on alerts, to save their keys.
    pub fn matchers_mut(&mut self) -> impl Iterator<Item = &mut Matcher> {
        self.levels.iter_mut().map(|l| &mut l.matcher)
    }

    /// The matcher of a rule on alerts.
    pub fn matcher_of(&mut self, rule: RuleId) -> Option<&mut Matcher> {
        if is_among(&self.elsewhere, rule) {
            return None;
        }
        let level = self.rules.rules.get(rule.index())?.level.checked_sub(1)?;
        self.levels.get_mut(level as usize).map(|level| &mut level.matcher)
    }

    /// What is saved, but for [`Collector::inputs`] and what the matchers hold.
    pub fn save(&self) -> SavedCollector {
        SavedCollector {
            held: self.held.clone(),
            suppressor: self.suppressor.clone(),
            seen: self.levels.iter().map(|level| level.seen).collect(),
            counters: self.counters.clone(),
            follow: self.follow.as_ref().map(|f| f.save(&self.rules)).unwrap_or_default(),
        }
    }

    /// Puts back what [`Collector::save`] gave. `rule` maps saved rules to those of this rule set; what belongs to
    /// others is dropped.
    pub fn restore(&mut self, saved: SavedCollector, rule: &dyn Fn(RuleId) -> Option<RuleId>) {
        for mut draft in saved.held {
            if let Some(id) = rule(draft.alert.rule) {
                draft.renumber(id);
                self.held.push(draft);
            }
        }
        self.suppressor = saved.suppressor.renumbered(rule);
        for (of, counters) in saved.counters.into_iter().enumerate() {
            if let Some(id) = rule(RuleId::from(of)) {
                self.counters[id.index()] = counters;
            }
        }
        if let Some(follow) = &mut self.follow {
            follow.restore(&self.rules, saved.follow, rule);
        }
        // Positions of alerts never repeat, at whatever level a rule now stands.
        let most = saved.seen.iter().max().copied().unwrap_or_default();
        let same = saved.seen.len() == self.levels.len();
        for (at, level) in self.levels.iter_mut().enumerate() {
            level.seen = if same { saved.seen[at] } else { most };
        }
    }
}

/// What decides whether an alert that is final is sent.
#[derive(Debug)]
pub struct Gate<'a> {
    /// The rule set.
    pub rules: &'a Ruleset,
    /// What was sent before.
    pub suppressor: &'a mut Suppressor,
    /// Alerts of internal rules are sent too.
    pub show_internal: bool,
}

impl Gate<'_> {
    /// The alert of a draft if it is sent. Drafts of one rule and suppression key come in order.
    pub fn send(self, draft: Draft, counters: &mut SentCounters) -> Option<Alert> {
        let rule = &self.rules.rules[draft.alert.rule.index()];
        let mut alert = draft.alert;
        if let Some(Notice::Resolved(_)) = alert.notice {
            let sent = draft.verdict == Some(true) && !rule.shadow && (!rule.internal || self.show_internal);
            counters.resolved += u64::from(sent);
            return sent.then_some(alert);
        }
        if let Some(admitted) = draft.verdict {
            if !admitted {
                counters.suppressed += 1;
                return None;
            }
        } else if let (Some(suppress), Some(key)) = (&rule.suppress, &draft.suppress) {
            match self.suppressor.admit(rule.id.0, key, suppress.period, alert.time) {
                Some(dropped) => alert.suppressed = dropped,
                None => {
                    counters.suppressed += 1;
                    return None;
                }
            }
        }
        if rule.shadow {
            counters.shadowed += 1;
            return None;
        }
        if rule.internal {
            counters.internal += 1;
            return self.show_internal.then_some(alert);
        }
        counters.sent += 1;
        counters.repeated += u64::from(alert.notice.is_some());
        Some(alert)
    }
}

/// Whether a rule is marked. Marks that are not there are not made.
fn is_among(marks: &[bool], rule: RuleId) -> bool {
    marks.get(rule.index()).is_some_and(|mark| *mark)
}

/// The roles of an event without those of steps that an open alert holds back.
fn held_back(follow: &Option<Box<Followers>>, rules: &Ruleset, rule: RuleId, roles: u64, view: &LineView<'_>) -> u64 {
    let rule = &rules.rules[rule.index()];
    let Some(follow) = follow.as_ref().filter(|_| rule.asks_open) else { return roles };
    let context = unary(view, &[], &rules.tables);
    let mut left = roles;
    for step in rule.steps.iter().filter(|s| roles & (1 << s.role) != 0) {
        let open = step.unless_open.iter().any(|open| {
            let mut key: SmallVec<[u8; 64]> = SmallVec::new();
            open.key.iter().for_each(|part| {
                encode_scalar(eval(part, &context).get(), &mut key);
            });
            follow.is_open(rules, open.rule, &key, view.ts)
        });
        if open {
            left &= !(1 << step.role);
        }
    }
    left
}

/// An alert as an event: its values by name, then `key`, `severity` and `rule`.
pub(crate) fn event_json(alert: &Alert) -> String {
    let mut object = serde_json::Map::new();
    for (name, value) in &alert.values {
        if !matches!(value, Value::Missing) {
            object.insert(name.clone(), value.to_json());
        }
    }
    let key = alert.key.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
    object.insert("key".to_owned(), serde_json::Value::Object(key));
    object.insert("severity".to_owned(), alert.severity.as_str().into());
    object.insert("rule".to_owned(), alert.rule_name.to_string().into());
    serde_json::Value::Object(object).to_string()
}
