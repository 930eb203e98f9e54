//! Sinks against real servers on loopback: PostgreSQL, NATS with JetStream, rsyslog over TLS.
//!
//! A server that is not installed is passed over loudly; with `TRIPLINE_SERVERS=required`, as in `.ci/run`, its absence
//! fails the test.

#[path = "sinks_servers/authority.rs"]
mod authority;
mod deliver_support;
#[path = "sinks_servers/server.rs"]
mod server;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use authority::Authority;
use deliver_support::{Office, alert, letter};
use server::{Place, Server, free_port, postgres_program, program, wait_for};
use tripline::alert::format::Format;
use tripline::alert::format::rfc5424::Speaker;
use tripline::alert::{Notice, Origin, Seq};
use tripline::base::Value;
use tripline::io::deliver::{Letter, Service, Sink, Trouble};
use tripline::io::sink::http::{HttpOptions, Url};
use tripline::io::sink::nats::{NatsOptions, NatsSink};
use tripline::io::sink::postgres::{PostgresOptions, PostgresSink};
use tripline::io::sink::secret::Secret;
use tripline::io::sink::syslog::{SyslogOptions, SyslogSink, Transport};
use tripline::io::sink::tls::TlsOptions;
use tripline::io::sink::webhook::{Body, WebhookOptions, WebhookSink};
use tripline::io::sink::wire::Peer;

const TIMEOUT: Duration = Duration::from_secs(5);

fn evil(n: u64) -> Letter {
    let mut alert = alert(n, "r");
    alert.key[0].1 = Value::Str("nul \0 quote ' \" back \\u0000 {a,b} \u{202e}".into());
    alert.values[0].1 = Value::Str("'); DROP TABLE alerts; -- \0".into());
    Letter { alert: alert.into(), inputs: Arc::from([]) }
}

fn resolved(n: u64) -> Letter {
    let mut alert = alert(n, "r");
    alert.notice = Some(Notice::Resolved(Origin { ts: alert.time, seq: Seq(9) }));
    Letter { alert: alert.into(), inputs: Arc::from([]) }
}

