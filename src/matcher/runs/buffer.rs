//! The events of one key, in order, with one list of positions per role and hash indexes for joins.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::RuleEnv;
use crate::base::budget::block;
use crate::base::{StepId, Timestamp};
use crate::plan::eval::eval;
use crate::plan::event::{Seq, StoredEvent};
use crate::plan::expr::Expr;
use crate::plan::key::encode_scalar;
use crate::plan::ruleset::{RoleKind, Rule};

/// A position in the buffer; grows with `(@ts, @seq)` and is never reused.
pub(super) type Id = u64;

/// An event with its roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Held {
    event: Arc<StoredEvent>,
    roles: u64,
    /// Already reported as the first event of a match, under `skip to next`.
    first_used: bool,
}

/// Positions by the values of a join.
#[derive(Clone, Debug, Default)]
struct JoinIndex {
    ids: HashMap<Box<[u8]>, Vec<Id>, foldhash::fast::FixedState>,
    /// Events whose value is a list: they equal by any element, so no look-up finds them.
    lists: usize,
}

/// The values of a join for one event.
enum JoinKey {
    Found(Vec<u8>),
    /// One is missing: equal to nothing.
    Missing,
    /// One is a list or an object.
    List,
}

/// The buffer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Buffer {
    events: VecDeque<Held>,
    base: Id,
    #[serde(skip)]
    lists: Vec<VecDeque<Id>>,
    /// By step, then by later step it is joined with.
    #[serde(skip)]
    joins: Vec<Vec<(StepId, JoinIndex)>>,
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self.events == other.events && self.base == other.base
    }
}

/// The later steps that a step is joined with, each once.
fn join_partners(rule: &Rule, step: usize) -> Vec<StepId> {
    let mut partners: Vec<StepId> = rule.steps[step].joins.iter().map(|j| j.step).collect();
    partners.sort();
    partners.dedup();
    partners
}

/// The earlier step's side of its joins with `later`.
fn this_sides(rule: &Rule, step: usize, later: StepId) -> impl Iterator<Item = &Expr> {
    rule.steps[step].joins.iter().filter(move |j| j.step == later).map(|j| &j.this)
}

