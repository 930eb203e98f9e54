//! The board: what there is to do, and who does it. All threads of a run share it; no thread owns a stage.
//!
//! ```text
//! source ─► (read) ─► block ─► (decode) ─► arrived ─► (put in order) ─► step ─► (match) × shards ─► (collect)
//!             one at a time      any number   in order of their numbers    in order, each shard       the driver
//! ```
//! A thread takes a task with everything that it needs, works without the lock, and brings back what came out. The
//! lock is taken about five times a block, never for an event. Invariants:
//! - what a task works on (a source, the sequencer, a shard) is not on the board meanwhile, so nobody else can have it;
//! - a shard gets steps in their order; steps are collected in their order;
//! - no more than a bounded number of blocks lies between reading and collecting, so a slow handler stops the reading.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ports::{Source, SourceBlock, SourceFailure};
use super::shard::Shard;
use super::step::{Arrived, OpenStep, Portion, Step};
use crate::alert::build::Draft;
use crate::base::Timestamp;
use crate::decode::batch::Batch;
use crate::plan::Ruleset;
use crate::time::sequencer::Sequencer;

/// The thread that runs the handler, and does whatever else there is to do.
pub(super) const DRIVER: usize = 0;
/// Blocks that a thread of its own may have read ahead of one source.
const AHEAD: usize = 4;
/// Steps with less to match are left to whoever made them: to wake another thread costs more.
const SMALL: usize = 64;

/// What a source gave.
#[derive(Debug)]
pub(super) enum Read {
    Block(SourceBlock),
    Failed(SourceFailure),
    Ended,
}

/// One source as the board sees it.
pub(super) struct Input {
    /// To be read by whoever has time. `None` while somebody does, and if a thread of its own reads it.
    pub(super) source: Option<Box<dyn Source>>,
    /// What a thread of its own has read, and when.
    pub(super) read: VecDeque<(Read, Timestamp)>,
    /// Its end has been taken.
    pub(super) ended: bool,
    /// Blocks read and not yet put in order.
    pub(super) in_flight: usize,
    /// Its largest event time.
    newest: Timestamp,
    /// When it gave something last.
    pub(super) heard: Instant,
    /// It has been silent for so long that it does not hold time back.
    pub(super) idle: bool,
    /// More of it is known to be there: it is waited for, however long it takes.
    pub(super) more: bool,
    /// It is read to its end when the run is stopped.
    drains: bool,
}

/// What a source says of itself when a run begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begins {
    /// See [`Source::begins_silent`].
    pub(super) silent: bool,
    /// See [`Source::drains`].
    drains: bool,
    /// See [`Source::begins_behind`].
    behind: bool,
}

impl Begins {
    pub(super) fn of(source: &dyn Source) -> Self {
        Self { silent: source.begins_silent(), drains: source.drains(), behind: source.begins_behind() }
    }
}

/// One shard as the board sees it.
struct Place {
    /// `None` while somebody matches.
    shard: Option<Box<Shard>>,
    /// Numbers of steps that it has not come to.
    steps: VecDeque<u64>,
}

/// Something to do, with all that it takes.
pub(super) enum Task {
    /// Read a block into the memory of an old one.
    Read {
        input: usize,
        source: Box<dyn Source>,
        memory: Vec<u8>,
    },
    Decode(Decode),
    /// Put in order what arrived.
    Sequence {
        sequencer: Box<Sequencer>,
        arrived: Arrived,
    },
    Match {
        at: usize,
        shard: Box<Shard>,
        number: u64,
        step: Arc<Step>,
    },
    /// For the driver only.
    Collect(OpenStep),
}

/// A block to decode. Its number puts what comes out back in order.
pub(super) struct Decode {
    pub(super) number: u64,
    pub(super) input: usize,
    pub(super) read: Read,
    pub(super) arrival: Timestamp,
    /// Memory of an old batch.
    pub(super) memory: Arc<Batch>,
}

/// What came out of a task.
pub(super) enum Done {
    Arrived { number: u64, arrived: Arrived },
    Sequenced { sequencer: Box<Sequencer>, step: Step },
    Matched { at: usize, shard: Box<Shard>, number: u64, drafts: Vec<Draft> },
}

