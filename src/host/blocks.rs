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
    let hash = key.iter().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    let mut code = hash.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593).rotate_left(13);
    code = code.wrapping_mul(5).wrapping_add(0xe654_6b64) ^ 4;
    code = (code ^ (code >> 16)).wrapping_mul(0x85eb_ca6b);
    code = (code ^ (code >> 13)).wrapping_mul(0xc2b2_ae35);
    code ^= code >> 16;
    // The smallest number has no positive counterpart.
    (code as i32).checked_abs().unwrap_or_default() as u32 % groups.max(1)
}

/// Sorts entries by stage and key group, and gives for each that is there whether it is the second stage, the group, and
/// the block. Entries of a group stay in their order.
///
/// # Errors
/// The bytes are no entries.
pub fn group(entries: &[u8], groups: u32, mut give: impl FnMut(bool, u32, &[u8])) -> Result<(), FormatError> {
    let groups = groups.max(1);
    // By stage and group: how many bytes there are, later where the next go.
    let mut sizes = vec![0_usize; 2 * groups as usize];
    let mut places = Vec::new();
    let mut from = 0;
    for entry in Entries::new(entries) {
        let (key, event, at) = entry?;
        let place = group_of(key, groups) + if HostRules::is_upper(key) { groups } else { 0 };
        let to = at + event.len();
        sizes[place as usize] += to - from;
        places.push((place, from, to));
        from = to;
    }
    let mut next = 0;
    let starts: Vec<usize> = sizes
        .iter()
        .map(|size| {
            let start = next;
            next += if *size == 0 { 0 } else { 1 + size };
            start
        })
        .collect();
    let mut sorted = vec![VERSION; next];
    let mut ends: Vec<usize> = starts.iter().map(|start| start + 1).collect();
    for (place, from, to) in places {
        let end = &mut ends[place as usize];
        sorted[*end..*end + to - from].copy_from_slice(&entries[from..to]);
        *end += to - from;
    }
    for (place, (start, end)) in starts.into_iter().zip(ends).enumerate() {
        if sizes[place] > 0 {
            let place = place as u32;
            give(place >= groups, place % groups, &sorted[start..end]);
        }
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
