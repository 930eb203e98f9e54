//! Rule files on their way to a rule set: read, compiled, their problems shown.
#![expect(clippy::disallowed_methods, reason = "rule files and tables are read here")]

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tripline::compile::{CompileOptions, Compiled, INLINE, compile_with};
use tripline::diag::Diagnostic;
use tripline::diag::render::render_text;
use tripline::plan::Ruleset;
use tripline::plan::lower::classes_of;
use tripline::syntax::ast::{File, Item, RuleDecl};
use tripline::syntax::source::{SourceId, SourceMap};
use tripline::syntax::spelling::nearest;

use super::exit::Stop;
use super::number::counted;
use super::paths::{RuleFile, rule_files, rules_and_names, selected};
use super::terminal::{Terminal, note, paint, style};
use super::threads::Threads;

/// Bytes of one rule file; more is surely another kind of file.
const MAX_FILE: u64 = 16 << 20;

/// Texts of rule files with the paths they came from.
#[derive(Debug, Default)]
pub struct RuleTexts {
    /// The texts.
    pub sources: SourceMap,
    /// The path of each source, in their order; none for a rule given on the command line.
    pub paths: Vec<Option<PathBuf>>,
    /// Who compiles them.
    threads: Threads,
}

impl RuleTexts {
    /// Reads the files of rules among paths, as [`rule_files`] finds them; one that cannot be read ends the command.
    pub fn read(paths: &[PathBuf], threads: Threads) -> Result<Self, Stop> {
        let mut texts = Self { threads, ..Self::default() };
        for RuleFile { path, text } in rule_files(paths, threads)? {
            let text = text.map_or_else(|| read_text(&path), Ok)?;
            texts.sources.add(path.display().to_string(), text);
            texts.paths.push(Some(path));
        }
        Ok(texts)
    }

    /// Adds a rule given on the command line.
    pub fn add_inline(&mut self, text: &str) {
        self.sources.add(INLINE, text);
        self.paths.push(None);
    }
}

/// The text of a rule file.
pub fn read_text(path: &Path) -> Result<String, Stop> {
    let name = path.display();
    let cannot = |error: std::io::Error| Stop::usage(format!("{name}: cannot be read: {error}"));
    let size = fs::metadata(path).map_err(cannot)?.len();
    if size > MAX_FILE {
        return Err(Stop::usage(format!("{name}: is larger than {} MiB, which no rule file is", MAX_FILE >> 20)));
    }
    let bytes = fs::read(path).map_err(cannot)?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        Stop::usage(format!("{name}:{line}: is not UTF-8 text; save the file as UTF-8"))
    })
}

/// Compiles texts; tables are read relative to the rule file that names them.
pub fn compile_texts(texts: &RuleTexts, options: &CompileOptions) -> Compiled {
    let load = |written: &str, source: SourceId| {
        let base = texts.paths.get(source.0 as usize).and_then(Option::as_deref).and_then(Path::parent);
        let path = base.unwrap_or(Path::new("")).join(written);
        fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    compile_with(&texts.sources, options, &load, &texts.threads)
}

/// Rules that a command works on, without errors.
#[derive(Debug)]
pub struct Selection {
    /// Texts and paths.
    pub texts: RuleTexts,
    /// Their trees.
    pub files: Vec<File>,
    /// The rule set.
    pub ruleset: Arc<Ruleset>,
    /// Names of the rules that are meant; all if empty.
    pub names: Vec<String>,
}

impl Selection {
    /// The rules that are meant, in the order of the files.
    pub fn rules(&self) -> impl Iterator<Item = &RuleDecl> {
        declared_rules(&self.files).filter(|rule| selected(&rule.name.name, &self.names))
    }
}

/// Reads and compiles the rules among the words of a command line; other words, and `only`, name rules. Diagnostics
/// are shown; an error ends the command, and so does a name that no rule has.
pub fn select(
    words: &[PathBuf],
    only: &[String],
    options: &CompileOptions,
    terminal: Terminal,
) -> Result<Selection, Stop> {
    let sorted = rules_and_names(words);
    let mut names: Vec<String> = sorted.others.iter().map(|word| word.display().to_string()).collect();
    names.extend(only.iter().cloned());
    if sorted.rules.is_empty() {
        return Err(Stop::usage(format!("{}: there is no such file or directory", names.join(", "))));
    }
    let texts = RuleTexts::read(&sorted.rules, Threads::default())?;
    let compiled = compile_texts(&texts, options);
    let ruleset = accept(&compiled, &texts.sources, terminal)?;
    require_names(&names, &compiled.files)?;
    Ok(Selection { texts, files: compiled.files, ruleset, names })
}

/// Shows what there is to say about rules. Imported ones with errors are left out, and how many is said.
pub fn accept(compiled: &Compiled, sources: &SourceMap, terminal: Terminal) -> Result<Arc<Ruleset>, Stop> {
    show(&compiled.diagnostics, sources, terminal);
    let Some(ruleset) = &compiled.ruleset else { return Err(Stop::shown()) };
    if compiled.refused > 0 {
        let text = format!("{} refused, the others run\n", counted(compiled.refused, "imported rule"));
        note(&paint(terminal.color_err, style::YELLOW, &text));
    }
    Ok(ruleset.clone())
}

/// All rules of files, in their order.
pub fn declared_rules(files: &[File]) -> impl Iterator<Item = &RuleDecl> {
    files.iter().flat_map(|file| &file.items).filter_map(|item| match item {
        Item::Rule(rule) => Some(rule),
        _ => None,
    })
}

/// Rules, and all rules on whose alerts they build.
pub fn with_rules_below(names: impl IntoIterator<Item = String>, files: &[File]) -> BTreeSet<String> {
    let mut declared: HashMap<&str, Vec<&RuleDecl>> = HashMap::new();
    for rule in declared_rules(files) {
        declared.entry(&rule.name.name).or_default().push(rule);
    }
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = names.into_iter().collect();
    while let Some(name) = open.pop() {
        for rule in declared.get(name.as_str()).into_iter().flatten() {
            let classes = classes_of(rule);
            let below = classes.iter().filter_map(|class| class.name.strip_prefix("alert."));
            open.extend(below.filter(|below| !wanted.contains(*below)).map(str::to_owned));
        }
        wanted.insert(name);
    }
    wanted
}

/// Every pattern must mean some rule.
pub fn require_names(patterns: &[String], files: &[File]) -> Result<(), Stop> {
    let rules: Vec<&str> = declared_rules(files).map(|rule| rule.name.name.as_str()).collect();
    for pattern in patterns {
        if !rules.iter().any(|rule| selected(rule, std::slice::from_ref(pattern))) {
            let near = nearest(pattern, rules.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(Stop::usage(format!("`{pattern}` is no file, no directory and no rule{near}")));
        }
    }
    Ok(())
}

/// Shows diagnostics on stderr.
pub fn show(diagnostics: &[Diagnostic], sources: &SourceMap, terminal: Terminal) {
    if !diagnostics.is_empty() {
        note(&render_text(diagnostics, sources, terminal.color_err));
    }
}
