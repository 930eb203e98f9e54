//! EQL: queries to rules. Messages for what is refused, the printed form, and the corpus of published sequences.

#[path = "import_eql/conditions.rs"]
mod conditions;
#[path = "oracle/mod.rs"]
mod oracle;
#[path = "import_eql/run.rs"]
mod run;
#[path = "import_eql/sequences.rs"]
mod sequences;

use std::collections::BTreeSet;
use std::path::Path;

use tripline::base::Limits;
use tripline::compile::{CompileOptions, compile};
use tripline::diag::render::render_text;
use tripline::diag::{Diagnostic, Level};
use tripline::import::eql::{Kind, Options, parse};
use tripline::syntax::ast::File;
use tripline::syntax::source::{SourceId, SourceMap};

fn read(text: &str, options: &Options) -> (File, Vec<Diagnostic>, SourceMap) {
    read_as(text, "hunt.eql", options)
}

fn read_as(text: &str, name: &str, options: &Options) -> (File, Vec<Diagnostic>, SourceMap) {
    let mut sources = SourceMap::new();
    let id = sources.add(name, text);
    let kind = Kind::of(name).expect("a kind");
    let (file, problems) = parse(id, name, text, kind, options, &Limits::default(), &mut BTreeSet::new());
    (file, problems, sources)
}

fn reports(diagnostics: &[&Diagnostic], sources: &SourceMap) -> String {
    render_text(&diagnostics.iter().copied().cloned().collect::<Vec<_>>(), sources, false)
}

/// A tree without its spans.
fn bare(file: &File) -> String {
    let text = format!("{file:?}");
    let mut parts = text.split("Span { ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    out
}

/// Compiles a rule file; the reports of errors.
fn compiled(text: &str) -> Result<(), String> {
    let mut sources = SourceMap::new();
    sources.add("printed.trip", text);
    let compiled = compile(&sources, &CompileOptions::default(), &|_, _| Err("no tables".to_owned()));
    let errors: Vec<&Diagnostic> = compiled.diagnostics.iter().filter(|d| d.level == Level::Error).collect();
    if errors.is_empty() { Ok(()) } else { Err(reports(&errors, &sources)) }
}

/// Every query of the corpus parses, prints, reads back as the same tree, and compiles.
#[test]
fn the_corpus_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared", "../../shared"].map(|shared| root.join(shared).join("corpora/eql_sequences.jsonl"));
    let path = places.iter().find(|path| path.exists()).unwrap_or(&places[0]);
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: there is no {}", path.display());
        return;
    };
    let (mut all, mut failures) = (0, String::new());
    for complete in [false, true] {
        for line in text.lines() {
            let query: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let options = Options { complete, ..Options::default() };
            let written = query["query"].as_str().expect("a query");
            all += 1;
            let (file, problems, sources) = read(written, &options);
            let id = &query["id"];
            let errors: Vec<&Diagnostic> = problems.iter().filter(|d| d.level == Level::Error).collect();
            if !errors.is_empty() || file.items.is_empty() {
                let reports: String = reports(&errors, &sources);
                failures.push_str(&format!("{id} does not parse\n{reports}\n"));
                continue;
            }
            let printed = tripline::syntax::print(&file);
            let (again, problems) = tripline::syntax::parse(SourceId(0), &printed, &Limits::default());
            if !problems.is_empty() {
                failures.push_str(&format!("{id} prints what does not parse\n{printed}\n{problems:?}\n"));
                continue;
            }
            if bare(&again) != bare(&file) {
                failures.push_str(&format!("{id} prints another tree\n{printed}\n"));
                continue;
            }
            if let Err(why) = compiled(&printed) {
                failures.push_str(&format!("{id} does not compile\n{why}\n"));
            }
        }
    }
    assert!(failures.is_empty(), "of {all}:\n{failures}");
    println!("{all} queries load");
}

/// The text of a fenced block after a heading of an explanation, and its language.
fn example<'t>(explanation: &'t str, heading: &str) -> (&'t str, &'t str) {
    let (_, after) = explanation.split_once(&format!("{heading}:\n\n```")).expect("the explanation has the heading");
    let (language, text) = after.split_once('\n').expect("a block");
    (text.split_once("\n```").expect("the fence is closed").0, language)
}

