//! A step of one host key: `(state bytes, events | deadline) → (state bytes, alerts, next deadline)`.
//!
//! [`Cells`] holds the rule set and scratch memory and nothing of any key: what a key is, is in its bytes.

use std::cell::{Cell as Shared, RefCell};
use std::sync::Arc;

use thiserror::Error;

use super::bytes::FormatError;
use super::cell::{Cell, Entry};
use super::event::{self, Event};
use super::names::HostRules;
use super::spread::Spread;
use super::walk::Walk;
use crate::alert::Alert;
use crate::alert::build::{Builder, Draft};
use crate::alert::collect::{Gate, SentCounters, event_json};
use crate::base::{RuleId, Timestamp, Value};
use crate::decode::decoder::Decoder;
use crate::matcher::arrived::Copies;
use crate::plan::event::Seq;
use crate::plan::key;
use crate::session::AtEnd;

/// How far time has come for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// No event before this comes any more. Events at or after it wait.
    Watermark(Timestamp),
    /// The input has ended, with the newest event at this time.
    End(Timestamp, AtEnd),
}

/// What one step is given.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// The host key.
    pub key: &'a [u8],
    /// What the step before gave; empty if there was none.
    pub state: &'a [u8],
    /// Events as [`super::Router`] makes them, in any order.
    pub events: Vec<&'a [u8]>,
    /// Where time began; see [`crate::time::sequencer::Progress::start`].
    pub start: Timestamp,
}

/// What one step gives.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// What is to be kept; empty if that is nothing.
    pub state: Vec<u8>,
    /// When the key is to be stepped again though no event comes: once the watermark is later than this.
    pub next: Option<Timestamp>,
    /// Events that still wait, by their place in [`Input::events`], and the time of the first.
    pub waiting: Vec<usize>,
    /// The time of the first event that waits.
    pub first_waiting: Option<Timestamp>,
    /// Alerts that are final, in order.
    pub alerts: Vec<Alert>,
    /// Alerts for the gatherer.
    pub drafts: Vec<Draft>,
    /// Alerts as events for keys of the second stage.
    pub above: Vec<Above>,
    /// States that were dropped because their rule has gone or was changed.
    pub dropped: usize,
}

impl Output {
    /// Makes it empty, for another step.
    pub(super) fn clear(&mut self) {
        self.alerts.clear();
        self.drafts.clear();
        self.above.clear();
    }
}

/// An alert on its way to a key of the second stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above {
    /// When.
    pub ts: Timestamp,
    /// The host key.
    pub key: Vec<u8>,
    /// What goes there.
    pub event: Vec<u8>,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StepError {
    /// The state, or an event.
    #[error("key {key}: {error}; the savepoint was made by another release, or is damaged")]
    Format {
        /// The key, for people.
        key: String,
        /// What is wrong.
        error: FormatError,
    },
}

/// Where a step is, for whoever has to say where it broke.
#[derive(Debug, Default)]
pub struct Place {
    rule: Shared<Option<RuleId>>,
    key: RefCell<Vec<u8>>,
}

impl Place {
    /// Work begins on a key.
    fn at(&self, host_key: &[u8]) {
        let mut key = self.key.borrow_mut();
        key.clear();
        key.extend_from_slice(host_key);
    }

    /// Work on a rule of that key begins.
    pub(super) fn enter(&self, rule: RuleId) {
        self.rule.set(Some(rule));
    }

    /// The rule and the key that were worked on last.
    pub fn last(&self, host: &HostRules) -> Option<(String, String)> {
        let rule = self.rule.get()?;
        Some((host.rules.rules[rule.index()].name.to_string(), key_text(host, &self.key.borrow())))
    }
}

/// A host key for people: its values as JSON, or the rule that it stands for.
pub(super) fn key_text(host: &HostRules, host_key: &[u8]) -> String {
    let bytes = HostRules::key_of(host_key);
    if bytes.is_empty() {
        let of = host.rules.rules.iter().find(|rule| host.host_key(rule.id, &[]) == host_key);
        return of.map_or_else(|| "of a rule that has gone".to_owned(), |rule| format!("of all of `{}`", rule.name));
    }
    let most = host.rules.rules.iter().map(|rule| rule.components.len()).max().unwrap_or_default();
    let mut values = key::decode(bytes, most);
    while values.last() == Some(&Value::Missing) {
        values.pop();
    }
    serde_json::Value::Array(values.iter().map(Value::to_json).collect()).to_string()
}

/// Steps host keys of one rule set. One a thread.
#[derive(Debug)]
pub struct Cells {
    host: Arc<HostRules>,
    builder: Builder,
    event: Event,
    copies: Copies,
    /// Decodes alerts as events, if rules of the second stage read any.
    alerts: Option<Decoder>,
    spread: Spread,
    counters: Vec<SentCounters>,
    place: Place,
}

impl Cells {
    /// For a rule set.
    pub fn new(host: Arc<HostRules>) -> Self {
        Self {
            builder: Builder::new(Arc::clone(host.ruleset()), host.config.evidence),
            event: Event::default(),
            copies: Copies::default(),
            alerts: host.needs_upper().then(|| host.decoder()),
            spread: Spread::default(),
            counters: vec![SentCounters::default(); host.rules.rules.len()],
            place: Place::default(),
            host,
        }
    }

    /// The rule set.
    pub fn host(&self) -> &Arc<HostRules> {
        &self.host
    }

