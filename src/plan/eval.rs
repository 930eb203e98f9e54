//! Evaluation of resolved expressions, three-valued (language.md §1).
//!
//! Pure: the same context gives the same value. Nothing fails; what has no value is missing.

use std::borrow::Cow;
use std::cmp::Ordering;

use compact_str::CompactString;
use smallvec::SmallVec;

use super::eval_text::{folded_field, folded_text, has_text};
use super::event::{EventView, StoredEvent, StoredView, stored_attr};
use super::exact::ExactSum;
use super::expr::{AggregateExpr, Attr, ConstSet, Expr, Which};
use super::fold::fold_case;
use super::key::encode_scalar;
use super::pattern::Pattern;
use super::table::Table;
use crate::base::function::{Aggregate, Function};
use crate::base::{Duration, FieldId, StepId, Timestamp, Value, ValueRef};
use crate::syntax::ast::BinaryOp;

/// Events bound to each step of a rule so far.
pub type Bindings<'a> = [Vec<&'a StoredEvent>];

/// A value that may borrow from events or expressions, or have been made by a function.
#[derive(Clone, Debug)]
pub enum Val<'a> {
    /// Borrowed.
    Ref(ValueRef<'a>),
    /// Made.
    Own(Value),
}

impl<'a> Val<'a> {
    /// Missing.
    pub const MISSING: Val<'static> = Val::Ref(ValueRef::Missing);

    /// The value, borrowed.
    #[inline]
    pub fn get(&self) -> ValueRef<'_> {
        match self {
            Self::Ref(v) => *v,
            Self::Own(v) => v.as_ref(),
        }
    }

    /// The value, owned.
    pub fn into_value(self) -> Value {
        match self {
            Self::Ref(v) => v.to_owned(),
            Self::Own(v) => v,
        }
    }

    fn truth(value: Option<bool>) -> Val<'static> {
        Val::Ref(value.map_or(ValueRef::Missing, ValueRef::Bool))
    }
}

/// What an expression is evaluated against.
#[derive(Debug)]
pub struct Ctx<'a, E> {
    /// The event under test.
    pub this: Option<&'a E>,
    /// Its statistics.
    pub stats: &'a [Value],
    /// Events bound so far, by step.
    pub bound: &'a Bindings<'a>,
    /// The event bound last before the event under test.
    pub prev: Option<&'a StoredEvent>,
    /// The rule's [`super::Rule::kept`].
    pub kept: &'a [FieldId],
    /// The key, in the order of the rule's components.
    pub key: &'a [Value],
    /// The rule set's tables.
    pub tables: &'a [std::sync::Arc<Table>],
    /// The elements of lists that conditions around the expression are asked of, innermost first.
    pub element: Option<&'a Element<'a>>,
}

/// An element of a list under a condition, and the one around it.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    value: ValueRef<'a>,
    outer: Option<&'a Element<'a>>,
}

impl<E> Clone for Ctx<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<E> Copy for Ctx<'_, E> {}

/// A context without anything bound: for conditions on one event.
pub fn unary<'a, E>(this: &'a E, stats: &'a [Value], tables: &'a [std::sync::Arc<Table>]) -> Ctx<'a, E> {
    Ctx { this: Some(this), stats, bound: &[], prev: None, kept: &[], key: &[], tables, element: None }
}

/// Whether a condition is true: missing does not pass.
#[inline]
pub fn passes<'a, E: EventView>(e: &'a Expr, c: &Ctx<'a, E>) -> bool {
    truth(e, c) == Some(true)
}

