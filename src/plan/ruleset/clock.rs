//! What time itself begins: clocks, and keys that are expected.

use std::sync::Arc;

use crate::base::calendar::{Ticks, aligned_after};
use crate::base::id::TableId;
use crate::base::{Duration, FieldId, StepId, Timestamp};

/// A clock: an event class that time itself brings.
#[derive(Clone, Debug, PartialEq)]
pub struct Clock {
    /// The class.
    pub name: Arc<str>,
    /// When it ticks.
    pub ticks: TickTimes,
}

/// When a clock ticks.
#[derive(Clone, Debug, PartialEq)]
pub enum TickTimes {
    /// At a local time of some days.
    Local(Ticks),
    /// Every so often, counted from 1970.
    Every(Duration),
}

impl Clock {
    /// The first tick not before a time; none when time ends.
    pub fn at_or_after(&self, t: Timestamp) -> Option<Timestamp> {
        match &self.ticks {
            TickTimes::Local(ticks) => ticks.at_or_after(t),
            TickTimes::Every(period) => aligned_after(Timestamp(t.0.saturating_sub(1)), *period),
        }
    }
}

/// `expect`: what a rule watches for without having seen it.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The table whose keys are expected; `None` is `expect start`.
    pub table: Option<TableId>,
    /// The fields of the key, which the virtual first event has.
    pub fields: Vec<FieldId>,
    /// The step that the virtual first event is bound to. `None` if that is a clock, which ticks by itself.
    pub begins: Option<StepId>,
}
