//! Sinks that speak HTTP against a peer on loopback that refuses, hangs, drips, closes in the middle, and says 429.

mod deliver_support;
#[path = "deliver_support/peer.rs"]
mod peer;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use deliver_support::{Office, alert, letter};
use peer::{Act, Peer, Request};
use tripline::alert::format::Format;
use tripline::alert::{Notice, Origin, Seq};
use tripline::io::deliver::{Letter, Service, Sink, Trouble};
use tripline::io::sink::elastic::{ElasticOptions, ElasticSink};
use tripline::io::sink::http::{HttpOptions, Url};
use tripline::io::sink::preset::Preset;
use tripline::io::sink::secret::Secret;
use tripline::io::sink::sign::signature;
use tripline::io::sink::splunk::{SplunkOptions, SplunkSink};
use tripline::io::sink::template::Template;
use tripline::io::sink::webhook::{Body, WebhookOptions, WebhookSink};

fn http() -> HttpOptions {
    HttpOptions {
        allow: vec!["127.0.0.0/8".parse().expect("a network")],
        timeout: Duration::from_millis(800),
        ..HttpOptions::default()
    }
}

fn url(text: &str) -> Url {
    Url::parse(&Secret::new(text)).expect("an address")
}

fn webhook(url_text: &str, body: Body) -> WebhookOptions {
    WebhookOptions {
        url: url(url_text),
        body,
        headers: Vec::new(),
        token: None,
        sign: None,
        concurrency: 1,
        http: http(),
    }
}

fn sink(options: WebhookOptions) -> WebhookSink {
    WebhookSink::new(options).expect("options that can be used")
}

fn resolved(n: u64) -> Letter {
    let mut alert = alert(n, "r");
    alert.notice = Some(Notice::Resolved(Origin { ts: alert.time, seq: Seq(9) }));
    Letter { alert: alert.into(), inputs: Arc::from([]) }
}

#[test]
fn a_request_carries_the_alert_its_id_and_a_signature() {
    let peer = Peer::start(Vec::new());
    let mut options = webhook(&peer.url(), Body::Alert(Format::Json));
    options.headers = vec![("x-team".to_owned(), Secret::new("secops"))];
    options.token = Some(Secret::new("canary-token"));
    options.sign = Some(Secret::new("canary-key"));
    sink(options).deliver(&[letter(7)]).expect("an answer of 200");
    let [request] = &peer.requests()[..] else { panic!("one request") };
    assert_eq!(request.target, "/hook/canary-path");
    assert_eq!(request.json()["id"], letter(7).alert.id.as_str());
    assert_eq!(request.header("idempotency-key"), Some(letter(7).alert.id.as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-team"), Some("secops"));
    assert_eq!(request.header("authorization"), Some("Bearer canary-token"));
    let signed = request.header("x-tripline-signature").expect("a signature");
    let time = signed.strip_prefix("t=").and_then(|rest| rest.split_once(',')).expect("a time").0;
    let again = signature(&Secret::new("canary-key"), time.parse().expect("seconds"), request.body.as_bytes());
    assert_eq!(signed, again);
    sink(webhook(&peer.url(), Body::Alert(Format::Json))).deliver(&[resolved(7)]).expect("an answer of 200");
    let key = format!("{}-resolved", letter(7).alert.id);
    assert_eq!(peer.requests()[1].header("idempotency-key"), Some(key.as_str()), "another message");
}

#[test]
fn what_goes_wrong_on_the_way_is_trouble_of_the_peer() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let refused = sink(webhook(&format!("http://{closed}/"), Body::Alert(Format::Json))).deliver(&[letter(1)]);
    assert_eq!(refused.expect_err("nobody listens").trouble, Trouble::Down);
    for act in [Act::Hang, Act::Drip, Act::Close] {
        let peer = Peer::start(vec![act.clone(), act.clone(), act.clone()]);
        let failure =
            sink(webhook(&peer.url(), Body::Alert(Format::Json))).deliver(&[letter(1)]).expect_err("no answer");
        assert_eq!(failure.trouble, Trouble::Down, "{act:?}: {failure:?}");
        assert!(!failure.reason.contains("canary"), "{failure:?}");
    }
    let peer = Peer::start(vec![Act::CloseInBody]);
    let elastic = ElasticSink::new(elastic(&peer)).expect("options").deliver(&[letter(1)]);
    assert_eq!(elastic.expect_err("half an answer").trouble, Trouble::Down);
}

#[test]
fn a_status_decides_what_becomes_of_the_letter() {
    let cases = [
        (Act::Answer(429, "Retry-After: 7\r\n", String::new()), Trouble::Down),
        (Act::status(503), Trouble::Down),
        (Act::status(401), Trouble::Down),
        (Act::Answer(302, "Location: http://169.254.169.254/\r\n", String::new()), Trouble::Down),
        (Act::Answer(500, "", "oops \u{1b}[2J".to_owned()), Trouble::Failed),
        (Act::Answer(400, "", "invalid_payload".to_owned()), Trouble::Refused),
    ];
    for (act, trouble) in cases {
        let peer = Peer::start(vec![act.clone()]);
        let failure = sink(webhook(&peer.url(), Body::Alert(Format::Json))).deliver(&[letter(1)]).expect_err("no 200");
        assert_eq!(failure.trouble, trouble, "{act:?}");
        assert_eq!(failure.after.is_some(), matches!(act, Act::Answer(429, ..)), "{failure:?}");
        assert!(!failure.reason.contains(['\u{1b}', '\n']), "{failure:?}");
        assert_eq!(peer.requests().len(), 1, "no redirect is followed: {act:?}");
    }
}

#[test]
fn private_addresses_are_denied_whatever_they_are_called() {
    let peer = Peer::start(Vec::new());
    let port = peer.address.port();
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]"] {
        let mut options = webhook(&format!("http://{host}:{port}/"), Body::Alert(Format::Json));
        options.http.allow.clear();
        let failure = sink(options).deliver(&[letter(1)]).expect_err(host);
        assert_eq!(failure.trouble, Trouble::Down, "{host}");
        let denied = failure.reason.contains("is not a public address") && failure.reason.contains("allow:");
        assert!(denied || !failure.reason.contains("200"), "{host}: {}", failure.reason);
    }
    assert!(peer.requests().is_empty(), "nobody was reached");
}