/// The truth of a condition; `None` if missing or not a bool.
pub fn truth<'a, E: EventView>(e: &'a Expr, c: &Ctx<'a, E>) -> Option<bool> {
    match e {
        Expr::And(parts) => {
            let mut all = Some(true);
            for part in parts {
                match truth(part, c) {
                    Some(false) => return Some(false),
                    Some(true) => {}
                    None => all = None,
                }
            }
            all
        }
        Expr::Or(parts) => {
            let mut any = Some(false);
            for part in parts {
                match truth(part, c) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => any = None,
                }
            }
            any
        }
        Expr::Not(part) => truth(part, c).map(|v| !v),
        Expr::Compare(op, a, b) => compare(*op, eval(a, c).get(), eval(b, c).get()),
        Expr::InSet(value, set) => {
            any_element(eval(value, c).get(), |v| in_set(v, set, |text| folded_text(value, text, c)))
        }
        Expr::InList(value, list) => {
            let value = eval(value, c);
            let mut found = Some(false);
            for element in list {
                match compare(BinaryOp::Eq, value.get(), eval(element, c).get()) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => found = None,
                }
            }
            if value.get().is_missing() { None } else { found }
        }
        Expr::InTable(key, table) => {
            let table = c.tables.get(table.index())?;
            let key: SmallVec<[Val<'_>; 2]> = key.iter().map(|k| eval(k, c)).collect();
            if key.iter().any(|k| k.get().is_missing()) {
                return None;
            }
            if let [one] = key.as_slice() {
                return any_element(one.get(), |v| Some(table.find(&[v]).is_some()));
            }
            let key: SmallVec<[ValueRef<'_>; 2]> = key.iter().map(Val::get).collect();
            Some(table.find(&key).is_some())
        }
        Expr::Like(value, globs) => any_element(eval(value, c).get(), |v| {
            v.as_str().map(|text| globs.is_match_with(text, || folded_text(value, text, c)))
        }),
        Expr::HasText(value, test) => has_text(test, eval(value, c).get(), |text| folded_text(value, text, c)),
        Expr::Matches(value, regexes) => any_element(eval(value, c).get(), |v| {
            v.as_str().map(|text| regexes.iter().any(|regex| regex.is_match(text)))
        }),
        Expr::Some(parts) => {
            let list = eval(&parts.0, c);
            let test = |value| {
                let element = Element { value, outer: c.element };
                truth(&parts.1, &Ctx { element: Some(&element), ..*c })
            };
            match list.get() {
                ValueRef::Missing => None,
                ValueRef::List(items) => {
                    let mut any = Some(false);
                    for item in items {
                        match test(item.as_ref()) {
                            Some(true) => return Some(true),
                            Some(false) => {}
                            None => any = None,
                        }
                    }
                    any
                }
                // A field may hold one value where others hold a list.
                one => test(one),
            }
        }
        Expr::InNets(value, nets) => {
            any_element(eval(value, c).get(), |v| v.as_str().map(|address| nets.find(address).is_some()))
        }
        other => match eval(other, c).get() {
            ValueRef::Bool(v) => Some(v),
            _ => None,
        },
    }
}

