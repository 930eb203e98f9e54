//! Outputs on threads: none waits for another, a full one holds the run only if it is told to, and the end is reported.
//! Nothing here depends on how long something takes, except that what must come is waited for.

mod deliver_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use deliver_support::{Scripted, Seen, alert};
use tripline::alert::Severity;
use tripline::io::deliver::{DeadLetters, Failure, Fleet, Pattern, Receipt, Route, Service, Sink, Wanted, WhenFull};

fn wanted(name: &str, sink: impl Sink + 'static, service: Service) -> Wanted {
    Wanted {
        name: name.to_owned(),
        route: Route::default(),
        service,
        sink: Box::new(sink),
        queue: None,
        held: Vec::new(),
    }
}

fn start(wanted: Vec<Wanted>) -> (Fleet, Arc<AtomicBool>) {
    let stop = Arc::new(AtomicBool::new(false));
    (Fleet::start(wanted, &DeadLetters::default(), &[], &stop).expect("threads"), stop)
}

/// A sink that takes nothing until it is let go.
fn held() -> (Scripted, Seen, mpsc::Sender<()>) {
    let (go, wait): (_, Receiver<()>) = mpsc::channel();
    let (sink, seen) = Scripted::new(Box::new(move |_| {
        // The sender is dropped to let it go for good.
        let _ = wait.recv();
        Ok(Receipt::ALL)
    }));
    (sink, seen, go)
}

fn wait_for(mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "it did not come");
        thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_sink_that_hangs_holds_no_other() {
    let (slow, slow_seen, go) = held();
    let (quick, quick_seen) = Scripted::answers(Vec::new());
    let service = Service { queue: 5000, ..Service::default() };
    let (fleet, _) = start(vec![wanted("slow", slow, service.clone()), wanted("quick", quick, service)]);
    for n in 0..3000 {
        fleet.deliver(&[alert(n, "r")]).expect("memory");
    }
    wait_for(|| quick_seen.taken().len() == 3000);
    assert!(slow_seen.taken().is_empty());
    drop(go);
    let reports = fleet.close(Duration::from_secs(60));
    assert!(reports.iter().all(|report| report.standing.counts.delivered == 3000 && report.standing.waiting == 0));
    assert_eq!(slow_seen.taken(), (0..3000).collect::<Vec<_>>());
}

#[test]
fn a_full_queue_holds_the_run_until_there_is_room() {
    let (slow, seen, go) = held();
    let service = Service { queue: 10, batch: 1, when_full: WhenFull::Block, ..Service::default() };
    let (fleet, _) = start(vec![wanted("slow", slow, service)]);
    let running = thread::spawn(move || {
        for n in 0..50 {
            fleet.deliver(&[alert(n, "r")]).expect("memory");
        }
        fleet
    });
    for _ in 0..20 {
        go.send(()).expect("it waits");
    }
    wait_for(|| seen.taken().len() == 20);
    assert!(!running.is_finished(), "ten in the queue and one in hand are not fifty");
    drop(go);
    let fleet = running.join().expect("no panic");
    let reports = fleet.close(Duration::from_secs(60));
    assert_eq!((reports[0].standing.counts.delivered, reports[0].standing.counts.dropped), (50, 0));
}

#[test]
fn a_run_that_is_stopped_waits_for_no_room() {
    let (sink, _) = Scripted::new(Box::new(|_| Err(Failure::down("away"))));
    let service = Service { queue: 10, ..Service::default() };
    let (fleet, stop) = start(vec![wanted("away", sink, service)]);
    stop.store(true, Ordering::Relaxed);
    for n in 0..50 {
        fleet.deliver(&[alert(n, "r")]).expect("memory");
    }
    let reports = fleet.close(Duration::from_millis(10));
    let standing = &reports[0].standing;
    // What has no room when the run ends is dropped, counted.
    assert!(standing.waiting >= 10, "{standing:?}");
    assert_eq!(standing.waiting + standing.counts.dropped, 50, "{standing:?}");
    assert_eq!(reports[0].standing.trouble.as_deref(), Some("away"));
    assert!(!reports[0].kept);
}

#[test]
fn a_courier_that_dies_holds_nobody() {
    let (sink, _) = Scripted::new(Box::new(|_| panic!("a defect")));
    let service = Service { queue: 10, ..Service::default() };
    let (fleet, _) = start(vec![wanted("defect", sink, service)]);
    for n in 0..100 {
        fleet.deliver(&[alert(n, "r")]).expect("memory");
    }
    let reports = fleet.close(Duration::from_secs(60));
    let standing = &reports[0].standing;
    assert_eq!(standing.trouble.as_deref(), Some("it stopped with a defect of the program"));
    assert_eq!(standing.counts.taken, 100);
    assert_eq!(standing.waiting + standing.counts.dropped, 100, "{standing:?}");
}

#[test]
fn what_is_handed_over_can_be_waited_for() {
    let (slow, _, go) = held();
    let (fleet, _) = start(vec![wanted("slow", slow, Service::default())]);
    fleet.deliver(&[alert(1, "r")]).expect("memory");
    assert!(!fleet.sync(Duration::from_millis(5)).expect("memory"), "it is neither delivered nor durable");
    drop(go);
    wait_for(|| fleet.sync(Duration::from_millis(5)).expect("memory"));
    fleet.close(Duration::from_secs(60));
}

#[test]
fn each_output_gets_what_its_route_takes() {
    let route = Route { rules: vec![Pattern::new("ssh_*")], min_severity: Some(Severity::High), ..Route::default() };
    let (sink, seen) = Scripted::answers(Vec::new());
    let (fleet, _) = start(vec![Wanted { route, ..wanted("ssh", sink, Service::default()) }]);
    let mut low = alert(2, "ssh_ok");
    low.severity = Severity::Low;
    fleet.deliver(&[alert(1, "ssh_bad"), low, alert(3, "web"), alert(4, "ssh_x")]).expect("memory");
    fleet.close(Duration::from_secs(60));
    assert_eq!(seen.taken(), [1, 4]);
}
