//! Memory that the parts of an engine may take together: one cap, and an account for each part.
//!
//! ```text
//! shard ─► account ─┐
//! shard ─► account ─┼─► budget: used, cap      over: the parts that take more than their share give some back
//! order ─► account ─┘
//! ```
//! A part adds up what it holds by itself and tells the budget when that has changed by more than a little, so nothing
//! is shared for an event. What a part takes is counted as [`block`] has it: with what allocators add.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that an allocator takes for a block of so many: size classes an eighth apart, in words.
#[inline]
pub const fn block(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + bytes / 16 + 8 }
}

/// One cap on what several parts take.
#[derive(Debug)]
pub struct Budget {
    cap: usize,
    used: AtomicUsize,
}

impl Budget {
    /// A budget of so many bytes; `None` is no cap.
    pub fn new(cap: Option<usize>) -> Arc<Self> {
        Arc::new(Self { cap: cap.unwrap_or(usize::MAX), used: AtomicUsize::new(0) })
    }

    /// Bytes that all parts have told of.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// What one part takes of a budget.
#[derive(Debug)]
pub struct Account {
    budget: Arc<Budget>,
    told: usize,
    /// Changes smaller than this are not told.
    grain: usize,
    /// Up to this the part is not asked to give back.
    share: usize,
}

impl Account {
    /// An account for one of `parts` equal parts.
    pub fn new(budget: &Arc<Budget>, parts: usize) -> Self {
        let cap = budget.cap;
        Self { budget: Arc::clone(budget), told: 0, grain: (cap / 1024).min(1 << 16), share: cap / parts.max(1) }
    }

    /// Whether there is a cap.
    #[inline]
    pub fn is_capped(&self) -> bool {
        self.budget.cap < usize::MAX
    }

    /// The cap on all parts together.
    pub fn cap(&self) -> usize {
        self.budget.cap
    }

    /// Says how much the part takes now.
    #[inline]
    pub fn tell(&mut self, bytes: usize) {
        if bytes.abs_diff(self.told) > self.grain {
            self.settle(bytes);
        }
    }

    fn settle(&mut self, bytes: usize) {
        // Wraps around where it shrinks, and back again in the sum.
        self.budget.used.fetch_add(bytes.wrapping_sub(self.told), Ordering::Relaxed);
        self.told = bytes;
    }

    /// Whether all parts together take more than the cap, and this one more than its share: it is to give back.
    #[inline]
    pub fn is_over(&self) -> bool {
        self.told > self.share && self.budget.used() > self.budget.cap
    }

    /// Whether three quarters of the cap are taken: what can be made smaller without loss should be.
    #[inline]
    pub fn is_tight(&self) -> bool {
        self.budget.used() > self.budget.cap / 4 * 3
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.settle(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_takes_more_than_its_share_gives_back() {
        let budget = Budget::new(Some(1 << 20));
        let (mut one, mut two) = (Account::new(&budget, 2), Account::new(&budget, 2));
        one.tell(900_000);
        assert!(!one.is_over() && one.is_tight());
        two.tell(200_000);
        assert!(one.is_over() && !two.is_over());
        one.tell(700_000);
        assert!(!one.is_over());
        drop(two);
        assert_eq!(budget.used(), 700_000);
    }

    #[test]
    fn small_changes_are_not_told() {
        let budget = Budget::new(Some(1 << 20));
        let mut account = Account::new(&budget, 1);
        account.tell(1000);
        assert_eq!(budget.used(), 0);
        account.tell(1500);
        assert_eq!(budget.used(), 1500);
    }

    #[test]
    fn without_a_cap_nothing_is_ever_over() {
        let budget = Budget::new(None);
        let mut account = Account::new(&budget, 1);
        account.tell(usize::MAX / 2);
        assert!(!account.is_capped() && !account.is_over() && !account.is_tight());
    }
}
