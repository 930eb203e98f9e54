//! Rules against sample data.

use serde_json::{Value, json};
use tripline::base::Limits;
use tripline::check::sample::{SampleReport, check_sample};
use tripline::syntax::parse;
use tripline::syntax::source::SourceMap;

fn sample(rules: &str, events: &[Value]) -> SampleReport {
    let mut sources = SourceMap::new();
    let id = sources.add("rule.trip", rules);
    let (file, problems) = parse(id, rules, &Limits::default());
    assert!(problems.is_empty(), "{problems:#?}");
    check_sample(&[(id, file)], &["type".to_owned()], events)
}

fn messages(report: &SampleReport) -> Vec<String> {
    report.diagnostics.iter().map(|d| format!("{} {}", d.code.0, d.message)).collect()
}

fn helps(report: &SampleReport) -> Vec<&str> {
    report.diagnostics.iter().filter_map(|d| d.help.as_deref()).collect()
}

fn logins() -> Vec<Value> {
    vec![
        json!({"type": "login", "user": {"name": "ann"}, "status": 200, "source": {"ip": "10.0.0.1"}}),
        json!({"type": "login", "user.name": "bob", "status": "200", "source": {"ip": "10.0.0.2"}, "tags": ["a"]}),
        json!({"type": "login", "status": 404, "source": {"ip": null}}),
        json!({"type": "logout", "user": {"name": "ann"}}),
    ]
}

#[test]
fn a_rule_that_fits_gives_no_warning() {
    let rules = "rule r {\n  by user.name\n  match { a: logout where user.name like \"a*\" }\n}";
    let report = sample(rules, &logins());
    assert_eq!(messages(&report), Vec::<String>::new());
    assert_eq!(report.events, 4);
    let field = &report.fields[0];
    assert_eq!(
        (field.class.as_str(), field.field.as_str(), field.present, field.events),
        ("logout", "user.name", 1, 1)
    );
    assert_eq!(field.kinds, [("string", 1)]);
    assert_eq!(field.rules, ["r"]);
}

#[test]
fn missing_fields_keys_and_kinds_are_counted() {
    let rules = "rule r {\n  by user.name\n  match { a: login where status == 200 and usr.name != \"x\" and source.ip != \"10.0.0.9\" }\n}";
    let report = sample(rules, &logins());
    assert_eq!(
        messages(&report),
        [
            "W0605 1 of 3 events of `login` have no `user.name`",
            "W0602 `status` is used as a number, and is something else in 1 of 3 events of `login`",
            "W0601 none of the 3 events of `login` has a field `usr.name`",
            "W0604 this negation skips 1 of 3 events of `login`, which have no `source.ip`",
        ]
    );
    assert!(helps(&report).iter().any(|h| h.contains("`user.name`")), "{:?}", helps(&report));
    assert!(helps(&report).contains(&"turn the text into a number: `number(status)`"));
}

#[test]
fn classes_that_never_occur_are_named_with_what_does() {
    let report = sample("rule r {\n  match { a: logni where user.name == \"x\" }\n}", &logins());
    assert_eq!(messages(&report), ["W0603 none of the 4 events of the sample is a `logni`"]);
    assert_eq!(helps(&report), ["did you mean `login`?"]);
    let report = sample("event failed = status == 500\nrule r {\n  match { a: failed }\n}", &logins());
    assert_eq!(messages(&report), ["W0603 none of the 4 events of the sample is a `failed`"]);
}

#[test]
fn declared_classes_are_judged() {
    let rules = "let ok = status == 200\nevent good = ok and type == \"login\"\nevent tagged = \"a\" == tags\n\
                 event named = exists(user.name) and lower(user.name) like \"?nn\"\n\
                 rule r {\n  match { a: good then b: tagged then c: named where source.ip == \"x\" } within 1h\n}";
    let report = sample(rules, &logins());
    let seen: Vec<_> = report.classes.iter().map(|c| (c.class.as_str(), c.events)).collect();
    assert_eq!(seen, [("good", Some(1)), ("named", Some(2)), ("tagged", Some(1))]);
}

#[test]
fn a_class_that_cannot_be_judged_is_left_out() {
    let rules = "event big = sqrt(status) > 3\nrule r {\n  match { a: big where nothing == 1 }\n}";
    let report = sample(rules, &logins());
    assert_eq!(report.classes[0].events, None);
    assert_eq!(messages(&report), Vec::<String>::new());
}

#[test]
fn optional_keys_and_exists_may_be_missing() {
    let rules = "rule r {\n  by host?\n  match { a: login where not exists(error) and (reason ?? \"\") != \"x\" }\n}";
    assert_eq!(messages(&sample(rules, &logins())), Vec::<String>::new());
}

#[test]
fn fields_of_steps_in_alerts_and_aggregates_are_read() {
    let rules = "rule r {\n  match { a: at least 2 of login } within 1h\n  having sum(a.bytes) > 3\n  \
                 alert { m = \"{last(a).host} {count(a where stat == 1)}\" }\n}";
    let report = sample(rules, &logins());
    let mut fields: Vec<&str> = report.fields.iter().map(|f| f.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["bytes", "host", "stat"]);
    assert_eq!(report.diagnostics.len(), 3);
}

#[test]
fn the_table_is_aligned() {
    let report = sample("rule r {\n  by user.name\n  match { a: login where status == 200 }\n}", &logins());
    let table = report.to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "class  field      present       kinds               rules");
    assert_eq!(lines[1], "login  status     100.0 % of 3  number 2, string 1  r");
    assert_eq!(lines[2], "login  user.name  66.7 % of 3   string 2            r");
}

#[test]
fn an_empty_sample_says_nothing() {
    let report = sample("rule r {\n  match { a: login where status == 200 }\n}", &[]);
    assert_eq!(report.events, 0);
    assert_eq!(messages(&report), Vec::<String>::new());
}

#[test]
fn ticks_of_a_clock_are_in_no_sample() {
    let rules = "clock six = daily \"06:00\"\nrule r {\n  match { t: six then l: (six or logout) where user.name == \"ann\" } within 1h\n}";
    let report = sample(rules, &logins());
    assert_eq!(messages(&report), Vec::<String>::new());
    let classes: Vec<&str> = report.classes.iter().map(|class| class.class.as_str()).collect();
    assert_eq!(classes, ["logout"]);
    assert!(report.fields.iter().all(|field| field.class == "logout"), "{:?}", report.fields);
}
