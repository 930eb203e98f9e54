//! From texts to a rule set in one call: parse, load tables, check, lower.
//!
//! Does no I/O of its own: whoever calls gives the bytes of tables. All problems of all files are reported at once.
//! Sources in other languages are read beside rule files; see [`Language`].

mod imported;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::Limits;
use crate::base::crew::{Alone, Crew};
use crate::base::id::TableId;
use crate::check::has_errors;
use crate::diag::{Code, Diagnostic, Level};
use crate::import::eql;
use crate::import::sigma::pipeline::Pipelines;
use crate::plan::Ruleset;
use crate::plan::lower::{Input, lower};
use crate::plan::lower_expr::Declarations;
use crate::plan::ruleset::StrategyKind;
use crate::plan::table::Table;
use crate::syntax::ast::{File, Item, TableDecl};
use crate::syntax::source::Span;
use crate::syntax::source::{SourceId, SourceMap};

pub use imported::Language;

const NO_TABLE: Code = Code("E0401");
const NOT_LOWERED: Code = Code("E0402");

/// The name of sources that may be a bare pattern instead of a file: rules given on a command line.
pub const INLINE: &str = "<rule>";

/// Gives the bytes of a table by its path as written and the source that names it, or says why not.
pub type Load<'a> = dyn Fn(&str, SourceId) -> Result<Vec<u8>, String> + 'a;

/// How texts are compiled.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// The path of the field that holds the class of an event.
    pub type_field: Vec<String>,
    /// Limits on rules.
    pub limits: Limits,
    /// Use this strategy wherever it applies; for tests.
    pub force_strategy: Option<StrategyKind>,
    /// Only these rules come into the rule set; all if `None`. All are checked.
    pub only: Option<BTreeSet<String>>,
    /// These rules do not notify, as if they were `internal`.
    pub silent: BTreeSet<String>,
    /// An error in an imported rule is an error of the rule set, instead of leaving that rule out.
    pub strict: bool,
    /// How EQL is read.
    pub eql: eql::Options,
    /// What Sigma rules are mapped by.
    pub pipelines: Pipelines,
    /// The seed by which keys are found in memory. Whoever reads events of strangers sets one that they do not know;
    /// nothing else depends on it.
    pub key_seed: u64,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            type_field: vec!["type".to_owned()],
            limits: Limits::default(),
            force_strategy: None,
            only: None,
            silent: BTreeSet::new(),
            strict: false,
            eql: eql::Options::default(),
            pipelines: Pipelines::default(),
            key_seed: 0,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Compiled {
    /// The rule set, unless there is an error. Errors of imported rules count only with [`CompileOptions::strict`].
    pub ruleset: Option<Arc<Ruleset>>,
    /// Imported rules that are left out because of errors.
    pub refused: usize,
    /// Errors and warnings in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The trees, one a source.
    pub files: Vec<File>,
}

/// Compiles texts; `load` gives the bytes of tables.
pub fn compile(sources: &SourceMap, options: &CompileOptions, load: &Load<'_>) -> Compiled {
    compile_with(sources, options, load, &Alone)
}

