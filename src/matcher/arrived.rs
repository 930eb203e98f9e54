//! What goes into the matcher and what comes out: an event with its roles, and a match with its bound events.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::base::{Limits, StepId, Timestamp, Value};
use crate::decode::view::LineView;
use crate::plan::Rule;
use crate::plan::eval::{Bindings, Ctx};
use crate::plan::event::{EventView, Origin, Seq, StoredEvent, StoredView};
use crate::plan::expr::Attr;
use crate::plan::table::Table;

/// An event on its way to the state of one key.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// Its values.
    pub view: LineView<'a>,
    /// Event time.
    pub ts: Timestamp,
    /// Position.
    pub seq: Seq,
    /// What it is to the rule, a bit each.
    pub roles: u64,
    /// The whole line, if evidence asks for it.
    pub raw: Option<&'a str>,
    /// For an alert: the events it had bound.
    pub origins: &'a [Origin],
    /// Copies of it that rules have made so far, if others may use them.
    pub copies: Option<&'a Copies>,
}

/// Copies of one event. Many rules bind the same event and keep the same of it: they share a copy, which saves the time
/// to make it and the memory. Few kinds of copies are remembered: rules of a kind mostly stand together.
#[derive(Debug, Default)]
pub struct Copies {
    made: RefCell<SmallVec<[Copied; 4]>>,
}

/// A copy, for whom it is, and the bytes that it takes.
#[derive(Clone, Debug)]
struct Copied {
    kept_as: u32,
    bytes: usize,
    copy: Arc<StoredEvent>,
}

impl Copies {
    const MOST: usize = 8;

    /// Forgets them: another event comes.
    pub fn clear(&mut self) {
        self.made.get_mut().clear();
    }

    fn get(&self, kept_as: u32, make: impl FnOnce() -> StoredEvent) -> (Arc<StoredEvent>, usize) {
        let mut made = self.made.borrow_mut();
        if let Some(Copied { bytes, copy, .. }) = made.iter().find(|copied| copied.kept_as == kept_as) {
            return (Arc::clone(copy), *bytes);
        }
        let copy = Arc::new(make());
        let bytes = copy.bytes();
        if made.len() == Self::MOST {
            made.remove(0);
        }
        made.push(Copied { kept_as, bytes, copy: Arc::clone(&copy) });
        (copy, bytes)
    }
}

impl Arrived<'_> {
    /// The order of events.
    pub fn at(&self) -> (Timestamp, Seq) {
        (self.ts, self.seq)
    }

    /// Whether the event has a role.
    #[inline]
    pub fn has(&self, role: u8) -> bool {
        self.roles & (1 << role) != 0
    }

    /// A copy that keeps what the rule reads.
    pub fn store(&self, env: &RuleEnv<'_>, stats: &[Value]) -> Arc<StoredEvent> {
        // In full for each rule that shares it: the sum must not be too low when the others let go of it.
        if let (Some(copies), Some(kept_as)) = (self.copies, env.rule.hints.kept_as) {
            let (stored, bytes) = copies.get(kept_as, || self.copy(env, &[]));
            env.note(|| bytes);
            return stored;
        }
        let stored = Arc::new(self.copy(env, stats));
        env.note(|| stored.bytes());
        stored
    }

    fn copy(&self, env: &RuleEnv<'_>, stats: &[Value]) -> StoredEvent {
        // One allocation of the right size, or none.
        let mut fields = SmallVec::with_capacity(env.rule.kept.len() + stats.len());
        fields.extend(env.rule.kept.iter().map(|f| self.view.attr(Attr::Field(*f)).to_owned()));
        fields.extend(stats.iter().cloned());
        StoredEvent {
            ts: self.ts,
            seq: self.seq,
            arrival: if env.rule.keeps_arrival { self.view.arrival } else { Timestamp(0) },
            fields,
            raw: self.raw.map(Into::into),
            origins: self.origins.into(),
        }
    }
}

/// What every strategy needs to know of its rule.
#[derive(Clone, Copy, Debug)]
pub struct RuleEnv<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The rule set's tables.
    pub tables: &'a [Arc<Table>],
    /// Limits on search.
    pub limits: &'a Limits,
    /// The key of the state, decoded, where expressions read it; empty otherwise.
    pub key: &'a [Value],
    /// Adds up the bytes of what comes to the state, if somebody wants to know.
    pub added: Option<&'a Cell<usize>>,
    /// Counts searches that a limit ended before they found anything, if somebody wants to know.
    pub given_up: Option<&'a Cell<u64>>,
}

impl<'a> RuleEnv<'a> {
    /// One that reads no key, and by which nobody counts anything.
    #[inline]
    pub fn new(rule: &'a Rule, tables: &'a [Arc<Table>], limits: &'a Limits) -> Self {
        Self { rule, tables, limits, key: &[], added: None, given_up: None }
    }

    /// So many bytes come to the state.
    #[inline]
    pub fn note(&self, bytes: impl FnOnce() -> usize) {
        if let Some(added) = self.added {
            added.set(added.get() + bytes());
        }
    }

    /// A search was ended by a limit, and had found nothing: no match can say so.
    pub fn give_up(&self) {
        if let Some(given_up) = self.given_up {
            given_up.set(given_up.get() + 1);
        }
    }

    /// A context for conditions on bound events.
    pub fn context<'c, E: EventView>(
        &self,
        this: Option<&'c E>,
        bound: &'c Bindings<'c>,
        prev: Option<&'c StoredEvent>,
    ) -> Ctx<'c, E>
    where
        'a: 'c,
    {
        Ctx { this, stats: &[], bound, prev, kept: &self.rule.kept, key: self.key, tables: self.tables, element: None }
    }

    /// A stored event as an event under test.
    pub fn stored<'c>(&self, event: &'c StoredEvent) -> StoredView<'c>
    where
        'a: 'c,
    {
        StoredView { event, kept: &self.rule.kept }
    }
}

/// What one step of a match binds, in order: mostly one event.
pub type Together = SmallVec<[Arc<StoredEvent>; 1]>;

/// A complete match, not yet an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// Time of the completing event, or the deadline.
    pub time: Timestamp,
    /// Completed by a deadline.
    pub at_deadline: bool,
    /// The completing event; for a deadline the last bound one.
    pub seq: Seq,
    /// The bound events of each step that bound any, in step order. None at all: not a match, but a look at which
    /// `resolve when` is true.
    pub bound: Vec<(StepId, Together)>,
    /// A limit bit while it was found: it may not be the one that the definition picks, or may not name every event.
    pub limited: bool,
}

impl Match {
    /// All bound events in order, oldest first.
    pub fn events(&self) -> Vec<&StoredEvent> {
        let mut events: Vec<&StoredEvent> = self.bound.iter().flat_map(|(_, e)| e.iter().map(|e| &**e)).collect();
        events.sort_by_key(|e| e.at());
        events
    }
}
