//! Commands that work on rules without events: check, explain, graph.

mod cli;

use cli::Place;

const BRUTE_FORCE: &str = r#"event auth = event.category == "authentication"

rule brute_force "Failures, then <in>" {
  severity high
  by source.ip
  match {
    fail: at least 5 of auth where event.outcome == "failure"
    then ok: auth where event.outcome == "success"
  } within 10m
  alert { attempts = count(fail) }
}

rule silent "No heartbeat" {
  by host
  match { last: heartbeat then no heartbeat within 5m }
}
"#;

#[test]
fn check_counts_what_it_finds() {
    let place = Place::new("check");
    place.file("rules/a.trip", BRUTE_FORCE).file("rules/.hidden/b.trip", "nonsense");
    assert_eq!(place.run(&["check", "rules"]).expect(0).out, "2 rules in 1 file: no problems\n");

    place.file("bad.trip", "rule r {\n  sevrity high\n  match { a: A }\n}\n");
    let bad = place.run(&["check", "bad.trip", "--color", "never"]);
    assert!(bad.expect(2).out.contains("--> bad.trip:2:3"), "{}", bad.out);
    assert!(bad.out.contains("did you mean `severity`?"), "{}", bad.out);
    assert!(bad.out.ends_with("1 rule in 1 file: 1 error\n"), "{}", bad.out);
}

#[test]
fn check_says_which_rules_follow_a_partitioned_topic() {
    let place = Place::new("topology");
    let rules = r#"table hosts from "hosts.csv" key host, user
rule valued { by user match { a: a } alert { user = user } }
rule fits "a" { by user match { a: a then b: b } within 1m suppress 1h }
rule fits_too { by host, user match { a: at least 3 of a } within 1m suppress 1h by user }
rule off { enabled false match { a: a } }
rule no_key { match { a: a } }
rule other_key { by host match { a: a } }
rule computed { by u = lower(user) match { a: a } }
rule optional { by user? match { a: a } }
rule handed { match { a: a by user then b: b by user, host } within 1m }
rule guarded { by user, host match { a: a unless b by host in last 1h } }
rule measured { by user match { a: a where mean(x, 1h by host) > 1 } }
rule told { by user match { a: alert.valued } }
rule expected { by host, user match { a: a then no b within 1h } expect host, user from @hosts }
rule hushed { by host, user match { a: a } suppress 1h by host }
"#;
    place.file("hosts.csv", "host,user\nh1,u1\n").file("r.trip", rules);
    let found = place.run(&["check", "r.trip", "--topology=user", "--color", "never"]);
    let found = found.expect(2);
    let unfit = [
        ("no_key", "it has no key"),
        ("other_key", "its key does not have `user` as it is"),
        ("computed", "its key does not have `user` as it is"),
        ("optional", "`user?` in its key may be missing"),
        ("handed", "its key is handed over"),
        ("guarded", "a guard or statistic has one of its own"),
        ("measured", "a guard or statistic has one of its own"),
        ("told", "it reads alerts"),
        ("expected", "it expects keys"),
        ("hushed", "its `suppress` counts without `user`"),
    ];
    for (rule, why) in unfit {
        let words = format!("rule {rule} does not follow the partitions of a topic by `user`: ");
        let said =
            found.out.lines().find(|line| line.contains(&words)).unwrap_or_else(|| panic!("{rule}: {}", found.out));
        assert!(said.contains(why), "{said}");
    }
    for rule in ["valued", "fits", "fits_too", "off"] {
        assert!(!found.out.contains(&format!("rule {rule} does not follow")), "{rule}: {}", found.out);
    }
    assert!(found.out.contains("3 of 13 rules follow a topic that is partitioned by `user`"), "{}", found.out);
    let named = place.run(&["check", "r.trip", "--topology"]);
    assert!(named.expect(2).err.contains("--topology=source.ip"), "{}", named.err);
    place.file("one.trip", "rule fits { by user match { a: a } }");
    let config =
        "inputs:\n  - kafka: 127.0.0.1:9092\n    topics: t\n    group: g\n    state_topic: s\n    partition_by: user\n";
    place.file("tripline.yaml", config);
    let fits = place.run(&["check", "one.trip", "--topology"]);
    assert!(
        fits.expect(0).out.starts_with("1 of 1 rule follows a topic that is partitioned by `user`"),
        "{}",
        fits.out
    );
}

