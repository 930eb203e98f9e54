//! Cases beyond one example a code: what is accepted, and that one root cause gives one diagnostic.

mod check;

use check::{all_codes, codes, compiles, plain, problems};

/// A rule over `user` with this pattern and these further clauses.
fn rule(pattern: &str, clauses: &str) -> String {
    format!("rule r {{\n  by user\n  match {{ {pattern} }}{clauses}\n}}\n")
}

fn expect(cases: &[(&str, &str, &[&str])]) {
    let mut failures = String::new();
    for (pattern, clauses, wanted) in cases {
        let text = rule(pattern, clauses);
        let found = codes(&text);
        if found != *wanted {
            failures
                .push_str(&format!("{text}wanted {wanted:?}, found {found:?}\n{}\n", plain(&text, &problems(&text))));
        }
        lets_through_only_what_compiles(&text, &found, &mut failures);
    }
    assert!(failures.is_empty(), "{failures}");
}

/// A text without errors must reach the plan.
fn lets_through_only_what_compiles(text: &str, found: &[&str], failures: &mut String) {
    if found.iter().any(|code| code.starts_with('E')) {
        return;
    }
    if let Err(problems) = compiles(text) {
        failures.push_str(&format!("{text}\npasses the checker and does not compile:\n{problems}\n"));
    }
}

#[test]
fn choices() {
    expect(&[
        ("any { a: x then b: y  c: z } then d: w", " within 1h", &[]),
        ("any { a: x then b: y  c: z }", " within 1h", &[]),
        ("any { a: x then b: y where v == a.v  c: z } then d: w where v == b.v or v == c.v", " within 1h", &[]),
        ("any { a: x then b: y  c: z where v == a.v } then d: w", " within 1h", &["E0217"]),
        ("any { a: x where v == c.v then b: y  c: z } then d: w", " within 1h", &["E0217"]),
        ("a: w then any { b: x then no y within 5m  c: z }", " within 1h", &[]),
        ("a: w then any { b: x then no y  c: z } then d: w", " within 1h", &["E0325"]),
        ("a: w then no y then any { b: x then c: z  d: z }", " within 1h", &["E0325"]),
        ("a: w then any { b: x then at least 2 of { c: z then d: y }  e: z } then f: w", " within 1h", &["E0383"]),
        ("a: w then any { b: x then no y until b.@ts + b.d * 1s  c: z }", " within 1h", &["E0383"]),
        ("a: w then any { b: x then c: one or more of y until silent 1m  d: z }", " within 1h", &["E0383"]),
        ("any { a: x then b: y  c: z } then d: w", " within 1h\n  expect user from @users", &["E0369", "E0206"]),
        ("any { a: x then b: y without w  c: z without w } then d: w", " within 1h", &["E0315"]),
        ("a: w then any { b: x then c: y  no z within 1m then d: z }", " within 1h", &["E0325"]),
        // What all ways share is reported once.
        ("a: w then after 2h b: w then any { c: x then d: y  e: z }", " within 1h", &["E0306"]),
        ("any { a: x then b: y  c: z } then d: w", "", &["W0501"]),
        ("any { a: x then b: y  c: z } then d: w", " within 1h\n  pick pending", &["E0343"]),
        ("any { a: x then b: y  c: z } then no w within 1m", " within 1h\n  repeat every 1m", &["E0383"]),
    ]);
}

#[test]
fn absent_groups() {
    expect(&[
        ("a: w then no { b: x then c: y } within 5m", "", &[]),
        ("a: w then no { b: x where v == a.v then c: y where v == b.v } within 5m then d: z", " within 1h", &[]),
        ("a: w then no { b: x then within b.v * 1s y } until a.@ts + a.v * 1h", "", &[]),
        // Names inside.
        ("a: w then no { b: x where v == c.v then c: y } within 5m", "", &["E0384"]),
        ("a: w then no { b: x where v == b.v then c: y } within 5m", "", &["E0384"]),
        ("a: w then no { b: x then c: y } within 5m then d: z where v == b.v", " within 1h", &["E0384"]),
        ("a: w then no { b: x then c: y } within 5m", "\n  alert { v = b.v }", &["E0384"]),
        ("a: w then no { b: x then c: y } within 5m then no { d: x where v == b.v then y } within 6m", "", &["E0384"]),
        ("a: w then no { a: x then c: y } within 5m", "", &["E0202"]),
        ("a: w then no { b: x then y where v == prev.v } within 5m", "", &["E0219"]),
        ("a: w then no { b: x then y where v == d.v } within 5m then d: z", " within 1h", &["E0216"]),
        // Bounds.
        ("a: w then no { b: x then c: y }", "", &["E0385"]),
        ("a: w then no { b: x then c: y } then d: z", " within 1h", &["E0385"]),
        ("a: w then no { b: x then after 10m c: y } within 5m", "", &["E0306"]),
        ("a: w then no { b: x then after 10m within 1m c: y } within 1h", "", &["E0305"]),
        ("a: w then no { b: x } within 5m", "", &["W0509"]),
        ("no { b: x then c: y } within 5m then a: w", " within 1h", &["E0310"]),
        // What does not go with it.
        ("a: w then no { b: x then c: y } within 5m", "\n  repeat every 5m", &["E0385"]),
        ("a: w then no { b: x then c: y } within 5m then d: z", " within 1h\n  pick pending", &["E0343"]),
        ("a: w then no { b: x by host then c: y } within 5m", "", &["E0240"]),
        ("a: w then b: x by host, user then no { c: y then directly d: z } within 5m", " within 1h", &["E0242"]),
    ]);
}

