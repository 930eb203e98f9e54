//! Literals that the compiler must understand: regular expressions, globs, networks.

use std::net::IpAddr;

use regex_automata::meta::Regex;
use regex_automata::nfa::thompson::{self, pikevm::PikeVM};
use regex_automata::util::syntax;

use crate::check::Checker;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{RegexLit, StrLit};
use crate::syntax::source::Span;

/// Constructs of backtracking engines: how they begin, what they are called, what to write instead.
const UNSUPPORTED: [(&str, &str, &str); 7] = [
    ("(?<=", "look-behind", "match the text before as well, or add a second condition: `f =~ /ab/`"),
    ("(?<!", "negative look-behind", "add a second condition: `f =~ /b/ and not (f =~ /ab/)`"),
    ("(?=", "look-ahead", "add a second condition: `f =~ /a/ and f =~ /b/`"),
    ("(?!", "negative look-ahead", "add a second condition: `f =~ /a/ and not (f =~ /ab/)`"),
    ("(?>", "an atomic group", "leave out the `?>`: matching is linear anyway"),
    ("(?P=", "a back-reference", "compare two fields, or list the alternatives: `aa|bb`"),
    ("\\k<", "a back-reference", "compare two fields, or list the alternatives: `aa|bb`"),
];

impl Checker<'_> {
    /// Compiles a regular expression as the engine will, and reports why it cannot.
    pub(crate) fn regex(&mut self, regex: &RegexLit) {
        let (pattern, span) = (regex.pattern.as_str(), regex.span);
        if pattern.len() > self.limits.max_regex_len {
            self.out.push(
                Diagnostic::error(
                    codes::REGEX_TOO_LARGE,
                    format!("this regular expression has {} bytes", pattern.len()),
                    span,
                    format!("the limit is {} bytes", self.limits.max_regex_len),
                )
                .help(
                    "split it into several: `f =~ (/a/, /b/)`; a long list of words belongs into `in (…)` or a table",
                ),
            );
            return;
        }
        if let Some((what, instead)) = unsupported(pattern) {
            self.out.push(
                Diagnostic::error(
                    codes::REGEX_UNSUPPORTED,
                    format!("{what} is not available in regular expressions"),
                    span,
                    format!("contains {what}"),
                )
                .note(
                    "matching takes time linear in the text, whatever the expression; this construct would break that",
                )
                .help(instead),
            );
            return;
        }
        let limit = self.limits.max_regex_size;
        // What a program is made of says enough, unless something is wrong.
        let matches_nothing = match automaton(pattern, regex.fold, limit) {
            Some(nothing) => Ok(nothing),
            None => compile_regex(pattern, regex.fold, limit).map(|compiled| compiled.is_match("")),
        };
        match matches_nothing {
            Ok(true) => self.out.push(
                Diagnostic::warning(
                    codes::MATCHES_EVERYTHING,
                    "this regular expression matches every text",
                    span,
                    "it can match nothing at all, which is found everywhere",
                )
                .note("`=~` searches: one place that matches is enough")
                .help("anchor it with `^` and `$`, or ask `exists(…)`"),
            ),
            Ok(_) => {}
            Err(error) if error.size_limit().is_some() => self.out.push(
                Diagnostic::error(
                    codes::REGEX_TOO_LARGE,
                    "this regular expression is too large when compiled",
                    span,
                    format!("the limit is {} bytes", self.limits.max_regex_size),
                )
                .note("counted repetition multiplies: `\\w{1000}` is a thousand copies of a large class")
                .help("use smaller counts, or `[0-9A-Za-z_]` instead of `\\w`"),
            ),
            Err(error) => {
                let text = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
                let reason = text.lines().last().unwrap_or("").trim();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                self.out.push(
                    Diagnostic::error(codes::INVALID_REGEX, "this is no regular expression", span, reason.to_string())
                        .help("escape characters that are meant literally with a backslash, as in `\\(`"),
                );
            }
        }
    }

    /// Looks at a pattern of `like`.
    pub(crate) fn glob(&mut self, pattern: &StrLit) {
        let text = pattern.value.as_str();
        if !text.is_empty() && text.bytes().all(|b| b == b'*') {
            self.out.push(
                Diagnostic::warning(
                    codes::MATCHES_EVERYTHING,
                    "this pattern matches every text",
                    pattern.span,
                    "matches everything",
                )
                .help("ask `exists(…)`"),
            );
        } else if text.contains(".*") && (text.starts_with('^') || text.ends_with('$') || text.starts_with(".*")) {
            self.out.push(
                Diagnostic::warning(
                    codes::SUSPICIOUS_PATTERN,
                    "this looks like a regular expression, and `like` takes wildcards",
                    pattern.span,
                    "`.`, `^` and `$` are meant literally",
                )
                .note("in `like`, `*` is any run of characters and `?` is one; the whole text must match")
                .help("write `=~ /…/` for a regular expression"),
            );
        }
    }

    /// Checks a network of `cidr`.
    pub(crate) fn network(&mut self, text: &str, span: Span) {
        match parse_network(text) {
            Ok((canonical, true)) => self.out.push(
                Diagnostic::warning(
                    codes::NETWORK_HOST_BITS,
                    format!("`{text}` is an address with a prefix length; the network is `{canonical}`"),
                    span,
                    "bits behind the prefix are set",
                )
                .note("the bits behind the prefix are ignored")
                .help("write the network")
                .fix(span, format!("\"{canonical}\"")),
            ),
            Ok(_) => {}
            Err(reason) => {
                let report = Diagnostic::error(codes::INVALID_NETWORK, format!("`{text}` is no network"), span, reason);
                let report = match text.parse::<IpAddr>() {
                    Ok(address) => {
                        let bits = if address.is_ipv4() { 32 } else { 128 };
                        report.help("a single address is a network too").fix(span, format!("\"{text}/{bits}\""))
                    }
                    Err(_) => report.help("write an address and a prefix length: `10.0.0.0/8`, `fd00::/8`"),
                };
                self.out.push(report);
            }
        }
    }
}