/// The value of an expression.
pub fn eval<'a, E: EventView>(e: &'a Expr, c: &Ctx<'a, E>) -> Val<'a> {
    match e {
        Expr::Const(v) => Val::Ref(v.as_ref()),
        Expr::This(Attr::Stat(stat)) if !c.stats.is_empty() => {
            Val::Ref(c.stats.get(stat.index()).map_or(ValueRef::Missing, Value::as_ref))
        }
        Expr::This(attr) => Val::Ref(c.this.map_or(ValueRef::Missing, |event| event.attr(*attr))),
        Expr::Bound(step, which, attr) => {
            let events = c.bound.get(step.index()).map_or(&[][..], |events| &events[..]);
            let event = match which {
                Which::First => events.first(),
                Which::Last => events.last(),
                Which::Nth(n) => events.get(*n),
            };
            Val::Ref(event.map_or(ValueRef::Missing, |event| stored_attr(event, c.kept, *attr)))
        }
        Expr::Prev(attr) => Val::Ref(c.prev.map_or(ValueRef::Missing, |event| stored_attr(event, c.kept, *attr))),
        Expr::Key(place) => Val::Ref(c.key.get(*place).map_or(ValueRef::Missing, Value::as_ref)),
        Expr::Aggregate(aggregate) => Val::Own(eval_aggregate(aggregate, c)),
        Expr::Neg(a) => Val::Own(match eval(a, c).get() {
            ValueRef::Int(v) => Value::integer(-i128::from(v)),
            ValueRef::UInt(v) => Value::integer(-i128::from(v)),
            ValueRef::Float(v) => Value::Float(-v),
            ValueRef::Duration(v) => Value::Duration(Duration(v.0.saturating_neg())),
            _ => Value::Missing,
        }),
        Expr::Fold(a) => match eval(a, c).get() {
            ValueRef::Str(text) => match folded_field(a, text, c) {
                Some(folded) => Val::Ref(ValueRef::Str(folded)),
                None => Val::Own(Value::Str(fold_case(text).into())),
            },
            ValueRef::List(items) => Val::Own(Value::List(items.iter().map(fold_value).collect())),
            other => Val::Own(other.to_owned()),
        },
        Expr::Arith(op, a, b) => Val::Own(arithmetic(*op, eval(a, c).get(), eval(b, c).get())),
        Expr::Default(a, b) => {
            let value = eval(a, c);
            if value.get().is_missing() { eval(b, c) } else { value }
        }
        // A text is its own text: nothing is copied.
        Expr::Call(Function::Texts, args) if args.len() == 1 => match eval(&args[0], c) {
            text @ Val::Ref(ValueRef::Str(_)) => text,
            other => Val::Own(super::call::apply(Function::Texts, &[other.get()])),
        },
        Expr::Call(function, args) => super::call::call(*function, args, c),
        Expr::Lookup(lookup) => {
            let Some(table) = c.tables.get(lookup.table.index()) else { return Val::MISSING };
            let key: SmallVec<[Val<'_>; 2]> = lookup.key.iter().map(|k| eval(k, c)).collect();
            let key: SmallVec<[ValueRef<'_>; 2]> = key.iter().map(Val::get).collect();
            let Some(row) = table.find(&key) else { return Val::MISSING };
            Val::Ref(table.read(row, &lookup.path))
        }
        Expr::Member(a, path) => match eval(a, c) {
            Val::Ref(v) => Val::Ref(member(v, path)),
            Val::Own(v) => Val::Own(member(v.as_ref(), path).to_owned()),
        },
        Expr::Index(a, at) => match eval(a, c) {
            Val::Ref(v) => Val::Ref(index(v, *at)),
            Val::Own(v) => Val::Own(index(v.as_ref(), *at).to_owned()),
        },
        Expr::List(items) => Val::Own(Value::List(items.iter().map(|item| eval(item, c).into_value()).collect())),
        Expr::Element(outer, path) => {
            let mut at = c.element;
            for _ in 0..*outer {
                at = at.and_then(|e| e.outer);
            }
            Val::Ref(at.map_or(ValueRef::Missing, |e| member(e.value, path)))
        }
        Expr::Each(list) => eval(list, c),
        Expr::Extract(text, regex) => Val::Own(extract(eval(text, c).get(), regex)),
        Expr::Some(_)
        | Expr::Not(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Compare(..)
        | Expr::InSet(..)
        | Expr::InList(..)
        | Expr::InTable(..)
        | Expr::InNets(..)
        | Expr::Like(..)
        | Expr::HasText(..)
        | Expr::Matches(..) => Val::truth(truth(e, c)),
    }
}

/// The first group of the first match, in a list that of the first text that matches.
fn extract(value: ValueRef<'_>, pattern: &Pattern) -> Value {
    let Some(regex) = pattern.regex() else { return Value::Missing };
    let one = |text: &str| {
        let mut groups = regex.create_captures();
        regex.captures(text, &mut groups);
        let group = usize::from(groups.group_len() > 1);
        groups.is_match().then(|| groups.get_group(group).and_then(|span| text.get(span.range())).map(Into::into))
    };
    let found: Option<Option<CompactString>> = match value {
        ValueRef::Str(text) => one(text),
        ValueRef::List(items) => items.iter().filter_map(|item| item.as_ref().as_str()).find_map(one),
        _ => None,
    };
    found.flatten().map_or(Value::Missing, Value::Str)
}

/// A member of an object by path.
pub fn member<'a>(mut value: ValueRef<'a>, path: &[Box<str>]) -> ValueRef<'a> {
    for part in path {
        let ValueRef::Object(fields) = value else { return ValueRef::Missing };
        // The last of equal keys counts, as everywhere.
        value = fields.iter().rev().find(|(k, _)| k == part).map_or(ValueRef::Missing, |(_, v)| v.as_ref());
    }
    value
}

fn fold_value(value: &Value) -> Value {
    match value {
        Value::Str(text) => Value::Str(fold_case(text).into()),
        other => other.clone(),
    }
}

fn index(value: ValueRef<'_>, at: i64) -> ValueRef<'_> {
    let ValueRef::List(items) = value else { return ValueRef::Missing };
    let at = if at < 0 { at + items.len() as i64 } else { at };
    usize::try_from(at).ok().and_then(|at| items.get(at)).map_or(ValueRef::Missing, Value::as_ref)
}

/// Holds for a list if it holds for any element; missing only if nothing held and something was missing.
fn any_element(value: ValueRef<'_>, test: impl Fn(ValueRef<'_>) -> Option<bool>) -> Option<bool> {
    match value {
        ValueRef::Missing => None,
        ValueRef::List(items) => {
            let mut any = Some(false);
            for item in items {
                match test(item.as_ref()) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None if item.as_ref().is_missing() => any = None,
                    None => {}
                }
            }
            any
        }
        other => test(other),
    }
}

