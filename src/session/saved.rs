//! State as bytes: everything a session needs to go on as if it had never stopped.
//!
//! ```text
//! "TRIPSTAT" │ format version │ xxh3 of the rest │ postcard: head, places of sources, chunks of keys
//! ```
//! Rules are found again by name and fingerprint: unchanged rules keep their partial matches, changed ones begin
//! anew, and [`Session::restore`] says which. The engine's checkpoints hold the same head and keys.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::head::{Fate, Head, Parts};
use super::{Session, SessionConfig};
use crate::base::{RuleId, Timestamp};
use crate::matcher::saved::read_chunk;
use crate::plan::{Ruleset, key};

const MAGIC: &[u8; 8] = b"TRIPSTAT";
const VERSION: u32 = 5;

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
    /// They are as they were written, but not in a form that this release reads.
    #[error("the state is undamaged, but this release cannot read its form")]
    Unreadable,
    /// The session has other sources.
    #[error("the state has {saved} sources, the session {wanted}")]
    Sources {
        /// In the state.
        saved: usize,
        /// In the configuration.
        wanted: usize,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedSession {
    /// As [`Head::to_bytes`] gives it.
    head: Vec<u8>,
    places: Vec<(u64, u64)>,
    arrival: Timestamp,
    keys: Vec<Vec<u8>>,
}

impl Session {
    /// The state, without alerts that were not drained.
    pub fn save(&self) -> Vec<u8> {
        let mut keys = self.matcher.save_keys();
        for matcher in self.collector.matchers() {
            keys.append(matcher.save_keys());
        }
        let counts = (&self.totals, &self.no_key[..]);
        let head = Head::take(&self.rules, &self.sequencer, &self.collector, counts, self.matcher.heads());
        let (places, arrival) = (self.places.clone(), self.arrival);
        let saved = SavedSession { head: head.to_bytes(), places, arrival, keys: keys.chunks };
        let body = postcard::to_stdvec(&saved).expect("a state is plain data");
        let mut out = Vec::with_capacity(body.len() + 20);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&key::hash(&body).to_le_bytes());
        out.extend_from_slice(&body);
        out
    }

    fn parts(&mut self) -> (&mut crate::decode::decoder::Decoder, Parts<'_>) {
        let parts = Parts {
            sequencer: &mut self.sequencer,
            collector: &mut self.collector,
            totals: &mut self.totals,
            no_key: &mut self.no_key,
        };
        (&mut self.decoder, parts)
    }

    /// A session that goes on where the saved one stood, and the names of rules that begin anew because they are new
    /// or have changed.
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
        let saved: SavedSession = postcard::from_bytes(body).map_err(|_| StateError::Unreadable)?;
        if saved.places.len() != config.sources.max(1) {
            return Err(StateError::Sources { saved: saved.places.len(), wanted: config.sources.max(1) });
        }
        let mut session = Session::new(rules, config);
        let SavedSession { head, places, arrival, keys } = saved;
        let head = Head::from_bytes(&head)?;
        let fates = head.fates(&session.rules);
        let kept = |rule: RuleId| fates.contains(&Fate::Kept(rule));
        let fresh = session.rules.rules.iter().filter(|rule| !kept(rule.id)).map(|rule| rule.name.to_string());
        let fresh: Vec<String> = fresh.collect();
        session.matcher.resume(head.start(), head.watermark_or_min());
        for (fate, rule) in fates.iter().zip(&head.rules) {
            if let Fate::Kept(id) = fate
                && session.rules.rules[id.index()].level == 0
            {
                session.matcher.restore_head(*id, &rule.head, true, |_| true);
            }
        }
        let (decoder, mut parts) = session.parts();
        head.put_back(&mut parts, &fates, decoder);
        for chunk in &keys {
            for change in read_chunk(chunk).map_err(|_| StateError::Unreadable)? {
                let Some(Fate::Kept(id)) = fates.get(change.rule as usize) else { continue };
                let Some(state) = change.state else { continue };
                let matcher = match session.collector.matcher_of(*id) {
                    Some(matcher) => matcher,
                    None => &mut session.matcher,
                };
                matcher.restore_key(*id, change.key, state, |_| true).map_err(|_| StateError::Unreadable)?;
            }
        }
        session.places = places;
        session.arrival = arrival;
        Ok((session, fresh))
    }
}
