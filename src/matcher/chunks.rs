//! A list that grows without being copied.
//!
//! A vector of ten million entries is copied when it grows, and for that time, and in an allocator for longer, takes
//! twice its room. Here entries stay where they are: they lie in chunks of one size, of which only the last grows.

use std::ops::{Index, IndexMut};

/// Entries of a chunk; a power of two.
const CHUNK: usize = 1 << 12;

/// The list.
#[derive(Clone, Debug)]
pub(super) struct Chunks<T>(Vec<Vec<T>>);

impl<T> Chunks<T> {
    /// An empty list.
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Entries.
    pub(super) fn len(&self) -> usize {
        match self.0.split_last() {
            Some((last, full)) => full.len() * CHUNK + last.len(),
            None => 0,
        }
    }

    /// Bytes that it takes, without what entries hold.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|chunk| chunk.capacity() * size_of::<T>()).sum::<usize>()
            + self.0.capacity() * size_of::<Vec<T>>()
    }

    /// Adds one at the end.
    pub(super) fn push(&mut self, entry: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < CHUNK => {
                // The first chunk may be all there is: it grows as a vector does. Others have their whole room.
                last.push(entry);
            }
            before => {
                let room = if before.is_some() { CHUNK } else { 1 };
                let mut chunk = Vec::with_capacity(room);
                chunk.push(entry);
                self.0.push(chunk);
            }
        }
    }

    /// The entry at a place.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        self.0.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// The entry at a place, to change it.
    #[inline]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.0.get_mut(at / CHUNK)?.get_mut(at % CHUNK)
    }

    /// All entries, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        &self.0[at / CHUNK][at % CHUNK]
    }
}

impl<T> IndexMut<usize> for Chunks<T> {
    #[inline]
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.0[at / CHUNK][at % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_in_order_over_chunks() {
        let mut list = Chunks::new();
        for n in 0..3 * CHUNK + 5 {
            assert_eq!(list.len(), n);
            list.push(n);
        }
        list[CHUNK] = 7;
        assert_eq!(list.get(CHUNK), Some(&7));
        assert_eq!(list.get(3 * CHUNK + 5), None);
        list[CHUNK] = CHUNK;
        assert!(list.iter().copied().eq(0..3 * CHUNK + 5));
    }
}
