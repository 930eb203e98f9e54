//! A regular expression, and the texts without which it cannot match.
//!
//! It is compiled when a text is first held against it: rules come by the thousand, and most expressions are never
//! asked. Relies on `check`, which has compiled it within the limit of size.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, Hir, HirKind};

use super::fold::fold_case;
use crate::base::Limits;

/// An alternation with more branches than this is not looked into: its texts would be short anyway.
const MOST_TEXTS: usize = 256;

/// A regular expression of a condition.
#[derive(Clone)]
pub struct Pattern {
    regex: OnceLock<Option<Regex>>,
    source: Box<str>,
    fold: bool,
    /// Bytes that a part of what it is compiled to may take.
    max_size: usize,
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
    /// A pattern from its text.
    ///
    /// # Errors
    /// A sentence that says why it was refused.
    pub fn new(source: &str, fold: bool, limits: &Limits) -> Result<Self, String> {
        if source.len() > limits.max_regex_len {
            return Err(format!("the pattern is longer than {} bytes", limits.max_regex_len));
        }
        let parsed = regex_syntax::ParserBuilder::new().case_insensitive(fold).build().parse(source);
        let required = required(&parsed.map_err(|e| e.to_string())?);
        let (regex, max_size) = (OnceLock::new(), limits.max_regex_size);
        Ok(Self { regex, source: source.into(), fold, max_size, required })
    }

    fn compile(&self) -> Option<Regex> {
        let most = Some(self.max_size);
        let of = |lazily: bool| {
            Regex::builder()
                .syntax(syntax::Config::new().case_insensitive(self.fold))
                .configure(
                    Regex::config()
                        // Conditions are made by the thousand and few are ever asked: what is built up front is kept small.
                        .dfa(false)
                        .hybrid(lazily)
                        .nfa_size_limit(most)
                        .onepass_size_limit(most)
                        .dfa_size_limit(most)
                        .hybrid_cache_capacity(self.max_size),
                )
                .build(&self.source)
                .ok()
        };
        // Read backwards, which the fast way needs, it may be larger than `check` has seen it.
        of(true).or_else(|| of(false))
    }

    /// Whether it matches somewhere in the text.
    #[inline]
    pub fn is_match(&self, text: &str) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(text))
    }

    /// What it is compiled to; none if it is larger than it may be.
    pub fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| self.compile()).as_ref()
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
