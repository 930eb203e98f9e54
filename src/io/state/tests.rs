#![allow(clippy::disallowed_methods, reason = "checkpoints are files")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::io::disk::{Call, Disk, Fault};
use crate::matcher::saved::{Change, Changes, read_chunk};

fn commit(n: u64) -> Commit {
    Commit {
        number: 0,
        taken: Timestamp(n as i64),
        release: "test".to_owned(),
        inputs: vec![SavedInput { name: "in".to_owned(), place: Place { offset: n * 100, ..Place::default() } }],
        outputs: vec![SavedOutput { name: "out".to_owned(), end: n * 10 }],
        head: vec![n as u8; 50],
        held: vec![SavedHeld { name: "hook".to_owned(), held: vec![n as u8; 3] }],
    }
}

type Model = BTreeMap<(u32, Vec<u8>), Vec<u8>>;

/// Random changes of some keys, made to the model too.
fn change(random: &mut fastrand::Rng, model: &mut Model, keys: u32, changes: usize) -> Changes {
    let mut made = Changes::default();
    for _ in 0..changes {
        let (rule, key) = (random.u32(..3), random.u32(..keys).to_le_bytes().to_vec());
        if random.u8(..4) == 0 {
            if model.remove(&(rule, key.clone())).is_some() {
                made.push(Change { rule, key: &key, state: None });
            }
        } else {
            let state: Vec<u8> = (0..random.usize(..60)).map(|_| random.u8(..)).collect();
            made.push(Change { rule, key: &key, state: Some(&state) });
            model.insert((rule, key), state);
        }
    }
    made
}

fn everything(model: &Model) -> Changes {
    let mut all = Changes::default();
    for ((rule, key), state) in model {
        all.push(Change { rule: *rule, key, state: Some(state) });
    }
    all
}

fn model_of(keys: &Changes) -> Model {
    let changes = keys.chunks.iter().flat_map(|chunk| read_chunk(chunk).expect("a chunk"));
    changes.map(|c| ((c.rule, c.key.to_vec()), c.state.expect("no key is gone").to_vec())).collect()
}

fn open(dir: &Path) -> (StateDir, Option<Recovered>, Vec<Finding>) {
    StateDir::open(dir, Disk::default()).expect("it opens")
}

fn newest(dir: &Path) -> PathBuf {
    let names = Disk::default().names(dir).expect("a directory");
    dir.join(names.iter().rfind(|name| name.ends_with(".checkpoints")).expect("a generation"))
}

#[test]
fn what_was_added_last_comes_back() {
    let mut random = fastrand::Rng::with_seed(7);
    let dir = tempfile::tempdir().expect("a directory");
    let (mut model, mut n) = (Model::new(), 0);
    for run in 0..6 {
        let (mut state, recovered, findings) = open(dir.path());
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(recovered.is_some(), run > 0);
        if let Some(Recovered { commit: found, keys }) = recovered {
            assert_eq!((found.number, found.taken), (n, Timestamp(n as i64)));
            assert_eq!(model_of(&keys), model);
        }
        n += 1;
        state.add(&mut commit(n), &everything(&model)).expect("added");
        for _ in 0..random.u8(..20) {
            n += 1;
            state.add(&mut commit(n), &change(&mut random, &mut model, 200, 50)).expect("added");
        }
        // Some runs end in order, others just end.
        if run % 2 == 0 {
            state.close().expect("closed");
        }
    }
}

#[test]
fn a_run_has_the_directory_for_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let (state, ..) = open(dir.path());
    let error = StateDir::open(dir.path(), Disk::default()).expect_err("it is in use");
    assert!(matches!(error, StateDirError::InUse { .. }), "{error}");
    drop(state);
    open(dir.path());
}

#[test]
fn changes_that_outweigh_the_base_are_folded_into_a_new_generation() {
    let mut random = fastrand::Rng::with_seed(8);
    let dir = tempfile::tempdir().expect("a directory");
    let (mut state, ..) = open(dir.path());
    let (mut model, mut merged, mut n) = (Model::new(), 0, 0);
    while merged < 4 {
        n += 1;
        state.add(&mut commit(n), &change(&mut random, &mut model, 5_000, 20_000)).expect("added");
        merged += u64::from(state.merge().expect("merged"));
        let files = Disk::default().names(dir.path()).expect("a directory");
        assert!(files.len() <= 3, "{files:?}");
    }
    assert!(state.oldest().is_some_and(|oldest| oldest.number > 1));
    drop(state);
    let (_, recovered, findings) = open(dir.path());
    let recovered = recovered.expect("a checkpoint");
    assert_eq!((recovered.commit.number, findings), (n, Vec::new()));
    assert_eq!(model_of(&recovered.keys), model);
}

