//! YAML text as a tree of nodes with spans.
//!
//! Relies on `saphyr-parser` for the grammar (YAML 1.2) and builds the tree itself, so that a repeated key, a deep
//! nesting or an alias that multiplies the text is an error instead of a surprise. A document with an error does
//! not hide the others of its file: the text is cut at its `---` lines, where YAML allows nothing else to stand.
//!
//! Plain scalars are resolved as YAML 1.2 does: `yes` and `on` are texts, `true` is a bool, `~` and `null` are null.

use std::collections::{HashMap, hash_map};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::model::Text;
use crate::diag::Diagnostic;
use crate::diag::codes::sigma as codes;
use crate::syntax::source::{SourceId, Span};

/// Nesting of lists and maps in a document.
const MAX_DEPTH: usize = 64;

/// Nodes that aliases may add to a document.
const MAX_ALIASED: usize = 100_000;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Where it stands; a list or map from its first to its last character.
    pub span: Span,
}

/// The three forms of YAML values.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// A single value.
    Scalar(Scalar),
    /// `[a, b]`, or lines that begin with `-`.
    List(Vec<Node>),
    /// `key: value` pairs in written order; no key is there twice.
    Map(Vec<Entry>),
}

/// A pair of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: Text,
    /// Its value.
    pub value: Node,
}

/// A single value as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The text, quotes and escapes resolved.
    pub text: String,
    /// Written without quotes, so that it may be something else than a text.
    pub plain: bool,
}

/// What a scalar is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resolved {
    /// `null`, `~`, or nothing at all.
    Null,
    /// `true`, `false`
    Bool(bool),
    /// `5`, `0x1F`, `0o17`
    Int(i128),
    /// `1.5`, `.inf`
    Float(f64),
    /// Anything else.
    Str,
}

impl Scalar {
    /// What the scalar is by YAML's core schema.
    pub fn resolve(&self) -> Resolved {
        if !self.plain {
            return Resolved::Str;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Resolved::Null,
            "true" | "True" | "TRUE" => Resolved::Bool(true),
            "false" | "False" | "FALSE" => Resolved::Bool(false),
            text => number(text),
        }
    }
}

fn number(text: &str) -> Resolved {
    let radix = |digits: &str, radix| {
        let plain = digits.bytes().all(|b| b.is_ascii_alphanumeric());
        i128::from_str_radix(digits, radix).ok().filter(|_| plain).map_or(Resolved::Str, Resolved::Int)
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.is_empty() {
        return Resolved::Str;
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_or(Resolved::Str, Resolved::Int);
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        None => (unsigned, "0"),
    };
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let dots = mantissa.bytes().filter(|b| *b == b'.').count();
    let is_float = digits > 0
        && dots <= 1
        && digits + dots == mantissa.len()
        && !exponent.is_empty()
        && exponent.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<f64>() {
        Ok(value) if is_float && value.is_finite() => Resolved::Float(value),
        _ => Resolved::Str,
    }
}

/// A document of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its value.
    pub node: Node,
    /// Something in it was reported and left out.
    pub broken: bool,
}

/// The documents of a text, and what is wrong with them. One that is no YAML is left out.
pub fn documents(source: SourceId, text: &str) -> (Vec<Document>, Vec<Diagnostic>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for (start, chunk) in chunks(text) {
        let builder = Builder::new(source, start, chunk);
        if let Err(problem) = builder.build(&mut found, &mut problems) {
            problems.push(*problem);
        }
    }
    (found, problems)
}

/// The text cut before each `---` line, with the byte at which each piece begins; pieces without content are left out.
fn chunks(text: &str) -> Vec<(usize, &str)> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let (mut found, mut begin, mut at) = (Vec::new(), start, start);
    for line in text[start..].split_inclusive('\n') {
        let is_marker =
            line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        if is_marker && at > begin {
            found.push((begin, &text[begin..at]));
            begin = at;
        }
        at += line.len();
    }
    found.push((begin, &text[begin..]));
    found.retain(|(_, chunk)| {
        chunk.lines().any(|line| {
            let line = line.strip_prefix("---").unwrap_or(line).trim();
            !line.is_empty() && !line.starts_with('#') && !line.starts_with('%')
        })
    });
    found
}

