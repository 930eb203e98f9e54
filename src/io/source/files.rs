//! The files of a directory as one source: in the order of their names, one after another.
//!
//! ```text
//! logs/2026-01-01.ndjson ─► logs/2026-01-02.ndjson ─► … ─► (following) the last one as it grows, and then the next
//! ```
//! Lines and bytes are counted on from file to file. The place between two blocks names the file by its mark; a later
//! run finds it among the files by that, whatever its name is then, and goes on behind it. Files with earlier names than
//! the one that is read are not looked at again, and so names must sort as their contents came.

#![allow(clippy::disallowed_methods, reason = "inputs are files")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use super::block::{BlockOptions, Position};
use super::error::SourceError;
use super::follow::{FollowOptions, Over};
use super::form::{Form, open_form};
use super::mark::is_marked;
use crate::base::wildcard::fits;
use crate::engine::{FileMark, Place, Source, SourceBlock, SourceFailure};

/// Which files of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    directory: PathBuf,
    /// A name in which `*` is any run of characters.
    pattern: String,
}

impl Files {
    /// The files that a path means: those of a directory, or those that fit a name with `*` in it. `None` if it is a
    /// plain path.
    pub fn of(path: &str) -> Option<Self> {
        let path = Path::new(path);
        if path.is_dir() {
            return Some(Self { directory: path.to_owned(), pattern: "*".to_owned() });
        }
        let name = path.file_name()?.to_str()?;
        if !name.contains('*') || path.exists() {
            return None;
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(Self { directory: directory.to_owned(), pattern: name.to_owned() })
    }

    /// The names of the files that are there, sorted. Hidden ones are passed over.
    fn names(&self) -> std::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if !name.starts_with('.') && fits(&self.pattern, &name) && self.directory.join(&name).is_file() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The first file behind a name.
    fn after(&self, name: Option<&str>) -> std::io::Result<Option<String>> {
        Ok(self.names()?.into_iter().find(|other| name.is_none_or(|name| other.as_str() > name)))
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

/// The file that is being read.
struct Current {
    name: String,
    source: Box<dyn Source>,
    /// The offset at which it begins.
    begins: u64,
}

/// All files of a directory, one after another.
pub(super) struct InOrder {
    files: Files,
    form: Form,
    options: BlockOptions,
    following: Option<FollowOptions>,
    current: Option<Current>,
    /// The file that was read last.
    last: Option<String>,
    /// After everything that was given.
    at: Position,
}

impl InOrder {
    /// Goes on at a place, or begins with the first file.
    pub(super) fn open(
        files: Files,
        form: &Form,
        place: &Place,
        options: BlockOptions,
        following: Option<FollowOptions>,
    ) -> Result<Self, SourceError> {
        let at = Position { offset: place.offset, line: place.line };
        let mut all = Self { files, form: form.clone(), options, following, current: None, last: None, at };
        let name = all.shown();
        let names = all.files.names().map_err(|error| SourceError::open(&name, error))?;
        if names.is_empty() && all.following.is_none() {
            let help = "check the path, or follow the directory with --follow to wait for files";
            return Err(SourceError::new(&name, "open", "there is no such file in it", help, None));
        }
        if let Some(mark) = place.file {
            all.go_on(&mark, names)?;
        }
        Ok(all)
    }

    fn shown(&self) -> String {
        self.files.path(&self.files.pattern)
    }

    /// Goes on in the marked file.
    fn go_on(&mut self, mark: &FileMark, names: Vec<String>) -> Result<(), SourceError> {
        let is_it = |name: &String| {
            let file = File::open(self.files.path(name));
            file.and_then(|mut file| is_marked(&mut file, mark, 0)).unwrap_or(false)
        };
        let Some(name) = names.into_iter().find(is_it) else {
            let cause = "the file that an earlier run was reading is not there any more";
            let help = "put it back, or run with another state directory to read all files from their beginning";
            return Err(SourceError::new(&self.shown(), "open", cause, help, None));
        };
        self.begin(name, mark.begins, self.at)
    }

    /// Opens a file whose first byte has an offset, at a place.
    fn begin(&mut self, name: String, begins: u64, at: Position) -> Result<(), SourceError> {
        let following = self.following.as_ref().map(|following| {
            let (files, this) = (self.files.clone(), name.clone());
            // The next one has come: nothing more is written to this one.
            let over: Over = Arc::new(move || files.after(Some(&this)).is_ok_and(|next| next.is_some()));
            FollowOptions { over: Some(over), ..following.clone() }
        });
        let inner = Position { offset: at.offset - begins, line: at.line };
        let source = open_form(&self.files.path(&name), &self.form, inner, self.options, following)?;
        self.last = Some(name.clone());
        self.current = Some(Current { name, source, begins });
        Ok(())
    }

    fn next(&mut self, memory: Vec<u8>) -> Result<Option<SourceBlock>, SourceFailure> {
        let failed = |error: SourceError| SourceFailure(error.to_string());
        let mut memory = Some(memory);
        loop {
            if let Some(current) = &mut self.current {
                let given = current.source.next_block_in(memory.take().unwrap_or_default())?;
                let Some(mut block) = given else {
                    tracing::debug!(file = current.name, "the file has been read");
                    self.current = None;
                    continue;
                };
                block.offset += current.begins;
                block.refused.iter_mut().for_each(|refused| refused.offset += current.begins);
                block.after.offset += current.begins;
                if let Some(mark) = &mut block.after.file {
                    mark.begins += current.begins;
                }
                self.at = Position { offset: block.after.offset, line: block.after.line };
                return Ok(Some(block));
            }
            let next = self.files.after(self.last.as_deref());
            match next.map_err(|error| failed(SourceError::read(&self.shown(), error)))? {
                Some(name) => self.begin(name, self.at.offset, self.at).map_err(failed)?,
                None => match &self.following {
                    Some(following) if !following.stop.load(Ordering::Relaxed) => thread::sleep(following.poll),
                    _ => return Ok(None),
                },
            }
        }
    }
}

impl Source for InOrder {
    fn may_wait(&self) -> bool {
        self.following.is_some()
    }

    fn next_block(&mut self) -> Result<Option<SourceBlock>, SourceFailure> {
        self.next(Vec::new())
    }

    fn next_block_in(&mut self, memory: Vec<u8>) -> Result<Option<SourceBlock>, SourceFailure> {
        self.next(memory)
    }
}
