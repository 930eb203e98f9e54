//! A decoded event as expressions see it, and what is worked out of it only when one of them asks.

use std::cell::{OnceCell, RefCell};

use super::json::scalars;
use super::slot::{Arena, Slot};
use crate::base::{FieldId, Timestamp, Value, ValueRef};
use crate::plan::classify::plain;
use crate::plan::event::{EventView, Seq};
use crate::plan::expr::Attr;
use crate::plan::fold::FoldMemo;

/// A decoded event in place.
#[derive(Clone, Copy, Debug)]
pub struct LineView<'a> {
    /// Values by field.
    pub slots: &'a [Slot],
    /// The block.
    pub text: &'a str,
    /// Its arena.
    pub arena: &'a Arena,
    /// Event time.
    pub ts: Timestamp,
    /// Arrival time.
    pub arrival: Timestamp,
    /// Position.
    pub seq: Seq,
    /// Keeps what is worked out, while many conditions are asked of the event.
    pub lazy: Option<Lazy<'a>>,
}

/// A line beside what has been worked out of it.
#[derive(Clone, Copy, Debug)]
pub struct Lazy<'a> {
    /// What has been.
    pub memo: &'a LineMemo,
    /// The line.
    pub line: &'a str,
}

/// What conditions asked of one event and may ask again. Cleared for the next event.
#[derive(Debug)]
pub struct LineMemo {
    folds: FoldMemo,
    /// The field that holds every scalar of the event.
    whole_field: Option<FieldId>,
    whole: OnceCell<Value>,
    plain: OnceCell<Option<String>>,
    /// Memory of an earlier line.
    spare: RefCell<String>,
    max_depth: usize,
}

impl LineMemo {
    /// A memo for these fields, for lines nested no deeper than `max_depth`.
    pub fn new(fields: &[Vec<String>], max_depth: usize) -> Self {
        let whole_field = fields.iter().position(Vec::is_empty).map(FieldId::from);
        Self {
            folds: FoldMemo::new(fields.len()),
            whole_field,
            whole: OnceCell::new(),
            plain: OnceCell::new(),
            spare: RefCell::default(),
            max_depth,
        }
    }

    /// Goes on with another event.
    #[inline]
    pub fn clear(&mut self) {
        self.folds.clear();
        self.whole.take();
        if let Some(Some(line)) = self.plain.take() {
            *self.spare.get_mut() = line;
        }
    }
}

impl LineView<'_> {
    /// What the slots lack: every scalar of the event.
    #[cold]
    fn whole(lazy: Lazy<'_>) -> ValueRef<'_> {
        lazy.memo.whole.get_or_init(|| scalars(lazy.line, lazy.memo.max_depth)).as_ref()
    }
}

impl EventView for LineView<'_> {
    #[inline]
    fn attr(&self, attr: Attr) -> ValueRef<'_> {
        match attr {
            Attr::Field(field) => match self.slots.get(field.index()) {
                None => ValueRef::Missing,
                Some(Slot::Missing) => match &self.lazy {
                    Some(lazy) if lazy.memo.whole_field == Some(field) => Self::whole(*lazy),
                    _ => ValueRef::Missing,
                },
                Some(slot) => slot.value(self.text, self.arena),
            },
            Attr::Ts => ValueRef::Time(self.ts),
            Attr::Arrival => ValueRef::Time(self.arrival),
            Attr::Seq => ValueRef::Int(self.seq.line() as i64),
            Attr::Stat(_) => ValueRef::Missing,
        }
    }

    #[inline]
    fn lacks(&self, field: FieldId) -> bool {
        let is_whole = self.lazy.is_some_and(|lazy| lazy.memo.whole_field == Some(field));
        self.slots.get(field.index()).is_some_and(|slot| slot.is_missing()) && !is_whole
    }

    #[inline]
    fn folded(&self, field: FieldId) -> Option<(&str, &str)> {
        let text = self.attr(Attr::Field(field)).as_str()?;
        Some((text, self.lazy?.memo.folds.fold(field, text)?))
    }

    fn plain_line(&self) -> Option<&str> {
        let Lazy { memo, line } = self.lazy?;
        let made = memo.plain.get_or_init(|| {
            let mut folded = memo.spare.take();
            plain(line, &mut folded).then_some(folded)
        });
        made.as_deref()
    }
}
