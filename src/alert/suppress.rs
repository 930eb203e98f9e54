//! `suppress d by …`: drops an alert if one with the same rule and values was *sent* less than `d` ago, and tells the
//! next one how many were dropped (language.md §3.8).

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::base::{Duration, RuleId, Timestamp};

/// Values whose time is over are remembered for the sake of what was dropped after them, up to so many of them.
const TOLD_LATER: usize = 1 << 20;

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
        self.forget(now, TOLD_LATER);
    }

    /// The same; of what is only there to be told, that of the last `most` alerts stays.
    fn forget(&mut self, now: Timestamp, most: usize) {
        self.sent.retain(|_, sent| sent.dropped > 0 || now - sent.at < sent.period);
        let over = |sent: &Sent| now - sent.at >= sent.period;
        let mut times: Vec<Timestamp> = self.sent.values().filter(|sent| over(sent)).map(|sent| sent.at).collect();
        if times.len() > most {
            // By their times, so that it is the same whatever order the table has.
            let at = times.len() - most - 1;
            let last = *times.select_nth_unstable(at).1;
            self.sent.retain(|_, sent| !over(sent) || sent.at > last);
        }
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Bytes that it takes beside itself, about.
    pub fn heap(&self) -> usize {
        let each = size_of::<((u32, Box<[u8]>), Sent)>();
        self.sent.capacity() * each + self.sent.keys().map(|(_, key)| key.len()).sum::<usize>()
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
            self.forget(time, TOLD_LATER);
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

    /// Values that never come again do not pile up because an alert of theirs was dropped once.
    #[test]
    fn what_nobody_asks_for_is_not_remembered_for_ever() {
        let (mut s, period) = (Suppressor::default(), Duration::from_secs(10));
        for n in 0..100_u32 {
            let at = Timestamp::from_millis(i64::from(n) * 1000);
            s.admit(0, &n.to_le_bytes(), period, at);
            assert_eq!(s.admit(0, &n.to_le_bytes(), period, at), None);
        }
        let now = Timestamp::from_millis(99_000);
        s.forget(now, 20);
        assert_eq!(s.sent.len(), 20 + 10, "those whose time is not over stay");
        assert_eq!(s.admit(0, &75_u32.to_le_bytes(), period, now), Some(1));
        assert_eq!(s.admit(0, &5_u32.to_le_bytes(), period, now), Some(0));
    }
}
