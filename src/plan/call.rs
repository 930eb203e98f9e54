//! The functions of expressions. Each is missing where its arguments are; none fails.

use smallvec::SmallVec;

use super::eval::{Ctx, Val, as_time, compare, eval, truth};
use super::event::EventView;
use super::expr::Expr;
use super::key::encode_any;
use super::net::parse_network;
use crate::base::calendar::{self, Local, Zone};
use crate::base::function::Function;
use crate::base::{Duration, Value, ValueRef};
use crate::syntax::ast::BinaryOp;

/// Radius of the sphere on which distances are measured, km (language.md).
const EARTH_KM: f64 = 6371.0088;

/// Calls a function.
pub fn call<'a, E: EventView>(function: Function, args: &'a [Expr], c: &Ctx<'a, E>) -> Val<'a> {
    if function == Function::If {
        let branch = if truth(&args[0], c) == Some(true) { 1 } else { 2 };
        return args.get(branch).map_or(Val::MISSING, |e| eval(e, c));
    }
    let vals: SmallVec<[Val<'a>; 4]> = args.iter().map(|e| eval(e, c)).collect();
    let v: SmallVec<[ValueRef<'_>; 4]> = vals.iter().map(Val::get).collect();
    Val::Own(apply(function, &v))
}

fn bool_value(v: Option<bool>) -> Value {
    v.map_or(Value::Missing, Value::Bool)
}

fn text(v: String) -> Value {
    Value::Str(v.into())
}

/// The value of a function of values.
pub fn apply(function: Function, v: &[ValueRef<'_>]) -> Value {
    let arg = |i: usize| v.get(i).copied().unwrap_or_default();
    let str_arg = |i: usize| arg(i).as_str();
    let num = |i: usize| arg(i).as_f64();
    match function {
        Function::Exists => Value::Bool(!arg(0).is_missing()),
        Function::Len => match arg(0) {
            ValueRef::Str(s) => Value::Int(s.chars().count() as i64),
            ValueRef::List(l) => Value::Int(l.len() as i64),
            ValueRef::Object(o) => Value::Int(o.len() as i64),
            _ => Value::Missing,
        },
        Function::Lower => str_arg(0).map_or(Value::Missing, |s| text(s.to_lowercase())),
        Function::Upper => str_arg(0).map_or(Value::Missing, |s| text(s.to_uppercase())),
        Function::Trim => str_arg(0).map_or(Value::Missing, |s| Value::Str(s.trim().into())),
        Function::Split => match (str_arg(0), str_arg(1)) {
            (Some(s), Some(sep)) if !sep.is_empty() => {
                Value::List(s.split(sep).map(|part| Value::Str(part.into())).collect())
            }
            _ => Value::Missing,
        },
        Function::Concat => {
            let mut out = String::new();
            for value in v {
                match value_text(*value) {
                    Some(part) => out.push_str(&part),
                    None => return Value::Missing,
                }
            }
            text(out)
        }
        Function::Substring => match (str_arg(0), arg(1)) {
            (Some(s), ValueRef::Int(start)) => {
                let count = s.chars().count() as i64;
                let start = if start < 0 { (count + start).max(0) } else { start };
                let length = match arg(2) {
                    ValueRef::Int(n) => n.max(0),
                    ValueRef::Missing if v.len() < 3 => count,
                    _ => return Value::Missing,
                };
                text(s.chars().skip(start as usize).take(length as usize).collect())
            }
            _ => Value::Missing,
        },
        Function::Slice => match (str_arg(0), whole(arg(1)), v.get(2).map(|end| whole(*end))) {
            (Some(s), Some(start), None) => slice(s, start, None),
            (Some(s), Some(start), Some(Some(end))) => slice(s, start, Some(end)),
            _ => Value::Missing,
        },
        Function::IndexOf => match (str_arg(0), str_arg(1), v.get(2).map_or(Some(0), |start| whole(*start))) {
            (Some(s), Some(part), Some(start)) => index_of(s, part, start),
            _ => Value::Missing,
        },
        Function::Replace => match (str_arg(0), str_arg(1), str_arg(2)) {
            (Some(s), Some(part), Some(by)) if !part.is_empty() => text(s.replace(part, by)),
            (Some(s), Some(_), Some(_)) => text(s.to_owned()),
            _ => Value::Missing,
        },
        Function::StartsWith => any_text(arg(0), arg(1), |s, part| s.starts_with(part)),
        Function::EndsWith => any_text(arg(0), arg(1), |s, part| s.ends_with(part)),
        Function::Contains => match arg(0) {
            ValueRef::List(_) => match arg(1) {
                ValueRef::List(wanted) => {
                    if wanted.iter().any(|w| compare(BinaryOp::Eq, arg(0), w.as_ref()) == Some(true)) {
                        Value::Bool(true)
                    } else {
                        Value::Bool(false)
                    }
                }
                what => bool_value(compare(BinaryOp::Eq, arg(0), what)),
            },
            _ => any_text(arg(0), arg(1), |s, part| s.contains(part)),
        },
        Function::Cidr => {
            let inside = |s: &str| {
                v[1..].iter().filter_map(|net| net.as_str()).any(|net| {
                    let Some((address, length)) = parse_network(net) else { return false };
                    let mut set = super::net::CidrSet::default();
                    set.insert(address, length, 0);
                    set.find(s).is_some()
                })
            };
            match arg(0) {
                ValueRef::Str(s) => Value::Bool(inside(s)),
                ValueRef::List(l) => Value::Bool(l.iter().filter_map(|x| x.as_ref().as_str()).any(inside)),
                _ => Value::Missing,
            }
        }
        Function::Abs => match arg(0) {
            ValueRef::Int(x) => Value::integer(i128::from(x).abs()),
            ValueRef::UInt(x) => Value::UInt(x),
            ValueRef::Float(x) => Value::number(x.abs()),
            ValueRef::Duration(x) => Value::Duration(Duration(x.0.saturating_abs())),
            _ => Value::Missing,
        },
        Function::Floor => rounded(arg(0), f64::floor),
        Function::Ceil => rounded(arg(0), f64::ceil),
        Function::Round => match arg(1) {
            ValueRef::Int(digits) if v.len() > 1 => num(0).map_or(Value::Missing, |x| {
                let scale = 10_f64.powi(digits.clamp(-15, 15) as i32);
                Value::number((x * scale).round() / scale)
            }),
            ValueRef::Missing if v.len() > 1 => Value::Missing,
            _ => rounded(arg(0), f64::round),
        },
        Function::Sqrt => num(0).map_or(Value::Missing, |x| Value::number(x.sqrt())),
        Function::Log => num(0).map_or(Value::Missing, |x| Value::number(x.ln())),
        Function::Number if v.len() > 1 => match (str_arg(0), whole(arg(1))) {
            (Some(s), Some(base)) => number_in(s.trim(), base),
            _ => Value::Missing,
        },
        Function::Number => match arg(0) {
            ValueRef::Str(s) if s.trim().trim_start_matches(['+', '-']).starts_with("0x") => number_in(s.trim(), 16),
            ValueRef::Str(s) => parse_number(s.trim()),
            n @ (ValueRef::Int(_) | ValueRef::UInt(_) | ValueRef::Float(_)) => n.to_owned(),
            _ => Value::Missing,
        },
        Function::Text => value_text(arg(0)).map_or(Value::Missing, text),
        Function::Texts => each_of(arg(0), |x| match x {
            ValueRef::Object(_) | ValueRef::List(_) => Value::Missing,
            x => value_text(x).map_or(Value::Missing, text),
        }),
        Function::Numbers => each_of(arg(0), |x| match x {
            ValueRef::Str(s) => parse_number(s.trim()),
            n @ (ValueRef::Int(_) | ValueRef::UInt(_) | ValueRef::Float(_)) => n.to_owned(),
            _ => Value::Missing,
        }),
        Function::Time => match arg(0) {
            ValueRef::Str(s) => calendar::read_time(s).map_or(Value::Missing, Value::Time),
            ValueRef::Time(t) => Value::Time(t),
            n => n.as_f64().and_then(calendar::since_1970).map_or(Value::Missing, Value::Time),
        },
        Function::Hour => local(v, |d| i64::from(d.hour)),
        Function::Minute => local(v, |d| i64::from(d.minute)),
        Function::Weekday => local(v, |d| i64::from(d.weekday)),
        Function::Day => local(v, |d| i64::from(d.day)),
        Function::Week => local(v, |d| i64::from(d.week)),
        Function::Month => local(v, |d| i64::from(d.month)),
        Function::Year => local(v, |d| i64::from(d.year)),
        Function::Workday => match (as_time(arg(0)), whole(arg(1)), zone(v.get(2))) {
            (Some(t), Some(days), Some(zone)) => calendar::workday(t, days, zone).map_or(Value::Missing, Value::Time),
            _ => Value::Missing,
        },
        Function::Unique => match arg(0) {
            ValueRef::List(items) => unique(items),
            _ => Value::Missing,
        },
        Function::DistanceKm => {
            let points = if v.len() == 2 {
                place(arg(0)).zip(place(arg(1)))
            } else {
                pair(num(0), num(1)).zip(pair(num(2), num(3)))
            };
            points.map_or(Value::Missing, |(a, b)| Value::number(distance_km(a, b)))
        }
        Function::SpeedKmh => {
            let (a, t, b, u) = if v.len() == 4 {
                (place(arg(0)), arg(1), place(arg(2)), arg(3))
            } else {
                (pair(num(0), num(1)), arg(2), pair(num(3), num(4)), arg(5))
            };
            let (Some(a), Some(b), Some(t), Some(u)) = (a, b, as_time(t), as_time(u)) else { return Value::Missing };
            let hours = (u - t).0.unsigned_abs() as f64 / 3.6e12;
            if hours > 0.0 { Value::number(distance_km(a, b) / hours) } else { Value::Missing }
        }
        Function::InPolygon => match (num(0), num(1), arg(2)) {
            (Some(lat), Some(lon), ValueRef::List(corners)) => in_polygon(lat, lon, corners),
            _ => Value::Missing,
        },
        Function::Entropy => str_arg(0).map_or(Value::Missing, |s| Value::Float(entropy(s))),
        Function::Hash => {
            let mut bytes: Vec<u8> = Vec::new();
            if v.iter().any(|x| x.is_missing()) {
                return Value::Missing;
            }
            v.iter().for_each(|x| encode_any(*x, &mut bytes));
            text(format!("{:016x}", super::key::hash(&bytes)))
        }
        // These need more than their arguments, and have expressions of their own.
        Function::If | Function::Extract | Function::AnyValue => Value::Missing,
    }
}

/// What `f` makes of a value, or of each element of a list; elements for which it is missing are left out.
fn each_of(v: ValueRef<'_>, f: impl Fn(ValueRef<'_>) -> Value) -> Value {
    match v {
        ValueRef::List(items) => {
            let made = items.iter().map(|item| f(item.as_ref()));
            Value::List(made.filter(|value| *value != Value::Missing).collect())
        }
        one => f(one),
    }
}

/// The characters `start..end`; negative places count from the end, and what lies outside is cut off.
fn slice(s: &str, start: i64, end: Option<i64>) -> Value {
    let count = s.chars().count() as i64;
    let place = |at: i64| if at < 0 { (count.saturating_add(at)).max(0) } else { at.min(count) };
    let (start, end) = (place(start), end.map_or(count, place));
    text(s.chars().skip(start as usize).take((end - start).max(0) as usize).collect())
}

/// The place of a part at or after a place, both in characters.
fn index_of(s: &str, part: &str, start: i64) -> Value {
    let start = start.max(0) as usize;
    let Some(from) = s.char_indices().map(|(at, _)| at).chain([s.len()]).nth(start) else { return Value::Missing };
    let found = s[from..].find(part).map(|at| start + s[from..from + at].chars().count());
    found.map_or(Value::Missing, |at| Value::Int(at as i64))
}

/// A whole number in a base; `0x` may stand before one of base 16.
fn number_in(s: &str, base: i64) -> Value {
    let Some(base) = u32::try_from(base).ok().filter(|b| (2..=36).contains(b)) else { return Value::Missing };
    let (minus, digits) = match s.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, s.strip_prefix('+').unwrap_or(s)),
    };
    let digits = if base == 16 { digits.strip_prefix("0x").unwrap_or(digits) } else { digits };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Value::Missing;
    }
    i128::from_str_radix(digits, base).map_or(Value::Missing, |n| Value::integer(if minus { -n } else { n }))
}

