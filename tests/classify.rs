//! The index over predicates finds exactly what asking every predicate finds.
//!
//! Random rule sets over a few fields, with every operator on texts, and random events. The reference is
//! `ClassIndex::classify_plainly`, which knows of no index, over a view that keeps nothing folded.

use fastrand::Rng;
use proptest::prelude::*;
use tripline::base::Timestamp;
use tripline::compile::compile_str;
use tripline::decode::view::{Lazy, LineMemo, LineView};
use tripline::decode::{Arena, PathTrie, ScanStats, Slot, extract};
use tripline::plan::Ruleset;
use tripline::plan::classify::{Pred, Scratch};
use tripline::plan::eval::unary;
use tripline::plan::event::Seq;

/// Pieces that texts are made of: cases that fold into each other, into two characters, and not at all.
const PIECES: &[&str] = &[
    "a", "A", "b", "B", "ab", "aB", "cmd", "CMD", ".exe", "\u{c4}", "\u{e4}", "\u{df}", "\u{130}", "i", "\u{212a}",
    "k", "K", "\u{17f}", "s", "S", "1", "10", "-", "\u{3a3}", "\u{3c2}", "xyz", "Xy",
];

const FIELDS: &[&str] = &["a", "b", "c", "n", "xs", "o.p"];

/// Fields, and the texts of the whole event.
const TEXTS: &[&str] = &["a", "a", "b", "b", "c", "n", "xs", "o.p", "any_value()", "texts(a)", "texts(n)", "texts(xs)"];

fn pick<'t>(rng: &mut Rng, from: &[&'t str]) -> &'t str {
    from[rng.usize(..from.len())]
}

fn word(rng: &mut Rng, pieces: usize) -> String {
    (0..rng.usize(..=pieces)).map(|_| pick(rng, PIECES)).collect()
}

/// A text literal, sometimes with the suffix that folds.
fn literal(rng: &mut Rng) -> String {
    let fold = if rng.bool() { "i" } else { "" };
    let pieces = if rng.u8(..10) == 0 { 0 } else { 2 };
    // Longer ones, with what JSON writes in more than one way.
    let more = if rng.u8(..5) == 0 { pick(rng, &["/cmd", "\\\\k.exe", "cmd/", ".exe k"]) } else { "" };
    format!("\"{}{more}\"{fold}", word(rng, pieces))
}

fn list(rng: &mut Rng, mut one: impl FnMut(&mut Rng) -> String) -> String {
    let most = if rng.u8(..8) == 0 { 30 } else { 4 };
    let count = rng.usize(2..=most);
    format!("({})", (0..count).map(|_| one(rng)).collect::<Vec<_>>().join(", "))
}

fn glob(rng: &mut Rng) -> String {
    let fold = if rng.bool() { "i" } else { "" };
    let stars = ["", "*", "?"];
    let (from, between, to) = (pick(rng, &stars), pick(rng, &stars), pick(rng, &stars));
    format!("\"{from}{}{between}{}{to}\"{fold}", word(rng, 1), word(rng, 1))
}

fn regex(rng: &mut Rng) -> String {
    let fold = if rng.bool() { "i" } else { "" };
    let word = |rng: &mut Rng| word(rng, 2).replace(['.', '-'], "\\$0").replace("\\$0", ".");
    let pattern = match rng.u8(..5) {
        0 => format!("^{}", word(rng)),
        1 => format!("{}.*{}", word(rng), word(rng)),
        2 => format!("({}|{})+x?", word(rng), word(rng)),
        3 => format!("[ab]{}", word(rng)),
        _ => format!("(?i:{}){}", word(rng), word(rng)),
    };
    format!("/{pattern}/{fold}")
}

fn atom(rng: &mut Rng) -> String {
    let field = pick(rng, FIELDS);
    let text = pick(rng, TEXTS);
    let number = |rng: &mut Rng| rng.i32(-1..12).to_string();
    let scalar = |rng: &mut Rng| if rng.bool() { rng.i32(-1..12).to_string() } else { literal(rng) };
    match rng.u8(..18) {
        0 | 1 => format!("{field} == {}", scalar(rng)),
        2 => format!("{field} != {}", scalar(rng)),
        3 => format!("{field} {} {}", pick(rng, &["<", "<=", ">", ">="]), number(rng)),
        4 => format!("{field} in {}", list(rng, scalar)),
        5 => format!("{field} not in {}", list(rng, literal)),
        6 | 7 => format!("{text} like {}", glob(rng)),
        8 => format!("{text} like {}", list(rng, glob)),
        9 => format!("{text} not like {}", list(rng, glob)),
        10..=12 => {
            let function = pick(rng, &["contains", "starts_with", "ends_with"]);
            let texts = if rng.bool() { literal(rng) } else { list(rng, literal) };
            format!("{function}({text}, {texts})")
        }
        13 => format!("{text} =~ {}", regex(rng)),
        14 => format!("exists({field})"),
        15 => format!("some(xs as x where x == {})", scalar(rng)),
        16 => format!("lower({field}) == {}", literal(rng)),
        _ => format!("{field} {} {}", pick(rng, &["==", "!=", "<"]), pick(rng, FIELDS)),
    }
}

