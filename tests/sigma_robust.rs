//! The reader of Sigma on broken text: never a panic, every place lies in the text, and what is read prints as a rule
//! file without errors. The fuzz target of the same name asks the same of any text.

use std::collections::BTreeSet;

use tripline::base::Limits;
use tripline::diag::Level;
use tripline::import::sigma::pipeline::Pipelines;
use tripline::import::sigma::{assemble, read};
use tripline::syntax::source::SourceId;
use tripline::syntax::{parse, print};

const SEEDS: [&str; 3] = [
    "title: Ünïcode\nname: a\nid: 7\nlevel: high\ntags: [x, y]\nfields: [F, g.h, key]\nlogsource: {product: windows, category: process_creation}\ndetection:\n  sel:\n    Image|endswith|windash: ['\\-x*', \"b?\"]\n    c.d|re|i: '^a[b-\\w]+(c|d)\\b'\n    N|gte: 5\n    U|wide|base64offset|contains: http\n  kw: [a*b, 4688]\n  filter_x: {User: null, Flag: true, F|fieldref: g}\n  condition: (sel or kw) and not 1 of filter_*\n",
    "action: global\nlogsource: {}\n---\ntitle: A\ndetection:\n  s: &x {a: 'x', b: [1, 2.5, '']}\n  t: *x\n  condition: all of them\n---\naction: repeat\ntitle: B\n",
    "title: One\nname: one\nlogsource: {}\ndetection: {s: {a: 1}, condition: s}\n---\ntitle: Many\ncorrelation:\n  type: event_count\n  rules: [one]\n  group-by: [b]\n  timespan: 5m\n  condition: {gte: 3}\n---\ntitle: F\nlogsource: {}\nfilter:\n  rules: any\n  s: {c: 1}\n  condition: not s\n",
];

fn hold(text: &str) {
    let (documents, mut diagnostics) = read(SourceId(0), text);
    let rules = assemble(vec![(SourceId(0), documents)], BTreeSet::new(), &BTreeSet::new(), &Pipelines::default());
    diagnostics.extend(rules.problems);
    for diagnostic in diagnostics {
        for label in diagnostic.labels.iter().filter(|label| label.span.source == SourceId(0)) {
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            assert!(text.get(start..end).is_some(), "{} names {start}..{end} of\n{text}", diagnostic.message);
        }
    }
    for (_, file) in rules.files {
        let printed = print(&file);
        let (_, problems) = parse(SourceId(0), &printed, &Limits::default());
        assert!(problems.iter().all(|problem| problem.level != Level::Error), "{problems:?}\n{printed}\n{text}");
    }
}

#[test]
fn the_seeds_are_good() {
    for seed in SEEDS {
        let (_, problems) = read(SourceId(0), seed);
        assert!(problems.is_empty(), "{problems:?}");
        hold(seed);
    }
}

#[test]
fn broken_texts_are_read_without_harm() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3000);
    let mut random = fastrand::Rng::with_seed(7);
    let pieces = [
        "'", "\"", "|", ": ", "- ", "\n", "  ", "[", "]", "{", "}", "*", "&x ", "\\", "é", "#", "?", "of ", "not ",
        "(", "%x%", "`", ".", "null", "---\n",
    ];
    for _ in 0..cases {
        let mut text: Vec<char> = SEEDS[random.usize(..SEEDS.len())].chars().collect();
        for _ in 0..1 + random.usize(..4) {
            let at = random.usize(..text.len());
            match random.usize(..4) {
                0 => drop(text.drain(at..(at + random.usize(1..6)).min(text.len()))),
                1 => text.truncate(at.max(1)),
                2 => {
                    let (from, count) = (random.usize(..text.len()), random.usize(1..20));
                    let copy: Vec<char> = text.iter().skip(from).take(count).copied().collect();
                    text.splice(at..at, copy);
                }
                _ => drop(text.splice(at..at, pieces[random.usize(..pieces.len())].chars())),
            }
            if text.is_empty() {
                text.push('a');
            }
        }
        hold(&text.into_iter().collect::<String>());
    }
}