#[test]
fn parts() {
    expect(&[
        ("{ a: x then b: y } within 5m then c: z", " within 1h", &[]),
        // A bounded part needs no bound around it.
        ("{ a: x then b: y } within 5m then within 1m c: z", "", &[]),
        ("{ a: at least 3 of x } within 5m then within 1m c: z", "", &[]),
        ("{ a: x then b: y } within 5m then c: z", "", &["W0501"]),
        ("{ a: x then b: y } within 5m then c: one or more of z", "", &["W0501"]),
        ("{ a: x then b: y } within 5m then no z within 1m", "", &[]),
        // Bounds without effect.
        ("{ a: x } within 5m then b: y", " within 1h", &["E0317"]),
        ("{ a: at least 2 of x } within 5m then b: y", " within 1h", &[]),
        ("at least 2 of { a: x } within 5m", " within 1h", &["E0317"]),
        ("{ a: x then b: y } within 2h then c: z", " within 1h", &["W0503"]),
        // Computed bounds.
        ("{ a: x then b: y } within c.d * 1m then c: z", " within 1h", &[]),
        ("{ a: x then b: y } within c.d * 1m then within 1m c: z", "", &["W0501"]),
        ("{ a: at least 2 of x then b: y } within c.d * 1m then c: z", " within 1h", &["E0342"]),
        ("a: w then { b: at least 2 of x then c: y } within a.d * 1m then d: z", " within 1h", &[]),
        ("{ a: x } within b.d * 1m then b: y", " within 1h", &["E0317"]),
        ("{ a: x then b: y } within c.d then c: z", " within 1h", &["E0303"]),
        ("{ a: x then b: y } within d * 1m then c: z", " within 1h", &["E0218"]),
        ("at least 2 of { a: x then b: y } within c.d * 1m then c: z", " within 1h", &["E0303"]),
        ("{ a: x then within 10m b: y } within 5m then c: z", " within 1h", &["W0503"]),
        ("{ a: x then { b: y then c: z } within 5m } within 5m then d: z", " within 1h", &["W0503"]),
        ("{ a: x then b: y } within 5m", "", &["E0380"]),
        ("{ a: x then b: y } within 5m", " within 1h", &["E0380"]),
        ("{ a: x then b: y then no z within 1m } within 5m", "", &["E0380"]),
        // Bounds without room.
        ("{ a: x then after 5m b: y } within 1m then c: z", " within 1h", &["E0306"]),
        ("{ a: x then no z within 5m then b: y } within 5m then c: z", " within 1h", &["E0306"]),
        ("c: z then after 10m { a: x then b: y } within 5m", " within 1h", &[]),
        ("at least 2 of { a: x then after 5m b: y } within 1m", " within 1h", &["E0306"]),
        // Absences at the border.
        ("a: x then { b: y then d: y then no z } within 5m then c: z", " within 1h", &["E0325"]),
        ("a: x then no z then { b: y then c: z } within 5m", " within 1h", &["E0325"]),
        ("a: x then { no z within 1m then b: y then d: y } within 5m then c: z", " within 1h", &["E0325"]),
        ("a: x then next { b: y then c: z } within 5m", " within 1h", &["E0322"]),
    ]);
}

