//! Blocks to batches: lines are scanned, given their time, asked the predicates of all rules, and keyed.
//!
//! Stateless but for scratch memory: the same block gives the same batch on any thread.

use std::sync::Arc;

use super::batch::{Batch, BlockOrigin, Hit, Record, RejectedLine, shard_of};
use super::json::extract;
use super::lines::TextBlock;
use super::path::PathTrie;
use super::reject::Reject;
use super::slot::Slot;
use super::timefield::{EventTime, OnMissing, TimeConfig, TimeReader};
use super::view::{Lazy, LineMemo, LineView};
use crate::base::id::KeySpecId;
use crate::base::{FieldId, RuleId, Timestamp};
use crate::plan::Ruleset;
use crate::plan::classify;
use crate::plan::eval::unary;
use crate::plan::event::Seq;
use crate::plan::key::{KeySpec, NoKey};

/// Keys that one event may have for one rule by `each(…)`.
pub const KEYS_PER_EVENT: usize = 1000;

/// How lines are read.
#[derive(Clone, Debug)]
pub struct DecodeConfig {
    /// Event time, of sources that say nothing else.
    pub time: TimeConfig,
    /// By source: what it has of its own. Sources beyond have nothing.
    pub sources: Vec<OwnForm>,
    /// Bytes of a line at most.
    pub max_line: usize,
    /// Nesting at most.
    pub max_depth: usize,
    /// Number of shards to route to.
    pub shards: usize,
    /// Keep what gave no event.
    pub keep_rejects: bool,
}

/// What the lines of one source have of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnForm {
    /// Event time.
    pub time: Option<TimeConfig>,
    /// Fields that the source calls otherwise: the path that rules read, and the one that stands in the lines.
    pub renamed: Vec<(Vec<String>, Vec<String>)>,
}

/// How the lines of some sources are read.
#[derive(Debug)]
struct Form {
    trie: PathTrie,
    time: TimeReader,
    on_missing: OnMissing,
}

impl Form {
    fn new(rules: &Ruleset, config: &DecodeConfig, own: &OwnForm) -> Self {
        let config_time = own.time.as_ref().unwrap_or(&config.time);
        let called = |path: &Vec<String>| {
            let renamed = own.renamed.iter().find(|(ours, _)| ours == path);
            renamed.map_or(path, |(_, theirs)| theirs).clone()
        };
        let mut paths: Vec<Vec<String>> = rules.fields.iter().map(called).collect();
        let mut time_fields = Vec::new();
        for path in &config_time.fields {
            let at = paths.iter().position(|p| p == path).unwrap_or_else(|| {
                paths.push(path.clone());
                paths.len() - 1
            });
            time_fields.push(FieldId::from(at));
        }
        let mut trie = PathTrie::new(&paths).with_max_depth(config.max_depth);
        // Where only predicates read the whole event, it is made for the events that they are asked of.
        let is_whole = |field: &FieldId| rules.fields.get(field.index()).is_some_and(Vec::is_empty);
        if !rules.rules.iter().any(|rule| rule.kept.iter().any(is_whole)) {
            trie = trie.without_whole();
        }
        let time = TimeReader::new(time_fields, config_time.format.clone());
        Self { trie, time, on_missing: config_time.on_missing }
    }
}

/// Decodes blocks for one rule set. One a thread: it owns scratch memory.
#[derive(Debug)]
pub struct Decoder {
    rules: Arc<Ruleset>,
    config: DecodeConfig,
    /// The first is that of sources which have nothing of their own.
    forms: Vec<Form>,
    /// By source: its form.
    form_of: Vec<usize>,
    /// By key spec: whether an event may have several keys.
    each: Vec<bool>,
    /// By rule: the one key spec of all its roles, if there is just one.
    uniform: Vec<Option<KeySpecId>>,
    slots: Vec<Slot>,
    memo: LineMemo,
    classify: classify::Scratch,
    scratch: Scratch,
}

/// Where a key lies in [`Batch::keys`], and its hash; or why there is none.
type KeyPlace = Result<(u32, u32, u64), NoKey>;

/// What classification remembers within an event, and counts over a batch.
#[derive(Debug)]
struct Scratch {
    /// By rule: the roles found.
    masks: Vec<u64>,
    /// The rules with a role.
    touched: Vec<u32>,
    /// By key spec: the event it was last computed for, and what came out.
    memo: Vec<(u64, KeyPlace)>,
    /// Numbers the events.
    event: u64,
    /// By rule: events without a key.
    no_key: Vec<u64>,
    /// Times that an event had too many keys.
    cut_keys: u64,
}