/// A directory with two generations of some checkpoints each; the models after each checkpoint, by its number.
fn two_generations(dir: &Path) -> Vec<Model> {
    let mut random = fastrand::Rng::with_seed(9);
    let (mut model, mut models, mut n) = (Model::new(), vec![Model::new()], 0);
    for _ in 0..2 {
        let (mut state, ..) = open(dir);
        n += 1;
        state.add(&mut commit(n), &everything(&model)).expect("added");
        models.push(model.clone());
        for _ in 0..6 {
            n += 1;
            state.add(&mut commit(n), &change(&mut random, &mut model, 20, 8)).expect("added");
            models.push(model.clone());
        }
        state.close().expect("closed");
    }
    models
}

#[test]
fn a_hundred_thousand_flipped_bits_are_all_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let models = two_generations(dir.path());
    let path = newest(dir.path());
    let number = generation::number_of(&path.file_name().expect("a name").to_string_lossy()).expect("a number");
    let bytes = fs::read(&path).expect("the file");
    let mut random = fastrand::Rng::with_seed(10);
    for round in 0..100_000 {
        let bit = random.usize(..bytes.len() * 8);
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let read = match generation::read_bytes(&flipped, &path, number) {
            Ok(read) => read,
            Err(error) => panic!("round {round}, bit {bit}: {error}"),
        };
        // The very last frame says only that the run ended in order: without it the end looks cut off.
        assert_ne!(read.stop, crate::io::segment::frame::Stop::Clean, "round {round}: bit {bit} was not seen");
        assert!(read.at <= bit as u64 / 8, "round {round}: bit {bit} is before {}", read.at);
        if let Some((_, last)) = read.commits {
            assert_eq!(model_of(&read.keys), models[last.number as usize], "round {round}: bit {bit}");
        }
    }
}

#[test]
fn a_damaged_generation_is_named_and_kept_and_an_intact_checkpoint_is_used() {
    let dir = tempfile::tempdir().expect("a directory");
    let models = two_generations(dir.path());
    let path = newest(dir.path());
    let bytes = fs::read(&path).expect("the file");
    // In the header, in the base, between the changes: what is before the damage is used if it holds a checkpoint.
    for (at, expected) in [(3, 7), (60, 7), (bytes.len() / 2, 0), (bytes.len() - 30, 0)] {
        let copy = tempfile::tempdir().expect("a directory");
        for name in Disk::default().names(dir.path()).expect("a directory") {
            fs::copy(dir.path().join(&name), copy.path().join(&name)).expect("copied");
        }
        let path = newest(copy.path());
        let mut damaged = bytes.clone();
        damaged[at] ^= 16;
        fs::write(&path, &damaged).expect("written");
        let (mut state, recovered, findings) = open(copy.path());
        let recovered = recovered.expect("an intact checkpoint");
        let number = recovered.commit.number;
        assert!(if expected > 0 { number == expected } else { (8..14).contains(&number) }, "at {at}: {number}");
        assert_eq!(model_of(&recovered.keys), models[number as usize]);
        let Some(Finding::Damaged { kept, .. }) = findings.first() else { panic!("at {at}: {findings:?}") };
        assert_eq!(fs::read(kept).expect("it was kept"), damaged);
        state.add(&mut commit(99), &Changes::default()).expect("added");
        drop(state);
        assert_eq!(fs::read(kept).expect("it is still kept"), damaged);
        let (_, again, findings) = open(copy.path());
        assert_eq!((again.expect("a checkpoint").commit.taken, findings), (Timestamp(99), Vec::new()));
    }
}

#[test]
fn a_file_cut_off_anywhere_gives_an_earlier_checkpoint() {
    let dir = tempfile::tempdir().expect("a directory");
    let models = two_generations(dir.path());
    let path = newest(dir.path());
    let bytes = fs::read(&path).expect("the file");
    let number = generation::number_of(&path.file_name().expect("a name").to_string_lossy()).expect("a number");
    for len in 0..bytes.len() {
        let read = generation::read_bytes(&bytes[..len], &path, number).expect("readable");
        if let Some((_, last)) = read.commits {
            assert_eq!(model_of(&read.keys), models[last.number as usize], "cut at {len}");
        }
    }
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    two_generations(dir.path());
    let path = newest(dir.path());
    let mut bytes = fs::read(&path).expect("the file");
    bytes[8..12].copy_from_slice(&(generation::FORMAT + 1).to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &bytes).expect("written");
    let error = StateDir::open(dir.path(), Disk::default()).expect_err("it is from the future");
    assert!(error.to_string().contains("formats up to"), "{error}");
    assert_eq!(fs::read(&path).expect("the file"), bytes);
}

