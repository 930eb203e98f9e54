//! The circuit breaker: a sink that fails again and again is left alone for a while, then tried with one letter.
//!
//! ```text
//! closed ──(n failures in a row)──► open ──(pause over)──► probing ──(success)──► closed
//!                                     ▲                        │
//!                                     └───────(failure)────────┘
//! ```

use std::time::Duration;

/// The state of a sink's circuit. Times are those of the courier's clock.
#[derive(Debug)]
pub struct Breaker {
    after: u32,
    pause: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration },
    Probing,
}

impl Breaker {
    /// Opens after so many failures in a row, for so long.
    pub fn new(after: u32, pause: Duration) -> Self {
        Self { after, pause, state: State::Closed { failures: 0 } }
    }

    /// Until when nothing may be tried, if so.
    pub fn shut_until(&mut self, now: Duration) -> Option<Duration> {
        match self.state {
            State::Open { until } if until > now => Some(until),
            State::Open { .. } => {
                self.state = State::Probing;
                None
            }
            _ => None,
        }
    }

    /// Whether only one letter is to be tried.
    pub fn is_probing(&self) -> bool {
        self.state == State::Probing
    }

    /// An attempt was answered. Says whether the circuit had been open.
    pub fn succeeded(&mut self) -> bool {
        let was_open = self.state == State::Probing;
        self.state = State::Closed { failures: 0 };
        was_open
    }

    /// An attempt was not answered. Says whether this opened the circuit that was closed.
    pub fn failed(&mut self, now: Duration) -> bool {
        let until = now.saturating_add(self.pause);
        match self.state {
            State::Closed { failures } if failures + 1 < self.after => {
                self.state = State::Closed { failures: failures + 1 };
                false
            }
            State::Closed { .. } => {
                self.state = State::Open { until };
                true
            }
            State::Open { .. } | State::Probing => {
                self.state = State::Open { until };
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_probes_and_closes() {
        let second = Duration::from_secs;
        let mut breaker = Breaker::new(3, second(10));
        assert!(!breaker.failed(second(0)) && !breaker.failed(second(1)));
        assert_eq!(breaker.shut_until(second(1)), None);
        assert!(breaker.failed(second(2)), "the third failure in a row opens it");
        assert_eq!(breaker.shut_until(second(3)), Some(second(12)));
        assert_eq!(breaker.shut_until(second(12)), None);
        assert!(breaker.is_probing());
        assert!(!breaker.failed(second(12)), "it was open already");
        assert_eq!(breaker.shut_until(second(13)), Some(second(22)));
        assert_eq!(breaker.shut_until(second(22)), None);
        assert!(breaker.succeeded());
        assert!(!breaker.is_probing());
        assert!(!breaker.failed(second(23)), "one failure after that is one failure");
    }
}