/// A list or map that is being read.
struct Open {
    start: Span,
    anchor: usize,
    items: Vec<Node>,
    map: Option<OpenMap>,
}

/// The pairs of a map so far.
#[derive(Default)]
struct OpenMap {
    entries: Vec<Entry>,
    /// Where each key stands first.
    seen: HashMap<String, Span>,
    /// The key that waits for its value.
    key: Option<Text>,
}

struct Builder<'t> {
    source: SourceId,
    start: usize,
    text: &'t str,
    /// The byte of each character, unless they are the same.
    bytes: Option<Vec<u32>>,
    anchors: HashMap<usize, (Node, usize)>,
    aliased: usize,
}

type Problem = Box<Diagnostic>;

impl<'t> Builder<'t> {
    fn new(source: SourceId, start: usize, text: &'t str) -> Self {
        let bytes = (!text.is_ascii()).then(|| {
            let ends = std::iter::once(text.len());
            text.char_indices().map(|(at, _)| at).chain(ends).map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect()
        });
        Self { source, start, text, bytes, anchors: HashMap::new(), aliased: 0 }
    }

    fn byte(&self, character: usize) -> usize {
        let at = match &self.bytes {
            Some(bytes) => bytes.get(character).map_or(self.text.len(), |at| *at as usize),
            None => character.min(self.text.len()),
        };
        self.start + at
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        Span::new(self.source, self.byte(span.start.index()), self.byte(span.end.index()))
    }

    fn scan_error(&self, error: &ScanError) -> Problem {
        let at = self.byte(error.marker().index());
        let span = Span::new(self.source, at, at);
        let report = Diagnostic::error(codes::NOT_YAML, format!("this is not YAML: {}", error.info()), span, "here")
            .note("no rule of this document is read");
        let tab = self.text.lines().any(|line| line.trim_start_matches(' ').starts_with('\t'));
        Box::new(report.help(if tab {
            "indent with spaces: YAML takes no tabs there"
        } else {
            "quote texts that hold `: `, ` #`, or begin with one of `*&!|>%@[{'\"`"
        }))
    }

    fn problem(&self, span: Span, message: impl Into<String>, help: &str) -> Problem {
        let report = Diagnostic::error(codes::NOT_YAML, message, span, "here").help(help);
        Box::new(report.note("no rule of this document is read"))
    }

