//! Random objects, and the same with random damage.

use proptest::prelude::*;

use crate::reference::{compare, trie};

/// Keys that collide on purpose: nested and dotted forms of the paths below, escapes, and others.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "c", "a.b", "b.c", "a.b.c", "", "x"]).prop_map(|key| format!("\"{key}\"")),
        1 => prop::sample::select(vec![r#""\u0061""#, r#""a\u002eb""#, r#""\/""#, r#""ü""#, r#""\ud800""#])
            .prop_map(str::to_owned),
        1 => "[a-zäß€ ]{0,20}".prop_map(|key| format!("\"{key}\"")),
    ]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => prop::sample::select(vec!["null", "true", "false", "0", "-0", "1e5", "1E-5", "0.1", "-12.5e+3"])
            .prop_map(str::to_owned),
        2 => any::<i64>().prop_map(|v| v.to_string()),
        1 => any::<u64>().prop_map(|v| v.to_string()),
        1 => any::<f64>().prop_filter("JSON has finite numbers only", |v| v.is_finite()).prop_map(|v| format!("{v:e}")),
        1 => "-?[0-9]{1,25}(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?",
        3 => "[ -~äß€😀]{0,30}".prop_map(|text| serde_json::Value::String(text).to_string()),
        2 => prop::collection::vec(
            prop::sample::select(vec![
                "x", "\\n", "\\\\", "\\\"", "\\/", "\\u0041", "\\u00e9", "\\ud83d", "\\ude00", "\\ud83d\\ude00", "\\uD7FF", "\\b\\f\\r\\t",
            ]),
            0..12,
        )
        .prop_map(|parts| format!("\"{}\"", parts.concat())),
    ]
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 2 => Just(" "), 1 => Just("\t\r\n ")]
}

fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::vec((key(), space(), space(), value), 0..7).prop_map(|members| {
        let members: Vec<String> = members.iter().map(|(k, s, t, v)| format!("{s}{k}{s}:{t}{v}{t}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn json() -> impl Strategy<Value = String> {
    scalar().prop_recursive(4, 60, 6, |inner| {
        prop_oneof![
            3 => members(inner.clone()),
            1 => prop::collection::vec((space(), inner), 0..5).prop_map(|items| {
                let items: Vec<String> = items.iter().map(|(s, v)| format!("{s}{v}{s}")).collect();
                format!("[{}]", items.join(","))
            }),
        ]
    })
}

fn object() -> impl Strategy<Value = String> {
    (space(), members(json()), space()).prop_map(|(before, object, after)| format!("{before}{object}{after}"))
}

fn paths() -> impl Strategy<Value = Vec<Vec<String>>> {
    let part = prop::sample::select(vec!["a", "b", "c", "a.b", "", "x"]).prop_map(str::to_owned);
    prop::collection::vec(prop::collection::vec(part, 1..5), 0..14)
}

/// One piece of damage: at a place, cut some characters out and put others in.
fn damage() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let inserted = prop_oneof![
        2 => Just(String::new()),
        3 => prop::sample::select(vec![
            "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "-", ".", "e", "+", "\\u", "\\ud800", "null", "tru", "\u{1}", "\n", " ", "€",
            "1e999", "\u{feff}", "\"a\":", "\"a\":{\"b\":7},",
        ])
        .prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    (any::<prop::sample::Index>(), 0usize..4, inserted)
}

fn spoil(line: &str, damage: &[(prop::sample::Index, usize, String)]) -> String {
    let mut chars: Vec<char> = line.chars().collect();
    for (place, cut, inserted) in damage {
        let start = place.index(chars.len() + 1);
        let end = (start + cut).min(chars.len());
        chars.splice(start..end, inserted.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn good_lines_give_the_same_values(paths in paths(), line in object()) {
        let verdict = compare(&paths, &trie(&paths), &line);
        prop_assert!(verdict.is_ok(), "{:?}", verdict);
    }

    #[test]
    fn damaged_lines_give_the_same_verdict(
        paths in paths(),
        line in object(),
        damages in prop::collection::vec(prop::collection::vec(damage(), 1..4), 1..8),
    ) {
        let trie = trie(&paths);
        for damage in damages {
            let line = spoil(&line, &damage);
            let verdict = compare(&paths, &trie, &line);
            prop_assert!(verdict.is_ok(), "{:?}", verdict);
        }
    }
}

/// The same over lines of the shape that log shippers send, with every single byte changed or cut away.
#[test]
fn every_truncation_and_every_changed_byte_of_a_line() {
    let line = r#"{"@timestamp":"2024-05-01T10:00:00.123Z","host":{"name":"web-1","ip":["10.0.0.1","::1"]},"user.name":"CORP\\bob","n":-12.5e3,"ok":true,"none":null,"text":"caf\u00e9 \ud83d\ude00"}"#;
    let paths: Vec<Vec<String>> =
        [&["@timestamp"][..], &["host", "name"], &["host", "ip"], &["user", "name"], &["n"], &["text"]]
            .iter()
            .map(|path| path.iter().map(|part| (*part).to_owned()).collect())
            .collect();
    let trie = trie(&paths);
    let mut accepted = 0;
    for at in 0..line.len() {
        assert_eq!(compare(&paths, &trie, &line[..at]), Ok(false));
        for byte in 0..128u8 {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] = byte;
            let changed = String::from_utf8(bytes).expect("the line is ASCII");
            match compare(&paths, &trie, &changed) {
                Ok(good) => accepted += u32::from(good),
                Err(difference) => panic!("{difference}"),
            }
        }
    }
    assert!(accepted > 1_000, "only {accepted} changed lines were accepted");
}

/// The limit of both is the same here, so the verdict must be too.
#[test]
fn nesting_up_to_the_limit_and_beyond() {
    let paths = vec![vec!["v".to_owned()], vec!["v".to_owned(), "v".to_owned()]];
    let accepted = |levels: usize, open: &str, close: &str| {
        let line = format!("{{\"v\":{}{}}}", open.repeat(levels - 1) + "0", close.repeat(levels - 1));
        compare(&paths, &trie(&paths), &line)
    };
    for (open, close) in [("[", "]"), ("{\"v\":", "}"), ("{\"w\":", "}")] {
        assert_eq!(accepted(127, open, close), Ok(true));
        assert_eq!(accepted(128, open, close), Ok(false));
        assert_eq!(accepted(5_000, open, close), Ok(false));
    }
}
