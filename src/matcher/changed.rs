//! Which states of a table have changed since they were last saved, so that a checkpoint writes no others.

use super::groups::Member;
use crate::base::budget::block;

/// The marks of one table, by slot and rule.
#[derive(Debug)]
pub(super) struct Changed {
    /// Rules of the table.
    width: usize,
    /// States that something came for, each once.
    touched: Vec<(u32, Member)>,
    is_touched: Bits,
    /// States that the last checkpoint, or one before it, holds.
    is_saved: Bits,
    /// Keys that are saved for a rule, which holds nothing any more.
    gone: Vec<(Member, Box<[u8]>)>,
    /// Bytes of those.
    gone_bytes: usize,
}

/// One bit a state.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn get(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    fn set(&mut self, at: usize, to: bool) {
        let word = at / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let bit = 1 << (at % 64);
        self.0[word] = if to { self.0[word] | bit } else { self.0[word] & !bit };
    }
}

impl Changed {
    /// Marks of a table of so many rules, none of them made.
    pub(super) fn new(rules: usize) -> Self {
        let (is_touched, is_saved) = (Bits::default(), Bits::default());
        Self { width: rules, touched: Vec::new(), is_touched, is_saved, gone: Vec::new(), gone_bytes: 0 }
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        let bits = self.is_touched.0.capacity() + self.is_saved.0.capacity();
        self.touched.capacity() * size_of::<(u32, Member)>() + bits * size_of::<u64>() + self.gone_bytes
    }

    fn place(&self, at: u32, member: Member) -> usize {
        at as usize * self.width + usize::from(member.0)
    }

    /// Something came for a rule in a slot.
    #[inline]
    pub(super) fn touch(&mut self, at: u32, member: Member) {
        let place = self.place(at, member);
        if !self.is_touched.get(place) {
            self.is_touched.set(place, true);
            self.touched.push((at, member));
        }
    }

    /// A rule holds nothing any more in a slot.
    pub(super) fn remove(&mut self, at: u32, member: Member, key: &[u8]) {
        let place = self.place(at, member);
        if self.is_saved.get(place) {
            self.is_saved.set(place, false);
            self.gone.push((member, key.into()));
            self.gone_bytes += size_of::<(Member, Box<[u8]>)>() + block(key.len());
        }
    }

    /// What is gone, and the slots and rules to look at: some hold nothing, or another key. Marks begin anew.
    pub(super) fn take(&mut self) -> (Vec<(Member, Box<[u8]>)>, Vec<(u32, Member)>) {
        let touched = std::mem::take(&mut self.touched);
        for (at, member) in &touched {
            self.is_touched.set(self.place(*at, *member), false);
        }
        self.gone_bytes = 0;
        (std::mem::take(&mut self.gone), touched)
    }

    /// The state of a rule in a slot is being saved.
    pub(super) fn save(&mut self, at: u32, member: Member) {
        self.is_saved.set(self.place(at, member), true);
    }
}
