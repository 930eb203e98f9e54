//! What an alert says: texts, severity, values, and how many of them are sent.

use std::sync::Arc;

use crate::base::Duration;
use crate::plan::expr::Expr;

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
    Info,
    /// Look when there is time.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Look soon.
    High,
    /// Look now.
    Critical,
}

impl Severity {
    /// From least to most.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// From the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}

/// What people read about a rule.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Title, or nothing.
    pub title: Option<Arc<str>>,
    /// Tags.
    pub tags: Vec<Arc<str>>,
    /// Its id where it came from.
    pub id: Option<Arc<str>>,
    /// How far it is trusted.
    pub status: Option<Arc<str>>,
    /// Description.
    pub description: Option<Arc<str>>,
    /// What to do.
    pub runbook: Option<Arc<str>>,
    /// Author.
    pub author: Option<Arc<str>>,
    /// References.
    pub references: Vec<Arc<str>>,
    /// What else fires it.
    pub false_positives: Vec<Arc<str>>,
}

/// A severity, or how to find it.
#[derive(Clone, Debug)]
pub enum SeverityRule {
    /// Always the same.
    Fixed(Severity),
    /// A level word computed from the match; medium if it is none.
    Computed(Expr),
}

/// A value of an alert.
#[derive(Clone, Debug)]
pub enum AlertExpr {
    /// Any value.
    Value(Expr),
    /// A text with values in it.
    Template(Vec<TemplatePiece>),
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub enum TemplatePiece {
    /// Plain.
    Text(Box<str>),
    /// A value.
    Value(Expr),
}

/// `suppress d by …`
#[derive(Clone, Debug)]
pub struct Suppress {
    /// For how long after a sent alert.
    pub period: Duration,
    /// Per what, over the match; the rule's key if empty.
    pub by: Vec<Expr>,
}
