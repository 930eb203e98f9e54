//! The table at the end of the meaning section, through the library.
use tripline::session::{AtEnd, Session, SessionConfig};

fn run(rule: &str, events: &[(&str, i64)], flush_to: Option<i64>) -> Vec<(i64, Vec<u64>)> {
    let rules = tripline::compile::compile_str(rule).unwrap_or_else(|d| panic!("{d:#?}"));
    let mut s = Session::new(rules, SessionConfig::default());
    for (class, at) in events {
        s.push_line(&format!(r#"{{"type":"{class}","ts":{}}}"#, 1_700_000_000_000 + at));
    }
    if let Some(to) = flush_to {
        s.advance(tripline::base::Timestamp::from_millis(1_700_000_000_000 + to));
    }
    s.finish(AtEnd::Pending);
    s.drain()
        .iter()
        .map(|a| {
            let mut seqs: Vec<u64> = a.bound.iter().flat_map(|b| &b.events).map(|e| e.seq.line()).collect();
            seqs.sort();
            (a.time.as_millis() - 1_700_000_000_000, seqs)
        })
        .collect()
}

fn seqs(rule: &str, classes: &str) -> Vec<Vec<u64>> {
    let events: Vec<(String, i64)> =
        classes.chars().enumerate().map(|(i, c)| (c.to_string(), i as i64 * 1000)).collect();
    let events: Vec<(&str, i64)> = events.iter().map(|(c, t)| (c.as_str(), *t)).collect();
    run(rule, &events, None).into_iter().map(|(_, s)| s).collect()
}

#[test]
fn table() {
    let all = "pick all after match no skip";
    let ab = "rule r { match { A then B } %% }";
    let d = |r: &str| r.replace("%%", "");
    let a = |r: &str| r.replace("%%", all);
    assert_eq!(seqs(&d(ab), "AAB"), [[2, 3]]);
    assert_eq!(seqs(&a(ab), "AAB"), [[1, 3], [2, 3]]);
    assert_eq!(seqs(&d(ab), "ABB"), [[1, 2]]);
    assert_eq!(seqs(&a(ab), "ABB"), [[1, 2], [1, 3]]);
    assert_eq!(seqs(&d(ab), "AABB"), [[2, 3]]);
    assert_eq!(seqs(&a(ab), "AABB"), [[1, 3], [2, 3], [1, 4], [2, 4]]);
    let abc = "rule r { match { A then B then C } %% }";
    assert_eq!(seqs(&d(abc), "ABABC"), [[3, 4, 5]]);
    assert_eq!(seqs(&a(abc), "ABABC"), [[1, 2, 5], [1, 4, 5], [3, 4, 5]]);
    assert_eq!(seqs(&d(abc), "AABBC"), [[2, 4, 5]]);
    assert_eq!(seqs(&a(abc), "AABBC").len(), 4);
    let m = "rule r { match { A then B then C without M } %% }";
    assert_eq!(seqs(&d(m), "ABMBC"), [[1, 4, 5]]);
    assert_eq!(seqs(&a(m), "ABMBC"), [[1, 4, 5]]);
    let w = "rule r { match { A then B } within 2s %% }";
    assert_eq!(run(&d(w), &[("A", 0), ("A", 1500), ("B", 3000)], None), [(3000, vec![2, 3])]);
    let x = "rule r { match { A then no X within 5m } %% }";
    assert_eq!(run(&d(x), &[("A", 0), ("X", 300_000)], Some(600_000)), []);
    assert_eq!(run(&d(x), &[("A", 0), ("A", 240_000)], Some(600_000)), [(300_000, vec![1])]);
    assert_eq!(run(&a(x), &[("A", 0), ("A", 240_000)], Some(600_000)), [(300_000, vec![1]), (540_000, vec![2])]);
}
