//! Writes checkpoints on a thread of its own: the engine goes on while one is made durable, one at a time.
//!
//! Outputs are made durable first, since a checkpoint says how long they are. A disk without room is waited for, and
//! whoever wants to add the next checkpoint waits too: so input stands still instead of running ahead of what can be
//! kept. Any other failure ends the writing for good.

#![allow(clippy::disallowed_methods, reason = "checkpoints are written on a thread of their own, which waits for room")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::{Commit, StateDir, StateDirError};
use crate::matcher::saved::Changes;

/// How long to wait before trying again on a full disk.
const PATIENCE: Duration = Duration::from_millis(200);

/// Makes something durable that a checkpoint speaks of.
pub type Durable = Box<dyn FnOnce() -> Result<(), StateDirError> + Send>;

/// A checkpoint to be written.
struct Job {
    commit: Commit,
    changes: Changes,
    before: Vec<Durable>,
}

/// A checkpoint that is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its number.
    pub number: u64,
    /// Keys that had changed.
    pub changes: u64,
    /// How long it took to write.
    pub took: Duration,
}

/// The thread's other end.
#[derive(Debug)]
pub struct CheckpointWriter {
    dir: PathBuf,
    jobs: Option<Sender<Job>>,
    results: Receiver<Result<Committed, StateDirError>>,
    under_way: bool,
    /// The disk is full, and the thread tries again and again.
    full: Arc<AtomicBool>,
    give_up: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), StateDirError>>>,
}

impl CheckpointWriter {
    /// Starts the thread. `after` is told after each checkpoint what the oldest one is that may be gone back to.
    pub fn start(state: StateDir, after: Box<dyn FnMut(&Commit) + Send>) -> Self {
        let dir = state.path().to_owned();
        let (jobs, jobs_in) = bounded(1);
        let (results_out, results) = bounded(1);
        let (full, give_up) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let flags = (Arc::clone(&full), Arc::clone(&give_up));
        let thread = thread::spawn(move || work(state, &jobs_in, &results_out, flags, after));
        Self { dir, jobs: Some(jobs), results, under_way: false, full, give_up, thread: Some(thread) }
    }

    /// What has become of the last checkpoint; `None` while it is written, or if there is none.
    ///
    /// # Errors
    /// It could not be written, and none can be any more.
    pub fn poll(&mut self) -> Result<Option<Committed>, StateDirError> {
        match self.results.try_recv() {
            Ok(result) => {
                self.under_way = false;
                result.map(Some)
            }
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(self.died()),
        }
    }

    /// Why the thread has ended before its time.
    fn died(&mut self) -> StateDirError {
        self.under_way = false;
        let ended = self.thread.take().map(|thread| match thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        match ended {
            Some(Err(error)) => error,
            _ => StateDirError::Broken { path: self.dir.clone() },
        }
    }

    /// Whether another checkpoint can be taken.
    pub fn is_free(&self) -> bool {
        !self.under_way
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Waits for the checkpoint that is under way.
    ///
    /// # Errors
    /// It could not be written.
    pub fn wait(&mut self) -> Result<Option<Committed>, StateDirError> {
        if !self.under_way {
            return Ok(None);
        }
        self.under_way = false;
        match self.results.recv() {
            Ok(result) => result.map(Some),
            Err(_) => Err(self.died()),
        }
    }

    /// Hands over a checkpoint. Only when [`CheckpointWriter::is_free`].
    pub fn submit(&mut self, commit: Commit, changes: Changes, before: Vec<Durable>) {
        debug_assert!(self.is_free());
        if let Some(jobs) = &self.jobs {
            // Should the thread be gone, its last result says why.
            self.under_way = jobs.send(Job { commit, changes, before }).is_ok();
        }
    }

    /// A full disk is not waited for any more: the run is to end.
    pub fn give_up(&self) {
        self.give_up.store(true, Ordering::Relaxed);
    }

    /// Ends the writing in order.
    ///
    /// # Errors
    /// The last checkpoint could not be written.
    pub fn finish(mut self) -> Result<(), StateDirError> {
        let last = self.wait();
        self.jobs = None;
        let closed = self.thread.take().map_or(Ok(()), |thread| match thread.join() {
            Ok(closed) => closed,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        last.and(closed)
    }
}

fn work(
    mut state: StateDir,
    jobs: &Receiver<Job>,
    results: &Sender<Result<Committed, StateDirError>>,
    (full, give_up): (Arc<AtomicBool>, Arc<AtomicBool>),
    mut after: Box<dyn FnMut(&Commit) + Send>,
) -> Result<(), StateDirError> {
    while let Ok(Job { mut commit, changes, before }) = jobs.recv() {
        let started = Instant::now();
        let mut written = before.into_iter().try_for_each(|durable| durable());
        if written.is_ok() {
            written = patiently(&full, &give_up, || state.add(&mut commit, &changes));
        }
        let failed = written.is_err();
        let committed = Committed { number: commit.number, changes: changes.count, took: started.elapsed() };
        if results.send(written.map(|()| committed)).is_err() || failed {
            return Ok(());
        }
        if let Some(oldest) = state.oldest() {
            after(oldest);
        }
        // While it lasts, the next checkpoint waits.
        match state.merge() {
            Ok(_) => {}
            // The generation goes on growing until there is room.
            Err(error) if error.is_full() => {}
            Err(error) => {
                tracing::error!("{error}");
                return Err(error);
            }
        }
    }
    state.close()
}

fn patiently(
    full: &AtomicBool,
    give_up: &AtomicBool,
    mut attempt: impl FnMut() -> Result<(), StateDirError>,
) -> Result<(), StateDirError> {
    loop {
        match attempt() {
            Err(error) if error.is_full() && !give_up.load(Ordering::Relaxed) => {
                if !full.swap(true, Ordering::Relaxed) {
                    tracing::warn!("{error}; input waits until there is room");
                }
                thread::sleep(PATIENCE);
            }
            result => {
                if full.swap(false, Ordering::Relaxed) && result.is_ok() {
                    tracing::info!("there is room on the disk again");
                }
                return result;
            }
        }
    }
}
