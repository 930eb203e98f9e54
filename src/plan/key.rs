//! Keys as bytes: a canonical encoding in which equal values, and only they, are equal bytes.
//!
//! `1` and `1.0` are one key, `"1"` is another (language.md §2). The encoding is part of saved state and of
//! alert ids: it must not change without a new state version.

use smallvec::SmallVec;

use super::eval::{Ctx, Val, eval};
use super::event::EventView;
use super::expr::Expr;
use crate::base::{Duration, Timestamp, Value, ValueRef};

const MISSING: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const UINT: u8 = 4;
const FLOAT: u8 = 5;
const STR: u8 = 6;
const TIME: u8 = 7;
const DURATION: u8 = 8;
const LIST: u8 = 9;
const OBJECT: u8 = 10;

/// A place that takes key bytes.
pub trait Bytes {
    /// Appends.
    fn put(&mut self, bytes: &[u8]);
}

impl Bytes for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl<const N: usize> Bytes for SmallVec<[u8; N]> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// One key expression list: a component each.
#[derive(Clone, Debug)]
pub struct KeySpec {
    /// The parts in the order of the rule's components.
    pub parts: Vec<KeyPart>,
}

/// One component of a key.
#[derive(Clone, Debug)]
pub struct KeyPart {
    /// Its value, over the event.
    pub value: Expr,
    /// `?`: missing is a key.
    pub optional: bool,
}

/// Why an event has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// A component is missing.
    Missing,
    /// A component is a list or an object.
    NotScalar,
}

