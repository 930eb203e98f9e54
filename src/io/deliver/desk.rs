//! Where the engine leaves the alerts of one output, and its courier picks them up.
//!
//! The only thing that both share. Invariant: the lock is never held while a sink is waited for.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Service;
use super::gather::{Gather, Gathering};
use super::queue::{Queue, WhenFull};
use super::route::Route;
use super::sink::Letter;
use crate::alert::Alert;

/// What became of an output's alerts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alerts that its route took.
    pub taken: u64,
    /// Letters that the sink took.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Letters that the sink will not take.
    pub dead: u64,
    /// Letters dropped because the queue was full.
    pub dropped: u64,
}

/// The desk of one output.
pub struct Desk {
    route: Route,
    when_full: WhenFull,
    inputs: Arc<[String]>,
    state: Mutex<State>,
    more: Condvar,
    room: Condvar,
}

struct State {
    queue: Box<dyn Queue>,
    group: Option<Gather>,
    limit: Option<Gather>,
    /// Gathered, and waiting for room in the queue.
    ready: VecDeque<Letter>,
    counts: Counts,
    /// Letters that the courier has in hand.
    in_hand: u64,
    /// Goes up with everything that concerns the courier.
    news: u64,
    reopen: bool,
    closing: Option<Duration>,
    /// The courier has gone; nothing is taken any more.
    gone: bool,
    /// What failed last, while it still does.
    trouble: Option<String>,
}

/// What the courier finds at the desk.
#[derive(Debug)]
pub(super) struct Found {
    /// The next letters; they are its care now.
    pub(super) letters: Vec<Letter>,
    /// When a pile has to be closed.
    pub(super) due: Option<Duration>,
    /// The run has ended, and nothing will come any more.
    pub(super) closing: bool,
}

/// How an output stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What became of its alerts.
    pub counts: Counts,
    /// Letters that are not settled.
    pub waiting: u64,
    /// What failed last, while it still does.
    pub trouble: Option<String>,
}

impl Desk {
    /// A desk with its queue. `inputs` are the names that places of events refer to.
    pub fn new(route: Route, service: &Service, queue: Box<dyn Queue>, inputs: Arc<[String]>) -> Self {
        let gather = |how: &Option<Gathering>| how.clone().map(Gather::new);
        let state = State {
            queue,
            group: gather(&service.group),
            limit: gather(&service.limit),
            ready: VecDeque::new(),
            counts: Counts::default(),
            in_hand: 0,
            news: 0,
            reopen: false,
            closing: None,
            gone: false,
            trouble: None,
        };
        Self {
            route,
            when_full: service.when_full,
            inputs,
            state: Mutex::new(state),
            more: Condvar::new(),
            room: Condvar::new(),
        }
    }

    /// Whether the output wants an alert.
    pub fn wants(&self, alert: &Alert) -> bool {
        self.route.takes(alert)
    }

    /// Leaves an alert. `false`: the queue is full, its policy is to wait, and [`Desk::wait_for_room`] has to be called
    /// before the next alert.
    ///
    /// # Errors
    /// The queue cannot be written.
    pub fn leave(&self, alert: &Arc<Alert>, now: Duration) -> io::Result<bool> {
        let mut state = self.lock();
        state.counts.taken += 1;
        if state.group.is_none() && state.limit.is_none() {
            let letter = Letter { alert: Arc::clone(alert), inputs: Arc::clone(&self.inputs) };
            state.ready.push_back(letter);
        } else {
            let gathered = state.gather(|gather, alert, out| gather.take(alert, now, out), vec![(**alert).clone()]);
            self.make_ready(&mut state, gathered);
        }
        self.shelve(&mut state)
    }

    /// Waits until there is room for what was left, or the time is over. `true`: there was.
    ///
    /// # Errors
    /// The queue cannot be written.
    pub fn wait_for_room(&self, at_most: Duration) -> io::Result<bool> {
        let mut state = self.lock();
        if self.shelve(&mut state)? {
            return Ok(true);
        }
        let (mut state, _) = self.room.wait_timeout(state, at_most).unwrap_or_else(PoisonError::into_inner);
        self.shelve(&mut state)
    }

    /// Makes durable what was left. `true`: all of it is durable or settled. What is held for a summary counts as
    /// settled.
    ///
    /// # Errors
    /// The queue cannot be written.
    pub fn sync(&self) -> io::Result<bool> {
        let mut state = self.lock();
        let durable = state.queue.sync()?;
        Ok(state.ready.is_empty() && (durable || state.queue.waiting() + state.in_hand == 0))
    }

    /// What is held for summaries, as bytes; none if nothing is. What is said of it may be on its way already: then it
    /// comes again, under the same id, to whoever goes on from these bytes.
    pub fn held(&self) -> Vec<u8> {
        let state = self.lock();
        let piles = [&state.group, &state.limit].map(|gather| gather.as_ref().map(Gather::save).unwrap_or_default());
        if piles.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        postcard::to_stdvec(&piles).expect("piles are plain data")
    }

    /// Goes on with what [`Desk::held`] gave in an earlier run. For a desk that nothing was left at.
    pub fn hold(&self, held: &[u8], now: Duration) {
        let Ok([group, limit]) = postcard::from_bytes::<[Vec<u8>; 2]>(held) else { return };
        let state = &mut *self.lock();
        for (gather, saved) in [(&mut state.group, group), (&mut state.limit, limit)] {
            if let Some(gather) = gather {
                gather.restore(&saved, now);
            }
        }
    }

    /// Asks the courier to open its sink anew.
    pub fn reopen(&self) {
        let mut state = self.lock();
        state.reopen = true;
        self.tell(&mut state);
    }

