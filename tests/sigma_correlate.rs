//! Correlations: each type fires, does not, and what it does at its bounds.

mod sigma_support;

use serde_json::{Value, json};
use sigma_support::{alerts, fired, made, rules, unrouted};

/// Rules `a`, `b` and `c` for events whose `kind` is that letter.
fn with_rules(correlation: &str) -> String {
    let rule = |name: &str| {
        format!(
            "title: Rule {name}\nname: {name}\nlogsource: {{category: test}}\ndetection:\n  sel: {{kind: {name}}}\n  condition: sel\n---\n"
        )
    };
    let part: String = correlation.lines().map(|line| format!("  {line}\n")).collect();
    format!("{}{}{}title: Joined\ncorrelation:\n{part}", rule("a"), rule("b"), rule("c"))
}

/// Events from `10 a u=bob n=5`.
fn events(lines: &[&str]) -> Vec<(f64, Value)> {
    lines
        .iter()
        .map(|line| {
            let mut words = line.split(' ');
            let time = words.next().and_then(|word| word.parse().ok()).expect("a time");
            let mut event = json!({"kind": words.next().expect("a kind")});
            for word in words {
                let (name, value) = word.split_once('=').expect("name=value");
                event[name] = value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number));
            }
            (time, event)
        })
        .collect()
}

fn check(correlation: &str, lines: &[&str], wanted: &[&str]) {
    let text = with_rules(correlation);
    assert_eq!(fired(&rules(&text), &events(lines)), wanted, "{correlation}\n{}", made(&[&text], &unrouted()).printed);
}

fn error(correlation: &str) -> String {
    let made = made(&[&with_rules(correlation)], &unrouted());
    assert_eq!(made.problems.len(), 1, "{}", made.shown);
    assert!(made.problems[0].help.is_some() && made.refused == 1, "{}", made.shown);
    format!("{} {}", made.problems[0].code.0, made.problems[0].message)
}

#[test]
fn event_counts_slide() {
    let three = "type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {gte: 3}";
    check(three, &["0 a u=bob", "5 a u=bob", "10 a u=bob"], &["joined@10 bob"]);
    check(three, &["0 a u=bob", "5 a u=bob", "10.001 a u=bob"], &[]);
    // No fixed windows: three that lie around any border.
    check(three, &["8 a u=bob", "12 a u=bob", "15 a u=bob"], &["joined@15 bob"]);
    check(three, &["0 a u=bob", "1 a u=eve", "2 a u=bob", "3 a u=eve"], &[]);
    // One alert while it lasts, another after it was over.
    check(
        three,
        &["0 a u=x", "1 a u=x", "2 a u=x", "3 a u=x", "4 a u=x", "60 a u=x", "61 a u=x", "62 a u=x"],
        &["joined@2 x", "joined@62 x"],
    );
    // An event without the field takes no part.
    check(three, &["0 a", "1 a", "2 a", "3 a u=x"], &[]);
    let over = "type: event_count\nrules: [a, b]\ntimespan: 10s\ncondition: {gt: 2}";
    check(over, &["0 a", "1 b", "2 a"], &["joined@2"]);
    check(over, &["0 a", "1 b"], &[]);
}

#[test]
fn upper_bounds_are_decided_when_the_timespan_is_over() {
    let few = "type: event_count\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {lt: 3}";
    check(few, &["0 a u=x", "5 a u=x"], &["joined@10 x"]);
    check(few, &["0 a u=x", "5 a u=x", "10 a u=x"], &[]);
    // The window opens with an event while none is open.
    check(few, &["0 a u=x", "5 a u=x", "10.5 a u=x"], &["joined@10 x", "joined@20.5 x"]);
    let range = "type: event_count\nrules: [a]\ntimespan: 10s\ncondition: {gte: 2, lte: 3}";
    check(range, &["0 a", "1 a", "2 a"], &["joined@10"]);
    check(range, &["0 a", "1 a", "2 a", "3 a"], &[]);
    check(range, &["0 a"], &[]);
    let exact = "type: event_count\nrules: [a]\ntimespan: 10s\ncondition: {eq: 2}";
    check(exact, &["0 a", "1 a"], &["joined@10"]);
    check(exact, &["0 a", "1 a", "2 a"], &[]);
    let other = "type: event_count\nrules: [a]\ntimespan: 10s\ncondition: {neq: 2}";
    check(other, &["0 a", "1 a", "20 a"], &["joined@30"]);
}

