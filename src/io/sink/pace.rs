//! How many requests may be under way at a time: as many as the peer answers without slowing down.
//!
//! Additive increase, multiplicative decrease, as TCP has it, on the time that answers take: a full round whose mean is
//! near the usual one adds a request, one that is much slower, or has a failure, takes a third away. (Vector's adaptive
//! concurrency works so.) Told of times, it reads no clock.

use std::time::Duration;

/// Of the usual time, how much the newest round counts.
const WEIGHT: f64 = 0.3;
/// A round is slow if it takes so many times the usual time.
const SLOW: f64 = 1.5;
/// What is left of the limit after a slow round.
const LEFT: f64 = 0.67;

/// The limit on requests of one sink.
#[derive(Clone, Debug)]
pub struct Pace {
    limit: f64,
    most: f64,
    /// Seconds that a request usually takes; 0 before the first.
    usual: f64,
}

impl Pace {
    /// Begins with one; never more than `most`.
    pub fn new(most: usize) -> Self {
        Self { limit: 1.0, most: most.max(1) as f64, usual: 0.0 }
    }

    /// Requests that may be under way.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// A round of `n` requests is over; they took `mean` each, and some were not taken if `failed`.
    pub fn after(&mut self, n: usize, mean: Duration, failed: bool) {
        let mean = mean.as_secs_f64();
        if failed || (self.usual > 0.0 && mean > self.usual * SLOW) {
            self.limit = (self.limit * LEFT).max(1.0);
        } else if n >= self.limit() {
            self.limit = (self.limit + 1.0).min(self.most);
        }
        if !failed {
            self.usual = if self.usual == 0.0 { mean } else { WEIGHT * mean + (1.0 - WEIGHT) * self.usual };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that does so much at a time and makes the rest wait.
    fn settle(room: usize, rounds: usize) -> Vec<usize> {
        let mut pace = Pace::new(64);
        let mut limits = Vec::new();
        for _ in 0..rounds {
            let n = pace.limit();
            limits.push(n);
            let waits = n.div_ceil(room) as u64;
            pace.after(n, Duration::from_millis(20 * waits), false);
        }
        limits
    }

    #[test]
    fn it_finds_what_a_peer_can_do_and_stays_near() {
        let limits = settle(16, 200);
        assert!(limits[50..].iter().all(|n| (8..=34).contains(n)), "{limits:?}");
        assert_eq!(settle(1000, 100).last(), Some(&64));
    }

    #[test]
    fn failures_bring_it_down_to_one() {
        let mut pace = Pace::new(64);
        (0..40).for_each(|_| pace.after(pace.limit(), Duration::from_millis(5), false));
        assert_eq!(pace.limit(), 41);
        (0..20).for_each(|_| pace.after(pace.limit(), Duration::from_millis(5), true));
        assert_eq!(pace.limit(), 1);
    }

    #[test]
    fn a_round_that_was_not_full_proves_nothing() {
        let mut pace = Pace::new(64);
        (0..10).for_each(|_| pace.after(pace.limit(), Duration::from_millis(5), false));
        let limit = pace.limit();
        (0..10).for_each(|_| pace.after(1, Duration::from_millis(5), false));
        assert_eq!(pace.limit(), limit);
    }
}
