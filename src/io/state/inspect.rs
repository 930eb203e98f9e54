//! Looking at a state directory, and mending it, without running anything.

use std::path::{Path, PathBuf};

use super::generation::{self, Read};
use super::lock::Lock;
use super::store::set_aside;
use super::{Commit, Finding, StateDirError};
use crate::io::disk::Disk;
use crate::io::segment::frame::Stop;
use crate::matcher::saved::Changes;

/// What one generation holds.
#[derive(Debug)]
pub struct GenerationReport {
    /// The file.
    pub path: PathBuf,
    /// Bytes in it.
    pub bytes: u64,
    /// Intact checkpoints.
    pub count: u64,
    /// The last of them, with the states of all keys at it.
    pub last: Option<(Commit, Changes)>,
    /// What is wrong: the first byte that is not intact, and whether a crash while writing explains it.
    pub wrong: Option<(u64, bool)>,
}

/// Reads all generations of a directory, the newest first. Changes nothing and needs no lock.
///
/// # Errors
/// The directory cannot be read, or a newer release wrote it.
pub fn inspect(dir: &Path) -> Result<Vec<GenerationReport>, StateDirError> {
    let names = Disk::default().names(dir).map_err(|error| StateDirError::disk(dir, "read the directory", error))?;
    let mut reports = Vec::new();
    for number in names.iter().rev().filter_map(|name| generation::number_of(name)) {
        let path = generation::path_of(dir, number);
        reports.push(report(generation::read(&path, number)?, path));
    }
    Ok(reports)
}

/// As [`inspect`] for a file of this name, whose bytes are at hand.
///
/// # Errors
/// A newer release wrote it.
pub fn inspect_bytes(name: &Path, bytes: &[u8]) -> Result<GenerationReport, StateDirError> {
    let number = name.file_name().and_then(|name| generation::number_of(name.to_str()?)).unwrap_or_default();
    Ok(report(generation::read_bytes(bytes, name, number)?, name.to_owned()))
}

fn report(read: Read, path: PathBuf) -> GenerationReport {
    let Read { commits, count, keys, stop, at, bytes } = read;
    let last = commits.map(|(_, last)| (last, keys));
    let wrong = match stop {
        Stop::Clean if last.is_some() => None,
        Stop::Torn => Some((at, true)),
        Stop::Clean | Stop::Damaged => Some((at, false)),
    };
    GenerationReport { path, bytes, count, last, wrong }
}

/// Sets damaged generations aside, so that a run uses what is intact, and says which. What a crash has left half
/// written is no damage.
///
/// # Errors
/// A run uses the directory, or the system refuses.
pub fn repair(dir: &Path) -> Result<Vec<Finding>, StateDirError> {
    let _lock = Lock::take(dir)?;
    let disk = Disk::default();
    let mut findings = Vec::new();
    for report in inspect(dir)? {
        let names = disk.names(dir).map_err(|error| StateDirError::disk(dir, "read the directory", error))?;
        match report.wrong {
            Some((at, false)) if report.last.is_none() => {
                findings.push(set_aside(dir, &report.path, at, &names, &disk)?);
            }
            _ => {}
        }
    }
    Ok(findings)
}