fn in_set<'t>(value: ValueRef<'t>, set: &ConstSet, folded: impl FnOnce(&'t str) -> Cow<'t, str>) -> Option<bool> {
    if value.is_missing() {
        return None;
    }
    let mut bytes: SmallVec<[u8; 64]> = SmallVec::new();
    if encode_scalar(value, &mut bytes) && set.exact.contains(&bytes[..]) {
        return Some(true);
    }
    match value {
        ValueRef::Str(text) if !set.folded.is_empty() => Some(set.folded.contains(&*folded(text))),
        _ => Some(false),
    }
}

/// A comparison, with lists comparing by any element; `!=` on a list means that no element equals.
pub fn compare(op: BinaryOp, a: ValueRef<'_>, b: ValueRef<'_>) -> Option<bool> {
    match op {
        BinaryOp::Eq => match (a, b) {
            (ValueRef::List(_), ValueRef::List(_)) => a.equals(b),
            (ValueRef::List(_), _) if !b.is_missing() => any_element(a, |x| x.equals(b)),
            (_, ValueRef::List(_)) if !a.is_missing() => any_element(b, |x| x.equals(a)),
            _ => a.equals(b),
        },
        BinaryOp::Ne => compare(BinaryOp::Eq, a, b).map(|v| !v),
        _ => {
            let holds = |order: Ordering| match op {
                BinaryOp::Lt => order == Ordering::Less,
                BinaryOp::Le => order != Ordering::Greater,
                BinaryOp::Gt => order == Ordering::Greater,
                _ => order != Ordering::Less,
            };
            match (a, b) {
                (ValueRef::List(_), _) => any_element(a, |x| x.compare(b).map(holds)),
                (_, ValueRef::List(_)) => any_element(b, |x| a.compare(x).map(holds)),
                _ => a.compare(b).map(holds),
            }
        }
    }
}

fn integer(v: ValueRef<'_>) -> Option<i128> {
    match v {
        ValueRef::Int(v) => Some(i128::from(v)),
        ValueRef::UInt(v) => Some(i128::from(v)),
        _ => None,
    }
}

