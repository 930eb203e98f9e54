//! The stage behind all keys: alerts that are open or said again, rules on alerts that ask for the order of all, suppression
//! by values of the alert.
//!
//! ```text
//! drafts of all keys ─┐
//!                     ├─ in order, once time has passed them ─► Collector ─► alerts
//! events for it ──────┘
//! ```
//! There is one of it, because [`Collector`] sees alerts in the order of all. Alerts are few beside events. Its state is
//! in memory and is saved whole: what collectors, rules on alerts and events that wait hold, with the names and
//! fingerprints of rules.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bytes::{FormatError, Reader};
use super::names::{HostRules, RuleTag};
use crate::alert::Alert;
use crate::alert::build::Draft;
use crate::alert::collect::{Collector, SavedCollector};
use crate::base::{RuleId, Timestamp};
use crate::decode::batch::{Batch, BlockOrigin};
use crate::decode::decoder::Decoder;
use crate::matcher::saved::{LAYOUT, RuleHead, read_chunk};
use crate::plan::event::Seq;
use crate::session::AtEnd;

const VERSION: u8 = 1;
const WHAT: &str = "the state of the gatherer";
const DRAFT: &str = "an alert on its way";

/// An alert that is not yet final, as bytes for a [`Gatherer`].
pub fn write_draft(host: &HostRules, draft: &Draft) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    bytes.extend_from_slice(&host.tag(draft.alert.rule).0.to_le_bytes());
    postcard::to_extend(draft, bytes).expect("an alert is plain data")
}

/// An event that is for rules on alerts too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    ts: Timestamp,
    seq: Seq,
    arrival: Timestamp,
    text: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    layout: u32,
    /// Name, fingerprint, and what is kept beside keys, by rule.
    rules: Vec<(String, u64, RuleHead)>,
    start: Option<Timestamp>,
    watermark: Timestamp,
    collector: SavedCollector,
    /// By level: changes of keys.
    keys: Vec<Vec<u8>>,
    drafts: Vec<Draft>,
    lines: Vec<Line>,
}

/// The stage behind all keys.
#[derive(Debug)]
pub struct Gatherer {
    host: Arc<HostRules>,
    collector: Collector,
    decoder: Decoder,
    start: Option<Timestamp>,
    watermark: Timestamp,
    drafts: Vec<Draft>,
    lines: Vec<Line>,
    ended: bool,
}

impl Gatherer {
    /// One that has seen nothing.
    pub fn new(host: Arc<HostRules>) -> Self {
        let decoder = || host.decoder();
        let upper = host.rules.gathers().then(decoder);
        let (evidence, limits) = (host.config.evidence, host.config.limits.clone());
        let mut collector = Collector::new(Arc::clone(host.ruleset()), evidence, limits, upper, None);
        collector.leave_out(host.stages.not_in_gatherer());
        Self {
            decoder: decoder(),
            collector,
            start: None,
            watermark: Timestamp::MIN,
            drafts: Vec::new(),
            lines: Vec::new(),
            ended: false,
            host,
        }
    }

    /// Time began here. Before any [`Gatherer::advance`].
    pub fn begin(&mut self, start: Timestamp) {
        self.start.get_or_insert(start);
    }

    /// Takes an alert that is not yet final, in any order.
    pub fn draft(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }

    /// Takes an alert that [`write_draft`] wrote; one of a rule that has gone or was changed is passed over.
    ///
    /// # Errors
    /// The bytes are of another release, or damaged.
    pub fn read_draft(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        let mut reader = Reader::new(DRAFT, bytes, VERSION)?;
        let tag = RuleTag(reader.word()?);
        let draft: Draft = reader.value()?;
        if let Some(rule) = self.host.rule(tag) {
            self.draft(draft.moved(rule));
        }
        Ok(())
    }

    /// Takes an event that is for rules on alerts too, in any order. One from before the watermark is passed over.
    pub fn line(&mut self, ts: Timestamp, seq: Seq, arrival: Timestamp, text: &str) {
        if ts < self.watermark {
            return;
        }
        self.lines.push(Line { ts, seq, arrival, text: text.to_owned() });
    }

    /// Time has come to `watermark`: alerts before it are final, in order.
    pub fn advance(&mut self, watermark: Timestamp, out: &mut Vec<Alert>) {
        if self.ended || watermark <= self.watermark {
            return;
        }
        self.watermark = watermark;
        self.begin_collector();
        let ready = self.release(|ts| ts < watermark);
        self.collector.collect(ready, watermark, out);
    }

    /// The input has ended with the newest event at `newest`.
    pub fn end(&mut self, newest: Timestamp, at_end: AtEnd, out: &mut Vec<Alert>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.watermark = self.watermark.max(newest);
        self.begin_collector();
        // What lies behind was found because everything undecided is decided.
        let flushed = self.drafts.iter().any(|draft| draft.order.time > newest);
        let ready = self.release(|ts| ts <= newest);
        self.collector.collect(ready, newest, out);
        self.collector.finish(newest, out);
        if at_end == AtEnd::Flush || flushed {
            self.collector.end(true);
            let rest = self.release(|_| true);
            self.collector.collect(rest, Timestamp::MAX, out);
            self.collector.finish(Timestamp::MAX, out);
        }
    }

