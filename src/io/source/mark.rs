//! What a file is known by: its inode and its first bytes. So a later run finds it again when it was renamed, and
//! notices when another file has its name or it was cut and written anew.

#![allow(clippy::disallowed_methods, reason = "inputs are files")]

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::FileMark;

/// First bytes that are looked at.
pub(super) const HEAD: usize = 256;

#[cfg(unix)]
pub(super) fn inode(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// Without inodes, only a file whose first bytes have changed can be told from one that grew.
#[cfg(not(unix))]
pub(super) fn inode(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

fn hash(head: &[u8]) -> u64 {
    crate::plan::key::hash(head)
}

/// The first bytes of a file; leaves it at its beginning.
fn head(file: &mut File, bytes: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(bytes as u64).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(head)
}

/// The mark of a file that begins at an offset of its source. Leaves the file at its beginning.
pub(super) fn mark(file: &mut File, begins: u64) -> io::Result<FileMark> {
    let inode = inode(&file.metadata()?);
    let head = head(file, HEAD)?;
    Ok(FileMark { inode, begins, head: hash(&head), head_len: head.len() as u32 })
}

/// Whether a file begins as the marked one did, and is at least `len` bytes long. Leaves it at its beginning.
pub(super) fn is_marked(file: &mut File, mark: &FileMark, len: u64) -> io::Result<bool> {
    let head = head(file, mark.head_len as usize)?;
    Ok(head.len() == mark.head_len as usize && hash(&head) == mark.head && file.metadata()?.len() >= len)
}

/// The marked file under another name in the same directory.
pub(super) fn find_renamed(path: &Path, mark: &FileMark, len: u64) -> Option<(PathBuf, File)> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(dir).ok()? {
        let Ok(entry) = entry else { continue };
        let known = entry.metadata().is_ok_and(|metadata| metadata.is_file() && inode(&metadata) == mark.inode);
        if !known || mark.inode == (0, 0) {
            continue;
        }
        if let Ok(mut file) = File::open(entry.path())
            && is_marked(&mut file, mark, len).unwrap_or(false)
        {
            return Some((entry.path(), file));
        }
    }
    None
}

/// The files that a source has read, in order, as the reader of its blocks and the one below both see them.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks(Arc<Mutex<Vec<FileMark>>>);

impl Marks {
    /// Another file begins.
    pub(super) fn push(&self, mark: FileMark) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mark);
    }

    /// More is known of the first bytes of the file that is read.
    pub(super) fn refine(&self, first: &[u8]) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = marks.last_mut() {
            (last.head, last.head_len) = (hash(first), first.len() as u32);
        }
    }

    /// The file that holds an offset. Earlier ones are forgotten: offsets only grow.
    pub(super) fn at(&self, offset: u64) -> Option<FileMark> {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = marks.partition_point(|mark| mark.begins <= offset);
        marks.drain(..after.saturating_sub(1));
        marks.first().copied()
    }
}
