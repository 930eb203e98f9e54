//! Which keys of a table have changed since they were last saved, so that a checkpoint writes no others.

use crate::base::budget::block;

/// The marks of one table, by slot.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// Slots that something came for, each once.
    touched: Vec<u32>,
    is_touched: Bits,
    /// Slots whose key the last checkpoint, or one before it, holds.
    is_saved: Bits,
    /// Keys that are saved and hold nothing any more.
    gone: Vec<Box<[u8]>>,
    /// Bytes of those.
    gone_bytes: usize,
}

/// One bit a slot.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn get(&self, at: u32) -> bool {
        self.0.get(at as usize / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    fn set(&mut self, at: u32, to: bool) {
        let word = at as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let bit = 1 << (at % 64);
        self.0[word] = if to { self.0[word] | bit } else { self.0[word] & !bit };
    }
}

impl Changed {
    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let bits = self.is_touched.0.capacity() + self.is_saved.0.capacity();
        self.touched.capacity() * size_of::<u32>() + bits * size_of::<u64>() + self.gone_bytes
    }

    /// Something came for a slot.
    #[inline]
    pub(super) fn touch(&mut self, at: u32) {
        if !self.is_touched.get(at) {
            self.is_touched.set(at, true);
            self.touched.push(at);
        }
    }

    /// A slot is freed.
    pub(super) fn remove(&mut self, at: u32, key: &[u8]) {
        if self.is_saved.get(at) {
            self.is_saved.set(at, false);
            self.gone.push(key.into());
            self.gone_bytes += size_of::<Box<[u8]>>() + block(key.len());
        }
    }

    /// Keys that are gone, and slots to look at: some are free, or held by another key. Marks begin anew.
    pub(super) fn take(&mut self) -> (Vec<Box<[u8]>>, Vec<u32>) {
        for at in &self.touched {
            self.is_touched.set(*at, false);
        }
        self.gone_bytes = 0;
        (std::mem::take(&mut self.gone), std::mem::take(&mut self.touched))
    }

    /// The key of a slot is being saved.
    pub(super) fn save(&mut self, at: u32) {
        self.is_saved.set(at, true);
    }
}
