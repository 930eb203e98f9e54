//! The head of a saved state: everything but the states of keys, which are many and saved apart.
//!
//! Relies on every part to say what it needs; knows no threads and no files. A head is taken between two blocks, when
//! nothing is under way. Rules are found again by name and fingerprint: [`Head::fates`] says which keep what they hold.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::saved::StateError;
use crate::alert::collect::{Collector, SavedCollector};
use crate::base::{Duration, RuleId, Timestamp};
use crate::decode::batch::{Batch, BatchStats, BlockOrigin};
use crate::decode::decoder::Decoder;
use crate::matcher::saved::{LAYOUT, RuleHead};
use crate::plan::Ruleset;
use crate::time::sequencer::{OrderStats, Sequencer};

/// An event that is held back, as it was read.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct HeldLine {
    input: u16,
    line: u64,
    arrival: Timestamp,
    text: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedOrder {
    watermark: Timestamp,
    start: Option<Timestamp>,
    clocks: Vec<(Option<Timestamp>, Timestamp)>,
    late: u64,
    late_by_rule: Vec<u64>,
    needed_lateness: Duration,
    quarantined: u64,
    outside: u64,
    waiting: Vec<HeldLine>,
    #[serde(skip)]
    hurried: u64,
}

/// What follows a head: counts that states of earlier releases do not have.
#[derive(Debug, Default, Serialize, Deserialize)]
struct More {
    /// By rule.
    dropped: Vec<u64>,
    hurried: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedCounts {
    events: u64,
    bytes: u64,
    untimed: u64,
    cut_keys: u64,
    duplicate_keys: u64,
    rejects: Vec<u64>,
    no_key: Vec<u64>,
}

/// A rule as it is named in a saved state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedRule {
    /// Its name.
    pub name: String,
    /// The hash of its content.
    pub fingerprint: u64,
    /// What is kept of it beside its keys.
    pub head: RuleHead,
}

/// Everything but the states of keys.
#[derive(Debug, Serialize, Deserialize)]
pub struct Head {
    layout: u32,
    /// The rules, in the order that numbers in saved keys refer to.
    pub rules: Vec<SavedRule>,
    order: SavedOrder,
    collector: SavedCollector,
    inputs: Vec<HeldLine>,
    counts: SavedCounts,
}

/// What becomes of a saved rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has not changed and goes on with what it holds, under this id.
    Kept(RuleId),
    /// It has changed: what it held is dropped, and it begins anew.
    Changed,
    /// There is no rule of its name any more.
    Gone,
    /// This release stores states in another form: it begins anew.
    Unreadable,
}

/// The parts that a head is put back into.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) sequencer: &'a mut Sequencer,
    pub(crate) collector: &'a mut Collector,
    pub(crate) totals: &'a mut BatchStats,
    pub(crate) no_key: &'a mut [u64],
}

fn held<'a>(events: impl Iterator<Item = (&'a Arc<Batch>, u32)>) -> Vec<HeldLine> {
    let line = |(batch, at): (&Arc<Batch>, u32)| {
        let record = &batch.records[at as usize];
        let text = batch.line(record).to_owned();
        HeldLine { input: batch.input, line: batch.seq(record).line(), arrival: batch.arrival, text }
    };
    events.map(line).collect()
}

fn read_again(decoder: &mut Decoder, line: HeldLine) -> Arc<Batch> {
    let origin = BlockOrigin { input: line.input, first_line: line.line, offset: 0, arrival: line.arrival };
    Arc::new(decoder.decode(line.text.into_bytes(), origin))
}

impl Head {
    /// Takes the head of the parts of an engine; `heads` are those of all shards, by rule.
    pub(crate) fn take(
        rules: &Ruleset,
        sequencer: &Sequencer,
        collector: &Collector,
        (totals, no_key): (&BatchStats, &[u64]),
        mut heads: Vec<RuleHead>,
    ) -> Self {
        for matcher in collector.matchers() {
            for (head, more) in heads.iter_mut().zip(matcher.heads()) {
                head.add(more);
            }
        }
        let rules = rules.rules.iter().zip(heads).map(|(rule, head)| SavedRule {
            name: rule.name.to_string(),
            fingerprint: rule.fingerprint,
            head,
        });
        let stats = &sequencer.stats;
        Self {
            layout: LAYOUT,
            rules: rules.collect(),
            order: SavedOrder {
                watermark: sequencer.watermark(),
                start: sequencer.start(),
                clocks: sequencer.clocks(),
                late: stats.late,
                late_by_rule: stats.late_by_rule.clone(),
                needed_lateness: stats.needed_lateness,
                quarantined: stats.quarantined,
                outside: stats.outside,
                waiting: held(sequencer.waiting()),
                hurried: stats.hurried,
            },
            collector: collector.save(),
            inputs: held(collector.inputs().iter().map(|(batch, at)| (batch, *at))),
            counts: SavedCounts {
                events: totals.events,
                bytes: totals.bytes,
                untimed: totals.untimed,
                cut_keys: totals.cut_keys,
                duplicate_keys: totals.scan.duplicate_keys,
                rejects: totals.rejects.to_vec(),
                no_key: no_key.to_vec(),
            },
        }
    }

