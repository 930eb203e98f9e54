//! Checked syntax trees to a [`Ruleset`].
//!
//! ```text
//! files ─► declarations (classes, lets, tables) ─► one Lowering a rule ─► elements, guards, roles ─► strategy
//! ```
//! Relies on `check`. What check let slip becomes a problem with a span, never a panic.

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;

use super::classify::ClassIndex;
use super::digest::Digest;
use super::fields::Fields;
use super::key::KeySpec;
use super::lower_expr::Declarations;
use super::lower_rule::RuleBuilder;
use super::ruleset::{Follower, Rule, Ruleset};
use crate::base::id::KeySpecId;
use crate::base::{FieldId, Limits, RuleId};
use crate::import::language::Language;
use crate::syntax::ast::{self, ClauseKind, Item};
use crate::syntax::source::{SourceMap, Span};

type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// What lowering needs besides the trees.
#[derive(Debug)]
pub struct Input<'a> {
    /// The texts, for interning and fingerprints.
    pub sources: &'a SourceMap,
    /// The field whose value is the class of an event.
    pub type_field: &'a [String],
    /// Limits on patterns.
    pub limits: &'a Limits,
    /// Use this strategy wherever it applies; for tests.
    pub force: Option<super::ruleset::StrategyKind>,
    /// [`Ruleset::key_seed`].
    pub key_seed: u64,
}

/// Lowers the files.
///
/// # Errors
/// Spans and sentences for what `check` should have refused.
pub fn lower(
    files: &[ast::File],
    declarations: &Declarations,
    input: &Input<'_>,
) -> Result<Ruleset, Vec<(Span, String)>> {
    let mut set = SetBuilder {
        fields: Fields::default(),
        classes: ClassIndex::default(),
        keyspecs: Vec::new(),
        keyspec_ids: Map::default(),
        declarations,
        input,
        rule_ids: Map::default(),
        followers: Vec::new(),
        rule_count: 0,
    };
    let decls: Vec<&ast::RuleDecl> = files
        .iter()
        .flat_map(|f| &f.items)
        .filter_map(|item| match item {
            Item::Rule(rule) => Some(rule),
            _ => None,
        })
        .collect();
    for (i, decl) in decls.iter().enumerate() {
        set.rule_ids.insert(decl.name.name.clone(), RuleId::from(i));
    }
    set.rule_count = decls.len();
    let reads: Vec<Vec<RuleId>> = decls.iter().map(|decl| set.alerts_read(decl, &decls)).collect();
    let levels = levels(&reads);
    let mut rules = Vec::new();
    let mut problems = Vec::new();
    for (i, decl) in decls.iter().enumerate() {
        let (rule, mut found) = RuleBuilder::build(&mut set, RuleId::from(i), decl, levels[i], &reads[i]);
        rules.push(rule);
        problems.append(&mut found);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    super::lower_follow::open_keys(&mut rules);
    share_copies(&mut rules);
    let clocks = super::lower_clock::clocks(declarations, input.limits);
    set.classes.finish(set.fields.find(&super::fields::WHOLE_EVENT));
    let mut fingerprint = Vec::new();
    for rule in &rules {
        fingerprint.extend_from_slice(&rule.fingerprint.to_le_bytes());
    }
    Ok(Ruleset {
        fields: set.fields.into_paths(),
        keyspecs: set.keyspecs,
        classes: set.classes,
        followers: set.followers,
        clocks,
        levels: rules.iter().map(|r| r.level).max().unwrap_or(0),
        rules,
        tables: declarations.tables.clone(),
        fingerprint: super::key::hash(&fingerprint),
        key_seed: input.key_seed,
    })
}

/// Numbers rules by what they keep of an event, statistics aside, which are a rule's own.
fn share_copies(rules: &mut [Rule]) {
    let mut numbers: Map<(Vec<FieldId>, bool), u32> = Map::default();
    for rule in rules.iter_mut().filter(|rule| rule.stats.is_empty() && rule.alternatives.is_empty()) {
        let next = numbers.len() as u32;
        rule.hints.kept_as = Some(*numbers.entry((rule.kept.clone(), rule.keeps_arrival)).or_insert(next));
    }
}

/// One more than the highest level read; cycles are refused by `check`, and cut here.
fn levels(reads: &[Vec<RuleId>]) -> Vec<u32> {
    let mut levels = vec![0_u32; reads.len()];
    for _ in 0..reads.len() {
        let mut changed = false;
        for (i, read) in reads.iter().enumerate() {
            let level = read.iter().map(|r| levels[r.index()] + 1).max().unwrap_or(0).min(reads.len() as u32);
            changed |= level != levels[i];
            levels[i] = level;
        }
        if !changed {
            break;
        }
    }
    levels
}

pub(super) struct SetBuilder<'a> {
    pub(super) fields: Fields,
    pub(super) classes: ClassIndex,
    pub(super) keyspecs: Vec<KeySpec>,
    pub(super) keyspec_ids: Map<String, KeySpecId>,
    pub(super) declarations: &'a Declarations,
    pub(super) input: &'a Input<'a>,
    pub(super) rule_ids: Map<String, RuleId>,
    pub(super) followers: Vec<Follower>,
    /// How many rules there are.
    pub(super) rule_count: usize,
}

