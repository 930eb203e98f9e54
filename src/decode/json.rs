//! One line of JSON to the slots of its fields, in one pass and without building the object.
//!
//! The contract, on which rules may rely:
//! - strict RFC 8259, the whole line, whichever fields are read; the root must be an object;
//! - of a repeated key the last value counts, at every level, and repeated keys on the way to a field are counted;
//! - integers outside `i64` and `u64` become floats, and a number that overflows a float rejects the line;
//! - half a surrogate pair in a string becomes U+FFFD and is counted: a sender must not be able to hide an event that
//!   way, so the line is kept;
//! - nesting beyond the limit rejects the line.
//!
//! Repeated keys need more than one pass: what an earlier value of the key gave must be forgotten, and what that had
//! displaced must come back. Such lines are rare, so the scan only notices them, and the line is then read again as a
//! tree.

use super::key_index::Fingerprint;
use super::path::{PathTrie, ROOT};
use super::reject::{JsonError, Reject};
use super::scan::{Number, Scan, Scanner, Span, unescape};
use super::slot::{Arena, Slot};
use super::tree::{Met, tree};
use crate::base::{FieldId, Value};

/// What the scanner met beside the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanStats {
    /// Keys that occurred again in the same object, on the way to a field that is read or inside its value.
    pub duplicate_keys: u64,
    /// Halves of surrogate pairs in strings that are read; each became U+FFFD.
    pub lone_surrogates: u64,
}

/// Fills the slots of the trie's fields from one line. `base` is the offset of the line in its block: texts point
/// there. Slots beyond the trie's fields are left alone.
///
/// # Errors
/// The line is not one JSON object as described above. All slots are then missing, and the arena is as it was.
///
/// # Panics
/// If there are fewer slots than the trie has fields.
pub fn extract(
    line: &str,
    base: u32,
    trie: &PathTrie,
    slots: &mut [Slot],
    arena: &mut Arena,
    stats: &mut ScanStats,
) -> Result<(), JsonError> {
    let slots = &mut slots[..trie.fields()];
    slots.fill(Slot::Missing);
    arena.scratch.fit(trie.nodes(), trie.fields());
    let before = arena.level();
    let scan = Scanner::new(line, trie.max_depth());
    let mut walk = Walk { scan, base, trie, slots, arena, met: Met::default(), repeated: 0 };
    let mut result = walk.root();
    if result.is_ok() && walk.repeated > 0 {
        walk.arena.back_to(before);
        result = walk.read_again();
    }
    if let (Ok(()), Some(field)) = (&result, trie.whole()) {
        result = walk.whole(field);
    }
    if result.is_ok() {
        stats.duplicate_keys += walk.met.duplicate_keys + walk.repeated;
        stats.lone_surrogates += walk.met.lone_surrogates;
        return Ok(());
    }
    let failure = walk.scan.failure();
    slots.fill(Slot::Missing);
    arena.back_to(before);
    Err(failure)
}

struct Walk<'a, 'b> {
    scan: Scanner<'a>,
    base: u32,
    trie: &'b PathTrie,
    slots: &'b mut [Slot],
    arena: &'b mut Arena,
    met: Met,
    repeated: u64,
}

impl Walk<'_, '_> {
    fn root(&mut self) -> Scan<()> {
        if self.scan.space() != Some(b'{') {
            return self.scan.error(Reject::NotAnObject);
        }
        self.object(ROOT, 0)?;
        match self.scan.space() {
            None => Ok(()),
            Some(_) => self.scan.error(Reject::TrailingData),
        }
    }

    /// The cursor stands on the brace of an object that belongs to an inner node. Recurses as deep as the trie.
    fn object(&mut self, node: u32, depth: usize) -> Scan<()> {
        let depth = self.scan.deeper(depth)?;
        self.arena.scratch.objects += 1;
        let number = self.arena.scratch.objects;
        self.scan.pos += 1;
        if self.scan.space() == Some(b'}') {
            self.scan.pos += 1;
            return Ok(());
        }
        loop {
            let key = self.scan.key()?;
            match self.child(node, key) {
                None => self.scan.skip(depth)?,
                Some(child) => {
                    let seen = &mut self.arena.scratch.seen[child as usize];
                    self.repeated += u64::from(*seen == number);
                    *seen = number;
                    self.value(child, depth)?;
                }
            }
            match self.scan.space() {
                Some(b',') => {
                    self.scan.pos += 1;
                    self.scan.space();
                }
                Some(b'}') => {
                    self.scan.pos += 1;
                    return Ok(());
                }
                _ => return self.scan.error(Reject::Syntax),
            }
        }
    }

    #[inline]
    fn child(&mut self, node: u32, key: Span) -> Option<u32> {
        if !key.escaped {
            return self.trie.child(node, self.scan.raw(key), || self.scan.fingerprint(key));
        }
        let plain = &mut self.arena.scratch.key;
        plain.clear();
        unescape(self.scan.text(key), plain);
        self.trie.child(node, plain.as_bytes(), || Fingerprint::new(plain.as_bytes()))
    }

    /// The cursor stands on a value that some path leads to.
    #[inline]
    fn value(&mut self, node: u32, depth: usize) -> Scan<()> {
        let at = self.trie.node(node);
        let wanted = !at.ends.is_empty();
        let slot = match self.scan.peek() {
            Some(b'"') if wanted => self.string()?,
            Some(b'-' | b'0'..=b'9') if wanted => number(self.scan.number()?),
            Some(b't') => {
                self.scan.literal("true")?;
                Slot::Bool(true)
            }
            Some(b'f') => {
                self.scan.literal("false")?;
                Slot::Bool(false)
            }
            Some(b'{') if at.is_inner() => {
                let start = self.scan.pos;
                self.object(node, depth)?;
                if !wanted {
                    return Ok(());
                }
                let end = self.scan.pos;
                self.scan.pos = start;
                let slot = self.complex(depth)?;
                debug_assert_eq!(self.scan.pos, end, "both passes end at the same brace");
                slot
            }
            Some(b'{' | b'[') if wanted => self.complex(depth)?,
            _ => return self.scan.skip(depth),
        };
        self.fill(node, slot);
        Ok(())
    }

