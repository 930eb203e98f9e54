//! Counts of a run, by rule and in total.

use crate::alert::collect::SentCounters;
use crate::base::Duration;
use crate::decode::Reject;
use crate::decode::batch::BatchStats;
use crate::matcher::shard::{Matcher, RuleCounters};
use crate::plan::Ruleset;
use crate::time::sequencer::OrderStats;

/// Counts of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSummary {
    /// Its name.
    pub name: String,
    /// Events that had a role in it.
    pub events: u64,
    /// Matches, suppressed ones included.
    pub matches: u64,
    /// Alerts sent.
    pub sent: u64,
    /// Alerts dropped by `suppress`.
    pub suppressed: u64,
    /// Alerts counted only, because the rule is in shadow.
    pub shadowed: u64,
    /// Alerts that only other rules see, because the rule is internal.
    pub internal: u64,
    /// Notices that an alert is closed.
    pub resolved: u64,
    /// Of the alerts sent, those that were said again.
    pub repeated: u64,
    /// Open alerts that a limit dropped.
    pub forgotten: u64,
    /// Partial matches and events held.
    pub open: u64,
    /// Keys that hold something.
    pub keys: u64,
    /// Absences undecided at the end.
    pub pending: u64,
    /// Events it could not use for want of a key.
    pub no_key: u64,
    /// Events that came too late for it.
    pub late: u64,
    /// Held events that a limit dropped.
    pub evicted: u64,
    /// Keys dropped because memory was short; the events that they held are among the evicted.
    pub dropped: u64,
    /// Matches found while a limit bit, and searches that it ended before they found one.
    pub limited: u64,
    /// Nanoseconds spent, from samples; 0 if not measured.
    pub nanos: u64,
}

impl RuleSummary {
    /// Adds the counts of the same rule over other input.
    fn add(&mut self, other: &Self) {
        let Self { name: _, events, matches, sent, suppressed, shadowed, internal, resolved, repeated, .. } = other;
        self.events += events;
        self.matches += matches;
        self.sent += sent;
        self.suppressed += suppressed;
        self.shadowed += shadowed;
        self.internal += internal;
        self.resolved += resolved;
        self.repeated += repeated;
        let Self { forgotten, open, keys, pending, no_key, late, evicted, dropped, limited, nanos, .. } = other;
        self.forgotten += forgotten;
        self.open += open;
        self.keys += keys;
        self.pending += pending;
        self.no_key += no_key;
        self.late += late;
        self.evicted += evicted;
        self.dropped += dropped;
        self.limited += limited;
        self.nanos += nanos;
    }
}

/// What one source of a run has given, without what earlier runs had of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceSummary {
    /// Bytes.
    pub bytes: u64,
    /// Events.
    pub events: u64,
    /// Of these, the ones that came too late or lie too far in the future.
    pub late: u64,
    /// Lines that gave no event, by [`Reject`].
    pub rejects: [u64; Reject::ALL.len()],
}

impl SourceSummary {
    /// Adds a batch.
    pub fn add(&mut self, stats: &BatchStats, late: usize) {
        self.bytes += stats.bytes;
        self.events += stats.events;
        self.late += late as u64;
        for (sum, count) in self.rejects.iter_mut().zip(stats.rejects) {
            *sum += count;
        }
    }
}

/// Counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// By rule, in the order of the rule set.
    pub rules: Vec<RuleSummary>,
    /// By source, in the order of their numbers; empty where nobody counts them.
    pub sources: Vec<SourceSummary>,
    /// Events read.
    pub events: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Rejected lines: reason and count, without zeros.
    pub rejects: Vec<(&'static str, u64)>,
    /// Events without a time of their own, which got their arrival time.
    pub untimed: u64,
    /// Keys that occurred twice in an object.
    pub duplicate_keys: u64,
    /// Times that `each(…)` would have given an event more keys than one may have.
    pub cut_keys: u64,
    /// Late events.
    pub late: u64,
    /// The lateness that would have kept them.
    pub needed_lateness: Duration,
    /// Events too far in the future.
    pub quarantined: u64,
    /// Events outside `--from` and `--to`.
    pub outside: u64,
    /// Events let go before their time because memory was short.
    pub hurried: u64,
}

