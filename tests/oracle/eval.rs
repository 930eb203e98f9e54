//! Truth of conditions: classes, keys, expressions over a current event and the names bound so far.

use super::event::{Event, Val};
use super::expr::{Agg, Expr, Op, Sel};
use super::rule::{Bound, Guard, KeyComp, Rule, Step};

/// Key components with their values; a missing value of an optional component is `null`.
pub type Env = Vec<(String, String)>;

/// What is bound: for each step id the events' indexes, in order.
pub type Binds = Vec<Vec<usize>>;

/// A rule over a whole stream, events in order `(ts, seq)`.
pub struct World<'a> {
    pub rule: &'a Rule,
    pub events: &'a [Event],
    /// The rule's key that is looked at: that of events which time brings, as they belong to every key.
    pub key: Env,
}

/// Where an expression is read.
#[derive(Clone, Copy)]
pub struct At<'b> {
    /// The current event, for bare fields.
    pub event: Option<usize>,
    pub binds: &'b Binds,
    /// What `prev` is.
    pub prev: Option<usize>,
    /// The step whose condition this is, for statistics.
    pub step: Option<&'b Step>,
}

impl World<'_> {
    /// Whether the event is of one of the classes.
    pub fn is_class(&self, event: usize, classes: &[String]) -> bool {
        classes.iter().any(|class| {
            if class == "any" {
                return !self.events[event].is_timed();
            }
            if class == "T" && self.rule.clock.is_some() {
                return self.events[event].seq == super::event::TICK;
            }
            match self.rule.classes.iter().find(|(name, _)| name == class) {
                Some((_, cond)) => {
                    let none = vec![];
                    self.truth(cond, At { event: Some(event), binds: &none, prev: None, step: None }) == Some(true)
                }
                None => self.events[event].class == *class,
            }
        })
    }

    /// The event's keys under these components: none if a part is missing, several by `each`.
    pub fn keys(&self, comps: &[KeyComp], event: usize) -> Vec<Env> {
        if self.events[event].is_timed() {
            // It goes to every key.
            return vec![vec![]];
        }
        let mut keys: Vec<Env> = vec![vec![]];
        for c in comps {
            let values = if c.each {
                self.events[event].list(&c.field).iter().map(|s| Val::Str(s.clone())).collect()
            } else if let Some(expr) = &c.expr {
                let none = vec![];
                vec![self.value(expr, At { event: Some(event), binds: &none, prev: None, step: None })]
            } else {
                vec![self.events[event].field(&c.field)]
            };
            let mut texts: Vec<String> = vec![];
            for value in values {
                let text = match value {
                    Val::Missing if c.optional => "null".to_string(),
                    Val::Missing => continue,
                    Val::Num(n) => format!("{n}"),
                    Val::Str(s) => format!("\"{s}\""),
                    Val::Bool(b) => format!("{b}"),
                    other => panic!("no key: {other:?}"),
                };
                if !texts.contains(&text) {
                    texts.push(text);
                }
            }
            if texts.is_empty() && c.each && c.optional {
                texts.push("null".to_string());
            }
            let longer = |key: &Env| {
                let key = key.clone();
                let name = c.name.clone();
                texts.iter().map(move |t| [key.clone(), vec![(name.clone(), t.clone())]].concat()).collect::<Vec<_>>()
            };
            keys = keys.iter().flat_map(longer).collect();
        }
        keys
    }

    /// The first of the event's keys that agrees with what is known of the key.
    pub fn key(&self, comps: &[KeyComp], event: usize, known: &Env) -> Option<Env> {
        self.keys(comps, event).into_iter().find(|key| agree(known, key))
    }

    /// Whether a guard is met by an event: class, key and condition.
    /// `guarded` are the components of the step it guards, `env` their values.
    pub fn meets(&self, guard: &Guard, event: usize, guarded: &[KeyComp], env: &Env, binds: &Binds) -> bool {
        self.is_class(event, &guard.classes)
            && self.key(&self.rule.guard_comps(guard, guarded), event, env).is_some()
            && guard
                .cond
                .as_ref()
                .is_none_or(|c| self.truth(c, At { event: Some(event), binds, prev: None, step: None }) == Some(true))
    }

    /// Three-valued truth: `None` is missing.
    pub fn truth(&self, expr: &Expr, at: At<'_>) -> Option<bool> {
        match self.value(expr, at) {
            Val::Bool(b) => Some(b),
            _ => None,
        }
    }

    pub fn value(&self, expr: &Expr, at: At<'_>) -> Val {
        let list = |name: &str| -> &[usize] {
            let step = self.rule.step_named(name).map(|s| s.id).or_else(|| self.rule.absent_named(name));
            let step = step.unwrap_or_else(|| panic!("no step named {name}"));
            at.binds.get(step).map_or(&[], |l| l)
        };
        let of = |index: Option<&usize>, field: &str| index.map_or(Val::Missing, |&i| self.events[i].field(field));
        match expr {
            Expr::Of(Sel::Plain, name, f) if self.rule.named_last(name).is_some() => {
                of(self.looked_back(name, at).as_ref(), f)
            }
            Expr::Num(n) => Val::Num(*n),
            Expr::Str(s) => Val::Str(s.clone()),
            Expr::Bool(b) => Val::Bool(*b),
            Expr::Span(d) => Val::Span(*d),
            Expr::Field(f) => of(at.event.as_ref(), f),
            Expr::Of(Sel::Plain | Sel::First, name, f) => of(list(name).first(), f),
            Expr::Of(Sel::Last, name, f) => of(list(name).last(), f),
            Expr::Prev(f) => of(at.prev.as_ref(), f),
            Expr::Count(name, cond) => {
                let holds = |&&i: &&usize| {
                    cond.as_ref().is_none_or(|c| self.truth(c, At { event: Some(i), ..at }) == Some(true))
                };
                Val::Num(list(name).iter().filter(holds).count() as f64)
            }
            Expr::CountDistinct(name, f) => {
                let mut seen: Vec<Val> = vec![];
                for value in list(name).iter().map(|&i| self.events[i].field(f)) {
                    if value != Val::Missing && !seen.contains(&value) {
                        seen.push(value);
                    }
                }
                Val::Num(seen.len() as f64)
            }
            Expr::Agg(agg, name, f) => {
                let numbers = list(name).iter().filter_map(|&i| number(&self.events[i].field(f))).collect();
                aggregate(*agg, numbers)
            }
            Expr::Nth(name, n, f) => of(list(name).get(n - 1), f),
            Expr::Percentile(name, f, p) => {
                let mut xs: Vec<f64> = list(name).iter().filter_map(|&i| number(&self.events[i].field(f))).collect();
                xs.sort_by(f64::total_cmp);
                let Some(last) = xs.len().checked_sub(1) else { return Val::Missing };
                let place = p / 100.0 * last as f64;
                let (low, high) = (xs[place.floor() as usize], xs[place.ceil() as usize]);
                Val::Num(low + (high - low) * (place - place.floor()))
            }
            Expr::CountOver(names, cond) => {
                let holds =
                    |i: &usize| cond.as_ref().is_none_or(|c| self.truth(c, At { event: Some(*i), ..at }) == Some(true));
                let all = names.iter().flat_map(|n| list(n)).copied();
                Val::Num(all.filter(holds).count() as f64)
            }
            Expr::CountDistinctOver(names, f) => {
                let mut seen: Vec<Val> = vec![];
                for value in names.iter().flat_map(|n| list(n)).map(|&i| self.events[i].field(f)) {
                    if value != Val::Missing && !seen.contains(&value) {
                        seen.push(value);
                    }
                }
                Val::Num(seen.len() as f64)
            }
            Expr::AggOver(agg, names, f) => {
                let all = names.iter().flat_map(|n| list(n));
                aggregate(*agg, all.filter_map(|&i| number(&self.events[i].field(f))).collect())
            }
            Expr::Stat(call) => self.statistic(call, at),
            Expr::Exists(a) => Val::Bool(self.value(a, at) != Val::Missing),
            Expr::Not(a) => self.truth(a, at).map_or(Val::Missing, |b| Val::Bool(!b)),
            Expr::Bin(op, a, b) => self.binary(*op, a, b, at),
            Expr::In(a, items) => {
                let value = self.value(a, at);
                if value == Val::Missing {
                    return Val::Missing;
                }
                Val::Bool(items.iter().any(|item| self.value(item, at) == value))
            }
        }
    }

    /// The newest event that a named `if` sees: from the current event in the own `where` of its step, else from the
    /// event that the step bound.
    pub fn looked_back(&self, name: &str, at: At<'_>) -> Option<usize> {
        let (step, last) = self.rule.named_last(name).unwrap_or_else(|| panic!("nothing named {name}"));
        let own = at.step.is_some_and(|s| s.id == step.id);
        let event = if own { at.event? } else { *at.binds.get(step.id)?.first()? };
        let mut binds = at.binds.clone();
        if !step.repeated() {
            binds[step.id] = vec![event];
        }
        let comps = self.rule.comps(step);
        let env = if self.events[event].is_timed() { self.key.clone() } else { self.key(&comps, event, &vec![])? };
        let length = match &last.computed {
            None => last.d,
            Some(d) => match self.value(d, At { event: None, binds: &binds, prev: None, step: None }) {
                Val::Span(d) => Bound::closed(d),
                _ => return None,
            },
        };
        (0..event).rev().find(|&x| {
            length.holds(self.events[event].ts - self.events[x].ts)
                && last.events.iter().any(|g| self.meets(g, x, &comps, &env, &binds))
        })
    }

    fn binary(&self, op: Op, a: &Expr, b: &Expr, at: At<'_>) -> Val {
        let logic = |t: Option<bool>| t.map_or(Val::Missing, Val::Bool);
        match op {
            Op::And => logic(match (self.truth(a, at), self.truth(b, at)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            }),
            Op::Or => logic(match (self.truth(a, at), self.truth(b, at)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            }),
            Op::Default => match self.value(a, at) {
                Val::Missing => self.value(b, at),
                value => value,
            },
            _ => combine(op, self.value(a, at), self.value(b, at)),
        }
    }
}