#[test]
fn values_are_counted_once_each() {
    let three = "type: value_count\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {field: host, gte: 3}";
    check(three, &["0 a u=x host=h1", "1 a u=x host=h1", "2 a u=x host=h2", "3 a u=x host=h3"], &["joined@3 x"]);
    check(three, &["0 a u=x host=h1", "1 a u=x host=h2", "2 a u=x", "3 a u=x host=h1"], &[]);
    check(three, &["0 a u=x host=h1", "1 a u=x host=h2", "10 a u=x host=h3"], &["joined@10 x"]);
    check(three, &["0 a u=x host=h1", "1 a u=x host=h2", "10.5 a u=x host=h3"], &[]);
    let pairs = "type: value_count\nrules: [a]\ntimespan: 10s\ncondition: {field: [host, port], gte: 2}";
    check(pairs, &["0 a host=h port=1", "1 a host=h port=1"], &[]);
    check(pairs, &["0 a host=h port=1", "1 a host=h port=2"], &["joined@1"]);
    let few = "type: value_count\nrules: [a]\ntimespan: 10s\ncondition: {field: host, lt: 2}";
    check(few, &["0 a host=h", "1 a host=h"], &["joined@10"]);
    check(few, &["0 a host=h", "1 a host=i"], &[]);
    check(few, &["0 a"], &[]);
}

#[test]
fn temporal_takes_any_order() {
    let both = "type: temporal\nrules: [a, b]\ngroup-by: [u]\ntimespan: 10s";
    check(both, &["0 b u=x", "10 a u=x"], &["joined@10 x"]);
    check(both, &["0 b u=x", "10.001 a u=x"], &[]);
    check(both, &["0 b u=x", "1 a u=y"], &[]);
    // One alert for an episode, however often they follow each other.
    check(both, &["0 a u=x", "1 b u=x", "2 b u=x", "3 a u=x", "4 b u=x"], &["joined@1 x"]);
    let two_of = "type: temporal\nrules: [a, b, c]\ntimespan: 10s\ncondition: {gte: 2}";
    check(two_of, &["0 a", "1 a", "2 c"], &["joined@2"]);
    let either = "type: temporal\ntimespan: 10s\ncondition: a and (b or c)";
    check(either, &["0 c", "1 a"], &["joined@1"]);
    check(either, &["0 b", "1 c"], &[]);
}

#[test]
fn an_event_may_stand_for_several_rules() {
    let text = "title: P\nname: p\nlogsource: {category: t}\ndetection:\n  sel: {cmd|contains: whoami}\n  condition: sel\n---\ntitle: Q\nname: q\nlogsource: {category: t}\ndetection:\n  sel: {cmd|contains: '/all'}\n  condition: sel\n---\ntitle: Joined\ncorrelation:\n  type: temporal\n  rules: [p, q]\n  timespan: 5m\n";
    let one = [(0.0, json!({"cmd": "whoami /all"}))];
    assert_eq!(fired(&rules(text), &one), ["joined@0"]);
    let ordered = text.replace("type: temporal", "type: temporal_ordered");
    assert_eq!(fired(&rules(&ordered), &one), [""; 0]);
}

#[test]
fn temporal_ordered_takes_one_order() {
    let order = "type: temporal_ordered\nrules: [a, b, c]\ngroup-by: [u]\ntimespan: 10s";
    check(order, &["0 a u=x", "5 b u=x", "10 c u=x"], &["joined@10 x"]);
    check(order, &["0 a u=x", "5 c u=x", "6 b u=x"], &[]);
    check(order, &["0 a u=x", "5 b u=x", "10.001 c u=x"], &[]);
    // Events of one time come in the order in which they were read.
    check(order, &["1 a u=x", "1 b u=x", "1 c u=x"], &["joined@1 x"]);
    check(order, &["1 b u=x", "1 a u=x", "1 c u=x"], &[]);
    // An event is used once.
    let two = "type: temporal_ordered\nrules: [a, b]\ntimespan: 1m";
    check(two, &["0 a", "1 b", "2 b", "3 a", "4 b"], &["joined@1", "joined@4"]);
    // The same rule twice: two events of it.
    check("type: temporal_ordered\nrules: [a, a]\ntimespan: 1m", &["0 a", "1 a"], &["joined@1"]);
}

