//! A misspelt keyword, found by trying: if the text reads on with the nearest keyword in its place, that was meant.
//! What is read on with is only for finding the problems behind it; the text stays refused.
//!
//! ```text
//! x: a where v > 0 thn y: b were v > x.v
//!                  ^^^ then: reads on, up to
//!                           ^^^^ where: reads on to the end
//! ```

use pest::Parser;
use pest::error::Error;
use pest::iterators::Pairs;

use super::build::Builder;
use super::grammar::{Rule, RuleParser};
use super::parser::report_stop;
use super::source::Span;
use super::{expected, spelling};
use crate::diag::{Code, Diagnostic};

/// How many words of a piece are mended before it is given up.
const MOST: usize = 8;

/// The words that join the parts of patterns, clauses and tests. Those of one letter are near to everything. Of two that
/// read on equally far the first is taken: `wher` is `where`.
const KEYWORDS: [&str; 61] = [
    "after",
    "alert",
    "alerts",
    "all",
    "and",
    "any",
    "as",
    "at",
    "by",
    "consecutive",
    "daily",
    "directly",
    "distinct",
    "events",
    "every",
    "exactly",
    "expect",
    "false",
    "fewer",
    "first",
    "for",
    "from",
    "having",
    "if",
    "in",
    "key",
    "last",
    "least",
    "like",
    "limits",
    "match",
    "more",
    "next",
    "no",
    "not",
    "of",
    "on",
    "one",
    "open",
    "optional",
    "or",
    "past",
    "pick",
    "resolved",
    "silent",
    "skip",
    "start",
    "stop",
    "than",
    "then",
    "to",
    "true",
    "unless",
    "until",
    "weekdays",
    "weekly",
    "where",
    "when",
    "within",
    "without",
    "zero",
];

/// A word written in place of another, as positions of the piece that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slip {
    start: usize,
    end: usize,
    meant: &'static str,
}

/// A piece of the text with words replaced: what stands before `end` in it stands `grown` further left in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    end: usize,
    grown: isize,
}

/// Where a position of the mended piece lies in the piece as it was written.
pub(super) fn written(edits: &[Edit], at: usize) -> usize {
    let grown: isize = edits.iter().filter(|edit| edit.end <= at).map(|edit| edit.grown).sum();
    at.saturating_add_signed(-grown)
}

/// Reads the text from byte `start` to `end`. Where it does not parse, that is reported; if a keyword is misspelt
/// there, reading goes on behind it. What parses in the end is given to `build`.
pub(super) fn read<'t>(
    builder: &mut Builder<'t>,
    entry: Rule,
    piece: (usize, usize),
    whole: &str,
    build: impl FnOnce(&mut Builder<'t>, Pairs<'_, Rule>),
) {
    read_with(builder, entry, piece, None, whole, build);
}

/// The same with a word in place of the first one, of which the length is given; what is wrong with it has been said.
pub(super) fn read_with<'t>(
    builder: &mut Builder<'t>,
    entry: Rule,
    (start, end): (usize, usize),
    first: Option<(usize, &str)>,
    whole: &str,
    build: impl FnOnce(&mut Builder<'t>, Pairs<'_, Rule>),
) {
    let mut text = builder.text[start..end].to_owned();
    builder.offset = start;
    if let Some((len, word)) = first {
        replace(builder, &mut text, 0..len, word);
    }
    for left in (0..=MOST).rev() {
        let error = match RuleParser::parse(entry, &text) {
            Ok(pairs) => {
                build(builder, pairs);
                break;
            }
            Err(error) => error,
        };
        let found = (left > 0).then(|| slip(entry, &text, &error)).flatten();
        let Some(slip) = found else {
            report_stop(builder, &error, start, end, whole);
            break;
        };
        report(builder, &slip);
        replace(builder, &mut text, slip.start..slip.end, slip.meant);
    }
    builder.edits.clear();
}

/// Puts a word in the place of another for what is read of the piece from now on.
pub(super) fn replace(builder: &mut Builder<'_>, text: &mut String, range: std::ops::Range<usize>, word: &str) {
    let grown = word.len() as isize - range.len() as isize;
    builder.edits.push(Edit { end: range.start + word.len(), grown });
    text.replace_range(range, word);
}

fn report(builder: &mut Builder<'_>, slip: &Slip) {
    let [start, end] = [slip.start, slip.end].map(|at| builder.offset + written(&builder.edits, at));
    let at: Span = builder.at(start, end);
    let found = &builder.text[start..end];
    builder.report(
        Diagnostic::error(Code("E0001"), format!("did not expect `{found}` here"), at, "not expected")
            .help(format!("did you mean `{}`?", slip.meant))
            .fix(at, slip.meant)
            .mended(),
    );
}

/// The misspelt keyword at which a text stopped parsing, or right before: the one that lets it read on furthest.
fn slip(entry: Rule, text: &str, error: &Error<Rule>) -> Option<Slip> {
    let stop = expected::stop(error).at;
    let mut best: Option<(usize, Slip)> = None;
    for (start, end) in [word_at(text, stop), word_before(text, stop)].into_iter().flatten() {
        let word = &text[start..end];
        if word.len() < 2 || word.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        for meant in KEYWORDS.into_iter().filter(|known| *known != word && spelling::near(word, known)) {
            let tried = [&text[..start], meant, &text[end..]].concat();
            let reached = match RuleParser::parse(entry, &tried) {
                // All of it is more than up to its last word.
                Ok(_) => text.len() + 1,
                Err(error) => (expected::stop(&error).at + word.len()).saturating_sub(meant.len()),
            };
            // Past the word and the one behind it, so that not every name will do.
            let far = word_end(text, end).max(stop);
            if reached > far && best.as_ref().is_none_or(|(most, _)| reached > *most) {
                best = Some((reached, Slip { start, end, meant }));
            }
        }
    }
    best.map(|(_, slip)| slip)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The word that stands at `at`, or begins behind the blanks there.
fn word_at(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let begins = at + bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    let start = begins - bytes[..begins].iter().rev().take_while(|b| is_word(**b)).count();
    let end = begins + bytes[begins..].iter().take_while(|b| is_word(**b)).count();
    (start < end).then_some((start, end))
}

/// The word that ends before the blanks before `at`.
fn word_before(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = &text.as_bytes()[..at];
    let end = at - bytes.iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
    let start = end - bytes[..end].iter().rev().take_while(|b| is_word(**b)).count();
    (start < end && end < at).then_some((start, end))
}

/// Where the word behind `at` ends; `at` itself if something else comes first.
fn word_end(text: &str, at: usize) -> usize {
    word_at(text, at).map_or(at, |(start, end)| if start >= at { end } else { at })
}
