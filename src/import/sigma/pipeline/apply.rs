//! Carries the steps of pipelines out on one rule.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{Detection, DetectionRule, Item, Selection, Text, Tree, Value, ValueKind};
use super::Applied;
use super::model::{Change, Chosen, Conditions, Pipeline, RuleCondition, Scalar, Step};
use super::values;
use crate::diag::Diagnostic;
use crate::diag::codes::sigma_correlation as codes;
use crate::syntax::source::Span;

/// What marks items of which a field was mapped; no id can be the same.
const MAPPED: &str = "\0mapped";

/// Values that the placeholders of one value may come to.
const MAX_EXPANDED: usize = 10_000;

/// The steps of all pipelines on their way through a rule.
pub(super) struct Run<'r> {
    pub(super) rule: &'r mut DetectionRule,
    pipelines: &'r [Pipeline],
    vars: BTreeMap<&'r str, &'r [String]>,
    pub(super) state: BTreeMap<String, String>,
    /// The ids of the steps that were carried out.
    pub(super) done: BTreeSet<String>,
    /// A step added a condition because of the log source.
    pub(super) routed: bool,
    pub(super) applied: Applied,
}

/// What becomes of an item.
enum Outcome {
    /// It stays, changed or not.
    Keep(Item),
    /// It goes.
    Drop,
    /// Any of these takes its place.
    Any(Vec<Item>),
}

impl<'r> Run<'r> {
    /// At the beginning.
    pub(super) fn new(rule: &'r mut DetectionRule, pipelines: &'r [Pipeline]) -> Self {
        let vars = pipelines.iter().flat_map(|p| &p.vars).map(|(name, values)| (name.as_str(), values.as_slice()));
        Self {
            rule,
            pipelines,
            vars: vars.collect(),
            state: BTreeMap::new(),
            done: BTreeSet::new(),
            routed: false,
            applied: Applied::default(),
        }
    }

    /// Carries every step out.
    pub(super) fn all(&mut self) {
        for pipeline in self.pipelines {
            for step in &pipeline.steps {
                self.step(step);
            }
        }
    }

    fn error(&mut self, span: Span, message: String, help: &str) {
        self.applied.refused = true;
        let problem = Diagnostic::error(codes::REFUSED_BY_PIPELINE, message, span, "");
        self.applied.problems.push(problem.note("the rule is refused").help(help));
    }

    fn step(&mut self, step: &'r Step) {
        if !step.rules.hold(|condition| self.rule_holds(condition)) {
            return;
        }
        self.done.extend(step.id.clone());
        match &step.change {
            Change::AddCondition { items, negated, template } => {
                self.routed |= asks_for_source(&step.rules);
                let detection = self.added(items, *negated, *template);
                self.rule.detection.besides.push(detection);
            }
            Change::Logsource { category, product, service } => {
                let span = self.rule.logsource.span;
                let text = |value: &Option<String>| value.clone().map(|value| Text { value, span });
                self.rule.logsource.category = text(category);
                self.rule.logsource.product = text(product);
                self.rule.logsource.service = text(service);
            }
            Change::SetState(key, value) => {
                self.state.insert(key.clone(), value.clone());
            }
            Change::SetAttribute(key, value) => {
                // Kept where people see it: as a tag with a name of its own.
                let span = self.rule.logsource.span;
                self.rule.head.tags.push(Text { value: format!("{key}={value}"), span });
            }
            Change::RuleFailure(message) => {
                let span = self.rule.logsource.span;
                self.error(
                    span,
                    format!("a pipeline refuses the rule: {message}"),
                    "leave the rule out, or change the pipeline",
                );
            }
            Change::Nest(steps) => {
                for step in steps {
                    self.step(step);
                }
            }
            _ => self.items(step),
        }
    }