/// Everything that is not being worked on.
pub(super) struct State {
    pub(super) inputs: Vec<Input>,
    pub(super) sequencer: Option<Box<Sequencer>>,
    shards: Vec<Place>,
    /// Tables in use, and how often they have been read anew.
    pub(super) rules: Arc<Ruleset>,
    pub(super) edition: u64,
    /// Number of the next block to read, and of the next to put in order.
    next_number: u64,
    next_in_order: u64,
    arrived: BTreeMap<u64, Arrived>,
    /// Number of the oldest open step.
    first_step: u64,
    steps: VecDeque<OpenStep>,
    /// Steps that are too large to be taken at once, or stand behind one, and how much is taken at once.
    waiting: VecDeque<Step>,
    portion: Portion,
    /// Blocks between reading and collecting, and how many there may be.
    in_flight: usize,
    most_in_flight: usize,
    /// Memory of blocks and batches that are over.
    blocks: Vec<Vec<u8>>,
    batches: Vec<Arc<Batch>>,
    /// Reads whatever comes first, not the source that is furthest behind.
    live: bool,
    /// Nothing more is read for now, or at all.
    pub(super) holding: bool,
    pub(super) closing: bool,
    /// There is nothing more to do.
    over: bool,
    driver_waits: bool,
    workers_waiting: usize,
    readers_waiting: usize,
    /// Something was taken of what was read ahead, and readers that wait have not been told.
    room: bool,
}

/// The board.
pub(super) struct Board {
    state: Mutex<State>,
    driver: Condvar,
    workers: Condvar,
    readers: Condvar,
}

impl Board {
    pub(super) fn new(
        rules: &Arc<Ruleset>,
        inputs: Vec<Option<Box<dyn Source>>>,
        begin: &[Begins],
        sequencer: Sequencer,
        shards: Vec<Shard>,
        live: bool,
    ) -> Self {
        let heard = Instant::now();
        let input = |(at, source)| Input {
            source,
            read: VecDeque::new(),
            ended: false,
            in_flight: 0,
            newest: sequencer.newest(at),
            heard,
            idle: begin[at].silent,
            drains: begin[at].drains,
            more: begin[at].behind,
        };
        // Enough to keep all threads busy, few enough to stay in the caches.
        let most_in_flight = if shards.len() == 1 { 1 } else { 2 * shards.len() + 2 };
        let place = |shard| Place { shard: Some(Box::new(shard)), steps: VecDeque::new() };
        let state = State {
            inputs: inputs.into_iter().enumerate().map(input).collect(),
            sequencer: Some(Box::new(sequencer)),
            shards: shards.into_iter().map(place).collect(),
            rules: Arc::clone(rules),
            edition: 0,
            next_number: 0,
            next_in_order: 0,
            arrived: BTreeMap::new(),
            first_step: 0,
            steps: VecDeque::new(),
            waiting: VecDeque::new(),
            portion: Portion::of(rules),
            in_flight: 0,
            most_in_flight,
            blocks: Vec::new(),
            batches: Vec::new(),
            live,
            holding: false,
            closing: false,
            over: false,
            driver_waits: false,
            workers_waiting: 0,
            readers_waiting: 0,
            room: false,
        };
        let (driver, workers, readers) = (Condvar::new(), Condvar::new(), Condvar::new());
        Self { state: Mutex::new(state), driver, workers, readers }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under the lock; if something did, the run is over anyway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back what a thread's last task brought, and gives it the next one; waits for one. `None` when all is over;
    /// for the driver also when nothing is left to do, and after `patience`.
    pub(super) fn turn(&self, me: usize, done: Option<Done>, patience: Duration) -> Option<(Task, u64)> {
        let mut state = self.lock();
        if let Some(done) = done {
            state.finish(done);
        }
        loop {
            let task = state.next(me);
            // There may be more than one thread can do, or something that only the driver can.
            self.wake(&mut state);
            if let Some(task) = task {
                return Some((task, state.edition));
            }
            if state.over || (me == DRIVER && state.is_drained()) {
                return None;
            }
            if me == DRIVER {
                state.driver_waits = true;
                let (woken, timeout) =
                    self.driver.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                state.driver_waits = false;
                if timeout.timed_out() {
                    return state.next(me).map(|task| (task, state.edition));
                }
            } else {
                state.workers_waiting += 1;
                state = self.workers.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.workers_waiting -= 1;
            }
        }
    }

    /// A source that somebody read comes back with what it gave; the block is numbered and can be decoded.
    pub(super) fn have_read(&self, input: usize, source: Box<dyn Source>, read: Read, arrival: Timestamp) -> Decode {
        let mut state = self.lock();
        let at = &mut state.inputs[input];
        at.source = Some(source);
        at.heard = Instant::now();
        at.idle = false;
        let decode = state.number(input, read, arrival);
        self.wake(&mut state);
        decode
    }

    /// What a source's own thread has read. Waits while it is too far ahead; false if nobody wants more.
    pub(super) fn offer(&self, input: usize, read: Read, arrival: Timestamp) -> bool {
        let mut state = self.lock();
        let closed = |state: &State| state.over || (state.closing && !state.inputs[input].drains);
        while state.inputs[input].read.len() >= AHEAD && !closed(&state) {
            state.readers_waiting += 1;
            state = self.readers.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.readers_waiting -= 1;
        }
        if closed(&state) {
            return false;
        }
        let at = &mut state.inputs[input];
        at.heard = Instant::now();
        at.idle = false;
        at.read.push_back((read, arrival));
        self.wake(&mut state);
        true
    }

    /// Memory for a block.
    pub(super) fn memory(&self) -> Vec<u8> {
        self.lock().blocks.pop().unwrap_or_default()
    }

    /// A step has been collected: there is room for another block, and memory for it.
    pub(super) fn collected(&self, step: Arc<Step>) {
        if step.arrived.is_none() {
            return;
        }
        // All shards are through with it, so this is the last of it, but for events that are held back.
        let recycled = Arc::into_inner(step).and_then(|Step { released, arrived, .. }| {
            drop(released);
            let Some(Arrived::Batch { mut batch, .. }) = arrived else { return None };
            let block = Arc::get_mut(&mut batch)?.recycle();
            Some((block, batch))
        });
        let mut state = self.lock();
        state.in_flight -= 1;
        if let Some((block, batch)) = recycled {
            state.blocks.push(block);
            state.batches.push(batch);
        }
    }

    /// Wakes whoever is waiting for something that is there now, and that the threads at work may not come to soon.
    fn wake(&self, state: &mut State) {
        let to_collect = state.steps.front().is_some_and(|open| open.left == 0);
        if state.driver_waits && (to_collect || state.has_work()) {
            // Not again before it has come.
            state.driver_waits = false;
            self.driver.notify_one();
        } else if state.workers_waiting > 0 && state.has_work() {
            self.workers.notify_one();
        }
        if std::mem::take(&mut state.room) && state.readers_waiting > 0 {
            self.readers.notify_all();
        }
    }

    /// Sends everybody home.
    pub(super) fn close(&self) {
        self.lock().over = true;
        self.driver.notify_all();
        self.workers.notify_all();
        self.readers.notify_all();
    }
}

impl State {
    /// What a thread does next. What lets others go on comes first; then its own shard, whose keys are in its cache;
    /// then new blocks; and the shards of others only when nothing else is left.
    fn next(&mut self, me: usize) -> Option<Task> {
        if me == DRIVER
            && self.steps.front().is_some_and(|open| open.left == 0)
            && let Some(open) = self.steps.pop_front()
        {
            self.first_step += 1;
            self.portion.learn(open.step.released.part().len(), open.drafts.len());
            self.open_steps();
            return Some(Task::Collect(open));
        }
        self.sequence()
            .or_else(|| self.match_at(me))
            .or_else(|| self.decode())
            .or_else(|| (0..self.shards.len()).find_map(|at| self.match_at(at)))
    }

