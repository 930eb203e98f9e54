//! One shard: the states of its keys, its timers, and the order in which events and deadlines move them.
//!
//! Events before deadlines at the same time: a deadline is decided once the watermark has passed it, or when an event
//! after it comes (language.md §3.3). Each key has one timer at most, at the next time that concerns it.

use std::cell::Cell;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::arrived::{Arrived, Match, RuleEnv};
use super::groups::{Member, Place, groups};
use super::key::{KeyState, stateless};
use super::keys::{Held, KeyTable, Sought};
use super::ledger::Ledger;
use super::saved::{RuleHead, read_state};
use super::schedule::{Schedule, hash_of};
use super::visit::Plan;
use crate::base::{Account, Budget, Limits, RuleId, Timestamp, Value};
use crate::plan::ruleset::StrategyKind;
use crate::plan::{Rule, Ruleset, key};
use crate::time::wheel::Wheel;

/// A match with its rule and key.
#[derive(Clone, Debug)]
pub struct Found {
    /// The rule.
    pub rule: RuleId,
    /// The encoded key of the state; empty for handed-over keys.
    pub key: Box<[u8]>,
    /// The match.
    pub matched: Match,
}

/// What happened to a rule so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCounters {
    /// Events that had a role in it.
    pub events: u64,
    /// Matches.
    pub matches: u64,
    /// Held events that a limit dropped.
    pub evicted: u64,
    /// Matches found while a limit bit, and searches that it ended before they found one.
    pub limited: u64,
    /// Nanoseconds spent, extrapolated from samples; 0 without a clock.
    pub nanos: u64,
    /// Keys dropped because memory was short. Saved apart: states of earlier releases do not have it.
    #[serde(skip)]
    pub dropped: u64,
}

impl RuleCounters {
    /// Adds what another shard counted.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.matches += other.matches;
        self.evicted += other.evicted;
        self.limited += other.limited;
        self.nanos += other.nanos;
        self.dropped += other.dropped;
    }

    /// Counts a match of the rule, and names it by rule and key.
    #[inline]
    pub(super) fn found(&mut self, rule: RuleId, key: &[u8], matched: Match) -> Found {
        // What binds nothing is no match, but a look at which `resolve when` is true.
        self.matches += u64::from(!matched.bound.is_empty());
        self.limited += u64::from(matched.limited);
        Found { rule, key: key.into(), matched }
    }
}

/// Slots of a table that an event has looked at for whether they are over. It takes one at most, so four keep the
/// slots in vain below a third of all.
pub(super) const LOOKS: usize = 4;

/// Live keys that an event looks at for packing.
const LOOKS_TO_PACK: usize = 4;

/// Slots that an event looks at, at most, for keys that may go when memory is short.
const LOOKS_TO_DROP: usize = 4096;

/// Tables are measured once in so many events.
const MEASURE: u32 = 1024;

/// A timer's target: table and slot. A timer that an earlier tenant of the slot had set rings in vain, unless the slot
/// is armed for just that time.
type Target = (u32, u32);

/// Keys that stay live however short memory is, unless the limit is lower.
const LEAST_LIVE_KEYS: usize = 1 << 10;

/// The states of one shard.
#[derive(Debug)]
pub struct Matcher {
    pub(super) rules: Arc<Ruleset>,
    pub(super) limits: Limits,
    /// The states of keys, of one rule or of several each; by rule, where they are.
    pub(super) tables: Vec<KeyTable>,
    pub(super) places: Vec<Place>,
    pub(super) wheel: Wheel<Target>,
    pub(super) counters: Vec<RuleCounters>,
    pub(super) ledger: Ledger,
    /// Timers of keys that were dropped, since they were last cleared away.
    stale: usize,
    pub(super) scratch: Vec<Match>,
    pub(super) plan: Plan,
    pub(super) clock: Option<fn() -> u64>,
    tick: u32,
    /// No event and no deadline comes before this any more.
    pub(super) position: Timestamp,
    /// The table whose slots are looked at as time goes on.
    swept: usize,
    /// Ticks and expected keys, for rule sets that have any.
    pub(super) schedule: Option<Box<Schedule>>,
}

impl Matcher {
    /// A matcher that holds nothing. `clock` gives nanoseconds for sampling the time that rules take.
    pub fn new(rules: Arc<Ruleset>, limits: Limits, clock: Option<fn() -> u64>) -> Self {
        let (groups, places) = groups(&rules);
        Self {
            tables: groups.into_iter().map(|group| KeyTable::new(rules.key_seed, group)).collect(),
            places,
            ledger: Ledger::new(Account::new(&Budget::new(limits.memory), 1)),
            stale: 0,
            counters: vec![RuleCounters::default(); rules.rules.len()],
            wheel: Wheel::default(),
            scratch: Vec::new(),
            plan: Plan::default(),
            rules,
            limits,
            clock,
            tick: 0,
            position: Timestamp::MIN,
            swept: 0,
            schedule: None,
        }
    }

