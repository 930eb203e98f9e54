//! Couriers in virtual time: outages, refusals, full queues, storms. Nothing here waits, and no seed is random.

mod deliver_support;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deliver_support::{Office, Scripted, alert, number};
use tripline::alert::{Alert, Notice, Origin};
use tripline::base;
use tripline::io::deliver::queue::{Memory, Queue};
use tripline::io::deliver::{By, DeadLetters, Failure, Gather, Gathering, Letter, Receipt, Service, WhenFull};
use tripline::io::sink::LineSink;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn letters_arrive_in_order_and_once() {
    let (sink, seen) = Scripted::answers(Vec::new());
    let mut office = Office::new(&Service { batch: 7, ..Service::default() }, sink);
    for n in 0..100 {
        assert!(office.leave(n));
    }
    office.run_until(SECOND);
    assert_eq!(seen.taken(), (0..100).collect::<Vec<_>>());
    assert!(seen.batches().iter().all(|size| *size <= 7));
    let standing = office.desk.standing();
    assert_eq!((standing.counts.taken, standing.counts.delivered, standing.waiting), (100, 100, 0));
}

#[test]
fn an_outage_costs_no_letter_however_long() {
    let (mut attempts, seen_attempts) = (0, Arc::new(Mutex::new(0)));
    let count = Arc::clone(&seen_attempts);
    let (sink, seen) = Scripted::new(Box::new(move |_| {
        attempts += 1;
        *count.lock().expect("not poisoned") = attempts;
        if attempts <= 500 { Err(Failure::down("connection refused")) } else { Ok(Receipt::ALL) }
    }));
    let mut office = Office::new(&Service { tries: 3, ..Service::default() }, sink);
    for n in 0..50 {
        office.leave(n);
    }
    office.run_until(HOUR);
    let standing = office.desk.standing();
    assert_eq!(standing.waiting, 50, "nothing is lost and nothing is dead");
    assert_eq!(standing.trouble.as_deref(), Some("connection refused"));
    // The breaker lets one attempt through every ten seconds, so an hour is a few hundred attempts.
    let made = *seen_attempts.lock().expect("not poisoned");
    assert!((100..=400).contains(&made), "{made} attempts in an hour");
    office.run_until(3 * HOUR);
    assert_eq!(seen.taken(), (0..50).collect::<Vec<_>>());
    let standing = office.desk.standing();
    assert_eq!((standing.counts.dead, standing.waiting, standing.trouble), (0, 0, None));
}