impl Decoder {
    /// A decoder for a rule set.
    pub fn new(rules: Arc<Ruleset>, config: DecodeConfig) -> Self {
        let mut owns = vec![OwnForm::default()];
        let mut form_of = Vec::with_capacity(config.sources.len());
        for own in &config.sources {
            form_of.push(owns.iter().position(|other| other == own).unwrap_or_else(|| {
                owns.push(own.clone());
                owns.len() - 1
            }));
        }
        let forms: Vec<Form> = owns.iter().map(|own| Form::new(&rules, &config, own)).collect();
        let slots = forms.iter().map(|form| form.trie.fields()).max().unwrap_or_default();
        // Followers have roles as rules do; their ids come after those of the rules.
        let ids = rules.rules.len() + rules.followers.len();
        let uniform = (0..ids)
            .map(|id| {
                let roles = rules.roles(RuleId::from(id));
                let first = roles.first()?.keyspec;
                roles.iter().all(|r| r.keyspec == first).then_some(first)
            })
            .collect();
        Self {
            slots: vec![Slot::Missing; slots],
            memo: LineMemo::new(&rules.fields, config.max_depth),
            classify: classify::Scratch::default(),
            scratch: Scratch {
                masks: vec![0; ids],
                touched: Vec::new(),
                memo: vec![(0, Err(NoKey::Missing)); rules.keyspecs.len()],
                event: 0,
                no_key: vec![0; ids],
                cut_keys: 0,
            },
            each: rules.keyspecs.iter().map(KeySpec::has_each).collect(),
            uniform,
            forms,
            form_of,
            rules,
            config,
        }
    }

    /// Goes on with tables that were read anew; see [`Ruleset::differs_only_in_tables`].
    pub fn set_tables(&mut self, rules: &Arc<Ruleset>) {
        debug_assert!(self.rules.differs_only_in_tables(rules));
        self.rules = Arc::clone(rules);
    }

    /// Decodes a block of whole lines.
    pub fn decode(&mut self, bytes: Vec<u8>, origin: BlockOrigin) -> Batch {
        let mut batch = Batch::default();
        self.decode_into(&mut batch, bytes, origin);
        batch
    }

    /// As [`Decoder::decode`], in the memory of a batch that is new or was [recycled](Batch::recycle).
    pub fn decode_into(&mut self, batch: &mut Batch, bytes: Vec<u8>, origin: BlockOrigin) {
        batch.input = origin.input;
        batch.first_line = origin.first_line;
        batch.offset = origin.offset;
        batch.arrival = origin.arrival;
        batch.stride = self.rules.fields.len();
        batch.shards.resize_with(self.config.shards.max(1), Vec::new);
        batch.stats.bytes = bytes.len() as u64;
        let block = TextBlock::from_vec(bytes);
        let form = self.form_of.get(usize::from(origin.input)).copied().unwrap_or(0);
        for line in block.lines(self.config.max_line) {
            let text = match line.text {
                Ok(text) => text,
                Err(reason) => {
                    self.reject(batch, &block, line.index, line.start, 0, reason);
                    continue;
                }
            };
            let form = &mut self.forms[form];
            let before = batch.arena.level();
            let scanned =
                extract(text, line.start, &form.trie, &mut self.slots, &mut batch.arena, &mut batch.stats.scan);
            if let Err(error) = scanned {
                self.reject(batch, &block, line.index, line.start, error.offset as usize, error.reason);
                continue;
            }
            let ts = match form.time.read(&self.slots, block.text(), &batch.arena) {
                EventTime::At(ts) => ts,
                _ if form.on_missing == OnMissing::Arrival => {
                    batch.stats.untimed += 1;
                    origin.arrival
                }
                _ => {
                    self.reject(batch, &block, line.index, line.start, 0, Reject::NoTime);
                    continue;
                }
            };
            let mut record = Record {
                ts,
                line: line.index,
                start: line.start,
                len: text.len() as u32,
                slots: batch.slots.len() as u32,
                first_hit: batch.hits.len() as u32,
                end_hit: 0,
            };
            let seq = Seq::new(origin.input, origin.first_line + u64::from(line.index));
            let view = LineView {
                slots: &self.slots,
                text: block.text(),
                arena: &batch.arena,
                ts,
                arrival: origin.arrival,
                seq,
                lazy: Some(Lazy { memo: &self.memo, line: text }),
            };
            let at = batch.records.len() as u32;
            let mut found = Found {
                rules: &self.rules,
                each: &self.each,
                uniform: &self.uniform,
                scratch: &mut self.scratch,
                hits: &mut batch.hits,
                keys: &mut batch.keys,
            };
            let context = unary(&view, &[], &self.rules.tables);
            self.rules.classes.classify(&context, &mut self.classify, |pred| found.mark(&pred.subscribers));
            found.collect(&view, at);
            self.memo.clear();
            record.end_hit = batch.hits.len() as u32;
            if record.end_hit > record.first_hit {
                batch.slots.extend_from_slice(&self.slots[..batch.stride]);
            } else {
                batch.arena.back_to(before);
            }
            let (low, high) = batch.span.unwrap_or((ts, ts));
            batch.ordered &= ts >= high;
            batch.span = Some((low.min(ts), high.max(ts)));
            batch.stats.events += 1;
            batch.records.push(record);
        }
        let shards = batch.shards.len();
        for (i, hit) in batch.hits.iter().enumerate() {
            if self.rules.is_gathered(hit.rule) {
                batch.upper.push(i as u32);
            } else {
                batch.shards[shard_of(hit.hash, shards)].push(i as u32);
            }
        }
        batch.stats.cut_keys = std::mem::take(&mut self.scratch.cut_keys);
        for (rule, count) in self.scratch.no_key.iter_mut().enumerate().take(self.rules.rules.len()) {
            if *count > 0 {
                batch.stats.no_key.push((RuleId::from(rule), std::mem::take(count)));
            }
        }
        batch.block = block;
    }

