//! From a match to an alert: values, severity, evidence, id, and its place in the order of alerts.

use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{About, Alert, BoundEvent, BoundStep, Evidence, Origin};
use crate::base::{RuleId, StepId, Timestamp, Value};
use crate::matcher::arrived::Together;
use crate::matcher::shard::Found;
use crate::plan::call::value_text;
use crate::plan::eval::{Ctx, eval};
use crate::plan::event::{Seq, StoredEvent, StoredView};
use crate::plan::key;
use crate::plan::ruleset::{AlertExpr, Meta, Rule, Severity, SeverityRule, TemplatePiece};
use crate::plan::{Expr, Ruleset};

/// The place of an alert among all: time, events before deadlines, the completing event, rule, oldest binding first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// When.
    pub time: Timestamp,
    at_deadline: bool,
    pub(super) seq: Seq,
    rule: u32,
    pub(super) kind: Kind,
    bound: Vec<Origin>,
    pub(super) key: Box<[u8]>,
}

/// What a draft is, in the order in which they stand at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    /// An alert is closed; or a look at which `resolve when` is true.
    Resolved,
    /// A new alert.
    Alert,
    /// An alert is said again.
    Repeat,
}

impl Order {
    /// The place of the notice that the alert here is closed by an event.
    pub(super) fn resolved_at(&mut self, by: Origin) {
        (self.time, self.at_deadline, self.seq, self.kind) = (by.ts, false, by.seq, Kind::Resolved);
    }

    /// The place of an alert of the same rule in another rule set.
    pub(crate) fn renumbered(&mut self, rule: RuleId) {
        self.rule = rule.0;
    }

    /// The place of the alert here when it is said again.
    pub(super) fn repeated_at(&mut self, time: Timestamp) {
        (self.time, self.kind) = (time, Kind::Repeat);
    }
}

impl Ord for Order {
    fn cmp(&self, other: &Self) -> Ordering {
        let head = |o: &Self| (o.time, o.at_deadline, o.seq, o.rule, o.kind);
        head(self).cmp(&head(other)).then_with(|| {
            let differ = self.bound.iter().zip(&other.bound).map(|(a, b)| a.cmp(b)).find(|o| o.is_ne());
            // A proper prefix is newer, so it comes later.
            let bound = differ.unwrap_or_else(|| other.bound.len().cmp(&self.bound.len()));
            // One event may complete two keys with the same bound events.
            bound.then_with(|| self.key.cmp(&other.key))
        })
    }
}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// An alert before suppression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Its place in the order.
    pub order: Order,
    /// What it says.
    pub alert: Alert,
    /// What `suppress` counts it under; `None` for rules that suppress nothing.
    pub suppress: Option<Box<[u8]>>,
    /// The events behind it, down to input events.
    pub origins: Vec<Origin>,
    /// What was bound, if what ends the alert compares with it.
    pub(super) bound: Option<BoundByStep>,
    /// What `suppress` said, where it was asked early.
    #[serde(skip)]
    pub(super) verdict: Option<bool>,
}

impl Draft {
    /// Whether other rules see it as an event: alerts and their repeats, but not those of rules in shadow.
    pub(crate) fn is_event(&self, rules: &Ruleset) -> bool {
        !rules.rules[self.alert.rule.index()].shadow && self.order.kind != Kind::Resolved
    }

    /// The draft of the same rule in another rule set.
    pub fn moved(mut self, rule: RuleId) -> Self {
        self.renumber(rule);
        self
    }

    /// As [`Draft::moved`], in place.
    pub(super) fn renumber(&mut self, rule: RuleId) {
        self.alert.rule = rule;
        self.order.renumbered(rule);
    }
}

/// Bound events by step.
type BoundByStep = Vec<(StepId, Together)>;

/// Makes alerts of one rule set.
#[derive(Clone, Debug)]
pub struct Builder {
    rules: Arc<Ruleset>,
    evidence: Evidence,
    /// Names of kept fields, by rule.
    names: Vec<Vec<String>>,
    tags: Vec<Arc<[String]>>,
    about: Vec<Option<Arc<About>>>,
}

impl Builder {
    /// A builder.
    pub fn new(rules: Arc<Ruleset>, evidence: Evidence) -> Self {
        let names =
            rules.rules.iter().map(|r| r.kept.iter().map(|f| rules.fields[f.index()].join(".")).collect()).collect();
        let tags = rules.rules.iter().map(|r| r.meta.tags.iter().map(ToString::to_string).collect()).collect();
        let about = rules.rules.iter().map(|r| about(&r.meta).map(Arc::new)).collect();
        Self { rules, evidence, names, tags, about }
    }