#[test]
fn with_nothing_intact_it_does_not_begin_anew_by_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut state, ..) = open(dir.path());
    state.add(&mut commit(1), &Changes::default()).expect("added");
    drop(state);
    let path = newest(dir.path());
    let mut bytes = fs::read(&path).expect("the file");
    bytes[30] ^= 1;
    fs::write(&path, &bytes).expect("written");
    let error = StateDir::open(dir.path(), Disk::default()).expect_err("nothing is intact");
    assert!(error.to_string().contains("no intact checkpoint is left"), "{error}");
}

#[test]
fn every_call_may_fail_once_and_no_checkpoint_is_lost() {
    for kind in [io::ErrorKind::Other, io::ErrorKind::StorageFull] {
        let mut n = 0;
        loop {
            let dir = tempfile::tempdir().expect("a directory");
            let mut models = two_generations(dir.path());
            let count = Arc::new(AtomicUsize::new(0));
            let seen = Arc::clone(&count);
            let faults = move |_: Call, _: &Path| {
                let fault = || Fault { error: io::Error::from(kind), written: n % 50 };
                (seen.fetch_add(1, Ordering::Relaxed) == n).then(fault)
            };
            let (mut added, mut failed) = (14, false);
            if let Ok((mut state, Some(recovered), _)) = StateDir::open(dir.path(), Disk::with_faults(Arc::new(faults)))
            {
                assert_eq!(recovered.commit.number, added);
                let mut model = model_of(&recovered.keys);
                let mut random = fastrand::Rng::with_seed(11);
                let mut changes = everything(&model);
                for _ in 0..5 {
                    models.push(model.clone());
                    let mut result = state.add(&mut commit(0), &changes);
                    if result.as_ref().is_err_and(StateDirError::is_full) {
                        failed = true;
                        result = state.add(&mut commit(0), &changes);
                    }
                    if result.is_err() {
                        failed = true;
                        break;
                    }
                    added += 1;
                    changes = change(&mut random, &mut model, 20, 8);
                }
            } else {
                failed = true;
            }
            let (_, recovered, _) = open(dir.path());
            let recovered = recovered.expect("a checkpoint");
            let number = recovered.commit.number;
            // A failed one may have reached the disk all the same.
            assert!(number == added || number == added + 1, "call {n}: {number} of {added}");
            assert_eq!(model_of(&recovered.keys), models[number as usize], "call {n}");
            if count.load(Ordering::Relaxed) <= n {
                assert!(!failed && added == 19);
                break;
            }
            assert!(failed, "call {n} failed and nobody noticed");
            n += 1;
        }
        assert!(n > 15, "only {n} calls were tried");
    }
}

/// A writer whose disk fails in some of its writes.
fn writer(dir: &Path, failing: std::ops::Range<usize>, kind: io::ErrorKind) -> CheckpointWriter {
    let count = AtomicUsize::new(0);
    let faults = move |call: Call, _: &Path| {
        let n = count.fetch_add(usize::from(call == Call::Write), Ordering::Relaxed);
        (call == Call::Write && failing.contains(&n)).then(|| Fault { error: io::Error::from(kind), written: 7 })
    };
    let (state, ..) = StateDir::open(dir, Disk::with_faults(Arc::new(faults))).expect("it opens");
    CheckpointWriter::start(state, Box::new(|_| {}))
}

#[test]
fn a_full_disk_is_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = writer(dir.path(), 8..11, io::ErrorKind::StorageFull);
    for n in 1..6 {
        writer.submit(commit(n), Changes::default(), Vec::new());
        assert_eq!(writer.wait().expect("written in the end").expect("a checkpoint").number, n);
    }
    writer.finish().expect("closed");
    assert_eq!(open(dir.path()).1.expect("a checkpoint").commit.number, 5);
}

#[test]
fn after_any_other_failure_nothing_is_written_any_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = writer(dir.path(), 10..11, io::ErrorKind::Other);
    let mut n = 0;
    let error = loop {
        n += 1;
        writer.submit(commit(n), Changes::default(), Vec::new());
        match writer.wait() {
            Ok(_) => assert!(n < 9, "a failed call was passed over"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("cannot"), "{error}");
    let written = open(dir.path()).1.expect("a checkpoint").commit.number;
    assert!(written == n - 1 || written == n);
}
