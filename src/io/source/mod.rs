//! Inputs: files, compressed files, pipes and files that grow, all read as blocks of whole lines.
//!
//! [`open()`] finds out what an input is and gives a [`BlockReader`]; [`follow()`] does so for a file that is still being
//! written. A block knows where in its input it begins, in bytes and in lines: events take their position from that.

mod block;
mod error;
mod follow;
mod open;

pub use block::{Block, BlockOptions, BlockReader, Overlong, Position};
pub use error::SourceError;
pub use follow::{FollowOptions, Following, follow};
pub use open::{Input, STDIN, open, open_at, open_reader};

use crate::engine::{Source, SourceBlock, SourceFailure};

impl<R: std::io::Read + Send> Source for BlockReader<R> {
    fn may_wait(&self) -> bool {
        !self.fills()
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        self.next_block_in(Vec::new())
    }

    fn next_block_in(&mut self, memory: Vec<u8>) -> Result<Option<SourceBlock>, SourceFailure> {
        let mut block = Block { bytes: memory, ..Block::default() };
        let more = self.read_block(&mut block).map_err(|e| SourceFailure(e.to_string()))?;
        Ok(more.then(|| SourceBlock {
            bytes: block.bytes,
            first_line: block.at.line,
            offset: block.at.offset,
            overlong: block.overlong.map(|o| (o.at.line, o.at.offset)),
        }))
    }
}
