//! Mutated rule files: the checker never panics, its spans lie in the text, and what it lets pass compiles.

mod check;

use tripline::base::Limits;
use tripline::check::{check as run_check, has_errors};
use tripline::diag::codes::check::CODES;
use tripline::diag::render::render_text;
use tripline::syntax::parse;
use tripline::syntax::source::SourceMap;

/// A small generator of its own, so that a failing case is found again by its number.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Words, numbers with units, strings and single signs, each with the white space behind it.
fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut token = String::from(c);
        if c.is_alphanumeric() || matches!(c, '_' | '@') {
            while let Some(next) = chars.peek().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '.')) {
                token.push(*next);
                chars.next();
            }
        } else if c == '"' {
            for next in chars.by_ref() {
                token.push(next);
                if next == '"' {
                    break;
                }
            }
        } else if matches!(c, '=' | '!' | '<' | '>' | '?') && chars.peek().is_some_and(|n| matches!(n, '=' | '~' | '?'))
        {
            token.extend(chars.next());
        }
        while let Some(space) = chars.peek().filter(|c| c.is_whitespace()) {
            token.push(*space);
            chars.next();
        }
        found.push(token);
    }
    found
}

fn corpus() -> Vec<Vec<String>> {
    let mut texts: Vec<String> = CODES
        .iter()
        .flat_map(|info| info.explanation.split("```trip\n").skip(1))
        .filter_map(|part| part.split_once("```").map(|(text, _)| text.to_owned()))
        .collect();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ui/syntax/valid/language_page.trip");
    texts.extend(std::fs::read_to_string(page));
    texts.extend(suite_rules());
    texts.iter().map(|text| tokens(text)).collect()
}

/// The rules of the conformance suite: short, and of every construct.
fn suite_rules() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite");
    let mut rules = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
        for case in text.split("\n== ").skip(1) {
            let lines = case.lines().skip(1).take_while(|line| !line.starts_with("--"));
            let clauses: Vec<&str> =
                lines.filter(|line| !line.starts_with("..") && !line.starts_with("event ")).collect();
            rules.push(format!("rule r {{\n{}\n}}\n", clauses.join("\n")));
        }
    }
    rules.sort();
    rules
}

fn mutate(random: &mut Random, corpus: &[Vec<String>]) -> String {
    let mut text = corpus[random.below(corpus.len())].clone();
    for _ in 0..1 + random.below(3) {
        let other = &corpus[random.below(corpus.len())];
        let at = random.below(text.len());
        let from = random.below(other.len());
        match random.below(16) {
            0 => {
                text.remove(at);
            }
            1 => text[at] = other[from].clone(),
            2 => text.insert(at, other[from].clone()),
            3 => {
                let to = random.below(text.len());
                text.swap(at, to);
            }
            // One word or number by another, which often still parses.
            6.. => {
                let like = |token: &String| token.chars().next().map(char::is_alphanumeric);
                if let Some(same) = (from..other.len()).chain(0..from).find(|i| like(&other[*i]) == like(&text[at])) {
                    text[at] = other[same].clone();
                }
            }
            // A piece of another rule, such as a whole condition or guard.
            4 => {
                let piece = other[from..(from + 2 + random.below(8)).min(other.len())].to_vec();
                text.splice(at..at, piece);
            }
            _ => {
                let piece = other[from..(from + 1 + random.below(6)).min(other.len())].to_vec();
                let end = (at + 1 + random.below(4)).min(text.len());
                text.splice(at..end, piece);
            }
        }
        if text.is_empty() {
            break;
        }
    }
    text.concat()
}

#[test]
fn mutated_rules_are_judged_without_a_panic_and_what_passes_compiles() {
    let corpus = corpus();
    let cases: u64 = std::env::var("CHECK_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let (mut judged, mut passed) = (0, 0);
    for case in 1..=cases {
        let mut random = Random(case.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let text = mutate(&mut random, &corpus);
        let limits = Limits::default();
        let mut sources = SourceMap::new();
        let id = sources.add("rule.trip", text.as_str());
        let (file, problems) = parse(id, &text, &limits);
        if has_errors(&problems) {
            continue;
        }
        judged += 1;
        let found = run_check(&[(id, file)], &sources, &limits);
        for diagnostic in &found {
            let fix = diagnostic.fix.iter().map(|f| f.span);
            for span in diagnostic.labels.iter().map(|l| l.span).chain(fix) {
                assert!(text.get(span.range()).is_some(), "case {case}: a span outside\n{text}\n{diagnostic:#?}");
            }
        }
        render_text(&found, &sources, false);
        if has_errors(&found) {
            continue;
        }
        passed += 1;
        if let Err(why) = check::compiles(&text) {
            // Tables of the corpus are not there with their columns.
            assert!(!why.contains("E0402"), "case {case} passes the checker and does not compile:\n{text}\n{why}");
        }
    }
    assert!(judged * 20 > cases, "only {judged} of {cases} cases parsed");
    assert!(passed * 100 > cases, "only {passed} of {cases} cases passed");
}