    /// The detection that `add_condition` adds.
    fn added(&self, items: &[(Text, Vec<Scalar>, bool)], negated: bool, template: bool) -> Detection {
        let source = &self.rule.logsource;
        let span = source.span;
        let filled = |text: String| {
            let part = |part: &Option<Text>| part.as_ref().map_or("", |text| text.as_str()).to_owned();
            let mut text = text;
            for (name, value) in [
                ("category", part(&source.category)),
                ("product", part(&source.product)),
                ("service", part(&source.service)),
            ] {
                text = text.replace(&format!("${{{name}}}"), &value).replace(&format!("${name}"), &value);
            }
            text
        };
        let value = |scalar: &Scalar| {
            let mut value = written(scalar, span);
            if template && value.kind == ValueKind::Str {
                value.text = filled(value.text);
            }
            value
        };
        let item = |(key, values, list): &(Text, Vec<Scalar>, bool)| {
            let mut words = key.value.split('|').map(|word| Text { value: word.to_owned(), span });
            Item {
                field: words.next().filter(|field| !field.value.is_empty()),
                also: Vec::new(),
                marks: Vec::new(),
                modifiers: words.collect(),
                values: values.iter().map(value).collect(),
                list: *list,
                span,
            }
        };
        let name = Text { value: "added".into(), span };
        let tree = Tree::All(items.iter().map(item).collect(), span);
        let condition = if negated { Text { value: "not added".into(), span } } else { name.clone() };
        let selections = vec![Selection { name, tree }];
        Detection { selections, conditions: vec![condition], timeframe: None, besides: Vec::new(), span }
    }

    /// Takes every item of the rule through a step.
    fn items(&mut self, step: &Step) {
        let mut detection = std::mem::replace(&mut self.rule.detection, empty(self.rule.logsource.span));
        self.detection(&mut detection, step);
        self.rule.detection = detection;
    }

    fn detection(&mut self, detection: &mut Detection, step: &Step) {
        for selection in &mut detection.selections {
            let span = selection.tree.span();
            let tree = std::mem::replace(&mut selection.tree, Tree::Any(Vec::new(), span));
            match self.tree(tree, step) {
                Some(tree) => selection.tree = tree,
                None => {
                    let message = format!("a pipeline drops all of the selection `{}`", selection.name.as_str());
                    self.error(
                        selection.name.span,
                        message,
                        "leave the rule out, or map its fields instead of dropping them",
                    );
                }
            }
        }
        for besides in &mut detection.besides {
            self.detection(besides, step);
        }
    }

    /// A tree after a step; none if nothing is left.
    fn tree(&mut self, tree: Tree, step: &Step) -> Option<Tree> {
        match tree {
            Tree::Any(trees, span) => {
                let kept: Vec<Tree> = trees.into_iter().filter_map(|tree| self.tree(tree, step)).collect();
                (!kept.is_empty()).then_some(Tree::Any(kept, span))
            }
            Tree::All(items, span) => {
                // Where any of several items takes the place of one, the map becomes a list of maps.
                let mut ways: Vec<Vec<Item>> = vec![Vec::new()];
                for item in items {
                    let places = match self.item(item, step) {
                        Outcome::Drop => continue,
                        Outcome::Keep(item) => {
                            if let Some((last, others)) = ways.split_last_mut() {
                                others.iter_mut().for_each(|way| way.push(item.clone()));
                                last.push(item);
                            }
                            continue;
                        }
                        Outcome::Any(items) => items,
                    };
                    ways = places
                        .iter()
                        .flat_map(|item| {
                            ways.iter().map(move |way| way.iter().cloned().chain([item.clone()]).collect::<Vec<_>>())
                        })
                        .collect();
                }
                let mut trees: Vec<Tree> =
                    ways.into_iter().filter(|way| !way.is_empty()).map(|way| Tree::All(way, span)).collect();
                match trees.len() {
                    0 => None,
                    1 => trees.pop(),
                    _ => Some(Tree::Any(trees, span)),
                }
            }
        }
    }

    fn item(&mut self, mut item: Item, step: &Step) -> Outcome {
        if !step.items.hold(|condition| self.item_holds(condition, &item)) {
            return Outcome::Keep(item);
        }
        if let Change::Map(_) | Change::MapPrefix(_) | Change::Prefix(_) | Change::Suffix(_) = &step.change {
            return Outcome::Keep(self.renamed(item, step));
        }
        let of_field = |field: Option<&str>| step.fields.hold(|c| self.field_holds(c, &item, field));
        let field = item.field.as_ref().map(|field| field.value.clone());
        if !of_field(field.as_deref()) {
            return Outcome::Keep(item);
        }
        item.marks.extend(step.id.clone());
        match &step.change {
            Change::Drop => return Outcome::Drop,
            Change::Hashes { algorithms, prefix, drop } => {
                if matches!(field.as_deref(), Some("Hashes" | "Hash")) {
                    return self.hashes(item, algorithms, prefix, *drop);
                }
            }
            Change::ValuePlaceholders(chosen) => self.placeholders(&mut item, chosen, true),
            Change::WildcardPlaceholders(chosen) => self.placeholders(&mut item, chosen, false),
            Change::Replace(regex, by) => {
                values::rewrite(&mut item, |text| values::replaced(regex, text, by).map(|text| vec![text]));
            }
            Change::MapString(mapping) => {
                values::rewrite(&mut item, |text| mapping.get(text).cloned());
            }
            Change::Case(case) => {
                values::rewrite(&mut item, |text| Some(vec![values::in_case(text, *case)]));
            }
            Change::SetValue(scalar) => {
                let span = item.values.first().map_or(item.span, |value| value.span);
                item.values = vec![written(scalar, span)];
                item.list = false;
                item.modifiers.retain(|word| matches!(word.as_str(), "neq" | "cased"));
            }
            Change::Convert { text } => self.converted(&mut item, *text),
            Change::ItemFailure(message) => {
                let span = item.span;
                self.error(
                    span,
                    format!("a pipeline refuses this: {message}"),
                    "leave the rule out, or change the pipeline",
                );
            }
            Change::Strict(message) if field.is_some() && !item.marks.iter().any(|mark| mark == MAPPED) => {
                let span = item.field.as_ref().map_or(item.span, |field| field.span);
                let name = field.unwrap_or_default();
                let message = format!("no pipeline maps the field `{name}`: {message}");
                self.error(span, message, "add the field to a `field_name_mapping`");
            }
            _ => {}
        }
        Outcome::Keep(item)
    }

