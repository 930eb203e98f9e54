#![allow(clippy::disallowed_methods, reason = "logs are files")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::io::disk::{Call, Disk, Fault};

const SMALL: LogOptions = LogOptions { segment_bytes: 4 << 10, limit: None };

fn open(dir: &Path) -> (Log, Recovery) {
    Log::open(dir, SMALL, Disk::default()).expect("the log opens")
}

fn all(log: &Log, from: Position) -> Vec<Vec<u8>> {
    let mut reader = log.read_from(from).expect("the position is there");
    std::iter::from_fn(|| reader.next().expect("nothing is damaged")).map(|(_, payload)| payload).collect()
}

fn payload(n: usize) -> Vec<u8> {
    (0..n * 37 % 900).map(|i| (i * n) as u8).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).expect("a directory").map(|e| e.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn frames_come_back_from_any_position_and_after_opening_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(dir.path());
    let mut positions = Vec::new();
    for n in 0..200 {
        positions.push(log.append(&payload(n)).expect("appended"));
    }
    assert!(files(dir.path()).len() > 10);
    for _ in 0..2 {
        for from in [0, 1, 57, 199] {
            let expected: Vec<Vec<u8>> = (from..200).map(payload).collect();
            assert_eq!(all(&log, positions[from]), expected);
        }
        log.sync().expect("durable");
        drop(log);
        let (again, recovery) = open(dir.path());
        assert_eq!(recovery.torn, 0);
        log = again;
    }
    let end = log.end();
    assert_eq!(log.append(b"more").expect("appended"), end);
}

#[test]
fn a_reader_goes_on_when_more_is_appended() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(dir.path());
    let mut reader = log.read_from(Position(0)).expect("a reader");
    for n in 0..100 {
        assert_eq!(reader.next().expect("nothing yet"), None);
        let at = log.append(&payload(n)).expect("appended");
        assert_eq!(reader.next().expect("a frame"), Some((at, payload(n))));
    }
}

#[test]
fn a_tail_cut_off_anywhere_loses_only_what_was_not_durable() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(dir.path());
    for n in 0..4 {
        log.append(&payload(n)).expect("appended");
    }
    let durable = log.sync().expect("durable");
    log.append(&payload(5)).expect("appended");
    log.append(&payload(6)).expect("appended");
    drop(log);
    let path = files(dir.path()).pop().expect("a file");
    let bytes = fs::read(&path).expect("the file");
    let durable_len = 20 + durable.0 as usize;
    for len in durable_len..bytes.len() {
        fs::write(&path, &bytes[..len]).expect("written");
        let (log, recovery) = open(dir.path());
        let whole = if len < durable_len + 16 + payload(5).len() { 4 } else { 5 };
        let kept = all(&log, Position(0));
        assert_eq!(kept.len(), whole, "cut at {len}");
        assert!(log.end() >= durable && (recovery.torn as usize) < bytes.len() - durable_len);
    }
}

#[test]
fn a_flipped_bit_before_what_is_durable_is_damage_and_nothing_is_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(dir.path());
    for n in 1..6 {
        log.append(&payload(n)).expect("appended");
        log.sync().expect("durable");
    }
    let last = log.append(b"knows that the others are durable").expect("appended");
    drop(log);
    let path = files(dir.path()).pop().expect("a file");
    let bytes = fs::read(&path).expect("the file");
    for bit in 0..(20 + last.0 as usize) * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).expect("written");
        let error = Log::open(dir.path(), SMALL, Disk::default()).expect_err("a bit is wrong");
        assert!(matches!(error, LogError::Damaged { .. }), "bit {bit}: {error}");
        assert_eq!(fs::read(&path).expect("the file"), flipped);
    }
}

#[test]
fn damage_in_an_older_file_is_found_by_reading() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(dir.path());
    for n in 0..100 {
        log.append(&payload(n)).expect("appended");
    }
    drop(log);
    let path = &files(dir.path())[1];
    let mut bytes = fs::read(path).expect("the file");
    bytes[100] ^= 4;
    fs::write(path, bytes).expect("written");
    let (log, _) = open(dir.path());
    let mut reader = log.read_from(Position(0)).expect("a reader");
    let error = loop {
        match reader.next() {
            Ok(frame) => assert!(frame.is_some(), "the damage was passed over"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("damaged at byte"), "{error}");
}

#[test]
fn trimming_frees_whole_files_and_positions_stay() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(dir.path());
    let positions: Vec<Position> = (0..100).map(|n| log.append(&payload(n)).expect("appended")).collect();
    let before = log.bytes();
    let freed = log.trim(positions[50]).expect("trimmed");
    assert!(freed > 0 && log.bytes() == before - freed);
    assert!(log.start() <= positions[50] && log.start() > positions[30]);
    assert!(matches!(log.read_from(Position(0)), Err(LogError::Outside { .. })));
    assert_eq!(all(&log, positions[50]).len(), 50);
    drop(log);
    let (mut log, _) = open(dir.path());
    assert_eq!(all(&log, positions[50]).len(), 50);
    let end = log.end();
    log.trim(end).expect("trimmed");
    assert_eq!(log.segments().len(), 1);
    assert_eq!(log.append(b"x").expect("appended"), end);
}