#[test]
fn examples_of_codes_give_their_code_and_no_other() {
    for info in tripline::diag::codes::eql::CODES {
        for (heading, wanted) in [("Wrong", &[info.code][..]), ("Right", &[])] {
            let (text, language) = example(info.explanation, heading);
            let (_, problems, sources) = read_as(text, &format!("rule.{language}"), &Options::default());
            let mut codes: Vec<&str> = problems.iter().map(|d| d.code.0).collect();
            codes.dedup();
            assert_eq!(codes, wanted, "{}: {text}\n{}", info.code, render_text(&problems, &sources, false));
            assert!(problems.iter().all(|d| d.help.is_some()), "{}: no way out", info.code);
        }
    }
}

/// How many random cases; `PROPTEST_CASES` says it.
fn cases() -> u64 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000)
}

#[test]
fn cases_hold() {
    let mut failures = String::new();
    let mut count = 0;
    for case in include_str!("import_eql/cases.txt").split("\n== ").skip(1) {
        let (name, body) = case.split_once('\n').expect("a name");
        let (query, rest) = body.split_once("\n-- ").expect("a stream");
        let (stream, expected) = rest.split_once("\n-> ").expect("what is expected");
        let (pending, complete) = expected.trim().split_once("\ncomplete -> ").unwrap_or((expected.trim(), expected));
        let events = run::stream(stream);
        for (complete, wanted) in [(false, pending), (true, complete)] {
            count += 1;
            let got = match run::ruleset(query, complete) {
                Ok(rules) => match run::matches(&rules, &events).join(" ") {
                    none if none.is_empty() => "none".to_owned(),
                    some => some,
                },
                Err(report) => report,
            };
            let wanted = wanted.trim();
            let fine = wanted.strip_prefix("refused ").map_or(got == wanted, |why| got.contains(why));
            if !fine {
                failures
                    .push_str(&format!("{name} (complete: {complete})\n{query}\n  wanted {wanted}\n  got    {got}\n"));
            }
        }
    }
    assert!(failures.is_empty(), "of {count}:\n{failures}");
    assert!(count > 80);
}