    /// Takes one of `parts` equal parts of a budget, in place of one of its own. For a matcher that holds nothing yet.
    pub fn set_budget(&mut self, budget: &Arc<Budget>, parts: usize) {
        self.ledger = Ledger::new(Account::new(budget, parts));
    }

    /// Goes on with tables that were read anew; see [`Ruleset::differs_only_in_tables`].
    pub fn set_tables(&mut self, rules: &Arc<Ruleset>) {
        debug_assert!(self.rules.differs_only_in_tables(rules));
        self.rules = Arc::clone(rules);
        self.expect_anew();
    }

    pub(super) fn ruleset(&self) -> Arc<Ruleset> {
        Arc::clone(&self.rules)
    }

    /// The keys of a rule that hold something, with their hashes.
    pub(super) fn keys_of(&self, rule: RuleId) -> Vec<(Box<[u8]>, u64)> {
        let with_hash = |key: Box<[u8]>| {
            let hash = hash_of(&self.rules, rule, &key);
            (key, hash)
        };
        let Place { table, member } = self.places[rule.index()];
        self.tables[table as usize].keys(member).into_iter().map(with_hash).collect()
    }

    /// A matcher that holds what this one holds of some rules, and makes no ticks.
    pub(super) fn copy_of(&self, rules: impl Iterator<Item = RuleId>) -> Self {
        let mut copy = Self::new(Arc::clone(&self.rules), self.limits.clone(), None);
        for rule in rules {
            copy.counters[rule.index()] = self.counters[rule.index()];
            for (key, state) in self.sorted(rule) {
                copy.put_back(rule, &key, hash_of(&self.rules, rule, &key), state);
            }
        }
        copy
    }

    /// What is held for a rule, sorted by key.
    pub(super) fn sorted(&self, rule: RuleId) -> Vec<Held> {
        let Place { table, member } = self.places[rule.index()];
        self.tables[table as usize].sorted(member)
    }

    /// Whether a rule is of a level: 0 are rules on events.
    #[inline]
    pub fn is_level(&self, rule: RuleId, level: u32) -> bool {
        self.rules.rules.get(rule.index()).is_some_and(|r| r.level == level)
    }

    /// Counters by rule.
    pub fn counters(&self) -> &[RuleCounters] {
        &self.counters
    }

    /// Partial matches and events held, and keys that hold them, by rule.
    pub fn open(&self) -> Vec<(usize, usize)> {
        let mut open = vec![(0, 0); self.rules.rules.len()];
        let wakes = |rule: RuleId, state: &KeyState| {
            let rule = &self.rules.rules[rule.index()];
            let env = RuleEnv::new(rule, &self.rules.tables, &self.limits);
            state.wakes(&env).unwrap_or(Timestamp::MAX)
        };
        for (rule, keys, held) in self.tables.iter().flat_map(|table| table.open(self.position, wakes)) {
            open[rule.index()] = (held, keys);
        }
        open
    }

    /// Whether a rule holds its events together with others.
    pub(super) fn is_joint(&self, rule: RuleId) -> bool {
        let Place { table, member } = self.places[rule.index()];
        self.tables[table as usize].group().is_joint(member)
    }

    /// Bytes of a key of a rule that rests, if one does.
    pub fn at_rest(&self, rule: RuleId) -> Option<usize> {
        let Place { table, member } = self.places[rule.index()];
        self.tables[table as usize].at_rest(member)
    }

    /// Decides every deadline before `watermark`.
    #[inline]
    pub fn advance(&mut self, watermark: Timestamp, out: &mut Vec<Found>) {
        if self.schedule.is_some() {
            self.advance_scheduled(watermark, watermark, out);
        } else {
            self.ring_before(watermark, out);
        }
    }

    /// As [`Matcher::advance`], and makes the ticks at `watermark` too: what comes next is an alert of that time.
    pub fn advance_to_alert(&mut self, time: Timestamp, deadlines: Timestamp, out: &mut Vec<Found>) {
        let before = time.min(deadlines);
        if self.schedule.is_some() {
            self.advance_scheduled(before, Timestamp(time.0.saturating_add(1)).min(deadlines), out);
        } else {
            self.ring_before(before, out);
        }
    }

