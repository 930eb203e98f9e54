//! From YAML nodes to the model: which kind of document it is, what all kinds have, and the shapes of values.
//!
//! Everything wrong in a document is reported at once; a document with an error becomes [`Document::Refused`].
//! Keys that Sigma does not know are for others to read and pass; one that looks misspelt is reported.

use super::model::{Document, Head, Level, Logsource, Text};
use super::yaml::{self, Entry, Node, NodeKind, Resolved};
use crate::diag::codes::sigma as codes;
use crate::diag::{Code, Diagnostic};
use crate::syntax::source::{SourceId, Span};
use crate::syntax::spelling::nearest;

/// The keys of a document that Sigma defines.
const KEYS: [&str; 22] = [
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "logsource",
    "detection",
    "correlation",
    "filter",
    "fields",
    "falsepositives",
    "level",
    "tags",
    "scope",
    "generate",
];

/// The levels with their words.
const LEVELS: [(&str, Level); 5] = [
    ("informational", Level::Informational),
    ("low", Level::Low),
    ("medium", Level::Medium),
    ("high", Level::High),
    ("critical", Level::Critical),
];

/// Reads every document of a text.
pub fn read(source: SourceId, text: &str) -> (Vec<Document>, Vec<Diagnostic>) {
    let (documents, mut problems) = yaml::documents(source, text);
    let documents = super::actions::carry_out(documents, &mut problems);
    let mut found = Vec::with_capacity(documents.len());
    for yaml::Document { node, broken } in documents {
        let mut reader = Reader { problems: Vec::new(), failed: broken };
        if let Some(document) = reader.document(&node) {
            found.push(document);
        }
        problems.append(&mut reader.problems);
    }
    problems.sort_by_key(|d| d.labels.first().map(|label| label.span.start));
    (found, problems)
}

/// Reads one document.
pub(super) struct Reader {
    problems: Vec<Diagnostic>,
    failed: bool,
}

impl Reader {
    /// Reports an error in the document, which is then refused.
    pub(super) fn error(&mut self, code: Code, message: impl Into<String>, span: Span, help: impl Into<String>) {
        self.failed = true;
        self.problems
            .push(Diagnostic::error(code, message, span, "").note("the rule of this document is refused").help(help));
    }

    fn document(&mut self, node: &Node) -> Option<Document> {
        let NodeKind::Map(entries) = &node.kind else {
            if !matches!(&node.kind, NodeKind::Scalar(scalar) if scalar.resolve() == Resolved::Null) {
                self.error(
                    codes::WRONG_PART,
                    "this is no Sigma rule",
                    node.span,
                    "a rule is a map: `title: …`, `detection: …`",
                );
            }
            return None;
        };
        let head = self.head(entries, node.span);
        let kinds: Vec<&Entry> =
            entries.iter().filter(|e| matches!(e.key.as_str(), "detection" | "correlation" | "filter")).collect();
        let document = match kinds.as_slice() {
            [kind] => match kind.key.as_str() {
                "detection" => self.detection_rule(&head, entries, kind),
                "correlation" => self.correlation_rule(&head, entries, kind),
                _ => self.filter_rule(&head, entries, kind),
            },
            [] => {
                let near = entries.iter().find_map(|e| {
                    nearest(e.key.as_str(), ["detection", "correlation", "filter"]).map(|near| (e.key.span, near))
                });
                let help = match near {
                    Some((_, near)) => format!("did you mean `{near}`?"),
                    None => "a Sigma document has one of `detection`, `correlation` and `filter`".to_owned(),
                };
                let span = near.map_or_else(|| first_line(entries, node.span), |(span, _)| span);
                self.error(codes::WRONG_PART, "the document says nothing to look for", span, help);
                None
            }
            [_, second, ..] => {
                let message = format!("`{}` beside `{}` in one document", second.key.as_str(), kinds[0].key.as_str());
                self.error(codes::WRONG_PART, message, second.key.span, "write two documents, with `---` between them");
                None
            }
        };
        Some(match document {
            Some(document) if !self.failed => document,
            _ => Document::Refused(Box::new(head)),
        })
    }

    fn head(&mut self, entries: &[Entry], span: Span) -> Head {
        let mut head = Head {
            title: None,
            id: None,
            name: None,
            status: None,
            level: None,
            description: None,
            author: None,
            references: Vec::new(),
            tags: Vec::new(),
            false_positives: Vec::new(),
            date: None,
            modified: None,
            taxonomy: None,
            fields: Vec::new(),
            span,
        };
        for entry in entries {
            match entry.key.as_str() {
                "title" => head.title = self.text(entry),
                "id" => head.id = self.text(entry),
                "name" => head.name = self.text(entry),
                "status" => head.status = self.text(entry),
                "description" => head.description = self.text(entry),
                "date" => head.date = self.text(entry),
                "modified" => head.modified = self.text(entry),
                "taxonomy" => head.taxonomy = self.text(entry),
                "author" => head.author = joined(self.texts(entry), entry.value.span),
                "references" => head.references = self.texts(entry),
                "tags" => head.tags = self.texts(entry),
                "falsepositives" => head.false_positives = self.texts(entry),
                "fields" => head.fields = self.texts(entry),
                "level" => head.level = self.level(entry),
                word if KEYS.contains(&word) => {}
                word => {
                    if let Some(near) = nearest(word, KEYS) {
                        let message = format!("`{word}` is no part of Sigma, and `{near}` is");
                        self.problems.push(
                            Diagnostic::warning(codes::UNKNOWN_KEY_HINT, message, entry.key.span, "is not read")
                                .help(format!("did you mean `{near}`?"))
                                .fix(entry.key.span, near),
                        );
                    }
                }
            }
        }
        head
    }

