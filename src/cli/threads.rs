//! Threads for what can be done at the same time before the engine starts: files of rules that are read and compiled.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tripline::base::crew::Crew;

/// Pieces of work for which one more thread is worth its start.
const WORTH_A_THREAD: usize = 16;

/// So many threads, the one at hand among them, which last as long as the work.
#[derive(Clone, Copy, Debug)]
pub struct Threads(usize);

impl Threads {
    /// At most so many.
    pub fn of(count: usize) -> Self {
        Self(count.max(1))
    }
}

/// One for each processor.
impl Default for Threads {
    fn default() -> Self {
        Self::of(thread::available_parallelism().map_or(1, NonZero::get))
    }
}

impl Crew for Threads {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        let next = AtomicUsize::new(0);
        let take = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return;
                }
                work(at);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.0.min(count / WORTH_A_THREAD) {
                scope.spawn(take);
            }
            take();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once() {
        for (threads, count) in [(1, 3), (4, 0), (4, 5), (4, 1000)] {
            let done: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            Threads::of(threads).each(count, &|at| _ = done[at].fetch_add(1, Ordering::Relaxed));
            assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 1));
        }
    }
}
