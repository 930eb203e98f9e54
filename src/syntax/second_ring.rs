//! Constructs that the language has and this version does not build yet: each is recognised and refused by name.
//!
//! Each has a grammar rule of its own (`later_*`).

use super::build::Builder;
use super::source::Span;
use crate::diag::{Code, Diagnostic};

/// A construct that is refused.
#[derive(Debug)]
pub(super) struct Later {
    pub(super) code: &'static str,
    /// As the user would call it, in backquotes where it is a keyword; several where one code stands for several.
    pub(super) name: &'static str,
    /// What to do until it is built.
    pub(super) instead: &'static str,
}

macro_rules! later {
    ($($id:ident = $code:literal, $name:literal, $instead:literal;)*) => {
        $(pub(super) const $id: Later = Later { code: $code, name: $name, instead: $instead };)*
    };
}

later! {
    GROUP_ABSENCE = "E0105", "the absence of a group", "name the single class that must not come: `no X within d`";
}

impl Builder<'_> {
    /// Refuses a construct.
    pub(super) fn later(&mut self, what: &Later, span: Span) {
        self.later_named(what, what.name, span);
    }

    /// Refuses one of several constructs that share a code.
    pub(super) fn later_named(&mut self, what: &Later, name: &str, span: Span) {
        self.report(
            Diagnostic::error(
                Code(what.code),
                format!("{name} is not built yet"),
                span,
                "part of the language, but not of this version",
            )
            .note("the rule is refused, because leaving this out would change what it means")
            .help(what.instead),
        );
    }
}
