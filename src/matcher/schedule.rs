//! What time itself brings to the keys of one shard: ticks of clocks, and the virtual first events of expected keys.
//!
//! A tick is an event that comes after all input events of its time and before the deadlines of that time. It has no
//! key: it goes to each key of a rule that holds state, or with `expect` to each expected key. Every shard makes the
//! ticks for its own keys, so their number changes nothing.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use super::arrived::Arrived;
use super::shard::{Found, Matcher};
use crate::base::{RuleId, Timestamp, Value};
use crate::decode::batch::shard_of;
use crate::decode::slot::{Arena, Slot};
use crate::decode::view::LineView;
use crate::plan::Ruleset;
use crate::plan::eval::unary;
use crate::plan::event::Seq;
use crate::plan::key::encode_scalar;

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// The clocks and expected keys of one matcher.
#[derive(Debug)]
pub(super) struct Schedule {
    level: u32,
    /// This shard, and how many there are.
    shard: Option<(usize, usize)>,
    /// Clocks tick from here on; `None` before the first watermark.
    started: Option<Timestamp>,
    /// By clock: its next tick, if any rule of this level sees it.
    next: Vec<Option<Timestamp>>,
    soonest: Timestamp,
    /// How far time has come.
    position: Timestamp,
    /// Keys that are new in a table begin here.
    begins_at: Option<Timestamp>,
    /// By rule: expected keys that have begun.
    pub(super) expected: Vec<BTreeMap<Box<[u8]>, u64>>,
    /// The input has ended: up to when each key of a rule still gets ticks.
    ended: Option<Map<(u32, Box<[u8]>), Timestamp>>,
    stop: Timestamp,
}

impl Schedule {
    fn aim(&mut self) {
        self.soonest = self.next.iter().flatten().min().copied().unwrap_or(Timestamp::MAX);
    }

    fn mine(&self, hash: u64) -> bool {
        self.shard.is_none_or(|(mine, of)| shard_of(hash, of) == mine)
    }
}

pub(super) fn hash_of(rules: &Ruleset, rule: RuleId, key_bytes: &[u8]) -> u64 {
    if key_bytes.is_empty() { rules.hash_rule(rule) } else { rules.hash_key(key_bytes) }
}

impl Matcher {
    /// Makes ticks and expected keys for the rules of a level and a shard.
    pub fn scheduled(mut self, level: u32, shard: Option<(usize, usize)>) -> Self {
        let rules = self.ruleset();
        if rules.is_scheduled() {
            let clocks = rules.clocks.len();
            let expected = vec![BTreeMap::new(); rules.rules.len()];
            self.schedule = Some(Box::new(Schedule {
                level,
                shard,
                started: None,
                next: vec![None; clocks],
                soonest: Timestamp::MAX,
                position: Timestamp::MIN,
                begins_at: None,
                expected,
                ended: None,
                stop: Timestamp::MAX,
            }));
        }
        self
    }

    /// Time begins at `start`, the first watermark. Does something only once; must come before any event.
    pub fn begin(&mut self, start: Timestamp, out: &mut Vec<Found>) {
        let rules = self.ruleset();
        let Some(schedule) = &mut self.schedule else { return };
        let begins_at = if schedule.started.is_none() {
            schedule.start(&rules, start, start);
            start
        } else {
            let Some(at) = schedule.begins_at.take() else { return };
            at
        };
        self.begin_expected(&rules, begins_at, out);
    }

    /// Goes on where a saved matcher was: clocks have ticked before `watermark`.
    pub fn resume(&mut self, start: Option<Timestamp>, watermark: Timestamp) {
        let rules = self.ruleset();
        if let (Some(schedule), Some(start)) = (&mut self.schedule, start) {
            schedule.start(&rules, start, watermark.max(start));
            schedule.begins_at = Some(watermark.max(start));
        }
    }

    /// Tables were read anew: keys that are new begin where time is.
    pub(super) fn expect_anew(&mut self) {
        if let Some(schedule) = self.schedule.as_mut().filter(|s| s.started.is_some()) {
            schedule.begins_at = Some(schedule.position);
        }
    }

    fn begin_expected(&mut self, rules: &Ruleset, at: Timestamp, out: &mut Vec<Found>) {
        let Some(mut schedule) = self.schedule.take() else { return };
        for rule in rules.rules.iter().filter(|r| r.enabled && r.level == schedule.level) {
            let Some(expect) = rule.expect.as_deref() else { continue };
            let keys: Vec<Vec<Value>> = match expect.table {
                Some(table) => rules.tables[table.index()].keys().collect(),
                None => vec![Vec::new()],
            };
            for values in keys {
                let mut bytes = Vec::new();
                if !values.iter().all(|value| encode_scalar(value.as_ref(), &mut bytes)) {
                    continue;
                }
                let hash = hash_of(rules, rule.id, &bytes);
                if !schedule.mine(hash) || schedule.expected[rule.id.index()].contains_key(&*bytes) {
                    continue;
                }
                schedule.expected[rule.id.index()].insert(bytes.clone().into(), hash);
                let Some(step) = expect.begins else { continue };
                // The event has the fields of its key, and no others.
                let mut arena = Arena::default();
                let mut slots = vec![Slot::Missing; rules.fields.len()];
                for (field, value) in expect.fields.iter().zip(values) {
                    slots[field.index()] = Slot::Complex(arena.values.len() as u32);
                    arena.values.push(value);
                }
                let view = LineView {
                    slots: &slots,
                    text: "",
                    arena: &arena,
                    ts: at,
                    arrival: at,
                    seq: Seq::EXPECTED,
                    lazy: None,
                };
                let roles = 1 << rule.steps[step.index()].role;
                let event = Arrived { view, ts: at, seq: Seq::EXPECTED, roles, raw: None, origins: &[], copies: None };
                self.on_hit(rule.id, &bytes, hash, &event, out);
            }
        }
        self.schedule = Some(schedule);
    }

