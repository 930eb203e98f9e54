//! Pipelines: how the names of rules become those of the events that are at hand.
//!
//! A pipeline changes the model of a rule before it is lowered: names of fields, values, conditions. The format is
//! pySigma's YAML; [`read`](fn@read) reads it, [`builtin`] has those that come along. [`Pipelines`] holds what is
//! loaded and applies it. It also sees to it that a rule applies to events of its log source only: [`routing`] knows
//! by which fields events of a log source are told from others, and where nothing knows, the parts of the log source
//! are sought as fields of the event.
//!
//! Invariant: after [`Pipelines::apply`] a rule says everything by fields and values; nobody looks at its
//! `logsource` again. What is added has the span of the rule's own `logsource`.

mod apply;
pub mod builtin;
mod condition;
pub mod model;
mod read;
mod read_change;
mod read_condition;
pub mod routing;
mod values;

pub use model::Pipeline;
pub use read::read;

use super::model::{Detection, DetectionRule, Item, Logsource, Selection, Text, Tree, Value, ValueKind};
use crate::diag::Diagnostic;
use apply::Run;
use model::{Change, Step};
use routing::Routes;

/// What is loaded.
#[derive(Clone, Debug)]
pub struct Pipelines {
    /// In the order in which they are applied.
    list: Vec<Pipeline>,
    /// By what events of a log source are known; none if rules apply to every event.
    routes: Option<Routes>,
}

impl Default for Pipelines {
    /// Every route and mapping that comes along for events as they are written by their sources.
    fn default() -> Self {
        Self { list: builtin::default_mappings(), routes: Some(Routes::ALL) }
    }
}

/// What became of a rule.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// What is wrong with it.
    pub problems: Vec<Diagnostic>,
    /// It cannot be used.
    pub refused: bool,
    /// Nothing knows its log source: its parts are sought as fields.
    pub unknown_source: bool,
}

impl Pipelines {
    /// Pipelines by name and others that were read. `none` among the names switches routing off; without any name the
    /// defaults are used below the others.
    ///
    /// # Errors
    ///
    /// A name that is none, with the nearest one that is.
    pub fn new(names: &[&str], read: Vec<Pipeline>) -> Result<Self, String> {
        let mut pipelines = if names.is_empty() { Self::default() } else { Self { list: Vec::new(), routes: None } };
        let mut routes = Routes::NONE;
        for name in names {
            let found = builtin::find(name)?;
            routes = routes.with(found.routes);
            pipelines.list.extend(found.pipelines);
        }
        if !names.is_empty() && !names.contains(&"none") {
            pipelines.routes = Some(routes);
        }
        pipelines.list.extend(read);
        pipelines.list.sort_by_key(|pipeline| pipeline.priority);
        Ok(pipelines)
    }

    /// Changes a rule as the pipelines say, and adds what tells events of its log source from others.
    pub fn apply(&self, rule: &mut DetectionRule) -> Applied {
        let known = rule.logsource.clone();
        // A pipeline may say that a rule is about something else, so what routes is looked up by the new log source.
        let (source, own_route) = if self.list.iter().flat_map(|pipeline| &pipeline.steps).any(reroutes) {
            let mut trial = rule.clone();
            let mut run = Run::new(&mut trial, &self.list);
            run.all();
            let own_route = run.routed;
            (trial.logsource, own_route)
        } else {
            (known.clone(), false)
        };
        let found = self.routes.filter(|_| !own_route).map(|routes| routes.find(&source));
        if let Some(Some(alternatives)) = &found
            && !alternatives.is_empty()
        {
            rule.detection.besides.insert(0, routed(&source, alternatives));
        }
        let mut run = Run::new(rule, &self.list);
        run.all();
        let mut applied = run.applied;
        if let Some(None) = found {
            applied.unknown_source = true;
            rule.detection.besides.insert(0, routed(&known, &routing::as_fields(&known)));
        }
        applied
    }

    /// What a field of a rule is called after the pipelines: one name, or several of which any may be the one.
    ///
    /// The rule is as it was read. A field that the pipelines drop keeps its name.
    pub fn renamed(&self, rule: &DetectionRule, field: &Text) -> Vec<String> {
        let span = field.span;
        let value = Value { kind: ValueKind::Str, text: "*".into(), span };
        let item = Item {
            field: Some(field.clone()),
            also: Vec::new(),
            marks: Vec::new(),
            modifiers: Vec::new(),
            values: vec![value],
            list: false,
            span,
        };
        let mut probe = rule.clone();
        let name = Text { value: "probe".into(), span };
        let selections = vec![Selection { name: name.clone(), tree: Tree::All(vec![item], span) }];
        let conditions = vec![name];
        let detection = Detection { selections, conditions, timeframe: None, besides: Vec::new(), span };
        probe.detection.besides.push(detection);
        Run::new(&mut probe, &self.list).all();
        let found = probe.detection.besides.last().and_then(|detection| detection.selections.first());
        let fields: Vec<String> = match found.map(|selection| selection.tree.items()).as_deref() {
            Some([item]) => item.field.iter().chain(&item.also).map(|field| field.value.clone()).collect(),
            _ => Vec::new(),
        };
        if fields.is_empty() { vec![field.value.clone()] } else { fields }
    }
}

/// Whether a step can change what routes a rule.
fn reroutes(step: &Step) -> bool {
    match &step.change {
        Change::Logsource { .. } | Change::AddCondition { .. } => true,
        Change::Nest(steps) => steps.iter().any(reroutes),
        _ => false,
    }
}

/// A detection that holds for events of which one of the alternatives holds.
fn routed(source: &Logsource, alternatives: &[Vec<(String, Vec<String>)>]) -> Detection {
    let span = source.span;
    let text = |value: &str| Text { value: value.to_owned(), span };
    let tree = |fields: &Vec<(String, Vec<String>)>| {
        let item = |(key, values): &(String, Vec<String>)| {
            let mut words = key.split('|').map(text);
            Item {
                field: words.next(),
                also: Vec::new(),
                marks: Vec::new(),
                modifiers: words.collect(),
                values: values.iter().map(|value| self::value(value, span)).collect(),
                list: values.len() > 1,
                span,
            }
        };
        Tree::All(fields.iter().map(item).collect(), span)
    };
    let tree = match alternatives {
        [only] => tree(only),
        _ => Tree::Any(alternatives.iter().map(tree).collect(), span),
    };
    let selections = vec![Selection { name: text("logsource"), tree }];
    Detection { selections, conditions: vec![text("logsource")], timeframe: None, besides: Vec::new(), span }
}

/// A value as a table writes it: a number, a bool, or a text.
fn value(text: &str, span: crate::syntax::source::Span) -> Value {
    let kind = match (text.parse::<i128>(), text.parse::<bool>()) {
        (Ok(number), _) => ValueKind::Int(number),
        (_, Ok(flag)) => ValueKind::Bool(flag),
        _ => ValueKind::Str,
    };
    Value { kind, text: text.to_owned(), span }
}
