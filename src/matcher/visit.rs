//! Events on their way to the keys of one shard: what an event is to rules that find it by the same key is taken in one
//! visit.
//!
//! ```text
//! hits    (event 7, rule 3, user7) (event 7, rule 5, web-1) (event 7, rule 9, user7) …
//! visits  (event 7, table by user, user7: rules 3 and 9) (event 7, table by host, web-1: rule 5) …
//! ```
//! Some visits are planned at once. With many keys, what is held of one is far away in memory; looking for many of them,
//! one right after the other, lets their ways through memory overlap.
//!
//! Invariant: visits are in the order of events; in which order the rules take one event changes nothing.

use std::cell::Cell;

use smallvec::SmallVec;

use super::arrived::{Arrived, Copies, RuleEnv};
use super::groups::{Member, Place, members_of};
use super::joint::Outcome;
use super::keys::Sought;
use super::shard::{Found, LOOKS, Matcher, key_values, sampled, settle};
use crate::base::RuleId;
use crate::decode::batch::{Batch, Hit};

/// Visits that are planned at once.
const VISITS: usize = 32;

/// One event for one key of one table.
#[derive(Clone, Copy, Debug)]
struct Visit {
    record: u32,
    table: u32,
    /// One of its hits.
    hit: u32,
    /// Its hits: the first and the last place in [`Plan::hits`].
    first: u32,
    last: u32,
    sought: Sought,
}

/// Visits that come next.
#[derive(Debug, Default)]
pub(super) struct Plan {
    visits: Vec<Visit>,
    /// The member of the table that a hit is for, its roles, and the place of the next hit of the same visit.
    hits: Vec<(Member, u64, u32)>,
    /// By table: the visit that was planned last.
    latest: Vec<u32>,
    outcome: Outcome,
}

impl Plan {
    fn clear(&mut self) {
        self.visits.clear();
        self.hits.clear();
    }

    fn add(&mut self, batch: &Batch, at: u32, hit: &Hit, Place { table, member }: Place) {
        let (next, in_table) = (self.hits.len() as u32, table as usize);
        self.hits.push((member, hit.roles, u32::MAX));
        if in_table >= self.latest.len() {
            self.latest.resize(in_table + 1, 0);
        }
        if let Some(visit) = self.visits.get_mut(self.latest[in_table] as usize)
            && (visit.record, visit.table) == (hit.record, table)
            && is_same_key(batch, &batch.hits[visit.hit as usize], hit)
        {
            self.hits[visit.last as usize].2 = next;
            visit.last = next;
            return;
        }
        self.latest[in_table] = self.visits.len() as u32;
        self.visits.push(Visit { record: hit.record, table, hit: at, first: next, last: next, sought: Sought::Not });
    }

    fn members(&self, visit: &Visit) -> SmallVec<[(Member, u64); 16]> {
        let hit = |at: u32| self.hits.get(at as usize);
        let hits = std::iter::successors(hit(visit.first), |(_, _, next)| hit(*next));
        hits.map(|(member, roles, _)| (*member, *roles)).collect()
    }
}

#[inline]
fn is_same_key(batch: &Batch, a: &Hit, b: &Hit) -> bool {
    let (key_a, key_b) = (batch.key(a), batch.key(b));
    // Most keys of an event are made once.
    a.hash == b.hash && (std::ptr::eq(key_a, key_b) || key_a == key_b)
}

impl Matcher {
    /// Takes hits of a batch, by place and in order. Deadlines before their events are decided on the way.
    pub fn take(&mut self, batch: &Batch, hits: impl Iterator<Item = u32>, full_evidence: bool, out: &mut Vec<Found>) {
        let mut plan = std::mem::take(&mut self.plan);
        let mut copies = Copies::default();
        let mut hits = hits.map(|at| (at, &batch.hits[at as usize])).peekable();
        while hits.peek().is_some() {
            plan.clear();
            let mut record = u32::MAX;
            let goes_on =
                |(_, hit): &(u32, &Hit), plan: &Plan, record| plan.visits.len() < VISITS || hit.record == record;
            while let Some((at, hit)) = hits.next_if(|next| goes_on(next, &plan, record)) {
                record = hit.record;
                plan.add(batch, at, hit, self.places[hit.rule.index()]);
            }
            self.look_ahead(batch, &mut plan);
            let mut of = u32::MAX;
            for at in 0..plan.visits.len() {
                let visit = plan.visits[at];
                let record = &batch.records[visit.record as usize];
                if of != visit.record {
                    of = visit.record;
                    copies.clear();
                    self.advance(record.ts, out);
                }
                let hit = &batch.hits[visit.hit as usize];
                if self.is_in_vain(&visit, hit) {
                    continue;
                }
                let event = Arrived {
                    view: batch.view(record),
                    ts: record.ts,
                    seq: batch.seq(record),
                    roles: hit.roles,
                    raw: full_evidence.then(|| batch.line(record)),
                    origins: &[],
                    copies: Some(&copies),
                };
                let key = (batch.key(hit), hit.hash);
                if self.tables[visit.table as usize].group().is_shared() {
                    self.on_shared_into(
                        visit.table,
                        visit.sought,
                        &plan.members(&visit),
                        key,
                        &event,
                        &mut plan.outcome,
                        out,
                    );
                } else {
                    self.on_single(hit.rule, visit.sought, key, &event, out);
                }
            }
        }
        self.plan = plan;
    }

    /// Whether the only rule of a table holds nothing that the event could meet, and begins nothing with it. Counts it
    /// then.
    #[inline]
    fn is_in_vain(&mut self, visit: &Visit, hit: &Hit) -> bool {
        let (rule, table) = (&self.rules.rules[hit.rule.index()], &self.tables[visit.table as usize]);
        let begins = rule.hints.needs_past || hit.roles & rule.hints.begins != 0;
        let in_vain = !begins && !table.group().is_shared() && table.is_still_nowhere(visit.sought);
        self.counters[hit.rule.index()].events += u64::from(in_vain);
        in_vain
    }