#[test]
fn check_writes_for_tools() {
    let place = Place::new("check-formats");
    place.file("bad.trip", "rule r {\n  sevrity high\n  match { a: A }\n}\n");
    let json = place.run(&["check", "bad.trip", "--format", "json"]);
    let findings = json.expect(2).alerts();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0]["labels"][0]["line"], 2);
    assert_eq!(findings[0]["fix"]["replacement"], "severity");
    let sarif = place.run(&["check", "bad.trip", "--format", "sarif"]);
    let document: serde_json::Value = serde_json::from_str(&sarif.expect(2).out).expect("one document");
    assert_eq!(document["version"], "2.1.0");
    assert_eq!(document["runs"][0]["results"].as_array().map(Vec::len), Some(1));
}

#[test]
fn warnings_can_be_denied() {
    let place = Place::new("check-warnings");
    place.file("r.trip", "rule r { match { a: A then b: B } }\n");
    let warned = place.run(&["check", "r.trip"]);
    assert!(warned.expect(0).out.contains("1 warning"), "{}", warned.out);
    place.run(&["check", "r.trip", "--deny-warnings"]).expect(2);
}

#[test]
fn a_directory_without_rules_and_a_file_that_is_no_text_are_errors() {
    let place = Place::new("check-none");
    place.file("empty/readme.txt", "none");
    assert!(place.run(&["check", "empty"]).expect(2).err.contains("no file of rules"));
    std::fs::write(place.path("latin1.trip"), b"rule r {\n  title \"caf\xe9\"\n}").expect("a file");
    assert!(place.run(&["check", "latin1.trip"]).expect(2).err.contains("latin1.trip:2: is not UTF-8"));
}

#[test]
fn explain_says_what_a_rule_does() {
    let place = Place::new("explain");
    place.file("r.trip", BRUTE_FORCE);
    let text = place.run(&["explain", "r.trip", "brute_force", "--plan"]).expect(0).out.clone();
    for part in [
        "brute_force  Failures, then <in>",
        "1. fail: at least 5 of auth where event.outcome == \"failure\"",
        "2. then ok: auth where event.outcome == \"success\"",
        "All of it within 10m",
        "attempts = count(fail)",
        "strategy    latest-run",
        "bytes a key and",
        "0 start",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("silent"));
    let both = place.run(&["explain", "r.trip"]).expect(0).out.clone();
    assert!(both.contains("for 5m no heartbeat"), "{both}");
}

#[test]
fn explain_draws_the_job_with_what_takes_each_way() {
    let place = Place::new("explain-topology");
    let rules = "rule pair { by k match { a: A then b: B where n > 3 } within 10s }\n\
                 rule many { by k match { a: at least 2 of A } within 10s suppress 1m by last(a).n }\n\
                 rule all { match { x: at least 3 of B } within 1m }\n";
    place.file("r.trip", rules);
    let drawn = place.run(&["explain", "r.trip", "--topology"]).expect(0).out.clone();
    assert!(drawn.contains("by k\n") && drawn.contains("2 rules: pair, many"), "{drawn}");
    assert!(drawn.contains("by nothing: one state, one task") && drawn.contains("1 rule: many"), "{drawn}");
    assert!(!drawn.contains("an event"), "{drawn}");
    // Of four events one is of no use; each A goes to one key, the B to a key and to the rule without one.
    let event = |class: &str, second: u32| {
        format!("{{\"type\":\"{class}\",\"k\":\"x\",\"n\":5,\"unread\":\"much\",\"ts\":{}}}\n", 1_700_000_000 + second)
    };
    place.file("s.ndjson", &[event("A", 1), event("A", 2), event("B", 3), event("Z", 4)].concat());
    let seen = place.run(&["explain", "r.trip", "--topology", "--sample", "s.ndjson"]).expect(0).out.clone();
    let by_key = seen.lines().find(|line| line.ends_with("by k")).expect("the group");
    assert!(by_key.contains("0.750 records"), "{seen}");
    let by_nothing =
        seen.lines().find(|line| line.ends_with("one task") && line.contains("nothing")).expect("the group");
    assert!(by_nothing.contains("0.250 records"), "{seen}");
    assert!(seen.contains("4 events of") && seen.contains("2 keys") && seen.contains("2 alerts"), "{seen}");
}