    fn complex(&mut self, depth: usize) -> Scan<Slot> {
        let value = tree(&mut self.scan, depth, &mut self.met)?;
        Ok(self.keep(value))
    }

    fn keep(&mut self, value: Value) -> Slot {
        self.arena.values.push(value);
        Slot::Complex((self.arena.values.len() - 1) as u32)
    }

    #[inline]
    fn string(&mut self) -> Scan<Slot> {
        let units = self.scan.units;
        let span = self.scan.string()?;
        let (at, len) = (self.base + span.start, span.end - span.start);
        if !span.escaped {
            return Ok(Slot::Str { start: at, len });
        }
        if self.scan.units == units {
            return Ok(self.arena.escaped(at, len));
        }
        // Made at once, since halves of pairs are counted whether or not the field is asked for.
        let start = self.arena.text.len();
        self.met.lone_surrogates += unescape(self.scan.text(span), &mut self.arena.text);
        Ok(Slot::Text { start: start as u32, len: (self.arena.text.len() - start) as u32 })
    }

    #[inline]
    fn fill(&mut self, node: u32, slot: Slot) {
        for &(field, rank) in &self.trie.node(node).ends {
            let old: &mut Slot = &mut self.slots[FieldId::index(field)];
            let old_rank = &mut self.arena.scratch.ranks[field.index()];
            if old.is_missing() || rank < *old_rank {
                *old = slot;
                *old_rank = rank;
            }
        }
    }

    /// The line is good but has a repeated key: builds it, so that the last value of each key is known, and looks the
    /// fields up in that.
    #[cold]
    fn read_again(&mut self) -> Scan<()> {
        self.slots.fill(Slot::Missing);
        let repeated = std::mem::take(&mut self.repeated);
        self.met = Met::default();
        self.scan.pos = 0;
        self.scan.space();
        let mut met = Met::default();
        let root = tree(&mut self.scan, 0, &mut met)?;
        // Only the keys that the scan saw count: whether others are repeated is not known for any other line.
        self.repeated = repeated;
        self.met.lone_surrogates = met.lone_surrogates;
        self.look_up(ROOT, &root);
        Ok(())
    }

    /// Reads the line, which is good, once more, for the list of every scalar in it.
    fn whole(&mut self, field: FieldId) -> Scan<()> {
        self.scan.pos = 0;
        self.scan.space();
        let mut met = Met::default();
        let root = tree(&mut self.scan, 0, &mut met)?;
        // Every text is read now; repeated keys count as they do for other lines.
        self.met.lone_surrogates = met.lone_surrogates;
        let mut scalars = Vec::new();
        collect_scalars(root, &mut scalars);
        self.slots[field.index()] = self.keep(Value::List(scalars.into()));
        Ok(())
    }

    fn look_up(&mut self, node: u32, value: &Value) {
        let Value::Object(fields) = value else { return };
        for (key, value) in fields {
            let fingerprint = || Fingerprint::new(key.as_bytes());
            let Some(child) = self.trie.child(node, key.as_bytes(), fingerprint) else { continue };
            if !self.trie.node(child).ends.is_empty() {
                let slot = match value {
                    Value::Missing | Value::Time(_) | Value::Duration(_) => Slot::Missing,
                    Value::Bool(v) => Slot::Bool(*v),
                    Value::Int(v) => Slot::Int(*v),
                    Value::UInt(v) => Slot::UInt(*v),
                    Value::Float(v) => Slot::Float(*v),
                    Value::Str(text) => {
                        let start = self.arena.text.len() as u32;
                        self.arena.text.push_str(text);
                        Slot::Text { start, len: text.len() as u32 }
                    }
                    Value::List(_) | Value::Object(_) => self.keep(value.clone()),
                };
                if !slot.is_missing() {
                    self.fill(child, slot);
                }
            }
            self.look_up(child, value);
        }
    }
}

/// The list of every scalar in a line that [`extract`] has accepted with this limit of depth; missing for another.
pub(super) fn scalars(line: &str, max_depth: usize) -> Value {
    let mut scan = Scanner::new(line, max_depth.min(super::path::MAX_DEPTH));
    scan.space();
    let mut found = Vec::new();
    match tree(&mut scan, 0, &mut Met::default()) {
        Ok(root) => collect_scalars(root, &mut found),
        Err(_) => return Value::Missing,
    }
    Value::List(found.into())
}

/// Nested no deeper than the limit on input, so that recursion is safe.
fn collect_scalars(value: Value, out: &mut Vec<Value>) {
    match value {
        Value::Missing => {}
        Value::List(items) => items.into_iter().for_each(|item| collect_scalars(item, out)),
        Value::Object(fields) => fields.into_iter().for_each(|(_, value)| collect_scalars(value, out)),
        scalar => out.push(scalar),
    }
}

#[inline]
fn number(number: Number) -> Slot {
    match number {
        Number::Int(v) => Slot::Int(v),
        Number::UInt(v) => Slot::UInt(v),
        Number::Float(v) => Slot::Float(v),
    }
}

#[cfg(test)]
mod tests;
