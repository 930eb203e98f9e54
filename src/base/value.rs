//! Values of fields and expressions, and the one place that says how two of them compare.
//!
//! Missing is not a value that equals anything: comparisons with it give `None`, and three-valued
//! logic carries that `None` upwards (language.md §1). Integers and floats compare by value, exactly:
//! `i64`, `u64` and `f64` are never rounded into each other. A string never equals a number.

use std::cmp::Ordering;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::budget::block;
use super::time::{Duration, Timestamp};

/// An owned value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Absent or `null`.
    #[default]
    Missing,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits `i64`.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// Any other number. Never NaN: an operation that would give NaN gives [`Value::Missing`].
    Float(f64),
    /// A text; up to 24 bytes lie in the value itself.
    Str(CompactString),
    /// A list.
    List(Box<[Value]>),
    /// An object, keys in the order of the input.
    Object(Box<[(Box<str>, Value)]>),
    /// A point in time, as `@ts`.
    Time(Timestamp),
    /// A length of time, as `5m` or `b.@ts - a.@ts`.
    Duration(Duration),
}

const _: () = assert!(size_of::<Value>() == 24);

/// A borrowed value; cheap to copy. It is written as the owned one is: both have the same cases in the same order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub enum ValueRef<'a> {
    /// Absent or `null`.
    #[default]
    Missing,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits `i64`.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// Any other number, never NaN.
    Float(f64),
    /// A text.
    Str(&'a str),
    /// A list.
    List(&'a [Value]),
    /// An object.
    Object(&'a [(Box<str>, Value)]),
    /// A point in time.
    Time(Timestamp),
    /// A length of time.
    Duration(Duration),
}

impl Value {
    /// The same value, borrowed.
    #[inline]
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Missing => ValueRef::Missing,
            Self::Bool(v) => ValueRef::Bool(*v),
            Self::Int(v) => ValueRef::Int(*v),
            Self::UInt(v) => ValueRef::UInt(*v),
            Self::Float(v) => ValueRef::Float(*v),
            Self::Str(v) => ValueRef::Str(v),
            Self::List(v) => ValueRef::List(v),
            Self::Object(v) => ValueRef::Object(v),
            Self::Time(v) => ValueRef::Time(*v),
            Self::Duration(v) => ValueRef::Duration(*v),
        }
    }

    /// Bytes that it takes beside itself.
    pub fn heap(&self) -> usize {
        match self {
            Self::Str(text) if text.is_heap_allocated() => block(text.capacity()),
            Self::List(items) => block(size_of_val::<[Self]>(items)) + items.iter().map(Self::heap).sum::<usize>(),
            Self::Object(fields) => {
                let each = fields.iter().map(|(name, value)| block(name.len()) + value.heap());
                block(size_of_val::<[(Box<str>, Self)]>(fields)) + each.sum::<usize>()
            }
            _ => 0,
        }
    }

    /// A number from a computation: NaN and infinities become missing.
    #[inline]
    pub fn number(v: f64) -> Self {
        if v.is_finite() { Self::Float(v) } else { Self::Missing }
    }

    /// An integer of any width: `i64` first, then `u64`, else the nearest float.
    pub fn integer(v: i128) -> Self {
        if let Ok(v) = i64::try_from(v) {
            Self::Int(v)
        } else if let Ok(v) = u64::try_from(v) {
            Self::UInt(v)
        } else {
            Self::number(v as f64)
        }
    }

    /// From a JSON value: `null` is missing.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Missing,
            serde_json::Value::Bool(v) => Self::Bool(*v),
            serde_json::Value::Number(n) => {
                if let Some(v) = n.as_i64() {
                    Self::Int(v)
                } else if let Some(v) = n.as_u64() {
                    Self::UInt(v)
                } else {
                    n.as_f64().map_or(Self::Missing, Self::number)
                }
            }
            serde_json::Value::String(s) => Self::Str(s.as_str().into()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(map) => {
                Self::Object(map.iter().map(|(k, v)| (k.as_str().into(), Self::from_json(v))).collect())
            }
        }
    }

    /// As JSON: times are RFC 3339 texts, durations literals such as `"4m30s"`.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Missing => serde_json::Value::Null,
            Self::Bool(v) => (*v).into(),
            Self::Int(v) => (*v).into(),
            Self::UInt(v) => (*v).into(),
            Self::Float(v) => serde_json::Number::from_f64(*v).map_or(serde_json::Value::Null, Into::into),
            Self::Str(v) => serde_json::Value::String(v.to_string()),
            Self::List(v) => serde_json::Value::Array(v.iter().map(Self::to_json).collect()),
            Self::Object(v) => serde_json::Value::Object(v.iter().map(|(k, v)| (k.to_string(), v.to_json())).collect()),
            Self::Time(v) => serde_json::Value::String(v.to_string()),
            Self::Duration(v) => serde_json::Value::String(v.to_string()),
        }
    }
}