/// As [`compile`], with someone to do what can be done at the same time. What comes out is the same.
pub fn compile_with(sources: &SourceMap, options: &CompileOptions, load: &Load<'_>, crew: &dyn Crew) -> Compiled {
    let mut trees = imported::read(sources, options, crew);
    let mut checked = trees.check(sources, options);
    let mut slipped = Vec::new();
    let mut ruleset = None;
    let mut diagnostics;
    loop {
        let mut problems: Vec<Diagnostic> = trees.own.iter().chain(&checked).cloned().collect();
        let declarations = declare(trees.files.iter().map(|(_, file)| file), load, &mut problems);
        let stops = |d: &Diagnostic| {
            let place = d.labels.first().map(|label| label.span).unwrap_or_default();
            d.level == Level::Error && (options.strict || !imported::is_imported(place, sources))
        };
        let strictly = options.strict && has_errors(&trees.imported);
        diagnostics = problems;
        if strictly || diagnostics.iter().any(stops) {
            break;
        }
        let (type_field, limits) = (options.type_field.as_slice(), &options.limits);
        let (force, key_seed) = (options.force_strategy, options.key_seed);
        let input = Input { sources, type_field, limits, force, key_seed };
        let files: Vec<File> = trees.files.iter_mut().map(|(_, file)| std::mem::take(file)).collect();
        let chosen = chosen(&files, options.only.as_ref());
        let lowered = lower(chosen.as_deref().unwrap_or(&files), &declarations, &input);
        trees.files.iter_mut().zip(files).for_each(|((_, place), file)| *place = file);
        let problems = match lowered {
            Ok(mut lowered) => {
                for rule in &mut lowered.rules {
                    rule.internal |= options.silent.contains(&*rule.name);
                }
                ruleset = Some(Arc::new(lowered));
                break;
            }
            Err(problems) => problems,
        };
        let places: Vec<Span> = problems.iter().map(|(span, _)| *span).collect();
        slipped.extend(problems.into_iter().map(|(span, text)| Diagnostic::error(NOT_LOWERED, text, span, "")));
        let ours = places.iter().any(|place| !imported::is_imported(*place, sources));
        if ours || options.strict || !trees.take_out(&places) {
            break;
        }
        checked = trees.check(sources, options);
    }
    diagnostics.extend(slipped);
    diagnostics.extend(trees.imported);
    diagnostics.sort_by_key(|d| d.labels.first().map(|l| (l.span.source, l.span.start)));
    diagnostics.dedup();
    let files = trees.files.into_iter().map(|(_, file)| file).collect();
    Compiled { ruleset, refused: trees.refused, diagnostics, files }
}

/// Compiles one text without tables.
///
/// # Errors
/// All diagnostics, if one of them is an error.
pub fn compile_str(text: &str) -> Result<Arc<Ruleset>, Vec<Diagnostic>> {
    compile_str_with(text, &CompileOptions::default())
}

/// As [`compile_str`], with options.
///
/// # Errors
/// As [`compile_str`].
pub fn compile_str_with(text: &str, options: &CompileOptions) -> Result<Arc<Ruleset>, Vec<Diagnostic>> {
    let mut sources = SourceMap::new();
    sources.add(INLINE, text);
    let load = |_: &str, _: SourceId| Err("a text on its own has no tables".to_owned());
    let compiled = compile(&sources, options, &load);
    compiled.ruleset.ok_or(compiled.diagnostics)
}

/// Bare patterns are all called `rule`; from the second on they get a number.
fn number_inline(file: &mut File, number: usize) {
    if let [Item::Rule(rule)] = file.items.as_mut_slice()
        && number > 1
        && rule.name.name == "rule"
    {
        rule.name.name = format!("rule{number}");
    }
}

/// The files without the rules that are not asked for.
fn chosen(files: &[File], names: Option<&BTreeSet<String>>) -> Option<Vec<File>> {
    let names = names?;
    let wanted = |item: &&Item| !matches!(item, Item::Rule(rule) if !names.contains(&rule.name.name));
    Some(files.iter().map(|file| File { items: file.items.iter().filter(wanted).cloned().collect() }).collect())
}

/// Collects what files declare besides rules, and loads the tables.
fn declare<'f>(
    files: impl Iterator<Item = &'f File>,
    load: &Load<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Declarations {
    let mut declarations = Declarations::default();
    for item in files.flat_map(|file| &file.items) {
        match item {
            Item::Event(event) => {
                declarations.classes.insert(event.name.name.clone(), event.condition.clone());
            }
            Item::Let(named) => {
                declarations.lets.insert(named.name.name.clone(), named.value.clone());
            }
            Item::Table(table) => match load_table(table, load) {
                Ok(loaded) => {
                    let id = TableId::from(declarations.tables.len());
                    declarations.table_ids.insert(table.name.name.clone(), id);
                    declarations.tables.push(Arc::new(loaded));
                }
                Err(text) => {
                    let message = format!("table `{}` cannot be used: {text}", table.name.name);
                    diagnostics.push(Diagnostic::error(NO_TABLE, message, table.path.span, "this file"));
                }
            },
            Item::Clock(clock) => declarations.clocks.push(clock.clone()),
            Item::Rule(_) | Item::Test(_) => {}
        }
    }
    declarations
}

fn load_table(table: &TableDecl, load: &Load<'_>) -> Result<Table, String> {
    let bytes = load(&table.path.value, table.span.source)?;
    let key: Vec<String> = table.key.iter().map(|column| column.name.clone()).collect();
    Table::load(&table.name.name, &table.path.value, &key, &bytes)
}
