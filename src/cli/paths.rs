//! Which of the words on the command line are rule files, inputs, or names of rules.
#![expect(clippy::disallowed_methods, reason = "directories of rules are read here")]

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use tripline::base::crew;
use tripline::base::wildcard::fits;
use tripline::compile::Language;
use tripline::import::eql;

use super::exit::Stop;
use super::threads::Threads;

/// Bytes of a YAML, TOML or JSON file that a directory of rules may hold; larger ones are data.
const MAX_LOOK: u64 = 4 << 20;

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

/// `run`: files of rules by their ending, and directories, hold rules; everything else is an input, JSON too.
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

/// Whether a file of this name holds rules and nothing else.
fn is_rule_file(path: &Path) -> bool {
    match language(path) {
        Some(Language::Eql(kind)) => kind != eql::Kind::Json,
        language => language.is_some(),
    }
}

/// The language of the rules that a file of this name may hold.
fn language(path: &Path) -> Option<Language> {
    let name = path.file_name()?.to_str()?;
    match Language::of(name) {
        Language::Trip => name.ends_with(".trip").then_some(Language::Trip),
        language => Some(language),
    }
}

/// A file of rules.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// Its path.
    pub path: PathBuf,
    /// Its text, if it had to be read to see whether it holds rules.
    pub text: Option<String>,
}

/// The text of a file of this language if it holds rules: YAML, TOML and JSON may be anything.
fn text_of_rules(path: &Path, language: Language) -> Option<String> {
    let file = File::open(path).ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.len() > MAX_LOOK {
        return None;
    }
    // One byte more than it has, so that its end is seen without making room for more.
    let mut bytes = Vec::with_capacity(about.len() as usize + 1);
    file.take(MAX_LOOK + 1).read_to_end(&mut bytes).ok()?;
    String::from_utf8(bytes).ok().filter(|text| language.holds_rules(text))
}

/// The files of this language among paths, as [`rule_files`] finds them; one of another that is named is refused.
pub fn trip_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Stop> {
    for path in paths {
        if language(path).is_some_and(|language| language != Language::Trip) && !path.is_dir() {
            let name = path.display();
            return Err(Stop::usage(format!("{name}: is no .trip file; `tripline import {name}` prints one")));
        }
    }
    let mut files: Vec<PathBuf> = rule_files(paths, Threads::default())?.into_iter().map(|file| file.path).collect();
    files.retain(|path| language(path).is_none_or(|language| language == Language::Trip));
    Ok(files)
}

/// The rule files among paths: files as they are, directories with all files of rules below them, sorted by path.
/// A file that is reached twice counts once. Hidden files and directories are passed over.
pub fn rule_files(paths: &[PathBuf], threads: Threads) -> Result<Vec<RuleFile>, Stop> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            let mut met = Vec::new();
            walk(path, &real(path), 0, &mut met)?;
            let looked = crew::map(&threads, met, |Met { path, real, language }| match language {
                Language::Trip => Some((RuleFile { path, text: None }, real)),
                language => {
                    let text = text_of_rules(&path, language)?;
                    Some((RuleFile { path, text: Some(text) }, real))
                }
            });
            let before = found.met;
            looked.into_iter().flatten().for_each(|(file, real)| found.add(file, real));
            if found.met == before {
                return Err(Stop::usage(format!("{}: there is no file of rules in this directory", path.display())));
            }
        } else {
            found.add(RuleFile { path: path.clone(), text: None }, real(path));
        }
    }
    Ok(found.files)
}

/// Files so far, each once.
#[derive(Default)]
struct Found {
    files: Vec<RuleFile>,
    /// How many were met, again or not.
    met: usize,
    /// Where they really are.
    seen: HashSet<PathBuf>,
}

impl Found {
    fn add(&mut self, file: RuleFile, real: PathBuf) {
        self.met += 1;
        if self.seen.insert(real) {
            self.files.push(file);
        }
    }
}

/// A file in a directory that may hold rules.
struct Met {
    path: PathBuf,
    /// Where it really is.
    real: PathBuf,
    language: Language,
}

/// A path without links; as it is if it cannot be followed.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Adds the files below a directory, whose real path tells those of its files that are no links.
fn walk(directory: &Path, real_directory: &Path, depth: usize, met: &mut Vec<Met>) -> Result<(), Stop> {
    let cannot = |error: std::io::Error| Stop::usage(format!("{}: cannot be read: {error}", directory.display()));
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let kind = entry.file_type().map_err(cannot)?;
        entries.push((entry.file_name(), kind));
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, kind) in entries {
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let path = directory.join(&name);
        let real = if kind.is_symlink() { real(&path) } else { real_directory.join(&name) };
        if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
            if depth < MAX_DEPTH {
                walk(&path, &real, depth + 1, met)?;
            }
        } else if let Some(language) = language(&path) {
            met.push(Met { path, real, language });
        }
    }
    Ok(())
}

/// Whether a name is meant by one of the patterns, in which `*` is any run of characters. No pattern means all.
pub fn selected<S: AsRef<str>>(name: &str, patterns: &[S]) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern.as_ref(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(words: &[&str]) -> Vec<PathBuf> {
        words.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn rules_end_in_trip_or_are_directories() {
        let sorted = rules_and_inputs(&paths(&["a.trip", "b.yml", "src", "events.ndjson", "-"]));
        assert_eq!(sorted.rules, paths(&["a.trip", "b.yml", "src"]));
        assert_eq!(sorted.others, paths(&["events.ndjson", "-"]));
        let sorted = rules_and_names(&paths(&["a.trip", "src", "brute_force", "nowhere/rules"]));
        assert_eq!(sorted.rules, paths(&["a.trip", "src", "nowhere/rules"]));
        assert_eq!(sorted.others, paths(&["brute_force"]));
    }

    #[test]
    fn no_pattern_means_all() {
        assert!(selected::<&str>("anything", &[]));
        assert!(selected("ssh_x", &["web", "ssh*"]) && !selected("ssh_x", &["web", "ssh"]));
    }
}