impl<'a> ValueRef<'a> {
    /// A copy that owns its text.
    pub fn to_owned(self) -> Value {
        match self {
            Self::Missing => Value::Missing,
            Self::Bool(v) => Value::Bool(v),
            Self::Int(v) => Value::Int(v),
            Self::UInt(v) => Value::UInt(v),
            Self::Float(v) => Value::Float(v),
            Self::Str(v) => Value::Str(v.into()),
            Self::List(v) => Value::List(v.into()),
            Self::Object(v) => Value::Object(v.into()),
            Self::Time(v) => Value::Time(v),
            Self::Duration(v) => Value::Duration(v),
        }
    }

    /// Absent or `null`.
    #[inline]
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Missing)
    }

    /// The value as a float, if it is a number; large integers round.
    #[inline]
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Self::Int(v) => Some(v as f64),
            Self::UInt(v) => Some(v as f64),
            Self::Float(v) => Some(v),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[inline]
    pub fn as_str(self) -> Option<&'a str> {
        match self {
            Self::Str(v) => Some(v),
            _ => None,
        }
    }

    /// Whether two scalars are equal. `None` if either is missing; values of different kinds are unequal.
    #[inline]
    pub fn equals(self, other: ValueRef<'_>) -> Option<bool> {
        match (self, other) {
            (Self::Missing, _) | (_, ValueRef::Missing) => None,
            (Self::Str(a), ValueRef::Str(b)) => Some(a == b),
            (Self::Int(a), ValueRef::Int(b)) => Some(a == b),
            (Self::Bool(a), ValueRef::Bool(b)) => Some(a == b),
            (Self::List(a), ValueRef::List(b)) => Some(a == b),
            (Self::Object(a), ValueRef::Object(b)) => Some(a == b),
            _ => Some(self.compare(other) == Some(Ordering::Equal)),
        }
    }

    /// The order of two scalars of one kind: numbers by value, texts by code point, times and durations.
    /// `None` if either is missing or the kinds differ.
    #[inline]
    pub fn compare(self, other: ValueRef<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), ValueRef::Int(b)) => Some(a.cmp(&b)),
            (Self::Float(a), ValueRef::Float(b)) => a.partial_cmp(&b),
            (Self::UInt(a), ValueRef::UInt(b)) => Some(a.cmp(&b)),
            (Self::Int(_), ValueRef::UInt(_)) => Some(Ordering::Less),
            (Self::UInt(_), ValueRef::Int(_)) => Some(Ordering::Greater),
            (Self::Int(a), ValueRef::Float(b)) => Some(compare_int_float(i128::from(a), b)),
            (Self::UInt(a), ValueRef::Float(b)) => Some(compare_int_float(i128::from(a), b)),
            (Self::Float(a), ValueRef::Int(b)) => Some(compare_int_float(i128::from(b), a).reverse()),
            (Self::Float(a), ValueRef::UInt(b)) => Some(compare_int_float(i128::from(b), a).reverse()),
            (Self::Str(a), ValueRef::Str(b)) => Some(a.cmp(b)),
            (Self::Time(a), ValueRef::Time(b)) => Some(a.cmp(&b)),
            (Self::Duration(a), ValueRef::Duration(b)) => Some(a.cmp(&b)),
            (Self::Bool(a), ValueRef::Bool(b)) => Some(a.cmp(&b)),
            _ => None,
        }
    }
}

/// Exact: `2^63` as a float is greater than `i64::MAX`, whatever rounding would say.
fn compare_int_float(a: i128, b: f64) -> Ordering {
    if b >= 1e30 {
        return Ordering::Less;
    }
    if b <= -1e30 {
        return Ordering::Greater;
    }
    let floor = b.floor();
    match a.cmp(&(floor as i128)) {
        Ordering::Equal if b > floor => Ordering::Less,
        order => order,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_floats_compare_exactly() {
        let max = ValueRef::Int(i64::MAX);
        assert_eq!(max.compare(ValueRef::Float(9_223_372_036_854_775_808.0)), Some(Ordering::Less));
        assert_eq!(ValueRef::Int(1).equals(ValueRef::Float(1.0)), Some(true));
        assert_eq!(ValueRef::Int(1).compare(ValueRef::Float(1.5)), Some(Ordering::Less));
        assert_eq!(ValueRef::Int(-1).compare(ValueRef::Float(-1.5)), Some(Ordering::Greater));
        assert_eq!(ValueRef::UInt(u64::MAX).compare(ValueRef::Int(-1)), Some(Ordering::Greater));
    }

    #[test]
    fn kinds_do_not_mix() {
        assert_eq!(ValueRef::Str("1").equals(ValueRef::Int(1)), Some(false));
        assert_eq!(ValueRef::Str("1").compare(ValueRef::Int(1)), None);
        assert_eq!(ValueRef::Missing.equals(ValueRef::Missing), None);
    }
}