#[test]
fn scopes() {
    expect(&[
        // A step may be called like the field it compares.
        ("status: request where status == 404", "", &[]),
        // Own history of a repeated step.
        ("a: at least 3 of x where count(a) < 2 or v > last(a).v", " within 1h", &[]),
        ("a: one or more of x where v > a.v", " within 1h", &["E0215"]),
        ("a: x where count(a) > 1 then b: y", " within 1h", &["E0217"]),
        ("a: x then b: one or more of y where v > prev.v and v > a.v then c: z where v > last(b).v", " within 1h", &[]),
        ("a: x then b: one or more of y then c: z where v > b.v", " within 1h", &["E0215"]),
        // Guards read earlier names and the guarded step.
        ("a: x then b: y unless z where v == b.v and w == a.w in last 1h", " within 1h", &[]),
        ("a: x then b: y without z where v == b.v and w == a.w", " within 1h", &[]),
        ("a: x then b: one or more of y without z where v == b.v then c: q", " within 1h", &["E0215"]),
        ("a: x then b: one or more of y unless z where v == b.v in last 5m then c: q", " within 1h", &[]),
        ("a: x then b: one or more of y until u where v == last(b).v then c: q", " within 1h", &[]),
        ("a: x then no z where v == a.v within 5m then b: y", " within 1h", &[]),
        ("a: x then no z where v == b.v within 5m then b: y", " within 1h", &["E0216"]),
        ("a: x then b: y", " within 1h\n  cancel on z where v == a.v or w == b.w", &[]),
        ("a: one or more of x then b: y", " within 1h\n  cancel on z where v == a.v", &["E0215"]),
        ("a: x then b: y where v == c.v then c: z", " within 1h", &["E0216"]),
        // Members of `any` may be missing afterwards, which is fine.
        ("any { a: x  b: y } then c: z where v == a.v", " within 1h", &[]),
        ("any { a: x  b: y where v == a.v } then c: z", " within 1h", &["E0217"]),
        ("a: x then b: optional y then c: z where v == b.v", " within 1h\n  alert { v = b.v }", &[]),
        // Steps of a repeated group are single inside and repeated outside.
        ("at least 2 of { a: x then b: y where v == a.v } then c: z where v == last(a).v", " within 1h", &[]),
        ("at least 2 of { a: x then b: y } then c: z where v == a.v", " within 1h", &["E0215"]),
        ("at least 2 of { a: x where v == b.v then b: y }", " within 1h", &["E0216"]),
        ("all { a: x  b: y } without z where v == a.v", " within 1h\n  having a.v == b.v", &[]),
        ("a: x where @ts > 0s", "", &["E0212"]),
        ("a: x then b: y where b.v > 1", " within 1h", &["E0217"]),
    ]);
}

#[test]
fn alert_scope() {
    expect(&[
        ("a: x then b: y", " within 1h\n  alert { u = user  m = \"{user} {a.v} {b.@ts - a.@ts}\" }", &[]),
        ("a: x then b: y", " within 1h\n  alert { m = \"{v}\" }", &["E0218"]),
        ("a: x then b: y", " within 1h\n  having @ts > a.@ts", &["E0218"]),
        ("a: at least 3 of x", " within 1h\n  alert { n = count(a)  m = \"{n} events\" }", &["E0218"]),
        ("a: x then b: y", " within 1h\n  suppress 1h by user, a.host", &[]),
        ("a: x then b: y", " within 1h\n  suppress 1h by host", &["E0218"]),
        (
            "a: at least 3 of x",
            " within 1h\n  having sum(a.v) > 3 and avg(a.v) < 9\n  alert { l = list(a.v)  n = count(distinct a.v) }",
            &[],
        ),
        ("a: x then b: y", " within 1h\n  having min(a.v) > 1 and count(b) == 1", &[]),
        ("a: at least 3 of x", " within 1h\n  having count(a where v > 3 and a.w < 2) > 3", &[]),
        ("a: at least 3 of x", " within 1h\n  having count(a where max(a.v) > 3) > 3", &["E0222"]),
        ("a: x", "\n  severity if(a.v > 3, \"high\", \"low\")\n  risk a.v * 10", &[]),
        ("a: x", "\n  severity if(a.v > 3, \"high\", \"lowly\")", &["E0231"]),
        ("a: x", "\n  severity if(a.v > 3, high, \"low\")", &["E0231"]),
        ("a: x", "\n  risk \"much\"", &["E0211"]),
        ("a: x where zscore(v, 1h) > 3", "\n  alert { z = zscore(a.v, 1h) }", &[]),
        ("a: at least 3 of x", " within 1h\n  alert { z = zscore(a.v, 1h) }", &["E0224"]),
        ("a: x", "\n  alert { z = zscore(v, 1h) }", &["E0224"]),
    ]);
}

