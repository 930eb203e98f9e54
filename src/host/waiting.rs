//! Events that wait for the watermark: their bytes in one piece of memory, and a chain through them for each key.
//!
//! Blocks come whole, so an event costs no memory of its own. Bytes of events that are over stay until nothing waits any
//! more, or until they are most of what is there; see [`Waiting::is_wasteful`].

use crate::base::Timestamp;
use crate::plan::event::Seq;

const NONE: u32 = u32::MAX;

/// Bytes that may be over before anybody asks how many.
const LITTLE: usize = 1 << 20;

/// An event.
#[derive(Clone, Copy, Debug)]
struct Place {
    ts: Timestamp,
    seq: Seq,
    from: usize,
    length: u32,
    /// The next of its key, or, of a place that is free, the next that is.
    next: u32,
}

/// The events of one key, in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    first: u32,
    last: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { first: NONE, last: NONE }
    }
}

impl List {
    pub(super) fn is_empty(&self) -> bool {
        self.first == NONE
    }
}

/// The events of all keys.
#[derive(Debug)]
pub(super) struct Waiting {
    memory: Vec<u8>,
    places: Vec<Place>,
    free: u32,
    /// Events that wait, and their bytes.
    count: usize,
    used: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { memory: Vec::new(), places: Vec::new(), free: NONE, count: 0, used: 0 }
    }
}

impl Waiting {
    /// Takes in bytes, and says where they begin.
    pub(super) fn bring(&mut self, bytes: &[u8]) -> usize {
        let base = self.memory.len();
        self.memory.extend_from_slice(bytes);
        base
    }

    /// Adds an event of bytes that were brought.
    pub(super) fn add(&mut self, list: &mut List, ts: Timestamp, seq: Seq, from: usize, length: usize) {
        let place = Place { ts, seq, from, length: length as u32, next: NONE };
        let at = if self.free == NONE {
            self.places.push(place);
            (self.places.len() - 1) as u32
        } else {
            let at = self.free;
            self.free = self.places[at as usize].next;
            self.places[at as usize] = place;
            at
        };
        self.count += 1;
        self.used += length;
        self.append(list, at);
    }

    fn append(&mut self, list: &mut List, at: u32) {
        self.places[at as usize].next = NONE;
        match list.last {
            NONE => list.first = at,
            last => self.places[last as usize].next = at,
        }
        list.last = at;
    }

    fn each(&self, list: &List) -> impl Iterator<Item = u32> {
        let some = |at: u32| (at != NONE).then_some(at);
        std::iter::successors(some(list.first), move |at| some(self.places[*at as usize].next))
    }

    /// The time of the earliest; [`Timestamp::MAX`] if there is none.
    pub(super) fn first(&self, list: &List) -> Timestamp {
        self.each(list).map(|at| self.places[at as usize].ts).min().unwrap_or(Timestamp::MAX)
    }

    /// Looks at the first; what it gives means nothing.
    pub(super) fn peek(&self, list: &List) -> usize {
        self.places.get(list.first as usize).map_or(0, |place| usize::from(self.memory[place.from]))
    }

    /// Takes the events before `limit` out of a list. They are there until they are released.
    pub(super) fn take_before(&mut self, list: &mut List, limit: Timestamp, out: &mut Vec<u32>) {
        let mut at = list.first;
        *list = List::default();
        while at != NONE {
            let Place { ts, next, .. } = self.places[at as usize];
            if ts < limit || limit == Timestamp::MAX {
                out.push(at);
            } else {
                self.append(list, at);
            }
            at = next;
        }
    }

    pub(super) fn seq(&self, at: u32) -> Seq {
        self.places[at as usize].seq
    }

    pub(super) fn position(&self, at: u32) -> (Timestamp, Seq) {
        let place = &self.places[at as usize];
        (place.ts, place.seq)
    }

    pub(super) fn bytes(&self, at: u32) -> &[u8] {
        let Place { from, length, .. } = self.places[at as usize];
        &self.memory[from..from + length as usize]
    }

    /// The events of a list.
    pub(super) fn events(&self, list: &List) -> Vec<&[u8]> {
        self.each(list).map(|at| self.bytes(at)).collect()
    }

    /// Gives back the places of events that were taken out.
    pub(super) fn release(&mut self, taken: &[u32]) {
        for at in taken {
            let place = &mut self.places[*at as usize];
            self.used -= place.length as usize;
            place.next = self.free;
            self.free = *at;
        }
        self.count -= taken.len();
        if self.count == 0 {
            self.memory.clear();
            self.places.clear();
            self.free = NONE;
        }
    }

    /// Forgets the events of a list.
    pub(super) fn forget(&mut self, list: &mut List) {
        let mut taken = Vec::new();
        self.take_before(list, Timestamp::MAX, &mut taken);
        self.release(&taken);
    }

    /// Bytes of the events that wait.
    pub(super) fn used(&self) -> usize {
        self.used + size_of::<Place>() * self.count
    }

    /// Whether most of the memory is over.
    pub(super) fn is_wasteful(&self) -> bool {
        self.memory.len() > LITTLE && self.used < self.memory.len() / 2
    }

    /// Keeps the bytes of events that wait alone: those of all lists there are.
    pub(super) fn compact<'l>(&mut self, lists: impl Iterator<Item = &'l mut List>) {
        let mut memory = Vec::with_capacity(self.used * 2);
        let mut places = Vec::with_capacity(self.count);
        for list in lists {
            let mut at = list.first;
            *list = List::default();
            while at != NONE {
                let place = self.places[at as usize];
                let from = memory.len();
                memory.extend_from_slice(&self.memory[place.from..place.from + place.length as usize]);
                let new = places.len() as u32;
                places.push(Place { from, next: NONE, ..place });
                match list.last {
                    NONE => list.first = new,
                    last => {
                        let before: &mut Place = &mut places[last as usize];
                        before.next = new;
                    }
                }
                list.last = new;
                at = place.next;
            }
        }
        (self.memory, self.places, self.free) = (memory, places, NONE);
    }
}
