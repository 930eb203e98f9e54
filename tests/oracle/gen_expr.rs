//! Random conditions over few fields and small numbers, so that they hold about as often as not.

use super::expr::{Agg, Expr, Op, Sel};
use super::random::Random;
use super::statistic::{Call, Stat, Window};

/// A name that a condition may read.
#[derive(Clone, Debug)]
pub struct Name {
    pub name: String,
    /// Repeated: read through `first`, `last` and aggregates.
    pub many: bool,
}

/// What a condition may read besides fields.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub names: Vec<Name>,
    /// The step's own name, if it is repeated.
    pub own: Option<String>,
    pub prev: bool,
    pub stats: bool,
}

const COMPARISONS: [Op; 6] = [Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge];

/// A condition for a step or a guard.
pub fn condition(r: &mut Random, scope: &Scope) -> Expr {
    let first = simple(r, scope);
    match r.below(12) {
        0 => Expr::bin(Op::And, first, simple(r, scope)),
        1 => Expr::bin(Op::Or, first, simple(r, scope)),
        2 => Expr::Not(Box::new(first)),
        _ => first,
    }
}

fn simple(r: &mut Random, scope: &Scope) -> Expr {
    let cross = !scope.names.is_empty();
    let weights = [
        40,
        if cross { 40 } else { 0 },
        if scope.prev { 20 } else { 0 },
        if scope.own.is_some() { 20 } else { 0 },
        if scope.stats { 9 } else { 0 },
        8,
    ];
    match r.weighted(&weights) {
        0 => unary(r),
        1 => {
            let name = r.choose(&scope.names).clone();
            let field = *r.choose(&["v", "v", "w", "w", "j"]);
            let op = if field == "j" || r.percent(35) { Op::Eq } else { *r.choose(&COMPARISONS) };
            let other = of(r, &name, field, op);
            Expr::bin(op, Expr::field(field), other)
        }
        2 => {
            let field = *r.choose(&["v", "v", "w"]);
            let previous = Expr::Prev(field.to_string());
            let previous = if r.percent(25) {
                Expr::bin(Op::Default, previous, Expr::Num(r.within(0, 2) as f64))
            } else {
                previous
            };
            Expr::bin(*r.choose(&COMPARISONS), Expr::field(field), previous)
        }
        3 => {
            let own = scope.own.clone().expect("weighted");
            match r.below(4) {
                0 => Expr::bin(Op::Lt, Expr::Count(own, None), Expr::Num(r.within(1, 3) as f64)),
                1 => Expr::bin(
                    *r.choose(&COMPARISONS),
                    Expr::field("v"),
                    Expr::bin(Op::Default, Expr::Of(Sel::Last, own, "v".into()), Expr::Num(1.0)),
                ),
                2 => Expr::bin(
                    Op::Ge,
                    Expr::field("v"),
                    Expr::bin(Op::Default, Expr::Agg(Agg::Max, own, "v".into()), Expr::Num(0.0)),
                ),
                _ => Expr::bin(
                    Op::Le,
                    Expr::bin(Op::Default, Expr::Agg(Agg::Sum, own, "v".into()), Expr::Num(0.0)),
                    Expr::Num(r.within(2, 6) as f64),
                ),
            }
        }
        4 => statistic(r),
        _ => match r.below(4) {
            0 => Expr::Exists(Box::new(Expr::field("w"))),
            1 => Expr::Not(Box::new(Expr::Exists(Box::new(Expr::field("w"))))),
            2 => {
                let items = vec![Expr::Num(r.within(0, 2) as f64), Expr::Num(r.within(2, 4) as f64)];
                Expr::In(Box::new(Expr::field("v")), items)
            }
            _ => Expr::bin(Op::Gt, Expr::bin(Op::Add, Expr::field("v"), Expr::field("w")), Expr::Num(2.0)),
        },
    }
}

