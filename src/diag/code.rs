//! The registry of diagnostic codes: what each means, for `tripline explain CODE` and the documentation.
//!
//! The tables lie in [`super::codes`], one file per range, sorted by code. A number is never reused: E01xx told what was
//! not built yet, and are all retired.

use super::codes;

/// What there is to know about one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeInfo {
    /// `E0001`, `W0501`, …
    pub code: &'static str,
    /// A few words, without a full stop.
    pub title: &'static str,
    /// A paragraph, then a wrong and a right example, as Markdown.
    pub explanation: &'static str,
}

/// All codes, range by range.
pub fn all() -> impl Iterator<Item = &'static CodeInfo> {
    [
        codes::syntax::CODES,
        codes::check::CODES,
        codes::config::CODES,
        codes::sample::CODES,
        codes::sigma::CODES,
        codes::sigma_correlation::CODES,
        codes::eql::CODES,
    ]
    .into_iter()
    .flatten()
}

/// The entry of a code, written in any case.
pub fn info(code: &str) -> Option<&'static CodeInfo> {
    all().find(|info| info.code.eq_ignore_ascii_case(code.trim()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let mut seen = BTreeSet::new();
        for info in all() {
            assert!(seen.insert(info.code), "{} is listed twice", info.code);
            let (letter, digits) = info.code.split_at(1);
            assert!(matches!(letter, "E" | "W"), "{}", info.code);
            assert!(digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit()), "{}", info.code);
            assert!(!info.title.ends_with('.'), "{}: a title has no full stop", info.code);
            assert!(!info.explanation.trim().is_empty(), "{} has no explanation", info.code);
        }
    }

    #[test]
    fn a_code_is_found_in_any_case() {
        for entry in all() {
            assert_eq!(info(&entry.code.to_lowercase()).map(|i| i.code), Some(entry.code));
        }
        assert_eq!(info("E9999"), None);
    }
}
