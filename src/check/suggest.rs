//! "Did you mean": the known word nearest to a misspelt one, by edit distance.
//!
//! A swap of two neighbouring letters counts as one edit. A word is only proposed if few of its letters differ.

/// The edits that turn `a` into `b`: insertions, deletions, replacements and swaps of neighbours.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(MAX_WORD).collect();
    let b: Vec<char> = b.chars().take(MAX_WORD).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
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

/// The word of `among` that was probably meant, the first of several equally near ones.
pub(crate) fn closest<'w>(word: &str, among: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let lower = word.to_lowercase();
    among
        .into_iter()
        .filter(|candidate| *candidate != word)
        // Cheap, and most words of a large rule set fall here.
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 2 * tolerance(word))
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= tolerance(word).min(tolerance(candidate)))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
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
    }

    #[test]
    fn only_near_words_are_proposed() {
        let words = ["lower", "upper", "contains"];
        assert_eq!(closest("lowr", words), Some("lower"));
        assert_eq!(closest("CONTAINS", words), Some("contains"));
        assert_eq!(closest("xyz", words), None);
        assert_eq!(closest("a", ["b"]), None);
    }
}
