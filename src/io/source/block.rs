//! Any reader as blocks of whole lines.
//!
//! A block is passed on as soon as the input has given a whole line, so a slow pipe is not held back until a block is
//! full. Memory stays flat: besides its block, the reader holds at most one line of the allowed length, and what is
//! longer is dropped as it comes in.
//!
//! Invariant: `buffer[begin..end]` is what was read and not yet given out, and `buffer[begin..searched]` holds no line
//! feed.

use std::io::{self, Read};

use super::error::SourceError;
use super::mark::Marks;
use crate::engine::{Place, Refused, Source, SourceBlock, SourceFailure};

/// What a line may have around its text: a byte order mark before it and a carriage return behind it.
const AROUND: usize = 4;

/// How an input is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockOptions {
    /// Bytes that one read asks for: a block is about as long at most.
    pub block_bytes: usize,
    /// Lines in a block at most.
    pub block_lines: usize,
    /// Bytes of a line; a longer one is dropped whole and counted.
    pub max_line: usize,
    /// Whether to wait until a block is full. For inputs whose end is already there, such as files.
    pub fill: bool,
}

impl Default for BlockOptions {
    fn default() -> Self {
        Self { block_bytes: 256 << 10, block_lines: usize::MAX, max_line: 1 << 20, fill: false }
    }
}

/// A place in an input: between two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Bytes before it; of a compressed input, decompressed ones.
    pub offset: u64,
    /// The number of the line after it; the first line has number 1.
    pub line: u64,
}

impl Position {
    /// Before the first line.
    pub const START: Self = Self { offset: 0, line: 1 };
}

/// A line that was dropped because it is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlong {
    /// Where it begins.
    pub at: Position,
    /// Its length in bytes, without the line feed.
    pub bytes: u64,
}

/// Whole lines of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The lines, each with its line feed; only the last line of an input may have none.
    pub bytes: Vec<u8>,
    /// Where the first of them begins.
    pub at: Position,
    /// How many they are, blank ones included.
    pub lines: u64,
    /// A line that stood just before this block and was dropped. Such a block has no lines of its own.
    pub overlong: Option<Overlong>,
}

impl Default for Block {
    fn default() -> Self {
        Self { bytes: Vec::new(), at: Position::START, lines: 0, overlong: None }
    }
}

impl Block {
    /// The place after its last line, from which reading can go on another time.
    pub fn end(&self) -> Position {
        Position { offset: self.at.offset + self.bytes.len() as u64, line: self.at.line + self.lines }
    }
}

/// Reads an input block by block.
#[derive(Debug)]
pub struct BlockReader<R> {
    input: R,
    name: String,
    options: BlockOptions,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
    searched: usize,
    at: Position,
    /// A line that is being dropped: where it begins and how much of it has been seen.
    dropping: Option<Overlong>,
    ended: bool,
    failed: Option<io::Error>,
    marks: Marks,
}

impl<R: Read> BlockReader<R> {
    /// Reads `input`, which errors call `name`.
    pub fn new(input: R, name: impl Into<String>, options: BlockOptions) -> Self {
        Self {
            input,
            name: name.into(),
            options: BlockOptions {
                block_bytes: options.block_bytes.max(1),
                block_lines: options.block_lines.max(1),
                ..options
            },
            buffer: Vec::new(),
            begin: 0,
            end: 0,
            searched: 0,
            at: Position::START,
            dropping: None,
            ended: false,
            failed: None,
            marks: Marks::default(),
        }
    }

    /// Says which files the input reads.
    pub(super) fn with_marks(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }

    /// Says that the input does not begin at its beginning.
    pub fn starting_at(mut self, at: Position) -> Self {
        self.at = at;
        self
    }

    /// The name of the input.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it waits until a block is full, since the end of its input is already there.
    pub fn fills(&self) -> bool {
        self.options.fill
    }

    /// The place after everything that was given out.
    pub fn position(&self) -> Position {
        self.dropping.map_or(self.at, |dropped| dropped.at)
    }

    /// The next block, in memory of its own. `None` at the end of the input.
    ///
    /// # Errors
    /// As [`BlockReader::read_block`].
    pub fn next_block(&mut self) -> Result<Option<Block>, SourceError> {
        let mut block = Block::default();
        Ok(self.read_block(&mut block)?.then_some(block))
    }

