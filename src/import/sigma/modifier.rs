//! The modifiers behind a field's name: which there are, and which go together.
//!
//! What decides how a value is compared (`re`, `cidr`, `gt`, …) takes the value as it is written, so it comes first.
//! What transforms a value is applied in written order. `all`, `neq` and `cased` may stand anywhere.

use super::lower::Lowerer;
use super::model::{Item, Text};
use crate::diag::codes::sigma as codes;
use crate::syntax::ast::BinaryOp;
use crate::syntax::source::Span;
use crate::syntax::spelling::nearest;

/// How values of an item are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// As texts with wildcards.
    Text,
    /// As regular expressions, with their flags.
    Regex {
        /// `i`
        fold: bool,
        /// `m`
        lines: bool,
        /// `s`
        dot_all: bool,
    },
    /// As networks.
    Cidr,
    /// By order.
    Compare(BinaryOp),
    /// Whether the field is there.
    Exists,
    /// With another field.
    Field,
}

/// What is made of a value before it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transform {
    /// `contains`
    Contains,
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `base64`
    Base64,
    /// `base64offset`
    Base64Offset,
    /// `wide`, `utf16le`
    Utf16Le,
    /// `utf16be`
    Utf16Be,
    /// `utf16`
    Utf16,
    /// `windash`
    WinDash,
}

/// The modifiers of an item, in order.
#[derive(Clone, Debug)]
pub(super) struct Modifiers {
    /// How values are compared.
    pub(super) kind: Kind,
    /// What is made of them before, each with its place.
    pub(super) transforms: Vec<(Transform, Span)>,
    /// `hour` and its kin: the function that takes this part of a time.
    pub(super) time_part: Option<&'static str>,
    /// `all`: every value.
    pub(super) all: bool,
    /// `neq`: none of them.
    pub(super) neq: bool,
    /// `cased`
    pub(super) cased: bool,
}