#[test]
fn statistics() {
    expect(&[
        ("a: x where v > mean(v, 24h, 20 where ok == true by user, host)", "", &[]),
        ("a: x where v > mean(v, ever by host)", "", &[]),
        ("a: x where v > mean(v, 10 events, 5) and count(@ts, ever by user, lower(host)) == 0", "", &[]),
        ("a: x where ewma(v, 0.1) > 3 and ewma(v, 1, 5) > 3 and rate(v, 5m, 3) > 1", "", &[]),
        ("a: x where prior(v) > 1 and prior(v, 2 where w > 1) > prior(v by host) and @ts - prior(@ts) > 1h", "", &[]),
        ("a: x", "\n  alert { p = prior(a.v)  m = mean(a.v, 1h where a.w > 1 and z > 2 by host) }", &[]),
        ("a: x then b: y", " within 1h\n  alert { m = mean(a.v, 1h where b.w > 1) }", &["E0224"]),
        ("a: x then b: y where v > mean(v, 1h where w > a.w)", " within 1h", &["E0224"]),
        ("a: x where v > mean(v, 1h where mean(v, 1h) > 1)", "", &["E0223"]),
        ("a: x where v > mean(v, 1h where len(w))", "", &["E0213"]),
        ("a: x where v > mean(v, w, 1h)", "", &["E0210"]),
        ("a: x where v > rate(v)", "", &["E0210"]),
        ("a: x where v > len(v by host)", "", &["E0210"]),
        ("a: x then b: one or more of y", " within 1h\n  having max(b.v by host) > 3", &["E0210"]),
        ("a: x where prior(v) == \"a\" and lower(prior(w)) == \"b\"", "", &[]),
        ("a: at least 3 of x where v > mean(v, 1h by user, host)", " within 1h", &[]),
        ("a: at least 3 of x where v > mean(v, 1h by host)", " within 1h", &["E0351"]),
        ("a: x where v > mean(v, 1h by host) then directly b: y", " within 1h", &["E0351"]),
        ("a: x where v > mean(v, 1h by host) then b: y", " within 1h", &[]),
    ]);
}

#[test]
fn sliding_counts() {
    expect(&[
        ("a: at least 3 of x", " within 100 events", &[]),
        ("a: at least 3 of x where v > 1", " within 3 events\n  having sum(a.v) > 3 for 10m", &[]),
        ("a: at least 4 of x", " within 3 events", &["E0353"]),
        ("a: x", " within 3 events", &["E0352"]),
        ("a: x then b: y", " within 0 events", &["E0304"]),
        ("a: at least 3 of x", " within 10m\n  having sum(a.v) > 3 for 0s", &["E0304"]),
        ("a: at least 3 of x", " within 10m\n  having sum(a.v) > 3 for 5", &["E0303"]),
        ("a: x then b: y", " within 10m\n  having a.v > 3 for 5m", &["E0352"]),
    ]);
}

#[test]
fn kinds() {
    expect(&[
        ("a: x where v == \"5\" and w == 5 and z == true", "", &[]),
        ("a: x where len(v) == \"5\"", "", &["E0212"]),
        ("a: x where lower(v) > 5", "", &["E0212"]),
        ("a: x where v + \"s\" == \"as\"", "", &["E0211"]),
        ("a: x where concat(v, \"s\") == \"as\"", "", &[]),
        ("a: x then b: y where (@ts - a.@ts) / 1h > 3", " within 4h", &[]),
        ("a: x then b: y where @ts - a.@ts > 3m", " within 4h", &[]),
        ("a: x where hour(@ts) >= 22 or weekday(@ts) in (6, 7)", "", &[]),
        ("a: x where hour(v + 1) >= 22", "", &["E0210"]),
        (
            "a: x where abs(v) > 3 and round(v, 2) > 1 and sqrt(v) < 3 and not contains(lower(v ?? \"\"), \"x\"i)",
            "",
            &[],
        ),
        ("a: x where not contains(lower(w ?? \"\"), \"x\"i)", "", &[]),
        ("a: x where v in (\"a\"i, \"b\") and w like \"*.exe\"i and z =~ /^a/i", "", &[]),
        ("a: x where len(v) in (\"a\", \"b\")", "", &["E0212"]),
        ("a: x where v == (\"a\", \"b\")", "", &["E0212"]),
        ("a: x where (not v) > 3", "", &["E0212"]),
        ("a: x where v[0] == 3 and v[0].w == 4 and split(v, \",\")[1] == \"x\"", "", &[]),
        ("a: x where true", "", &["E0214"]),
        ("a: x where v == 1 or 2 > 1", "", &["E0214"]),
        ("a: x where if(v > 1, w, z) == 3", "", &[]),
        ("a: x where foo(v) == 3", "", &["E0207"]),
        ("a: x where v == 1 and (w == 2 or cont(v, 3))", "", &["E0207"]),
        ("a: x where number(v) > 3 and string(w) == \"3\" and hash(v, w) == \"a\"", "", &[]),
        (
            "a: x then b: y where distance_km(a.lat, a.lon, lat, lon) > 5 and distance_km(a.loc, loc) > 5",
            " within 1h",
            &[],
        ),
        ("a: x then b: y where speed_kmh(a.lat, a.lon, a.@ts, lat, lon) > 5", " within 1h", &["E0210"]),
        ("a: x where in_polygon(lat, lon, ((1, 2), (3, 4), (-5, 6.5)))", "", &[]),
        ("a: x where in_polygon(lat, lon, ((1, 2), (3, 4)))", "", &["E0229"]),
        ("a: x where cidr(ip, \"10.0.0.0/8\", \"fd00::/8\")", "", &[]),
        ("a: x where cidr(ip, \"10.0.0.1\")", "", &["E0228"]),
        ("a: x where v > mean(v, 24h) * 3 and count(v, 24h) > 10 and last(v, 3 events) == v", "", &[]),
        ("a: x where v > mean(v, 0 events)", "", &["E0304"]),
        ("a: x where v > mean(mean(v, 1h), 1h)", "", &["E0223"]),
        ("a: x unless y where v > mean(v, 1h) in last 5m", "", &["E0223"]),
        ("a: x where v > mean(v)", "", &["E0210"]),
        ("a: x where v > max(v, w)", "", &["E0222"]),
    ]);
}

