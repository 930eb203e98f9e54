//! Sources that events are sent to, with the real program on loopback and clients that behave and do not.

#[path = "sources/service.rs"]
mod service;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use service::{JSON, NDJSON, Service, answer, lines, place, post, send};

/// An alert for each event of the class `probe`.
const RULES: &str = "rule probe { match { p: probe } alert { n = p.n } }\n";

/// Arguments that make a run write alerts and rejects to files.
const FILES: &[&str] =
    &["rules.trip", "--alerts", "alerts", "--rejects", "rejects", "--threads", "2", "--lateness", "0s"];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    [FILES, more].concat()
}

/// A probe of a minute from now and `n` milliseconds: the wall clock does not come that far while a test runs.
fn probe(n: u64) -> String {
    static BEGAN: OnceLock<u64> = OnceLock::new();
    let began = BEGAN.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        since.as_millis() as u64 + 60_000
    });
    json!({"ts": began + n, "type": "probe", "n": n}).to_string()
}

/// A probe of now.
fn probe_now(n: u64) -> String {
    json!({"type": "probe", "n": n}).to_string() + "\n"
}

fn probes(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|n| probe(n) + "\n").collect()
}

/// The numbers of the probes that alerts are about.
fn numbers(alerts: &[String]) -> Vec<u64> {
    let number = |alert: &String| {
        let alert: Value = serde_json::from_str(alert).expect("an alert");
        alert["values"]["n"].as_u64().expect("a number")
    };
    alerts.iter().map(number).collect()
}

fn reject_reasons(rejects: &[String]) -> Vec<String> {
    let reason = |line: &String| {
        let line: Value = serde_json::from_str(line).expect("a reject");
        line["reason"].as_str().expect("a reason").to_owned()
    };
    rejects.iter().map(reason).collect()
}

#[test]
fn http_takes_lines_arrays_and_packed_bodies() {
    let dir = place(RULES, "");
    let mut run = Service::start(dir.path(), &with(&["--listen", "http://127.0.0.1:0"]));
    let to = run.port("http");
    let accepted = |head: &str, body: &[u8]| {
        let answer = post(to, head, body).expect("an answer");
        assert_eq!(answer.status, 202, "{answer:?}");
        serde_json::from_str::<Value>(&answer.body).expect("JSON")["accepted"].as_u64().expect("a number")
    };
    assert_eq!(accepted(NDJSON, probes(0..3).as_bytes()), 3);
    assert_eq!(accepted(JSON, format!("[{},\n{}]", probe(3), probe(4)).as_bytes()), 2);
    assert_eq!(accepted(JSON, probe(5).as_bytes()), 1);
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(probes(6..8).as_bytes()).expect("packed");
        encoder.finish().expect("packed")
    };
    assert_eq!(accepted(&format!("{NDJSON}Content-Encoding: gzip\r\n"), &gzip), 2);
    let zstd = zstd::encode_all(format!("[{}]", probe(8)).as_bytes(), 1).expect("packed");
    assert_eq!(accepted(&format!("{JSON}Content-Encoding: zstd\r\n"), &zstd), 1);
    assert_eq!(accepted(NDJSON, b"\n\n"), 0);
    assert_eq!(accepted(NDJSON, format!("{{\"no\" 1}}\n{}", probe(9)).as_bytes()), 2, "the bad line costs itself");
    assert_eq!(numbers(&lines(dir.path().join("alerts"), 10)), (0..10).collect::<Vec<_>>());
    let told = run.stop();
    assert_eq!(reject_reasons(&lines(dir.path().join("rejects"), 1)), ["syntax"]);
    assert!(told.contains("10 alerts from 10 events") && told.contains("1 line rejected: 1 syntax"), "{told}");
}

