//! What happens to an alert after it was found: who sees it, how long it is open, when it is said again.

use crate::check::Checker;
use crate::check::model::Model;
use crate::check::pattern::all_classes;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{Clause, ClauseKind};

impl<'a> Checker<'a> {
    /// `internal`, and what has no effect beside it.
    pub(crate) fn internal(&mut self, on: bool, clause: &Clause, model: &Model<'a>) {
        if !on {
            self.out.push(
                Diagnostic::error(codes::NO_EFFECT, "`internal false` has no effect", clause.span, "the default")
                    .help("delete it; `internal` alone makes the rule feed other rules without notifying"),
            );
            return;
        }
        for other in &model.rule.clauses {
            let (word, why) = match &other.kind {
                ClauseKind::Suppress { .. } => ("suppress", "there are no notifications to hold back"),
                ClauseKind::Shadow(true) => ("shadow", "a rule in shadow feeds no other rule"),
                _ => continue,
            };
            self.out.push(
                Diagnostic::error(
                    codes::NO_EFFECT,
                    format!("`{word}` and `internal` exclude each other"),
                    other.span,
                    why,
                )
                .label(clause.span, "an internal rule never notifies, and feeds other rules")
                .help(format!("delete `{word}` or `internal`")),
            );
        }
    }

    /// Internal rules that no rule builds on.
    pub(crate) fn unread_internal_rules(&mut self) {
        let mut read: Vec<&str> = Vec::new();
        let mut reads_all = false;
        for rule in self.names.rules.values().copied() {
            for class in all_classes(rule) {
                reads_all |= class.name == "alert";
                read.extend(class.name.strip_prefix("alert."));
            }
        }
        for rule in self.names.rules.values().copied().collect::<Vec<_>>() {
            let clause = rule.clauses.iter().find(|c| matches!(c.kind, ClauseKind::Internal(true)));
            let name = rule.name.name.as_str();
            if let Some(clause) = clause
                && !reads_all
                && !read.contains(&name)
            {
                self.out.push(
                    Diagnostic::warning(
                        codes::UNREAD_INTERNAL,
                        format!("no rule reads the alerts of `{name}`, and it never notifies"),
                        clause.span,
                        "nobody learns of its matches",
                    )
                    .note(format!("a rule reads them as events of class `alert.{name}`"))
                    .help("delete `internal`, or check it together with the rules that build on it"),
                );
            }
        }
    }
}
