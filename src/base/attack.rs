//! MITRE ATT&CK in tags, as rules write them: `attack.t1110.001` is a technique, `attack.credential_access` a tactic.

/// The technique that a tag names, as the framework writes it: `T1110.001`.
pub fn technique(tag: &str) -> Option<String> {
    let id = strip_attack(tag)?.strip_prefix(['t', 'T'])?;
    let (technique, sub) = id.split_once('.').map_or((id, None), |(technique, sub)| (technique, Some(sub)));
    let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    (digits(technique, 4) && sub.is_none_or(|sub| digits(sub, 3))).then(|| format!("T{id}"))
}

/// The tactic that a tag names, in words joined by `-`: `credential-access`.
pub fn tactic(tag: &str) -> Option<String> {
    let name = strip_attack(tag)?.replace('_', "-").to_ascii_lowercase();
    TACTICS.contains(&name.as_str()).then_some(name)
}

/// Tactics of the enterprise matrix, older names included.
const TACTICS: [&str; 16] = [
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "stealth",
    "defense-evasion",
    "defense-impairment",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
];

fn strip_attack(tag: &str) -> Option<&str> {
    let (head, rest) = tag.split_once('.')?;
    head.eq_ignore_ascii_case("attack").then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_name_techniques_and_tactics() {
        assert_eq!(technique("attack.t1110.001").as_deref(), Some("T1110.001"));
        assert_eq!(technique("ATTACK.T1059").as_deref(), Some("T1059"));
        for other in ["attack.t11", "attack.g0016", "attack.t1110.1", "t1110", "attack.persistence", "cve.2021-44228"] {
            assert_eq!(technique(other), None, "{other}");
        }
        assert_eq!(tactic("attack.credential_access").as_deref(), Some("credential-access"));
        assert_eq!(tactic("attack.command-and-control").as_deref(), Some("command-and-control"));
        assert_eq!(tactic("attack.s0002"), None);
    }
}