#[test]
fn what_is_denied_is_decided_at_its_deadline() {
    let alone = "type: temporal\ngroup-by: [u]\ntimespan: 10s\ncondition: a and not b";
    check(alone, &["0 a u=x"], &["joined@10 x"]);
    check(alone, &["0 a u=x", "10 b u=x"], &[]);
    check(alone, &["0 a u=x", "10.001 b u=x"], &["joined@10 x"]);
    // In any order: what came shortly before counts as well.
    check(alone, &["0 b u=x", "10 a u=x"], &[]);
    check(alone, &["0 b u=x", "10.001 a u=x"], &["joined@20.001 x"]);
    check(alone, &["0 a u=x", "1 b u=y"], &["joined@10 x"]);
    let two = "type: temporal\ntimespan: 10s\ncondition: a and c and not b";
    check(two, &["0 a", "5 c"], &["joined@15"]);
    check(two, &["0 a", "3 b", "5 c"], &[]);
    check(two, &["0 a", "5 c", "15 b"], &[]);
    check(two, &["0 a", "11 c"], &[]);
    // Undecided when the input ends: nothing is said unless asked.
    let text = with_rules(alone);
    assert_eq!(alerts(&rules(&text), &events(&["0 a u=x"]), false).len(), 0);
}

#[test]
fn numbers_are_summed_up() {
    let sum = "type: value_sum\nrules: [a]\ngroup-by: [u]\ntimespan: 10s\ncondition: {field: n, gte: 10}";
    check(sum, &["0 a u=x n=4", "1 a u=x n=6"], &["joined@1 x"]);
    check(sum, &["0 a u=x n=4", "10.5 a u=x n=6"], &[]);
    check(sum, &["0 a u=x n=4", "1 a u=y n=6"], &[]);
    // Numbers may be written as texts; what is no number does not count.
    let texts = rules(&with_rules(sum));
    let with = |n: Value| json!({"kind": "a", "u": "x", "n": n});
    assert_eq!(
        fired(&texts, &[(0.0, with(json!("4"))), (1.0, with(json!("many"))), (2.0, with(json!(6.5)))]),
        ["joined@2 x"]
    );
    let small = "type: value_sum\nrules: [a]\ntimespan: 10s\ncondition: {field: n, lt: 10}";
    check(small, &["0 a n=4", "1 a n=5"], &["joined@10"]);
    check(small, &["0 a n=4", "1 a n=6"], &[]);
    check(small, &["0 a"], &[]);
    let mean = "type: value_avg\nrules: [a, b]\ntimespan: 10s\ncondition: {field: n, gt: 5}";
    check(mean, &["0 a n=4", "1 b n=6", "2 a n=8"], &["joined@2"]);
    let low = "type: value_avg\nrules: [a]\ntimespan: 10s\ncondition: {field: n, lt: 5}";
    check(low, &["0 a n=8", "1 a n=1"], &["joined@1"]);
    let middle = "type: value_median\nrules: [a]\ntimespan: 10s\ncondition: {field: n, gte: 5}";
    check(middle, &["0 a n=1", "1 a n=5", "2 a n=9"], &["joined@2"]);
    let tail = "type: value_percentile\nrules: [a]\ntimespan: 10s\ncondition: {field: n, percentile: 75, gte: 5}";
    check(tail, &["0 a n=1", "1 a n=2", "2 a n=3", "3 a n=4"], &[]);
    check(tail, &["0 a n=1", "1 a n=1", "2 a n=1", "3 a n=9", "4 a n=9"], &["joined@4"]);
}

