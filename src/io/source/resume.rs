//! Going on with an input where an earlier run had come to, whatever has happened to the file meanwhile.
//!
//! ```text
//! same first bytes, long enough                 read on
//! another file has the name, the old one is     the rest of the old one, then the new one from its start
//!   beside it under another name
//! cut, or replaced and the old one is nowhere   from its start, and it is said that lines may be lost
//! ```

#![allow(clippy::disallowed_methods, reason = "inputs are files")]

use std::fs::File;
use std::path::Path;

use super::block::{BlockOptions, Position};
use super::error::SourceError;
use super::files::{Files, InOrder};
use super::follow::{FollowOptions, Following};
use super::form::{Form, open_table};
use super::mark::{find_renamed, is_marked};
use super::open::{STDIN, is_compressed, open, open_at, open_reader};
use crate::engine::{FileMark, Place, Source, SourceBlock, SourceFailure};

/// An input that goes on.
pub struct Resumed {
    /// The input.
    pub source: Box<dyn Source>,
    /// What its user should know, in a sentence.
    pub notice: Option<String>,
}

/// Opens an input at a place: a file of a form, a pipe, or the files of a directory. With `following` it is waited for
/// more at its end.
///
/// # Errors
/// As [`open()`] and [`super::follow()`], and if a compressed input or a table is not the one that was read or is
/// shorter.
pub fn resume(
    name: &str,
    form: &Form,
    place: &Place,
    options: BlockOptions,
    following: Option<FollowOptions>,
) -> Result<Resumed, SourceError> {
    let at = Position { offset: place.offset, line: place.line };
    let plain = |source| Ok(Resumed { source, notice: None });
    if let Some(files) = Files::of(name) {
        return plain(Box::new(InOrder::open(files, form, place, options, following)?));
    }
    if let Form::Csv(csv) = form {
        if let Some(mark) = place.file {
            is_still(name, &mark, place.offset)?;
        }
        let (name, csv) = (name.to_owned(), csv.clone());
        let open = move || open_table(&name, &csv, at, options, following);
        return match at == Position::START {
            // What a pipe holds may be long in coming.
            true => plain(Box::new(Late::NotYet(Box::new(open)))),
            false => plain(open()?),
        };
    }
    if name == STDIN {
        // What it is shows with its first bytes, and those may be long in coming.
        let open = move || -> Result<Box<dyn Source>, SourceError> {
            Ok(Box::new(open_reader(std::io::stdin(), "standard input", options)?.starting_at(at)))
        };
        return plain(Box::new(Late::NotYet(Box::new(open))));
    }
    let Some(mark) = place.file else {
        return match following {
            Some(following) => plain(Box::new(super::follow(name, at, options, following)?)),
            None if at == Position::START => plain(Box::new(open(name, options)?)),
            // A pipe: what was read is gone.
            None => plain(Box::new(open(name, options)?.starting_at(at))),
        };
    };
    let read = |error| SourceError::read(name, error);
    let mut file = File::open(name).map_err(|error| SourceError::open(name, error))?;
    if is_compressed(&mut file).map_err(read)? {
        let marked = is_marked(&mut file, &mark, 0).map_err(read)?;
        if !marked {
            let cause = "it does not begin as the file did that an earlier run has read in part";
            let help = "give the file that the checkpoint was taken with, or run with another state directory";
            return Err(SourceError::new(name, "open", cause, help, None));
        }
        return plain(Box::new(open_at(name, at, options)?));
    }
    let position = place.offset.saturating_sub(mark.begins);
    let until_end = following.is_none();
    let following = FollowOptions { until_end, ..following.unwrap_or_default() };
    let go_on = |file, begins| {
        let options = BlockOptions { fill: until_end, ..options };
        let source = Following::begin(name, file, (at, begins), options, following).map_err(read)?;
        Ok::<Box<dyn Source>, SourceError>(Box::new(source))
    };
    if is_marked(&mut file, &mark, position).map_err(read)? {
        return plain(go_on(file, mark.begins)?);
    }
    if let Some((path, old)) = find_renamed(Path::new(name), &mark, position) {
        let notice = format!("{name} is another file now; the rest of the old one is read from {}", path.display());
        return Ok(Resumed { source: go_on(old, mark.begins)?, notice: Some(notice) });
    }
    let notice = format!(
        "{name} is not the file that was read, or was cut, and the old one is not beside it; it is read from its start, \
         and lines of the old one may be lost"
    );
    Ok(Resumed { source: go_on(file, at.offset)?, notice: Some(notice) })
}

/// Whether a file is still the one that was read so far.
fn is_still(name: &str, mark: &FileMark, read: u64) -> Result<(), SourceError> {
    let mut file = File::open(name).map_err(|error| SourceError::open(name, error))?;
    let packed = is_compressed(&mut file).map_err(|error| SourceError::read(name, error))?;
    let long = if packed { 0 } else { read.saturating_sub(mark.begins) };
    if is_marked(&mut file, mark, long).map_err(|error| SourceError::read(name, error))? {
        return Ok(());
    }
    let cause = "it does not begin as the file did that an earlier run has read in part, or is shorter";
    let help = "give the file that the checkpoint was taken with, or run with another state directory";
    Err(SourceError::new(name, "open", cause, help, None))
}

/// An input that is opened when it is first asked for a block.
enum Late {
    NotYet(Box<dyn FnOnce() -> Result<Box<dyn Source>, SourceError> + Send>),
    Open(Box<dyn Source>),
    /// It could not be opened.
    Failed,
}

impl Source for Late {
    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        if let Self::NotYet(_) = self
            && let Self::NotYet(open) = std::mem::replace(self, Self::Failed)
        {
            *self = Self::Open(open().map_err(|error| SourceFailure(error.to_string()))?);
        }
        match self {
            Self::Open(source) => source.next_block(),
            Self::NotYet(_) | Self::Failed => Ok(None),
        }
    }
}