impl Buffer {
    /// What an event takes beside itself, about: its entry, and its place in a list and in an index.
    pub(super) const BYTES_PER_EVENT: usize = size_of::<Held>() + 64;

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Bytes that it takes beside itself.
    pub(super) fn heap(&self) -> usize {
        let events = self.events.iter().map(|held| held.event.bytes()).sum::<usize>();
        let lists = self.lists.iter().map(|list| block(list.capacity() * size_of::<Id>())).sum::<usize>();
        let lists = block(self.lists.capacity() * size_of::<VecDeque<Id>>()) + lists;
        let joins = self.joins.iter().map(|of| {
            let index = |(_, index): &(StepId, JoinIndex)| {
                let ids = index.ids.iter().map(|(key, ids)| block(key.len()) + block(ids.capacity() * size_of::<Id>()));
                block(index.ids.allocation_size()) + ids.sum::<usize>()
            };
            block(of.capacity() * size_of::<(StepId, JoinIndex)>()) + of.iter().map(index).sum::<usize>()
        });
        block(self.events.capacity() * size_of::<Held>()) + events + lists + joins.sum::<usize>()
    }

    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.events.back().map(|h| h.event.ts)
    }

    /// One past the last position.
    pub(super) fn end(&self) -> Id {
        self.base + self.events.len() as u64
    }

    fn held(&self, id: Id) -> &Held {
        &self.events[(id - self.base) as usize]
    }

    pub(super) fn event(&self, id: Id) -> &StoredEvent {
        &self.held(id).event
    }

    pub(super) fn shared(&self, id: Id) -> Arc<StoredEvent> {
        Arc::clone(&self.held(id).event)
    }

    pub(super) fn has(&self, id: Id, role: u8) -> bool {
        self.held(id).roles & (1 << role) != 0
    }

    /// All roles of an event, a bit each.
    pub(super) fn roles(&self, id: Id) -> u64 {
        self.held(id).roles
    }

    pub(super) fn first_used(&self, id: Id) -> bool {
        self.held(id).first_used
    }

    pub(super) fn mark_first_used(&mut self, id: Id) {
        let at = (id - self.base) as usize;
        self.events[at].first_used = true;
    }

    /// Positions with a role in `from..to`, oldest first.
    pub(super) fn range(&self, role: u8, from: Id, to: Id) -> impl DoubleEndedIterator<Item = Id> + '_ {
        let list = self.lists.get(role as usize);
        let (a, b) = list.map_or((0, 0), |l| (l.partition_point(|id| *id < from), l.partition_point(|id| *id < to)));
        list.into_iter().flat_map(move |l| l.range(a..b.max(a)).copied())
    }

    /// Whether any event with a role lies in `from..to`.
    pub(super) fn any(&self, role: u8, from: Id, to: Id) -> bool {
        self.range(role, from, to).next().is_some()
    }

    /// The first position at or after a time.
    pub(super) fn at_or_after(&self, ts: Timestamp) -> Id {
        self.base + self.events.partition_point(|h| h.event.ts < ts) as u64
    }

    /// The first position after a time.
    pub(super) fn after(&self, ts: Timestamp) -> Id {
        self.base + self.events.partition_point(|h| h.event.ts <= ts) as u64
    }

    /// Positions of `step` that agree with `event` of a later step in all joins between the two; `None` if they
    /// are not joined, or if a list is among the values.
    pub(super) fn joined(&self, env: &RuleEnv<'_>, step: StepId, later: StepId, event: &StoredEvent) -> Option<&[Id]> {
        let (_, index) = self.joins.get(step.index())?.iter().find(|(s, _)| *s == later)?;
        if index.lists > 0 {
            return None;
        }
        let others = env.rule.steps[step.index()].joins.iter().filter(|j| j.step == later).map(|j| &j.other);
        match join_key(env, others, event) {
            JoinKey::Found(key) => Some(index.ids.get(&key[..]).map_or(&[][..], Vec::as_slice)),
            JoinKey::Missing => Some(&[]),
            JoinKey::List => None,
        }
    }

    pub(super) fn push(&mut self, env: &RuleEnv<'_>, event: Arc<StoredEvent>, roles: u64) -> Id {
        let id = self.end();
        self.events.push_back(Held { event, roles, first_used: false });
        self.add(env, id);
        id
    }

    fn add(&mut self, env: &RuleEnv<'_>, id: Id) {
        let rule = env.rule;
        self.lists.resize_with(rule.roles.len(), VecDeque::new);
        if self.joins.len() < rule.steps.len() {
            self.joins = (0..rule.steps.len())
                .map(|s| join_partners(rule, s).into_iter().map(|p| (p, JoinIndex::default())).collect())
                .collect();
        }
        let roles = self.held(id).roles;
        for (at, role) in rule.roles.iter().enumerate() {
            if roles & (1 << at) == 0 {
                continue;
            }
            self.lists[at].push_back(id);
            if let RoleKind::Step(step) = role.kind {
                let event = self.shared(id);
                for (partner, index) in &mut self.joins[step.index()] {
                    match join_key(env, this_sides(rule, step.index(), *partner), &event) {
                        JoinKey::Found(key) => index.ids.entry(key.into()).or_default().push(id),
                        JoinKey::Missing => {}
                        JoinKey::List => index.lists += 1,
                    }
                }
            }
        }
    }

    fn remove(&mut self, env: &RuleEnv<'_>, held: &Held, newest: bool) {
        for (at, role) in env.rule.roles.iter().enumerate() {
            if held.roles & (1 << at) == 0 {
                continue;
            }
            let list = &mut self.lists[at];
            if newest {
                list.pop_back()
            } else {
                list.pop_front()
            };
            if let RoleKind::Step(step) = role.kind {
                for (partner, index) in &mut self.joins[step.index()] {
                    match join_key(env, this_sides(env.rule, step.index(), *partner), &held.event) {
                        JoinKey::Found(key) => {
                            if let Some(ids) = index.ids.get_mut(&key[..]) {
                                // The one that goes is the oldest or the newest.
                                if newest {
                                    ids.pop()
                                } else {
                                    Some(ids.remove(0))
                                };
                                if ids.is_empty() {
                                    index.ids.remove(&key[..]);
                                }
                            }
                        }
                        JoinKey::Missing => {}
                        JoinKey::List => index.lists -= 1,
                    }
                }
            }
        }
    }

    pub(super) fn pop_front(&mut self, env: &RuleEnv<'_>) {
        if let Some(held) = self.events.pop_front() {
            self.base += 1;
            self.remove(env, &held, false);
        }
    }

    pub(super) fn pop_back(&mut self, env: &RuleEnv<'_>) {
        if let Some(held) = self.events.pop_back() {
            self.remove(env, &held, true);
        }
    }

    pub(super) fn drop_before(&mut self, env: &RuleEnv<'_>, ts: Timestamp) {
        while self.events.front().is_some_and(|h| h.event.ts < ts) {
            self.pop_front(env);
        }
    }

    /// Forgets everything up to a place in order, but for what guards look back at.
    pub(super) fn use_up(&mut self, env: &RuleEnv<'_>, upto: (Timestamp, Seq)) {
        let mut keep = 0_u64;
        for lookback in env.rule.steps.iter().flat_map(|s| &s.cross_lookback) {
            for guard in &lookback.guards {
                keep |= 1 << env.rule.guards[guard.index()].role;
            }
        }
        let looked_back_at = keep != 0 && self.events.iter().any(|h| h.roles & keep != 0);
        if !looked_back_at {
            // Mostly nothing remains: the newest event has completed the match.
            if self.events.back().is_none_or(|h| h.event.at() <= upto) {
                return self.clear();
            }
            while self.events.front().is_some_and(|h| h.event.at() <= upto) {
                self.pop_front(env);
            }
            return;
        }
        for held in &mut self.events {
            if held.event.at() <= upto {
                held.roles &= keep;
            }
        }
        self.events.retain(|h| h.roles != 0);
        // Positions are made anew: nothing outside holds one across events.
        self.base = 0;
        self.index(env);
    }

    fn clear(&mut self) {
        self.base = 0;
        self.events.clear();
        self.lists.iter_mut().for_each(VecDeque::clear);
        for (_, index) in self.joins.iter_mut().flatten() {
            index.ids.clear();
            index.lists = 0;
        }
    }

    /// Builds lists and indexes from the events.
    pub(super) fn index(&mut self, env: &RuleEnv<'_>) {
        self.lists.clear();
        self.joins.clear();
        for id in self.base..self.end() {
            self.add(env, id);
        }
    }
}

fn join_key<'e>(env: &RuleEnv<'_>, sides: impl Iterator<Item = &'e Expr>, event: &StoredEvent) -> JoinKey {
    let view = env.stored(event);
    let context = env.context(Some(&view), &[], None);
    let mut key = Vec::new();
    for side in sides {
        let value = eval(side, &context);
        if value.get().is_missing() {
            return JoinKey::Missing;
        }
        if !encode_scalar(value.get(), &mut key) {
            return JoinKey::List;
        }
    }
    JoinKey::Found(key)
}