    /// Finds the slots of planned visits, step by step for all of them.
    fn look_ahead(&self, batch: &Batch, plan: &mut Plan) {
        let hit = |visit: &Visit| &batch.hits[visit.hit as usize];
        let mut guesses: SmallVec<[Option<u32>; VISITS]> = SmallVec::new();
        for visit in &plan.visits {
            guesses.push(self.tables[visit.table as usize].guess(hit(visit).hash));
        }
        for (visit, guess) in plan.visits.iter().zip(&guesses) {
            std::hint::black_box(guess.and_then(|at| self.tables[visit.table as usize].armed_for(at)));
        }
        for (visit, guess) in plan.visits.iter_mut().zip(guesses) {
            let (table, hit) = (&self.tables[visit.table as usize], hit(visit));
            let key = batch.key(hit);
            if !key.is_empty() {
                visit.sought = table.confirm(guess, key, hit.hash);
            }
        }
        for visit in &plan.visits {
            if let Sought::At(at) = visit.sought {
                std::hint::black_box(self.tables[visit.table as usize].oldest(at));
            }
        }
    }

    /// Takes an event for one key of a table that several rules share. For each of them it has some roles.
    pub(super) fn on_shared(
        &mut self,
        table_at: u32,
        sought: Sought,
        members: &[(Member, u64)],
        key: (&[u8], u64),
        event: &Arrived<'_>,
        out: &mut Vec<Found>,
    ) {
        self.on_shared_into(table_at, sought, members, key, event, &mut Outcome::default(), out);
    }

    #[expect(clippy::too_many_arguments, reason = "the outcome is scratch memory")]
    fn on_shared_into(
        &mut self,
        table_at: u32,
        sought: Sought,
        members: &[(Member, u64)],
        (key, hash): (&[u8], u64),
        event: &Arrived<'_>,
        outcome: &mut Outcome,
        out: &mut Vec<Found>,
    ) {
        let started = self.start();
        let table = &mut self.tables[table_at as usize];
        let mut slot = table.seek(sought, key, hash);
        let (mut joint, mut begins, mut ends) = (0, 0, 0);
        for (member, roles) in members {
            self.counters[table.group().rule(*member).index()].events += 1;
            if table.group().is_joint(*member)
                && let Some(term) = table.group().terms().of(*member)
            {
                let bit = |is: u64| if is != 0 { member.bit() } else { 0 };
                joint |= member.bit();
                begins |= bit(roles & term.begins);
                ends |= bit(roles & term.ends);
            }
        }
        let given_up = Cell::new(0);
        let joint_at = match slot {
            Some(at) => Some(at).filter(|at| begins != 0 || members_of(ends).any(|member| table.holds(*at, member))),
            None => (begins != 0).then(|| table.insert(key, hash)),
        };
        if let Some(at) = joint_at {
            let added = Cell::new(0);
            let added_if = self.ledger.is_capped().then_some(&added);
            let store = |id: RuleId| {
                let rule = &self.rules.rules[id.index()];
                let env = RuleEnv { added: added_if, ..RuleEnv::new(rule, &self.rules.tables, &self.limits) };
                event.store(&env, &[])
            };
            table.on_joint(at, (begins, ends), event.at(), store, outcome);
            slot = table.settle_joint((table_at, at), added.get(), &mut self.ledger).then_some(at);
            for member in outcome.evicted.drain(..) {
                self.counters[table.group().rule(member).index()].evicted += 1;
            }
            for (member, matched) in outcome.matches.drain(..) {
                let rule = table.group().rule(member);
                out.push(self.counters[rule.index()].found(rule, key, matched));
            }
        }
        for (member, roles) in members.iter().filter(|(member, _)| joint & member.bit() == 0) {
            let id = table.group().rule(*member);
            let rule = &self.rules.rules[id.index()];
            let begins = roles & rule.hints.begins != 0;
            let at = match slot {
                Some(at) if begins || table.holds(at, *member) => at,
                None if begins => table.insert(key, hash),
                _ => continue,
            };
            let values = key_values(rule, key);
            let added = Cell::new(0);
            let env = RuleEnv {
                key: &values,
                added: self.ledger.is_capped().then_some(&added),
                given_up: Some(&given_up),
                ..RuleEnv::new(rule, &self.rules.tables, &self.limits)
            };
            let counters = &mut self.counters[id.index()];
            if let Some(live) = table.live(at, *member, |run| run.ready(&env)) {
                let state = live.get_or_begin(*member, rule.strategy);
                let event = Arrived { roles: *roles, ..*event };
                state.on_event(&env, &event, &mut self.scratch, &mut counters.evicted);
                counters.limited += given_up.take();
            }
            for matched in self.scratch.drain(..) {
                out.push(counters.found(id, key, matched));
            }
            let place = Place { table: table_at, member: *member };
            settle(&env, table, place, at, &mut self.wheel, &mut self.ledger);
            slot = table.armed(at).map(|_| at);
        }
        // In a shared table, whatever is over has ended as a whole.
        let mut looks = LOOKS;
        while let Some(at) = table.overdue(self.position, &mut looks) {
            table.remove(at, &mut self.ledger);
        }
        self.make_room((table_at, slot.unwrap_or(u32::MAX)));
        for (member, _) in members {
            let counters = &mut self.counters[self.tables[table_at as usize].group().rule(*member).index()];
            sampled(counters, started, self.clock, members.len());
        }
    }
}
