//! Classification by index: from the fields of an event to the predicates that hold, without a loop over rules.
//!
//! A predicate is the stateless part of a step or guard: class and `where`. Each has an *anchor*: a field that must
//! equal one of some constants. Predicates are found by hashing that field's value; only the rest of their condition
//! is evaluated. Predicates without an anchor are evaluated for every event.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::eval::{Ctx, passes};
use super::event::EventView;
use super::expr::{Attr, Expr};
use super::key::encode_scalar;
use crate::base::id::PredId;
use crate::base::{FieldId, RuleId, ValueRef};
use crate::syntax::ast::BinaryOp;

/// Map with a fixed hash, so that iteration never differs between runs.
type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// A stateless condition on one event.
#[derive(Debug)]
pub struct Pred {
    /// What must hold besides the anchor.
    pub rest: Option<Expr>,
    /// Where it is found.
    pub anchor: Anchor,
    /// Who asked: rule and role.
    pub subscribers: Vec<(RuleId, u8)>,
}

/// How a predicate is found.
#[derive(Clone, Debug, PartialEq)]
pub enum Anchor {
    /// The field equals one of these encoded constants.
    Field(FieldId, Vec<Box<[u8]>>),
    /// Looked at for every input event.
    Always,
    /// Alerts of a rule.
    Alert(RuleId),
    /// Ticks of a clock, by its place in [`super::Ruleset::clocks`].
    Clock(usize),
}

/// All predicates with their index.
#[derive(Debug, Default)]
pub struct ClassIndex {
    /// By [`PredId`].
    pub preds: Vec<Pred>,
    fields: Vec<(FieldId, Map<Box<[u8]>, Vec<PredId>>)>,
    always: Vec<PredId>,
    alerts: Map<u32, Vec<PredId>>,
    clocks: Map<usize, Vec<PredId>>,
    interned: Map<String, PredId>,
}

impl ClassIndex {
    /// The id of a condition; equal conditions share one.
    pub fn intern(&mut self, name: String, condition: impl FnOnce() -> (Anchor, Option<Expr>)) -> PredId {
        if let Some(id) = self.interned.get(&name) {
            return *id;
        }
        let (anchor, rest) = condition();
        let id = PredId::from(self.preds.len());
        self.preds.push(Pred { rest, anchor, subscribers: Vec::new() });
        self.interned.insert(name, id);
        id
    }

    /// Adds a subscriber.
    pub fn subscribe(&mut self, pred: PredId, rule: RuleId, role: u8) {
        self.preds[pred.index()].subscribers.push((rule, role));
    }

    /// Builds the index; call once, when all rules are in.
    pub fn finish(&mut self) {
        self.interned.clear();
        for (i, pred) in self.preds.iter().enumerate() {
            let id = PredId::from(i);
            if pred.subscribers.is_empty() {
                continue;
            }
            match &pred.anchor {
                Anchor::Always => self.always.push(id),
                Anchor::Clock(clock) => self.clocks.entry(*clock).or_default().push(id),
                Anchor::Alert(rule) => self.alerts.entry(rule.0).or_default().push(id),
                Anchor::Field(field, values) => {
                    let at = match self.fields.iter().position(|(f, _)| f == field) {
                        Some(at) => at,
                        None => {
                            self.fields.push((*field, Map::default()));
                            self.fields.len() - 1
                        }
                    };
                    for value in values {
                        self.fields[at].1.entry(value.clone()).or_default().push(id);
                    }
                }
            }
        }
    }

