//! The directory as a whole: opening with recovery, adding checkpoints, new generations.

use std::fmt;
use std::path::{Path, PathBuf};

use super::generation::{self, Read, Writing};
use super::lock::Lock;
use super::{Commit, StateDirError};
use crate::io::disk::Disk;
use crate::io::segment::frame::Stop;
use crate::matcher::saved::Changes;

/// Bytes of changes that are never worth a new generation.
const FEW: u64 = 4 << 20;

/// Something that opening a directory found and its user should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The end of a generation had not been written to its end when a crash came; the checkpoint before is used.
    Torn {
        /// The file.
        path: PathBuf,
        /// The first byte of what was cut off.
        at: u64,
    },
    /// A generation is damaged; it was set aside under another name.
    Damaged {
        /// The file as it was called.
        path: PathBuf,
        /// The file as it is called now.
        kept: PathBuf,
        /// The first byte that is not what was written.
        at: u64,
    },
    /// The newest generation holds no intact checkpoint, so an older one is used.
    Older {
        /// The number of the checkpoint.
        number: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn { path, at } => {
                write!(f, "{}: not written to its end (from byte {at}); the checkpoint before is used", path.display())
            }
            Self::Damaged { path, kept, at } => {
                write!(f, "{}: damaged at byte {at}; kept as {}", path.display(), kept.display())
            }
            Self::Older { number } => {
                write!(
                    f,
                    "the newest generation holds no intact checkpoint; checkpoint {number} of the older one is used"
                )
            }
        }
    }
}

/// What a directory held.
#[derive(Debug)]
pub struct Recovered {
    /// The newest intact checkpoint.
    pub commit: Commit,
    /// The states of all keys at it.
    pub keys: Changes,
}

/// A state directory that a run uses.
#[derive(Debug)]
pub struct StateDir {
    dir: PathBuf,
    disk: Disk,
    _lock: Lock,
    /// The generations that stay, oldest first, with the first commit of each.
    kept: Vec<(u64, Commit)>,
    next: u64,
    number: u64,
    writing: Option<Writing>,
}

impl StateDir {
    /// Opens a directory, which is made if it is not there, and reads the newest intact checkpoint.
    ///
    /// # Errors
    /// Another run uses it, the system refuses, a newer release wrote it, or there were checkpoints and none is
    /// intact.
    pub fn open(dir: &Path, disk: Disk) -> Result<(Self, Option<Recovered>, Vec<Finding>), StateDirError> {
        let failed = |action| move |error| StateDirError::disk(dir, action, error);
        disk.create_dir(dir).map_err(failed("make the directory"))?;
        let lock = Lock::take(dir)?;
        let names = disk.names(dir).map_err(failed("read the directory"))?;
        for name in names.iter().filter(|name| name.ends_with(".new")) {
            disk.remove(&dir.join(name)).map_err(failed("remove an unfinished generation"))?;
        }
        let generations: Vec<u64> = names.iter().filter_map(|name| generation::number_of(name)).collect();
        // Numbers of files that were set aside are not used again.
        let aside = names.iter().filter_map(|name| name.split_once(".checkpoints.")?.0.parse().ok());
        let next = generations.iter().copied().chain(aside).max().unwrap_or(0) + 1;
        let (mut findings, mut kept, mut recovered) = (Vec::new(), Vec::new(), None);
        for &number in generations.iter().rev() {
            let path = generation::path_of(dir, number);
            let read = generation::read(&path, number)?;
            if read.stop == Stop::Damaged || read.commits.is_none() {
                findings.push(set_aside(dir, &path, read.at, &names, &disk)?);
            } else if read.stop == Stop::Torn && recovered.is_none() {
                findings.push(Finding::Torn { path, at: read.at });
            }
            let Read { commits: Some((first, last)), keys, stop, .. } = read else { continue };
            if recovered.is_none() {
                if Some(&number) != generations.last() {
                    findings.push(Finding::Older { number: last.number });
                }
                recovered = Some(Recovered { commit: last, keys });
            }
            if stop != Stop::Damaged {
                kept.insert(0, (number, first));
            }
        }
        if recovered.is_none() && !generations.is_empty() {
            let found: Vec<String> = findings.iter().map(Finding::to_string).collect();
            return Err(StateDirError::NothingIntact { path: dir.to_owned(), found: found.join("; ") });
        }
        let number = recovered.as_ref().map_or(0, |recovered| recovered.commit.number);
        let state = Self { dir: dir.to_owned(), disk, _lock: lock, kept, next, number, writing: None };
        Ok((state, recovered, findings))
    }

