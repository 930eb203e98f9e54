//! A compiled regular expression, and the texts without which it cannot match.

use std::fmt;
use std::hash::{Hash, Hasher};

use regex_automata::meta::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::fold::fold_case;

/// An alternation with more branches than this is not looked into: its texts would be short anyway.
const MOST_TEXTS: usize = 256;

/// A regular expression of a condition.
#[derive(Clone)]
pub struct Pattern {
    regex: Regex,
    source: Box<str>,
    fold: bool,
    required: Option<Vec<Box<str>>>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}", self.source, if self.fold { "i" } else { "" })
    }
}

/// What is written says all.
impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.source, self.fold).hash(state);
    }
}

impl Pattern {
    /// A pattern from its text and what that was compiled to.
    pub fn new(source: &str, fold: bool, regex: Regex) -> Self {
        let parsed = regex_syntax::ParserBuilder::new().case_insensitive(fold).build().parse(source);
        let required = parsed.ok().and_then(|hir| required(&hir));
        Self { regex, source: source.into(), fold, required }
    }

    /// Whether it matches somewhere in the text.
    #[inline]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What it was compiled to.
    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    /// Folded texts of which every text that matches, folded, holds at least one; `None` if no such are known.
    pub fn required(&self) -> Option<&[Box<str>]> {
        self.required.as_deref()
    }
}

/// The best texts of which one must occur.
fn required(hir: &Hir) -> Option<Vec<Box<str>>> {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Class(_) => one(hir).map(|text| vec![text.into()]),
        HirKind::Concat(parts) => {
            let mut best: Option<Vec<Box<str>>> = None;
            let mut consider = |texts: Vec<Box<str>>| {
                let shortest = |texts: &[Box<str>]| texts.iter().map(|t| t.len()).min().unwrap_or(0);
                if best.as_ref().is_none_or(|best| shortest(best) < shortest(&texts)) {
                    best = Some(texts);
                }
            };
            let mut run = String::new();
            for part in parts {
                if let Some(text) = one(part) {
                    run.push_str(&text);
                    continue;
                }
                if !run.is_empty() {
                    consider(vec![std::mem::take(&mut run).into()]);
                }
                if let Some(texts) = required(part) {
                    consider(texts);
                }
            }
            if !run.is_empty() {
                consider(vec![run.into()]);
            }
            best
        }
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(required(branch)?);
                if all.len() > MOST_TEXTS {
                    return None;
                }
            }
            Some(all)
        }
        HirKind::Repetition(repetition) if repetition.min > 0 => required(&repetition.sub),
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(_) | HirKind::Empty | HirKind::Look(_) => None,
    }
}

/// The one folded text that every match is, if there is just one.
fn one(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            (!text.is_empty()).then(|| fold_case(text).into_owned())
        }
        // A letter in any case is a class of its forms.
        HirKind::Class(Class::Unicode(class)) => {
            let forms: usize = class.iter().map(|range| range.len()).sum();
            if forms == 0 || forms > 4 {
                return None;
            }
            let mut folded = class
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .map(|c| fold_case(c.encode_utf8(&mut [0; 4])).into_owned());
            let first = folded.next()?;
            folded.all(|other| other == first).then_some(first)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str, fold: bool) -> Option<Vec<String>> {
        let hir = regex_syntax::ParserBuilder::new().case_insensitive(fold).build().parse(source).expect("it parses");
        required(&hir).map(|texts| texts.into_iter().map(String::from).collect())
    }

    #[test]
    fn the_longest_text_is_required() {
        assert_eq!(texts(r"^Get-.*Netsh\s+x", false), Some(vec!["netsh".into()]));
        assert_eq!(texts(r"(abc|de)+f?", false), Some(vec!["abc".into(), "de".into()]));
        assert_eq!(texts(r"(abc|d*)", false), None);
        assert_eq!(texts(r"\d+", false), None);
        assert_eq!(texts(r"(?:ab){2,}c", false), Some(vec!["ab".into()]));
    }

    #[test]
    fn letters_whose_forms_fold_apart_cut_a_text() {
        assert_eq!(texts(r"HELLO", true), Some(vec!["hello".into()]));
        // The long s is a form of `s` to regular expressions, and none of its lower case.
        assert_eq!(texts(r"ABSCDE", true), Some(vec!["cde".into()]));
        // The Kelvin sign folds to `k`.
        assert_eq!(texts(r"ABKCDE", true), Some(vec!["abkcde".into()]));
    }
}
