//! The parser on hostile text: it never panics, its spans fit the text, and it takes linear time.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use tripline::base::Limits;
use tripline::diag::{Level, render};
use tripline::syntax::source::{SourceId, SourceMap, Span};
use tripline::syntax::{format, parse, parse_expr, parse_rule_one_liner};

/// Everything that is done with the text of a user, none of which may panic.
fn survive(text: &str) {
    let limits = Limits::default();
    let (file, diagnostics) = parse(SourceId(0), text, &limits);
    let fits = |span: Span| assert!(text.get(span.range()).is_some(), "{span:?} in {text:?}");
    for item in &file.items {
        fits(item.span());
    }
    for diagnostic in &diagnostics {
        assert!(!diagnostic.labels.is_empty());
        diagnostic.labels.iter().for_each(|label| fits(label.span));
        diagnostic.fix.iter().for_each(|fix| fits(fix.span));
    }
    let mut sources = SourceMap::new();
    sources.add("a.trip", text);
    let rendered = render::render_text(&diagnostics, &sources, false);
    assert!(!rendered.contains('\x1b'), "{rendered:?}");
    render::render_text(&diagnostics, &sources, true);
    render::render_json(&diagnostics, &sources);
    render::render_sarif(&diagnostics, &sources);
    parse_rule_one_liner(SourceId(0), text, &limits);
    parse_expr(SourceId(0), text, 0, &limits);
    match format(SourceId(0), text) {
        Ok(formatted) => {
            assert_eq!(format(SourceId(0), &formatted).as_ref(), Ok(&formatted), "of {text:?}");
            assert!(!diagnostics.iter().any(|d| d.level == Level::Error));
        }
        Err(errors) => assert!(!errors.is_empty()),
    }
}

const CORPUS: [&str; 3] = [
    include_str!("ui/syntax/valid/language_page.trip"),
    include_str!("ui/syntax/valid/every_construct.trip"),
    include_str!("ui/syntax/many_problems_at_once.trip"),
];

/// Pieces of the language, of its neighbours, and of what belongs in no text.
fn fragment() -> BoxedStrategy<String> {
    let known = [
        "rule",
        "r",
        "match",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        "then",
        "no",
        "where",
        "by",
        "within",
        "5m",
        "at least",
        "5",
        "of",
        "==",
        "=",
        "and",
        "or",
        "not",
        "in",
        "like",
        "=~",
        "/x/",
        "\"a\"",
        "'",
        "\"",
        "`",
        "//",
        "/*",
        "*/",
        "\n",
        ",",
        ";",
        ":",
        "@t",
        "all",
        "any",
        "event",
        "let",
        "table",
        "from",
        "key",
        "test",
        "expect",
        "alert",
        "x",
        "a.b",
        "\\",
        "-",
        "!",
        "->",
        "count(",
        "1.5h",
        "..",
        "é",
        "\u{202e}",
        "\u{0}",
        "\u{feff}",
        "\r\n",
        "unless",
        "in last",
        "if",
        "until",
        "without",
        "99999999999999999999",
        "{a}",
        "\"{a\"",
        "optional",
        "distinct",
        "cancel on",
        "suppress",
        "pick",
        "after match",
    ];
    prop_oneof![
        8 => prop::sample::select(known.map(str::to_owned).to_vec()),
        1 => any::<char>().prop_map(String::from),
    ]
    .boxed()
}

/// A text of the corpus with some pieces cut, doubled or replaced.
fn mutated() -> BoxedStrategy<String> {
    let edit = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::option::of(fragment()));
    (0..CORPUS.len(), prop::collection::vec(edit, 1..5))
        .prop_map(|(which, edits)| {
            let mut text: Vec<char> = CORPUS[which].chars().collect();
            for (at, len, new) in edits {
                let at = at.index(text.len() + 1);
                let end = (at + len.index(8)).min(text.len());
                text.splice(at..end, new.unwrap_or_default().chars());
            }
            text.into_iter().collect()
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_characters(text in any::<String>()) {
        survive(&text);
    }

    #[test]
    fn random_pieces(pieces in prop::collection::vec(fragment(), 0..60)) {
        survive(&pieces.join(" "));
        survive(&pieces.concat());
    }

    #[test]
    fn random_pieces_in_a_rule(pieces in prop::collection::vec(fragment(), 0..20)) {
        let pieces = pieces.join(" ");
        survive(&format!("rule r {{ match {{ {pieces} }} }}"));
        survive(&format!("rule r {{\n{pieces}\n}}"));
        survive(&format!("test r {{\n0s A {{ {pieces} }}\n}}"));
        survive(&format!("rule r {{ alert {{ m = \"{}\" }} }}", pieces.replace(['"', '\n', '\\'], "")));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_rules(text in mutated()) {
        survive(&text);
    }
}

#[test]
fn every_cut_of_a_text() {
    let text = CORPUS[1];
    for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)).step_by(7) {
        parse(SourceId(0), &text[..end], &Limits::default());
        parse(SourceId(0), &text[end..], &Limits::default());
    }
}

