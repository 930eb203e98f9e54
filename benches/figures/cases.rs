//! The cases: rules, how many keys the stream has, and what is to be reached.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tripline::compile::{CompileOptions, compile};
use tripline::plan::Ruleset;
use tripline::syntax::source::{SourceId, SourceMap};

use super::generate::KEYS;

/// One case.
pub struct Case {
    pub name: &'static str,
    /// Its rules; `None` for all rule packs.
    rules: fn() -> Option<String>,
    /// Users in the stream.
    pub keys: u64,
    /// The share of the plain scan to be reached with one thread.
    pub goal: Option<f64>,
}

/// All cases.
pub const CASES: &[Case] = &[
    Case {
        name: "filter",
        rules: || some("rule a { match { r: request where http.status >= 500 and url.path like \"/api/*\" } }"),
        keys: KEYS,
        goal: Some(0.8),
    },
    Case {
        name: "sequence",
        rules: || some("rule b { by user.name match { a: cart then b: checkout } within 10m }"),
        keys: KEYS,
        goal: Some(0.5),
    },
    Case {
        name: "failures",
        rules: || {
            some(
                "rule c { by user.name match { fail: at least 5 of signin where event.outcome == \"failure\" \
                 then ok: signin where event.outcome == \"success\" } within 10m }",
            )
        },
        keys: KEYS,
        goal: Some(0.5),
    },
    Case {
        name: "absence",
        rules: || some("rule d { by user.name match { o: order then no shipment within 5m } }"),
        keys: KEYS,
        goal: Some(0.5),
    },
    Case {
        name: "distinct",
        rules: || some("rule e { by user.name match { r: at least 5 distinct http.status of request } within 20m }"),
        keys: KEYS,
        goal: Some(0.5),
    },
    Case { name: "mixed-100", rules: || Some(mixed(100)), keys: KEYS, goal: Some(0.4) },
    Case { name: "sequences-10", rules: || Some(sequences(10)), keys: KEYS, goal: None },
    Case { name: "sequences-10k", rules: || Some(sequences(10_000)), keys: KEYS, goal: None },
    Case { name: "keys-10", rules: || some(BY_KEY), keys: 10, goal: None },
    Case { name: "keys-1M", rules: || some(BY_KEY), keys: 1_000_000, goal: None },
    Case { name: "packs", rules: || None, keys: KEYS, goal: None },
];

/// Pairs of cases: what an event of the second may cost beside one of the first.
pub const PAIRS: &[(&str, &str, f64)] = &[("sequences-10", "sequences-10k", 3.0), ("keys-10", "keys-1M", 2.5)];

/// Three events in ten open a partial match for a day, and few end one: each user seen so far holds a state.
const BY_KEY: &str = "rule k { by user.name match { a: signin then b: checkout where amount >= 499 } within 1d }";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Rules of five kinds, no two of them alike.
fn mixed(rules: usize) -> String {
    let rule = |n: usize| {
        let (host, status, item) = (n % 40, [404, 500][n % 2], n * 911 % 100_000);
        let by = ["user.name", "host.name, user.name", "source.ip"][n % 3];
        match n % 5 {
            0 => format!(
                "rule m{n} {{ match {{ r: request where http.status == {status} and host.name == \"web-{host:02}\" \
                 and http.bytes > {} }} }}\n",
                90_000 + n
            ),
            1 => format!(
                "rule m{n} {{ by {by} match {{ a: cart where amount > {} then b: checkout where host.name == \
                 \"web-{host:02}\" }} within {}m }}\n",
                300 + n,
                2 + n % 9
            ),
            2 => format!(
                "rule m{n} {{ by {by} match {{ f: at least {} of signin where event.outcome == \"failure\" and \
                 host.name != \"web-{host:02}\" }} within {}m }}\n",
                6 + n % 5,
                5 + n % 6
            ),
            3 => format!(
                "rule m{n} {{ by {by} match {{ o: order where amount > {} then no shipment within {}m }} }}\n",
                490 + n % 10,
                1 + n % 9
            ),
            _ => format!(
                "rule m{n} {{ by {by} match {{ p: process where url.path like \"*/{item}*\" or agent like \"*curl/{n}*\" \
                 then q: process where event.duration > {} }} within 10m }}\n",
                900_000 + n
            ),
        }
    };
    (0..rules).map(rule).collect()
}

/// Sequences over different items.
fn sequences(rules: usize) -> String {
    let rule = |n: usize| {
        format!(
            "rule s{n} {{ by user.name match {{ a: any where url.path == \"/api/v1/items/{}\" then \
             b: any where url.path == \"/api/v1/items/{}\" }} within 1h }}\n",
            n * 10,
            n * 10 + 5
        )
    };
    (0..rules).map(rule).collect()
}

impl Case {
    /// The compiled rules.
    pub fn compile(&self) -> Arc<Ruleset> {
        let mut sources = SourceMap::new();
        let mut directories = Vec::new();
        if let Some(text) = (self.rules)() {
            sources.add("case", text);
        } else {
            let mut files = Vec::new();
            rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules"), &mut files);
            for path in files {
                sources.add(path.display().to_string(), fs::read_to_string(&path).expect("a rule file"));
                directories.push(path.parent().expect("a directory").to_owned());
            }
        }
        let load = |path: &str, source: SourceId| {
            fs::read(directories[source.0 as usize].join(path)).map_err(|error| error.to_string())
        };
        let compiled = compile(&sources, &CompileOptions::default(), &load);
        compiled.ruleset.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
    }
}

fn rule_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).expect("the rule packs");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            rule_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "trip") {
            found.push(path);
        }
    }
}
