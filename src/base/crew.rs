//! Independent pieces of work, and who does them.
//!
//! The pure part of the library starts no threads. Where pieces do not depend on each other, it leaves open who does
//! them and in which order, so that whoever calls may lend threads. What comes out is the same.

use std::sync::{Mutex, PoisonError};

/// Someone who does pieces of work.
pub trait Crew: Sync {
    /// Calls `work` once with every number below `count`, in any order, and comes back when all of it is done.
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync));
}

/// One piece after the other, on the thread at hand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Crew for Alone {
    fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..count).for_each(work);
    }
}

/// A piece before and after.
enum Piece<T, R> {
    Open(T),
    Taken,
    Done(R),
}

/// What `work` makes of each item, in the order of the items.
pub fn map<T: Send, R: Send>(crew: &dyn Crew, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let pieces: Vec<Mutex<Piece<T, R>>> = items.into_iter().map(|item| Mutex::new(Piece::Open(item))).collect();
    crew.each(pieces.len(), &|at| {
        let mut piece = pieces[at].lock().unwrap_or_else(PoisonError::into_inner);
        if let Piece::Open(item) = std::mem::replace(&mut *piece, Piece::Taken) {
            *piece = Piece::Done(work(item));
        }
    });
    let done = |piece: Mutex<Piece<T, R>>| match piece.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Piece::Done(made) => Some(made),
        Piece::Open(_) | Piece::Taken => None,
    };
    pieces.into_iter().filter_map(done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Backwards;

    impl Crew for Backwards {
        fn each(&self, count: usize, work: &(dyn Fn(usize) + Sync)) {
            (0..count).rev().for_each(work);
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for crew in [&Alone as &dyn Crew, &Backwards] {
            assert_eq!(map(crew, vec![3, 1, 2], |n| n * 10), [30, 10, 20]);
            assert!(map(crew, Vec::<u8>::new(), |n| n).is_empty());
        }
    }
}