    pub(super) fn ring_before(&mut self, watermark: Timestamp, out: &mut Vec<Found>) {
        while let Some((time, (rule, slot))) = self.wheel.pop_before(watermark) {
            self.ring(time, rule, slot, out);
        }
        if watermark > self.position {
            self.position = watermark;
            self.sweep();
        }
    }

    /// Looks at some slots of one table, whether events come for it or not.
    fn sweep(&mut self) {
        let Some(table) = self.tables.get_mut(self.swept) else {
            self.swept = 0;
            return;
        };
        let rule = &self.rules.rules[table.group().rule(Member(0)).index()];
        let env = RuleEnv::new(rule, &self.rules.tables, &self.limits);
        let place = Place { table: self.swept as u32, member: Member(0) };
        free_overdue(&env, table, place, self.position, &mut self.wheel, &mut self.ledger);
        if table.is_swept() {
            self.swept += 1;
        }
    }

    fn ring(&mut self, time: Timestamp, table_at: u32, slot_at: u32, out: &mut Vec<Found>) {
        let table = &mut self.tables[table_at as usize];
        let Some(armed) = table.armed(slot_at).filter(|armed| **armed == time) else { return };
        *armed = Timestamp::MAX;
        // Whatever has timers has a table by itself.
        let (rule_id, place) = (table.group().rule(Member(0)), Place { table: table_at, member: Member(0) });
        let rule = &self.rules.rules[rule_id.index()];
        let ready = RuleEnv::new(rule, &self.rules.tables, &self.limits);
        let Some(slot) = table.live(slot_at, place.member, |run| run.ready(&ready)) else { return };
        let values = key_values(rule, &slot.key);
        let given_up = Cell::new(0);
        let env = RuleEnv { key: &values, given_up: Some(&given_up), ..ready };
        let counters = &mut self.counters[rule_id.index()];
        if let Some(state) = slot.get_mut(place.member) {
            state.on_deadline(&env, time, &mut self.scratch);
            counters.limited += given_up.get();
        }
        for matched in self.scratch.drain(..) {
            out.push(counters.found(rule_id, &slot.key, matched));
        }
        settle(&env, table, place, slot_at, &mut self.wheel, &mut self.ledger);
        self.make_room((table_at, slot_at));
    }

    /// Takes an event for one key of one rule. Deadlines before it must have been decided.
    pub fn on_hit(&mut self, rule_id: RuleId, key_bytes: &[u8], hash: u64, event: &Arrived<'_>, out: &mut Vec<Found>) {
        let Place { table, member } = self.places[rule_id.index()];
        if self.tables[table as usize].group().is_shared() {
            self.on_shared(table, Sought::Not, &[(member, event.roles)], (key_bytes, hash), event, out);
        } else {
            self.on_single(rule_id, Sought::Not, (key_bytes, hash), event, out);
        }
    }

    /// Counts a visit; the time at which it starts, if it is one of those that are timed.
    #[inline]
    pub(super) fn start(&mut self) -> Option<u64> {
        self.tick = self.tick.wrapping_add(1);
        if self.tick.is_multiple_of(SAMPLE) { self.clock.map(|c| c()) } else { None }
    }

    /// Takes an event for one key of the only rule of a table.
    pub(super) fn on_single(
        &mut self,
        rule_id: RuleId,
        sought: Sought,
        (key_bytes, hash): (&[u8], u64),
        event: &Arrived<'_>,
        out: &mut Vec<Found>,
    ) {
        let started = self.start();
        let at = rule_id.index();
        let rule = &self.rules.rules[at];
        let counters = &mut self.counters[at];
        counters.events += 1;
        let values = key_values(rule, key_bytes);
        let (added, given_up) = (Cell::new(0), Cell::new(0));
        let env = RuleEnv {
            key: &values,
            added: self.ledger.is_capped().then_some(&added),
            given_up: Some(&given_up),
            ..RuleEnv::new(rule, &self.rules.tables, &self.limits)
        };
        let needs_past = rule.hints.needs_past;

        if rule.strategy == StrategyKind::Stateless && !needs_past {
            stateless(&env, event, event.roles, &[], &mut self.scratch);
        } else {
            let place = self.places[at];
            let table = &mut self.tables[place.table as usize];
            // Where nothing is held, and the event cannot begin anything, no state is made.
            let begins = needs_past || event.roles & rule.hints.begins != 0;
            let slot_at = match table.seek(sought, key_bytes, hash) {
                Some(slot) => slot,
                None if begins => table.insert(key_bytes, hash),
                None => {
                    sampled(counters, started, self.clock, 1);
                    return;
                }
            };
            if let Some(slot) = table.live(slot_at, place.member, |run| run.ready(&env)) {
                let state = slot.get_or_begin(place.member, rule.strategy);
                state.on_event(&env, event, &mut self.scratch, &mut counters.evicted);
                counters.limited += given_up.get();
            }
            settle(&env, table, place, slot_at, &mut self.wheel, &mut self.ledger);
            free_overdue(&env, table, place, self.position, &mut self.wheel, &mut self.ledger);
            self.make_room((place.table, slot_at));
        }
        let counters = &mut self.counters[at];
        for matched in self.scratch.drain(..) {
            out.push(counters.found(rule_id, key_bytes, matched));
        }
        sampled(counters, started, self.clock, 1);
    }