impl Summary {
    /// Zeros for every rule.
    pub fn new(rules: &Ruleset) -> Self {
        let rules = rules.rules.iter().map(|r| RuleSummary { name: r.name.to_string(), ..RuleSummary::default() });
        Self { rules: rules.collect(), ..Self::default() }
    }

    /// Adds the counts of another run of the same rules over other input. Sources stay as they are.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.rules.iter_mut().zip(&other.rules) {
            mine.add(theirs);
        }
        self.events += other.events;
        self.bytes += other.bytes;
        for (reason, count) in &other.rejects {
            match self.rejects.iter_mut().find(|(known, _)| known == reason) {
                Some((_, sum)) => *sum += count,
                None => self.rejects.push((reason, *count)),
            }
        }
        self.untimed += other.untimed;
        self.duplicate_keys += other.duplicate_keys;
        self.cut_keys += other.cut_keys;
        self.late += other.late;
        self.needed_lateness = self.needed_lateness.max(other.needed_lateness);
        self.quarantined += other.quarantined;
        self.outside += other.outside;
        self.hurried += other.hurried;
    }

    /// Adds what was read.
    pub fn add_input(&mut self, stats: &BatchStats, no_key: &[u64], order: &OrderStats) {
        self.events += stats.events;
        self.bytes += stats.bytes;
        self.untimed += stats.untimed;
        self.cut_keys += stats.cut_keys;
        self.duplicate_keys += stats.scan.duplicate_keys;
        for (reason, count) in Reject::ALL.iter().zip(stats.rejects) {
            if count > 0 {
                self.rejects.push((reason.name(), count));
            }
        }
        for (rule, count) in self.rules.iter_mut().zip(no_key) {
            rule.no_key += count;
        }
        for (rule, count) in self.rules.iter_mut().zip(&order.late_by_rule) {
            rule.late += count;
        }
        self.late += order.late;
        self.needed_lateness = self.needed_lateness.max(order.needed_lateness);
        self.quarantined += order.quarantined;
        self.outside += order.outside;
        self.hurried += order.hurried;
    }

    /// Adds what a matcher did.
    pub fn add_matcher(&mut self, rules: &Ruleset, matcher: &Matcher) {
        debug_assert_eq!(rules.rules.len(), self.rules.len());
        self.add_counters(matcher.counters(), &matcher.open());
    }

    /// Adds the counters of one shard, and what it holds: events and keys by rule.
    pub fn add_counters(&mut self, counters: &[RuleCounters], open: &[(usize, usize)]) {
        for ((rule, counters), (open, keys)) in self.rules.iter_mut().zip(counters).zip(open) {
            rule.events += counters.events;
            rule.matches += counters.matches;
            rule.evicted += counters.evicted;
            rule.dropped += counters.dropped;
            rule.limited += counters.limited;
            rule.nanos += counters.nanos;
            rule.open += *open as u64;
            rule.keys += *keys as u64;
        }
    }

    /// Adds what was sent.
    pub fn add_sent(&mut self, counters: &[SentCounters]) {
        for (rule, counters) in self.rules.iter_mut().zip(counters) {
            rule.sent += counters.sent;
            rule.suppressed += counters.suppressed;
            rule.shadowed += counters.shadowed;
            rule.internal += counters.internal;
            rule.resolved += counters.resolved;
            rule.repeated += counters.repeated;
            rule.forgotten += counters.forgotten;
        }
    }

    /// Adds undecided absences.
    pub fn add_pending(&mut self, pending: &[u64]) {
        for (rule, pending) in self.rules.iter_mut().zip(pending) {
            rule.pending += pending;
        }
    }
}