    /// Reads the events; each finished document goes to `found`. A repeated key is reported and read on.
    fn build(mut self, found: &mut Vec<Document>, problems: &mut Vec<Diagnostic>) -> Result<(), Problem> {
        let mut open: Vec<Open> = Vec::new();
        let mut broken = false;
        for event in Parser::new_from_str(self.text) {
            let (event, span) = event.map_err(|error| self.scan_error(&error))?;
            let span = self.span(span);
            let (node, anchor) = match event {
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => continue,
                Event::DocumentStart(_) => {
                    self.anchors.clear();
                    self.aliased = 0;
                    broken = false;
                    continue;
                }
                Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                    if open.len() >= MAX_DEPTH {
                        let message = format!("more than {MAX_DEPTH} levels of nesting");
                        return Err(self.problem(span, message, "a Sigma rule has four or five levels"));
                    }
                    let map = matches!(event, Event::MappingStart(..)).then(OpenMap::default);
                    open.push(Open { start: span, anchor, items: Vec::new(), map });
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let Some(done) = open.pop() else { continue };
                    let end = done.items.last().map(|item| item.span);
                    let (kind, end) = match done.map {
                        Some(OpenMap { entries, .. }) => {
                            let end = entries.last().map(|entry| entry.key.span.to(entry.value.span));
                            (NodeKind::Map(entries), end)
                        }
                        None => (NodeKind::List(done.items), end),
                    };
                    // A block ends where the next one begins: what counts is its last value.
                    let flow = self.text.as_bytes().get(done.start.start as usize - self.start);
                    let end = if matches!(flow, Some(b'[' | b'{')) { span } else { end.unwrap_or(done.start) };
                    (Node { kind, span: done.start.to(end) }, done.anchor)
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let plain = self.is_plain(style, tag.as_deref(), span)?;
                    let text = text.into_owned();
                    (Node { kind: NodeKind::Scalar(Scalar { text, plain }), span }, anchor)
                }
                Event::Alias(anchor) => {
                    let Some((node, size)) = self.anchors.get(&anchor) else {
                        return Err(self.problem(span, "the alias has no anchor", "write the value out"));
                    };
                    self.aliased += size;
                    if self.aliased > MAX_ALIASED {
                        let message = format!("aliases add more than {MAX_ALIASED} values");
                        return Err(self.problem(span, message, "write the values out"));
                    }
                    (node.clone(), 0)
                }
            };
            if anchor != 0 {
                let size = size(&node);
                self.anchors.insert(anchor, (node.clone(), size));
            }
            let Some(parent) = open.last_mut() else {
                found.push(Document { node, broken });
                continue;
            };
            match &mut parent.map {
                None => parent.items.push(node),
                Some(map) => match map.key.take() {
                    None => map.key = Some(self.key(node)?),
                    Some(key) => match map.seen.entry(key.value.clone()) {
                        hash_map::Entry::Occupied(first) => {
                            problems.push(repeated(&key, *first.get()));
                            broken = true;
                        }
                        hash_map::Entry::Vacant(free) => {
                            free.insert(key.span);
                            map.entries.push(Entry { key, value: node });
                        }
                    },
                },
            }
        }
        Ok(())
    }

    fn key(&self, node: Node) -> Result<Text, Problem> {
        match node.kind {
            NodeKind::Scalar(scalar) if scalar.plain && scalar.text == "<<" => Err(self.problem(
                node.span,
                "merge keys are not part of YAML 1.2",
                "write the keys out, or put what documents share into one with `action: global`",
            )),
            NodeKind::Scalar(scalar) => Ok(Text { value: scalar.text, span: node.span }),
            _ => Err(self.problem(node.span, "a key must be a single value", "write `name: value`")),
        }
    }

    /// Whether a scalar is resolved by its text. A tag may make it a text; tags of other kinds are refused.
    fn is_plain(&self, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<bool, Problem> {
        let plain = style == ScalarStyle::Plain;
        let Some(tag) = tag else { return Ok(plain) };
        match tag.suffix.as_str() {
            "str" if tag.is_yaml_core_schema() => return Ok(false),
            "int" | "float" | "bool" | "null" if tag.is_yaml_core_schema() => return Ok(true),
            _ => {}
        }
        Err(self.problem(span, "a tag that rules have no use for", "delete the tag: the part that begins with `!`"))
    }
}

/// The values in a node, itself included.
fn size(node: &Node) -> usize {
    match &node.kind {
        NodeKind::Scalar(_) => 1,
        NodeKind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        NodeKind::Map(entries) => 1 + entries.iter().map(|entry| size(&entry.value)).sum::<usize>(),
    }
}

fn repeated(key: &Text, first: Span) -> Diagnostic {
    let message = format!("the key `{}` is written twice", key.value);
    Diagnostic::error(codes::REPEATED_KEY, message, key.span, "again here")
        .label(first, "first here")
        .note("YAML keeps one of the two and drops the other, so half of what is written would be lost; no rule of this document is read")
        .help("give both values as a list under one key, or the second selection a name of its own")
}