    pub(super) fn tables_mut(&mut self) -> &mut [KeyTable] {
        &mut self.tables
    }

    /// What is saved of a rule beside its keys.
    pub(super) fn head(&self, rule: RuleId) -> RuleHead {
        let expected = self.schedule.iter().flat_map(|s| s.expected[rule.index()].keys().cloned()).collect();
        RuleHead { counters: self.counters[rule.index()], expected }
    }

    /// Puts back what [`Matcher::heads`] gave of a rule: the counters, and expected keys if `mine` says that their
    /// hash is of this shard.
    pub fn restore_head(&mut self, rule: RuleId, head: &RuleHead, counters: bool, mine: impl Fn(u64) -> bool) {
        if counters {
            self.counters[rule.index()] = head.counters;
        }
        let Some(schedule) = &mut self.schedule else { return };
        for expected in &head.expected {
            let hash = hash_of(&self.rules, rule, expected);
            if mine(hash) {
                schedule.expected[rule.index()].insert(expected.clone(), hash);
            }
        }
    }

    /// Puts back the state of a key, as [`Matcher::save_keys`] and [`Matcher::take_changes`] give it, if `mine` says
    /// that its hash is of this shard.
    ///
    /// # Errors
    /// The bytes are no state of a key.
    pub fn restore_key(
        &mut self,
        rule_id: RuleId,
        key: &[u8],
        state: &[u8],
        mine: impl Fn(u64) -> bool,
    ) -> Result<(), postcard::Error> {
        let hash = hash_of(&self.rules, rule_id, key);
        if mine(hash) {
            self.put_back(rule_id, key, hash, read_state(state)?);
        }
        Ok(())
    }

    fn put_back(&mut self, rule_id: RuleId, key: &[u8], hash: u64, mut state: KeyState) {
        let at = rule_id.index();
        let rule = &self.rules.rules[at];
        let env = RuleEnv::new(rule, &self.rules.tables, &self.limits);
        state.run.ready(&env);
        let place = self.places[at];
        let table = &mut self.tables[place.table as usize];
        let slot_at = table.find_or_insert(key, hash);
        if table.group().is_joint(place.member) {
            let end = state.wakes(&env).unwrap_or(Timestamp::MIN);
            table.put_joint(slot_at, place.member, &state, end);
            table.settle_joint((place.table, slot_at), usize::MAX, &mut self.ledger);
        } else {
            if let Some(slot) = table.live(slot_at, place.member, |_| {}) {
                slot.put(place.member, state);
            }
            settle(&env, table, place, slot_at, &mut self.wheel, &mut self.ledger);
        }
        self.make_room((place.table, slot_at));
    }

    /// Packs live keys if there are more than there is room for, and drops keys if memory is short; `touched` is what
    /// something has just come for.
    #[inline]
    pub(super) fn make_room(&mut self, touched: Target) {
        if self.ledger.live.len() > 2 * self.ledger.live_keys + LEAST_LIVE_KEYS {
            self.forget_freed();
        }
        if self.ledger.is_capped() {
            self.make_room_in_memory(touched);
        } else if self.ledger.live_keys > self.limits.live_keys {
            self.pack_some(self.limits.live_keys, touched);
        }
    }

    /// Clears the list of live keys of those that have been freed, and of second places of those that took their slots.
    #[cold]
    fn forget_freed(&mut self) {
        let mut live = std::mem::take(&mut self.ledger.live);
        for (table, at) in &live {
            self.tables[*table as usize].list(*at, false);
        }
        live.retain(|(table, at)| self.tables[*table as usize].list(*at, true));
        self.ledger.live = live;
    }

    fn make_room_in_memory(&mut self, touched: Target) {
        if self.tick.is_multiple_of(MEASURE) {
            let tables = self.tables.iter().map(KeyTable::frame).sum::<usize>();
            self.ledger.set_frame(tables + self.wheel.bytes());
        }
        let room = self.limits.live_keys;
        let room = if self.ledger.is_tight() { room.min(LEAST_LIVE_KEYS) } else { room };
        if self.ledger.live_keys > room {
            self.pack_some(room, touched);
        }
        if self.ledger.is_over() {
            self.drop_some(touched);
        }
    }