    /// Adds a checkpoint and numbers it. The first of a run holds all keys and begins a generation; the others hold
    /// those that have changed since the one before.
    ///
    /// # Errors
    /// Without room nothing has changed and the same may be tried again. After other errors the directory is not
    /// written any more.
    pub fn add(&mut self, commit: &mut Commit, changes: &Changes) -> Result<(), StateDirError> {
        commit.number = self.number + 1;
        match &mut self.writing {
            Some(writing) => writing.add(commit, &changes.chunks)?,
            None => self.begin(commit, changes)?,
        }
        self.number = commit.number;
        Ok(())
    }

    /// Folds base and changes together in a new generation, once the changes outweigh the base.
    ///
    /// # Errors
    /// As [`StateDir::add`]; the generation that was written goes on.
    pub fn merge(&mut self) -> Result<bool, StateDirError> {
        let worth = self.writing.as_ref().is_some_and(|writing| writing.added > writing.base.max(FEW));
        let Some((current, _)) = self.kept.last().filter(|_| worth) else { return Ok(false) };
        let path = generation::path_of(&self.dir, *current);
        let read = generation::read(&path, *current)?;
        let Some((_, last)) = read.commits.filter(|_| read.stop == Stop::Clean) else {
            return Err(StateDirError::Broken { path });
        };
        self.begin(&last, &read.keys)?;
        Ok(true)
    }

    fn begin(&mut self, commit: &Commit, keys: &Changes) -> Result<(), StateDirError> {
        let mut writing = Writing::begin(&self.dir, self.next, &self.disk)?;
        writing.add(commit, &keys.chunks)?;
        writing.publish(&self.dir, &self.disk)?;
        self.kept.push((self.next, commit.clone()));
        self.next += 1;
        self.writing = Some(writing);
        while self.kept.len() > 2 {
            let (oldest, _) = self.kept.remove(0);
            let path = generation::path_of(&self.dir, oldest);
            self.disk.remove(&path).map_err(|error| StateDirError::disk(&path, "remove an old generation", error))?;
        }
        Ok(())
    }

    /// The oldest checkpoint that a later run may have to go back to. What journals hold before it is not needed.
    pub fn oldest(&self) -> Option<&Commit> {
        self.kept.first().map(|(_, first)| first)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The number of the newest checkpoint.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The run ends in order.
    ///
    /// # Errors
    /// As [`StateDir::add`].
    pub fn close(mut self) -> Result<(), StateDirError> {
        self.writing.as_mut().map_or(Ok(()), Writing::close)
    }
}

/// Gives a damaged file another name, under which it stays.
pub(super) fn set_aside(
    dir: &Path,
    path: &Path,
    at: u64,
    names: &[String],
    disk: &Disk,
) -> Result<Finding, StateDirError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let free = (1..).map(|n| if n == 1 { format!("{name}.damaged") } else { format!("{name}.damaged-{n}") });
    let kept = free.into_iter().find(|free| !names.contains(free)).map(|free| dir.join(free)).unwrap_or_default();
    disk.rename(path, &kept).map_err(|error| StateDirError::disk(path, "set a damaged file aside", error))?;
    Ok(Finding::Damaged { path: path.to_owned(), kept, at })
}
