//! Pipelines from YAML. What is not known is an error that names it: a change passed over would leave rules that look
//! for something in fields that the events do not have.

use std::collections::BTreeMap;

use super::super::model::Text;
use super::super::yaml::{self, Entry, Node, NodeKind, Resolved};
use super::model::{Change, Pipeline, Scalar, Step};
use super::read_change;
use super::read_condition::{self, FIELD, ITEM, RULE};
use crate::diag::Diagnostic;
use crate::diag::codes::sigma_correlation as codes;
use crate::syntax::source::{SourceId, Span};
use crate::syntax::spelling::nearest;

/// The parts of a pipeline.
const PARTS: [&str; 8] =
    ["name", "priority", "vars", "allowed_backends", "transformations", "postprocessing", "finalizers", "description"];

/// The parts of a step besides those of its change.
const STEP_PARTS: [&str; 14] = [
    "id",
    "type",
    "rule_conditions",
    "rule_cond_op",
    "rule_cond_not",
    "rule_cond_expr",
    "detection_item_conditions",
    "detection_item_cond_op",
    "detection_item_cond_not",
    "detection_item_cond_expr",
    "field_name_conditions",
    "field_name_cond_op",
    "field_name_cond_not",
    "field_name_cond_expr",
];

/// How deep `nest` may go.
const MAX_NESTING: usize = 8;

/// Something that cannot be read; reported and left out.
pub(super) struct Unreadable;

/// Reads a pipeline; none if there is an error in it.
pub fn read(source: SourceId, text: &str) -> (Option<Pipeline>, Vec<Diagnostic>) {
    let (documents, mut problems) = yaml::documents(source, text);
    let mut reader = Reader { problems: Vec::new(), failed: false };
    let pipeline = match documents.as_slice() {
        [only] if !only.broken => reader.pipeline(&only.node).ok(),
        [_, second, ..] => {
            reader.error(second.node.span, "a second pipeline in one file", "give each pipeline a file of its own");
            None
        }
        _ => {
            if problems.is_empty() {
                let span = Span::new(source, 0, 0);
                reader.error(span, "the file holds no pipeline", "a pipeline is a map with `transformations`");
            }
            None
        }
    };
    let failed = reader.failed || !problems.is_empty();
    problems.append(&mut reader.problems);
    (pipeline.filter(|_| !failed), problems)
}

/// Reads one pipeline and keeps what is wrong with it.
pub(super) struct Reader {
    problems: Vec<Diagnostic>,
    failed: bool,
}