/// Random conditions: the query, and its printed form, against an evaluator written from the documentation.
#[test]
fn conditions_mean_what_the_documentation_says() {
    let (mut failures, mut fired) = (Vec::new(), 0);
    for seed in 0..cases() / 2 {
        let mut r = conditions::Random::new(seed + 1);
        let cond = conditions::cond(&mut r, 3);
        let query = format!("any where {}", cond.text());
        let events: Vec<_> = (0..8).map(|_| conditions::event(&mut r)).collect();
        let wanted: Vec<bool> = events.iter().map(|e| cond.eval(e) == Some(true)).collect();
        let stream: Vec<run::Event> = events
            .iter()
            .enumerate()
            .map(|(at, fields)| run::Event { at: at as i64, fields: fields.clone().into_iter().collect() })
            .collect();
        fired += wanted.iter().filter(|w| **w).count();
        let (file, _, _) = read(&query, &Options::default());
        let printed = tripline::syntax::print(&file);
        let ways =
            [("the query", run::ruleset(&query, false)), ("its printed form", run::compiled(&printed, "p.trip"))];
        for (way, rules) in ways {
            let got = match rules {
                Ok(rules) => run::matches(&rules, &stream),
                // A constant condition may be refused by the checker; the next seed says more.
                Err(why) if why.contains("E02") || why.contains("E03") => continue,
                Err(why) => {
                    failures.push(format!("seed {seed}: {way}: {query}\n{why}"));
                    continue;
                }
            };
            for (at, wanted) in wanted.iter().enumerate() {
                if got.contains(&format!("[{}]", at + 1)) != *wanted {
                    failures.push(format!("seed {seed}: {way}: {query}\n{}\nwanted {wanted}", stream[at].json()));
                    break;
                }
            }
        }
        if failures.len() > 5 {
            break;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(fired as u64 > cases() / 4, "{fired} events match");
}

/// Random sequences, in both selections, against the oracle.
#[test]
fn sequences_say_what_the_oracle_says() {
    let (mut failures, mut found) = (Vec::new(), 0);
    for seed in 0..cases() {
        let mut r = conditions::Random::new(seed ^ 0xe91);
        let made = sequences::sequence(&mut r);
        let stream = sequences::stream(&mut r);
        for (complete, clauses) in [(false, &made.pending), (true, &made.complete)] {
            let case = oracle::case::read("random", &format!("== random\n{clauses}-- {stream}\n-> none\n"));
            let rule = oracle::parse::rule(clauses);
            let settings = oracle::select::Settings { flush: true, ..case[0].settings };
            let outcome = oracle::select::run(&rule, &case[0].stream, settings);
            let mut wanted: Vec<String> = outcome
                .alerts
                .iter()
                .map(|alert| {
                    let mut lines: Vec<usize> = alert.bound.iter().flatten().copied().collect();
                    lines.sort_unstable();
                    let last = case[0].stream[lines[lines.len() - 1] - 1].ts;
                    let at = if alert.time == last { String::new() } else { format!("@{}", alert.time) };
                    format!("[{}]{at}", lines.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
                })
                .collect();
            let events = run::stream(&stream);
            let mut got = match run::ruleset(&made.query, complete) {
                Ok(rules) => run::matches(&rules, &events),
                Err(why) => {
                    failures.push(format!("seed {seed}: {}\n{why}", made.query));
                    continue;
                }
            };
            found += got.len();
            wanted.sort();
            got.sort();
            if wanted != got {
                failures.push(format!(
                    "seed {seed} (complete: {complete}): {}{clauses}-- {stream}\nwanted {wanted:?}\ngot    {got:?}",
                    made.query
                ));
            }
        }
        if failures.len() > 3 {
            break;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(found as u64 > cases() / 4, "{found} matches");
}

/// The page about EQL: its query becomes the rule that it shows.
#[test]
fn the_page_shows_what_comes_of_its_query() {
    let page = include_str!("../docs/eql.md");
    let block = |language: &str| {
        let (_, after) = page.split_once(&format!("```{language}\n")).expect("a block");
        after.split_once("```").expect("it is closed").0
    };
    let (file, problems, _) = read(block("eql"), &Options::default());
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(tripline::syntax::print(&file), block("trip"));
}

/// Any text is read without a panic, and its reports point into it.
#[test]
fn broken_texts_are_reported_inside_of_them() {
    let seeds = [
        include_str!("import_eql/cases.txt"),
        "sequence by ?a.b, `c-d` with maxspan=1m\n [A where x : (\"a*\", \"b\") and not y like~ \"\"\"q\"\"\"] by z\n ![B where true] by z\n until [C where f~(1, -2.5e3) + 4 == null] by z | tail 3",
        "[rule]\ntype = \"eql\"\nname = \"x\\ty\"\nquery = \"\"\"\nprocess where a \\\n == \\\"b\\\" \"\"\"\n",
        "{\"type\": \"eql\", \"name\": \"x\", \"query\": \"any where a == \\\"b\\u00e9\\\"\"}\n{\"exported_count\": 1}\n",
    ];
    let bits = [
        "\"", "(", ")", "[", "]", "`", "?", "!", "\\", "\u{e9}", "/*", "//", "\n", "where", "not", "~", "'", "\"\"\"",
        "=", ";", "-",
    ];
    let mut r = conditions::Random::new(7);
    for n in 0..cases() {
        let mut text = seeds[r.below(seeds.len())].to_owned();
        for _ in 0..1 + r.below(4) {
            let mut at = r.below(text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let mut end = (at + r.below(6)).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(at..end, r.of(&bits));
        }
        for name in ["a.eql", "a.toml", "a.json"] {
            let (file, problems, _) = read_as(&text, name, &Options::default());
            for label in problems.iter().flat_map(|d| &d.labels) {
                let span = label.span;
                assert!(span.start <= span.end && span.end as usize <= text.len(), "{n}: {span:?} in {name}\n{text}");
                assert!(text.is_char_boundary(span.start as usize), "{n}: {span:?} in {name}\n{text}");
                assert!(text.is_char_boundary(span.end as usize), "{n}: {span:?} in {name}\n{text}");
            }
            let printed = tripline::syntax::print(&file);
            let (again, problems) = tripline::syntax::parse(SourceId(0), &printed, &Limits::default());
            assert!(problems.is_empty() && bare(&again) == bare(&file), "{n}: {printed}\n{problems:?}");
        }
    }
}

/// Brackets, `not` and signs without end are refused, chains of `and` are not.
#[test]
fn depth_is_bounded() {
    let deep = [
        format!("any where {}a == 1{}", "(".repeat(5000), ")".repeat(5000)),
        format!("any where {} a == 1", "not ".repeat(5000)),
        format!("any where a == {}1", "-".repeat(5000)),
        format!("any where a{} == 1", " + 1".repeat(5000)),
        format!("any where {}a{} == 1", "length(".repeat(5000), ")".repeat(5000)),
    ];
    for text in deep {
        let (_, problems, _) = read(&text, &Options::default());
        assert_eq!(problems.iter().map(|d| d.code.0).collect::<Vec<_>>(), ["E0006"], "{}", &text[..60]);
    }
    let long = format!("any where a == 1{}", " and a != 2 or a == 3".repeat(3000));
    assert!(read(&long, &Options::default()).1.is_empty());
}

const DETECTION: &str = r#"[metadata]
maturity = "production"

[rule]
author = ["Ada", "Bo"]
description = "A shell."
enabled = false
false_positives = ["Admins"]
language = "eql"
name = "Shells: of \"mail\""
note = "Look."
references = ["https://example.org/a"]
risk_score = 47
rule_id = "6f1a"
severity = "Medium"
tags = ["Domain: Endpoint"]
type = "eql"
query = '''
process where process.name : "cmd.exe"
'''

[[rule.threat]]
framework = "MITRE ATT&CK"
[[rule.threat.technique]]
id = "T1059"
[[rule.threat.technique.subtechnique]]
id = "T1059.003"
[rule.threat.tactic]
name = "Execution"

[rule.alert_suppression]
group_by = ["host.id"]
duration = { value = 2, unit = "h" }
"#;

const PRINTED: &str = r#"rule shells_of_mail "Shells: of \"mail\"" {
  id "6f1a"
  status "stable"
  severity medium
  risk 47
  tags "Domain: Endpoint", "attack.execution", "attack.t1059", "attack.t1059.003"
  description "A shell."
  runbook "Look."
  author "Ada, Bo"
  references "https://example.org/a"
  false_positives "Admins"
  match { e: any where event.category == "process" and process.name == "cmd.exe"i }
  suppress 2h by e.host.id
  enabled false
}
"#;

/// A detection rule: its parts become clauses, and a slip in its query is shown in the file.
#[test]
fn detection_rules_load() {
    let (file, problems, _) = read_as(DETECTION, "shells.toml", &Options::default());
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(tripline::syntax::print(&file), PRINTED);
    run::imported(DETECTION, "shells.toml", &Options::default()).expect("it compiles");

    let slip = DETECTION.replace("process.name : ", "process.name = ");
    let (_, problems, sources) = read_as(&slip, "shells.toml", &Options::default());
    let at = problems[0].labels[0].span;
    assert_eq!((problems[0].code.0, &slip[at.range()]), ("E0702", "="));
    assert_eq!(sources.line_column(at.source, at.start), (19, 28));

    let json = r#"{"type":"eql","name":"One","query":"any where a == \"x\" and b : 4","filters":[]}
{"type":"query","name":"Two","query":"a: b"}
{"type":"eql","name":"Three","query":"any where a == 1","filters":[{"meta":{}}]}
{"exported_count":3}
"#;
    let (file, problems, sources) = read_as(json, "export.ndjson", &Options::default());
    let codes: Vec<&str> = problems.iter().map(|d| d.code.0).collect();
    assert_eq!(codes, ["E0708", "W0702", "E0711"], "{}", render_text(&problems, &sources, false));
    assert_eq!(&json[problems[0].labels[0].span.range()], "4");
    assert!(file.items.is_empty());
}