#[test]
fn negations() {
    expect(&[
        ("a: x where v != \"a\"", "", &["W0506"]),
        ("a: x where not (v == \"a\")", "", &["W0506"]),
        ("a: x where v not in (\"a\", \"b\")", "", &["W0506"]),
        ("a: x where v not like \"a*\"", "", &["W0506"]),
        ("a: x where not contains(v, \"a\")", "", &["W0506"]),
        ("a: x where not v", "", &["W0506"]),
        ("a: x where exists(v) and v != \"a\"", "", &[]),
        ("a: x where v != \"a\" and v like \"b*\"", "", &[]),
        ("a: x where (v ?? \"\") != \"a\"", "", &[]),
        ("a: x where not exists(v)", "", &[]),
        ("a: x where user != \"root\"", "", &[]),
        ("a: x where v != \"a\" and v != \"b\"", "", &["W0506"]),
        ("a: x then b: y where v != a.v", " within 1h", &["W0506"]),
        ("a: x where v == 1 or w != 2", "", &[]),
    ]);
}

#[test]
fn bounds() {
    expect(&[
        ("a: x then b: y", " within 0s", &["E0304"]),
        ("a: x then b: y", " within 2 * 30m", &[]),
        ("a: x then b: y", " within -5m", &["E0304"]),
        ("a: x then within 10m b: y", " within 5m", &["W0503"]),
        ("a: x then after 6m b: y", " within 5m", &["E0306"]),
        ("a: x then after 5m b: y", " within 5m", &[]),
        ("a: x then no z within 5m then b: y", " within 5m", &["E0306"]),
        ("a: x then no z within 5m then b: y", " within 301s", &[]),
        ("a: x then no z within 5m", " within 1m", &["E0317"]),
        ("a: x then b: y then no z within 5m", " within 1m", &[]),
        ("a: x then after 5m within 1m b: y", " within 1h", &["E0305"]),
        ("a: x then no z within 5m then within 5m b: y", " within 1h", &["E0307"]),
        ("a: x then b: y", "", &["W0501"]),
        ("a: x then within 5m b: y", "", &[]),
        ("a: x then directly b: y", "", &[]),
        ("a: x then no y within 5m", "", &[]),
        ("a: at least 3 of x", "", &["W0501"]),
        ("all { a: x  b: y }", "", &["W0501"]),
        ("a: x then b: y", "\n  pick all", &["W0501"]),
        ("a: x then b: y", " within 1h\n  pick all\n  after match no skip", &[]),
        ("a: x unless y in last 0s", "", &["E0304"]),
    ]);
}

