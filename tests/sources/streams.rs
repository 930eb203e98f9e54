//! Lines and syslog messages over TCP, sockets in the file system, and datagrams.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::probe::{RULES, numbers, probe_now, reject_reasons, with};
use super::service::{Service, lines, place};

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
