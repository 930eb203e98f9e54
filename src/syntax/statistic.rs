//! The arguments of a running statistic by their place: `mean(value, window, least)`, `ewma(value, weight, least)`,
//! `prior(value, n)`.
//!
//! The one reading of the call, shared by the checker, which reports what does not fit, and the plan, which relies on
//! it. What is a duration is for the caller to say: it may be a `let`.

use super::ast::{Call, Expr, ExprKind};
use crate::base::function::Statistic;

/// A call that is a statistic.
#[derive(Clone, Copy, Debug)]
pub struct Form<'e> {
    /// Which.
    pub kind: Statistic,
    /// What it is over; `None` if nothing is written.
    pub value: Option<&'e Expr>,
    /// Over how much of the past.
    pub past: Past<'e>,
    /// With fewer values it is missing.
    pub least: Option<&'e Expr>,
    /// The first argument that it does not take.
    pub surplus: Option<&'e Expr>,
}

/// The part of the past that a statistic looks at.
#[derive(Clone, Copy, Debug)]
pub enum Past<'e> {
    /// The last `24h`.
    Time(&'e Expr),
    /// The last `4 events`.
    Events(u64),
    /// `ever`: all of it.
    Ever,
    /// All of it, the newest with this weight: `ewma`.
    Weighted(Option<&'e Expr>),
    /// The n-th previous event, the previous one if not written: `prior`.
    Back(Option<&'e Expr>),
}

/// The statistic that a call is; `None` if it is none, because its name is not that of one or it has no window.
pub fn form<'e>(call: &'e Call, is_duration: impl Fn(&Expr) -> bool) -> Option<Form<'e>> {
    let kind = Statistic::by_name(&call.name.name)?;
    let args = call.args.as_slice();
    let form = |value: Option<&'e Expr>, past, least: Option<&'e Expr>, surplus: Option<&'e Expr>| {
        Some(Form { kind, value, past, least, surplus })
    };
    match (kind, call.events) {
        (Statistic::Prior, None) => form(args.first(), Past::Back(args.get(1)), None, args.get(2)),
        (Statistic::Ewma, None) => form(args.first(), Past::Weighted(args.get(1)), args.get(2), args.get(3)),
        (_, Some(n)) => form(args.first(), Past::Events(n), args.get(1), args.get(2)),
        (_, None) => {
            let at = args.iter().enumerate().rposition(|(i, arg)| is_duration(arg) || i > 0 && is_ever(arg))?;
            let past = if is_ever(&args[at]) { Past::Ever } else { Past::Time(&args[at]) };
            let value = args[..at].first();
            form(value, past, args.get(at + 1), args[..at].get(1).or(args.get(at + 2)))
        }
    }
}

/// The word that stands in place of a window.
pub fn is_ever(arg: &Expr) -> bool {
    matches!(&arg.kind, ExprKind::Path(path) if path.parts.len() == 1 && path.parts[0].name == "ever")
}
