//! One event on its way to one host key, as bytes: what the rules there read of it, and what it is to each of them.
//!
//! ```text
//! version │ time │ position │ arrival │ rules: tag, roles, keyed │ fields: name, value │ the line, with full evidence
//! and behind that, of an alert: the tag of its rule, its place among alerts, the events behind it
//! ```
//! Made by [`super::Router`] once the conditions on single events are decided, so nothing is parsed or asked again. Rules
//! and fields go by names that hold across rule sets: an event that waits while rules are edited reaches those that stay.

use super::bytes::{FormatError, ReadValue, Reader, put_bytes, put_number, put_signed, put_value};
use super::names::{HostRules, RuleTag};
use crate::alert::Origin;
use crate::alert::build::{Draft, Order};
use crate::base::{FieldId, RuleId, Timestamp, Value};
use crate::decode::batch::{Batch, Hit, Record};
use crate::decode::slot::{Arena, Slot};
use crate::decode::view::LineView;
use crate::plan::event::{EventView, Seq};
use crate::plan::expr::Attr;

const VERSION: u8 = 1;
const WHAT: &str = "an event";

/// What an event is.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// A line of an input, with a position of its own.
    Line,
    /// An alert, which comes after all lines of its time.
    Alert(&'a Draft),
}

/// Where an event stands among others of a key: lines by time and position, at one time alerts behind them in their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    pub(super) ts: Timestamp,
    seq: Seq,
    order: Option<Order>,
}

/// The fields that rules with a hit read, each once, in the order of [`FieldId`].
fn fields_read(host: &HostRules, hits: &[Hit], fields: &mut Vec<FieldId>) {
    fields.clear();
    for hit in hits {
        fields.extend_from_slice(&host.rules.rules[hit.rule.index()].kept);
    }
    fields.sort_unstable();
    fields.dedup();
}

/// Appends the event of a record for the rules of these hits, which all lead to one host key.
pub(super) fn write(
    host: &HostRules,
    batch: &Batch,
    record: &Record,
    place: &Place<'_>,
    hits: &[Hit],
    fields: &mut Vec<FieldId>,
    out: &mut Vec<u8>,
) {
    let view = batch.view(record);
    let seq = match place {
        Place::Line => view.seq,
        Place::Alert(_) => Seq::alert(0),
    };
    let mut head = [VERSION; 17];
    head[1..9].copy_from_slice(&record.ts.0.to_le_bytes());
    head[9..].copy_from_slice(&seq.0.to_le_bytes());
    out.extend_from_slice(&head);
    let arrival = hits.iter().any(|hit| host.rules.rules[hit.rule.index()].keeps_arrival);
    let arrival = if arrival { view.arrival } else { Timestamp(0) };
    put_signed(arrival.0, out);
    put_number(hits.len() as u64, out);
    for hit in hits {
        out.extend_from_slice(&host.tag(hit.rule).0.to_le_bytes());
        put_number(hit.roles, out);
    }
    fields_read(host, hits, fields);
    fields.retain(|field| !view.attr(Attr::Field(*field)).is_missing());
    put_number(fields.len() as u64, out);
    for field in fields.iter() {
        out.extend_from_slice(&host.field_name(*field).to_le_bytes());
        put_value(view.attr(Attr::Field(*field)), out);
    }
    let raw = match host.config.evidence {
        crate::alert::Evidence::Full => batch.line(record),
        _ => "",
    };
    put_bytes(raw.as_bytes(), out);
    if let Place::Alert(draft) = place {
        out.extend_from_slice(&host.tag(draft.alert.rule).0.to_le_bytes());
        let behind = (&draft.order, &draft.origins);
        *out = postcard::to_extend(&behind, std::mem::take(out)).expect("memory takes any bytes");
    }
}

/// Where an event stands among others of its key.
pub(super) fn standing(host: &HostRules, bytes: &[u8]) -> Result<Standing, FormatError> {
    let mut reader = Reader::new(WHAT, bytes, VERSION)?;
    let (ts, seq) = (Timestamp(reader.word()? as i64), Seq(reader.word()?));
    if !seq.is_alert() {
        return Ok(Standing { ts, seq, order: None });
    }
    // There are few, and the place stands behind the rest.
    let mut event = Event::default();
    event.read(host, bytes)?;
    Ok(Standing { ts, seq, order: event.order })
}

/// When an event happened, and its position: where lines stand among others of their key.
pub(super) fn position(bytes: &[u8]) -> Result<(Timestamp, Seq), FormatError> {
    let mut reader = Reader::new(WHAT, bytes, VERSION)?;
    Ok((Timestamp(reader.word()? as i64), Seq(reader.word()?)))
}

