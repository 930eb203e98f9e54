//! Between alerts and sinks that may be slow, refuse, or be away for hours.
//!
//! ```text
//!            ┌ route ─ gather ─ queue │ courier ─► sink      a thread and a queue each:
//! alerts ─► ─┼ route ─ gather ─ queue │ courier ─► sink      none waits for another
//!            └ route ─ gather ─ queue │ courier ─► sink
//! ```
//! - [`route`]: which alerts a sink gets.
//! - [`gather`]: storms and groups become one summary alert with counts.
//! - [`queue`]: a bounded queue in memory, with a policy for when it is full; [`spool`]: the same on disk.
//! - [`courier`]: takes batches off the queue and sees them through: retries, circuit breaker, dead letters. It is a
//!   state machine that is told the time, so hours pass in a test in no time; [`fleet`] puts a thread around it.
//!
//! Invariants: a sink gets its alerts in their order. An alert that was taken into a queue is delivered, or counted
//! as dropped, dead or left over; nothing vanishes uncounted.

pub mod backoff;
pub mod breaker;
pub mod courier;
pub mod dead;
pub mod desk;
pub mod fleet;
pub mod gather;
pub mod queue;
pub mod route;
pub mod sink;
pub mod spool;

pub use backoff::Backoff;
pub use breaker::Breaker;
pub use courier::{Courier, Turn};
pub use dead::DeadLetters;
pub use desk::{Counts, Desk};
pub use fleet::{Fleet, Report, Wanted};
pub use gather::{By, Gather, Gathering};
pub use queue::WhenFull;
pub use route::{Pattern, Route};
pub use sink::{Failure, Letter, Receipt, Sink, Trouble};
pub use spool::{Spool, SpoolOptions};

use std::time::Duration;

/// How one sink is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Letters that the queue holds.
    pub queue: usize,
    /// What happens when it is full.
    pub when_full: WhenFull,
    /// Letters handed over at once, if the sink takes several.
    pub batch: usize,
    /// How often a letter is tried that the sink answers with an error; then it is a dead letter.
    pub tries: u32,
    /// The first wait between two attempts is at most this long.
    pub wait: Duration,
    /// No wait between two attempts is longer, unless the sink asks for it.
    pub max_wait: Duration,
    /// So many failures in a row open the circuit breaker.
    pub breaker_after: u32,
    /// How long it stays open before one letter is tried.
    pub breaker_pause: Duration,
    /// Groups that become one alert.
    pub group: Option<Gathering>,
    /// The number of alerts a rule may send in a time; the rest becomes one alert.
    pub limit: Option<Gathering>,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            queue: 10_000,
            when_full: WhenFull::Block,
            batch: 500,
            tries: 10,
            wait: Duration::from_millis(200),
            max_wait: Duration::from_secs(30),
            breaker_after: 5,
            breaker_pause: Duration::from_secs(10),
            group: None,
            limit: None,
        }
    }
}