#[test]
fn cutting_takes_back_what_came_after() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut log, _) = open(dir.path());
    let positions: Vec<Position> = (0..100).map(|n| log.append(&payload(n)).expect("appended")).collect();
    assert!(log.cut(Position(positions[50].0 + 1)).is_err(), "no frame begins there");
    log.cut(positions[50]).expect("cut");
    assert_eq!((log.end(), all(&log, Position(0)).len()), (positions[50], 50));
    log.append(b"other").expect("appended");
    drop(log);
    let (log, recovery) = open(dir.path());
    assert_eq!((recovery.torn, all(&log, positions[50])), (0, vec![b"other".to_vec()]));
}

#[test]
fn the_limit_is_never_exceeded() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = LogOptions { limit: Some(20_000), ..SMALL };
    let (mut log, _) = Log::open(dir.path(), options, Disk::default()).expect("opens");
    let mut taken = 0;
    let error = loop {
        match log.append(&[7; 500]) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LogError::Capped { .. }) && error.is_full() && taken > 30);
    let on_disk: u64 = files(dir.path()).iter().map(|f| f.metadata().expect("a file").len()).sum();
    assert_eq!(on_disk, log.bytes());
    assert!(on_disk <= 20_000);
    log.trim(log.segments()[1]).expect("trimmed");
    log.append(&[7; 500]).expect("there is room again");
}

/// A disk whose `n`-th change fails, and the number of changes asked for so far.
fn failing(n: usize, kind: io::ErrorKind, torn: usize) -> (Disk, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let faults = move |_: Call, _: &Path| {
        let fault = || Fault { error: io::Error::from(kind), written: torn };
        (seen.fetch_add(1, Ordering::Relaxed) == n).then(fault)
    };
    (Disk::with_faults(Arc::new(faults)), count)
}

#[test]
fn every_call_may_fail_once_and_nothing_durable_is_lost() {
    for (kind, torn) in [(io::ErrorKind::Other, 0), (io::ErrorKind::StorageFull, 5), (io::ErrorKind::Other, 100)] {
        let mut n = 0;
        loop {
            let dir = tempfile::tempdir().expect("a directory");
            let (disk, count) = failing(n, kind, torn);
            let (mut durable, mut written, mut failed) = (0, 0, false);
            if let Ok((mut log, _)) = Log::open(dir.path(), SMALL, disk.clone()) {
                for n in 0..60 {
                    let mut appended = log.append(&payload(n));
                    if appended.as_ref().is_err_and(LogError::is_full) {
                        failed = true;
                        appended = log.append(&payload(n));
                    }
                    if appended.is_err() {
                        failed = true;
                        assert!(matches!(log.append(b"x"), Err(LogError::Broken { .. })));
                        break;
                    }
                    written = n + 1;
                    if n % 7 == 0 {
                        if log.sync().is_err() {
                            failed = true;
                            assert!(matches!(log.sync(), Err(LogError::Broken { .. })), "never after a failed sync");
                            break;
                        }
                        durable = written;
                    }
                }
            } else {
                failed = true;
            }
            let calls = count.load(Ordering::Relaxed);
            let (log, _) = open(dir.path());
            let kept = all(&log, Position(0));
            assert!((durable..=written + 1).contains(&kept.len()), "call {n}: {} of {durable}..{written}", kept.len());
            assert!(kept.iter().enumerate().all(|(n, frame)| *frame == payload(n)), "call {n}");
            if calls <= n {
                assert!(!failed && kept.len() == 60);
                break;
            }
            assert!(failed, "call {n} failed and nobody noticed");
            n += 1;
        }
        assert!(n > 100, "only {n} calls were tried");
    }
}

/// Random appends, syncs, trims, cuts, crashes and openings against a list of payloads.
#[test]
fn behaves_as_a_list() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let dir = tempfile::tempdir().expect("a directory");
        let (mut log, _) = open(dir.path());
        let mut model: Vec<(Position, Vec<u8>)> = Vec::new();
        for step in 0..300 {
            match random.u8(..20) {
                0 => {
                    drop(log);
                    (log, _) = open(dir.path());
                }
                1 if !model.is_empty() => {
                    let at = model[random.usize(..model.len())].0;
                    log.trim(at).expect("trimmed");
                    model.retain(|(p, _)| *p >= log.start());
                }
                2 if !model.is_empty() => {
                    let keep = random.usize(..model.len());
                    log.cut(model[keep].0).expect("cut");
                    model.truncate(keep);
                }
                3 => drop(log.sync().expect("durable")),
                4 => {
                    // A crash in the middle of a write.
                    drop(log);
                    let path = files(dir.path()).pop().expect("a file");
                    let mut bytes = fs::read(&path).expect("the file");
                    bytes.extend((0..random.usize(1..40)).map(|_| random.u8(..)));
                    fs::write(&path, bytes).expect("written");
                    let recovery;
                    (log, recovery) = open(dir.path());
                    assert!(recovery.torn > 0);
                }
                _ => {
                    let payload: Vec<u8> = (0..random.usize(..800)).map(|_| random.u8(..)).collect();
                    model.push((log.append(&payload).expect("appended"), payload));
                }
            }
            let from = model.first().map_or(log.start(), |(p, _)| *p);
            let mut reader = log.read_from(from.max(log.start())).expect("a reader");
            let frames: Vec<_> = std::iter::from_fn(|| reader.next().expect("intact")).collect();
            assert_eq!(frames, model, "seed {seed} step {step}");
        }
    }
}
