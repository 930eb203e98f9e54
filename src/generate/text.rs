//! Texts that match a glob or a regular expression.

use fastrand::Rng;
use regex_syntax::hir::{Class, Hir, HirKind};

/// How often an unbounded repetition is written out at most beyond its least number.
const MORE: u32 = 2;

/// A text that a `like` pattern matches.
pub fn of_glob(pattern: &str, rng: &mut Rng) -> String {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("[*]") || rest.starts_with("[?]") {
            out.push_str(&rest[1..2]);
            rest = &rest[3..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => {
                for _ in 0..rng.usize(0..4) {
                    out.push(rng.lowercase());
                }
            }
            '?' => out.push(rng.lowercase()),
            _ => out.push(c),
        }
    }
    out
}

/// A text in which a regular expression is found; nothing for one that cannot be read.
pub fn of_regex(pattern: &str, rng: &mut Rng) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut out = String::new();
    write(&hir, rng, &mut out)?;
    Some(out)
}

fn write(hir: &Hir, rng: &mut Rng, out: &mut String) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(std::str::from_utf8(&literal.0).ok()?),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges();
            // Readable characters first: a negated class begins with control characters.
            let readable = ranges.iter().find(|r| r.start() <= 'z' && r.end() >= 'a');
            let range = readable.or(ranges.first())?;
            let (low, high) = (range.start(), range.end());
            let (low, high) = if readable.is_some() { (low.max('a'), high.min('z')) } else { (low, high) };
            out.push(rng.char(low..=high.min(char::from_u32(low as u32 + 25).unwrap_or(high))));
        }
        HirKind::Class(Class::Bytes(class)) => out.push(char::from(class.ranges().first()?.start())),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min + MORE).min(repetition.min + MORE);
            for _ in 0..rng.u32(repetition.min..=most) {
                write(&repetition.sub, rng, out)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, rng, out)?,
        HirKind::Concat(parts) => {
            for part in parts {
                write(part, rng, out)?;
            }
        }
        HirKind::Alternation(parts) => write(&parts[rng.usize(0..parts.len())], rng, out)?,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::glob::Glob;

    #[test]
    fn texts_match_what_they_were_made_of() {
        let mut rng = Rng::with_seed(7);
        for _ in 0..200 {
            for glob in ["*.exe", r"C:\*\a?[*].txt", "x", "*"] {
                assert!(Glob::new(glob, false).is_match(&of_glob(glob, &mut rng)), "{glob}");
            }
            for pattern in [r"out of memory|oom", r"^\d{1,3}(\.\d{1,3}){3}$", r"[^a-z]+x*", r"(?i)Win\w+", r"\bfoo\b"] {
                let text = of_regex(pattern, &mut rng).expect("a readable expression");
                let regex = regex_automata::meta::Regex::new(pattern).expect("an expression");
                assert!(regex.is_match(text.as_bytes()), "{pattern}: {text}");
            }
        }
    }
}
