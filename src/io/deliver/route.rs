//! Which alerts an output gets: by severity, tag and rule.

use crate::alert::{Alert, Severity};
use crate::base::wildcard::fits;

/// What an output wants. Everything that is said must hold; of several patterns, one is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The least severity.
    pub min_severity: Option<Severity>,
    /// Tags, one of which the rule has.
    pub tags: Vec<Pattern>,
    /// Names, one of which is the rule's.
    pub rules: Vec<Pattern>,
}

impl Route {
    /// Whether the output wants this alert.
    pub fn takes(&self, alert: &Alert) -> bool {
        self.min_severity.is_none_or(|least| alert.severity >= least)
            && (self.tags.is_empty() || alert.tags.iter().any(|tag| self.tags.iter().any(|p| p.fits(tag))))
            && (self.rules.is_empty() || self.rules.iter().any(|p| p.fits(&alert.rule_name)))
    }

    /// Whether it takes everything.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// A text in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text is of this form.
    pub fn fits(&self, text: &str) -> bool {
        fits(&self.0, text)
    }
}