    fn sequence(&mut self) -> Option<Task> {
        if !self.arrived.contains_key(&self.next_in_order) {
            return None;
        }
        let sequencer = self.sequencer.take()?;
        let arrived = self.arrived.remove(&self.next_in_order)?;
        self.next_in_order += 1;
        Some(Task::Sequence { sequencer, arrived })
    }

    fn match_at(&mut self, at: usize) -> Option<Task> {
        let place = &mut self.shards[at];
        let number = *place.steps.front()?;
        let shard = place.shard.take()?;
        place.steps.pop_front();
        let step = Arc::clone(&self.steps[(number - self.first_step) as usize].step);
        Some(Task::Match { at, shard, number, step })
    }

    /// A block that has been read, or one to read.
    fn decode(&mut self) -> Option<Task> {
        let input = self.readable()?;
        self.in_flight += 1;
        let at = &mut self.inputs[input];
        at.in_flight += 1;
        if let Some(source) = at.source.take() {
            let memory = self.blocks.pop().unwrap_or_default();
            return Some(Task::Read { input, source, memory });
        }
        let (read, arrival) = at.read.pop_front()?;
        self.room = true;
        Some(Task::Decode(self.number(input, read, arrival)))
    }

    /// The source to read from next, if there is room for a block.
    ///
    /// Replaying, it is the one whose time is furthest behind, so that little is held back; a source that has a block
    /// on its way is behind by an unknown time, and the next may come first.
    fn readable(&self) -> Option<usize> {
        if self.holding || self.in_flight >= self.most_in_flight {
            return None;
        }
        let gives = |input: &Input| input.source.is_some() || !input.read.is_empty();
        let open = || self.inputs.iter().enumerate().filter(|(_, input)| self.is_open(input));
        if self.live || self.closing || self.inputs.len() == 1 {
            let ready = open().filter(|(_, input)| gives(input));
            let (at, next) = ready.min_by_key(|(at, input)| (input.in_flight, input.newest, *at))?;
            // What is read ahead of one that is behind would have to be held back.
            let behind = open().filter(|(_, input)| input.more && input.in_flight == 0 && !gives(input));
            return behind.map(|(_, input)| input.newest).all(|newest| next.newest <= newest).then_some(at);
        }
        let behind = open().filter(|(_, input)| input.in_flight == 0);
        let (at, input) = behind.min_by_key(|(at, input)| (input.newest, *at))?;
        gives(input).then_some(at)
    }

