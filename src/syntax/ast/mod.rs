//! The syntax tree of a rule file: owned nodes, each with the span it was read from.
//!
//! The tree is what was written, not what it means: names are unresolved, durations are expressions,
//! nothing is folded. The formatter prints it back; `check` and `plan` read it.

mod clause;
mod expr;
mod pattern;
mod test;

use super::source::Span;

pub use clause::*;
pub use expr::*;
pub use pattern::*;
pub use test::*;

/// One rule file.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct File {
    /// Declarations in the order of the file.
    pub items: Vec<Item>,
}

/// A declaration at the top level of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `event auth = …`
    Event(EventDecl),
    /// `let internal = …`
    Let(LetDecl),
    /// `table vpn from "…" key cidr`
    Table(TableDecl),
    /// `clock six = daily "06:00" "Europe/Berlin"`
    Clock(ClockDecl),
    /// `rule name { … }`
    Rule(RuleDecl),
    /// `test rule_name { … }`
    Test(TestDecl),
}

impl Item {
    /// Where the declaration stands, first keyword to last character.
    pub fn span(&self) -> Span {
        match self {
            Self::Event(d) => d.span,
            Self::Let(d) => d.span,
            Self::Table(d) => d.span,
            Self::Clock(d) => d.span,
            Self::Rule(d) => d.span,
            Self::Test(d) => d.span,
        }
    }
}

/// A name, without the backquotes it may have been written in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ident {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// A string literal: its value, escapes resolved.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct StrLit {
    /// The text.
    pub value: String,
    /// Suffix `i`: comparisons fold case.
    pub fold: bool,
    /// Written as `r"…"`.
    pub raw: bool,
    /// Where it stands.
    pub span: Span,
}

/// A dotted path as written: `source.ip`, `ok.@ts`, `` `user-agent`.name ``, `@ts`.
///
/// Whether the first part is a step, a `let` or a field is for `check` to say.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Path {
    /// The parts; never empty. An attribute keeps its `@`: `["ok", "@ts"]`. A backquoted part cannot start with `@`.
    pub parts: Vec<Ident>,
    /// Where it stands.
    pub span: Span,
}

/// `event auth = event.category == "authentication"`
#[derive(Clone, Debug, PartialEq)]
pub struct EventDecl {
    /// The class.
    pub name: Ident,
    /// What makes an event one of the class.
    pub condition: Expr,
    /// The whole declaration.
    pub span: Span,
}

/// `let internal = cidr(ip, "10.0.0.0/8")`
#[derive(Clone, Debug, PartialEq)]
pub struct LetDecl {
    /// The name.
    pub name: Ident,
    /// The expression it stands for.
    pub value: Expr,
    /// The whole declaration.
    pub span: Span,
}

/// `table vpn from "tables/vpn.csv" key cidr`
#[derive(Clone, Debug, PartialEq)]
pub struct TableDecl {
    /// The name, used as `@vpn`.
    pub name: Ident,
    /// The file, relative to the rule file.
    pub path: StrLit,
    /// What it is looked up by: columns, or one of the single words `cidr` and `polygon`.
    pub key: Vec<Ident>,
    /// The whole declaration.
    pub span: Span,
}

impl TableDecl {
    /// How many values a look-up gives: one a column, latitude and longitude for areas.
    pub fn key_length(&self) -> usize {
        match self.key.as_slice() {
            [only] if only.name == "polygon" => 2,
            columns => columns.len(),
        }
    }
}

/// `rule name "Title" { clauses }`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct RuleDecl {
    /// The name, unique in a rule set.
    pub name: Ident,
    /// The title after the name.
    pub title: Option<StrLit>,
    /// Clauses in written order.
    pub clauses: Vec<Clause>,
    /// The whole declaration.
    pub span: Span,
}

/// `clock six = daily "06:00" "Europe/Berlin"`: a class of events that time itself brings.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockDecl {
    /// The class.
    pub name: Ident,
    /// When it ticks.
    pub ticks: ClockTicks,
    /// The whole declaration.
    pub span: Span,
}

/// When a clock ticks.
#[derive(Clone, Debug, PartialEq)]
pub enum ClockTicks {
    /// `daily "06:00" "Europe/Berlin"`
    Daily(ClockTime),
    /// `weekdays "06:00"`: Monday to Friday.
    Weekdays(ClockTime),
    /// `weekly "mon 06:00"`
    Weekly(ClockTime),
    /// `every 15m`
    Every(Expr),
}

/// A time of day, with the day of the week where one is asked for, and the zone.
#[derive(Clone, Debug, PartialEq)]
pub struct ClockTime {
    /// `"06:00"`, `"mon 06:00"`
    pub time: StrLit,
    /// `"Europe/Berlin"`; UTC if none is written.
    pub zone: Option<StrLit>,
}
