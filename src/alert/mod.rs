//! Alerts: what a match reports, in what order, and what is suppressed. Pure.

pub mod build;
pub mod collect;
pub mod follow;
pub mod format;
pub mod suppress;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::{RuleId, StepId, Timestamp, Value};

pub use crate::plan::event::{Origin, Seq};
pub use crate::plan::ruleset::Severity;

/// An alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// 32 hexadecimal digits: a hash of rule, rule content, key, positions of the bound events, and deadline.
    pub id: String,
    /// The rule.
    pub rule: RuleId,
    /// Its name.
    pub rule_name: Arc<str>,
    /// Its title.
    pub title: Option<Arc<str>>,
    /// How bad it is.
    pub severity: Severity,
    /// Tags of the rule.
    pub tags: Arc<[String]>,
    /// What else people want to know about the rule; `None` if it says nothing.
    pub about: Option<Arc<About>>,
    /// The completing event's time, or the deadline.
    pub time: Timestamp,
    /// The key's components in order.
    pub key: Vec<(String, Value)>,
    /// The values of the `alert` block, in order.
    pub values: Vec<(String, Value)>,
    /// The bound events, by step in written order.
    pub bound: Vec<BoundStep>,
    /// Alerts of the same rule and key that `suppress` dropped since the last one sent.
    pub suppressed: u64,
    /// Limits that bit.
    pub notes: Vec<String>,
    /// What it is if it is not a new alert.
    pub notice: Option<Notice>,
}

/// What a rule says about itself to whoever gets its alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Its id where it came from.
    pub id: Option<String>,
    /// How far it is trusted.
    pub status: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// What to do.
    pub runbook: Option<String>,
    /// What to read.
    pub references: Vec<String>,
    /// What else fires it.
    pub false_positives: Vec<String>,
}

/// What is said of an alert that was sent before. Its id is that of the alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// It is closed, by this event. Values and bound events are left out.
    Resolved(Origin),
    /// It is said again, for the n-th time.
    Repeat(u64),
}

/// What one step bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundStep {
    /// The step, in the order in which the rule's steps are written.
    pub step: StepId,
    /// The step's name, if it has one.
    pub name: Option<String>,
    /// Its events, oldest first.
    pub events: Vec<BoundEvent>,
}

/// A bound event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundEvent {
    /// Its position.
    pub seq: Seq,
    /// Its time.
    pub ts: Timestamp,
    /// The fields that the rule reads, if evidence asks for them.
    pub fields: Vec<(String, Value)>,
    /// The whole line, if evidence is `full`.
    pub raw: Option<String>,
    /// For an alert bound as an event: the events it had bound.
    pub origins: Vec<Origin>,
}

/// How much of the bound events an alert carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// Positions and times only.
    Ids,
    /// The fields that the rule reads.
    #[default]
    Fields,
    /// The whole event.
    Full,
}