    fn pack_some(&mut self, room: usize, touched: Target) {
        for _ in 0..LOOKS_TO_PACK {
            if self.ledger.live_keys <= room {
                break;
            }
            let Some(target) = self.ledger.live.pop_front() else { break };
            let (table, at) = target;
            if target == touched || !self.tables[table as usize].pack(at, &mut self.ledger) {
                self.ledger.live.push_back(target);
            }
        }
    }

    /// Drops keys until memory is no longer short.
    fn drop_some(&mut self, touched: Target) {
        // Whoever takes too much for one and asks for more has to go before any other.
        let (table, at) = touched;
        if self.ledger.is_too_much(self.tables[table as usize].entry(at).bytes) {
            self.drop_key(touched);
        }
        for _ in 0..LOOKS_TO_DROP {
            if !self.ledger.is_over() {
                break;
            }
            let (table_at, at) = self.ledger.hand;
            let Some(table) = self.tables.get(table_at as usize) else {
                self.ledger.hand = (0, 0);
                continue;
            };
            if at as usize >= table.places() {
                self.ledger.hand = (table_at + 1, 0);
                continue;
            }
            self.ledger.hand.1 += 1;
            if (table_at, at) != touched && table.may_go(at, self.ledger.may_go()) {
                self.drop_key((table_at, at));
            }
        }
        // Timers of keys that are gone ring in vain, but until then they take memory.
        if self.stale > 1024 + self.wheel.len() / 2 {
            let tables = &self.tables;
            self.wheel.retain(|time, (table, at)| tables[table as usize].armed_for(at) == Some(time));
            self.stale = 0;
        }
    }

    fn drop_key(&mut self, (table, at): Target) {
        let table = &mut self.tables[table as usize];
        for (rule, held) in table.held(at) {
            let counters = &mut self.counters[rule.index()];
            counters.dropped += 1;
            counters.evicted += held as u64;
            self.stale += usize::from(self.rules.rules[rule.index()].hints.timed);
        }
        table.remove(at, &mut self.ledger);
    }
}

/// One event in so many is timed.
const SAMPLE: u32 = 64;

/// A visit for so many rules is over.
#[inline]
pub(super) fn sampled(counters: &mut RuleCounters, started: Option<u64>, clock: Option<fn() -> u64>, rules: usize) {
    if let (Some(started), Some(clock)) = (started, clock) {
        counters.nanos += clock().saturating_sub(started) * u64::from(SAMPLE) / rules as u64;
    }
}

/// The values of a key, if the rule reads them.
#[inline]
pub(super) fn key_values(rule: &Rule, key: &[u8]) -> Vec<Value> {
    if rule.hints.reads_key { key::decode(key, rule.components.len()) } else { Vec::new() }
}

/// Frees some slots of a table that are over. The rule is that of the place, or any of a table in which states end.
#[inline]
fn free_overdue(
    env: &RuleEnv<'_>,
    table: &mut KeyTable,
    place: Place,
    position: Timestamp,
    wheel: &mut Wheel<Target>,
    ledger: &mut Ledger,
) {
    if env.rule.hints.timed {
        return;
    }
    let ends = table.group().ends;
    let mut looks = LOOKS;
    while let Some(slot_at) = table.overdue(position, &mut looks) {
        if ends {
            table.remove(slot_at, ledger);
            continue;
        }
        // What the event brought was not for these.
        let env = &RuleEnv { added: None, ..*env };
        if let Some(state) =
            table.live(slot_at, place.member, |run| run.ready(env)).and_then(|live| live.get_mut(place.member))
        {
            state.prune(env, position);
        }
        settle(env, table, place, slot_at, wheel, ledger);
    }
}

/// After a change: lets go of the state if it is empty, else sets the slot's timer and weighs it.
#[inline]
pub(super) fn settle(
    env: &RuleEnv<'_>,
    table: &mut KeyTable,
    Place { table: table_at, member }: Place,
    slot_at: u32,
    wheel: &mut Wheel<Target>,
    ledger: &mut Ledger,
) {
    let (timed, added) = (env.rule.hints.timed, env.added.map_or(0, Cell::get));
    let timer = table.settle((table_at, slot_at, member), added, timed, |state| state.wakes(env), ledger);
    if let Some(time) = timer {
        wheel.insert(time, (table_at, slot_at));
    }
}