#[test]
fn structure() {
    expect(&[
        ("a: x", "\n  pick first", &["E0316"]),
        ("a: x", "\n  after match skip to next", &["E0316"]),
        ("a: at least 3 of x", " within 5m\n  pick first", &["E0316"]),
        ("a: at least 3 of x", " within 5m\n  after match no skip", &[]),
        ("a: at least 3 of x", " within 5m\n  after match skip to next", &["E0316"]),
        ("a: at least 3 of x", " within 5m\n  after match skip to last a", &["E0316"]),
        ("a: x", "\n  after match skip to first a", &["E0316"]),
        ("a: x then b: y", " within 5m\n  after match skip to first b", &[]),
        ("a: x then b: y", " within 5m\n  after match skip to last c", &["E0340"]),
        ("a: x then b: y without z where k == a.k", " within 5m\n  pick pending", &[]),
        ("a: x then b: y without z where k == b.k", " within 5m\n  pick pending", &["E0343"]),
        ("a: x then b: y unless z where k == a.k in last 1h", " within 5m\n  pick pending", &[]),
        ("a: x then b: y unless z in last 1h", " within 5m\n  pick pending", &[]),
        ("a: x then no z then b: y", " within 5m\n  pick pending", &[]),
        ("a: x then no z within 1m then b: y", " within 5m\n  pick pending", &["E0343"]),
        ("a: x then b: y then no z within 1m", " within 5m\n  pick pending", &[]),
        ("a: x then all { b: y c: z }", " within 5m\n  pick pending", &["E0343"]),
        ("a: x then b: optional y then c: z", " within 5m\n  pick pending", &["E0343"]),
        ("a: x then b: y", " within 5m\n  pick pending\n  after match no skip", &["E0343"]),
        ("a: x", "\n  pick pending", &["E0316"]),
        ("a: x then fewer than 3 of y within 5m", "", &[]),
        ("a: x then fewer than 3 of y", "", &["E0312"]),
        ("a: x then fewer than 3 of y then b: z", " within 5m", &["E0312"]),
        ("a: x then fewer than 0 of y within 5m", "", &["E0308"]),
        ("a: x then fewer than 200000 of y within 5m", "", &["E0308"]),
        ("a: x then no y until a.@ts + 1h", "", &[]),
        ("a: x then no y until 1h", "", &["E0341"]),
        ("a: x then no y until b.@ts then b: z", " within 5m", &["E0216"]),
        ("a: x then no y within a.hours * 1h", "", &[]),
        ("a: x then no y within a.hours", "", &["E0303"]),
        ("a: x then no y within hours * 1h", "", &["E0218"]),
        ("a: x then within b.hours * 1h b: y", " within 5m", &[]),
        ("a: x then after b.hours * 1h b: y", " within 5m", &["E0303"]),
        ("a: x then within a.hours * 1h b: y", "", &["W0501"]),
        ("a: x then b: y", " within b.hours * 1h", &["W0501"]),
        ("a: x then within 1d b: y", " within b.hours * 1h", &[]),
        ("a: x then b: y unless z in last b.hours * 1h", " within 5m", &[]),
        ("a: at least 3 of x", " within last(a).hours * 1h", &["E0342"]),
        ("a: at least 3 of x then b: y", " within b.hours * 1h", &["E0342"]),
        ("at least 3 of { a: x then within a.d * 1s b: y }", " within 1h", &["E0303"]),
        ("a: at least 3 of x", " within 5m\n  cancel on y", &[]),
        ("a: x", "\n  cancel on y", &["E0316"]),
        ("a: at least 3 of x until y", " within 5m\n  pick first", &[]),
        ("a: x", " within 5m", &["E0317"]),
        ("a: at least 3 of x without y", " within 5m", &[]),
        ("a: x without y then b: z", " within 5m", &["E0315"]),
        ("a: 0..3 of x then b: z", " within 5m", &[]),
        ("a: exactly 0 of x then b: z", " within 5m", &["E0308"]),
        ("a: at least 0 of x then b: z", " within 5m", &["E0308"]),
        ("a: x then b: at least 0 of y", " within 5m", &["E0308"]),
        ("a: x then b: zero or more of y", " within 5m", &["E0313"]),
        ("a: x then b: zero or more of y then no z within 5m", " within 5m", &[]),
        ("a: at least 200000 of x", " within 5m", &["E0308"]),
        ("a: x then b: y then directly no y within 5m", " within 5m", &["E0311"]),
        ("no y within 5m then a: x", " within 50m", &["E0310"]),
        ("a: x then no y then b: z", " within 5m", &[]),
        ("a: x then no y then { b: z then c: w }", " within 5m", &["E0325", "W0509"]),
        ("a: x then next b: z", " within 5m", &[]),
        ("a: x then directly next b: z", " within 5m", &["E0316"]),
        ("a: x then any { b: y without z  c: w }", " within 5m", &["E0324"]),
        ("any { a: x  b: x }", "", &["W0504"]),
        ("any { a: x where v == 1  b: x where v == 2 }", "", &[]),
        ("a: x if y in last 5m unless y in last 10m", "", &["E0323"]),
        ("a: x if y in last 10m unless y in last 5m", "", &[]),
        ("a: x where v == 1 and v == 2", "", &["W0505"]),
        ("a: x where v >= 5 and v <= 5", "", &[]),
        ("a: x where v == 4 and 5 < v", "", &["W0505"]),
        ("a: consecutive at least 3 of x", " within 5m", &[]),
        ("at least 2 of { a: x then within 1m b: y then directly c: z }", " within 5m", &[]),
        ("at least 2 of { a: x then b: y without z }", " within 5m", &["E0321"]),
        ("a: x then b: one or more of y until y where v == 2 then c: z", " within 5m", &[]),
    ]);
}