    fn level(&mut self, entry: &Entry) -> Option<(Level, Span)> {
        let text = self.text(entry)?;
        let found = LEVELS.iter().find(|(word, _)| *word == text.as_str());
        if found.is_none() {
            let words: Vec<&str> = LEVELS.iter().map(|(word, _)| *word).collect();
            self.one_of("level", &text, &words);
        }
        found.map(|(_, level)| (*level, text.span))
    }

    /// Reports a word that is none of those that can be.
    pub(super) fn one_of(&mut self, what: &str, text: &Text, words: &[&str]) {
        let help = match nearest(text.as_str(), words.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", listed(words)),
        };
        self.error(codes::WRONG_PART, format!("`{}` is no {what}", text.as_str()), text.span, help);
    }

    /// `logsource`. Every part narrows what the rule is about, so one that is not known is not passed over.
    pub(super) fn logsource(&mut self, entries: &[Entry], span: Span) -> Option<Logsource> {
        let Some(entry) = entries.iter().find(|entry| entry.key.as_str() == "logsource") else {
            let help = "add which events it is about: `logsource: {category: process_creation, product: windows}`";
            self.error(codes::WRONG_PART, "the rule has no `logsource`", first_line(entries, span), help);
            return None;
        };
        let parts = self.map(entry)?;
        let mut logsource =
            Logsource { category: None, product: None, service: None, definition: None, span: entry.value.span };
        for part in parts {
            match part.key.as_str() {
                "category" => logsource.category = self.text(part),
                "product" => logsource.product = self.text(part),
                "service" => logsource.service = self.text(part),
                "definition" => logsource.definition = self.text(part),
                _ => self.unknown_key("logsource", &part.key, &["category", "product", "service", "definition"]),
            }
        }
        Some(logsource)
    }

    /// Reports a key in a place where all keys are known.
    pub(super) fn unknown_key(&mut self, place: &str, key: &Text, known: &[&str]) {
        let help = match nearest(key.as_str(), known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", listed(known)),
        };
        self.error(codes::UNKNOWN_KEY, format!("`{place}` has no part `{}`", key.as_str()), key.span, help);
    }

    /// The pairs of a map; anything else is reported.
    pub(super) fn map<'n>(&mut self, entry: &'n Entry) -> Option<&'n [Entry]> {
        match &entry.value.kind {
            NodeKind::Map(entries) => Some(entries),
            _ => {
                let message = format!("`{}` is no map", entry.key.as_str());
                self.error(codes::WRONG_PART, message, shown(entry), "write `name: value` lines below it");
                None
            }
        }
    }

    /// A single value as a text; none for null. Anything else is reported.
    pub(super) fn text(&mut self, entry: &Entry) -> Option<Text> {
        match &entry.value.kind {
            NodeKind::Scalar(_) => Self::scalar_text(&entry.value),
            _ => {
                let message = format!("`{}` is no single value", entry.key.as_str());
                self.error(codes::WRONG_PART, message, shown(entry), "write one text after the colon");
                None
            }
        }
    }

    /// A list of single values, or one of them; nulls are left out. Anything else is reported.
    pub(super) fn texts(&mut self, entry: &Entry) -> Vec<Text> {
        let wrong = match &entry.value.kind {
            NodeKind::Scalar(_) => return Self::scalar_text(&entry.value).into_iter().collect(),
            NodeKind::List(items) if items.iter().all(|item| matches!(item.kind, NodeKind::Scalar(_))) => {
                return items.iter().filter_map(Self::scalar_text).collect();
            }
            _ => format!("`{}` is no list of texts", entry.key.as_str()),
        };
        let help = "write a list of texts; one that holds `: ` needs quotes";
        self.error(codes::WRONG_PART, wrong, shown(entry), help);
        Vec::new()
    }

    /// The text of a scalar that is not null.
    pub(super) fn scalar_text(node: &Node) -> Option<Text> {
        match &node.kind {
            NodeKind::Scalar(scalar) if scalar.resolve() != Resolved::Null => {
                Some(Text { value: scalar.text.clone(), span: node.span })
            }
            _ => None,
        }
    }
}

/// Where to point for a value of the wrong shape: its key, which is one line.
fn shown(entry: &Entry) -> Span {
    entry.key.span
}

/// Where to point for a document: its first key.
pub(super) fn first_line(entries: &[Entry], span: Span) -> Span {
    entries.first().map_or(span, |entry| entry.key.span)
}

fn joined(texts: Vec<Text>, span: Span) -> Option<Text> {
    match texts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        _ => Some(Text { value: texts.iter().map(Text::as_str).collect::<Vec<_>>().join(", "), span }),
    }
}

/// `a`, `b` and `c`
fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