/// Two keys agree if they agree on every component that both have.
pub fn agree(a: &Env, b: &Env) -> bool {
    b.iter().all(|(name, value)| a.iter().all(|(n, v)| n != name || v == value))
}

/// The components of both.
pub fn join(a: &Env, b: &Env) -> Env {
    let mut out = a.clone();
    out.extend(b.iter().filter(|(name, _)| a.iter().all(|(n, _)| n != name)).cloned());
    out
}

pub(super) fn number(v: &Val) -> Option<f64> {
    match v {
        Val::Num(n) => Some(*n),
        _ => None,
    }
}

/// Over no numbers every aggregate is missing; a sample standard deviation needs two.
pub(super) fn aggregate(agg: Agg, mut xs: Vec<f64>) -> Val {
    if xs.is_empty() {
        return Val::Missing;
    }
    let n = xs.len() as f64;
    let sum: f64 = xs.iter().sum();
    Val::Num(match agg {
        Agg::Sum => sum,
        Agg::Avg => sum / n,
        Agg::Min => xs.iter().copied().fold(f64::INFINITY, f64::min),
        Agg::Max => xs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Agg::Stddev if xs.len() < 2 => return Val::Missing,
        Agg::Stddev => (xs.iter().map(|x| (x - sum / n) * (x - sum / n)).sum::<f64>() / (n - 1.0)).sqrt(),
        Agg::Median => {
            xs.sort_by(f64::total_cmp);
            let half = xs.len() / 2;
            if xs.len() % 2 == 1 { xs[half] } else { (xs[half - 1] + xs[half]) / 2.0 }
        }
    })
}

