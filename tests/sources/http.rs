//! HTTP: what is taken, what is refused and how that is said, and clients that do not behave.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::probe::{RULES, numbers, probe, probes, reject_reasons, with};
use super::service::{JSON, NDJSON, Service, answer, lines, place, post, send};

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
    let long = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "x".repeat(17_000));
    assert_eq!(plain(&long).status, 431);
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

/// The engine waits for a reader of its output; the queue fills, clients are told so, and nothing accepted is lost.
#[test]
fn a_full_queue_is_said_and_has_room_again_later() {
    let config = "inputs:\n  - http: 127.0.0.1:0\n    queue: 1MiB\n    max_body: 300kB\n";
    let dir = place(RULES, config);
    let mut run = Service::start_with(dir.path(), &["rules.trip", "--lateness", "0s"], Stdio::piped());
    let to = run.port("http");
    let mut sent = 0;
    let mut full = None;
    while full.is_none() && sent < 400_000 {
        let answer = post(to, NDJSON, probes(sent..sent + 4000).as_bytes()).expect("an answer");
        match answer.status {
            202 => sent += 4000,
            _ => full = Some(answer),
        }
    }
    let full = full.expect("the queue is bounded");
    assert_eq!(full.status, 429, "{full:?}");
    assert!(full.head.contains("retry-after: 1"), "{full:?}");
    let mut output = run.output();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        output.read_to_string(&mut text).expect("text");
        text.lines().count() as u64
    });
    loop {
        let answer = post(to, NDJSON, probes(sent..sent + 1).as_bytes()).expect("an answer");
        if answer.status == 202 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = run.stop();
    assert_eq!(reader.join().expect("read"), sent + 1);
    assert!(told.contains("requests while the queue was full"), "{told}");
}