fn unary(r: &mut Random) -> Expr {
    match r.below(5) {
        0 => Expr::bin(Op::Eq, Expr::field("j"), Expr::Str(r.choose(&["p", "q"]).to_string())),
        1 => Expr::bin(*r.choose(&COMPARISONS), Expr::field("w"), Expr::Num(r.within(0, 2) as f64)),
        _ => Expr::bin(*r.choose(&COMPARISONS), Expr::field("v"), Expr::Num(r.within(1, 3) as f64)),
    }
}

/// A value of another step.
fn of(r: &mut Random, name: &Name, field: &str, op: Op) -> Expr {
    let text = field.to_string();
    if !name.many {
        return Expr::Of(Sel::Plain, name.name.clone(), text);
    }
    if field == "j" || op == Op::Eq || r.percent(50) {
        let sel = if r.percent(50) { Sel::First } else { Sel::Last };
        return Expr::Of(sel, name.name.clone(), text);
    }
    match r.below(3) {
        0 => Expr::Count(name.name.clone(), None),
        _ => Expr::Agg(*r.choose(&[Agg::Min, Agg::Max, Agg::Avg]), name.name.clone(), text),
    }
}

fn statistic(r: &mut Random) -> Expr {
    let field = r.choose(&["v", "v", "w"]).to_string();
    let window =
        if r.percent(60) { Window::Time(r.within(1, 5) * 1000) } else { Window::Events(r.within(1, 4) as usize) };
    let stat =
        *r.choose(&[Stat::Count, Stat::Sum, Stat::Min, Stat::Max, Stat::Last, Stat::Mean, Stat::Stddev, Stat::Zscore]);
    let mut call = Call::new(stat, field.clone(), window);
    options(r, &mut call);
    let stat = call.stat;
    let value = Expr::Stat(Box::new(call));
    match stat {
        Stat::Rate => Expr::bin(*r.choose(&COMPARISONS), value, Expr::Num(*r.choose(&[0.5, 1.0]))),
        Stat::Count => Expr::bin(*r.choose(&COMPARISONS), value, Expr::Num(r.within(1, 2) as f64)),
        // No small numbers give these values exactly, so rounding cannot decide.
        Stat::Stddev => Expr::bin(Op::Gt, value, Expr::Num(*r.choose(&[0.5123, 1.1234]))),
        Stat::Zscore => Expr::bin(*r.choose(&[Op::Gt, Op::Lt]), value, Expr::Num(*r.choose(&[0.2345, 0.8123]))),
        Stat::Mean => Expr::bin(*r.choose(&[Op::Gt, Op::Lt]), Expr::field(&field), value),
        _ => Expr::bin(*r.choose(&COMPARISONS), Expr::field(&field), value),
    }
}

/// Aggregates over two steps, percentiles and the n-th event.
fn over_several(r: &mut Random, names: &[Name]) -> Expr {
    let mut two: Vec<String> = vec![r.choose(names).name.clone(), r.choose(names).name.clone()];
    two.dedup();
    let many: Vec<&Name> = names.iter().filter(|n| n.many).collect();
    let number = |r: &mut Random, from, to| Expr::Num(r.within(from, to) as f64);
    if let (Some(name), true) = (many.first(), r.percent(50)) {
        let name = name.name.clone();
        if r.percent(50) {
            let nth = Expr::Nth(name, 1 + r.below(3), "v".into());
            return Expr::bin(*r.choose(&COMPARISONS), nth, number(r, 1, 3));
        }
        // Ranks of a few whole numbers at these places are quarters and halves, which floats have exactly.
        let percentile = Expr::Percentile(name, "v".into(), *r.choose(&[0.0, 25.0, 50.0, 75.0, 100.0]));
        return Expr::bin(*r.choose(&[Op::Gt, Op::Le]), percentile, Expr::Num(*r.choose(&[1.0625, 2.0625])));
    }
    // One name in parentheses is that name.
    if two.len() < 2 {
        return Expr::bin(Op::Ge, Expr::Count(two.swap_remove(0), None), Expr::Num(1.0));
    }
    match r.below(4) {
        0 => Expr::bin(Op::Ge, Expr::CountOver(two, None), number(r, 2, 4)),
        1 => {
            let large = Expr::bin(Op::Gt, Expr::field("v"), Expr::Num(1.0));
            Expr::bin(Op::Ge, Expr::CountOver(two, Some(Box::new(large))), number(r, 1, 2))
        }
        2 => Expr::bin(*r.choose(&COMPARISONS), Expr::CountDistinctOver(two, "v".into()), number(r, 1, 3)),
        _ => {
            let agg = *r.choose(&[Agg::Min, Agg::Max, Agg::Sum, Agg::Median]);
            Expr::bin(*r.choose(&COMPARISONS), Expr::AggOver(agg, two, "v".into()), number(r, 1, 5))
        }
    }
}