/// The rules that an event is for.
pub(super) fn tags(bytes: &[u8]) -> Result<Vec<RuleTag>, FormatError> {
    let mut reader = Reader::new(WHAT, bytes, VERSION)?;
    reader.word()?;
    reader.word()?;
    reader.signed()?;
    let mut tags = Vec::new();
    for _ in 0..reader.number()? {
        tags.push(RuleTag(reader.word()?));
        reader.number()?;
    }
    Ok(tags)
}

/// What is left of an event, for people: when it happened, where it stood, and the fields that rules read of it.
pub(super) fn text(host: &HostRules, bytes: &[u8]) -> Result<String, FormatError> {
    let mut event = Event::default();
    event.read(host, bytes)?;
    let mut object = serde_json::Map::new();
    object.insert("@timestamp".to_owned(), event.ts.to_string().into());
    if !event.seq.is_alert() {
        object.insert("input".to_owned(), event.seq.input().into());
        object.insert("line".to_owned(), event.seq.line().into());
    }
    let view = event.view();
    for field in &event.filled {
        let name = host.rules.fields[field.index()].join(".");
        object.insert(name, view.attr(Attr::Field(*field)).to_owned().to_json());
    }
    Ok(serde_json::Value::Object(object).to_string())
}

/// An event that was read back, in memory that the next one uses again.
#[derive(Debug, Default)]
pub(super) struct Event {
    pub(super) ts: Timestamp,
    pub(super) seq: Seq,
    arrival: Timestamp,
    /// Rules that are still there, with the roles the event has to them.
    pub(super) hits: Vec<(RuleId, u64)>,
    slots: Vec<Slot>,
    filled: Vec<FieldId>,
    arena: Arena,
    raw: String,
    /// Of an alert: its place among alerts.
    order: Option<Order>,
    /// Of an alert: the events behind it.
    pub(super) origins: Vec<Origin>,
}

impl Event {
    /// Reads an event. Rules and fields that this rule set does not have are passed over.
    pub(super) fn read(&mut self, host: &HostRules, bytes: &[u8]) -> Result<(), FormatError> {
        let mut reader = Reader::new(WHAT, bytes, VERSION)?;
        self.ts = Timestamp(reader.word()? as i64);
        self.seq = Seq(reader.word()?);
        self.arrival = Timestamp(reader.signed()?);
        self.hits.clear();
        for _ in 0..reader.number()? {
            let (tag, roles) = (RuleTag(reader.word()?), reader.number()?);
            self.hits.extend(host.rule(tag).map(|rule| (rule, roles)));
        }
        self.slots.resize(host.rules.fields.len(), Slot::Missing);
        for field in self.filled.drain(..) {
            self.slots[field.index()] = Slot::Missing;
        }
        self.arena.clear();
        for _ in 0..reader.number()? {
            let name = reader.word()?;
            let slot = self.slot(&mut reader)?;
            if let Some(field) = host.field(name) {
                self.slots[field.index()] = slot;
                self.filled.push(field);
            }
        }
        let raw = reader.bytes()?;
        self.raw.clear();
        if !raw.is_empty() {
            self.raw.push_str(std::str::from_utf8(raw).map_err(|_| reader.damaged())?);
        }
        if self.order.is_some() {
            (self.order, self.origins) = (None, Vec::new());
        }
        if self.seq.is_alert() {
            let tag = RuleTag(reader.word()?);
            let (mut order, origins) = reader.value::<(Order, Vec<Origin>)>()?;
            if let Some(rule) = host.rule(tag) {
                order.renumbered(rule);
            }
            (self.order, self.origins) = (Some(order), origins);
        }
        if reader.is_over() { Ok(()) } else { Err(reader.damaged()) }
    }

    /// Reads a value. Most are texts and numbers, which need no memory of their own.
    #[inline]
    fn slot(&mut self, reader: &mut Reader<'_>) -> Result<Slot, FormatError> {
        Ok(match reader.any_value()? {
            ReadValue::Text(text) => {
                let start = self.arena.text.len() as u32;
                self.arena.text.push_str(text);
                Slot::Text { start, len: text.len() as u32 }
            }
            ReadValue::Int(value) | ReadValue::Other(Value::Int(value)) => Slot::Int(value),
            ReadValue::Float(value) | ReadValue::Other(Value::Float(value)) => Slot::Float(value),
            ReadValue::Other(Value::Bool(value)) => Slot::Bool(value),
            ReadValue::Other(Value::UInt(value)) => Slot::UInt(value),
            ReadValue::Other(other) => {
                self.arena.values.push(other);
                Slot::Complex(self.arena.values.len() as u32 - 1)
            }
        })
    }

    pub(super) fn view(&self) -> LineView<'_> {
        LineView {
            slots: &self.slots,
            text: "",
            arena: &self.arena,
            ts: self.ts,
            arrival: self.arrival,
            seq: self.seq,
            lazy: None,
        }
    }

    pub(super) fn raw(&self) -> Option<&str> {
        (!self.raw.is_empty()).then_some(&*self.raw)
    }
}
