//! Which of the words on the command line are rule files, inputs, or names of rules.
#![expect(clippy::disallowed_methods, reason = "directories of rules are read here")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::exit::Stop;

/// Ending of rule files.
const EXTENSION: &str = "trip";

/// Directories below directories that are followed.
const MAX_DEPTH: usize = 32;

/// Words told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// Rule files and directories, as written.
    pub rules: Vec<PathBuf>,
    /// Everything else.
    pub others: Vec<PathBuf>,
}

/// `run`: paths that end in `.trip` and directories hold rules, everything else is an input.
pub fn rules_and_inputs(words: &[PathBuf]) -> Sorted {
    let (rules, others) = words.iter().cloned().partition(|path| is_rule_file(path) || path.is_dir());
    Sorted { rules, others }
}

/// Other commands: what exists or looks like a path holds rules, everything else names a rule.
pub fn rules_and_names(words: &[PathBuf]) -> Sorted {
    let (rules, others) = words.iter().cloned().partition(|path| {
        is_rule_file(path) || path.exists() || path.components().count() > 1 || path.as_os_str() == "-"
    });
    Sorted { rules, others }
}

fn is_rule_file(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == EXTENSION)
}

/// The rule files among paths: files as they are, directories with all `.trip` files below them, sorted by path.
/// A file that is reached twice counts once. Hidden files and directories are passed over.
pub fn rule_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Stop> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            walk(path, 0, &mut found)?;
            if found.len() == before {
                return Err(Stop::usage(format!("{}: there is no .trip file in this directory", path.display())));
            }
        } else {
            found.push(path.clone());
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|path| seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.clone())));
    Ok(found)
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Stop> {
    let cannot = |error: std::io::Error| Stop::usage(format!("{}: cannot be read: {error}", directory.display()));
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        entries.push(entry.map_err(cannot)?.path());
    }
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            if depth < MAX_DEPTH {
                walk(&path, depth + 1, found)?;
            }
        } else if is_rule_file(&path) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a name is meant by one of the patterns, in which `*` is any run of characters. No pattern means all.
pub fn selected<S: AsRef<str>>(name: &str, patterns: &[S]) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| glob(pattern.as_ref(), name))
}

/// Whether a pattern, in which `*` is any run of characters, matches the whole text.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
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
    use super::*;

    fn paths(words: &[&str]) -> Vec<PathBuf> {
        words.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn rules_end_in_trip_or_are_directories() {
        let sorted = rules_and_inputs(&paths(&["a.trip", "src", "events.ndjson", "-"]));
        assert_eq!(sorted.rules, paths(&["a.trip", "src"]));
        assert_eq!(sorted.others, paths(&["events.ndjson", "-"]));
        let sorted = rules_and_names(&paths(&["a.trip", "src", "brute_force", "nowhere/rules"]));
        assert_eq!(sorted.rules, paths(&["a.trip", "src", "nowhere/rules"]));
        assert_eq!(sorted.others, paths(&["brute_force"]));
    }

    #[test]
    fn a_star_is_any_run_of_characters() {
        for (pattern, text, expected) in [
            ("ssh", "ssh", true),
            ("ssh", "ssh_x", false),
            ("ssh*", "ssh_x", true),
            ("*x", "ssh_x", true),
            ("s*_*x", "ssh_x", true),
            ("s*_*_x", "ssh_x", false),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
        assert!(selected::<&str>("anything", &[]));
    }
}
