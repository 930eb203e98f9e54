//! One decoded event to the keys of the rules that can use it: a small record for each.
//!
//! Relies on hits in the order of rules. Hits of one stage with equal keys go as one event.

use super::event::{self, Place};
use super::names::HostRules;
use super::stages::Stage;
use crate::base::FieldId;
use crate::decode::batch::{Batch, Hit, Record};

/// Scratch memory for one event after the other.
#[derive(Debug, Default)]
pub(super) struct Spread {
    fields: Vec<FieldId>,
    hits: Vec<Hit>,
    taken: Vec<bool>,
    key: Vec<u8>,
    bytes: Vec<u8>,
}

impl Spread {
    /// Gives what goes to each host key: the stage, the host key, the event. Hits of rules in the gatherer are left out;
    /// says whether there were any.
    pub(super) fn spread(
        &mut self,
        host: &HostRules,
        batch: &Batch,
        record: &Record,
        place: &Place<'_>,
        mut give: impl FnMut(Stage, &[u8], &[u8]),
    ) -> bool {
        let hits = batch.hits_of(record);
        self.taken.clear();
        self.taken.extend(hits.iter().map(|hit| host.stages.of(hit.rule) == Stage::Gather));
        let gathered = self.taken.contains(&true);
        for (at, first) in hits.iter().enumerate() {
            if self.taken[at] {
                continue;
            }
            let (stage, key) = (host.stages.of(first.rule), batch.key(first));
            self.hits.clear();
            for (other, hit) in hits.iter().enumerate().skip(at) {
                // Rules without a key are kept apart, whatever the bytes.
                let same = batch.key(hit) == key && (!key.is_empty() || hit.rule == first.rule);
                if !self.taken[other] && same && host.stages.of(hit.rule) == stage {
                    self.taken[other] = true;
                    self.hits.push(*hit);
                }
            }
            self.bytes.clear();
            event::write(host, batch, record, place, &self.hits, &mut self.fields, &mut self.bytes);
            self.key.clear();
            host.write_host_key(first.rule, key, &mut self.key);
            give(stage, &self.key, &self.bytes);
        }
        gathered
    }
}