/// Whether an expression matches the empty text; none if it cannot be compiled within the limit.
fn automaton(pattern: &str, fold: bool, max_size: usize) -> Option<bool> {
    let nfa = thompson::NFA::compiler()
        .syntax(syntax::Config::new().case_insensitive(fold))
        .configure(thompson::Config::new().nfa_size_limit(Some(max_size)))
        .build(pattern)
        .ok()?;
    let vm = PikeVM::new_from_nfa(nfa).ok()?;
    Some(vm.is_match(&mut vm.create_cache(), ""))
}

/// Compiles as the engine does; the limit bounds the compiled program.
pub(crate) fn compile_regex(
    pattern: &str,
    fold: bool,
    max_size: usize,
) -> Result<Regex, Box<regex_automata::meta::BuildError>> {
    Regex::builder()
        .syntax(syntax::Config::new().case_insensitive(fold))
        .configure(Regex::config().nfa_size_limit(Some(max_size)))
        .build(pattern)
        .map_err(Box::new)
}

/// The first construct that only backtracking engines have.
fn unsupported(pattern: &str) -> Option<(&'static str, &'static str)> {
    let bytes = pattern.as_bytes();
    let mut at = 0;
    let mut in_class = false;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest[0] == b'\\' {
            if let Some((_, what, instead)) = UNSUPPORTED.iter().find(|(head, ..)| rest.starts_with(head.as_bytes())) {
                return Some((what, instead));
            }
            if !in_class && rest.get(1).is_some_and(|b| matches!(b, b'1'..=b'9')) {
                return Some(("a back-reference", "compare two fields, or list the alternatives: `aa|bb`"));
            }
            at += 2;
            continue;
        }
        match rest[0] {
            b'[' => in_class = true,
            b']' => in_class = false,
            b'(' if !in_class => {
                if let Some((_, what, instead)) =
                    UNSUPPORTED.iter().find(|(head, ..)| rest.starts_with(head.as_bytes()))
                {
                    return Some((what, instead));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

fn masked(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(a) => {
            let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
            IpAddr::V4((u32::from(a) & mask).into())
        }
        IpAddr::V6(a) => {
            let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
            IpAddr::V6((u128::from(a) & mask).into())
        }
    }
}

/// The network in canonical form and whether bits behind the prefix had to be cleared, or why it is none.
fn parse_network(text: &str) -> Result<(String, bool), &'static str> {
    let (address, bits) = text.split_once('/').ok_or("the prefix length is missing")?;
    let address: IpAddr = address.parse().map_err(|_| "the part before the slash is no IP address")?;
    let bits: u32 = bits.parse().map_err(|_| "the part after the slash is no number")?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    if bits > most {
        return Err(if most == 32 {
            "an IPv4 prefix has at most 32 bits"
        } else {
            "an IPv6 prefix has at most 128 bits"
        });
    }
    let network = masked(address, bits);
    Ok((format!("{network}/{bits}"), network != address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        assert_eq!(parse_network("10.1.2.3/8"), Ok(("10.0.0.0/8".into(), true)));
        assert_eq!(parse_network("fd00::/8"), Ok(("fd00::/8".into(), false)));
        assert_eq!(parse_network("0.0.0.0/0"), Ok(("0.0.0.0/0".into(), false)));
        assert!(parse_network("10.0.0.0/33").is_err());
        assert!(parse_network("10.0.0.0").is_err());
        assert!(parse_network("ten/8").is_err());
    }

    #[test]
    fn backtracking_constructs_are_found() {
        assert_eq!(unsupported("a(?=b)").map(|u| u.0), Some("look-ahead"));
        assert_eq!(unsupported("(?<!x)a").map(|u| u.0), Some("negative look-behind"));
        assert_eq!(unsupported(r"(a)\1").map(|u| u.0), Some("a back-reference"));
        assert_eq!(unsupported(r"\(?=a[(?=]"), None);
        assert_eq!(unsupported("(?<name>a)(?:b)(?i)c"), None);
    }

    #[test]
    fn large_programs_are_refused() {
        assert!(compile_regex(r"\w{1000}", false, 1 << 20).is_err_and(|e| e.size_limit().is_some()));
        assert!(compile_regex("^(Describe|List|Get)", false, 1 << 20).is_ok());
    }
}
