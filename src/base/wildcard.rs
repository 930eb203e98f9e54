//! Names with `*` in them, as people write them for a choice of rules, tags or files.

/// Whether a text is of a form in which `*` stands for any characters, none included. Large and small letters differ.
pub fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    // Each part in between is found as early as can be, which leaves the most for those after it.
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("a", "a") && !fits("a", "ab") && !fits("a", ""));
        assert!(fits("*", "") && fits("*", "anything") && fits("", "") && !fits("", "a"));
        assert!(fits("attack.*", "attack.t1110") && !fits("attack.*", "ssh"));
        assert!(fits("*_login", "bad_login") && !fits("*_login", "login"));
        assert!(fits("a*b*c", "a-b-b-c") && !fits("a*b*c", "acb"));
        assert!(fits("s*_*x", "ssh_x") && !fits("s*_*_x", "ssh_x"));
        assert!(!fits("ab*ba", "aba"), "the ends must not overlap");
    }
}
