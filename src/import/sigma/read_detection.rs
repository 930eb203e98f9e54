//! Detection rules from YAML: selections, their items and values, conditions.

use super::model::{Detection, DetectionRule, Document, Head, Item, Selection, Text, Tree, Value, ValueKind};
use super::read::Reader;
use super::yaml::{Entry, Node, NodeKind, Resolved};
use crate::diag::codes::sigma as codes;
use crate::syntax::source::Span;

impl Reader {
    /// A document with `detection`.
    pub(super) fn detection_rule(&mut self, head: &Head, entries: &[Entry], part: &Entry) -> Option<Document> {
        let logsource = self.logsource(entries, head.span);
        let parts = self.map(part)?;
        let detection = self.detection(parts, part.value.span, part.key.span, &[])?;
        Some(Document::Detection(Box::new(DetectionRule { head: head.clone(), logsource: logsource?, detection })))
    }

    /// The selections and conditions of `detection` or `filter`; keys in `others` are somebody else's.
    pub(super) fn detection(&mut self, parts: &[Entry], span: Span, key: Span, others: &[&str]) -> Option<Detection> {
        let mut detection =
            Detection { selections: Vec::new(), conditions: Vec::new(), timeframe: None, besides: Vec::new(), span };
        for entry in parts {
            match entry.key.as_str() {
                "condition" => detection.conditions = self.texts(entry),
                "timeframe" => detection.timeframe = self.text(entry),
                word if others.contains(&word) => {}
                _ => {
                    if let Some(tree) = self.tree(&entry.value, &entry.key) {
                        detection.selections.push(Selection { name: entry.key.clone(), tree });
                    }
                }
            }
        }
        if detection.conditions.is_empty() {
            let help = match detection.selections.as_slice() {
                [only] => format!("add `condition: {}` to it", only.name.as_str()),
                _ => "add `condition: 1 of them`, or how the selections belong together".to_owned(),
            };
            self.error(codes::WRONG_PART, "there is no `condition`", key, help);
            return None;
        }
        Some(detection)
    }

    fn tree(&mut self, node: &Node, name: &Text) -> Option<Tree> {
        match &node.kind {
            NodeKind::Map(entries) if !entries.is_empty() => {
                let items: Vec<Item> = entries.iter().filter_map(|entry| self.item(entry)).collect();
                (items.len() == entries.len()).then_some(Tree::All(items, node.span))
            }
            NodeKind::List(members) if !members.is_empty() => self.any(members, node.span, name),
            NodeKind::Scalar(scalar) if scalar.resolve() != Resolved::Null => {
                Some(keywords(vec![value(node)?], false, node.span))
            }
            _ => {
                let message = format!("the selection `{}` is empty", name.as_str());
                self.error(codes::WRONG_PART, message, name.span, "say what it looks for, or delete it");
                None
            }
        }
    }

    /// A list: keywords side by side are one item, everything else is a member of its own.
    fn any(&mut self, members: &[Node], span: Span, name: &Text) -> Option<Tree> {
        let mut trees = Vec::new();
        let mut words: Vec<Value> = Vec::new();
        let mut complete = true;
        for member in members {
            match value(member) {
                Some(word) if word.kind != ValueKind::Null => words.push(word),
                _ => {
                    flush(&mut words, &mut trees);
                    match self.tree(member, name) {
                        Some(tree) => trees.push(tree),
                        None => complete = false,
                    }
                }
            }
        }
        flush(&mut words, &mut trees);
        complete.then(|| match trees.as_mut_slice() {
            [_] => trees.remove(0),
            _ => Tree::Any(trees, span),
        })
    }

    /// `field|modifier: values`
    fn item(&mut self, entry: &Entry) -> Option<Item> {
        let key = &entry.key;
        let mut words = Vec::new();
        let mut start = 0;
        for part in key.value.split('|') {
            let end = start + part.len();
            words.push(Text { value: part.to_owned(), span: key.part(start, end) });
            start = end + 1;
        }
        let field = words.remove(0);
        let nested = match &entry.value.kind {
            NodeKind::List(members) => members.iter().find(|member| !matches!(member.kind, NodeKind::Scalar(_))),
            NodeKind::Map(_) => Some(&entry.value),
            NodeKind::Scalar(_) => None,
        };
        if nested.is_some() {
            let message = format!("`{}` has values inside values", key.as_str());
            let help =
                "a field has a value or a list of values; a part of an object is a field of its own: `a.b: value`";
            self.error(codes::WRONG_PART, message, key.span, help);
            return None;
        }
        let (values, list) = match &entry.value.kind {
            NodeKind::List(members) => (members.iter().filter_map(value).collect(), true),
            _ => (value(&entry.value).into_iter().collect(), false),
        };
        let field = Some(field).filter(|field| !field.value.is_empty());
        Some(Item {
            field,
            also: Vec::new(),
            marks: Vec::new(),
            modifiers: words,
            values,
            list,
            span: key.span.to(entry.value.span),
        })
    }
}

fn flush(words: &mut Vec<Value>, trees: &mut Vec<Tree>) {
    if let (Some(first), Some(last)) = (words.first(), words.last()) {
        let span = first.span.to(last.span);
        trees.push(keywords(std::mem::take(words), true, span));
    }
}

fn keywords(values: Vec<Value>, list: bool, span: Span) -> Tree {
    Tree::All(
        vec![Item { field: None, also: Vec::new(), marks: Vec::new(), modifiers: Vec::new(), values, list, span }],
        span,
    )
}

/// A single value.
pub(super) fn value(node: &Node) -> Option<Value> {
    let NodeKind::Scalar(scalar) = &node.kind else { return None };
    let kind = match scalar.resolve() {
        Resolved::Null => ValueKind::Null,
        Resolved::Bool(value) => ValueKind::Bool(value),
        Resolved::Int(value) => ValueKind::Int(value),
        Resolved::Float(value) => ValueKind::Float(value),
        Resolved::Str => ValueKind::Str,
    };
    Some(Value { kind, text: scalar.text.clone(), span: node.span })
}