/// Comparisons and arithmetic of two values; anything that does not fit is missing.
fn combine(op: Op, a: Val, b: Val) -> Val {
    use Val::{Num, Span, Time};
    if a == Val::Missing || b == Val::Missing {
        return Val::Missing;
    }
    let order = match (&a, &b) {
        (Num(a), Num(b)) => a.partial_cmp(b),
        (Val::Str(a), Val::Str(b)) => Some(a.cmp(b)),
        (Time(a), Time(b)) | (Span(a), Span(b)) => Some(a.cmp(b)),
        _ => None,
    };
    let ordered = |f: fn(std::cmp::Ordering) -> bool| order.map_or(Val::Missing, |o| Val::Bool(f(o)));
    match (op, a, b) {
        (Op::Eq, a, b) => Val::Bool(a == b),
        (Op::Ne, a, b) => Val::Bool(a != b),
        (Op::Lt, ..) => ordered(|o| o.is_lt()),
        (Op::Le, ..) => ordered(|o| o.is_le()),
        (Op::Gt, ..) => ordered(|o| o.is_gt()),
        (Op::Ge, ..) => ordered(|o| o.is_ge()),
        (Op::Add, Num(a), Num(b)) => Num(a + b),
        (Op::Sub, Num(a), Num(b)) => Num(a - b),
        (Op::Mul, Num(a), Num(b)) => Num(a * b),
        (Op::Div, Num(a), Num(b)) if b != 0.0 => Num(a / b),
        (Op::Sub, Time(a), Time(b)) => Span(a - b),
        (Op::Add, Time(a), Span(b)) => Time(a + b),
        (Op::Sub, Time(a), Span(b)) => Time(a - b),
        (Op::Add, Span(a), Span(b)) => Span(a + b),
        (Op::Sub, Span(a), Span(b)) => Span(a - b),
        (Op::Mul, Num(n), Span(d)) | (Op::Mul, Span(d), Num(n)) => Span((n * d as f64) as i64),
        (Op::Div, Span(a), Span(b)) if b != 0 => Num(a as f64 / b as f64),
        _ => Val::Missing,
    }
}
