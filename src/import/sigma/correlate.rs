//! References between rules: who is meant by an id or a name, and which correlations can be built on which.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::correlate_condition::expression;
use super::model::{CorrelationCondition, CorrelationRule, Document, Text};
use super::pipeline::model::Logic;
use crate::diag::Diagnostic;
use crate::diag::codes::sigma_correlation as codes;
use crate::syntax::source::{SourceId, Span};
use crate::syntax::spelling::nearest;

/// A document: its file and its number in that.
pub(super) type Place = (usize, usize);

/// Ids and names of all documents.
#[derive(Debug, Default)]
pub(super) struct References {
    places: HashMap<String, Place>,
}

impl References {
    pub(super) fn new(sources: &[(SourceId, Vec<Document>)]) -> Self {
        let mut places = HashMap::new();
        for (file, (_, documents)) in sources.iter().enumerate() {
            for (at, document) in documents.iter().enumerate() {
                let head = document.head();
                for text in head.id.iter().chain(&head.name) {
                    places.entry(text.value.clone()).or_insert((file, at));
                }
            }
        }
        Self { places }
    }

    pub(super) fn find(&self, name: &str) -> Option<Place> {
        self.places.get(name).copied()
    }

    /// What to do about a name that means nothing.
    pub(super) fn hint(&self, name: &str) -> String {
        let mut known: Vec<&str> = self.places.keys().map(String::as_str).collect();
        known.sort_unstable();
        match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "load the file that holds the rule as well, or give the rule this `name`".into(),
        }
    }
}

/// A correlation with the rules that it means.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) rule: CorrelationRule,
    /// In the order of `rules`, or of a condition that names them.
    pub(super) targets: Vec<(Text, Place)>,
    /// A condition over them.
    pub(super) logic: Option<Logic>,
}

/// What is known of all correlations.
#[derive(Debug, Default)]
pub(super) struct Correlations {
    /// Those that can be built, and below others those that these are built on.
    pub(super) resolved: BTreeMap<Place, Resolved>,
    /// What some correlation is about; true if it gives alerts of its own all the same.
    pub(super) referenced: BTreeMap<Place, bool>,
    /// How many are refused.
    pub(super) refused: usize,
}

/// Finds what every correlation is about.
pub(super) fn resolve(
    sources: &[(SourceId, Vec<Document>)],
    references: &References,
    problems: &mut Vec<Diagnostic>,
) -> Correlations {
    let mut found = Correlations::default();
    for (file, (_, documents)) in sources.iter().enumerate() {
        for (at, document) in documents.iter().enumerate() {
            let Document::Correlation(rule) = document else { continue };
            for name in names(rule) {
                if let Some(place) = references.find(name.as_str()) {
                    *found.referenced.entry(place).or_insert(false) |= rule.generate;
                }
            }
            match one(rule, sources, references, problems) {
                Some(resolved) => {
                    found.resolved.insert((file, at), resolved);
                }
                None => found.refused += 1,
            }
        }
    }
    without_cycles(&mut found, problems);
    found
}

/// Every name that a correlation gives a rule.
fn names(rule: &CorrelationRule) -> Vec<Text> {
    let mut names = rule.rules.clone();
    if let Some(CorrelationCondition::Expression(text)) = &rule.condition
        && let Ok((more, _)) = expression(text)
    {
        names.extend(more);
    }
    names
}

fn one(
    rule: &CorrelationRule,
    sources: &[(SourceId, Vec<Document>)],
    references: &References,
    problems: &mut Vec<Diagnostic>,
) -> Option<Resolved> {
    let before = problems.len();
    let mut error = |code, span: Span, message: String, help: String| {
        problems.push(Diagnostic::error(code, message, span, "").note("the correlation is refused").help(help));
    };
    let mut targets: Vec<(Text, Place)> = Vec::new();
    let mut logic = None;
    let mut wanted = rule.rules.clone();
    if let Some(CorrelationCondition::Expression(text)) = &rule.condition {
        match expression(text) {
            Err(message) => error(codes::CORRELATION, text.span, message, "write `rule_a and not rule_b`".into()),
            Ok((names, found)) => {
                let place = |name: &Text| references.find(name.as_str());
                let same = |a: &Text, b: &Text| a.value == b.value || (place(a).is_some() && place(a) == place(b));
                for name in names.iter().filter(|name| !wanted.is_empty() && !wanted.iter().any(|w| same(w, name))) {
                    let message = format!("the condition asks for `{}`, which `rules` does not list", name.as_str());
                    error(codes::CORRELATION, name.span, message, "add it to `rules`".into());
                }
                for name in wanted.iter().filter(|name| !names.iter().any(|n| same(n, name))) {
                    let message = format!("the condition does not ask for `{}`", name.as_str());
                    error(
                        codes::CORRELATION,
                        name.span,
                        message,
                        "name it in the condition, or take it out of `rules`".into(),
                    );
                }
                wanted = names;
                logic = Some(found);
            }
        }
    }
    for name in wanted {
        match references.find(name.as_str()).map(|place| (place, &sources[place.0].1[place.1])) {
            Some((place, Document::Detection(_) | Document::Correlation(_))) => targets.push((name, place)),
            Some((_, Document::Refused(_))) => {
                let message = format!("the rule `{}` is refused", name.as_str());
                error(codes::REFERENCE, name.span, message, "see what is said about that rule".into());
            }
            Some((_, Document::Filter(_))) => {
                let message = format!("`{}` is a filter, and no rule", name.as_str());
                error(codes::REFERENCE, name.span, message, "name the rule that it filters".into());
            }
            None => {
                let message = format!("there is no rule `{}`", name.as_str());
                error(codes::REFERENCE, name.span, message, references.hint(name.as_str()));
            }
        }
    }
    for (name, _) in rule.aliases.iter().flat_map(|alias| &alias.fields) {
        let place = references.find(name.as_str());
        if !targets.iter().any(|(_, target)| Some(*target) == place) {
            let message = format!("the alias is for `{}`, which the correlation is not about", name.as_str());
            error(codes::REFERENCE, name.span, message, "name one of `rules`".into());
        }
    }
    (problems.len() == before).then(|| Resolved { rule: rule.clone(), targets, logic })
}

/// Refuses the correlations of every circle, and those that are built on what is refused.
fn without_cycles(found: &mut Correlations, problems: &mut Vec<Diagnostic>) {
    let mut sound: BTreeSet<Place> = BTreeSet::new();
    loop {
        let ready: Vec<Place> = found
            .resolved
            .iter()
            .filter(|(place, resolved)| {
                let of = |target: &Place| sound.contains(target) || !found.resolved.contains_key(target);
                !sound.contains(place) && resolved.targets.iter().all(|(_, target)| of(target))
            })
            .map(|(place, _)| *place)
            .collect();
        if ready.is_empty() {
            break;
        }
        sound.extend(ready);
    }
    for (place, resolved) in &found.resolved {
        if sound.contains(place) {
            continue;
        }
        let back =
            resolved.targets.iter().find(|(_, target)| !sound.contains(target) && found.resolved.contains_key(target));
        if let Some((name, _)) = back {
            problems.push(
                Diagnostic::error(codes::CYCLE, "the correlation comes back to itself", name.span, "through this rule")
                    .note("the correlation is refused")
                    .help("a correlation may be about rules and about correlations below it"),
            );
        }
    }
    found.refused += found.resolved.len() - sound.len();
    found.resolved.retain(|place, _| sound.contains(place));
}
