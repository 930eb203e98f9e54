//! A stream gives the same alerts whatever way it comes.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use super::service::{JSON, NDJSON, Service, answer, lines, place, send};

/// Rules of several kinds, for streams that must give the same alerts whatever way they come.
const MANY: &str = "\
rule in_order { by user match { bad: at least 2 of login where ok == false then good: login where ok == true } within 5m }
rule silent { by host match { last: beat then no beat within 30s } }
rule sum { by user match { x: at least 3 of pay where amount > 50 } within 2m alert { total = sum(x.amount) } }
rule pairs { by user match { a: login then b: pay where amount > a.n } within 20s }
";

/// Events in which they fire, some of them out of order, some of them no events.
fn stream(random: &mut fastrand::Rng) -> Vec<String> {
    let mut time = 1_767_225_600_000_i64;
    (0..1500)
        .map(|n| {
            time += random.i64(0..900);
            let at = time - random.i64(0..1500);
            let (user, host) = (random.u32(..20), random.u32(..10));
            match random.u8(..10) {
                0..4 => {
                    format!(r#"{{"ts":{at},"type":"login","user":"u{user}","ok":{},"n":{}}}"#, random.bool(), n % 100)
                }
                4..7 => format!(r#"{{"ts":{at},"type":"pay","user":"u{user}","amount":{}}}"#, random.u32(..100)),
                7 => "\"no event\"".to_owned(),
                _ => format!(r#"{{"ts":{at},"type":"beat","host":"h{host}"}}"#),
            }
        })
        .collect()
}

#[test]
fn a_stream_gives_the_same_alerts_from_a_file_over_http_and_over_tcp() {
    for seed in 0..3 {
        let random = &mut fastrand::Rng::with_seed(seed);
        let events = stream(random);
        let text: String = events.iter().map(|event| format!("{event}\n")).collect();
        let dir = place(MANY, "");
        std::fs::write(dir.path().join("events.ndjson"), &text).expect("written");
        let plain =
            ["run", "rules.trip", "events.ndjson", "--lateness", "1s", "--alerts", "file", "--rejects", "file.r"];
        let output = Command::new(env!("CARGO_BIN_EXE_tripline")).args(plain).current_dir(dir.path()).output();
        assert!(output.expect("it starts").status.success());
        let expected = lines(dir.path().join("file"), 1);
        assert!(expected.len() > 50, "{}", expected.len());
        for way in ["http", "array", "tcp"] {
            let rejects = format!("{way}.r");
            let listen = if way == "tcp" { "tcp://127.0.0.1:0" } else { "http://127.0.0.1:0" };
            let common = ["rules.trip", "--lateness", "1s", "--idle", "1h", "--listen", listen];
            let mut run =
                Service::start(dir.path(), &[&common[..], &["--alerts", way, "--rejects", &rejects]].concat());
            let to = run.port(if way == "tcp" { "tcp" } else { "http" });
            let mut at = 0;
            let mut stream = TcpStream::connect(to).expect("a connection");
            while at < events.len() {
                let until = (at + random.usize(1..300)).min(events.len());
                let part: String = events[at..until].iter().map(|event| format!("{event}\n")).collect();
                if way == "tcp" {
                    part.as_bytes()
                        .chunks(random.usize(1..5000))
                        .for_each(|piece| stream.write_all(piece).expect("sent"));
                } else {
                    let array = format!("[{}]", events[at..until].join(","));
                    let (head, body) = if way == "array" { (JSON, array) } else { (NDJSON, part) };
                    send(&mut stream, head, body.as_bytes()).expect("sent");
                    assert_eq!(answer(&mut stream).expect("an answer").status, 202);
                }
                at = until;
            }
            drop(stream);
            // What is held back by the lateness comes when the run is stopped; all lines have come when all rejects have.
            let rejected = lines(dir.path().join("file.r"), 1).len();
            lines(dir.path().join(&rejects), rejected);
            std::thread::sleep(Duration::from_millis(300));
            run.stop();
            assert_eq!(lines(dir.path().join(way), 0), expected, "seed {seed}, {way}");
        }
    }
}
