//! What a configuration file may say, and what is said about one that is wrong.

use super::*;

fn parse(text: &str) -> Result<Config, Vec<Diagnostic>> {
    Config::parse(SourceId(0), text)
}

/// The problems as `code line: message; help`.
fn problems(text: &str) -> Vec<String> {
    let found = parse(text).expect_err("a problem");
    found
        .iter()
        .map(|d| {
            let span = d.labels[0].span;
            let line = text[..span.start as usize].matches('\n').count() + 1;
            let shown = &text[span.range()];
            format!("{} {line} [{shown}]: {}; {}", d.code.0, d.message, d.help.as_deref().unwrap_or("-"))
        })
        .collect()
}

#[test]
fn an_empty_file_sets_nothing() {
    assert_eq!(parse(""), Ok(Config::default()));
    assert_eq!(parse("# nothing yet\n"), Ok(Config::default()));
}

#[test]
fn everything_is_read() {
    let config = parse(
        "time:\n  fields: [eventTime, ts]\n  format: epoch_ms\n  on_missing: reject\n\
         type_field: kind\nlateness: 30s\nidle: 5s\nmax_future: 5m\nat_end: flush\nevidence: full\nthreads: 2\n\
         rules: rules/\ninputs: [a.ndjson, '-']\noutputs:\n  - format: ecs\n    file: alerts.ndjson\n  - format: pretty\n\
         rejects: r.ndjson\nlate: l.ndjson\nlimits:\n  runs_per_key: 7\n",
    )
    .expect("a valid file");
    assert_eq!(config.time_fields, Some(vec!["eventTime".to_owned(), "ts".to_owned()]));
    assert_eq!(config.on_missing, Some(OnMissing::Reject));
    assert_eq!(config.lateness, Some(Duration::from_secs(30)));
    assert_eq!(config.at_end, Some(AtEnd::Flush));
    assert_eq!(config.rules, ["rules/"]);
    assert_eq!(config.inputs, [Input::file("a.ndjson"), Input::file("-")]);
    assert_eq!(config.outputs.len(), 2);
    assert_eq!(config.outputs[0].target, Target::File { path: "alerts.ndjson".to_owned(), rotation: None });
    assert_eq!(config.outputs[1], Output::direct(OutputFormat::Pretty, Target::Stdout));
    assert_eq!(config.limits, Limits { runs_per_key: 7, ..Limits::default() });
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    assert_eq!(
        problems("threads: 2\nlatenes: 3s\n"),
        ["E0411 2 [latenes]: there is no setting `latenes`; did you mean `lateness`?"]
    );
    assert_eq!(
        problems("time:\n  feilds: [a]\n"),
        ["E0411 2 [feilds]: there is no setting `feilds`; did you mean `fields`?"]
    );
}

#[test]
fn what_flags_call_otherwise_and_a_duration_without_a_unit_are_told() {
    let found = problems("time_feild: ts\nlateness: 5\noutputs:\n  - file: a\n    rotate: {age: 7}\n");
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].ends_with("write `time: {fields: …}`"), "{found:?}");
    assert!(found[1].ends_with("a duration has a unit, such as `5s`"), "{found:?}");
    assert!(found[2].ends_with("a duration has a unit, such as `7s`"), "{found:?}");
}

#[test]
fn all_problems_are_reported_at_once_with_their_places() {
    let text = "thraeds: 2\nlateness: [1s]\ntime: {feilds: a, format: epoch_x}\noutputs:\n  - fiel: a\n    queue: many\n  \
                - format: jsno\ninputs:\n  - a\n  - http: 8080\n    connectoins: 3\n  - tcp: nowhere\nlimits: {max_line: no, max_lin: 1}\n\
                lateness: 2s\n";
    let found: Vec<String> = problems(text).iter().map(|p| p.split(';').next().unwrap_or(p).to_owned()).collect();
    assert_eq!(
        found,
        [
            "E0411 1 [thraeds]: there is no setting `thraeds`",
            "E0412 2 [lateness]: `lateness` takes a text",
            "E0411 3 [feilds]: there is no setting `feilds`",
            "E0412 3 [epoch_x]: `epoch_x` is not a time format",
            "E0411 5 [fiel]: there is no setting `fiel`",
            "E0412 6 [many]: `queue` takes a whole number that is not too large",
            "E0412 7 [jsno]: `jsno` cannot stand for `format`",
            "E0411 11 [connectoins]: there is no setting `connectoins`",
            "E0412 12 [nowhere]: `nowhere` is no address with a port, such as 127.0.0.1:8080",
            "E0412 13 [no]: `max_line` takes a whole number that is not too large",
            "E0411 13 [max_lin]: there is no setting `max_lin`",
            "E0411 14 [lateness]: `lateness` is set twice",
        ]
    );
}

