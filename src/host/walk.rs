//! One cell on its way through time: events, deadlines and ticks in their order.
//!
//! The order is that of a shard (`crate::matcher::shard`): at one time events come first, then ticks, then deadlines.
//! Matching itself is [`KeyState`]'s. Relies on events that never go back in `(time, position)`.

use std::cell::Cell as Shared;

use super::cell::{Cell, Entry, env};
use super::event::Event;
use super::names::HostRules;
use super::step::Place;
use crate::base::{RuleId, Timestamp, Value};
use crate::decode::slot::{Arena, Slot};
use crate::decode::view::LineView;
use crate::matcher::arrived::{Arrived, Copies, Match, RuleEnv};
use crate::matcher::key::{KeyState, stateless};
use crate::matcher::shard::Found;
use crate::plan::eval::unary;
use crate::plan::event::Seq;
use crate::plan::key;
use crate::plan::ruleset::StrategyKind;

/// A cell at work.
pub(super) struct Walk<'a> {
    pub(super) host: &'a HostRules,
    /// The host key.
    pub(super) host_key: &'a [u8],
    pub(super) cell: &'a mut Cell,
    pub(super) found: Vec<Found>,
    pub(super) evicted: u64,
    /// The input has ended: up to when each rule still takes ticks; others take none.
    pub(super) last_ticks: Option<Vec<(RuleId, Timestamp)>>,
    /// Where work is, for whoever has to say so.
    pub(super) place: &'a Place,
    /// Bytes that came to the states.
    pub(super) added: &'a Shared<usize>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        host: &'a HostRules,
        host_key: &'a [u8],
        cell: &'a mut Cell,
        place: &'a Place,
        added: &'a Shared<usize>,
    ) -> Self {
        Self { host, host_key, cell, found: Vec::new(), evicted: 0, last_ticks: None, place, added }
    }

    fn key(&self) -> &[u8] {
        HostRules::key_of(self.host_key)
    }

    /// The key as expressions see it, for rules that read it.
    fn key_values(&self, rule: RuleId) -> Vec<Value> {
        let rule = &self.host.rules.rules[rule.index()];
        if rule.hints.reads_key { key::decode(self.key(), rule.components.len()) } else { Vec::new() }
    }

    fn keep(&mut self, rule: RuleId, matches: Vec<Match>) {
        if matches.is_empty() {
            return;
        }
        let key = self.key().to_vec();
        self.found.extend(matches.into_iter().map(|matched| Found { rule, key: key.as_slice().into(), matched }));
    }

    /// Takes an event for one rule. Deadlines and ticks before it have been seen to.
    fn take(&mut self, id: RuleId, event: &Arrived<'_>) {
        self.place.enter(id);
        assert!(self.host.config.fail_in != Some(id), "this rule was told to fail");
        let rule = &self.host.rules.rules[id.index()];
        let values = self.key_values(id);
        let env = RuleEnv { added: Some(self.added), ..env(self.host, id, &values) };
        let mut matches = Vec::new();
        if rule.strategy == StrategyKind::Stateless && !rule.hints.needs_past {
            stateless(&env, event, event.roles, &[], &mut matches);
        } else {
            let at = match self.cell.entries.binary_search_by_key(&id, |entry| entry.rule) {
                Ok(at) => at,
                // Nothing is held, and the event cannot begin anything.
                Err(_) if !rule.hints.needs_past && event.roles & rule.hints.begins == 0 => return,
                Err(at) => {
                    let state = KeyState::new(rule.strategy);
                    self.cell.entries.insert(at, Entry { rule: id, state, wakes: Timestamp::MAX });
                    at
                }
            };
            let entry = &mut self.cell.entries[at];
            entry.state.on_event(&env, event, &mut matches, &mut self.evicted);
            if entry.state.is_empty() {
                self.cell.entries.remove(at);
            } else {
                entry.wakes = entry.state.wakes(&env).unwrap_or(Timestamp::MAX);
            }
        }
        self.keep(id, matches);
    }

    /// Takes an event for all rules that it is for.
    pub(super) fn event(&mut self, event: &Event, copies: &mut Copies) {
        self.advance(event.ts);
        copies.clear();
        let view = event.view();
        for (rule, roles) in &event.hits {
            let (rule, roles) = (*rule, *roles);
            let (ts, seq, raw) = (event.ts, event.seq, event.raw());
            let origins = &event.origins;
            self.take(rule, &Arrived { view, ts, seq, roles, raw, origins, copies: Some(copies) });
        }
    }

    /// Time has begun at `start`: rules that watch this key without having seen it do so from there.
    pub(super) fn begin(&mut self, start: Timestamp) {
        let host = self.host;
        for id in host.watchers(self.host_key) {
            if self.cell.watches(*id) {
                continue;
            }
            self.cell.watch(*id);
            let rule = &host.rules.rules[id.index()];
            let Some((expect, step)) = rule.expect.as_deref().and_then(|expect| Some((expect, expect.begins?))) else {
                continue;
            };
            self.advance(start);
            // The event has the fields of its key, and no others.
            let mut arena = Arena::default();
            let mut slots = vec![Slot::Missing; host.rules.fields.len()];
            for (field, value) in expect.fields.iter().zip(key::decode(self.key(), expect.fields.len())) {
                slots[field.index()] = Slot::Complex(arena.values.len() as u32);
                arena.values.push(value);
            }
            let (ts, seq) = (start, Seq::EXPECTED);
            let view = LineView { slots: &slots, text: "", arena: &arena, ts, arrival: ts, seq, lazy: None };
            let roles = 1 << rule.steps[step.index()].role;
            self.take(*id, &Arrived { view, ts, seq, roles, raw: None, origins: &[], copies: None });
        }
        self.cell.cursor.get_or_insert(start);
    }

    /// Decides deadlines before `until` and makes the ticks before it, in order of time.
    pub(super) fn advance(&mut self, until: Timestamp) {
        self.advance_ticking(until, until);
    }

    /// As [`Walk::advance`], with ticks before another time.
    pub(super) fn advance_ticking(&mut self, until: Timestamp, ticks: Timestamp) {
        while let Some(tick) = self.next_tick().filter(|tick| *tick < ticks) {
            self.ring_before(tick.min(until));
            self.tick(tick);
            self.cell.cursor = Some(Timestamp(tick.0.saturating_add(1)));
        }
        self.ring_before(until);
        self.cell.cursor = self.cell.cursor.max(Some(ticks));
    }

    fn ring_before(&mut self, until: Timestamp) {
        loop {
            let first = self.cell.entries.iter().enumerate().min_by_key(|(_, entry)| entry.wakes);
            let Some((at, time)) = first.map(|(at, entry)| (at, entry.wakes)).filter(|(_, time)| *time < until) else {
                return;
            };
            let id = self.cell.entries[at].rule;
            self.place.enter(id);
            let values = self.key_values(id);
            let env = env(self.host, id, &values);
            let entry = &mut self.cell.entries[at];
            let mut matches = Vec::new();
            entry.state.on_deadline(&env, time, &mut matches);
            if entry.state.is_empty() {
                self.cell.entries.remove(at);
            } else {
                entry.wakes = entry.state.wakes(&env).unwrap_or(Timestamp::MAX);
            }
            self.keep(id, matches);
        }
    }

    /// Whether a rule takes ticks under this key: it holds something, or watches.
    fn takes_ticks(&self, id: RuleId) -> bool {
        let rule = &self.host.rules.rules[id.index()];
        self.cell.watches(id)
            || rule.expect.is_none() && self.cell.entries.binary_search_by_key(&id, |entry| entry.rule).is_ok()
    }

    /// The next tick that some rule takes under this key.
    pub(super) fn next_tick(&self) -> Option<Timestamp> {
        let cursor = self.cell.cursor?;
        let seen =
            self.host.ticked.iter().enumerate().filter(|(_, rules)| rules.iter().any(|id| self.takes_ticks(*id)));
        seen.filter_map(|(clock, _)| self.host.rules.clocks[clock].at_or_after(cursor)).min()
    }

    fn tick(&mut self, time: Timestamp) {
        let host = self.host;
        for (clock, seen) in host.ticked.iter().enumerate() {
            if seen.is_empty() || host.rules.clocks[clock].at_or_after(time) != Some(time) {
                continue;
            }
            let (arena, seq) = (Arena::default(), Seq::tick(clock));
            let view = LineView { slots: &[], text: "", arena: &arena, ts: time, arrival: time, seq, lazy: None };
            let mut roles = vec![0_u64; seen.len()];
            host.rules.classes.classify_tick(clock, &unary(&view, &[], &host.rules.tables), |pred| {
                for (rule, role) in &pred.subscribers {
                    if let Ok(at) = seen.binary_search(rule) {
                        roles[at] |= 1 << role;
                    }
                }
            });
            for (id, roles) in seen.iter().zip(roles) {
                let last = self.last_ticks.as_ref().map(|last| last.iter().find(|(rule, _)| rule == id));
                let over = last.is_some_and(|last| last.is_none_or(|(_, last)| time > *last));
                if roles != 0 && !over && self.takes_ticks(*id) {
                    let event = Arrived { view, ts: time, seq, roles, raw: None, origins: &[], copies: None };
                    self.take(*id, &event);
                }
            }
        }
    }

    /// When a rule's state is to be moved again after `now`, if no event comes. When something merely becomes useless is
    /// rounded up by an eighth of the time until then at most, so that it is not another time after each event.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let wakes = |entry: &Entry| {
            if self.host.rules.rules[entry.rule.index()].hints.timed || entry.wakes == Timestamp::MAX {
                return entry.wakes;
            }
            let left = entry.wakes.0.saturating_sub(now.0).max(8);
            let grain = 1_i64 << (left / 8).ilog2();
            Timestamp(entry.wakes.0.saturating_add(grain - 1) / grain * grain)
        };
        let wakes = self.cell.entries.iter().map(wakes).min().filter(|at| *at < Timestamp::MAX);
        wakes.into_iter().chain(self.next_tick()).min()
    }
}
