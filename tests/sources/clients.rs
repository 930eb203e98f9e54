//! Clients that people have at hand: curl, logger, nc, rsyslog; TLS; and the examples of the page about sources.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use super::authority::Authority;
use super::probe::{RULES, probe_now, skipped};
use super::service::{NDJSON, Service, lines, place};

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
            skipped(program);
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

/// The fenced blocks of the page about sources, of a kind.
fn page(kind: &str) -> Vec<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sources.md")).expect("the page");
    let begin = format!("\n```{kind}\n");
    page.split(&begin).skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned())).collect()
}

/// Runs an example of the page as it stands there, but for the port.
fn example(listens: &str, expected: usize) {
    let scheme = format!("--listen {listens}");
    let block = page("sh").into_iter().find(|block| block.contains(&scheme)).expect("an example");
    let dir = place(RULES, "");
    std::fs::write(dir.path().join("probe.trip"), RULES).expect("written");
    std::fs::write(dir.path().join("failed.trip"), &page("trip")[0]).expect("written");
    let mut commands = block.lines();
    let command = commands.next().and_then(|line| line.strip_prefix("tripline run ")).expect("a run");
    let port = ["8080", "7000", "5514"].into_iter().find(|port| command.contains(port)).unwrap_or("none");
    let command = command.replace(port, "0");
    let arguments: Vec<&str> = command.split(' ').chain(["--idle", "200ms"]).collect();
    let mut run = Service::start(dir.path(), &arguments);
    let address = run.address(listens.split([':', '+']).next().expect("a scheme"));
    let given = address.rsplit_once(':').map_or("none", |(_, port)| port);
    for line in commands {
        let line = line.replace(port, given);
        let program = line.split(' ').find(|word| ["curl", "nc", "logger"].contains(word)).unwrap_or("bash");
        if Command::new(program).arg("--version").output().is_err() {
            skipped(program);
            return;
        }
        let output = Command::new("bash").args(["-c", &line]).current_dir(dir.path()).output().expect("it starts");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let alerts = lines(dir.path().join("alerts.ndjson"), expected);
    assert_eq!(alerts.len(), expected, "{}", run.told());
    run.stop();
}

#[test]
fn the_example_of_http_is_true() {
    example("http:", 3);
}

#[test]
fn the_example_of_tcp_is_true() {
    example("tcp:", 1);
}

#[test]
fn the_example_of_a_socket_is_true() {
    example("unix:", 1);
}

#[test]
fn the_example_of_syslog_is_true() {
    example("syslog+udp:", 1);
}

#[test]
fn the_example_of_a_configuration_and_a_table_is_true() {
    let rules = "rule big { match { p: pay where amount > 100 and ok } }\n";
    let dir = place(rules, &page("yaml")[0]);
    std::fs::write(dir.path().join("payments.csv"), &page("csv")[0]).expect("written");
    let config =
        page("yaml")[0].lines().filter(|line| !line.contains("events.ndjson")).take(3).collect::<Vec<_>>().join("\n");
    let tripline = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tripline")).args(arguments).current_dir(dir.path()).output();
        let output = output.expect("it starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    };
    tripline(&["check", "rules.trip"]);
    std::fs::write(dir.path().join("tripline.yaml"), config).expect("written");
    let output = tripline(&["run", "rules.trip"]);
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 bad_row"));
}

/// A sender that speaks TLS, with a certificate of its own or without.
fn tls(
    to: std::net::SocketAddr,
    ca: &str,
    own: Option<&(String, String)>,
) -> std::io::Result<rustls::StreamOwned<rustls::ClientConnection, TcpStream>> {
    let options = tripline::io::sink::tls::TlsOptions {
        ca: Some(ca.into()),
        cert: own.map(|(cert, _)| cert.into()),
        key: own.map(|(_, key)| key.into()),
    };
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let client = rustls::ClientConnection::new(options.client().expect("a client"), name).expect("a client");
    let mut stream = rustls::StreamOwned::new(client, TcpStream::connect(to)?);
    stream.flush()?;
    Ok(stream)
}

#[test]
fn streams_are_encrypted_and_senders_certified_where_that_is_asked_for() {
    let dir = place("rule probe { match { p: probe } }\nrule log { match { l: sshd } }\n", "");
    let Some(authority) = Authority::new(&dir.path().join("tls").display().to_string()) else {
        skipped("openssl");
        return;
    };
    let (ca, server, client) =
        (authority.ca(), authority.issue("server", "localhost", 2), authority.issue("client", "client", 2));
    let (cert, key) = &server;
    let tls_keys = format!("cert: {cert}\n    key: {key}\n");
    let config = format!(
        "idle: 200ms\ninputs:\n  - http: 127.0.0.1:0\n    {tls_keys}  - tcp: 127.0.0.1:0\n    {tls_keys}    ca: {ca}\n  \
         - syslog: tls://127.0.0.1:0\n    {tls_keys}"
    );
    std::fs::write(dir.path().join("tripline.yaml"), config).expect("written");
    let mut run = Service::start(dir.path(), &["rules.trip", "--alerts", "alerts"]);
    let (http, tcp, syslog) = (run.port("http"), run.port("tcp"), run.port("syslog"));
    let mut stream = tls(http, &ca, None).expect("a connection");
    let body = probe_now(0);
    write!(
        stream,
        "POST /events HTTP/1.1\r\nHost: x\r\n{NDJSON}Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut told = String::new();
    let _ = stream.read_to_string(&mut told);
    assert!(told.starts_with("HTTP/1.1 202 "), "{told}");
    let mut stream = tls(tcp, &ca, Some(&client)).expect("a connection");
    stream.write_all(probe_now(1).as_bytes()).expect("sent");
    stream.conn.send_close_notify();
    stream.flush().expect("sent");
    let mut stream = tls(syslog, &ca, None).expect("a connection");
    stream.write_all(b"<38>1 - host sshd - - - over TLS\n").expect("sent");
    stream.conn.send_close_notify();
    stream.flush().expect("sent");
    assert_eq!(lines(dir.path().join("alerts"), 3).len(), 3);
    // One without a certificate, and one who does not speak TLS at all.
    let refused = tls(tcp, &ca, None).and_then(|mut stream| {
        stream.write_all(probe_now(2).as_bytes())?;
        stream.read(&mut [0])
    });
    assert!(refused.is_err(), "{refused:?}");
    let mut plain = TcpStream::connect(tcp).expect("a connection");
    plain.write_all(probe_now(3).as_bytes()).expect("sent");
    let _ = plain.read(&mut [0; 64]);
    drop(plain);
    let told = run.stop();
    assert!(told.contains("2 failed TLS handshakes") && told.contains("3 alerts"), "{told}");
}

/// rsyslog relays to the program with counted octets.
#[test]
fn a_relay_sends_its_messages() {
    let rules = "rule log { match { l: app where starts_with(message, \"relayed\") } }\n";
    let dir = place(rules, "inputs:\n  - syslog: tcp://127.0.0.1:0\n");
    let mut run =
        Service::start(dir.path(), &["rules.trip", "--alerts", "alerts", "--idle", "200ms", "--lateness", "3s"]);
    let to = run.port("syslog");
    let port = {
        let free = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        free.local_addr().expect("an address").port()
    };
    let config = format!(
        "module(load=\"imudp\")\ninput(type=\"imudp\" address=\"127.0.0.1\" port=\"{port}\")\naction(type=\"omfwd\" target=\"127.0.0.1\" \
         port=\"{}\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" template=\"RSYSLOG_SyslogProtocol23Format\")\n",
        to.port()
    );
    std::fs::write(dir.path().join("relay.conf"), config).expect("written");
    let relay =
        Command::new("rsyslogd").args(["-n", "-i", "relay.pid", "-f", "relay.conf"]).current_dir(dir.path()).spawn();
    let Ok(mut relay) = relay else {
        skipped("rsyslogd");
        return;
    };
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut alerts = 0;
    for n in 0..600 {
        // It may not listen yet.
        let _ = socket.send_to(format!("<13>1 - host app - - - relayed {n}").as_bytes(), ("127.0.0.1", port));
        std::thread::sleep(Duration::from_millis(100));
        alerts = lines(dir.path().join("alerts"), 0).len();
        if alerts > 0 {
            break;
        }
    }
    relay.kill().expect("killed");
    relay.wait().expect("over");
    assert!(alerts > 0, "{}", run.told());
    run.stop();
}
