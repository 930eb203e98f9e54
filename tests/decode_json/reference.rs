//! The judge: `serde_json` and a plain look-up of paths. Used by the tests and by the fuzz target `json_diff`.

use serde_json::Value as Json;
use tripline::base::{Value, ValueRef};
use tripline::decode::{Arena, PathTrie, ScanStats, Slot, extract};

/// The trie of the paths, with the limit on nesting that `serde_json` has.
pub(crate) fn trie(paths: &[Vec<String>]) -> PathTrie {
    PathTrie::new(paths).with_max_depth(127)
}

/// What the scanner makes of a line: the values of the fields, or the name of the reason why not.
pub(crate) fn scanned(trie: &PathTrie, line: &str) -> Result<Vec<Value>, &'static str> {
    let mut arena = Arena::default();
    let mut slots = vec![Slot::Missing; trie.fields()];
    extract(line, 0, trie, &mut slots, &mut arena, &mut ScanStats::default()).map_err(|error| error.reason.name())?;
    Ok(slots.iter().map(|slot| ValueRef::to_owned(slot.value(line, &arena))).collect())
}

/// What the judge makes of it: `None` if the line is to be refused.
pub(crate) fn judged(paths: &[Vec<String>], line: &str) -> Option<Vec<Value>> {
    let json: Json = serde_json::from_str(&without_lone_surrogates(line)).ok()?;
    let Json::Object(_) = json else { return None };
    Some(paths.iter().map(|path| look_up(&json, path).map_or(Value::Missing, Value::from_json)).collect())
}

/// At each level the nested step first, then longer literal keys. `null` is not found.
fn look_up<'a>(json: &'a Json, path: &[String]) -> Option<&'a Json> {
    for taken in 1..=path.len() {
        let Some(value) = json.as_object().and_then(|object| object.get(&path[..taken].join("."))) else { continue };
        let found = if taken == path.len() { Some(value) } else { look_up(value, &path[taken..]) };
        if let Some(found) = found.filter(|found| !found.is_null()) {
            return Some(found);
        }
    }
    None
}

/// `serde_json` refuses half a surrogate pair, the scanner reads it as U+FFFD.
fn without_lone_surrogates(line: &str) -> String {
    let unit = |at: usize| {
        let digits = line.get(at + 2..at + 6).filter(|_| line[at..].starts_with("\\u"))?;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let mut out = String::new();
    let mut at = 0;
    while let Some(next) = line[at..].chars().next() {
        let is = |at: usize, range: std::ops::Range<u32>| unit(at).is_some_and(|unit| range.contains(&unit));
        let length = if next != '\\' {
            next.len_utf8()
        } else if is(at, 0xd800..0xdc00) && line.is_char_boundary(at + 6) && is(at + 6, 0xdc00..0xe000) {
            12
        } else if is(at, 0xd800..0xe000) {
            out.push_str("\\ufffd");
            at += 6;
            continue;
        } else {
            1 + line[at + 1..].chars().next().map_or(0, char::len_utf8)
        };
        out.push_str(&line[at..at + length]);
        at += length;
    }
    out
}

/// Equal, but for the last digits of floats: `serde_json` does not read them exactly.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    let float = |value: &Value| value.as_ref().as_f64();
    match (a, b) {
        (Value::Float(_), _) | (_, Value::Float(_)) => match (float(a), float(b)) {
            (Some(a), Some(b)) => (a - b).abs() <= a.abs() * 1e-14 + f64::MIN_POSITIVE,
            _ => false,
        },
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b))
        }
        _ => a == b,
    }
}

/// Fails if scanner and judge differ about a line.
pub(crate) fn compare(paths: &[Vec<String>], trie: &PathTrie, line: &str) -> Result<bool, String> {
    match (scanned(trie, line), judged(paths, line)) {
        (Ok(ours), Some(theirs)) => {
            let differing = paths.iter().zip(ours.iter().zip(&theirs)).find(|(_, (a, b))| !same(a, b));
            differing.map_or(Ok(true), |(path, (a, b))| Err(format!("{path:?} is {a:?}, not {b:?}, in {line}")))
        }
        (Err(_), None) => Ok(false),
        (Ok(_), None) => Err(format!("accepted, but is to be refused: {line}")),
        (Err(reason), Some(_)) => Err(format!("refused as {reason}, but is to be accepted: {line}")),
    }
}
