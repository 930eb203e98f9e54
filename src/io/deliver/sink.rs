//! What a sink is, and what it says of letters it did not take.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::Alert;
use crate::alert::format::{Format, Formatter};

/// An alert on its way to a sink.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// The alert.
    pub alert: Arc<Alert>,
    /// The names of the inputs that places of events refer to.
    pub inputs: Arc<[String]>,
}

impl Letter {
    /// The alert as text, without the line end.
    pub fn text(&self, format: Format) -> String {
        let mut text = String::new();
        Formatter::new(format, Arc::clone(&self.inputs)).write(&self.alert, &mut text);
        text.truncate(text.trim_end_matches('\n').len());
        text
    }
}

/// A place that alerts are delivered to. Blocking; every wait inside is bounded by a time-out.
pub trait Sink: Send {
    /// Hands over a batch, in order. `Ok` settles every letter that the receipt does not name.
    ///
    /// # Errors
    /// Nothing is known to have been taken. The same batch, or its parts, may come again.
    fn deliver(&mut self, letters: &[Letter]) -> Result<Receipt, Failure>;

    /// Makes durable what was delivered, as far as the sink can.
    ///
    /// # Errors
    /// It is not known to be durable.
    fn flush(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Letters that it takes at once.
    fn most(&self) -> usize {
        usize::MAX
    }

    /// Lets go of what may have been moved away, and opens it anew.
    ///
    /// # Errors
    /// It cannot be opened.
    fn reopen(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

/// What became of a batch, letter by letter, where it is not simply taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Letters that will never be taken, by their place in the batch, with the reason.
    pub refused: Vec<(usize, String)>,
    /// Letters to bring again, by their place in the batch, in order.
    pub again: Vec<usize>,
    /// Why, of the last of them.
    pub why: Option<String>,
    /// How long to wait before.
    pub after: Option<Duration>,
}

impl Receipt {
    /// All were taken.
    pub const ALL: Self = Self { refused: Vec::new(), again: Vec::new(), why: None, after: None };
}

/// A batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of trouble it is.
    pub trouble: Trouble,
    /// What happened, in words. Holds no secret.
    pub reason: String,
    /// How long the sink asks to be left alone.
    pub after: Option<Duration>,
}

/// What there is to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The sink is away, too busy, or does not let us in. No letter is at fault: it is tried until it works.
    Down,
    /// The sink was reached and failed. The letters may be at fault, so their tries are counted.
    Failed,
    /// The sink will not take this batch, however often it is brought. In parts it may.
    Refused,
}

impl Failure {
    /// The sink is away, or too busy.
    pub fn down(reason: impl fmt::Display) -> Self {
        Self { trouble: Trouble::Down, reason: reason.to_string(), after: None }
    }

    /// The sink was reached and failed.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self { trouble: Trouble::Failed, reason: reason.to_string(), after: None }
    }

    /// The sink will not take it.
    pub fn refused(reason: impl fmt::Display) -> Self {
        Self { trouble: Trouble::Refused, reason: reason.to_string(), after: None }
    }

    /// With the wait that the sink asks for.
    #[must_use]
    pub fn after(mut self, wait: Option<Duration>) -> Self {
        self.after = wait;
        self
    }
}

/// A letter for tests.
#[cfg(test)]
pub(crate) fn test_letter(id: &str, rule: &str) -> Letter {
    let alert = Alert {
        id: id.to_owned(),
        rule: crate::base::RuleId(0),
        rule_name: rule.into(),
        title: None,
        severity: crate::alert::Severity::Medium,
        tags: Arc::from([]),
        about: None,
        time: crate::base::Timestamp(0),
        key: Vec::new(),
        values: Vec::new(),
        bound: Vec::new(),
        suppressed: 0,
        notes: Vec::new(),
        notice: None,
    };
    Letter { alert: alert.into(), inputs: Arc::from([]) }
}