/// A word's meaning.
#[derive(Clone, Copy)]
enum Word {
    Kind(Kind),
    Flag,
    Transform(Transform),
    Time(&'static str),
    All,
    Neq,
    Cased,
    Expand,
}

const REGEX: Kind = Kind::Regex { fold: false, lines: false, dot_all: false };

const WORDS: [(&str, Word); 38] = [
    ("contains", Word::Transform(Transform::Contains)),
    ("startswith", Word::Transform(Transform::StartsWith)),
    ("endswith", Word::Transform(Transform::EndsWith)),
    ("all", Word::All),
    ("re", Word::Kind(REGEX)),
    ("i", Word::Flag),
    ("ignorecase", Word::Flag),
    ("m", Word::Flag),
    ("multiline", Word::Flag),
    ("s", Word::Flag),
    ("dotall", Word::Flag),
    ("base64", Word::Transform(Transform::Base64)),
    ("base64offset", Word::Transform(Transform::Base64Offset)),
    ("utf16", Word::Transform(Transform::Utf16)),
    ("utf16le", Word::Transform(Transform::Utf16Le)),
    ("utf16be", Word::Transform(Transform::Utf16Be)),
    ("wide", Word::Transform(Transform::Utf16Le)),
    ("windash", Word::Transform(Transform::WinDash)),
    ("cidr", Word::Kind(Kind::Cidr)),
    ("lt", Word::Kind(Kind::Compare(BinaryOp::Lt))),
    ("lte", Word::Kind(Kind::Compare(BinaryOp::Le))),
    ("gt", Word::Kind(Kind::Compare(BinaryOp::Gt))),
    ("gte", Word::Kind(Kind::Compare(BinaryOp::Ge))),
    ("exists", Word::Kind(Kind::Exists)),
    ("fieldref", Word::Kind(Kind::Field)),
    ("expand", Word::Expand),
    ("cased", Word::Cased),
    ("neq", Word::Neq),
    ("minute", Word::Time("minute")),
    ("hour", Word::Time("hour")),
    ("day", Word::Time("day")),
    ("week", Word::Time("week")),
    ("month", Word::Time("month")),
    ("year", Word::Time("year")),
    // Words of other tools, so that near ones are not proposed for them.
    ("lowercase", Word::Flag),
    ("uppercase", Word::Flag),
    ("regex", Word::Flag),
    ("not", Word::Flag),
];

/// How many of [`WORDS`] Sigma has.
const KNOWN: usize = 34;

impl Lowerer<'_> {
    /// The modifiers of an item; none if they are wrong, which is reported.
    pub(super) fn modifiers(&mut self, item: &Item) -> Option<Modifiers> {
        let mut found = Modifiers {
            kind: Kind::Text,
            transforms: Vec::new(),
            time_part: None,
            all: false,
            neq: false,
            cased: false,
        };
        let mut before: Vec<&Text> = Vec::new();
        for word in &item.modifiers {
            let Some((_, meaning)) = WORDS[..KNOWN].iter().find(|(known, _)| *known == word.as_str()) else {
                self.unknown_modifier(word);
                return None;
            };
            if before.iter().any(|other| other.as_str() == word.as_str()) {
                self.chain(word, format!("`{}` is written twice", word.as_str()), "delete one of the two");
                return None;
            }
            let free = |other: &&Text| matches!(other.as_str(), "all" | "neq" | "cased");
            let first = before.iter().find(|other| !free(other)).copied();
            match meaning {
                Word::All => found.all = true,
                Word::Neq => found.neq = true,
                Word::Cased => found.cased = true,
                Word::Expand => {
                    self.placeholder(item, word);
                    return None;
                }
                Word::Kind(Kind::Compare(op)) if found.time_part.is_some() && found.kind == Kind::Text => {
                    found.kind = Kind::Compare(*op);
                }
                Word::Kind(kind) => {
                    if let Some(first) = first {
                        let message = format!("`{}` cannot follow `{}`", word.as_str(), first.as_str());
                        self.chain(word, message, "it takes the value as it is written, so it comes first");
                        return None;
                    }
                    found.kind = *kind;
                }
                Word::Flag => {
                    let Kind::Regex { fold, lines, dot_all } = &mut found.kind else {
                        let message = format!("`{}` is a flag of regular expressions", word.as_str());
                        self.chain(word, message, "write it behind `re`: `field|re|i`; texts fold case without it");
                        return None;
                    };
                    match &word.as_str()[..1] {
                        "i" => *fold = true,
                        "m" => *lines = true,
                        _ => *dot_all = true,
                    }
                }
                Word::Time(part) => {
                    let can = matches!(found.kind, Kind::Text | Kind::Compare(_)) && found.time_part.is_none();
                    if !can || !found.transforms.is_empty() {
                        let message = format!("`{}` does not go with the modifiers before it", word.as_str());
                        self.chain(word, message, "it stands alone, or with `lt`, `lte`, `gt`, `gte` or `neq`");
                        return None;
                    }
                    found.time_part = Some(part);
                }
                Word::Transform(transform) => {
                    let placed = matches!(transform, Transform::Contains | Transform::StartsWith | Transform::EndsWith);
                    let can = found.kind == Kind::Text || (found.kind == Kind::Field && placed);
                    if !can || found.time_part.is_some() {
                        let what = first.map_or("", |first| first.as_str());
                        let help = if matches!(found.kind, Kind::Regex { .. }) {
                            "a regular expression is found anywhere in the value: anchor it with `^` and `$` where it must not"
                        } else {
                            "it is for texts"
                        };
                        self.chain(word, format!("`{}` cannot follow `{what}`", word.as_str()), help);
                        return None;
                    }
                    found.transforms.push((*transform, word.span));
                }
            }
            before.push(word);
        }
        if found.cased && !(found.kind == Kind::Text && found.time_part.is_none() || found.kind == Kind::Field) {
            let word = item.modifiers.iter().find(|word| word.as_str() == "cased");
            if let Some(word) = word {
                self.chain(word, "`cased` has no effect here".to_owned(), "delete it");
                return None;
            }
        }
        Some(found)
    }

    fn unknown_modifier(&mut self, word: &Text) {
        let help = match (word.as_str(), nearest(word.as_str(), WORDS.iter().map(|(known, _)| *known))) {
            ("", _) => "delete the `|`, or write a modifier behind it".to_owned(),
            ("regex", _) => "write `re`".to_owned(),
            ("not", _) => "write `neq`, or exclude a selection in the condition".to_owned(),
            ("lowercase" | "uppercase", _) => "texts are compared without regard to case anyway".to_owned(),
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (_, None) => "`contains`, `startswith`, `endswith`, `re` and `cidr` are the most common ones".to_owned(),
        };
        self.error(codes::UNKNOWN_MODIFIER, format!("there is no modifier `{}`", word.as_str()), word.span, help);
    }

    fn chain(&mut self, word: &Text, message: String, help: &str) {
        self.error(codes::WRONG_MODIFIERS, message, word.span, help);
    }

    fn placeholder(&mut self, item: &Item, word: &Text) {
        let value = item.values.iter().find(|value| value.text.contains('%'));
        let (message, span) = match value {
            Some(value) => (format!("nothing is known of the placeholder in `{}`", value.text), value.span),
            None => ("`expand` has no placeholder to expand".to_owned(), word.span),
        };
        let help =
            "give the values in a pipeline (`value_placeholders` and `vars`), or write them here without `expand`";
        self.error(codes::PLACEHOLDER, message, span, help);
    }
}
