//! The names a rule set declares: classes, `let`s, tables and rules, over all of its files.
//!
//! The first declaration of a name stands; a second one is reported and left out, so that each later
//! use is judged once.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{ClockDecl, EventDecl, File, Ident, Item, LetDecl, RuleDecl, TableDecl, TestDecl};
use crate::syntax::source::SourceId;

/// Every declaration by name.
#[derive(Debug, Default)]
pub(crate) struct Names<'a> {
    pub(crate) classes: BTreeMap<&'a str, &'a EventDecl>,
    pub(crate) lets: BTreeMap<&'a str, &'a LetDecl>,
    pub(crate) tables: BTreeMap<&'a str, &'a TableDecl>,
    pub(crate) clocks: BTreeMap<&'a str, &'a ClockDecl>,
    pub(crate) rules: BTreeMap<&'a str, &'a RuleDecl>,
    /// The rules in the order of the files, duplicates included.
    pub(crate) all_rules: Vec<&'a RuleDecl>,
    pub(crate) tests: Vec<&'a TestDecl>,
}

impl<'a> Names<'a> {
    /// Collects the declarations and reports names that are taken or reserved.
    pub(crate) fn collect(files: &'a [(SourceId, File)], out: &mut Vec<Diagnostic>) -> Self {
        let mut names = Self::default();
        for item in files.iter().flat_map(|(_, file)| &file.items) {
            match item {
                Item::Event(decl) => {
                    if matches!(decl.name.name.as_str(), "any" | "alert") || decl.name.name.starts_with("alert.") {
                        out.push(reserved_class(&decl.name));
                        continue;
                    }
                    let clock = names.clocks.get(decl.name.name.as_str()).map(|d| &d.name);
                    let first = names.classes.get(decl.name.name.as_str()).map(|d| &d.name).or(clock);
                    if !duplicate("event class", &decl.name, first, out) {
                        names.classes.insert(&decl.name.name, decl);
                    }
                }
                Item::Let(decl) => {
                    let first = names.lets.get(decl.name.name.as_str()).map(|d| &d.name);
                    if !duplicate("`let`", &decl.name, first, out) {
                        names.lets.insert(&decl.name.name, decl);
                    }
                }
                Item::Table(decl) => {
                    let first = names.tables.get(decl.name.name.as_str()).map(|d| &d.name);
                    if !duplicate("table", &decl.name, first, out) {
                        names.tables.insert(&decl.name.name, decl);
                    }
                }
                Item::Clock(decl) => {
                    if matches!(decl.name.name.as_str(), "any" | "alert") {
                        out.push(reserved_class(&decl.name));
                        continue;
                    }
                    let class = names.classes.get(decl.name.name.as_str()).map(|d| &d.name);
                    let first = names.clocks.get(decl.name.name.as_str()).map(|d| &d.name).or(class);
                    if !duplicate("event class", &decl.name, first, out) {
                        names.clocks.insert(&decl.name.name, decl);
                    }
                }
                Item::Rule(decl) => {
                    names.all_rules.push(decl);
                    let first = names.rules.get(decl.name.name.as_str()).map(|d| &d.name);
                    if !duplicate("rule", &decl.name, first, out) {
                        names.rules.insert(&decl.name.name, decl);
                    }
                }
                Item::Test(decl) => names.tests.push(decl),
            }
        }
        names
    }

    /// The names of all tables.
    pub(crate) fn table_names(&self) -> BTreeSet<&'a str> {
        self.tables.keys().copied().collect()
    }
}

fn duplicate(kind: &str, name: &Ident, first: Option<&Ident>, out: &mut Vec<Diagnostic>) -> bool {
    let Some(first) = first else { return false };
    out.push(
        Diagnostic::error(
            codes::DUPLICATE_DECLARATION,
            format!("the {kind} `{}` is declared twice", name.name),
            name.span,
            "declared again here",
        )
        .label(first.span, "first declared here")
        .note("names hold for the whole rule set, over all of its files")
        .help("rename one of them, or delete it"),
    );
    true
}

fn reserved_class(name: &Ident) -> Diagnostic {
    let meaning = if name.name == "any" { "every event" } else { "the alerts of rules" };
    Diagnostic::error(
        codes::RESERVED_NAME,
        format!("`{}` cannot be declared: it already means {meaning}", name.name),
        name.span,
        "a reserved name",
    )
    .help("choose another name for the class")
}
