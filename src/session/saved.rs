//! State as bytes: everything a session needs to go on as if it had never stopped.
//!
//! ```text
//! "TRIPSTAT" │ format version │ xxh3 of the rest │ postcard: rules by fingerprint, clocks, events held back, …
//! ```
//! Rules are found again by name and fingerprint: unchanged rules keep their partial matches, changed ones begin
//! anew, and [`Session::restore`] says which.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Session, SessionConfig};
use crate::alert::collect::SavedCollector;
use crate::base::{RuleId, Timestamp};
use crate::decode::batch::{Batch, BlockOrigin};
use crate::matcher::shard::SavedRule;
use crate::plan::{Ruleset, key};
use crate::time::sequencer::OrderStats;

const MAGIC: &[u8; 8] = b"TRIPSTAT";
const VERSION: u32 = 3;

/// Why bytes are no usable state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// They do not begin as a state does.
    #[error("this is not a Tripline state")]
    NotAState,
    /// Another release wrote them.
    #[error("the state has format {0}, this release reads format {VERSION}")]
    Version(u32),
    /// They were changed after they were written.
    #[error("the state is damaged: its checksum does not match")]
    Damaged,
    /// The session has other sources.
    #[error("the state has {saved} sources, the session {wanted}")]
    Sources {
        /// In the state.
        saved: usize,
        /// In the configuration.
        wanted: usize,
    },
}

/// An event that is held back, as it was read.
#[derive(Debug, Serialize, Deserialize)]
struct HeldLine {
    input: u16,
    line: u64,
    arrival: Timestamp,
    text: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedOrder {
    watermark: Timestamp,
    start: Option<Timestamp>,
    newest: Vec<Timestamp>,
    late: u64,
    needed_lateness: crate::base::Duration,
    quarantined: u64,
    outside: u64,
    waiting: Vec<HeldLine>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedSession {
    ruleset: u64,
    rules: Vec<(String, u64, SavedRule)>,
    order: SavedOrder,
    collector: SavedCollector,
    inputs: Vec<HeldLine>,
    places: Vec<(u64, u64)>,
    arrival: Timestamp,
    no_key: Vec<u64>,
    events: u64,
    bytes: u64,
    untimed: u64,
    rejects: Vec<u64>,
}

fn held<'a>(events: impl Iterator<Item = (&'a Arc<Batch>, u32)>) -> Vec<HeldLine> {
    events
        .map(|(batch, at)| {
            let record = &batch.records[at as usize];
            HeldLine {
                input: batch.input,
                line: batch.seq(record).line(),
                arrival: batch.arrival,
                text: batch.line(record).to_owned(),
            }
        })
        .collect()
}

impl Session {
    /// The state, without alerts that were not drained.
    pub fn save(&self) -> Vec<u8> {
        let rules = self
            .rules
            .rules
            .iter()
            .map(|rule| (rule.name.to_string(), rule.fingerprint, self.matcher.save_rule(rule.id)))
            .collect();
        let stats = &self.sequencer.stats;
        let saved = SavedSession {
            ruleset: self.rules.fingerprint,
            rules,
            order: SavedOrder {
                watermark: self.sequencer.watermark(),
                start: self.sequencer.start(),
                newest: self.sequencer.clocks(),
                late: stats.late,
                needed_lateness: stats.needed_lateness,
                quarantined: stats.quarantined,
                outside: stats.outside,
                waiting: held(self.sequencer.waiting()),
            },
            collector: self.collector.save(),
            inputs: held(self.collector.inputs().iter().map(|(batch, at)| (batch, *at))),
            places: self.places.clone(),
            arrival: self.arrival,
            no_key: self.no_key.clone(),
            events: self.totals.events,
            bytes: self.totals.bytes,
            untimed: self.totals.untimed,
            rejects: self.totals.rejects.to_vec(),
        };
        let body = postcard::to_stdvec(&saved).expect("a state is plain data");
        let mut out = Vec::with_capacity(body.len() + 20);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&key::hash(&body).to_le_bytes());
        out.extend_from_slice(&body);
        out
    }

    /// A session that goes on where the saved one stood, and the names of rules that begin anew because they are new
    /// or have changed. The state of rules on alerts is kept only if no rule has changed.
    ///
    /// # Errors
    /// For bytes that are no state, damaged, or of another format, and for another number of sources.
    pub fn restore(
        rules: Arc<Ruleset>,
        config: SessionConfig,
        bytes: &[u8],
    ) -> Result<(Self, Vec<String>), StateError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(StateError::NotAState)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or(StateError::NotAState)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(StateError::Version(version));
        }
        let (checksum, body) = rest.split_first_chunk::<8>().ok_or(StateError::Damaged)?;
        if u64::from_le_bytes(*checksum) != key::hash(body) {
            return Err(StateError::Damaged);
        }
        let saved: SavedSession = postcard::from_bytes(body).map_err(|_| StateError::Damaged)?;
        if saved.places.len() != config.sources.max(1) {
            return Err(StateError::Sources { saved: saved.places.len(), wanted: config.sources.max(1) });
        }
        let mut session = Session::new(rules, config);
        let mut fresh: Vec<String> = session.rules.rules.iter().map(|r| r.name.to_string()).collect();
        let same = saved.ruleset == session.rules.fingerprint;
        for (name, fingerprint, rule) in saved.rules {
            let found = session.rules.rules.iter().find(|r| *r.name == *name && r.fingerprint == fingerprint);
            if let Some(id) = found.map(|r| r.id) {
                fresh.retain(|n| *n != name);
                session.matcher.restore_rule(id, rule, |_| true);
            }
        }
        let stats = OrderStats {
            late: saved.order.late,
            needed_lateness: saved.order.needed_lateness,
            quarantined: saved.order.quarantined,
            outside: saved.order.outside,
        };
        session.sequencer.restore(saved.order.watermark, &saved.order.newest, stats);
        session.sequencer.restore_start(saved.order.start);
        session.matcher.resume(saved.order.start, saved.order.watermark);
        session.collector.resume(saved.order.start, saved.order.watermark);
        for line in saved.order.waiting {
            let batch = session.read_again(line);
            session.sequencer.restore_waiting(batch);
        }
        for line in saved.inputs {
            let batch = session.read_again(line);
            session.collector.restore_input(batch);
        }
        if same {
            session.collector.restore(saved.collector);
            session.no_key = saved.no_key;
        } else {
            fresh.extend(session.rules.rules.iter().filter(|r| r.level > 0).map(|r| r.name.to_string()));
            fresh.sort();
            fresh.dedup();
        }
        session.places = saved.places;
        session.arrival = saved.arrival;
        session.totals.events = saved.events;
        session.totals.bytes = saved.bytes;
        session.totals.untimed = saved.untimed;
        for (slot, count) in session.totals.rejects.iter_mut().zip(saved.rejects) {
            *slot = count;
        }
        Ok((session, fresh))
    }

    fn read_again(&mut self, line: HeldLine) -> Arc<Batch> {
        let origin = BlockOrigin { input: line.input, first_line: line.line, offset: 0, arrival: line.arrival };
        Arc::new(self.decoder.decode(line.text.into_bytes(), origin))
    }

    /// The saved state of rules, by id, for tools that look into it.
    pub fn rule_states(&self) -> Vec<(RuleId, SavedRule)> {
        self.rules.rules.iter().map(|r| (r.id, self.matcher.save_rule(r.id))).collect()
    }
}