    /// An item with its fields renamed, those that its values name included.
    fn renamed(&self, mut item: Item, step: &Step) -> Item {
        let mapped = |name: &str| -> Option<Vec<String>> {
            if !step.fields.hold(|condition| self.field_holds(condition, &item, Some(name))) {
                return None;
            }
            match &step.change {
                Change::Map(mapping) => mapping.get(name).cloned(),
                Change::MapPrefix(mapping) => mapping.iter().find_map(|(prefix, targets)| {
                    let rest = name.strip_prefix(prefix.as_str())?;
                    Some(targets.iter().map(|target| format!("{target}{rest}")).collect())
                }),
                Change::Prefix(prefix) => Some(vec![format!("{prefix}{name}")]),
                Change::Suffix(suffix) => Some(vec![format!("{name}{suffix}")]),
                _ => None,
            }
        };
        let refers = item.modifiers.iter().any(|word| word.as_str() == "fieldref");
        let mut names: Vec<Text> = Vec::new();
        let mut hit = false;
        for field in item.field.iter().chain(&item.also) {
            match mapped(&field.value) {
                Some(targets) => {
                    hit = true;
                    names.extend(targets.into_iter().map(|value| Text { value, span: field.span }));
                }
                None => names.push(field.clone()),
            }
        }
        let values: Option<Vec<Value>> = refers.then(|| {
            let all = |value: &Value| {
                let names = mapped(&value.text).unwrap_or_else(|| vec![value.text.clone()]);
                names.into_iter().map(|text| Value { text, ..value.clone() }).collect::<Vec<_>>()
            };
            item.values.iter().flat_map(all).collect()
        });
        if hit {
            item.marks.extend(step.id.clone());
            if matches!(step.change, Change::Map(_) | Change::MapPrefix(_)) {
                item.marks.push(MAPPED.into());
            }
            let mut names = names.into_iter();
            item.field = names.next();
            item.also = names.collect();
        }
        if let Some(values) = values {
            item.values = values;
        }
        item.list |= item.values.len() > 1;
        item
    }

    /// `MD5=…` in one field as fields of their own.
    fn hashes(&mut self, item: Item, algorithms: &[String], prefix: &str, drop: bool) -> Outcome {
        let mut found: Vec<(String, Value)> = Vec::new();
        for value in &item.values {
            let text = value.text.trim_matches('*');
            let (algorithm, hash) = match text.split_once(['=', '|']) {
                Some((algorithm, hash)) => (algorithm.to_uppercase(), hash),
                None => {
                    let algorithm = match text.len() {
                        32 => "MD5",
                        40 => "SHA1",
                        64 => "SHA256",
                        128 => "SHA512",
                        _ => "",
                    };
                    (algorithm.to_owned(), text)
                }
            };
            if !algorithms.iter().any(|known| known.eq_ignore_ascii_case(&algorithm)) {
                let message = format!("`{}` is no hash of a kind that the pipeline knows", value.text);
                let span = value.span;
                self.error(span, message, "add the kind to `valid_hash_algos`");
                return Outcome::Keep(item);
            }
            let field = if drop { prefix.to_owned() } else { format!("{prefix}{algorithm}") };
            found.push((field, Value { text: hash.to_owned(), kind: ValueKind::Str, span: value.span }));
        }
        let all = item.modifiers.iter().any(|word| word.as_str() == "all");
        let negated: Vec<Text> = item.modifiers.iter().filter(|word| word.as_str() == "neq").cloned().collect();
        let mut fields: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (field, value) in found {
            fields.entry(field).or_default().push(value);
        }
        if (all || !negated.is_empty()) && fields.len() > 1 {
            let span = item.span;
            self.error(
                span,
                "hashes of several kinds that must all be there cannot be told apart".into(),
                "write each kind as a field of its own",
            );
            return Outcome::Keep(item);
        }
        let span = item.field.as_ref().map_or(item.span, |field| field.span);
        let items = fields.into_iter().map(|(field, values)| Item {
            field: Some(Text { value: field, span }),
            also: Vec::new(),
            marks: item.marks.clone(),
            modifiers: negated.clone(),
            list: values.len() > 1,
            values,
            span: item.span,
        });
        Outcome::Any(items.collect())
    }

