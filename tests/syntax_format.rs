//! The formatter on generated texts: formatting twice is formatting once, a formatted text parses to the same tree,
//! and no comment is lost, wherever it stands.

mod syntax_support;

use proptest::prelude::*;
use syntax_support::dump;
use tripline::base::Limits;
use tripline::syntax::source::SourceId;
use tripline::syntax::{format, parse, print};

fn tree(text: &str) -> String {
    let (file, diagnostics) = parse(SourceId(0), text, &Limits::default());
    assert_eq!(diagnostics, [], "in\n{text}");
    dump(&file)
}

fn check(text: &str) {
    let before = tree(text);
    let formatted = format(SourceId(0), text).expect("a text without errors");
    assert_eq!(tree(&formatted), before, "formatting changed the meaning of\n{text}\nwhich became\n{formatted}");
    let again = format(SourceId(0), &formatted).expect("a formatted text has no errors");
    assert_eq!(again, formatted, "formatting twice differs from formatting once, for\n{text}");
    assert!(formatted.lines().all(|line| !line.ends_with(' ')), "a line ends with a space in\n{formatted}");
}

fn name() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "[a-e]",
        1 => Just("`user-agent`".to_owned()),
        1 => Just("then".to_owned()),
        1 => Just("alert".to_owned()),
        1 => Just("`and`".to_owned()),
    ]
    .boxed()
}

fn path() -> BoxedStrategy<String> {
    (name(), prop::option::of(prop_oneof![name(), Just("@ts".to_owned())]))
        .prop_map(|(first, rest)| rest.map_or(first.clone(), |rest| format!("{first}.{rest}")))
        .boxed()
}

