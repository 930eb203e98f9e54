//! Which of thousands of literals a text holds, without an automaton of their size.
//!
//! Each literal is known by one piece of four bytes in it, the one that the fewest others have; so pieces that are
//! everywhere, such as `.exe`, stand for no literal that has another. A table of bits by the hash of a piece stays in the
//! nearest cache, and most places of a text are done with by one look at it; where its bit is set, the literals with this
//! piece are compared.
//!
//! ```text
//! literal  \ p o w e r s h e l l . e x e        text  … \ p w s h . e x e …
//!                    └─┬─┘ piece                          └─┬─┘ bit not set: on to the next byte
//! ```
//! Building takes time in the bytes of the literals; an automaton of the same literals would not fit any cache. After
//! the idea of direct filters for multiple patterns (Choi et al., DFC, NSDI 2016). Pieces that too many literals share
//! are left to the caller, so that a text made to hit them costs no more than so many comparisons a byte.

use hashbrown::HashMap;

/// Bytes of a piece.
pub(super) const PIECE: usize = 4;

/// Literals that may share a piece.
const MOST_SHARED: usize = 32;

/// Bits of the table: 8 KiB.
const BITS: u32 = 16;

/// A literal at a piece of it.
#[derive(Clone, Debug)]
struct Entry {
    literal: u32,
    /// Where in the literal the piece stands.
    offset: u32,
}

/// A search for literals by their pieces.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Grams {
    bits: Box<[u64]>,
    /// By piece: from where to where its literals stand in `entries`.
    places: HashMap<u32, (u32, u32), foldhash::fast::FixedState>,
    entries: Vec<Entry>,
    /// By the place given to [`Grams::new`].
    literals: Vec<Box<[u8]>>,
}

fn bit(piece: u32) -> (usize, u32) {
    let hash = piece.wrapping_mul(0x9e37_79b1) >> (32 - BITS);
    ((hash >> 6) as usize, hash & 63)
}

fn pieces(text: &[u8]) -> impl Iterator<Item = u32> + '_ {
    text.windows(PIECE).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]))
}

impl Grams {
    /// A search for the literals at these places in a list, each of at least [`PIECE`] bytes; and those that share
    /// their rarest piece with too many.
    pub(super) fn new(literals: &[&str], chosen: &[u32]) -> (Self, Vec<u32>) {
        let mut counts: HashMap<u32, u32, foldhash::fast::FixedState> = HashMap::default();
        for at in chosen {
            pieces(literals[*at as usize].as_bytes()).for_each(|piece| *counts.entry(piece).or_default() += 1);
        }
        // By piece: literals that are known by it so far. Those of few pieces come first, as the others can give way.
        let mut order = chosen.to_vec();
        order.sort_by_key(|at| (literals[*at as usize].len(), *at));
        let mut by_piece: HashMap<u32, Vec<Entry>, foldhash::fast::FixedState> = HashMap::default();
        let (mut known, mut left) = (Vec::new(), Vec::new());
        for at in order {
            let found = pieces(literals[at as usize].as_bytes()).zip(0..);
            let rarest = found.min_by_key(|(piece, offset)| {
                let shared = by_piece.get(piece).map_or(0, Vec::len);
                (shared, counts[piece], *offset)
            });
            let Some((piece, offset)) = rarest else { continue };
            let shared = by_piece.entry(piece).or_default();
            if shared.len() >= MOST_SHARED {
                left.push(at);
                continue;
            }
            shared.push(Entry { literal: at, offset });
            known.push(piece);
        }
        known.sort_unstable();
        known.dedup();
        let mut grams = Self {
            bits: vec![0; 1 << (BITS - 6)].into(),
            places: HashMap::default(),
            entries: Vec::with_capacity(chosen.len()),
            literals: literals.iter().map(|literal| literal.as_bytes().into()).collect(),
        };
        for piece in known {
            let from = grams.entries.len() as u32;
            grams.entries.append(by_piece.get_mut(&piece).unwrap_or(&mut Vec::new()));
            grams.places.insert(piece, (from, grams.entries.len() as u32));
            let (word, at) = bit(piece);
            grams.bits[word] |= 1 << at;
        }
        (grams, left)
    }

    /// Calls `found` for every literal that the text holds, by its place; more than once if it occurs so. Stops when
    /// `found` says so.
    #[inline]
    pub(super) fn each(&self, text: &str, mut found: impl FnMut(u32) -> bool) {
        let text = text.as_bytes();
        for (piece, at) in pieces(text).zip(0..) {
            let (word, shift) = bit(piece);
            if self.bits[word] >> shift & 1 != 0 && self.compare(piece, text, at, &mut found) {
                return;
            }
        }
    }

    #[inline(never)]
    fn compare(&self, piece: u32, text: &[u8], at: usize, found: &mut dyn FnMut(u32) -> bool) -> bool {
        let Some((from, to)) = self.places.get(&piece) else { return false };
        for Entry { literal, offset } in &self.entries[*from as usize..*to as usize] {
            let Some(start) = at.checked_sub(*offset as usize) else { continue };
            if text[start..].starts_with(&self.literals[*literal as usize]) && found(*literal) {
                return true;
            }
        }
        false
    }
}
