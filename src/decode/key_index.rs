//! The keys below one node of the trie, found by length, first and last bytes.
//!
//! A fixed open-addressing table: the scanner looks up every key of every object on the way to a field, most of which
//! nobody reads, so a miss must cost next to nothing. The keys in it come from rules, not from the input, so its clusters
//! cannot be made to grow.

/// The first and the last eight bytes of a key; of a shorter key all of it and nothing. With its length it is the whole
/// of a key of up to 16 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint {
    head: u64,
    tail: u64,
}

/// A key of this many bytes is told by its fingerprint alone.
const TOLD: usize = 16;

impl Fingerprint {
    pub(super) fn new(key: &[u8]) -> Self {
        Self::within(key, 0, key.len())
    }

    /// Of the bytes from `start` to `end`. What stands behind them helps to read a short key at once.
    #[inline]
    pub(super) fn within(bytes: &[u8], start: usize, end: usize) -> Self {
        let length = end - start;
        let word = |at: usize| {
            let chunk = bytes.get(at..at + 8)?;
            Some(u64::from_le_bytes(chunk.try_into().expect("the chunk has eight bytes")))
        };
        if length >= 8 {
            return Self { head: word(start).unwrap_or(0), tail: word(end - 8).unwrap_or(0) };
        }
        let head = match word(start) {
            Some(word) => word & ((1 << (8 * length)) - 1),
            None => bytes[start..end].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
        };
        Self { head, tail: 0 }
    }

    #[inline]
    fn hash(self, length: usize) -> u64 {
        // Odd constants without a pattern; multiplying spreads every bit of the key to the upper bits.
        let mixed = self.head.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.tail.rotate_left(29) ^ length as u64;
        mixed.wrapping_mul(0xd6e8_feb8_6659_fd93)
    }
}

#[derive(Clone, Debug, Default)]
struct Entry {
    key: Box<str>,
    fingerprint: Fingerprint,
    /// 0 if the place is free: the root is nobody's child.
    child: u32,
}

/// From keys to nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyIndex {
    /// Bit `n` is set if a key has `n` bytes, modulo 64.
    lengths: u64,
    /// Its length is a power of two, and at least half of it is free; empty if there are no keys.
    table: Vec<Entry>,
    shift: u32,
}

impl KeyIndex {
    pub(super) fn new(children: impl IntoIterator<Item = (Box<str>, u32), IntoIter: ExactSizeIterator>) -> Self {
        let children = children.into_iter();
        if children.len() == 0 {
            return Self::default();
        }
        let size = (children.len() * 2).next_power_of_two();
        let mut index = Self { lengths: 0, table: vec![Entry::default(); size], shift: 64 - size.trailing_zeros() };
        for (key, child) in children {
            index.lengths |= 1 << (key.len() % 64);
            let fingerprint = Fingerprint::new(key.as_bytes());
            let mut at = (fingerprint.hash(key.len()) >> index.shift) as usize;
            while index.table[at].child != 0 {
                at = (at + 1) % size;
            }
            index.table[at] = Entry { key, fingerprint, child };
        }
        index
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    #[inline]
    pub(super) fn find(&self, key: &[u8], fingerprint: impl FnOnce() -> Fingerprint) -> Option<u32> {
        if self.lengths & (1 << (key.len() % 64)) == 0 {
            return None;
        }
        let fingerprint = fingerprint();
        let mut at = (fingerprint.hash(key.len()) >> self.shift) as usize;
        loop {
            let entry = &self.table[at & (self.table.len() - 1)];
            if entry.child == 0 {
                return None;
            }
            let same = entry.fingerprint == fingerprint && entry.key.len() == key.len();
            if same && (key.len() <= TOLD || entry.key.as_bytes() == key) {
                return Some(entry.child);
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_length_are_told_apart() {
        let keys: Vec<String> = (0..40).flat_map(|n| ["a", "b"].map(|c| c.repeat(n))).collect();
        // Keys that agree in their first and last eight bytes, and differ between.
        let between = (0..9).map(|n| format!("beginning{n}and the end"));
        let mut keys: Vec<String> = keys.into_iter().chain(between).collect();
        keys.sort();
        keys.dedup();
        let children: Vec<(Box<str>, u32)> = keys.iter().zip(1..).map(|(k, n)| (k.as_str().into(), n)).collect();
        let index = KeyIndex::new(children.clone());
        for (key, child) in &children {
            assert_eq!(index.find(key.as_bytes(), || Fingerprint::new(key.as_bytes())), Some(*child));
        }
        for key in ["c", "ab", "aaaaaaaaaaaab", "beginningxand the end", "ü"] {
            assert_eq!(index.find(key.as_bytes(), || Fingerprint::new(key.as_bytes())), None);
        }
    }

    #[test]
    fn what_stands_behind_a_key_does_not_count() {
        for length in 0..20 {
            let key = "k".repeat(length);
            let line = format!("\"{key}\":123456789");
            let found = Fingerprint::within(line.as_bytes(), 1, 1 + length);
            assert_eq!(found, Fingerprint::new(key.as_bytes()));
            assert_eq!(found, Fingerprint::within(&line.as_bytes()[..1 + length], 1, 1 + length));
        }
    }

    #[test]
    fn an_index_without_keys_finds_nothing() {
        let index = KeyIndex::new(Vec::new());
        assert!(index.is_empty());
        assert_eq!(index.find(b"", || Fingerprint::new(b"")), None);
    }
}