#[test]
fn aliases_join_fields_of_different_names() {
    let alias = "rules: [a, b]\ngroup-by: [user]\ntimespan: 10s\naliases:\n  user: {a: src, b: dst}";
    for kind in ["temporal", "temporal_ordered"] {
        let correlation = format!("type: {kind}\n{alias}");
        check(&correlation, &["0 a src=x dst=y", "1 b src=y dst=x"], &["joined@1 x"]);
        check(&correlation, &["0 a src=x dst=y", "1 b src=x dst=y"], &[]);
    }
    let count = format!("type: event_count\n{alias}\ncondition: {{gte: 2}}");
    check(&count, &["0 a src=x", "1 b dst=x"], &["joined@1 x"]);
    let denied =
        "type: temporal\ngroup-by: [user]\ntimespan: 10s\naliases:\n  user: {a: src, b: dst}\ncondition: a and not b";
    check(denied, &["0 a src=x", "1 b dst=x"], &[]);
    check(denied, &["0 a src=x", "1 b src=x dst=z"], &["joined@10 x"]);
    assert_eq!(
        error("type: temporal\nrules: [a, b]\ngroup-by: [user]\ntimespan: 10s\naliases:\n  user: {a: src}"),
        "E0853 the alias `user` names no field of `b`"
    );
    assert_eq!(
        error("type: event_count\nrules: [a]\ntimespan: 10s\ncondition: {gte: 2}\naliases:\n  user: {c: src}"),
        "E0850 the alias is for `c`, which the correlation is not about"
    );
}

fn chained(top: &str, generate: &str) -> String {
    let below = "title: Many\nname: many\ncorrelation:\n  type: event_count\n  rules: [a]\n  group-by: [u, host.name]\n  timespan: 10s\n  condition: {gte: 2}\n";
    let part: String = top.lines().map(|line| format!("  {line}\n")).collect();
    with_rules("type: event_count\nrules: [c]\ntimespan: 1s\ncondition: {gte: 9}")
        + &format!("---\n{below}{generate}---\ntitle: Top\ncorrelation:\n{part}")
}

#[test]
fn correlations_over_correlations() {
    let top = "type: temporal_ordered\nrules: [many, b]\ngroup-by: [u]\ntimespan: 1m";
    let set = rules(&chained(top, ""));
    let stream = |lines: &[&str]| {
        let mut found = events(lines);
        found.iter_mut().for_each(|(_, event)| event["host"] = json!({"name": "h"}));
        found
    };
    assert_eq!(fired(&set, &stream(&["0 a u=x", "1 a u=x", "5 b u=x"])), ["top@5 x"]);
    assert_eq!(fired(&set, &stream(&["0 a u=x", "5 b u=x", "6 a u=x"])), [""; 0]);
    assert_eq!(fired(&set, &stream(&["0 a u=x", "1 a u=x", "5 b u=y"])), [""; 0]);
    // Only its own group-by: hosts do not matter above, and dotted names are read.
    let by_host = rules(&chained(
        "type: event_count\nrules: [many]\ngroup-by: [host.name]\ntimespan: 1m\ncondition: {gte: 2}",
        "",
    ));
    assert_eq!(fired(&by_host, &stream(&["0 a u=x", "1 a u=x", "2 a u=y", "3 a u=y"])), ["top@3 h"]);
    let any_order = rules(&chained("type: temporal\nrules: [b, many]\ngroup-by: [u]\ntimespan: 1m", ""));
    assert_eq!(fired(&any_order, &stream(&["0 b u=x", "1 a u=x", "2 a u=x"])), ["top@2 x"]);
    let denied = rules(&chained("type: temporal\ntimespan: 1m\ncondition: many and not b", ""));
    assert_eq!(fired(&denied, &stream(&["0 a u=x", "1 a u=x"])), ["top@61"]);
    assert_eq!(fired(&denied, &stream(&["0 a u=x", "1 a u=x", "9 b u=x"])), [""; 0]);
    let wrong = made(
        &[&chained("type: event_count\nrules: [many]\ngroup-by: [ip]\ntimespan: 1m\ncondition: {gte: 2}", "")],
        &unrouted(),
    );
    assert_eq!(wrong.problems[0].message, "the correlation `many` has no field `ip`");
}