/// The time that a text takes, on the small stack of a thread.
fn time(text: String) -> Duration {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let start = Instant::now();
        let (_, diagnostics) = parse(SourceId(0), &text, &Limits::default());
        let _ = format(SourceId(0), &text);
        parse_rule_one_liner(SourceId(0), &text, &Limits::default());
        let mut sources = SourceMap::new();
        sources.add("a.trip", text);
        assert!(render::render_text(&diagnostics, &sources, false).len() < 2_000_000);
        start.elapsed()
    });
    thread.expect("a thread").join().expect("no panic")
}

#[test]
fn hostile_texts_take_linear_time() {
    // A quadratic step shows at this size: it would take minutes.
    let many = 300_000;
    let texts = [
        "(".repeat(10_000),
        "(".repeat(1 << 20),
        format!("let a = {}", "(".repeat(many)),
        format!("let a = {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("let a = {}1{}", "(".repeat(63), ")".repeat(63)),
        format!("let a = {}", "f(".repeat(60)),
        format!("let a = {}x", "not ".repeat(many / 4)),
        format!("let a = {}x", "-".repeat(many)),
        format!("let a = x{}", " + x".repeat(many / 8)),
        format!("let a = x{}", " and x".repeat(many / 12)),
        format!("let a = x{}", " == x".repeat(many / 10)),
        format!("let a = \"{}", "\\".repeat(many)),
        format!("rule r {{ match {{ {}", "at least 2 of { ".repeat(60)),
        format!("rule r {{ match {{ {}", "no { ".repeat(many / 5)),
        format!("rule r {{ match {{ {} }} }}", "A then ".repeat(many / 14)),
        format!("rule r {{ alert {{ a = \"{}\" }} }}", "{".repeat(many)),
        format!("rule r {{ alert {{ a = \"{}\" }} }}", "{x}".repeat(many / 12)),
        format!("rule r {{ alert {{ a = \"{}\" }} }}", "} ".repeat(many / 2)),
        format!("rule r {{ {} }}", "pick first ".repeat(many / 22)),
        format!("rule r {{\n{}\n}}", "foo bar\n".repeat(many / 16)),
        "rule ".repeat(many / 10),
        "rule r {".repeat(many / 16),
        "rule r {\n".repeat(many / 16),
        "rule r { }\n".repeat(many / 22),
        "\"\n".repeat(many / 4),
        "`".repeat(many / 4),
        "/*".repeat(many / 2),
        "/* */".repeat(many / 10),
        "a b\n".repeat(many / 8),
        "}".repeat(many),
        format!("test r {{ 0s A {{ a: {} }} }}", "[".repeat(many)),
        format!("test r {{ 0s A {{ a: {}1{} }} }}", "[".repeat(60), "]".repeat(60)),
        format!("let a = x in ({}1)", "1, ".repeat(many / 6)),
        format!("let a = {}", "9".repeat(many)),
        format!("let a = {}", "1h".repeat(many / 2)),
        format!("let a = {}", "a.".repeat(many / 2)),
        format!("let a = {}", "é".repeat(many / 2)),
        format!("event a = x == {}", "'".repeat(many / 2)),
    ];
    for text in texts {
        let head: String = text.chars().take(40).collect();
        let taken = time(text);
        assert!(taken < Duration::from_secs(10), "{head}…: {taken:?}");
    }
}

#[test]
fn a_long_chain_of_conditions_is_not_deep() {
    let text = format!("let a = x == 0{}", (1..5000).map(|i| format!(" or x == {i}")).collect::<String>());
    let (file, diagnostics) = parse(SourceId(0), &text, &Limits::default());
    assert_eq!(diagnostics, []);
    assert_eq!(file.items.len(), 1);
}

#[test]
fn a_mark_and_carriage_returns_are_no_problem() {
    let text = "\u{feff}let a = 1\r\nlet b = a = 2\r\n";
    let (file, diagnostics) = parse(SourceId(0), text, &Limits::default());
    assert_eq!(file.items.len(), 2);
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(&text[diagnostics[0].labels[0].span.range()], "=");
}

#[test]
fn depth_follows_the_limit() {
    let limits = Limits { max_rule_depth: 10, ..Limits::default() };
    let nested = |n: usize| format!("let a = {}1{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(parse(SourceId(0), &nested(10), &limits).1, []);
    assert_eq!(parse(SourceId(0), &nested(11), &limits).1[0].code.0, "E0006");
}