impl KeySpec {
    /// Whether an event may have several keys: some part is `each(…)`.
    pub fn has_each(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.value, Expr::Each(_)))
    }

    /// Gives every different key of an event to `take`, in the order of the elements, `most` of them at most; whether
    /// there were more. For specs with `each`.
    pub fn encode_each<'a, E: EventView>(
        &'a self,
        c: &Ctx<'a, E>,
        most: usize,
        mut take: impl FnMut(&[u8]),
    ) -> Result<bool, NoKey> {
        let mut keys: Vec<Vec<u8>> = vec![Vec::new()];
        let mut cut = false;
        for part in &self.parts {
            let value = eval(&part.value, c);
            let mut ends: Vec<Vec<u8>> = Vec::new();
            let mut seen: hashbrown::HashSet<Vec<u8>, foldhash::fast::FixedState> = hashbrown::HashSet::default();
            let mut add = |value: ValueRef<'_>| {
                let mut bytes = Vec::new();
                if encode_scalar(value, &mut bytes) && seen.insert(bytes.clone()) {
                    ends.push(bytes);
                }
            };
            match value.get() {
                ValueRef::List(items) if matches!(part.value, Expr::Each(_)) => {
                    items.iter().map(Value::as_ref).filter(|v| !v.is_missing()).for_each(&mut add);
                }
                ValueRef::Missing => {}
                one => add(one),
            }
            if ends.is_empty() {
                match value.get() {
                    ValueRef::List(items) if !items.is_empty() => return Err(NoKey::NotScalar),
                    ValueRef::Object(_) => return Err(NoKey::NotScalar),
                    _ if !part.optional => return Err(NoKey::Missing),
                    // A list without elements is as missing as no list.
                    _ => {
                        let mut bytes = Vec::new();
                        encode_scalar(ValueRef::Missing, &mut bytes);
                        ends.push(bytes);
                    }
                }
            }
            cut |= keys.len().saturating_mul(ends.len()) > most;
            keys = keys
                .iter()
                .flat_map(|head| ends.iter().map(move |end| [head.as_slice(), end.as_slice()].concat()))
                .take(most)
                .collect();
        }
        keys.iter().for_each(|key| take(key));
        Ok(cut)
    }

    /// Appends the key of an event.
    pub fn encode<'a, E: EventView>(&'a self, c: &Ctx<'a, E>, out: &mut impl Bytes) -> Result<(), NoKey> {
        for part in &self.parts {
            let value = eval(&part.value, c);
            match value.get() {
                ValueRef::Missing if !part.optional => return Err(NoKey::Missing),
                value => {
                    if !encode_scalar(value, out) {
                        return Err(NoKey::NotScalar);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The text of the first component of an encoded key, if it is one.
pub fn first_text(key: &[u8]) -> Option<&[u8]> {
    let (head, rest) = key.split_first_chunk::<5>()?;
    let [STR, length @ ..] = *head else { return None };
    rest.get(..u32::from_le_bytes(length) as usize)
}

/// Appends a scalar; `false`, and nothing appended, for lists and objects.
pub fn encode_scalar(value: ValueRef<'_>, out: &mut impl Bytes) -> bool {
    match value {
        ValueRef::Missing => out.put(&[MISSING]),
        ValueRef::Bool(false) => out.put(&[FALSE]),
        ValueRef::Bool(true) => out.put(&[TRUE]),
        ValueRef::Int(v) => {
            let mut bytes = [INT; 9];
            bytes[1..].copy_from_slice(&v.to_le_bytes());
            out.put(&bytes);
        }
        ValueRef::UInt(v) => {
            out.put(&[UINT]);
            out.put(&v.to_le_bytes());
        }
        ValueRef::Float(v) => match exact_integer(v) {
            Some(v) => return encode_scalar(v, out),
            None => {
                out.put(&[FLOAT]);
                out.put(&v.to_bits().to_le_bytes());
            }
        },
        ValueRef::Str(v) => {
            let mut head = [STR; 5];
            head[1..].copy_from_slice(&(v.len() as u32).to_le_bytes());
            out.put(&head);
            out.put(v.as_bytes());
        }
        ValueRef::Time(v) => {
            out.put(&[TIME]);
            out.put(&v.0.to_le_bytes());
        }
        ValueRef::Duration(v) => {
            out.put(&[DURATION]);
            out.put(&v.0.to_le_bytes());
        }
        ValueRef::List(_) | ValueRef::Object(_) => return false,
    }
    true
}

/// Appends any value; lists and objects by their parts.
pub fn encode_any(value: ValueRef<'_>, out: &mut impl Bytes) {
    match value {
        ValueRef::List(items) => {
            out.put(&[LIST]);
            out.put(&(items.len() as u32).to_le_bytes());
            for item in items {
                encode_any(item.as_ref(), out);
            }
        }
        ValueRef::Object(fields) => {
            out.put(&[OBJECT]);
            out.put(&(fields.len() as u32).to_le_bytes());
            for (name, value) in fields {
                encode_scalar(ValueRef::Str(name), out);
                encode_any(value.as_ref(), out);
            }
        }
        scalar => {
            encode_scalar(scalar, out);
        }
    }
}

fn exact_integer(v: f64) -> Option<ValueRef<'static>> {
    if v.fract() != 0.0 || !(-9.3e18..1.85e19).contains(&v) {
        return None;
    }
    match Value::integer(v as i128) {
        Value::Int(i) => Some(ValueRef::Int(i)),
        Value::UInt(u) => Some(ValueRef::UInt(u)),
        _ => None,
    }
}

/// Reads `parts` scalars back from key bytes; missing for bytes that are none.
pub fn decode(mut bytes: &[u8], parts: usize) -> Vec<Value> {
    fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
        let mut out = [0; N];
        let (head, tail) = bytes.split_at(N.min(bytes.len()));
        out[..head.len()].copy_from_slice(head);
        *bytes = tail;
        out
    }
    (0..parts)
        .map(|_| match take::<1>(&mut bytes)[0] {
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => Value::Int(i64::from_le_bytes(take(&mut bytes))),
            UINT => Value::UInt(u64::from_le_bytes(take(&mut bytes))),
            FLOAT => Value::Float(f64::from_bits(u64::from_le_bytes(take(&mut bytes)))),
            STR => {
                let len = (u32::from_le_bytes(take(&mut bytes)) as usize).min(bytes.len());
                let (text, rest) = bytes.split_at(len);
                bytes = rest;
                Value::Str(String::from_utf8_lossy(text).into())
            }
            TIME => Value::Time(Timestamp(i64::from_le_bytes(take(&mut bytes)))),
            DURATION => Value::Duration(Duration(i64::from_le_bytes(take(&mut bytes)))),
            _ => Value::Missing,
        })
        .collect()
}

/// A stable hash: xxh3, seed 0. It may be written to disk, and rules may ask for it.
#[inline]
pub fn hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

/// The hash by which tables of keys find a key, and which decides the shard. Who knows the seed can make keys that all
/// fall on one place, so it should be none that others know.
#[inline]
pub fn seeded_hash(bytes: &[u8], seed: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(bytes, seed)
}

/// Encodes the values of expressions as one join key; `None` if any is missing or no scalar.
pub fn encode_tuple<'a, 'e: 'a, E: EventView>(
    parts: impl Iterator<Item = &'e Expr>,
    c: &Ctx<'a, E>,
    out: &mut impl Bytes,
) -> Option<()> {
    for part in parts {
        let value: Val<'_> = eval(part, c);
        if value.get().is_missing() || !encode_scalar(value.get(), out) {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(v: ValueRef<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        encode_scalar(v, &mut out);
        out
    }

    #[test]
    fn equal_numbers_are_one_key() {
        assert_eq!(bytes(ValueRef::Int(1)), bytes(ValueRef::Float(1.0)));
        assert_ne!(bytes(ValueRef::Int(1)), bytes(ValueRef::Str("1")));
        assert_eq!(bytes(ValueRef::Float(-0.0)), bytes(ValueRef::Int(0)));
        assert_eq!(bytes(ValueRef::UInt(1 << 63)), bytes(ValueRef::Float(9_223_372_036_854_775_808.0)));
    }

    #[test]
    fn keys_read_back() {
        let values = [Value::Str("a b".into()), Value::Int(-5), Value::Missing, Value::Float(0.5), Value::Bool(true)];
        let mut out = Vec::new();
        for v in &values {
            assert!(encode_scalar(v.as_ref(), &mut out));
        }
        assert_eq!(decode(&out, 5), values);
    }
}