/// A line that may hold a secret is not shown, whatever is wrong with it.
#[test]
fn secrets_are_not_shown() {
    for text in [
        "inputs:\n  - http: 8080\n    tokn: hush\n",
        "inputs:\n  - http: 8080\n    token: hush\n",
        "inputs:\n  - http: 8080\n    token: [hush]\n",
        "outputs:\n  - webhook: https://a.example/\n    pasword: hush\n",
    ] {
        let found = problems(text);
        assert!(!found.is_empty() && !found.iter().any(|problem| problem.contains("hush")), "{found:?}");
    }
}

#[test]
fn inputs_have_kinds_and_settings_of_their_own() {
    let config = parse(
        "inputs:\n  - a.ndjson\n  - http: 8080\n    token: {env: T}\n    max_body: 1MiB\n  - http: 0.0.0.0:81\n  - syslog: tls://localhost:6514\n    \
         cert: c.pem\n    key: k.pem\n    zone: Europe/Berlin\n  - unix: s.sock\n    mode: \"660\"\n    lateness: 3s\n    idle: 1m\n  - file: b.txt\n    \
         format: csv\n    delimiter: tab\n    columns: {n: number}\n    type_field: kind\n",
    )
    .expect("a valid file");
    let names: Vec<&str> = config.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["a.ndjson", "http", "http 2", "syslog", "unix", "b.txt"]);
    assert_eq!(config.inputs.iter().filter(|input| input.is_live()).count(), 4);
    let Origin::Http { address, token, max_body, .. } = &config.inputs[1].origin else { panic!("HTTP") };
    assert_eq!((address.to_string().as_str(), token.is_some(), *max_body), ("127.0.0.1:8080", true, 1 << 20));
    assert_eq!(config.inputs[4].reading.lateness, Some(Duration::from_secs(3)));
    assert_eq!(config.inputs[5].reading.type_field.as_deref(), Some("kind"));
    for (keys, wrong) in [
        ("  - name: a\n", "does not say where events come from"),
        ("  - tcp: 1\n    http: 2\n", "this input is `http` and `tcp`"),
        ("  - tcp: 1\n    token: {env: T}\n", "`token` means nothing for an input of `tcp`"),
        ("  - http: 1\n    cert: c.pem\n", "there is a `cert` without its `key`"),
        ("  - syslog: 127.0.0.1:514\n", "does not say how messages travel"),
        ("  - syslog: tls://127.0.0.1:514\n", "TLS needs a certificate"),
        ("  - syslog: udp://127.0.0.1:514\n    zone: Mars\n", "there is no time zone `Mars`"),
        ("  - file: a\n    columns: {n: number}\n", "`columns` means nothing for lines of JSON"),
        ("  - file: a.csv\n    columns: {n: nubmer}\n", "`nubmer` cannot stand for `columns`"),
        ("  - http: 1\n    queue: 2MiB\n", "`max_body` is more than half of `queue`"),
        ("  - a\n  - a\n", "two inputs are called `a`"),
    ] {
        let found = problems(&format!("inputs:\n{keys}"));
        assert!(found.iter().any(|problem| problem.contains(wrong)), "{keys}: {found:?}");
    }
}

#[test]
fn values_that_are_not_understood_are_reported_at_once() {
    assert_eq!(
        problems("lateness: soon # really\nat_end: fluhs\nlimits:\n  runs_per_key: 0\n"),
        [
            "E0412 1 [soon]: `soon` is not a duration: write a number with a unit, such as 500ms, 30s, 5m or 1h30m; \
             a duration is a number with a unit: 500ms, 30s, 5m, 1h30m, 2d",
            "E0412 2 [fluhs]: `fluhs` cannot stand for `at_end`; did you mean `flush`?",
            "E0412 4 [0]: a limit of 0 lets nothing through; write 1 or more",
        ]
    );
}

#[test]
fn wrong_kinds_and_broken_yaml_are_errors() {
    assert!(problems("threads: many\n")[0].starts_with("E0412 1 [many]"));
    assert!(problems("threads:\n\t- 1\n")[0].starts_with("E0410 2"));
    assert_eq!(problems("threads: 1\nthreads: 2\n"), ["E0411 2 [threads]: `threads` is set twice; keep one of them"]);
}

#[test]
fn every_limit_can_be_set() {
    let limits = serde_json::to_value(Limits::default()).expect("limits are plain numbers");
    for name in limits.as_object().expect("an object").keys() {
        let text = format!("limits:\n  {name}: 5\n");
        let config = parse(&text).unwrap_or_else(|e| panic!("{name}: {e:?}"));
        assert_ne!(config.limits, Limits::default(), "{name}");
    }
}