    fn begin_collector(&mut self) {
        if let Some(start) = self.start {
            self.collector.begin(start);
        }
    }

    /// Hands the events to the collector that are ready, and gives the drafts that are.
    fn release(&mut self, ready: impl Fn(Timestamp) -> bool) -> Vec<Draft> {
        let (mut lines, waiting): (Vec<Line>, Vec<Line>) =
            std::mem::take(&mut self.lines).into_iter().partition(|line| ready(line.ts));
        self.lines = waiting;
        lines.sort_by_key(|line| (line.ts, line.seq));
        for line in lines {
            let (input, first_line) = (line.seq.input(), line.seq.line());
            let origin = BlockOrigin { input, first_line, offset: 0, arrival: line.arrival };
            let batch: Arc<Batch> = Arc::new(self.decoder.decode(line.text.into_bytes(), origin));
            if !batch.records.is_empty() {
                self.collector.input(&batch, 0);
            }
        }
        let (drafts, waiting) = std::mem::take(&mut self.drafts).into_iter().partition(|d| ready(d.order.time));
        self.drafts = waiting;
        drafts
    }

    /// Everything it holds, as bytes.
    pub fn save(&self) -> Vec<u8> {
        let mut heads = vec![RuleHead::default(); self.host.rules.rules.len()];
        let mut keys = crate::matcher::saved::Changes::default();
        for matcher in self.collector.matchers() {
            for (head, more) in heads.iter_mut().zip(matcher.heads()) {
                head.add(more);
            }
            keys.append(matcher.save_keys());
        }
        let rules = self.host.rules.rules.iter().zip(heads);
        let saved = Saved {
            layout: LAYOUT,
            rules: rules.map(|(rule, head)| (rule.name.to_string(), rule.fingerprint, head)).collect(),
            start: self.start,
            watermark: self.watermark,
            collector: self.collector.save(),
            keys: keys.chunks,
            drafts: self.drafts.clone(),
            lines: self.lines.clone(),
        };
        // Events for rules on alerts that the collector still holds back lie at the watermark.
        let held: Vec<Line> = self.collector.inputs().iter().map(|(batch, at)| held_line(batch, *at)).collect();
        let bytes = postcard::to_extend(&saved, vec![VERSION]).expect("a state is plain data");
        postcard::to_extend(&held, bytes).expect("a state is plain data")
    }

    /// One that goes on where another was saved; what rules held that have gone or were changed is dropped.
    ///
    /// # Errors
    /// The bytes are of another release, or damaged.
    pub fn restore(host: Arc<HostRules>, bytes: &[u8]) -> Result<Self, FormatError> {
        let damaged = || FormatError::Damaged(WHAT);
        let rest = match bytes.split_first() {
            Some((found, rest)) if *found == VERSION => rest,
            Some((found, _)) => return Err(FormatError::Version { what: WHAT, found: *found, wanted: VERSION }),
            None => return Err(damaged()),
        };
        let (saved, rest): (Saved, _) = postcard::take_from_bytes(rest).map_err(|_| damaged())?;
        let held: Vec<Line> = postcard::from_bytes(rest).map_err(|_| damaged())?;
        let mut gatherer = Self::new(host);
        let rules = Arc::clone(&gatherer.host.rules);
        let fates: Vec<Option<RuleId>> = saved
            .rules
            .iter()
            .map(|(name, fingerprint, _)| {
                let rule = rules.rule(name).filter(|rule| rule.fingerprint == *fingerprint)?;
                (saved.layout == LAYOUT).then_some(rule.id)
            })
            .collect();
        let kept = |rule: RuleId| fates.get(rule.index()).copied().flatten();
        gatherer.start = saved.start;
        gatherer.watermark = saved.watermark;
        gatherer.collector.resume(saved.start, saved.watermark);
        gatherer.collector.restore(saved.collector, &kept);
        for (at, (_, _, head)) in saved.rules.iter().enumerate() {
            if let Some(id) = fates[at]
                && let Some(matcher) = gatherer.collector.matcher_of(id)
            {
                matcher.restore_head(id, head, true, |_| true);
            }
        }
        for chunk in &saved.keys {
            for change in read_chunk(chunk).map_err(|_| damaged())? {
                if let (Some(id), Some(state)) = (kept(RuleId(change.rule)), change.state)
                    && let Some(matcher) = gatherer.collector.matcher_of(id)
                {
                    matcher.restore_key(id, change.key, state, |_| true).map_err(|_| damaged())?;
                }
            }
        }
        gatherer.drafts =
            saved.drafts.into_iter().filter_map(|draft| kept(draft.alert.rule).map(|rule| draft.moved(rule))).collect();
        gatherer.lines = saved.lines;
        gatherer.lines.extend(held);
        Ok(gatherer)
    }
}

fn held_line(batch: &Arc<Batch>, at: u32) -> Line {
    let record = &batch.records[at as usize];
    Line { ts: record.ts, seq: batch.seq(record), arrival: batch.arrival, text: batch.line(record).to_owned() }
}