    /// Nothing more is wanted of any source, whatever it has taken over.
    pub(super) fn break_off(&mut self) {
        self.closing = true;
        self.inputs.iter_mut().for_each(|input| input.drains = false);
    }

    /// Whether more of a source is wanted.
    fn is_open(&self, input: &Input) -> bool {
        !input.ended && (!self.closing || input.drains)
    }

    fn number(&mut self, input: usize, read: Read, arrival: Timestamp) -> Decode {
        let number = self.next_number;
        self.next_number += 1;
        self.inputs[input].ended |= !matches!(read, Read::Block(_));
        self.inputs[input].more = matches!(&read, Read::Block(block) if block.more);
        let memory = self.batches.pop().unwrap_or_default();
        Decode { number, input, read, arrival, memory }
    }

    fn finish(&mut self, done: Done) {
        match done {
            Done::Arrived { number, arrived } => {
                self.arrived.insert(number, arrived);
            }
            Done::Sequenced { sequencer, step } => {
                let input = match &step.arrived {
                    Some(Arrived::Batch { batch, .. }) => Some(usize::from(batch.input)),
                    Some(Arrived::End { input, .. }) => Some(*input),
                    None => None,
                };
                if let Some(at) = input {
                    self.inputs[at].in_flight -= 1;
                    self.inputs[at].newest = sequencer.newest(at);
                }
                self.sequencer = Some(sequencer);
                self.add_step(step);
            }
            Done::Matched { at, shard, number, mut drafts } => {
                self.shards[at].shard = Some(shard);
                let open = &mut self.steps[(number - self.first_step) as usize];
                open.left -= 1;
                if open.drafts.is_empty() {
                    open.drafts = drafts;
                } else {
                    open.drafts.append(&mut drafts);
                }
            }
        }
    }

    /// A step for all shards.
    pub(super) fn add_step(&mut self, step: Step) {
        self.waiting.push_back(step);
        self.open_steps();
    }

    /// Hands to all shards the steps that wait. Of those that are cut, few are open at a time: what they give has to be
    /// held until all before it is collected.
    fn open_steps(&mut self) {
        while let Some(step) = self.waiting.front_mut() {
            let portion = self.portion.events();
            if portion.is_some() && self.steps.len() > 2 * self.shards.len() {
                return;
            }
            let next = portion.and_then(|events| step.take_first(events)).or_else(|| self.waiting.pop_front());
            self.open_step(next.expect("there is one in front"));
        }
    }

    fn open_step(&mut self, step: Step) {
        let number = self.first_step + self.steps.len() as u64;
        self.shards.iter_mut().for_each(|place| place.steps.push_back(number));
        self.steps.push_back(OpenStep { step: Arc::new(step), left: self.shards.len(), drafts: Vec::new() });
    }

    /// Whether a thread that waits could do something now.
    fn has_work(&self) -> bool {
        let worth = |number: &u64| self.steps[(number - self.first_step) as usize].step.hits() >= SMALL;
        // A step that was cut is small, but more of it waits.
        let any_worth = |place: &Place| !self.waiting.is_empty() || place.steps.iter().any(worth);
        let to_match = |place: &Place| place.shard.is_some() && !place.steps.is_empty() && any_worth(place);
        let to_order = self.sequencer.is_some() && self.arrived.contains_key(&self.next_in_order);
        to_order || self.readable().is_some() || self.shards.iter().any(to_match)
    }

    /// Whether nothing is between reading and collecting.
    pub(super) fn is_settled(&self) -> bool {
        self.in_flight == 0 && self.steps.is_empty() && self.waiting.is_empty()
    }

    /// Whether nothing is to be done and nothing more will come.
    pub(super) fn is_drained(&self) -> bool {
        self.is_settled() && (self.holding || !self.inputs.iter().any(|input| self.is_open(input)))
    }

    /// The shards; all of them once the board is settled.
    pub(super) fn shards_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.shards.iter_mut().filter_map(|place| place.shard.as_deref_mut())
    }
}
