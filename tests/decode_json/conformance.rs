//! The texts of JSONTestSuite, each as the value of a field and as a whole line, and small cases of our own for the
//! same classes. What the standard leaves open (`i_`) is pinned here.

use std::fs;
use std::path::Path;

use tripline::base::Value;
use tripline::decode::{PathTrie, Reject, TextBlock};

use crate::reference::scanned;

/// A text, line feeds and all, goes through the same gate as a line: it must be UTF-8.
fn verdict(trie: &PathTrie, bytes: &[u8]) -> Result<Value, &'static str> {
    let line = std::str::from_utf8(bytes).map_err(|_| Reject::InvalidUtf8.name())?;
    scanned(trie, line).map(|mut values| values.remove(0))
}

fn field(name: &str) -> PathTrie {
    PathTrie::new(&[vec![name.to_owned()]])
}

fn wrapped(bytes: &[u8]) -> Vec<u8> {
    [b"{\"v\":", bytes, b"}"].concat()
}

/// What the scanner makes of the texts that may be accepted or refused.
const OPEN: [(&str, &str); 35] = [
    ("i_number_double_huge_neg_exp.json", "accepted"),
    ("i_number_huge_exp.json", "number_overflow"),
    ("i_number_neg_int_huge_exp.json", "number_overflow"),
    ("i_number_pos_double_huge_exp.json", "number_overflow"),
    ("i_number_real_neg_overflow.json", "number_overflow"),
    ("i_number_real_pos_overflow.json", "number_overflow"),
    ("i_number_real_underflow.json", "accepted"),
    ("i_number_too_big_neg_int.json", "accepted"),
    ("i_number_too_big_pos_int.json", "accepted"),
    ("i_number_very_big_negative_int.json", "accepted"),
    ("i_object_key_lone_2nd_surrogate.json", "accepted"),
    ("i_string_1st_surrogate_but_2nd_missing.json", "accepted"),
    ("i_string_1st_valid_surrogate_2nd_invalid.json", "accepted"),
    ("i_string_UTF-16LE_with_BOM.json", "invalid_utf8"),
    ("i_string_UTF-8_invalid_sequence.json", "invalid_utf8"),
    ("i_string_UTF8_surrogate_U+D800.json", "invalid_utf8"),
    ("i_string_incomplete_surrogate_and_escape_valid.json", "accepted"),
    ("i_string_incomplete_surrogate_pair.json", "accepted"),
    ("i_string_incomplete_surrogates_escape_valid.json", "accepted"),
    ("i_string_invalid_lonely_surrogate.json", "accepted"),
    ("i_string_invalid_surrogate.json", "accepted"),
    ("i_string_invalid_utf-8.json", "invalid_utf8"),
    ("i_string_inverted_surrogates_U+1D11E.json", "accepted"),
    ("i_string_iso_latin_1.json", "invalid_utf8"),
    ("i_string_lone_second_surrogate.json", "accepted"),
    ("i_string_lone_utf8_continuation_byte.json", "invalid_utf8"),
    ("i_string_not_in_unicode_range.json", "invalid_utf8"),
    ("i_string_overlong_sequence_2_bytes.json", "invalid_utf8"),
    ("i_string_overlong_sequence_6_bytes.json", "invalid_utf8"),
    ("i_string_overlong_sequence_6_bytes_null.json", "invalid_utf8"),
    ("i_string_truncated-utf-8.json", "invalid_utf8"),
    ("i_string_utf16BE_no_BOM.json", "invalid_utf8"),
    ("i_string_utf16LE_no_BOM.json", "invalid_utf8"),
    ("i_structure_500_nested_arrays.json", "too_deep"),
    // Only what stands before a line may be a byte order mark; inside it is no white space.
    ("i_structure_UTF-8_BOM_empty_object.json", "syntax"),
];

