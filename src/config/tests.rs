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
