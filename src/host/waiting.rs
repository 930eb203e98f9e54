//! Events that wait for the watermark: their bytes in chunks of memory, and a chain through them for each key.
//!
//! Blocks come whole, so an event costs no memory of its own. A chunk is used again once nothing in it waits any more: it
//! is there for about as long as events wait, which is the lateness.

use crate::base::Timestamp;
use crate::plan::event::Seq;

const NONE: u32 = u32::MAX;

/// Bytes of a chunk; a block that is larger has one of its own size.
const CHUNK: usize = 256 << 10;

/// An event.
#[derive(Clone, Copy, Debug)]
struct Place {
    ts: Timestamp,
    seq: Seq,
    chunk: u32,
    from: u32,
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

/// Memory, and how many events in it wait.
#[derive(Debug, Default)]
struct Chunk {
    memory: Vec<u8>,
    waiting: usize,
}

/// Where bytes are that were brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Brought {
    chunk: u32,
    from: usize,
}

/// The events of all keys.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The last that bytes were brought to is `current`; `spare` are empty.
    chunks: Vec<Chunk>,
    current: u32,
    spare: Vec<u32>,
    places: Vec<Place>,
    free: u32,
    /// Events that wait, and bytes of chunks in which some do.
    count: usize,
    used: usize,
}

impl Default for Waiting {
    fn default() -> Self {
        let (chunks, places) = (vec![Chunk::default()], Vec::new());
        Self { chunks, current: 0, spare: Vec::new(), places, free: NONE, count: 0, used: 0 }
    }
}

impl Waiting {
    /// Takes in bytes, and says where they are. Events are added before other bytes are brought.
    pub(super) fn bring(&mut self, bytes: &[u8]) -> Brought {
        if self.chunks[self.current as usize].waiting == 0 {
            self.empty(self.current);
        } else if self.chunks[self.current as usize].memory.len() + bytes.len() > CHUNK {
            self.current = self.spare.pop().unwrap_or_else(|| {
                self.chunks.push(Chunk { memory: Vec::with_capacity(CHUNK), waiting: 0 });
                (self.chunks.len() - 1) as u32
            });
        }
        let memory = &mut self.chunks[self.current as usize].memory;
        let from = memory.len();
        memory.extend_from_slice(bytes);
        self.used += bytes.len();
        Brought { chunk: self.current, from }
    }

    fn empty(&mut self, chunk: u32) {
        let memory = &mut self.chunks[chunk as usize].memory;
        self.used -= memory.len();
        if memory.capacity() > 2 * CHUNK {
            *memory = Vec::new();
        }
        memory.clear();
    }

    /// Adds an event of bytes that were brought, from a place in them on.
    pub(super) fn add(&mut self, list: &mut List, ts: Timestamp, seq: Seq, brought: Brought, at: usize, length: usize) {
        let Brought { chunk, from } = brought;
        let place = Place { ts, seq, chunk, from: (from + at) as u32, length: length as u32, next: NONE };
        self.chunks[chunk as usize].waiting += 1;
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
        self.places
            .get(list.first as usize)
            .map_or(0, |place| usize::from(self.chunks[place.chunk as usize].memory[place.from as usize]))
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
        let Place { chunk, from, length, .. } = self.places[at as usize];
        let from = from as usize;
        &self.chunks[chunk as usize].memory[from..from + length as usize]
    }

    /// The events of a list.
    pub(super) fn events(&self, list: &List) -> Vec<&[u8]> {
        self.each(list).map(|at| self.bytes(at)).collect()
    }

    /// Gives back the places of events that were taken out.
    pub(super) fn release(&mut self, taken: &[u32]) {
        for at in taken {
            let place = &mut self.places[*at as usize];
            place.next = self.free;
            self.free = *at;
            let chunk = place.chunk;
            let waiting = &mut self.chunks[chunk as usize].waiting;
            *waiting -= 1;
            if *waiting == 0 && chunk != self.current {
                self.empty(chunk);
                self.spare.push(chunk);
            }
        }
        self.count -= taken.len();
        if self.count == 0 {
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

    /// Bytes that are taken.
    pub(super) fn used(&self) -> usize {
        self.used + size_of::<Place>() * self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One event that waits for long keeps its chunk, and no other.
    #[test]
    fn chunks_are_used_again() {
        let (mut waiting, mut long, block) = (Waiting::default(), List::default(), vec![7; CHUNK / 4]);
        let brought = waiting.bring(&block);
        waiting.add(&mut long, Timestamp(1), Seq(1), brought, 10, 5);
        for n in 0..100 {
            let mut list = List::default();
            for _ in 0..8 {
                let brought = waiting.bring(&block);
                waiting.add(&mut list, Timestamp(n), Seq(2), brought, 0, 3);
            }
            assert_eq!((waiting.events(&list).len(), waiting.first(&list)), (8, Timestamp(n)));
            waiting.forget(&mut list);
            assert!(list.is_empty());
        }
        assert_eq!(waiting.events(&long), [&[7_u8; 5]]);
        assert!(waiting.chunks.len() <= 4, "{} chunks", waiting.chunks.len());
        assert!(waiting.used() < 3 * CHUNK, "{} bytes", waiting.used());
    }

    /// A chunk that one large block had is not kept as large.
    #[test]
    fn large_blocks_do_not_stay() {
        let (mut waiting, mut list) = (Waiting::default(), List::default());
        let brought = waiting.bring(&vec![1; 10 * CHUNK]);
        waiting.add(&mut list, Timestamp(1), Seq(1), brought, 9 * CHUNK, 4);
        assert_eq!(waiting.events(&list), [&[1_u8; 4]]);
        waiting.forget(&mut list);
        waiting.bring(&[1]);
        assert!(waiting.chunks[0].memory.capacity() <= 2 * CHUNK);
    }
}
