//! `tripline generate`: streams fire what they were made for, near misses do not, and the alerts beside a stream are
//! those that a run over it gives.

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use program::{root, rule_files, tripline};
use tripline::compile::{CompileOptions, compile};
use tripline::decode::TimeConfig;
use tripline::generate::{EFFORT, Failure, Generated, NearMiss, Options, generate};
use tripline::syntax::source::SourceMap;

fn of(text: &str, rule: &str, seed: u64, near_misses: bool) -> Result<Generated, Failure> {
    let mut sources = SourceMap::new();
    sources.add("test", text);
    let compiled = compile(&sources, &CompileOptions::default(), &|_, _| Err("no tables".into()));
    let ruleset = compiled.ruleset.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    let options = Options {
        seed,
        count: 2,
        near_misses,
        type_field: vec!["type".to_owned()],
        time: TimeConfig::default(),
        effort: EFFORT,
    };
    generate(&compiled.files, &Arc::clone(&ruleset), rule, &options)
}

/// Names of the rules of a file, in order.
fn rules_in(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).expect("a rule file");
    let heads = text.lines().filter_map(|line| line.strip_prefix("rule "));
    heads.filter_map(|rest| rest.split([' ', '{']).next()).map(str::to_owned).collect()
}

/// Whether a rule of a formatted file only feeds others.
fn is_internal(text: &str, rule: &str) -> bool {
    let from = text.find(&format!("\nrule {rule} ")).expect("a rule of the file");
    let body = &text[from..];
    body[..body.find("\n}").expect("the end of the rule")].contains("\n  internal\n")
}

#[test]
fn every_rule_of_the_packs_has_a_stream_that_a_run_agrees_with() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generate_packs");
    fs::create_dir_all(&dir).expect("a folder for the streams");
    let stream = dir.join("stream.ndjson");
    let mut made = 0;
    for file in rule_files() {
        let pack = file.parent().expect("a pack").strip_prefix(root()).expect("inside").to_owned();
        let pack = pack.to_str().expect("a name");
        let text = fs::read_to_string(&file).expect("a rule file");
        for rule in rules_in(&file) {
            let made_of =
                tripline(["generate", pack, &rule, "--count", "1", "--file", stream.to_str().expect("UTF-8")]);
            assert!(made_of.success, "{pack} {rule}: {}", made_of.stderr);
            let expected = fs::read_to_string(dir.join("stream.alerts.ndjson")).expect("alerts beside the stream");
            // What is internal is generated for the rules that read it; a run does not send it.
            if is_internal(&text, &rule) {
                assert!(!expected.is_empty(), "{pack} {rule} does not fire");
                continue;
            }
            let run = tripline(["run", "--quiet", "--only", &rule, pack, stream.to_str().expect("UTF-8")]);
            let own: Vec<&str> = run.stdout.lines().filter(|l| l.contains(&format!("\"rule\":\"{rule}\""))).collect();
            assert_eq!(own, expected.lines().collect::<Vec<_>>(), "{pack} {rule}");
            assert!(!own.is_empty(), "{pack} {rule} does not fire");
            made += 1;
        }
    }
    assert!(made > 40, "{made} rules");
}

#[test]
fn near_misses_of_every_kind_stay_silent() {
    let text = r#"
rule late "Paid, not shipped" {
  by order.id
  match { paid: payment where amount > 10 then within 1h packed then no shipment where order.id == paid.order.id within 2d }
  cancel on refund where amount >= paid.amount
}
"#;
    let generated = of(text, "late", 3, true).expect("a stream");
    for kind in NearMiss::ALL {
        assert!(generated.near_misses.contains(&kind), "{kind:?} is not among {:?}", generated.near_misses);
    }
    assert_eq!(generated.firing, 2);
    assert_eq!(generated.alerts.len(), 2, "the near misses fire");
    assert!(generated.noise > 0);
}

#[test]
fn the_same_seed_gives_the_same_stream() {
    let text = "rule r { by k match { at least 3 distinct v of A where w > 3 then B where v == 7 } within 1m }";
    let first = of(text, "r", 5, true).expect("a stream");
    assert_eq!(first.lines, of(text, "r", 5, true).expect("a stream").lines);
    assert_ne!(first.lines, of(text, "r", 6, true).expect("a stream").lines);
}

#[test]
fn a_rule_that_cannot_fire_is_told_so() {
    let text = "rule never { match { A where v > 3 and v < 2 } }";
    let Err(failure) = of(text, "never", 1, false) else { panic!("fires") };
    assert!(matches!(failure, Failure::NotFound { .. }), "{failure:?}");
    let text = "rule shy { shadow match { A } }";
    assert_eq!(of(text, "shy", 1, false).err(), Some(Failure::Silent("shy".into())));
}

#[test]
fn one_rule_must_be_named() {
    let run = tripline(["generate", "rules/fraud"]);
    assert!(!run.success);
    assert!(run.stderr.contains("name one of them: card_testing"), "{}", run.stderr);
}

#[test]
fn either_sequence_of_a_choice_is_made() {
    let text = r#"
rule foothold {
  by account
  match {
    any {
      abroad: logged_in where new_country == true
      failed: at least 3 of log_in_failed then logged: logged_in then no log_out within 5m
    }
    then
    t: transfer where amount > 10 * count(failed)
  } within 1h
}
"#;
    let mut members = (false, false);
    for seed in 1..6 {
        let generated = of(text, "foothold", seed, true).expect("a stream");
        assert_eq!((generated.firing, generated.alerts.len()), (2, 2));
        for bound in generated.alerts.iter().map(|alert| &alert.bound) {
            let has = |name: &str| bound.iter().any(|step| step.name.as_deref() == Some(name));
            assert!(has("t") && has("abroad") != has("failed"), "{bound:?}");
            members = (members.0 || has("abroad"), members.1 || has("failed"));
        }
        for kind in NearMiss::ALL {
            if kind != NearMiss::Broken {
                assert!(generated.near_misses.contains(&kind), "{kind:?} is not among {:?}", generated.near_misses);
            }
        }
    }
    assert_eq!(members, (true, true), "one member is never made");
}

#[test]
fn what_must_not_come_as_a_sequence_is_planted_whole() {
    let text = r#"
rule late {
  by order
  match { o: ordered then no { c: checked then after 5s a: approved where by_whom == c.by_whom } within 1h }
}
"#;
    let generated = of(text, "late", 2, true).expect("a stream");
    assert_eq!((generated.firing, generated.alerts.len()), (2, 2));
    assert!(generated.near_misses.contains(&NearMiss::Broken), "{:?}", generated.near_misses);
    assert!(generated.lines.iter().any(|line| line.contains("approved")));
}
