//! Which of many literals a text holds, in one pass.
//!
//! Up to some dozens are searched many bytes at a time, more by their pieces, and very short ones by an automaton that
//! takes each byte. All report every literal that occurs, once or more often.

mod grams;

use aho_corasick::packed::{self, MatchKind, Searcher};
use aho_corasick::{AhoCorasick, BuildError, Span};

use self::grams::{Grams, PIECE};

/// More literals than this are not searched many bytes at a time.
const FEW: usize = 48;

/// Nor are such with shorter ones among them: they occur too often.
const LONG: usize = 3;

/// A search for literals.
#[derive(Clone, Debug)]
pub(in crate::plan) enum Search {
    /// By vector instructions.
    Packed {
        searcher: Searcher,
        /// By literal: those that it begins with, which begin wherever it does.
        prefixes: Vec<Vec<u32>>,
    },
    /// Long ones by their pieces, the others byte by byte.
    Many { grams: Box<Grams>, others: Option<(AhoCorasick, Vec<u32>)> },
}

impl Search {
    /// A search for literals that are not empty and all different.
    ///
    /// # Errors
    /// They are more than an automaton can hold.
    pub(in crate::plan) fn new(literals: &[&str]) -> Result<Self, BuildError> {
        if literals.len() <= FEW
            && literals.iter().all(|literal| literal.len() >= LONG)
            && let Some(searcher) =
                packed::Config::new().match_kind(MatchKind::LeftmostLongest).builder().extend(literals).build()
        {
            let prefixes = |whole: &str| -> Vec<u32> {
                let begins = |other: &str| other.len() < whole.len() && whole.starts_with(other);
                literals.iter().zip(0..).filter(|(other, _)| begins(other)).map(|(_, n)| n).collect()
            };
            return Ok(Self::Packed { searcher, prefixes: literals.iter().map(|literal| prefixes(literal)).collect() });
        }
        let (long, short): (Vec<u32>, Vec<u32>) =
            (0..literals.len() as u32).partition(|at| literals[*at as usize].len() >= PIECE);
        let (grams, shared) = Grams::new(literals, &long);
        let others: Vec<u32> = short.into_iter().chain(shared).collect();
        let of_others = others.iter().map(|at| literals[*at as usize]);
        // Every occurrence counts, so there is nothing that a search for rare bytes could skip.
        let automaton = (!others.is_empty()).then(|| AhoCorasick::builder().prefilter(false).build(of_others));
        Ok(Self::Many { grams: Box::new(grams), others: automaton.transpose()?.map(|automaton| (automaton, others)) })
    }

    /// Whether the text holds any of the literals.
    pub(in crate::plan) fn any(&self, text: &str) -> bool {
        match self {
            Self::Packed { searcher, .. } => searcher.find(text.as_bytes()).is_some(),
            Self::Many { grams, others } => {
                let mut found = others.as_ref().is_some_and(|(automaton, _)| automaton.is_match(text));
                if !found {
                    grams.each(text, |_| {
                        found = true;
                        true
                    });
                }
                found
            }
        }
    }

    /// Calls `found` for every literal that the text holds, by its place; more than once if it occurs so.
    #[inline]
    pub(in crate::plan) fn each(&self, text: &str, mut found: impl FnMut(u32)) {
        match self {
            Self::Packed { searcher, prefixes } => {
                let mut at = 0;
                while at < text.len()
                    && let Some(hit) = searcher.find_in(text.as_bytes(), Span { start: at, end: text.len() })
                {
                    let literal = hit.pattern();
                    found(literal.as_u32());
                    prefixes[literal.as_usize()].iter().for_each(|prefix| found(*prefix));
                    at = hit.start() + 1;
                }
            }
            Self::Many { grams, others } => {
                grams.each(text, |literal| {
                    found(literal);
                    false
                });
                if let Some((automaton, places)) = others {
                    automaton.find_overlapping_iter(text).for_each(|hit| found(places[hit.pattern().as_usize()]));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_literal_in_a_text_is_found() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut word = |least: usize, most: usize| -> String {
            let pieces = ["a", "b", "ab", "\u{e4}", "\\"];
            (0..rng.usize(least..=most)).map(|_| pieces[rng.usize(..pieces.len())]).collect()
        };
        for round in 0..400 {
            let least = if round % 4 == 0 { 1 } else { 3 };
            let mut literals: Vec<String> = (0..1 + round % 170).map(|_| word(least, 6)).collect();
            literals.sort();
            literals.dedup();
            let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
            let search = Search::new(&literals).expect("few literals");
            for _ in 0..20 {
                let text = word(0, 60);
                let mut found = Vec::new();
                search.each(&text, |literal| found.push(literal as usize));
                found.sort_unstable();
                found.dedup();
                let held: Vec<usize> = (0..literals.len()).filter(|at| text.contains(literals[*at])).collect();
                assert_eq!(found, held, "{literals:?} in {text:?}");
                assert_eq!(search.any(&text), !held.is_empty(), "{literals:?} in {text:?}");
            }
        }
    }
}
