//! A disk that fails, fills up and loses power, on top of a real directory.
//!
//! Every call of the program passes here first. What a power cut takes is what had not been synced: the ends of files
//! since their last sync, and, from some moment on, what happened to names in a directory since that was synced. What
//! was overwritten in place and never synced may hold anything.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use tripline::io::disk::{Call, Disk, Fault};

use crate::oracle::random::Random;

/// How much goes wrong, in calls of ten thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// The disk has no room, for some calls.
    pub full: usize,
    /// A call fails for good.
    pub broken: usize,
    /// The machine goes down in the middle of a call.
    pub crash: usize,
}

/// What happened to a name, so that a power cut can take it back.
enum Named {
    Made(PathBuf),
    Moved { inode: u64, from: PathBuf },
    Removed { path: PathBuf, aside: PathBuf },
}

struct State {
    random: Random,
    rates: Rates,
    /// Calls that there is no room for yet.
    full: usize,
    /// Nothing works any more, until the next start.
    is_down: bool,
    /// Bytes of files that are synced, by inode.
    synced: HashMap<u64, u64>,
    /// Names since their directory was synced, oldest first.
    named: Vec<Named>,
    aside: usize,
}

/// The disk.
#[derive(Clone)]
pub struct Platter {
    root: PathBuf,
    state: Arc<Mutex<State>>,
}

fn inode(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|metadata| metadata.ino())
}

impl Platter {
    /// A disk in an empty directory.
    pub fn new(root: &Path, seed: u64) -> Self {
        fs::create_dir_all(root.join("aside")).expect("a directory");
        let state = State {
            random: Random::new(seed),
            rates: Rates::default(),
            full: 0,
            is_down: false,
            synced: HashMap::new(),
            named: Vec::new(),
            aside: 0,
        };
        Self { root: root.to_owned(), state: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    /// The disk as the program sees it.
    pub fn disk(&self) -> Disk {
        let me = self.clone();
        Disk::with_faults(Arc::new(move |call, path| me.before(call, path)))
    }

    /// A new start: everything works, but for what goes wrong at these rates.
    pub fn start(&self, rates: Rates) {
        let mut state = self.lock();
        (state.rates, state.full, state.is_down) = (rates, 0, false);
    }

    /// Whether the machine has gone down in the middle of a call.
    pub fn is_down(&self) -> bool {
        self.lock().is_down
    }

    /// A file that does not pass here was synced.
    pub fn note_synced(&self, path: &Path) {
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        self.lock().synced.extend(inode(path).map(|inode| (inode, length)));
    }

    fn before(&self, call: Call, path: &Path) -> Option<Fault> {
        let state = &mut *self.lock();
        let part = state.random.below(1 << 12);
        let fault = |kind: io::ErrorKind| Some(Fault { error: kind.into(), written: part });
        if state.is_down {
            return Some(Fault { error: io::ErrorKind::Other.into(), written: 0 });
        }
        if state.random.below(10_000) < state.rates.crash {
            state.is_down = true;
            return fault(io::ErrorKind::Other);
        }
        let takes_room = matches!(call, Call::Create | Call::Write);
        if state.full == 0 && state.random.below(10_000) < state.rates.full {
            state.full = 1 + state.random.below(12);
        }
        if state.full > 0 && takes_room {
            state.full -= 1;
            return fault(io::ErrorKind::StorageFull);
        }
        if state.random.below(10_000) < state.rates.broken {
            return fault(io::ErrorKind::Other);
        }
        state.note(&self.root, call, path);
        None
    }

    /// The power goes: what was not synced is lost, or part of it.
    pub fn cut_power(&self) {
        let state = &mut *self.lock();
        // File systems keep the order of what happens to names.
        let kept = state.random.below(state.named.len() + 1);
        for named in state.named.drain(kept..).rev() {
            match named {
                Named::Made(path) => drop(fs::remove_file(path)),
                Named::Moved { inode: moved, from } => {
                    let entries = fs::read_dir(from.parent().expect("a directory")).expect("readable").flatten();
                    let to = entries.map(|entry| entry.path()).find(|path| inode(path) == Some(moved));
                    fs::rename(to.expect("it is there under its new name"), from).expect("renamed");
                }
                Named::Removed { path, aside } => fs::rename(aside, path).expect("it was put aside"),
            }
        }
        state.named.clear();
        let mut open = vec![self.root.clone()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).expect("a directory").flatten().map(|entry| entry.path()));
            } else if !path.starts_with(self.root.join("aside")) {
                state.forget(&path);
            }
        }
    }
}

impl State {
    /// Remembers what a call that succeeds makes durable, or leaves open.
    fn note(&mut self, root: &Path, call: Call, path: &Path) {
        let is_in = |named: &Named| match named {
            Named::Made(of) | Named::Moved { from: of, .. } | Named::Removed { path: of, .. } => {
                of.parent() == Some(path)
            }
        };
        match call {
            Call::Create if path.is_dir() => {}
            Call::Create => self.named.push(Named::Made(path.to_owned())),
            Call::Sync => {
                let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
                self.synced.extend(inode(path).map(|inode| (inode, length)));
            }
            Call::SyncDir => self.named.retain(|named| !is_in(named)),
            Call::Rename => {
                let inode = inode(path).expect("what is renamed is there");
                self.named.push(Named::Moved { inode, from: path.to_owned() });
            }
            Call::Remove => {
                self.aside += 1;
                let aside = root.join("aside").join(self.aside.to_string());
                if fs::hard_link(path, &aside).is_ok() {
                    self.named.push(Named::Removed { path: path.to_owned(), aside });
                }
            }
            Call::Write | Call::Truncate => {}
        }
    }

    /// Takes from a file what was not synced, or part of it; of what is left, the end may be zeros.
    fn forget(&mut self, path: &Path) {
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        let synced = inode(path).and_then(|inode| self.synced.get(&inode).copied()).unwrap_or(0);
        if synced >= length {
            return;
        }
        let kept = synced + self.random.below((length - synced) as usize + 1) as u64;
        let file = OpenOptions::new().write(true).open(path).expect("a file");
        if self.random.percent(30) {
            let zeros = synced + self.random.below((kept - synced) as usize + 1) as u64;
            file.set_len(zeros).expect("cut");
        }
        file.set_len(kept).expect("cut");
    }
}