    /// Says that nothing more comes. The courier goes on until everything is settled or this time is reached; what has
    /// no room by then is counted as dropped.
    pub fn close(&self, until: Duration) {
        let mut state = self.lock();
        state.closing = Some(until);
        self.tell(&mut state);
    }

    /// How the output stands.
    pub fn standing(&self) -> Standing {
        let state = self.lock();
        let waiting = state.queue.waiting() + state.in_hand + state.ready.len() as u64;
        Standing { counts: state.counts, waiting, trouble: state.trouble.clone() }
    }

    /// For the courier: takes the next letters. Those taken before count as settled.
    pub(super) fn take(&self, most: usize, now: Duration) -> io::Result<Found> {
        let mut state = self.lock();
        state.queue.settle()?;
        state.in_hand = 0;
        let closing = state.closing.is_some();
        let gathered = state.gather_due(now, closing);
        self.make_ready(&mut state, gathered);
        let mut fits = self.shelve(&mut state)?;
        let letters = state.queue.take(most)?;
        state.in_hand = letters.len() as u64;
        if !letters.is_empty() {
            // A failure is met again by the next who shelves: these letters are in hand now, and must not be lost to it.
            fits = self.shelve(&mut state).unwrap_or(false);
            self.room.notify_all();
        }
        let due = [&state.group, &state.limit].into_iter().flatten().filter_map(Gather::due).min();
        Ok(Found { closing: closing && fits && letters.is_empty(), letters, due })
    }

    /// For the courier: changes the counts.
    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.lock().counts);
    }

    /// For the courier: so many of the letters in hand are settled.
    pub(super) fn put_down(&self, letters: usize) {
        let mut state = self.lock();
        state.in_hand = state.in_hand.saturating_sub(letters as u64);
    }

    /// For the courier: what is wrong with the sink, or that nothing is.
    pub(super) fn set_trouble(&self, trouble: Option<String>) {
        self.lock().trouble = trouble;
    }

    /// For the courier: whether the sink is to be opened anew. Asked once, said once.
    pub(super) fn is_reopened(&self) -> bool {
        std::mem::take(&mut self.lock().reopen)
    }

    /// For the courier: when it has to give up, if the run has ended.
    pub(super) fn closes_at(&self) -> Option<Duration> {
        self.lock().closing
    }

    /// For the courier: the state of affairs before its turn, to wait for a change of it after.
    pub(super) fn news(&self) -> u64 {
        self.lock().news
    }

    /// For the courier: waits for a change, or until the time is over.
    pub(super) fn wait_for_news(&self, known: u64, at_most: Option<Duration>) {
        let state = self.lock();
        if state.news != known {
            return;
        }
        match at_most {
            Some(time) => drop(self.more.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner)),
            None => drop(self.more.wait(state).unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// For the courier: it goes and takes nothing any more.
    pub(super) fn leave_for_good(&self) {
        let mut state = self.lock();
        state.gone = true;
        // A failure is of no matter here: nothing is pushed any more.
        let _ = self.shelve(&mut state);
        self.room.notify_all();
    }

    /// Moves what is ready into the queue; `false` if it has to wait.
    fn shelve(&self, state: &mut State) -> io::Result<bool> {
        let mut moved = false;
        while let Some(letter) = state.ready.pop_front() {
            if state.gone {
                state.counts.dropped += 1;
                continue;
            }
            let letter = match state.queue.push(letter.clone()) {
                Ok(None) => {
                    moved = true;
                    continue;
                }
                Ok(Some(letter)) => letter,
                Err(error) => {
                    // Whoever tries again finds it where it was.
                    state.ready.push_front(letter);
                    return Err(error);
                }
            };
            match self.when_full {
                WhenFull::Block => {
                    state.ready.push_front(letter);
                    break;
                }
                WhenFull::DropNew => state.counts.dropped += 1,
                WhenFull::DropOldest => match state.queue.drop_oldest()? {
                    Some(dropped) => {
                        state.counts.dropped += dropped;
                        state.ready.push_front(letter);
                    }
                    None => state.counts.dropped += 1,
                },
            }
        }
        if moved {
            self.tell(state);
        }
        Ok(state.ready.is_empty())
    }

    fn make_ready(&self, state: &mut State, alerts: Vec<Alert>) {
        let letters = alerts.into_iter().map(|alert| Letter { alert: alert.into(), inputs: Arc::clone(&self.inputs) });
        state.ready.extend(letters);
    }

    fn tell(&self, state: &mut State) {
        state.news += 1;
        self.more.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sends alerts through both stages of gathering.
    fn gather(&mut self, take: impl Fn(&mut Gather, Alert, &mut Vec<Alert>), alerts: Vec<Alert>) -> Vec<Alert> {
        let mut alerts = alerts;
        for gather in [&mut self.group, &mut self.limit].into_iter().flatten() {
            let mut out = Vec::new();
            for alert in alerts {
                take(gather, alert, &mut out);
            }
            alerts = out;
        }
        alerts
    }

    /// Closes what is due, or everything; what one stage gives goes through the next.
    fn gather_due(&mut self, now: Duration, all: bool) -> Vec<Alert> {
        let mut alerts = Vec::new();
        for gather in [&mut self.group, &mut self.limit].into_iter().flatten() {
            let mut out = Vec::new();
            for alert in alerts {
                gather.take(alert, now, &mut out);
            }
            if all {
                gather.close(&mut out)
            } else {
                gather.tick(now, &mut out)
            }
            alerts = out;
        }
        alerts
    }
}
