//! Tests that stand beside a rule.

use super::{ClassRef, Expr, Ident, Path, StrLit};
use crate::syntax::source::Span;

/// `test rule "name" { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct TestDecl {
    /// The rule under test.
    pub rule: Ident,
    /// What the test is called.
    pub name: Option<StrLit>,
    /// Events and expectations in written order.
    pub items: Vec<TestItem>,
    /// The whole.
    pub span: Span,
}

/// A line of a test.
#[derive(Clone, Debug, PartialEq)]
pub enum TestItem {
    /// `0s auth { outcome: "failure" } x 5 every 1s`
    Event(TestEvent),
    /// `8m stop`: time goes no further, undecided absences stay pending.
    Stop {
        /// When, in nanoseconds from the test's start.
        at: i64,
        /// The line.
        span: Span,
    },
    /// `expect alert at 30s { attempts == 5 }`
    ExpectAlert(ExpectAlert),
    /// `expect no alert`
    ExpectNone {
        /// The line.
        span: Span,
    },
}

/// An event of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestEvent {
    /// Nanoseconds from the test's start.
    pub at: i64,
    /// The class it is made to be of.
    pub class: ClassRef,
    /// Its fields.
    pub fields: Vec<(Path, TestValue)>,
    /// `x 5`
    pub times: u64,
    /// `every 1s`, in nanoseconds.
    pub every: i64,
    /// The line.
    pub span: Span,
}

/// A JSON value in a test event.
#[derive(Clone, Debug, PartialEq)]
pub enum TestValue {
    /// `null`
    Null,
    /// `true`
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    Str(String),
    /// `[…]`
    List(Vec<TestValue>),
    /// `{…}`; keys may be paths.
    Object(Vec<(Path, TestValue)>),
}

/// `expect alert at 30s { attempts == 5 }`
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectAlert {
    /// How many alerts this line stands for: `expect 3 alerts`; 1 if not written.
    pub times: u64,
    /// `expect resolved`: the notice that an alert is closed, not an alert.
    pub resolved: bool,
    /// Nanoseconds from the test's start, if written.
    pub at: Option<i64>,
    /// Conditions over the alert's values and key; each must be true.
    pub conditions: Vec<Expr>,
    /// The line.
    pub span: Span,
}