#[test]
fn explain_says_which_rules_on_alerts_are_matched_by_key_and_what_stays_in_one_task() {
    let place = Place::new("explain-stages");
    let rules = "rule pair { by k match { a: A then b: B } within 10s }\n\
                 rule above { match { x: alert.pair by k = key.k then y: C by k } within 30s }\n\
                 rule moved { match { a: A by k, j then b: B by j, l then c: C by j, k } within 30s }\n\
                 rule whole { match { a: A by k then b: B by k, j then c: C by j } within 30s }\n";
    place.file("r.trip", rules);
    place.file("s.ndjson", "{\"type\":\"A\",\"k\":\"x\",\"ts\":1}\n{\"type\":\"B\",\"k\":\"x\",\"ts\":2}\n");
    let drawn = place.run(&["explain", "r.trip", "--topology", "--sample", "s.ndjson"]).expect(0).out.clone();
    assert!(drawn.lines().any(|l| l.contains("match ─► upper   0.500 records") && l.ends_with("by k")), "{drawn}");
    assert!(drawn.contains("by j\n") && drawn.contains("1 rule: moved"), "{drawn}");
    assert!(drawn.contains("by nothing: one state, one task") && drawn.contains("1 rule: whole"), "{drawn}");
    assert!(!drawn.contains("gather"), "{drawn}");
}

#[test]
fn packages_for_flink_take_rules_of_all_languages() {
    let place = Place::new("flink-package");
    place.file("own.trip", "rule own { match { a: A } }\n");
    let sigma = "title: Odd Tool\nlogsource:\n  category: process_creation\n  product: windows\ndetection:\n  s:\n    \
                 Image|endswith: \\odd.exe\n  condition: s\n";
    place.file("sigma/odd.yml", sigma);
    place.file("hunt.eql", "sequence by host.id with maxspan=5m [process where a == 1] [network where b == 2]\n");
    let packed = place.run(&["flink", "package", "own.trip", "sigma", "hunt.eql", "-o", "rules.json"]);
    assert!(packed.expect(0).err.contains("3 rules"), "{}", packed.err);
    let bytes = std::fs::read(place.path("rules.json")).expect("it was written");
    let opened = tripline::host::bundle::Bundle::from_bytes(&bytes).and_then(|bundle| bundle.open());
    let rules = opened.unwrap_or_else(|error| panic!("{error}")).rules;
    let names: Vec<&str> = rules.ruleset().rules.iter().map(|rule| &*rule.name).collect();
    assert!(names.len() == 3 && names.contains(&"own") && names.contains(&"odd_tool"), "{names:?}");
}

#[test]
fn explain_says_what_each_clause_costs() {
    let place = Place::new("explain-costs");
    let cases = [
        ("match { x: at least 3 of a } within 5m by k", "timers      none: keys are looked at in turn"),
        ("match { x: a then no b within 5m } by k", "timers      one a key, at the deadline 5m after"),
        ("match { x: one or more of a until silent 5m } by k", "timers      one a key, 5m after the newest event"),
        ("match { x: one or more of a until 5m } by k", "timers      5m after an event of the last step"),
        ("match { x: a then no b until x.@ts + x.d * 1s } by k", "timers      one for each deadline computed"),
        ("match { any { x: a { y: a then z: b } } } within 1h by k", "ways        2, each searched"),
        ("match { x: a then y: b } within x.h * 1h by k", "bounds      computed from a whole candidate"),
        ("match { x: a then no { y: b then z: c } within 5m } by k", "absence     of a sequence"),
        ("match { x: a then no b within 5m } by k repeat every 1m", "repeats     one timer an open alert, every 1m"),
        ("match { x: a } by k resolve on b", "open alerts each kept until it ends"),
        ("match { x: at least 3 of a } within 100 events by k", "window      those of the last 100 events"),
        ("match { x: at least 3 of a } within 5m by k having avg(x.v) > 3 for 1m", "lasting     one time a key"),
        ("match { x: a where v > ewma(v, 0.1) } by k", "statistic   ewma keeps one summary"),
        ("match { x: a } by each(tags)", "keys        an event has one for each element"),
        ("match { x: a then no b within 5m } expect start", "expected    one state from the start"),
        ("match { x: a } by k", "memory      none"),
        ("match { x: a then y: b } within 1h by k", "work        an event moves at most one partial match"),
        ("match { x: a then y: b where n > x.n } within 1h by k", "work        an event that may complete a match"),
        (
            "match { x: a then y: b } within 1h by k pick pending",
            "work        an event moves at most one pending match",
        ),
        ("match { x: a then y: b } within 1h pick all after match no skip", "work        an event touches those of"),
        ("match { x: a then no b until x.@ts + x.d * 1s } by k", "reach       an event can matter until the deadline"),
        ("match { x: a then within x.h * 1h y: b } within 9h by k", "gaps        computed once for each candidate"),
        ("match { x: a then fewer than 3 of b within 5m } by k", "counted     events that count are held"),
        ("match { { x: a then y: b } within 1m then z: c } within 1h", "parts       no state; each is compared"),
        ("match { x: a if q: b in last 5m } by k", "looks back  x: events are held for it, and gone through from the"),
        ("match { x: a unless b in last 5m } by k", "looks back  x: one time for each value"),
        ("match { x: a then y: a } within 1h after match skip to last y", "skip        one place a key"),
        (
            "match { x: a then y: one or more of b until c } within 1h having count(distinct (x, y).n) > 3",
            "having      on each whole",
        ),
        ("match { x: a } by k suppress 1h", "suppress    one time for each key"),
        ("match { x: six then no b within 5m }", "clock       six: each tick is an event of each key"),
        ("match { x: a where any_value() like \"*z*\" }", "decoding    every line in full"),
    ];
    for (clauses, cost) in cases {
        place.file("r.trip", &format!("clock six = daily \"06:00\"\nrule r {{ {clauses} }}\n"));
        let text = place.run(&["explain", "r.trip", "--plan"]).expect(0).out.clone();
        assert!(text.contains(cost), "{clauses}\n{cost}\n{text}");
    }
}