/// A data base cluster in the place, with a password for its user and TLS.
fn postgres(place: &Place, port: u16) -> Option<Server> {
    let initdb = postgres_program("initdb")?;
    let data = place.path("data");
    place.write("password", "canary-pg");
    let mut init = place.as_nobody(&initdb);
    init.args([
        "-D",
        &data,
        "-U",
        "tripline",
        "--auth=scram-sha-256",
        "--no-sync",
        "--pwfile",
        &place.path("password"),
    ]);
    let made = init.output().expect("initdb runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let authority = Authority::new(&place.path("tls"))?;
    let (cert, key) = authority.issue("server", "localhost", 1);
    place.give_to_nobody();
    let mut command = place.as_nobody(&postgres_program("postgres")?);
    command.args(["-D", &data, "-p", &port.to_string(), "-h", "127.0.0.1", "-k", &place.path("")]);
    command.args(["-c", "ssl=on", "-c", &format!("ssl_cert_file={cert}"), "-c", &format!("ssl_key_file={key}")]);
    command.args(["-c", "fsync=off"]);
    let server = Server::start(command);
    wait_for("PostgreSQL", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    Some(server)
}

fn postgres_options(place: &Place, port: u16) -> PostgresOptions {
    PostgresOptions {
        address: format!("postgres://tripline@localhost:{port}/postgres"),
        password: Some(Secret::new("canary-pg")),
        table: "alerts".to_owned(),
        tls: Some(TlsOptions { ca: Some(place.path("tls/ca.pem").into()), ..TlsOptions::default() }),
        timeout: TIMEOUT,
    }
}

#[test]
fn postgresql_holds_each_alert_once() {
    let place = Place::new("postgres");
    let port = free_port();
    let Some(server) = postgres(&place, port) else { return };
    let mut sink = PostgresSink::new(&postgres_options(&place, port)).expect("options");
    wait_for("PostgreSQL to take alerts", || sink.deliver(&[letter(0)]).is_ok());
    let letters: Vec<Letter> = (0..100).map(letter).collect();
    sink.deliver(&letters).expect("taken");
    sink.deliver(&letters).expect("taken again, and nothing changes");
    sink.deliver(&[evil(200), resolved(5), resolved(300)]).expect("taken");

    let mut config: postgres::Config = postgres_options(&place, port).address.parse().expect("an address");
    config.password("canary-pg").ssl_mode(postgres::config::SslMode::Disable);
    let mut client = config.connect(postgres::NoTls).expect("a connection");
    let count = |client: &mut postgres::Client, sql: &str| -> i64 { client.query_one(sql, &[]).expect("a row").get(0) };
    assert_eq!(count(&mut client, "SELECT count(*) FROM alerts"), 102);
    assert_eq!(count(&mut client, "SELECT count(*) FROM alerts WHERE status = 'resolved' AND resolved_at = time"), 2);
    assert_eq!(count(&mut client, "SELECT count(*) FROM alerts WHERE key->>'user' = 'u1' AND severity = 'high'"), 33);
    let row = client.query_one("SELECT message, key->>'user' FROM alerts WHERE id = $1", &[&letter(200).alert.id]);
    let row = row.expect("a row");
    assert_eq!(row.get::<_, String>(0), "'); DROP TABLE alerts; -- \u{fffd}");
    assert_eq!(row.get::<_, String>(1), "nul \u{fffd} quote ' \" back \\u0000 {a,b} \u{202e}");
    drop(client);

    // Away and back: what waits is delivered, in order, once.
    let mut office = Office::new(&Service::default(), sink);
    drop(server);
    for n in 400..450 {
        office.leave(n);
    }
    office.run_until(Duration::from_secs(60));
    assert_eq!(office.desk.standing().waiting, 50, "{:?}", office.desk.standing());
    let mut command = place.as_nobody(&postgres_program("postgres").expect("it was there before"));
    command.args(["-D", &place.path("data"), "-p", &port.to_string(), "-h", "127.0.0.1", "-k", &place.path("")]);
    let (cert, key) = (place.path("tls/server.pem"), place.path("tls/server.key"));
    command.args(["-c", "ssl=on", "-c", &format!("ssl_cert_file={cert}"), "-c", &format!("ssl_key_file={key}")]);
    let _server = Server::start(command);
    wait_for("PostgreSQL to take what waited", || {
        office.run_until(office.now + Duration::from_secs(30));
        office.desk.standing().waiting == 0
    });
    assert_eq!(office.desk.standing().counts.delivered, 50);
}

#[test]
fn postgresql_with_a_wrong_password_or_certificate_is_trouble_without_words_of_secrets() {
    let place = Place::new("postgres-wrong");
    let port = free_port();
    let Some(_server) = postgres(&place, port) else { return };
    let options = postgres_options(&place, port);
    let mut right = PostgresSink::new(&options).expect("options");
    wait_for("PostgreSQL to take alerts", || right.deliver(&[letter(0)]).is_ok());
    let password = PostgresOptions { password: Some(Secret::new("canary-wrong")), ..options.clone() };
    let other = Authority::new(&place.path("other")).expect("openssl was there before");
    let trust = PostgresOptions {
        tls: Some(TlsOptions { ca: Some(other.ca().into()), ..TlsOptions::default() }),
        ..options.clone()
    };
    let name = PostgresOptions { address: options.address.replace("localhost", "127.0.0.1"), ..options.clone() };
    for (what, options) in [("password", password), ("authority", trust), ("name", name)] {
        let mut sink = PostgresSink::new(&options).expect("options");
        let failure = sink.deliver(&[letter(1)]).expect_err(what);
        assert_eq!(failure.trouble, Trouble::Down, "{what}: {failure:?}");
        assert!(!format!("{failure:?} {sink:?} {options:?}").contains("canary"), "{failure:?} {sink:?}");
    }
}

fn nats(place: &Place, port: u16, tls: &[&str]) -> Option<Server> {
    let mut command = std::process::Command::new(program("nats-server")?);
    command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd", &place.path("jetstream")]);
    command.args(["--user", "tripline", "--pass", "canary-nats"]).args(tls);
    let server = Server::start(command);
    wait_for("NATS", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    Some(server)
}

fn nats_options(port: u16, tls: Option<TlsOptions>) -> NatsOptions {
    NatsOptions {
        peer: Peer { host: "localhost".to_owned(), port },
        subject: "alerts.{severity}.{rule}".to_owned(),
        format: Format::Json,
        user: Some("tripline".to_owned()),
        password: Some(Secret::new("canary-nats")),
        token: None,
        tls,
        timeout: TIMEOUT,
    }
}

/// Asks the server something as any client does, and gives the answer's JSON.
fn ask(port: u16, subject: &str, payload: &str) -> serde_json::Value {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
    let (mut reader, mut stream) = (BufReader::new(stream.try_clone().expect("a handle")), stream);
    let hello = r#"CONNECT {"verbose":false,"user":"tripline","pass":"canary-nats"}"#;
    let question = format!("{hello}\r\nSUB answer 1\r\nPUB {subject} answer {}\r\n{payload}\r\n", payload.len());
    stream.write_all(question.as_bytes()).expect("sent");
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).expect("an answer") > 0, "the server closed the connection");
        if let Some(size) = line.strip_prefix("MSG answer 1 ") {
            let mut body = vec![0; size.trim().parse().expect("a size")];
            reader.read_exact(&mut body).expect("a body");
            return serde_json::from_slice(&body).expect("JSON");
        }
    }
}