#[test]
fn rules_below_are_silent_unless_generate() {
    let silent = "type: event_count\nrules: [a]\ntimespan: 10s\ncondition: {gte: 2}";
    check(silent, &["0 a", "1 a", "2 b"], &["joined@1", "b@2"]);
    let generate = "type: event_count\nrules: [a]\ntimespan: 10s\ngenerate: true\ncondition: {gte: 2}";
    check(generate, &["0 a", "1 a"], &["a@0", "a@1", "joined@1"]);
}

#[test]
fn rules_are_found_by_id_and_across_files() {
    let id = "5638f7c0-ac70-491d-8465-2a65075e0d86";
    let base = format!(
        "title: Base\nid: {id}\nlogsource: {{category: t}}\ndetection:\n  sel: {{kind: a}}\n  condition: sel\n"
    );
    let top = format!(
        "title: Top\ncorrelation:\n  type: event_count\n  rules: [{id}]\n  timespan: 10s\n  condition: {{gte: 2}}\n"
    );
    let made = made(&[&top, &base], &unrouted());
    assert!(made.problems.is_empty(), "{}", made.shown);
    assert_eq!(fired(&sigma_support::compiled(&made.printed), &events(&["0 a", "1 a"])), ["top@1"]);
}

#[test]
fn what_cannot_be_built_says_why() {
    for (correlation, message) in [
        ("type: event_count\nrules: [d]\ntimespan: 5m\ncondition: {gte: 2}", "E0850 there is no rule `d`"),
        ("type: event_count\nrules: [a]\ntimespan: 5m", "E0853 the correlation has no `condition`"),
        (
            "type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {lt: 1}",
            "E0853 no number of events is in these bounds",
        ),
        (
            "type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {gt: 5, lt: 6}",
            "E0853 no number of events is in these bounds",
        ),
        (
            "type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {field: u, gt: 5}",
            "E0853 `field` has no meaning here: events are counted",
        ),
        (
            "type: value_count\nrules: [a]\ntimespan: 5m\ncondition: {gt: 5}",
            "E0853 `value_count` needs `field`: whose values are counted?",
        ),
        (
            "type: value_percentile\nrules: [a]\ntimespan: 5m\ncondition: {field: n, gt: 5}",
            "E0853 `value_percentile` does not say which percentile",
        ),
        (
            "type: value_sum\nrules: [a]\ntimespan: 5m\ncondition: {field: n, percentile: 5, gt: 5}",
            "E0853 `percentile` belongs to `value_percentile`",
        ),
        (
            "type: temporal\ntimespan: 5m\ncondition: not a",
            "E0853 nothing begins the timespan: every rule of the condition is denied",
        ),
        ("type: temporal\ntimespan: 5m\ncondition: a or not b", "E0853 `or` beside `not` is not decided at one time"),
        (
            "type: temporal\nrules: [a, b, c]\ntimespan: 5m\ncondition: a and b",
            "E0853 the condition does not ask for `c`",
        ),
        (
            "type: temporal\nrules: [a]\ntimespan: 5m\ncondition: a and b",
            "E0853 the condition asks for `b`, which `rules` does not list",
        ),
        (
            "type: temporal\nrules: [a, b]\ntimespan: 5m\ncondition: {gte: 3}",
            "E0853 this is no number of different rules that can be waited for",
        ),
        (
            "type: temporal_ordered\nrules: [a, b]\ntimespan: 5m\ncondition: a and b",
            "E0853 `temporal_ordered` takes its rules in the order of `rules`",
        ),
    ] {
        assert_eq!(error(correlation), message);
    }
}

