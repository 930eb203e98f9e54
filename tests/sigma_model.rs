//! Sigma documents read into their model: parts, places, and everything that is wrong with them.

use tripline::diag::Diagnostic;
use tripline::diag::render::render_text;
use tripline::import::sigma::model::{
    Bound, BoundOp, CorrelationCondition, CorrelationKind, CorrelationRule, DetectionRule, Document, FilterRules,
    Level, Number, Text, Tree, ValueKind,
};
use tripline::import::sigma::{is_sigma, read};
use tripline::syntax::source::{SourceId, SourceMap};

fn good(text: &str) -> Vec<Document> {
    let (documents, problems) = read(SourceId(0), text);
    assert!(problems.is_empty(), "{}", shown(text, &problems));
    documents
}

fn shown(text: &str, problems: &[Diagnostic]) -> String {
    let mut sources = SourceMap::new();
    sources.add("rule.yml", text);
    render_text(problems, &sources, false)
}

/// `CODE line:column message` of each problem.
fn problems(text: &str) -> Vec<String> {
    let mut sources = SourceMap::new();
    let id = sources.add("rule.yml", text);
    let (_, problems) = read(id, text);
    let line = |d: &Diagnostic| {
        let span = d.labels[0].span;
        let (line, column) = sources.line_column(span.source, span.start);
        format!("{} {line}:{column} {}", d.code.0, d.message)
    };
    problems.iter().map(line).collect()
}

fn detection(document: &Document) -> &DetectionRule {
    match document {
        Document::Detection(rule) => rule,
        other => panic!("no detection: {other:?}"),
    }
}

fn correlation(document: &Document) -> &CorrelationRule {
    match document {
        Document::Correlation(rule) => rule,
        other => panic!("no correlation: {other:?}"),
    }
}

fn words(texts: &[Text]) -> Vec<&str> {
    texts.iter().map(Text::as_str).collect()
}

const RULE: &str = "\
title: Übung - Shell
id: 5f0a7e1c-0000-4000-8000-000000000001
name: shell
status: test
level: high
author:
  - One
  - Two
tags: [attack.t1059]
references:
  - https://example.org/a
falsepositives: Administrators
logsource:
  category: process_creation
  product: windows
  definition: audit process creation
detection:
  selection:
    Image|endswith|windash:
      - '\\cmd.exe'
      - 4
    Empty: ''
    Nothing:
    Flag: true
    Part: 0.5
  words:
    - 'mimi*'
    - 4688
    - a: 1
      b: 2
  condition: selection or words
";

#[test]
fn a_detection_has_all_its_parts() {
    let documents = good(RULE);
    let rule = detection(&documents[0]);
    let head = &rule.head;
    assert_eq!(head.title.as_ref().map(Text::as_str), Some("Übung - Shell"));
    assert_eq!(head.name.as_ref().map(Text::as_str), Some("shell"));
    assert_eq!(head.author.as_ref().map(Text::as_str), Some("One, Two"));
    assert_eq!(head.level.map(|(level, _)| level), Some(Level::High));
    assert_eq!(words(&head.tags), ["attack.t1059"]);
    assert_eq!(words(&head.false_positives), ["Administrators"]);
    assert_eq!(rule.logsource.product.as_ref().map(Text::as_str), Some("windows"));
    assert_eq!(rule.logsource.service, None);
    assert_eq!(words(&rule.detection.conditions), ["selection or words"]);
    let [selection, keywords] = rule.detection.selections.as_slice() else { panic!("two selections") };
    let Tree::All(items, _) = &selection.tree else { panic!("a map") };
    assert_eq!(items[0].field.as_ref().map(Text::as_str), Some("Image"));
    assert_eq!(words(&items[0].modifiers), ["endswith", "windash"]);
    assert!(items[0].list);
    let kinds: Vec<ValueKind> = items.iter().flat_map(|item| &item.values).map(|value| value.kind).collect();
    assert_eq!(
        kinds,
        [
            ValueKind::Str,
            ValueKind::Int(4),
            ValueKind::Str,
            ValueKind::Null,
            ValueKind::Bool(true),
            ValueKind::Float(0.5)
        ]
    );
    let Tree::Any(members, _) = &keywords.tree else { panic!("a list") };
    let [Tree::All(words, _), Tree::All(map, _)] = members.as_slice() else { panic!("keywords, then a map") };
    assert_eq!((words.len(), words[0].values.len(), &words[0].field), (1, 2, &None));
    assert_eq!(map.len(), 2);
}

#[test]
fn spans_are_of_the_text_that_was_written() {
    let documents = good(RULE);
    let rule = detection(&documents[0]);
    let at = |span: tripline::syntax::source::Span| &RULE[span.range()];
    assert_eq!(at(rule.head.title.as_ref().expect("a title").span), "Übung - Shell");
    let items = rule.detection.selections[0].tree.items();
    assert_eq!(at(items[0].modifiers[1].span), "windash");
    assert_eq!(at(items[0].field.as_ref().expect("a field").span), "Image");
    assert_eq!(at(items[0].values[0].span), "'\\cmd.exe'");
    assert_eq!(at(items[0].span), "Image|endswith|windash:\n      - '\\cmd.exe'\n      - 4");
    assert_eq!(at(rule.detection.conditions[0].part(0, 9)), "selection");
    assert!(at(rule.head.span).ends_with("condition: selection or words"));
}

