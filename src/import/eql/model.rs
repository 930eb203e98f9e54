//! A query of EQL as it was written, with spans into the source: what `parser` gives and `lower` reads.
//!
//! Names are not resolved and nothing is folded; what EQL has and Tripline refuses has been reported before, and is
//! not in here.

use crate::syntax::source::Span;

/// One query.
#[derive(Clone, Debug)]
pub(super) enum Query {
    /// `process where …`
    Event(Event),
    /// `sequence …`
    Sequence(Sequence),
}

/// `process where process.name == "cmd.exe"`
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The event category; `None` for `any`.
    pub(super) category: Option<Text>,
    /// The condition.
    pub(super) condition: Expr,
    /// From the category to the end of the condition.
    pub(super) span: Span,
}

/// `sequence by … with maxspan=… [ … ] … until [ … ]`
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    /// Keys of every stage.
    pub(super) by: Vec<Field>,
    /// In nanoseconds, and where it stands.
    pub(super) maxspan: Option<(i64, Span)>,
    /// In written order.
    pub(super) stages: Vec<Stage>,
    /// What ends a pending match.
    pub(super) until: Option<Stage>,
    /// The whole.
    pub(super) span: Span,
}

/// `[ … ] by … with runs=N`, or `![ … ]`
#[derive(Clone, Debug)]
pub(super) struct Stage {
    /// `![ … ]`
    pub(super) missing: bool,
    /// What happens.
    pub(super) event: Event,
    /// Keys of its own.
    pub(super) by: Vec<Field>,
    /// How often, one after another.
    pub(super) runs: u64,
    /// The whole.
    pub(super) span: Span,
}

/// A text with its place.
#[derive(Clone, Debug)]
pub(super) struct Text {
    /// Its value.
    pub(super) value: String,
    /// Where it stands.
    pub(super) span: Span,
}

/// `process.name`, `?user.id`
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// The parts, without backquotes; never empty.
    pub(super) parts: Vec<Text>,
    /// Written with `?`.
    pub(super) optional: bool,
    /// Where it stands.
    pub(super) span: Span,
}

/// An expression with its place.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    /// What it is.
    pub(super) kind: ExprKind,
    /// Where it stands.
    pub(super) span: Span,
}

/// The forms of expressions.
#[derive(Clone, Debug)]
pub(super) enum ExprKind {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text of either form.
    Str(String),
    /// A field of the event.
    Field(Field),
    /// `length(x)`, `endsWith~(x, ".exe")`
    Call {
        /// The name without `~`.
        name: Text,
        /// Whether `~` follows it.
        fold: bool,
        /// The arguments.
        args: Vec<Expr>,
    },
    /// `a and b and c`
    And(Vec<Expr>),
    /// `a or b or c`
    Or(Vec<Expr>),
    /// `not x`
    Not(Box<Expr>),
    /// `-x`
    Neg(Box<Expr>),
    /// `a + b`
    Arith(Arith, Box<Expr>, Box<Expr>),
    /// `a == b`
    Compare(Compare, Box<Expr>, Box<Expr>),
    /// `x in (…)`, `x : "a*"`, `x like~ ("a*", "b*")`
    Test {
        /// What is looked at.
        value: Box<Expr>,
        /// How.
        test: Test,
        /// `not in`
        negated: bool,
        /// What with; never empty.
        list: Vec<Expr>,
    },
}

/// `+ - * / %`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

/// `== != < <= > >=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Tests of a value against one or several constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// `in`
    In,
    /// `in~`
    InFold,
    /// `like`
    Like,
    /// `like~`, and `:`, which is the same.
    LikeFold,
    /// `regex`
    Regex,
    /// `regex~`
    RegexFold,
}
