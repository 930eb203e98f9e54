//! Expressions.

use std::hash::{Hash, Hasher};

use super::{Ident, KeyItem, Path, StrLit};
use crate::syntax::source::Span;

/// An expression with its span.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands, parentheses included.
    pub span: Span,
}

/// The forms of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `"text"`, `"text"i`, `r"text"`
    Str(StrLit),
    /// `5`: any integer that fits `i64` or `u64`.
    Int(i128),
    /// `0.95`, `1e3`
    Float(f64),
    /// `true`, `false`
    Bool(bool),
    /// `5m`, `1h30m`: nanoseconds.
    Duration(i64),
    /// A field, `step.field`, `let` name, `prev.field`, `@ts`, or a bare level word.
    Path(Path),
    /// `f(x, y)`; also aggregates over steps and running statistics.
    Call(Call),
    /// `not x`
    Not(Box<Expr>),
    /// `-x`
    Neg(Box<Expr>),
    /// `a + b`, `a and b`, `a == b`, `a ?? b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `x in (1, 2)`, `x in @table`, `x not in (…)`
    In {
        /// What is sought.
        value: Box<Expr>,
        /// Where.
        set: InSet,
        /// `not in`
        negated: bool,
    },
    /// `x like "*.exe"i`, `x like ("a*", "b*")`
    Like {
        /// The text.
        value: Box<Expr>,
        /// Any of these globs; never empty.
        patterns: Vec<StrLit>,
        /// `not like`
        negated: bool,
    },
    /// `x =~ /re/i`, `x =~ (/a/, /b/)`
    Matches {
        /// The text.
        value: Box<Expr>,
        /// Any of these; never empty.
        patterns: Vec<RegexLit>,
    },
    /// `(a, b)`: a list of values.
    List(Vec<Expr>),
    /// `@assets[host.id]` ; fields follow by [`ExprKind::Member`].
    Lookup {
        /// The table, without its `@`.
        table: Ident,
        /// The key, one expression a column.
        key: Vec<Expr>,
    },
    /// `first(a).f`, `@assets[k].owner`, `xs[0].f`
    Member(Box<Expr>, Vec<Ident>),
    /// `xs[0]`
    Index(Box<Expr>, i64),
    /// `some(xs as x where …)`: whether the condition is true for an element, which it reads by the name.
    AnyElement {
        /// The list.
        list: Box<Expr>,
        /// What the condition calls an element.
        name: Ident,
        /// The condition.
        condition: Box<Expr>,
    },
    /// `/re/` as an argument of a call; stands nowhere else.
    Regex(RegexLit),
    /// `< 10m` after `within` or `in last`: the bound itself is excluded. Stands nowhere else.
    Below(Box<Expr>),
}

/// Derived but for the bits of floating numbers.
impl Hash for ExprKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Str(text) => text.hash(state),
            Self::Int(number) => number.hash(state),
            Self::Float(number) => number.to_bits().hash(state),
            Self::Bool(flag) => flag.hash(state),
            Self::Duration(length) => length.hash(state),
            Self::Path(path) => path.hash(state),
            Self::Call(call) => call.hash(state),
            Self::Not(inner) | Self::Neg(inner) | Self::Below(inner) => inner.hash(state),
            Self::Binary(op, left, right) => (op, left, right).hash(state),
            Self::In { value, set, negated } => (value, set, negated).hash(state),
            Self::Like { value, patterns, negated } => (value, patterns, negated).hash(state),
            Self::Matches { value, patterns } => (value, patterns).hash(state),
            Self::List(items) => items.hash(state),
            Self::Lookup { table, key } => (table, key).hash(state),
            Self::Member(inner, path) => (inner, path).hash(state),
            Self::Index(inner, at) => (inner, at).hash(state),
            Self::AnyElement { list, name, condition } => (list, name, condition).hash(state),
            Self::Regex(regex) => regex.hash(state),
        }
    }
}

/// `/re/i`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct RegexLit {
    /// The text between the slashes, `\/` unescaped.
    pub pattern: String,
    /// Suffix `i`.
    pub fold: bool,
    /// Where it stands.
    pub span: Span,
}

/// Where `in` looks.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum InSet {
    /// `(1, 2, 3)`
    List(Vec<Expr>),
    /// `@table`
    Table(Ident),
}

/// `count(distinct a.f where a.x > 1)`, `zscore(value, 24h)`, `mean(x, 4 events)`
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Call {
    /// The function.
    pub name: Ident,
    /// `distinct` before the first argument.
    pub distinct: bool,
    /// The arguments.
    pub args: Vec<Expr>,
    /// `4 events` as the last argument: a window by count.
    pub events: Option<u64>,
    /// `where …` after the arguments.
    pub condition: Option<Box<Expr>>,
    /// `by …` after that: the key of a running statistic of its own.
    pub by: Vec<KeyItem>,
}

/// Operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `??`
    Default,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
}

impl BinaryOp {
    /// The comparison with its sides exchanged: `a < b` is `b > a`. Other operators stay.
    pub fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            other => other,
        }
    }

    /// The comparison that holds for two values where this one does not. Other operators stay.
    pub fn opposite(self) -> Self {
        match self {
            Self::Eq => Self::Ne,
            Self::Ne => Self::Eq,
            Self::Lt => Self::Ge,
            Self::Le => Self::Gt,
            Self::Gt => Self::Le,
            Self::Ge => Self::Lt,
            other => other,
        }
    }

    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Default => "??",
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Rem => "%",
        }
    }
}
