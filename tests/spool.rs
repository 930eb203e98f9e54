//! Queues on disk: what outlasts the process, what the cap does, and what damage does.

mod deliver_support;

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deliver_support::{Office, Scripted, alert, letter, number};
use tripline::alert::{BoundEvent, BoundStep, Seq};
use tripline::base::{StepId, Timestamp};
use tripline::io::deliver::queue::Queue;
use tripline::io::deliver::spool::{Spool, SpoolOptions};
use tripline::io::deliver::{DeadLetters, Failure, Letter, Receipt, Service, WhenFull};

fn options(name: &str, most: u64) -> SpoolOptions {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("spool-{name}"));
    let _ = fs::remove_dir_all(&directory);
    SpoolOptions { directory, most }
}

fn open(options: &SpoolOptions) -> Spool {
    Spool::open(options).expect("a spool")
}

/// The bytes of the log's files.
fn bytes(options: &SpoolOptions) -> u64 {
    let files = fs::read_dir(&options.directory).expect("a directory").flatten();
    let logs = files.filter(|file| file.path().extension().is_some_and(|e| e == "log"));
    logs.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum()
}

fn numbers(letters: &[Letter]) -> Vec<u64> {
    letters.iter().map(number).collect()
}

#[test]
fn what_is_not_settled_comes_again_in_order() {
    let options = options("again", 1 << 20);
    let mut spool = open(&options);
    for n in 0..100 {
        assert_eq!(spool.push(letter(n)).expect("room"), None);
    }
    assert_eq!(numbers(&spool.take(30).expect("readable")), (0..30).collect::<Vec<_>>());
    spool.settle().expect("a mark");
    assert_eq!(spool.take(20).expect("readable").len(), 20);
    drop(spool);

    let mut spool = open(&options);
    assert_eq!(spool.waiting(), 70, "20 were in hand when the process ended");
    spool.push(letter(100)).expect("room");
    assert_eq!(numbers(&spool.take(1000).expect("readable")), (30..=100).collect::<Vec<_>>());
    spool.settle().expect("a mark");
    drop(spool);
    assert_eq!(open(&options).waiting(), 0);
}

