//! The decoded form of an event: one [`Slot`] per field path, pointing into the block or into an [`Arena`].
//!
//! A slot is 16 bytes and `Copy`. It means something only beside the block and the arena it was filled from.

use std::sync::OnceLock;

use super::scan::unescape;
use crate::base::{Value, ValueRef};

/// The value of one field of one event.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Slot {
    /// Absent or `null`.
    #[default]
    Missing,
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits `i64`.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// Any other number; always finite.
    Float(f64),
    /// A text without escapes: bytes of the block.
    Str {
        /// First byte, from the start of the block.
        start: u32,
        /// Length in bytes.
        len: u32,
    },
    /// A text with escapes, which is made when it is asked for: index into the arena's list of them.
    Escaped(u32),
    /// A text that was made: bytes of [`Arena::text`].
    Text {
        /// First byte, from the start of the arena's text.
        start: u32,
        /// Length in bytes.
        len: u32,
    },
    /// A list or an object: index into [`Arena::values`].
    Complex(u32),
}

const _: () = assert!(size_of::<Slot>() <= 16);

impl Slot {
    /// The value, read from the block and the arena that the slot was filled from.
    #[inline]
    pub fn value<'a>(self, block: &'a str, arena: &'a Arena) -> ValueRef<'a> {
        match self {
            Self::Missing => ValueRef::Missing,
            Self::Bool(v) => ValueRef::Bool(v),
            Self::Int(v) => ValueRef::Int(v),
            Self::UInt(v) => ValueRef::UInt(v),
            Self::Float(v) => ValueRef::Float(v),
            Self::Str { start, len } => ValueRef::Str(part(block, start, len)),
            Self::Escaped(index) => {
                arena.escaped.get(index as usize).map_or(ValueRef::Missing, |text| text.value(block))
            }
            Self::Text { start, len } => ValueRef::Str(part(&arena.text, start, len)),
            Self::Complex(index) => arena.values.get(index as usize).map_or(ValueRef::Missing, Value::as_ref),
        }
    }

    /// Whether the field is absent or `null`.
    #[inline]
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Missing)
    }
}

#[inline]
fn part(text: &str, start: u32, len: u32) -> &str {
    let start = start as usize;
    &text[start..start + len as usize]
}

/// What the lines of one block need beside the block itself. Cleared and used again for the next block.
#[derive(Debug, Default)]
pub struct Arena {
    /// Texts that were made, one after the other.
    pub text: String,
    /// Texts with escapes: most are never asked for.
    escaped: Vec<Escaped>,
    /// Lists and objects.
    pub values: Vec<Value>,
    /// Scratch of the scanner; nothing in it outlives a line.
    pub(super) scratch: Scratch,
}

/// A text of the block with escapes of two characters.
#[derive(Debug)]
struct Escaped {
    start: u32,
    len: u32,
    /// What it means, once someone has asked.
    made: OnceLock<String>,
}

impl Escaped {
    fn value<'a>(&'a self, block: &str) -> ValueRef<'a> {
        ValueRef::Str(self.made.get_or_init(|| {
            let raw = part(block, self.start, self.len);
            let mut text = String::with_capacity(raw.len());
            unescape(raw, &mut text);
            text
        }))
    }
}

/// How much is in an arena.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    text: usize,
    escaped: usize,
    values: usize,
}

impl Arena {
    /// Forgets all texts and values and keeps the memory. Slots that point here must not be read any more.
    pub fn clear(&mut self) {
        self.back_to(Level { text: 0, escaped: 0, values: 0 });
    }

    pub(super) fn level(&self) -> Level {
        Level { text: self.text.len(), escaped: self.escaped.len(), values: self.values.len() }
    }

    /// Forgets what came after. Slots that point there must not be read any more.
    pub(super) fn back_to(&mut self, level: Level) {
        self.text.truncate(level.text);
        self.escaped.truncate(level.escaped);
        self.values.truncate(level.values);
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.escaped.len() * size_of::<Escaped>()
    }

    /// A text of the block with escapes of two characters and no others.
    #[inline]
    pub(super) fn escaped(&mut self, start: u32, len: u32) -> Slot {
        self.escaped.push(Escaped { start, len, made: OnceLock::new() });
        Slot::Escaped((self.escaped.len() - 1) as u32)
    }
}

/// What the scanner remembers within a line.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// By trie node: the number of the object in which its key was seen last.
    pub(super) seen: Vec<u64>,
    /// By field: the rank of the variant that filled its slot.
    pub(super) ranks: Vec<u32>,
    /// Numbers the objects met so far; never reused.
    pub(super) objects: u64,
    /// A key that had escapes.
    pub(super) key: String,
}

impl Scratch {
    /// Makes room for a trie. Stamps of another trie do no harm: object numbers are never reused.
    #[inline]
    pub(super) fn fit(&mut self, nodes: usize, fields: usize) {
        if self.seen.len() < nodes {
            self.seen.resize(nodes, 0);
        }
        if self.ranks.len() < fields {
            self.ranks.resize(fields, 0);
        }
    }
}