/// `+ - * / %` on numbers, times and durations; anything else is missing.
pub fn arithmetic(op: BinaryOp, a: ValueRef<'_>, b: ValueRef<'_>) -> Value {
    use ValueRef::{Duration as D, Time as T};
    if let (Some(x), Some(y)) = (integer(a), integer(b)) {
        return match op {
            BinaryOp::Add => Value::integer(x + y),
            BinaryOp::Sub => Value::integer(x - y),
            BinaryOp::Mul => x.checked_mul(y).map_or_else(|| Value::number(x as f64 * y as f64), Value::integer),
            BinaryOp::Rem if y != 0 => Value::integer(x % y),
            BinaryOp::Div if y != 0 => Value::number(x as f64 / y as f64),
            _ => Value::Missing,
        };
    }
    match (op, a, b) {
        (BinaryOp::Sub, T(x), T(y)) => return Value::Duration(x - y),
        (BinaryOp::Add, T(x), D(y)) | (BinaryOp::Add, D(y), T(x)) => return Value::Time(x + y),
        (BinaryOp::Sub, T(x), D(y)) => return Value::Time(x - y),
        (BinaryOp::Div, T(x), D(y)) if y.0 > 0 => return periods(x, y),
        (BinaryOp::Add, D(x), D(y)) => return Value::Duration(x + y),
        (BinaryOp::Sub, D(x), D(y)) => return Value::Duration(Duration(x.0.saturating_sub(y.0))),
        (BinaryOp::Rem, D(x), D(y)) if y.0 != 0 => return Value::Duration(Duration(x.0.wrapping_rem(y.0))),
        (BinaryOp::Div, D(x), D(y)) if y.0 != 0 => return Value::number(x.0 as f64 / y.0 as f64),
        (BinaryOp::Mul, D(x), y) | (BinaryOp::Mul, y, D(x)) => return scale(x, y, |x, y| x * y),
        (BinaryOp::Div, D(x), y) => return scale(x, y, |x, y| x / y),
        _ => {}
    }
    let (Some(x), Some(y)) = (a.as_f64(), b.as_f64()) else { return Value::Missing };
    match op {
        BinaryOp::Add => Value::number(x + y),
        BinaryOp::Sub => Value::number(x - y),
        BinaryOp::Mul => Value::number(x * y),
        BinaryOp::Div if y != 0.0 => Value::number(x / y),
        BinaryOp::Rem if y != 0.0 => Value::number(x % y),
        _ => Value::Missing,
    }
}

/// How many periods have passed since 1970. What lies before the end of one is less than the next whole number,
/// however near it is, so that `floor` gives the period.
fn periods(t: Timestamp, period: Duration) -> Value {
    let whole = t.0.div_euclid(period.0) as f64;
    let part = t.0.rem_euclid(period.0) as f64 / period.0 as f64;
    Value::Float((whole + part).min((whole + 1.0).next_down()))
}

fn scale(x: Duration, by: ValueRef<'_>, f: impl Fn(f64, f64) -> f64) -> Value {
    if let ValueRef::Int(by) = by
        && f(6.0, 2.0) == 12.0
    {
        return Value::Duration(Duration(x.0.saturating_mul(by)));
    }
    let Some(by) = by.as_f64() else { return Value::Missing };
    let product = f(x.0 as f64, by);
    if product.is_finite() { Value::Duration(Duration(product.round() as i64)) } else { Value::Missing }
}

fn eval_aggregate<'a, E: EventView>(a: &'a AggregateExpr, c: &Ctx<'a, E>) -> Value {
    let of = |step: &StepId| c.bound.get(step.index()).map_or(&[][..], |events| &events[..]);
    let merged: Vec<&StoredEvent>;
    let events = match a.steps.as_slice() {
        [step] => of(step),
        steps => {
            let mut all: Vec<&StoredEvent> = steps.iter().flat_map(of).copied().collect();
            all.sort_by_key(|event| event.at());
            merged = all;
            &merged[..]
        }
    };
    let mut values: Vec<Value> = Vec::new();
    let mut count = 0_i64;
    let mut seen: hashbrown::HashSet<SmallVec<[u8; 32]>, foldhash::fast::FixedState> = hashbrown::HashSet::default();
    for event in events {
        let view = StoredView { event, kept: c.kept };
        let inner = Ctx {
            this: Some(&view),
            stats: &[],
            bound: c.bound,
            prev: c.prev,
            kept: c.kept,
            key: c.key,
            tables: c.tables,
            element: c.element,
        };
        if a.filter.as_ref().is_some_and(|filter| !passes(filter, &inner)) {
            continue;
        }
        if a.args.is_empty() {
            count += 1;
            continue;
        }
        let mut bytes: SmallVec<[u8; 32]> = SmallVec::new();
        let mut first = Val::MISSING;
        let mut missing = false;
        for (i, arg) in a.args.iter().enumerate() {
            let value = eval(arg, &inner);
            missing |= value.get().is_missing();
            if a.distinct {
                super::key::encode_any(value.get(), &mut bytes);
            }
            if i == 0 {
                first = value;
            }
        }
        if missing || (a.distinct && !seen.insert(bytes)) {
            continue;
        }
        count += 1;
        if a.kind != Aggregate::Count {
            values.push(first.into_value());
        }
    }
    if a.kind == Aggregate::Percentile { percentile(&values, a.percent) } else { aggregate(a.kind, count, values) }
}