#[test]
fn presets_say_what_their_receivers_ask_for() {
    let peer = Peer::start(Vec::new());
    let send = |preset, letter: &Letter| -> Request {
        let mut options = webhook(&peer.url(), Body::Preset(preset));
        options.token = Some(Secret::new("canary-token"));
        sink(options).deliver(std::slice::from_ref(letter)).expect("an answer of 200");
        peer.requests().pop().expect("a request")
    };
    let mut evil = alert(7, "r");
    evil.title = Some("<!channel> **now**".into());
    let evil = Letter { alert: evil.into(), inputs: Arc::from([]) };

    let slack = send(Preset::Slack, &evil).json();
    assert!(!slack.to_string().contains("<!channel>"), "{slack}");
    assert!(slack["text"].as_str().is_some_and(|text| text.contains("&lt;!channel&gt;")), "{slack}");
    assert_eq!(slack["attachments"][0]["fields"][0]["title"], "user");

    let teams = send(Preset::Teams, &evil).json();
    assert_eq!(teams["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(teams["attachments"][0]["content"]["type"], "AdaptiveCard");
    assert!(!teams.to_string().contains("**now**"), "{teams}");

    let pagerduty = send(Preset::PagerDuty, &letter(7));
    assert_eq!(pagerduty.header("authorization"), None);
    let pagerduty = pagerduty.json();
    assert_eq!(pagerduty["routing_key"], "canary-token");
    assert_eq!((&pagerduty["event_action"], &pagerduty["payload"]["severity"]), (&"trigger".into(), &"error".into()));
    assert_eq!(pagerduty["payload"]["summary"], "alert 7");
    let ended = send(Preset::PagerDuty, &resolved(7)).json();
    assert_eq!((&ended["event_action"], &ended["dedup_key"]), (&"resolve".into(), &pagerduty["dedup_key"]));

    let opsgenie = send(Preset::Opsgenie, &letter(7));
    assert_eq!(opsgenie.header("authorization"), Some("GenieKey canary-token"));
    assert_eq!((&opsgenie.json()["priority"], &opsgenie.json()["message"]), (&"P2".into(), &"A title".into()));
    let ended = send(Preset::Opsgenie, &resolved(7));
    assert_eq!(ended.target, format!("/hook/canary-path/{}/close?identifierType=alias", letter(7).alert.id));

    let manager = send(Preset::Alertmanager, &letter(7)).json();
    assert_eq!(manager[0]["labels"]["alertname"], "r");
    assert_eq!(manager[0]["labels"]["key_user"], "u1");
    assert!(manager[0]["endsAt"].is_null());
    assert!(send(Preset::Alertmanager, &resolved(7)).json()[0]["endsAt"].is_string());
}

#[test]
fn a_template_is_filled_and_stays_json() {
    let peer = Peer::start(Vec::new());
    let template = serde_json::json!({ "summary": "{severity} {rule}: {message}", "who": "{key.user}", "n": 1 });
    let body = Body::Template(Template::new(&template).expect("a body"));
    let mut evil = alert(7, "r");
    evil.key[0].1 = tripline::base::Value::Str("\",\"n\":2,\"x\":\"".into());
    sink(webhook(&peer.url(), body)).deliver(&[Letter { alert: evil.into(), inputs: Arc::from([]) }]).expect("200");
    let sent = peer.requests()[0].json();
    assert_eq!(sent, serde_json::json!({ "summary": "high r: alert 7", "who": "\",\"n\":2,\"x\":\"", "n": 1 }));
}

fn elastic(peer: &Peer) -> ElasticOptions {
    ElasticOptions {
        url: url(&format!("http://{}", peer.address)),
        index: "alerts".to_owned(),
        format: Format::Ecs,
        user: Some("elastic".to_owned()),
        password: Some(Secret::new("canary")),
        token: None,
        http: http(),
    }
}

/// Answers as a bulk interface does, by its documents: each is created once, and 409 after that.
fn bulk(known: Arc<std::sync::Mutex<Vec<String>>>) -> impl Fn(&Request) -> Act + Send + Sync + 'static {
    move |request| {
        assert!(request.body.ends_with('\n'), "the last line of a bulk request has an end");
        let lines: Vec<serde_json::Value> =
            request.body.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        let mut known = known.lock().expect("not poisoned");
        let items: Vec<_> = lines
            .chunks(2)
            .map(|pair| {
                let id = pair[0]["create"]["_id"].as_str().expect("an id").to_owned();
                assert_eq!(pair[0]["create"]["_index"], "alerts");
                assert!(pair[1]["@timestamp"].is_string() && pair[1]["event"]["id"].is_string());
                let status = if known.contains(&id) { 409 } else { 201 };
                known.push(id);
                serde_json::json!({ "create": { "status": status } })
            })
            .collect();
        Act::Answer(200, "", serde_json::json!({ "took": 1, "errors": false, "items": items }).to_string())
    }
}

#[test]
fn bulk_requests_index_each_alert_once() {
    let known = Arc::new(std::sync::Mutex::new(Vec::new()));
    let peer = Peer::answering(vec![Act::status(503), Act::Close], bulk(Arc::clone(&known)));
    let mut office =
        Office::new(&Service { batch: 10, ..Service::default() }, ElasticSink::new(elastic(&peer)).expect("options"));
    for n in 0..25 {
        office.leave(n);
    }
    office.run_until(Duration::from_secs(600));
    let standing = office.desk.standing();
    assert_eq!((standing.counts.delivered, standing.counts.dead, standing.waiting), (25, 0, 0), "{standing:?}");
    let mut ids = known.lock().expect("not poisoned").clone();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 25);
    let request = &peer.requests()[0];
    assert_eq!((request.target.as_str(), request.header("content-type")), ("/_bulk", Some("application/x-ndjson")));
    assert_eq!(request.header("authorization"), Some("Basic ZWxhc3RpYzpjYW5hcnk="));
}

