//! What holds for most scalars and not for all: a field that is none of some constants, or a number beyond a bound.
//!
//! Such conditions are true too often for their predicates to be looked up. They are gone over instead, and those that
//! the value meets need not be evaluated. Bounds are in order, so that the first one which is not met ends the search.
//!
//! Invariant: of a list or an object it is not said whether a condition is true; its predicates are asked in full.

use smallvec::SmallVec;

use super::node::{Entry, Map};
use crate::base::{Value, ValueRef};
use crate::plan::eval::compare;
use crate::plan::key;
use crate::syntax::ast::BinaryOp;

/// A predicate, and the part of it that is known to hold if the value meets the condition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Likely {
    pub(super) entry: Entry,
    /// A bit as in [`Entry::known`], or none.
    pub(super) part: u64,
}

impl Likely {
    fn met(&self) -> Entry {
        Entry { known: self.entry.known | self.part, ..self.entry }
    }
}

/// A number that the value has to be beyond.
#[derive(Debug)]
struct Bound {
    op: BinaryOp,
    number: Value,
    likely: Vec<Likely>,
}

impl Bound {
    fn is_met(&self, value: ValueRef<'_>) -> bool {
        compare(self.op, value, self.number.as_ref()) == Some(true)
    }

    /// Whether whatever meets the other bound meets this one.
    fn is_wider(&self, other: &Self) -> bool {
        compare(self.op, other.number.as_ref(), self.number.as_ref()) == Some(true)
            || (self.number == other.number && matches!(self.op, BinaryOp::Ge | BinaryOp::Le))
    }
}

/// The conditions on one field.
#[derive(Debug, Default)]
pub(super) struct Scalars {
    /// By set of constants, what is asked where the value is none of them.
    differs: Vec<Vec<Likely>>,
    /// By constant, encoded: the sets that have it, in order.
    excluded: Map<Box<[u8]>, SmallVec<[u32; 2]>>,
    /// Lower bounds, from the lowest.
    above: Vec<Bound>,
    /// Upper bounds, from the highest.
    below: Vec<Bound>,
}

impl Scalars {
    /// Adds predicates for which the value must be none of these constants.
    pub(super) fn add_differs(&mut self, constants: &[Box<[u8]>], likely: Vec<Likely>) {
        let at = self.differs.len() as u32;
        for constant in constants {
            self.excluded.entry(constant.clone()).or_default().push(at);
        }
        self.differs.push(likely);
    }

    /// Adds predicates for which the value must be beyond an encoded number.
    pub(super) fn add_bound(&mut self, op: BinaryOp, number: &[u8], likely: Vec<Likely>) {
        let Some(number) = key::decode(number, 1).pop() else { return };
        let is_lower = matches!(op, BinaryOp::Gt | BinaryOp::Ge);
        let bounds = if is_lower { &mut self.above } else { &mut self.below };
        let bound = Bound { op, number, likely };
        let at = bounds.partition_point(|other| other.is_wider(&bound));
        bounds.insert(at, bound);
    }

    /// Whether [`Scalars::each`] wants to have the value encoded.
    pub(super) fn compares(&self) -> bool {
        !self.differs.is_empty()
    }

    /// Calls `ask` for the predicates of all conditions that a scalar meets.
    pub(super) fn each(&self, value: ValueRef<'_>, encoded: &[u8], mut ask: impl FnMut(Entry)) {
        if self.compares() {
            let mut excluded = self.excluded.get(encoded).map_or(&[][..], |sets| sets);
            for (at, set) in self.differs.iter().enumerate() {
                match excluded.split_first() {
                    Some((first, rest)) if *first as usize == at => excluded = rest,
                    _ => set.iter().for_each(|likely| ask(likely.met())),
                }
            }
        }
        for bounds in [&self.above, &self.below] {
            let met = bounds.iter().take_while(|bound| bound.is_met(value));
            met.flat_map(|bound| &bound.likely).for_each(|likely| ask(likely.met()));
        }
    }

    /// Calls `ask` for the predicates of all conditions, which a list or an object may meet.
    pub(super) fn all(&self, mut ask: impl FnMut(Entry)) {
        let bounds = self.above.iter().chain(&self.below).map(|bound| &bound.likely);
        self.differs.iter().chain(bounds).flatten().for_each(|likely| ask(likely.entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::PredId;

    fn likely(pred: usize) -> Vec<Likely> {
        vec![Likely { entry: Entry { pred: PredId::from(pred), known: 0 }, part: 1 }]
    }

    fn encoded(value: ValueRef<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        assert!(key::encode_scalar(value, &mut bytes));
        bytes
    }

    fn met(scalars: &Scalars, value: ValueRef<'_>) -> Vec<usize> {
        let mut met = Vec::new();
        scalars.each(value, &encoded(value), |entry| {
            assert_eq!(entry.known, 1);
            met.push(entry.pred.index());
        });
        met.sort_unstable();
        met
    }

    #[test]
    fn bounds_are_met_from_the_widest_on() {
        let mut scalars = Scalars::default();
        let bounds = [(5, BinaryOp::Gt), (1, BinaryOp::Gt), (5, BinaryOp::Ge), (9, BinaryOp::Ge), (1, BinaryOp::Ge)];
        for (at, (number, op)) in bounds.into_iter().enumerate() {
            scalars.add_bound(op, &encoded(ValueRef::Int(number)), likely(at));
        }
        for (at, (number, op)) in [(5, BinaryOp::Lt), (7, BinaryOp::Le), (5, BinaryOp::Le)].into_iter().enumerate() {
            scalars.add_bound(op, &encoded(ValueRef::Int(number)), likely(10 + at));
        }
        assert_eq!(met(&scalars, ValueRef::Int(5)), [1, 2, 4, 11, 12]);
        assert_eq!(met(&scalars, ValueRef::Float(5.5)), [0, 1, 2, 4, 11]);
        assert_eq!(met(&scalars, ValueRef::Int(1)), [4, 10, 11, 12]);
        assert_eq!(met(&scalars, ValueRef::UInt(u64::MAX)), [0, 1, 2, 3, 4]);
        assert_eq!(met(&scalars, ValueRef::Str("5")), [0_usize; 0]);
    }

    #[test]
    fn sets_leave_out_what_they_hold() {
        let mut scalars = Scalars::default();
        let sets = [&["a"][..], &["b"], &["a", "c"], &[]];
        for (at, set) in sets.into_iter().enumerate() {
            let constants: Vec<Box<[u8]>> = set.iter().map(|text| encoded(ValueRef::Str(text)).into()).collect();
            scalars.add_differs(&constants, likely(at));
        }
        assert_eq!(met(&scalars, ValueRef::Str("a")), [1, 3]);
        assert_eq!(met(&scalars, ValueRef::Str("c")), [0, 1, 3]);
        assert_eq!(met(&scalars, ValueRef::Int(1)), [0, 1, 2, 3]);
        let mut all = 0;
        scalars.all(|entry| all += 1 + entry.known);
        assert_eq!(all, 4);
    }
}