#[test]
fn a_kafka_output_says_who_we_are_or_nothing() {
    let of = |keys: &str| format!("outputs:\n  - kafka: a:9092,b:9092\n{keys}");
    let config =
        parse(&of("    topic: alerts.{rule}\n    key_by: id\n    settings: {linger.ms: 5, check.crcs: true}\n"));
    let config = config.expect("a valid file");
    let Target::Kafka { peer, topic, key_by, .. } = &config.outputs[0].target else { panic!("a Kafka output") };
    assert_eq!((peer.brokers.as_str(), peer.encrypted, topic.as_str()), ("a:9092,b:9092", false, "alerts.{rule}"));
    assert_eq!(*key_by, crate::io::kafka::KeyBy::Id);
    let text = |value: &str| Text::Plain(value.to_owned());
    let settings = [("check.crcs".to_owned(), text("true")), ("linger.ms".to_owned(), text("5"))];
    assert_eq!(peer.settings, settings);
    for (keys, wrong) in [
        ("    topic: a b\n", "`a b` is no name of a topic"),
        ("    user: u\n    password: {env: P}\n", "who listens on the network could learn this"),
        ("    tls: required\n    user: u\n", "this does not say who we are"),
        ("    tls: required\n    user: u\n    password: plain\n", "a secret does not stand in the file"),
        ("    settings: {enable.idempotence: false}\n", "`enable.idempotence` is Tripline's to set"),
        ("    settings: {ssl.key.password: hush}\n", "a secret does not stand in the file"),
        ("    headers: {id: x}\n", "`id` is set by Tripline"),
        ("    mechanism: PLAIN\n", "this goes with another way to say who we are"),
        ("    tls: off\n    ca: ca.pem\n", "there is `tls: off` and a certificate"),
    ] {
        let found = problems(&of(keys));
        assert!(found.iter().any(|problem| problem.contains(wrong)), "{keys}: {found:?}");
        assert!(!found.iter().any(|problem| problem.contains("hush") || problem.contains("[plain]")), "{found:?}");
    }
    let found = problems("outputs:\n  - kafka: kafka://a\n");
    assert!(found[0].contains("is no address of brokers"), "{found:?}");
}

#[test]
fn topics_that_are_shared_say_by_what() {
    let of = |keys: &str| format!("inputs:\n  - kafka: a:9092\n    group: g\n{keys}");
    let shared = "    topics: t\n    state_topic: s\n    partition_by: [source.ip, user]\n    instance: i\n";
    let config = parse(&of(shared)).expect("a valid file");
    let Origin::Kafka { kafka, .. } = &config.inputs[0].origin else { panic!("an input of Kafka") };
    let sharing = kafka.sharing.as_ref().expect("it is shared");
    assert_eq!(sharing.fields, [vec!["source".to_owned(), "ip".to_owned()], vec!["user".to_owned()]]);
    assert_eq!(sharing.membership.instance.as_deref(), Some("i"));
    for (keys, wrong) in [
        ("    topics: t\n    partition_by: user\n", "a `state_topic` hands on what rules hold"),
        ("    topics: [t, u]\n    state_topic: s\n    partition_by: user\n", "one topic is read, by its name"),
        ("    topics: ^t\n    state_topic: s\n    partition_by: user\n", "one topic is read, by its name"),
        ("    topics: t\n    instance: i\n", "`instance` is for processes that share a topic"),
        ("    topics: t\n    protocol: consumer\n", "`protocol` is for processes that share a topic"),
        ("    topics: t\n    partition_by: []\n", "no field is named"),
        ("    topics: t\n    rejects: t\n", "what is rejected would be read again"),
        ("    topics: t\n    settings: {group.protocol: consumer}\n", "`group.protocol` is Tripline's to set"),
        ("    topics: t\n    partition_bi: user\n", "did you mean `partition_by`?"),
        ("    topics: t\n    start: earlyest\n", "did you mean `earliest`?"),
        ("    topics: t\n    format: jsn\n", "did you mean `json`?"),
        (
            "    topics: t\n    tls: required\n    user: u\n    password: {env: P}\n    mechanism: SCRAM-SHA256\n",
            "did you mean `SCRAM-SHA-256`?",
        ),
        (
            "    topics: t\n    state_topic: s\n    partition_by: user\n    protocol: comsumer\n",
            "did you mean `consumer`?",
        ),
    ] {
        let found = problems(&of(keys));
        assert!(found.iter().any(|problem| problem.contains(wrong)), "{keys}: {found:?}");
    }
}