    fn placeholders(&mut self, item: &mut Item, chosen: &Chosen, by_value: bool) {
        if !item.modifiers.iter().any(|word| word.as_str() == "expand") {
            return;
        }
        let is_chosen = |name: &str| {
            let of = |list: &[String]| list.iter().any(|known| known == name);
            (chosen.include.is_empty() || of(&chosen.include)) && !of(&chosen.exclude)
        };
        let mut done: Vec<Value> = Vec::new();
        let mut left: Vec<(Value, usize)> = item.values.iter().rev().map(|value| (value.clone(), 0)).collect();
        let mut open = false;
        while let Some((value, from)) = left.pop() {
            let Some((start, end, name)) = values::placeholder(&value.text, from) else {
                done.push(value);
                continue;
            };
            if !is_chosen(name) {
                open = true;
                left.push((value.clone(), end));
                continue;
            }
            let star = ["*".to_owned()];
            let replacements: &[String] = match (by_value, self.vars.get(name)) {
                (false, _) => &star,
                (true, Some(values)) => values,
                (true, None) => {
                    let message = format!("the placeholder `%{name}%` has no values");
                    self.error(value.span, message, "add it to `vars` of a pipeline");
                    return;
                }
            };
            if done.len() + left.len() + replacements.len() > MAX_EXPANDED {
                let message = format!("placeholders give more than {MAX_EXPANDED} values");
                self.error(value.span, message, "use a table: `x in @table` in a rule of Tripline's own");
                return;
            }
            for by in replacements.iter().rev() {
                let text = format!("{}{by}{}", &value.text[..start], &value.text[end..]);
                left.push((Value { text, kind: ValueKind::Str, span: value.span }, start + by.len()));
            }
        }
        item.list |= done.len() > 1;
        item.values = done;
        if !open {
            item.modifiers.retain(|word| word.as_str() != "expand");
        }
    }

    fn converted(&mut self, item: &mut Item, text: bool) {
        let mut wrong = None;
        for value in &mut item.values {
            match (text, value.kind) {
                (true, ValueKind::Int(_) | ValueKind::Float(_) | ValueKind::Bool(_)) => value.kind = ValueKind::Str,
                (false, ValueKind::Str) => {
                    let float = || value.text.parse().ok().filter(|n: &f64| n.is_finite()).map(ValueKind::Float);
                    match value.text.parse().map(ValueKind::Int).ok().or_else(float) {
                        Some(kind) => value.kind = kind,
                        None => wrong = Some((value.span, value.text.clone())),
                    }
                }
                _ => {}
            }
        }
        if let Some((span, text)) = wrong {
            self.error(
                span,
                format!("a pipeline asks for a number, and `{text}` is none"),
                "choose the fields by `field_name_conditions`",
            );
        }
    }
}

fn asks_for_source(rules: &Conditions<RuleCondition>) -> bool {
    rules.list.iter().any(|(_, condition)| matches!(condition, RuleCondition::Logsource { .. }))
}

fn empty(span: Span) -> Detection {
    Detection { selections: Vec::new(), conditions: Vec::new(), timeframe: None, besides: Vec::new(), span }
}

/// A value of a pipeline in a rule.
fn written(scalar: &Scalar, span: Span) -> Value {
    let kind = match scalar {
        Scalar::Null => ValueKind::Null,
        Scalar::Bool(value) => ValueKind::Bool(*value),
        Scalar::Int(value) => ValueKind::Int(*value),
        Scalar::Float(value) => ValueKind::Float(*value),
        Scalar::Text(_) => ValueKind::Str,
    };
    Value { kind, text: scalar.text(), span }
}
