//! Events as expressions see them: read in place while they pass, or kept as the few fields a rule reads.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::expr::Attr;
use crate::base::budget::block;
use crate::base::{FieldId, Timestamp, Value, ValueRef};

/// Where an event came from: the input, in the order in which inputs are named, then the line in it (from 1).
///
/// Alerts that serve as events come after every input event of their time: their highest bit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    const LINE_BITS: u32 = 48;
    const ALERT: u64 = 1 << 63;

    /// Line `line` of input `input`.
    pub fn new(input: u16, line: u64) -> Self {
        Self((u64::from(input & 0x7fff) << Self::LINE_BITS) | (line & ((1 << Self::LINE_BITS) - 1)))
    }

    /// The `n`-th alert that serves as an event.
    pub fn alert(n: u64) -> Self {
        Self(Self::ALERT | n)
    }

    /// The position of what comes from time alone: after all inputs, before alerts. It comes again and again, so only
    /// its time tells one from another.
    const RECURRING: u64 = 0x7fff << Self::LINE_BITS;

    /// A virtual first event: before every input event of its time.
    pub const EXPECTED: Self = Self(0);

    /// A tick of the n-th clock.
    pub fn tick(clock: usize) -> Self {
        Self(Self::RECURRING | (clock as u64 & ((1 << 32) - 1)))
    }

    /// An alert that is said again, among the events behind what other rules make of it.
    pub const REPEAT: Self = Self(Self::RECURRING | ((1 << Self::LINE_BITS) - 1));

    /// Whether the position is of something that comes again: its time belongs to what it is.
    pub fn is_recurring(self) -> bool {
        self.0 & Self::RECURRING == Self::RECURRING && !self.is_alert()
    }

    /// Whether this is an alert.
    pub fn is_alert(self) -> bool {
        self.0 & Self::ALERT != 0
    }

    /// The input.
    pub fn input(self) -> u16 {
        ((self.0 & !Self::ALERT) >> Self::LINE_BITS) as u16
    }

    /// The line, from 1.
    pub fn line(self) -> u64 {
        self.0 & ((1 << Self::LINE_BITS) - 1)
    }
}

/// What an expression may ask of the event under test.
pub trait EventView {
    /// The value of an attribute; statistics are not asked for here.
    fn attr(&self, attr: Attr) -> ValueRef<'_>;

    /// Whether a field is absent, where that is known at a glance.
    #[inline]
    fn lacks(&self, _field: FieldId) -> bool {
        false
    }

    /// The text of a field and its folded form, if the field holds a text and the view keeps what it folds.
    fn folded(&self, _field: FieldId) -> Option<(&str, &str)> {
        None
    }

    /// The folded line of the event, if texts that its values hold can be looked for there; see
    /// [`super::classify::plain`].
    fn plain_line(&self) -> Option<&str> {
        None
    }
}

/// An event kept by a rule: its place in time and the fields that the rule reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Event time.
    pub ts: Timestamp,
    /// Position.
    pub seq: Seq,
    /// Arrival time; 0 if the rule does not read it.
    pub arrival: Timestamp,
    /// Values of [`super::Rule::kept`], then of the rule's statistics. Most rules read no more than two, which lie in the
    /// event itself: with its counts of references it then fills two cache lines.
    pub fields: SmallVec<[Value; StoredEvent::INLINE]>,
    /// The whole line, if evidence is `full`.
    pub raw: Option<Box<str>>,
    /// For an alert bound as an event: the events that it had bound itself.
    pub origins: Box<[Origin]>,
}

/// An event behind an alert that another rule bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// Event time.
    pub ts: Timestamp,
    /// Position.
    pub seq: Seq,
}

const _: () = assert!(size_of::<StoredEvent>() + 2 * size_of::<usize>() <= 128);

impl StoredEvent {
    /// Values that lie in the event itself.
    pub const INLINE: usize = 2;

    /// Bytes that it takes where it is shared, with all that it holds.
    pub fn bytes(&self) -> usize {
        let shared = 2 * size_of::<usize>() + size_of::<Self>();
        let spilled = if self.fields.spilled() { block(self.fields.capacity() * size_of::<Value>()) } else { 0 };
        let fields = spilled + self.fields.iter().map(Value::heap).sum::<usize>();
        let raw = self.raw.as_ref().map_or(0, |raw| block(raw.len()));
        block(shared) + fields + raw + block(size_of_val::<[Origin]>(&self.origins))
    }

    /// The order of events: time, then position.
    #[inline]
    pub fn at(&self) -> (Timestamp, Seq) {
        (self.ts, self.seq)
    }
}

/// A stored event with the map from fields to its slots.
#[derive(Clone, Copy, Debug)]
pub struct StoredView<'a> {
    /// The event.
    pub event: &'a StoredEvent,
    /// [`super::Rule::kept`].
    pub kept: &'a [FieldId],
}

impl EventView for StoredView<'_> {
    #[inline]
    fn attr(&self, attr: Attr) -> ValueRef<'_> {
        stored_attr(self.event, self.kept, attr)
    }
}

/// Reads an attribute of a stored event; `kept` says which field each slot holds. It is short.
#[inline]
pub fn stored_attr<'a>(event: &'a StoredEvent, kept: &[FieldId], attr: Attr) -> ValueRef<'a> {
    match attr {
        Attr::Field(field) => match kept.iter().position(|kept| *kept == field) {
            Some(slot) => event.fields.get(slot).map_or(ValueRef::Missing, Value::as_ref),
            None => ValueRef::Missing,
        },
        Attr::Ts => ValueRef::Time(event.ts),
        Attr::Arrival => ValueRef::Time(event.arrival),
        Attr::Seq => ValueRef::Int(event.seq.line() as i64),
        // Statistics follow the kept fields.
        Attr::Stat(stat) => event.fields.get(kept.len() + stat.index()).map_or(ValueRef::Missing, Value::as_ref),
    }
}
