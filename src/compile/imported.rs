//! Sources of other languages among those of a rule set: what a file holds, and which of its rules can run.
//!
//! What a source holds is decided by its name's ending. An error in an imported rule is that rule's own: the rule is
//! left out, with everything that needs it, and the others run.

use std::collections::BTreeSet;

use super::{CompileOptions, INLINE, number_inline};
use crate::base::Limits;
use crate::base::crew::{self, Crew};
use crate::check::check_recovered;
use crate::diag::codes::sigma::NOT_YAML;
use crate::diag::{Diagnostic, Level};
use crate::import::sigma::model::Document;
use crate::import::{eql, sigma};
use crate::plan::lower::classes_of;
use crate::syntax::ast::{File, Item};
use crate::syntax::source::{Source, SourceId, SourceMap, Span};
use crate::syntax::{parse, parse_rule_one_liner};

/// What a source holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rules of this language.
    Trip,
    /// Sigma.
    Sigma,
    /// EQL, in one of its forms.
    Eql(eql::Kind),
}

impl Language {
    /// What a file of this name holds, if it holds rules.
    pub fn of(name: &str) -> Self {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        if ending.eq_ignore_ascii_case("yml") || ending.eq_ignore_ascii_case("yaml") {
            return Self::Sigma;
        }
        eql::Kind::of(name).map_or(Self::Trip, Self::Eql)
    }

    /// Whether a text of this language holds rules, as far as a look at it says: YAML, TOML and JSON may be anything.
    pub fn holds_rules(self, text: &str) -> bool {
        match self {
            Self::Trip => true,
            Self::Sigma => sigma::is_sigma(text),
            Self::Eql(kind) => eql::holds_rules(kind, text),
        }
    }
}

/// The trees of all sources, with what was found wrong on the way.
pub(super) struct Trees {
    /// One a source, in their order.
    pub(super) files: Vec<(SourceId, File)>,
    /// What is wrong in rule files.
    pub(super) own: Vec<Diagnostic>,
    /// What is wrong in files of other languages.
    pub(super) imported: Vec<Diagnostic>,
    /// Imported rules that are left out.
    pub(super) refused: usize,
}

/// A source by itself, before anything is known of the others.
enum Read {
    Trip(File, Vec<Diagnostic>),
    Sigma(Vec<Document>, Vec<Diagnostic>),
    /// Queries are read one after the other, as each needs the names of those before it.
    Eql(eql::Kind),
}

fn read_one(id: SourceId, source: &Source, limits: &Limits) -> Read {
    match Language::of(&source.name) {
        Language::Sigma => {
            let (found, problems) = sigma::read(id, &source.text);
            Read::Sigma(found, problems)
        }
        Language::Eql(kind) => Read::Eql(kind),
        Language::Trip => {
            let parser = if source.name == INLINE { parse_rule_one_liner } else { parse };
            let (parsed, problems) = parser(id, &source.text, limits);
            Read::Trip(parsed, problems)
        }
    }
}

/// Reads every source.
pub(super) fn read(sources: &SourceMap, options: &CompileOptions, crew: &dyn Crew) -> Trees {
    let mut trees = Trees { files: Vec::new(), own: Vec::new(), imported: Vec::new(), refused: 0 };
    let (mut documents, mut queries, mut inline) = (Vec::new(), Vec::new(), 0);
    let ids: Vec<SourceId> = sources.ids().collect();
    let read = crew::map(crew, ids.clone(), |id| read_one(id, sources.get(id), &options.limits));
    for (id, read) in ids.into_iter().zip(read) {
        let mut file = File::default();
        match read {
            Read::Sigma(found, problems) => {
                documents.push((id, found));
                // A document that is no YAML is none of those found.
                trees.refused += problems.iter().filter(|problem| problem.code == NOT_YAML).count();
                trees.imported.extend(problems);
            }
            Read::Eql(kind) => queries.push((id, kind)),
            Read::Trip(parsed, problems) => {
                file = parsed;
                if sources.get(id).name == INLINE {
                    inline += 1;
                    number_inline(&mut file, inline);
                }
                trees.own.extend(problems);
            }
        }
        trees.files.push((id, file));
    }
    if documents.is_empty() && queries.is_empty() {
        return trees;
    }
    let mut names = BTreeSet::new();
    let mut hidden = BTreeSet::new();
    for item in trees.files.iter().flat_map(|(_, file)| &file.items) {
        match item {
            Item::Rule(rule) => _ = names.insert(rule.name.name.clone()),
            Item::Event(event) => _ = names.insert(event.name.name.clone()),
            Item::Let(named) => _ = hidden.insert(named.name.name.clone()),
            _ => {}
        }
    }
    let rules = sigma::assemble_with(documents, names.clone(), &hidden, &options.pipelines, crew);
    trees.imported.extend(rules.problems);
    trees.refused += rules.refused;
    for (id, file) in rules.files {
        names.extend(rule_names(&file));
        trees.put(id, file);
    }
    for (id, kind) in queries {
        let source = sources.get(id);
        let (file, problems) =
            eql::parse(id, &source.name, &source.text, kind, &options.eql, &options.limits, &mut names);
        trees.refused += problems.iter().filter(|problem| problem.level == Level::Error).count();
        trees.imported.extend(problems);
        trees.put(id, file);
    }
    trees
}

