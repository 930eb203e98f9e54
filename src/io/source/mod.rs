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

impl<R: std::io::Read + Send> crate::engine::Source for BlockReader<R> {
    fn next_block(&mut self) -> Result<Option<crate::engine::SourceBlock>, crate::engine::SourceFailure> {
        let block = BlockReader::next_block(self).map_err(|e| crate::engine::SourceFailure(e.to_string()))?;
        Ok(block.map(|block| crate::engine::SourceBlock {
            bytes: block.bytes,
            first_line: block.at.line,
            offset: block.at.offset,
            overlong: block.overlong.map(|o| (o.at.line, o.at.offset)),
        }))
    }
}