/// Linear interpolation between the closest ranks: 0 is the least value, 100 the greatest.
fn percentile(values: &[Value], percent: f64) -> Value {
    let mut numbers: Vec<f64> = values.iter().filter_map(|v| v.as_ref().as_f64()).collect();
    numbers.sort_by(f64::total_cmp);
    let Some(last) = numbers.len().checked_sub(1) else { return Value::Missing };
    let rank = (percent / 100.0).clamp(0.0, 1.0) * last as f64;
    let (low, high) = (numbers[rank.floor() as usize], numbers[rank.ceil() as usize]);
    Value::number(low + (high - low) * rank.fract())
}

/// Folds the values of an aggregate.
pub fn aggregate(kind: Aggregate, count: i64, mut values: Vec<Value>) -> Value {
    let numbers = |values: &[Value]| -> Option<Vec<f64>> {
        let numbers: Vec<f64> = values.iter().filter_map(|v| v.as_ref().as_f64()).collect();
        (!numbers.is_empty()).then_some(numbers)
    };
    // Exact where it can be, so that a window that adds and takes away gives the same as one that is summed anew.
    let exact = match kind {
        Aggregate::Sum => ExactSum::of(&values).and_then(|sum| sum.sum()),
        Aggregate::Avg => ExactSum::of(&values).and_then(|sum| sum.mean()),
        _ => None,
    };
    if let Some(value) = exact {
        return value;
    }
    match kind {
        Aggregate::Count => Value::Int(count),
        // Needs to know which.
        Aggregate::Percentile => Value::Missing,
        Aggregate::List => Value::List(values.into()),
        Aggregate::Min | Aggregate::Max => {
            let wanted = if kind == Aggregate::Min { Ordering::Less } else { Ordering::Greater };
            let mut best: Option<Value> = None;
            for value in values {
                match &best {
                    Some(b) if value.as_ref().compare(b.as_ref()) != Some(wanted) => {}
                    _ => best = Some(value),
                }
            }
            best.unwrap_or_default()
        }
        Aggregate::Sum => {
            let mut sum: Option<Value> = None;
            for value in values {
                if !matches!(value, Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Duration(_)) {
                    continue;
                }
                sum = Some(match sum {
                    None => value,
                    Some(sum) => arithmetic(BinaryOp::Add, sum.as_ref(), value.as_ref()),
                });
            }
            sum.unwrap_or_default()
        }
        Aggregate::Avg => {
            numbers(&values).map_or(Value::Missing, |n| Value::number(n.iter().sum::<f64>() / n.len() as f64))
        }
        Aggregate::Stddev => match numbers(&values) {
            Some(n) if n.len() >= 2 => {
                let mean = n.iter().sum::<f64>() / n.len() as f64;
                let square: f64 = n.iter().map(|x| (x - mean) * (x - mean)).sum();
                Value::number((square / (n.len() - 1) as f64).sqrt())
            }
            _ => Value::Missing,
        },
        Aggregate::Median => {
            values.retain(|v| v.as_ref().as_f64().is_some());
            if values.is_empty() {
                return Value::Missing;
            }
            values.sort_by(|a, b| a.as_ref().compare(b.as_ref()).unwrap_or(Ordering::Equal));
            let mid = values.len() / 2;
            if values.len() % 2 == 1 {
                values.swap_remove(mid)
            } else {
                let (a, b) = (values[mid - 1].as_ref().as_f64(), values[mid].as_ref().as_f64());
                a.zip(b).map_or(Value::Missing, |(a, b)| Value::number((a + b) / 2.0))
            }
        }
    }
}

/// A time argument: a [`Value::Time`], or a text or number that is none.
pub fn as_time(v: ValueRef<'_>) -> Option<Timestamp> {
    match v {
        ValueRef::Time(t) => Some(t),
        _ => None,
    }
}
