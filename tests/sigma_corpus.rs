//! The Sigma rules that people run, where they are at hand: all load together, and each prints as a rule file that
//! parses to the same tree. Skipped, and said so, where the corpus is absent.

use std::io::Read;
use std::path::Path;

use tripline::base::Limits;
use tripline::compile::{CompileOptions, compile};
use tripline::diag::Level;
use tripline::import::sigma::pipeline::Pipelines;
use tripline::syntax;
use tripline::syntax::ast::File;
use tripline::syntax::source::{SourceId, SourceMap};

/// Names and texts of the rules of the corpus.
fn corpus() -> Option<Vec<(String, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = ["../shared", "../../shared"].map(|shared| root.join(shared).join("corpora/sigma_rules.tar.gz"));
    let Some(bytes) = places.iter().find_map(|place| std::fs::read(place).ok()) else {
        eprintln!(
            "SKIPPED: no ../shared/corpora/sigma_rules.tar.gz beside the repository: no rules of others are loaded"
        );
        return None;
    };
    let mut archive = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_end(&mut archive).expect("a gzip file");
    let mut files = tar_files(&archive);
    files.retain(|(name, _)| name.ends_with(".yml"));
    files.sort();
    Some(files)
}

/// Names and texts of the plain files of a tar archive.
fn tar_files(archive: &[u8]) -> Vec<(String, String)> {
    let (mut found, mut at, mut long) = (Vec::new(), 0, None);
    let field = |block: &[u8]| String::from_utf8_lossy(block.split(|b| *b == 0).next().unwrap_or(&[])).into_owned();
    while let Some(header) = archive.get(at..at + 512) {
        let size = usize::from_str_radix(field(&header[124..136]).trim(), 8).unwrap_or(0);
        let body = &archive[at + 512..at + 512 + size];
        match header[156] {
            b'L' => long = Some(field(body)),
            b'0' | 0 if size > 0 => {
                let name = long.take().unwrap_or_else(|| field(&header[..100]));
                found.push((name, String::from_utf8_lossy(body).into_owned()));
            }
            _ => {}
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    found
}

/// A tree without its spans, and without how its texts are written.
fn shape(file: &File) -> String {
    let mut text = format!("{file:?}");
    for (mark, end) in [("span: Span {", "} }"), ("raw: ", "e")] {
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(mark) {
            out.push_str(&rest[..at]);
            let after = &rest[at..];
            let to = if mark.starts_with("raw") {
                after.find(end).map_or(after.len(), |n| n + end.len())
            } else {
                // `span: Span { source: SourceId(0), start: 1, end: 2 }`
                after.find(" }").map_or(after.len(), |n| n + 2)
            };
            rest = &after[to..];
        }
        out.push_str(rest);
        text = out;
    }
    text
}

#[test]
fn every_rule_loads_and_prints() {
    let Some(corpus) = corpus() else { return };
    let mut sources = SourceMap::new();
    for (name, text) in &corpus {
        sources.add(name.as_str(), text.as_str());
    }
    let started = std::time::Instant::now();
    let compiled = compile(&sources, &CompileOptions::default(), &|path, _| Err(format!("no table {path}")));
    let rules = compiled.ruleset.as_ref().map_or(0, |set| set.rules.len());
    eprintln!("{} files, {rules} rules, {} refused, {:?}", corpus.len(), compiled.refused, started.elapsed());
    let errors: Vec<(&str, &str)> = compiled
        .diagnostics
        .iter()
        .filter(|d| d.level == Level::Error)
        .map(|d| (d.code.0, sources.get(d.labels[0].span.source).name.as_str()))
        .collect();
    // Only placeholders that somebody has to fill in.
    assert!(errors.iter().all(|(code, _)| *code == "E0812") && errors.len() <= 2, "{errors:?}");
    assert_eq!(rules + compiled.refused, corpus.len());
    assert_eq!(compiled.refused, errors.len());

    for ((name, _), file) in corpus.iter().zip(&compiled.files) {
        let printed = syntax::print(file);
        let (parsed, problems) = syntax::parse(SourceId(0), &printed, &Limits::default());
        assert!(problems.is_empty(), "{name}: {problems:?}\n{printed}");
        assert_eq!(shape(&parsed), shape(file), "{name}\n{printed}");
    }
}

/// Compiles files with no routing by log source.
fn loaded(files: &[(&str, &str)], strict: bool) -> tripline::compile::Compiled {
    let mut sources = SourceMap::new();
    for (name, text) in files {
        sources.add(*name, *text);
    }
    let pipelines = Pipelines::new(&["none"], Vec::new()).unwrap_or_default();
    let options = CompileOptions { strict, pipelines, ..CompileOptions::default() };
    compile(&sources, &options, &|path, _| Err(format!("no table {path}")))
}

fn rule_names(compiled: &tripline::compile::Compiled) -> Vec<String> {
    compiled.ruleset.iter().flat_map(|set| &set.rules).map(|rule| rule.name.to_string()).collect()
}

#[test]
fn the_page_shows_what_is_printed() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sigma.md")).expect("the page");
    let block = |fence: &str| {
        let (_, after) = page
            .split_once(&format!("```{fence}\ntitle: Encoded"))
            .or(page.split_once(&format!("```{fence}\nrule enc")))
            .expect("a block");
        let head = if fence == "yaml" { "title: Encoded" } else { "rule enc" };
        format!("{head}{}", after.split_once("\n```").expect("its end").0)
    };
    let compiled = loaded(&[("rule.yml", &block("yaml"))], true);
    let printed = syntax::print(&compiled.files[0]);
    assert!(block("trip").starts_with(&printed), "{printed}");
}

const GOOD: &str = "title: Good\nlogsource: {}\ndetection:\n  sel: {a: 1}\n  condition: sel\n";
const BAD: &str = "title: Bad\nlogsource: {}\ndetection:\n  sel:\n    a|re: 'x(?=y)'\n  condition: sel\n";

#[test]
fn one_bad_rule_does_not_stop_the_others() {
    let files = [("good.yml", GOOD), ("bad.yml", BAD), ("own.trip", "rule own { match { any where a == 2 } }")];
    let compiled = loaded(&files, false);
    assert_eq!(rule_names(&compiled), ["good", "own"]);
    assert_eq!(compiled.refused, 1);
    let codes: Vec<&str> = compiled.diagnostics.iter().map(|d| d.code.0).collect();
    assert_eq!(codes, ["E0811"]);
    assert!(loaded(&files, true).ruleset.is_none());
    assert_eq!(loaded(&[("good.yml", GOOD), ("broken.yml", "title: \"x\ndetection: 1\n")], false).refused, 1);
}

#[test]
fn an_error_that_the_checker_finds_is_the_rules_own() {
    let large = "title: Large\nlogsource: {}\ndetection:\n  sel:\n    a|re: '(x{1000}){1000}'\n  condition: sel\n";
    let compiled = loaded(&[("good.yml", GOOD), ("large.yml", large)], false);
    assert_eq!(rule_names(&compiled), ["good"]);
    assert_eq!(compiled.refused, 1);
    assert!(compiled.diagnostics.iter().all(|d| d.fix.is_none()));
}

#[test]
fn an_error_of_a_rule_file_stops_all() {
    let compiled = loaded(&[("good.yml", GOOD), ("own.trip", "rule own { match { any where a == } }")], false);
    assert!(compiled.ruleset.is_none());
}

#[test]
fn names_are_unique_over_all_files() {
    let files = [("a.yml", GOOD), ("b.yml", GOOD), ("own.trip", "rule good_2 { match { any where a == 2 } }")];
    let compiled = loaded(&files, true);
    assert_eq!(rule_names(&compiled), ["good", "good_3", "good_2"]);
}

#[test]
fn a_let_does_not_take_the_place_of_a_field() {
    let files = [("a.yml", GOOD), ("own.trip", "let a = b == 1\nrule own { match { any where a } }")];
    let compiled = loaded(&files, false);
    assert_eq!(rule_names(&compiled), ["own"]);
    assert_eq!(compiled.refused, 1);
}
