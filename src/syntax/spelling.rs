//! "Did you mean": the known word nearest to a written one.

/// The known word that is at most a third of its letters away from the written one, the nearest first.
pub fn nearest<'w>(written: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let written = written.to_lowercase();
    if written.len() > 64 {
        return None;
    }
    let letters = written.chars().count();
    known
        .into_iter()
        .filter_map(|word| {
            let most = allowed(word);
            // Words differ by their lengths at least.
            let near = word.chars().count().abs_diff(letters) <= most;
            near.then(|| (distance(&written, &word.to_lowercase()), word)).filter(|(d, _)| *d <= most)
        })
        .min_by_key(|(d, _)| *d)
        .map(|(_, word)| word)
}

/// The known word that differs by one letter, or by case alone. Words that differ in their digits are different words.
pub fn slip<'w>(written: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let folded = written.to_lowercase();
    let letters = |word: &str| word.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    known
        .into_iter()
        .filter(|word| {
            word.len().abs_diff(written.len()) <= 4 && *word != written && differ_in_one_place(word, written)
        })
        .filter(|word| letters(word) != letters(written))
        .map(|word| (distance(&folded, &word.to_lowercase()), word))
        .filter(|(d, _)| *d <= 1)
        .min_by_key(|(d, _)| *d)
        .map(|(_, word)| word)
}

/// Whether two words differ, case aside, in no more than two neighbouring letters; always for words beyond ASCII. A
/// look that spares most words the count of what is different.
fn differ_in_one_place(a: &str, b: &str) -> bool {
    if !a.is_ascii() || !b.is_ascii() {
        return true;
    }
    let same = |(a, b): &(u8, u8)| a.eq_ignore_ascii_case(b);
    let before = a.bytes().zip(b.bytes()).take_while(same).count();
    let behind = a.bytes().rev().zip(b.bytes().rev()).take_while(same).count();
    before + behind + 2 >= a.len().max(b.len())
}

/// Whether a written word may be a slip of a known one.
pub fn near(written: &str, known: &str) -> bool {
    written.len() <= 64 && distance(&written.to_lowercase(), known) <= allowed(known)
}

/// How many letters may be wrong in a word.
fn allowed(known: &str) -> usize {
    known.chars().count().max(3) / 3
}

/// Letters to insert, delete, replace or swap with a neighbour to make `b` from `a`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest() {
        let known = ["severity", "suppress", "by"];
        assert_eq!(nearest("severty", known), Some("severity"));
        assert_eq!(nearest("supress", known), Some("suppress"));
        assert_eq!(nearest("yb", known), Some("by"));
        assert_eq!(nearest("window", known), None);
    }

    #[test]
    fn a_slip_is_one_letter() {
        let known = ["CommandLine", "Image", "param1"];
        assert_eq!(slip("ComandLine", known), Some("CommandLine"));
        assert_eq!(slip("CommandLien", known), Some("CommandLine"));
        assert_eq!(slip("commandline", known), Some("CommandLine"));
        assert_eq!(slip("Images", known), Some("Image"));
        assert_eq!(slip("Image", known), None);
        assert_eq!(slip("param2", known), None);
        assert_eq!(slip("ComandLin", known), None);
    }
}
