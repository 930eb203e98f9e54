//! Lengths of time that a candidate computes: bounds of gaps, ends of absences, reaches of guards.
//!
//! They are read over what is bound at the moment: the caller has bound what the definition lets them read. What is
//! missing holds for no candidate.

use super::buffer::Id;
use super::search::{Search, Trigger};
use crate::base::{Duration, Timestamp, ValueRef};
use crate::plan::eval::eval;
use crate::plan::event::StoredView;
use crate::plan::expr::Expr;
use crate::plan::ruleset::{AfterMatch, Ahead, Element, Span};

impl<'s> Search<'s> {
    /// The value of a duration over what is bound.
    pub(super) fn duration(&self, d: &Expr) -> Option<Duration> {
        match eval(d, &self.env.context::<StoredView<'_>>(None, &self.bound, None)).get() {
            ValueRef::Duration(d) => Some(d),
            _ => None,
        }
    }

    /// How long a span is that is not until a time.
    pub(super) fn length(&self, span: &Span) -> Option<Duration> {
        match span {
            Span::Fixed(d) => Some(*d),
            Span::Computed(d) => self.duration(d),
            Span::Until(_) => None,
        }
    }

    /// When an absence ends that begins at `last`; never before it begins.
    pub(super) fn deadline(&self, ahead: &Ahead, last: Id) -> Option<Timestamp> {
        let ts = self.buffer.event(last).ts;
        match &ahead.within {
            Span::Fixed(d) => Some(ts + *d),
            Span::Computed(d) => self.duration(d).map(|d| ts + d.max(Duration::ZERO)),
            Span::Until(time) => match eval(time, &self.env.context::<StoredView<'_>>(None, &self.bound, None)).get() {
                ValueRef::Time(time) => Some(time.max(ts)),
                _ => None,
            },
        }
    }

    /// Whether deadlines are armed that may be those of a later start: `after match` may use up the earlier ones.
    pub(super) fn arms_every_start(&self) -> bool {
        matches!(self.trigger, Trigger::Arm(_))
            && matches!(self.env.rule.after, AfterMatch::SkipToNext | AfterMatch::SkipTo { .. })
    }

    /// Whether the computed bound of the gap before an element holds: the element, which begins at `first`, is bound.
    #[inline]
    pub(super) fn gap_fits(&self, element: &Element, last: Option<Id>, first: Id) -> bool {
        match (&element.link.computed, last) {
            (Some(d), Some(last)) => {
                let gap = self.buffer.event(first).ts - self.buffer.event(last).ts;
                self.duration(d).is_some_and(|d| gap <= d)
            }
            _ => true,
        }
    }
}
