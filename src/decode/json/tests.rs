//! What the scanner takes from a line, and which lines it refuses and why.

use super::*;
use crate::base::ValueRef;

struct Decoded {
    result: Result<(), JsonError>,
    values: Vec<Value>,
    stats: ScanStats,
}

fn decode_with(trie: &PathTrie, line: &str) -> Decoded {
    // The line stands somewhere in a block, and the arena has been used before.
    let block = format!("before\n{line}\nafter");
    let mut arena = Arena::default();
    arena.text.push_str("old");
    arena.values.push(Value::Missing);
    let mut slots = vec![Slot::Bool(true); trie.fields()];
    let mut stats = ScanStats::default();
    let result = extract(line, 7, trie, &mut slots, &mut arena, &mut stats);
    if result.is_err() {
        assert!(slots.iter().all(|slot| slot.is_missing()));
        assert_eq!((arena.text.as_str(), arena.values.len()), ("old", 1));
    }
    let values = slots.iter().map(|slot| ValueRef::to_owned(slot.value(&block, &arena))).collect();
    Decoded { result, values, stats }
}

fn decode(paths: &[&str], line: &str) -> Decoded {
    let paths: Vec<Vec<String>> = paths.iter().map(|path| path.split('.').map(str::to_owned).collect()).collect();
    decode_with(&PathTrie::new(&paths), line)
}

fn values(paths: &[&str], line: &str) -> Vec<Value> {
    let decoded = decode(paths, line);
    assert_eq!(decoded.result, Ok(()), "{line}");
    decoded.values
}

fn value(path: &str, line: &str) -> Value {
    values(&[path], line).remove(0)
}

fn reason(line: &str) -> (Reject, u32) {
    let read = decode(&["v"], line).result;
    let skipped = decode(&["other"], line).result;
    assert_eq!(read, skipped, "a verdict must not depend on the fields that are read: {line}");
    let error = read.expect_err(line);
    (error.reason, error.offset)
}

fn text(value: &str) -> Value {
    Value::Str(value.into())
}

#[test]
fn every_kind_of_value() {
    let line = r#" { "s" : "x" , "i" : -7 , "u" : 18446744073709551615, "f" : 2.5e1, "t":true,"n":null,"l":[1,null,[]], "o":{"k":{}} } "#;
    let found = values(&["s", "i", "u", "f", "t", "n", "l", "o", "absent"], line);
    let list = Value::List([Value::Int(1), Value::Missing, Value::List([].into())].into());
    let object = Value::Object([("k".into(), Value::Object([].into()))].into());
    let expected = [
        text("x"),
        Value::Int(-7),
        Value::UInt(u64::MAX),
        Value::Float(25.0),
        Value::Bool(true),
        Value::Missing,
        list,
        object,
        Value::Missing,
    ];
    assert_eq!(found, expected);
}