#[test]
fn a_stream_of_nats_holds_each_alert_once() {
    let place = Place::new("nats");
    let port = free_port();
    let Some(_server) = nats(&place, port, &[]) else { return };
    let mut sink = NatsSink::new(nats_options(port, None)).expect("options");
    let failure = sink.deliver(&[letter(1)]).expect_err("no stream is there yet");
    assert!(failure.reason.contains("no stream of JetStream"), "{failure:?}");
    let made =
        ask(port, "$JS.API.STREAM.CREATE.ALERTS", r#"{"name":"ALERTS","subjects":["alerts.>"],"storage":"file"}"#);
    assert!(made["error"].is_null(), "{made}");

    let letters: Vec<Letter> = (0..500).map(letter).collect();
    sink.deliver(&letters).expect("kept");
    sink.deliver(&letters).expect("recognised");
    sink.deliver(&[resolved(7), evil(600)]).expect("kept");
    let info = ask(port, "$JS.API.STREAM.INFO.ALERTS", "");
    assert_eq!(info["state"]["messages"], 502, "{info}");
    let first = ask(port, "$JS.API.STREAM.MSG.GET.ALERTS", r#"{"seq":1}"#);
    assert_eq!(first["message"]["subject"], "alerts.high.r");

    let wrong = NatsOptions { password: Some(Secret::new("canary-wrong")), ..nats_options(port, None) };
    let failure = NatsSink::new(wrong).expect("options").deliver(&[letter(1)]).expect_err("a wrong password");
    assert_eq!(failure.trouble, Trouble::Down);
    assert!(!failure.reason.contains("canary"), "{failure:?}");
}

#[test]
fn nats_over_tls_is_verified() {
    let place = Place::new("nats-tls");
    let Some(authority) = Authority::new(&place.path("tls")) else { return };
    let (cert, key) = authority.issue("server", "localhost", 1);
    let port = free_port();
    let Some(_server) = nats(&place, port, &["--tls", "--tlscert", &cert, "--tlskey", &key]) else { return };
    let trust = |ca: String| Some(TlsOptions { ca: Some(ca.into()), ..TlsOptions::default() });
    let mut sink = NatsSink::new(nats_options(port, trust(authority.ca()))).expect("options");
    let failure = sink.deliver(&[letter(1)]).expect_err("no stream is there");
    assert!(failure.reason.contains("no stream of JetStream"), "the connection itself is fine: {failure:?}");
    let other = Authority::new(&place.path("other")).expect("openssl was there before");
    for tls in [trust(other.ca()), None] {
        let failure = NatsSink::new(nats_options(port, tls)).expect("options").deliver(&[letter(1)]).expect_err("TLS");
        assert!(!failure.reason.contains("JetStream"), "{failure:?}");
    }
}

#[test]
fn rsyslog_gets_every_message_over_tls() {
    let Some(rsyslogd) = program("rsyslogd") else { return };
    let place = Place::new("rsyslog");
    let Some(authority) = Authority::new(&place.path("tls")) else { return };
    let (cert, key) = authority.issue("server", "localhost", 1);
    let port = free_port();
    place.write(
        "rsyslog.conf",
        &format!(
            "global(workDirectory=\"{dir}\" defaultNetstreamDriver=\"gtls\" defaultNetstreamDriverCAFile=\"{ca}\"
             defaultNetstreamDriverCertFile=\"{cert}\" defaultNetstreamDriverKeyFile=\"{key}\" maxMessageSize=\"64k\")
             module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" StreamDriver.AuthMode=\"anon\")
             input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")
             template(name=\"all\" type=\"string\" string=\"%pri%|%hostname%|%app-name%|%msgid%|%structured-data%|%msg%\\n\")
             action(type=\"omfile\" file=\"{dir}/out.log\" template=\"all\")\n",
            dir = place.path(""),
            ca = authority.ca(),
        ),
    );
    let mut command = std::process::Command::new(rsyslogd);
    command.args(["-n", "-f", &place.path("rsyslog.conf"), "-i", &place.path("pid")]);
    let _server = Server::start(command);
    wait_for("rsyslog", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let options = |ca: String| SyslogOptions {
        transport: Transport::Tls,
        peer: Peer { host: "localhost".to_owned(), port },
        speaker: Speaker { hostname: "gate".to_owned(), ..Speaker::default() },
        format: Format::Rfc5424,
        tls: TlsOptions { ca: Some(ca.into()), ..TlsOptions::default() },
        timeout: TIMEOUT,
    };
    let mut sink = SyslogSink::new(options(authority.ca())).expect("options");
    let letters: Vec<Letter> = (0..200).map(letter).collect();
    sink.deliver(&letters).expect("sent");
    sink.deliver(&[evil(300)]).expect("sent");
    let log = || fs::read_to_string(Path::new(&place.path("out.log"))).unwrap_or_default();
    let ours = || log().lines().filter(|line| line.contains("|gate|tripline|r|")).count();
    wait_for("all messages", || ours() == 201);
    let text = log();
    let line = text.lines().find(|line| line.contains(&letter(7).alert.id)).expect("the message");
    assert!(line.starts_with("130|gate|tripline|r|[tripline@32473 id=\""), "{line}");
    assert!(line.contains("key.user=\"u1\"") && line.ends_with("|alert 7"), "{line}");

    let other = Authority::new(&place.path("other")).expect("openssl was there before");
    let failure = SyslogSink::new(options(other.ca())).expect("options").deliver(&letters).expect_err("not trusted");
    assert_eq!(failure.trouble, Trouble::Down);
    assert!(failure.reason.contains("certificate"), "{failure:?}");
}

/// A peer that speaks HTTP over TLS with this certificate, once for each connection.
fn https(cert: &str, key: &str) -> u16 {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_file_iter(cert).expect("a file").collect::<Result<Vec<_>, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate");
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
            thread::spawn(move || {
                let mut stream = rustls::StreamOwned::new(connection, stream);
                let mut bytes = [0; 16 << 10];
                if stream.read(&mut bytes).is_ok_and(|n| n > 0) {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
                    let _ = stream.flush();
                    thread::sleep(Duration::from_millis(200));
                }
            });
        }
    });
    port
}

#[test]
fn webhooks_are_sent_to_verified_peers_only() {
    let place = Place::new("https");
    let Some(authority) = Authority::new(&place.path("tls")) else { return };
    let other = Authority::new(&place.path("other")).expect("openssl was there before");
    let send = |port: u16, ca: String| {
        let options = WebhookOptions {
            url: Url::parse(&Secret::new(format!("https://localhost:{port}/"))).expect("an address"),
            body: Body::Alert(Format::Json),
            headers: Vec::new(),
            token: None,
            sign: None,
            concurrency: 1,
            http: HttpOptions {
                allow: vec!["127.0.0.0/8".parse().expect("a network"), "::1".parse().expect("a network")],
                tls: TlsOptions { ca: Some(ca.into()), ..TlsOptions::default() },
                timeout: TIMEOUT,
            },
        };
        WebhookSink::new(options).expect("options").deliver(&[letter(1)])
    };
    let serve = |name: &str, host: &str, days: i64| {
        let (cert, key) = authority.issue(name, host, days);
        https(&cert, &key)
    };
    let good = serve("good", "localhost", 1);
    send(good, authority.ca()).expect("a peer that is who it says it is");
    let wrong = [
        ("another authority", good, other.ca()),
        ("another host", serve("host", "elsewhere.example", 1), authority.ca()),
        ("out of date", serve("old", "localhost", -1), authority.ca()),
    ];
    for (what, port, ca) in wrong {
        let failure = send(port, ca).expect_err(what);
        assert_eq!(failure.trouble, Trouble::Down, "{what}: {failure:?}");
    }
}

#[test]
fn a_receiver_of_syslog_that_comes_back_is_found_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let peer = Peer { host: "127.0.0.1".to_owned(), port: listener.local_addr().expect("an address").port() };
    let options = SyslogOptions {
        transport: Transport::Tcp,
        peer,
        speaker: Speaker::default(),
        format: Format::Json,
        tls: TlsOptions::default(),
        timeout: TIMEOUT,
    };
    let mut sink = SyslogSink::new(options).expect("options");
    for n in 0..3 {
        sink.deliver(&[letter(n)]).expect("sent");
        let (stream, _) = listener.accept().expect("a new connection each time");
        let mut reader = BufReader::new(stream);
        let mut length = Vec::new();
        reader.read_until(b' ', &mut length).expect("a length");
        let length: usize = String::from_utf8_lossy(&length).trim().parse().expect("a number");
        let mut message = vec![0; length];
        reader.read_exact(&mut message).expect("as many octets as were counted");
        let message = String::from_utf8(message).expect("UTF-8");
        let json = &message[message.find(" {").expect("JSON after the head") + 1..];
        let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
        assert_eq!(json["id"], letter(n).alert.id.as_str());
        // The peer hangs up; the next batch must not vanish into the old connection.
        drop(reader);
        let until = Instant::now() + Duration::from_millis(50);
        while Instant::now() < until {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn syslog_over_udp_is_one_datagram_an_alert() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
    let peer = Peer { host: "127.0.0.1".to_owned(), port: socket.local_addr().expect("an address").port() };
    let options = SyslogOptions {
        transport: Transport::Udp,
        peer,
        speaker: Speaker::default(),
        format: Format::Cef,
        tls: TlsOptions::default(),
        timeout: TIMEOUT,
    };
    SyslogSink::new(options).expect("options").deliver(&[letter(1), letter(2)]).expect("sent");
    for n in [1, 2] {
        let mut bytes = [0; 4096];
        let read = socket.recv(&mut bytes).expect("a datagram");
        let text = String::from_utf8_lossy(&bytes[..read]);
        assert!(
            text.starts_with("<130>1 ") && text.contains("] CEF:0|Tripline|") && text.contains(&letter(n).alert.id),
            "{text}"
        );
    }
}