fn rule_names(file: &File) -> impl Iterator<Item = String> + '_ {
    file.items.iter().filter_map(|item| match item {
        Item::Rule(rule) => Some(rule.name.name.clone()),
        _ => None,
    })
}

impl Trees {
    fn put(&mut self, id: SourceId, file: File) {
        if let Some(slot) = self.files.get_mut(id.0 as usize) {
            slot.1 = file;
        }
    }

    /// Checks the trees. An imported rule with an error is taken out, and the rest is checked again, since something
    /// may have needed it; with `strict` it stays, and its error counts as any other.
    pub(super) fn check(&mut self, sources: &SourceMap, options: &CompileOptions) -> Vec<Diagnostic> {
        let mut kept = Vec::new();
        loop {
            let found = check_recovered(&self.files, sources, &options.limits, &self.own);
            let errors: Vec<Span> = found.iter().filter(|d| is_error_of_import(d, sources)).map(place).collect();
            if options.strict || errors.is_empty() || !self.take_out(&errors) {
                kept.extend(found);
                break;
            }
            kept.extend(found.into_iter().filter(|d| is_error_of_import(d, sources)));
        }
        // A replacement would be in the wrong language.
        for diagnostic in kept.iter_mut().filter(|d| is_imported(place(d), sources)) {
            diagnostic.fix = None;
        }
        kept
    }

    /// Takes out the imported rules in which these places lie, and what reads classes that go with them. Whether
    /// there was any.
    pub(super) fn take_out(&mut self, places: &[Span]) -> bool {
        let before = self.refused;
        for (id, file) in &mut self.files {
            let places: Vec<&Span> = places.iter().filter(|place| place.source == *id).collect();
            if places.is_empty() {
                continue;
            }
            let is_wrong = |span: Span| places.iter().any(|place| span.start <= place.start && place.start <= span.end);
            let mut gone: Vec<String> = Vec::new();
            file.items.retain(|item| match item {
                Item::Event(event) if is_wrong(event.span) => {
                    gone.push(event.name.name.clone());
                    false
                }
                _ => true,
            });
            let mut out = 0;
            file.items.retain(|item| match item {
                Item::Rule(rule) => {
                    let reads_gone = classes_of(rule).iter().any(|class| gone.contains(&class.name));
                    let stays = !is_wrong(rule.span) && !reads_gone;
                    out += usize::from(!stays);
                    stays
                }
                _ => true,
            });
            self.refused += out.max(usize::from(!gone.is_empty()));
        }
        self.refused > before
    }
}

/// Where a diagnostic stands.
fn place(diagnostic: &Diagnostic) -> Span {
    diagnostic.labels.first().map(|label| label.span).unwrap_or_default()
}

/// Whether a place lies in a file of another language.
pub(super) fn is_imported(place: Span, sources: &SourceMap) -> bool {
    Language::of(&sources.get(place.source).name) != Language::Trip
}

fn is_error_of_import(diagnostic: &Diagnostic, sources: &SourceMap) -> bool {
    diagnostic.level == Level::Error && is_imported(place(diagnostic), sources)
}
