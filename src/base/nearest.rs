//! "Did you mean": the known word that a mistyped one is closest to.

/// The candidate with the smallest edit distance to `word`, if it is close enough to be meant: at most a third of
/// the characters differ. A transposition counts as one edit, case counts little. The first of equals wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    if word.len() > 64 {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
        if other.len() > 64 {
            continue;
        }
        let distance = distance(&word, &other);
        let allowed = word.len().max(other.len()).div_ceil(3);
        if distance <= allowed && distance < word.len().max(1) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Edits to turn `a` into `b`: insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &y) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                cost = cost.min(before_last[j - 1] + 1);
            }
            row.push(cost);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found() {
        let words = ["lateness", "threads", "inputs", "outputs"];
        assert_eq!(nearest("latenes", words), Some("lateness"));
        assert_eq!(nearest("theards", words), Some("threads"));
        assert_eq!(nearest("OUTPUT", words), Some("outputs"));
    }

    #[test]
    fn another_word_is_not() {
        assert_eq!(nearest("colour", ["lateness", "threads"]), None);
        assert_eq!(nearest("a", ["b"]), None);
        assert_eq!(nearest("", ["b"]), None);
    }
}