#[test]
fn http_says_what_is_wrong_and_takes_nothing_of_it() {
    let config = "inputs:\n  - http: 127.0.0.1:0\n    token: {env: TRIPLINE_TEST_TOKEN}\n    max_body: 10kB\n";
    let dir = place(RULES, config);
    let mut run = Service::start(dir.path(), &with(&[]));
    let to = run.port("http");
    let token = "Authorization: Bearer s3cret-canary\r\n";
    let good = probes(0..1);
    let refused = |head: &str, body: &[u8]| {
        let answer = post(to, head, body).expect("an answer");
        (answer.status, answer.body.trim_end().to_owned())
    };
    assert_eq!(refused(NDJSON, good.as_bytes()).0, 401);
    assert_eq!(refused(&format!("{NDJSON}Authorization: Bearer s3cret\r\n"), good.as_bytes()).0, 401);
    assert_eq!(refused(&format!("{NDJSON}Authorization: Basic s3cret-canary\r\n"), good.as_bytes()).0, 401);
    assert_eq!(refused(token, good.as_bytes()).0, 415);
    assert_eq!(refused(&format!("{token}{NDJSON}Content-Encoding: br\r\n"), good.as_bytes()).0, 415);
    let (status, message) = refused(&format!("{token}{JSON}"), b"[{\"a\":1},\n{\"b\" 2}]");
    assert_eq!(status, 400);
    assert!(message.starts_with("the JSON is broken at line 2, column 6"), "{message}");
    let (status, message) = refused(&format!("{token}{NDJSON}Content-Encoding: gzip\r\n"), b"no gzip");
    assert_eq!((status, message.as_str()), (400, "the body is no whole gzip data"));
    assert_eq!(refused(&format!("{token}{NDJSON}"), &[b' '; 10_001]).0, 413);
    let bomb = zstd::encode_all(&[b' '; 1_000_000][..], 1).expect("packed");
    assert_eq!(refused(&format!("{token}{NDJSON}Content-Encoding: zstd\r\n"), &bomb).0, 413);
    let plain = |request: &str| {
        let mut stream = TcpStream::connect(to).expect("a connection");
        stream.write_all(request.as_bytes()).expect("sent");
        answer(&mut stream).expect("an answer")
    };
    let healthy = plain("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!((healthy.status, healthy.body.as_str()), (200, "ok\n"));
    assert_eq!(plain("GET /events HTTP/1.1\r\nHost: x\r\n\r\n").status, 405);
    assert_eq!(plain("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").status, 404);
    assert_eq!(post(to, &format!("{token}{NDJSON}"), good.as_bytes()).expect("an answer").status, 202);
    assert_eq!(numbers(&lines(dir.path().join("alerts"), 1)), [0]);
    let told = run.stop();
    assert!(told.contains("turned away") && told.contains("3 requests without the token"), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

/// Without a token, a page in a browser on this machine must not be able to send.
#[test]
fn http_without_a_token_takes_nothing_from_pages_in_browsers() {
    let dir = place(RULES, "");
    let mut run = Service::start(dir.path(), &with(&["--listen", "http://127.0.0.1:0"]));
    let to = run.port("http");
    let answer = post(to, &format!("{NDJSON}Origin: https://evil.example\r\n"), probes(0..1).as_bytes());
    assert_eq!(answer.expect("an answer").status, 403);
    run.stop();
}

#[test]
fn a_connection_serves_many_requests_and_a_client_that_goes_costs_nothing() {
    let dir = place(RULES, "");
    let mut run = Service::start(dir.path(), &with(&["--listen", "http://127.0.0.1:0"]));
    let to = run.port("http");
    let mut stream = TcpStream::connect(to).expect("a connection");
    for n in 0..20 {
        send(&mut stream, NDJSON, probes(n..n + 1).as_bytes()).expect("sent");
        assert_eq!(answer(&mut stream).expect("an answer").status, 202);
    }
    // Half a body, and away.
    let mut half = TcpStream::connect(to).expect("a connection");
    half.write_all(
        format!("POST /events HTTP/1.1\r\nHost: x\r\n{NDJSON}Content-Length: 1000\r\n\r\n{}", probe(99)).as_bytes(),
    )
    .expect("sent");
    drop(half);
    send(&mut stream, NDJSON, probes(20..21).as_bytes()).expect("sent");
    assert_eq!(answer(&mut stream).expect("an answer").status, 202);
    assert_eq!(numbers(&lines(dir.path().join("alerts"), 21)), (0..21).collect::<Vec<_>>());
    run.stop();
    assert_eq!(lines(dir.path().join("alerts"), 0).len(), 21, "nothing of a body that was cut off");
}

#[test]
fn slow_clients_are_let_go_and_hold_nobody_up() {
    let config = "inputs:\n  - http: 127.0.0.1:0\n    timeout: 1s\n";
    let dir = place(RULES, config);
    let mut run = Service::start(dir.path(), &with(&[]));
    let to = run.port("http");
    let mut slow_head = TcpStream::connect(to).expect("a connection");
    slow_head.write_all(b"POST /events HTTP/1.1\r\nHost:").expect("sent");
    let silent = TcpStream::connect(to).expect("a connection");
    let mut slow_body = TcpStream::connect(to).expect("a connection");
    slow_body
        .write_all(format!("POST /events HTTP/1.1\r\nHost: x\r\n{NDJSON}Content-Length: 9\r\n\r\n{{").as_bytes())
        .expect("sent");
    assert_eq!(post(to, NDJSON, probes(0..1).as_bytes()).expect("an answer").status, 202);
    assert_eq!(answer(&mut slow_body).expect("an answer").status, 408);
    for mut stream in [slow_head, silent, slow_body] {
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        let mut rest = Vec::new();
        // Closed, perhaps with a word.
        let read = stream.read_to_end(&mut rest);
        assert!(read.is_ok() || read.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset));
    }
    run.stop();
}

#[test]
fn a_thousand_connections_are_served_and_more_are_turned_away() {
    let config = "inputs:\n  - http: 127.0.0.1:0\n    connections: 1000\n    timeout: 1m\n";
    let dir = place(RULES, config);
    let mut run = Service::start(dir.path(), &with(&[]));
    let to = run.port("http");
    let mut open: Vec<TcpStream> = Vec::with_capacity(1000);
    for n in 0..1000 {
        let mut stream = TcpStream::connect(to).expect("a connection");
        let body = probe(n);
        let head = format!("POST /events HTTP/1.1\r\nHost: x\r\n{NDJSON}Content-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).expect("sent");
        // The body comes later: all are open at a time.
        open.push(stream);
    }
    for (n, stream) in open.iter_mut().enumerate() {
        stream.write_all(probe(n as u64).as_bytes()).expect("sent");
        assert_eq!(answer(stream).expect("an answer").status, 202, "{n}");
    }
    let mut more = TcpStream::connect(to).expect("the system takes it");
    more.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
    let closed = more.read(&mut [0]);
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    let mut found = numbers(&lines(dir.path().join("alerts"), 1000));
    found.sort_unstable();
    assert_eq!(found, (0..1000).collect::<Vec<_>>());
    drop(open);
    let told = run.stop();
    assert!(told.contains("connections over the limit"), "{told}");
}

#[test]
fn lines_come_over_tcp_and_over_a_socket_in_the_file_system() {
    let config = "limits:\n  max_line: 100\n";
    let dir = place(RULES, config);
    let listen = ["--listen", "tcp://127.0.0.1:0", "--listen", "unix:events.sock", "--idle", "200ms"];
    let mut run = Service::start(dir.path(), &with(&listen));
    let (to, socket) = (run.port("tcp"), run.address("unix"));
    let mut tcp = TcpStream::connect(to).expect("a connection");
    let text = format!("{}{}{}\n{}", probe_now(0), probe_now(1), "x".repeat(101), probe_now(2).trim_end());
    for piece in text.as_bytes().chunks(7) {
        tcp.write_all(piece).expect("sent");
        tcp.flush().expect("sent");
    }
    drop(tcp);
    assert_eq!(numbers(&lines(dir.path().join("alerts"), 3)), [0, 1, 2]);
    let mut unix = UnixStream::connect(dir.path().join(&socket)).expect("a connection");
    unix.write_all((probe_now(3) + &probe_now(4)).as_bytes()).expect("sent");
    assert_eq!(numbers(&lines(dir.path().join("alerts"), 5)), [0, 1, 2, 3, 4]);
    let told = run.stop();
    assert_eq!(reject_reasons(&lines(dir.path().join("rejects"), 1)), ["line_too_long"]);
    assert!(told.contains("input tcp: rejected 1 line_too_long"), "{told}");
    assert!(!dir.path().join("events.sock").exists(), "the socket goes with the run");
}

#[test]
fn a_socket_that_a_killed_run_has_left_is_taken_over() {
    let dir = place(RULES, "");
    let mut first = Service::start(dir.path(), &with(&["--listen", "unix:events.sock"]));
    first.address("unix");
    first.kill();
    assert!(dir.path().join("events.sock").exists());
    let mut second = Service::start(dir.path(), &with(&["--listen", "unix:events.sock"]));
    second.address("unix");
    let mut third = Service::start(dir.path(), &with(&["--listen", "unix:events.sock"]));
    let told = third.wait_for(|told| told.contains("cannot be listened on").then(|| told.to_owned()));
    assert!(told.is_some(), "one that is in use is not: {}", third.told());
    second.stop();
}

#[test]
fn syslog_comes_by_datagrams_and_streams() {
    let rules = "rule failed { match { f: sshd where contains(message, \"Failed\") } \
                 alert { host = f.syslog.host level = f.syslog.severity } }\n\
                 rule opened { match { l: login where user == \"bob\" } alert { host = l.syslog.host } }\n";
    let config = "inputs:\n  - syslog: udp://127.0.0.1:0\n    name: datagrams\n    open_json: true\n  \
                  - syslog: tcp://127.0.0.1:0\n    name: streams\n";
    let dir = place(rules, config);
    let mut run = Service::start(dir.path(), &with(&["--idle", "200ms"]));
    let (udp, tcp) = (run.port("datagrams"), run.port("streams"));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let send = |message: &str| socket.send_to(message.as_bytes(), udp).expect("sent");
    send("<38>1 - web-1 sshd 812 - - Failed password for bob");
    send("garbage");
    send("<14>1 - web-2 app - - - @cee: {\"type\":\"login\",\"user\":\"bob\"}");
    let first = lines(dir.path().join("alerts"), 2);
    let values: Vec<Value> =
        first.iter().map(|a| serde_json::from_str::<Value>(a).expect("JSON")["values"].clone()).collect();
    assert_eq!(values, [json!({"host": "web-1", "level": "info"}), json!({"host": "web-2"})]);
    let mut stream = TcpStream::connect(tcp).expect("a connection");
    let counted = "<38>1 - web-3 sshd - - - Failed\nagain";
    writeln!(stream, "{} {counted}<38>1 - web-4 sshd - - - Failed", counted.len()).expect("sent");
    assert_eq!(lines(dir.path().join("alerts"), 4).len(), 4);
    let told = run.stop();
    assert_eq!(reject_reasons(&lines(dir.path().join("rejects"), 1)), ["not_syslog"]);
    assert!(told.contains("input datagrams: rejected 1 not_syslog"), "{told}");
}

/// What was accepted before the run is stopped is matched before it ends.
#[test]
fn a_run_that_is_stopped_finishes_what_it_has_accepted() {
    let dir = place(RULES, "");
    let mut run = Service::start(dir.path(), &with(&["--listen", "http://127.0.0.1:0"]));
    let to = run.port("http");
    let body = probes(0..50_000);
    assert_eq!(post(to, NDJSON, body.as_bytes()).expect("an answer").status, 202);
    run.stop();
    assert_eq!(numbers(&lines(dir.path().join("alerts"), 0)), (0..50_000).collect::<Vec<_>>());
}

/// The clients that people have at hand.
#[test]
fn curl_and_logger_are_understood() {
    let config = "inputs:\n  - http: 127.0.0.1:0\n  - syslog: udp://127.0.0.1:0\n  - syslog: tcp://127.0.0.1:0\n    name: stream\n";
    let dir = place(
        "rule probe { match { p: probe } }\nrule log { match { l: any where contains(message, \"hello\") } }\n",
        config,
    );
    // Times of RFC 3164 are whole seconds, so they lie behind the clock.
    let mut run =
        Service::start(dir.path(), &["rules.trip", "--alerts", "alerts", "--idle", "200ms", "--lateness", "3s"]);
    let http = format!("http://{}/events", run.address("http"));
    let (udp, tcp) = (run.port("syslog"), run.port("stream"));
    let mut expected = 0;
    let mut tell = |program: &str, arguments: &[&str]| match Command::new(program).args(arguments).output() {
        Ok(output) => {
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            expected += 1;
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        Err(_) => {
            println!("SKIPPED: {program} is not installed");
            String::new()
        }
    };
    let body = probe_now(1);
    let arguments = ["-sS", "--fail", "-H", "Content-Type: application/x-ndjson", "--data-binary", &body, &http];
    let told = tell("curl", &arguments);
    assert!(told.is_empty() || told == "{\"accepted\":1}\n", "{told}");
    let port = udp.port().to_string();
    tell("logger", &["-n", "127.0.0.1", "-P", &port, "--udp", "--rfc3164", "-t", "app", "hello"]);
    tell("logger", &["-n", "127.0.0.1", "-P", &port, "--udp", "--rfc5424", "-t", "app", "hello"]);
    let port = tcp.port().to_string();
    tell("logger", &["-n", "127.0.0.1", "-P", &port, "--tcp", "--rfc5424", "--octet-count", "-t", "app", "hello"]);
    tell("logger", &["-n", "127.0.0.1", "-P", &port, "--tcp", "--rfc3164", "-t", "app", "hello"]);
    assert_eq!(lines(dir.path().join("alerts"), expected).len(), expected);
    run.stop();
}

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