fn any_text(a: ValueRef<'_>, b: ValueRef<'_>, test: impl Fn(&str, &str) -> bool + Copy) -> Value {
    let one = |s: &str| match b {
        ValueRef::Str(part) => Some(test(s, part)),
        ValueRef::List(parts) => Some(parts.iter().filter_map(|p| p.as_ref().as_str()).any(|part| test(s, part))),
        _ => None,
    };
    match a {
        ValueRef::Str(s) => bool_value(one(s)),
        ValueRef::List(_) if b.is_missing() => Value::Missing,
        ValueRef::List(items) => {
            Value::Bool(items.iter().filter_map(|x| x.as_ref().as_str()).any(|s| one(s) == Some(true)))
        }
        _ => Value::Missing,
    }
}

/// How a value reads inside a text: strings bare, everything else as an alert prints it.
pub fn value_text(v: ValueRef<'_>) -> Option<String> {
    match v {
        ValueRef::Missing => None,
        ValueRef::Str(s) => Some(s.to_owned()),
        ValueRef::Time(t) => Some(t.to_string()),
        ValueRef::Duration(d) => Some(d.to_string()),
        other => Some(other.to_owned().to_json().to_string()),
    }
}

fn rounded(v: ValueRef<'_>, f: fn(f64) -> f64) -> Value {
    match v {
        ValueRef::Int(_) | ValueRef::UInt(_) => v.to_owned(),
        ValueRef::Float(x) => {
            let x = f(x);
            if x.abs() < 9e15 { Value::Int(x as i64) } else { Value::number(x) }
        }
        _ => Value::Missing,
    }
}