fn condition(rng: &mut Rng, depth: u8) -> String {
    if depth == 0 || rng.u8(..4) == 0 {
        return atom(rng);
    }
    let one = |rng: &mut Rng| condition(rng, depth - 1);
    match rng.u8(..9) {
        0..=2 => format!("({} and {})", one(rng), one(rng)),
        3..=5 => format!("({} or {})", one(rng), one(rng)),
        6 => format!("not ({})", one(rng)),
        7 => format!("(({}) ?? {})", one(rng), rng.bool()),
        _ => format!("not (({}) ?? false)", one(rng)),
    }
}

/// Rules of which many share a part, as those of one log source do.
fn rules(rng: &mut Rng, count: usize) -> String {
    let shared: Vec<String> = (0..3).map(|_| atom(rng)).collect();
    (0..count)
        .map(|n| {
            let own = condition(rng, 3);
            let condition = match rng.u8(..3) {
                0 => own,
                _ => format!("{} and {own}", shared[rng.usize(..shared.len())]),
            };
            let class = if rng.u8(..6) == 0 { "known" } else { "any" };
            format!("rule r{n} {{ match {{ e: {class} where {condition} }} }}\n")
        })
        .collect()
}

fn value(rng: &mut Rng) -> serde_json::Value {
    match rng.u8(..12) {
        0 => serde_json::Value::Null,
        1 | 2 => rng.i32(-1..12).into(),
        3 => (f64::from(rng.i32(0..20)) / 2.0).into(),
        4 => rng.bool().into(),
        5 => {
            let inner = |rng: &mut Rng| match rng.u8(..4) {
                0 => serde_json::Value::Null,
                1 => rng.i32(-1..12).into(),
                _ => word(rng, 2).into(),
            };
            (0..rng.usize(..4)).map(|_| inner(rng)).collect::<Vec<_>>().into()
        }
        6 => format!("{}{}", word(rng, 2), pick(rng, &["/cmd", "\\k.exe", "cmd/", ".exe k", "\\u006b"])).into(),
        7 | 8 => word(rng, 4).replace(|c: char| !c.is_ascii(), "").into(),
        _ => word(rng, 4).into(),
    }
}

fn event(rng: &mut Rng) -> String {
    let mut fields = serde_json::Map::new();
    for field in FIELDS.iter().chain(&["type"]) {
        if rng.u8(..4) > 0 {
            fields.insert((*field).to_owned(), value(rng));
        }
    }
    if rng.bool() {
        fields.insert("type".to_owned(), "known".into());
    }
    if rng.bool() {
        fields.retain(|_, value| value.to_string().is_ascii());
    }
    let line = serde_json::Value::Object(fields).to_string();
    match rng.u8(..4) {
        0 => line.replace('/', "\\/"),
        1 if !line.contains("\\\\") => line.replace('k', "\\u006b"),
        _ => line,
    }
}

/// What holds by the index and by asking everything, as sorted lists of rules.
fn both(rules: &Ruleset, scratch: &mut Scratch, memo: &mut LineMemo, line: &str) -> (Vec<u32>, Vec<u32>) {
    let trie = PathTrie::new(&rules.fields);
    let (mut slots, mut arena) = (vec![Slot::Missing; rules.fields.len()], Arena::default());
    extract(line, 0, &trie, &mut slots, &mut arena, &mut ScanStats::default()).expect("the line is JSON");
    let mut without_whole = slots.clone();
    extract(line, 0, &trie.without_whole(), &mut without_whole, &mut arena, &mut ScanStats::default())
        .expect("the line is JSON");
    let view = LineView {
        slots: &slots,
        text: line,
        arena: &arena,
        ts: Timestamp(0),
        arrival: Timestamp(0),
        seq: Seq::default(),
        lazy: None,
    };
    let ids = |pred: &Pred| pred.subscribers.iter().map(|(rule, _)| rule.0).collect::<Vec<_>>();
    let mut plain = Vec::new();
    rules.classes.classify_plainly(&unary(&view, &[], &rules.tables), |pred| plain.extend(ids(pred)));
    let view = LineView { slots: &without_whole, lazy: Some(Lazy { memo, line }), ..view };
    let mut indexed = Vec::new();
    rules.classes.classify(&unary(&view, &[], &rules.tables), scratch, |pred| indexed.extend(ids(pred)));
    memo.clear();
    plain.sort_unstable();
    indexed.sort_unstable();
    (indexed, plain)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_holds(seed: u64, count in prop_oneof![1..20_usize, 20..120_usize]) {
        let mut rng = Rng::with_seed(seed);
        let text = rules(&mut rng, count);
        let rules = match compile_str(&text) {
            Ok(rules) => rules,
            Err(problems) => panic!("{text}\n{problems:?}"),
        };
        let mut scratch = Scratch::default();
        let mut memo = LineMemo::new(&rules.fields, 64);
        for _ in 0..60 {
            let line = event(&mut rng);
            let (indexed, plain) = both(&rules, &mut scratch, &mut memo, &line);
            prop_assert_eq!(indexed, plain, "{}\n{}", line, text);
        }
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}
