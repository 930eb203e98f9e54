//! How long to wait between attempts: exponential, with full jitter.
//!
//! A wait is drawn evenly between nothing and `min(cap, base · 2^n)`, so that many that fail together do not come back
//! together (Brooker, "Exponential Backoff and Jitter", 2015).

use std::time::Duration;

/// No wait that a sink asks for is longer than this.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Waits between attempts.
#[derive(Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    attempt: u32,
    random: fastrand::Rng,
}

impl Backoff {
    /// Waits that start within `base` and stay within `cap`; equal seeds give equal waits.
    pub fn new(base: Duration, cap: Duration, seed: u64) -> Self {
        Self { base, cap, attempt: 0, random: fastrand::Rng::with_seed(seed) }
    }

    /// The next wait; never shorter than what the sink asked for, up to an hour.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = self.base.saturating_mul(1u32.checked_shl(self.attempt).unwrap_or(u32::MAX));
        self.attempt = (self.attempt + 1).min(31);
        let drawn = doubled.min(self.cap).mul_f64(self.random.f64());
        drawn.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_are_spread() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5), 7);
        let waits: Vec<_> = (0..1000).map(|_| backoff.next(None)).collect();
        for (n, wait) in waits.iter().enumerate() {
            let most = Duration::from_millis(100 << n.min(10)).min(Duration::from_secs(5));
            assert!(*wait <= most, "wait {n} is {wait:?}");
        }
        let late = &waits[10..];
        let mean = late.iter().sum::<Duration>() / late.len() as u32;
        assert!((2.3..2.7).contains(&mean.as_secs_f64()), "full jitter has half the cap as its mean: {mean:?}");
        backoff.reset();
        assert!(backoff.next(None) <= Duration::from_millis(100));
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept() {
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(1), 7);
        assert_eq!(backoff.next(Some(Duration::from_secs(120))), Duration::from_secs(120));
        assert_eq!(backoff.next(Some(Duration::from_secs(1 << 40))), LONGEST_ASKED);
    }
}