#[test]
fn slots_point_into_the_block_unless_there_are_escapes() {
    let trie = PathTrie::new(&[vec!["a".to_owned()], vec!["b".to_owned()]]);
    let mut slots = [Slot::Missing; 3];
    slots[2] = Slot::Int(9);
    let mut arena = Arena::default();
    extract(r#"{"a":"plain","b":"\u0041"}"#, 100, &trie, &mut slots, &mut arena, &mut ScanStats::default())
        .expect("good");
    assert_eq!(slots, [Slot::Str { start: 106, len: 5 }, Slot::Text { start: 0, len: 1 }, Slot::Int(9)]);
    assert_eq!(arena.text, "A");
}

#[test]
fn nested_and_dotted_keys() {
    for line in [r#"{"a":{"b":{"c":1}}}"#, r#"{"a":{"b.c":1}}"#, r#"{"a.b":{"c":1}}"#, r#"{"a.b.c":1}"#] {
        assert_eq!(value("a.b.c", line), Value::Int(1), "{line}");
    }
    assert_eq!(value("a.b", r#"{"a.b":2,"a":{"b":1}}"#), Value::Int(1));
    assert_eq!(value("a.b", r#"{"a":{"b":1},"a.b":2}"#), Value::Int(1));
    assert_eq!(value("a.b", r#"{"a":{"b":null},"a.b":2}"#), Value::Int(2));
    assert_eq!(value("a.b", r#"{"a.b":2,"a":{"b":null}}"#), Value::Int(2));
    assert_eq!(value("a.b", r#"{"a":7,"a.b":2}"#), Value::Int(2));
    assert_eq!(value("a.b", r#"{"a":[{"b":1}]}"#), Value::Missing);
    assert_eq!(value("a.b.c", r#"{"a.b.c":3,"a.b":{"c":2},"a":{"b.c":1}}"#), Value::Int(1));
}

#[test]
fn a_path_and_one_below_it() {
    let found = values(&["a", "a.b", "a.b"], r#"{"a":{"b":"x\n"}}"#);
    assert_eq!(found[0], Value::Object([("b".into(), text("x\n"))].into()));
    assert_eq!(found[1..], [text("x\n"), text("x\n")]);
}

#[test]
fn keys_with_escapes_are_the_same_keys() {
    assert_eq!(value("user.name", r#"{"us\u0065r":{"n\u0061me":"bob"}}"#), text("bob"));
    let paths = [vec!["a\"b\\".to_owned(), "ü".to_owned(), String::new()]];
    let decoded = decode_with(&PathTrie::new(&paths), r#"{"a\"b\\":{"\u00fc":{"":5}}}"#);
    assert_eq!(decoded.values, [Value::Int(5)]);
}

#[test]
fn the_last_of_repeated_keys_counts_at_every_level() {
    let decoded = decode(&["a", "b"], r#"{"a":1,"a":"x\t","b":3}"#);
    assert_eq!(decoded.values, [text("x\t"), Value::Int(3)]);
    assert_eq!(decoded.stats.duplicate_keys, 1);
    assert_eq!(value("a", r#"{"a":1,"a":null}"#), Value::Missing);
    assert_eq!(value("a", r#"{"a":1,"\u0061":2}"#), Value::Int(2));
    assert_eq!(value("a.b", r#"{"a":{"b":1},"a":{"c":2}}"#), Value::Missing);
    assert_eq!(value("a.b", r#"{"a.b":5,"a":{"b":1},"a":{"c":2}}"#), Value::Int(5));
    assert_eq!(value("a.b", r#"{"a":{"b":1},"a":{"c":2},"a":{"b":[3],"b":{}}}"#), Value::Object([].into()));
    assert_eq!(value("a", r#"{"a":{"k":1,"l":2,"k":3}}"#), {
        Value::Object([("k".into(), Value::Int(3)), ("l".into(), Value::Int(2))].into())
    });
    // The same key in different objects is no repetition, and keys that no path leads to are not looked at.
    let decoded = decode(&["a.x", "b.x"], r#"{"a":{"x":1},"b":{"x":2},"c":{"x":1,"x":2},"z":1,"z":2}"#);
    assert_eq!(decoded.values, [Value::Int(1), Value::Int(2)]);
    assert_eq!(decoded.stats, ScanStats::default());
}

#[test]
fn repeated_keys_of_a_large_object() {
    let mut line = String::from("{\"o\":{");
    for n in 0..200 {
        line.push_str(&format!("\"k{}\":{n},", n % 60));
    }
    line.push_str("\"end\":0}}");
    let Value::Object(fields) = value("o", &line) else { panic!("an object was written") };
    assert_eq!(fields.len(), 61);
    assert_eq!(fields[0], ("k0".into(), Value::Int(180)));
    assert_eq!(fields[20], ("k20".into(), Value::Int(140)));
}

#[test]
fn numbers() {
    let number = |written: &str| value("v", &format!("{{\"v\":{written}}}"));
    assert_eq!(number("9223372036854775807"), Value::Int(i64::MAX));
    assert_eq!(number("-9223372036854775808"), Value::Int(i64::MIN));
    assert_eq!(number("9223372036854775808"), Value::UInt(1 << 63));
    assert_eq!(number("18446744073709551616"), Value::Float(18446744073709551616.0));
    assert_eq!(number("-9223372036854775809"), Value::Float(-9223372036854775808.0));
    assert_eq!(number("-0"), Value::Int(0));
    assert_eq!(number("1.0"), Value::Float(1.0));
    assert_eq!(number("0e0"), Value::Float(0.0));
    assert_eq!(number("1e-999"), Value::Float(0.0));
    assert_eq!(number("1.7976931348623157e308"), Value::Float(f64::MAX));
    assert_eq!(number("2.2250738585072014e-308"), Value::Float(f64::MIN_POSITIVE));
    assert_eq!(number(&"1".repeat(309)), Value::Float(1.111_111_111_111_111_2e308));
}

#[test]
fn numbers_that_are_refused() {
    for written in ["01", "-01", "1.", "1.e5", "1e", "1e+", "-", "--1", "-a", "1.5.5x"] {
        let (reason, _) = reason(&format!("{{\"v\":{written}}}"));
        assert!(matches!(reason, Reject::BadNumber | Reject::Syntax), "{written}: {reason:?}");
    }
    for written in ["+1", ".5", "0x10", "1_000", "NaN", "Infinity", "-Infinity"] {
        reason(&format!("{{\"v\":{written}}}"));
    }
    assert_eq!(reason("{\"v\":1e400}"), (Reject::NumberOverflow, 5));
    assert_eq!(reason("{\"v\":-1e400}"), (Reject::NumberOverflow, 5));
    assert_eq!(reason(&format!("{{\"v\":{}}}", "9".repeat(310))), (Reject::NumberOverflow, 5));
}

#[test]
fn strings() {
    let string = |written: &str| value("v", &format!("{{\"v\":\"{written}\"}}"));
    assert_eq!(string(r#"\"\\\/\b\f\n\r\t"#), text("\"\\/\u{8}\u{c}\n\r\t"));
    assert_eq!(string(r"a\u00e4\u20ac\ud83d\ude00z"), text("aä€😀z"));
    assert_eq!(string("ä€😀\u{7f}\u{2028}"), text("ä€😀\u{7f}\u{2028}"));
    assert_eq!(string(r"\u0000"), text("\0"));
    for length in 0..40 {
        let plain = "x".repeat(length);
        assert_eq!(string(&plain), text(&plain));
        assert_eq!(string(&format!("{plain}\\n{plain}")), text(&format!("{plain}\n{plain}")));
        assert_eq!(reason(&format!("{{\"v\":\"{plain}\u{1f}\"}}")).0, Reject::ControlCharacter);
        assert_eq!(reason(&format!("{{\"v\":\"{plain}")).0, Reject::Truncated);
    }
}

#[test]
fn half_a_surrogate_pair_becomes_the_replacement_character() {
    for (written, meant, halves) in [
        (r"\ud800", "\u{fffd}", 1),
        (r"\udc00x", "\u{fffd}x", 1),
        (r"\ud800\ud800\udc00", "\u{fffd}\u{10000}", 1),
        (r"\ud800\u0041", "\u{fffd}A", 1),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}", 2),
        (r"\ud800\n", "\u{fffd}\n", 1),
    ] {
        let decoded = decode(&["v"], &format!("{{\"v\":\"{written}\"}}"));
        assert_eq!(decoded.values, [text(meant)], "{written}");
        assert_eq!(decoded.stats.lone_surrogates, halves, "{written}");
        assert_eq!(value("other", &format!("{{\"v\":\"{written}\"}}")), Value::Missing);
    }
}

#[test]
fn why_lines_are_refused() {
    assert_eq!(reason(""), (Reject::NotAnObject, 0));
    assert_eq!(reason(" [1]"), (Reject::NotAnObject, 1));
    assert_eq!(reason("plain text"), (Reject::NotAnObject, 0));
    assert_eq!(reason("\u{feff}{}"), (Reject::NotAnObject, 0));
    assert_eq!(reason("{"), (Reject::Truncated, 1));
    assert_eq!(reason("{\"v\""), (Reject::Truncated, 4));
    assert_eq!(reason("{\"v\":"), (Reject::Truncated, 5));
    assert_eq!(reason("{\"v\":1"), (Reject::Truncated, 6));
    assert_eq!(reason("{\"v\":-"), (Reject::Truncated, 6));
    assert_eq!(reason("{\"v\":tru"), (Reject::Truncated, 8));
    assert_eq!(reason("{\"v\":[1,"), (Reject::Truncated, 8));
    assert_eq!(reason("{\"v\":\"\\"), (Reject::Truncated, 7));
    assert_eq!(reason("{\"v\":\"\\u00"), (Reject::Truncated, 10));
    assert_eq!(reason("{\"v\":1,}"), (Reject::Syntax, 7));
    assert_eq!(reason("{,}"), (Reject::Syntax, 1));
    assert_eq!(reason("{\"v\" 1}"), (Reject::Syntax, 5));
    assert_eq!(reason("{v:1}"), (Reject::Syntax, 1));
    assert_eq!(reason("{\"v\":truth}"), (Reject::Syntax, 8));
    assert_eq!(reason("{\"v\":[1 2]}"), (Reject::Syntax, 8));
    assert_eq!(reason("{\"v\":[1,]}"), (Reject::Syntax, 8));
    assert_eq!(reason("{\"v\":[1}"), (Reject::Syntax, 7));
    assert_eq!(reason("{\"v\":{\"a\":1]}"), (Reject::Syntax, 11));
    assert_eq!(reason("{\"v\":\"\\x\"}"), (Reject::BadEscape, 6));
    assert_eq!(reason("{\"v\":\"\\u00g0\"}"), (Reject::BadEscape, 6));
    assert_eq!(reason("{\"v\":\"\\u12\"}"), (Reject::BadEscape, 6));
    assert_eq!(reason("{} {}"), (Reject::TrailingData, 3));
    assert_eq!(reason("{}\0"), (Reject::TrailingData, 2));
}

#[test]
fn nesting_has_a_limit() {
    let nested = |levels: usize, open: &str, close: &str| {
        format!("{{\"v\":{}1{}}}", open.repeat(levels - 1), close.repeat(levels - 1))
    };
    for (open, close) in [("[", "]"), ("{\"v\":", "}")] {
        assert!(decode(&["v"], &nested(128, open, close)).result.is_ok());
        assert!(decode(&["other"], &nested(128, open, close)).result.is_ok());
        assert_eq!(reason(&nested(129, open, close)).0, Reject::TooDeep);
        assert_eq!(reason(&nested(100_000, open, close)).0, Reject::TooDeep);
    }
    let trie = PathTrie::new(&[vec!["v".to_owned()]]).with_max_depth(2);
    assert!(decode_with(&trie, &nested(2, "[", "]")).result.is_ok());
    assert_eq!(decode_with(&trie, &nested(3, "[", "]")).result.map_err(|e| e.reason), Err(Reject::TooDeep));
    // A path deeper than the limit is followed no further than the limit.
    let deep = PathTrie::new(&[vec!["v".to_owned(); 1_000]]);
    assert_eq!(decode_with(&deep, &nested(1_000, "{\"v\":", "}")).result.map_err(|e| e.reason), Err(Reject::TooDeep));
}
