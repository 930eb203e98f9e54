//! Expressions with every name resolved: fields are slots, steps and tables are ids, constants are folded sets.
//!
//! An expression is evaluated against one event (the *event under test*) and the events bound so far; see
//! [`super::eval`]. Invariant: patterns and sets are compiled, so evaluation cannot fail, only be missing.

use std::sync::Arc;

use hashbrown::HashSet;

use super::glob_set::{GlobSet, TextTest};
use super::net::CidrSet;
use super::pattern::Pattern;
use crate::base::function::{Aggregate, Function};
use crate::base::id::{StatId, TableId};
use crate::base::{FieldId, StepId, Value};
use crate::syntax::ast::BinaryOp;

/// A resolved expression.
#[derive(Clone, Debug)]
pub enum Expr {
    /// A literal.
    Const(Value),
    /// An attribute of the event under test.
    This(Attr),
    /// An attribute of a bound event; missing while the step is not bound.
    Bound(StepId, Which, Attr),
    /// `prev.f`: the event bound last before the event under test.
    Prev(Attr),
    /// A component of the rule's key, by its place.
    Key(usize),
    /// An aggregate over the events bound to a step.
    Aggregate(Box<AggregateExpr>),
    /// `not x`, three-valued.
    Not(Box<Expr>),
    /// `-x`
    Neg(Box<Expr>),
    /// The text, or the texts of a list, in lower case: for comparisons with the suffix `i`.
    Fold(Box<Expr>),
    /// `cidr(x, "10.0.0.0/8")` with its networks compiled.
    InNets(Box<Expr>, Arc<CidrSet>),
    /// `and`, three-valued, over two or more operands.
    And(Vec<Expr>),
    /// `or`, three-valued, over two or more operands.
    Or(Vec<Expr>),
    /// A comparison; lists compare by any element.
    Compare(BinaryOp, Box<Expr>, Box<Expr>),
    /// `+ - * / %`
    Arith(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a ?? b`
    Default(Box<Expr>, Box<Expr>),
    /// `x in ("a", "b")` over constants.
    InSet(Box<Expr>, Arc<ConstSet>),
    /// `x in (y, z)` with an element that is not constant.
    InList(Box<Expr>, Vec<Expr>),
    /// `x in @table`
    InTable(Vec<Expr>, TableId),
    /// `x like "a*"`
    Like(Box<Expr>, Arc<GlobSet>),
    /// `contains(x, "a")` and its kin with constant texts.
    HasText(Box<Expr>, Arc<TextTest>),
    /// `x =~ /re/`
    Matches(Box<Expr>, Arc<[Pattern]>),
    /// A function of values.
    Call(Function, Vec<Expr>),
    /// `@table[key].column…`; the whole row as an object if no column follows.
    Lookup(Box<Lookup>),
    /// `x.f.g` of an object.
    Member(Box<Expr>, Box<[Box<str>]>),
    /// `xs[0]`; negative counts from the end.
    Index(Box<Expr>, i64),
    /// `(a, b)`
    List(Vec<Expr>),
    /// `each(xs)` in a key: a key for each element.
    Each(Box<Expr>),
    /// `extract(x, /re/)`: the first group, or the whole match if there is none.
    Extract(Box<Expr>, Arc<Pattern>),
    /// `some(list as x where condition)`: true if the condition is for any element, three-valued.
    Some(Box<(Expr, Expr)>),
    /// The element that the condition of a [`Expr::Some`] is asked of, or a member of it: how many of them lie between.
    Element(usize, Box<[Box<str>]>),
}

/// What of an event is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attr {
    /// A field of the field plan.
    Field(FieldId),
    /// `@ts`
    Ts,
    /// `@arrival`
    Arrival,
    /// `@seq`: the line in its input.
    Seq,
    /// A running statistic, computed when the event arrived.
    Stat(StatId),
}

/// Which of the events bound to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// The oldest; also the only one of a step that is not repeated.
    First,
    /// The newest.
    Last,
    /// The n-th oldest, from 0.
    Nth(usize),
}

/// `count(distinct a.f where a.x > 1)` and its kin.
#[derive(Clone, Debug)]
pub struct AggregateExpr {
    /// Which.
    pub kind: Aggregate,
    /// Over the events of which steps; of several, in the order of events.
    pub steps: Vec<StepId>,
    /// Each different value once.
    pub distinct: bool,
    /// What is aggregated, evaluated with each bound event under test; empty for `count(a)`.
    pub args: Vec<Expr>,
    /// Only events for which this is true, evaluated likewise.
    pub filter: Option<Expr>,
    /// Of a percentile: which, from 0 to 100.
    pub percent: f64,
}

/// `@assets[host.id].owner`
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The table.
    pub table: TableId,
    /// The key, one expression a key column.
    pub key: Vec<Expr>,
    /// The columns or members that follow.
    pub path: Box<[Box<str>]>,
}

/// Constants of an `in (…)`, looked up by hash.
#[derive(Clone, Debug, Default)]
pub struct ConstSet {
    /// Encoded by [`super::key::encode_scalar`], so that `1` and `1.0` are one.
    pub exact: HashSet<Box<[u8]>, foldhash::fast::FixedState>,
    /// Lower-cased texts of elements with the suffix `i`.
    pub folded: HashSet<Box<str>, foldhash::fast::FixedState>,
}

impl Expr {
    /// Calls `f` on this expression and all below it, outermost first.
    pub fn walk(&self, f: &mut dyn FnMut(&Expr)) {
        f(self);
        match self {
            Self::Const(_) | Self::This(_) | Self::Bound(..) | Self::Prev(_) | Self::Key(_) | Self::Element(..) => {}
            Self::Some(parts) => {
                parts.0.walk(f);
                parts.1.walk(f);
            }
            Self::Aggregate(a) => {
                for e in a.args.iter().chain(&a.filter) {
                    e.walk(f);
                }
            }
            Self::Not(a)
            | Self::Neg(a)
            | Self::Fold(a)
            | Self::InNets(a, _)
            | Self::InSet(a, _)
            | Self::Like(a, _)
            | Self::HasText(a, _)
            | Self::Matches(a, _)
            | Self::Member(a, _)
            | Self::Extract(a, _)
            | Self::Each(a)
            | Self::Index(a, _) => a.walk(f),
            Self::And(xs) | Self::Or(xs) | Self::InTable(xs, _) | Self::Call(_, xs) | Self::List(xs) => {
                xs.iter().for_each(|e| e.walk(f));
            }
            Self::Compare(_, a, b) | Self::Arith(_, a, b) | Self::Default(a, b) => {
                a.walk(f);
                b.walk(f);
            }
            Self::InList(a, xs) => {
                a.walk(f);
                xs.iter().for_each(|e| e.walk(f));
            }
            Self::Lookup(l) => l.key.iter().for_each(|e| e.walk(f)),
        }
    }

    /// Whether it reads nothing but the event under test, constants and tables, and no statistic.
    pub fn is_stateless(&self) -> bool {
        let mut plain = true;
        self.walk(&mut |e| match e {
            Self::Bound(..) | Self::Prev(_) | Self::Aggregate(_) | Self::Key(_) | Self::This(Attr::Stat(_)) => {
                plain = false;
            }
            _ => {}
        });
        plain
    }

    /// Whether it reads nothing but the event under test, its statistics, constants and tables.
    pub fn is_unary(&self) -> bool {
        let mut unary = true;
        self.walk(&mut |e| {
            if matches!(e, Self::Bound(..) | Self::Prev(_) | Self::Aggregate(_) | Self::Key(_)) {
                unary = false;
            }
        });
        unary
    }

    /// The operands of an `and`, or the expression itself.
    pub fn conjuncts(self) -> Vec<Expr> {
        match self {
            Self::And(xs) => xs.into_iter().flat_map(Self::conjuncts).collect(),
            other => vec![other],
        }
    }

    /// The conjunction of these, `None` if there are none.
    pub fn all(mut parts: Vec<Expr>) -> Option<Expr> {
        match parts.len() {
            0 => None,
            1 => parts.pop(),
            _ => Some(Self::And(parts)),
        }
    }
}
