//! Diagnostics: problems of rule and configuration files as values.
//!
//! A [`Diagnostic`] carries a stable code, a plain sentence, labelled spans, what follows from the
//! problem and a way out. Nothing here prints; renderings are in `render`.

pub mod code;
pub mod codes;
pub mod escape;
pub mod render;

use crate::syntax::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The rule set does not run.
    Error,
    /// It runs, but perhaps not as meant.
    Warning,
}

/// A stable code: `E0213`, `W0301`. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// A span with what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The text that is meant.
    pub span: Span,
    /// A few words under the carets; may be empty.
    pub text: String,
}

/// A replacement that can be pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What is replaced; an empty span inserts.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// Error or warning.
    pub level: Level,
    /// What is wrong, one plain sentence without a full stop.
    pub message: String,
    /// Where; the first label is the main one.
    pub labels: Vec<Label>,
    /// What follows from it (`consequence`), and facts that explain it.
    pub notes: Vec<String>,
    /// The way out.
    pub help: Option<String>,
    /// The way out as an edit.
    pub fix: Option<Fix>,
    /// The text was read on as if the edit had been made: nothing is missing in the tree because of this.
    pub mended: bool,
}

impl Diagnostic {
    /// An error with its main label.
    pub fn error(code: Code, message: impl Into<String>, span: Span, label: impl Into<String>) -> Self {
        Self {
            code,
            level: Level::Error,
            message: message.into(),
            labels: vec![Label { span, text: label.into() }],
            notes: Vec::new(),
            help: None,
            fix: None,
            mended: false,
        }
    }

    /// A warning with its main label.
    pub fn warning(code: Code, message: impl Into<String>, span: Span, label: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(code, message, span, label) }
    }

    /// Adds a further label.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a note.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Sets the way out in words.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Sets the way out as an edit.
    #[must_use]
    pub fn fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, replacement: replacement.into() });
        self
    }

    /// Says that the text was read on as if the edit had been made.
    #[must_use]
    pub fn mended(mut self) -> Self {
        self.mended = true;
        self
    }
}