#[test]
fn circles_and_refused_rules_take_down_what_needs_them() {
    let correlation = |name: &str, of: &str| {
        format!(
            "title: {name}\nname: {name}\ncorrelation:\n  type: event_count\n  rules: [{of}]\n  timespan: 5m\n  condition: {{gte: 2}}\n---\n"
        )
    };
    let text = correlation("one", "two") + &correlation("two", "one") + &correlation("three", "one");
    let made_of = |text: &str| made(&[text], &unrouted());
    let made = made_of(&text);
    assert_eq!(made.refused, 3);
    assert!(made.problems.iter().all(|d| d.code.0 == "E0851"), "{}", made.shown);
    let broken =
        "title: R\nname: r\nlogsource: {category: t}\ndetection:\n  sel: {kind|containz: x}\n  condition: sel\n---\n"
            .to_owned()
            + &correlation("top", "r")
            + &correlation("higher", "top");
    let made = made_of(&broken);
    assert_eq!(made.refused, 3, "{}", made.shown);
    let last: Vec<&str> = made.problems.iter().map(|d| d.message.as_str()).collect();
    assert!(last.contains(&"the rule `r` is refused") && last.contains(&"the rule `top` is refused"), "{}", made.shown);
}

#[test]
fn filters_are_added_to_rules_of_their_log_source() {
    let rule = "title: R\nname: r\nlogsource: {product: linux, category: t}\ndetection:\n  sel: {kind: a}\n  condition: sel\n---\ntitle: S\nname: s\nlogsource: {product: macos, category: t}\ndetection:\n  sel: {kind: a}\n  condition: sel\n---\n";
    let filter = |source: &str, rules: &str| {
        format!(
            "{rule}title: F\nlogsource: {source}\nfilter:\n  rules: {rules}\n  sel: {{user|startswith: backup}}\n  condition: not sel\n"
        )
    };
    let stream = [(0.0, json!({"kind": "a", "user": "backup1"})), (1.0, json!({"kind": "a"}))];
    for (source, names, wanted) in [
        ("{product: linux}", "any", &["s@0", "r@1", "s@1"][..]),
        ("{product: linux, category: t}", "[r]", &["s@0", "r@1", "s@1"]),
        ("{category: t}", "any", &["r@1", "s@1"]),
        ("{category: t}", "[s]", &["r@0", "r@1", "s@1"]),
    ] {
        assert_eq!(fired(&rules(&filter(source, names)), &stream), wanted, "{source} {names}");
    }
    let made_of = |text: &str| made(&[text], &unrouted());
    let none = made_of(&filter("{product: windows}", "[r]"));
    assert_eq!((none.problems[0].code.0, none.refused), ("W0842", 0), "{}", none.shown);
    let missing = made_of(&filter("{product: linux}", "[q]"));
    assert_eq!((missing.problems[0].code.0, missing.refused), ("E0850", 1));
}

/// What the nearest other engine is known to get wrong.
#[test]
fn cases_that_others_get_wrong() {
    let order = "type: temporal_ordered\nrules: [a, b]\ntimespan: 1m";
    // B before A within one second.
    check(order, &["0.2 b", "0.7 a"], &[]);
    // An event of the far future does not wipe what came before it; it is matched in its own time.
    check(order, &["0 a", "31536000 a", "1 b"], &[]);
    let mut session_order = events(&["0 a", "1 b", "31536000 a"]);
    session_order.swap(1, 2);
    let rules_of = rules(&with_rules(order));
    let late = tripline::session::SessionConfig {
        lateness: tripline::base::Duration(40_000_000_000_000_000),
        ..Default::default()
    };
    let mut session = tripline::session::Session::new(rules_of, late);
    for (seconds, mut event) in session_order {
        event["ts"] = json!(tripline::base::Timestamp((seconds * 1e9) as i64).to_string());
        session.push_line(&event.to_string());
    }
    session.finish(tripline::session::AtEnd::Flush);
    assert_eq!(session.drain().len(), 1);
    // `a and not b` where b follows.
    check("type: temporal\ntimespan: 5m\ncondition: a and not b", &["0 a", "60 b"], &[]);
    // Three in five minutes, of which one is nine hours late.
    let three = "type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {gte: 3}";
    check(three, &["36000 a", "36060 a", "3600 a"], &[]);
    // Fewer than three is not known at the first.
    let few = "type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {lt: 3}";
    check(few, &["0 a", "1 a", "2 a", "3 a"], &[]);
    // A B B A B is one episode.
    check("type: temporal\nrules: [a, b]\ntimespan: 5m", &["0 a", "1 b", "2 b", "3 a", "4 b"], &["joined@1"]);
}
