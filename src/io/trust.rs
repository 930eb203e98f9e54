//! Files that others rely on: secrets, keys, the configuration, rules. Whoever may write to one of them decides what is
//! sent where, so one that everyone on the machine may write to is not read as a secret, and its readers can tell.
//!
//! What counts is the file itself, as it was when it was opened. Pipes and devices have no content of their own to
//! protect. Where there are no permission bits nothing is known, and nothing is refused.
#![expect(clippy::disallowed_methods, reason = "these are files")]

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The content of a file, and whether everyone may write to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Content {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Everyone on the machine may write to it.
    pub is_open_to_all: bool,
}

/// Reads a file, whoever may write to it.
///
/// # Errors
/// As the system says.
pub fn look(path: &Path) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let is_open_to_all = open_to_all(&file.metadata()?);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Content { bytes, is_open_to_all })
}

/// Reads a file unless everyone may write to it.
///
/// # Errors
/// Says in words why it is not read. The words do not hold its content.
pub fn read(path: &Path) -> Result<Vec<u8>, String> {
    let content = look(path).map_err(|error| format!("cannot be read: {error}"))?;
    if content.is_open_to_all { Err(way_out(path)) } else { Ok(content.bytes) }
}

/// Whether everyone may write to a file that is there.
pub fn is_open_to_all(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| open_to_all(&metadata))
}

/// What there is to say of a file that everyone may write to.
pub fn way_out(path: &Path) -> String {
    format!("may be written by everyone on this machine; take that back with `chmod o-w {}`", path.display())
}

fn open_to_all(metadata: &fs::Metadata) -> bool {
    #[cfg(unix)]
    return metadata.is_file() && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o002 != 0;
    #[cfg(not(unix))]
    return false;
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_everyone_may_write_is_not_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("secret");
        fs::write(&path, "canary").expect("written");
        for (mode, refused) in [(0o600, false), (0o664, false), (0o666, true), (0o602, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
            let read = read(&path);
            assert_eq!(read.is_err(), refused, "{mode:o}");
            assert_eq!(is_open_to_all(&path), refused, "{mode:o}");
            if let Err(words) = read {
                assert!(words.contains("chmod o-w") && !words.contains("canary"), "{words}");
            }
        }
        assert!(read(Path::new("/dev/null")).is_ok_and(|bytes| bytes.is_empty()), "a device keeps nothing");
        assert!(read(&dir.path().join("none")).is_err_and(|words| words.starts_with("cannot be read")));
    }
}