#[test]
fn graph_draws_in_three_languages() {
    let place = Place::new("graph");
    place.file("r.trip", BRUTE_FORCE);
    let mermaid = place.run(&["graph", "r.trip", "brute_force"]).expect(0).out.clone();
    assert!(mermaid.contains("flowchart TD"), "{mermaid}");
    assert!(mermaid.contains("s0 -->|\"auth where event.outcome == #34;failure#34;\"| s1"), "{mermaid}");
    let dot = place.run(&["graph", "r.trip", "silent", "--format", "dot"]).expect(0).out.clone();
    assert!(dot.starts_with("digraph") && dot.contains("5m pass without it"), "{dot}");
    let svg = place.run(&["graph", "r.trip", "--only", "brute*", "--format", "svg"]).expect(0).out.clone();
    assert!(svg.starts_with("<svg") && svg.contains("Failures, then &lt;in&gt;"), "{svg}");
    assert!(place.run(&["graph", "r.trip", "--format", "svg"]).expect(2).err.contains("name one of them"));
}

#[test]
fn a_name_that_no_rule_has_is_an_error() {
    let place = Place::new("graph-name");
    place.file("r.trip", BRUTE_FORCE);
    let err = place.run(&["graph", "r.trip", "brute_forse"]).expect(2).err.clone();
    assert!(err.contains("did you mean `brute_force`?"), "{err}");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let place = Place::new("pipe-explain");
    place.file("r.trip", BRUTE_FORCE);
    // A reader that is gone before anything is written.
    let mut command = place.command(&["rule"]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ended = command.stdout(writer).stderr(std::process::Stdio::piped()).output().expect("it runs");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn a_sample_shows_what_rules_would_never_see() {
    let place = Place::new("check-sample");
    place.file("r.trip", "rule r { match { a: login where usr == \"bob\" and ok == true } }\n").file(
        "e.ndjson",
        "{\"type\":\"login\",\"user\":\"bob\",\"ok\":true}\nnot json\n{\"type\":\"login\",\"user\":\"eve\",\"ok\":false}\n",
    );
    let ended = place.run(&["check", "r.trip", "--sample", "e.ndjson"]);
    assert!(ended.expect(0).out.contains("Sample of 2 events"), "{}", ended.out);
    assert!(ended.out.contains("W06") && ended.out.contains("`user`"), "{}", ended.out);
    assert!(ended.err.contains("1 lines of the sample are not JSON"), "{}", ended.err);
    place.run(&["check", "r.trip", "--sample", "none.ndjson"]).expect(4);
}

#[test]
fn attack_lists_techniques_and_writes_a_layer() {
    let place = Place::new("attack");
    place.file(
        "r.trip",
        r#"
        rule a { tags "attack.t1110.001", "attack.credential_access" match { e: login } }
        rule b { severity high tags "attack.t1110.001", "attack.T1078" match { e: login } }
        rule c { match { e: login } }
        "#,
    );
    let listed = place.run(&["attack", "r.trip"]);
    assert_eq!(listed.expect(0).out, "T1078          1  b\nT1110.001      2  a, b\n");
    assert!(listed.err.contains("2 techniques by 3 rules; 1 without one"), "{}", listed.err);
    let layer = place.run(&["attack", "r.trip", "--min-level", "high", "--format", "navigator"]);
    let layer: serde_json::Value = serde_json::from_str(&layer.expect(0).out).expect("JSON");
    assert_eq!(layer["domain"], "enterprise-attack");
    assert_eq!(layer["versions"]["layer"], "4.5");
    let techniques = layer["techniques"].as_array().expect("a list");
    assert_eq!(techniques.len(), 2);
    assert_eq!(techniques[1]["techniqueID"], "T1110.001");
    assert_eq!(techniques[1]["score"], 1);
    assert_eq!(techniques[1]["comment"], "b");
}