    /// Where the last step is or was.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Steps one key.
    ///
    /// # Errors
    /// The state or an event is not in a form that this release reads; nothing has changed then.
    pub fn step(&mut self, input: &Input<'_>, until: Until) -> Result<Output, StepError> {
        let wrong = |error| StepError::Format { key: key_text(&self.host, input.key), error };
        let mut out = Output::default();
        let (mut cell, dropped) = Cell::read(&self.host, input.state).map_err(wrong)?;
        out.dropped = dropped;
        let limit = match until {
            Until::Watermark(watermark) => watermark,
            Until::End(..) => Timestamp::MAX,
        };
        let mut due = Vec::with_capacity(input.events.len());
        for (at, bytes) in input.events.iter().enumerate() {
            let standing = event::standing(&self.host, bytes).map_err(wrong)?;
            if standing.ts < limit || limit == Timestamp::MAX {
                due.push((standing, at));
            } else {
                out.waiting.push(at);
                out.first_waiting = Some(out.first_waiting.map_or(standing.ts, |first| first.min(standing.ts)));
            }
        }
        due.sort_unstable();
        let events = due.iter().map(|(_, at)| input.events[*at]);
        let next = self.run(input.key, &mut cell, input.start, until, events, &Shared::new(0), &mut out)?;
        out.state = cell.write(&self.host);
        out.next = next;
        Ok(out)
    }

    /// Moves a cell: takes events in their order, and everything that is due. Gives when it is to be moved again though no
    /// event comes; `added` grows by the bytes that come to its states.
    #[expect(clippy::too_many_arguments, reason = "what a step is given, with memory that the next one uses again")]
    pub(super) fn run<'e>(
        &mut self,
        key: &[u8],
        cell: &mut Cell,
        start: Timestamp,
        until: Until,
        events: impl Iterator<Item = &'e [u8]>,
        added: &Shared<usize>,
        out: &mut Output,
    ) -> Result<Option<Timestamp>, StepError> {
        let Self { host, builder, event, copies, alerts, spread, counters, place } = self;
        let host: &HostRules = host;
        place.at(key);
        let mut walk = Walk::new(host, key, cell, place, added);
        walk.begin(start);
        let mut above = 0;
        for bytes in events {
            event.read(host, bytes).map_err(|error| StepError::Format { key: key_text(host, key), error })?;
            if event.seq.is_alert() {
                // Those of one time come in one step.
                above += 1;
                event.seq = Seq::alert(above);
            }
            walk.event(event, copies);
        }
        let now = match until {
            Until::Watermark(watermark) => {
                walk.advance(watermark);
                watermark
            }
            Until::End(newest, at_end) => {
                walk.advance(newest);
                if at_end == AtEnd::Flush {
                    flush(&mut walk);
                }
                newest
            }
        };
        let next = walk.next(now);
        let Walk { found, .. } = walk;
        let mut drafts: Vec<Draft> = found.into_iter().map(|found| builder.build(found)).collect();
        drafts.sort_by(|a, b| a.order.cmp(&b.order));
        for draft in drafts {
            let rule = draft.alert.rule;
            if host.stages.is_read_above(rule) && draft.is_event(&host.rules) {
                hand_up(host, alerts, spread, &draft, &mut out.above);
            }
            if host.gathers(rule) {
                out.drafts.push(draft);
                continue;
            }
            let gate = Gate { rules: &host.rules, suppressor: cell.sent_mut(), show_internal: false };
            out.alerts.extend(gate.send(draft, &mut counters[rule.index()]));
        }
        cell.forget_before(now);
        Ok(next.into_iter().chain(cell.expires()).min())
    }
}

/// Makes events of an alert for the rules of the second stage that can use it.
fn hand_up(
    host: &HostRules,
    decoder: &mut Option<Decoder>,
    spread: &mut Spread,
    draft: &Draft,
    above: &mut Vec<Above>,
) {
    let Some(decoder) = decoder else { return };
    let ts = draft.order.time;
    let Some(batch) = decoder.decode_alert(draft.alert.rule, event_json(&draft.alert), ts) else { return };
    for record in &batch.records {
        spread.spread(host, &batch, record, &event::Place::Alert(draft), |_, key, event| {
            above.push(Above { ts, key: key.to_vec(), event: event.to_vec() });
        });
    }
}

/// The input has ended, and what is undecided is decided: deadlines go on for ever, ticks for each rule up to the last
/// deadline that decides something.
fn flush(walk: &mut Walk<'_>) {
    if walk.next_tick().is_some() {
        // When that is shows in a copy without ticks.
        let copy = |entry: &Entry| Entry { rule: entry.rule, state: entry.state.clone(), wakes: entry.wakes };
        let entries = walk.cell.entries.iter().filter(|e| walk.host.ticked.iter().any(|seen| seen.contains(&e.rule)));
        let mut cell = Cell::of(entries.map(copy));
        let mut ahead = Walk::new(walk.host, walk.host_key, &mut cell, walk.place, walk.added);
        ahead.advance_ticking(Timestamp::MAX, Timestamp::MIN);
        let mut last: Vec<(RuleId, Timestamp)> = Vec::new();
        for found in &ahead.found {
            match last.iter_mut().find(|(rule, _)| *rule == found.rule) {
                Some((_, time)) => *time = found.matched.time.max(*time),
                None => last.push((found.rule, found.matched.time)),
            }
        }
        let until = last.iter().map(|(_, time)| *time).max();
        walk.last_ticks = Some(last);
        if let Some(until) = until {
            walk.advance(Timestamp(until.0.saturating_add(1)));
        }
    }
    walk.advance_ticking(Timestamp::MAX, Timestamp::MIN);
}