    /// Decides deadlines before `deadlines` and makes the ticks before `ticks`, in order of time.
    pub(super) fn advance_scheduled(&mut self, deadlines: Timestamp, ticks: Timestamp, out: &mut Vec<Found>) {
        let Some(schedule) = &mut self.schedule else { return };
        schedule.position = schedule.position.max(deadlines);
        loop {
            let (soonest, stop) =
                self.schedule.as_ref().map_or((Timestamp::MAX, Timestamp::MIN), |s| (s.soonest, s.stop));
            if soonest >= ticks || soonest > stop || soonest == Timestamp::MAX {
                break;
            }
            self.ring_before(soonest.min(deadlines), out);
            self.tick(soonest, out);
        }
        self.ring_before(deadlines, out);
    }

    fn tick(&mut self, time: Timestamp, out: &mut Vec<Found>) {
        let rules = self.ruleset();
        let Some(mut schedule) = self.schedule.take() else { return };
        for clock in 0..schedule.next.len() {
            if schedule.next[clock] != Some(time) {
                continue;
            }
            schedule.next[clock] = rules.clocks[clock].at_or_after(Timestamp(time.0.saturating_add(1)));
            let (arena, seq) = (Arena::default(), Seq::tick(clock));
            let view = LineView { slots: &[], text: "", arena: &arena, ts: time, arrival: time, seq, lazy: None };
            let mut masks: BTreeMap<RuleId, u64> = BTreeMap::new();
            rules.classes.classify_tick(clock, &unary(&view, &[], &rules.tables), |pred| {
                for (rule, role) in &pred.subscribers {
                    *masks.entry(*rule).or_default() |= 1 << role;
                }
            });
            for (id, roles) in masks {
                let Some(rule) = rules.rules.get(id.index()).filter(|r| r.level == schedule.level) else { continue };
                let event = Arrived { view, ts: time, seq, roles, raw: None, origins: &[], copies: None };
                let keys: Vec<(Box<[u8]>, u64)> = match &rule.expect {
                    Some(_) => schedule.expected[id.index()].iter().map(|(k, h)| (k.clone(), *h)).collect(),
                    None if rule.components.is_empty() => vec![(Box::default(), hash_of(&rules, id, &[]))],
                    None => self.keys_of(id),
                };
                for (key, hash) in keys {
                    let until = schedule.ended.as_ref().map(|ended| ended.get(&(id.0, key.clone())));
                    let over = until.is_some_and(|until| until.is_none_or(|until| time > *until));
                    if !over && schedule.mine(hash) {
                        self.on_hit(id, &key, hash, &event, out);
                    }
                }
            }
        }
        schedule.aim();
        self.schedule = Some(schedule);
    }

    /// The input has ended. Clocks stop; with `flush` they go on for each key up to its latest undecided absence.
    pub fn end(&mut self, flush: bool) {
        if self.schedule.is_none() {
            return;
        }
        let rules = self.ruleset();
        let mut ended = Map::default();
        if flush {
            // What is undecided shows when it is decided, in a copy.
            let mut copy = self.copy_of(rules.rules.iter().map(|r| r.id).filter(|id| {
                (0..rules.clocks.len()).any(|clock| rules.classes.ticks_for(clock).any(|rule| rule == *id))
            }));
            let mut found = Vec::new();
            copy.advance(Timestamp::MAX, &mut found);
            for f in found {
                let until = ended.entry((f.rule.0, f.key)).or_insert(f.matched.time);
                *until = (*until).max(f.matched.time);
            }
        }
        if let Some(schedule) = &mut self.schedule {
            schedule.stop = ended.values().max().copied().unwrap_or(Timestamp::MIN);
            schedule.ended = Some(ended);
        }
    }
}

impl Schedule {
    fn start(&mut self, rules: &Ruleset, start: Timestamp, from: Timestamp) {
        self.started = Some(start);
        self.position = self.position.max(from);
        for (clock, next) in self.next.iter_mut().enumerate() {
            let seen = rules
                .classes
                .ticks_for(clock)
                .any(|rule| rules.rules.get(rule.index()).is_some_and(|r| r.level == self.level && r.enabled));
            *next = rules.clocks[clock].at_or_after(from).filter(|_| seen);
        }
        self.aim();
    }
}