fn literal() -> BoxedStrategy<String> {
    prop_oneof![
        Just("1".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("0.950".to_owned()),
        Just("1e3".to_owned()),
        Just("\"a // b\"".to_owned()),
        Just("\"\\\"{x} \\u{e9}\"i".to_owned()),
        Just("r\"C:\\x\"i".to_owned()),
        Just("90s".to_owned()),
        Just("1h30m".to_owned()),
        Just("true".to_owned()),
    ]
    .boxed()
}

fn duration() -> BoxedStrategy<String> {
    prop_oneof![Just("5m".to_owned()), Just("(90s)".to_owned()), Just("2 * 5m".to_owned()), Just("d".to_owned())]
        .boxed()
}

/// Expressions with parentheses where they are needed and where they are not.
fn expr() -> BoxedStrategy<String> {
    let leaf = prop_oneof![3 => path(), 2 => literal(), 1 => Just("@ts".to_owned())];
    leaf.prop_recursive(4, 32, 4, |inner| {
        let group = inner.clone().prop_map(|e| format!("({e})"));
        let operators = prop::sample::select(vec![
            "+", "-", "*", "/", "%", "??", "==", "!=", "<", "<=", ">", ">=", "and", "or", "and", "or",
        ]);
        prop_oneof![
            4 => (group.clone(), operators.clone(), group.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            2 => (leaf_or(inner.clone()), prop::sample::select(vec!["+", "-", "*", "and", "or"]), group.clone())
                .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            2 => prop::collection::vec(group.clone(), 2..5).prop_map(|all| all.join(" or ")),
            2 => prop::collection::vec(group.clone(), 2..5).prop_map(|all| all.join(" and ")),
            1 => group.clone().prop_map(|e| format!("not {e}")),
            1 => group.clone().prop_map(|e| format!("-{e}")),
            1 => (path(), prop::collection::vec(inner.clone(), 1..4), any::<bool>()).prop_map(|(a, items, negated)| {
                format!("{a} {}in ({})", if negated { "not " } else { "" }, items.join(", "))
            }),
            1 => path().prop_map(|a| format!("{a} not in @table")),
            1 => group.clone().prop_map(|a| format!("{a} like (\"a*\"i, r\"b?\")")),
            1 => path().prop_map(|a| format!("{a} =~ /a\\/b [/]?/i").replace("[/]", "[x]")),
            1 => path().prop_map(|a| format!("{a} =~ (/a/, /\"/)")),
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(|args| format!("f({})", args.join(", "))),
            1 => (path(), inner.clone()).prop_map(|(a, c)| format!("count(distinct {a} where {c})")),
            1 => path().prop_map(|a| format!("mean({a}, 4 events)")),
            1 => inner.clone().prop_map(|k| format!("@hosts[{k}].owner")),
            1 => path().prop_map(|a| format!("first({a}).b[0].c")),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!("({a}, {b})")),
        ]
    })
    .boxed()
}

/// An expression in parentheses; here to make unneeded ones common.
fn leaf_or(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    inner.prop_map(|e| format!("(({e}))"))
}

fn condition() -> BoxedStrategy<String> {
    expr().prop_map(|e| format!("({e})")).boxed()
}

fn guard() -> BoxedStrategy<String> {
    (
        prop_oneof![Just("X"), Just("(X or Y)"), Just("alert.other"), Just("order.created"), Just("`no`")],
        prop::option::of(condition()),
        prop::option::of(Just("k = a.b, c")),
    )
        .prop_map(|(class, condition, by)| {
            let condition = condition.map_or(String::new(), |c| format!(" where {c}"));
            let by = by.map_or(String::new(), |b| format!(" by {b}"));
            format!("{class}{condition}{by}")
        })
        .boxed()
}

fn guards() -> BoxedStrategy<String> {
    prop::collection::vec(guard(), 1..3).prop_map(|all| all.join(", ")).boxed()
}

fn quantifier() -> BoxedStrategy<String> {
    prop_oneof![
        3 => Just(String::new()),
        1 => Just("at least 5 of ".to_owned()),
        1 => Just("consecutive exactly 2 of ".to_owned()),
        1 => Just("2..3 of ".to_owned()),
        1 => Just("one or more of ".to_owned()),
        1 => Just("zero or more of ".to_owned()),
        1 => Just("optional ".to_owned()),
        1 => expr().prop_map(|e| format!("at least 100 distinct a.b, ({e}) of ")),
    ]
    .boxed()
}

fn step() -> BoxedStrategy<String> {
    (
        prop_oneof![Just(""), Just("s: "), Just("next: ")],
        quantifier(),
        guard(),
        prop::option::of((guards(), prop::bool::ANY)),
        prop::option::of(guards()),
        prop::option::of(guard()),
    )
        .prop_map(|(name, quantifier, guard, behind, without, until)| {
            let behind = behind.map_or(String::new(), |(g, unless)| {
                format!(" {} {g} in last 1h", if unless { "unless" } else { "if" })
            });
            let without = without.map_or(String::new(), |g| format!(" without {g}"));
            let until = until.map_or(String::new(), |g| format!(" until {g}"));
            format!("{name}{quantifier}{guard}{behind}{without}{until}")
        })
        .boxed()
}

fn element() -> BoxedStrategy<String> {
    prop_oneof![
        6 => step(),
        1 => (guards(), duration()).prop_map(|(g, d)| format!("no {g} within {d}")),
        1 => (prop::collection::vec(step(), 1..3), prop::option::of(guards())).prop_map(|(members, without)| {
            let without = without.map_or(String::new(), |g| format!(" without {g}"));
            format!("all {{ {} }}{without}", members.join("  "))
        }),
        1 => prop::collection::vec(step(), 1..3).prop_map(|members| format!("any {{ {} }}", members.join("\n"))),
        1 => (quantifier(), step(), step()).prop_map(|(q, a, b)| format!("{q}{{ {a} then {b} }}")),
    ]
    .boxed()
}

fn joint() -> BoxedStrategy<String> {
    prop_oneof![
        4 => Just("then".to_owned()),
        1 => Just("then directly".to_owned()),
        1 => Just("then next".to_owned()),
        1 => duration().prop_map(|d| format!("then within {d} after 1s")),
        1 => Just("then within < 5m".to_owned()),
    ]
    .boxed()
}

fn clause() -> BoxedStrategy<String> {
    prop_oneof![
        Just("severity high".to_owned()),
        Just("tags \"a\",   \"b\"".to_owned()),
        expr().prop_map(|e| format!("having {e}")),
        Just("pick each".to_owned()),
        Just("after match no skip".to_owned()),
        guards().prop_map(|g| format!("cancel on {g}")),
        (duration(), expr()).prop_map(|(d, e)| format!("suppress {d} by ({e})")),
        prop::collection::vec((name(), expr()), 0..4).prop_map(|fields| {
            let fields: Vec<String> = fields.iter().map(|(n, e)| format!("{n} = {e}")).collect();
            format!("alert {{ {} }}", fields.join("\n"))
        }),
        Just("alert { m = \"{a.b} and {{c}} {count(a)}\" }".to_owned()),
        Just("enabled false shadow internal".to_owned()),
        guards().prop_map(|g| format!("resolve on {g}")),
        (expr(), duration()).prop_map(|(e, d)| format!("resolve when {e} repeat every {d}")),
        Just("expect a.b, k = lower(c)? from @t".to_owned()),
        Just("expect start".to_owned()),
        Just("limits { runs_per_key = 10 x = 2 }".to_owned()),
    ]
    .boxed()
}

fn rule() -> BoxedStrategy<String> {
    let sequence = (element(), prop::collection::vec((joint(), element()), 0..4)).prop_map(|(first, rest)| {
        let rest: Vec<String> = rest.iter().map(|(then, element)| format!("{then} {element}")).collect();
        format!("{first}\n{}", rest.join("\n"))
    });
    (
        prop::collection::vec(clause(), 0..3),
        sequence,
        prop::option::of(duration()),
        prop::collection::vec(clause(), 0..3),
    )
        .prop_map(|(before, sequence, within, after)| {
            let within = within.map_or(String::new(), |d| format!(" within {d}"));
            format!(
                "rule r \"T\" {{\nby a.b, k = lower(c)?\n{}\nmatch {{ {sequence} }}{within}\n{} }}",
                before.join("\n"),
                after.join("\n")
            )
        })
        .boxed()
}

fn declaration() -> BoxedStrategy<String> {
    prop_oneof![
        4 => rule(),
        1 => expr().prop_map(|e| format!("event a = {e}")),
        1 => expr().prop_map(|e| format!("let b = {e}")),
        1 => Just("clock c = daily \"06:00\"  \"Europe/Berlin\"".to_owned()),
        1 => Just("clock c = every 15m".to_owned()),
        1 => Just("table t from \"t.csv\" key a, `b c`".to_owned()),
        1 => expr().prop_map(|e| format!(
            "test r \"t\" {{ 0s A {{ a: 1, \"b.c\": [1, -2.5, null, true, {{x: \"y\\n\"}}], d.e: 1e300 }} x 5 every 90s \
             4m B\n8m stop expect 3 alerts at 90s {{ {e}, a == 1 }} expect no alerts }}"
        )),
    ]
    .boxed()
}

fn file() -> BoxedStrategy<String> {
    prop::collection::vec(declaration(), 1..4).prop_map(|all| all.join("\n")).boxed()
}

/// Where a blank may be replaced by anything that counts as one: between tokens, not inside them.
fn gaps(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut gaps = Vec::new();
    let mut i = 0;
    while i < bytes.len() {
        match bytes[i] {
            b'"' => {
                let raw = i > 0 && bytes[i - 1] == b'r';
                i += 1;
                while bytes[i] != b'"' {
                    i += if bytes[i] == b'\\' && !raw { 2 } else { 1 };
                }
            }
            b'`' => i += text[i + 1..].find('`').expect("closed") + 1,
            b'/' if text[..i].trim_end().ends_with(['~', '(', ',']) => {
                i += 1;
                while bytes[i] != b'/' {
                    i += if bytes[i] == b'\\' { 2 } else { 1 };
                }
            }
            b' ' | b'\n' => gaps.push(i),
            _ => {}
        }
        i += 1;
    }
    gaps
}

/// The text with comments and odd blanks put into some of its gaps; the comments are numbered.
fn with_comments(text: &str, choices: &[u8]) -> (String, usize) {
    let mut out = String::new();
    let mut last = 0;
    let mut count = 0;
    for (gap, choice) in gaps(text).into_iter().zip(choices.iter().cycle()) {
        out.push_str(&text[last..gap]);
        last = gap + 1;
        // `suppress` and `cancel on` keep their `by` on their line, and so do durations and counts of two words.
        let glued = ["by", "last"].iter().any(|word| text[gap + 1..].starts_with(word));
        let one_line = glued || text[..gap].ends_with("in");
        match choice % 16 {
            0 if !one_line => {
                out.push_str(&format!(" // c{count}.\n"));
                count += 1;
            }
            1 if !one_line => {
                out.push_str(&format!("\n\n  /* c{count}. */\n"));
                count += 1;
            }
            2 if !one_line => {
                out.push_str(&format!(" /* c{count}.\n  more */ "));
                count += 1;
            }
            3 if !one_line => out.push_str("\n\n\n"),
            4 if !one_line => out.push_str("\r\n\t"),
            _ => out.push_str(&text[gap..=gap]),
        }
    }
    out.push_str(&text[last..]);
    (out, count)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn expressions_keep_their_meaning(e in expr()) {
        check(&format!("let a = {e}"));
    }

    #[test]
    fn files_keep_their_meaning(text in file()) {
        check(&text);
    }

    #[test]
    fn comments_are_kept(text in file(), choices in prop::collection::vec(any::<u8>(), 1..200)) {
        let (commented, count) = with_comments(&text, &choices);
        prop_assert_eq!(tree(&commented), tree(&text), "comments changed the meaning of\n{}", commented);
        check(&commented);
        let formatted = format(SourceId(0), &commented).expect("checked");
        for n in 0..count {
            let mark = format!("c{n}.");
            prop_assert_eq!(formatted.matches(&mark).count(), 1, "{} of\n{}\nin\n{}", mark, commented, formatted);
        }
    }

    #[test]
    fn trees_without_a_text_print_and_parse_back(text in file()) {
        let (file, _) = parse(SourceId(0), &text, &Limits::default());
        let printed = print(&file);
        let (again, diagnostics) = parse(SourceId(0), &printed, &Limits::default());
        prop_assert_eq!(&diagnostics, &[], "in\n{}", printed);
        prop_assert_eq!(dump(&again), dump(&file), "printed as\n{}", printed);
    }
}

#[test]
fn comments_stay_where_they_stand() {
    let text = "\u{feff}// head of the file\r\n\r\n// of the event\r\nevent a = x == 1   // behind\r\n\
rule r { // at the rule\n  /* block */ severity high\n\n\n  by k\n  match { // at the match\n    a: x // first\n    \
// before the second\n    then b: y\n    // last\n  } within 5m // bound\n  alert { // n\n    n = 1 }\n  // end\n}\n// end of file";
    let wanted = "// head of the file\n\n// of the event\nevent a = x == 1  // behind\n\nrule r {  // at the rule\n  \
/* block */\n  severity high\n\n  by k\n  match {  // at the match\n    a: x  // first\n    // before the second\n    \
then b: y\n    // last\n  } within 5m  // bound\n  alert {  // n\n    n = 1\n  }\n  // end\n}\n// end of file\n";
    assert_eq!(format(SourceId(0), text).as_deref(), Ok(wanted));
    assert_eq!(format(SourceId(0), wanted).as_deref(), Ok(wanted));
}

#[test]
fn long_steps_and_conditions_are_broken() {
    let text = "rule r { match { a: at least 5 of auth where outcome == \"failure\" and source.ip in (\"192.0.2.1\", \
\"192.0.2.2\", \"192.0.2.3\", \"192.0.2.4\", \"192.0.2.5\", \"192.0.2.6\", \"192.0.2.7\") and user.name != \"root\" \
by user.name without reset then b: x } within 5m }";
    let wanted = "rule r {\n  match {\n    a: at least 5 of auth\n        where outcome == \"failure\"\n            and \
source.ip in (\n              \"192.0.2.1\",\n              \"192.0.2.2\",\n              \"192.0.2.3\",\n              \
\"192.0.2.4\",\n              \"192.0.2.5\",\n              \"192.0.2.6\",\n              \"192.0.2.7\"\n            \
)\n            and user.name != \"root\"\n        by user.name\n        without reset\n    then b: x\n  } within 5m\n}\n";
    assert_eq!(format(SourceId(0), text).as_deref(), Ok(wanted));
}

#[test]
fn a_text_with_errors_is_not_formatted() {
    let diagnostics = format(SourceId(0), "let a = 1 = 2").expect_err("an error");
    assert_eq!(diagnostics[0].code.0, "E0015");
}
