//! The other end of an output: takes letters, or is away, loses connections in the middle, and refuses some for good.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tripline::alert::Alert;
use tripline::io::deliver::{Failure, Letter, Receipt, Sink};

use crate::oracle::random::Random;
use crate::tell;

/// What the world sees of it.
pub struct Peer {
    pub name: &'static str,
    random: Random,
    /// The time, as the world has it.
    pub now: Duration,
    /// When it is away.
    pub away: Vec<(Duration, Duration)>,
    /// Percent of batches that break off in the middle.
    pub breaks: usize,
    /// What it took, in order.
    pub taken: Vec<String>,
}

/// A handle of it, as a sink.
#[derive(Clone)]
pub struct Line(Arc<Mutex<Peer>>);

/// What an alert is told apart by: what closes one, or says it again, has its id.
pub fn name(alert: &Alert) -> String {
    format!("{} {:?}", alert.id, alert.notice)
}

/// Whether it refuses an alert for good, each time.
pub fn is_refused(id: &str) -> bool {
    id.ends_with('7')
}

impl Line {
    /// One that is away now and then.
    pub fn new(name: &'static str, random: &mut Random) -> Self {
        let mut away = Vec::new();
        let mut at = 0;
        for _ in 0..random.below(4) {
            let from = at + random.below(20) as u64;
            // Sometimes for hours.
            at = from + *random.choose(&[1, 10, 60, 20_000]);
            away.push((Duration::from_secs(from), Duration::from_secs(at)));
        }
        let breaks = *random.choose(&[0, 0, 5, 40]);
        let random = Random::new(random.below(1 << 30) as u64);
        Self(Arc::new(Mutex::new(Peer { name, random, now: Duration::ZERO, away, breaks, taken: Vec::new() })))
    }

    pub fn peer(&self) -> MutexGuard<'_, Peer> {
        self.0.lock().expect("not poisoned")
    }
}

impl Sink for Line {
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure> {
        let peer = &mut *self.peer();
        if peer.away.iter().any(|(from, to)| (*from..*to).contains(&peer.now)) {
            return Err(Failure::down("away"));
        }
        if letters.iter().any(|letter| is_refused(&letter.alert.id)) {
            return Err(Failure::refused("not wanted"));
        }
        let breaks = peer.random.percent(peer.breaks);
        let took = if breaks { peer.random.below(letters.len() + 1) } else { letters.len() };
        tell(|| {
            let names = letters[..took].iter().map(|letter| &letter.alert.id[..6]).collect::<Vec<_>>();
            format!("{}: takes {names:?} of {} at {:?}", peer.name, letters.len(), peer.now)
        });
        peer.taken.extend(letters[..took].iter().map(|letter| name(&letter.alert)));
        match breaks {
            false => Ok(Receipt::ALL),
            // Either it says how far it came, or nobody knows.
            true if peer.random.percent(50) => Ok(Receipt { again: (took..letters.len()).collect(), ..Receipt::ALL }),
            true => Err(Failure::down("the connection broke")),
        }
    }
}