#[test]
fn the_public_suite() {
    let suite = "shared/data/json-conformance/test_parsing";
    let beside = |folder: &Path| fs::read_dir(folder.join(suite)).ok();
    let Some(entries) = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find_map(beside) else {
        eprintln!("SKIPPED: the JSON conformance suite is not here; it is looked for as {suite} beside the repository");
        return;
    };
    let (read, skipped) = (field("v"), field("other"));
    let mut seen = [0; 3];
    for entry in entries {
        let entry = entry.expect("the folder can be read");
        let name = entry.file_name().to_string_lossy().into_owned();
        let bytes = fs::read(entry.path()).expect("the file can be read");
        let line = wrapped(&bytes);
        let verdicts = [&read, &skipped].map(|trie| verdict(trie, &line).map(|_| ()));
        assert_eq!(verdicts[0], verdicts[1], "{name}: the verdict depends on what is read");
        let raw = verdict(&read, &bytes);
        match name.split('_').next() {
            Some("y") => {
                assert_eq!(verdicts[0], Ok(()), "{name}");
                let object = bytes.trim_ascii_start().first() == Some(&b'{');
                assert_eq!(raw.map(|_| ()), if object { Ok(()) } else { Err("not_an_object") }, "{name}");
                seen[0] += 1;
            }
            Some("n") => {
                // Around a text that is itself cut off or goes on, the braces may happen to make it whole.
                assert!(raw.is_err(), "{name} as a line");
                assert!(verdicts[0].is_err() || serde_json::from_slice::<serde_json::Value>(&line).is_ok(), "{name}");
                seen[1] += 1;
            }
            Some("i") => {
                let pinned = OPEN.iter().find(|(known, _)| *known == name).map(|(_, outcome)| *outcome);
                assert_eq!(Some(verdicts[0].map_or_else(|reason| reason, |()| "accepted")), pinned, "{name}");
                seen[2] += 1;
            }
            _ => {}
        }
    }
    assert_eq!(seen, [95, 188, 35]);
}

#[test]
fn accepted_whatever_is_read() {
    let (read, skipped) = (field("v"), field("other"));
    for text in [
        "[]",
        "{}",
        "[[]   ]",
        "[\"\"]",
        "[1,null,\"1\",{}]",
        "{\"\":0}",
        "{\"a\":\"b\",\"a\":\"c\"}",
        "\"\\u0000\"",
        "\"\u{7f}\"",
        "\"\u{10ffff}\"",
        "\"\\uDBFF\\uDFFF\"",
        "\"\u{2028}\u{2029}\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "-0",
        "0e+1",
        "1E22",
        "123.456e78",
        "0.4e006",
        "20e1",
        "\t1\r\n",
        "123456789012345678901234567890",
        "1e-10000",
    ] {
        for trie in [&read, &skipped] {
            assert!(verdict(trie, &wrapped(text.as_bytes())).is_ok(), "{text}");
        }
    }
}

#[test]
fn refused_whatever_is_read() {
    let (read, skipped) = (field("v"), field("other"));
    let cases: [&[u8]; 44] = [
        b"[1,]",
        b"[,1]",
        b"[1,,2]",
        b"[1:2]",
        b"[",
        b"]",
        b"[1",
        b"[1}",
        b"{\"a\":1,}",
        b"{,\"a\":1}",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{a:1}",
        b"{'a':1}",
        b"{1:1}",
        b"{\"a\":1 \"b\":2}",
        b"{\"a\":/*c*/1}",
        b"'x'",
        b"\"",
        b"\"\\\"",
        b"\"\\x00\"",
        b"\"\\u00\"",
        b"\"\\uD8\"",
        b"\"\\ \"",
        b"\"\t\"",
        b"\"\n\"",
        b"\"\0\"",
        b"nul",
        b"True",
        b"nulL",
        b"01",
        b"-01",
        b"1.",
        b".1",
        b"1e",
        b"1e+",
        b"+1",
        b"0x1",
        b"1 000",
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
    ];
    for case in cases {
        let line = wrapped(case);
        let verdicts = [&read, &skipped].map(|trie| verdict(trie, &line).map(|_| ()));
        assert!(verdicts[0].is_err(), "{}", case.escape_ascii());
        assert_eq!(verdicts[0], verdicts[1], "{}", case.escape_ascii());
    }
}

#[test]
fn a_bad_line_costs_only_itself() {
    let block = TextBlock::new(b"{\"v\":1}\r\n{\"v\":\xff}\n{\"v\":2\n\n  \n{\"v\":3}");
    let trie = field("v");
    let outcomes: Vec<_> = block
        .lines(1 << 20)
        .map(|line| (line.index, line.text.map_err(Reject::name).and_then(|text| scanned(&trie, text))))
        .collect();
    let value = |v| Ok(vec![Value::Int(v)]);
    assert_eq!(outcomes, [(0, value(1)), (1, Err("invalid_utf8")), (2, Err("truncated")), (5, value(3))]);
}
