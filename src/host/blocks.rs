//! Many events on their way to keys as one block of bytes, and which task of a host each goes to.
//!
//! ```text
//! entry: length of the host key │ host key │ length of the event │ event      lengths as u32, little-endian
//! block for a key group: version │ entries
//! ```
//! A host that moves records by the hash of their key moves *key groups*: all keys of a group are in one task, whatever
//! the number of tasks. So events cross it as one record for each group that some have come for, and not one by one.
//! [`group_of`] says of a key what Apache Flink says of it (`KeyGroupRangeAssignment`), where a key is a text of a
//! character a byte: a task refuses blocks that were made for another number of groups.

use super::bytes::FormatError;
use super::names::HostRules;

const VERSION: u8 = 1;
const WHAT: &str = "events on their way";

/// Appends an entry.
pub fn put_entry(key: &[u8], event: &[u8], out: &mut Vec<u8>) {
    for bytes in [key, event] {
        out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        out.extend_from_slice(bytes);
    }
}

/// The entries of a block without its version: host key, event, and where the event begins.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Entries<'a> {
    /// Of entries alone.
    pub fn new(entries: &'a [u8]) -> Self {
        Self { block: entries, at: 0 }
    }

    /// Of a block for a key group.
    ///
    /// # Errors
    /// The block is of another release, or damaged.
    pub fn of_block(block: &'a [u8]) -> Result<Self, FormatError> {
        match block.first() {
            Some(&VERSION) => Ok(Self { block, at: 1 }),
            Some(found) => Err(FormatError::Version { what: WHAT, found: *found, wanted: VERSION }),
            None => Err(FormatError::Damaged(WHAT)),
        }
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let rest = self.block.get(self.at..)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let bytes = rest.get(..u32::from_le_bytes(*length) as usize)?;
        self.at += 4 + bytes.len();
        Some(bytes)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<(&'a [u8], &'a [u8], usize), FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.block.len() {
            return None;
        }
        let entry = self.bytes().and_then(|key| Some((key, self.bytes()?)));
        let Some((key, event)) = entry else {
            self.at = self.block.len();
            return Some(Err(FormatError::Damaged(WHAT)));
        };
        Some(Ok((key, event, self.at - event.len())))
    }
}

/// The key group of a host key, of so many.
pub fn group_of(key: &[u8], groups: u32) -> u32 {
    // Bytes in fours: one at a time each would wait for the one before.
    let (fours, rest) = key.as_chunks::<4>();
    let hash = fours.iter().fold(0_u32, |hash, four| {
        let [a, b, c, d] = [u32::from(four[0]), u32::from(four[1]), u32::from(four[2]), u32::from(four[3])];
        hash.wrapping_mul(31 * 31 * 31 * 31).wrapping_add(a * (31 * 31 * 31) + b * (31 * 31) + c * 31 + d)
    });
    let hash = rest.iter().fold(hash, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    let mut code = hash.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593).rotate_left(13);
    code = code.wrapping_mul(5).wrapping_add(0xe654_6b64) ^ 4;
    code = (code ^ (code >> 16)).wrapping_mul(0x85eb_ca6b);
    code = (code ^ (code >> 13)).wrapping_mul(0xc2b2_ae35);
    code ^= code >> 16;
    // The smallest number has no positive counterpart.
    (code as i32).checked_abs().unwrap_or_default() as u32 % groups.max(1)
}

/// Memory of blocks that is kept for the next ones, in all.
const KEPT: usize = 32 << 20;

/// Entries on their way into blocks. Those of a key group stay in their order.
#[derive(Debug)]
pub struct Sorter {
    groups: u32,
    /// By stage and group: a block, or nothing if nothing has come for it.
    blocks: Vec<Vec<u8>>,
}

impl Sorter {
    /// For so many key groups.
    pub fn new(groups: u32) -> Self {
        let groups = groups.max(1);
        Self { groups, blocks: vec![Vec::new(); 2 * groups as usize] }
    }

    /// Takes entries.
    ///
    /// # Errors
    /// The bytes are no entries.
    pub fn add(&mut self, entries: &[u8]) -> Result<(), FormatError> {
        let mut from = 0;
        for entry in Entries::new(entries) {
            let (key, event, at) = entry?;
            let upper = if HostRules::is_upper(key) { self.groups } else { 0 };
            let block = &mut self.blocks[(upper + group_of(key, self.groups)) as usize];
            if block.is_empty() {
                block.push(VERSION);
            }
            let to = at + event.len();
            block.extend_from_slice(&entries[from..to]);
            from = to;
        }
        Ok(())
    }

    /// The places of blocks for which something has come: a key group, or with as many added as there are, one of the second
    /// stage.
    pub fn places(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.blocks).filter(|(_, block)| !block.is_empty()).map(|(place, _)| place)
    }

    /// Gives the block at a place; it is empty then.
    pub fn take<T>(&mut self, place: u32, give: impl FnOnce(&[u8]) -> T) -> T {
        let most = KEPT / self.blocks.len();
        let block = &mut self.blocks[place as usize];
        let given = give(block);
        block.clear();
        block.shrink_to(most);
        given
    }
}

/// Sorts entries at once, and gives for each stage and key group that is there whether it is the second stage, the group, and
/// the block.
///
/// # Errors
/// The bytes are no entries.
pub fn group(entries: &[u8], groups: u32, mut give: impl FnMut(bool, u32, &[u8])) -> Result<(), FormatError> {
    if entries.is_empty() {
        return Ok(());
    }
    let (groups, mut sorter) = (groups.max(1), Sorter::new(groups));
    sorter.add(entries)?;
    for place in sorter.places() {
        give(place >= groups, place % groups, &sorter.blocks[place as usize]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `KeyGroupRangeAssignment.assignToKeyGroup` gives for these texts.
    #[test]
    fn key_groups_are_those_of_flink() {
        let all = |groups| ["", "a", "key 7", "\u{7f}\u{1}"].map(|key| group_of(key.as_bytes(), groups));
        assert_eq!((all(128), all(1000)), (KNOWN_128, KNOWN_1000));
    }

    const KNOWN_128: [u32; 4] = [94, 81, 1, 91];
    const KNOWN_1000: [u32; 4] = [54, 201, 609, 43];

    #[test]
    fn entries_are_sorted_by_group_and_keep_their_order() {
        let mut entries = Vec::new();
        for n in 0..100_u8 {
            put_entry(&[n % 7], &[n], &mut entries);
            put_entry(&[0xfe, n % 5], &[n], &mut entries);
        }
        let (mut seen, mut of_key) = (0, std::collections::BTreeMap::<Vec<u8>, u8>::new());
        let sorted = group(&entries, 4, |upper, group, block| {
            for entry in Entries::of_block(block).expect("a version") {
                let (key, event, at) = entry.expect("whole");
                assert_eq!((key.len() == 2, group_of(key, 4)), (upper, group));
                assert_eq!(&block[at..at + event.len()], event);
                let last = of_key.insert(key.to_vec(), event[0]);
                assert!(last.is_none_or(|last| last < event[0]));
                seen += 1;
            }
        });
        assert_eq!((sorted, seen), (Ok(()), 200));
        assert!(group(&entries[..entries.len() - 1], 4, |_, _, _| {}).is_err());
    }
}
