//! Which of the loaded rules run: by name, level, status and tag.
//!
//! Rules that others build on stay, but are silent: nobody asked for their alerts.

use std::collections::BTreeSet;

use tripline::base::wildcard::fits;
use tripline::plan::ruleset::Severity;
use tripline::syntax::ast::{ClauseKind, ExprKind, File, RuleDecl};

use super::args::FilterArgs;
use super::exit::Stop;
use super::rules::{declared_rules, require_names, with_rules_below};

/// The rules to run.
#[derive(Debug)]
pub struct Chosen {
    /// By name, with the rules that they build on.
    pub names: BTreeSet<String>,
    /// Those of them that are there only for others.
    pub silent: BTreeSet<String>,
}

impl FilterArgs {
    /// Whether anything is asked for.
    pub fn is_empty(&self) -> bool {
        let lists = [&self.only, &self.exclude, &self.status, &self.tag, &self.exclude_tag];
        self.min_level.is_none() && lists.iter().all(|list| list.is_empty())
    }

    /// What is asked for among the rules of files; all if nothing is. A name that no rule has is an error, and so is
    /// a choice of nothing.
    pub fn choose(&self, files: &[File]) -> Result<Option<Chosen>, Stop> {
        if self.is_empty() {
            return Ok(None);
        }
        require_names(&self.only, files)?;
        require_names(&self.exclude, files)?;
        let rules = declared_rules(files).filter(|rule| self.wants(rule));
        let asked: BTreeSet<String> = rules.map(|rule| rule.name.name.clone()).collect();
        if asked.is_empty() {
            let all = declared_rules(files).count();
            return Err(Stop::usage(format!("none of the {all} rules has the level, status, tags and name asked for")));
        }
        let names = with_rules_below(asked.iter().cloned(), files);
        let silent = names.difference(&asked).cloned().collect();
        Ok(Some(Chosen { names, silent }))
    }

    fn wants(&self, rule: &RuleDecl) -> bool {
        let name = &rule.name.name;
        let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| fits(pattern, text));
        let folded = |patterns: &[String], text: &str| {
            patterns.iter().any(|pattern| fits(&pattern.to_lowercase(), &text.to_lowercase()))
        };
        let (mut level, mut status, mut tags) = (Some(Severity::default()), None, [].as_slice());
        for clause in &rule.clauses {
            match &clause.kind {
                ClauseKind::Severity(expr) => {
                    level = match &expr.kind {
                        ExprKind::Path(path) if path.parts.len() == 1 => Severity::from_word(&path.parts[0].name),
                        _ => None,
                    }
                }
                ClauseKind::Status(text) => status = Some(text.value.as_str()),
                ClauseKind::Tags(list) => tags = list.as_slice(),
                _ => {}
            }
        }
        let tagged = |patterns: &[String]| tags.iter().any(|tag| folded(patterns, &tag.value));
        // A level that the match decides is looked at on each alert.
        let high_enough = || self.min_level.is_none_or(|least| level.is_none_or(|level| level >= least));
        (self.only.is_empty() || any(&self.only, name))
            && !any(&self.exclude, name)
            && high_enough()
            && (self.status.is_empty() || status.is_some_and(|status| folded(&self.status, status)))
            && (self.tag.is_empty() || tagged(&self.tag))
            && !tagged(&self.exclude_tag)
    }
}