fn parse_number(s: &str) -> Value {
    if let Ok(v) = s.parse::<i128>() {
        return Value::integer(v);
    }
    let plain = s.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    s.parse::<f64>().ok().filter(|_| plain).map_or(Value::Missing, Value::number)
}

/// A part of the local date and time of `(time)` or `(time, zone)`.
fn local(v: &[ValueRef<'_>], part: impl Fn(Local) -> i64) -> Value {
    match (v.first().copied().and_then(as_time), zone(v.get(1))) {
        (Some(t), Some(zone)) => Value::Int(part(zone.local(t))),
        _ => Value::Missing,
    }
}

/// The zone that an argument names; UTC if there is none, nothing if there is no such zone.
fn zone(argument: Option<&ValueRef<'_>>) -> Option<Zone> {
    argument.map_or(Some(Zone::UTC), |name| Zone::by_name(name.as_str()?))
}

/// A whole number, however it is written.
fn whole(v: ValueRef<'_>) -> Option<i64> {
    match v {
        ValueRef::Int(n) => Some(n),
        ValueRef::Float(x) if x.fract() == 0.0 && x.abs() < 9e15 => Some(x as i64),
        _ => None,
    }
}

/// The elements without repetitions; `1` and `1.0` are one, as in comparisons.
fn unique(items: &[Value]) -> Value {
    let mut seen: hashbrown::HashSet<SmallVec<[u8; 32]>, foldhash::fast::FixedState> = hashbrown::HashSet::default();
    let mut is_new = |item: &&Value| {
        let mut bytes = SmallVec::new();
        encode_any(item.as_ref(), &mut bytes);
        seen.insert(bytes)
    };
    Value::List(items.iter().filter(|item| is_new(item)).cloned().collect())
}

fn pair(a: Option<f64>, b: Option<f64>) -> Option<(f64, f64)> {
    a.zip(b)
}

fn place(v: ValueRef<'_>) -> Option<(f64, f64)> {
    let part = |name: &str| super::eval::member(v, &[name.into()]).as_f64();
    pair(part("lat"), part("lon"))
}

/// Great-circle distance by the haversine formula, arguments in degrees.
pub fn distance_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (lat_a, lat_b) = (a.0.to_radians(), b.0.to_radians());
    let (dlat, dlon) = (lat_b - lat_a, (b.1 - a.1).to_radians());
    let h = (dlat / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * (dlon / 2.0).sin().powi(2);
    2.0 * EARTH_KM * h.sqrt().min(1.0).asin()
}

/// Even-odd rule on the plane of latitude and longitude.
fn in_polygon(lat: f64, lon: f64, corners: &[Value]) -> Value {
    let point = |v: &Value| match v {
        Value::List(p) if p.len() == 2 => pair(p[0].as_ref().as_f64(), p[1].as_ref().as_f64()),
        _ => None,
    };
    let Some(corners) = corners.iter().map(point).collect::<Option<Vec<_>>>() else { return Value::Missing };
    let mut inside = false;
    for (i, a) in corners.iter().enumerate() {
        let b = &corners[(i + 1) % corners.len()];
        if (a.1 > lon) != (b.1 > lon) && lat < (b.0 - a.0) * (lon - a.1) / (b.1 - a.1) + a.0 {
            inside = !inside;
        }
    }
    Value::Bool(inside)
}

fn entropy(s: &str) -> f64 {
    let mut chars: Vec<char> = s.chars().collect();
    if chars.is_empty() {
        return 0.0;
    }
    let total = chars.len() as f64;
    chars.sort_unstable();
    let bits: f64 = chars
        .chunk_by(|a, b| a == b)
        .map(|run| {
            let share = run.len() as f64 / total;
            share * share.log2()
        })
        .sum();
    // One kind of character gives -0.
    if bits == 0.0 { 0.0 } else { -bits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let km = distance_km((52.52, 13.405), (48.137, 11.575));
        assert!((km - 504.4).abs() < 1.0, "{km}");
        assert_eq!(distance_km((1.0, 2.0), (1.0, 2.0)), 0.0);
    }

    #[test]
    fn texts() {
        assert_eq!(apply(Function::Substring, &[ValueRef::Str("abcdef"), ValueRef::Int(-2)]), text("ef".into()));
        assert_eq!(apply(Function::Concat, &[ValueRef::Str("a"), ValueRef::Int(1)]), text("a1".into()));
        assert_eq!(apply(Function::Number, &[ValueRef::Str("inf")]), Value::Missing);
        assert_eq!(apply(Function::Round, &[ValueRef::Float(2.75), ValueRef::Int(1)]), Value::Float(2.8));
        assert_eq!(apply(Function::Entropy, &[ValueRef::Str("aabb")]), Value::Float(1.0));
    }
}