    /// Goes on with tables that were read anew; see [`Ruleset::differs_only_in_tables`].
    pub fn set_tables(&mut self, rules: &Arc<Ruleset>) {
        self.rules = Arc::clone(rules);
    }

    /// The alert of a match.
    pub fn build(&self, found: Found) -> Draft {
        let Found { rule, key, matched } = found;
        let rule = &self.rules.rules[rule.index()];
        let mut bound: Vec<Vec<&StoredEvent>> = vec![Vec::new(); rule.steps.len()];
        for (step, events) in &matched.bound {
            bound[step.index()].extend(events.iter().map(|e| &**e));
        }
        let (key_bytes, key_values) = self.key(rule, key, &bound);
        let context: Ctx<'_, StoredView<'_>> = Ctx {
            this: None,
            stats: &[],
            bound: &bound,
            prev: None,
            kept: &rule.kept,
            key: &key_values,
            tables: &self.rules.tables,
            element: None,
        };
        let mut values = Vec::with_capacity(rule.alert.len());
        for (name, value) in &rule.alert {
            values.push((name.to_string(), alert_value(value, &context)));
        }
        if let Some(risk) = &rule.risk {
            values.push(("risk".to_owned(), eval(risk, &context).into_value()));
        }
        let severity = match &rule.severity {
            SeverityRule::Fixed(severity) => *severity,
            SeverityRule::Computed(e) => {
                eval(e, &context).get().as_str().and_then(Severity::from_word).unwrap_or_default()
            }
        };
        let suppress = rule.suppress.as_ref().map(|s| {
            let mut bytes = Vec::new();
            if s.by.is_empty() {
                bytes.extend_from_slice(&key_bytes);
            }
            for e in &s.by {
                key::encode_any(eval(e, &context).get(), &mut bytes);
            }
            bytes.into()
        });
        // What a step looks back at is shown, but not bound.
        let events = || rule.steps.iter().zip(&bound).filter(|(s, _)| s.found_by.is_none()).flat_map(|(_, e)| e);
        let mut places: Vec<Origin> = events().map(|e| Origin { ts: e.ts, seq: e.seq }).collect();
        places.sort_unstable();
        let origins = if events().all(|e| e.origins.is_empty()) {
            places.clone()
        } else {
            let mut origins: Vec<Origin> = events()
                .flat_map(|e| {
                    let own = e.origins.is_empty().then_some(Origin { ts: e.ts, seq: e.seq });
                    own.into_iter().chain(e.origins.iter().copied())
                })
                .collect();
            origins.sort_unstable();
            origins.dedup();
            origins
        };
        let id = id(rule, &key_bytes, &origins, matched.at_deadline.then_some(matched.time));
        let notes = if matched.limited {
            vec!["a limit was reached while this match was found: it may miss events".to_owned()]
        } else {
            Vec::new()
        };
        let key = rule
            .key
            .iter()
            .zip(key_values.iter())
            .map(|(place, value)| (rule.components[*place].to_string(), value.clone()));
        let alert = Alert {
            id,
            rule: rule.id,
            rule_name: Arc::clone(&rule.name),
            title: rule.meta.title.clone(),
            severity,
            tags: Arc::clone(&self.tags[rule.id.index()]),
            about: self.about[rule.id.index()].clone(),
            time: matched.time,
            key: key.collect(),
            values,
            bound: self.evidence(rule, matched.bound.iter().map(|(s, e)| (s.index(), &e[..]))),
            suppressed: 0,
            notes,
            notice: None,
        };
        let order = Order {
            time: matched.time,
            at_deadline: matched.at_deadline,
            seq: if matched.at_deadline { Seq::default() } else { matched.seq },
            rule: rule.id.0,
            // A look at which `resolve when` is true comes as a match that binds nothing.
            kind: if matched.bound.is_empty() { Kind::Resolved } else { Kind::Alert },
            bound: places,
            key: key_bytes,
        };
        let keeps = rule.follow.as_ref().is_some_and(|f| f.reads_bound);
        Draft { order, alert, suppress, origins, bound: keeps.then(|| matched.bound.clone()), verdict: None }
    }