    /// Calls `hit` for every predicate that holds for an input event. A predicate may be called more than once
    /// if its anchor field is a list.
    #[inline]
    pub fn classify<'a, E: EventView>(&'a self, c: &Ctx<'a, E>, mut hit: impl FnMut(&'a Pred)) {
        let Some(event) = c.this else { return };
        let mut test = |id: &PredId| {
            let pred = &self.preds[id.index()];
            if pred.rest.as_ref().is_none_or(|rest| passes(rest, c)) {
                hit(pred);
            }
        };
        for (field, values) in &self.fields {
            match event.attr(Attr::Field(*field)) {
                ValueRef::Missing => {}
                ValueRef::List(items) => {
                    for item in items {
                        find(values, item.as_ref()).iter().for_each(&mut test);
                    }
                }
                value => find(values, value).iter().for_each(&mut test),
            }
        }
        self.always.iter().for_each(&mut test);
    }

    /// Calls `hit` for every predicate that holds for an alert of `rule`.
    pub fn classify_alert<'a, E: EventView>(&'a self, rule: RuleId, c: &Ctx<'a, E>, mut hit: impl FnMut(&'a Pred)) {
        for id in self.alerts.get(&rule.0).into_iter().flatten() {
            let pred = &self.preds[id.index()];
            if pred.rest.as_ref().is_none_or(|rest| passes(rest, c)) {
                hit(pred);
            }
        }
    }

    /// Calls `hit` for every predicate that holds for a tick of a clock.
    pub fn classify_tick<'a, E: EventView>(&'a self, clock: usize, c: &Ctx<'a, E>, mut hit: impl FnMut(&'a Pred)) {
        for id in self.clocks.get(&clock).into_iter().flatten() {
            let pred = &self.preds[id.index()];
            if pred.rest.as_ref().is_none_or(|rest| passes(rest, c)) {
                hit(pred);
            }
        }
    }

    /// Rules that see ticks of a clock.
    pub fn ticks_for(&self, clock: usize) -> impl Iterator<Item = RuleId> + '_ {
        let preds = self.clocks.get(&clock).into_iter().flatten();
        preds.flat_map(|id| self.preds[id.index()].subscribers.iter().map(|(rule, _)| *rule))
    }

    /// Whether a predicate is one on alerts.
    pub fn is_of_alerts(&self, pred: PredId) -> bool {
        matches!(self.preds[pred.index()].anchor, Anchor::Alert(_))
    }

    /// Whether some predicate reads alerts.
    pub fn reads_alerts(&self) -> bool {
        !self.alerts.is_empty()
    }
}

#[inline]
fn find<'m>(values: &'m Map<Box<[u8]>, Vec<PredId>>, value: ValueRef<'_>) -> &'m [PredId] {
    let mut bytes: SmallVec<[u8; 64]> = SmallVec::new();
    if encode_scalar(value, &mut bytes) { values.get(&bytes[..]).map_or(&[], Vec::as_slice) } else { &[] }
}

/// Splits a condition into an anchor and the rest.
pub fn anchor(condition: Option<Expr>) -> (Anchor, Option<Expr>) {
    let Some(condition) = condition else { return (Anchor::Always, None) };
    let mut parts = condition.conjuncts();
    // The smallest set of constants is the most selective guess.
    let best = parts
        .iter()
        .enumerate()
        .filter_map(|(i, part)| constants(part).map(|(field, values)| (values.len(), i, field, values)))
        .min_by_key(|(n, i, _, _)| (*n, *i));
    match best {
        None => (Anchor::Always, Expr::all(parts)),
        Some((_, i, field, values)) => {
            parts.remove(i);
            (Anchor::Field(field, values), Expr::all(parts))
        }
    }
}

/// The constants that a field must equal one of for the condition to hold, if it is exactly that condition.
fn constants(part: &Expr) -> Option<(FieldId, Vec<Box<[u8]>>)> {
    let field = |e: &Expr| match e {
        Expr::This(Attr::Field(field)) => Some(*field),
        _ => None,
    };
    match part {
        Expr::Compare(BinaryOp::Eq, a, b) => {
            let (field, value) = match (&**a, &**b) {
                (a, Expr::Const(v)) | (Expr::Const(v), a) => (field(a)?, v),
                _ => return None,
            };
            let mut bytes = Vec::new();
            (!value.as_ref().is_missing() && encode_scalar(value.as_ref(), &mut bytes))
                .then(|| (field, vec![bytes.into()]))
        }
        Expr::InSet(a, set) if set.folded.is_empty() && set.exact.len() <= 1000 => {
            let mut values: Vec<Box<[u8]>> = set.exact.iter().cloned().collect();
            values.sort();
            Some((field(a)?, values))
        }
        Expr::Or(parts) => {
            let mut field = None;
            let mut values = Vec::new();
            for part in parts {
                let (f, v) = constants(part)?;
                if *field.get_or_insert(f) != f {
                    return None;
                }
                values.extend(v);
            }
            values.sort();
            values.dedup();
            Some((field?, values))
        }
        _ => None,
    }
}
