//! Alerts: what a match reports.

pub mod format;

use std::sync::Arc;

use crate::base::{RuleId, Timestamp, Value};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Severity {
    /// Info.
    Info,
    /// Low.
    Low,
    /// Medium.
    #[default]
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// The word of the rule language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The input.
    pub fn input(self) -> usize {
        (self.0 >> 48) as usize
    }
    /// The line, from 1.
    pub fn line(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }
}

/// An alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// 32 hex digits.
    pub id: String,
    /// The rule.
    pub rule: RuleId,
    /// Its name.
    pub rule_name: Arc<str>,
    /// Its title.
    pub title: Option<Arc<str>>,
    /// Severity.
    pub severity: Severity,
    /// Tags.
    pub tags: Arc<[String]>,
    /// When.
    pub time: Timestamp,
    /// The key.
    pub key: Vec<(String, Value)>,
    /// The values.
    pub values: Vec<(String, Value)>,
    /// The bound events.
    pub bound: Vec<BoundStep>,
    /// Dropped since the last sent one.
    pub suppressed: u64,
    /// Limits that bit.
    pub notes: Vec<String>,
}

/// What one step bound.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundStep {
    /// The step's name.
    pub name: Option<String>,
    /// Its events.
    pub events: Vec<BoundEvent>,
}

/// A bound event.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundEvent {
    /// Its position.
    pub seq: Seq,
    /// Its time.
    pub ts: Timestamp,
    /// The fields the rule reads.
    pub fields: Vec<(String, Value)>,
    /// The whole line.
    pub raw: Option<String>,
}