    /// The rule's key: the state's, or for handed-over keys that of the first step's event.
    fn key(&self, rule: &Rule, state: Box<[u8]>, bound: &[Vec<&StoredEvent>]) -> (Box<[u8]>, Vec<Value>) {
        if !rule.handed_over {
            let values = key::decode(&state, rule.components.len());
            return (state, values);
        }
        let mut bytes = Vec::new();
        let mut values = Vec::new();
        let elements = rule.ways().iter().flat_map(|way| &way.elements);
        let order: Vec<_> = elements.flat_map(crate::plan::ruleset::Element::steps).collect();
        for place in &rule.key {
            // The first bound event that brings the component; all that do agree.
            let value = order.iter().find_map(|step| {
                let event = bound[step.index()].first()?;
                let component = rule.steps[step.index()].components.iter().find(|c| c.place == *place)?;
                let view = StoredView { event, kept: &rule.kept };
                let context = Ctx {
                    this: Some(&view),
                    stats: &[],
                    bound: &[],
                    prev: None,
                    kept: &rule.kept,
                    key: &[],
                    tables: &self.rules.tables,
                    element: None,
                };
                Some(eval(&component.value, &context).into_value())
            });
            let value = value.unwrap_or_default();
            key::encode_scalar(value.as_ref(), &mut bytes);
            values.push(value);
        }
        (bytes.into(), values)
    }

    fn evidence<'e>(
        &self,
        rule: &Rule,
        bound: impl Iterator<Item = (usize, &'e [Arc<StoredEvent>])>,
    ) -> Vec<BoundStep> {
        let names = &self.names[rule.id.index()];
        let event = |e: &StoredEvent| {
            let fields = if self.evidence == Evidence::Fields {
                names
                    .iter()
                    .zip(&e.fields)
                    // The whole event has no name, and is no field.
                    .filter(|(n, v)| !v.as_ref().is_missing() && !n.is_empty())
                    .map(|(n, v)| (n.clone(), v.clone()))
                    .collect()
            } else {
                Vec::new()
            };
            BoundEvent {
                seq: e.seq,
                ts: e.ts,
                fields,
                raw: e.raw.as_deref().map(ToOwned::to_owned),
                origins: e.origins.to_vec(),
            }
        };
        bound
            .map(|(step, events)| BoundStep {
                step: StepId::from(step),
                name: rule.steps[step].name.as_ref().map(ToString::to_string),
                events: events.iter().map(|e| event(e)).collect(),
            })
            .collect()
    }
}

/// What a rule says about itself, unless that is nothing.
fn about(meta: &Meta) -> Option<About> {
    let text = |text: &Option<Arc<str>>| text.as_ref().map(ToString::to_string);
    let texts = |texts: &[Arc<str>]| texts.iter().map(ToString::to_string).collect();
    let about = About {
        id: text(&meta.id),
        status: text(&meta.status),
        author: text(&meta.author),
        runbook: text(&meta.runbook),
        references: texts(&meta.references),
        false_positives: texts(&meta.false_positives),
    };
    (about != About::default()).then_some(about)
}

fn alert_value(value: &AlertExpr, context: &Ctx<'_, StoredView<'_>>) -> Value {
    match value {
        AlertExpr::Value(e) => evaluated(e, context),
        AlertExpr::Template(pieces) => {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    TemplatePiece::Text(plain) => text.push_str(plain),
                    // A missing value reads as nothing rather than spoiling the sentence.
                    TemplatePiece::Value(e) => {
                        text.push_str(&value_text(evaluated(e, context).as_ref()).unwrap_or_default());
                    }
                }
            }
            Value::Str(text.into())
        }
    }
}

fn evaluated<'a>(e: &'a Expr, context: &Ctx<'a, StoredView<'a>>) -> Value {
    eval(e, context).into_value()
}

/// The deterministic id (language.md §3.12): 128 bits of xxh3 over length-prefixed parts.
fn id(rule: &Rule, key: &[u8], origins: &[Origin], deadline: Option<Timestamp>) -> String {
    let mut bytes = Vec::with_capacity(64 + key.len() + 8 * origins.len());
    bytes.extend_from_slice(&(rule.name.len() as u64).to_le_bytes());
    bytes.extend_from_slice(rule.name.as_bytes());
    bytes.extend_from_slice(&rule.fingerprint.to_le_bytes());
    bytes.extend_from_slice(&(key.len() as u64).to_le_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&(origins.len() as u64).to_le_bytes());
    for origin in origins {
        bytes.extend_from_slice(&origin.seq.0.to_le_bytes());
        if origin.seq.is_recurring() {
            bytes.extend_from_slice(&origin.ts.0.to_le_bytes());
        }
    }
    match deadline {
        Some(deadline) => {
            bytes.push(1);
            bytes.extend_from_slice(&deadline.0.to_le_bytes());
        }
        None => bytes.push(0),
    }
    format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes))
}