#[test]
fn keys() {
    let cases: &[(&str, &[&str])] = &[
        ("rule r { match { a: x by k = f then b: y by k = f, l = g then c: z by l = g } within 1h }", &[]),
        ("rule r { match { a: x by k = f then b: y by l = g } within 1h }", &["E0241"]),
        ("rule r { match { a: x by k = f then b: y } within 1h }", &["E0241"]),
        ("rule r { by k = f match { a: x then b: y by k = g } within 1h }", &[]),
        ("rule r { by k = f match { a: x then directly b: y by k = g } within 1h }", &[]),
        ("rule r { by k = f match { a: x then directly b: y by l = g } within 1h }", &["E0242"]),
        ("rule r { by k = f match { a: optional x then b: y by l = g } within 1h }", &["E0243"]),
        ("rule r { by k = f, l = g match { a: x then b: y } within 1h cancel on z by k = h }", &[]),
        ("rule r { by k = f, l = g match { a: x then b: y } within 1h cancel on z by m = h }", &["E0240"]),
        ("rule r { by k = f match { a: x then b: y by l = g } within 1h cancel on z by l = g }", &["E0240"]),
        ("rule r { by user, user = name match { a: x then b: y } within 1h }", &["E0203"]),
        ("rule r { by host.id?, zone = lower(zone.name) match { a: x then b: y } within 1h }", &[]),
        ("rule r { by tag = tags[0] match { a: x then b: y } within 1h }", &[]),
        ("rule r { by k = f match { a: x then b: y } within 1h alert { k = k  f = f } }", &[]),
        ("rule r { by k = f match { a: x then b: y by l = g } within 1h alert { l = l } }", &["E0218"]),
    ];
    let mut failures = String::new();
    for (text, wanted) in cases {
        let found = codes(text);
        if found != *wanted {
            failures.push_str(&format!("{text}\nwanted {wanted:?}\n{}\n", plain(text, &problems(text))));
        }
        lets_through_only_what_compiles(text, &found, &mut failures);
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn tests_and_declarations() {
    let cases: &[(&str, &[&str])] = &[
        (
            "rule r { by u match { a: x } alert { v = a.v  t = a.@ts } }\ntest r { 0s x { u: 1, v: 2 } expect alert at 0s { v == 2 and t == 0s and key.u == 1 and u == 1 and severity == \"medium\" } }",
            &[],
        ),
        (
            "rule r { match { a: x } alert { n = count(a) } }\ntest r { 0s x { u: 1 } expect alert { n == \"2\" } }",
            &["E0212"],
        ),
        ("rule r { match { a: x } }\ntest r { 0s x { u: 1 } }", &["E0253"]),
        ("rule r { match { a: x } }\ntest s { 0s x { u: 1 } expect alert }", &["E0205"]),
        ("rule r { match { a: login } }\ntest r { 0s logni { u: 1 } expect no alert }", &["W0508"]),
        ("rule r { match { a: login } }\ntest r { 0s logout { u: 1 } expect no alert }", &[]),
        ("rule r { match { a: x } }\ntest r { 0s x { u: 1 } x 5 every 1s 3s x { u: 1 } expect 6 alerts }", &["E0251"]),
        ("let a = b\nlet b = a\nrule r { match { s: x where a == 1 } }", &["E0233"]),
        ("let z = zscore(v, 1h)\nrule r { match { s: x where z > 3 } }", &[]),
        ("let z = zscore(v, 1h)\nrule r { match { s: x unless y where z > 3 in last 1h } }", &["E0223"]),
        ("let big = v > 3\nrule r { match { s: x } having big }", &["E0218"]),
        ("let limit = 3\nrule r { match { s: x where v > limit } having s.v > limit }", &[]),
        ("rule a { match { s: x } }\nrule b { match { s: alert.a } }\nrule c { match { s: alert } }", &[]),
        ("rule a { match { s: alert.a } }", &["E0234"]),
        ("rule a { match { s: x } }\nrule a { match { s: x } }", &["E0201"]),
        ("rule a { match { s: x } severity high severity low }", &["E0302"]),
        ("rule a { match { s: x } limits { runs_per_key = 0 } }", &["E0232"]),
        ("rule a { match { s: x } shadow false }", &["E0316"]),
        ("rule a { match { s: x } internal false }", &["E0316"]),
        ("rule a { match { s: x } internal suppress 1h } rule b { match { alert.a } }", &["E0316"]),
        ("rule a { match { s: x } internal shadow } rule b { match { alert.a } }", &["E0316", "W0515"]),
        ("rule a { by k match { s: x } resolve on y by j = z }", &["E0240"]),
        ("rule a { by k, j match { s: x } resolve on y by k }", &["E0326"]),
        ("rule a { by k, j match { s: x then no y by k within 1m } repeat every 1m }", &["E0326"]),
        ("rule a { match { s: x } resolve on y resolve on z }", &["E0302"]),
        ("rule a { match { s: x } internal resolve on y } rule b { match { alert.a } }", &["E0316"]),
        ("rule a { match { s: x } resolve on alert.a }", &["E0234"]),
        ("rule a { match { s: x unless open alert.a } resolve on y }", &["E0234"]),
        ("rule a { match { s: x unless open alert.b } }", &["E0205"]),
        ("rule a { match { s: x then no y within 1m } repeat every 0s }", &["E0304"]),
        ("rule a { match { s: x } } test a { 0s x expect resolved }", &["E0253"]),
        ("clock c = daily \"25:00\" rule a { match { t: c } }", &["E0366"]),
        ("clock c = daily \"06:00\" \"Europe/Berlni\" rule a { match { t: c } }", &["E0366"]),
        ("clock c = weekly \"06:00\" rule a { match { t: c } }", &["E0366"]),
        ("clock c = every 0s rule a { match { t: c } }", &["E0304"]),
        ("clock c = every 1h event c = x == 1", &["E0201"]),
        ("clock c = every 1h rule a { by k match { s: x if c in last 1h } }", &["E0367"]),
        ("clock c = every 1h rule a { by k match { s: x then t: c } within 1h }", &[]),
        ("clock c = every 1h rule a { by k match { s: x } resolve on c }", &["E0368"]),
        ("clock c = every 1h rule a { match { t: c then y } within 1m expect start }", &["E0316"]),
        ("clock c = every 1h rule a { match { t: c } } test a { 0s c expect alert }", &["E0255"]),
        ("rule a { match { s: x } expect start }", &["E0316"]),
        ("rule a { by k match { s: x then no y within 1m } expect k from @t }", &["E0206"]),
        ("rule a { match { s: x if z in last 1m then no y within 1m } expect start }", &["E0369"]),
        ("rule a { match { s: x } internal } rule b { match { alert } }", &[]),
        ("rule a { match { s: x } enabled true }", &[]),
        ("table t from \"t.csv\" key a, b\nrule r { match { s: x where (v, w) in @t and @t[v, w].q > 3 } }", &[]),
        ("table t from \"t.csv\" key a, b\nrule r { match { s: x where v in @t } }", &["E0230"]),
        ("table tab from \"t.csv\" key a\nrule r { match { s: x where v in @tba } }", &["E0206"]),
    ];
    let mut failures = String::new();
    for (text, wanted) in cases {
        let found = codes(text);
        if found != *wanted {
            failures.push_str(&format!("{text}\nwanted {wanted:?}\n{}\n", plain(text, &problems(text))));
        }
        lets_through_only_what_compiles(text, &found, &mut failures);
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn a_boolean_let_is_no_field_that_may_be_missing() {
    let text = "let at_night = hour(@ts) < 6\nrule r {\n  match { a: login where not at_night }\n}\n";
    assert_eq!(codes(text), Vec::<&str>::new(), "{}", plain(text, &problems(text)));
    assert_eq!(codes("rule r {\n  match { a: login where not at_night }\n}\n"), ["W0506"]);
}

#[test]
fn guards_by_alerts_read_the_key_where_alerts_have_it() {
    let two = |key: &str, alert: &str, by: &str| {
        format!(
            "rule up {{\n  by {key}\n  match {{ u: online }}\n{alert}}}\nrule down {{\n  by host\n  match {{ d: offline }}\n  resolve on alert.up{by}\n}}\n"
        )
    };
    assert_eq!(codes(&two("host", "", "")), ["W0518"]);
    assert_eq!(codes(&two("user", "", "")), ["W0518"]);
    assert_eq!(codes(&two("host", "", " by host = key.host")), Vec::<&str>::new());
    assert_eq!(codes(&two("host", "  alert { host = u.host }\n", "")), Vec::<&str>::new());
    let found = problems(&two("host", "", ""));
    assert_eq!(found[0].fix.as_ref().map(|f| f.replacement.as_str()), Some(" by host = key.host"));
}

/// A slip that is read on behind hides nothing: what is wrong with the meaning is said with it.
#[test]
fn a_slip_of_the_pen_does_not_hide_other_problems() {
    let cases: &[(&str, &[&str])] = &[
        ("rule a { severty high match { x: a where cuont(x) > 1 } }", &["E0008", "E0207"]),
        ("rule a { match { x: a wher lowr(n) == 1 } suppress 1h by nosuch(x) }", &["E0001", "E0207", "E0207"]),
        ("rule a { match { x: a where n = 1 && foo(n) } }", &["E0015", "E0016", "E0207"]),
        ("rul a { match { x: a where foo(n) } suppres 1h }", &["E0007", "E0008", "E0207"]),
        ("evnt a = foo(n)\nrule r { match { x: a } }", &["E0007", "E0207"]),
        // What could not be read says nothing of the rest.
        ("rule a { match { x: a where ( } having foo(n) }", &["E0004"]),
    ];
    for (text, wanted) in cases {
        assert_eq!(all_codes(text), *wanted, "{text}");
    }
}

#[test]
fn a_step_on_alerts_without_the_key_is_warned_of() {
    let down = "rule down { by service match { a: beat then no beat within 2m } alert { host = a.host } }\n";
    let cases: &[(&str, &[&str])] = &[
        ("rule r { by service match { o: alert.down } }", &["W0518"]),
        ("rule r { by region match { o: alert.down where severity == \"high\" } }", &["W0518"]),
        ("rule r { by host match { o: at least 3 of alert.down } within 1h }", &[]),
        ("rule r { by service = key.service match { o: alert.down } }", &[]),
        ("rule r { match { o: alert.down by service = key.service then p: ping by service } within 1h }", &[]),
    ];
    for (text, wanted) in cases {
        let text = format!("{down}{text}");
        assert_eq!(codes(&text), *wanted, "{text}\n{}", plain(&text, &problems(&text)));
    }
}