    /// The next block, in the memory of an old one. False at the end of the input.
    ///
    /// # Errors
    /// The input cannot be read further. Everything read before has been given out, and the next call gives false.
    pub fn read_block(&mut self, block: &mut Block) -> Result<bool, SourceError> {
        block.overlong = None;
        block.lines = 0;
        loop {
            if self.dropping.is_some() {
                if self.drop_line(block) {
                    return Ok(true);
                }
            } else if let Some(cut) = self.cut() {
                self.give(block, cut);
                return Ok(true);
            } else if self.end - self.begin > self.options.max_line.saturating_add(AROUND) {
                self.dropping = Some(Overlong { at: self.at, bytes: 0 });
                continue;
            }
            if !self.ended {
                self.fill();
            } else if self.begin < self.end {
                self.give(block, self.end);
                return Ok(true);
            } else if let Some(error) = self.failed.take() {
                return Err(SourceError::read(&self.name, error));
            } else {
                return Ok(false);
            }
        }
    }

    /// The end of the last line that the next block may have, if there is a whole one.
    fn cut(&mut self) -> Option<usize> {
        let fresh = &self.buffer[self.searched..self.end];
        let found = if self.options.block_lines == usize::MAX {
            memchr::memrchr(b'\n', fresh)
        } else {
            memchr::memchr_iter(b'\n', fresh).take(self.options.block_lines).last()
        };
        match found {
            Some(at) => Some(self.searched + at + 1),
            None => {
                self.searched = self.end;
                None
            }
        }
    }

    fn give(&mut self, block: &mut Block, cut: usize) {
        block.at = self.at;
        if self.begin == 0 && cut > self.buffer.len() / 2 {
            // Most of the buffer goes: give it away, and keep the rest in the memory of the old block.
            std::mem::swap(&mut block.bytes, &mut self.buffer);
            let rest = &block.bytes[cut..self.end];
            let capacity = self.buffer.len().max(rest.len());
            self.buffer.resize(capacity, 0);
            self.buffer[..rest.len()].copy_from_slice(rest);
            self.end = rest.len();
            self.begin = 0;
            block.bytes.truncate(cut);
        } else {
            block.bytes.clear();
            block.bytes.extend_from_slice(&self.buffer[self.begin..cut]);
            self.begin = cut;
        }
        self.searched = self.begin;
        let unended = block.bytes.last() != Some(&b'\n');
        block.lines = memchr::memchr_iter(b'\n', &block.bytes).count() as u64 + u64::from(unended);
        self.at = block.end();
    }

    /// Drops what has come in of a line that is too long. True if that was its end, which `block` then tells.
    fn drop_line(&mut self, block: &mut Block) -> bool {
        let Some(dropped) = &mut self.dropping else { return false };
        let here = &self.buffer[self.begin..self.end];
        let line_feed = memchr::memchr(b'\n', here);
        let length = line_feed.unwrap_or(here.len());
        dropped.bytes += length as u64;
        self.begin += length + usize::from(line_feed.is_some());
        self.searched = self.begin;
        if line_feed.is_none() && !self.ended {
            return false;
        }
        let dropped = *dropped;
        self.dropping = None;
        let offset = dropped.at.offset + dropped.bytes + u64::from(line_feed.is_some());
        self.at = Position { offset, line: dropped.at.line + 1 };
        block.bytes.clear();
        block.at = self.at;
        block.overlong = Some(dropped);
        true
    }

    /// Reads more: once, or until the block is full if that is asked for.
    fn fill(&mut self) {
        if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
            self.end -= self.begin;
            self.searched -= self.begin;
            self.begin = 0;
        }
        let full = self.end + self.options.block_bytes;
        if self.buffer.len() < full {
            self.buffer.resize(full, 0);
        }
        while !self.ended && self.end < full {
            match self.input.read(&mut self.buffer[self.end..full]) {
                Ok(0) => self.ended = true,
                Ok(read) => {
                    self.end += read;
                    if !self.options.fill {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failed = Some(error);
                }
            }
        }
    }
}

impl<R: Read + Send> Source for BlockReader<R> {
    fn may_wait(&self) -> bool {
        !self.fills()
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        self.next_block_in(Vec::new())
    }

    fn next_block_in(&mut self, memory: Vec<u8>) -> Result<Option<SourceBlock>, SourceFailure> {
        let mut block = Block { bytes: memory, ..Block::default() };
        if !self.read_block(&mut block).map_err(|e| SourceFailure(e.to_string()))? {
            return Ok(None);
        }
        let end = block.end();
        let file = self.marks.at(end.offset);
        Ok(Some(SourceBlock {
            first_line: block.at.line,
            offset: block.at.offset,
            refused: block.overlong.iter().map(|o| Refused::overlong(o.at.line, o.at.offset)).collect(),
            arrival: None,
            after: Place { line: end.line, offset: end.offset, file, journal: None },
            more: false,
            bytes: block.bytes,
        }))
    }
}

#[cfg(test)]
mod tests;