impl Reader {
    /// Reports an error.
    pub(super) fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) -> Unreadable {
        self.failed = true;
        let note = "the pipeline is not used, and no rule is read without it";
        self.problems.push(Diagnostic::error(codes::PIPELINE, message, span, "").note(note).help(help));
        Unreadable
    }

    fn warn(&mut self, span: Span, message: impl Into<String>, help: &str) {
        self.problems.push(Diagnostic::warning(codes::PIPELINE_PART, message, span, "has no effect here").help(help));
    }

    fn pipeline(&mut self, node: &Node) -> Result<Pipeline, Unreadable> {
        let entries = self.map(node, "the pipeline")?;
        let mut pipeline = Pipeline { name: String::new(), priority: 0, vars: BTreeMap::new(), steps: Vec::new() };
        for entry in entries {
            match entry.key.as_str() {
                "name" => pipeline.name = self.text(&entry.value)?,
                "description" => {}
                "priority" => pipeline.priority = self.int(&entry.value)?,
                "vars" => {
                    for var in self.map(&entry.value, "`vars`")? {
                        let values = self.texts(&var.value)?;
                        pipeline.vars.insert(var.key.value.clone(), values);
                    }
                }
                "transformations" => pipeline.steps = self.steps(&entry.value, 0),
                "allowed_backends" => {
                    self.warn(
                        entry.key.span,
                        "`allowed_backends` names programs that turn rules into queries",
                        "delete it, or leave it: the pipeline is used here whatever it says",
                    );
                }
                word @ ("postprocessing" | "finalizers") => {
                    let empty = matches!(&entry.value.kind, NodeKind::List(items) if items.is_empty());
                    if !empty {
                        let message = format!("`{word}` changes the text of queries, and there are none here");
                        self.warn(entry.key.span, message, "delete it, or leave it: rules are not changed by it");
                    }
                }
                _ => {
                    self.unknown(&entry.key, "a pipeline has no part", &PARTS);
                }
            }
        }
        Ok(pipeline)
    }

    /// Reads a list of steps; those with errors are reported and left out.
    pub(super) fn steps(&mut self, node: &Node, depth: usize) -> Vec<Step> {
        let NodeKind::List(items) = &node.kind else {
            self.error(node.span, "`transformations` is no list", "begin each with `- type: …`");
            return Vec::new();
        };
        items.iter().filter_map(|item| self.step(item, depth).ok()).collect()
    }

    fn step(&mut self, node: &Node, depth: usize) -> Result<Step, Unreadable> {
        let entries = self.map(node, "a transformation")?;
        if depth > MAX_NESTING {
            return Err(self.error(node.span, "transformations are nested too deep", "write them one after the other"));
        }
        let Some(kind) = entries.iter().find(|entry| entry.key.as_str() == "type") else {
            let span = entries.first().map_or(node.span, |entry| entry.key.span);
            return Err(self.error(span, "the transformation has no `type`", "add `type: field_name_mapping`"));
        };
        let word = self.text(&kind.value)?;
        let mut own = Parts::new(entries.iter().filter(|entry| !STEP_PARTS.contains(&entry.key.as_str())).collect());
        let change = read_change::change(self, &word, kind.value.span, &mut own, depth)?;
        own.finish(self, &word)?;
        let id = match entries.iter().find(|entry| entry.key.as_str() == "id") {
            Some(entry) => Some(self.text(&entry.value)?),
            None => None,
        };
        let rules = read_condition::conditions(self, entries, "rule", RULE, read_condition::rule)?;
        let items = read_condition::conditions(self, entries, "detection_item", ITEM, read_condition::item)?;
        let fields = read_condition::conditions(self, entries, "field_name", FIELD, read_condition::field)?;
        let whole = matches!(
            change,
            Change::AddCondition { .. }
                | Change::Logsource { .. }
                | Change::SetState(..)
                | Change::SetAttribute(..)
                | Change::RuleFailure(_)
                | Change::Nest(_)
        );
        if whole && !(items.list.is_empty() && fields.list.is_empty()) {
            let message = format!("`{word}` changes whole rules: conditions on items and fields have no meaning");
            return Err(self.error(kind.value.span, message, "use `rule_conditions`"));
        }
        Ok(Step { id, change, rules, items, fields, span: kind.value.span })
    }

    /// Reports a key that is not known.
    pub(super) fn unknown(&mut self, key: &Text, place: &str, known: &[&str]) -> Unreadable {
        let help = match nearest(key.as_str(), known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", known.join(", ")),
        };
        self.error(key.span, format!("{place} `{}`", key.as_str()), help)
    }

    /// The pairs of a map.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> Result<&'n [Entry], Unreadable> {
        match &node.kind {
            NodeKind::Map(entries) => Ok(entries),
            _ => Err(self.error(node.span, format!("{what} is no map"), "write `name: value` lines")),
        }
    }

    /// A single value.
    pub(super) fn scalar(&mut self, node: &Node) -> Result<Scalar, Unreadable> {
        let NodeKind::Scalar(scalar) = &node.kind else {
            return Err(self.error(node.span, "a single value is needed here", "write one value"));
        };
        Ok(match scalar.resolve() {
            Resolved::Null => Scalar::Null,
            Resolved::Bool(value) => Scalar::Bool(value),
            Resolved::Int(value) => Scalar::Int(value),
            Resolved::Float(value) => Scalar::Float(value),
            Resolved::Str => Scalar::Text(scalar.text.clone()),
        })
    }

    /// A list of single values, or one of them.
    pub(super) fn scalars(&mut self, node: &Node) -> Result<Vec<Scalar>, Unreadable> {
        match &node.kind {
            NodeKind::List(items) => items.iter().map(|item| self.scalar(item)).collect(),
            _ => Ok(vec![self.scalar(node)?]),
        }
    }

    /// A text as written; numbers and bools are texts too.
    pub(super) fn text(&mut self, node: &Node) -> Result<String, Unreadable> {
        match &node.kind {
            NodeKind::Scalar(scalar) if scalar.resolve() != Resolved::Null => Ok(scalar.text.clone()),
            _ => Err(self.error(node.span, "a text is needed here", "write one text")),
        }
    }

    /// A list of texts, or one of them.
    pub(super) fn texts(&mut self, node: &Node) -> Result<Vec<String>, Unreadable> {
        match &node.kind {
            NodeKind::List(items) => items.iter().map(|item| self.text(item)).collect(),
            _ => Ok(vec![self.text(node)?]),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, node: &Node) -> Result<bool, Unreadable> {
        match self.scalar(node)? {
            Scalar::Bool(value) => Ok(value),
            _ => Err(self.error(node.span, "neither true nor false", "write `true` or `false`")),
        }
    }

    fn int(&mut self, node: &Node) -> Result<i64, Unreadable> {
        match self.scalar(node)? {
            Scalar::Int(value) => Ok(i64::try_from(value).unwrap_or(i64::MAX)),
            _ => Err(self.error(node.span, "a whole number is needed here", "write a number such as `10`")),
        }
    }
}

/// The parts of a change or condition, taken one by one; what is left over is not known.
pub(super) struct Parts<'n> {
    left: Vec<&'n Entry>,
    asked: Vec<&'static str>,
}

impl<'n> Parts<'n> {
    /// All of them.
    pub(super) fn new(left: Vec<&'n Entry>) -> Self {
        Self { left, asked: Vec::new() }
    }

    /// The value of a part, if it is written.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'n Node> {
        self.asked.push(key);
        let at = self.left.iter().position(|entry| entry.key.as_str() == key)?;
        Some(&self.left.remove(at).value)
    }

    /// The value of a part that must be written.
    pub(super) fn need(
        &mut self,
        reader: &mut Reader,
        key: &'static str,
        what: &str,
        span: Span,
    ) -> Result<&'n Node, Unreadable> {
        self.take(key)
            .ok_or_else(|| reader.error(span, format!("`{what}` needs `{key}`"), format!("add `{key}: …` to it")))
    }

    /// Reports what nobody has taken.
    pub(super) fn finish(self, reader: &mut Reader, what: &str) -> Result<(), Unreadable> {
        match self.left.first() {
            Some(entry) => Err(reader.unknown(&entry.key, &format!("`{what}` has no part"), &self.asked)),
            None => Ok(()),
        }
    }
}
