//! One frame: bytes with a header that shows whether they are what was written, at this very place.
//!
//! ```text
//! length u32 │ unsynced u32 │ crc of the payload u32 │ crc of the header and the position u32 │ payload
//! ```
//! Numbers are little endian, checksums CRC-32. The position is part of the header's checksum, so a frame that turns up
//! elsewhere is none. `unsynced` is how many bytes before this frame were not yet durable when it was written. That
//! tells a torn tail from damage: what a later frame knew to be durable cannot have been cut off by a crash.

use super::Position;

/// Bytes of a header.
pub const HEADER: usize = 16;

/// The longest payload.
pub const MAX_PAYLOAD: usize = 1 << 30;

/// A frame's header, read and found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the payload.
    pub length: usize,
    /// Everything before this was durable when the frame was written.
    pub durable: Position,
    payload_crc: u32,
}

fn header_crc(first: &[u8], at: Position) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(first);
    hasher.update(&at.0.to_le_bytes());
    hasher.finalize()
}

/// The header of a payload that is written at `at`, when everything before `durable` is durable.
///
/// The payload is at most [`MAX_PAYLOAD`] bytes, and less than 4 GiB before it are not durable: segments are shorter.
pub fn header(payload: &[u8], at: Position, durable: Position) -> [u8; HEADER] {
    debug_assert!(payload.len() <= MAX_PAYLOAD);
    let unsynced = u32::try_from(at.0.saturating_sub(durable.0)).unwrap_or(u32::MAX);
    let mut bytes = [0; HEADER];
    bytes[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes[4..8].copy_from_slice(&unsynced.to_le_bytes());
    bytes[8..12].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let crc = header_crc(&bytes[..12], at);
    bytes[12..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Reads a header that stands at `at`; `None` if it is none, or is not from there.
pub fn read_header(bytes: &[u8], at: Position) -> Option<Header> {
    let bytes = bytes.get(..HEADER)?;
    if word(bytes, 12) != header_crc(&bytes[..12], at) {
        return None;
    }
    let length = word(bytes, 0) as usize;
    let durable = Position(at.0.checked_sub(u64::from(word(bytes, 4)))?);
    (length <= MAX_PAYLOAD).then_some(Header { length, durable, payload_crc: word(bytes, 8) })
}

impl Header {
    /// Whether this is the payload that was written.
    pub fn accepts(&self, payload: &[u8]) -> bool {
        payload.len() == self.length && crc32fast::hash(payload) == self.payload_crc
    }
}

/// How the frames of some bytes end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// With the last byte.
    Clean,
    /// What follows was not written to its end, or not made durable, before a crash. Nobody was told that it is safe.
    Torn,
    /// What follows was durable once and is no longer what it was: a later frame says so.
    Damaged,
}

/// Frames one after another in memory.
#[derive(Debug)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    base: Position,
    at: usize,
}

impl<'a> Frames<'a> {
    /// The frames of `bytes`, the first of which stands at `base`.
    pub fn new(bytes: &'a [u8], base: Position) -> Self {
        Self { bytes, base, at: 0 }
    }

    /// The position after the frames that were given.
    pub fn end(&self) -> Position {
        Position(self.base.0 + self.at as u64)
    }

    fn frame_at(&self, at: usize) -> Option<(Header, &'a [u8])> {
        let header = read_header(self.bytes.get(at..)?, Position(self.base.0 + at as u64))?;
        let payload = self.bytes.get(at + HEADER..)?.get(..header.length)?;
        header.accepts(payload).then_some((header, payload))
    }

    /// Why there is no next frame. Looks at every place behind for a frame that knew this one to be durable.
    pub fn stop(&self) -> Stop {
        if self.at == self.bytes.len() {
            return Stop::Clean;
        }
        let here = self.end();
        let later = (self.at + 1..self.bytes.len()).filter_map(|at| self.frame_at(at));
        if later.map(|(header, _)| header.durable).any(|durable| durable > here) { Stop::Damaged } else { Stop::Torn }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = (Position, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let position = self.end();
        let (_, payload) = self.frame_at(self.at)?;
        self.at += HEADER + payload.len();
        Some((position, payload))
    }
}
