//! Expressions of the oracle: what conditions, `having` and statistics are made of.

use super::event::Ms;
use super::statistic::Call;

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Num(f64),
    Str(String),
    Bool(bool),
    Span(Ms),
    /// A field of the current event.
    Field(String),
    /// `a.f`, `first(a).f`, `last(a).f`
    Of(Sel, String, String),
    /// `prev.f`
    Prev(String),
    /// `count(a)`, `count(a where …)`
    Count(String, Option<Box<Expr>>),
    /// `count(distinct a.f)`
    CountDistinct(String, String),
    /// `sum(a.f)`
    Agg(Agg, String, String),
    /// `nth(a, 2).f`
    Nth(String, usize, String),
    /// `percentile(a.f, 95)`
    Percentile(String, String, f64),
    /// `count((a, b))`, `count((a, b) where …)`
    CountOver(Vec<String>, Option<Box<Expr>>),
    /// `count(distinct (a, b).f)`
    CountDistinctOver(Vec<String>, String),
    /// `sum((a, b).f)`
    AggOver(Agg, Vec<String>, String),
    /// `mean(v, 5s)`
    Stat(Box<Call>),
    Exists(Box<Expr>),
    Not(Box<Expr>),
    Bin(Op, Box<Expr>, Box<Expr>),
    /// `x in (1, 2)`
    In(Box<Expr>, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sel {
    Plain,
    First,
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Agg {
    Min,
    Max,
    Sum,
    Avg,
    Stddev,
    Median,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Default,
    Add,
    Sub,
    Mul,
    Div,
}

impl Expr {
    pub fn bin(op: Op, a: Expr, b: Expr) -> Expr {
        Expr::Bin(op, Box::new(a), Box::new(b))
    }

    pub fn field(name: &str) -> Expr {
        Expr::Field(name.to_string())
    }

    /// Calls `f` on this expression and every one inside it.
    pub fn walk(&self, f: &mut dyn FnMut(&Expr)) {
        f(self);
        match self {
            Self::Exists(a) | Self::Not(a) => a.walk(f),
            Self::Bin(_, a, b) => {
                a.walk(f);
                b.walk(f);
            }
            Self::In(a, items) => {
                a.walk(f);
                items.iter().for_each(|e| e.walk(f));
            }
            Self::Count(_, Some(a)) | Self::CountOver(_, Some(a)) => a.walk(f),
            Self::Stat(call) => call.cond.iter().for_each(|c| c.walk(f)),
            _ => {}
        }
    }

    /// The step names it reads.
    pub fn names(&self) -> Vec<String> {
        let mut out = vec![];
        self.walk(&mut |e| match e {
            Self::Of(_, n, _)
            | Self::Count(n, _)
            | Self::CountDistinct(n, _)
            | Self::Agg(_, n, _)
            | Self::Nth(n, ..)
            | Self::Percentile(n, ..) => out.push(n.clone()),
            Self::CountOver(ns, _) | Self::CountDistinctOver(ns, _) | Self::AggOver(_, ns, _) => out.extend(ns.clone()),
            _ => {}
        });
        out
    }

    /// Whether it reads `prev`.
    pub fn reads_prev(&self) -> bool {
        let mut found = false;
        self.walk(&mut |e| found |= matches!(e, Self::Prev(_)));
        found
    }

    /// Whether it has a running statistic.
    pub fn has_stat(&self) -> bool {
        let mut found = false;
        self.walk(&mut |e| found |= matches!(e, Self::Stat(..)));
        found
    }
}
