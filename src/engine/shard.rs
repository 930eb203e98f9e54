//! One shard at work: the matcher of its keys, and the maker of alerts from what it finds.

use std::sync::Arc;

use super::step::Step;
use crate::alert::Evidence;
use crate::alert::build::{Builder, Draft};
use crate::base::Timestamp;
use crate::matcher::shard::{Found, Matcher, RuleCounters};
use crate::plan::Ruleset;
use crate::session::{SessionConfig, match_released};

/// The keys that hash to one place, on whatever thread they are matched.
#[derive(Debug)]
pub(super) struct Shard {
    /// Its place, and how many shards there are.
    place: (usize, usize),
    matcher: Matcher,
    builder: Builder,
    full_evidence: bool,
    found: Vec<Found>,
}

/// The end of a shard.
#[derive(Debug)]
pub(super) struct ShardEnd {
    /// What time going on would still bring.
    pub(super) drafts: Vec<Draft>,
    pub(super) counters: Vec<RuleCounters>,
    /// Partial matches and events held, and keys that hold them, by rule.
    pub(super) open: Vec<(usize, usize)>,
}

impl Shard {
    pub(super) fn new(
        rules: &Arc<Ruleset>,
        config: &SessionConfig,
        place: (usize, usize),
        clock: Option<fn() -> u64>,
    ) -> Self {
        Self {
            place,
            matcher: Matcher::new(Arc::clone(rules), config.limits.clone(), clock).scheduled(0, Some(place)),
            builder: Builder::new(Arc::clone(rules), config.evidence),
            full_evidence: config.evidence == Evidence::Full,
            found: Vec::new(),
        }
    }

    /// Matches its share of a step's events, then decides deadlines before the step's watermark.
    pub(super) fn take(&mut self, step: &Step) -> Vec<Draft> {
        if let Some(start) = step.start {
            self.matcher.begin(start, &mut self.found);
        }
        match_released(&mut self.matcher, &step.released, Some(self.place), self.full_evidence, &mut self.found);
        self.matcher.advance(step.watermark, &mut self.found);
        self.drafts()
    }

    /// Goes on with tables that were read anew.
    pub(super) fn set_tables(&mut self, rules: &Arc<Ruleset>) {
        self.matcher.set_tables(rules);
        self.builder.set_tables(rules);
    }

    /// Says what is open, then decides everything; clocks go on only with `flush`.
    pub(super) fn end(&mut self, flush: bool) -> ShardEnd {
        let open = self.matcher.open();
        let counters = self.matcher.counters().to_vec();
        self.matcher.end(flush);
        self.matcher.advance(Timestamp::MAX, &mut self.found);
        ShardEnd { drafts: self.drafts(), counters, open }
    }

    fn drafts(&mut self) -> Vec<Draft> {
        self.found.drain(..).map(|found| self.builder.build(found)).collect()
    }
}