impl SetBuilder<'_> {
    pub(super) fn keyspec(&mut self, spec: KeySpec) -> KeySpecId {
        // Key expressions are plain: their debug form says all.
        let name = format!("{:?}", spec.parts);
        if let Some(id) = self.keyspec_ids.get(&name) {
            return *id;
        }
        let id = KeySpecId::from(self.keyspecs.len());
        self.keyspecs.push(spec);
        self.keyspec_ids.insert(name, id);
        id
    }

    /// The rules whose alerts a rule reads. `alert` alone is every rule that does not depend on it.
    fn alerts_read(&self, decl: &ast::RuleDecl, all: &[&ast::RuleDecl]) -> Vec<RuleId> {
        let mut read = Vec::new();
        for class in classes_of(decl) {
            if let Some(name) = class.name.strip_prefix("alert.") {
                read.extend(self.rule_ids.get(name));
            } else if class.name == "alert" {
                for other in all {
                    let depends = other.name.name == decl.name.name
                        || self.depends(other, &decl.name.name, all, 0)
                        || classes_of(other).iter().any(|c| c.name == "alert");
                    if !depends {
                        read.extend(self.rule_ids.get(&other.name.name));
                    }
                }
            }
        }
        read.sort();
        read.dedup();
        read
    }

    fn depends(&self, decl: &ast::RuleDecl, on: &str, all: &[&ast::RuleDecl], depth: usize) -> bool {
        depth <= all.len()
            && classes_of(decl).iter().filter_map(|c| c.name.strip_prefix("alert.")).any(|name| {
                name == on || all.iter().any(|d| d.name.name == name && self.depends(d, on, all, depth + 1))
            })
    }
}

/// All classes that a rule names, guards included.
pub fn classes_of(decl: &ast::RuleDecl) -> Vec<&ast::ClassRef> {
    fn guard<'a>(g: &'a ast::Guard, out: &mut Vec<&'a ast::ClassRef>) {
        out.extend(&g.classes);
    }
    fn step<'a>(s: &'a ast::Step, out: &mut Vec<&'a ast::ClassRef>) {
        out.extend(&s.classes);
        s.guards.iter().flat_map(|g| &g.events).for_each(|g| guard(g, out));
        s.until.iter().for_each(|g| guard(g, out));
    }
    fn sequence<'a>(seq: &'a ast::Sequence, out: &mut Vec<&'a ast::ClassRef>) {
        for element in seq.elements() {
            match element {
                ast::Element::Step(s) => step(s, out),
                ast::Element::Absence(a) => a.events.iter().for_each(|g| guard(g, out)),
                ast::Element::All(a) => {
                    a.members.iter().for_each(|s| step(s, out));
                    a.without.iter().for_each(|g| guard(g, out));
                }
                ast::Element::Any(a) => a.members.iter().for_each(|s| step(s, out)),
                ast::Element::Choice(c) => c.members.iter().for_each(|member| sequence(member, out)),
                ast::Element::Group(g) => sequence(&g.body, out),
            }
        }
    }
    let mut out = Vec::new();
    for clause in &decl.clauses {
        match &clause.kind {
            ClauseKind::Match(m) => sequence(&m.body, &mut out),
            ClauseKind::CancelOn(guards) | ClauseKind::ResolveOn(guards) => {
                guards.iter().for_each(|g| guard(g, &mut out))
            }
            _ => {}
        }
    }
    out
}

/// The content of a rule: its text without comments and layout is what a formatter would keep; the text between the
/// rule's braces, white space folded, and the declarations it could use.
pub(super) fn fingerprint(sources: &SourceMap, decl: &ast::RuleDecl, declarations: &Declarations) -> u64 {
    let mut bytes = Vec::new();
    let mut fold = |text: &str| {
        for word in text.split_whitespace() {
            bytes.extend_from_slice(word.as_bytes());
            bytes.push(b' ');
        }
        bytes.push(0);
    };
    fold(sources.text(decl.span));
    if Language::of(&sources.get(decl.span.source).name).is_imported() {
        // Options decide what it means, too.
        let mut tree = Digest::default();
        decl.hash(&mut tree);
        fold(&format!("{:016x}", tree.finish()));
    }
    for class in classes_of(decl) {
        if let Some(condition) = declarations.classes.get(&class.name) {
            fold(sources.text(condition.span));
        }
    }
    for clock in declarations.clocks.iter().filter(|d| classes_of(decl).iter().any(|c| c.name == d.name.name)) {
        fold(sources.text(clock.span));
    }
    let mut lets: Vec<_> = declarations.lets.iter().collect();
    lets.sort_by_key(|(name, _)| name.as_str());
    let text = sources.text(decl.span);
    for (name, value) in lets {
        if text.contains(name.as_str()) {
            fold(sources.text(value.span));
        }
    }
    super::key::hash(&bytes)
}
