//! What the machine leaves to this process, the memory of its control group, else that of the whole machine; and what of
//! it the state of rules may take.
#![expect(clippy::disallowed_methods, reason = "the system says it in files")]

use std::fs;
use std::path::{Path, PathBuf};

/// The program may take one in so many of the bytes that there are, if nothing else is said: the rest is for checkpoints
/// under way, the page cache, and whatever else runs.
const SHARE: u64 = 2;

/// Bytes that the program takes beside what rules hold: its code, and blocks of input on their way.
const BESIDE: usize = 64 << 20;

/// One in so many bytes lies idle between those that rules hold: as measured with `tests/flood`, beside what is counted.
const IDLE: usize = 16;

/// What the state of rules may take where the program may take `memory`. At least half of it, however little that is.
pub fn for_state(memory: usize) -> usize {
    memory.saturating_sub(BESIDE + memory / IDLE).max(memory / 2)
}

/// What the program may take if nothing is said; `None` where the system does not say what there is.
pub fn memory_cap() -> Option<usize> {
    let root = Path::new("/");
    let least = group_limit(root).into_iter().chain(physical(root)).min()?;
    usize::try_from(least / SHARE).ok()
}

/// The tightest limit of the control groups that this process is in, of version 2 or 1.
fn group_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut least = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (mount, file) = if controllers.is_empty() {
            ("sys/fs/cgroup", "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
        } else {
            continue;
        };
        let mount = root.join(mount);
        // A limit of a group holds for all below it. In a container the path may be that of the host: then the mount
        // itself is the group.
        let mut group: PathBuf = mount.join(path.trim_start_matches('/'));
        loop {
            let limit = fs::read_to_string(group.join(file)).ok().and_then(|text| text.trim().parse::<u64>().ok());
            least = least.into_iter().chain(limit).min();
            if group == mount || !group.pop() || !group.starts_with(&mount) {
                break;
            }
        }
    }
    least
}

/// The memory of the machine.
fn physical(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("made");
            fs::write(path, text).expect("written");
        }
        root
    }

    #[test]
    fn states_get_what_the_program_does_not_take_itself() {
        assert_eq!(for_state(512 << 20), 416 << 20);
        assert_eq!(for_state(64 << 20), 32 << 20);
        assert_eq!(for_state(0), 0);
    }

    #[test]
    fn the_tightest_group_counts() {
        let root = system(&[
            ("proc/self/cgroup", "0::/system.slice/tripline.service\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "1000000\n"),
            ("sys/fs/cgroup/system.slice/tripline.service/memory.max", "max\n"),
        ]);
        assert_eq!(group_limit(root.path()), Some(1_000_000));
    }

    #[test]
    fn a_container_sees_its_group_as_the_root() {
        let root = system(&[
            ("proc/self/cgroup", "4:cpu:/x\n3:memory:/docker/abc\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
        ]);
        assert_eq!(group_limit(root.path()), Some(512 << 20));
    }

    #[test]
    fn a_machine_says_what_it_has() {
        let root = system(&[("proc/meminfo", "MemFree:  1 kB\nMemTotal:       2048 kB\n")]);
        assert_eq!((group_limit(root.path()), physical(root.path())), (None, Some(2 << 20)));
    }
}
