//! Variants of a rule, made by cutting its text: the beginning of a pattern, one step alone, a clause left out.
//!
//! A variant is compiled together with the declarations of its rule set; one that does not compile (because what is
//! left refers to what was cut) is no variant.

use std::sync::Arc;

use tripline::compile::CompileOptions;
use tripline::plan::Ruleset;
use tripline::syntax::ast::{ClauseKind, Element, MatchClause, RuleDecl, Step};
use tripline::syntax::source::Span;

use crate::cli::rules::{RuleTexts, compile_texts};

/// The rule set that variants are made of.
#[derive(Clone, Copy)]
pub struct Original<'a> {
    /// Texts and paths.
    pub texts: &'a RuleTexts,
    /// How they are compiled.
    pub options: &'a CompileOptions,
}

impl<'a> Original<'a> {
    /// The whole rule set with one rule's text replaced.
    pub fn with_rule(self, rule: &RuleDecl, text: &str) -> Option<Arc<Ruleset>> {
        let mut texts = RuleTexts::default();
        for (n, source) in self.texts.sources.ids().enumerate() {
            let whole = self.texts.sources.get(source);
            let mut new = whole.text.clone();
            if rule.span.source == source {
                new.replace_range(rule.span.range(), text);
            }
            texts.sources.add(whole.name.clone(), new);
            texts.paths.push(self.texts.paths.get(n).cloned().flatten());
        }
        compile_texts(&texts, self.options).ruleset
    }

    /// The rule with a part of its text left out.
    pub fn without(self, rule: &RuleDecl, part: Span) -> Option<Arc<Ruleset>> {
        let before = self.texts.sources.text(Span { end: part.start, ..rule.span });
        let after = self.texts.sources.text(Span { start: part.end, ..rule.span });
        self.with_rule(rule, &format!("{before} {after}"))
    }

    /// The rule with a pattern of its own and neither conditions on the whole match nor alert values. Bounds and
    /// cancellations stay where they still have an effect.
    fn with_pattern(self, rule: &RuleDecl, pattern: &str) -> Option<Arc<Ruleset>> {
        let text_of = |span| self.texts.sources.text(span);
        let (mut key, mut within, mut cancel) = (String::new(), String::new(), String::new());
        for clause in &rule.clauses {
            match &clause.kind {
                ClauseKind::By(_) => key.push_str(text_of(clause.span)),
                ClauseKind::CancelOn(_) => cancel.push_str(text_of(clause.span)),
                ClauseKind::Match(found) => {
                    if let Some(bound) = &found.within {
                        within = format!("within {}", text_of(bound.span));
                    }
                }
                _ => {}
            }
        }
        let forms = [(&*within, &*cancel), ("", &*cancel), (&*within, ""), ("", "")];
        forms.iter().find_map(|(within, cancel)| {
            let name = &rule.name.name;
            self.with_rule(rule, &format!("rule {name} {{\n{key}\nmatch {{ {pattern} }} {within}\n{cancel}\n}}"))
        })
    }

    /// The rule with only the first `n` elements of its pattern.
    pub fn prefix(self, rule: &RuleDecl, n: usize) -> Option<Arc<Ruleset>> {
        let body = &pattern(rule)?.body;
        let last = body.elements().nth(n.checked_sub(1)?)?;
        let span = Span { end: last.span().end, ..body.span };
        self.with_pattern(rule, self.texts.sources.text(span))
    }

    /// The rule with one step, once, as its whole pattern.
    pub fn alone(self, rule: &RuleDecl, step: &Step) -> Option<Arc<Ruleset>> {
        let class = step.classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>().join(" or ");
        let mut pattern = if step.classes.len() > 1 { format!("only: ({class})") } else { format!("only: {class}") };
        if let Some(condition) = &step.condition {
            pattern.push_str(&format!(" where {}", self.texts.sources.text(condition.span)));
        }
        if let (Some(first), Some(last)) = (step.by.first(), step.by.last()) {
            pattern.push_str(&format!(" by {}", self.texts.sources.text(first.span.to(last.span))));
        }
        self.with_pattern(rule, &pattern)
    }

    /// The parts of a rule that can be left out one by one.
    pub fn parts(self, rule: &RuleDecl) -> Vec<Span> {
        let mut parts = Vec::new();
        for clause in &rule.clauses {
            match &clause.kind {
                ClauseKind::Having { .. }
                | ClauseKind::Pick(_)
                | ClauseKind::AfterMatch(_)
                | ClauseKind::CancelOn(_)
                | ClauseKind::Suppress { .. } => parts.push(clause.span),
                ClauseKind::Match(found) => {
                    if let Some(within) = &found.within {
                        parts.extend(self.keyword_part("within", within.span, clause.span.start));
                    }
                    for (then, _) in &found.body.rest {
                        for (word, bound) in [("after", &then.after), ("within", &then.within)] {
                            if let Some(bound) = bound {
                                parts.extend(self.keyword_part(word, bound.span, then.span.start));
                            }
                        }
                    }
                    for element in found.body.elements() {
                        self.element_parts(element, &mut parts);
                    }
                }
                _ => {}
            }
        }
        parts
    }

    fn element_parts(self, element: &Element, parts: &mut Vec<Span>) {
        match element {
            Element::Step(step) => self.step_parts(step, parts),
            Element::All(all) => {
                all.members.iter().for_each(|step| self.step_parts(step, parts));
                if let (Some(first), Some(last)) = (all.without.first(), all.without.last()) {
                    parts.extend(self.keyword_part("without", first.span.to(last.span), all.span.start));
                }
            }
            Element::Any(any) => any.members.iter().for_each(|step| self.step_parts(step, parts)),
            Element::Choice(choice) => {
                choice.members.iter().flat_map(|m| m.elements()).for_each(|inner| self.element_parts(inner, parts));
            }
            Element::Group(group) => {
                group.body.elements().for_each(|inner| self.element_parts(inner, parts));
                if let Some(within) = &group.within {
                    parts.extend(self.keyword_part("within", within.span, group.span.start));
                }
            }
            Element::Absence(absence) => {
                for guard in &absence.events {
                    if let Some(condition) = &guard.condition {
                        parts.extend(self.keyword_part("where", condition.span, guard.span.start));
                    }
                }
            }
        }
    }

    fn step_parts(self, step: &Step, parts: &mut Vec<Span>) {
        if let Some(condition) = &step.condition {
            parts.extend(self.keyword_part("where", condition.span, step.span.start));
        }
        parts.extend(step.guards.iter().map(|guard| guard.span));
        if let Some(until) = &step.until {
            parts.extend(self.keyword_part("until", until.span, step.span.start));
        }
        if let Some(ends) = &step.ends {
            parts.extend(self.keyword_part("until", ends.span, step.span.start));
        }
    }

    /// An expression together with the keyword before it.
    fn keyword_part(self, keyword: &str, span: Span, from: u32) -> Option<Span> {
        let before = Span { start: from, end: span.start, ..span };
        let at = self.texts.sources.text(before).rfind(keyword)?;
        Some(Span { start: from + u32::try_from(at).ok()?, ..span })
    }
}

/// The pattern of a rule.
pub fn pattern(rule: &RuleDecl) -> Option<&MatchClause> {
    rule.clauses.iter().find_map(|clause| match &clause.kind {
        ClauseKind::Match(found) => Some(found),
        _ => None,
    })
}