#[test]
fn a_probe_is_one_letter() {
    let (sink, seen) = Scripted::answers(vec![Err(Failure::down("no")); 8]);
    let mut office = Office::new(&Service { breaker_after: 3, ..Service::default() }, sink);
    for n in 0..20 {
        office.leave(n);
    }
    office.run_until(HOUR);
    assert_eq!(seen.batches()[..9], [20, 20, 20, 1, 1, 1, 1, 1, 1], "after three failures one at a time");
    assert_eq!(seen.taken(), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_wait_that_is_asked_for_is_kept() {
    let (sink, seen) = Scripted::answers(vec![Err(Failure::down("HTTP 429").after(Some(120 * SECOND)))]);
    let mut office = Office::new(&Service::default(), sink);
    office.leave(1);
    office.run_until(119 * SECOND);
    assert_eq!(seen.batches(), [1]);
    office.run_until(121 * SECOND);
    assert_eq!(seen.taken(), [1]);
}

/// A file of dead letters that can be read.
fn graveyard(name: &str) -> (DeadLetters, std::path::PathBuf) {
    let path = std::env::temp_dir().join(format!("tripline-dead-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    (DeadLetters::into(LineSink::append(&path).expect("a file")), path)
}

#[test]
fn what_is_refused_is_found_by_halving_and_kept() {
    let (sink, seen) = Scripted::new(Box::new(|letters| {
        let poison = letters.iter().any(|letter| matches!(number(letter), 13 | 77));
        if poison { Err(Failure::refused("HTTP 400: cannot parse")) } else { Ok(Receipt::ALL) }
    }));
    let (dead, path) = graveyard("halving");
    let service = Service::default();
    let mut office = Office::with(&service, sink, Box::new(Memory::new(1000)), dead);
    for n in 0..100 {
        office.leave(n);
    }
    office.run_until(SECOND);
    let expected: Vec<u64> = (0..100).filter(|n| !matches!(n, 13 | 77)).collect();
    assert_eq!(seen.taken(), expected);
    let standing = office.desk.standing();
    assert_eq!((standing.counts.dead, standing.waiting), (2, 0));
    assert!(seen.batches().len() < 60, "halving takes few attempts: {}", seen.batches().len());
    let kept = std::fs::read_to_string(&path).expect("a file");
    let records: Vec<serde_json::Value> = kept.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["output"], "test");
    assert_eq!(records[0]["reason"], "HTTP 400: cannot parse");
    assert_eq!(records[0]["alert"]["id"], alert(13, "r").id);
    assert_eq!(records[1]["alert"]["id"], alert(77, "r").id);
}

#[test]
fn what_fails_again_and_again_is_dead_after_its_tries() {
    let (sink, seen) = Scripted::new(Box::new(|letters| {
        if letters.iter().any(|letter| number(letter) == 5) {
            Err(Failure::failed("HTTP 500"))
        } else {
            Ok(Receipt::ALL)
        }
    }));
    let mut office = Office::new(&Service { tries: 4, ..Service::default() }, sink);
    for n in 0..10 {
        office.leave(n);
    }
    office.run_until(HOUR);
    let standing = office.desk.standing();
    assert_eq!((standing.counts.dead, standing.counts.delivered, standing.waiting), (1, 9, 0));
    assert!(!seen.taken().contains(&5));
    assert_eq!(standing.counts.failed, 7, "four times with others, and four times alone, the last of which ends it");
}

#[test]
fn a_batch_taken_in_part_brings_back_the_rest_in_order() {
    let again = Receipt { again: vec![1, 3], refused: vec![(2, "no".to_owned())], ..Receipt::ALL };
    let (sink, seen) = Scripted::answers(vec![Ok(again)]);
    let mut office = Office::new(&Service::default(), sink);
    for n in 0..5 {
        office.leave(n);
    }
    office.run_until(HOUR);
    assert_eq!(seen.taken(), [0, 4, 1, 3]);
    let standing = office.desk.standing();
    assert_eq!((standing.counts.dead, standing.counts.delivered, standing.waiting), (1, 4, 0));
}

#[test]
fn a_full_queue_does_what_it_is_told() {
    let down = || Scripted::new(Box::new(|_| Err(Failure::down("away")))).0;
    let service = |when_full| Service { queue: 10, when_full, ..Service::default() };

    let office = Office::new(&service(WhenFull::Block), down());
    assert_eq!((0..12).filter(|n| office.leave(*n)).count(), 10, "the eleventh has to wait");
    assert_eq!(office.desk.standing().counts.dropped, 0);

    for (when_full, kept) in [(WhenFull::DropOldest, 90..100), (WhenFull::DropNew, 0..10)] {
        let (sink, seen) = Scripted::answers(Vec::new());
        let mut office = Office::new(&service(when_full), sink);
        for n in 0..100 {
            assert!(office.leave(n));
        }
        assert_eq!(office.desk.standing().counts.dropped, 90);
        office.run_until(SECOND);
        assert_eq!(seen.taken(), kept.collect::<Vec<_>>());
    }
}

/// A queue that fails at the fourth try to add a letter.
struct Failing(Memory, usize);

impl Queue for Failing {
    fn waiting(&self) -> u64 {
        self.0.waiting()
    }
    fn push(&mut self, letter: Letter) -> io::Result<Option<Letter>> {
        self.1 += 1;
        if self.1 == 4 { Err(io::Error::other("a broken disk")) } else { self.0.push(letter) }
    }
    fn drop_oldest(&mut self) -> io::Result<Option<u64>> {
        self.0.drop_oldest()
    }
    fn take(&mut self, most: usize) -> io::Result<Vec<Letter>> {
        self.0.take(most)
    }
    fn settle(&mut self) -> io::Result<()> {
        self.0.settle()
    }
    fn sync(&mut self) -> io::Result<bool> {
        self.0.sync()
    }
}

#[test]
fn letters_in_hand_are_not_lost_when_the_queue_fails_for_another() {
    let (sink, seen) = Scripted::answers(Vec::new());
    let service = Service { queue: 1, ..Service::default() };
    let mut office = Office::with(&service, sink, Box::new(Failing(Memory::new(1), 0)), DeadLetters::default());
    assert!(office.leave(1));
    assert!(!office.leave(2), "there is room for one");
    // The courier takes the first letter, and the queue fails as the second is moved up.
    office.run_until(SECOND);
    assert_eq!(seen.taken(), [1, 2], "neither is lost");
}

#[test]
fn hours_of_outage_at_a_thousand_a_second_keep_the_queue_bounded() {
    let is_up = Arc::new(Mutex::new(false));
    let flag = Arc::clone(&is_up);
    let (sink, seen) = Scripted::new(Box::new(move |_| {
        if *flag.lock().expect("not poisoned") { Ok(Receipt::ALL) } else { Err(Failure::down("away")) }
    }));
    let service = Service { queue: 5000, when_full: WhenFull::DropNew, ..Service::default() };
    let mut office = Office::new(&service, sink);
    let one = Arc::new(alert(1, "r"));
    for second in 0..2 * 3600_u64 {
        for _ in 0..1000 {
            assert!(office.desk.leave(&one, office.now).expect("memory"));
        }
        office.run_until(Duration::from_secs(second + 1));
        assert!(office.desk.standing().waiting <= 5500, "the queue and what is in hand");
    }
    *is_up.lock().expect("not poisoned") = true;
    office.run_until(office.now + 60 * SECOND);
    let standing = office.desk.standing();
    let counts = standing.counts;
    assert_eq!(standing.waiting, 0);
    assert_eq!(counts.taken, 7_200_000);
    assert_eq!(counts.taken, counts.delivered + counts.dropped, "every alert is counted once");
    assert_eq!(seen.taken().len() as u64, counts.delivered);
}

#[test]
fn the_end_of_a_run_waits_as_long_as_it_may() {
    let (sink, _) = Scripted::new(Box::new(|_| Err(Failure::down("away"))));
    let mut office = Office::new(&Service::default(), sink);
    office.leave(1);
    office.run_until(SECOND);
    office.desk.close(office.now + 30 * SECOND);
    let mut turns = 0;
    loop {
        turns += 1;
        match office.courier.turn(office.now, &office.desk) {
            tripline::io::deliver::Turn::Again => {}
            tripline::io::deliver::Turn::Wait(until) => office.now = office.now.max(until),
            tripline::io::deliver::Turn::Idle => panic!("a letter waits"),
            tripline::io::deliver::Turn::Done => break,
        }
        assert!(turns < 10_000);
    }
    assert!(office.now <= 31 * SECOND, "{:?}", office.now);
    assert_eq!(office.desk.standing().waiting, 1);
}

fn gathered(how: Gathering, alerts: Vec<Alert>) -> Vec<Alert> {
    let mut gather = Gather::new(how);
    let mut out = Vec::new();
    for alert in alerts {
        gather.take(alert, Duration::ZERO, &mut out);
    }
    gather.close(&mut out);
    out
}

fn value(alert: &Alert, name: &str) -> serde_json::Value {
    alert.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_json()).unwrap_or_default()
}

#[test]
fn a_storm_of_one_rule_is_one_summary_with_counts() {
    let how = Gathering { by: vec![By::Rule], pass: 3, span: base::Duration::from_secs(3600) };
    let mut alerts: Vec<Alert> = (0..1000).map(|n| alert(n, "noisy")).collect();
    alerts.insert(500, alert(499, "quiet"));
    let out = gathered(how.clone(), alerts.clone());
    assert_eq!(out.len(), 5, "three, the quiet one, and the summary");
    assert_eq!(&*out[3].rule_name, "quiet");
    let summary = &out[4];
    assert_eq!(&*summary.rule_name, "noisy");
    assert_eq!(value(summary, "count"), 997);
    assert_eq!(value(summary, "passed"), 3);
    assert_eq!(value(summary, "first"), "1970-01-01T00:00:03.000Z");
    assert_eq!(value(summary, "last"), "1970-01-01T00:16:39.000Z");
    assert_eq!(value(summary, "keys"), serde_json::json!({"user=u0": 333, "user=u1": 332, "user=u2": 332}));
    assert_eq!(value(summary, "ids").as_array().map(Vec::len), Some(10));
    assert!(summary.tags.iter().any(|tag| tag == "tripline.summary"));
    assert_eq!(gathered(how, alerts).last().map(|alert| alert.id.clone()), Some(summary.id.clone()), "ids are stable");
}

#[test]
fn piles_are_closed_by_event_time_and_count_everything_once() {
    let how = Gathering { by: vec![By::Key], pass: 0, span: base::Duration::from_secs(60) };
    let alerts: Vec<Alert> = (0..600).map(|n| alert(n, "r")).collect();
    let out = gathered(how, alerts);
    let total: u64 = out.iter().map(|alert| value(alert, "count").as_u64().unwrap_or(1)).sum();
    assert_eq!(total, 600);
    assert!((30..=36).contains(&out.len()), "three keys, ten minutes: {}", out.len());
    assert!(
        out.windows(2)
            .all(|pair| pair[0].time <= pair[1].time || pair[1].time >= pair[0].time - base::Duration::from_secs(60))
    );
}

#[test]
fn one_alert_of_a_group_is_sent_as_it_is_and_its_end_after_it() {
    let how = Gathering { by: vec![By::Key], pass: 0, span: base::Duration::from_secs(60) };
    let mut resolved = alert(3, "r");
    resolved.notice = Some(Notice::Resolved(Origin { ts: resolved.time, seq: tripline::alert::Seq(9) }));
    let out = gathered(how, vec![alert(3, "r"), resolved.clone()]);
    assert_eq!(out, vec![alert(3, "r"), resolved]);
}

#[test]
fn a_pile_without_further_alerts_is_closed_by_the_clock() {
    let how = Gathering { by: vec![By::Rule], pass: 0, span: base::Duration::from_secs(30) };
    let (sink, seen) = Scripted::answers(Vec::new());
    let mut office = Office::new(&Service { group: Some(how), ..Service::default() }, sink);
    office.leave(1);
    office.run_until(29 * SECOND);
    assert!(seen.taken().is_empty());
    office.run_until(31 * SECOND);
    office.run_until(32 * SECOND);
    assert_eq!(seen.taken(), [1]);
}
