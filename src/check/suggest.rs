//! "Did you mean": the known word nearest to a misspelt one, by edit distance.
//!
//! A swap of two neighbouring letters counts as one edit. A word is only proposed if few of its letters differ.
//! Most words of a large rule set are told apart by their length or first letters, without counting edits.

/// The edits that turn `a` into `b`: insertions, deletions, replacements and swaps of neighbours.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    distance_within(a, b, usize::MAX).unwrap_or(usize::MAX)
}

/// The distance, if it is not above `limit`.
fn distance_within(a: &str, b: &str, limit: usize) -> Option<usize> {
    let letters = |word: &str| -> Vec<char> { word.chars().take(MAX_WORD).flat_map(char::to_lowercase).collect() };
    let (a, b) = (letters(a), letters(b));
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut row: Vec<usize> = vec![0; b.len() + 1];
    for (i, x) in a.iter().enumerate() {
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        // A swap looks back two rows, so both must be beyond the limit.
        if row.iter().chain(&last).all(|edits| *edits > limit) {
            return None;
        }
        std::mem::swap(&mut before, &mut last);
        std::mem::swap(&mut last, &mut row);
    }
    last.last().copied().filter(|edits| *edits <= limit)
}

/// Longer words are compared by their beginnings, so that hostile names cost nothing.
const MAX_WORD: usize = 64;

/// How many edits may lie between a word of this length and what was probably meant.
fn tolerance(word: &str) -> usize {
    match word.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    }
}

/// Whether the first letters allow a few edits: they are equal, or one word lacks the other's first letter.
fn begin_alike(a: &str, b: &str) -> bool {
    let head = |word: &str| {
        let mut letters = word.chars().map(|c| c.to_ascii_lowercase());
        (letters.next(), letters.next())
    };
    let ((a1, a2), (b1, b2)) = (head(a), head(b));
    a1 == b1 || a1 == b2 || a2 == b1 || (a2.is_some() && a2 == b2)
}

/// The word of `among` that was probably meant, the first of several equally near ones.
pub(crate) fn closest<'w>(word: &str, among: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let mine = tolerance(word);
    let mut best: Option<(usize, &'w str)> = None;
    for candidate in among {
        if candidate == word || !begin_alike(word, candidate) {
            continue;
        }
        let limit = mine.min(tolerance(candidate));
        let limit = best.map_or(limit, |(edits, _)| limit.min(edits));
        match distance_within(word, candidate, limit) {
            Some(edits) if best.is_none_or(|(before, _)| edits < before) => best = Some((edits, candidate)),
            _ => {}
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("count", "count"), 0);
        assert_eq!(distance("cuont", "count"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance_within("kitten", "sitting", 2), None);
        assert_eq!(distance_within("acb", "abc", 1), Some(1));
    }

    #[test]
    fn only_near_words_are_proposed() {
        let words = ["lower", "upper", "contains"];
        assert_eq!(closest("lowr", words), Some("lower"));
        assert_eq!(closest("CONTAINS", words), Some("contains"));
        assert_eq!(closest("pper", words), Some("upper"));
        assert_eq!(closest("opwer", ["power"]), Some("power"));
        assert_eq!(closest("xyz", words), None);
        assert_eq!(closest("a", ["b"]), None);
    }
}
