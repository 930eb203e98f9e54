//! Inputs: files, compressed files, tables, directories, pipes and files that grow, all read as blocks of whole lines.
//!
//! [`open()`] finds out what an input is and gives a [`BlockReader`]; [`follow()`] does so for a file that is still being
//! written. A block knows where in its input it begins, in bytes and in lines: events take their position from that.

mod block;
mod dump;
mod error;
mod files;
mod follow;
mod form;
mod mark;
mod open;
mod resume;
mod rows;

pub use block::{Block, BlockOptions, BlockReader, Overlong, Position};
pub use dump::{Dump, partitions};
pub use error::SourceError;
pub use files::Files;
pub use follow::{FollowOptions, Following, follow};
pub use form::Form;
pub use open::{Input, STDIN, open, open_at, open_reader};
pub use resume::{Resumed, resume};
