//! Lists and objects as [`Value`]s, for the few fields whose value is one, and for the rare line with repeated keys.
//!
//! Of a repeated key the last value counts, at the place of the first, as in a map that keeps the order of its keys.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::reject::Reject;
use super::scan::{Number, Scan, Scanner, unescape};
use crate::base::Value;

/// Objects with more keys than this look for repeated ones by hash.
const SEARCH_BY_HASH_FROM: usize = 24;

/// What was met on the way.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) duplicate_keys: u64,
    pub(super) lone_surrogates: u64,
}

/// The value at the cursor, which stands inside `depth` arrays and objects.
pub(super) fn tree(scan: &mut Scanner<'_>, depth: usize, met: &mut Met) -> Scan<Value> {
    match scan.peek() {
        Some(b'"') => {
            let span = scan.string()?;
            Ok(Value::Str(text(scan.text(span), span.escaped, met)))
        }
        Some(b'-' | b'0'..=b'9') => Ok(match scan.number()? {
            Number::Int(v) => Value::Int(v),
            Number::UInt(v) => Value::UInt(v),
            Number::Float(v) => Value::Float(v),
        }),
        Some(b'{') => object(scan, depth, met),
        Some(b'[') => list(scan, depth, met),
        Some(b't') => scan.literal("true").map(|()| Value::Bool(true)),
        Some(b'f') => scan.literal("false").map(|()| Value::Bool(false)),
        Some(b'n') => scan.literal("null").map(|()| Value::Missing),
        _ => scan.error(Reject::Syntax),
    }
}

fn text<T: for<'a> From<&'a str> + From<String>>(raw: &str, escaped: bool, met: &mut Met) -> T {
    if !escaped {
        return raw.into();
    }
    let mut plain = String::with_capacity(raw.len());
    met.lone_surrogates += unescape(raw, &mut plain);
    plain.into()
}

fn list(scan: &mut Scanner<'_>, depth: usize, met: &mut Met) -> Scan<Value> {
    let depth = scan.deeper(depth)?;
    let mut items = Vec::new();
    scan.pos += 1;
    if scan.space() == Some(b']') {
        scan.pos += 1;
        return Ok(Value::List(items.into()));
    }
    loop {
        items.push(tree(scan, depth, met)?);
        match scan.space() {
            Some(b',') => {
                scan.pos += 1;
                scan.space();
            }
            Some(b']') => {
                scan.pos += 1;
                return Ok(Value::List(items.into()));
            }
            _ => return scan.error(Reject::Syntax),
        }
    }
}

fn object(scan: &mut Scanner<'_>, depth: usize, met: &mut Met) -> Scan<Value> {
    let depth = scan.deeper(depth)?;
    let mut fields: Vec<(Box<str>, Value)> = Vec::new();
    let mut by_key: HashMap<Box<str>, usize, RandomState> = HashMap::default();
    scan.pos += 1;
    if scan.space() == Some(b'}') {
        scan.pos += 1;
        return Ok(Value::Object(fields.into()));
    }
    loop {
        let span = scan.key()?;
        let key = text(scan.text(span), span.escaped, met);
        let value = tree(scan, depth, met)?;
        let known = if fields.len() < SEARCH_BY_HASH_FROM {
            fields.iter().position(|(name, _)| *name == key)
        } else {
            if by_key.is_empty() {
                by_key.extend(fields.iter().enumerate().map(|(place, (name, _))| (name.clone(), place)));
            }
            by_key.get(&key).copied()
        };
        match known {
            Some(place) => {
                met.duplicate_keys += 1;
                fields[place].1 = value;
            }
            None => {
                if !by_key.is_empty() {
                    by_key.insert(key.clone(), fields.len());
                }
                fields.push((key, value));
            }
        }
        match scan.space() {
            Some(b',') => {
                scan.pos += 1;
                scan.space();
            }
            Some(b'}') => {
                scan.pos += 1;
                return Ok(Value::Object(fields.into()));
            }
            _ => return scan.error(Reject::Syntax),
        }
    }
}