#[test]
fn documents_that_cannot_be_indexed_are_dead_and_those_that_were_too_many_come_again() {
    let first = serde_json::json!({ "items": [
        { "create": { "status": 201 } },
        { "create": { "status": 400, "error": { "reason": "failed to parse field [a]" } } },
        { "create": { "status": 429, "error": { "reason": "rejected execution" } } },
    ] });
    let known = Arc::new(std::sync::Mutex::new(Vec::new()));
    let peer = Peer::answering(vec![Act::Answer(200, "", first.to_string())], bulk(known));
    let mut office = Office::new(&Service::default(), ElasticSink::new(elastic(&peer)).expect("options"));
    for n in 0..3 {
        office.leave(n);
    }
    office.run_until(Duration::from_secs(60));
    let counts = office.desk.standing().counts;
    assert_eq!((counts.delivered, counts.dead), (2, 1));
    assert_eq!(peer.requests()[1].body.lines().count(), 2, "only the one that was too many");
}

#[test]
fn splunk_gets_events_with_their_times() {
    let busy = Act::Answer(503, "", r#"{"text":"Server is busy","code":9}"#.to_owned());
    let index = Act::Answer(400, "", r#"{"text":"Incorrect index","code":7}"#.to_owned());
    let peer =
        Peer::answering(vec![busy, index], |_| Act::Answer(200, "", r#"{"text":"Success","code":0}"#.to_owned()));
    let options = SplunkOptions {
        url: url(&format!("http://{}/", peer.address)),
        token: Secret::new("canary"),
        index: Some("main".to_owned()),
        acknowledge: false,
        format: Format::Json,
        http: http(),
    };
    let mut sink = SplunkSink::new(options).expect("options");
    assert_eq!(sink.deliver(&[letter(1)]).expect_err("busy").trouble, Trouble::Down);
    assert_eq!(sink.deliver(&[letter(1)]).expect_err("no index").trouble, Trouble::Down);
    sink.deliver(&[letter(1), letter(2)]).expect("success");
    let request = peer.requests().pop().expect("a request");
    assert_eq!(request.target, "/services/collector/event");
    assert_eq!(request.header("authorization"), Some("Splunk canary"));
    let events: Vec<serde_json::Value> =
        request.body.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    assert_eq!(events.len(), 2);
    assert_eq!((&events[1]["time"], &events[1]["index"]), (&serde_json::json!(2.0), &"main".into()));
    assert_eq!(events[1]["event"]["id"], letter(2).alert.id.as_str());
}

#[test]
fn splunk_counts_a_batch_when_it_is_in_an_index() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let peer = Peer::answering(vec![], move |request| {
        if request.target.starts_with("/services/collector/ack?channel=") {
            let n = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return Act::Answer(200, "", format!(r#"{{"acks":{{"7":{}}}}}"#, n >= 2));
        }
        Act::Answer(200, "", r#"{"text":"Success","code":0,"ackId":7}"#.to_owned())
    });
    let options = SplunkOptions {
        url: url(&format!("http://{}/", peer.address)),
        token: Secret::new("canary"),
        index: None,
        acknowledge: true,
        format: Format::Json,
        http: http(),
    };
    let mut sink = SplunkSink::new(options).expect("options");
    sink.deliver(&[letter(1)]).expect("in an index");
    let requests = peer.requests();
    assert_eq!(requests.len(), 4, "the batch, and three questions");
    let channel = requests[0].header("x-splunk-request-channel").expect("a channel").to_owned();
    assert!(
        requests[1..].iter().all(|request| request.target.ends_with(&channel) && request.body == r#"{"acks":[7]}"#)
    );
}

#[test]
fn a_webhook_with_concurrency_keeps_the_order_of_each_key() {
    let peer = Peer::answering(vec![], |request| {
        // The first request of one alert fails, whatever else is under way.
        static FAILED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
        let first = request.body.contains(&letter(7).alert.id);
        if first && !FAILED.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return Act::status(503);
        }
        Act::status(200)
    });
    let mut options = webhook(&format!("http://{}/", peer.address), Body::Alert(Format::Json));
    options.concurrency = 8;
    let mut sink = WebhookSink::new(options).expect("options");
    let mut hand: Vec<_> = (0..60).map(letter).collect();
    let mut rounds = 0;
    while !hand.is_empty() {
        let n = hand.len().min(sink.most());
        let receipt = sink.deliver(&hand[..n]).expect("some are taken");
        let again: Vec<_> = receipt.again.iter().map(|at| hand[*at].clone()).collect();
        hand.splice(..n, again);
        rounds += 1;
    }
    assert!(rounds >= 2);
    let ids: Vec<u64> = peer
        .requests()
        .iter()
        .map(|request| {
            let body: serde_json::Value = serde_json::from_str(&request.body).expect("an alert");
            u64::from_str_radix(&body["id"].as_str().expect("an id")[16..], 16).expect("a number")
        })
        .collect();
    // Letters have three keys in turn; one came twice.
    assert_eq!(ids.len(), 61);
    for key in 0..3 {
        let of_key: Vec<u64> = ids.iter().copied().filter(|id| id % 3 == key).collect();
        assert!(of_key.is_sorted(), "{of_key:?}");
    }
}