#[test]
fn documents_of_a_file_are_read_apart() {
    let text = "title: A\ndetection: {s: {a: 'x}\n--- # next\ntitle: B\nlogsource: {product: p}\ndetection:\n  s: {a: 1}\n  condition: s\n";
    let (documents, problems) = read(SourceId(0), text);
    assert_eq!(problems.len(), 1, "{}", shown(text, &problems));
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0].head().title.as_ref().map(Text::as_str), Some("B"));
}

#[test]
fn global_documents_hold_for_later_ones() {
    let text = "\
action: global
author: All
logsource: {product: windows}
detection:
  condition: sel
---
title: First
detection:
  sel: {EventID: 1}
---
title: Second
author: Own
logsource: {service: sysmon}
detection:
  sel: {EventID: 2}
---
action: repeat
title: Third
detection:
  sel: {EventID: 3}
---
action: reset
---
title: Fourth
detection:
  sel: {EventID: 4}
";
    let (documents, problems) = read(SourceId(0), text);
    assert_eq!(documents.len(), 4);
    let second = detection(&documents[1]);
    assert_eq!(second.head.author.as_ref().map(Text::as_str), Some("Own"));
    assert_eq!(second.logsource.product.as_ref().map(Text::as_str), Some("windows"));
    assert_eq!(second.logsource.service.as_ref().map(Text::as_str), Some("sysmon"));
    let third = detection(&documents[2]);
    assert_eq!(third.head.author.as_ref().map(Text::as_str), Some("Own"));
    assert_eq!(third.detection.selections[0].tree.items()[0].values[0].kind, ValueKind::Int(3));
    assert!(matches!(documents[3], Document::Refused(_)));
    assert_eq!(problems.len(), 2, "{}", shown(text, &problems));
}

#[test]
fn a_correlation_has_all_its_parts() {
    let text = "\
title: Many
correlation:
  type: value_percentile
  rules: [a, 5f0a7e1c-0000-4000-8000-000000000001]
  group-by: user
  timespan: 90m
  aliases:
    ip: {a: src.ip, b: dst.ip}
  condition: {gt: 10, lte: 20.5, field: [x, y], percentile: 95}
  generate: true
---
title: Boolean
correlation:
  type: temporal
  timespan: 1d
  condition: a and not b
";
    let documents = good(text);
    let many = correlation(&documents[0]);
    assert_eq!(many.kind, CorrelationKind::ValuePercentile);
    assert_eq!(words(&many.rules), ["a", "5f0a7e1c-0000-4000-8000-000000000001"]);
    assert_eq!(words(&many.group_by), ["user"]);
    assert_eq!(many.timespan.nanos, 90 * 60 * 1_000_000_000);
    assert!(many.generate);
    assert_eq!(many.aliases[0].name.as_str(), "ip");
    assert_eq!(many.aliases[0].fields[1].1.as_str(), "dst.ip");
    let Some(CorrelationCondition::Bounds { bounds, field, percentile, .. }) = &many.condition else {
        panic!("bounds")
    };
    let bounds: Vec<_> = bounds.iter().map(|Bound { op, value, .. }| (*op, *value)).collect();
    assert_eq!(bounds, [(BoundOp::Gt, Number::Int(10)), (BoundOp::Lte, Number::Float(20.5))]);
    assert_eq!(words(field), ["x", "y"]);
    assert_eq!(percentile.map(|(value, _)| value), Some(95.0));
    let Some(CorrelationCondition::Expression(condition)) = &correlation(&documents[1]).condition else {
        panic!("a text")
    };
    assert_eq!(condition.as_str(), "a and not b");
}

#[test]
fn a_filter_names_rules_or_any() {
    let text = "\
title: F
logsource: {product: windows}
filter:
  rules: any
  selection: {User: adm}
  condition: not selection
---
title: G
logsource: {product: windows}
filter:
  rules: [a, b]
  selection: {User: adm}
  condition: not selection
";
    let documents = good(text);
    let rules = |document: &Document| match document {
        Document::Filter(filter) => (filter.rules.clone(), filter.detection.selections.len()),
        other => panic!("no filter: {other:?}"),
    };
    assert!(matches!(rules(&documents[0]), (FilterRules::Any(_), 1)));
    assert!(matches!(rules(&documents[1]), (FilterRules::Named(names), 1) if words(&names) == ["a", "b"]));
}