#[test]
fn a_letter_comes_back_as_it_was_with_the_names_of_its_inputs() {
    let options = options("names", 1 << 20);
    let mut alert = alert(7, "r");
    let event =
        BoundEvent { seq: Seq(1 << 48 | 12), ts: Timestamp(5), fields: Vec::new(), raw: None, origins: Vec::new() };
    alert.bound = vec![BoundStep { step: StepId(0), name: None, events: vec![event] }];
    let inputs: Vec<String> = ["a.ndjson", "b.ndjson", "c.ndjson"].map(str::to_owned).to_vec();
    let letter = Letter { alert: alert.into(), inputs: inputs.into() };
    open(&options).push(letter.clone()).expect("room");
    let back = open(&options).take(1).expect("readable").remove(0);
    assert_eq!(back.alert, letter.alert);
    let json = back.text(tripline::alert::format::Format::Json);
    assert!(json.contains(r#""input":"b.ndjson""#), "{json}");
    assert_eq!(json, letter.text(tripline::alert::format::Format::Json));
}

#[test]
fn the_cap_is_never_passed_and_the_oldest_go_first() {
    let options = options("cap", 1 << 20);
    let mut spool = open(&options);
    let mut pushed = 0;
    while spool.push(letter(pushed)).expect("a disk with room").is_none() {
        pushed += 1;
        assert!(pushed < 100_000);
    }
    assert!(bytes(&options) <= 1 << 20, "{}", bytes(&options));
    let dropped = spool.drop_oldest().expect("a segment").expect("room was made");
    assert!(dropped > 0 && dropped < pushed / 8, "one segment of many: {dropped} of {pushed}");
    assert_eq!(spool.push(letter(pushed)).expect("room"), None);
    assert_eq!(numbers(&spool.take(usize::MAX).expect("readable")), (dropped..=pushed).collect::<Vec<_>>());
}

#[test]
fn a_damaged_segment_is_passed_over_and_the_others_are_not() {
    let options = options("damage", 1 << 20);
    let mut spool = open(&options);
    for n in 0..3000 {
        assert_eq!(spool.push(letter(n)).expect("a disk"), None, "{n}");
    }
    drop(spool);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&options.directory).expect("a directory").flatten().map(|f| f.path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "log"));
    files.sort();
    assert!(files.len() > 3);
    let mut text = fs::read(&files[1]).expect("a file");
    let middle = text.len() / 2;
    text[middle] ^= 4;
    fs::write(&files[1], text).expect("a file");

    let got = numbers(&open(&options).take(usize::MAX).expect("readable"));
    assert!(got.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
    assert!(got.len() > 2500 && got.len() < 3000, "{}", got.len());
    assert_eq!((got.first(), got.last()), (Some(&0), Some(&2999)));
}

#[test]
fn a_mark_that_is_damaged_means_that_letters_come_again() {
    let options = options("mark", 1 << 20);
    let mut spool = open(&options);
    for n in 0..10 {
        spool.push(letter(n)).expect("room");
    }
    spool.take(5).expect("readable");
    spool.settle().expect("a mark");
    drop(spool);
    for wrong in [vec![], vec![7; 16], vec![0xff; 3]] {
        fs::write(options.directory.join("mark"), wrong).expect("a file");
        assert_eq!(open(&options).waiting(), 10);
    }
}

/// A power cut can take letters that were settled, and leave the mark behind them.
#[test]
fn a_mark_beyond_the_end_of_the_log_hides_no_letter_that_comes_later() {
    let options = options("ahead", 1 << 20);
    let mut spool = open(&options);
    for n in 0..50 {
        spool.push(letter(n)).expect("room");
    }
    spool.take(50).expect("readable");
    spool.settle().expect("a mark");
    drop(spool);
    let log = fs::read_dir(&options.directory).expect("a directory").flatten().map(|file| file.path());
    let log = log.into_iter().find(|path| path.extension().is_some_and(|e| e == "log")).expect("a log");
    fs::OpenOptions::new().write(true).open(log).and_then(|file| file.set_len(20)).expect("the frames are gone");

    let mut spool = open(&options);
    for n in 100..200 {
        spool.push(letter(n)).expect("room");
    }
    spool.sync().expect("durable");
    // Killed before a letter is settled.
    drop(spool);
    assert_eq!(numbers(&open(&options).take(usize::MAX).expect("readable")), (100..200).collect::<Vec<_>>());
}

/// A number from the environment.
fn wanted(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Bytes of memory that this process has now, where the system says so.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// `SPOOL_SECONDS=21600 SPOOL_MIB=1024` is an outage of six hours with a spool of the default size; the everyday one is
/// five minutes, with one that is full after ten seconds.
#[test]
fn an_outage_of_hours_fills_the_spool_to_its_cap_and_is_drained_in_order_after() {
    let (seconds, cap) = (wanted("SPOOL_SECONDS", 300), wanted("SPOOL_MIB", 4) << 20);
    let options = options("hours", cap);
    let is_up = Arc::new(Mutex::new(false));
    let flag = Arc::clone(&is_up);
    let (sink, seen) = Scripted::new(Box::new(move |_| {
        if *flag.lock().expect("not poisoned") { Ok(Receipt::ALL) } else { Err(Failure::down("away")) }
    }));
    let service = Service { when_full: WhenFull::DropOldest, ..Service::default() };
    let mut office = Office::with(&service, sink, Box::new(open(&options)), DeadLetters::default());
    let (mut n, mut after_a_second) = (0, None);
    let begun = Instant::now();
    for second in 0..seconds {
        for _ in 0..1000 {
            n += 1;
            office.leave(n);
        }
        office.run_until(Duration::from_secs(second + 1));
        assert!(bytes(&options) <= cap, "{}", bytes(&options));
        after_a_second = after_a_second.or_else(resident);
    }
    let filled = n as f64 / begun.elapsed().as_secs_f64();
    if let (Some(before), Some(now)) = (after_a_second, resident()) {
        let grown = now.saturating_sub(before);
        println!("memory grew by {} KiB while {n} alerts waited or were dropped", grown >> 10);
        assert!(grown <= 32 << 20, "{grown} bytes");
    }
    let waiting = office.desk.standing().waiting;
    *is_up.lock().expect("not poisoned") = true;
    let begun = Instant::now();
    office.run_until(office.now + Duration::from_secs(60));
    let drained = waiting as f64 / begun.elapsed().as_secs_f64();
    println!("{waiting} alerts in {} MiB; {filled:.0} a second went in, {drained:.0} a second out", cap >> 20);
    let standing = office.desk.standing();
    let taken = seen.taken();
    assert_eq!((standing.waiting, standing.counts.dead), (0, 0));
    assert_eq!(standing.counts.taken, standing.counts.delivered + standing.counts.dropped, "{standing:?}");
    assert_eq!(taken.len() as u64, standing.counts.delivered);
    assert!(taken.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice");
    assert_eq!(taken.last(), Some(&n), "the newest were kept");
}