    /// The head as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let dropped = self.rules.iter().map(|rule| rule.head.counters.dropped).collect();
        let more = More { dropped, hurried: self.order.hurried };
        let head = postcard::to_stdvec(self).expect("a head is plain data");
        postcard::to_extend(&more, head).expect("counts are plain data")
    }

    /// Reads what [`Head::to_bytes`] gave. The bytes are known to be undamaged.
    ///
    /// # Errors
    /// They are no head of a form that this release reads.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let (mut head, rest): (Self, _) = postcard::take_from_bytes(bytes).map_err(|_| StateError::Unreadable)?;
        if !rest.is_empty() {
            let more: More = postcard::from_bytes(rest).map_err(|_| StateError::Unreadable)?;
            head.order.hurried = more.hurried;
            for (rule, dropped) in head.rules.iter_mut().zip(more.dropped) {
                rule.head.counters.dropped = dropped;
            }
        }
        Ok(head)
    }

    /// Where time began, if it had.
    pub(crate) fn start(&self) -> Option<Timestamp> {
        self.order.start
    }

    /// How far time had come.
    pub(crate) fn watermark_or_min(&self) -> Timestamp {
        self.order.watermark
    }

    /// How far time had come, if it had begun.
    pub fn watermark(&self) -> Option<Timestamp> {
        Some(self.order.watermark).filter(|watermark| *watermark > Timestamp::MIN)
    }

    /// Events that had been read.
    pub fn events(&self) -> u64 {
        self.counts.events
    }

    /// Events held back by lateness or for rules on alerts, and alerts that were not yet final.
    pub fn held(&self) -> usize {
        self.order.waiting.len() + self.inputs.len() + self.collector.held()
    }

    /// Sources that the state knows the clocks of.
    pub fn sources(&self) -> usize {
        self.order.clocks.len()
    }

    /// What becomes of each rule, in the order of [`Head::rules`].
    pub fn fates(&self, rules: &Ruleset) -> Vec<Fate> {
        let fate = |saved: &SavedRule| match rules.rules.iter().find(|rule| *rule.name == *saved.name) {
            None => Fate::Gone,
            Some(rule) if rule.fingerprint != saved.fingerprint => Fate::Changed,
            Some(_) if self.layout != LAYOUT => Fate::Unreadable,
            Some(rule) => Fate::Kept(rule.id),
        };
        self.rules.iter().map(fate).collect()
    }

    /// Puts the head back into parts that have seen nothing. What shards hold, their callers put back.
    pub(crate) fn put_back(self, parts: &mut Parts<'_>, fates: &[Fate], decoder: &mut Decoder) {
        let kept = |rule: RuleId| match fates.get(rule.index()) {
            Some(Fate::Kept(id)) => Some(*id),
            _ => None,
        };
        let Self { order, collector, inputs, counts, rules, .. } = self;
        let mut late_by_rule = vec![0; parts.no_key.len()];
        for (of, count) in order.late_by_rule.into_iter().enumerate() {
            if let Some(id) = kept(RuleId::from(of)) {
                late_by_rule[id.index()] = count;
            }
        }
        while late_by_rule.last() == Some(&0) {
            late_by_rule.pop();
        }
        let stats = OrderStats {
            late: order.late,
            late_by_rule,
            needed_lateness: order.needed_lateness,
            quarantined: order.quarantined,
            outside: order.outside,
            hurried: order.hurried,
        };
        parts.sequencer.restore(order.watermark, &order.clocks, stats);
        parts.sequencer.restore_start(order.start);
        parts.collector.resume(order.start, order.watermark);
        for line in order.waiting {
            parts.sequencer.restore_waiting(read_again(decoder, line));
        }
        for line in inputs {
            parts.collector.restore_input(read_again(decoder, line));
        }
        parts.collector.restore(collector, &kept);
        for (fate, rule) in fates.iter().zip(&rules) {
            if let Fate::Kept(id) = fate
                && let Some(matcher) = parts.collector.matcher_of(*id)
            {
                matcher.restore_head(*id, &rule.head, true, |_| true);
            }
        }
        for (of, count) in counts.no_key.into_iter().enumerate() {
            if let Some(id) = kept(RuleId::from(of)) {
                parts.no_key[id.index()] = count;
            }
        }
        parts.totals.events = counts.events;
        parts.totals.bytes = counts.bytes;
        parts.totals.untimed = counts.untimed;
        parts.totals.cut_keys = counts.cut_keys;
        parts.totals.scan.duplicate_keys = counts.duplicate_keys;
        for (slot, count) in parts.totals.rejects.iter_mut().zip(counts.rejects) {
            *slot = count;
        }
    }
}