    /// Decodes an alert as an event of its class: the text is one JSON object. `None` if no rule can use it.
    pub fn decode_alert(&mut self, rule: RuleId, json: String, ts: Timestamp) -> Option<Batch> {
        let mut batch = self.decode(Vec::new(), BlockOrigin { input: 0, first_line: 0, offset: 0, arrival: ts });
        let block = TextBlock::from_vec(json.into_bytes());
        let scanned =
            extract(block.text(), 0, &self.forms[0].trie, &mut self.slots, &mut batch.arena, &mut batch.stats.scan);
        if scanned.is_err() {
            return None;
        }
        let view = LineView {
            slots: &self.slots,
            text: block.text(),
            arena: &batch.arena,
            ts,
            arrival: ts,
            seq: Seq::default(),
            lazy: Some(Lazy { memo: &self.memo, line: block.text() }),
        };
        let mut found = Found {
            rules: &self.rules,
            each: &self.each,
            uniform: &self.uniform,
            scratch: &mut self.scratch,
            hits: &mut batch.hits,
            keys: &mut batch.keys,
        };
        let context = unary(&view, &[], &self.rules.tables);
        self.rules.classes.classify_alert(rule, &context, |pred| found.mark(&pred.subscribers));
        found.collect(&view, 0);
        self.memo.clear();
        if batch.hits.is_empty() {
            return None;
        }
        batch.slots.extend_from_slice(&self.slots[..batch.stride]);
        batch.records.push(Record {
            ts,
            line: 0,
            start: 0,
            len: block.text().len() as u32,
            slots: 0,
            first_hit: 0,
            end_hit: batch.hits.len() as u32,
        });
        batch.upper = (0..batch.hits.len() as u32).collect();
        batch.block = block;
        Some(batch)
    }

    fn reject(&self, batch: &mut Batch, block: &TextBlock<'_>, line: u32, start: u32, column: usize, reason: Reject) {
        batch.stats.rejects[reason as usize] += 1;
        if !self.config.keep_rejects {
            return;
        }
        // A line that is not UTF-8 was blanked out in the text; its bytes are beside it.
        let bytes = block.invalid().iter().find(|l| l.index == line).map_or_else(
            || {
                let rest = &block.text().as_bytes()[start as usize..];
                &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())]
            },
            |l| &l.bytes[..],
        );
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).into_owned();
        batch.rejects.push(RejectedLine { line, start, column: column as u32, reason, text });
    }
}

/// Collects the roles that one event has, by rule, then its keys.
struct Found<'a> {
    rules: &'a Ruleset,
    each: &'a [bool],
    uniform: &'a [Option<KeySpecId>],
    scratch: &'a mut Scratch,
    hits: &'a mut Vec<Hit>,
    keys: &'a mut Vec<u8>,
}