#[test]
fn everything_wrong_is_said_with_its_place() {
    for (text, expected) in [
        (
            "title: [a]\nlogsource: {}\ndetection:\n  s: {a: 1}\n",
            &["E0802 1:1 `title` is no single value", "E0802 3:1 there is no `condition`"][..],
        ),
        (
            "title: a\ndetection:\n  s: {a: {b: 1}}\n  t: {}\n  condition: s\n",
            &[
                "E0802 1:1 the rule has no `logsource`",
                "E0802 3:7 `a` has values inside values",
                "E0802 4:3 the selection `t` is empty",
            ],
        ),
        (
            "title: a\nlogsource: {prodct: x}\ndetection: {s: {a: 1}, condition: s}\n",
            &["E0803 2:13 `logsource` has no part `prodct`"],
        ),
        (
            "title: a\ntitle: b\nlogsource: {}\ndetection: {s: {a: 1}, condition: s}\n",
            &["E0804 2:1 the key `title` is written twice"],
        ),
        ("a: &x [1]\nb: *y\n", &["E0801 2:4 this is not YAML: while parsing node, found unknown anchor"]),
        ("a: !foo b\n", &["E0801 1:4 a tag that rules have no use for"]),
        ("a:\n  <<: {b: 1}\n", &["E0801 2:3 merge keys are not part of YAML 1.2"]),
        ("- a\n", &["E0802 1:1 this is no Sigma rule"]),
        (
            "title: a\ndetections: {s: {a: 1}, condition: s}\n",
            &[
                "E0802 2:1 the document says nothing to look for",
                "W0801 2:1 `detections` is no part of Sigma, and `detection` is",
            ],
        ),
        (
            "title: a\nlevel: hihg\ncorrelation: {type: event_cuont, rules: [a], timespan: 5}\n",
            &["E0802 2:8 `hihg` is no level", "E0802 3:21 `event_cuont` is no type of correlation"],
        ),
        (
            "correlation: {type: temporal, timespan: 2M, within: 3}\n",
            &[
                "E0802 1:1 the correlation names no `rules`",
                "E0802 1:41 `2M` is no timespan",
                "E0803 1:45 `correlation` has no part `within`",
            ],
        ),
        (
            "filter: {selection: {a: 1}, condition: selection}\nlogsource: {}\n",
            &["E0802 1:1 the filter names no `rules`"],
        ),
        ("action: repeat\ntitle: x\n", &["E0802 1:9 there is no rule before it to repeat"]),
    ] {
        let mut found = problems(text);
        found.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn hostile_yaml_is_bounded() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e]\n";
    assert_eq!(problems(bomb), ["E0801 5:29 aliases add more than 100000 values"]);
    let deep = format!("a: {}", "[".repeat(100));
    assert!(problems(&deep)[0].contains("levels of nesting"), "{:?}", problems(&deep));
    let deeper = format!("a: {}", "[".repeat(100_000));
    assert_eq!(problems(&deeper).len(), 1);
    let deep: String = (0..1000).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    assert!(problems(&deep)[0].contains("levels of nesting"), "{:?}", problems(&deep));
}

#[test]
fn other_yaml_is_told_apart() {
    assert!(is_sigma(RULE));
    assert!(is_sigma("{\"title\": 1,\n\"detection\": {}}"));
    assert!(is_sigma("title: x\r\ncorrelation:\r\n"));
    assert!(!is_sigma("name: pack\nrules:\n  detection: yes\n"));
}

/// Rules people wrote, where they are at hand: all are documents without a problem.
#[test]
fn the_corpus_is_read() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared", "../../shared"].map(|shared| root.join(shared).join("corpora/sigma_rules.tar.gz"));
    let Some(bytes) = places.iter().find_map(|place| std::fs::read(place).ok()) else {
        eprintln!(
            "SKIPPED: no ../shared/corpora/sigma_rules.tar.gz beside the repository: no rules of others are read"
        );
        return;
    };
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes.as_slice()), &mut text).expect("a gzip file");
    let (mut files, mut wrong) = (0, String::new());
    for (name, text) in tar_files(&text) {
        if !name.ends_with(".yml") {
            continue;
        }
        assert!(is_sigma(text), "{name}");
        let (documents, problems) = read(SourceId(0), text);
        assert_eq!(documents.len(), 1, "{name}");
        files += 1;
        if !problems.is_empty() || !matches!(documents[0], Document::Detection(_)) {
            wrong.push_str(&format!("{name}: {}", shown(text, &problems)));
        }
    }
    assert!(files > 3000, "{files}");
    assert!(wrong.is_empty(), "{wrong}");
}

/// Names and texts of the plain files of a tar archive.
fn tar_files(archive: &[u8]) -> Vec<(String, &str)> {
    let (mut found, mut at) = (Vec::new(), 0);
    let mut long: Option<String> = None;
    let field = |block: &[u8]| String::from_utf8_lossy(block.split(|b| *b == 0).next().unwrap_or(&[])).into_owned();
    while let Some(header) = archive.get(at..at + 512) {
        let size = usize::from_str_radix(field(&header[124..136]).trim(), 8).unwrap_or(0);
        let body = &archive[at + 512..at + 512 + size];
        match header[156] {
            b'L' => long = Some(field(body)),
            b'0' | 0 if size > 0 => {
                let name = long.take().unwrap_or_else(|| field(&header[..100]));
                if let Ok(text) = std::str::from_utf8(body) {
                    found.push((name, text));
                }
            }
            _ => {}
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    found
}
