//! `suppress d by …`: drops an alert if one with the same rule and values was *sent* less than `d` ago, and tells the
//! next one how many were dropped (language.md §3.8).

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::base::{Duration, RuleId, Timestamp};

/// What was sent last, by rule and suppression key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suppressor {
    sent: HashMap<(u32, Box<[u8]>), Sent, foldhash::fast::FixedState>,
    sweep_at: usize,
}

/// The last alert that was sent, and what was dropped since.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    at: Timestamp,
    period: Duration,
    dropped: u64,
}

impl Suppressor {
    /// The same in another rule set: `rule` maps rules of this one to those of that; what it does not know is left out.
    pub fn renumbered(self, rule: impl Fn(RuleId) -> Option<RuleId>) -> Self {
        let sent = self.sent.into_iter().filter_map(|((of, key), sent)| Some(((rule(RuleId(of))?.0, key), sent)));
        Self { sent: sent.collect(), sweep_at: self.sweep_at }
    }

    /// Puts back what [`Suppressor::sorted`] gave.
    pub fn put_back(&mut self, rule: RuleId, key: &[u8], sent: Sent) {
        self.sent.insert((rule.0, key.into()), sent);
    }

    /// Forgets what makes no difference from `now` on. What was dropped must still be told.
    pub fn forget_before(&mut self, now: Timestamp) {
        self.sent.retain(|_, sent| sent.dropped > 0 || now - sent.at < sent.period);
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// When the first of what is remembered, other than dropped alerts, makes no difference any more.
    pub fn expires(&self) -> Option<Timestamp> {
        self.sent.values().filter(|sent| sent.dropped == 0).map(|sent| sent.at + sent.period).min()
    }

    /// What is remembered, in the order of rules and keys.
    pub fn sorted(&self) -> Vec<(RuleId, &[u8], Sent)> {
        let mut all: Vec<_> = self.sent.iter().map(|((rule, key), sent)| (RuleId(*rule), &**key, *sent)).collect();
        all.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        all
    }

    /// Whether an alert is sent, and if so how many were dropped since the last one.
    pub fn admit(&mut self, rule: u32, key: &[u8], period: Duration, time: Timestamp) -> Option<u64> {
        let entry = self.sent.entry((rule, key.into()));
        let sent = match entry {
            hashbrown::hash_map::Entry::Vacant(slot) => {
                slot.insert(Sent { at: time, period, dropped: 0 });
                Some(0)
            }
            hashbrown::hash_map::Entry::Occupied(mut slot) => {
                let last = slot.get_mut();
                if time - last.at < period {
                    last.dropped += 1;
                    None
                } else {
                    let dropped = last.dropped;
                    *last = Sent { at: time, period, dropped: 0 };
                    Some(dropped)
                }
            }
        };
        if self.sent.len() > self.sweep_at.max(1024) {
            // What was dropped must still be told; the rest is forgotten when its time is over.
            self.sent.retain(|_, s| s.dropped > 0 || time - s.at < s.period);
            self.sweep_at = self.sent.len() * 2;
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_the_last_one_sent() {
        let mut s = Suppressor::default();
        let mut at = |secs: i64| s.admit(0, b"k", Duration::from_secs(10), Timestamp(secs * 1_000_000_000));
        assert_eq!(at(0), Some(0));
        assert_eq!(at(6), None);
        assert_eq!(at(9), None);
        assert_eq!(at(10), Some(2));
        assert_eq!(at(19), None);
        assert_eq!(at(20), Some(1));
    }
}