impl Found<'_> {
    #[inline]
    fn mark(&mut self, subscribers: &[(RuleId, u8)]) {
        for (rule, role) in subscribers {
            let mask = &mut self.scratch.masks[rule.index()];
            if *mask == 0 {
                self.scratch.touched.push(rule.0);
            }
            *mask |= 1 << role;
        }
    }

    #[inline]
    fn collect(&mut self, view: &LineView<'_>, record: u32) {
        if self.scratch.touched.is_empty() {
            return;
        }
        self.scratch.event += 1;
        self.scratch.touched.sort_unstable();
        for at in 0..self.scratch.touched.len() {
            let rule = RuleId(self.scratch.touched[at]);
            let mask = std::mem::take(&mut self.scratch.masks[rule.index()]);
            if let Some(spec) = self.uniform[rule.index()] {
                self.hit(view, record, rule, spec, mask);
                continue;
            }
            // Roles with different keys: one hit a key; equal keys are merged, so that an event meets a state once.
            let from = self.hits.len();
            let roles = self.rules.roles(rule);
            let mut left = mask;
            while left != 0 {
                let spec = roles[left.trailing_zeros() as usize].keyspec;
                let same = (0..64).filter(|r| left & (1 << r) != 0 && roles[*r].keyspec == spec);
                let group = same.fold(0_u64, |m, r| m | 1 << r);
                left &= !group;
                self.hit(view, record, rule, spec, group);
            }
            let mut at = from;
            while at < self.hits.len() {
                let mut other = at + 1;
                while other < self.hits.len() {
                    let (a, b) = (self.hits[at], self.hits[other]);
                    let key = |h: &Hit| &self.keys[h.key_start as usize..h.key_end as usize];
                    if a.hash == b.hash && key(&a) == key(&b) {
                        self.hits[at].roles |= b.roles;
                        self.hits.remove(other);
                    } else {
                        other += 1;
                    }
                }
                at += 1;
            }
        }
        self.scratch.touched.clear();
    }

    /// A hit for each key that `each(…)` gives.
    #[cold]
    fn hit_each(&mut self, view: &LineView<'_>, record: u32, rule: RuleId, spec: KeySpecId, roles: u64) {
        let context = unary(view, &[], &self.rules.tables);
        let (hits, keys) = (&mut *self.hits, &mut *self.keys);
        let taken = self.rules.keyspecs[spec.index()].encode_each(&context, KEYS_PER_EVENT, |bytes| {
            let key_start = keys.len() as u32;
            keys.extend_from_slice(bytes);
            let hash = self.rules.hash_key(bytes);
            hits.push(Hit { record, rule, roles, hash, key_start, key_end: keys.len() as u32 });
        });
        match taken {
            Ok(cut) => self.scratch.cut_keys += u64::from(cut),
            Err(_) => self.scratch.no_key[rule.index()] += 1,
        }
    }

    #[inline]
    fn hit(&mut self, view: &LineView<'_>, record: u32, rule: RuleId, spec: KeySpecId, roles: u64) {
        if self.each[spec.index()] {
            return self.hit_each(view, record, rule, spec, roles);
        }
        if self.scratch.memo[spec.index()].0 != self.scratch.event {
            let start = self.keys.len();
            let context = unary(view, &[], &self.rules.tables);
            let keyspec = &self.rules.keyspecs[spec.index()];
            let encoded = keyspec.encode(&context, self.keys);
            let outcome = match encoded {
                Err(why) => {
                    self.keys.truncate(start);
                    Err(why)
                }
                Ok(()) => Ok((start as u32, self.keys.len() as u32, self.rules.hash_key(&self.keys[start..]))),
            };
            self.scratch.memo[spec.index()] = (self.scratch.event, outcome);
        }
        match self.scratch.memo[spec.index()].1 {
            // A rule without a key lives whole in one shard; which one is spread by rule.
            Ok((key_start, key_end, _)) if key_start == key_end => {
                let hash = self.rules.hash_rule(rule);
                self.hits.push(Hit { record, rule, roles, hash, key_start, key_end });
            }
            Ok((key_start, key_end, hash)) => {
                self.hits.push(Hit { record, rule, roles, hash, key_start, key_end });
            }
            Err(_) => self.scratch.no_key[rule.index()] += 1,
        }
    }
}