/// What few statistics have: another function, window or key, a filter, a least number of values.
fn options(r: &mut Random, call: &mut Call) {
    match r.below(12) {
        0 => {
            call.stat = Stat::Rate;
            call.window = Window::Time(r.within(1, 5) * 1000);
        }
        1 => {
            call.stat = Stat::Ewma;
            call.window = Window::Weight(*r.choose(&[50, 30, 100]));
        }
        2 | 3 => {
            call.stat = Stat::Prior;
            call.window = Window::Back(r.within(1, 2) as usize);
        }
        4 => call.window = Window::Ever,
        _ => {}
    }
    if r.percent(10) && call.stat != Stat::Prior && !matches!(call.window, Window::Events(n) if n < 3) {
        call.least = Some(3);
    }
    if r.percent(10) {
        call.cond = Some(unary(r));
    }
    if r.percent(10) {
        call.by = r.choose(&[&["k"][..], &["j"], &["k", "j"], &["w"]]).iter().map(ToString::to_string).collect();
    }
}

/// A `having` over the whole match.
pub fn having(r: &mut Random, names: &[Name]) -> Expr {
    let one = |r: &mut Random| {
        let name = r.choose(names).clone();
        if !name.many {
            let other = r.choose(names).clone();
            return match r.below(3) {
                0 => Expr::bin(Op::Ge, Expr::Of(Sel::Plain, name.name, "v".into()), Expr::Num(r.within(1, 2) as f64)),
                1 => Expr::bin(
                    *r.choose(&COMPARISONS),
                    Expr::Of(Sel::Plain, name.name, "v".into()),
                    of(r, &other, "v", Op::Eq),
                ),
                _ => Expr::bin(Op::Ge, Expr::Count(name.name, None), Expr::Num(1.0)),
            };
        }
        let n = name.name;
        match r.below(8) {
            0 => Expr::bin(Op::Ge, Expr::Count(n, None), Expr::Num(r.within(1, 3) as f64)),
            1 => Expr::bin(Op::Ge, Expr::Agg(Agg::Sum, n, "v".into()), Expr::Num(r.within(2, 6) as f64)),
            2 => Expr::bin(Op::Lt, Expr::Agg(Agg::Max, n, "v".into()), Expr::Num(r.within(2, 4) as f64)),
            3 => Expr::bin(Op::Ge, Expr::CountDistinct(n, "v".into()), Expr::Num(2.0)),
            4 => Expr::bin(Op::Lt, Expr::Of(Sel::First, n.clone(), "v".into()), Expr::Of(Sel::Last, n, "v".into())),
            5 => Expr::bin(Op::Gt, Expr::Agg(Agg::Avg, n, "v".into()), Expr::Num(1.5)),
            6 => Expr::bin(
                Op::Ge,
                Expr::Count(n, Some(Box::new(Expr::bin(Op::Gt, Expr::field("v"), Expr::Num(1.0))))),
                Expr::Num(1.0),
            ),
            _ => Expr::bin(
                Op::Le,
                Expr::bin(Op::Sub, Expr::Of(Sel::Last, n.clone(), "@ts".into()), Expr::Of(Sel::First, n, "@ts".into())),
                Expr::Span(r.within(1, 4) * 1000),
            ),
        }
    };
    let first = one(r);
    let whole = if r.percent(15) { Expr::bin(Op::And, first, one(r)) } else { first };
    if r.percent(12) { over_several(r, names) } else { whole }
}
